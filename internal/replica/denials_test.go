package replica

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

func deniedClient(id string) *registry.Denial {
	d := &registry.Denial{What: registry.DenyClient, Client: id, N: 1 << 40}
	d.ID = registry.DenialID(d)
	return d
}

// TestDenialsAreShared by the snapshots of commits that wrote none, and those of a
// node that followed are those of one that starts.
func TestDenialsAreShared(t *testing.T) {
	eachStore(t, func(w *world) {
		r := w.node(w.config())
		follow := func() *registry.Snapshot { w.must(r.CatchUp(w.Context())); return r.Snapshot() }
		w.write(&registry.Issuer{ID: "default"}, deniedClient("a"), deniedClient("b"))
		s := follow()
		w.write(&registry.API{ID: "orders", Issuer: "default", Identifier: "https://orders.example.com"})
		if next := follow(); next.Denials != s.Denials || next.APIs["orders"] == nil {
			t.Errorf("an API made other denials")
		}
		w.write(typical("c"))
		if next := follow(); next.Denials != s.Denials {
			t.Errorf("a client made other denials")
		}
		issuers := follow().Issuers["default"].Issuer
		w.write(deniedClient("d"))
		w.remove(registry.KindDenial, "client:a")
		next := follow()
		if next.Denials == s.Denials || next.Issuers["default"].Issuer != issuers || s.Denials.Get("client:a") == nil || s.Denials.Len() != 2 {
			t.Errorf("a denial: %d denials, %d before", next.Denials.Len(), s.Denials.Len())
		}
		head, err := w.store.Head(w.Context())
		w.must(err)
		at, err := w.store.RaiseEpoch(w.Context(), head)
		w.must(err)
		last := follow()
		if last.Denials != next.Denials || last.Epoch != at.Epoch {
			t.Errorf("a new epoch made other denials, or is none: %+v", last.Position)
		}
		fresh := w.node(w.config()).Snapshot()
		if got, want := idsOf(last), idsOf(fresh); !slices.Equal(got, want) || len(got) != 2 {
			t.Errorf("%v, and after a start %v", got, want)
		}
	})
}

func idsOf(s *registry.Snapshot) (ids []string) {
	for d := range s.Denials.After(0) {
		ids = append(ids, fmt.Sprint(d.ID, " ", d.Commit))
	}
	slices.Sort(ids)
	return ids
}

// TestADenialThatCannotBeUsed is told once, whatever else is committed, and again
// when it was readable in between.
func TestADenialThatCannotBeUsed(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/symbolon.db")
	var log bytes.Buffer
	cfg := w.config()
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	r := w.node(cfg)
	newer := func() {
		_, err := w.store.Update(w.Context(), func(tx *store.Tx) error {
			version, err := liveVersion(tx, registry.KindDenial, "client:newer")
			if err != nil {
				return err
			}
			_, err = tx.Put(store.Put{Kind: registry.KindDenial, ID: "client:newer", Version: version, Doc: []byte(`{"min":99}`)})
			return err
		})
		w.must(err)
	}
	for i, step := range []struct {
		commit func()
		told   int
	}{
		{newer, 1},
		{func() { w.write(deniedClient("b")) }, 1},
		{func() { w.write(&registry.Issuer{ID: "default"}) }, 1},
		{func() { w.write(typical("c")) }, 1},
		{func() { w.write(deniedClient("newer")) }, 1},
		{newer, 2},
		{newer, 2},
	} {
		step.commit()
		w.must(r.CatchUp(w.Context()))
		if told := strings.Count(log.String(), "an object is not used"); told != step.told {
			t.Errorf("after commit %d it was told %d times:\n%s", i, told, log.String())
		}
	}
	if got := r.Snapshot().Denials; got.Len() != 1 || got.Get("client:b") == nil {
		t.Errorf("%d denials", got.Len())
	}
}

// BenchmarkApplyBeside100000 denials: what a commit costs the node that follows.
func BenchmarkApplyBeside100000(b *testing.B) {
	w := newWorld(b, "sqlite:"+b.TempDir()+"/symbolon.db")
	objects := make([]any, 10_000)
	for from := 0; from < 100_000; from += len(objects) {
		for i := range objects {
			objects[i] = deniedClient(fmt.Sprintf("client-%06d", from+i))
		}
		w.write(objects...)
	}
	w.write(&registry.Issuer{ID: "default"})
	r := w.node(w.config())
	for _, kind := range []string{registry.KindDenial, registry.KindAPI} {
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				seq := r.at.Seq + 1
				var object any = &registry.API{ID: "orders", Issuer: "default", Identifier: "https://orders.example.com"}
				if kind == registry.KindDenial {
					object = deniedClient(fmt.Sprint("more", seq))
				}
				_, id := nameOf(object)
				text, err := registry.Encode(object, nil)
				w.must(err)
				w.must(r.apply(b.Context(), []store.Change{{
					Position: store.Position{Seq: seq, Epoch: 1}, Settled: true,
					Objects: []store.ChangedObject{{Object: store.Object{Kind: kind, ID: id, Seq: seq, Doc: text}}},
				}}))
			}
		})
	}
}
