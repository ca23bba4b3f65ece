package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/pgtest"
)

// replay measures the memory of what was presented: in a process, and what the
// one that nodes share in PostgreSQL adds to a token.
func (b *bench) replay(report *report) error {
	return errors.Join(b.replayMemory(report), b.replayShared(report))
}

const (
	liveEntries = 1_000_000                // also in a short run: it takes a second
	replayLife  = time.Minute              // of an entry
	replayPace  = replayLife / liveEntries // between two claims, so that as many live
	replayRound = 200_000                  // claims
)

// memoryUnderTest is a replay memory whose time passes by claims alone.
type memoryUnderTest struct {
	*dpop.Memory
	keys   [][32]byte
	owners []string
	began  time.Time
	passed time.Duration
}

// now reads the clock, since a server does, which takes its time too.
func (m *memoryUnderTest) now() time.Time {
	_ = time.Now()
	return m.began.Add(m.passed)
}

func newMemoryUnderTest(keys int) *memoryUnderTest {
	m := &memoryUnderTest{keys: make([][32]byte, keys), began: time.Now()}
	for i := range m.keys {
		m.keys[i] = sha256.Sum256(binary.AppendUvarint(nil, uint64(i)))
	}
	for i := range manyHolders {
		m.owners = append(m.owners, manyID(i))
	}
	return m
}

// claim presents key number i.
func (m *memoryUnderTest) claim(i int) error {
	return m.Claim(context.Background(), dpop.Entry{Key: m.keys[i], Expires: m.began.Add(m.passed + replayLife), Owner: m.owners[i%len(m.owners)]})
}

// next presents key number i for the first time, a moment later than the last.
func (m *memoryUnderTest) next(i int) {
	m.passed += replayPace
	if err := m.claim(i); err != nil {
		panic(fmt.Sprintf("a new entry was not taken: %v", err))
	}
}

func (b *bench) replayMemory(report *report) error {
	const rounds = 9
	m := newMemoryUnderTest(liveEntries + rounds*replayRound)
	before := heapInUse()
	m.Memory = dpop.NewMemory(dpop.MemoryConfig{Max: 1 << 30, MaxPerOwner: 1 << 30, Now: m.now})
	filling := perCall(liveEntries, m.next)
	grown := heapInUse() - before
	if n := m.Len(); n != liveEntries {
		return fmt.Errorf("%d entries are live, not %d", n, liveEntries)
	}
	report.atMost(fmt.Sprintf("replay memory, heap of %d live entries", m.Len()), float64(grown)/1e6, 100, "MB")
	var fresh, known []float64
	newest := liveEntries
	for range rounds {
		first := newest
		fresh = append(fresh, perCall(replayRound, func(i int) { m.next(first + i) }))
		newest += replayRound
		known = append(known, perCall(replayRound, func(i int) {
			if err := m.claim(newest - 1 - i); !errors.Is(err, dpop.ErrReplayed) {
				panic(fmt.Sprintf("a known entry: %v", err))
			}
		}))
	}
	report.atMost("a check of the replay memory in process, new entry among a million, CPU", middle(fresh), 1, "µs")
	report.atMost("the same of a known entry, which is refused", middle(known), 1, "µs")
	report.note("replay memory: %.2f µs of CPU per entry while it grew from nothing to a million; %d entries at the end", filling, m.Len())
	return nil
}

// perCall is the CPU of one of n calls in µs, what the garbage collector takes
// included.
func perCall(n int, f func(i int)) float64 {
	start := ownCPU()
	for i := range n {
		f(i)
	}
	return float64(ownCPU()-start) / 1e3 / float64(n)
}

// heapInUse is what is allocated and reachable.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what the first one finalised
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// replayShared measures how much later a token by assertion comes than one by
// secret when nodes share their memory in PostgreSQL.
func (b *bench) replayShared(report *report) error {
	dsn, stop, err := pgtest.Open()
	if err != nil {
		return err
	}
	defer stop()
	server, err := b.configure("replay", "ES256")
	if err != nil {
		return err
	}
	server.store = dsn
	if err := server.set("store: " + dsn + "\n"); err != nil {
		return err
	}
	hs := newHolders()
	if err := server.populate(manyHolders, hs.client); err != nil {
		return err
	}
	disk, err := syncedWrite()
	if err != nil {
		return err
	}
	return server.serve(func(p *process) error {
		for _, conns := range []int{1, 16} {
			all, err := b.alternate(5,
				subject{p, job{Addr: p.addr, Path: "/token", Asks: hs.bySecret(), Conns: conns, N: b.n(15000)}},
				subject{p, job{Addr: p.addr, Path: "/token", fresh: hs.byAssertion(p), Conns: conns, N: b.n(6000)}})
			if err != nil {
				return err
			}
			secret, assertion := all[0], all[1]
			added := ratio(assertion, secret, func(a, s round) float64 { return medianTime(a) - medianTime(s) })
			report.beside("added p50 of a token by assertion over one by secret, PostgreSQL, "+connections(conns), added/1e6, "ms")
			report.note("PostgreSQL, %s: p50 by secret %s, by assertion %s; %.2f v and %.2f v of the node's CPU; a write of 8 KiB that waits for the disk takes %s here",
				connections(conns), short(time.Duration(median(secret, medianTime))), short(time.Duration(median(assertion, medianTime))),
				median(secret, round.inV), median(assertion, round.inV), short(disk))
		}
		return nil
	})
}

// syncedWrite is the median time of a small write that waits for the disk, which
// is most of what a commit takes.
func syncedWrite() (time.Duration, error) {
	f, err := os.CreateTemp("", "symbolon-bench-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var times []time.Duration
	page := make([]byte, 8<<10)
	for range 100 {
		began := time.Now()
		if _, err := f.WriteAt(page, 0); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}
