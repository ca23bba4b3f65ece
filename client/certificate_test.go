package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// selfSigned is a certificate that its key signed itself.
func selfSigned(t *testing.T, key crypto.Signer, name string, notAfter time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func tomorrow() time.Time { return time.Now().Add(24 * time.Hour) }

// pairPEM is a certificate and its key in PEM.
func pairPEM(t *testing.T, c tls.Certificate) (cert, key []byte) {
	t.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), pkcs8(t, c.PrivateKey.(crypto.Signer))
}

// mutual is a server, its listener for certificates, and an API, all over TLS.
// Tokens tell which certificate they are bound to, and the API compares.
type mutual struct {
	t                    *testing.T
	plain, alias, a      *httptest.Server
	pool                 *x509.CertPool
	requests, calls      atomic.Int64
	mu                   sync.Mutex
	forms                []string
	metadata, noAlias    atomic.Int64
	away, onPlain, basic atomic.Bool
}

// thumbprint is that of the client's certificate, "" without one.
func thumbprint(r *http.Request) string {
	if len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	return symbolon.CertificateThumbprint(r.TLS.PeerCertificates[0].Raw)
}

func newMutual(t *testing.T) *mutual {
	m := &mutual{t: t, pool: x509.NewCertPool()}
	start := func(auth tls.ClientAuthType, h http.HandlerFunc) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.TLS = &tls.Config{ClientAuth: auth}
		s.EnableHTTP2 = true
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		m.pool.AddCert(s.Certificate())
		return s
	}
	m.alias = start(tls.RequestClientCert, m.token)
	m.plain = start(tls.NoClientCert, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			if !m.onPlain.Load() {
				t.Error("the token endpoint was asked, not its alias")
			}
			m.token(w, r)
			return
		}
		m.metadata.Add(1)
		doc := map[string]any{"issuer": m.plain.URL, "token_endpoint": m.plain.URL + "/token"}
		if m.noAlias.Load() == 0 {
			doc["mtls_endpoint_aliases"] = map[string]string{"token_endpoint": m.alias.URL + "/token"}
		}
		json.NewEncoder(w).Encode(doc)
	})
	m.a = start(tls.RequestClientCert, func(w http.ResponseWriter, r *http.Request) {
		m.calls.Add(1)
		if r.Header.Get("Authorization") != "Bearer token-"+thumbprint(r) {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, "hello")
	})
	return m
}

func (m *mutual) token(w http.ResponseWriter, r *http.Request) {
	m.requests.Add(1)
	body, _ := io.ReadAll(r.Body)
	m.mu.Lock()
	m.forms = append(m.forms, string(body))
	m.mu.Unlock()
	if _, _, ok := r.BasicAuth(); ok != m.basic.Load() {
		m.t.Errorf("Basic is %v", ok)
	}
	if m.away.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, `{"access_token":"token-%s","token_type":"Bearer","expires_in":3600}`, thumbprint(r))
}

func (m *mutual) config(auth Auth) Config {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: m.pool, ClientSessionCache: tls.NewLRUClientSessionCache(8)}, ForceAttemptHTTP2: true}
	m.t.Cleanup(tr.CloseIdleConnections)
	return Config{Issuer: m.plain.URL, ID: "billing", Auth: auth, Resource: m.a.URL, HTTP: &http.Client{Transport: tr}}
}

func (m *mutual) get(c *Client) string {
	m.t.Helper()
	resp, err := c.HTTP().Get(m.a.URL + "/orders")
	return body(m.t, resp, err)
}

// TestRFC8705_2_Certificate: presented at the alias and to the API, client_id in
// the form, over HTTP/2 and over connections that are used again.
func TestRFC8705_2_Certificate(t *testing.T) {
	m := newMutual(t)
	c := newClient(t, m.config(Certificate(selfSigned(t, p256(t), "billing", tomorrow()))))
	for range 3 {
		if got := m.get(c); got != "hello" {
			t.Error(got)
		}
	}
	if m.requests.Load() != 1 || m.calls.Load() != 3 || m.metadata.Load() != 1 {
		t.Errorf("%d token requests, %d calls", m.requests.Load(), m.calls.Load())
	}
	if want := "client_id=billing&grant_type=client_credentials&resource="; !strings.HasPrefix(m.forms[0], want) {
		t.Errorf("form %s", m.forms[0])
	}
	c.HTTP().CloseIdleConnections()
	if got := m.get(c); got != "hello" {
		t.Error(got)
	}
	c.Close()
	if got := m.get(c); got != "hello" { // what it holds
		t.Error(got)
	}
}

// TestRFC8705_5_WithoutAnAlias the token endpoint itself is asked, and without a
// certificate the alias is not.
func TestRFC8705_5_WithoutAnAlias(t *testing.T) {
	m := newMutual(t)
	m.onPlain.Store(true)
	m.noAlias.Store(1)
	value(t, newClient(t, m.config(Certificate(selfSigned(t, p256(t), "billing", tomorrow())))))
	m.noAlias.Store(0)
	m.basic.Store(true)
	value(t, newClient(t, m.config(Secret("s"))))
	if m.requests.Load() != 2 {
		t.Error(m.requests.Load())
	}
}

// TestRFC8705_3_BoundWhileAuthIsSomethingElse: a secret, or a private key, with
// the certificate for binding alone.
func TestRFC8705_3_BoundWhileAuthIsSomethingElse(t *testing.T) {
	m := newMutual(t)
	m.basic.Store(true)
	cfg := m.config(Secret("s"))
	cfg.TLS = Certificate(selfSigned(t, p256(t), "billing", tomorrow()))
	if got := m.get(newClient(t, cfg)); got != "hello" {
		t.Error(got)
	}
	if strings.Contains(m.forms[0], "client_id") {
		t.Errorf("form %s", m.forms[0])
	}
	m.basic.Store(false)
	cfg.Auth = PrivateKeyJWT(p256(t), "")
	if got := m.get(newClient(t, cfg)); got != "hello" {
		t.Error(got)
	}
}

// TestACertificateGoesToItsOriginsOnly: one that is redirected elsewhere goes on
// without it, though that server asks for one.
func TestACertificateGoesToItsOriginsOnly(t *testing.T) {
	m := newMutual(t)
	asked := 0
	elsewhere := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if thumbprint(r) != "" || r.Header.Get("Authorization") != "" {
			t.Error("the certificate or the token followed the redirect")
		}
	}))
	elsewhere.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	elsewhere.StartTLS()
	t.Cleanup(elsewhere.Close)
	m.pool.AddCert(elsewhere.Certificate())
	api := httptest.NewUnstartedServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	api.StartTLS()
	t.Cleanup(api.Close)
	m.pool.AddCert(api.Certificate())
	cfg := m.config(Certificate(selfSigned(t, p256(t), "billing", tomorrow())))
	cfg.Resource = api.URL
	resp, err := newClient(t, cfg).HTTP().Get(api.URL)
	if body(t, resp, err); asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// TestANewCertificateNeedsNoRestart: a new token is asked for in the background,
// bound to the new one; until it is there the old ones stay together, also while
// the server is away; and files that do not go together change nothing.
func TestANewCertificateNeedsNoRestart(t *testing.T) {
	m := newMutual(t)
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	first, second := selfSigned(t, p256(t), "first", tomorrow()), selfSigned(t, p256(t), "second, with a longer name", tomorrow())
	put := func(c tls.Certificate, both bool) {
		cert, key := pairPEM(t, c)
		write(t, certFile, cert)
		if both {
			write(t, keyFile, key)
		}
	}
	put(first, true)
	auth := CertificateFiles(certFile, keyFile)
	c := newClient(t, m.config(auth))
	old := value(t, c)
	expire := func() { auth.source.looked.Store(0) } // as after a second

	put(second, false) // the key is not there yet
	expire()
	if got := m.get(c); got != "hello" || value(t, c) != old {
		t.Error("half of the files was taken up")
	}
	if auth.source.trouble() == nil {
		t.Error("nothing tells that the files do not go together")
	}
	m.away.Store(true)
	put(second, true)
	expire()
	if got := m.get(c); got != "hello" || value(t, c) != old {
		t.Error("the old token is not used with the old certificate")
	}
	m.away.Store(false)
	c.cache.mu.Lock()
	c.cache.failed = nil // as after its pause
	c.cache.mu.Unlock()
	value(t, c)
	c.cache.mu.Lock()
	f := c.cache.flight
	c.cache.mu.Unlock()
	if f != nil { // or it is over already
		<-f.done
	}
	if want := "token-" + symbolon.CertificateThumbprint(second.Certificate[0]); value(t, c) != want {
		t.Errorf("a token of %s", value(t, c))
	}
	if got := m.get(c); got != "hello" || auth.source.trouble() != nil {
		t.Error(got)
	}
}

// TestATokenEndsWithItsCertificate: no connection is made with an expired one.
func TestATokenEndsWithItsCertificate(t *testing.T) {
	m := newMutual(t)
	end := time.Now().Add(10 * time.Minute)
	c := newClient(t, m.config(Certificate(selfSigned(t, p256(t), "billing", end))))
	value(t, c)
	if until := c.cache.current.Load().until; until.After(end) {
		t.Errorf("given out until %s, the certificate ends %s", until, end)
	}
}

// TestNoSessionWithoutTheCertificateIsResumed: one that the program began by its
// own transport would go on without a certificate.
func TestNoSessionWithoutTheCertificateIsResumed(t *testing.T) {
	m := newMutual(t)
	cfg := m.config(Certificate(selfSigned(t, p256(t), "billing", tomorrow())))
	c := newClient(t, cfg)
	value(t, c)
	resp, err := cfg.HTTP.Get(m.a.URL) // its session is the newest of this host
	if body(t, resp, err); resp.StatusCode != http.StatusUnauthorized {
		t.Error(resp.Status)
	}
	if got := m.get(c); got != "hello" || m.requests.Load() != 1 {
		t.Errorf("%q after %d token requests", got, m.requests.Load())
	}
}

// TestTransportsWithoutRoomForACertificate: what cannot present one is refused,
// with the way out.
func TestTransportsWithoutRoomForACertificate(t *testing.T) {
	m := newMutual(t)
	cfg := m.config(Certificate(selfSigned(t, p256(t), "billing", tomorrow())))
	dials := &http.Transport{DialTLSContext: (&tls.Dialer{}).DialContext}
	good := newClient(t, cfg)
	for says, tr := range map[string]http.RoundTripper{"wrap what Client.Transport returns": countingTransport{new(int)}, "DialTLSContext": dials} {
		bad := cfg
		bad.HTTP = &http.Client{Transport: tr}
		field := new(symbolon.ConfigError)
		if _, err := New(bad); !errors.As(err, &field) || field.Field != "HTTP" || !strings.Contains(err.Error(), says) {
			t.Errorf("%v", err)
		}
		closed := &closeNoted{Reader: strings.NewReader("x")}
		req, _ := http.NewRequest(http.MethodPost, m.a.URL, closed)
		if _, err := good.Transport(tr).RoundTrip(req); err == nil || !strings.Contains(err.Error(), says) || !closed.closed {
			t.Errorf("%v", err)
		}
	}
	// Another *http.Transport does.
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: m.pool}}
	hc := &http.Client{Transport: good.Transport(tr)}
	resp, err := hc.Get(m.a.URL)
	if got := body(t, resp, err); got != "hello" {
		t.Error(got)
	}
	if tr.TLSClientConfig.GetClientCertificate != nil {
		t.Error("the program's own transport was changed")
	}
	hc.CloseIdleConnections()
}

// TestTheDefaultTransportIsCloned, and not changed.
func TestTheDefaultTransportIsCloned(t *testing.T) {
	c, err := New(Config{TokenURL: "https://auth.example.com/token", ID: "c", Auth: Certificate(selfSigned(t, p256(t), "c", tomorrow()))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	def := http.DefaultTransport.(*http.Transport)
	s, _ := c.cfg.bound().fresh()
	if tr := c.certified.with(s); tr == def || tr.TLSClientConfig.GetClientCertificate == nil || def.TLSClientConfig != nil && def.TLSClientConfig.GetClientCertificate != nil {
		t.Error("the default transport was changed")
	}
	if first, again := c.certified.with(s), c.certified.with(s); first != again {
		t.Error("connections are not used again")
	}
	if got := c.Transport(nil).(*transport).certified; got != c.certified {
		t.Error("connections are not shared")
	}
}

// TestNoCertificateOverPlainHTTP: the metadata leads there.
func TestNoCertificateOverPlainHTTP(t *testing.T) {
	s := newAuthServer(t)
	cfg := s.config()
	cfg.Auth = Certificate(selfSigned(t, p256(t), "billing", tomorrow()))
	if _, err := newClient(t, cfg).Token(t.Context()); err == nil || !strings.Contains(err.Error(), "plain http") || s.requests.Load() != 0 {
		t.Error(err)
	}
}

// TestKeysThatCannotBeUsed: each fails in New, with the field's name and nothing
// of the key.
func TestKeysThatCannotBeUsed(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	key := p256(t)
	good := selfSigned(t, key, "billing", tomorrow())
	other := good
	other.PrivateKey = p256(t)
	none := good
	none.PrivateKey = nil
	typed := good
	typed.PrivateKey = (*ecdsa.PrivateKey)(nil)
	garbage := good
	garbage.Certificate = [][]byte{[]byte("c4n4ry")}
	certPEM, keyPEM := pairPEM(t, good)
	both := write(t, "", append(certPEM, keyPEM...))
	big := write(t, "", []byte(strings.Repeat("c4n4ry", 1<<17)))
	public, keyFile := write(t, "", certPEM), write(t, "", keyPEM)
	withAuth := func(a Auth) func(*Config) { return func(c *Config) { c.Auth = a } }
	for name, c := range map[string]struct {
		field  string
		change func(*Config)
	}{
		"no key":                    {"Auth", withAuth(PrivateKeyJWT(nil, ""))},
		"a typed nil":               {"Auth", withAuth(PrivateKeyJWT((*ecdsa.PrivateKey)(nil), ""))},
		"a typed nil RSA key":       {"Auth", withAuth(PrivateKeyJWT((*rsa.PrivateKey)(nil), ""))},
		"an empty key":              {"Auth", withAuth(PrivateKeyJWT(&ecdsa.PrivateKey{}, ""))},
		"a weak key":                {"Auth", withAuth(PrivateKeyJWT(weak, ""))},
		"a kid that is no text":     {"Auth", withAuth(PrivateKeyJWT(key, "\xff"))},
		"no such key file":          {"Auth", withAuth(PrivateKeyFile(public+".none", ""))},
		"a certificate as key file": {"Auth", withAuth(PrivateKeyFile(public, ""))},
		"a directory as key file":   {"Auth", withAuth(PrivateKeyFile(filepath.Dir(public), ""))},
		"a huge key file":           {"Auth", withAuth(PrivateKeyFile(big, ""))},
		"a broken JWK":              {"Auth", withAuth(PrivateKeyFile(write(t, "", []byte(`{"kty":"EC","d":"c4n4ry"}`)), ""))},
		"a public JWK":              {"Auth", withAuth(PrivateKeyFile(write(t, "", []byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)), ""))},
		"a key without issuer":      {"Issuer", func(c *Config) { c.Issuer, c.TokenURL, c.Auth = "", "https://a.example/token", PrivateKeyJWT(key, "") }},
		"a key file without issuer": {"Issuer", func(c *Config) {
			c.Issuer, c.TokenURL, c.Auth = "", "https://a.example/token", PrivateKeyFile(keyFile, "")
		}},
		"no certificate":              {"Auth", withAuth(Certificate(tls.Certificate{}))},
		"a nil certificate":           {"Auth", withAuth((*ClientCertificate)(nil))},
		"an empty ClientCertificate":  {"Auth", withAuth(&ClientCertificate{})},
		"a certificate, no key":       {"Auth", withAuth(Certificate(none))},
		"a certificate, a typed nil":  {"Auth", withAuth(Certificate(typed))},
		"another certificate's key":   {"Auth", withAuth(Certificate(other))},
		"no certificate in the DER":   {"Auth", withAuth(Certificate(garbage))},
		"no such certificate file":    {"Auth", withAuth(CertificateFiles(public+".none", both))},
		"no such certificate key":     {"Auth", withAuth(CertificateFiles(public, public+".none"))},
		"a file without a key":        {"Auth", withAuth(CertificateFiles(public, ""))},
		"a huge certificate file":     {"Auth", withAuth(CertificateFiles(big, both))},
		"an empty certificate as TLS": {"TLS", func(c *Config) { c.TLS = &ClientCertificate{} }},
		"two certificates":            {"TLS", func(c *Config) { c.Auth, c.TLS = Certificate(good), Certificate(good) }},
		"a certificate over http":     {"TokenURL", func(c *Config) { c.TokenURL, c.Auth = "http://localhost/token", Certificate(good) }},
		"a typed nil for proofs":      {"DPoP", func(c *Config) { c.DPoP = (*ecdsa.PrivateKey)(nil) }},
		"a weak key for proofs":       {"DPoP", func(c *Config) { c.DPoP = weak }},
	} {
		cfg := Config{Issuer: "https://auth.example.com", ID: "billing", Auth: Secret("s"), Resource: "https://orders.example.com"}
		c.change(&cfg)
		_, err := New(cfg)
		field := new(symbolon.ConfigError)
		if !errors.As(err, &field) || field.Field != c.field || strings.Contains(err.Error(), "c4n4ry") {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg := Config{Issuer: "https://auth.example.com", ID: "billing", Auth: CertificateFiles(both, ""), HTTP: &http.Client{}}
	if _, err := New(cfg); err != nil {
		t.Errorf("both in one file: %v", err)
	}
	if err := os.Remove(both); err != nil {
		t.Fatal(err)
	}
}

// TestAnUnusableAlias: over plain http, or a name that two programs read in two
// ways.
func TestAnUnusableAlias(t *testing.T) {
	for name, aliases := range map[string]string{
		"plain http":    `{"token_endpoint":"http://auth.example.com/token"}`,
		"no URL":        `{"token_endpoint":"token"}`,
		"in capitals":   `{"Token_Endpoint":"https://auth.example.com/token"}`,
		"twice":         `{"token_endpoint":"https://a.example/token","token_endpoint":"https://b.example/token"}`,
		"not an object": `["https://auth.example.com/token"]`,
	} {
		s := site(t, map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"{issuer}","token_endpoint":"{issuer}/token","mtls_endpoint_aliases":` + aliases + `}`})
		if _, err := Discover(t.Context(), s.Client(), s.URL); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s := site(t, map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"{issuer}","mtls_endpoint_aliases":{"token_endpoint":"https://mtls.example.com/token","introspection_endpoint":"https://mtls.example.com/x"}}`})
	if m, err := Discover(t.Context(), s.Client(), s.URL); err != nil || m.MTLSAliases.TokenEndpoint != "https://mtls.example.com/token" {
		t.Error(m, err)
	}
}
