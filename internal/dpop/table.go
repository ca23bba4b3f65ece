package dpop

import (
	"hash/maphash"
	"sync"
)

// slot is one remembered entry: 40 bytes without pointers, so that the garbage collector
// does not look at them.
type slot struct {
	key     [32]byte
	expires uint32 // the last second, since 1970, in which it is live; 0: the slot is free
	owner   uint32 // index of its owner's account
}

// table is one shard of a Memory: a hash table with linear probing. Removal moves the
// followers back, so there are no tombstones and a lookup is as short after a year as on the
// first day.
type table struct {
	mu     sync.Mutex
	number uint8 // among the tables of its memory
	slots  []slot
	used   int
	sweep  int // where the next sweep begins
	due    int // claims since the last one
	// forgotten is the last second in which any entry that has left was live.
	forgotten uint32
}

const (
	smallest = 8 // slots of a table that holds something
	// Expired entries are looked for in so many slots for each claim, but for several claims at
	// once: neighbouring slots are in the processor's cache when the first one is.
	sweepSlots  = 8
	sweepClaims = 8
)

// find returns the index of key's slot, or the free slot where it belongs; the table is not
// full.
func (t *table) find(seed maphash.Seed, key *[32]byte) int {
	for i := t.home(seed, key); ; i = t.next(i) {
		// One byte tells nearly all other keys apart, without a call.
		if s := &t.slots[i]; s.expires == 0 || s.key[0] == key[0] && s.key == *key {
			return i
		}
	}
}

// home is where key's slot should be. The hash is seeded: who chooses a jti must not choose
// where it goes.
func (t *table) home(seed maphash.Seed, key *[32]byte) int {
	h := maphash.Bytes(seed, key[:])
	return int(h & (1<<32 - 1) * uint64(len(t.slots)) >> 32)
}

func (t *table) next(i int) int {
	if i++; i == len(t.slots) {
		return 0
	}
	return i
}

// live reports whether key is there and live in the second now.
func (t *table) live(seed maphash.Seed, key *[32]byte, now uint32) bool {
	if t.used == 0 {
		return false
	}
	return t.slots[t.find(seed, key)].expires >= max(now, 1)
}

// put writes s and returns the slot that it replaces, a free one where its key is new.
func (t *table) put(seed maphash.Seed, s slot) (old slot) {
	// At most 2/3 full, so that few slots are probed; a quarter more each time, since a whole
	// table is copied at once and memory that is not used yet counts too.
	if (t.used+1)*3 > len(t.slots)*2 {
		t.resize(seed, max(smallest, len(t.slots)+len(t.slots)/4))
	}
	i := t.find(seed, &s.key)
	old, t.slots[i] = t.slots[i], s
	if old.expires == 0 {
		t.used++
	}
	return old
}

// resize gives the table size slots.
func (t *table) resize(seed maphash.Seed, size int) {
	old := t.slots
	t.slots, t.sweep = make([]slot, size), 0
	for i := range old {
		if old[i].expires != 0 {
			t.slots[t.find(seed, &old[i].key)] = old[i]
		}
	}
}

// remove frees slot i and closes the gap.
func (t *table) remove(seed maphash.Seed, i int) {
	t.used--
	for j := t.next(i); t.slots[j].expires != 0; j = t.next(j) {
		// An entry may move back to the gap unless its home lies behind the gap, cyclically.
		home := t.home(seed, &t.slots[j].key)
		if t.distance(home, j) >= t.distance(i, j) {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = slot{}
}

// distance is how many slots b is behind a.
func (t *table) distance(a, b int) int {
	if b < a {
		b += len(t.slots)
	}
	return b - a
}

// expire looks at up to n slots and removes what is no longer live in the second now; gone
// is called with each one's owner. A table that became nearly empty is made smaller.
func (t *table) expire(seed maphash.Seed, n int, now uint32, gone func(owner uint32)) {
	for range min(n, len(t.slots)) {
		// What moves into the gap is looked at in its turn.
		for s := &t.slots[t.sweep]; s.expires != 0 && s.expires < now; {
			gone(s.owner)
			t.forgotten = max(t.forgotten, s.expires)
			t.remove(seed, t.sweep)
		}
		t.sweep = t.next(t.sweep)
	}
	if len(t.slots) > smallest && t.used*4 < len(t.slots) {
		t.resize(seed, max(smallest, t.used*2))
	}
}
