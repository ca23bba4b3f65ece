package server

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
)

// issuers of the fixture: URL, and where its metadata stands.
var metadataOfIssuers = map[string][]string{
	base: {
		base + "/.well-known/oauth-authorization-server",
		base + "/.well-known/openid-configuration",
	},
	base + "/partners": {
		base + "/partners/.well-known/oauth-authorization-server",
		base + "/partners/.well-known/openid-configuration",
		base + "/.well-known/oauth-authorization-server/partners", // RFC 8414 §3.1
		base + "/.well-known/openid-configuration/partners",
	},
	"https://tokens.example.net:8443/a/b": {
		"https://tokens.example.net:8443/a/b/.well-known/oauth-authorization-server",
		"https://tokens.example.net:8443/a/b/.well-known/openid-configuration",
		"https://tokens.example.net:8443/.well-known/oauth-authorization-server/a/b",
		"https://tokens.example.net:8443/.well-known/openid-configuration/a/b",
	},
}

func TestRFC8414_3_Metadata(t *testing.T) {
	f := newFixture(t)
	const asymmetric = `"ES256","ES384","ES512","PS256","PS384","PS512","RS256","RS384","RS512","EdDSA","Ed25519"`
	algorithms := map[string]string{base: `"ES256","RS256"`}
	scopes := map[string]string{
		base:               `"files:read","files:write","legacy:use","orders:admin","orders:read","orders:write"`,
		base + "/partners": `"orders:read"`,
	}
	for iss, urls := range metadataOfIssuers {
		want := `{"issuer":"` + iss + `","authorization_endpoint":"` + iss + `/authorize","token_endpoint":"` + iss + `/token","jwks_uri":"` + iss + `/jwks",` +
			`"scopes_supported":[` + or(scopes[iss], `"a"`) + `],"response_types_supported":[],"grant_types_supported":["client_credentials"],` +
			`"token_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post","private_key_jwt"],` +
			`"token_endpoint_auth_signing_alg_values_supported":[` + asymmetric + `],"subject_types_supported":["public"],` +
			`"id_token_signing_alg_values_supported":[` + or(algorithms[iss], `"ES256"`) + `],"dpop_signing_alg_values_supported":[` + asymmetric + `],` +
			`"introspection_endpoint":"` + iss + `/introspect","introspection_endpoint_auth_methods_supported":["client_secret_basic","client_secret_post","private_key_jwt"],` +
			`"introspection_endpoint_auth_signing_alg_values_supported":[` + asymmetric + `],"introspection_signing_alg_values_supported":[` + or(algorithms[iss], `"ES256"`) + `],` +
			`"symbolon_revocations_uri":"` + iss + `/revocations","symbolon_revocations_jwks_uri":"` + iss + `/revocations/keys"}`
		for _, url := range urls {
			w := f.get(url)
			if w.Code != 200 || w.Body.String() != want {
				t.Errorf("%s: %d\n%s\n%s", url, w.Code, w.Body, want)
			}
			for name, value := range map[string]string{"Content-Type": "application/json", "Cache-Control": "public, max-age=300", "Pragma": ""} {
				if got := w.Header().Get(name); got != value {
					t.Errorf("%s: %s %q", url, name, got)
				}
			}
		}
	}
	// RFC 8414 §3.2: and nowhere else.
	for _, url := range []string{
		base + "/.well-known/oauth-authorization-server/",
		base + "/.well-known/oauth-authorization-server/partners/",
		base + "/.well-known/oauth-authorization-server/a/b",
		"https://tokens.example.net:8443/.well-known/oauth-authorization-server",
		"https://tokens.example.net:8443/.well-known/oauth-authorization-server/a",
		"https://other.example.com/.well-known/oauth-authorization-server",
	} {
		if w := f.get(url); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", url, w.Code)
		}
	}
}

func TestRFC9110_13_ConditionalRequests(t *testing.T) {
	f := newFixture(t)
	for _, url := range []string{base + "/jwks", base + "/.well-known/openid-configuration"} {
		first := f.get(url)
		etag := first.Header().Get("Etag")
		for _, c := range []struct {
			match string
			code  int
		}{{etag, 304}, {"W/" + etag, 304}, {`"x", ` + etag, 304}, {"*", 304}, {`"x"`, 200}, {strings.Trim(etag, `"`), 200}} {
			w := f.get(url, "If-None-Match", c.match)
			if w.Code != c.code || w.Header().Get("Etag") != etag || c.code == 304 && w.Body.Len() != 0 {
				t.Errorf("%s If-None-Match %s: %d %s", url, c.match, w.Code, w.Body)
			}
		}
		if w := f.ask("HEAD", url, ""); w.Code != 200 || w.Header().Get("Etag") != etag {
			t.Errorf("HEAD %s: %d", url, w.Code)
		}
		refusedBy(errAsMethod, "Allow", "GET, HEAD").check(t, f.ask("POST", url, grant))
		// A change of what the document says changes its tag.
		f.apply(&registry.API{ID: "more", Issuer: "default", Identifier: "https://more.example.com", Scopes: map[string]registry.Scope{url: {}},
			Token: registry.APIToken{Algorithm: "ES384"}}, f.key("default", jose.ES384))
		if w := f.get(url, "If-None-Match", etag); w.Code != 200 || w.Header().Get("Etag") == etag {
			t.Errorf("%s after a change: %d, %s", url, w.Code, w.Header().Get("Etag"))
		}
	}
}

// published are the kids of an issuer's key set, with what must be true of it.
func (f *fixture) publishedKIDs(iss string) []string {
	f.t.Helper()
	body := f.get(iss + "/jwks").Body.Bytes()
	set, err := jose.ParseKeySet(body)
	if err != nil || len(set.Skipped) != 0 {
		f.t.Fatal(err, set)
	}
	var raw struct{ Keys []map[string]any }
	if err := json.Unmarshal(body, &raw); err != nil {
		f.t.Fatal(err)
	}
	var kids []string
	for i, k := range raw.Keys {
		for _, name := range []string{"kid", "alg", "use", "kty"} {
			if s, _ := k[name].(string); s == "" {
				f.t.Errorf("key %d has no %s", i, name)
			}
		}
		for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if k[name] != nil {
				f.t.Errorf("key %d shows its %s", i, name)
			}
		}
		kids = append(kids, k["kid"].(string))
	}
	return kids
}

// TestRFC7517_5_KeySet: the keys that verifiers need, from their announcement to
// their deletion, the signing one first, by the clock and by the commit.
func TestRFC7517_5_KeySet(t *testing.T) {
	f := newFixture(t)
	const iss = base + "/partners"
	active := f.replica.Snapshot().Issuers["partners"].Keys[jose.ES256][0]
	check := func(when string, want ...*registry.Key) {
		t.Helper()
		var kids []string
		for _, k := range want {
			kids = append(kids, k.ID)
		}
		if diff := cmp.Diff(kids, f.publishedKIDs(iss)); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	check("one key", active)

	next, err := keys.New(sharedMaster, "partners", jose.ES256, start)
	if err != nil {
		t.Fatal(err)
	}
	next.Activates = start.Add(time.Hour)
	old := *active
	old.Retires, old.Deletes = start.Add(time.Hour), start.Add(2*time.Hour)
	f.apply(next, &old)
	check("the next is announced", active, next)
	f.advance(time.Hour)
	check("the next signs", next, active)
	f.advance(time.Hour)
	check("the old one is deleted", next)

	revoked := *next
	revoked.Revoked, revoked.Private = f.now(), ""
	f.apply(&revoked)
	if kids := f.publishedKIDs(iss); len(kids) != 0 {
		t.Errorf("a revoked key is published: %v", kids)
	}
	if body := f.get(iss + "/jwks").Body.String(); body != `{"keys":[]}` {
		t.Errorf("no key: %s", body)
	}
}

// TestAnUnreadableKeyTakesNoneAlong.
func TestAnUnreadableKeyTakesNoneAlong(t *testing.T) {
	f := newFixture(t)
	good := f.publishedKIDs(base)
	bad := *f.key("default", jose.ES256)
	bad.ID = "bad"
	bad.Public = json.RawMessage(`{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`)
	f.apply(&bad)
	if diff := cmp.Diff(good, f.publishedKIDs(base)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(f.log.String(), "a key is not published") {
		t.Errorf("log: %s", &f.log)
	}
}

func TestKeysAsPEM(t *testing.T) {
	f := newFixture(t)
	for _, kid := range f.publishedKIDs(base) {
		w := f.get(base + "/jwks/" + kid + ".pem")
		block, rest := pem.Decode(w.Body.Bytes())
		if w.Code != 200 || block == nil || block.Type != "PUBLIC KEY" || len(rest) != 0 || w.Header().Get("Content-Type") != "application/x-pem-file" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		pub, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		key, err := jose.NewKey(pub, "", "")
		if err != nil {
			t.Fatal(err)
		}
		set, _ := jose.ParseKeySet(f.get(base + "/jwks").Body.Bytes())
		if key.Thumbprint() != set.Lookup(kid).Thumbprint() {
			t.Errorf("%s is another key", kid)
		}
	}
	other := f.publishedKIDs(base + "/partners")[0]
	for _, rest := range []string{other + ".pem", ".pem", "x.pem", "../jwks.pem", "a/b.pem"} {
		if w := f.get(base + "/jwks/" + rest); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", rest, w.Code)
		}
	}
}

// TestDocumentsAreMadeOnce per change of their issuer, not per request.
func TestDocumentsAreMadeOnce(t *testing.T) {
	f := newFixture(t)
	at := func() Place {
		s := f.replica.Snapshot()
		return Place{Snapshot: s, Issuer: s.Issuers["default"]}
	}
	get := func() *documents {
		t.Helper()
		d, err := f.library.get(at(), f.now())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := get()
	if get() != first {
		t.Error("made again")
	}
	f.apply(named("other", func(*registry.Client) {})) // the snapshot moves, the issuer does not
	if get() != first {
		t.Error("made again after a commit that has nothing to do with it")
	}
	f.apply(&registry.Issuer{ID: "default", Audience: "https://orders.example.com"})
	if get() == first {
		t.Error("not made again after a change")
	}
	if _, err := f.library.get(Place{Snapshot: f.replica.Snapshot(), Issuer: f.replica.Snapshot().Issuers["partners"]}, f.now()); err != nil {
		t.Fatal(err)
	}
	f.apply(&registry.Issuer{ID: "partners", URL: "http:"})
	f.apply(&registry.Issuer{ID: "default"})
	get()
	if len(f.library.byIssuer) != 1 {
		t.Errorf("%d issuers are remembered, one is there", len(f.library.byIssuer))
	}
}

// TestRFC6749_4_1_2_1_AuthorizeNeverRedirects: it refuses on the spot, whatever
// it is told.
func TestRFC6749_4_1_2_1_AuthorizeNeverRedirects(t *testing.T) {
	f := newFixture(t)
	for _, method := range []string{"GET", "POST"} {
		w := f.ask(method, base+"/authorize?response_type=code&client_id=billing&redirect_uri=https://evil.example.com/&state=x", "")
		refusal{status: 400, code: "unsupported_response_type", description: errAuthorize.Description}.check(t, w)
	}
}

// TestNothingIsTakenFromTheRequest: documents and tokens say what is configured,
// whatever host a header claims, so no cache and no verifier can be given
// another issuer.
func TestNothingIsTakenFromTheRequest(t *testing.T) {
	f := newFixture(t)
	forged := []string{
		"X-Forwarded-Host", "evil.example.com", "X-Forwarded-Proto", "http", "X-Forwarded-Prefix", "/evil", "Forwarded", "host=evil.example.com;proto=http",
		"X-Original-Url", "/partners/token", "X-Rewrite-Url", "/partners/token", "X-Http-Method-Override", "GET",
	}
	for _, path := range []string{"/jwks", "/.well-known/oauth-authorization-server", "/revocations", "/revocations/keys"} {
		plain, other := f.get(base+path), f.get(base+path, forged...)
		if plain.Code != 200 || plain.Body.String() != other.Body.String() || other.Header().Get("Vary") != "" {
			t.Errorf("%s: %d %s", path, other.Code, other.Body)
		}
	}
	_, claims, _ := f.token(f.ask("POST", base+"/token", grant, append(forged, "Authorization", basicAuth("billing", secret1))...))
	if claims.Issuer != base {
		t.Errorf("iss %s", claims.Issuer)
	}
}
