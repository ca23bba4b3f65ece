package node

import (
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/store"
)

// signal is a log that tells when a line has a text.
type signal struct {
	text string
	seen chan struct{}
}

func (s signal) Write(p []byte) (int, error) {
	if strings.Contains(string(p), s.text) {
		select {
		case s.seen <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// TestWhatIsOldIsRemoved: a running node removes from its store what nobody needs
// after a while, and leaves what is kept for good.
func TestWhatIsOldIsRemoved(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			var later atomic.Int64
			removed := signal{"removed what is old", make(chan struct{}, 1)}
			cfg := Config{Store: "sqlite", DataDir: t.TempDir() + "/data", URL: "http://localhost:1",
				Now:    func() time.Time { return time.Now().Add(time.Duration(later.Load())) },
				Logger: slog.New(slog.NewTextHandler(removed, nil))}
			if backend == "postgres" {
				cfg.Store = pgtest.Database(t)
			}
			s := start(t, cfg)
			bury(t, s.store)
			secret := s.seed(t)
			s.tokenAt(t, cfg.URL, "billing", secret)
			s.tokenAt(t, cfg.URL, "nobody", secret)
			if err := s.folder.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.purge(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := left(t, s.store)
			if before.copies == 0 || before.usage != 2 || before.changes == 0 || before.tombstones != 2 {
				t.Fatalf("at the beginning: %+v", before)
			}
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}

			// A month later the tombstone goes, after audit.keep the rest.
			for _, step := range []struct {
				after time.Duration
				want  kept
			}{
				{tombstonesStay + time.Hour, kept{copies: before.copies, usage: 2, tombstones: 1}},
				{defaultKeep.Std() + 2*time.Hour, kept{tombstones: 1}},
			} {
				later.Store(int64(step.after))
				s := start(t, cfg)
				select {
				case <-removed.seen:
				case <-time.After(30 * time.Second):
					t.Fatal("nothing was removed")
				}
				got := left(t, s.store)
				if got.changes < before.changes {
					t.Errorf("after %v %d records of changes, had %d", step.after, got.changes, before.changes)
				}
				if got.changes = 0; got != step.want {
					t.Errorf("after %v %+v, want %+v", step.after, got, step.want)
				}
				if n, err := s.store.VerifyRecords(t.Context()); err != nil || n < int64(before.changes) {
					t.Errorf("the chain: %d, %v", n, err)
				}
				if err := s.stop(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// bury makes two tombstones, one of which is for good.
func bury(t *testing.T, s *store.Store) {
	t.Helper()
	for _, write := range []func(*store.Tx) error{
		func(tx *store.Tx) error { _, err := tx.Put(store.Put{Kind: "buried", ID: "a"}); return err },
		func(tx *store.Tx) error { _, err := tx.Put(store.Put{Kind: "buried", ID: "sticky"}); return err },
		func(tx *store.Tx) error { return tx.Delete("buried", "a", 1, false) },
		func(tx *store.Tx) error { return tx.Delete("buried", "sticky", 1, true) },
	} {
		if _, err := s.Update(t.Context(), write); err != nil {
			t.Fatal(err)
		}
	}
}

// kept counts what is in a store.
type kept struct{ copies, changes, usage, tombstones int }

func left(t *testing.T, s *store.Store) (k kept) {
	t.Helper()
	records, err := s.Records(t.Context(), store.RecordQuery{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		switch r.Class {
		case store.ClassChange:
			k.changes++
		case store.ClassRefusal:
			k.copies++
		}
	}
	usage, err := s.Usage(t.Context(), store.UsageQuery{})
	if err != nil {
		t.Fatal(err)
	}
	k.usage = len(usage)
	if _, err := s.Update(t.Context(), func(tx *store.Tx) error {
		for _, id := range []string{"a", "sticky"} {
			switch o, err := tx.Get("buried", id); {
			case err == nil && o.Deleted:
				k.tombstones++
			case err != nil && !errors.Is(err, store.ErrNotFound):
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return k
}
