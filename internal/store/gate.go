package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// How long a call may wait. A hanging server is noticed by the first call
// within statementLimit; the gate then answers the others at once.
const (
	queueLimit     = 5 * time.Second        // for a turn while nobody else gets one
	queueMost      = 30 * time.Second       // for a turn in any case
	statementLimit = 2 * time.Second        // for the answer to one statement; the server's own limits are shorter
	outagePause    = 250 * time.Millisecond // without a new try after the database did not answer
)

// gate lets as many calls through to a server as there are connections, and
// none for a moment after the server did not answer: callers must not pile up
// behind one that hangs.
type gate struct {
	slots *queue

	mu     sync.Mutex
	closed time.Time // until then; zero: open
	why    error     // the last outage
}

func newGate(size int) *gate { return &gate{slots: newQueue(size)} }

// check refuses while the server is away. The first caller after the pause is
// let through to try; the others stay refused until it knows more.
func (g *gate) check() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed.IsZero() {
		return nil
	}
	now := time.Now()
	if now.Before(g.closed) {
		return fmt.Errorf("a moment ago: %w", g.why)
	}
	g.closed = now.Add(acquireMost + statementLimit)
	return nil
}

// enter waits for a slot.
func (g *gate) enter(ctx context.Context) error {
	if err := g.slots.enter(ctx); err != nil {
		return err
	}
	if err := g.check(); err != nil {
		g.slots.leave()
		return err
	}
	return nil
}

// leave gives the slot back. err is what the database said, not the caller.
func (g *gate) leave(err error) {
	g.slots.leave()
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case errors.Is(err, errOutage):
		g.closed, g.why = time.Now().Add(outagePause), err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		if !g.closed.IsZero() { // a try that its caller broke off: the next one may try
			g.closed = time.Now()
		}
	default:
		g.closed = time.Time{}
	}
}

// queue lets as many callers in as it has places.
type queue struct {
	places chan struct{}
	served atomic.Int64 // how many have been let in
}

func newQueue(places int) *queue { return &queue{places: make(chan struct{}, places)} }

// enter waits for a place: as long as others get theirs, up to queueMost.
func (q *queue) enter(ctx context.Context) error {
	select {
	case q.places <- struct{}{}:
		q.served.Add(1)
		return nil
	default:
	}
	limit := time.NewTicker(queueLimit)
	defer limit.Stop()
	seen := q.served.Load()
	for range queueMost / queueLimit {
		select {
		case q.places <- struct{}{}:
			q.served.Add(1)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
		}
		now := q.served.Load()
		if now == seen {
			break
		}
		seen = now
	}
	return fmt.Errorf("%w: too many calls are waiting: try again later", ErrUnavailable)
}

func (q *queue) leave() { <-q.places }
