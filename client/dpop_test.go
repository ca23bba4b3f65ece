package client

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
)

// TestRFC9449_4_Proofs: with each kind of key, at both places, one key for all;
// the URL without query and fragment.
func TestRFC9449_4_Proofs(t *testing.T) {
	for alg, key := range testKeys() {
		b := newBound(t)
		c := newClient(t, b.config(key))
		for _, path := range []string{"/orders?a=b#c", "/orders%2F7/%7Eme", "/ü", ""} {
			resp, err := c.HTTP().Get(b.a.URL + path)
			if got := body(t, resp, err); got != "hello " {
				t.Errorf("%s: %q", path, got)
			}
		}
		if b.server.count() != 1 || b.api.count() != 4 {
			t.Errorf("%d and %d proofs", b.server.count(), b.api.count())
		}
		for _, p := range append(b.server.proofs, b.api.proofs...) {
			if p.Thumbprint != c.prover.Thumbprint() || p.Algorithm != alg || strings.ContainsAny(p.HTU, "?#") {
				t.Errorf("proof of %s with %s for %s", p.Thumbprint, p.Algorithm, p.HTU)
			}
		}
	}
}

// TestRFC9449_8_NonceDance: a refusal at each place brings the nonce, the request
// is repeated with a new proof and its body, and what a good answer brings is
// used next.
func TestRFC9449_8_NonceDance(t *testing.T) {
	b := newBound(t)
	b.server.nonce, b.api.nonce = "of-the-server", "of-the-api"
	c := newClient(t, b.config(p256(t)))
	resp, err := c.HTTP().Post(b.a.URL+"/orders", "text/plain", strings.NewReader("twice"))
	if got := body(t, resp, err); got != "hello twice" {
		t.Error(got)
	}
	if b.server.count() != 2 || b.api.count() != 2 {
		t.Errorf("%d and %d proofs", b.server.count(), b.api.count())
	}
	if first, second := b.api.proofs[0], b.api.proofs[1]; first.Nonce != "" || second.Nonce != "of-the-api" {
		t.Errorf("%q, then %q: a nonce is its server's alone (RFC 9449 §9)", first.Nonce, second.Nonce)
	}
	for i, next := range []string{"second", "third", "third"} { // RFC 9449 §8.2: from a 200
		b.api.set(func() { b.api.next = next })
		resp, err := c.HTTP().Get(b.a.URL)
		body(t, resp, err)
		if b.api.count() != 3+i {
			t.Errorf("%s: %d proofs", next, b.api.count())
		}
	}
	b.api.set(func() { b.api.nonce, b.api.next = "after a restart"[:5], "" })
	resp, err = c.HTTP().Get(b.a.URL)
	if got := body(t, resp, err); got != "hello " || b.api.count() != 7 {
		t.Errorf("%s with %d proofs", got, b.api.count())
	}
}

// TestRFC9449_8_TheNonceOfAnError: of any status.
func TestRFC9449_8_TheNonceOfAnError(t *testing.T) {
	b := newBound(t)
	statuses := []int{404, 500, 302, 401, 200}
	n := 0
	a := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := dpop.Check(r.Header[symbolon.HeaderDPoP], dpop.Expectation{Method: "GET", URLs: []string{"http://" + r.Host + "/"}, Now: time.Now(), AccessToken: "token-1"})
		if err != nil {
			t.Error(err)
			return
		}
		if n > 0 && p.Nonce != fmt.Sprint("nonce-", n) {
			t.Errorf("after a %d: %q", statuses[n-1], p.Nonce)
		}
		status := statuses[n]
		n++
		w.Header().Set("DPoP-Nonce", fmt.Sprint("nonce-", n))
		w.WriteHeader(status)
	}))
	cfg := b.config(p256(t))
	cfg.Resource = a.URL
	c := newClient(t, cfg)
	for range statuses {
		resp, err := c.HTTP().Get(a.URL)
		body(t, resp, err)
	}
	if n != len(statuses) {
		t.Errorf("%d requests", n)
	}
}

// TestRFC9449_8_OneRetryOnly: a server that is never content with a nonce is
// told so to the caller, after one repetition.
func TestRFC9449_8_OneRetryOnly(t *testing.T) {
	b := newBound(t)
	n := 0
	endless := func(g *gate) func(w http.ResponseWriter, r *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			n++
			w.Header().Set("DPoP-Nonce", fmt.Sprint("nonce-", n))
			g.refuse(w, symbolon.UseDPoPNonce)
		}
	}
	a := serve(t, http.HandlerFunc(endless(b.api)))
	cfg := b.config(p256(t))
	cfg.Resource = a.URL
	c := newClient(t, cfg)
	resp, err := c.HTTP().Get(a.URL)
	if body(t, resp, err); n != 2 || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%d after %d requests", resp.StatusCode, n)
	}
	n = 0
	b.s.answer(func(w http.ResponseWriter, r *request) { endless(b.server)(w, r.Request) })
	var e *symbolon.Error
	if _, err := newClient(t, cfg).Token(t.Context()); !errors.As(err, &e) || e.Code != symbolon.UseDPoPNonce || n != 2 {
		t.Errorf("%v after %d requests", err, n)
	}
}

// TestNoRetryWithoutANewNonce: none in the answer, several, one that cannot stand
// in a proof, the one that was sent, or another challenge.
func TestNoRetryWithoutANewNonce(t *testing.T) {
	const challenge = `DPoP error="use_dpop_nonce"`
	for name, c := range map[string]struct {
		nonces    []string
		challenge string
		requests  int
	}{
		"none":              {nil, challenge, 1},
		"two":               {[]string{"a", "b"}, challenge, 1},
		"empty":             {[]string{""}, challenge, 1},
		"a quote":           {[]string{`a"b`}, challenge, 1},
		"longer than a kib": {[]string{strings.Repeat("a", 1025)}, challenge, 1},
		"the same again":    {[]string{"same"}, challenge, 2},
		"of another scheme": {[]string{"a"}, `Bearer error="use_dpop_nonce"`, 1},
		"of another error":  {[]string{"a"}, `DPoP error="insufficient_scope"`, 1},
		"in a realm":        {[]string{"a"}, `DPoP realm="error=\"use_dpop_nonce\""`, 1},
		"beside a Bearer":   {[]string{"a"}, `Bearer realm="x", DPoP algs="ES256 PS256", error="use_dpop_nonce"`, 2},
	} {
		b := newBound(t)
		n := 0
		a := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n++
			w.Header()["Dpop-Nonce"] = c.nonces
			w.Header().Set("WWW-Authenticate", c.challenge)
			w.WriteHeader(http.StatusUnauthorized)
		}))
		cfg := b.config(p256(t))
		cfg.Resource = a.URL
		resp, err := newClient(t, cfg).HTTP().Get(a.URL)
		if body(t, resp, err); n != c.requests {
			t.Errorf("%s: %d requests", name, n)
		}
	}
}

// TestABodyThatCannotBeSentWithANonce: a clear error, and the next request has
// the nonce.
func TestABodyThatCannotBeSentWithANonce(t *testing.T) {
	b := newBound(t)
	b.api.nonce = "n1"
	c := newClient(t, b.config(p256(t)))
	_, err := c.HTTP().Post(b.a.URL, "text/plain", io.MultiReader(strings.NewReader("once")))
	if err == nil || !strings.Contains(err.Error(), "GetBody") || b.api.count() != 1 {
		t.Errorf("%v after %d requests", err, b.api.count())
	}
	resp, err := c.HTTP().Post(b.a.URL, "text/plain", io.MultiReader(strings.NewReader("once")))
	if got := body(t, resp, err); got != "hello once" || b.api.count() != 2 {
		t.Errorf("%s after %d requests", got, b.api.count())
	}
}

// TestNoncesAreKeptByOrigin: two APIs at two origins, each with its own.
func TestNoncesAreKeptByOrigin(t *testing.T) {
	b, other := newBound(t), newBound(t)
	b.api.nonce, other.api.nonce = "one", "two"
	cfg := b.config(p256(t))
	cfg.Origins = []string{b.a.URL, other.a.URL}
	c := newClient(t, cfg)
	for range 3 {
		for _, u := range []string{b.a.URL, other.a.URL} {
			resp, err := c.HTTP().Get(u)
			body(t, resp, err)
		}
	}
	if b.api.count() != 4 || other.api.count() != 4 {
		t.Errorf("%d and %d requests for three each: the nonces are mixed up", b.api.count(), other.api.count())
	}
}

// TestTheMemoryOfServersIsBounded, however often the metadata names another
// endpoint.
func TestTheMemoryOfServersIsBounded(t *testing.T) {
	var p peers
	for i := range 1000 {
		p.hear(place{origin: origin{"https", fmt.Sprint("host-", i), "443"}}, http.Header{symbolon.HeaderDPoPNonce: {"n"}})
	}
	if len(p.known) != maxPeers {
		t.Errorf("%d servers are remembered", len(p.known))
	}
}

// TestRFC9449_5_NoDowngrade: a token that is not bound is not used, and a bound
// one not by a client that cannot prove.
func TestRFC9449_5_NoDowngrade(t *testing.T) {
	b := newBound(t)
	for kind, c := range map[string]struct {
		dpop crypto.Signer
		ok   bool
		says string
	}{
		"DPoP":   {p256(t), true, ""},
		"dpop":   {p256(t), true, ""}, // RFC 6749 §5.1: case insensitive
		"Bearer": {p256(t), false, "not bound"},
		"":       {p256(t), false, "not bound"},
		"N_A":    {p256(t), false, "not bound"},
		"DPOP":   {nil, false, "Config.DPoP"},
	} {
		b.s.answer(func(w http.ResponseWriter, r *request) {
			json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": kind, "expires_in": 60})
		})
		token, err := newClient(t, b.config(c.dpop)).Token(t.Context())
		if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v", kind, err)
		}
		if err == nil && token.Type != "DPoP" {
			t.Errorf("%q: %v", kind, token)
		}
	}
}

// TestProofsByTheServersClock: the time is learnt from the Date of a refusal, at
// each place by itself, and remembered.
func TestProofsByTheServersClock(t *testing.T) {
	b := newBound(t)
	b.server.ahead, b.api.ahead = -time.Hour, 10*time.Minute
	c := newClient(t, b.config(p256(t)))
	for range 3 {
		resp, err := c.HTTP().Post(b.a.URL, "text/plain", strings.NewReader("x"))
		if got := body(t, resp, err); got != "hello x" {
			t.Error(got)
		}
	}
	if b.s.requests.Load() != 2 || b.server.count() != 1 || b.api.count() != 3 {
		t.Errorf("%d token requests, %d and %d good proofs", b.s.requests.Load(), b.server.count(), b.api.count())
	}
	// Both at once: the clock and the nonce.
	b.api.set(func() { b.api.ahead, b.api.nonce = -5*time.Minute, "n" })
	resp, err := c.HTTP().Get(b.a.URL)
	if got := body(t, resp, err); got != "hello " {
		t.Error(got)
	}
}

// TestNoProofAlongARedirectElsewhere: proof and token stay; at the API's own
// origin each step has its proof.
func TestNoProofAlongARedirectElsewhere(t *testing.T) {
	b := newBound(t)
	elsewhere := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("DPoP") != "" || r.Header.Get("Authorization") != "" {
			t.Error("the proof or the token followed the redirect")
		}
		w.Header().Set("DPoP-Nonce", "of-a-stranger")
	}))
	a := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !b.api.check(w, r) {
			return
		}
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		case "/here":
			http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
		}
	}))
	cfg := b.config(p256(t))
	cfg.Resource = a.URL
	c := newClient(t, cfg)
	for _, path := range []string{"/away", "/here"} {
		resp, err := c.HTTP().Post(a.URL+path, "text/plain", strings.NewReader("x"))
		if body(t, resp, err); resp.StatusCode != 200 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	if b.api.count() != 3 || len(c.peers.known) != 0 {
		t.Errorf("%d proofs, %d servers remembered", b.api.count(), len(c.peers.known))
	}
}

// TestProofsNameTheHostOfTheRequest: the server knows the URL by Host, wherever
// it is sent.
func TestProofsNameTheHostOfTheRequest(t *testing.T) {
	b := newBound(t)
	a := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := dpop.Check(r.Header[symbolon.HeaderDPoP], dpop.Expectation{Method: "GET", URLs: []string{"http://orders.example.com/orders"}, Now: time.Now(), AccessToken: "token-1"}); err != nil {
			t.Error(err, errors.Unwrap(err))
		}
	}))
	cfg := b.config(p256(t))
	cfg.Resource = a.URL
	req, _ := http.NewRequest(http.MethodGet, a.URL+"/orders", nil)
	req.Host = "Orders.Example.Com:80"
	resp, err := newClient(t, cfg).HTTP().Do(req)
	body(t, resp, err)
}

// TestARefusedBoundTokenIsReplacedOnce: by the challenge of DPoP; with the nonce
// and the clock besides, each once.
func TestARefusedBoundTokenIsReplacedOnce(t *testing.T) {
	b := newBound(t)
	b.api.nonce = "n"
	n := 0
	a := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		if b.api.check(w, r) && r.Header.Get("Authorization") != "DPoP token-2" {
			w.Header().Add("WWW-Authenticate", `Bearer realm="x"`)
			b.api.refuse(w, symbolon.InvalidToken)
		}
	}))
	cfg := b.config(p256(t))
	cfg.Resource = a.URL
	resp, err := newClient(t, cfg).HTTP().Get(a.URL)
	if body(t, resp, err); resp.StatusCode != 200 || n != 3 || b.s.requests.Load() != 2 {
		t.Errorf("%s after %d requests and %d token requests", resp.Status, n, b.s.requests.Load())
	}
}

// TestOneTokenRequestForManyProofs: goroutines share the token and no proof.
func TestOneTokenRequestForManyProofs(t *testing.T) {
	b := newBound(t)
	b.server.nonce, b.api.nonce = "s", "a"
	c := newClient(t, b.config(p256(t)))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			resp, err := c.HTTP().Get(b.a.URL)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				t.Error(resp.Status)
			}
		})
	}
	wg.Wait()
	if b.s.requests.Load() != 2 {
		t.Errorf("%d token requests", b.s.requests.Load())
	}
}

// TestGRPCHasNoPlaceForProofs: refused when it is made.
func TestGRPCHasNoPlaceForProofs(t *testing.T) {
	b := newBound(t)
	field := new(symbolon.ConfigError)
	if p, err := newClient(t, b.config(p256(t))).PerRPC(); p != nil || !errors.As(err, &field) || field.Field != "DPoP" {
		t.Errorf("%v, %v", p, err)
	}
}

// TestARequestThatCannotBeProved fails without being sent, and closes its body.
func TestARequestThatCannotBeProved(t *testing.T) {
	b := newBound(t)
	c := newClient(t, b.config(p256(t)))
	closed := &closeNoted{Reader: strings.NewReader("x")}
	req, _ := http.NewRequest(http.MethodPost, b.a.URL, closed)
	req.Host = "ä.example"
	if _, err := c.HTTP().Do(req); err == nil || !strings.Contains(err.Error(), "no DPoP proof") || !closed.closed || b.api.count() != 0 {
		t.Errorf("%v; closed %v", err, closed.closed)
	}
}
