package web

import (
	"fmt"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	l := &Limiter{Every: time.Second, Burst: 3, MaxKeys: 2}
	now := time.Unix(0, 0)
	took := func(key string, n int) (ok int) {
		for range n {
			if yes, _ := l.Allow(key, now); yes {
				ok++
			}
		}
		return ok
	}
	if n := took("a", 10); n != 3 {
		t.Errorf("burst: %d of 10", n)
	}
	if _, wait := l.Allow("a", now); wait != time.Second {
		t.Errorf("wait %s", wait)
	}
	if n := took("b", 10); n != 3 {
		t.Errorf("another key: %d of 10", n)
	}
	now = now.Add(2 * time.Second)
	if n := took("a", 10); n != 2 {
		t.Errorf("after two seconds: %d of 10", n)
	}
	// Keys that find no place share one allowance: making them up wins nothing.
	n := 0
	for i := range 1000 {
		n += took(fmt.Sprint("made up ", i), 1)
	}
	if n != 3 || len(l.next) > 2 {
		t.Errorf("made-up keys: %d of 1000, %d remembered", n, len(l.next))
	}
	now = now.Add(time.Hour)
	if n := took("c", 10); n != 3 || len(l.next) != 1 {
		t.Errorf("an hour later: %d of 10, %d remembered", n, len(l.next))
	}
}

// TestLimiterCharges: what cost more is made up for, in a time that is bounded.
func TestLimiterCharges(t *testing.T) {
	l := &Limiter{Every: time.Second, Burst: 10, MaxKeys: 1}
	now := time.Unix(0, 0)
	for _, key := range []string{"a", "beyond the memory"} {
		if ok, _ := l.Allow(key, now); !ok {
			t.Fatalf("%s: the first was refused", key)
		}
		l.Charge(key, 12, now) // 13 of 10
		if ok, wait := l.Allow(key, now.Add(3*time.Second)); ok || wait != time.Second {
			t.Errorf("%s: %v, wait %s", key, ok, wait)
		}
		if ok, _ := l.Allow(key, now.Add(4*time.Second)); !ok {
			t.Errorf("%s: refused though all was made up", key)
		}
		l.Charge(key, 1_000_000, now.Add(4*time.Second))
		if ok, wait := l.Allow(key, now.Add(4*time.Second)); ok || wait != 11*time.Second {
			t.Errorf("%s after a million: %v, wait %s", key, ok, wait)
		}
	}
}
