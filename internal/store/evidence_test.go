package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
)

func TestNodes(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		a := Node{ID: "a", Version: "1.0", Position: Position{3, 1, "x"}, LastSeen: 5}
		for _, n := range []Node{{ID: "b"}, a} {
			if err := s.UpsertNode(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.FlushUsage(t.Context(), "a", Flush{To: SpoolPosition{2, 7, sha256.Sum256([]byte("line"))}, Counted: 8}); err != nil {
			t.Fatal(err)
		}
		a.Version, a.Position, a.LastSeen = "1.1", Position{4, 2, "y"}, 6
		a.SpoolSegment = 99 // not moved by this
		if err := s.UpsertNode(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		a.SpoolSegment, a.SpoolOffset, a.Counted = 2, 7, 8
		nodes, err := s.Nodes(t.Context())
		if err != nil || len(nodes) != 2 || nodes[0] != a || nodes[1] != (Node{ID: "b"}) {
			t.Errorf("%+v, %v", nodes, err)
		}
		// A flush that does not know how far it got leaves that alone.
		back := Flush{From: SpoolPosition{Segment: 2, Offset: 7}, To: SpoolPosition{Segment: 3}}
		if err := s.FlushUsage(t.Context(), "a", back); err != nil {
			t.Fatal(err)
		}
		if nodes, err = s.Nodes(t.Context()); err != nil || nodes[0].Counted != 8 || nodes[0].SpoolSegment != 3 {
			t.Errorf("%+v, %v", nodes, err)
		}
		if err := s.UpsertNode(t.Context(), Node{}); err == nil {
			t.Error("a node without an id")
		}
	})
}

func TestFlushUsageExactlyOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		row := UsageRow{Hour: 10, Issuer: "default", Client: "a", Credential: "s1", API: "orders", Outcome: "issued", Count: 5}
		flush := Flush{To: SpoolPosition{0, 100, sha256.Sum256([]byte("line"))}, Usage: []UsageRow{row}, LastUsed: []LastUsed{{"a", "s1", 50, "r1"}}}
		if err := s.FlushUsage(t.Context(), "n1", flush); err != nil {
			t.Fatal(err)
		}
		// The node was killed before it heard the answer and flushes again.
		if err := s.FlushUsage(t.Context(), "n1", flush); !errors.Is(err, ErrConflict) {
			t.Errorf("flushed again: %v", err)
		}
		for name, from := range map[string]SpoolPosition{"another segment": {Segment: 1, Offset: 100}, "another offset": {Offset: 99}} {
			if err := s.FlushUsage(t.Context(), "n1", Flush{From: from, To: SpoolPosition{Segment: 9, Offset: 9}, Usage: []UsageRow{row}}); !errors.Is(err, ErrConflict) {
				t.Errorf("from %s: %v", name, err)
			}
		}
		if err := s.FlushUsage(t.Context(), "n3", Flush{From: SpoolPosition{Segment: 0, Offset: 100}, To: SpoolPosition{Segment: 0, Offset: 200}}); !errors.Is(err, ErrConflict) {
			t.Errorf("an unknown node from the middle: %v", err)
		}
		if p, err := s.SpoolPosition(t.Context(), "n1"); p != flush.To || err != nil {
			t.Errorf("flushed up to %v, %v; want %v", p, err, flush.To)
		}
		if p, err := s.SpoolPosition(t.Context(), "n2"); p != (SpoolPosition{}) || err != nil {
			t.Errorf("an unknown node: %v, %v", p, err)
		}
		usage, err := s.Usage(t.Context(), UsageQuery{})
		if err != nil || len(usage) != 1 || usage[0] != row {
			t.Errorf("%+v, %v", usage, err)
		}
	})
}

// Of many flushes of the same part, at once, one counts.
func TestFlushUsageAtOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		const rounds, tries = 5, 6
		for round := range int64(rounds) {
			var wg sync.WaitGroup
			errs := make([]error, tries)
			for i := range tries {
				wg.Go(func() {
					errs[i] = s.FlushUsage(t.Context(), "n1", Flush{From: SpoolPosition{Segment: 0, Offset: round}, To: SpoolPosition{Segment: 0, Offset: round + 1},
						Usage: []UsageRow{{Hour: 1, Client: "a", Outcome: "issued", Count: 1}}})
				})
			}
			wg.Wait()
			done := 0
			for _, err := range errs {
				if err == nil {
					done++
				} else if !errors.Is(err, ErrConflict) {
					t.Error(err)
				}
			}
			if done != 1 {
				t.Errorf("round %d: %d of %d flushes went through", round, done, tries)
			}
		}
		usage, err := s.Usage(t.Context(), UsageQuery{})
		if err != nil || len(usage) != 1 || usage[0].Count != rounds {
			t.Errorf("%+v, %v; want %d", usage, err, rounds)
		}
	})
}

func TestUsageSums(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		want := map[string]int64{} // by client
		for node := range 2 {
			at := SpoolPosition{}
			for flush := range 3 {
				f := Flush{From: at, To: SpoolPosition{Segment: int64(flush), Offset: 10}}
				for hour := range int64(3) {
					for c := range 70 { // more than one statement's rows
						client := fmt.Sprintf("c%02d", c)
						n := int64(node + flush + c + 1)
						f.Usage = append(f.Usage, UsageRow{Hour: 100 + hour, Issuer: "default", Client: client, Outcome: "issued", Count: n})
						want[client] += n
					}
				}
				if err := s.FlushUsage(t.Context(), fmt.Sprint("n", node), f); err != nil {
					t.Fatal(err)
				}
				at = f.To
			}
		}
		sums, err := s.Usage(t.Context(), UsageQuery{Sum: true})
		if err != nil || len(sums) != len(want) {
			t.Fatalf("%d sums, %v", len(sums), err)
		}
		for _, r := range sums {
			if r.Count != want[r.Client] || r.Hour != 0 {
				t.Errorf("%+v, want %d", r, want[r.Client])
			}
		}
		for _, c := range []struct {
			q UsageQuery
			n int
		}{
			{UsageQuery{}, 210}, {UsageQuery{Limit: 7}, 7}, {UsageQuery{Client: "c03"}, 3}, {UsageQuery{From: 101}, 140},
			{UsageQuery{From: 101, To: 102}, 70}, {UsageQuery{Outcome: "refused"}, 0}, {UsageQuery{Issuer: "default", Client: "c03", Sum: true}, 1},
			{UsageQuery{Client: "c03", Step: 24}, 1}, {UsageQuery{Client: "c03", Step: 2}, 2}, {UsageQuery{Client: "c03", Step: 24, From: 101}, 1},
		} {
			rows, err := s.Usage(t.Context(), c.q)
			if err != nil || len(rows) != c.n {
				t.Errorf("%+v: %d rows, %v; want %d", c.q, len(rows), err, c.n)
			}
		}
		pairs, err := s.Usage(t.Context(), UsageQuery{Client: "c03", Step: 2})
		if err != nil || pairs[0].Hour != 100 || pairs[1].Hour != 102 || pairs[0].Count != 2*pairs[1].Count {
			t.Errorf("by two hours: %+v, %v", pairs, err)
		}
		if n, err := s.PurgeUsage(t.Context(), 102); n != 140 || err != nil {
			t.Errorf("purged %d, %v", n, err)
		}
		if rows, err := s.Usage(t.Context(), UsageQuery{}); len(rows) != 70 || rows[0].Hour != 102 || err != nil {
			t.Errorf("after the purge %d rows, %v", len(rows), err)
		}
		twice := UsageRow{Hour: 1, Client: "a"}
		if err := s.FlushUsage(t.Context(), "n9", Flush{Usage: []UsageRow{twice, twice}}); err == nil || ours(err) {
			t.Errorf("the same row twice: %v", err)
		}
	})
}

// The later use wins, whichever node reports first.
func TestLastUsed(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for i, used := range [][]LastUsed{
			{{"a", "s2", 20, "r1"}, {"a", "s1", 10, "r2"}, {"b", "s1", 90, "r3"}},
			{{"a", "s1", 30, "r4"}, {"a", "s2", 15, "r5"}},
		} {
			if err := s.FlushUsage(t.Context(), fmt.Sprint("n", i), Flush{To: SpoolPosition{Segment: 0, Offset: 1}, LastUsed: used}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.LastUsedOf(t.Context(), "a")
		if err != nil || fmt.Sprint(got) != fmt.Sprint([]LastUsed{{"a", "s1", 30, "r4"}, {"a", "s2", 20, "r1"}}) {
			t.Errorf("%v, %v", got, err)
		}
		if got, err := s.LastUsedOf(t.Context(), "none"); len(got) != 0 || err != nil {
			t.Errorf("never used: %v, %v", got, err)
		}
	})
}

func TestSegments(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		seg := func(node string, n int64) Segment {
			return Segment{Node: node, Number: n, FirstHash: []byte{1, byte(n)}, LastHash: []byte{2, byte(n)}, Records: 10 * n, From: n, To: n + 1}
		}
		for _, g := range []Segment{seg("a", 0), seg("a", 2), seg("a", 1), seg("b", 0), seg("a", 1)} {
			if err := s.AddSegment(t.Context(), g); err != nil {
				t.Fatalf("%+v: %v", g, err)
			}
		}
		forged := seg("a", 1)
		forged.LastHash = []byte("other")
		if err := s.AddSegment(t.Context(), forged); !errors.Is(err, ErrConflict) {
			t.Errorf("another segment under the same number: %v", err)
		}
		got, err := s.Segments(t.Context(), "a", -1, 0)
		if err != nil || fmt.Sprint(got) != fmt.Sprint([]Segment{seg("a", 0), seg("a", 1), seg("a", 2)}) {
			t.Errorf("%v, %v", got, err)
		}
		if got, err = s.Segments(t.Context(), "a", 0, 1); err != nil || len(got) != 1 || got[0].Number != 1 {
			t.Errorf("a page: %v, %v", got, err)
		}
		// Evidence takes no part in the order of commits.
		if h := headOf(t, s); !h.IsZero() {
			t.Errorf("the head moved to %v", h)
		}
	})
}
