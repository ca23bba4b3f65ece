package replica

import (
	"context"
	"sync"
	"time"
)

const (
	refreshGap  = 50 * time.Millisecond  // between the beginnings of two rounds: at most 20 a second
	refreshWait = 250 * time.Millisecond // how long a refusal waits for news

	releaseEvery = time.Millisecond // between two groups of those who waited
	releaseSteps = 40               // groups at most, so that all go on before the next round ends
	releaseLeast = 4                // in a group
)

// refresher lets requests that are about to be refused ask the store for news:
// all that come together in one round, and not too many rounds, so that wrong
// secrets cost a store that others need next to nothing.
type refresher struct {
	catchUp func(context.Context) error
	away    func() bool // the store did not answer lately
	life    context.Context
	rounds  sync.WaitGroup
	limits  sync.Pool // timers of requests that wait no more

	mu      sync.Mutex
	active  bool      // run is at work
	running *round    // the round whose catch-up is under way
	next    *round    // the round that has not begun
	last    time.Time // when the last round began
	ended   bool
}

// round is one catch-up. A request takes part in one that begins after it came.
type round struct {
	began   time.Time
	waiting int           // grows until it begins
	done    chan struct{} // gets a value for each, and is closed in the end
}

// wait returns after a round that began after the call; or after refreshWait, or
// at once where the store is away or hangs: then there are no news to be had.
func (f *refresher) wait(ctx context.Context) {
	r := f.join()
	if r == nil {
		return
	}
	limit := f.limit()
	defer f.limits.Put(limit)
	defer limit.Stop()
	select {
	case <-r.done:
	case <-limit.C:
	case <-ctx.Done():
	}
}

// limit is a timer of refreshWait. A flood of refusals would make thousands a
// second. A timer that was stopped or has ended keeps no value that is old.
func (f *refresher) limit() *time.Timer {
	if t, ok := f.limits.Get().(*time.Timer); ok {
		t.Reset(refreshWait)
		return t
	}
	return time.NewTimer(refreshWait)
}

// join returns a round that has not begun; nil when the store has no news.
func (f *refresher) join() *round {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away() || f.ended || f.running != nil && time.Since(f.running.began) >= refreshWait {
		return nil
	}
	if f.next == nil {
		f.next = &round{done: make(chan struct{})}
	}
	f.next.waiting++
	if !f.active {
		f.active = true
		f.rounds.Go(f.run)
	}
	return f.next
}

// run runs rounds as long as somebody waits for one.
func (f *refresher) run() {
	for {
		r := f.begin()
		_ = f.catchUp(f.life) // who waits looks at the copy, whatever came of it
		f.mu.Lock()
		f.running = nil
		f.active = f.next != nil
		more := f.active
		f.mu.Unlock()
		r.release()
		if !more {
			return
		}
	}
}

// release lets those go on who wait, in groups: hundreds that wake up at once
// would stand before every other request in the scheduler's queue.
func (r *round) release() {
	group := max(releaseLeast, (r.waiting+releaseSteps-1)/releaseSteps)
	for ; r.waiting > group; r.waiting -= group {
		for range group {
			select {
			case r.done <- struct{}{}:
			default: // it has given up waiting
			}
		}
		time.Sleep(releaseEvery)
	}
	close(r.done)
}

// begin waits until the next round may begin, and begins it.
func (f *refresher) begin() *round {
	f.mu.Lock()
	pause := time.Until(f.last.Add(refreshGap))
	f.mu.Unlock()
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-f.life.Done():
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.next
	f.next, f.running, f.last = nil, r, time.Now()
	r.began = f.last
	return r
}

// end begins no more rounds and waits for the one under way; life is over
// already.
func (f *refresher) end() {
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	f.rounds.Wait()
}
