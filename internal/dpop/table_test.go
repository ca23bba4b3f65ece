package dpop

import (
	"hash/maphash"
	"testing"

	"pgregory.net/rapid"
)

// TestTableIsAMap: one crowded table behaves as a map does, also when probes go round its end.
func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := maphash.MakeSeed()
		var table table
		want := map[[32]byte]slot{}
		now := uint32(1)
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			k := key(rapid.IntRange(0, 100).Draw(t, "key"))
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1, 2:
				s := slot{key: k, expires: now + rapid.Uint32Range(0, 20).Draw(t, "life"), owner: rapid.Uint32().Draw(t, "owner")}
				if old := table.put(seed, s); old != want[k] {
					t.Fatalf("replaced %+v, want %+v", old, want[k])
				}
				want[k] = s
			case 3:
				if _, known := want[k]; known {
					table.remove(seed, table.find(seed, &k))
					delete(want, k)
				}
			case 4:
				now += rapid.Uint32Range(0, 5).Draw(t, "pause")
			case 5:
				n := rapid.IntRange(0, 200).Draw(t, "slots")
				all := n >= len(table.slots)
				gone := 0
				table.expire(seed, n, now, func(uint32) { gone++ })
				for k, s := range want {
					if s.expires < now && (all || table.used == 0 || !table.live(seed, &k, s.expires)) {
						delete(want, k)
						gone--
					}
				}
				if gone != 0 {
					t.Fatalf("%d owners too many were told", gone)
				}
			}
			if table.used != len(want) {
				t.Fatalf("%d entries, want %d", table.used, len(want))
			}
			for k, s := range want {
				if got := table.slots[table.find(seed, &k)]; got != s {
					t.Fatalf("%+v, want %+v", got, s)
				}
			}
		}
	})
}
