package replica

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// TestPositionMovesWithEveryCommit: the gen of tokens is that of the last commit
// applied, whatever it touched.
func TestPositionMovesWithEveryCommit(t *testing.T) {
	eachStore(t, func(w *world) {
		var log strings.Builder
		cfg := w.config()
		cfg.Logger = textLogger(&log)
		r := w.node(cfg)
		if s := r.Snapshot(); s.Seq != 0 || len(s.Issuers) != 0 {
			t.Errorf("empty store: position %d", s.Seq)
		}
		for _, step := range []struct {
			what   string
			write  func() int64
			shared bool // the snapshot shares everything with the one before
			apis   int
		}{
			{"an issuer and an API", func() int64 { return w.write(&registry.Issuer{ID: "default"}, api("orders")) }, false, 1},
			{"a client", func() int64 { return w.write(client("a", registry.StateActive)) }, true, 1},
			{"its state", func() int64 { return w.write(client("a", registry.StateDisabled)) }, true, 1},
			{"another API", func() int64 { return w.write(api("stock")) }, false, 2},
			{"an API less", func() int64 { return w.remove(registry.KindAPI, "orders") }, false, 1},
			{"a client less", func() int64 { return w.remove(registry.KindClient, "a") }, true, 1},
			{"two commits at once", func() int64 { w.write(api("third")); return w.write(client("b", registry.StateActive)) }, false, 2},
			{"an object of a later version", func() int64 { return w.writeKind("rule", "r1") }, true, 2},
		} {
			before := r.Snapshot()
			was, seq := before.Position, step.write()
			w.must(r.CatchUp(t.Context()))
			s := r.Snapshot()
			if s.Seq != seq || s.Epoch != 1 || s.Gen() != 1<<40+seq {
				t.Errorf("%s: position %d of epoch %d, want %d of 1", step.what, s.Seq, s.Epoch, seq)
			}
			if len(s.APIs) != step.apis || s.Issuers["default"] == nil {
				t.Errorf("%s: APIs %v", step.what, s.APIs)
			}
			if shared := s.Issuers["default"] == before.Issuers["default"]; shared != step.shared {
				t.Errorf("%s: shared with the snapshot before: %v", step.what, shared)
			}
			if before.Position != was {
				t.Errorf("%s: a published snapshot was changed", step.what)
			}
		}
		if err := r.CatchUp(t.Context()); err != nil || r.Snapshot().Seq != 9 {
			t.Errorf("nothing new: position %d, %v", r.Snapshot().Seq, err)
		}
		if log.Len() > 0 {
			t.Errorf("logged:\n%s", log.String())
		}
	})
}

func TestEntryHasWhatARequestNeeds(t *testing.T) {
	eachStore(t, func(w *world) {
		c := client("a", registry.StateActive)
		c.Secrets = append(c.Secrets, registry.Secret{ID: "s2", Hash: "argon2id:x"})
		c.Spent = []registry.Spent{{ID: "old"}}
		c.Access = map[string][]string{"orders": {"orders:read"}}
		seq := w.write(c)
		r := w.node(w.config())
		_, e := w.get(r, "a")
		if e.Seq != seq || e.Client.Access["orders"][0] != "orders:read" || len(e.Digests) != 2 {
			t.Fatalf("entry %+v", e)
		}
		if e.Digests[0] != sha256.Sum256([]byte("secret of a")) || e.Digests[1] != [32]byte{} {
			t.Errorf("digests %x", e.Digests)
		}
		if e.Client.Secrets[0].Hash != "" || e.Client.Secrets[1].Hash != "argon2id:x" || e.Client.Spent != nil {
			t.Errorf("client %+v", e.Client)
		}
		if _, again := w.get(r, "a"); again != e {
			t.Error("not cached")
		}
	})
}

func TestClientOfANewerVersionIsADecoy(t *testing.T) {
	eachStore(t, func(w *world) {
		_, err := w.store.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Put(store.Put{Kind: registry.KindClient, ID: "a", Doc: []byte(`{"v":9,"min":9,"id":"a"}`)})
			return err
		})
		w.must(err)
		var log strings.Builder
		cfg := w.config()
		cfg.Logger = textLogger(&log)
		r := w.node(cfg)
		_, e := w.get(r, "a")
		if e.Client != nil || !errors.Is(e.Unusable, registry.ErrNewer) || e.Seq == 0 {
			t.Errorf("entry %+v", e)
		}
		if !strings.Contains(log.String(), "client=a") {
			t.Errorf("log: %s", log.String())
		}
	})
}

// TestUnknownIDsAreBounded: ids that nobody has are remembered, in a place of
// their own, and not without end.
func TestUnknownIDsAreBounded(t *testing.T) {
	eachStore(t, func(w *world) {
		w.write(client("a", registry.StateActive))
		r := w.node(w.config())
		_, a := w.get(r, "a")
		for i := range decoyCount + 100 {
			if _, e := w.get(r, fmt.Sprintf("unknown-%d", i)); e.Client != nil || e.Seq != 0 {
				t.Fatalf("entry %+v", e)
			}
		}
		if n := r.cache.decoys.count; n > decoyCount {
			t.Errorf("%d decoys", n)
		}
		before := r.Stats().Loads
		if _, again := w.get(r, "a"); again != a || r.Stats().Loads != before {
			t.Error("unknown ids pushed a client out")
		}
		w.get(r, fmt.Sprintf("unknown-%d", decoyCount+99))
		if r.Stats().Loads != before {
			t.Error("a decoy was not cached")
		}
		if _, e := w.get(r, strings.Repeat("x", 5000)); e.Client != nil || r.Stats().Loads != before {
			t.Error("an id that is too long was looked for")
		}
	})
}

// TestConfirmClosesStaleRefusals: what another node changed counts at once for a
// request that this node's cache would refuse.
func TestConfirmClosesStaleRefusals(t *testing.T) {
	eachStore(t, func(w *world) {
		changed := client("a", registry.StateActive)
		changed.Secrets = append(changed.Secrets, registry.Secret{ID: "s2", Hash: registry.HashGenerated("new")})
		for name, c := range map[string]struct {
			before, after *registry.Client
			fits          func(*Entry) bool
		}{
			"enabled":      {client("a", registry.StateDisabled), client("a", registry.StateActive), func(e *Entry) bool { return state(e) == registry.StateActive }},
			"a new secret": {client("a", registry.StateActive), changed, func(e *Entry) bool { return len(e.Digests) == 2 }},
			"created":      {nil, client("a", registry.StateActive), func(e *Entry) bool { return state(e) == registry.StateActive }},
		} {
			w.remove(registry.KindClient, "a")
			if c.before != nil {
				w.write(c.before)
			}
			r := w.node(w.config())
			_, e := w.get(r, "a")
			if c.fits(e) {
				t.Fatalf("%s: before the change already", name)
			}
			seq := w.write(c.after, api("also-"+strings.ReplaceAll(name, " ", "-")))
			if _, stale := w.get(r, "a"); stale != e {
				t.Fatalf("%s: the node does not follow, and yet it knows", name)
			}
			confirmed, s, err := r.Confirm(t.Context(), "a", e)
			w.must(err)
			if !c.fits(confirmed) || s.Seq != seq || s.APIs["also-"+strings.ReplaceAll(name, " ", "-")] == nil {
				t.Errorf("%s: %s at %d, want the state of %d", name, state(confirmed), s.Seq, seq)
			}
			if _, now := w.get(r, "a"); !c.fits(now) {
				t.Errorf("%s: the next request does not know", name)
			}
			if n := r.Stats().CatchUps; n != 2 { // one at the start
				t.Errorf("%s: %d catch-ups", name, n)
			}
		}
	})
}

// TestConfirmWithoutNews: on SQLite the file is the truth, also where the node
// has not applied the commit and cannot ask.
func TestConfirmWithoutNews(t *testing.T) {
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "symbolon.db"))
	before := w.write(client("a", registry.StateDisabled))
	r := w.node(w.config())
	_, e := w.get(r, "a")
	w.write(client("a", registry.StateActive))
	r.away.Store(true)
	confirmed, s, err := r.Confirm(t.Context(), "a", e)
	w.must(err)
	if state(confirmed) != registry.StateActive || s.Seq != before {
		t.Errorf("%s at %d, want active at %d", state(confirmed), s.Seq, before)
	}
}

// TestAppliesReachBothCaches: what is cached is as new as the snapshot, for ids
// that nobody had before too.
func TestAppliesReachBothCaches(t *testing.T) {
	eachStore(t, func(w *world) {
		r := w.node(w.config())
		for _, write := range []func() int64{
			func() int64 { return w.write(client("a", registry.StateActive)) },
			func() int64 { return w.write(client("a", registry.StateDisabled)) },
			func() int64 { return w.remove(registry.KindClient, "a") },
			func() int64 { return w.write(client("a", registry.StateActive)) },
		} {
			_, before := w.get(r, "a")
			seq := write()
			w.must(r.CatchUp(t.Context()))
			if s, e := w.get(r, "a"); s.Seq != seq || e.Seq != seq || state(e) == state(before) {
				t.Errorf("%s of commit %d at %d, want what commit %d wrote", state(e), e.Seq, s.Seq, seq)
			}
		}
	})
}

// TestRefusalsCostTheSame: nobody learns from the work done whether an id is
// known: unknown, wrong secret, disabled make the same calls.
func TestRefusalsCostTheSame(t *testing.T) {
	eachStore(t, func(w *world) {
		w.write(client("active", registry.StateActive), client("disabled", registry.StateDisabled))
		w.write(client("deleted", registry.StateActive))
		w.remove(registry.KindClient, "deleted")
		r := w.node(w.config())
		cost := func(id string) Stats {
			before := r.Stats()
			_, e := w.get(r, id)
			_, _, err := r.Confirm(t.Context(), id, e)
			w.must(err)
			after := r.Stats()
			return Stats{Loads: after.Loads - before.Loads, Checks: after.Checks - before.Checks, CatchUps: after.CatchUps - before.CatchUps}
		}
		for i, want := range []Stats{{1, 1, 1, 0, 0}, {0, 0, 1, 0, 0}, {0, 0, 1, 0, 0}, {0, 1, 1, 0, 0}} { // the first time; from the caches; after a commit
			if i == 3 {
				w.write(client("another", registry.StateActive))
				w.must(r.CatchUp(t.Context()))
			}
			for _, id := range []string{"active", "disabled", "deleted", "unknown"} {
				if got := cost(id); got != want {
					t.Errorf("%s: %+v, want %+v", id, got, want)
				}
			}
		}
	})
}

func TestConfirmEndsWithTheRequest(t *testing.T) {
	eachStore(t, func(w *world) {
		r := w.node(w.config())
		_, e := w.get(r, "a")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := r.Confirm(ctx, "a", e); !errors.Is(err, context.Canceled) {
			t.Errorf("error: %v", err)
		}
	})
}

func TestAwait(t *testing.T) {
	eachStore(t, func(w *world) {
		r := w.node(w.config())
		seq := w.write(client("a", registry.StateActive))
		w.must(r.Await(t.Context(), seq)) // asks by itself
		if s, e := w.get(r, "a"); s.Seq != seq || state(e) != registry.StateActive {
			t.Errorf("%s at %d", state(e), s.Seq)
		}
		waits := make(chan error)
		go func() { waits <- r.Await(t.Context(), seq+1) }()
		w.write(client("a", registry.StateDisabled))
		w.must(r.CatchUp(t.Context()))
		w.must(<-waits)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { waits <- r.Await(ctx, seq+100) }()
		cancel()
		if err := <-waits; !errors.Is(err, context.Canceled) {
			t.Errorf("error: %v", err)
		}
	})
}

// TestRunFollows: commits of anybody arrive by themselves and in order, by their
// notifications alone, and where polls come between them.
func TestRunFollows(t *testing.T) {
	for name, poll := range map[string]time.Duration{"told": time.Hour, "polling": 20 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(w *world) { follows(w, poll) })
		})
	}
}

func follows(w *world, poll time.Duration) {
	var published []int64
	cfg := w.config()
	cfg.Published = func(s *registry.Snapshot) { published = append(published, s.Seq) }
	r := w.node(cfg, func(r *Replica) { r.poll = poll })
	w.run(r)
	other := w
	if w.postgres() {
		other = newWorld(w.TB, w.dsn) // another node
	}
	var seq int64
	for i := range 50 {
		seq = other.write(client(fmt.Sprint("c", i), registry.StateActive))
	}
	w.eventually("the last commit", func() bool { return r.Snapshot().Seq == seq })
	for i := range 50 {
		if _, e := w.get(r, fmt.Sprint("c", i)); state(e) != registry.StateActive {
			w.Errorf("c%d: %s", i, state(e))
		}
	}
	w.must(r.CatchUp(context.Background())) // the applier has left: published is ours
	for i := 1; i < len(published); i++ {
		if published[i] <= published[i-1] {
			w.Errorf("published %v", published)
		}
	}
}

// TestWarningsAreToldOnce: an object that cannot be used stops nothing, and is
// not told again with every commit.
func TestWarningsAreToldOnce(t *testing.T) {
	eachStore(t, func(w *world) {
		var log strings.Builder
		cfg := w.config()
		cfg.Logger = textLogger(&log)
		r := w.node(cfg)
		for range 3 {
			w.write(&registry.API{ID: "lost", Issuer: "nowhere", Identifier: "https://lost.example.com"})
			w.must(r.CatchUp(t.Context()))
		}
		if n := strings.Count(log.String(), "id=lost"); n != 1 {
			t.Errorf("told %d times:\n%s", n, log.String())
		}
	})
}
