package node

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// TestShownEndpointsAnswer: what is shown of an issuer is where it answers, and what
// its metadata says.
func TestShownEndpointsAnswer(t *testing.T) {
	s := start(t, Config{})
	management := map[string]string{"okta": "apps", "auth0": "clients"}
	for _, i := range []registry.Issuer{
		{ID: "partners"},
		{ID: "okta", URL: "https://okta.example.com", Dialect: registry.DialectOkta},
		{ID: "okta-default", URL: "https://okta.example.com/oauth2/default", Dialect: registry.DialectOkta},
		{ID: "auth0", URL: "https://auth0.example.com", Dialect: registry.DialectAuth0},
		{ID: "curity", URL: "https://curity.example.com/oauth/v2/oauth-anonymous", Dialect: registry.DialectCurity},
		{ID: "simple", URL: "https://simple.example.com", Dialect: registry.DialectSimple},
	} {
		if _, _, err := s.Admin().CreateIssuer(t.Context(), admin.System(), i); err != nil {
			t.Fatal(err)
		}
	}
	page, err := s.Admin().Issuers(t.Context(), admin.System(), admin.Query{})
	if err != nil || len(page.Items) != 7 {
		t.Fatal(err, len(page.Items))
	}
	for _, i := range page.Items {
		e := i.Endpoints
		if e.Metadata == "" || e.Token == "" || e.JWKS == "" || e.Revocations == "" || e.RevocationKeys == "" || e.TokenMTLS != "" {
			t.Errorf("%s: %+v", i.ID, e)
		}
		for name, text := range map[string]string{
			"metadata": e.Metadata, "token": e.Token, "jwks": e.JWKS, "introspection": e.Introspection, "revocation": e.Revocation,
			"revocations": e.Revocations, "revocation keys": e.RevocationKeys,
		} {
			if text == "" && i.ID != "simple" {
				t.Errorf("%s has no %s", i.ID, name)
			} else if status, _ := s.getAt(t, text); text != "" && (status == http.StatusNotFound || status == http.StatusMisdirectedRequest) {
				t.Errorf("%s: %s: %s answers %d", i.ID, name, text, status)
			}
		}
		if path := management[i.ID]; (path == "") != (e.Management == "") {
			t.Errorf("%s: management at %q", i.ID, e.Management)
		} else if path != "" {
			if status, body := s.getAt(t, e.Management+path); status != http.StatusUnauthorized {
				t.Errorf("%s: %s%s answers %d %s", i.ID, e.Management, path, status, body)
			}
		}
		var m symbolon.ServerMetadata
		_, body := s.getAt(t, e.Metadata)
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Errorf("%s: %v", i.ID, err)
		}
		if m.TokenEndpoint != e.Token && i.ID != "simple" || m.JWKSURI != e.JWKS || m.IntrospectionEndpoint != e.Introspection ||
			m.RevocationEndpoint != e.Revocation || m.RevocationsURI != e.Revocations || m.RevocationsJWKSURI != e.RevocationKeys {
			t.Errorf("%s: shown %+v, in the metadata %+v", i.ID, e, m)
		}
	}
}

// getAt asks this node for a URL of any issuer.
func (s *started) getAt(t *testing.T, text string) (int, string) {
	t.Helper()
	at, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+at.Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = strings.ToLower(at.Host)
	return fetch(t, req)
}
