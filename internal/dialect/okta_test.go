package dialect_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// scopeAt is what the clients of every issuer may ask for there.
func scopeAt(issuer string) string {
	if issuer == oktaOrg {
		return "okta.users.read"
	}
	return "api.read"
}

func grantAt(issuer string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "scope": {scopeAt(issuer)}}
}

// good reports whether the answer holds a token, by whatever name.
func (a answer) good() bool {
	return a.status == http.StatusOK && strings.Count(a.text, ".") >= 2 && !strings.Contains(a.text, `"success":false`)
}

// TestOktaEndpoints: where Okta's programs look, and nowhere else.
func TestOktaEndpoints(t *testing.T) {
	w := theWorld(t)
	for issuer, prefix := range map[string]string{oktaOrg: "/oauth2/v1", oktaCustom: "/oauth2/default/v1"} {
		at := w.origin(issuer) + prefix
		if a := w.get(t, at+"/authorize?response_type=code"); a.status != http.StatusBadRequest || a.json(t)["error"] != "unsupported_response_type" {
			t.Errorf("%s: authorize: %d %s", issuer, a.status, a.text)
		}
		for path, want := range map[string]int{"/keys": 200, "/revocations": 200, "/revocations/keys": 200, "/token": 405, "/introspect": 405, "/revoke": 405, "/jwks": 404, "/keys/": 404} {
			if a := w.get(t, at+path); a.status != want {
				t.Errorf("%s: GET %s: %d, want %d", issuer, path, a.status, want)
			}
		}
		m := w.get(t, w.issuers[issuer]+"/.well-known/openid-configuration").json(t)
		for name, path := range map[string]string{
			"token_endpoint": "/token", "introspection_endpoint": "/introspect", "revocation_endpoint": "/revoke", "jwks_uri": "/keys", "authorization_endpoint": "/authorize",
		} {
			if m[name] != at+path {
				t.Errorf("%s: %s is %v, want %s", issuer, name, m[name], at+path)
			}
		}
	}
	for _, path := range []string{"/token", "/jwks", "/introspect", "/oauth2/default/token", "/oauth2/default/jwks", "/oauth2/v1/v1/token", "/oauth2/other/v1/token", "/oauth2/v1/token/"} {
		if a := w.get(t, w.origin(oktaOrg)+path); a.status != http.StatusNotFound {
			t.Errorf("GET %s: %d, want 404", path, a.status)
		}
	}
	for _, path := range []string{"/oauth2/v1/token", "/oauth2/default/v1/keys", "/api/v1/users", "/api/v1/apps"} {
		for _, other := range []string{standard, auth0, curity, simple} {
			if a := w.get(t, w.origin(other)+path); a.status != http.StatusNotFound {
				t.Errorf("%s at %s: %d, want 404", path, other, a.status)
			}
		}
	}
}

// TestOktaClaims that @okta/jwt-verifier is told to compare.
func TestOktaClaims(t *testing.T) {
	w := theWorld(t)
	f := grant()
	f.Set("scope", "api.read api.write")
	f.Set("client_id", "everywhere")
	f.Set("client_secret", w.secrets["everywhere"])
	c := claims(t, w.form(t, w.tokenURL(oktaCustom), f).token(t))
	scp, _ := c["scp"].([]any)
	if c["iss"] != w.issuers[oktaCustom] || c["cid"] != "everywhere" || c["sub"] != "everywhere" || c["aud"] != "api://default" ||
		len(scp) != 2 || scp[0] != "api.read" || scp[1] != "api.write" || c["scope"] != "api.read api.write" || c["ver"] != 1.0 {
		t.Errorf("claims %v", c)
	}
	for _, other := range []string{standard, auth0, curity} {
		c := claims(t, w.ask(t, other, "everywhere").token(t))
		for _, name := range []string{"cid", "scp", "ver"} {
			if c[name] != nil {
				t.Errorf("%s says %s: %v", other, name, c[name])
			}
		}
	}
}

// TestOktaIntrospectsAndRevokes, where Okta's programs look for it.
func TestOktaIntrospectsAndRevokes(t *testing.T) {
	w := theWorld(t)
	if err := w.create(t.Context(), made{Client: registry.Client{ID: "okta-rs", Issuers: []string{oktaCustom}}}); err != nil {
		t.Fatal(err)
	}
	_, _, err := w.node.Admin().UpdateAPI(t.Context(), admin.System(), admin.Update[registry.API]{
		Target: admin.Target{ID: "okta-api"},
		Change: admin.Named[registry.API]{Object: registry.API{ResourceServers: []string{"okta-rs"}}, Fields: admin.Fields{"resource_servers"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	token := w.ask(t, oktaCustom, "okta-app").token(t)
	about := func(endpoint, client string) answer {
		return w.form(t, w.issuers[oktaCustom]+"/v1/"+endpoint, url.Values{"token": {token}}, "Authorization", basic(client, w.secrets[client]))
	}
	if m := about("introspect", "okta-rs").json(t); m["active"] != true || m["client_id"] != "okta-app" || m["scope"] != "api.read" {
		t.Errorf("%v", m)
	}
	about("introspect", "nobody").wants(t, http.StatusUnauthorized, "invalid_client")
	about("revoke", "okta-app").wants(t, http.StatusOK, "")
	if a := about("introspect", "okta-rs"); strings.TrimSpace(a.text) != `{"active":false}` {
		t.Errorf("revoked: %s", a.text)
	}
}

// TestOktaScopes: an unknown scope and one that is not granted are refused alike.
func TestOktaScopes(t *testing.T) {
	w := theWorld(t)
	for _, scope := range []string{"no.such.scope", "api.write", "okta.users.read", "api.read no.such"} {
		f := url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}
		w.form(t, w.tokenURL(oktaCustom), f, "Authorization", basic("okta-app", w.secrets["okta-app"])).wants(t, http.StatusBadRequest, "invalid_scope")
	}
}

// try is a token request with an assertion and a proof, either of which may be "".
func (w *world) try(t *testing.T, issuer, assertion, proof string) answer {
	t.Helper()
	var headers []string
	if proof != "" {
		headers = []string{"DPoP", proof}
	}
	return w.form(t, w.tokenURL(issuer), asserts(grantAt(issuer), assertion), headers...)
}

// TestOktaDPoPAnswersInOrder: the client authenticates; without a proof a client
// that must bind its tokens is told so; with one, whoever sends it, a nonce is
// demanded. Nothing of that uses up the assertion or the proof, and a nonce is
// good for more than one request.
func TestOktaDPoPAnswersInOrder(t *testing.T) {
	w := theWorld(t)
	for _, issuer := range []string{oktaOrg, oktaCustom} {
		for _, client := range []string{"everywhere-dpop", "everywhere-key"} {
			t.Run(issuer+" "+client, func(t *testing.T) {
				endpoint := w.tokenURL(issuer)
				assertion := w.assertion(t, client, endpoint, nil)
				forged := sign(t, w.key2, nil, map[string]any{"iss": client, "sub": client, "aud": endpoint, "jti": "x", "exp": w.now().Add(time.Minute).Unix()})
				proof := w.proof(t, w.key, "POST", endpoint, nil)
				w.try(t, issuer, forged, "").wants(t, http.StatusUnauthorized, "invalid_client")
				w.try(t, issuer, forged, proof).wants(t, http.StatusUnauthorized, "invalid_client")
				if client == "everywhere-dpop" {
					w.try(t, issuer, assertion, "").wants(t, http.StatusBadRequest, "invalid_dpop_proof")
				}
				first := w.try(t, issuer, assertion, proof)
				first.wants(t, http.StatusBadRequest, "use_dpop_nonce")
				nonce := first.header.Get("DPoP-Nonce")
				w.try(t, issuer, assertion, w.proof(t, w.key, "POST", endpoint, map[string]any{"nonce": "stale"})).wants(t, http.StatusBadRequest, "use_dpop_nonce")
				w.try(t, issuer, assertion, w.proof(t, w.key, "POST", w.tokenURL(standard), map[string]any{"nonce": nonce})).wants(t, http.StatusBadRequest, "invalid_dpop_proof")

				another := w.proof(t, w.key2, "POST", endpoint, map[string]any{"nonce": nonce}) // github.com/okta/okta-sdk-golang makes a new key
				a := w.try(t, issuer, assertion, another)
				c := claims(t, a.token(t))
				if a.json(t)["token_type"] != "DPoP" || c["cnf"] == nil {
					t.Errorf("%s: %v", a.text, c)
				}
				w.try(t, issuer, assertion, w.proof(t, w.key, "POST", endpoint, map[string]any{"nonce": nonce})).wants(t, http.StatusUnauthorized, "invalid_client")
				w.try(t, issuer, w.assertion(t, client, endpoint, nil), another).wants(t, http.StatusBadRequest, "invalid_dpop_proof")
				w.try(t, issuer, w.assertion(t, client, endpoint, nil), w.proof(t, w.key, "POST", endpoint, map[string]any{"nonce": nonce})).token(t)
			})
		}
	}
	a := w.try(t, oktaOrg, w.assertion(t, "everywhere-key", w.tokenURL(oktaOrg), nil), "")
	if a.token(t); a.json(t)["token_type"] != "Bearer" {
		t.Errorf("without a proof: %s", a.text)
	}
}

// leniency is what one of Okta's programs needs, and at which issuers it is let
// pass. send makes the request, which is right otherwise, at any issuer.
type leniency struct {
	name string
	at   []string
	send func(t *testing.T, w *world, issuer string) answer
}

var oktaLeniencies = []leniency{
	{"okta-sdk-golang v5: parameters in the query", []string{oktaOrg}, func(t *testing.T, w *world, issuer string) answer {
		f := asserts(grantAt(issuer), w.assertion(t, "everywhere-key", w.issuerOrEndpoint(issuer), nil))
		return w.do(t, http.MethodPost, w.tokenURL(issuer)+"?"+f.Encode(), "", "Content-Type", "application/x-www-form-urlencoded", "Accept", "application/json")
	}},
	{"okta-sdk-golang v5: an assertion without a jti, for an hour", []string{oktaOrg}, func(t *testing.T, w *world, issuer string) answer {
		long := map[string]any{"jti": nil, "exp": w.now().Add(time.Hour).Unix()}
		return w.try(t, issuer, w.assertion(t, "everywhere-key", w.iss(issuer), long), "")
	}},
	{"an assertion without a jti", []string{oktaOrg}, func(t *testing.T, w *world, issuer string) answer {
		return w.try(t, issuer, w.assertion(t, "everywhere-key", w.iss(issuer), map[string]any{"jti": nil}), "")
	}},
	{"okta-sdk-nodejs: the token endpoint as audience", []string{oktaOrg, oktaCustom}, func(t *testing.T, w *world, issuer string) answer {
		return w.try(t, issuer, w.assertion(t, "everywhere-key", w.tokenURL(issuer), nil), "")
	}},
	{"authlib 1.2: an assertion for an hour", []string{oktaOrg, oktaCustom}, func(t *testing.T, w *world, issuer string) answer {
		return w.try(t, issuer, w.assertion(t, "everywhere-key", w.iss(issuer), map[string]any{"exp": w.now().Add(time.Hour).Unix()}), "")
	}},
	{"request-promise 4 and btoa: Basic that is not urlencoded", []string{oktaCustom}, func(t *testing.T, w *world, issuer string) answer {
		return w.form(t, w.tokenURL(issuer), grantAt(issuer), "Authorization", basic("everywhere-odd", oddSecret))
	}},
}

// issuerOrEndpoint is an audience that is right at the issuer in any case.
func (w *world) issuerOrEndpoint(issuer string) string {
	if issuer == oktaOrg {
		return w.tokenURL(issuer)
	}
	return w.iss(issuer)
}

// TestOktaLeniencies: each is let pass where Okta's programs need it, and the
// same request is refused at every other issuer of this process. Other dialects
// may need the same for programs of theirs.
func TestOktaLeniencies(t *testing.T) {
	w := theWorld(t)
	alsoElsewhere := map[string][]string{
		"request-promise 4 and btoa: Basic that is not urlencoded": {curity},
	}
	for _, l := range oktaLeniencies {
		for _, issuer := range allIssuers {
			a := l.send(t, w, issuer)
			switch {
			case slices.Contains(l.at, issuer):
				a.token(t)
			case a.good() && !slices.Contains(alsoElsewhere[l.name], issuer):
				t.Errorf("%s: let pass at %s: %s", l.name, issuer, a.text)
			}
		}
	}
}

// TestOktaAssertionsEndInAnHour, and whatever is not a leniency stays refused.
func TestOktaAssertionsEndInAnHour(t *testing.T) {
	w := theWorld(t)
	for name, more := range map[string]map[string]any{
		"two hours":          {"exp": w.now().Add(2 * time.Hour).Unix()},
		"expired":            {"exp": w.now().Add(-time.Minute).Unix()},
		"no exp":             {"exp": nil},
		"another issuer":     {"aud": w.tokenURL(standard)},
		"another server":     {"aud": w.tokenURL(oktaCustom)},
		"a list of both":     {"aud": []string{w.tokenURL(oktaOrg), w.tokenURL(standard)}},
		"the endpoint's end": {"aud": w.tokenURL(oktaOrg) + "/"},
		"another client":     {"sub": "okta-admin"},
	} {
		a := w.try(t, oktaOrg, w.assertion(t, "everywhere-key", w.tokenURL(oktaOrg), more), "")
		if a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	// Without a jti an assertion is good once all the same.
	one := w.assertion(t, "everywhere-key", w.tokenURL(oktaOrg), map[string]any{"jti": nil})
	w.try(t, oktaOrg, one, "").token(t)
	w.try(t, oktaOrg, one, "").wants(t, http.StatusUnauthorized, "invalid_client")
}

// TestOktaQuery: only those parameters, only of a request without a body, and
// what was leaked by it is said.
func TestOktaQuery(t *testing.T) {
	w := theWorld(t)
	endpoint := w.tokenURL(oktaOrg)
	good := asserts(grantAt(oktaOrg), w.assertion(t, "everywhere-key", endpoint, nil)).Encode()
	const formType = "application/x-www-form-urlencoded"
	for name, c := range map[string]struct{ query, body string }{
		"both":              {good, good},
		"a body besides":    {good, "scope=okta.users.read"},
		"another parameter": {good + "&resource=x", ""},
		"one twice":         {good + "&scope=okta.users.read", ""},
		"broken":            {good + "&scope=%zz", ""},
		"audience":          {good + "&audience=x", ""},
	} {
		a := w.do(t, http.MethodPost, endpoint+"?"+c.query, c.body, "Content-Type", formType)
		if a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	leaked := w.secrets["everywhere"]
	a := w.do(t, http.MethodPost, endpoint+"?grant_type=client_credentials&scope=okta.users.read&client_id=everywhere&client_secret="+leaked, "", "Content-Type", formType)
	a.wants(t, http.StatusBadRequest, "invalid_request")
	if strings.Contains(a.text, leaked) {
		t.Errorf("the answer repeats the secret: %s", a.text)
	}
	log := w.logged.String()
	if strings.Contains(log, leaked) || strings.Contains(log, "client_assertion=") {
		t.Error("the log holds the query")
	}
	if !strings.Contains(log, "level=WARN") || !strings.Contains(log, a.header.Get("Request-Id")) {
		t.Error("nobody is told that a secret leaked")
	}
}

// TestOktaSDKGolang is the walk of github.com/okta/okta-sdk-golang v5.0.2: all
// parameters in the query, one assertion without a jti for three tries, a new key
// for each proof; then the nonce of the token in the proof of each call.
func TestOktaSDKGolang(t *testing.T) {
	w := theWorld(t)
	endpoint := w.tokenURL(oktaOrg)
	assertion := w.assertion(t, "okta-dpop", endpoint, map[string]any{"jti": nil, "exp": w.now().Add(time.Hour).Unix()})
	query := asserts(grantAt(oktaOrg), assertion).Encode()
	ask := func(headers ...string) answer {
		return w.do(t, http.MethodPost, endpoint+"?"+query, "", append(headers, "Content-Type", "application/x-www-form-urlencoded", "Accept", "application/json")...)
	}
	key := func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ask().wants(t, http.StatusBadRequest, "invalid_dpop_proof")
	second := ask("Dpop", w.proof(t, key(), "POST", endpoint, nil))
	second.wants(t, http.StatusBadRequest, "use_dpop_nonce")
	nonce := map[string]any{"nonce": second.header.Get("Dpop-Nonce")}
	last := key()
	third := ask("Dpop", w.proof(t, last, "POST", endpoint, nonce))
	token := third.token(t)
	if third.json(t)["token_type"] != "DPoP" {
		t.Fatalf("%s", third.text)
	}
	users := w.origin(oktaOrg) + "/api/v1/users"
	for range 3 {
		claims := map[string]any{"nonce": nonce["nonce"], "ath": tokenHash(token)}
		w.get(t, users, "Authorization", "DPoP "+token, "Dpop", w.proof(t, last, "GET", users, claims)).wants(t, http.StatusOK, "")
	}
}
