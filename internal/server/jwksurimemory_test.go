package server

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

// TestKeyMemoryIsBounded: in URIs and in octets; what was not used for longest
// goes, but nothing that would then be fetched again too soon.
func TestKeyMemoryIsBounded(t *testing.T) {
	h := newKeyHost(t, keyNamed(t, "k1"))
	uri := func(i int) string { return fmt.Sprint(h.URL, "/", i) }
	w := newKeyWorld(t, func(_ *KeySourceConfig, l *keyLimits) { l.uris = 3 })
	for i := range 3 {
		w.gives(t, uri(i), "k1", "k1")
	}
	if err := w.gives(t, uri(3), "k1", ""); !errors.Is(err, errKeysCrowded) {
		t.Error(err)
	}
	h.asked(t, 3)
	w.advance(10 * time.Second)
	w.gives(t, uri(0), "k1", "k1")
	w.gives(t, uri(3), "k1", "k1") // instead of 1
	h.asked(t, 4)
	for _, i := range []int{0, 2, 3} {
		w.gives(t, uri(i), "k1", "k1")
	}
	h.asked(t, 4)
	if n, m := len(w.memory.entries), w.memory.order.Len(); n != 3 || m != 3 {
		t.Errorf("%d entries, %d in order", n, m)
	}
	one := w.memory.octets / 3

	w = newKeyWorld(t, func(_ *KeySourceConfig, l *keyLimits) { l.octets = 3*one + one/2 })
	for i := range 10 {
		w.gives(t, uri(i), "k1", "k1")
	}
	if w.memory.octets != 3*one {
		t.Errorf("%d octets, want %d", w.memory.octets, 3*one)
	}
	h.asked(t, 14)
	for _, i := range []int{7, 8, 9} {
		w.gives(t, uri(i), "k1", "k1")
	}
	w.gives(t, uri(0), "k1", "") // its set is gone, its pause is not
	h.asked(t, 14)
	w.advance(10 * time.Second)
	w.gives(t, uri(0), "k1", "k1")
	w.gives(t, uri(7), "k1", "k1") // whose set had to leave for that of 0
	h.asked(t, 15+1)
}

// TestOctetsOfKeySets: what is counted is no less than what is taken.
func TestOctetsOfKeySets(t *testing.T) {
	var ec, small, large []*jose.Key
	for i := range 16 {
		kid := fmt.Sprint(strings.Repeat("k", 500), i)
		ec = append(ec, keyNamed(t, kid))
		small = append(small, rsaKey(t, 2048, jose.PS256, kid))
		large = append(large, rsaKey(t, 8192, jose.PS256, kid))
	}
	for name, keys := range map[string][]*jose.Key{"EC": ec, "RSA 2048": small, "RSA 8192": large} {
		text := (&jose.KeySet{Keys: keys}).JSON()
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before, counted := heap(), 0
		var sets []*clientKeys
		for range 64 {
			set, skipped, err := parseClientKeys(slices.Clone(text))
			if err != nil || len(skipped) > 0 {
				t.Fatal(err, skipped)
			}
			sets, counted = append(sets, set), counted+set.octets
		}
		taken := int(heap() - before)
		runtime.KeepAlive(sets)
		if taken > counted || taken < counted/4 {
			t.Errorf("%s: %d octets a key are counted, %d taken", name, counted/1024, taken/1024)
		}
	}
}

// TestOctetsAreGivenBack: a set that replaces another takes its room.
func TestOctetsAreGivenBack(t *testing.T) {
	h, w := newKeyHost(t), newKeyWorld(t, nil)
	for n := range 5 {
		var keys []*jose.Key
		for i := range 5 - n {
			keys = append(keys, keyNamed(t, fmt.Sprint("k", n, i)))
		}
		h.publish(keys...)
		w.gives(t, h.URL, fmt.Sprint("k", n, 0), fmt.Sprint("k", n, 0))
		if want := w.memory.entries[h.URL].Value.(*keyEntry).set.octets; w.memory.octets != want {
			t.Errorf("%d octets after %d sets, want %d", w.memory.octets, n+1, want)
		}
		w.advance(10 * time.Second)
	}
}
