package guard

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// selfSigned is a certificate with its key.
func selfSigned(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func certPEM(c tls.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
}

// pair is a listener's certificate in files.
func pair(t *testing.T) *ListenerTLS {
	t.Helper()
	c := selfSigned(t, "orders.example.com")
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	files := &ListenerTLS{Cert: filepath.Join(t.TempDir(), "cert.pem"), Key: filepath.Join(t.TempDir(), "key.pem")}
	for name, text := range map[string][]byte{files.Cert: certPEM(c), files.Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestDPoPThroughTheProxy: our own client, nonces included, with nothing told but
// where the API is.
func TestDPoPThroughTheProxy(t *testing.T) {
	nonces := filepath.Join(t.TempDir(), "nonce.key")
	random := make([]byte, 32)
	rand.Read(random)
	if err := os.WriteFile(nonces, random, 0o600); err != nil {
		t.Fatal(err)
	}
	w := start(t, nil, func(c *Config) { c.NonceKeyFile, c.Bound = nonces, "dpop" })
	key := newKey(t)
	c := w.proving(t, key)
	seen := map[string]bool{}
	for range 4 {
		resp, err := c.HTTP().Get("http://" + w.addr + "/orders/1?page=2")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := w.reached(); resp.StatusCode != 200 || len(got) != 1 || got[0].Header["Dpop"] != nil || got[0].Header["Authorization"] != nil {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		if n := resp.Header.Get("Dpop-Nonce"); n != "" {
			seen[n] = true
			if resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("a nonce that may be cached: %q", resp.Header)
			}
		}
		w.auth.Advance(time.Minute)
	}
	if len(seen) < 2 {
		t.Errorf("%d new nonces in four minutes", len(seen))
	}
	if resp, body := do(t, "GET", "http://"+w.addr, "/orders", head("Authorization", w.bearer(t)), nil); resp.StatusCode != 401 || !strings.Contains(body, "bound") {
		t.Errorf("a bearer token: %d %s", resp.StatusCode, body)
	}
}

// prove makes a proof as a client does.
func prove(t *testing.T, w *world, key crypto.Signer, method, htu, token, nonce string) string {
	t.Helper()
	s, err := jose.NewProofSigner(key, "", symbolon.TypDPoPProof)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(token))
	claims := map[string]any{
		"jti": rand.Text(), "htm": method, "htu": htu, "iat": w.auth.Now().Unix(), "ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

// TestDPoPOfTheOriginalRequest: in forward-auth a proof is for what the proxy was
// asked for, not for the question.
func TestDPoPOfTheOriginalRequest(t *testing.T) {
	nonces := filepath.Join(t.TempDir(), "nonce.key")
	if err := os.WriteFile(nonces, bytes.Repeat([]byte{7}, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	for headers := range families {
		t.Run(headers, func(t *testing.T) {
			w := start(t, nil, func(c *Config) { c.ForwardAuth.Headers, c.NonceKeyFile = headers, nonces })
			key := newKey(t)
			got, err := w.proving(t, key).Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			token, public := got.Value(), "http://"+w.addr
			ask := func(method, uri string, proofs ...string) (*http.Response, string) {
				more := []string{"Authorization", "DPoP " + token}
				for _, p := range proofs {
					more = append(more, "Dpop", p)
				}
				return askAs(t, w, headers, method, uri, "", more...)
			}
			resp, body := ask("GET", "/orders/1?page=2", prove(t, w, key, "GET", public+"/orders/1", token, ""))
			nonce := resp.Header.Get("Dpop-Nonce")
			if resp.StatusCode != 401 || nonce == "" || !strings.Contains(resp.Header.Get("Www-Authenticate"), `DPoP realm="https://orders.example.com"`) ||
				!strings.Contains(resp.Header.Get("Www-Authenticate"), `error="use_dpop_nonce"`) {
				t.Fatalf("without a nonce: %d %s %q", resp.StatusCode, body, resp.Header)
			}
			good := prove(t, w, key, "GET", public+"/orders/1", token, nonce)
			if resp, body := ask("GET", "/orders/1?page=2", good); resp.StatusCode != 200 || resp.Header.Get("X-Auth-Client-Id") != "billing" || resp.Header.Get("Dpop-Nonce") != "" {
				t.Errorf("%d %s %q", resp.StatusCode, body, resp.Header)
			}
			for name, c := range map[string]struct {
				method, uri string
				proofs      []string
			}{
				"again":               {"GET", "/orders/1", []string{good}},
				"for another path":    {"GET", "/orders/2", []string{prove(t, w, key, "GET", public+"/orders/1", token, nonce)}},
				"for another method":  {"PUT", "/orders/1", []string{prove(t, w, key, "GET", public+"/orders/1", token, nonce)}},
				"for the question":    {"GET", "/orders/1", []string{prove(t, w, key, "GET", "http://"+w.asked+"/forward-auth", token, nonce)}},
				"for another host":    {"GET", "/orders/1", []string{prove(t, w, key, "GET", "http://evil.example.com/orders/1", token, nonce)}},
				"of another key":      {"GET", "/orders/1", []string{prove(t, w, newKey(t), "GET", public+"/orders/1", token, nonce)}},
				"for another token":   {"GET", "/orders/1", []string{prove(t, w, key, "GET", public+"/orders/1", token+"x", nonce)}},
				"with a made-up one":  {"GET", "/orders/1", []string{prove(t, w, key, "GET", public+"/orders/1", token, strings.Repeat("A", 28))}},
				"two of them":         {"GET", "/orders/1", []string{prove(t, w, key, "GET", public+"/orders/1", token, nonce), prove(t, w, key, "GET", public+"/orders/1", token, nonce)}},
				"none":                {"GET", "/orders/1", nil},
				"something else":      {"GET", "/orders/1", []string{"x"}},
				"a scope it lacks":    {"POST", "/orders", []string{prove(t, w, key, "POST", public+"/orders", token, nonce)}},
				"the path of a trick": {"GET", "/orders/../orders/1", []string{prove(t, w, key, "GET", public+"/orders/1", token, nonce)}},
			} {
				if resp, body := ask(c.method, c.uri, c.proofs...); resp.StatusCode != 401 && resp.StatusCode != 403 {
					t.Errorf("%s: %d %s", name, resp.StatusCode, body)
				}
			}
		})
	}
}

// certified is a world with an issuer of its own, whose token is bound to a
// certificate.
func certified(t *testing.T, change func(*Config)) (w *world, held tls.Certificate, token string) {
	t.Helper()
	held = selfSigned(t, "billing")
	signer, err := jose.NewSigner(newKey(t), jose.ES256, "k1", symbolon.TypAccessToken)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(rw http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(rw).Encode(map[string]string{"issuer": srv.URL, "token_endpoint": srv.URL + "/token", "jwks_uri": srv.URL + "/jwks"})
	})
	mux.HandleFunc("GET /jwks", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Write((&jose.KeySet{Keys: []*jose.Key{signer.Key()}}).JSON())
	})
	claims := symbolon.Claims{
		Issuer: srv.URL, Subject: "billing@clients", Audience: []string{"https://orders.example.com"}, Expiry: time.Now().Unix() + 3600, IssuedAt: time.Now().Unix(),
		ID: "j1", ClientID: "billing", Scope: "orders:read", Confirmation: &symbolon.Confirmation{X5TS256: symbolon.CertificateThumbprint(held.Certificate[0])},
	}
	if token, err = signer.Sign(claims.AppendJSON(nil)); err != nil {
		t.Fatal(err)
	}
	w = start(t, nil, func(c *Config) {
		c.Issuer = srv.URL
		change(c)
	})
	return w, held, token
}

// TestCertificatesOfConnections: a bound token is taken on connections with its
// certificate alone, whatever headers say, of a trusted peer too.
func TestCertificatesOfConnections(t *testing.T) {
	for _, form := range []string{"Client-Cert", "X-Client-Cert"} {
		t.Run("configured: "+form, func(t *testing.T) { certificatesOfConnections(t, form) })
	}
}

func certificatesOfConnections(t *testing.T, form string) {
	w, held, token := certified(t, func(c *Config) {
		c.Proxy.TLS = pair(t)
		c.Proxy.TLS.ClientCerts = "request"
		c.Proxy.Trusted = []string{"127.0.0.1"}
		c.ClientCertHeader = form
	})
	forged := ":" + base64.StdEncoding.EncodeToString(held.Certificate[0]) + ":"
	for name, c := range map[string]struct {
		certs  []tls.Certificate
		header http.Header
		status int
	}{
		"its own":     {[]tls.Certificate{held}, nil, 200},
		"another's":   {[]tls.Certificate{selfSigned(t, "billing")}, nil, 401},
		"none":        {nil, nil, 401},
		"in a header": {nil, head("Client-Cert", forged, "X-Client-Cert", url.PathEscape(string(certPEM(held)))), 401},
	} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: c.certs}}
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+w.addr+"/orders", nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.header != nil {
			r.Header = c.header
		}
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		tr.CloseIdleConnections()
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, c.status)
		}
		for _, a := range w.reached() {
			// Who the client is, its id says: sub may be another text.
			if a.Header.Get("X-Auth-Client-Id") != "billing" || a.Header.Get("X-Auth-Subject") != "billing@clients" {
				t.Errorf("%s: the API was told %q", name, a.Header)
			}
			if a.Header["Client-Cert"] != nil || a.Header["X-Client-Cert"] != nil {
				t.Errorf("%s: the API got %q", name, a.Header)
			}
		}
	}
}

// TestCertificatesInHeaders: from a trusted peer, in the form that is
// configured, once; from nobody else.
func TestCertificatesInHeaders(t *testing.T) {
	for _, form := range []string{"", "Client-Cert", "X-Client-Cert"} {
		t.Run("configured: "+form, func(t *testing.T) {
			w, held, token := certified(t, func(c *Config) {
				c.ClientCertHeader = form
				c.Proxy.Trusted = []string{"127.0.0.1"}
			})
			rfc9440 := ":" + base64.StdEncoding.EncodeToString(held.Certificate[0]) + ":"
			text := string(certPEM(held))
			escaped := strings.ReplaceAll(url.QueryEscape(text), "+", "%20") // as nginx does: "+" of Base64 is %2B
			for name, c := range map[string]struct {
				headers []string
				status  int // where that form is configured
				form    string
			}{
				"RFC 9440":                  {[]string{"Client-Cert", rfc9440}, 200, "Client-Cert"},
				"RFC 9440, twice":           {[]string{"Client-Cert", rfc9440, "Client-Cert", rfc9440}, 400, "Client-Cert"},
				"RFC 9440, not one":         {[]string{"Client-Cert", "x"}, 400, "Client-Cert"},
				"RFC 9440, underscores":     {[]string{"Client_Cert", rfc9440}, 401, "Client-Cert"},
				"RFC 9440, another's":       {[]string{"Client-Cert", ":" + base64.StdEncoding.EncodeToString(selfSigned(t, "billing").Certificate[0]) + ":"}, 401, "Client-Cert"},
				"escaped":                   {[]string{"X-Client-Cert", escaped}, 200, "X-Client-Cert"},
				"escaped, plus as it is":    {[]string{"X-Client-Cert", url.PathEscape(text)}, 200, "X-Client-Cert"},
				"escaped, twice":            {[]string{"X-Client-Cert", escaped, "X-Client-Cert", escaped}, 400, "X-Client-Cert"},
				"escaped, two in one":       {[]string{"X-Client-Cert", escaped + escaped}, 400, "X-Client-Cert"},
				"escaped, something before": {[]string{"X-Client-Cert", "a%0A" + escaped}, 400, "X-Client-Cert"},
				"escaped, half":             {[]string{"X-Client-Cert", escaped[:100]}, 400, "X-Client-Cert"},
				"escaped, no encoding":      {[]string{"X-Client-Cert", "%zz"}, 400, "X-Client-Cert"},
				"escaped, a key":            {[]string{"X-Client-Cert", strings.ReplaceAll(escaped, "CERTIFICATE", "PRIVATE%20KEY")}, 400, "X-Client-Cert"},
				"escaped, empty":            {[]string{"X-Client-Cert", ""}, 401, "X-Client-Cert"},
				"escaped, underscores":      {[]string{"X_Client_Cert", escaped}, 401, "X-Client-Cert"},
				"nothing":                   {nil, 401, "Client-Cert"},
			} {
				want := c.status
				if c.form != form {
					want = 401
				}
				resp, body := do(t, "GET", "http://"+w.addr, "/orders", head(append(c.headers, "Authorization", "Bearer "+token)...), nil)
				if resp.StatusCode != want {
					t.Errorf("proxy, %s: %d %s, want %d", name, resp.StatusCode, body, want)
				}
				if want == 400 {
					want = 403
				}
				if resp, body := askAs(t, w, "nginx", "GET", "/orders", "", append(c.headers, "Authorization", "Bearer "+token)...); resp.StatusCode != want {
					t.Errorf("forward-auth, %s: %d %s, want %d", name, resp.StatusCode, body, want)
				}
			}
		})
	}
	t.Run("from a stranger", func(t *testing.T) {
		w, held, token := certified(t, func(c *Config) {
			c.ClientCertHeader = "X-Client-Cert"
			c.Proxy.Trusted = []string{"192.0.2.1"}
		})
		if resp, _ := do(t, "GET", "http://"+w.addr, "/orders", head("Authorization", "Bearer "+token, "X-Client-Cert", url.PathEscape(string(certPEM(held))), "X-Forwarded-For", "192.0.2.1"), nil); resp.StatusCode != 401 {
			t.Errorf("%d", resp.StatusCode)
		}
	})
}
