package resource

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

func cachedAPI(t testing.TB, most int) (*issuer, *API, *clock) {
	i := newIssuer(t)
	c := newClock()
	cfg := i.config()
	cfg.TokenCache, cfg.Now = most, c.Now
	return i, newAPI(t, cfg), c
}

func (c *tokenCache) size() int {
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		n += len(s.held)
		s.mu.RUnlock()
	}
	return n
}

// TestARememberedTokenIsJudgedAnew: only its signature is not checked again.
func TestARememberedTokenIsJudgedAnew(t *testing.T) {
	i, a, clock := cachedAPI(t, 100)
	token := i.token(t, func(c *symbolon.Claims) { c.Expiry = clock.Now().Unix() + 60 })
	first, err := check(a, token, "orders:read")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := check(a, token, "orders:list"); err != nil || again != first || a.cache.size() != 1 {
		t.Errorf("not remembered: %v", err)
	}
	if _, err := check(a, token, "orders:write"); !sameError(err, errScope) {
		t.Errorf("scope: %v", err)
	}
	clock.Advance(60 * time.Second)
	if _, err := check(a, token); !sameError(err, errExpired) {
		t.Errorf("expiry: %v", err)
	}
}

// TestTheCacheIsKeyedByTheWholeToken (CVE-2026-33496, class of introspection
// cache confusion): a token that differs anywhere is another one.
func TestTheCacheIsKeyedByTheWholeToken(t *testing.T) {
	i, a, _ := cachedAPI(t, 100)
	token := i.token(t, nil)
	if _, err := check(a, token); err != nil {
		t.Fatal(err)
	}
	for n := range token {
		other := []byte(token)
		if other[n]++; other[n] == '.' || token[n] == '.' {
			continue
		}
		if d, v := a.cache.get(string(other)); v != nil {
			t.Fatalf("byte %d does not count: %x", n, d)
		}
	}
	for _, other := range []string{token[:len(token)-1], token + "A", token + "\x00", "", token + token} {
		if _, v := a.cache.get(other); v != nil {
			t.Errorf("%d bytes instead of %d", len(other), len(token))
		}
	}
	if _, v := a.cache.get(token); v == nil {
		t.Error("not remembered")
	}
}

// TestOnlyGoodTokensAreRemembered.
func TestOnlyGoodTokensAreRemembered(t *testing.T) {
	i, a, _ := cachedAPI(t, 100)
	for range 3 {
		refuses(t, a, sign(t, freshSigner(t, "k1"), i.claims(time.Now()).AppendJSON(nil)))
		refuses(t, a, i.token(t, func(c *symbolon.Claims) { c.Expiry = 1 }))
		refuses(t, a, i.token(t, func(c *symbolon.Claims) { c.Audience = []string{"x"} }))
		refuses(t, a, sign(t, signer(t, jose.ES256, "k1", "JWT"), i.claims(time.Now()).AppendJSON(nil)))
	}
	if n := a.cache.size(); n != 0 {
		t.Errorf("%d tokens remembered", n)
	}
}

// TestTheCacheIsBounded, and gives up expired tokens first.
func TestTheCacheIsBounded(t *testing.T) {
	c, err := newTokenCache(160)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	put := func(name string, expiry time.Time) {
		d, _ := c.get(name)
		c.put(d, &verified{caller: &Caller{Claims: &symbolon.Claims{Expiry: expiry.Unix()}}}, now)
	}
	for n := range 10_000 {
		put(fmt.Sprint("token", n), now.Add(time.Hour))
		if size := c.size(); size > 160 {
			t.Fatalf("%d tokens", size)
		}
	}
	if size := c.size(); size != 160 {
		t.Errorf("%d tokens", size)
	}
	s := &shard{most: 4, held: map[digest]*verified{}}
	for n := range byte(4) {
		e := now.Add(time.Hour)
		if n == 2 {
			e = now.Add(-time.Second)
		}
		s.held[digest{n}] = &verified{caller: &Caller{Claims: &symbolon.Claims{Expiry: e.Unix()}}}
	}
	if s.evict(now.Unix()); s.held[digest{2}] != nil || len(s.held) != 3 {
		t.Error("the expired token stayed")
	}
}

// TestALookUpAllocatesNothing.
func TestALookUpAllocatesNothing(t *testing.T) {
	i, a, _ := cachedAPI(t, 100)
	token := i.token(t, nil)
	if _, err := check(a, token); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() {
		if _, v := a.cache.get(token); v == nil {
			t.Fatal("gone")
		}
	}); n >= 1 { // the pool's memory may be collected now and then
		t.Errorf("%v allocations", n)
	}
}

// TestTheCacheUnderConcurrency: for the race detector, and that nobody gets
// somebody else's caller.
func TestTheCacheUnderConcurrency(t *testing.T) {
	i, a, _ := cachedAPI(t, 8)
	tokens := map[string]string{}
	for n := range 50 {
		id := fmt.Sprint("client", n)
		tokens[id] = i.token(t, func(c *symbolon.Claims) { c.ClientID = id })
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				for id, token := range tokens {
					if c, err := check(a, token); err != nil || c.ClientID != id {
						t.Errorf("%+v, %v", c, err)
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestTheCacheKeepsNoToken: its memory holds digests, and its scratch nothing.
func TestTheCacheKeepsNoToken(t *testing.T) {
	i, a, _ := cachedAPI(t, 8)
	token := i.token(t, nil)
	if _, err := check(a, token); err != nil {
		t.Fatal(err)
	}
	w := a.cache.scratch.Get().(*work)
	if strings.Contains(string(w.text[:cap(w.text)]), token[:20]) {
		t.Error("the scratch memory still holds the token")
	}
}
