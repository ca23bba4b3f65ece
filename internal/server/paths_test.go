package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

func TestRouteForms(t *testing.T) {
	for _, c := range []struct {
		route        Route
		issuer, path string
		rest         string
		ok           bool
	}{
		{Route{Path: "/v1/token"}, "/oauth2/default", "/oauth2/default/v1/token", "", true},
		{Route{Path: "/v1/token"}, "", "/v1/token", "", true},
		{Route{Path: "/v1/token"}, "/oauth2/default", "/v1/token", "", false},
		{Route{Path: "/v1/token"}, "", "/v1/token/", "", false},
		{Route{Path: "/v1/token"}, "", "//v1/token", "", false},
		{Route{Path: "/v1/token"}, "", "/V1/token", "", false},

		{Route{Form: Beside, Path: "/oauth-token"}, "/oauth/v2/oauth-anonymous", "/oauth/v2/oauth-token", "", true},
		{Route{Form: Beside, Path: "/oauth-token"}, "/anonymous", "/oauth-token", "", true},
		{Route{Form: Beside, Path: "/oauth-token"}, "/oauth/v2/oauth-anonymous", "/oauth/v2/oauth-anonymous/oauth-token", "", false},
		{Route{Form: Beside, Path: "/oauth-token"}, "/oauth/v2/oauth-anonymous", "/oauth/oauth-token", "", false},
		{Route{Form: Beside, Path: "/oauth-token"}, "", "/oauth-token", "", false},

		{Route{Form: Under, Path: "/api/v1/"}, "", "/api/v1/apps", "apps", true},
		{Route{Form: Under, Path: "/api/v1/"}, "", "/api/v1/apps/0oa%2F1/lifecycle/", "apps/0oa%2F1/lifecycle/", true},
		{Route{Form: Under, Path: "/api/v1/"}, "", "/api/v1//", "/", true},
		{Route{Form: Under, Path: "/api/v1/"}, "/a", "/a/api/v1/x", "x", true},
		{Route{Form: Under, Path: "/api/v1/"}, "", "/api/v1/", "", false},
		{Route{Form: Under, Path: "/api/v1/"}, "", "/api/v1", "", false},
		{Route{Form: Under, Path: "/api/v1/"}, "/a", "/api/v1/x", "", false},

		{Route{Path: "/keys/", Suffix: ".pem"}, "", "/keys/k1.pem", "k1", true},
		{Route{Path: "/keys/", Suffix: ".pem"}, "", "/keys/.pem", "", false},
		{Route{Path: "/keys/", Suffix: ".pem"}, "", "/keys/a/b.pem", "", false},
		{Route{Form: WellKnown, Path: "/.well-known/x"}, "/a/b", "/.well-known/x/a/b", "", true},
		{Route{Form: WellKnown, Path: "/.well-known/x"}, "/a/b", "/a/b/.well-known/x", "", true},
	} {
		if rest, ok := c.route.Match(c.issuer, c.path); rest != c.rest || ok != c.ok {
			t.Errorf("%+v at %q, %s: %q %v", c.route, c.issuer, c.path, rest, ok)
		}
	}
}

func TestPathURL(t *testing.T) {
	for _, c := range []struct {
		path       Path
		base, want string
	}{
		{Path{}, "https://a.example.com", ""},
		{Path{Form: Beside}, "https://a.example.com/b", ""},
		{Path{Path: "/token"}, "https://a.example.com/b", "https://a.example.com/b/token"},
		{Path{Form: Beside, Path: "/oauth-token"}, "https://a.example.com/oauth/v2/oauth-anonymous", "https://a.example.com/oauth/v2/oauth-token"},
		{Path{Form: Beside, Path: "/oauth-token"}, "https://a.example.com:8443/b", "https://a.example.com:8443/oauth-token"},
		{Path{Form: Beside, Path: "/oauth-token"}, "https://a.example.com", ""},
	} {
		if got := c.path.URL(c.base); got != c.want {
			t.Errorf("%+v of %s: %q, want %q", c.path, c.base, got, c.want)
		}
	}
}

// elsewhereDialect has each endpoint somewhere else than a standard issuer.
func elsewhereDialect() *Dialect {
	return &Dialect{Name: "x", Paths: &Paths{
		Token: Path{Form: Beside, Path: "/x-token"}, Introspection: Path{Path: "/x/introspect"}, Revocation: Path{Path: "/x/revoke"},
		JWKS: Path{Path: "/.well-known/jwks.json"}, Key: Path{Path: "/keys/", Suffix: ".pem"},
		Revocations: Path{Path: "/x/denied"}, RevocationKeys: Path{Path: "/x/denied/keys"}, Authorize: Path{Path: "/x/authorize"},
	}}
}

// TestEndpointsOfADialect: each URL of the metadata answers, at the issuer's old
// paths nothing does, and the standard issuer's are where they were.
func TestEndpointsOfADialect(t *testing.T) {
	f := newAskFixture(t)
	f.dialects = map[string]*Dialect{"partners": elsewhereDialect()}
	m := f.metadata(t, vendor)
	want := symbolon.ServerMetadata{
		Issuer: vendor, AuthorizationEndpoint: vendor + "/x/authorize", TokenEndpoint: base + "/x-token", JWKSURI: vendor + "/.well-known/jwks.json",
		IntrospectionEndpoint: vendor + "/x/introspect", RevocationEndpoint: vendor + "/x/revoke",
		RevocationsURI: vendor + "/x/denied", RevocationsJWKSURI: vendor + "/x/denied/keys",
	}
	if got := urlsOf(m); !slices.Equal(got, urlsOf(want)) {
		t.Errorf("%q", got)
	}
	auth := []string{"Authorization", basicAuth("everywhere", secret1)}
	token := f.textOf(f.ask("POST", m.TokenEndpoint, grant, auth...))
	if w := f.ask("POST", m.IntrospectionEndpoint, "token="+token, "Authorization", basicAuth("partner-api", secret1)); !strings.Contains(w.Body.String(), `"active":true`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.ask("POST", m.RevocationEndpoint, "token="+token, auth...); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.get(m.AuthorizationEndpoint); !strings.Contains(w.Body.String(), "unsupported_response_type") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	keys, err := jose.ParseKeySet(f.get(m.JWKSURI).Body.Bytes())
	if err != nil || len(keys.Keys) == 0 {
		t.Fatal(keys, err)
	}
	for _, target := range []string{m.RevocationsURI, m.RevocationsJWKSURI, vendor + "/keys/" + keys.Keys[0].ID + ".pem"} {
		if w := f.get(target); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/token", "/introspect", "/revoke", "/jwks", "/jwks/" + keys.Keys[0].ID + ".pem", "/revocations", "/revocations/keys", "/authorize"} {
		if w := f.get(vendor + path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if got := urlsOf(f.metadata(t, base)); !slices.Contains(got, base+"/token") || slices.ContainsFunc(got, func(u string) bool { return strings.Contains(u, "/x") }) {
		t.Errorf("at the standard issuer %q", got)
	}
}

// TestEndpointsThatADialectLacks: they are neither there nor in the metadata, nor
// is what says how to speak to them.
func TestEndpointsThatADialectLacks(t *testing.T) {
	f := newAskFixture(t)
	f.dialects = map[string]*Dialect{"partners": {Name: "x", Paths: &Paths{Token: Path{Path: "/authorize"}, JWKS: Path{Path: "/jwks"}}}}
	w := f.get(vendor + symbolon.WellKnownServer)
	for _, member := range []string{"introspection", "revocation", "authorization_endpoint"} {
		if strings.Contains(w.Body.String(), `"`+member) || strings.Contains(w.Body.String(), `"symbolon_`+member) {
			t.Errorf("%s in %s", member, w.Body)
		}
	}
	f.textOf(f.ask("POST", vendor+"/authorize", grant, "Authorization", basicAuth("everywhere", secret1)))
	for _, path := range []string{"/introspect", "/revoke", "/revocations", "/revocations/keys", ""} {
		if w := f.get(vendor + path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestAnIssuerWithAFinalSlash: its iss is with it everywhere, its URLs without a
// second one.
func TestAnIssuerWithAFinalSlash(t *testing.T) {
	const host, iss = "https://tenant.example.com", "https://tenant.example.com/"
	f := newAskFixture(t)
	f.dialects = map[string]*Dialect{"tenant": {Name: registry.DialectAuth0}}
	f.apply(&registry.Issuer{ID: "tenant", URL: host, Dialect: registry.DialectAuth0}, f.key("tenant", jose.RS256),
		&registry.API{ID: "tenant-api", Issuer: "tenant", Identifier: "https://api.example.test", Scopes: map[string]registry.Scope{"a": {}},
			Token: registry.APIToken{Algorithm: "RS256"}, ResourceServers: []string{"tenant-client"}},
		with(keyed("tenant-client", clientKey(t, "k1", "P-256 signing", "")), func(c *registry.Client) {
			c.Issuers, c.Access, c.DefaultAPI = []string{"tenant"}, map[string][]string{"tenant-api": {"a"}}, nil
			c.Secrets = []registry.Secret{generated("s1", secret1)}
		}))
	for _, target := range []string{host + symbolon.WellKnownServer, host + symbolon.WellKnownOpenID} {
		var m symbolon.ServerMetadata
		if err := json.Unmarshal(f.get(target).Body.Bytes(), &m); err != nil || m.Issuer != iss {
			t.Fatalf("%s: %+v %v", target, m, err)
		}
		for _, u := range urlsOf(m)[1:] {
			if !strings.HasPrefix(u, iss) || strings.Contains(u[len("https://"):], "//") {
				t.Errorf("%s", u)
			}
		}
	}
	// A proof's htu is the endpoint's URL, and its nonce the issuer's.
	w := f.asserts(host, f.assertionAt(iss, "tenant-client").text(t), func() string {
		p := f.proofOf("P-256 proof")
		p.claims["htu"], p.claims["nonce"] = host+"/token", f.cfg.Nonces.Issue(iss, f.now())
		return p.text(t)
	}())
	token := f.textOf(w)
	parsed, err := jose.Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	if claims, err := symbolon.ParseClaims(parsed.Payload); err != nil || claims.Issuer != iss || claims.Confirmation == nil {
		t.Errorf("%+v %v", claims, err)
	}
	if w := f.ask("POST", host+"/introspect", "token="+token, "Authorization", basicAuth("tenant-client", secret1)); !strings.Contains(w.Body.String(), `"active":true`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// The URL without it is another name.
	refusedClient.check(t, f.asserts(host, f.assertionAt(host, "tenant-client").text(t), ""))
	set, err := jose.ParseDocument(f.get(host+"/revocations").Body.String(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err := symbolon.ParseRevocationSet(set.Payload); err != nil || parsed.Issuer != iss {
		t.Errorf("%+v %v", parsed, err)
	}
}

func (f *fixture) metadata(t *testing.T, issuer string) (m symbolon.ServerMetadata) {
	t.Helper()
	if err := json.Unmarshal(f.get(issuer+symbolon.WellKnownServer).Body.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func urlsOf(m symbolon.ServerMetadata) []string {
	return []string{m.Issuer, m.AuthorizationEndpoint, m.TokenEndpoint, m.JWKSURI, m.IntrospectionEndpoint, m.RevocationEndpoint, m.RevocationsURI, m.RevocationsJWKSURI}
}
