package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/registry"
)

// replayed is something of the request that is good for one token.
type replayed struct {
	proof bool // a DPoP proof; else an assertion
	entry dpop.Entry
}

// consumes notes what a token would consume.
func (c *call) consumes(r replayed) { c.marks = append(c.marks, r) }

var (
	errProofReplayed = symbolon.NewError(symbolon.InvalidDPoPProof,
		"the DPoP proof was presented before; make a new one, with a jti of its own, for each request")
	errReplayQuota = &symbolon.Error{
		Code:        symbolon.TooManyRequests,
		Description: "the client has presented more assertions or proofs than can be remembered until they expire; slow down, and let them expire sooner",
		RetryAfter:  10 * time.Second,
	}
	errReplayAway = &symbolon.Error{
		Code:        symbolon.TemporarilyUnavailable,
		Description: "whether the assertion or proof was presented before cannot be found out at the moment; try again with a new one",
		RetryAfter:  2 * time.Second,
	}
	errAssertionReplayed = errors.New("the assertion was presented before")
)

// consume takes what the request presented, all or nothing, so that it is good
// for no second token. Several nodes ask their shared memory first: of many
// presentations at the same time exactly one wins.
func (s *Server) consume(ctx context.Context, c *call) error {
	if len(c.marks) == 0 {
		return nil
	}
	var space [2]dpop.Entry
	entries := space[:0]
	for _, m := range c.marks {
		entries = append(entries, m.entry)
	}
	s.counted("consume")
	if s.cfg.Shared != nil {
		err := s.cfg.Shared.Claim(ctx, entries...)
		if away := err != nil && !errors.Is(err, dpop.ErrReplayed) && !errors.Is(err, dpop.ErrQuota); away && !c.Issuer.StrictReplay() {
			c.trace.OK("replay", "RFC 9449 §11.1", "not presented before, to any node", "to this node: the memory of all nodes is away")
			err = nil
		}
		if err != nil {
			return s.notConsumed(c, err)
		}
	}
	if err := s.cfg.Replay.Claim(ctx, entries...); err != nil {
		return s.notConsumed(c, err)
	}
	for _, e := range entries {
		c.record.Presented = append(c.record.Presented, audit.Presented{Key: e.Key, Expires: e.Expires})
	}
	c.trace.OK("replay", "RFC 9449 §11.1", "not presented before", "not presented before")
	return nil
}

// notConsumed is the answer when the memory refuses.
func (s *Server) notConsumed(c *call, err error) error {
	fail := func(got, fix string) {
		c.trace.Fail("replay", "RFC 9449 §11.1", "not presented before", got, fix)
	}
	switch {
	case errors.Is(err, dpop.ErrQuota):
		fail("too many others", "look why the client asks so often")
		return errReplayQuota.WithCause(err)
	case !errors.Is(err, dpop.ErrReplayed):
		fail("unknown", "see that the store can be reached, or set the issuer's replay to local")
		return errReplayAway.WithCause(err)
	}
	fail("presented before", "make a new assertion and proof for each request; if the program does, somebody else has got hold of one")
	if s.assertionReplayed(c) {
		return registry.ErrClient.WithCause(errAssertionReplayed)
	}
	return errProofReplayed.WithCause(err)
}

// assertionReplayed tells which of both it was. Where only other nodes know, it
// is taken for the proof: programs make both anew.
func (s *Server) assertionReplayed(c *call) bool {
	known, ok := s.cfg.Replay.(interface{ Holds(key [32]byte) bool })
	return slices.ContainsFunc(c.marks, func(m replayed) bool {
		return !m.proof && (len(c.marks) == 1 || ok && known.Holds(m.entry.Key))
	})
}
