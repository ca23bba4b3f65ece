package admin

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
	"github.com/symbolon/symbolon/internal/store"
)

const baseURL = "https://auth.example.com"

// clock is a time that a test moves.
type clock struct {
	sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.Lock()
	defer c.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.Lock()
	defer c.Unlock()
	c.at = c.at.Add(d)
}

// world is the operations over a real store, followed by a real replica.
type world struct {
	testing.TB
	*Admin
	clock   *clock
	replica *replica.Replica
	actor   Actor
	stop    func() // following the store
}

// eachStore runs a test on an empty store of each kind, with the default
// issuer there, both at a time, after what stands behind it in the caller.
func eachStore(t *testing.T, f func(w *world)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "symbolon.db")))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(newWorld(t, pgtest.Database(t)))
	})
}

// onSQLite is for tables of rules that no database takes part in.
func onSQLite(t *testing.T, f func(w *world)) {
	f(newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "symbolon.db")))
}

func newWorld(t testing.TB, dsn string) *world {
	t.Helper()
	w := &world{TB: t, clock: &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}, actor: Local(1000, "req-1")}
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{DSN: dsn, Now: w.clock.now})
	w.ok(err)
	t.Cleanup(func() { s.Close() })
	var local *store.Local
	maxStale := time.Duration(0)
	if s.Reader() == nil {
		local, err = store.OpenLocal(ctx, filepath.Join(t.TempDir(), "replica.db"), store.LocalConfig{})
		w.ok(err)
		t.Cleanup(func() { local.Close() })
		maxStale = 24 * time.Hour
	}
	w.replica, err = replica.Open(ctx, replica.Config{Store: s, Local: local, BaseURL: baseURL, Now: w.clock.now,
		JournalFile: filepath.Join(t.TempDir(), "deny.journal")})
	w.ok(err)
	following, stop := context.WithCancel(ctx)
	var follower sync.WaitGroup
	follower.Go(func() {
		if err := w.replica.Run(following); err != nil {
			t.Error(err)
		}
	})
	w.stop = sync.OnceFunc(func() {
		stop()
		follower.Wait()
		w.replica.Close()
	})
	t.Cleanup(w.stop)
	w.Admin = New(Config{Store: s, Reader: w.replica.Reader(), Replica: w.replica, Journal: w.replica, Master: keys.NewMaster(),
		BaseURL: baseURL, MaxStale: maxStale, Node: "n1", Now: w.clock.now})
	w.ok(w.Bootstrap(ctx))
	return w
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// refused demands an error of that sort, whose text has all the words.
func (w *world) refused(err error, code Code, words ...string) {
	w.Helper()
	if err == nil {
		w.Fatalf("it was not refused, as %s", code)
	}
	if got := CodeOf(err); got != code {
		w.Errorf("refused as %q, not %q: %v", got, code, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			w.Errorf("%q is not in the error: %v", word, err)
		}
	}
	var e *Error
	if errors.As(err, &e) && e.Fix == "" {
		w.Errorf("the error does not tell what to do: %v", err)
	}
}

// head is the number of the newest commit.
func (w *world) head() int64 {
	w.Helper()
	pos, err := w.Store.Head(w.Context())
	w.ok(err)
	return pos.Seq
}

// api makes an API with scopes.
func (w *world) api(id string, scopes ...string) {
	w.Helper()
	api := registry.API{ID: id, Identifier: "https://" + id + ".example.com", Scopes: map[string]registry.Scope{}}
	for _, s := range scopes {
		api.Scopes[s] = registry.Scope{}
	}
	_, _, err := w.CreateAPI(w.Context(), w.actor, api)
	w.ok(err)
}

// client makes a client with access "api scope scope".
func (w *world) client(id string, access ...string) CreatedClient {
	w.Helper()
	c := registry.Client{ID: id, Access: map[string][]string{}}
	for _, a := range access {
		words := strings.Fields(a)
		c.Access[words[0]] = words[1:]
	}
	made, _, err := w.CreateClient(w.Context(), w.actor, CreateClient{Client: c})
	w.ok(err)
	return made
}

// stored is the client's document.
func (w *world) stored(id string) *registry.Client {
	w.Helper()
	c, _, err := read[registry.Client](w.Context(), w.Admin, w.actor, registry.KindClient, id)
	w.ok(err)
	return c
}

// denials are the ids of all denials and their n.
func (w *world) denials() map[string]int64 {
	w.Helper()
	page, err := w.Denials(w.Context(), w.actor, Query{})
	w.ok(err)
	out := make(map[string]int64)
	for _, d := range page.Items {
		out[d.ID] = d.N
	}
	return out
}

// denialIDs are their ids, sorted.
func (w *world) denialIDs() []string {
	w.Helper()
	ids := []string{}
	for id := range w.denials() {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// gen is what a token would carry that was issued at a commit.
func (w *world) gen(seq int64) int64 { return registry.Position{Seq: seq, Epoch: 1}.Gen() }

// actions are what was recorded since a commit, in order.
func (w *world) actions(since int64) []string {
	w.Helper()
	changes, err := w.Changes(w.Context(), w.actor, ChangeQuery{Limit: 1000})
	w.ok(err)
	slices.Reverse(changes)
	out := []string{}
	for _, c := range changes {
		if c.Commit > since {
			out = append(out, c.Action+" "+c.Object)
		}
	}
	return out
}
