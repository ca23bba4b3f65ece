package server

import (
	"context"
	"net/http"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
	"github.com/symbolon/symbolon/internal/web"
)

// endpoint is what one of the endpoints at which clients authenticate does by
// itself. All else, from the reading of a request to its record, they share.
type endpoint struct {
	clause string               // that says what a request is
	parse  func(*request) error // what a request that was read must have
	proofs bool                 // it takes DPoP proofs
	query  bool                 // its parameters may stand in the URL where the dialect says so
	walk   func(*Server, context.Context, *call) error
}

// serve answers a request at an endpoint of clients, and leaves its record.
func (s *Server) serve(at Place, w http.ResponseWriter, r *http.Request, e endpoint) error {
	x := web.ExchangeOf(w)
	c := s.begin(at, x)
	defer s.end(c)
	var err error
	c.request, err = readRequest(x, r, at.Dialect.manner(e.query), &c.body)
	if c.request.leak != nil {
		s.tellLeak(c)
	}
	if e.proofs {
		s.offerNonce(c, x)
	}
	if err == nil {
		err = e.parse(c.request)
	}
	if err = c.checkRead(err, e.clause); err == nil {
		err = e.walk(s, r.Context(), c)
	}
	if err != nil {
		return s.refused(c, err)
	}
	return c.answer(w)
}

// look is one look at a client and what it may have.
type look func(*Server, context.Context, *call, *replica.Entry) error

// judge decides whether the client gets what it asks for. A refusal is never
// answered from the cache alone: the client may have been made, or changed, on
// another node a moment ago. So what would be refused is looked at once more
// after the replica has caught up with the store, and every refused request,
// whatever its cause, takes the same steps.
func (s *Server) judge(ctx context.Context, c *call, attempt look) error {
	s.counted("look up")
	id := c.request.ClientID
	entry, err := s.cfg.Replica.Client(ctx, id)
	if err != nil {
		return noLookUp(ctx, err)
	}
	checks := len(c.trace.Checks)
	c.marks = c.marks[:0]
	if err = attempt(s, ctx, c, entry); err == nil || !confirmable(err) {
		return err
	}
	s.counted("confirm")
	confirmed, snapshot, lookUp := s.cfg.Replica.Confirm(ctx, id, entry)
	if lookUp != nil {
		return noLookUp(ctx, lookUp)
	}
	if confirmed == entry && snapshot == c.Snapshot {
		return err // there is no news: the second look would see what the first saw
	}
	c.trace.Checks = c.trace.Checks[:checks]
	if err := c.move(snapshot); err != nil {
		return err
	}
	c.marks = c.marks[:0]
	return attempt(s, ctx, c, confirmed)
}

// move lets the rest of the request be decided on another snapshot.
func (c *call) move(snapshot *registry.Snapshot) error {
	dialect := c.Issuer.Dialect
	c.Snapshot, c.Issuer = snapshot, snapshot.Issuers[c.Issuer.ID]
	if c.Issuer == nil || c.Issuer.Dialect != dialect {
		return registry.ErrClient.WithCause(errNoIssuer)
	}
	return nil
}

// identify is the look of the endpoints where a client needs no more than to be
// who it says it is.
func (s *Server) identify(ctx context.Context, c *call, entry *replica.Entry) error {
	if err := s.authenticate(ctx, c, entry); err != nil {
		return err
	}
	return registry.CheckProfile(c.Issuer.Issuer, c.record.Method, &c.trace)
}

// admit lets a client in at such an endpoint. What it presented is good for one
// request, as at the token endpoint.
func (s *Server) admit(ctx context.Context, c *call) error {
	if s.stale(c.Issuer) {
		return errStale
	}
	if err := s.judge(ctx, c, (*Server).identify); err != nil {
		return err
	}
	return s.consume(ctx, c)
}
