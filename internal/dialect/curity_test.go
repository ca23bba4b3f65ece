package dialect_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/resource"
)

// curityToken gets one as curity-app, whose claims hold a role.
func (w *world) curityToken(t testing.TB) string {
	t.Helper()
	return w.ask(t, curity, "curity-app").token(t)
}

// TestCurityToken: what express-oauth-jwt 1.1.0 and 2.0.2 read stands in the token:
// iss and aud as strings, scope as a string, and the client's own role.
func TestCurityToken(t *testing.T) {
	w := theWorld(t)
	c := claims(t, w.curityToken(t))
	for name, want := range map[string]any{
		"iss": w.issuers[curity], "aud": "https://api.example.com", "sub": "curity-app", "client_id": "curity-app",
		"scope": "api.read", "role": "batch",
	} {
		if c[name] != want {
			t.Errorf("%s is %v, want %v", name, c[name], want)
		}
	}
}

// TestCurityTokenOffline: an API that knows only the issuer's URL can check it.
func TestCurityTokenOffline(t *testing.T) {
	w := theWorld(t)
	api, err := resource.New(resource.Config{Issuer: w.issuers[curity], Audience: "https://api.example.com", HTTP: w.http, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	check := func(token string) (*resource.Caller, error) {
		return api.Check(t.Context(), resource.Request{
			Method: "GET", URL: &url.URL{Scheme: "https", Host: "api.example.com", Path: "/"}, Authorization: []string{"Bearer " + token},
		}, "api.read")
	}
	token := w.curityToken(t)
	if caller, err := check(token); err != nil || caller.ClientID != "curity-app" {
		t.Fatalf("%v %v", caller, err)
	}
	if _, err = check(token[:len(token)-6] + "AAAAAA"); err == nil {
		t.Error("another signature is good")
	}
}

// TestCurityMetadata: it is at the anonymous issuer, in every form, and names the
// endpoints beside it.
func TestCurityMetadata(t *testing.T) {
	w := theWorld(t)
	origin, path := w.origin(curity), strings.TrimPrefix(w.issuers[curity], w.origin(curity))
	want := map[string]any{
		"issuer":                 w.issuers[curity],
		"token_endpoint":         origin + "/oauth/v2/oauth-token",
		"introspection_endpoint": origin + "/oauth/v2/oauth-introspect",
		"revocation_endpoint":    origin + "/oauth/v2/oauth-revoke",
		"authorization_endpoint": origin + "/oauth/v2/oauth-authorize",
		"jwks_uri":               w.issuers[curity] + "/jwks",
	}
	for _, at := range []string{
		w.issuers[curity] + "/.well-known/openid-configuration", w.issuers[curity] + "/.well-known/oauth-authorization-server",
		origin + "/.well-known/openid-configuration" + path, origin + "/.well-known/oauth-authorization-server" + path,
	} {
		a := w.get(t, at)
		a.wants(t, http.StatusOK, "")
		m := a.json(t)
		for name, value := range want {
			if m[name] != value {
				t.Errorf("%s: %s is %v, want %v", at, name, m[name], value)
			}
		}
	}
}

// TestCurityKeys are RSA alone, which every library of this vendor can import, and
// each can be had as PEM.
func TestCurityKeys(t *testing.T) {
	w := theWorld(t)
	list, _ := w.get(t, w.issuers[curity]+"/jwks").json(t)["keys"].([]any)
	if len(list) == 0 {
		t.Fatal("no key")
	}
	for _, one := range list {
		key := one.(map[string]any)
		if key["kty"] != "RSA" || key["use"] != "sig" || key["alg"] != "RS256" {
			t.Errorf("%v", key)
		}
		if a := w.get(t, w.issuers[curity]+"/jwks/"+key["kid"].(string)+".pem"); !strings.HasPrefix(a.text, "-----BEGIN PUBLIC KEY-----") {
			t.Errorf("%d %s", a.status, a.text)
		}
	}
}

// TestCurityIntrospectionAndRevocation stand beside the issuer, for its tokens.
func TestCurityIntrospectionAndRevocation(t *testing.T) {
	w := theWorld(t)
	token := w.curityToken(t)
	introspect := func(token string) answer {
		return w.form(t, w.origin(curity)+"/oauth/v2/oauth-introspect", url.Values{"token": {token}}, "Authorization", basic("curity-rs", w.secrets["curity-rs"]))
	}
	if a := introspect(token).json(t); a["active"] != true || a["role"] != "batch" || a["aud"] != "https://api.example.com" {
		t.Fatalf("%v", a)
	}
	const inactive = `{"active":false}`
	if a := introspect(w.ask(t, standard, "everywhere").token(t)); a.text != inactive {
		t.Errorf("a token of another issuer: %d %s", a.status, a.text)
	}
	a := w.form(t, w.origin(curity)+"/oauth/v2/oauth-revoke", url.Values{"token": {token}}, "Authorization", basic("curity-app", w.secrets["curity-app"]))
	if a.status != http.StatusOK || a.text != "" {
		t.Fatalf("%d %s", a.status, a.text)
	}
	if a := introspect(token); a.text != inactive {
		t.Errorf("a revoked token: %d %s", a.status, a.text)
	}
}

// TestCurityPaths: nothing of a standard issuer stands at a Curity host, nor
// anything of it below the anonymous issuer.
func TestCurityPaths(t *testing.T) {
	w := theWorld(t)
	for _, path := range []string{
		"/token", "/introspect", "/revoke", "/jwks", "/oauth-token", "/oauth/v2/token", "/oauth/v2/oauth-token/", "/oauth/v2/oauth%2Dtoken",
		"/oauth/v2/oauth-anonymous/token", "/oauth/v2/oauth-anonymous/oauth-token", "/oauth/v2/jwks", "/.well-known/openid-configuration",
	} {
		f := grant()
		f.Set("client_id", "curity-app")
		f.Set("client_secret", w.secrets["curity-app"])
		w.form(t, w.origin(curity)+path, f).wants(t, http.StatusNotFound, "")
	}
	w.get(t, w.origin(curity)+"/oauth/v2/oauth-token").wants(t, http.StatusMethodNotAllowed, "invalid_request")
	w.get(t, w.origin(curity)+"/oauth/v2/oauth-authorize").wants(t, http.StatusBadRequest, "unsupported_response_type")
}

// TestCurityLetsNothingPass that a standard issuer refuses: what the programs of
// other vendors need is refused here.
func TestCurityLetsNothingPass(t *testing.T) {
	w := theWorld(t)
	good := grant()
	good.Set("client_id", "curity-app")
	good.Set("client_secret", w.secrets["curity-app"])
	without := func(name string) url.Values {
		f := maps.Clone(good)
		f.Del(name)
		return f
	}
	at := w.tokenURL(curity)
	for name, c := range map[string]struct {
		answer answer
		status int
		code   string
	}{
		"JSON":               {w.do(t, "POST", at, `{"grant_type":"client_credentials","client_id":"curity-app","client_secret":"`+w.secrets["curity-app"]+`"}`, "Content-Type", "application/json"), 400, "invalid_request"},
		"the query":          {w.do(t, "POST", at+"?"+good.Encode(), ""), 400, "invalid_request"},
		"no grant_type":      {w.form(t, at, without("grant_type")), 400, "invalid_request"},
		"no secret":          {w.form(t, at, without("client_secret")), 401, "invalid_client"},
		"raw Basic":          {w.form(t, at, grant(), "Authorization", basic("everywhere-odd", oddSecret)), 401, "invalid_client"},
		"an assertion's aud": {w.form(t, at, asserts(grant(), w.assertion(t, "everywhere-key", at, nil))), 401, "invalid_client"},
	} {
		if c.answer.status != c.status || c.answer.json(t)["error"] != c.code {
			t.Errorf("%s: %d %s, want %d %s", name, c.answer.status, c.answer.text, c.status, c.code)
		}
	}
	// The issuer itself is what an assertion is for, here as everywhere.
	w.form(t, at, asserts(grant(), w.assertion(t, "everywhere-key", w.issuers[curity], nil))).token(t)
}

// TestCurityAudience: an API of the vendor's has a name that is no URI, which the
// program may also send.
func TestCurityAudience(t *testing.T) {
	w := theWorld(t)
	f := grant()
	f.Set("audience", "https://api.example.com")
	a := w.form(t, w.tokenURL(curity), f, "Authorization", basic("curity-app", w.secrets["curity-app"]))
	if got := claims(t, a.token(t))["aud"]; got != "https://api.example.com" {
		t.Errorf("aud is %v", got)
	}
	f.Set("audience", "api.example.org")
	w.form(t, w.tokenURL(curity), f, "Authorization", basic("curity-app", w.secrets["curity-app"])).wants(t, http.StatusBadRequest, "invalid_target")
}
