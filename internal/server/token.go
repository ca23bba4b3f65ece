package server

import (
	"context"
	"net/http"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/replica"
)

// serveToken is the token endpoint (RFC 6749 §3.2).
func (s *Server) serveToken(at Place, w http.ResponseWriter, r *http.Request) error {
	return s.serve(at, w, r, endpoint{clause: "RFC 6749 §3.2", parse: (*request).readScope, proofs: true, query: true, walk: (*Server).token})
}

// token is the walk of a request that was read: each step is one demand of the
// texts, and returns its own refusal. What it finds out stands in the call.
func (s *Server) token(ctx context.Context, c *call) error {
	// A node that is cut off for too long issues nothing.
	if s.stale(c.Issuer) {
		return errStale
	}
	// RFC 6749 §4.4.2: grant_type is client_credentials.
	if err := c.checkGrant(); err != nil {
		return err
	}
	// RFC 6749 §2.3, §3.2.1: the client authenticates. RFC 6749 §3.3, RFC 8707
	// §2: it gets a token for one API, with scopes that were granted to it.
	if err := s.judge(ctx, c, (*Server).attempt); err != nil {
		return c.Dialect.proofMissing(err)
	}
	// RFC 7523 §3, RFC 9449 §11.1: what was presented is good for one token. Last
	// of all checks: a refused request consumes nothing.
	if err := s.consume(ctx, c); err != nil {
		return err
	}
	// RFC 9068 §2: a signed token of its own type.
	if err := s.issue(c); err != nil {
		return err
	}
	// No token without its record.
	return s.keep(c, audit.Issued)
}

// checkRead notes what came of reading the request.
func (c *call) checkRead(err error, clause string) error {
	const name, form = "request", "a form with each parameter once"
	if err == nil {
		c.trace.OK(name, clause, form, form)
		return nil
	}
	if e := symbolon.AsError(err); e.Code == symbolon.InvalidClient {
		c.trace.Fail(checkAuthentication, "RFC 6749 §2.3", "a client id and a secret, an assertion or a certificate that can be read", "something else", "set up the program's client authentication")
	} else {
		c.trace.Fail(name, clause, form, "something else", e.Description)
	}
	return err
}

var (
	errNoGrant = symbolon.NewError(symbolon.InvalidRequest,
		"grant_type is missing; send grant_type=client_credentials")
	errGrant = symbolon.NewError(symbolon.UnsupportedGrantType,
		"the only grant_type here is client_credentials")
)

func (c *call) checkGrant() error {
	const name, clause = "grant type", "RFC 6749 §4.4.2"
	switch grant := c.request.GrantType; {
	case grant == symbolon.GrantClientCredentials:
		c.trace.OK(name, clause, symbolon.GrantClientCredentials, symbolon.GrantClientCredentials)
		return nil
	case grant == "" && c.Dialect != nil && c.Dialect.Grant == symbolon.GrantClientCredentials:
		c.trace.OK(name, clause, symbolon.GrantClientCredentials, "none, which means it at an issuer of dialect "+c.Dialect.Name)
		return nil
	case grant == "":
		c.trace.Fail(name, clause, symbolon.GrantClientCredentials, "none", "send grant_type=client_credentials")
		return errNoGrant
	}
	c.trace.Fail(name, clause, symbolon.GrantClientCredentials, "another", "send grant_type=client_credentials")
	return errGrant
}

// attempt is the look of a token request.
func (s *Server) attempt(ctx context.Context, c *call, entry *replica.Entry) error {
	if err := s.authenticate(ctx, c, entry); err != nil {
		return err
	}
	// RFC 9449 §5, RFC 8705 §3: to which key the token is bound.
	if err := s.prove(c); err != nil {
		return err
	}
	return s.decide(c, entry.Client)
}

// confirmable reports whether a refusal may follow from a replica that is
// behind: all do that are about the client, and not about this node or the
// proof, which are the same everywhere.
func confirmable(err error) bool {
	switch code := symbolon.AsError(err).Code; code {
	case symbolon.TooManyRequests, symbolon.InvalidDPoPProof, symbolon.UseDPoPNonce:
		return false
	default:
		return code.TokenStatus() < http.StatusInternalServerError
	}
}

var errLookUp = &symbolon.Error{
	Code:        symbolon.TemporarilyUnavailable,
	Description: "this node cannot read its copy of the clients at the moment; try again, or try another node",
	RetryAfter:  time.Second,
}

// noLookUp is the answer when the replica could not say who the client is.
func noLookUp(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errGaveUp.WithCause(err)
	}
	return errLookUp.WithCause(err)
}
