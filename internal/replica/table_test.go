package replica

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

func sized(n int64) *Entry { return &Entry{size: n} }

func TestTableHoldsItsBounds(t *testing.T) {
	byCount := newTable(10, 1<<30)
	for i := range 100 {
		byCount.put(fmt.Sprint(i), sized(1))
	}
	if byCount.count != 10 {
		t.Errorf("%d entries, want 10", byCount.count)
	}
	byBytes := newTable(1000, 100)
	for i := range 10 {
		byBytes.put(fmt.Sprint(i), sized(39))
	}
	if byBytes.count != 2 || byBytes.bytes > 100 {
		t.Errorf("%d entries of %d bytes, want 2 of 80", byBytes.count, byBytes.bytes)
	}
	byBytes.put("huge", sized(1000))
	if byBytes.count != 0 || byBytes.bytes != 0 || byBytes.get("huge") != nil {
		t.Errorf("what does not fit at all stays: %d entries", byBytes.count)
	}
	byBytes.put("a", sized(1))
	if byBytes.get("a") == nil {
		t.Error("nothing fits afterwards")
	}
}

// TestTableKeepsWhatIsUsed: a flood of ids that are tried once does not push out
// the ones in use.
func TestTableKeepsWhatIsUsed(t *testing.T) {
	table := newTable(100, 1<<30)
	for i := range 50 {
		table.put(fmt.Sprint("used", i), sized(1))
	}
	for i := range 10_000 {
		table.put(fmt.Sprint("once", i), sized(1))
		if i%20 == 0 {
			for j := range 50 {
				table.get(fmt.Sprint("used", j))
			}
		}
	}
	for i := range 50 {
		if table.get(fmt.Sprint("used", i)) == nil {
			t.Fatalf("used%d was dropped", i)
		}
	}
}

// TestTableAgainstAMap does random things to a table that never has to drop, and
// to a map.
func TestTableAgainstAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	table, model := newTable(64, 1<<30), map[string]*Entry{}
	for range 20_000 {
		id := fmt.Sprint(random.IntN(60))
		switch random.IntN(4) {
		case 0, 1:
			e := sized(random.Int64N(100))
			table.put(id, e)
			model[id] = e
		case 2:
			table.remove(id)
			delete(model, id)
		default:
			if random.IntN(1000) == 0 {
				table.clear()
				clear(model)
			}
		}
		if table.get(id) != model[id] {
			t.Fatalf("%s: %p, want %p", id, table.get(id), model[id])
		}
		var bytes int64
		for id, e := range model {
			bytes += e.size + int64(len(id))
		}
		if table.count != len(model) || table.bytes != bytes {
			t.Fatalf("%d entries of %d bytes, want %d of %d", table.count, table.bytes, len(model), bytes)
		}
	}
	for id, e := range model {
		if table.get(id) != e {
			t.Fatalf("%s is lost", id)
		}
	}
}

// TestTableStaysWhole does random things to a table that is always full, and
// looks at how it hangs together.
func TestTableStaysWhole(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	table := newTable(8, 60)
	for range 20_000 {
		id := fmt.Sprint(random.IntN(20))
		switch random.IntN(3) {
		case 0:
			table.put(id, sized(random.Int64N(20)))
		case 1:
			table.remove(id)
		default:
			table.get(id)
		}
		var count int
		var bytes int64
		for n := table.oldest; n != nil; n = n.newer {
			count++
			bytes += n.size()
			found := table.bucket(n.id).Load() // not get, which would mark it as used
			for found != nil && found != n {
				found = found.next.Load()
			}
			if found == nil || n.newer == nil && table.newest != n || n.newer != nil && n.newer.older != n {
				t.Fatalf("%s is not where it belongs", n.id)
			}
		}
		if count != table.count || bytes != table.bytes || count > 8 || bytes > 60 {
			t.Fatalf("%d entries of %d bytes, counted %d of %d", count, bytes, table.count, table.bytes)
		}
	}
}

// TestTableReadersSeeNothingRemoved: readers run without a lock while entries
// come and go in the same few buckets; one that begins after a removal never
// finds what was removed, and what stays is always found.
func TestTableReadersSeeNothingRemoved(t *testing.T) {
	table := newTable(4, 1<<30) // four buckets
	stays := sized(1)
	table.maxCount = 1000
	table.put("stays", stays)
	var floor sync.Map // id → the lowest seq that may still be seen
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				id := fmt.Sprint(i % 10)
				lowest, _ := floor.Load(id)
				if e := table.get(id); e != nil && lowest != nil && e.Seq < lowest.(int64) {
					t.Errorf("%s: seq %d was seen after it was removed", id, e.Seq)
					return
				}
				if table.get("stays") != stays {
					t.Error("an entry that stays was not found")
					return
				}
			}
		})
	}
	for seq := range int64(20_000) {
		id := fmt.Sprint(seq % 10)
		table.remove(id)
		floor.Store(id, seq)
		table.put(id, &Entry{Seq: seq})
	}
	close(done)
	readers.Wait()
}
