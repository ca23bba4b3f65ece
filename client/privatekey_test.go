package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// asserted is an assertion that arrived.
type asserted struct {
	header jose.Header
	claims map[string]any
	form   url.Values
}

// readAssertion verifies the request's assertion with the key.
func readAssertion(t *testing.T, r *http.Request, public crypto.PublicKey, alg jose.Algorithm) asserted {
	t.Helper()
	if err := r.ParseForm(); err != nil {
		t.Error(err)
	}
	a := asserted{form: r.PostForm, claims: map[string]any{}}
	key, err := jose.NewKey(public, alg, "")
	if err != nil {
		t.Error(err)
		return a
	}
	token, err := jose.Parse(r.PostForm.Get("client_assertion"))
	if err != nil {
		t.Error(err)
		return a
	}
	if err := token.Verify(key); err != nil {
		t.Error(err)
	}
	a.header = token.Header
	if err := json.Unmarshal(token.Payload, &a.claims); err != nil {
		t.Error(err)
	}
	return a
}

// TestRFC7523_3_Assertion is what is signed and sent, with each kind of key.
func TestRFC7523_3_Assertion(t *testing.T) {
	for alg, key := range testKeys() {
		for _, kid := range []string{"", "k1"} {
			s := newAuthServer(t)
			var got asserted
			s.answer(func(w http.ResponseWriter, r *request) {
				if r.Header.Get("Authorization") != "" {
					t.Error("RFC 6749 §2.3: authenticated in two ways")
				}
				got = readAssertion(t, r.Request, key.Public(), alg)
				grant(w, r, time.Hour)
			})
			cfg := s.config()
			now := time.Unix(1800000000, 0)
			cfg.Auth, cfg.Now = PrivateKeyJWT(key, kid), func() time.Time { return now }
			value(t, newClient(t, cfg))
			if got.header.Type != "client-authentication+jwt" || got.header.KeyID != kid || got.header.Algorithm != alg {
				t.Errorf("%s: header %+v", alg, got.header)
			}
			c := got.claims
			if c["iss"] != "billing" || c["sub"] != "billing" || len(c) != 6 {
				t.Errorf("claims %v", c)
			}
			if c["aud"] != s.issuer {
				t.Errorf("aud is %v, not the issuer as a single string", c["aud"])
			}
			if id, err := jose.DecodeSegment(c["jti"].(string)); err != nil || len(id) != 16 {
				t.Errorf("jti is %v", c["jti"])
			}
			if iat, exp := c["iat"].(float64), c["exp"].(float64); exp-iat != 60 || int64(iat) != now.Unix() {
				t.Errorf("from %v to %v", iat, exp)
			}
			if got.form.Get("client_id") != "billing" || got.form.Get("client_assertion_type") != symbolon.AssertionTypeJWT || got.form.Get("grant_type") != "client_credentials" || got.form.Has("client_secret") {
				t.Errorf("form %v", got.form)
			}
		}
	}
}

// TestRFC7523_3_AudienceIsTheConfiguredIssuer: whatever the metadata says the
// token endpoint is, and where the endpoint is configured too.
func TestRFC7523_3_AudienceIsTheConfiguredIssuer(t *testing.T) {
	key := p256(t)
	var audiences []any
	elsewhere := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		audiences = append(audiences, readAssertion(t, r, key.Public(), "").claims["aud"])
		grant(w, &request{1, r}, time.Hour)
	}))
	var s *httptest.Server
	s = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q}`, s.URL, elsewhere.URL+"/other/token")
	}))
	for _, cfg := range []Config{{Issuer: s.URL}, {Issuer: s.URL, TokenURL: elsewhere.URL}} {
		cfg.ID, cfg.Auth = "billing", PrivateKeyJWT(key, "")
		value(t, newClient(t, cfg))
	}
	if len(audiences) != 2 || audiences[0] != s.URL || audiences[1] != s.URL {
		t.Errorf("%v", audiences)
	}
}

// TestRS256WhereOnlyThatIsOffered: an RSA key that is not pinned signs what the
// server takes; one that is pinned by its JWK, as it says.
func TestRS256WhereOnlyThatIsOffered(t *testing.T) {
	key := testKeys()[jose.PS256].(*rsa.PrivateKey)
	for offered, want := range map[string]jose.Algorithm{
		`["RS256"]`: jose.RS256, `["RS256","PS256"]`: jose.PS256, `["ES256"]`: jose.PS256, `[]`: jose.PS256,
	} {
		var srv *httptest.Server
		srv = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/token" {
				fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q,"token_endpoint_auth_signing_alg_values_supported":%s}`, srv.URL, srv.URL+"/token", offered)
				return
			}
			readAssertion(t, r, key.Public(), want)
			grant(w, &request{1, r}, time.Hour)
		}))
		value(t, newClient(t, Config{Issuer: srv.URL, ID: "c", Auth: PrivateKeyJWT(key, "")}))
	}
}

// TestPrivateKeyFiles: every form of a file, and a new key without a restart.
func TestPrivateKeyFiles(t *testing.T) {
	key := p256(t)
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey := testKeys()[jose.PS256].(*rsa.PrivateKey)
	for name, c := range map[string]struct {
		text []byte
		kid  string
		key  crypto.Signer
		want string // kid
	}{
		"PKCS #8":             {pkcs8(t, key), "", key, ""},
		"PKCS #8 with a kid":  {pkcs8(t, key), "k1", key, "k1"},
		"SEC 1":               {pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), "", key, ""},
		"PKCS #1":             {pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}), "", rsaKey, ""},
		"JWK":                 {privateJWK(t, key, nil), "", key, ""},
		"JWK with its kid":    {append([]byte("\n "), privateJWK(t, key, map[string]string{"kid": "mine"})...), "", key, "mine"},
		"JWK with a kid over": {privateJWK(t, key, map[string]string{"kid": "mine"}), "k1", key, "k1"},
	} {
		s := newAuthServer(t)
		var got asserted
		s.answer(func(w http.ResponseWriter, r *request) {
			alg := jose.Algorithm("")
			if _, ok := c.key.(*rsa.PrivateKey); ok {
				alg = jose.PS256
			}
			got = readAssertion(t, r.Request, c.key.Public(), alg)
			grant(w, r, time.Hour)
		})
		cfg := s.config()
		cfg.Auth = PrivateKeyFile(write(t, "", c.text), c.kid)
		value(t, newClient(t, cfg))
		if got.header.KeyID != c.want {
			t.Errorf("%s: kid %q", name, got.header.KeyID)
		}
	}
}

// TestANewPrivateKeyNeedsNoRestart: nor does a refusal of the old one stand in
// its way.
func TestANewPrivateKeyNeedsNoRestart(t *testing.T) {
	first, second := p256(t), p256(t)
	path := write(t, "", pkcs8(t, first))
	s := newAuthServer(t)
	s.answer(func(w http.ResponseWriter, r *request) { refuse(w, http.StatusUnauthorized, "invalid_client") })
	cfg := s.config()
	cfg.Auth = PrivateKeyFile(path, "")
	c := newClient(t, cfg)
	if _, err := c.Token(t.Context()); err == nil {
		t.Fatal("no error")
	}
	s.answer(func(w http.ResponseWriter, r *request) {
		readAssertion(t, r.Request, second.Public(), "")
		grant(w, r, time.Hour)
	})
	write(t, path, append([]byte("a comment before the key\n"), pkcs8(t, second)...))
	value(t, c)
	if n := s.requests.Load(); n != 2 {
		t.Errorf("%d requests", n)
	}
	// What is no key any more is an error that names the file, not its text.
	write(t, path, []byte("-----BEGIN c4n4ry"))
	_, err := c.ask(t.Context())
	if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "c4n4ry") {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ask(t.Context()); err == nil || err.Code != symbolon.InvalidClient {
		t.Error(err)
	}
}

// clockServer is a server whose clock is another than ours: it takes assertions
// and proofs that are made by its own.
type clockServer struct {
	t     *testing.T
	key   *ecdsa.PrivateKey
	ahead time.Duration

	mu  sync.Mutex
	ids []string // jti of the assertions
}

func (s *clockServer) answer(w http.ResponseWriter, r *request) {
	a := readAssertion(s.t, r.Request, s.key.Public(), "")
	s.mu.Lock()
	s.ids = append(s.ids, a.claims["jti"].(string))
	s.mu.Unlock()
	now := time.Now().Add(s.ahead)
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	iat := time.Unix(int64(a.claims["iat"].(float64)), 0)
	if now.Sub(iat).Abs() > 20*time.Second {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	grant(w, r, time.Hour)
}

// TestAClockThatIsWrongIsCorrectedOnce: by the Date of the refusal, in both
// directions; the next request has the right time at once; and when the clock is
// set right, that is learnt too.
func TestAClockThatIsWrongIsCorrectedOnce(t *testing.T) {
	for _, ahead := range []time.Duration{-10 * time.Minute, 25 * time.Second, 23 * time.Hour} {
		s := newAuthServer(t)
		cs := &clockServer{t: t, key: p256(t), ahead: ahead}
		s.answer(cs.answer)
		cfg := s.config()
		cfg.Auth = PrivateKeyJWT(cs.key, "")
		c := newClient(t, cfg)
		value(t, c)
		if n := s.requests.Load(); n != 2 {
			t.Errorf("ahead by %s: %d requests", ahead, n)
		}
		if _, err := c.ask(t.Context()); err != nil || s.requests.Load() != 3 {
			t.Errorf("ahead by %s: the time was not remembered: %v after %d requests", ahead, err, s.requests.Load())
		}
		cs.ahead = 0
		if _, err := c.ask(t.Context()); err != nil || s.requests.Load() != 5 {
			t.Errorf("back from %s: %v after %d requests", ahead, err, s.requests.Load())
		}
		cs.mu.Lock()
		seen := map[string]bool{}
		for _, id := range cs.ids {
			if seen[id] {
				t.Error("an assertion was sent twice")
			}
			seen[id] = true
		}
		cs.mu.Unlock()
	}
}

// TestNoRetryWithoutANewTime: a refusal that the clock does not explain is told
// after one request, and one that it explains after two.
func TestNoRetryWithoutANewTime(t *testing.T) {
	for name, c := range map[string]struct {
		date  string
		auth  Auth
		wants int64
	}{
		"our own time":       {"", PrivateKeyJWT(p256(t), ""), 1},
		"no date":            {"none", PrivateKeyJWT(p256(t), ""), 1},
		"another time":       {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), PrivateKeyJWT(p256(t), ""), 2},
		"a wandering time":   {"wanders", PrivateKeyJWT(p256(t), ""), 2},
		"a year away":        {time.Now().AddDate(1, 0, 0).UTC().Format(http.TimeFormat), PrivateKeyJWT(p256(t), ""), 1},
		"nothing that times": {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), Secret("s"), 1},
	} {
		s := newAuthServer(t)
		s.answer(func(w http.ResponseWriter, r *request) {
			switch c.date {
			case "":
			case "none":
				w.Header()["Date"] = nil
			case "wanders":
				w.Header().Set("Date", time.Now().Add(time.Duration(r.n)*time.Hour).UTC().Format(http.TimeFormat))
			default:
				w.Header().Set("Date", c.date)
			}
			refuse(w, http.StatusUnauthorized, "invalid_client")
		})
		cfg := s.config()
		cfg.Auth = c.auth
		if _, err := newClient(t, cfg).Token(t.Context()); err == nil || s.requests.Load() != c.wants {
			t.Errorf("%s: %v after %d requests", name, err, s.requests.Load())
		}
	}
}

// TestEveryAttemptHasAnAssertionOfItsOwn: also after trouble at the server, and
// made when it is sent.
func TestEveryAttemptHasAnAssertionOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := p256(t)
		seen := map[any]bool{}
		s := &authServer{issuer: "http://auth.localhost"}
		s.answer(func(w http.ResponseWriter, r *request) {
			a := readAssertion(t, r.Request, key.Public(), "")
			if seen[a.claims["jti"]] {
				t.Error("an assertion was sent twice")
			}
			seen[a.claims["jti"]] = true
			if iat := int64(a.claims["iat"].(float64)); iat != time.Now().Unix() {
				t.Errorf("made %d seconds before it was sent", time.Now().Unix()-iat)
			}
			if r.n <= 2 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			grant(w, r, time.Hour)
		})
		cfg := s.config()
		cfg.HTTP = &http.Client{Transport: direct{s}}
		cfg.Auth = PrivateKeyJWT(key, "")
		if got := value(t, newClient(t, cfg)); got != "token-3" {
			t.Error(got)
		}
	})
}
