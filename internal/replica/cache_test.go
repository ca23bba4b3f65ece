package replica

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

func TestRequestsShareALoad(t *testing.T) {
	c := newCache(10, 1<<20)
	reading, read := make(chan struct{}), make(chan struct{})
	loads := 0
	slow := func(ctx context.Context) (*Entry, error) {
		loads++
		close(reading)
		<-read
		return &Entry{Seq: 1}, ctx.Err()
	}
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan *Entry)
	go func() {
		e, _ := c.fetch(ctx, "a", slow)
		first <- e
	}()
	<-reading
	leave() // the first one goes away: the others get the client all the same
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.fetch(gone, "a", slow); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that went away: %v", err)
	}
	second := make(chan *Entry)
	go func() {
		e, _ := c.fetch(t.Context(), "a", slow)
		second <- e
	}()
	close(read)
	if a, b := <-first, <-second; a == nil || a != b || loads != 1 {
		t.Errorf("%p and %p by %d loads", a, b, loads)
	}
}

func TestFailedLoadsAreNotKept(t *testing.T) {
	c := newCache(10, 1<<20)
	broken := errors.New("broken")
	if _, err := c.fetch(t.Context(), "a", func(context.Context) (*Entry, error) { return nil, broken }); err != broken {
		t.Errorf("error: %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = c.fetch(t.Context(), "a", func(context.Context) (*Entry, error) { panic("in the reader") })
	}()
	e, err := c.fetch(t.Context(), "a", func(context.Context) (*Entry, error) { return &Entry{Seq: 7}, nil })
	if err != nil || e.Seq != 7 {
		t.Errorf("afterwards: %+v, %v", e, err)
	}
}

// TestNobodyWaitsForALoadThatPanicked: and nobody takes nothing for a client.
func TestNobodyWaitsForALoadThatPanicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(10, 1<<20)
		read := make(chan struct{})
		go func() {
			defer func() { _ = recover() }()
			_, _ = c.fetch(t.Context(), "a", func(context.Context) (*Entry, error) {
				<-read
				panic("in the reader")
			})
		}()
		synctest.Wait()
		joined := make(chan error, 1)
		go func() {
			_, err := c.fetch(t.Context(), "a", func(context.Context) (*Entry, error) { panic("it did not join") })
			joined <- err
		}()
		synctest.Wait()
		close(read)
		if err := <-joined; err == nil {
			t.Error("no error")
		}
	})
}

// TestOvertakenLoadsAreNotKept: also when everything is dropped, and not when
// another client was written.
func TestOvertakenLoadsAreNotKept(t *testing.T) {
	for name, c := range map[string]struct {
		apply func(*cache)
		kept  bool
	}{
		"the client":  {func(c *cache) { c.invalidate("a") }, false},
		"another one": {func(c *cache) { c.invalidate("b") }, true},
		"all":         {func(c *cache) { c.invalidateAll() }, false},
	} {
		cache := newCache(10, 1<<20)
		for _, fetch := range []func(context.Context, string, func(context.Context) (*Entry, error)) (*Entry, error){cache.fetch, cache.fetchAnew} {
			old := &Entry{Seq: 1}
			e, err := fetch(t.Context(), "a", func(context.Context) (*Entry, error) {
				c.apply(cache)
				return old, nil
			})
			if err != nil || e != old {
				t.Errorf("%s: %+v, %v", name, e, err)
			}
			if kept := cache.get("a") == old; kept != c.kept {
				t.Errorf("%s: kept %v, want %v", name, kept, c.kept)
			}
		}
		if len(cache.loads) != 0 {
			t.Errorf("%s: %d loads are left over", name, len(cache.loads))
		}
	}
}

// TestAClientTakesItsDecoysPlace: an id is in one of the two caches.
func TestAClientTakesItsDecoysPlace(t *testing.T) {
	c := newCache(10, 1<<20)
	read := func(e *Entry) func(context.Context) (*Entry, error) {
		return func(context.Context) (*Entry, error) { return e, nil }
	}
	real := newEntry(clientRow("a", `{"v":1,"min":1,"id":"a","state":"active"}`))
	for _, e := range []*Entry{decoy(0), real, decoy(5)} {
		if _, err := c.fetchAnew(t.Context(), "a", read(e)); err != nil {
			t.Fatal(err)
		}
		if got := c.get("a"); got != e {
			t.Errorf("%+v, want %+v", got, e)
		}
		if n := c.clients.count + c.decoys.count; n != 1 {
			t.Errorf("%d entries", n)
		}
	}
}

func clientRow(id, doc string) store.Object {
	return store.Object{Kind: registry.KindClient, ID: id, Seq: 3, Version: 1, Doc: []byte(doc)}
}
