package resource

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// TestBound: which tokens pass where which binding is demanded, and which schemes
// and metadata callers are told.
func TestBound(t *testing.T) {
	i := newIssuer(t)
	h := newHolder(t, i, time.Now)
	cert := certificate(t, "billing")
	leaf := &x509.Certificate{Raw: cert.Certificate[0]}
	thumbprint := symbolon.CertificateThumbprint(leaf.Raw)
	tokens := map[string]string{
		"none": i.token(t, nil),
		"dpop": h.bound(t, i, nil),
		"mtls": certifiedToken(t, i, cert),
		"both": h.bound(t, i, func(c *symbolon.Claims) { c.Confirmation.X5TS256 = thumbprint }),
	}
	const algs = `"dpop_signing_alg_values_supported":["ES256","ES384","PS256","RS256","EdDSA","Ed25519"]`
	for bound, c := range map[string]struct{ takes, schemes, metadata string }{
		"":            {"none dpop mtls both", "Bearer DPoP", algs},
		BoundOptional: {"none dpop mtls both", "Bearer DPoP", algs},
		BoundRequired: {"dpop mtls both", "Bearer DPoP", algs},
		BoundDPoP:     {"dpop both", "DPoP", algs + `,"dpop_bound_access_tokens_required":true`},
		BoundMTLS:     {"mtls both", "Bearer", `"tls_client_certificate_bound_access_tokens":true`},
	} {
		cfg := i.config()
		cfg.Bound = bound
		a := newAPI(t, cfg)
		for name, token := range tokens {
			h.token = token
			r := Request{Method: "GET", URL: &url.URL{Path: "/orders"}, Certificate: leaf}
			if name == "dpop" || name == "both" {
				r.Authorization, r.DPoP = []string{"DPoP " + token}, []string{h.proof(t, nil)}
			} else {
				r.Authorization = []string{"Bearer " + token}
			}
			_, err := a.Check(t.Context(), r)
			if takes := contains(" "+c.takes+" ", " "+name+" "); takes != (err == nil) || !takes && !sameError(err, errUnbound) {
				t.Errorf("%q, %s: %v", bound, name, err)
			}
		}
		w := httptest.NewRecorder()
		a.WriteError(w, &refusal{err: errUnbound, scheme: symbolon.TokenTypeBearer})
		var schemes []string
		told := 0
		for _, v := range w.Header()["Www-Authenticate"] {
			scheme, rest, _ := strings.Cut(v, " ")
			schemes = append(schemes, scheme)
			if contains(rest, `error="invalid_token"`) {
				told++
			}
		}
		if strings.Join(schemes, " ") != c.schemes || told != 1 {
			t.Errorf("%q: %q", bound, w.Header()["Www-Authenticate"])
		}
		w = httptest.NewRecorder()
		a.serveMetadata(w, nil)
		if !strings.HasSuffix(w.Body.String(), `"bearer_methods_supported":["header"],`+c.metadata+"}") {
			t.Errorf("%q: %s", bound, w.Body)
		}
	}
}

// TestExplainBindings: the steps of a request with a token that is bound.
func TestExplainBindings(t *testing.T) {
	i := newIssuer(t)
	cfg := i.config()
	cfg.NonceKey, cfg.Bound = key32(1), BoundRequired
	a := newAPI(t, cfg)
	h := newHolder(t, i, time.Now)
	leaf := &x509.Certificate{Raw: certificate(t, "billing").Certificate[0]}
	h.token = h.bound(t, i, func(c *symbolon.Claims) { c.Confirmation.X5TS256 = symbolon.CertificateThumbprint(leaf.Raw) })
	const begin = "request form type issuer audience key signature expiry begin claims bound"
	const proof = begin + " scheme certificate proof form proof type proof algorithm proof key proof signature proof claims proof method proof url proof time proof token"
	good := h.proof(t, set("nonce", a.DPoPNonce()))
	r := Request{Method: "GET", URL: &url.URL{Path: "/orders"}, Authorization: []string{"DPoP " + h.token}, DPoP: []string{good}, Certificate: leaf}
	other := newHolder(t, i, time.Now)
	other.token = h.token
	for _, c := range []struct {
		name   string
		change func(*Request)
		want   string
	}{
		{"no certificate", func(r *Request) { r.Certificate = nil }, begin + " scheme certificate!"},
		{"as bearer token", func(r *Request) { r.Authorization = []string{"Bearer " + h.token} }, begin + " scheme!"},
		{"no proof", func(r *Request) { r.DPoP = nil }, begin + " scheme certificate proof form!"},
		{"no path", func(r *Request) { r.URL = nil }, begin + " scheme certificate proof url!"},
		{"another method", func(r *Request) { r.Method = "PUT" }, strings.TrimSuffix(proof, " proof url proof time proof token") + "!"},
		{"another key", func(r *Request) { r.DPoP = []string{other.proof(t, nil)} }, proof + " binding!"},
		{"no nonce", func(r *Request) { r.DPoP = []string{h.proof(t, nil)} }, proof + " binding nonce!"},
		{"good", func(*Request) {}, proof + " binding nonce revocation scope replay"},
		{"twice", func(*Request) {}, proof + " binding nonce revocation scope replay!"},
		{"unbound", func(r *Request) { r.Authorization = []string{"Bearer " + i.token(t, nil)} }, begin + "!"},
	} {
		q := r
		c.change(&q)
		_, checks, err := a.Explain(t.Context(), q, "orders:read")
		var names []string
		for _, step := range checks {
			name := step.Name
			if !step.OK {
				name += "!"
			}
			if step.Clause == "" || !step.OK && (step.Expected == "" || step.Got == "" || step.Fix == "") {
				t.Errorf("%s: %+v", c.name, step)
			}
			for _, secret := range []string{h.token, good, a.DPoPNonce()} {
				if contains(step.Expected+step.Got+step.Fix, secret) {
					t.Errorf("%s: a secret in %+v", c.name, step)
				}
			}
			names = append(names, name)
		}
		if got := strings.Join(names, " "); got != c.want || (err == nil) == contains(c.want, "!") {
			t.Errorf("%s: %s, %v\nwant %s", c.name, got, err, c.want)
		}
	}
}

// TestTheTokenCacheSkipsNoBinding: what is remembered of a token is who it was
// issued to, never that somebody had its key.
func TestTheTokenCacheSkipsNoBinding(t *testing.T) {
	i := newIssuer(t)
	cfg := i.config()
	cfg.TokenCache = 100
	a := newAPI(t, cfg)
	at := orders(t, a, "orders:read")
	h, thief := newHolder(t, i, time.Now), newHolder(t, i, time.Now)
	thief.token = h.token
	for range 3 {
		h.present(t, at, h.proof(t, nil)).good(t, "its holder")
		if _, v := a.cache.get(h.token); v == nil {
			t.Fatal("not remembered")
		}
		thief.present(t, at, thief.proof(t, nil)).wants(t, "a thief", "DPoP", errOtherKey)
		do(t, http.DefaultClient, "GET", at, bearerFields(h.token)).wants(t, "a downgrade", "Bearer", errDowngrade)
		if got := thief.present(t, at); got.status != 401 {
			t.Errorf("no proof: %d", got.status)
		}
	}
}

// TestBindingConfig: what cannot work fails at construction, with the field.
func TestBindingConfig(t *testing.T) {
	for name, c := range map[string]struct {
		field  string
		change func(*Config)
	}{
		"unknown bound":            {"Bound", func(c *Config) { c.Bound = "DPoP" }},
		"dpop without a URL":       {"PublicURL", func(c *Config) { c.Bound, c.Audience = BoundDPoP, "orders" }},
		"dpop at a plain audience": {"PublicURL", func(c *Config) { c.Bound, c.Audience = BoundDPoP, "http://orders.example.com" }},
		"a URL that is no URL":     {"PublicURL", func(c *Config) { c.PublicURL = "https://orders_ä.example.com" }},
		"a broken escape":          {"PublicURL", func(c *Config) { c.PublicURL = "https://orders.example.com:99999" }},
		"an unknown algorithm":     {"DPoPAlgorithms[1]", func(c *Config) { c.DPoPAlgorithms = []string{"ES256", "HS256"} }},
		"none":                     {"DPoPAlgorithms[0]", func(c *Config) { c.DPoPAlgorithms = []string{"none"} }},
		"no algorithm":             {"DPoPAlgorithms", func(c *Config) { c.DPoPAlgorithms = []string{} }},
		"a short nonce key":        {"NonceKey", func(c *Config) { c.NonceKey = key32(1)[:31] }},
		"an empty nonce key":       {"NonceKey", func(c *Config) { c.NonceKey = NonceKey{} }},
		"a nonce key of zeros":     {"NonceKey", func(c *Config) { c.NonceKey = key32(0) }},
		"a long previous key":      {"PreviousNonceKeys[1]", func(c *Config) { c.NonceKey, c.PreviousNonceKeys = key32(1), []NonceKey{key32(2), append(key32(3), 1)} }},
		"a previous key alone":     {"PreviousNonceKeys", func(c *Config) { c.PreviousNonceKeys = []NonceKey{key32(1)} }},
		"a nil pointer as memory":  {"Replay", func(c *Config) { c.Replay = (*recorder)(nil) }},
	} {
		cfg := Config{Issuer: "https://auth.example.com", Audience: audience}
		c.change(&cfg)
		_, err := New(cfg)
		if field := new(symbolon.ConfigError); !errors.As(err, &field) || field.Field != c.field || field.Err.Error() == "" {
			t.Errorf("%s: %v is not about %s", name, err, c.field)
		}
	}
}
