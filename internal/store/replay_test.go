package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestClaimPresented(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		s := open(t, Config{DSN: dsn})
		claim := func(now int64, entries ...Presented) error { return s.ClaimPresented(t.Context(), now, entries...) }
		must := func(err error, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Fatalf("got %v, want %v", err, want)
			}
		}
		must(claim(10, Presented{"a", 20}, Presented{"b", 30}), nil)
		must(claim(11, Presented{"a", 20}), ErrConflict)
		must(claim(11, Presented{"c", 20}, Presented{"b", 20}), ErrConflict)
		must(claim(11, Presented{"c", 20}), nil) // the refusal before took nothing
		must(claim(20, Presented{"a", 40}), ErrConflict)
		must(claim(21, Presented{"a", 40}), nil) // it had expired
		must(claim(30, Presented{"a", 50}), ErrConflict)
		must(claim(30, Presented{"d", 50}, Presented{"d", 50}), ErrConflict)
		if err := claim(30, Presented{"", 50}); err == nil {
			t.Error("an empty key")
		}
		if n, err := s.PurgePresented(t.Context(), 31); n != 2 || err != nil {
			t.Errorf("purged %d, %v", n, err)
		}
		must(claim(30, Presented{"a", 50}), ErrConflict)
		must(claim(30, Presented{"b", 50}), nil)
	})
}

// Of many that present the same thing at once on several nodes exactly one wins.
func TestClaimPresentedAtOnce(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		nodes := []*Store{open(t, Config{DSN: dsn})}
		if nodes[0].Reader() == nil { // only PostgreSQL has several
			nodes = append(nodes, open(t, Config{DSN: dsn}), open(t, Config{DSN: dsn}))
		}
		for round := range 20 {
			var won atomic.Int64
			var wg sync.WaitGroup
			for i := range 12 {
				wg.Go(func() {
					pair := []Presented{{fmt.Sprint("assertion", round), 100}, {fmt.Sprint("proof", round), 100}}
					if i%2 == 1 {
						pair[0], pair[1] = pair[1], pair[0]
					}
					switch err := nodes[i%len(nodes)].ClaimPresented(context.Background(), 1, pair...); {
					case err == nil:
						won.Add(1)
					case !errors.Is(err, ErrConflict):
						t.Error(err)
					}
				})
			}
			if wg.Wait(); won.Load() != 1 {
				t.Fatalf("%d won", won.Load())
			}
		}
	})
}
