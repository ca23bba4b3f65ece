package server

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// errNoSigner: there is nothing to sign with. The request is in order.
var errNoSigner = &symbolon.Error{
	Code:        symbolon.TemporarilyUnavailable,
	Description: "the issuer has no usable signing key at the moment; try again, the request id leads its operator to the cause",
	RetryAfter:  5 * time.Second,
}

var errKeyEnds = errors.New("the active key is to be deleted before a token could be used")

// issue makes the access token of a decision (RFC 9068 §2) and its claims.
func (s *Server) issue(c *call) error {
	d := c.decided
	issued := c.now.Unix()
	m, err := s.maker(c, issued+int64(d.Lifetime/time.Second))
	if err != nil {
		return err
	}
	claims := symbolon.Claims{
		Issuer: c.Issuer.Iss,
		// RFC 9068 §2.2: without a resource owner, sub identifies the client. What may
		// stand behind its id is for programs that compare it: nothing here reads sub.
		Subject:  c.record.Client + c.Issuer.SubjectSuffix,
		Audience: d.Audience,
		Expiry:   m.expires,
		IssuedAt: issued,
		ID:       web.NewID(),
		ClientID: c.record.Client,
		Scope:    d.Scope,
		Gen:      c.Snapshot.Gen(),
		Cred:     c.record.Cred,

		Confirmation: c.binding.confirmation(),

		Extra: d.Extra,
	}
	c.out = c.Dialect.appendClaims(c.out[:0], &claims)
	token, err := m.token(c.Issuer.Iss, c.out)
	if errors.Is(err, jose.ErrTooLong) {
		// Trying again would not help: an operator has to.
		return fmt.Errorf("the token would be longer than %d octets: shorten the claims of client %s or its access to the API: %w", symbolon.MaxToken, claims.ClientID, err)
	}
	if err != nil {
		return errNoSigner.WithCause(fmt.Errorf("sign with key %s: %w", m.kid, err))
	}
	c.out = c.Dialect.appendAnswer(c.out[:0], symbolon.TokenAnswer{
		AccessToken: token, TokenType: c.binding.tokenType(), ExpiresIn: m.expires - issued, Scope: d.Scope,
	}, claims.ClientID)
	c.record.JTI, c.record.KID, c.record.Gen, c.record.Exp = claims.ID, m.kid, claims.Gen, m.expires
	return nil
}

// maker makes a token's text of its claims.
type maker struct {
	kid     string
	expires int64        // of the token
	signer  *jose.Signer // nil: the token is sealed, by ring
	ring    *keys.Ring
}

func (m maker) token(iss string, claims []byte) (string, error) {
	if m.signer == nil {
		return m.ring.SealToken(iss, claims)
	}
	return m.signer.Sign(claims)
}

// maker finds what makes the token that was decided on and is to expire then: the
// issuer's active key, or the key that seals.
func (s *Server) maker(c *call, expires int64) (maker, error) {
	const name, clause = "key", "RFC 9068 §2.1"
	d := c.decided
	if d.Format == registry.FormatOpaque {
		kid := s.cfg.Ring.TokenKey()
		c.trace.OK("seal", "RFC 6749 §1.4", "an opaque token", "sealed under master key "+kid)
		return maker{kid: kid, expires: expires, ring: s.cfg.Ring}, nil
	}
	key := keys.Active(c.Issuer.Keys[d.Algorithm], c.now)
	if key == nil {
		c.trace.Fail(name, clause, "an active key for "+string(d.Algorithm), "none", "symbolon key list, and rotate")
		return maker{}, errNoSigner.WithCause(fmt.Errorf("issuer %s has no active key for %s", c.Issuer.ID, d.Algorithm))
	}
	// exp is never later than the deletion of the key: nobody could check the
	// token any more. Schedules leave room enough; this is the last line.
	if !key.Deletes.IsZero() {
		expires = min(expires, key.Deletes.Unix())
	}
	if expires <= c.now.Unix() {
		c.trace.Fail(name, clause, "a key that outlives the token", "deleted at "+key.Deletes.UTC().Format(time.RFC3339), "symbolon key rotate")
		return maker{}, errNoSigner.WithCause(errKeyEnds)
	}
	signer, err := s.cfg.Ring.Signer(key, d.Typ)
	if err != nil {
		c.trace.Fail(name, clause, "a key that opens", key.ID, "check the master key of this node")
		return maker{}, errNoSigner.WithCause(err)
	}
	c.trace.OK(name, clause, string(d.Algorithm), key.ID)
	return maker{kid: key.ID, expires: expires, signer: signer}, nil
}

// appendAnswer writes RFC 6749 §5.1's members without reflection. A token is
// base64url and dots, a scope has neither quotes nor backslashes (RFC 6749
// §3.3), so nothing needs escaping.
func appendAnswer(b []byte, a symbolon.TokenAnswer) []byte {
	b = append(b, `{"access_token":"`...)
	b = append(b, a.AccessToken...)
	b = append(b, `","token_type":"`...)
	b = append(b, a.TokenType...)
	b = append(b, `","expires_in":`...)
	b = strconv.AppendInt(b, a.ExpiresIn, 10)
	if a.Scope != "" {
		b = append(b, `,"scope":"`...)
		b = append(b, a.Scope...)
		b = append(b, '"')
	}
	return append(b, '}')
}

var contentJSON = []string{"application/json"}

// answer sends what the walk made. RFC 6749 §5.1: not to be stored by anybody.
func (c *call) answer(w http.ResponseWriter) error {
	h := w.Header()
	web.NoStore(h)
	if c.contentType != nil {
		h["Content-Type"] = c.contentType
	}
	h["Content-Length"] = []string{strconv.Itoa(len(c.out))}
	if len(c.out) == 0 {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	if _, err := w.Write(c.out); err != nil {
		return nil // the client is gone; its token has its record
	}
	return nil
}
