package replica

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// table is a hash table of entries whose look-up takes no lock and allocates
// nothing. Whoever writes to it holds its owner's mutex. It stays within a
// number of entries and of bytes by dropping, in the order in which they came,
// those that were not asked for since the last turn (SIEVE): ids that are tried
// once cannot push out what is in use.
type table struct {
	seed    maphash.Seed
	buckets []atomic.Pointer[node]

	maxCount, count int
	maxBytes, bytes int64
	newest, oldest  *node // order of arrival
	hand            *node // where the search for one to drop goes on
}

type node struct {
	id    string
	entry *Entry
	next  atomic.Pointer[node] // in the bucket; a dropped node keeps it, for readers that stand on it
	used  atomic.Bool

	newer, older *node
}

// newTable makes a table for so many entries and bytes.
func newTable(count int, bytes int64) *table {
	return &table{
		seed:     maphash.MakeSeed(),
		buckets:  make([]atomic.Pointer[node], 1<<bits.Len(uint(max(count, 1)-1))),
		maxCount: count,
		maxBytes: bytes,
	}
}

func (t *table) bucket(id string) *atomic.Pointer[node] {
	return &t.buckets[maphash.String(t.seed, id)&uint64(len(t.buckets)-1)]
}

// get returns the entry, or nil. A look-up that begins after remove has
// returned does not see what was removed: every node it passes was in its
// bucket at some moment since the look-up began.
func (t *table) get(id string) *Entry {
	for n := t.bucket(id).Load(); n != nil; n = n.next.Load() {
		if n.id == id {
			if !n.used.Load() { // no write to a cache line that others read
				n.used.Store(true)
			}
			return n.entry
		}
	}
	return nil
}

// put adds the entry, in the place of one that is there.
func (t *table) put(id string, e *Entry) {
	t.remove(id)
	n := &node{id: id, entry: e}
	b := t.bucket(id)
	n.next.Store(b.Load())
	b.Store(n)
	n.older = t.newest
	if n.older != nil {
		n.older.newer = n
	} else {
		t.oldest = n
	}
	t.newest = n
	t.count++
	t.bytes += n.size()
	for t.count > t.maxCount || t.bytes > t.maxBytes {
		t.drop()
	}
}

func (n *node) size() int64 { return n.entry.size + int64(len(n.id)) }

// drop removes one node that was not asked for lately.
func (t *table) drop() {
	n := t.hand
	for {
		if n == nil {
			n = t.oldest
		}
		if !n.used.Swap(false) {
			break
		}
		n = n.newer
	}
	t.hand = n.newer
	t.unlink(n)
}

// remove drops the entry of the id, if there is one.
func (t *table) remove(id string) {
	for n := t.bucket(id).Load(); n != nil; n = n.next.Load() {
		if n.id == id {
			if t.hand == n {
				t.hand = n.newer
			}
			t.unlink(n)
			return
		}
	}
}

// clear drops everything.
func (t *table) clear() {
	for i := range t.buckets {
		t.buckets[i].Store(nil)
	}
	t.newest, t.oldest, t.hand, t.count, t.bytes = nil, nil, nil, 0, 0
}

// unlink takes the node out of its bucket and out of the order of arrival.
func (t *table) unlink(n *node) {
	link := t.bucket(n.id)
	for link.Load() != n {
		link = &link.Load().next
	}
	link.Store(n.next.Load())
	if n.newer != nil {
		n.newer.older = n.older
	} else {
		t.newest = n.older
	}
	if n.older != nil {
		n.older.newer = n.newer
	} else {
		t.oldest = n.newer
	}
	n.newer, n.older = nil, nil
	t.count--
	t.bytes -= n.size()
}
