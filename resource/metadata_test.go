package resource

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestMetadata: RFC 9728 §3: found through the challenge, as a caller does.
func TestMetadata(t *testing.T) {
	for aud, c := range map[string]struct{ public, at string }{
		"https://orders.example.com":      {"", "https://orders.example.com/.well-known/oauth-protected-resource"},
		"https://orders.example.com/":     {"", "https://orders.example.com/.well-known/oauth-protected-resource"},
		"https://orders.example.com/v1/x": {"", "https://orders.example.com/.well-known/oauth-protected-resource/v1/x"},
		"https://orders.example.com/v1/":  {"", "https://orders.example.com/.well-known/oauth-protected-resource/v1/"},
		"urn:orders":                      {"https://orders.example.com:8443/a", "https://orders.example.com:8443/.well-known/oauth-protected-resource/a"},
		"http://localhost:3000":           {"", "http://localhost:3000/.well-known/oauth-protected-resource"},
		"https://x.example/%7Bid%7D/%20":  {"", "https://x.example/.well-known/oauth-protected-resource/%7Bid%7D/%20"},
		"https://orders.example.com/{id}": {"", "https://orders.example.com/.well-known/oauth-protected-resource/%7Bid%7D"},
	} {
		a := newAPI(t, Config{Issuer: "https://auth.example.com", Audience: aud, PublicURL: c.public, Scopes: []string{"b"}})
		mux := http.NewServeMux()
		mux.Handle(a.Metadata())
		mux.Handle("GET /orders", a.Require("c")(http.NotFoundHandler()))
		a.Require("a", "b")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/orders", nil))
		_, rest, _ := strings.Cut(w.Header().Get("WWW-Authenticate"), `resource_metadata="`)
		at, _, _ := strings.Cut(rest, `"`)
		if at != c.at {
			t.Errorf("%s: %s", aud, w.Header().Get("WWW-Authenticate"))
		}
		w = httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, at, nil))
		want := `{"resource":"` + aud + `","authorization_servers":["https://auth.example.com"],"scopes_supported":["a","b","c"],"bearer_methods_supported":["header"],"dpop_signing_alg_values_supported":["ES256","ES384","PS256","RS256","EdDSA","Ed25519"]}`
		if w.Code != 200 || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "public, max-age=300" {
			t.Errorf("%s: %d %s", at, w.Code, w.Body)
		}
		w = httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, at, nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST: %d", w.Code)
		}
	}
}

// TestNoPublicURL: then nothing is promised.
func TestNoPublicURL(t *testing.T) {
	a := newAPI(t, Config{Issuer: "https://auth.example.com", Audience: "orders"})
	mux := http.NewServeMux()
	mux.Handle(a.Metadata())
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/oauth-protected-resource", nil))
	if w.Code != http.StatusNotFound {
		t.Error(w.Code)
	}
	w = httptest.NewRecorder()
	a.WriteError(w, &refusal{err: errNoToken, bare: true})
	if got := w.Header().Get("WWW-Authenticate"); got != `Bearer realm="orders"` {
		t.Error(got)
	}
}
