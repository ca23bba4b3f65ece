package dpop

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestAClockSetBack: what expired while the clock was an hour ahead is forgotten, and when it
// is right again nothing is taken that may be of these; what lives longer is.
func TestAClockSetBack(t *testing.T) {
	var c clock
	c.set(testNow)
	m := NewMemory(MemoryConfig{Now: c.now})
	until := testNow.Add(time.Minute)
	claim := func(e Entry) error { return m.Claim(t.Context(), e) }
	if err := claim(entry(1, until, "a")); err != nil {
		t.Fatal(err)
	}
	c.set(testNow.Add(time.Hour))
	m.sweep(second(c.now()))
	if m.Len() != 0 {
		t.Fatal("not forgotten: the test shows nothing")
	}
	c.set(testNow)
	for name, e := range map[string]Entry{"the same": entry(1, until, "a"), "one that lives shorter": entry(1, until.Add(-time.Second), "b")} {
		if err := claim(e); err != ErrForgotten {
			t.Errorf("%s: %v", name, err)
		}
		if err := m.Check(e); err != ErrForgotten {
			t.Errorf("%s: Check: %v", name, err)
		}
	}
	if err := claim(entry(1, until.Add(time.Second), "a")); err != nil {
		t.Errorf("one that lives longer than all that were forgotten: %v", err)
	}
	c.set(until.Add(time.Second))
	if err := claim(entry(2, until.Add(time.Minute), "a")); err != nil {
		t.Errorf("when what was forgotten would have expired: %v", err)
	}
}

// TestAClockThatWasAheadAtTheStart: what the journal has and is not loaded is forgotten too.
func TestAClockThatWasAheadAtTheStart(t *testing.T) {
	var c clock
	c.set(testNow.Add(time.Hour))
	m := NewMemory(MemoryConfig{Now: c.now})
	e := entry(1, testNow.Add(time.Minute), "a")
	m.Load([]Entry{e})
	c.set(testNow)
	if err := m.Claim(t.Context(), e); err != ErrForgotten {
		t.Error(err)
	}
}

// TestNothingIsTakenTwiceByAnyClock: whatever the clock does, what was taken is not taken
// again. Its expiry is always the same: it is in what was signed. A clock that never went
// back forgets nothing.
func TestNothingIsTakenTwiceByAnyClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c clock
		c.set(testNow)
		m := NewMemory(MemoryConfig{Now: c.now})
		expiry, taken := map[int]time.Time{}, map[int]bool{}
		back := false
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			jump := rapid.Int64Range(-20, 20).Draw(t, "jump")
			back = back || jump < 0
			now := c.now().Add(time.Duration(jump) * time.Second)
			c.set(now)
			if rapid.Bool().Draw(t, "sweep") {
				m.sweep(second(now))
			}
			k := rapid.IntRange(0, 5).Draw(t, "key")
			life := rapid.Int64Range(0, 20).Draw(t, "life")
			if expiry[k].IsZero() {
				expiry[k] = now.Add(time.Duration(life) * time.Second)
			}
			err := m.Claim(t.Context(), entry(k, expiry[k], "a"))
			if errors.Is(err, ErrForgotten) && !back {
				t.Fatal("forgotten, and the clock was never set back")
			}
			if err == nil && taken[k] {
				t.Fatalf("key %d was taken again at %v", k, now)
			}
			taken[k] = taken[k] || err == nil
		}
	})
}

// TestTakeAsksForNoRoom: what a shared memory has taken is consumed, whoever fills this one
// meanwhile; but what was presented here is refused all the same.
func TestTakeAsksForNoRoom(t *testing.T) {
	var c clock
	c.set(testNow)
	m := NewMemory(MemoryConfig{MaxPerOwner: 1, Max: 1, Now: c.now})
	until := testNow.Add(time.Minute)
	for step, c := range []struct {
		take bool
		e    Entry
		want error
	}{
		{false, entry(1, until, "a"), nil}, {false, entry(2, until, "a"), ErrQuota}, {true, entry(2, until, "a"), nil}, {true, entry(3, until, "b"), nil},
		{true, entry(2, until, "a"), ErrReplayed}, {true, entry(4, testNow.Add(-time.Second), "a"), ErrReplayed}, {false, entry(4, until, "c"), ErrQuota},
	} {
		err := error(nil)
		if c.take {
			err = m.Take(c.e)
		} else {
			err = m.Claim(t.Context(), c.e)
		}
		if err != c.want {
			t.Errorf("step %d: %v, want %v", step, err, c.want)
		}
	}
	if m.Len() != 3 {
		t.Errorf("%d entries", m.Len())
	}
	c.set(until.Add(time.Second))
	if err := m.Claim(t.Context(), entry(5, until.Add(time.Minute), "a")); err != nil {
		t.Errorf("after they have expired: %v", err)
	}
}
