package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/symbolon/symbolon/internal/pgtest"
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

// TestRememberPresented: what was taken elsewhere is refused from then on, for as
// long as the later of two expiries says.
func TestRememberPresented(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		s := open(t, Config{DSN: dsn})
		for _, list := range [][]Presented{nil, {{"b", 30}, {"a", 20}, {"a", 40}}, {{"a", 30}, {"c", 30}}} {
			if err := s.RememberPresented(t.Context(), list...); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range []string{"a", "b", "c"} {
			if err := s.ClaimPresented(t.Context(), 30, Presented{key, 50}); !errors.Is(err, ErrConflict) {
				t.Errorf("%s: %v", key, err)
			}
		}
		if err := s.ClaimPresented(t.Context(), 40, Presented{"a", 50}); !errors.Is(err, ErrConflict) {
			t.Error("the earlier expiry counts")
		}
		if err := s.ClaimPresented(t.Context(), 41, Presented{"a", 50}); err != nil {
			t.Error(err)
		}
	})
}

// TestClaimsDoNotPileUp: claims that cannot go on end soon, and leave connections
// to everything else.
func TestClaimsDoNotPileUp(t *testing.T) {
	for _, pool := range []int{0, 1} {
		t.Run(fmt.Sprint("pool ", pool), func(t *testing.T) {
			dsn := pgtest.Database(t)
			s := open(t, Config{DSN: dsn, PoolSize: pool})
			if _, err := s.Head(t.Context()); err != nil {
				t.Fatal(err)
			}
			other, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close(context.Background())
			lock, err := other.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer lock.Rollback(context.Background())
			if _, err := lock.Exec(t.Context(), `LOCK TABLE replay IN SHARE MODE`); err != nil {
				t.Fatal(err)
			}
			var busy, refused atomic.Int64
			var wg sync.WaitGroup
			for i := range 300 {
				wg.Go(func() {
					began := time.Now()
					err := s.ClaimPresented(context.Background(), 1, Presented{fmt.Sprint(i), 100})
					if took := time.Since(began); !errors.Is(err, ErrUnavailable) || took > claimPatient+statementLimit+time.Second {
						t.Errorf("after %v: %v", took, err)
					}
					if errors.Is(err, ErrBusy) {
						busy.Add(1)
					}
					refused.Add(1)
				})
			}
			for refused.Load() == 0 { // those above the most: by then the others wait
				time.Sleep(time.Millisecond)
			}
			if pool == 0 {
				began := time.Now()
				if _, err := s.Head(t.Context()); err != nil || time.Since(began) > time.Second {
					t.Errorf("meanwhile a read took %v, %v", time.Since(began), err)
				}
			}
			wg.Wait()
			if n := busy.Load(); n < 290 || n >= 300 {
				t.Errorf("%d found too many waiting", n)
			}
		})
	}
}
