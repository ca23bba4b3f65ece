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

// Bounds of what all clients of an issuer have revoked together. Every validator of
// the issuer holds it, and reads no set that is longer than 32 MiB: 200,000 tokens
// take a third of that, and the rest stays for what operators deny. From the first
// bound on a client may have few, so that some that revoke all that they get do not
// use up what is there for the others.
const (
	crowdedIssuer = 100_000
	fullIssuer    = 200_000
	fewRevoked    = 100
)

// mostRevoked is how many a client may have where so many of the issuer's tokens are
// denied.
func mostRevoked(atIssuer int) int {
	switch {
	case atIssuer < crowdedIssuer:
		return MaxRevoked
	case atIssuer < fullIssuer:
		return fewRevoked
	}
	return 0
}

// IssuedToken is a token that was found to be of this server and of the client
// that wants it revoked (RFC 7009 §2.1).
type IssuedToken struct {
	Issuer  string // id
	Client  string
	JTI     string
	Expires time.Time

	// AtIssuer is how many tokens of the issuer are denied, as far as the node
	// knows: it may be some commits behind.
	AtIssuer int
}

// RevokeToken denies one token for the client that got it; who asks is the
// caller's to check. A token that is denied already, or has expired, changes
// nothing. The spool has the request: the change has no record of its own, or the
// store would grow with the tokens.
//
// Errors: TooMany when the client has MaxRevoked of them, or its issuer so many that
// there is no room for more of this client's; Unavailable when it could not be stored.
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
	_, err := a.change(ctx, actor, func(c *change) error { return c.denyOwn(d, t.AtIssuer) })
	return err
}

// isDenied reports whether the node's copy has the denial: then it is stored, and
// nothing is to be written. Any doubt is for the store to settle.
func (a *Admin) isDenied(ctx context.Context, id string) bool {
	o, err := a.Reader.Get(ctx, registry.KindDenial, id)
	return err == nil && !o.Deleted
}

// denyOwn stages the denial of a client's own token.
func (c *change) denyOwn(d registry.Denial, atIssuer int) error {
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
	switch most := mostRevoked(atIssuer); {
	case revoked >= MaxRevoked:
		return &Error{Code: TooMany, Message: fmt.Sprintf("client %s has revoked %d tokens that have not expired yet", d.Client, revoked),
			Fix: "let tokens expire, with a shorter lifetime; or deny all of them: symbolon deny tokens " + d.Client}
	case revoked >= most:
		return &Error{Code: TooMany, Message: fmt.Sprintf("%d tokens of issuer %s are revoked that have not expired yet, %d of them by client %s: all that validate its tokens hold that list",
			atIssuer, d.Issuer, revoked, d.Client),
			Fix: "let tokens expire, with a shorter lifetime; or deny all of this client's: symbolon deny tokens " + d.Client}
	}
	c.stage(s, &d, "denial.create")
	return nil
}
