package replica

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// copyOf is everything that a node knows.
type copyOf struct {
	Position registry.Position
	APIs     map[string]*registry.API
	Objects  []store.Object
}

func (w *world) copyOf(r *Replica) copyOf {
	w.Helper()
	c := copyOf{Position: r.Snapshot().Position, APIs: r.Snapshot().APIs}
	for _, kind := range append([]string{registry.KindClient}, smallKinds...) {
		for _, deleted := range []bool{false, true} {
			q := store.Query{Kind: kind, Deleted: deleted, Limit: 1000}
			for more := true; more; more = q.After != "" {
				page, next, err := r.reader.List(context.Background(), q)
				w.must(err)
				c.Objects = append(c.Objects, page...)
				q.After = next
			}
		}
	}
	return c
}

// errKilled stands for the end of the process.
var errKilled = errors.New("killed")

// TestAStoppedFollowerEndsLikeAFreshOne: a node that is killed again and again,
// at any step of any apply, in the middle of catching up too, ends with the same
// copy as one that starts with nothing.
func TestAStoppedFollowerEndsLikeAFreshOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, pgtest.Database(t))
		path := filepath.Join(t.TempDir(), "replica.db")
		for range rapid.IntRange(2, 6).Draw(rt, "lives") {
			for range rapid.IntRange(0, 12).Draw(rt, "commits") {
				w.randomCommit(rt)
			}
			live(w, path, rapid.IntRange(1, 30).Draw(rt, "steps"), rapid.IntRange(1, 5).Draw(rt, "page"))
		}
		stopped := w.node(Config{Store: w.store, BaseURL: baseURL, Local: w.local(path)})
		fresh := w.node(w.config())
		if diff := cmp.Diff(w.copyOf(fresh), w.copyOf(stopped), cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("fresh and stopped differ:\n%s", diff)
		}
	})
}

// randomCommit writes a few objects of a few names.
func (w *world) randomCommit(rt *rapid.T) {
	var objects []any
	for range rapid.IntRange(1, 4).Draw(rt, "objects") {
		id := fmt.Sprintf("x%d", rapid.IntRange(0, 5).Draw(rt, "id"))
		switch rapid.IntRange(0, 4).Draw(rt, "kind") {
		case 0:
			objects = append(objects, api(id))
		case 1:
			w.remove(registry.KindAPI, id)
		case 2:
			w.remove(registry.KindClient, id)
		default:
			objects = append(objects, client(id, rapid.SampledFrom([]string{registry.StateActive, registry.StateDisabled}).Draw(rt, "state")))
		}
	}
	if len(objects) > 0 {
		w.write(objects...)
	}
}

// live follows until so many steps of applies are done, and is killed there.
func live(w *world, path string, steps, page int) {
	w.Helper()
	local, err := store.OpenLocal(context.Background(), path, store.LocalConfig{})
	w.must(err)
	defer local.Close()
	defer func() {
		if p := recover(); p != nil && p != errKilled {
			panic(p)
		}
	}()
	r, err := open(context.Background(), Config{Store: w.store, BaseURL: baseURL, Local: local}, func(r *Replica) {
		r.page = page
		r.step = func(string) {
			if steps--; steps == 0 {
				panic(errKilled)
			}
		}
	})
	w.must(err)
	w.must(r.Close())
}

// TestACopyInTheMiddleClaimsNothing: while a node catches up its file is a
// mixture, and its snapshot stays where it was.
func TestACopyInTheMiddleClaimsNothing(t *testing.T) {
	eachStore(t, func(w *world) {
		w.write(client("a", registry.StateActive), client("b", registry.StateActive))
		r := w.node(w.config(), func(r *Replica) { r.page = 1 })
		before := r.Snapshot().Seq
		w.write(client("a", registry.StateDisabled), api("orders"))
		w.write(client("b", registry.StateDisabled))
		last := w.write(client("c", registry.StateActive))
		r.step = func(string) {
			if s := r.Snapshot(); s.Seq != before && s.Seq != last {
				t.Errorf("position %d is claimed on the way from %d to %d", s.Seq, before, last)
			}
		}
		w.must(r.CatchUp(t.Context()))
		if s := r.Snapshot(); s.Seq != last || s.APIs["orders"] == nil {
			t.Errorf("position %d, want %d", s.Seq, last)
		}
	})
}

// TestPurgedDeletionsLeaveTheCopy: what the store has forgotten a copy forgets too.
func TestPurgedDeletionsLeaveTheCopy(t *testing.T) {
	w := newWorld(t, pgtest.Database(t))
	r := w.node(w.config())
	w.write(client("a", registry.StateActive))
	w.remove(registry.KindClient, "a")
	w.write(client("b", registry.StateActive))
	w.must(r.CatchUp(t.Context()))
	_, err := w.store.PurgeTombstones(t.Context(), 1<<62)
	w.must(err)
	r.tidy(t.Context())
	for _, o := range w.copyOf(r).Objects {
		if o.Deleted {
			t.Errorf("%s %s is still there", o.Kind, o.ID)
		}
	}
}
