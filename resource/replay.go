package resource

import (
	"context"
	"errors"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
)

// Replay remembers which DPoP proofs were presented (RFC 9449 §11.1). Claim
// takes a proof by its key, a digest that is the same for every spelling of it,
// and must know it until expires, some 100 s at most. It returns [ErrReplayed],
// wrapped or not, for a key that was claimed before. Any other error means that
// nothing is known, and the request is answered 503. Claim is called by many
// requests at once: of several with one key exactly one may succeed.
//
// In a database shared by all instances it is one statement, for example
//
//	INSERT INTO proofs (key, expires) VALUES ($1, $2) ON CONFLICT DO NOTHING
//
// with ErrReplayed when no row was inserted.
type Replay interface {
	Claim(ctx context.Context, key [32]byte, expires time.Time) error
}

// ErrReplayed is what a [Replay] returns for a proof that was presented before.
var ErrReplayed = errors.New("resource: the DPoP proof was presented before")

// Waits that refused requests are told.
const (
	quotaWait  = 10 * time.Second // some of what is remembered has expired by then
	replayWait = 5 * time.Second
)

// consume takes the proof, so that it is good for one request. It comes after
// every other check: a request that is refused for another reason must consume
// nothing, or a stranger could use up somebody's proof.
func (a *API) consume(ctx context.Context, p *dpop.Proof, client string, t *symbolon.Trace) *symbolon.Error {
	if p == nil {
		return nil
	}
	const clause, want = "RFC 9449 §11.1", "a proof that was not presented before"
	err := a.claim(ctx, p, client)
	switch {
	case err == nil:
		t.OK("replay", clause, want, "")
		return nil
	case errors.Is(err, ErrReplayed), errors.Is(err, dpop.ErrReplayed):
		t.Fail("replay", clause, want, "presented before", errReplayed.Description)
		return errReplayed
	case errors.Is(err, dpop.ErrQuota):
		t.Fail("replay", clause, want, "too many live proofs of this client", errTooMany.Description)
		return waiting(errTooMany, quotaWait).WithCause(err)
	}
	// Never let through: nobody knows whether it was used.
	t.Fail("replay", clause, want, "the memory of proofs is not available", "see why Config.Replay fails: the cause of the error says it")
	return waiting(errNoReplay, replayWait).WithCause(err)
}

func (a *API) claim(ctx context.Context, p *dpop.Proof, client string) error {
	if a.cfg.Replay != nil {
		return a.cfg.Replay.Claim(ctx, p.ReplayKey, p.Expires)
	}
	return a.proofs.Claim(ctx, dpop.Entry{Key: p.ReplayKey, Expires: p.Expires, Owner: client})
}

func waiting(e *symbolon.Error, d time.Duration) *symbolon.Error {
	c := *e
	c.RetryAfter = d
	return &c
}
