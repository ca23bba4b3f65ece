package server

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/symbolon/symbolon/internal/jose"
)

// TestKeysOfAJWKSURI: which keys an assertion's may be.
func TestKeysOfAJWKSURI(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h := newKeyHost(t, keyNamed(t, "e1"), keyNamed(t, "e2"), rsaKey(t, 2048, "", "r"), rsaKey(t, 2048, jose.PS256, "p"),
		checkedKey(t, ed.Public(), "", "d"), checkedKey(t, keyNamed(t, "").Public, "", ""))
	w := newKeyWorld(t, nil)
	for _, c := range []struct {
		kid  string
		alg  jose.Algorithm
		want string
	}{
		{"e1", jose.ES256, "e1"},
		{"r", jose.ES256, "r"}, // whether it fits says the signature's check
		{"", "", "e1 e2 r p d "},
		{"", jose.ES256, "e1 e2 "},
		{"", jose.RS256, "r"},
		{"", jose.PS256, "r p"},
		{"", jose.PS384, "r"},
		{"", jose.EdDSA, "d"},
		{"", jose.Ed25519, "d"},
	} {
		keys, err := w.Keys(t.Context(), h.URL, c.kid, c.alg)
		if got := kidsOf(keys); err != nil || got != c.want {
			t.Errorf("kid %q, alg %q: %q, %v, want %q", c.kid, c.alg, got, err, c.want)
		}
	}
	h.asked(t, 1)
	for _, c := range []struct {
		kid string
		alg jose.Algorithm
	}{{"e3", jose.ES256}, {"E1", jose.ES256}, {"", jose.ES384}} {
		if keys, err := w.Keys(t.Context(), h.URL, c.kid, c.alg); keys != nil || !errors.Is(err, errKeyNotInSet) {
			t.Errorf("%v: %v, %v", c, keys, err)
		}
	}
	h.asked(t, 1)
}

// TestUnnamedKeysAreFew: without a kid each key costs the check of a signature.
func TestUnnamedKeysAreFew(t *testing.T) {
	var keys []*jose.Key
	for i := range maxUnnamed + 1 {
		keys = append(keys, keyNamed(t, fmt.Sprint("k", i)))
	}
	h, w := newKeyHost(t, keys[1:]...), newKeyWorld(t, nil)
	if found, err := w.Keys(t.Context(), h.URL, "", jose.ES256); err != nil || len(found) != maxUnnamed {
		t.Errorf("%d keys, %v", len(found), err)
	}
	h.publish(keys...)
	w.advance(10 * time.Second)
	w.gives(t, h.URL, "k0", "k0")
	if found, err := w.Keys(t.Context(), h.URL, "", jose.ES256); !errors.Is(err, errUnnamed) {
		t.Errorf("%d keys, %v", len(found), err)
	}
}

// TestRotationOfPublishedKeys: a new key is found as soon as the pause is over,
// without anybody's doing.
func TestRotationOfPublishedKeys(t *testing.T) {
	k1, k2 := keyNamed(t, "k1"), keyNamed(t, "k2")
	h, w := newKeyHost(t, k1), newKeyWorld(t, nil)
	w.gives(t, h.URL, "k1", "k1")
	h.publish(k1, k2)
	w.advance(10*time.Second - 1)
	if err := w.gives(t, h.URL, "k2", ""); !errors.Is(err, errKeyNotInSet) {
		t.Error(err)
	}
	h.asked(t, 1)
	w.advance(1)
	w.gives(t, h.URL, "k2", "k2")
	w.gives(t, h.URL, "k1", "k1")
	h.asked(t, 2)
}

// TestRemovedKeysLeave (CVE-2025-22149): a key that left the set is gone with
// the next fetch, also the last one.
func TestRemovedKeysLeave(t *testing.T) {
	k1, k2 := keyNamed(t, "k1"), keyNamed(t, "k2")
	h, w := newKeyHost(t, k1, k2), newKeyWorld(t, nil)
	w.gives(t, h.URL, "k1", "k1")
	h.publish(k2)
	w.advance(5*time.Minute - 1)
	w.gives(t, h.URL, "k1", "k1")
	h.asked(t, 1)
	w.advance(1)
	w.gives(t, h.URL, "k2", "k2")
	w.settle()
	h.asked(t, 2)
	w.gives(t, h.URL, "k1", "")
	h.publish()
	w.advance(5 * time.Minute)
	w.gives(t, h.URL, "k2", "k2")
	w.settle()
	if err := w.gives(t, h.URL, "k2", ""); !errors.Is(err, errKeyNotInSet) {
		t.Error(err)
	}
	if n := strings.Count(w.log(), "keys left a client's key set"); n != 2 {
		t.Errorf("%d lines:\n%s", n, w.log())
	}
}

// TestRefreshKeepsNobodyWaiting: an old set is used while the new one comes, and
// the host is asked once.
func TestRefreshKeepsNobodyWaiting(t *testing.T) {
	k1, k2 := keyNamed(t, "k1"), keyNamed(t, "k2")
	h, w := newKeyHost(t, k1), newKeyWorld(t, nil)
	w.gives(t, h.URL, "k1", "k1")
	w.advance(time.Hour)
	free := make(chan struct{})
	text := (&jose.KeySet{Keys: []*jose.Key{k2}}).JSON()
	h.set(func(out http.ResponseWriter, _ *http.Request) { <-free; out.Write(text) })
	for range 100 {
		w.gives(t, h.URL, "k1", "k1")
	}
	close(free)
	w.settle()
	h.asked(t, 2)
	w.gives(t, h.URL, "k2", "k2")
	w.gives(t, h.URL, "k1", "")
}

// TestRandomKeyIDsCauseNoFetches: 10,000 assertions with key ids that nobody knows, from 64
// goroutines, cost a client's host one fetch in ten seconds, counted there; the
// known key is given all the while (coreos/go-oidc#482, tilegroxy#883,
// Camunda#60434).
func TestRandomKeyIDsCauseNoFetches(t *testing.T) {
	h, w := newKeyHost(t, keyNamed(t, "k1")), newKeyWorld(t, nil)
	flood := func() {
		var wg sync.WaitGroup
		var next atomic.Int64
		for range 64 {
			wg.Go(func() {
				for i := next.Add(1); i <= 10_000; i = next.Add(1) {
					if keys, err := w.Keys(t.Context(), h.URL, fmt.Sprint("random-", i), jose.ES256); keys != nil || !errors.Is(err, errKeyNotInSet) {
						t.Error(keys, err)
						return
					}
					if i%100 == 0 {
						w.gives(t, h.URL, "k1", "k1")
					}
				}
			})
		}
		wg.Wait()
	}
	for round := range int64(3) { // the first one with nothing in memory
		flood()
		w.settle()
		h.asked(t, round+1)
		w.advance(10 * time.Second)
	}
	h.set(func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(http.StatusServiceUnavailable) })
	flood()
	h.asked(t, 4)
}

// TestOneFetchForAll: who comes while a fetch is under way waits for that one.
func TestOneFetchForAll(t *testing.T) {
	k := keyNamed(t, "k1")
	h, w := newKeyHost(t), newKeyWorld(t, nil)
	text := (&jose.KeySet{Keys: []*jose.Key{k}}).JSON()
	h.set(func(out http.ResponseWriter, _ *http.Request) {
		for w.waiting(h.URL) < 100 {
			runtime.Gosched()
		}
		out.Write(text)
	})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { w.gives(t, h.URL, "k1", "k1") })
	}
	wg.Wait()
	h.asked(t, 1)
}

// TestWaitingIsBounded: in time, by the request's own end, and in number.
func TestWaitingIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		wait    time.Duration
		waiters int
		ctx     func(context.Context) (context.Context, context.CancelFunc)
	}{
		"in time":               {time.Millisecond, 1, context.WithCancel},
		"by the request's end":  {time.Hour, 1, func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, 1) }},
		"by those who wait too": {time.Hour, 0, context.WithCancel},
	} {
		t.Run(name, func(t *testing.T) {
			h := newKeyHost(t)
			w := newKeyWorld(t, func(_ *KeySourceConfig, l *keyLimits) { l.wait, l.waiters = c.wait, c.waiters })
			free := make(chan struct{})
			h.set(func(http.ResponseWriter, *http.Request) { <-free })
			ctx, cancel := c.ctx(t.Context())
			defer cancel()
			keys, err := w.Keys(ctx, h.URL, "k1", jose.ES256)
			if keys != nil || !errors.Is(err, errKeySetAway) || !errors.Is(err, errKeySetPending) {
				t.Error(keys, err)
			}
			close(free)
		})
	}
}

// TestTheLastGoodSetServesADay when a host is away, and not longer.
func TestTheLastGoodSetServesADay(t *testing.T) {
	h, w := newKeyHost(t, keyNamed(t, "k1")), newKeyWorld(t, nil)
	w.gives(t, h.URL, "k1", "k1")
	h.set(func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(http.StatusServiceUnavailable) })
	for range 23 {
		w.advance(time.Hour)
		w.gives(t, h.URL, "k1", "k1")
		w.settle()
	}
	w.advance(time.Hour - 1)
	w.gives(t, h.URL, "k1", "k1")
	w.settle()
	w.advance(1)
	err := w.gives(t, h.URL, "k1", "")
	if !errors.Is(err, errKeySetAway) || !strings.Contains(err.Error(), "the jwks_uri answered 503") {
		t.Error(err)
	}
	if n := strings.Count(w.log(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings", n)
	}
	h.publish(keyNamed(t, "k1"))
	w.advance(10 * time.Second)
	w.gives(t, h.URL, "k1", "k1")
	if !strings.Contains(w.log(), "can be fetched again") {
		t.Error(w.log())
	}
}

// TestAKeySourcesClockMayBeWrong: a clock that is set back neither stops the
// fetches nor makes a set young for ever.
func TestAKeySourcesClockMayBeWrong(t *testing.T) {
	k1, k2 := keyNamed(t, "k1"), keyNamed(t, "k2")
	h, w := newKeyHost(t, k1), newKeyWorld(t, nil)
	w.gives(t, h.URL, "k1", "k1")
	h.publish(k2)
	w.advance(-48 * time.Hour)
	w.gives(t, h.URL, "k1", "")
	w.gives(t, h.URL, "k2", "k2")
	h.asked(t, 2)
}

// TestClosedKeySource: Close ends a fetch that hangs, nothing runs on, and what
// was fetched is still given.
func TestClosedKeySource(t *testing.T) {
	before := goleak.IgnoreCurrent()
	h := newKeyHost(t, keyNamed(t, "k1"))
	w := newKeyWorld(t, nil)
	w.gives(t, h.URL+"/good", "k1", "k1")
	arrived := make(chan struct{})
	h.set(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.gives(t, h.URL, "k1", ""); !errors.Is(err, errKeysClosed) {
			t.Error(err)
		}
	})
	<-arrived
	w.Close()
	wg.Wait()
	w.gives(t, h.URL+"/good", "k1", "k1")
	if err := w.gives(t, h.URL, "k2", ""); !errors.Is(err, errKeysClosed) {
		t.Error(err)
	}
	w.Close()
	if strings.Contains(w.log(), "cannot be fetched") {
		t.Errorf("the stop is told as a fault:\n%s", w.log())
	}
	h.Close()
	goleak.VerifyNone(t, before)
}

// TestPlacesOfFetches: no more fetches at once than there are places, and hosts
// that failed before do not take the places of the others.
func TestPlacesOfFetches(t *testing.T) {
	h := newKeyHost(t, keyNamed(t, "k1"))
	w := newKeyWorld(t, func(_ *KeySourceConfig, l *keyLimits) { l.fetches = 4 })
	var now, most atomic.Int64
	free := make(chan struct{})
	hang := func(http.ResponseWriter, *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		<-free
		now.Add(-1)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	uris := func(each func(uri string)) {
		for i := range 10 {
			each(fmt.Sprint(h.URL, "/", i))
		}
	}
	h.set(func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(http.StatusNotFound) })
	uris(func(uri string) { w.gives(t, uri, "k1", "") })
	w.advance(10 * time.Second)
	h.set(hang)
	uris(func(uri string) { w.Keys(gone, uri, "k1", jose.ES256) })
	for now.Load() < 2 {
		runtime.Gosched()
	}
	h.publish(keyNamed(t, "k1"))
	w.gives(t, h.URL+"/good", "k1", "k1")
	h.set(hang)
	close(free)
	w.settle()
	if n := most.Load(); n != 2 {
		t.Errorf("%d fetches at once of URIs that failed, want 2", n)
	}
}

// TestTheZeroKeySourceConfig asks the public Internet alone, and trusts whom the
// system trusts.
func TestTheZeroKeySourceConfig(t *testing.T) {
	h := newKeyHost(t, keyNamed(t, "k1"))
	s := NewKeySource(KeySourceConfig{})
	defer s.Close()
	keys, err := s.Keys(t.Context(), h.URL, "k1", jose.ES256)
	if keys != nil || err == nil || !strings.Contains(err.Error(), "is at 127.0.0.1, which is not on the public Internet") {
		t.Error(keys, err)
	}
	other := NewKeySource(KeySourceConfig{Allow: loopback})
	defer other.Close()
	if keys, err := other.Keys(t.Context(), h.URL, "k1", jose.ES256); keys != nil || !errors.Is(err, errKeyCA) {
		t.Error(keys, err)
	}
	h.asked(t, 0)
}
