package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// How long a call may wait. A hanging server is noticed by the first call
// within statementLimit; the gate then answers the others at once.
const (
	queueLimit     = 5 * time.Second        // for a turn, while the others get on
	statementLimit = 2 * time.Second        // for the answer to one statement; the server's own limits are shorter
	outagePause    = 250 * time.Millisecond // without a new try after the database did not answer
)

// gate lets as many calls through to a server as there are connections, and
// none for a moment after the server did not answer: callers must not pile up
// behind one that hangs.
type gate struct {
	slots chan struct{}

	mu     sync.Mutex
	closed time.Time // until then; zero: open
}

func newGate(size int) *gate { return &gate{slots: make(chan struct{}, size)} }

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
		return fmt.Errorf("%w: the database did not answer a moment ago: try again later", ErrUnavailable)
	}
	g.closed = now.Add(acquireMost + statementLimit)
	return nil
}

// enter waits for a slot.
func (g *gate) enter(ctx context.Context) error {
	if err := wait(ctx, g.slots); err != nil {
		return err
	}
	if err := g.check(); err != nil {
		<-g.slots
		return err
	}
	return nil
}

// leave gives the slot back. err is what the database said, not the caller.
func (g *gate) leave(err error) {
	<-g.slots
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case errors.Is(err, errOutage):
		g.closed = time.Now().Add(outagePause)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		if !g.closed.IsZero() { // a try that its caller broke off: the next one may try
			g.closed = time.Now()
		}
	default:
		g.closed = time.Time{}
	}
}

// wait takes a place in the queue's channel.
func wait(ctx context.Context, queue chan struct{}) error {
	select {
	case queue <- struct{}{}:
		return nil
	default:
	}
	limit := time.NewTimer(queueLimit)
	defer limit.Stop()
	select {
	case queue <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		return fmt.Errorf("%w: too many calls are waiting: try again later", ErrUnavailable)
	}
}
