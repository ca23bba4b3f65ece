package dpop

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// key is the n-th key of the tests.
func key(n int) [32]byte {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	return sha256.Sum256(b[:])
}

func entry(n int, expires time.Time, owner string) Entry {
	return Entry{Key: key(n), Expires: expires, Owner: owner}
}

// clock is a settable time.
type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(0, c.Load()) }

func (c *clock) set(t time.Time) { c.Store(t.UnixNano()) }

func TestMemoryClaims(t *testing.T) {
	var c clock
	c.set(testNow)
	m := NewMemory(MemoryConfig{MaxPerOwner: 3, Max: 5, Now: c.now})
	until := testNow.Add(time.Minute)
	for _, step := range []struct {
		name    string
		entries []Entry
		want    error
		size    int
	}{
		{"nothing", nil, nil, 0},
		{"the first", []Entry{entry(1, until, "a")}, nil, 1},
		{"again", []Entry{entry(1, until, "a")}, ErrReplayed, 1},
		{"again, of somebody else", []Entry{entry(1, until, "b")}, ErrReplayed, 1},
		{"again, living longer", []Entry{entry(1, until.Add(time.Hour), "a")}, ErrReplayed, 1},
		{"twice at once", []Entry{entry(2, until, "a"), entry(2, until, "a")}, ErrReplayed, 1},
		{"an old one first", []Entry{entry(1, until, "a"), entry(2, until, "a")}, ErrReplayed, 1},
		{"an old one last", []Entry{entry(2, until, "a"), entry(1, until, "a")}, ErrReplayed, 1},
		{"an expired one last", []Entry{entry(2, until, "a"), entry(3, testNow.Add(-time.Second), "a")}, ErrReplayed, 1},
		{"without expiry", []Entry{entry(2, time.Time{}, "a")}, ErrReplayed, 1},
		{"one too many", []Entry{entry(2, until, "a"), entry(3, until, "a"), entry(4, until, "a")}, ErrQuota, 1},
		{"those that failed", []Entry{entry(2, until, "a"), entry(3, until, "a")}, nil, 3},
		{"over the owner's quota", []Entry{entry(4, until, "a")}, ErrQuota, 3},
		{"a replay is told before the quota", []Entry{entry(3, until, "a")}, ErrReplayed, 3},
		{"another owner", []Entry{entry(4, until, "b"), entry(5, until, "c")}, nil, 5},
		{"over the whole", []Entry{entry(6, until, "d")}, ErrQuota, 5},
	} {
		if err := m.Claim(context.Background(), step.entries...); err != step.want || m.Len() != step.size {
			t.Fatalf("%s: %v, size %d", step.name, err, m.Len())
		}
	}
	// At the last moment all are there, in the next second there is room for as many.
	c.set(until)
	if !m.Holds(entry(1, until, "").Key) || m.Holds(entry(9, until, "").Key) {
		t.Error("Holds is wrong")
	}
	if err := m.Claim(context.Background(), entry(1, until, "a")); err != ErrReplayed {
		t.Errorf("at the last moment: %v", err)
	}
	c.set(until.Add(time.Second))
	if err := m.Claim(context.Background(), entry(6, until.Add(time.Minute), "a"), entry(7, until.Add(time.Minute), "a"), entry(8, until.Add(time.Minute), "a")); err != nil {
		t.Errorf("after all have expired: %v", err)
	}
	if m.Len() != 3 {
		t.Errorf("size %d", m.Len())
	}
}

// model says what a Memory must do, in the plainest way.
type model struct {
	last           map[int]int64 // last second of each key
	owner          map[int]string
	perOwner, most int
}

func (m *model) expire(now time.Time) {
	for k, last := range m.last {
		if last < now.Unix() {
			delete(m.last, k)
			delete(m.owner, k)
		}
	}
}

func (m *model) claim(keys []int, expires time.Time, owner string, now time.Time) error {
	m.expire(now)
	last := expires.Unix()
	if expires.Nanosecond() > 0 {
		last++
	}
	seen := map[int]bool{}
	for _, k := range keys {
		if _, live := m.last[k]; live || seen[k] || last < now.Unix() {
			return ErrReplayed
		}
		seen[k] = true
	}
	held := 0
	for _, o := range m.owner {
		if o == owner {
			held++
		}
	}
	if len(m.last)+len(keys) > m.most || held+len(keys) > m.perOwner {
		return ErrQuota
	}
	for _, k := range keys {
		m.last[k], m.owner[k] = last, owner
	}
	return nil
}

// TestMemoryIsItsModel: whatever is claimed whenever, a Memory answers as the model does:
// exactly quotas, exactly expiry. So there is no moment up to Expires at which what was
// accepted is accepted again, which is checked besides.
func TestMemoryIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c clock
		c.set(testNow)
		perOwner, most := rapid.IntRange(1, 20).Draw(t, "per owner"), rapid.IntRange(1, 40).Draw(t, "most")
		m := NewMemory(MemoryConfig{MaxPerOwner: perOwner, Max: most, Now: c.now})
		want := &model{map[int]int64{}, map[int]string{}, perOwner, most}
		accepted := map[int]time.Time{}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			now := c.now().Add(time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "pause")))
			c.set(now)
			keys := rapid.SliceOfN(rapid.IntRange(0, 60), 1, 6).Draw(t, "keys")
			expires := now.Add(time.Duration(rapid.Int64Range(-int64(2*time.Second), int64(20*time.Second)).Draw(t, "life")))
			owner := rapid.SampledFrom([]string{"a", "b", "", "c"}).Draw(t, "owner")
			entries := make([]Entry, len(keys))
			for i, k := range keys {
				entries[i] = entry(k, expires, owner)
			}
			err, wanted := m.Claim(context.Background(), entries...), want.claim(keys, expires, owner, now)
			if err != wanted {
				t.Fatalf("at %v %v until %v of %q: %v, want %v", now, keys, expires, owner, err, wanted)
			}
			if err != nil {
				continue
			}
			for _, k := range keys {
				if until, known := accepted[k]; known && !now.After(until) {
					t.Fatalf("key %d was accepted again at %v, while it lived until %v", k, now, until)
				}
				accepted[k] = expires
			}
		}
	})
}

// TestNoProofIsAcceptedTwice is the same through Check: at every moment at which Check still
// accepts a proof, the memory knows it, even when claiming takes long after checking.
func TestNoProofIsAcceptedTwice(t *testing.T) {
	proof := []string{forge(testHeader, testClaims)}
	rapid.Check(t, func(t *rapid.T) {
		var c clock
		c.set(testNow.Add(-40 * time.Second))
		m := NewMemory(MemoryConfig{Now: c.now})
		accepted := 0
		for range rapid.IntRange(2, 12).Draw(t, "presentations") {
			c.set(c.now().Add(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "pause"))))
			e := expected()
			e.Now = c.now()
			p, err := Check(proof, e)
			if err != nil {
				continue
			}
			slow := time.Duration(rapid.Int64Range(0, int64(2*time.Minute)).Draw(t, "between checking and claiming"))
			if rapid.Bool().Draw(t, "slow") {
				c.set(c.now().Add(slow))
			}
			if m.Claim(context.Background(), Entry{Key: p.ReplayKey, Expires: p.Expires, Owner: "a"}) == nil {
				accepted++
			}
			// Others come and go, so that what has expired is swept.
			n := rapid.IntRange(1, 1000).Draw(t, "other")
			for i := range 20 {
				m.Claim(context.Background(), entry(1000*n+i, c.now().Add(time.Minute), "b"))
			}
		}
		if accepted > 1 {
			t.Fatalf("accepted %d times", accepted)
		}
	})
}

// TestMemoryLoads: what a journal kept is known again, and counts.
func TestMemoryLoads(t *testing.T) {
	var c clock
	c.set(testNow)
	m := NewMemory(MemoryConfig{MaxPerOwner: 2, Max: 3, Now: c.now})
	until := testNow.Add(time.Minute)
	m.Load([]Entry{
		entry(1, until, "a"), entry(2, until, "a"), entry(3, until, "a"), entry(4, until, "b"), // more than would be accepted now
		entry(5, testNow.Add(-time.Second), "a"), entry(5, time.Time{}, "a"),
		entry(1, until.Add(time.Minute), "a"), entry(2, until.Add(-time.Minute), "a"),
	})
	if m.Len() != 4 {
		t.Errorf("size %d", m.Len())
	}
	for n, want := range map[int]error{1: ErrReplayed, 2: ErrReplayed, 3: ErrReplayed, 4: ErrReplayed, 5: ErrQuota} {
		if err := m.Claim(context.Background(), entry(n, until, "c")); err != want {
			t.Errorf("%d: %v", n, err)
		}
	}
	c.set(until.Add(time.Second))
	for n, want := range map[int]error{1: ErrReplayed, 2: nil, 5: nil, 3: ErrQuota} {
		if err := m.Claim(context.Background(), entry(n, until.Add(time.Hour), "c")); n != 3 && n != 2 && n != 5 && err != want {
			t.Errorf("a minute later %d: %v", n, err)
		}
	}
}

// TestMemoryExtremeTimes: no time makes it panic, forget at once or remember the wrong way.
func TestMemoryExtremeTimes(t *testing.T) {
	far := []time.Time{time.Unix(1<<32-1, 0), time.Unix(1<<32-1, 999), time.Unix(1<<40, 0), time.Unix(253402300799, 999999999), time.Unix(1<<62, 0)}
	for _, now := range []time.Time{{}, time.Unix(-1<<40, 0), time.Unix(0, 0), testNow} {
		m := NewMemory(MemoryConfig{Now: func() time.Time { return now }})
		for i, expires := range far {
			if err := m.Claim(context.Background(), entry(i, expires, "a")); err != nil {
				t.Errorf("now %v, until %v: %v", now, expires, err)
			}
			if err := m.Claim(context.Background(), entry(i, expires, "a")); err != ErrReplayed {
				t.Errorf("now %v, until %v: again: %v", now, expires, err)
			}
		}
		for i, expires := range []time.Time{{}, time.Unix(-1, 0), time.Unix(-1<<62, 0), time.Unix(0, 0)} {
			if err := m.Claim(context.Background(), entry(10+i, expires, "a")); err != ErrReplayed {
				t.Errorf("now %v, until %v: %v", now, expires, err)
			}
		}
	}
}

// TestExactlyOneWins: 64 at once, 1000 times.
func TestExactlyOneWins(t *testing.T) {
	m := NewMemory(MemoryConfig{})
	until := time.Now().Add(time.Hour)
	const presenters, rounds = 64, 1000
	var won [rounds]atomic.Int32
	var group, start sync.WaitGroup
	start.Add(1)
	for range presenters {
		group.Go(func() {
			start.Wait()
			for round := range rounds {
				switch err := m.Claim(context.Background(), entry(round, until, "a")); err {
				case nil:
					won[round].Add(1)
				case ErrReplayed:
				default:
					t.Error(err)
				}
			}
		})
	}
	start.Done()
	group.Wait()
	for round := range won {
		if n := won[round].Load(); n != 1 {
			t.Errorf("round %d: %d won", round, n)
		}
	}
	if m.Len() != rounds {
		t.Errorf("size %d", m.Len())
	}
}

// TestPairsDoNotWaitForEachOther: claims of the same entries in any order, of which each
// entry goes to one claim at most and no claim gets half of what it wants.
func TestPairsDoNotWaitForEachOther(t *testing.T) {
	var c clock
	c.set(testNow)
	m := NewMemory(MemoryConfig{MaxPerOwner: 1 << 20, Now: c.now})
	var taken [512]atomic.Int32
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 2000 {
				a, b := (i*7+g*13)%len(taken), (i*31+g*5)%len(taken)
				if m.Claim(context.Background(), entry(a, testNow.Add(time.Minute), "a"), entry(b, testNow.Add(time.Minute), fmt.Sprint(g))) == nil {
					taken[a].Add(1)
					taken[b].Add(1)
				}
				if i%500 == 0 {
					m.sweep(uint32(i)) // sweeping takes the same locks
				}
			}
		})
	}
	group.Wait()
	total := 0
	for i := range taken {
		n := int(taken[i].Load())
		if n > 1 {
			t.Errorf("entry %d was taken %d times", i, n)
		}
		if err := m.Claim(context.Background(), entry(i, testNow.Add(time.Minute), "z")); (err == nil) != (n == 0) {
			t.Errorf("entry %d, taken %d times: %v", i, n, err)
		}
		total++
	}
	if m.Len() != total {
		t.Errorf("size %d, want %d", m.Len(), total)
	}
}

// TestOppositeOrders: two claims of the same two entries, each naming them in another order,
// take their locks in one order. Otherwise they wait for each other for ever.
func TestOppositeOrders(t *testing.T) {
	m := NewMemory(MemoryConfig{})
	until := time.Now().Add(time.Hour)
	a, b := entry(1, until, "a"), entry(2, until, "a")
	for n := 3; m.shard(&a.Key) == m.shard(&b.Key); n++ {
		b = entry(n, until, "a")
	}
	var group sync.WaitGroup
	for _, pair := range [][]Entry{{a, b}, {b, a}, {a, b}, {b, a}} {
		group.Go(func() {
			for range 100_000 {
				m.Claim(context.Background(), pair...)
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("they wait for each other")
	}
}

// fill claims n entries of a thousand owners.
func fill(tb testing.TB, m *Memory, n int, until time.Time) {
	owners := make([]string, 1000)
	for i := range owners {
		owners[i] = fmt.Sprintf("client-%d", i)
	}
	for i := range n {
		if err := m.Claim(context.Background(), entry(i, until, owners[i%len(owners)])); err != nil {
			tb.Fatal(i, err)
		}
	}
}

// heap is how much memory is in use, garbage not counted.
func heap() int64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// TestMillionEntriesFit: a million live entries take less than 100 MB, none of them was
// forgotten, and when they have expired the memory is given back as claims come in. Under the
// race detector, which makes each step many times slower, it is a tenth of all that.
func TestMillionEntriesFit(t *testing.T) {
	n, most := 1_000_000, int64(100e6)
	if raceDetector {
		n, most = n/10, most/10
	}
	var c clock
	c.set(testNow)
	before := heap()
	m := NewMemory(MemoryConfig{Max: n, Now: c.now})
	fill(t, m, n, testNow.Add(time.Minute))
	used := heap() - before
	t.Logf("%.1f bytes per entry", float64(used)/float64(n))
	if used > most {
		t.Errorf("%d entries take %d bytes", n, used)
	}
	for i := 0; i < n; i += 7 {
		if err := m.Claim(context.Background(), entry(i, testNow.Add(time.Minute), "x")); !errors.Is(err, ErrReplayed) {
			t.Fatal(i, err)
		}
	}
	if err := m.Claim(context.Background(), entry(n, testNow.Add(time.Minute), "x")); err != ErrQuota {
		t.Errorf("one more: %v", err)
	}
	c.set(testNow.Add(2 * time.Minute))
	for i := range n / 10 {
		if err := m.Claim(context.Background(), entry(n+i, c.now().Add(time.Duration(i)*time.Microsecond), "x")); err != nil {
			t.Fatal(i, err)
		}
	}
	if left, size := heap()-before, m.Len(); size > n/10 || left > most/6 {
		t.Errorf("%d entries and %d bytes are left of %d", size, left, n)
	}
	runtime.KeepAlive(m)
}

// TestCheck says what Claim would, and takes nothing.
func TestCheck(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	m := NewMemory(MemoryConfig{MaxPerOwner: 2, Max: 3, Now: func() time.Time { return now }})
	entry := func(key byte, owner string) Entry {
		return Entry{Key: [32]byte{key}, Expires: now.Add(time.Minute), Owner: owner}
	}
	for i, step := range []struct {
		entries []Entry
		want    error
	}{
		{[]Entry{entry(1, "a")}, nil},
		{[]Entry{entry(1, "a")}, ErrReplayed},
		{[]Entry{entry(2, "a"), entry(2, "a")}, ErrReplayed},
		{[]Entry{entry(2, "a"), entry(3, "a")}, ErrQuota},
		{[]Entry{entry(2, "a")}, nil},
		{[]Entry{entry(3, "a")}, ErrQuota},
		{[]Entry{entry(3, "b"), entry(4, "c")}, ErrQuota},
		{[]Entry{entry(3, "b")}, nil},
		{[]Entry{entry(4, "c")}, ErrQuota},
	} {
		if err := m.Check(step.entries...); err != step.want {
			t.Errorf("step %d: check says %v, want %v", i, err, step.want)
		}
		if err := m.Claim(t.Context(), step.entries...); err != step.want {
			t.Errorf("step %d: claim says %v, want %v", i, err, step.want)
		}
	}
	now = now.Add(2 * time.Minute)
	if err := m.Check(entry(4, "a")); err != nil {
		t.Errorf("expired ones take room: %v", err)
	}
}
