package resource

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/symbolon/symbolon"
)

// TestDenialTableIsAMap: also where all keys want one place, which may be the last.
func TestDenialTableIsAMap(t *testing.T) {
	for round := range 500 {
		most := rand.IntN(40)
		table, model := newDenialTable(most), make(map[symbolon.DenialKey]entry)
		place := rand.Uint64()
		pick := func() (k symbolon.DenialKey) {
			if round%2 == 0 {
				place = rand.Uint64()
			}
			binary.LittleEndian.PutUint64(k[:8], place)
			k[15] = byte(rand.IntN(most + 1))
			return k
		}
		for range 3 * most {
			k, e := pick(), entry{rand.Int64N(5), 1 + rand.Int64N(5)}
			if _, there := model[k]; !there && len(model) == most {
				continue
			}
			model[k] = e
			table.put(&k, e)
		}
		found := make(map[symbolon.DenialKey]entry)
		for k, e := range table.all() {
			found[*k] = e
		}
		if !maps.Equal(found, model) || table.n != len(model) {
			t.Fatalf("%v of %d, want %v", found, table.n, model)
		}
		for range most {
			k := pick()
			want, there := model[k]
			if e, ok := table.get(&k); e != want || ok != there {
				t.Fatalf("%s: %v %t, want %v %t", k, e, ok, want, there)
			}
		}
	}
	var none denialTable
	if _, there := none.get(new(symbolon.DenialKey)); there {
		t.Error("something is in an empty table")
	}
}
