package replica

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// benchClients are as many as an issuer has in use.
const benchClients = 10_000

func typical(id string) *registry.Client {
	return &registry.Client{
		ID: id, Name: "Nightly job of " + id, Owner: "ann", State: registry.StateActive,
		Labels: map[string]string{"team": "finance", "env": "production"},
		Secrets: []registry.Secret{
			{ID: "s1", Hash: registry.HashGenerated("one of " + id)}, {ID: "s2", Hash: registry.HashGenerated("two of " + id)},
		},
		Access:     map[string][]string{"orders": {"orders:read", "orders:write"}},
		DefaultAPI: []string{"orders"},
	}
}

func benchNode(b *testing.B) (*Replica, []string) {
	w := newWorld(b, "sqlite:"+filepath.Join(b.TempDir(), "symbolon.db"))
	ids := make([]string, benchClients)
	_, err := w.store.Update(context.Background(), func(tx *store.Tx) error {
		for i := range ids {
			ids[i] = fmt.Sprintf("client-%06d", i)
			if err := put(tx, typical(ids[i])); err != nil {
				return err
			}
		}
		return nil
	})
	w.must(err)
	return w.node(w.config()), ids
}

func BenchmarkClient(b *testing.B) {
	r, ids := benchNode(b)
	for _, id := range ids {
		if _, err := r.Client(context.Background(), id); err != nil {
			b.Fatal(err)
		}
	}
	var from atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		for i := int(from.Add(5000)); pb.Next(); i++ {
			if e, err := r.Client(ctx, ids[i%benchClients]); err != nil || e.Client == nil {
				b.Error("no client")
			}
		}
	})
	if loads := r.Stats().Loads; loads != benchClients {
		b.Errorf("%d loads", loads)
	}
}

// BenchmarkClientLoad is the first request of a client.
func BenchmarkClientLoad(b *testing.B) {
	r, ids := benchNode(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		id := ids[i%benchClients]
		r.cache.invalidate(id)
		if _, err := r.Client(context.Background(), id); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommit is what a client's commit costs the node that follows.
func BenchmarkCommit(b *testing.B) {
	r, ids := benchNode(b)
	b.ReportAllocs()
	for b.Loop() {
		err := r.apply(context.Background(), []store.Change{{
			Position: store.Position{Seq: r.at.Seq + 1, Epoch: 1}, Settled: true,
			Objects: []store.ChangedObject{{Object: store.Object{Kind: registry.KindClient, ID: ids[0]}}},
		}})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCacheMemory reports the memory of a cached client, measured and as
// the cache counts it.
func BenchmarkCacheMemory(b *testing.B) {
	r, ids := benchNode(b)
	for b.Loop() {
		r.cache.invalidateAll()
		before := heap()
		for _, id := range ids {
			if _, err := r.Client(context.Background(), id); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(heap()-before)/benchClients, "B/client")
		b.ReportMetric(float64(r.Stats().Bytes)/benchClients, "counted-B/client")
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
