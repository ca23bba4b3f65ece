package server

import (
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// call is one token request under way: where it arrived, what it says, what was
// found out, and the record that it leaves. Calls are used again.
type call struct {
	Place
	now     time.Time
	request *tokenRequest
	hashed  map[string]bool // slow hashes that were computed: stored form → the secret fits
	decided *registry.Decision
	trace   symbolon.Trace
	record  audit.Record

	body []byte // space for the request's body
	out  []byte // space for the claims, and then the answer
}

// begin takes a call from the pool.
func (s *Server) begin(at Place, x *web.Exchange) *call {
	c := s.calls.Get().(*call)
	c.Place, c.now = at, s.cfg.Now()
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
	*c = call{body: c.body[:0], out: c.out[:0], trace: symbolon.Trace{Checks: c.trace.Checks[:0]}}
	s.calls.Put(c)
}

// errNoRecord: no token leaves without its record, and no refusal either.
var errNoRecord = &symbolon.Error{
	Code:        symbolon.TemporarilyUnavailable,
	Description: "the server cannot keep the record of this request now; try again, or try another node",
	RetryAfter:  5 * time.Second,
}

// issued writes the record of a token that is about to leave.
func (s *Server) issued(c *call) error {
	c.record.Outcome = audit.Issued
	s.complete(c)
	s.counted("record")
	if err := s.cfg.Spool.Append(&c.record); err != nil {
		return errNoRecord.WithCause(err)
	}
	return nil
}

// refused writes the record of a request that ends in err, and returns what is
// to be answered.
func (s *Server) refused(c *call, err error) error {
	e := symbolon.AsError(err)
	c.record.Outcome = audit.Refused
	if e.Code.TokenStatus() >= 500 {
		c.record.Outcome = audit.Failed
	}
	c.record.Code, c.record.Reason = string(e.Code), e.Description
	if cause := e.Cause(); cause != nil {
		c.record.Reason = cause.Error()
	}
	if q := c.request; q != nil && c.record.Client == "" {
		c.record.Client, c.record.Method = q.ClientID, q.Method
	}
	if q := c.request; q != nil {
		c.record.Scope = strings.Join(q.Scopes, " ")
	}
	s.complete(c)
	s.counted("record")
	if c.record.Verified {
		err = s.cfg.Spool.Append(&c.record)
	} else {
		err = s.cfg.Spool.AppendRefusal(&c.record, audit.Network(c.record.Peer))
	}
	if err != nil && c.record.Outcome == audit.Refused {
		return errNoRecord.WithCause(err)
	}
	return e
}

func (s *Server) complete(c *call) {
	c.record.Checks = c.trace.Checks
	c.record.Micros = s.cfg.Now().Sub(c.now).Microseconds()
}
