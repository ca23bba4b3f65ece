package resource

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"math/rand/v2"

	"github.com/symbolon/symbolon"
)

// denialTable holds entries by their keys: one piece of memory, in which what finds
// its place taken stands in the next one that is free. Each request looks up six
// keys, most of which are not there, and the keys are digests already: a map would
// hash them again, and takes three times as long. The zero value is empty.
type denialTable struct {
	slots []slot
	// seed is not known to who makes up names, so that nobody finds such as crowd
	// together.
	seed uint64
	n    int // entries
}

// slot is a place in a table; free where expires is 0, which no entry has.
type slot struct {
	key symbolon.DenialKey
	entry
}

// newDenialTable has room for so many entries; it must not get more. Half of the
// places stay free.
func newDenialTable(most int) denialTable {
	return denialTable{slots: make([]slot, 2*most+1), seed: rand.Uint64() | 1}
}

// at is the slot that has the key, or the free one where it belongs.
func (t *denialTable) at(k *symbolon.DenialKey) *slot {
	mixed := binary.LittleEndian.Uint64(k[:8]) * t.seed
	first, _ := bits.Mul64(mixed, uint64(len(t.slots)))
	for i := int(first); ; {
		if s := &t.slots[i]; s.expires == 0 || s.key == *k {
			return s
		}
		if i++; i == len(t.slots) {
			i = 0
		}
	}
}

// get gives the entry of a key.
func (t *denialTable) get(k *symbolon.DenialKey) (e entry, there bool) {
	if t.n == 0 {
		return entry{}, false
	}
	e = t.at(k).entry
	return e, e.expires != 0
}

// put sets the entry of a key.
func (t *denialTable) put(k *symbolon.DenialKey, e entry) {
	s := t.at(k)
	if s.expires == 0 {
		t.n++
	}
	s.key, s.entry = *k, e
}

// all are the entries, in no order.
func (t *denialTable) all() iter.Seq2[*symbolon.DenialKey, entry] {
	return func(yield func(*symbolon.DenialKey, entry) bool) {
		for i := range t.slots {
			if s := &t.slots[i]; s.expires != 0 && !yield(&s.key, s.entry) {
				return
			}
		}
	}
}
