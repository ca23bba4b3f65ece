package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A queue that moves is waited in, one that does not is left after a while.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1)
		if err := q.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := q.enter(t.Context()); !errors.Is(err, ErrUnavailable) || time.Since(start) != queueLimit {
			t.Errorf("nobody leaves: %v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller's limit: %v", err)
		}
		// Ten callers, each of whom holds the place for two seconds.
		start = time.Now()
		done := make(chan error)
		for range 10 {
			go func() {
				err := q.enter(t.Context())
				if err == nil {
					time.Sleep(2 * time.Second)
					q.leave()
				}
				done <- err
			}()
		}
		synctest.Wait()
		q.leave()
		for range 10 {
			if err := <-done; err != nil {
				t.Errorf("in a moving queue, after %v: %v", time.Since(start), err)
			}
		}
		if d := time.Since(start); d != 20*time.Second {
			t.Errorf("ten callers of two seconds took %v", d)
		}
	})
}

// After an outage nobody is let through for a moment, then one, then everybody
// or nobody, as that one finds.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(4)
		try := func() error { return g.enter(t.Context()) }
		open := func(want bool, when string) {
			t.Helper()
			if err := try(); (err == nil) != want {
				t.Errorf("%s: %v", when, err)
			}
		}
		open(true, "at first")
		g.leave(nil)
		open(true, "at first")
		g.leave(errAway)
		open(false, "after an outage")
		time.Sleep(outagePause)
		open(true, "the one that tries")
		open(false, "beside the one that tries")
		g.leave(errAway)
		open(false, "when that one failed")
		time.Sleep(outagePause)
		open(true, "the second that tries")
		g.leave(context.Canceled) // its caller gave up: nobody knows more
		open(true, "the third that tries")
		open(false, "beside the third")
		g.leave(ErrConflict) // the database answered
		open(true, "after an answer")
		g.leave(nil)
		if n := len(g.slots.places); n != 0 {
			t.Errorf("%d places are still taken", n)
		}
	})
}
