package store

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

const (
	claimSlots   = 3 // of the pool: the rest is for what the node lives on
	claimsMost   = 256
	claimPatient = time.Second // for a turn: the caller has a program waiting
)

// claims bounds what claims may take of the pool. Anybody with a credential makes
// as many as it likes: they must not delay the node's own work, and a request must
// not wait long for an answer that says to try again.
type claims struct {
	slots   *queue
	waiting atomic.Int64
}

func newClaims(pool int) *claims { return &claims{slots: newQueue(max(1, min(claimSlots, pool-1)))} }

// enter waits for a turn until wait ends.
func (c *claims) enter(wait context.Context) error {
	defer c.waiting.Add(-1)
	if c.waiting.Add(1) > claimsMost {
		return ErrBusy
	}
	return c.slots.enter(wait)
}

// claim is transact for claims.
func (e *engine) claim(ctx context.Context, f func(*unit) error) error {
	const op = "claim"
	if e.claims == nil {
		return e.transact(ctx, op, evidence, f)
	}
	wait, cancel := context.WithTimeout(ctx, claimPatient)
	defer cancel()
	if err := e.claims.enter(wait); err != nil {
		return failure(op, busy(ctx, err))
	}
	defer e.claims.slots.leave()
	if err := e.ready(ctx); err != nil {
		return failure(op, err)
	}
	if err := e.enter(wait, evidence); err != nil {
		return failure(op, busy(ctx, err))
	}
	return e.inside(ctx, op, evidence, f)
}

// busy tells a caller that gave up from one that waited for too long.
func busy(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return ErrBusy
	}
	return err
}
