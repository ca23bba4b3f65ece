package resource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// bubble is an issuer and an API under synctest's clock.
func bubble(t *testing.T, change func(*Config), test func(*testing.T, *issuer, *API)) {
	t.Helper()
	keysOf() // outside: a bubble's clock must not wait for prime numbers
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{url: "http://auth.localhost", signers: []*jose.Signer{freshSigner(t, "k1")}}
		cfg := i.config()
		cfg.HTTP = pipe(t, i)
		if change != nil {
			change(&cfg)
		}
		test(t, i, newAPI(t, cfg))
	})
}

// fails makes the key endpoint answer 503.
func fails(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }

// TestNewDoesNoIO: an API that is only made asks nobody.
func TestNewDoesNoIO(t *testing.T) {
	i := newIssuer(t)
	cfg := i.config()
	cfg.DataDir = "/proc/nowhere"
	a := newAPI(t, cfg)
	if _, err := check(a, "x.y.z"); !sameError(err, errMalformed) {
		t.Error(err)
	}
	a.Close()
	if i.metadataRequests.Load()+i.keyRequests.Load() != 0 {
		t.Error("the issuer was asked")
	}
}

// TestCoreosGoOIDC482_RandomKids: 10,000 tokens with key ids that nobody knows,
// from 64 goroutines, cause one fetch in ten seconds, counted at the issuer;
// the good token is taken all the while (also tilegroxy#883, Camunda#60434).
func TestCoreosGoOIDC482_RandomKids(t *testing.T) {
	i := newIssuer(t)
	clock := newClock()
	cfg := i.config()
	cfg.Now = clock.Now
	a := newAPI(t, cfg)
	good := sign(t, i.signers[0], i.claims(clock.Now().Add(-time.Minute)).AppendJSON(nil))
	if _, err := check(a, good); err != nil {
		t.Fatal(err)
	}
	payload := b64(i.claims(clock.Now()).AppendJSON(nil))
	storm := func() int64 {
		before := i.keyRequests.Load() + i.metadataRequests.Load()
		var wg sync.WaitGroup
		var next atomic.Int64
		for range 64 {
			wg.Go(func() {
				for next.Add(1) <= 10_000 {
					token := b64([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"`+strconv.FormatUint(rand.Uint64(), 36)+`"}`)) + "." + payload + "." + b64(make([]byte, 64))
					if _, err := check(a, token); !sameError(err, errKey) {
						t.Error(err)
					}
				}
				if _, err := check(a, good); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return i.keyRequests.Load() + i.metadataRequests.Load() - before
	}
	if n := storm(); n != 0 {
		t.Errorf("%d requests in the first ten seconds", n)
	}
	for range 3 {
		clock.Advance(keyPause)
		if n := storm(); n != 1 {
			t.Errorf("%d requests in ten seconds", n)
		}
	}
	if set := a.sources[0].keys.current.Load(); len(set.byID) != 1 {
		t.Errorf("the storm left %d keys", len(set.byID))
	}
}

// TestANewKeyIsFoundAtOnce: a token with a key that was not announced waits for
// one fetch, with all who bring it.
func TestANewKeyIsFoundAtOnce(t *testing.T) {
	bubble(t, nil, func(t *testing.T, i *issuer, a *API) {
		if _, err := check(a, i.token(t, nil)); err != nil {
			t.Fatal(err)
		}
		i.publish(freshSigner(t, "k2"), i.signers[0])
		time.Sleep(keyPause)
		token := i.token(t, nil)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := check(a, token); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := i.keyRequests.Load(); n != 2 {
			t.Errorf("%d fetches", n)
		}
	})
}

// TestCVE_2025_22149_RemovedKeysLeave: a key that the issuer took away is not
// used after the next refresh, which comes at half of the set's life; tokens
// that were remembered go with it.
func TestCVE_2025_22149_RemovedKeysLeave(t *testing.T) {
	for _, cached := range []int{0, 100} {
		bubble(t, func(c *Config) { c.TokenCache = cached }, func(t *testing.T, i *issuer, a *API) {
			i.maxAge = 10 * time.Minute
			old := i.token(t, nil)
			for range 2 {
				if _, err := check(a, old); err != nil {
					t.Fatal(err)
				}
			}
			i.publish(freshSigner(t, "k2"))
			fresh := i.token(t, nil)
			time.Sleep(6*time.Minute + time.Second) // half of ten minutes, and a fifth of that
			if _, err := check(a, old); !sameError(err, errKey) {
				t.Errorf("with a cache of %d: %v", cached, err)
			}
			if _, err := check(a, fresh); err != nil {
				t.Error(err)
			}
			if n := i.keyRequests.Load(); n > 3 { // the refresh, and one that the old token caused
				t.Errorf("%d fetches", n)
			}
			// The same id for another key: the old key's tokens are not the new key's.
			i.publish(freshSigner(t, "k2"))
			time.Sleep(6*time.Minute + time.Second)
			if _, err := check(a, fresh); !sameError(err, errSignature) {
				t.Errorf("with a cache of %d: %v", cached, err)
			}
		})
	}
}

// TestARefreshKeepsWhatIsRemembered: a set that did not change costs nobody a
// verification.
func TestARefreshKeepsWhatIsRemembered(t *testing.T) {
	bubble(t, func(c *Config) { c.TokenCache = 100 }, func(t *testing.T, i *issuer, a *API) {
		token := i.token(t, nil)
		first, err := check(a, token)
		if err != nil {
			t.Fatal(err)
		}
		i.publish(i.signers[0], freshSigner(t, "k2"))
		time.Sleep(10 * time.Minute)
		if again, err := check(a, token); err != nil || again != first || i.keyRequests.Load() < 3 {
			t.Errorf("%v, same: %v, %d fetches", err, again == first, i.keyRequests.Load())
		}
	})
}

// TestRotationRejectsNothing: announce, sign, retire: no valid token is
// refused, and no request waits.
func TestRotationRejectsNothing(t *testing.T) {
	bubble(t, nil, func(t *testing.T, i *issuer, a *API) {
		i.maxAge = 5 * time.Minute
		next := freshSigner(t, "n0")
		i.publish(i.signers[0], next)
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		var tokens []string
		for round := range 20 {
			active := next
			next = freshSigner(t, fmt.Sprint("n", round+1))
			i.mu.Lock()
			retired := i.signers[0]
			i.mu.Unlock()
			i.publish(active, next, retired)
			for range 10 { // tokens live for 30 minutes
				c := i.claims(time.Now())
				c.Expiry = time.Now().Unix() + 1800
				tokens = append(tokens, sign(t, active, c.AppendJSON(nil)))
				if len(tokens) > 10 {
					tokens = tokens[1:]
				}
				for _, token := range tokens {
					begin := time.Now()
					if _, err := check(a, token); err != nil || time.Since(begin) > 0 {
						t.Fatalf("round %d: %v after %s", round, err, time.Since(begin))
					}
				}
				time.Sleep(3*time.Minute - 10*time.Second)
			}
		}
	})
}

// TestTheIssuerIsAway: for twelve hours no request fails; the issuer is
// asked seldom; after max_stale all are told to come back.
func TestTheIssuerIsAway(t *testing.T) {
	bubble(t, nil, func(t *testing.T, i *issuer, a *API) {
		token := i.token(t, func(c *symbolon.Claims) { c.Expiry += 100 * 3600 })
		if _, err := check(a, token); err != nil {
			t.Fatal(err)
		}
		i.serveKeys(fails)
		for range 12 * 60 {
			time.Sleep(time.Minute)
			if _, err := check(a, token); err != nil {
				t.Fatal(err)
			}
		}
		if n := i.keyRequests.Load(); n < 100 || n > 160 {
			t.Errorf("%d fetches in twelve hours", n)
		}
		time.Sleep(12 * time.Hour)
		_, err := check(a, token)
		var e *symbolon.Error
		if !errors.As(err, &e) || e.Code != symbolon.TemporarilyUnavailable || e.RetryAfter <= 0 || e.RetryAfter > keyPause || e.Cause() == nil {
			t.Errorf("after max_stale: %#v", err)
		}
		w := httptest.NewRecorder()
		a.WriteError(w, err)
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || w.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		i.serveKeys(nil)
		time.Sleep(maxBackoff * 6 / 5)
		if _, err := check(a, token); err != nil {
			t.Errorf("after the return: %v", err)
		}
	})
}

// TestNoKeysYet: requests are told to come back, also in a storm, and get
// their answer soon after the issuer is there.
func TestNoKeysYet(t *testing.T) {
	bubble(t, nil, func(t *testing.T, i *issuer, a *API) {
		i.serveKeys(fails)
		token := i.token(t, nil)
		for range 60 {
			for range 10 {
				_, err := check(a, token)
				var e *symbolon.Error
				if !errors.As(err, &e) || e.Code != symbolon.TemporarilyUnavailable || e.RetryAfter < time.Second {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
		}
		if n := i.keyRequests.Load(); n > 7 {
			t.Errorf("%d fetches in a minute", n)
		}
		i.serveKeys(nil)
		time.Sleep(keyPause)
		if _, err := check(a, token); err != nil {
			t.Error(err)
		}
	})
}

// TestNoKeysYetIsLoggedAsSuch: nobody is told of keys that never were.
func TestNoKeysYetIsLoggedAsSuch(t *testing.T) {
	var log bytes.Buffer
	logged := func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) }
	bubble(t, logged, func(t *testing.T, i *issuer, a *API) {
		i.serveKeys(fails)
		check(a, i.token(t, nil))
		synctest.Wait()
		if s := log.String(); !strings.Contains(s, "there are none from before") || strings.Contains(s, "last good") || strings.Contains(s, "confirmed") {
			t.Error(s)
		}
	})
}

// TestBothStartTogether: an issuer that cannot be reached is tried soon again.
func TestBothStartTogether(t *testing.T) {
	keysOf()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{url: "http://auth.localhost", signers: []*jose.Signer{freshSigner(t, "k1")}}
		begin := time.Now()
		up := pipe(t, i)
		cfg := i.config()
		cfg.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if time.Since(begin) < 5*time.Second {
				return nil, errors.New("connection refused")
			}
			return up.Transport.RoundTrip(r)
		})}
		a := newAPI(t, cfg)
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d > 10*time.Second {
			t.Errorf("keys after %s", d)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestStartTellsWhy there are no keys.
func TestStartTellsWhy(t *testing.T) {
	for name, c := range map[string]struct {
		keys http.HandlerFunc
		want string
	}{
		"503":     {fails, "answered 503"},
		"garbage": {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>") }, "cannot be read"},
		"empty":   {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"keys":[]}`) }, "no key"},
	} {
		bubble(t, nil, func(t *testing.T, i *issuer, a *API) {
			i.serveKeys(c.keys)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			err := a.Start(ctx)
			if err == nil || !strings.Contains(errors.Unwrap(err).Error(), c.want) {
				t.Errorf("%s: %v: %v", name, err, errors.Unwrap(err))
			}
		})
	}
}

// TestUnusableKeysAreLeftOut: one bad key does not spoil the others
// (RFC 7517 §5).
func TestUnusableKeysAreLeftOut(t *testing.T) {
	i := newIssuer(t)
	other := freshSigner(t, "")
	i.serveKeys(text(`{"keys":[{"kty":"AKP","kid":"a","alg":"ML-DSA-44","pub":"AA"},{"kty":"RSA","kid":"w","n":"AQAB","e":"AQAB"},` + string(other.Key().JSON()) + `,` + string(i.signers[0].Key().JSON()) + `]}`))
	a := newAPI(t, i.config())
	if _, err := check(a, i.token(t, nil)); err != nil {
		t.Error(err)
	}
	if _, err := check(a, sign(t, other, i.claims(time.Now()).AppendJSON(nil))); !sameError(err, errKey) {
		t.Errorf("a token without kid: %v", err)
	}
}

// TestATokenWithoutKidCausesNoFetch: no fetch could find its key.
func TestATokenWithoutKidCausesNoFetch(t *testing.T) {
	i := newIssuer(t)
	clock := newClock()
	cfg := i.config()
	cfg.Now = clock.Now
	a := newAPI(t, cfg)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Minute)
	token := sign(t, freshSigner(t, ""), i.claims(clock.Now()).AppendJSON(nil))
	if _, err := check(a, token); !sameError(err, errKey) || i.keyRequests.Load() != 1 {
		t.Errorf("%v, %d fetches", err, i.keyRequests.Load())
	}
}

// TestMetadataOfAnotherIssuer (RFC 8414 §3.3): its keys are not asked for.
func TestMetadataOfAnotherIssuer(t *testing.T) {
	i := newIssuer(t)
	front := httptest.NewServer(i) // the same documents under another URL
	t.Cleanup(front.Close)
	cfg := i.config()
	cfg.Issuer = front.URL
	a := newAPI(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	c := i.claims(time.Now())
	c.Issuer = front.URL
	_, checks, err := a.Explain(ctx, with(sign(t, i.signers[0], c.AppendJSON(nil))))
	cancel()
	if !errors.Is(err, errNoKeys) || i.keyRequests.Load() != 0 {
		t.Errorf("%v, %d fetches", err, i.keyRequests.Load())
	}
	if last := checks[len(checks)-1]; last.OK || !strings.Contains(last.Fix, "names the issuer") {
		t.Errorf("%+v", last)
	}
}

// TestACallerWhoLeavesDoesNotWait.
func TestACallerWhoLeavesDoesNotWait(t *testing.T) {
	bubble(t, nil, func(t *testing.T, i *issuer, a *API) {
		i.serveKeys(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := a.Check(ctx, with(i.token(t, nil)))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
	})
}

// TestCloseOfAnAPI: nothing runs on, in the middle of a fetch either, and the
// keys that are there are used until they are too old.
func TestCloseOfAnAPI(t *testing.T) {
	bubble(t, nil, func(t *testing.T, i *issuer, a *API) {
		token := i.token(t, func(c *symbolon.Claims) { c.Expiry += 72 * 3600 })
		if _, err := check(a, token); err != nil {
			t.Fatal(err)
		}
		a.Close()
		a.Close()
		time.Sleep(23 * time.Hour)
		if _, err := check(a, token); err != nil || i.keyRequests.Load() != 1 {
			t.Errorf("%v, %d fetches", err, i.keyRequests.Load())
		}
		time.Sleep(2 * time.Hour)
		if _, err := check(a, token); !errors.Is(err, errNoKeys) {
			t.Error(err)
		}
	})
	bubble(t, nil, func(t *testing.T, i *issuer, a *API) {
		i.serveKeys(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		go check(a, i.token(t, nil))
		synctest.Wait()
		begin := time.Now()
		a.Close()
		if d := time.Since(begin); d > 0 {
			t.Errorf("Close took %s", d)
		}
	})
}

// TestRefreshIsSpread: APIs that started together do not fetch together.
func TestRefreshIsSpread(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 100 {
		d := spread(time.Minute)
		if d < time.Minute || d > 72*time.Second {
			t.Fatal(d)
		}
		seen[d] = true
	}
	if len(seen) < 90 {
		t.Error(len(seen))
	}
}

func TestBackoff(t *testing.T) {
	for row, want := range map[int]struct{ hurried, calm time.Duration }{
		1: {time.Second, keyPause}, 2: {2 * time.Second, keyPause}, 4: {8 * time.Second, keyPause}, 5: {16 * time.Second, 16 * time.Second}, 9: {256 * time.Second, 256 * time.Second}, 10: {maxBackoff, maxBackoff}, 1000: {maxBackoff, maxBackoff},
	} {
		for hurry, again := range map[bool]time.Duration{true: want.hurried, false: want.calm} {
			pause, got := backoff(row, hurry)
			if got < again || got > again*6/5+1 || pause > keyPause || !hurry && pause != keyPause {
				t.Errorf("row %d, hurry %v: %s, %s", row, hurry, pause, got)
			}
		}
	}
}

func TestMaxAge(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": keyLife, "public, max-age=300": 5 * time.Minute, "MAX-AGE=\"60\"": time.Minute, "max-age=-1": keyLife, "max-age=99999999999": keyLife, "no-cache": keyLife, "s-maxage=5": keyLife, "max-age=0": 0,
	} {
		if got := maxAge(http.Header{"Cache-Control": {header}}); got != want {
			t.Errorf("%q: %s", header, got)
		}
	}
}
