package dialect_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

const auth0Audience = "https://api.example.test"

// askJSON asks an issuer for a token with the members as one JSON object.
func (w *world) askJSON(t testing.TB, issuer string, members map[string]any) answer {
	t.Helper()
	return w.do(t, http.MethodPost, w.tokenURL(issuer), encode(t, members), "Content-Type", "application/json")
}

func encode(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// byHand is the token request of Auth0's documentation.
func (w *world) byHand(client string) map[string]any {
	return map[string]any{"grant_type": "client_credentials", "client_id": client, "client_secret": w.secrets[client], "audience": auth0Audience}
}

// TestAuth0Token: JSON and form alike give a token for the audience with all
// granted scopes, in the shape that express-jwt 5 and 8 with jwks-rsa, and
// express-oauth2-jwt-bearer, check.
func TestAuth0Token(t *testing.T) {
	w := theWorld(t)
	form := url.Values{}
	for name, value := range w.byHand("auth0-app") {
		form.Set(name, value.(string))
	}
	for name, a := range map[string]answer{
		"json": w.askJSON(t, auth0, w.byHand("auth0-app")), "form": w.form(t, w.tokenURL(auth0), form),
	} {
		t.Run(name, func(t *testing.T) {
			c := claims(t, a.token(t))
			for claim, want := range map[string]any{
				"iss": w.issuers[auth0] + "/", "aud": auth0Audience, "sub": "auth0-app", "client_id": "auth0-app",
				"azp": "auth0-app", "gty": "client-credentials", "scope": "api.read api.write",
			} {
				if c[claim] != want {
					t.Errorf("%s is %v, want %v", claim, c[claim], want)
				}
			}
			body := a.json(t)
			if body["token_type"] != "Bearer" || body["scope"] != "api.read api.write" {
				t.Errorf("the answer is %v", slices.Sorted(maps.Keys(body)))
			}
			if seconds, ok := body["expires_in"].(float64); !ok || seconds <= 0 {
				t.Errorf("expires_in is %v", body["expires_in"])
			}
		})
	}
}

// TestAuth0TokenOfAFewScopes: who names scopes gets those.
func TestAuth0TokenOfAFewScopes(t *testing.T) {
	w := theWorld(t)
	ask := w.byHand("auth0-app")
	ask["scope"] = "api.write"
	if c := claims(t, w.askJSON(t, auth0, ask).token(t)); c["scope"] != "api.write" {
		t.Errorf("scope is %v", c["scope"])
	}
}

// TestAuth0AssertionForTheDomain: with private_key_jwt node-auth0 4 and 7 put
// https://DOMAIN/ into aud, live three minutes and name no kid.
func TestAuth0AssertionForTheDomain(t *testing.T) {
	w := theWorld(t)
	f := url.Values{"grant_type": {"client_credentials"}, "audience": {auth0Audience}, "client_id": {"everywhere-key"}}
	signed := w.assertion(t, "everywhere-key", w.issuers[auth0]+"/", map[string]any{"exp": w.now().Unix() + 180})
	w.form(t, w.tokenURL(auth0), asserts(f, signed)).token(t)
	without := w.assertion(t, "everywhere-key", w.issuers[auth0], nil)
	w.form(t, w.tokenURL(auth0), asserts(f, without)).wants(t, http.StatusUnauthorized, "invalid_client")
}

// TestAuth0Refusals have the status and code that programs go by, and tell
// nothing that the client may not know.
func TestAuth0Refusals(t *testing.T) {
	w := theWorld(t)
	with := func(change map[string]any) answer {
		ask := w.byHand("auth0-app")
		maps.Copy(ask, change)
		return w.askJSON(t, auth0, changed(ask, nil))
	}
	wrong := with(map[string]any{"client_secret": "wrong"})
	wrong.wants(t, http.StatusUnauthorized, "invalid_client")
	for name, a := range map[string]answer{
		"unknown client": with(map[string]any{"client_id": "nobody"}), "of another issuer": with(map[string]any{"client_id": "billing", "client_secret": w.secrets["billing"]}),
		"a query in the id": with(map[string]any{"client_id": "' OR '1'='1"}),
	} {
		if a.status != http.StatusUnauthorized || a.text != wrong.text {
			t.Errorf("%s: %d %s, want what a wrong secret gets", name, a.status, a.text)
		}
	}
	unknown := with(map[string]any{"audience": "https://unknown.example.test"})
	unknown.wants(t, http.StatusForbidden, "access_denied")
	if a := with(map[string]any{"audience": w.issuers[auth0] + "/api/v2/"}); a.status != http.StatusForbidden || a.text != unknown.text {
		t.Errorf("an API without a grant: %d %s, want what an unknown one gets", a.status, a.text)
	}
	with(map[string]any{"scope": "api.delete"}).wants(t, http.StatusBadRequest, "invalid_scope")
	with(map[string]any{"grant_type": "password"}).wants(t, http.StatusBadRequest, "unsupported_grant_type")
	with(map[string]any{"grant_type": nil}).wants(t, http.StatusBadRequest, "invalid_request")
}

// TestAuth0HostileBodies: what is no JSON object of texts gets no token, and no
// answer that repeats it.
func TestAuth0HostileBodies(t *testing.T) {
	w := theWorld(t)
	secret := w.secrets["auth0-app"]
	for name, body := range map[string]string{
		"an operator for the id":     `{"grant_type":"client_credentials","client_id":{"$ne":null},"client_secret":{"$ne":null},"audience":"` + auth0Audience + `"}`,
		"an operator for the secret": `{"grant_type":"client_credentials","client_id":"auth0-app","client_secret":{"$gt":""}}`,
		"a list":                     `{"grant_type":"client_credentials","client_id":["auth0-app"],"client_secret":["` + secret + `"]}`,
		"true":                       `{"grant_type":"client_credentials","client_id":"auth0-app","client_secret":true}`,
		"twice":                      `{"grant_type":"client_credentials","client_id":"auth0-app","client_secret":"x","client_secret":"` + secret + `"}`,
		"no object":                  `["client_credentials"]`,
		"two values":                 `{"grant_type":"client_credentials","client_id":"auth0-app","client_secret":"` + secret + `"}{}`,
		"cut off":                    `{"grant_type":"client_credentials","client_id":"auth0-app","client_secret":"` + secret,
		"nothing":                    ``,
	} {
		a := w.do(t, http.MethodPost, w.tokenURL(auth0), body, "Content-Type", "application/json")
		if a.status != http.StatusBadRequest && a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
		if strings.Contains(a.text, secret) || strings.Contains(a.text, "$") {
			t.Errorf("%s: the answer repeats the request: %s", name, a.text)
		}
	}
	a := w.do(t, http.MethodPost, w.tokenURL(auth0), encode(t, w.byHand("auth0-app")), "Content-Type", "text/plain")
	a.wants(t, http.StatusBadRequest, "invalid_request")
}

// TestAuth0JSONNowhereElse: the standard issuer and those of the dialects without
// such programs take a JSON body from nobody, though the client is the same.
func TestAuth0JSONNowhereElse(t *testing.T) {
	w := theWorld(t)
	ask := map[string]any{"grant_type": "client_credentials", "scope": "api.read", "client_id": "everywhere", "client_secret": w.secrets["everywhere"]}
	w.askJSON(t, auth0, ask).token(t)
	for _, issuer := range []string{standard, oktaOrg, oktaCustom, curity} {
		w.askJSON(t, issuer, ask).wants(t, http.StatusBadRequest, "invalid_request")
	}
}

// TestAuth0ClaimsNowhereElse: azp and gty are of Auth0's tokens alone.
func TestAuth0ClaimsNowhereElse(t *testing.T) {
	w := theWorld(t)
	for _, issuer := range []string{standard, oktaCustom, curity} {
		c := claims(t, w.ask(t, issuer, "everywhere").token(t))
		if _, has := c["gty"]; has {
			t.Errorf("%s: a token with gty", issuer)
		}
	}
	if c := claims(t, w.ask(t, standard, "everywhere").token(t)); c["azp"] != nil {
		t.Error("a standard token with azp")
	}
}

// TestAuth0PathsNowhereElse: nothing of Auth0's stands at another issuer, and
// nothing of a standard one at Auth0's token endpoint.
func TestAuth0PathsNowhereElse(t *testing.T) {
	w := theWorld(t)
	for _, path := range []string{"/oauth/token", "/oauth/revoke", "/.well-known/jwks.json", "/api/v2/clients", "/api/v2/client-grants"} {
		for _, issuer := range []string{standard, oktaOrg, curity, simple} {
			if a := w.get(t, w.origin(issuer)+path); a.status != http.StatusNotFound {
				t.Errorf("%s at %s: %d", path, issuer, a.status)
			}
		}
	}
	if a := w.form(t, w.origin(auth0)+"/token", grant()); a.status != http.StatusNotFound {
		t.Errorf("/token: %d", a.status)
	}
}

// TestAuth0Metadata: what express-oauth2-jwt-bearer reads, and where jwks-rsa
// looks for keys.
func TestAuth0Metadata(t *testing.T) {
	w := theWorld(t)
	base := w.issuers[auth0]
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		m := w.get(t, base+path).json(t)
		for member, want := range map[string]string{
			"issuer": base + "/", "token_endpoint": base + "/oauth/token", "jwks_uri": base + "/.well-known/jwks.json",
			"revocation_endpoint": base + "/oauth/revoke", "introspection_endpoint": base + "/introspect", "authorization_endpoint": base + "/authorize",
		} {
			if m[member] != want {
				t.Errorf("%s: %s is %v, want %s", path, member, m[member], want)
			}
		}
	}
	keys, _ := w.get(t, base+"/.well-known/jwks.json").json(t)["keys"].([]any)
	if len(keys) == 0 {
		t.Fatal("no keys")
	}
	for _, one := range keys {
		key := one.(map[string]any)
		if key["kty"] != "RSA" || key["use"] != "sig" || key["alg"] != "RS256" || key["kid"] == "" {
			t.Errorf("a key of kty %v, use %v, alg %v, kid %v", key["kty"], key["use"], key["alg"], key["kid"])
		}
	}
}

// TestAuth0Revoke: a client takes its own token back, at Auth0's path.
func TestAuth0Revoke(t *testing.T) {
	w := theWorld(t)
	token := w.askJSON(t, auth0, w.byHand("auth0-app")).token(t)
	f := url.Values{"client_id": {"auth0-app"}, "client_secret": {w.secrets["auth0-app"]}, "token": {token}}
	if a := w.form(t, w.issuers[auth0]+"/oauth/revoke", f); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.text)
	}
}

// TestAuth0AllScopesNowhereElse: who names no scope gets the default scopes of the
// API everywhere but here.
func TestAuth0AllScopesNowhereElse(t *testing.T) {
	w := theWorld(t)
	a, by := w.node.Admin(), admin.System()
	c := registry.Client{ID: unique(t), Issuers: []string{standard, auth0, oktaCustom, curity}, Access: map[string][]string{}}
	for _, issuer := range c.Issuers {
		id := unique(t) + "-" + issuer
		c.Access[id] = []string{"few", "many"}
		if _, _, err := a.CreateAPI(t.Context(), by, registry.API{ID: id, Issuer: issuer, Identifier: "https://" + id + ".test",
			Scopes: map[string]registry.Scope{"few": {Default: true}, "many": {}}}); err != nil {
			t.Fatal(err)
		}
	}
	made, _, err := a.CreateClient(t.Context(), by, admin.CreateClient{Client: c})
	if err != nil {
		t.Fatal(err)
	}
	for _, issuer := range c.Issuers {
		ask := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID}, "client_secret": {made.Secret.Reveal()},
			"audience": {"https://" + unique(t) + "-" + issuer + ".test"}}
		want := "few"
		if issuer == auth0 {
			want = "few many"
		}
		if got := claims(t, w.form(t, w.tokenURL(issuer), ask).token(t))["scope"]; got != want {
			t.Errorf("%s: scope is %v, want %v", issuer, got, want)
		}
	}
}
