package client

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// TestMetadataURLs: RFC 8414 §3.1 inserts, OpenID Connect Discovery §4 appends.
func TestMetadataURLs(t *testing.T) {
	for issuer, want := range map[string][]string{
		"https://a.example":          {"https://a.example/.well-known/oauth-authorization-server", "https://a.example/.well-known/openid-configuration"},
		"https://a.example/":         {"https://a.example/.well-known/oauth-authorization-server", "https://a.example/.well-known/openid-configuration"},
		"https://a.example/x/y":      {"https://a.example/.well-known/oauth-authorization-server/x/y", "https://a.example/x/y/.well-known/openid-configuration"},
		"https://a.example:8443/x/":  {"https://a.example:8443/.well-known/oauth-authorization-server/x", "https://a.example:8443/x/.well-known/openid-configuration"},
		"http://localhost:1/a%2Fb":   {"http://localhost:1/.well-known/oauth-authorization-server/a%2Fb", "http://localhost:1/a%2Fb/.well-known/openid-configuration"},
		"http://127.0.0.1":           {"http://127.0.0.1/.well-known/oauth-authorization-server", "http://127.0.0.1/.well-known/openid-configuration"},
		"http://[::1]:8080":          {"http://[::1]:8080/.well-known/oauth-authorization-server", "http://[::1]:8080/.well-known/openid-configuration"},
		"http://auth.localhost:8080": {"http://auth.localhost:8080/.well-known/oauth-authorization-server", "http://auth.localhost:8080/.well-known/openid-configuration"},
	} {
		if got, err := MetadataURLs(issuer); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", issuer, got, err)
		}
	}
	for _, issuer := range []string{
		"", "auth.example.com", "//auth.example.com", "ftp://a.example", "https://", "https:///x", "https://a.example?x=1", "https://a.example?", "https://a.example#x", "https://a.example#",
		"https://user:pw@a.example", "http://a.example", "http://localhost.example.com", "http://10.0.0.1", "http://127.0.0.1.example.com", "https://a b", "https://a.example\n",
	} {
		if got, err := MetadataURLs(issuer); err == nil {
			t.Errorf("%q: %v", issuer, got)
		} else if strings.Contains(err.Error(), "pw") {
			t.Error("a password is in the error")
		}
	}
}

// site serves documents by path; "{issuer}" in them is its own URL.
func site(t *testing.T, documents map[string]string) *httptest.Server {
	var s *httptest.Server
	s = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		doc, ok := documents[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, strings.ReplaceAll(doc, "{issuer}", s.URL))
	}))
	return s
}

func TestDiscoverTriesBothPlaces(t *testing.T) {
	const doc = `{"issuer":"{issuer}/x","token_endpoint":"{issuer}/x/token","jwks_uri":"{issuer}/x/jwks"}`
	for _, path := range []string{"/.well-known/oauth-authorization-server/x", "/x/.well-known/openid-configuration"} {
		s := site(t, map[string]string{path: doc})
		m, err := Discover(t.Context(), s.Client(), s.URL+"/x")
		if err != nil || m.TokenEndpoint != s.URL+"/x/token" {
			t.Errorf("%s: %v, %v", path, m, err)
		}
	}
}

// TestDiscoverTellsWhatARefusalSays: who asks under a name that the server does
// not have reads the server's own sentence, on one line.
func TestDiscoverTellsWhatARefusalSays(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"invalid_request","error_description":"no issuer\n of this server"}`: "check the issuer's URL; the answer says: no issuer of this server",
		`{"error":"invalid_request"}`: "check the issuer's URL",
		`[1]`:                         "check the issuer's URL",
	} {
		s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusMisdirectedRequest)
			io.WriteString(w, body)
		}))
		_, err := Discover(t.Context(), s.Client(), s.URL)
		var e *symbolon.Error
		if !errors.As(err, &e) || e.Status != http.StatusMisdirectedRequest || !strings.HasSuffix(e.Description, want) {
			t.Errorf("%s: %v, want … %s", body, err, want)
		}
	}
}

// TestDiscoverRefuses: RFC 8414 §3.3 and what nobody may be led to.
func TestDiscoverRefuses(t *testing.T) {
	for name, doc := range map[string]string{
		"another issuer":       `{"issuer":"https://evil.example","token_endpoint":"{issuer}/token"}`,
		"final slash":          `{"issuer":"{issuer}/","token_endpoint":"{issuer}/token"}`,
		"no issuer":            `{"token_endpoint":"{issuer}/token"}`,
		"issuer as array":      `{"issuer":["{issuer}"],"token_endpoint":"{issuer}/token"}`,
		"plain http token":     `{"issuer":"{issuer}","token_endpoint":"http://auth.example.com/token"}`,
		"plain http keys":      `{"issuer":"{issuer}","jwks_uri":"http://auth.example.com/jwks"}`,
		"file":                 `{"issuer":"{issuer}","jwks_uri":"file:///etc/passwd"}`,
		"a password in a URL":  `{"issuer":"{issuer}","jwks_uri":"https://u:pw@auth.example.com/jwks"}`,
		"plain http questions": `{"issuer":"{issuer}","introspection_endpoint":"http://auth.example.com/introspect"}`,
		"plain http denials":   `{"issuer":"{issuer}","revocation_endpoint":"http://auth.example.com/revoke"}`,
		"plain http set":       `{"issuer":"{issuer}","symbolon_revocations_uri":"http://auth.example.com/revocations"}`,
		"plain http set keys":  `{"issuer":"{issuer}","symbolon_revocations_jwks_uri":"http://auth.example.com/revocations/keys"}`,
		"questions elsewhere":  `{"issuer":"{issuer}","mtls_endpoint_aliases":{"introspection_endpoint":"http://auth.example.com/introspect"}}`,
		"denials elsewhere":    `{"issuer":"{issuer}","mtls_endpoint_aliases":{"revocation_endpoint":"file:///revoke"}}`,
		"a fragment":           `{"issuer":"{issuer}","introspection_endpoint":"{issuer}/introspect#x"}`,
		"html":                 `<html>`,
		"array":                `[]`,
		"truncated":            `{"issuer":"{issuer}","tok`,
		"nothing":              ``,
		"null":                 `null`,
		"two documents":        `{"issuer":"{issuer}"}{"issuer":"{issuer}"}`,
		"an endpoint twice":    `{"issuer":"{issuer}","token_endpoint":"{issuer}/token","token_endpoint":"{issuer}/other"}`,
		"twice by an escape":   `{"issuer":"{issuer}","token_endpoint":"{issuer}/token","token\u005fendpoint":"{issuer}/other"}`,
		"twice, and the same":  `{"issuer":"{issuer}","issuer":"{issuer}"}`,
		"twice further down":   `{"issuer":"{issuer}","x":{"a":1,"a":2}}`,
		"in capitals":          `{"issuer":"{issuer}","jwks_uri":"{issuer}/jwks","JWKS_URI":"{issuer}/other"}`,
		"only in capitals":     `{"issuer":"{issuer}","Token_Endpoint":"{issuer}/token"}`,
		"a long s":             `{"issuer":"{issuer}","jwkſ_uri":"{issuer}/other"}`,
		"a Kelvin sign":        `{"issuer":"{issuer}","jwKs_uri":"{issuer}/other"}`,
		"too deep":             `{"issuer":"{issuer}","x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`,
		"too long":             `{"issuer":"{issuer}","x":"` + strings.Repeat("x", symbolon.MaxBody) + `"}`,
	} {
		s := site(t, map[string]string{"/.well-known/oauth-authorization-server": doc})
		_, err := Discover(t.Context(), s.Client(), s.URL)
		var e *symbolon.Error
		if !errors.As(err, &e) || e.Status != 200 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDiscoverTakesOtherMembers: those that are not read may be called anything.
func TestDiscoverTakesOtherMembers(t *testing.T) {
	s := site(t, map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"{issuer}","jwks_uri":"{issuer}/jwks","x":{"Issuer":1,"issuer":2},"Contact":1,"contact":2}`})
	if m, err := Discover(t.Context(), s.Client(), s.URL); err != nil || m.JWKSURI != s.URL+"/jwks" {
		t.Error(m, err)
	}
}

// TestHTTPSIssuerKeepsHTTPS: an https issuer cannot lead to plain http, not on
// a loopback name either.
func TestHTTPSIssuerKeepsHTTPS(t *testing.T) {
	var s *httptest.Server
	s = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":"http://localhost:1/token"}`, s.URL)
	}))
	t.Cleanup(s.Close)
	if _, err := Discover(t.Context(), s.Client(), s.URL); err == nil || !strings.Contains(err.Error(), "plain http") {
		t.Error(err)
	}
}

// TestDiscoverFollowsNoRedirect: where the metadata is decides about trust.
func TestDiscoverFollowsNoRedirect(t *testing.T) {
	elsewhere := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL) }))
	s := serve(t, http.RedirectHandler(elsewhere.URL, http.StatusFound))
	if _, err := Discover(t.Context(), s.Client(), s.URL); err == nil {
		t.Error("no error")
	}
}

// TestDiscoverStopsAtTrouble: a server in trouble is not asked for its other
// document, which an older deployment might still have.
func TestDiscoverStopsAtTrouble(t *testing.T) {
	n := 0
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	_, err := Discover(t.Context(), s.Client(), s.URL)
	var e *symbolon.Error
	if !errors.As(err, &e) || e.Status != 503 || e.Code != symbolon.TemporarilyUnavailable || n != 1 {
		t.Errorf("%v after %d requests", err, n)
	}
}

// TestMetadataIsKeptWhenItCannotBeReadAgain.
func TestMetadataIsKeptWhenItCannotBeReadAgain(t *testing.T) {
	documents := map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"{issuer}","token_endpoint":"{issuer}/token"}`, "/token": `{"access_token":"a","token_type":"Bearer","expires_in":1}`}
	s := site(t, documents)
	now := time.Now()
	c := newClient(t, Config{Issuer: s.URL, ID: "c", Auth: Secret("s"), Now: func() time.Time { return now }})
	value(t, c)
	delete(documents, "/.well-known/oauth-authorization-server")
	now = now.Add(48 * time.Hour)
	value(t, c)
}

func TestMetadataWithoutTokenEndpoint(t *testing.T) {
	s := site(t, map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"{issuer}"}`})
	_, err := newClient(t, Config{Issuer: s.URL, ID: "c", Auth: Secret("s")}).Token(t.Context())
	if err == nil || !strings.Contains(err.Error(), "TokenURL") {
		t.Error(err)
	}
}
