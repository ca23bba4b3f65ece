package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/audit"
)

// Revoker stores that a token is denied. It is asked for tokens alone that the
// issuer has issued to the client that asks. Its errors are those of
// admin.RevokeToken; nil: it is stored, and this node acts by it.
type Revoker interface {
	RevokeToken(ctx context.Context, actor admin.Actor, t admin.IssuedToken) error
}

// serveRevocation is the revocation endpoint (RFC 7009 §2): a client gives up a
// token of its own.
func (s *Server) serveRevocation(at Place, w http.ResponseWriter, r *http.Request) error {
	return s.serve(at, w, r, endpoint{clause: "RFC 7009 §2.1", parse: (*request).wantToken, walk: (*Server).revoke})
}

var (
	// RFC 7009 §2.1 refuses it, §2.2.1 leaves the code to RFC 6749 §5.2, where this
	// is the one for what "was issued to another client".
	errOtherClient = symbolon.NewError(symbolon.InvalidGrant,
		"the token was issued to another client; a client can revoke its own tokens only, operators any")
	errRevokedEnough = &symbolon.Error{
		Code:        symbolon.TooManyRequests,
		Description: "as many tokens are revoked, by the client or by all clients of the issuer, as are kept until they expire; let them expire, or have an operator deny all of the client's tokens at once",
		RetryAfter:  time.Minute,
	}
	// RFC 7009 §2.2.1: the client must assume that the token still exists.
	errNotRevoked = &symbolon.Error{
		Code:        symbolon.TemporarilyUnavailable,
		Description: "whether the token is revoked now is not certain; send the request again",
		RetryAfter:  5 * time.Second,
	}
)

// revoke is the walk.
func (s *Server) revoke(ctx context.Context, c *call) error {
	if err := s.admit(ctx, c); err != nil {
		return err
	}
	// RFC 7009 §2.2: the answer is its status.
	c.contentType, c.out = nil, c.out[:0]
	t, why := s.current(c)
	if why != nil {
		// RFC 7009 §2.2: the token is no good, which is what the client wants.
		return s.keep(c, audit.Answered)
	}
	const name, clause, own = "owner", "RFC 7009 §2.1", "a token of the client's own"
	if t.claims.ClientID != c.record.Client {
		c.trace.Fail(name, clause, own, "issued to "+t.claims.ClientID, "symbolon deny token, as an operator")
		return errOtherClient
	}
	c.trace.OK(name, clause, own, "issued to "+t.claims.ClientID)
	if err := s.storeRevoked(ctx, c, &t); err != nil {
		return err
	}
	return s.keep(c, audit.Answered)
}

// storeRevoked says that a token is revoked when it is, and never else
// (CVE-2020-15223).
func (s *Server) storeRevoked(ctx context.Context, c *call, t *issuedToken) error {
	const name, clause, stored = "revocation", "RFC 7009 §2.2", "stored"
	err := s.cfg.Revoker.RevokeToken(ctx, admin.OfClient(c.record.Client, c.record.RequestID), admin.IssuedToken{
		Issuer: c.Issuer.ID, Client: c.record.Client, JTI: t.claims.ID, Expires: time.Unix(t.claims.Expiry, 0),
		AtIssuer: c.Snapshot.Denials.Tokens(c.Issuer.ID),
	})
	if err == nil {
		c.trace.OK(name, clause, stored, "jti "+t.claims.ID)
		return nil
	}
	switch admin.CodeOf(err) {
	case admin.TooMany:
		c.trace.Fail(name, clause, stored, "too many others", "symbolon deny tokens "+c.record.Client)
		return errRevokedEnough.WithCause(err)
	case admin.Unavailable, admin.Conflict:
		c.trace.Fail(name, clause, stored, "unknown", "see that the store can be reached")
		return errNotRevoked.WithCause(err)
	}
	c.trace.Fail(name, clause, stored, "failed", "look at the cause")
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errNotRevoked.WithCause(err)
	}
	return err
}
