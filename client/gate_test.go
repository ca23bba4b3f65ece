package client

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
)

// gate checks the proofs that come to one place.
type gate struct {
	t      *testing.T
	api    bool
	mu     sync.Mutex
	nonce  string              // that is demanded; "": none
	next   string              // that a good answer brings; "": none
	ahead  time.Duration       // of its clock
	proofs []*dpop.Proof       // that were sent
	ids    map[string]struct{} // of them
}

// check answers a request whose proof is not good enough.
func (g *gate) check(w http.ResponseWriter, r *http.Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, err := dpop.NormalizeURL("http://" + r.Host + r.URL.EscapedPath())
	if err != nil {
		g.t.Error(err)
	}
	e := dpop.Expectation{Method: r.Method, URLs: []string{at}, Now: time.Now().Add(g.ahead), Window: 20 * time.Second}
	if g.api {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "DPoP ")
		if !ok {
			g.t.Errorf("the token came as %.6s", r.Header.Get("Authorization"))
		}
		e.AccessToken = token
	}
	if g.ahead != 0 {
		w.Header().Set("Date", e.Now.UTC().Format(http.TimeFormat))
	}
	proof, err := dpop.Check(r.Header[symbolon.HeaderDPoP], e)
	if err != nil {
		if g.ahead == 0 {
			g.t.Errorf("%s %s: %v: %v", r.Method, r.URL, err, errors.Unwrap(err))
		}
		g.refuse(w, symbolon.InvalidDPoPProof)
		return false
	}
	g.proofs = append(g.proofs, proof)
	if g.ids == nil {
		g.ids = map[string]struct{}{}
	}
	if _, ok := g.ids[proof.ID]; ok {
		g.t.Error("a proof was sent twice")
	}
	g.ids[proof.ID] = struct{}{}
	if proof.Nonce != g.nonce {
		w.Header().Set("DPoP-Nonce", g.nonce)
		g.refuse(w, symbolon.UseDPoPNonce)
		return false
	}
	if g.next != "" {
		w.Header().Set("DPoP-Nonce", g.next)
		g.nonce = g.next
	}
	return true
}

func (g *gate) refuse(w http.ResponseWriter, code symbolon.Code) {
	if g.api {
		w.Header().Add("WWW-Authenticate", fmt.Sprintf(`DPoP error=%q, algs="ES256"`, code))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	refuse(w, http.StatusBadRequest, string(code))
}

func (g *gate) set(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.proofs)
}

// grantDPoP writes a token of type DPoP.
func grantDPoP(w http.ResponseWriter, r *request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"DPoP","expires_in":3600}`, r.n)
}

// bound is a server and an API that demand proofs.
type bound struct {
	server, api *gate
	s           *authServer
	a           *httptest.Server
}

func newBound(t *testing.T) *bound {
	b := &bound{server: &gate{t: t}, api: &gate{t: t, api: true}, s: newAuthServer(t)}
	b.s.answer(func(w http.ResponseWriter, r *request) {
		if b.server.check(w, r.Request) {
			grantDPoP(w, r)
		}
	})
	b.a = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if b.api.check(w, r) {
			w.Write(append([]byte("hello "), text...))
		}
	}))
	return b
}

func (b *bound) config(key crypto.Signer) Config {
	cfg := b.s.config()
	cfg.DPoP, cfg.Resource = key, b.a.URL
	return cfg
}
