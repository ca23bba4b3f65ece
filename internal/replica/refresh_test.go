package replica

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// asked is a store that answers after a time.
type asked struct {
	*refresher
	stop  context.CancelFunc
	count atomic.Int64
	takes atomic.Int64 // time.Duration
	gone  atomic.Bool
	begun []time.Time
}

func newAsked() *asked {
	a := &asked{}
	life, stop := context.WithCancel(context.Background())
	a.stop = stop
	a.refresher = &refresher{life: life, away: a.gone.Load, catchUp: func(ctx context.Context) error {
		a.count.Add(1)
		a.begun = append(a.begun, time.Now()) // one round at a time
		select {
		case <-time.After(time.Duration(a.takes.Load())):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	return a
}

func (a *asked) close() {
	a.stop()
	a.end()
}

func TestRefusalsAskTogetherAndNotTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsked()
		a.takes.Store(int64(2 * time.Millisecond))
		start := time.Now()
		var wg sync.WaitGroup
		for range 5000 { // in one second
			time.Sleep(200 * time.Microsecond)
			wg.Go(func() {
				before := time.Now()
				a.wait(t.Context())
				if took := time.Since(before); took > refreshGap+2*time.Millisecond+releaseSteps*releaseEvery {
					t.Errorf("a refusal waited %v", took)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); a.count.Load() > 21 || a.count.Load() < 19 {
			t.Errorf("%d rounds in %v", a.count.Load(), took)
		}
		for i := 1; i < len(a.begun); i++ {
			if gap := a.begun[i].Sub(a.begun[i-1]); gap < refreshGap {
				t.Errorf("rounds %v apart", gap)
			}
		}
		a.close()
	})
}

// TestRefusalsGoOnInGroups: those who waited together do not stand in every
// other request's way together.
func TestRefusalsGoOnInGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ waiting, group int }{{1, 1}, {4, 4}, {5, 4}, {100, 4}, {2000, 50}} {
			a := newAsked()
			a.takes.Store(int64(2 * time.Millisecond))
			a.wait(t.Context()) // the next round begins a while after this one
			var mu sync.Mutex
			at := make(map[time.Time]int)
			var wg sync.WaitGroup
			for range c.waiting {
				wg.Go(func() {
					a.wait(t.Context())
					mu.Lock()
					defer mu.Unlock()
					at[time.Now()]++
				})
			}
			wg.Wait()
			all, most := 0, 0
			for _, n := range at {
				all, most = all+n, max(most, n)
			}
			if all != c.waiting || most != c.group {
				t.Errorf("of %d waiting %d went on, at most %d together, want %d", c.waiting, all, most, c.group)
			}
			a.close()
		}
	})
}

// TestRoundBeginsAfterTheRequest: a catch-up that is under way may have asked
// before the change that the request hopes for.
func TestRoundBeginsAfterTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsked()
		a.takes.Store(int64(100 * time.Millisecond))
		go a.wait(t.Context())
		time.Sleep(50 * time.Millisecond)
		came := time.Now()
		a.wait(t.Context())
		if len(a.begun) != 2 || a.begun[1].Before(came) {
			t.Errorf("the request came at %v and was answered by rounds of %v", came, a.begun)
		}
		a.close()
	})
}

func TestRefusalWaitsForAHangingStoreOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsked()
		a.takes.Store(int64(10 * time.Second))
		wait := func() time.Duration {
			before := time.Now()
			a.wait(t.Context())
			return time.Since(before)
		}
		if took := wait(); took != refreshWait {
			t.Errorf("the first waited %v", took)
		}
		if took := wait(); took != 0 {
			t.Errorf("the next one waited %v for a store that hangs", took)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("gone"))
		time.Sleep(20 * time.Second) // it answered
		before := time.Now()
		a.wait(ctx)
		if took := time.Since(before); took != 0 {
			t.Errorf("a request that went away waited %v", took)
		}
		a.close()
	})
}

func TestRefusalDoesNotAskAStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsked()
		a.gone.Store(true)
		before := time.Now()
		for range 100 {
			a.wait(t.Context())
		}
		if a.count.Load() != 0 || time.Since(before) != 0 {
			t.Errorf("asked %d times, waited %v", a.count.Load(), time.Since(before))
		}
		a.close()
		a.gone.Store(false)
		a.wait(t.Context()) // after the end: nothing is begun any more
		if a.count.Load() != 0 {
			t.Error("asked after the end")
		}
	})
}
