package server

import (
	"errors"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/web"
)

// What a dialect's endpoints beyond OAuth's ask of this package: whether a token
// is good, and that a refusal leaves its record.

// errNotRecognized is the one answer to a text that is no good token here,
// whatever the cause.
var errNotRecognized = symbolon.NewError(symbolon.InvalidToken,
	"this is no access token of this issuer that is good now; get a new one; the request id leads an operator to the cause")

var boundToken = &fault{"RFC 7800 §3.1", "a token that whoever has it may use", "bound to a key",
	"let the API check the token and its proof itself; here it could be anybody's", errors.New("the token is bound to a key, and who presents it here shows none")}

// Recognize gives the claims of an access token of the place's issuer that has
// not expired and that nothing denies. Of any other text the error is one of code
// InvalidToken, 503 where this node cannot tell. It asks neither who presents the
// token nor which API it is for; so a token that is bound to a key is none: nobody
// has shown the key (RFC 7800 §3.1). The request leaves a record, of the
// Exchange's Endpoint.
func (s *Server) Recognize(at Place, x *web.Exchange, token string) (*symbolon.Claims, error) {
	c := s.begin(at, x)
	defer s.end(c)
	c.request = &request{Token: token}
	t, err := s.good(c)
	if err != nil {
		return nil, s.refused(c, err)
	}
	if err := s.keep(c, audit.Answered); err != nil {
		return nil, err
	}
	return t.claims, nil
}

// good finds out whether the token that the request is about is good at any of
// the APIs that it is for.
func (s *Server) good(c *call) (t issuedToken, err error) {
	if s.stale(c.Issuer) {
		return t, errStale
	}
	t, why := s.current(c)
	if why != nil {
		return t, errNotRecognized.WithCause(why.cause)
	}
	c.record.Client = t.claims.ClientID
	if t.claims.Confirmation != nil {
		c.notes("binding", boundToken)
		return t, errNotRecognized.WithCause(boundToken.cause)
	}
	denied := c.Issuer.Denied(t.facts()) || !slices.ContainsFunc(t.claims.Audience, func(aud string) bool {
		return !c.Issuer.DeniedAt(t.facts(), aud)
	})
	if denied {
		c.notes("denials", deniedToken)
		return t, errNotRecognized.WithCause(deniedToken.cause)
	}
	c.trace.OK("denials", clauseToken, deniedToken.expected, "none")
	return t, nil
}

// Current says why this node may not answer for anybody at the place's issuer: it
// has not heard from its store for too long. Nil: it may.
func (s *Server) Current(at Place) error {
	if s.stale(at.Issuer) {
		return errStale
	}
	return nil
}

var errMoved = &symbolon.Error{
	Code:        symbolon.TemporarilyUnavailable,
	Description: "this issuer was changed while the request was on its way; send it again",
	RetryAfter:  time.Second,
}

// Latest is the place as this node knows it now: for an endpoint that has waited
// for its peer since the request began. Between the two a token may have been
// revoked, or an operator have lost what it could do.
func (s *Server) Latest(at Place) (Place, error) {
	snapshot := s.cfg.Replica.Snapshot()
	issuer := snapshot.Issuers[at.Issuer.ID]
	if issuer == nil || issuer.Base != at.Issuer.Base || issuer.Dialect != at.Issuer.Dialect {
		return at, errMoved
	}
	at.Snapshot, at.Issuer = snapshot, issuer
	return at, nil
}

// Published reports whether verifiers have the key of that id of the place's
// issuer: one that is next, active or retired. It goes by the snapshot, so that a
// key that was revoked is gone at once, whoever remembers it still.
func (s *Server) Published(at Place, kid string) bool {
	_, why := published(at.Issuer, kid, s.cfg.Now())
	return why == nil
}

// Caller is who asks at an endpoint beyond OAuth's, for the record.
type Caller struct {
	Name     string // the id of the client, or "token:" and an operator token's; "" for nobody
	Verified bool   // the token that it showed was good
}

// calledBy puts who asks into the record.
func (c *call) calledBy(who Caller) {
	c.record.Client = who.Name
	c.record.Verified = who.Verified // by a token: no credential was used, so none is named
}

// Answered writes the record of a request that an endpoint beyond OAuth's is about
// to answer. Where it cannot be kept the error is the answer instead.
func (s *Server) Answered(at Place, x *web.Exchange, who Caller) error {
	c := s.begin(at, x)
	defer s.end(c)
	c.calledBy(who)
	return s.keep(c, audit.Answered)
}

// Refused writes the record of a request that an endpoint beyond OAuth's refuses,
// with its private cause, and gives err back for the answer: so that explain knows
// the request id there, too. Where the record cannot be kept the answer says so
// instead.
func (s *Server) Refused(at Place, x *web.Exchange, who Caller, err error) error {
	c := s.begin(at, x)
	defer s.end(c)
	c.calledBy(who)
	e := *symbolon.AsError(err)
	if !errors.As(err, new(*symbolon.Error)) {
		e.Code = codeOf(err)
	}
	if kept := s.refused(c, &e); kept != error(&e) {
		return kept
	}
	return err
}

// codeOf is the code that stands in the record for an error of package admin; the
// cause tells the rest.
func codeOf(err error) symbolon.Code {
	switch admin.CodeOf(err) {
	case "":
		return symbolon.ServerError
	case admin.NotFound:
		return symbolon.NotFound
	case admin.Forbidden:
		return symbolon.InsufficientScope
	case admin.TooMany:
		return symbolon.TooManyRequests
	case admin.Unavailable:
		return symbolon.TemporarilyUnavailable
	}
	return symbolon.InvalidRequest
}
