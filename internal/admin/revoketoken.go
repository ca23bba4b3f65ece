package admin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// MaxRevoked is how many of its tokens a client may have revoked at a time.
// Each is kept until the token has expired.
const MaxRevoked = 10_000

// IssuedToken is a token that was found to be of this server and of the client
// that wants it revoked (RFC 7009 §2.1).
type IssuedToken struct {
	Issuer  string // id
	Client  string
	JTI     string
	Expires time.Time
}

// RevokeToken denies one token for the client that got it; who asks is the
// caller's to check. A token that is denied already, or has expired, changes
// nothing. The spool has the request: the change has no record of its own, or the
// store would grow with the tokens.
//
// Errors: TooMany when the client has MaxRevoked of them, Unavailable when it
// could not be stored.
func (a *Admin) RevokeToken(ctx context.Context, actor Actor, t IssuedToken) error {
	if t.Client == "" || !validJTI(t.JTI) {
		return invalid("revoke tokens that this server issued", "a token has a client and a jti")
	}
	// For validators whose clocks are behind, as all denials.
	d := registry.Denial{What: registry.DenyJTI, Issuer: t.Issuer, Client: t.Client, JTI: t.JTI,
		Expires: registry.DenialExpires(t.Expires, 0, 0)}
	d.ID = registry.DenialID(&d)
	if !d.Expires.After(a.now()) || a.isDenied(ctx, d.ID) {
		return nil
	}
	_, err := a.change(ctx, actor, func(c *change) error { return c.denyOwn(d) })
	return err
}

// isDenied reports whether the node's copy has the denial: then it is stored, and
// nothing is to be written. Any doubt is for the store to settle.
func (a *Admin) isDenied(ctx context.Context, id string) bool {
	o, err := a.Reader.Get(ctx, registry.KindDenial, id)
	return err == nil && !o.Deleted
}

// denyOwn stages the denial of a client's own token.
func (c *change) denyOwn(d registry.Denial) error {
	s, old, err := load[registry.Denial](c, registry.KindDenial, d.ID)
	if err != nil || old != nil {
		return err
	}
	ids, err := c.tx.Find(registry.KindDenial, registry.AttrClient, d.Client)
	if err != nil {
		return err
	}
	revoked := 0
	for _, id := range ids {
		if strings.HasPrefix(id, registry.DenyJTI+":") {
			revoked++
		}
	}
	if revoked >= MaxRevoked {
		return &Error{Code: TooMany, Message: fmt.Sprintf("client %s has revoked %d tokens that have not expired yet", d.Client, revoked),
			Fix: "let tokens expire, with a shorter lifetime; or deny all of them: symbolon deny tokens " + d.Client}
	}
	c.stage(s, &d, "denial.create")
	return nil
}
