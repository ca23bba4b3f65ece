package replica

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// testClock is a clock that a test moves.
type testClock struct{ at atomic.Int64 }

func newClock() *testClock {
	c := &testClock{}
	c.at.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *testClock) now() time.Time          { return time.UnixMicro(c.at.Load()) }
func (c *testClock) advance(d time.Duration) { c.at.Add(d.Microseconds()) }

// TestStoreAway: with the store stopped a node goes on with what it has, also
// after its own restart, and says when that is too old.
func TestStoreAway(t *testing.T) {
	server := pgtest.Start(t)
	w := newWorld(t, server.Database(t))
	w.write(&registry.Issuer{ID: "default"}, client("a", registry.StateActive), client("b", registry.StateActive))
	seq := w.write(client("c", registry.StateDisabled))
	dir, clock := t.TempDir(), newClock()
	cfg := Config{Store: w.store, BaseURL: baseURL, Local: w.local(filepath.Join(dir, "replica.db")),
		ContactFile: filepath.Join(dir, "contact"), MaxStale: time.Hour, Now: clock.now}
	t.Run("while it runs", func(t *testing.T) { awayRunning(t, server, cfg, clock, seq) })
	clock.advance(30 * time.Minute)
	server.Pause(t)
	t.Run("at a start", func(t *testing.T) { awayAtStart(t, w, cfg, clock, seq) })
	server.Resume(t)
}

func awayRunning(t *testing.T, server *pgtest.Server, cfg Config, clock *testClock, seq int64) {
	w := &world{TB: t, store: cfg.Store}
	r := w.node(cfg)
	w.run(r)
	_, c := w.get(r, "c")
	server.Pause(t)
	w.eventually("the node notices", r.Away)
	if s, e := w.get(r, "a"); s.Seq != seq || state(e) != registry.StateActive {
		t.Errorf("%s at %d", state(e), s.Seq)
	}
	asked := r.refresh.last
	confirmed, s, err := r.Confirm(t.Context(), "c", c)
	w.must(err)
	if confirmed != c || s.Seq != seq {
		t.Errorf("confirmed %+v at %d", confirmed, s.Seq)
	}
	if r.refresh.last != asked {
		t.Error("a refusal asked a store that is away")
	}
	clock.advance(time.Hour)
	if r.Stale() {
		t.Error("stale at max_stale")
	}
	clock.advance(time.Minute)
	if !r.Stale() {
		t.Errorf("not stale; last contact %v", r.Contact())
	}
	server.Resume(t)
	w.eventually("the store is back", func() bool { return !r.Away() && !r.Stale() })
	if !r.Contact().Equal(clock.now()) {
		t.Errorf("contact %v, want %v", r.Contact(), clock.now())
	}
}

func awayAtStart(t *testing.T, w *world, cfg Config, clock *testClock, seq int64) {
	w = &world{TB: t, store: w.store}
	r := w.node(cfg)
	if s, e := w.get(r, "b"); s.Seq != seq || s.Issuers["default"] == nil || state(e) != registry.StateActive {
		t.Errorf("%s at %d", state(e), s.Seq)
	}
	if r.Stale() || !r.Away() || !r.Contact().Equal(clock.now().Add(-30*time.Minute)) {
		t.Errorf("stale %v, away %v, contact %v", r.Stale(), r.Away(), r.Contact())
	}
	forgetful := cfg
	forgetful.ContactFile = ""
	if r := w.node(forgetful); !r.Stale() {
		t.Error("a node that does not know its last contact is not stale")
	}
	cfg.Local = w.local(filepath.Join(t.TempDir(), "replica.db"))
	if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrIncomplete) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("with an empty file: %v", err)
	}
}

// lose makes the store forget the commits after seq, as a fail-over to a server
// that was behind does.
func (w *world) lose(seq int64) {
	w.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, w.dsn)
	w.must(err)
	defer conn.Close(ctx)
	for _, q := range []string{
		`UPDATE head SET seq = %d`, `DELETE FROM commits WHERE seq > %d`,
		`DELETE FROM attrs WHERE (kind, id) IN (SELECT kind, id FROM objects WHERE seq > %d)`, `DELETE FROM objects WHERE seq > %d`,
	} {
		_, err := conn.Exec(ctx, fmt.Sprintf(q, seq))
		w.must(err)
	}
}

// purge makes the store forget deletions, up to the newest commit but one.
func (w *world) purge() {
	w.Helper()
	_, err := w.store.PurgeTombstones(context.Background(), 1<<62)
	w.must(err)
}

// TestStoreLosesCommits: a node that has seen commits which the store has lost
// raises the epoch, so that no token of it looks newer than what comes now, and
// starts from zero. One that only was away for long does not raise it.
func TestStoreLosesCommits(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(*world)
		epoch   int64
	}{
		"the store is behind":                      {func(w *world) { w.lose(3) }, 2},
		"and has gone on since":                    {func(w *world) { w.lose(3); w.more(5) }, 2},
		"as far as the node, and not further":      {func(w *world) { w.lose(3); w.more(2) }, 2},
		"and its floor stands where the node does": {func(w *world) { w.lose(3); w.more(3); w.purge() }, 2},
		"deletions are forgotten":                  {func(w *world) { w.more(5); w.purge() }, 1},
		"nothing":                                  {func(w *world) { w.more(5) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, pgtest.Database(t))
			w.write(&registry.Issuer{ID: "default"}, client("a", registry.StateActive))
			w.write(client("b", registry.StateActive))
			w.write(client("c", registry.StateActive))
			w.write(client("lost", registry.StateActive), api("lost"))
			w.write(client("b", registry.StateDisabled))
			first, second := w.node(w.config()), w.node(w.config())
			before, _ := w.get(first, "lost")
			c.happens(w)
			for _, r := range []*Replica{first, second} {
				w.must(r.CatchUp(t.Context()))
				head, err := w.store.Head(t.Context())
				w.must(err)
				if p := r.Snapshot().Position; p != (registry.Position{Seq: head.Seq, Epoch: c.epoch}) || p.Gen() <= before.Gen() {
					t.Errorf("position %+v after %+v, want epoch %d", p, before.Position, c.epoch)
				}
				if s, e := w.get(r, "lost"); (e.Client == nil) != (c.epoch == 2) || (s.APIs["lost"] == nil) != (c.epoch == 2) {
					t.Errorf("the client of a lost commit: %s; its API: %v", state(e), s.APIs["lost"])
				}
				if _, e := w.get(r, "a"); state(e) != registry.StateActive {
					t.Errorf("a client from before: %s", state(e))
				}
			}
		})
	}
}

// TestConfirmAfterAnEpoch: an entry of a lost commit has a higher number than
// what is there now, and is not newer.
func TestConfirmAfterAnEpoch(t *testing.T) {
	w := newWorld(t, pgtest.Database(t))
	w.write(client("a", registry.StateActive))
	w.more(3)
	w.write(client("b", registry.StateDisabled), api("orders"))
	r := w.node(w.config())
	_, e := w.get(r, "b")
	w.lose(1)
	w.write(client("b", registry.StateActive), &registry.API{ID: "orders", Issuer: registry.DefaultIssuer, Identifier: "https://again.example.com"})
	confirmed, s, err := r.Confirm(t.Context(), "b", e)
	w.must(err)
	if state(confirmed) != registry.StateActive || confirmed.Seq >= e.Seq || s.Epoch != 2 {
		t.Errorf("%s of commit %d in epoch %d, before of %d", state(confirmed), confirmed.Seq, s.Epoch, e.Seq)
	}
	if got := s.APIs["orders"].Identifier; got != "https://again.example.com" {
		t.Errorf("API %s", got)
	}
}

// more commits something n times.
func (w *world) more(n int) {
	for i := range n {
		w.write(client(fmt.Sprint("more", i), registry.StateActive))
	}
}

// TestServingWhileStartingOver: a file that is being filled refuses nobody for
// missing what is not there yet.
func TestServingWhileStartingOver(t *testing.T) {
	w := newWorld(t, pgtest.Database(t))
	w.write(&registry.Issuer{ID: "default"}, client("a", registry.StateActive))
	w.write(client("b", registry.StateActive))
	w.write(client("c", registry.StateActive))
	w.write(client("d", registry.StateActive))
	r := w.node(w.config(), func(r *Replica) { r.page = 1 })
	before, a := w.get(r, "a")
	w.lose(3)
	steps := 0
	r.step = func(step string) {
		if step == "published" {
			return
		}
		steps++
		if s, e := w.get(r, "a"); s != before || e != a {
			t.Errorf("%s: a cached client is not served as before", step)
		}
		if _, err := r.Client(t.Context(), "b"); !errors.Is(err, ErrRebuilding) {
			t.Errorf("%s: another client: %v", step, err)
		}
		if _, _, err := r.Confirm(t.Context(), "a", a); !errors.Is(err, ErrRebuilding) {
			t.Errorf("%s: a refusal: %v", step, err)
		}
		if _, _, err := r.Confirm(t.Context(), "unknown", decoy(0)); !errors.Is(err, ErrRebuilding) {
			t.Errorf("%s: a refusal: %v", step, err)
		}
	}
	w.must(r.CatchUp(t.Context()))
	r.step = nil
	if steps < 6 {
		t.Fatalf("%d steps", steps)
	}
	if s, e := w.get(r, "b"); s.Epoch != 2 || state(e) != registry.StateActive {
		t.Errorf("afterwards: %s in epoch %d", state(e), s.Epoch)
	}
}
