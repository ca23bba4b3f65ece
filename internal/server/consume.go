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
	proof  bool      // a DPoP proof; else an assertion
	issued time.Time // its iat; zero when it has none
	entry  dpop.Entry
}

// LongestPresentable is how long anything can be presented, by the most generous
// exception and clock.
const LongestPresentable = time.Duration(registry.MaxLegacyLifetime) + 2*dpop.MaxAhead

// earliest is when it can have been presented first. What has no iat was good
// before if it lives that long.
func (r *replayed) earliest() time.Time {
	if r.issued.IsZero() {
		return r.entry.Expires.Add(-LongestPresentable)
	}
	return r.issued
}

// SharedReplay is the replay memory of several nodes. Its errors are those of
// dpop.Replay, and *AwayError.
type SharedReplay interface {
	dpop.Replay
	// Later takes what this node has accepted by itself while the memory was away,
	// for the other nodes to know once it is back; false: there is no room.
	Later(entries ...dpop.Entry) bool
}

// AwayError: the shared memory does not answer. Where the issuer leaves replays to
// each node, this one goes by itself for what was issued since then: it cannot have
// been presented to another node before. Any other error of the shared memory
// refuses.
type AwayError struct {
	Since time.Time // it answered last before that
	Err   error
}

func (e *AwayError) Error() string {
	return "the replay memory of all nodes is away since " + e.Since.UTC().Format(time.RFC3339) + ": " + e.Err.Error()
}

func (e *AwayError) Unwrap() error { return e.Err }

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
	errUnknownPast       = errors.New("it was issued when this node cannot tell what was presented")
	errLater             = errors.New("too much waits for the replay memory of all nodes to be back")
	errAssertionReplayed = errors.New("the assertion was presented before")
)

// consume takes what the request presented, all or nothing, so that it is good
// for no second token. Several nodes ask their shared memory first: of many
// presentations at the same time exactly one wins.
func (s *Server) consume(ctx context.Context, c *call) error {
	if len(c.marks) == 0 {
		return nil
	}
	entries := c.entries[:0]
	for _, m := range c.marks {
		entries = append(entries, m.entry)
	}
	s.counted("consume")
	away, err := s.claimShared(ctx, c, entries)
	if err != nil {
		return s.notConsumed(c, err)
	}
	if err := s.mayHaveBeenPresented(c, away); err != nil {
		return err
	}
	if err := s.claimHere(ctx, away, entries); err != nil {
		return s.notConsumed(c, err)
	}
	if away != nil && !s.cfg.Shared.Later(entries...) {
		return s.notConsumed(c, errLater)
	}
	c.record.Presented = c.presented[:0]
	for _, e := range entries {
		c.record.Presented = append(c.record.Presented, audit.Presented{Key: e.Key, Expires: e.Expires})
	}
	c.trace.OK("replay", "RFC 9449 §11.1", "not presented before", "not presented before")
	return nil
}

// claimShared asks the memory of all nodes, if there is one. away: it does not
// answer, and the issuer leaves it to each node.
func (s *Server) claimShared(ctx context.Context, c *call, entries []dpop.Entry) (away *AwayError, err error) {
	if s.cfg.Shared == nil {
		return nil, nil
	}
	return s.askShared(ctx, c, entries)
}

func (s *Server) askShared(ctx context.Context, c *call, entries []dpop.Entry) (away *AwayError, err error) {
	// What this node refuses by itself costs the store nothing.
	if known, ok := s.cfg.Replay.(interface{ Check(...dpop.Entry) error }); ok {
		// What this node has forgotten the store has not.
		if err := known.Check(entries...); err != nil && !errors.Is(err, dpop.ErrForgotten) {
			return nil, err
		}
	}
	err = s.cfg.Shared.Claim(ctx, entries...)
	if errors.As(err, &away) && !c.Issuer.StrictReplay() {
		c.trace.OK("replay", "RFC 9449 §11.1", "not presented before, to any node", "to this node: the memory of all nodes is away")
		return away, nil
	}
	return nil, err
}

// claimHere takes the entries in this node's memory. Where that of all nodes has
// taken them they are consumed: a quota that others filled meanwhile must not
// refuse them then.
func (s *Server) claimHere(ctx context.Context, away *AwayError, entries []dpop.Entry) error {
	if here, ok := s.cfg.Replay.(interface{ Take(...dpop.Entry) error }); ok && s.cfg.Shared != nil && away == nil {
		return here.Take(entries...)
	}
	return s.cfg.Replay.Claim(ctx, entries...)
}

// mayHaveBeenPresented refuses what was issued while a node may have taken it
// that this one cannot ask: another, or itself before evidence of that was lost.
// A clock of the program that is ahead, by dpop.MaxAhead at most, defeats it.
func (s *Server) mayHaveBeenPresented(c *call, away *AwayError) error {
	since, fix := s.cfg.IssuedSince, "nothing when the program makes a new one for each request; evidence of this node is missing or damaged: run symbolon audit verify"
	switch {
	case away != nil && away.Since.After(since):
		since, fix = away.Since, "nothing when the program makes a new one for each request; see that the store can be reached"
	case away == nil && s.cfg.Shared != nil:
		return nil
	}
	if since.IsZero() {
		return nil
	}
	for i := range c.marks {
		if c.marks[i].earliest().Before(since) {
			c.trace.Fail("replay", "RFC 9449 §11.1", "issued since "+since.UTC().Format(time.RFC3339), "issued before, or without iat", fix)
			return errReplayAway.WithCause(errUnknownPast)
		}
	}
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
	case errors.Is(err, dpop.ErrForgotten):
		fail("unknown: this node's clock was set back, and had made it forget", "compare the clocks; it passes when what was issued until then has expired")
		return errReplayAway.WithCause(err)
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
	return slices.ContainsFunc(c.marks, func(m replayed) bool {
		return !m.proof && (len(c.marks) == 1 || s.holds(m.entry.Key))
	})
}
