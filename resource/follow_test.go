package resource

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// TestASilentIssuer: what happens when nothing can be heard, by policy.
func TestASilentIssuer(t *testing.T) {
	for name, c := range map[string]struct {
		never   bool // heard
		policy  Revocations
		after   time.Duration
		want    *symbolon.Error
		revoked *symbolon.Error // of a token that was denied while it was heard
	}{
		"allow: within max_age":     {false, Revocations{}, 20 * time.Second, nil, errRevoked},
		"allow: after max_age":      {false, Revocations{}, time.Hour, nil, errRevoked},
		"allow: after max_stale":    {false, Revocations{MaxStale: time.Minute}, 2 * time.Minute, errNoSet, errNoSet},
		"deny: within max_age":      {false, Revocations{OnStale: OnStaleDeny}, 20 * time.Second, nil, errRevoked},
		"deny: after max_age":       {false, Revocations{OnStale: OnStaleDeny}, 40 * time.Second, errNoSet, errNoSet},
		"deny: a longer max_age":    {false, Revocations{OnStale: OnStaleDeny, MaxAge: time.Minute}, 40 * time.Second, nil, errRevoked},
		"deny: the clock set back":  {false, Revocations{OnStale: OnStaleDeny}, -2 * time.Minute, errNoSet, errNoSet},
		"allow: never heard":        {true, Revocations{}, 0, nil, nil},
		"deny: never heard":         {true, Revocations{OnStale: OnStaleDeny}, 0, errNoSet, errNoSet},
		"off: it is not even asked": {false, Revocations{Off: true}, 0, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFeedIssuer(t)
			clock := newClock()
			f.deny(0, symbolon.DenyJTI, "denied")
			if c.never {
				f.answer = http.NotFound
			}
			a := followed(t, f, func(cfg *Config) { cfg.Now, cfg.Revocations = clock.Now, c.policy })
			if c.policy.Off == (f.asked.Load() > 0) {
				t.Errorf("it was asked %d times", f.asked.Load())
			}
			f.update(func() { f.answer = http.NotFound })
			clock.Advance(c.after)
			for id, want := range map[string]*symbolon.Error{"good": c.want, "denied": c.revoked} {
				claims := f.claims(clock.Now())
				claims.ID = id
				_, err := check(a, sign(t, f.signers[0], claims.AppendJSON(nil)))
				if want == nil && err != nil || want != nil && !refusedWith(err, want) {
					t.Errorf("%s: %v, want %v", id, err, want)
				}
			}
		})
	}
}

// TestAnIssuerWithoutASet is taken as it is, unless the API insists; tokens that
// nobody could deny are refused where there is a set.
func TestAnIssuerWithoutASet(t *testing.T) {
	f := newFeedIssuer(t)
	f.silent = true
	token := f.token(t, func(c *symbolon.Claims) { c.Gen, c.Cred = 0, "" })
	if _, err := check(followed(t, f, nil), token); err != nil {
		t.Error(err)
	}
	a := followed(t, f, func(cfg *Config) { cfg.Revocations.OnStale = OnStaleDeny })
	if _, err := check(a, token); !refusedWith(err, errNoSet) {
		t.Error(err)
	}
	if steps, _ := a.ExplainToken(t.Context(), token); steps[len(steps)-1].Got != "its metadata names no revocation set" {
		t.Errorf("%+v", steps)
	}
	g := newFeedIssuer(t)
	for name, change := range map[string]func(*symbolon.Claims){"gen": func(c *symbolon.Claims) { c.Gen = 0 }, "cred": func(c *symbolon.Claims) { c.Cred = "" }} {
		if _, err := check(followed(t, g, nil), g.token(t, change)); !refusedWith(err, errNoGen) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// TestAGapIsClosed: after an epoch, or at a node that knows another past, the
// whole set is asked for.
func TestAGapIsClosed(t *testing.T) {
	f := newFeedIssuer(t)
	f.deny(0, symbolon.DenyJTI, "one")
	a := followed(t, f, nil)
	f.update(func() {
		f.set.Epoch, f.set.Seq = 2, 1
		f.set.Entries = []symbolon.RevocationEntry{{Key: symbolon.NewDenialKey(2, symbolon.DenyJTI, "two"), Expires: time.Now().Add(time.Hour).Unix()}}
		f.commits = []int64{1}
		f.change = func(s *symbolon.RevocationSet) { // a node that answers with a difference to who knows nothing of it
			if s.Since == 0 && f.asked.Load()%2 == 0 {
				s.Since = 1
			}
		}
	})
	until(t, "the new epoch", func() bool {
		_, err := check(a, f.token(t, func(c *symbolon.Claims) { c.ID = "two" }))
		return refusedWith(err, errRevoked)
	})
}

// TestASetFromTheFuture: the age of a set of a node whose clock is ahead is counted
// from when it was taken.
func TestASetFromTheFuture(t *testing.T) {
	f := newFeedIssuer(t)
	f.change = func(s *symbolon.RevocationSet) { s.AsOf, s.Expires = s.AsOf+1000*3600, s.Expires+1000*3600 }
	clk := newClock()
	a := followed(t, f, func(cfg *Config) { cfg.Now = clk.Now })
	if _, err := check(a, f.token(t, nil)); err != nil {
		t.Fatal(err)
	}
	f.update(func() { f.answer = http.NotFound })
	clk.Advance(defaultMaxStale + time.Minute)
	var none *symbolon.Trace
	if _, failed := a.sources[0].denied.inForce(t.Context(), clk.Now(), none); failed == nil || failed.Description != errNoSet.Description {
		t.Errorf("%v: a set that nobody confirmed for a day is in force", failed)
	}
}

// TestManyRequestsAskOnce: whatever happens at the API, its issuer is asked by one
// request at a time, and not again at once after an answer that comes at once.
func TestManyRequestsAskOnce(t *testing.T) {
	keeping(t, func(t *testing.T, f *feedIssuer, cfg Config) {
		var open atomic.Int64
		f.answer = func(w http.ResponseWriter, r *http.Request) { // always news, and hardly a wait
			if open.Add(1) > 1 {
				t.Error("two requests at a time")
			}
			defer open.Add(-1)
			time.Sleep(time.Millisecond)
			f.mu.Lock()
			defer f.mu.Unlock()
			f.set.Seq++
			w.Write(f.text(0, 0))
		}
		a, _ := begun(t, cfg, nil)
		token, before := f.token(t, nil), f.asked.Load()
		const pauses = 10
		var callers sync.WaitGroup
		for range 10 {
			callers.Go(func() {
				for begin := time.Now(); time.Since(begin) < pauses*setPause; time.Sleep(setPause / 10) {
					if _, err := check(a, token); err != nil {
						t.Error(err)
					}
				}
			})
		}
		callers.Wait()
		if n := f.asked.Load() - before; n < pauses-1 || n > pauses+1 {
			t.Errorf("asked %d times in %s", n, pauses*setPause)
		}
	})
}

// TestAMachineThatSlept: what is held is too old at once, and the issuer is asked
// before anybody is refused; once, however many requests there are.
func TestAMachineThatSlept(t *testing.T) {
	for name, c := range map[string]struct {
		policy Revocations
		slept  time.Duration
	}{
		"longer than max_stale": {Revocations{}, 25 * time.Hour},
		"longer than max_age":   {Revocations{OnStale: OnStaleDeny}, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, clock := newFeedIssuer(t), newClock()
			f.now = clock.Now
			a := followed(t, f, func(cfg *Config) { cfg.Now, cfg.Revocations, cfg.MaxStale = clock.Now, c.policy, 1000*time.Hour })
			asked := func() int64 { return f.asked.Load() }
			until(t, "the long poll", func() bool { return asked() >= 2 })
			clock.Advance(c.slept)
			ask := func() error {
				_, err := check(a, sign(t, f.signers[0], f.claims(clock.Now()).AppendJSON(nil)))
				return err
			}
			if err := ask(); err != nil {
				t.Errorf("after the sleep: %v", err)
			}
			f.update(func() { f.answer = http.NotFound })
			clock.Advance(c.slept)
			before := asked()
			for range 20 {
				if err := ask(); !refusedWith(err, errNoSet) {
					t.Errorf("when the issuer is away: %v", err)
				}
			}
			if n := asked() - before; n > 4 {
				t.Errorf("20 requests made it ask %d times", n)
			}
		})
	}
}
