package server

import (
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// call is one request of a client under way: where it arrived, what it says, what
// was found out, and the record that it leaves. Calls are used again.
type call struct {
	Place
	now     time.Time
	request *request
	hashed  map[hashedKey]bool // slow hashes that were computed: whether the secret fits
	chained *error             // what came of checking the certificate's chain; nil: not checked yet
	binding binding
	marks   []replayed // what a token would consume
	decided *registry.Decision
	trace   symbolon.Trace
	record  audit.Record

	body []byte // space for the request's body
	out  []byte // space for the claims, and then the answer

	contentType []string // of the answer; nil: it has no body

	// Space for what a request has one or two of.
	candidates [2]candidate
	urls       [2]string
	entries    [audit.MaxPresented]dpop.Entry
	presented  [audit.MaxPresented]audit.Presented
}

// usualChecks is how many checks the record of a token has, or a few less: the
// garbage collector empties the pool, and then space is made once and not by
// steps.
const usualChecks = 16

func newCall() *call {
	return &call{
		marks: make([]replayed, 0, audit.MaxPresented),
		trace: symbolon.Trace{Checks: make([]symbolon.Check, 0, usualChecks)},
	}
}

// begin takes a call from the pool.
func (s *Server) begin(at Place, x *web.Exchange) *call {
	c := s.calls.Get().(*call)
	c.Place, c.now, c.contentType = at, s.cfg.Now(), contentJSON
	c.trace.Checks = c.trace.Checks[:0]
	c.record = audit.Record{
		Time:      c.now,
		Issuer:    at.Issuer.ID,
		RequestID: x.RequestID,
		Endpoint:  x.Endpoint,
		Peer:      x.Peer,
	}
	return c
}

// maxKept is the largest body whose space is used again.
const maxKept = 8 << 10

// end gives the call back without what it held of the request.
func (s *Server) end(c *call) {
	if cap(c.body) > maxKept {
		c.body = nil
	}
	clear(c.body) // it may hold a secret, out a token
	clear(c.out)
	clear(c.trace.Checks)
	clear(c.marks)
	*c = call{marks: c.marks[:0], body: c.body[:0], out: c.out[:0], trace: symbolon.Trace{Checks: c.trace.Checks[:0]}}
	s.calls.Put(c)
}
