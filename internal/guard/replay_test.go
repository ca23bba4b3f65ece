package guard

import (
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nonceFile is a key for nonces that no other guard has.
func nonceFile(t *testing.T) string {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	path := filepath.Join(t.TempDir(), "nonce.key")
	if err := os.WriteFile(path, key, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWhatAnotherGuardTook: a guard remembers the proofs that it took itself, and
// another one, or the same after a restart, knows nothing of them: what its own
// nonces are for (docs/howto/guard.md says so).
func TestWhatAnotherGuardTook(t *testing.T) {
	one, two := nonceFile(t), nonceFile(t)
	for name, c := range map[string]struct {
		nonces, others string // key files
		want           string // of the other guard, for a proof that the first one took
	}{
		"no nonces":         {"", "", "200"},
		"the same nonces":   {one, one, "200"},
		"nonces of its own": {one, two, `401 error="use_dpop_nonce"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, nil, func(cfg *Config) { cfg.NonceKeyFile = c.nonces })
			other := &world{auth: w.auth, orders: w.orders, upstream: w.upstream, addr: freeAddr(t), asked: freeAddr(t)}
			cfg := w.cfg
			cfg.NonceKeyFile = c.others
			proxy, asked := *cfg.Proxy, *cfg.ForwardAuth
			proxy.Listen, asked.Listen = other.addr, other.asked
			cfg.Proxy, cfg.ForwardAuth = &proxy, &asked
			other.run(t, cfg)

			key := newKey(t)
			got, err := w.proving(t, key).Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			send := func(at, proof string) *http.Response {
				resp, _ := do(t, "GET", "http://"+at, "/orders", head("Authorization", "DPoP "+got.Value(), "Dpop", proof), nil)
				return resp
			}
			proof := func(nonce string) string {
				return prove(t, w, key, "GET", "http://"+w.addr+"/orders", got.Value(), nonce)
			}
			good := proof(send(w.addr, proof("")).Header.Get("Dpop-Nonce"))
			for i, want := range []string{"200", `401 error="invalid_dpop_proof"`} {
				if got := outcome(send(w.addr, good)); got != want {
					t.Errorf("the guard that took it, time %d: %s", i+1, got)
				}
			}
			if got := outcome(send(other.addr, good)); got != c.want {
				t.Errorf("the other guard: %s, want %s", got, c.want)
			}
			w.auth.Advance(91 * time.Second) // its life, and the most that it may lie ahead
			if got := outcome(send(other.addr, good)); !strings.HasPrefix(got, "401") {
				t.Errorf("after its life: %s", got)
			}
		})
	}
}

// outcome is the status, and the code of a challenge to who sent a proof.
func outcome(resp *http.Response) string {
	for _, c := range resp.Header["Www-Authenticate"] {
		if _, rest, ok := strings.Cut(c, "error="); ok && strings.HasPrefix(c, "DPoP") {
			code, _, _ := strings.Cut(rest, ",")
			return resp.Status[:3] + " error=" + strings.TrimSpace(code)
		}
	}
	return resp.Status[:3]
}
