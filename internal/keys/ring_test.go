package keys

import (
	"errors"
	"sync"
	"testing"

	"github.com/symbolon/symbolon/internal/jose"
)

func TestRingOpensAKeyOnce(t *testing.T) {
	m := NewMaster()
	ring, k := NewRing(m), newKey(t, m, jose.ES256)
	signers := make([]*jose.Signer, 32)
	var wg sync.WaitGroup
	for i := range signers {
		wg.Go(func() {
			s, err := ring.Signer(k, "at+jwt")
			if err != nil {
				t.Error(err)
			}
			signers[i] = s
		})
	}
	wg.Wait()
	for _, s := range signers {
		if s != signers[0] {
			t.Fatal("opened twice")
		}
	}
	if other, err := ring.Signer(k, "JWT"); err != nil || other == signers[0] {
		t.Errorf("another typ: the same signer, or %v", err)
	}
}

func TestRingForgets(t *testing.T) {
	m := NewMaster()
	ring, k, kept := NewRing(m), newKey(t, m, jose.ES256), newKey(t, m, jose.ES256)
	first, err := ring.Signer(k, "at+jwt")
	if err != nil {
		t.Fatal(err)
	}
	second, err := ring.Signer(kept, "at+jwt")
	if err != nil {
		t.Fatal(err)
	}
	ring.Keep(func(kid string) bool { return kid == kept.ID })
	if s, err := ring.Signer(kept, "at+jwt"); err != nil || s != second {
		t.Errorf("a key in use was dropped (%v)", err)
	}
	if s, err := ring.Signer(k, "at+jwt"); err != nil || s == first {
		t.Errorf("a key out of use was kept (%v)", err)
	}
	revoked := *k
	revoked.Revoked = start
	if _, err := ring.Signer(&revoked, "at+jwt"); !errors.Is(err, ErrKey) {
		t.Errorf("a revoked key that is open already signs: %v", err)
	}
}

func BenchmarkRingSigner(b *testing.B) {
	m := NewMaster()
	ring, k := NewRing(m), newKey(b, m, jose.ES256)
	for range 20 {
		if _, err := ring.Signer(newKey(b, m, jose.ES256), "at+jwt"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := ring.Signer(k, "at+jwt"); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkActive(b *testing.B) {
	m := NewMaster()
	ks := docs(newKey(b, m, jose.ES256), newKey(b, m, jose.ES256), newKey(b, m, jose.ES256))
	ks[1].Activates = start
	b.ReportAllocs()
	for b.Loop() {
		if Active(ks, start) != ks[1] {
			b.Fatal("not the active one")
		}
	}
}
