package replica

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		f.Value.Set("6") // each check opens databases and follows them
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

const baseURL = "https://auth.example.com"

// world is a store and the nodes that follow it.
type world struct {
	testing.TB
	dsn   string
	store *store.Store
}

// eachStore runs a test on an empty store of each kind.
func eachStore(t *testing.T, f func(w *world)) {
	t.Run("sqlite", func(t *testing.T) { f(newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "symbolon.db"))) })
	t.Run("postgres", func(t *testing.T) { f(newWorld(t, pgtest.Database(t))) })
}

func newWorld(t testing.TB, dsn string) *world {
	return &world{TB: t, dsn: dsn, store: openStore(t, dsn)}
}

func openStore(t testing.TB, dsn string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), store.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// postgres reports whether nodes need a file of their own.
func (w *world) postgres() bool { return w.store.Reader() == nil }

// local opens a replica file; nil where the store's own is read.
func (w *world) local(path string) *store.Local {
	w.Helper()
	if !w.postgres() {
		return nil
	}
	l, err := store.OpenLocal(context.Background(), path, store.LocalConfig{})
	w.must(err)
	w.Cleanup(func() { l.Close() })
	return l
}

// config is that of a node with a new file.
func (w *world) config() Config {
	w.Helper()
	return Config{Store: w.store, BaseURL: baseURL, Local: w.local(filepath.Join(w.TempDir(), "replica.db"))}
}

// node opens a replica that follows when it is told to.
func (w *world) node(cfg Config, tune ...func(*Replica)) *Replica {
	w.Helper()
	r, err := open(context.Background(), cfg, func(r *Replica) {
		for _, f := range tune {
			f(r)
		}
	})
	w.must(err)
	w.Cleanup(func() {
		if err := r.Close(); err != nil {
			w.Errorf("close: %v", err)
		}
	})
	return r
}

// run lets a replica follow by itself until the test ends.
func (w *world) run(r *Replica) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			w.Errorf("run: %v", err)
		}
	}()
	w.Cleanup(func() { stop(); <-done })
}

// write commits objects together: pointers to the kinds' types.
func (w *world) write(objects ...any) int64 {
	w.Helper()
	pos, err := w.store.Update(context.Background(), func(tx *store.Tx) error {
		for _, obj := range objects {
			if err := put(tx, obj); err != nil {
				return err
			}
		}
		return nil
	})
	w.must(err)
	return pos.Seq
}

// writeKind commits an object of a kind that this version does not know.
func (w *world) writeKind(kind, id string) int64 {
	w.Helper()
	pos, err := w.store.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Put(store.Put{Kind: kind, ID: id, Doc: []byte(`{"v":1,"min":1}`)})
		return err
	})
	w.must(err)
	return pos.Seq
}

func put(tx *store.Tx, obj any) error {
	kind, id := nameOf(obj)
	doc, err := registry.Encode(obj, nil)
	if err != nil {
		return err
	}
	version, err := liveVersion(tx, kind, id)
	if err != nil {
		return err
	}
	_, err = tx.Put(store.Put{Kind: kind, ID: id, Version: version, Doc: doc})
	return err
}

// liveVersion is 0 where there is no live object.
func liveVersion(tx *store.Tx, kind, id string) (int64, error) {
	o, err := tx.Get(kind, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && o.Deleted {
		return 0, nil
	}
	return o.Version, err
}

// remove deletes an object if it is there.
func (w *world) remove(kind, id string) int64 {
	w.Helper()
	pos, err := w.store.Update(context.Background(), func(tx *store.Tx) error {
		version, err := liveVersion(tx, kind, id)
		if err != nil || version == 0 {
			return err
		}
		return tx.Delete(kind, id, version, false)
	})
	w.must(err)
	return pos.Seq
}

func nameOf(obj any) (kind, id string) {
	switch o := obj.(type) {
	case *registry.Issuer:
		return registry.KindIssuer, o.ID
	case *registry.API:
		return registry.KindAPI, o.ID
	case *registry.Client:
		return registry.KindClient, o.ID
	case *registry.Denial:
		return registry.KindDenial, o.ID
	}
	panic("no name")
}

func client(id, state string) *registry.Client {
	return &registry.Client{ID: id, State: state, Secrets: []registry.Secret{
		{ID: "s1", Hash: registry.HashGenerated("secret of " + id)},
	}}
}

func api(id string) *registry.API {
	return &registry.API{ID: id, Issuer: registry.DefaultIssuer, Identifier: "https://" + id + ".example.com"}
}

// get is what a request does first: the snapshot, then the client.
func (w *world) get(r *Replica, id string) (*registry.Snapshot, *Entry) {
	w.Helper()
	s := r.Snapshot()
	e, err := r.Client(context.Background(), id)
	w.must(err)
	return s, e
}

func state(e *Entry) string {
	if e.Client == nil {
		return "none"
	}
	return e.Client.State
}

// eventually waits for something that another goroutine does.
func (w *world) eventually(what string, f func() bool) {
	w.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			w.Fatalf("it never came: %s", what)
		}
	}
}

func textLogger(out io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(out, nil)) }
