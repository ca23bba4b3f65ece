package resource

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const audience = "https://orders.example.com"

// issuer is the issuer of a test: it signs tokens and serves metadata and
// keys, which the test changes.
type issuer struct {
	url string

	metadataRequests, keyRequests atomic.Int64

	mu      sync.Mutex
	signers []*jose.Signer
	keysAre http.HandlerFunc // nil: the signers' keys
	maxAge  time.Duration
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		i.metadataRequests.Add(1)
		json.NewEncoder(w).Encode(map[string]any{"issuer": i.url, "jwks_uri": i.url + "/jwks", "response_types_supported": []string{}})
	case "/jwks":
		i.keyRequests.Add(1)
		i.mu.Lock()
		serve, set, age := i.keysAre, i.set(), i.maxAge
		i.mu.Unlock()
		if serve != nil {
			serve(w, r)
			return
		}
		if age > 0 {
			w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(age.Seconds())))
		}
		w.Write(set)
	default:
		http.NotFound(w, r)
	}
}

func (i *issuer) set() []byte {
	s := &jose.KeySet{}
	for _, signer := range i.signers {
		s.Keys = append(s.Keys, signer.Key())
	}
	return s.JSON()
}

// serveKeys decides what /jwks answers; nil: the signers' keys.
func (i *issuer) serveKeys(h http.HandlerFunc) {
	i.mu.Lock()
	i.keysAre = h
	i.mu.Unlock()
}

// publish replaces the signers.
func (i *issuer) publish(signers ...*jose.Signer) {
	i.mu.Lock()
	i.signers = signers
	i.mu.Unlock()
}

// keysOf holds a key of each kind: making RSA keys takes its time.
var keysOf = sync.OnceValue(func() map[jose.Algorithm]crypto.Signer {
	m := map[jose.Algorithm]crypto.Signer{}
	for alg, curve := range map[jose.Algorithm]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		m[alg] = k
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	m[jose.RS256], m[jose.PS256] = k, k
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	m[jose.EdDSA] = ed
	return m
})

func signer(t testing.TB, alg jose.Algorithm, kid, typ string) *jose.Signer {
	t.Helper()
	s, err := jose.NewSigner(keysOf()[alg], alg, kid, typ)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// freshSigner has a key of its own.
func freshSigner(t testing.TB, kid string) *jose.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(k, jose.ES256, kid, symbolon.TypAccessToken)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newIssuer starts an issuer with one ES256 key, k1.
func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{signers: []*jose.Signer{signer(t, jose.ES256, "k1", symbolon.TypAccessToken)}}
	srv := httptest.NewServer(i)
	t.Cleanup(srv.Close)
	i.url = srv.URL
	return i
}

// claims are those of a good token at the given time.
func (i *issuer) claims(now time.Time) *symbolon.Claims {
	return &symbolon.Claims{
		Issuer: i.url, Subject: "billing", Audience: []string{audience}, Expiry: now.Unix() + 3600, IssuedAt: now.Unix(),
		ID: rand.Text(), ClientID: "billing", Scope: "orders:read orders:list", Gen: 7, Cred: "s1",
	}
}

func sign(t testing.TB, s *jose.Signer, payload []byte) string {
	t.Helper()
	token, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// token signs good claims, after change, with the first key.
func (i *issuer) token(t testing.TB, change func(*symbolon.Claims)) string {
	t.Helper()
	c := i.claims(time.Now())
	if change != nil {
		change(c)
	}
	return sign(t, i.signers[0], c.AppendJSON(nil))
}

// raw signs a good token's claims with members replaced (or removed: "") by
// JSON text.
func (i *issuer) raw(t testing.TB, replace map[string]string) string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(i.claims(time.Now()).AppendJSON(nil), &m); err != nil {
		t.Fatal(err)
	}
	var members []string
	for name, value := range replace {
		delete(m, name)
		if value != "" {
			members = append(members, fmt.Sprintf("%q:%s", name, value))
		}
	}
	for name, value := range m {
		members = append(members, fmt.Sprintf("%q:%s", name, value))
	}
	return sign(t, i.signers[0], []byte("{"+strings.Join(members, ",")+"}"))
}

func (i *issuer) config() Config { return Config{Issuer: i.url, Audience: audience} }

func newAPI(t testing.TB, cfg Config) *API {
	t.Helper()
	if cfg.HTTP == nil {
		tr := &http.Transport{}
		t.Cleanup(tr.CloseIdleConnections)
		cfg.HTTP = &http.Client{Transport: tr}
	}
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// with is a request that carries the token.
func with(token string) Request {
	return Request{Method: http.MethodGet, URL: &url.URL{Path: "/orders"}, Authorization: []string{"Bearer " + token}}
}

func check(a *API, token string, scopes ...string) (*Caller, error) {
	return a.Check(context.Background(), with(token), scopes...)
}

// clock is a clock that the test moves.
type clock struct{ nano atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nano.Store(time.Now().UnixNano())
	return c
}

func (c *clock) Now() time.Time          { return time.Unix(0, c.nano.Load()) }
func (c *clock) Advance(d time.Duration) { c.nano.Add(int64(d)) }

// pipe serves over pipes in memory: inside a synctest bubble a socket would
// stop the clock.
func pipe(t *testing.T, h http.Handler) *http.Client {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: h}
	go srv.Serve(l)
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case l.conns <- far:
			return near, nil
		case <-l.closed:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		srv.Close()
	})
	return &http.Client{Transport: tr}
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
