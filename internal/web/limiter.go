package web

import (
	"sync"
	"time"
)

// Limiter lets each key through at a steady rate with a burst (the generic cell
// rate algorithm: one time per key). Its memory is bounded: once MaxKeys keys
// are in use at the same time, further ones share one allowance, so that making
// up keys wins nothing. Its fields are set before the first use.
type Limiter struct {
	Every   time.Duration // one more per key in this time
	Burst   int           // at once, at least 1
	MaxKeys int           // keys remembered

	mu   sync.Mutex
	next map[string]time.Time // when the key's allowance would be whole again
	rest time.Time            // the same for the keys that found no place
}

// Allow takes one from the key's allowance. When there is none left it says
// how long to wait for the next.
func (l *Limiter) Allow(key string, now time.Time) (ok bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	whole, known := l.next[key]
	if !known {
		if l.next == nil {
			l.next = make(map[string]time.Time)
		}
		if len(l.next) >= l.MaxKeys {
			l.forget(now)
		}
		if len(l.next) >= l.MaxKeys {
			l.rest, ok, wait = l.take(l.rest, now)
			return ok, wait
		}
	}
	l.next[key], ok, wait = l.take(whole, now)
	return ok, wait
}

// Charge takes n more from the key's allowance, be there as much or not: for what
// has turned out to cost more than was taken. The key waits until that is made up,
// no longer than it takes to fill the burst once more.
func (l *Limiter) Charge(key string, n int, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	whole, known := l.next[key]
	if !known {
		whole = l.rest // Allow was asked before: who is not remembered shares
	}
	if whole.Before(now) {
		whole = now
	}
	burst := time.Duration(max(l.Burst, 1)) * l.Every
	if whole = whole.Add(time.Duration(n) * l.Every); whole.After(now.Add(2 * burst)) {
		whole = now.Add(2 * burst)
	}
	if known {
		l.next[key] = whole
	} else {
		l.rest = whole
	}
}

// take moves the time at which an allowance is whole again by one step, if that
// stays within the burst.
func (l *Limiter) take(whole, now time.Time) (after time.Time, ok bool, wait time.Duration) {
	if whole.Before(now) {
		whole = now
	}
	after = whole.Add(l.Every)
	if wait = after.Sub(now) - time.Duration(max(l.Burst, 1))*l.Every; wait > 0 {
		return whole, false, wait
	}
	return after, true, 0
}

// forget drops the keys whose allowance is whole.
func (l *Limiter) forget(now time.Time) {
	for key, whole := range l.next {
		if !whole.After(now) {
			delete(l.next, key)
		}
	}
}
