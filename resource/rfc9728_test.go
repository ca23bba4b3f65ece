package resource

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

// metadataURLs gives the resource_metadata of each challenge that a refusal is
// answered with; "" stands for a challenge that has none, or several.
func metadataURLs(a *API, err error) []string {
	w := httptest.NewRecorder()
	a.WriteError(w, err)
	var urls []string
	for _, v := range w.Header()["Www-Authenticate"] {
		parts := strings.Split(v, `, resource_metadata="`)
		at := ""
		if len(parts) == 2 {
			at, _, _ = strings.Cut(parts[1], `"`)
		}
		urls = append(urls, at)
	}
	return urls
}

// askMetadata sends one request to a mux that has the metadata and nothing else.
func askMetadata(a *API, method, at string) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	mux.Handle(a.Metadata())
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(method, at, nil))
	return w
}

// TestRFC9728_1_2_WhatHasMetadata: a URL without fragment. One with a query
// could not be told from the same without it where requests are routed by path,
// so it has none either.
func TestRFC9728_1_2_WhatHasMetadata(t *testing.T) {
	for _, text := range []string{
		"https://orders.example.com/v1?tenant=a", "https://orders.example.com/v1?", "https://orders.example.com/v1#a", "https://orders.example.com/v1#",
		"https://u@orders.example.com/v1", "https:///v1", "ftp://orders.example.com/v1", "urn:orders", "orders",
	} {
		a := newAPI(t, Config{Issuer: "https://auth.example.com", Audience: text})
		if got := metadataURLs(a, &refusal{err: errNoToken, bare: true}); len(got) == 0 || strings.Join(got, "") != "" {
			t.Errorf("%s: %q", text, got)
		}
		for _, path := range []string{"", "/v1", "/v1?tenant=a"} {
			if w := askMetadata(a, "GET", symbolon.WellKnownResource+path); w.Code != http.StatusNotFound {
				t.Errorf("%s: %d at %q", text, w.Code, path)
			}
		}
		if _, err := New(Config{Issuer: "https://auth.example.com", Audience: "orders", PublicURL: text}); err == nil || !strings.Contains(err.Error(), "PublicURL") {
			t.Errorf("%s as PublicURL: %v", text, err)
		}
	}
}

// TestRFC9728_3_1_PathInsertion: between host and path, without the slash that
// ends the host, and with the one that ends the path; nowhere else, and by GET.
func TestRFC9728_3_1_PathInsertion(t *testing.T) {
	const at = "https://resource.example.com/.well-known/oauth-protected-resource"
	for identifier, c := range map[string]struct{ url, not string }{
		"https://resource.example.com":                    {at, at + "/resource1"},
		"https://resource.example.com/":                   {at, at + "/"},
		"https://resource.example.com/resource1":          {at + "/resource1", at},
		"https://resource.example.com/resource1/":         {at + "/resource1/", at + "/"},
		"https://resource.example.com/a/b":                {at + "/a/b", at + "/a"},
		"https://resource.example.com/a%2Fb":              {at + "/a%2Fb", at + "/a/b"},
		"https://resource.example.com/.well-known/a":      {at + "/.well-known/a", at + "/a"},
		"https://resource.example.com/resource1/%7Bid%7D": {at + "/resource1/%7Bid%7D", at + "/resource1/x"},
	} {
		a := newAPI(t, Config{Issuer: "https://auth.example.com", Audience: identifier})
		for _, got := range metadataURLs(a, &refusal{err: errNoToken, bare: true}) {
			if got != c.url {
				t.Errorf("%s: %s", identifier, got)
			}
		}
		good := askMetadata(a, "GET", c.url)
		if w := askMetadata(a, "GET", c.url+"?a=b"); good.Code != http.StatusOK || w.Body.String() != good.Body.String() {
			t.Errorf("%s: %d, with a query %d %s", identifier, good.Code, w.Code, w.Body)
		}
		if w := askMetadata(a, "GET", c.not); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d at %s", identifier, w.Code, c.not)
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			if w := askMetadata(a, method, c.url); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, c.url, w.Code)
			}
		}
	}
}

// TestRFC9728_3_2_Answer: 200 and an object of JSON, of members of RFC 9728 §2
// alone, none of which is empty or says no.
func TestRFC9728_3_2_Answer(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   map[string]any // besides those that are always there
	}{
		"as little as there is": {func(*Config) {}, map[string]any{"dpop_signing_alg_values_supported": []any{"ES256"}}},
		"empty lists":           {func(c *Config) { c.Scopes, c.Issuers = []string{}, []string{} }, map[string]any{"dpop_signing_alg_values_supported": []any{"ES256"}}},
		"scopes, one twice": {func(c *Config) { c.Scopes = []string{"b", "a", "b"} }, map[string]any{
			"dpop_signing_alg_values_supported": []any{"ES256"}, "scopes_supported": []any{"a", "b"}}},
		"bound, no matter how": {func(c *Config) { c.Bound = BoundRequired }, map[string]any{"dpop_signing_alg_values_supported": []any{"ES256"}}},
		"bound by DPoP": {func(c *Config) { c.Bound = BoundDPoP }, map[string]any{
			"dpop_signing_alg_values_supported": []any{"ES256"}, "dpop_bound_access_tokens_required": true}},
		"bound by certificates": {func(c *Config) { c.Bound = BoundMTLS }, map[string]any{"tls_client_certificate_bound_access_tokens": true}},
		"several issuers": {func(c *Config) { c.Issuers = []string{"https://b.example"} }, map[string]any{
			"dpop_signing_alg_values_supported": []any{"ES256"}, "authorization_servers": []any{"https://auth.example.com", "https://b.example"}}},
	} {
		cfg := Config{Issuer: "https://auth.example.com", Audience: audience, DPoPAlgorithms: []string{"ES256"}}
		c.change(&cfg)
		w := askMetadata(newAPI(t, cfg), "GET", symbolon.WellKnownResource)
		want := map[string]any{"resource": audience, "authorization_servers": []any{"https://auth.example.com"}, "bearer_methods_supported": []any{"header"}}
		for member, value := range c.want {
			want[member] = value
		}
		var got map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s", name, w.Body)
		}
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %q", name, w.Code, w.Header())
		}
	}
}

// TestRFC9728_3_3_ResourceIsTheIdentifier, code point by code point: who asked
// compares it with what the URL was made of, and normalizes nothing (RFC 9728 §6).
func TestRFC9728_3_3_ResourceIsTheIdentifier(t *testing.T) {
	for _, identifier := range []string{
		"https://orders.example.com", "https://orders.example.com/", "https://Orders.Example.com/V1", "https://orders.example.com:443/v1",
		"https://orders.example.com/v1/", "https://orders.example.com/%7ea", "https://orders.example.com/a&b<c>", "https://orders.example.com/\u00fc",
		"https://orders.example.com/u\u0308", "https://orders.example.com/\u2028",
	} {
		a := newAPI(t, Config{Issuer: "https://auth.example.com", Audience: identifier, Realm: "orders"})
		at := metadataURLs(a, &refusal{err: errNoToken, bare: true})[0]
		var doc symbolon.ResourceMetadata
		if w := askMetadata(a, "GET", at); json.Unmarshal(w.Body.Bytes(), &doc) != nil || doc.Resource != identifier {
			t.Errorf("%+q: %d %s at %s", identifier, w.Code, w.Body, at)
		}
	}
}

// TestRFC9728_5_1_EveryChallengeNamesIt once, whatever the scheme and whatever
// is wrong; where nobody is challenged, nothing is named.
func TestRFC9728_5_1_EveryChallengeNamesIt(t *testing.T) {
	for bound, schemes := range map[string]int{BoundOptional: 2, BoundRequired: 2, BoundDPoP: 1, BoundMTLS: 1} {
		a := newAPI(t, Config{Issuer: "https://auth.example.com", Audience: "https://orders.example.com/v1", Bound: bound})
		for _, r := range []*refusal{
			{err: errNoToken, bare: true}, {err: errExpired, scheme: symbolon.TokenTypeBearer}, {err: errScope, scopes: []string{"a", "b"}},
			{err: errTwoTokens}, {err: errReplayed, scheme: symbolon.TokenTypeDPoP}, {err: errUnbound},
		} {
			got := metadataURLs(a, r)
			for _, at := range got {
				if at != "https://orders.example.com/.well-known/oauth-protected-resource/v1" {
					t.Errorf("%s, %v: %q", bound, r, got)
				}
			}
			if len(got) != schemes {
				t.Errorf("%s, %v: %d challenges", bound, r, len(got))
			}
		}
		if got := metadataURLs(a, &refusal{err: errNoKeys}); got != nil {
			t.Errorf("%s, 503: %q", bound, got)
		}
	}
}
