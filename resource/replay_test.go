package resource

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
)

// TestReplay: a proof is good once, as long as it is good.
func TestReplay(t *testing.T) {
	i := newIssuer(t)
	cfg, now := i.config(), newClock()
	cfg.Now, cfg.TokenCache = now.Now, 10
	a := newAPI(t, cfg)
	at := orders(t, a, "orders:read")
	h := newHolder(t, i, now.Now)
	once := h.proof(t, nil)
	h.present(t, at, once).good(t, "once")
	h.present(t, at, once).wants(t, "twice", "DPoP", errReplayed)
	now.Advance(59 * time.Second)
	h.present(t, at, once).wants(t, "59 s later", "DPoP", errReplayed)
}

// TestManyAtOnce: of many simultaneous requests with one proof one passes.
func TestManyAtOnce(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	at := orders(t, a, "orders:read")
	h := newHolder(t, i, time.Now)
	for range 10 {
		proof := h.proof(t, nil)
		var passed atomic.Int64
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if h.present(t, at, proof).status == http.StatusOK {
					passed.Add(1)
				}
			})
		}
		all.Wait()
		if n := passed.Load(); n != 1 {
			t.Errorf("%d of 16 passed", n)
		}
	}
}

// recorder is a Replay of a user's, as in a database.
type recorder struct {
	mu    sync.Mutex
	seen  map[[32]byte]time.Time
	fails error
}

func (r *recorder) Claim(_ context.Context, key [32]byte, expires time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails != nil {
		return r.fails
	}
	if _, there := r.seen[key]; there {
		return fmt.Errorf("duplicate key: %w", ErrReplayed)
	}
	r.seen[key] = expires
	return nil
}

func (r *recorder) fail(err error) {
	r.mu.Lock()
	r.fails = err
	r.mu.Unlock()
}

func (r *recorder) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// TestSharedReplay: two instances with one memory, which may be away.
func TestSharedReplay(t *testing.T) {
	i := newIssuer(t)
	shared := &recorder{seen: make(map[[32]byte]time.Time)}
	cfg := i.config()
	cfg.Replay = shared
	one, two := orders(t, newAPI(t, cfg), "orders:read"), orders(t, newAPI(t, cfg), "orders:read")
	h := newHolder(t, i, time.Now)
	proof := h.proof(t, nil)
	h.present(t, one, proof).good(t, "at one instance")
	h.present(t, two, proof).wants(t, "at the other", "DPoP", errReplayed)
	for _, expires := range shared.seen {
		if left := time.Until(expires); left < dpop.DefaultWindow || left > 2*dpop.DefaultWindow {
			t.Errorf("to be remembered for %s", left)
		}
	}
	for _, err := range []error{errors.New("dial tcp 10.0.0.1:6379: refused"), context.DeadlineExceeded} {
		shared.fail(err)
		next := h.proof(t, nil)
		got := h.present(t, one, next)
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "5" || got.header.Get("WWW-Authenticate") != "" ||
			got.body != `{"error":"temporarily_unavailable","error_description":"`+errNoReplay.Description+`"}` {
			t.Errorf("away: %d %v %s", got.status, got.header, got.body)
		}
		r := Request{Method: "GET", URL: &url.URL{Path: "/orders"}, Authorization: []string{"DPoP " + h.token}, DPoP: []string{next}}
		var e *symbolon.Error
		if _, failed := newAPI(t, cfg).Check(t.Context(), r); !errors.As(failed, &e) || !errors.Is(e.Cause(), err) {
			t.Errorf("the cause is lost: %v", failed)
		}
		shared.fail(nil)
		h.present(t, one, next).good(t, "when it is back")
	}
}

// TestARefusedRequestConsumesNothing: whatever else is wrong, the proof stays good.
func TestARefusedRequestConsumesNothing(t *testing.T) {
	i := newIssuer(t)
	seen := &recorder{seen: make(map[[32]byte]time.Time)}
	cfg := i.config()
	cfg.Replay = seen
	a := newAPI(t, cfg)
	read, write := orders(t, a, "orders:read"), orders(t, a, "orders:write")
	h, other := newHolder(t, i, time.Now), newHolder(t, i, time.Now)
	proof := h.proof(t, nil)
	h.present(t, write, proof).wants(t, "scope", "DPoP", errScope)
	other.present(t, read, proof) // of a token that the proof is not for
	h.present(t, read, proof, proof)
	do(t, http.DefaultClient, "POST", read, http.Header{"Authorization": {"DPoP " + h.token}, "Dpop": {proof}})
	do(t, http.DefaultClient, "GET", read, http.Header{"Authorization": {"Bearer " + h.token}, "Dpop": {proof}})
	do(t, http.DefaultClient, "GET", read+"?access_token=x", http.Header{"Authorization": {"DPoP " + h.token}, "Dpop": {proof}})
	if n := seen.size(); n != 0 {
		t.Errorf("%d proofs consumed", n)
	}
	h.present(t, read, proof).good(t, "at last")
}

// TestAQuotaPerClient: the memory gives up no live proof for a new one.
func TestAQuotaPerClient(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	a.proofs = dpop.NewMemory(dpop.MemoryConfig{MaxPerOwner: 2})
	at := orders(t, a, "orders:read")
	h := newHolder(t, i, time.Now)
	first := h.proof(t, nil)
	h.present(t, at, first).good(t, "first")
	h.present(t, at, h.proof(t, nil)).good(t, "second")
	got := h.present(t, at, h.proof(t, nil))
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "10" || got.header.Get("WWW-Authenticate") != "" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	h.present(t, at, first).wants(t, "the first again", "DPoP", errReplayed)
	h.token = h.bound(t, i, func(c *symbolon.Claims) { c.ClientID, c.Subject = "other", "other" })
	if got := h.present(t, at, h.proof(t, nil)); got.status != 200 {
		t.Errorf("another client: %d", got.status)
	}
}

// key32 is a nonce key of one repeated octet.
func key32(b byte) NonceKey {
	k := make(NonceKey, 32)
	for i := range k {
		k[i] = b
	}
	return k
}

// TestNonces: RFC 9449 §9.
func TestNonces(t *testing.T) {
	i := newIssuer(t)
	now := newClock()
	instance := func(change func(*Config)) (*API, string) {
		cfg := i.config()
		cfg.Now, cfg.NonceKey = now.Now, key32(1)
		if change != nil {
			change(&cfg)
		}
		a := newAPI(t, cfg)
		return a, orders(t, a, "orders:read")
	}
	a, one := instance(nil)
	_, two := instance(nil)
	h := newHolder(t, i, now.Now)
	got := h.present(t, one, h.proof(t, nil))
	got.wants(t, "no nonce", "DPoP", errNonce)
	nonce := got.header.Get("DPoP-Nonce")
	if nonce == "" || nonce != a.DPoPNonce() || len(got.header.Values("DPoP-Nonce")) != 1 {
		t.Fatalf("the nonce is %q", nonce)
	}
	with := func(nonce string) string { return h.proof(t, set("nonce", nonce)) }
	for name, at := range map[string]string{"the same instance": one, "another instance": two} {
		got := h.present(t, at, with(nonce))
		got.good(t, name)
		if got.header.Get("DPoP-Nonce") != "" || got.header.Get("Cache-Control") != "" {
			t.Errorf("%s: told the nonce that it has: %v", name, got.header)
		}
	}
	for name, bad := range map[string]string{"empty": "", "made up": "eyJ7S_zG.eyJH0-Z.HX4w-7v", "changed": "_" + nonce[1:], "cut": nonce[:20], "long": nonce + "A"} {
		h.present(t, one, with(bad)).wants(t, name, "DPoP", errNonce)
	}
	if got := h.present(t, one, h.proof(t, set("nonce", 7))); got.status != 401 {
		t.Errorf("a number as nonce: %d", got.status)
	}
	// An older one passes, and the answer has the next (RFC 9449 §8.2).
	now.Advance(time.Minute)
	got = h.present(t, one, with(nonce))
	got.good(t, "a minute later")
	if next := got.header.Get("DPoP-Nonce"); next == "" || next == nonce || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("no new nonce: %v", got.header)
	}
	now.Advance(5 * time.Minute)
	h.present(t, one, with(nonce)).wants(t, "6 minutes later", "DPoP", errNonce)

	nonce = a.DPoPNonce()
	_, exchanged := instance(func(c *Config) { c.NonceKey, c.PreviousNonceKeys = key32(2), []NonceKey{key32(1)} })
	h.present(t, exchanged, with(nonce)).good(t, "of the previous key")
	_, foreign := instance(func(c *Config) { c.NonceKey = key32(2) })
	h.present(t, foreign, with(nonce)).wants(t, "of another key", "DPoP", errNonce)
	elsewhere, _ := instance(func(c *Config) { c.Audience = "https://invoices.example.com" })
	h.present(t, one, with(elsewhere.DPoPNonce())).wants(t, "of another API", "DPoP", errNonce)
	// A refusal for the nonce consumes nothing.
	proof := with(nonce)
	h.present(t, foreign, proof)
	h.present(t, one, proof).good(t, "where it belongs")
	// Whoever asks for nothing in particular learns it too.
	if got := do(t, http.DefaultClient, "GET", one, nil); got.header.Get("DPoP-Nonce") == "" {
		t.Error("no nonce for who has no token yet")
	}
	do(t, http.DefaultClient, "GET", one, http.Header{"Authorization": {"Bearer " + sign(t, i.signers[0], i.claims(now.Now()).AppendJSON(nil))}}).good(t, "bearer tokens need none")
}

// TestNoncesAreOff where no key is set: instances could not agree.
func TestNoncesAreOff(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	h := newHolder(t, i, time.Now)
	got := h.present(t, orders(t, a), h.proof(t, nil))
	got.good(t, "no nonce")
	if got.header.Get("DPoP-Nonce") != "" || a.DPoPNonce() != "" {
		t.Error("a nonce from nowhere")
	}
	w := httptest.NewRecorder()
	a.WriteError(w, &refusal{err: errExpired})
	if w.Header().Get("DPoP-Nonce") != "" {
		t.Error("a nonce in a refusal")
	}
}

// TestNonceKeyIsNotPrinted, whatever the verb.
func TestNonceKeyIsNotPrinted(t *testing.T) {
	cfg := Config{NonceKey: key32('k'), PreviousNonceKeys: []NonceKey{key32('k')}}
	text, _ := cfg.NonceKey.MarshalText()
	for _, s := range []string{
		fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg), fmt.Sprintf("%x %s %q %d %v", cfg.NonceKey, cfg.NonceKey, cfg.NonceKey, cfg.NonceKey, &cfg.NonceKey),
		cfg.NonceKey.LogValue().String(), cfg.NonceKey.String(), string(text),
	} {
		for _, part := range []string{"kkk", "6b6b", "6B6B", "107 107", "0x6b, 0x6b"} {
			if strings.Contains(s, part) {
				t.Errorf("printed: %s", s)
			}
		}
	}
}
