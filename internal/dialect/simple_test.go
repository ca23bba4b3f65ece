package dialect_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/resource"
)

// authorize asks with what the article's client sends.
func (w *world) authorize(t testing.TB, client, secret string, headers ...string) answer {
	t.Helper()
	return w.form(t, w.tokenURL(simple), url.Values{"client_id": {client}, "client_secret": {secret}}, headers...)
}

// simpleToken is the token of an answer with exactly the members that the article's
// server gives.
func simpleToken(t testing.TB, a answer, client string) string {
	t.Helper()
	a.wants(t, http.StatusOK, "")
	m := a.json(t)
	token, _ := m["token"].(string)
	if m["success"] != true || m["client_id"] != client || strings.Count(token, ".") != 2 || len(m) != 3 {
		t.Fatalf("%s", a.text)
	}
	return token
}

// verify sends a token to /verify as the value of the Authorization header.
func (w *world) verify(t testing.TB, authorization ...string) answer {
	t.Helper()
	var headers []string
	for _, value := range authorization {
		headers = append(headers, "Authorization", value)
	}
	return w.do(t, http.MethodPost, w.origin(simple)+"/verify", "", headers...)
}

const refusal = `{"success":false}`

// refuses fails unless the answer is the one to everything that is wrong.
func refuses(t *testing.T, name string, a answer) {
	t.Helper()
	if a.status != http.StatusOK || a.text != refusal || a.header.Get("Content-Type") != "application/json" ||
		a.header.Get("Cache-Control") != "no-store" || a.header.Get("Www-Authenticate") != "" {
		t.Errorf("%s: %d %s %v", name, a.status, a.text, a.header)
	}
}

// refusedFor is what the record of a request says of its refusal.
func (w *world) refusedFor(t testing.TB, a answer) string {
	t.Helper()
	e, err := w.node.Admin().Explain(t.Context(), admin.System(), a.header.Get("Request-Id"))
	if err != nil || e.Record == nil {
		t.Fatalf("no record of the request: %v", err)
	}
	return strings.Join([]string{e.Record.Outcome, e.Record.Endpoint, e.Record.Reason}, ": ")
}

// TestSimpleAuthorize takes a form and JSON; its token is an ordinary one of ours.
func TestSimpleAuthorize(t *testing.T) {
	w := theWorld(t)
	secret := w.secrets["simple-app"]
	for name, a := range map[string]answer{
		"form": w.authorize(t, "simple-app", secret),
		"JSON": w.do(t, "POST", w.tokenURL(simple), `{"client_id":"simple-app","client_secret":"`+secret+`"}`, "Content-Type", "application/json"),
		"JSON of axios": w.do(t, "POST", w.tokenURL(simple), `{"client_id":"simple-app","client_secret":"`+secret+`"}`,
			"Content-Type", "application/json;charset=utf-8", "Accept", "application/json, text/plain, */*"),
	} {
		c := claims(t, simpleToken(t, a, "simple-app"))
		for member, want := range map[string]any{"iss": w.issuers[simple], "client_id": "simple-app", "sub": "simple-app", "scope": "api.read", "success": true} {
			if c[member] != want {
				t.Errorf("%s: %s is %v, want %v", name, member, c[member], want)
			}
		}
		iat, _ := c["iat"].(float64)
		if exp, _ := c["exp"].(float64); iat == 0 || exp-iat != 3600 || c["jti"] == nil {
			t.Errorf("%s: %v", name, c)
		}
		if cache := a.header.Get("Cache-Control"); cache != "no-store" {
			t.Errorf("%s: Cache-Control: %s", name, cache)
		}
	}
}

// TestSimpleRefusals have one answer whatever is wrong, and a record that tells.
func TestSimpleRefusals(t *testing.T) {
	w := theWorld(t)
	secret, at := w.secrets["simple-app"], w.tokenURL(simple)
	post := func(body string) answer { return w.do(t, "POST", at, body, "Content-Type", "application/json") }
	for name, c := range map[string]struct {
		answer answer
		why    string
	}{
		"wrong secret":     {w.authorize(t, "simple-app", "wrong"), "the secret is none of the client's"},
		"unknown client":   {w.authorize(t, "nobody", secret), "there is no client of that id"},
		"another issuer's": {w.authorize(t, "billing", w.secrets["billing"]), "the client may not authenticate at this issuer"},
		"nothing":          {w.form(t, at, nil), "no client authentication"},
		"no secret":        {w.form(t, at, url.Values{"client_id": {"simple-app"}}), "no client authentication"},
		"no id":            {w.form(t, at, url.Values{"client_secret": {secret}}), "client_secret came without client_id"},
		"two ids":          {w.form(t, at, url.Values{"client_id": {"simple-app", "nobody"}, "client_secret": {secret}}), "repeated"},
		"SQL":              {w.authorize(t, "simple-app' OR '1'='1", "' OR '1'='1' --"), "no client of that id"},
		"NoSQL form":       {w.form(t, at, url.Values{"client_id[$ne]": {""}, "client_secret[$ne]": {""}}), "no client authentication"},
		"NoSQL":            {post(`{"client_id":{"$gt":""},"client_secret":{"$gt":""}}`), ""},
		"NoSQL secret":     {post(`{"client_id":"simple-app","client_secret":{"$ne":null}}`), ""},
		"arrays":           {post(`{"client_id":["simple-app"],"client_secret":["` + secret + `"]}`), ""},
		"numbers":          {post(`{"client_id":1,"client_secret":2}`), ""},
		"nulls":            {post(`{"client_id":null,"client_secret":null}`), ""},
		"a member twice":   {post(`{"client_id":"nobody","client_id":"simple-app","client_secret":"` + secret + `"}`), ""},
		"an array":         {post(`[{"client_id":"simple-app","client_secret":"` + secret + `"}]`), ""},
		"half":             {post(`{"client_id":"simple-app","client_secret":"` + secret), ""},
		"more after it":    {post(`{"client_id":"simple-app","client_secret":"` + secret + `"}{}`), ""},
		"deep":             {post(strings.Repeat(`{"a":`, 10000)), ""},
		"text":             {w.do(t, "POST", at, "client_id=simple-app&client_secret="+secret, "Content-Type", "text/plain"), "Content-Type"},
		"no type":          {w.do(t, "POST", at, "client_id=simple-app&client_secret="+secret), "Content-Type"},
		"query":            {w.do(t, "POST", at+"?client_id=simple-app&client_secret="+secret, ""), "client_secret in the URL"},
		"a wrong Basic":    {w.do(t, "POST", at, "", "Authorization", basic("simple-app", "wrong"), "Content-Type", "application/x-www-form-urlencoded"), "the secret is none"},
		"a raw Basic":      {w.do(t, "POST", at, "", "Authorization", basic("everywhere-odd", oddSecret), "Content-Type", "application/x-www-form-urlencoded"), ""},
		"aud of a vendor":  {w.form(t, at, asserts(url.Values{}, w.assertion(t, "everywhere-key", at, nil))), ""},
		"another grant":    {w.form(t, at, url.Values{"client_id": {"simple-app"}, "client_secret": {secret}, "grant_type": {"password"}}), "grant_type"},
		"a scope it lacks": {w.form(t, at, url.Values{"client_id": {"simple-app"}, "client_secret": {secret}, "scope": {"api.write"}}), ""},
	} {
		refuses(t, name, c.answer)
		if why := w.refusedFor(t, c.answer); !strings.HasPrefix(why, "refused: token: ") || !strings.Contains(why, c.why) || strings.Contains(why, secret) {
			t.Errorf("%s: recorded as %s", name, why)
		}
	}
}

// TestSimpleOtherRefusals: what is not about a client or a token keeps its status.
func TestSimpleOtherRefusals(t *testing.T) {
	w := theWorld(t)
	for name, c := range map[string]struct {
		answer answer
		status int
		allow  string
	}{
		"GET /authorize": {w.get(t, w.tokenURL(simple)), http.StatusMethodNotAllowed, "POST"},
		"GET /verify":    {w.get(t, w.origin(simple)+"/verify"), http.StatusMethodNotAllowed, "POST"},
		"POST /":         {w.do(t, "POST", w.origin(simple)+"/", ""), http.StatusMethodNotAllowed, "GET, HEAD"},
		"an unknown key": {w.get(t, w.origin(simple)+"/jwks/x.pem"), http.StatusNotFound, ""},
	} {
		if c.answer.status != c.status || c.answer.text != refusal || c.answer.header.Get("Allow") != c.allow {
			t.Errorf("%s: %d %s %v", name, c.answer.status, c.answer.text, c.answer.header)
		}
	}
}

// TestSimpleLargeBody is refused before anybody looks which endpoint it is for.
func TestSimpleLargeBody(t *testing.T) {
	w := theWorld(t)
	w.authorize(t, "simple-app", strings.Repeat("x", symbolon.MaxBody)).wants(t, http.StatusRequestEntityTooLarge, "")
	w.do(t, "POST", w.origin(simple)+"/verify", strings.Repeat("x", symbolon.MaxBody+1)).wants(t, http.StatusRequestEntityTooLarge, "")
}

// TestSimpleVerify tells what is in a token of this issuer, sent as it is or after
// Bearer.
func TestSimpleVerify(t *testing.T) {
	w := theWorld(t)
	token := simpleToken(t, w.authorize(t, "simple-app", w.secrets["simple-app"]), "simple-app")
	for _, header := range []string{token, "Bearer " + token, "bearer  " + token} {
		a := w.verify(t, header)
		a.wants(t, http.StatusOK, "")
		m := a.json(t)
		if m["success"] != true || m["client_id"] != "simple-app" || m["iss"] != w.issuers[simple] || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s", a.text)
		}
	}
}

// TestSimpleVerifyRefusals have one answer, and nothing of the token in it.
func TestSimpleVerifyRefusals(t *testing.T) {
	w := theWorld(t)
	secret := w.secrets["simple-app"]
	token := simpleToken(t, w.authorize(t, "simple-app", secret), "simple-app")
	revoked := simpleToken(t, w.authorize(t, "simple-app", secret), "simple-app")
	if _, _, err := w.node.Admin().DenyJTI(t.Context(), admin.System(), simple, claims(t, revoked)["jti"].(string)); err != nil {
		t.Fatal(err)
	}
	proof := w.proof(t, w.key2, "POST", w.tokenURL(simple), map[string]any{"nonce": w.authorize(t, "simple-app", secret, "DPoP", "x").header.Get("DPoP-Nonce")})
	bound := simpleToken(t, w.authorize(t, "simple-app", secret, "DPoP", proof), "simple-app")
	if claims(t, bound)["cnf"] == nil {
		t.Fatal("the token is not bound")
	}
	elsewhere := w.ask(t, standard, "everywhere").token(t)
	for name, c := range map[string]struct {
		answer answer
		why    string
	}{
		"another signature": {w.verify(t, token[:len(token)-4]+"AAAA"), "signature"},
		"no signature":      {w.verify(t, token[:strings.LastIndexByte(token, '.')+1]), ""},
		"another issuer's":  {w.verify(t, elsewhere), ""},
		"revoked":           {w.verify(t, revoked), "denied"},
		"bound to a key":    {w.verify(t, bound), "bound to a key"},
		"none":              {w.verify(t), ""},
		"empty":             {w.verify(t, ""), ""},
		"two":               {w.verify(t, token, token), ""},
		"Basic":             {w.verify(t, basic("simple-app", secret)), ""},
		"DPoP":              {w.verify(t, "DPoP "+token), ""},
		"two in one":        {w.verify(t, "Bearer "+token+" "+token), ""},
		"in the body":       {w.form(t, w.origin(simple)+"/verify", url.Values{"token": {token}}), ""},
		"in the query":      {w.do(t, "POST", w.origin(simple)+"/verify?token="+token, ""), ""},
		"a long text":       {w.verify(t, strings.Repeat("a", 9000)), ""},
		"no JWT":            {w.verify(t, "{}"), ""},
	} {
		refuses(t, name, c.answer)
		if why := w.refusedFor(t, c.answer); !strings.HasPrefix(why, "refused: verify: ") || !strings.Contains(why, c.why) {
			t.Errorf("%s: recorded as %s", name, why)
		}
	}
}

// TestSimpleTokensEnd by themselves and with their client; and one network cannot
// have more of them verified than is good for others.
func TestSimpleTokensEnd(t *testing.T) {
	w := newWorld(t, nil)
	token := simpleToken(t, w.authorize(t, "simple-app", w.secrets["simple-app"]), "simple-app")
	w.advance(time.Hour - time.Minute)
	if a := w.verify(t, token); a.json(t)["client_id"] != "simple-app" {
		t.Errorf("%s", a.text)
	}
	w.advance(2 * time.Minute)
	refuses(t, "expired", w.verify(t, token))

	token = simpleToken(t, w.authorize(t, "simple-app", w.secrets["simple-app"]), "simple-app")
	if _, _, err := w.node.Admin().DisableClient(t.Context(), admin.System(), admin.Target{ID: "simple-app"}); err != nil {
		t.Fatal(err)
	}
	refuses(t, "disabled", w.verify(t, token))
	refuses(t, "disabled", w.authorize(t, "simple-app", w.secrets["simple-app"]))

	var limited answer
	for range 2000 {
		if limited = w.verify(t, "x"); limited.status != http.StatusOK {
			break
		}
	}
	if limited.status != http.StatusTooManyRequests || limited.text != refusal || limited.header.Get("Retry-After") != "1" {
		t.Errorf("%d %s %v", limited.status, limited.text, limited.header)
	}
}

// TestSimplePortal is a page without anything that runs.
func TestSimplePortal(t *testing.T) {
	w := theWorld(t)
	a := w.get(t, w.origin(simple)+"/")
	a.wants(t, http.StatusOK, "")
	if a.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.HasPrefix(a.header.Get("Content-Security-Policy"), "default-src 'none';") {
		t.Errorf("%v", a.header)
	}
	for _, no := range []string{"<script", "<style", "<form", "<img", "<link", "<iframe", "style=", "onclick"} {
		if strings.Contains(a.text, no) {
			t.Errorf("the page has %s", no)
		}
	}
	for _, path := range []string{"/verify", "/authorize", "/jwks"} {
		if !strings.Contains(a.text, path) {
			t.Errorf("the page does not tell of %s", path)
		}
	}
	if head := w.do(t, http.MethodHead, w.origin(simple)+"/", ""); head.status != http.StatusOK || head.text != "" {
		t.Errorf("HEAD: %d %q", head.status, head.text)
	}
	for _, id := range allIssuers {
		if a := w.get(t, w.origin(id)+"/"); id != simple && a.status != http.StatusNotFound {
			t.Errorf("%s has a page: %d", id, a.status)
		}
	}
}

// TestSimpleMetadata names no endpoint that programs of the standards could not
// use, and what they check tokens by.
func TestSimpleMetadata(t *testing.T) {
	w := theWorld(t)
	m := w.get(t, w.issuers[simple]+"/.well-known/oauth-authorization-server").json(t)
	for _, absent := range []string{"token_endpoint", "authorization_endpoint", "introspection_endpoint", "revocation_endpoint", "grant_types_supported",
		"token_endpoint_auth_methods_supported", "dpop_signing_alg_values_supported"} {
		if v, there := m[absent]; there {
			t.Errorf("%s: %v", absent, v)
		}
	}
	if m["issuer"] != w.issuers[simple] || m["jwks_uri"] != w.issuers[simple]+"/jwks" || m["symbolon_revocations_uri"] != w.issuers[simple]+"/revocations" {
		t.Errorf("%v", m)
	}
}

// TestSimpleTokenOffline: others can check its tokens by themselves, and hear of
// those that are denied.
func TestSimpleTokenOffline(t *testing.T) {
	w := theWorld(t)
	api, err := resource.New(resource.Config{Issuer: w.issuers[simple], Audience: "https://simple.example.com", HTTP: w.http, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	check := func(token string) error {
		_, err := api.Check(t.Context(), resource.Request{
			Method: "GET", URL: &url.URL{Scheme: "https", Host: "simple.example.com", Path: "/"}, Authorization: []string{"Bearer " + token},
		}, "api.read")
		return err
	}
	token := simpleToken(t, w.authorize(t, "simple-app", w.secrets["simple-app"]), "simple-app")
	if err := check(token); err != nil {
		t.Fatal(err)
	}
	if check(w.ask(t, curity, "curity-app").token(t)) == nil {
		t.Error("a token of another issuer is good")
	}
	if _, _, err := w.node.Admin().DenyJTI(t.Context(), admin.System(), simple, claims(t, token)["jti"].(string)); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for check(token) == nil {
		if time.Now().After(deadline) {
			t.Fatal("a denied token stays good")
		}
	}
}

// TestSimpleLeniencies: what its clients send is refused at every other issuer of
// the same server, although the client is good there.
func TestSimpleLeniencies(t *testing.T) {
	w := theWorld(t)
	secret := w.secrets["everywhere"]
	simpleToken(t, w.authorize(t, "everywhere", secret), "everywhere") // as it does here
	for _, id := range allIssuers {
		if id == simple {
			continue
		}
		if id != oktaOrg { // where there is no API but its management
			w.ask(t, id, "everywhere").token(t)
		}
		w.form(t, w.tokenURL(id), url.Values{"client_id": {"everywhere"}, "client_secret": {secret}}).wants(t, http.StatusBadRequest, "")
		w.do(t, "POST", w.tokenURL(id), `{"client_id":"everywhere","client_secret":"`+secret+`"}`, "Content-Type", "application/json").wants(t, http.StatusBadRequest, "")
		for _, path := range []string{"/authorize", "/verify"} {
			if a := w.authorizeAt(t, w.origin(id)+path, "everywhere"); !slices.Contains([]int{400, 404}, a.status) {
				t.Errorf("%s at %s: %d %s", path, id, a.status, a.text)
			}
		}
	}
}

func (w *world) authorizeAt(t testing.TB, target, client string) answer {
	t.Helper()
	return w.form(t, target, url.Values{"client_id": {client}, "client_secret": {w.secrets[client]}})
}

// TestSimpleClaims: a client's own claim cannot say what the issuer says.
func TestSimpleClaims(t *testing.T) {
	w := theWorld(t)
	if err := w.create(t.Context(), made{Client: registry.Client{
		ID: "simple-role", Issuers: []string{simple}, Access: map[string][]string{"simple-api": {"api.read"}},
		Claims: map[string]json.RawMessage{"success": json.RawMessage("false"), "role": json.RawMessage(`"batch"`)},
	}}); err != nil {
		t.Fatal(err)
	}
	a := w.verify(t, simpleToken(t, w.authorize(t, "simple-role", w.secrets["simple-role"]), "simple-role"))
	if m := a.json(t); m["success"] != true || m["role"] != "batch" || strings.Count(a.text, `"success"`) != 1 {
		t.Errorf("%s", a.text)
	}
}
