package server

import (
	"errors"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
)

// errNoRecord: no token leaves without its record, and no refusal either.
var errNoRecord = &symbolon.Error{
	Code:        symbolon.TemporarilyUnavailable,
	Description: "the server cannot keep the record of this request now; try again, or try another node",
	RetryAfter:  5 * time.Second,
}

// keep writes the record of a token, or of another answer, that is about to leave.
func (s *Server) keep(c *call, outcome string) error {
	c.record.Outcome = outcome
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
	if errors.Is(e.Cause(), errAssertionReplayed) {
		// Whoever found a used assertion has proved nothing.
		c.record.Verified, c.record.Cred = false, ""
	}
	if q := c.request; q != nil && c.record.Client == "" {
		c.record.Client, c.record.Method = q.ClientID, q.Method
	}
	if q := c.request; q != nil {
		c.record.Scope = strings.Join(q.Scopes, " ")
	}
	s.complete(c)
	s.counted("record")
	// Whoever asks faster than it may is not what decides how much is written.
	if c.record.Verified && e.Code != symbolon.TooManyRequests {
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
