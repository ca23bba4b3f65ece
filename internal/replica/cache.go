package replica

import (
	"context"
	"slices"
	"sync"
)

// cache holds clients and decoys, and the loads under way. It is our own and
// not a library's because of one rule that has to be seen to hold: a load that
// began before an apply may not put its value back after it. Here that is one
// flag, set under the lock that puts.
type cache struct {
	clients, decoys *table // decoys by themselves: unknown ids cannot push out clients

	mu    sync.Mutex
	loads map[string][]*load // of each id; only those that no apply has overtaken
}

// load is one reading of a client from the file.
type load struct {
	id        string
	shared    bool // others may wait for it
	overtaken bool // an apply wrote the client meanwhile
	done      chan struct{}
	entry     *Entry
	err       error
}

const (
	decoyCount = 4096
	decoyBytes = 1 << 20
)

func newCache(count int, bytes int64) *cache {
	return &cache{
		clients: newTable(count, bytes),
		decoys:  newTable(decoyCount, decoyBytes),
		loads:   make(map[string][]*load),
	}
}

// get returns what is cached, or nil.
func (c *cache) get(id string) *Entry {
	if e := c.clients.get(id); e != nil {
		return e
	}
	return c.decoys.get(id)
}

// fetch returns the entry of id by way of read. Requests that come together
// share one reading: one that began after the last apply that wrote the client,
// so a request that read the snapshot before it called never sees a state older
// than that snapshot.
func (c *cache) fetch(ctx context.Context, id string, read func(context.Context) (*Entry, error)) (*Entry, error) {
	c.mu.Lock()
	if e := c.get(id); e != nil {
		c.mu.Unlock()
		return e, nil
	}
	if i := slices.IndexFunc(c.loads[id], func(l *load) bool { return l.shared }); i >= 0 {
		l := c.loads[id][i]
		c.mu.Unlock()
		select {
		case <-l.done:
			return l.entry, l.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	l := c.begin(id, true)
	c.mu.Unlock()
	return c.run(ctx, l, read)
}

// fetchAnew is fetch without what is cached and without waiting for a reading
// that began earlier.
func (c *cache) fetchAnew(ctx context.Context, id string, read func(context.Context) (*Entry, error)) (*Entry, error) {
	c.mu.Lock()
	l := c.begin(id, false)
	c.mu.Unlock()
	return c.run(ctx, l, read)
}

func (c *cache) begin(id string, shared bool) *load {
	l := &load{id: id, shared: shared, done: make(chan struct{}), err: context.Canceled}
	c.loads[id] = append(c.loads[id], l)
	return l
}

// run reads, and puts the value into the cache unless an apply came between.
func (c *cache) run(ctx context.Context, l *load, read func(context.Context) (*Entry, error)) (*Entry, error) {
	defer close(l.done)
	defer c.end(l) // also when read panics: nobody may wait for ever
	// Others wait for it: that the first one goes away must not end it.
	l.entry, l.err = read(context.WithoutCancel(ctx))
	return l.entry, l.err
}

func (c *cache) end(l *load) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.overtaken {
		return // and no longer in loads
	}
	if left := slices.DeleteFunc(c.loads[l.id], func(other *load) bool { return other == l }); len(left) > 0 {
		c.loads[l.id] = left
	} else {
		delete(c.loads, l.id)
	}
	if l.err != nil {
		return
	}
	if l.entry.Client == nil {
		c.clients.remove(l.id)
		c.decoys.put(l.id, l.entry)
	} else {
		c.decoys.remove(l.id)
		c.clients.put(l.id, l.entry)
	}
}

// invalidate drops the client and overtakes the loads of it.
func (c *cache) invalidate(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clients.remove(id)
	c.decoys.remove(id)
	c.overtake(id)
}

// invalidateAll drops everything and overtakes all loads.
func (c *cache) invalidateAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clients.clear()
	c.decoys.clear()
	for id := range c.loads {
		c.overtake(id)
	}
}

func (c *cache) overtake(id string) {
	for _, l := range c.loads[id] {
		l.overtaken = true
	}
	delete(c.loads, id)
}

// sizes are the cached clients and their estimated bytes.
func (c *cache) sizes() (clients int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clients.count, c.clients.bytes + c.decoys.bytes
}
