package dialect_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// okta calls the management API of the Okta organisation.
func (w *world) okta(t testing.TB, auth, method, path, body string, headers ...string) answer {
	t.Helper()
	if body != "" && !slices.Contains(headers, "Content-Type") {
		headers = append(headers, "Content-Type", "application/json")
	}
	if auth != "" {
		headers = append(headers, "Authorization", auth)
	}
	return w.do(t, method, w.origin(oktaOrg)+path, body, headers...)
}

// bearer is the Authorization header of a client with a key at the organisation's
// own server.
func (w *world) bearer(t testing.TB, client, scope string) string {
	t.Helper()
	f := asserts(url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}, w.assertion(t, client, w.iss(oktaOrg), nil))
	return "Bearer " + w.form(t, w.tokenURL(oktaOrg), f).token(t)
}

// ssws is the Authorization header of an operator token.
func (w *world) ssws(id string) string { return "SSWS " + w.tokens[id] }

// errorIs fails unless the answer is an error of Okta's, whole.
func (a answer) errorIs(t testing.TB, status int, code string) map[string]any {
	t.Helper()
	m := a.json(t)
	causes, list := m["errorCauses"].([]any)
	switch {
	case a.status != status || m["errorCode"] != code:
		t.Fatalf("%d %s, want %d %s", a.status, a.text, status, code)
	case !list || m["errorLink"] != code || m["errorSummary"] == "" || m["errorId"] != a.header.Get("Request-Id"):
		t.Fatalf("not in Okta's shape: %s", a.text)
	case a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store":
		t.Fatalf("headers %v", a.header)
	case code == "E0000001" && len(causes) == 0:
		t.Fatalf("no causes: %s", a.text)
	}
	return m
}

// app is what a program asks for; oauth are members of credentials.oauthClient,
// settings of settings.oauthClient, both beside or instead of the usual ones.
func app(label string, oauth, settings map[string]any) string {
	s := map[string]any{"grant_types": []string{"client_credentials"}, "application_type": "service"}
	maps.Copy(s, settings)
	text, err := json.Marshal(map[string]any{
		"name": "oidc_client", "label": label, "signOnMode": "OPENID_CONNECT",
		"credentials": map[string]any{"oauthClient": oauth}, "settings": map[string]any{"oauthClient": s},
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// member reads one of an object, by its path.
func member(m map[string]any, path string) any {
	var v any = m
	for _, name := range strings.Split(path, ".") {
		inner, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = inner[name]
	}
	return v
}

const oauthClient = "credentials.oauthClient."

// createdApp makes one, and gives it as it was answered.
func (w *world) createdApp(t testing.TB, body string) map[string]any {
	t.Helper()
	a := w.okta(t, w.ssws("okta-ops"), "POST", "/api/v1/apps", body)
	a.wants(t, http.StatusOK, "")
	return a.json(t)
}

// TestOktaAppIsAClientAtOnce: whatever body the programs send, the application is
// a client with explicit access, and gets a token with its next request.
func TestOktaAppIsAClientAtOnce(t *testing.T) {
	w := theWorld(t)
	for name, body := range map[string]string{
		"okta-sdk-nodejs 1 to 6": app("Awesome App <b>", map[string]any{}, nil),
		"okta-sdk-nodejs 7, 8": app("Modern App", map[string]any{"token_endpoint_auth_method": "client_secret_basic"},
			map[string]any{"response_types": []string{"token"}}),
		"okta-sdk-golang 5": `{"name":"oidc_client","label":"Go App","signOnMode":"OPENID_CONNECT","credentials":{},` +
			`"settings":{"oauthClient":{"grant_types":["client_credentials"],"application_type":"service","response_types":["token"]}},"profile":{"x":1}}`,
		"with what Okta ignores": app("Ignoring App", map[string]any{"autoKeyRotation": true}, map[string]any{"client_uri": "https://example.com", "consent_method": "TRUSTED"}),
	} {
		t.Run(name, func(t *testing.T) {
			m := w.createdApp(t, body)
			id, _ := member(m, oauthClient+"client_id").(string)
			secret, _ := member(m, oauthClient+"client_secret").(string)
			if id == "" || m["id"] != id || !strings.HasPrefix(secret, "sym_") || m["status"] != "ACTIVE" || m["signOnMode"] != "OPENID_CONNECT" || m["name"] != "oidc_client" {
				t.Fatalf("%v", m)
			}
			var sent map[string]any
			if err := json.Unmarshal([]byte(body), &sent); err != nil || m["label"] != sent["label"] {
				t.Errorf("label %v", m["label"])
			}
			for _, when := range []string{"created", "lastUpdated"} {
				if text, _ := m[when].(string); !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(text) {
					t.Errorf("%s is %v", when, m[when])
				}
			}
			c := claims(t, w.form(t, w.tokenURL(oktaCustom), grant(), "Authorization", basic(id, secret)).token(t))
			if c["cid"] != id {
				t.Errorf("%v", c)
			}
			made, err := w.node.Admin().Client(t.Context(), admin.System(), id)
			if err != nil || !slices.Equal(made.Access["okta-api"], []string{"api.read", "api.write"}) || len(made.Access) != 1 ||
				!slices.Equal(made.Issuers, []string{oktaOrg, oktaCustom}) {
				t.Errorf("%v %+v", err, made)
			}
		})
	}
}

// TestOktaAppIsRecorded: who made it, with the request's id and what it got.
func TestOktaAppIsRecorded(t *testing.T) {
	w := theWorld(t)
	a := w.okta(t, w.ssws("okta-ops"), "POST", "/api/v1/apps", app("Recorded", nil, nil))
	a.wants(t, http.StatusOK, "")
	told, err := w.node.Admin().Explain(t.Context(), admin.System(), a.header.Get("Request-Id"))
	if err != nil || len(told.Changes) != 1 {
		t.Fatalf("%v %+v", err, told)
	}
	text, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"client.create", "token:okta-ops", `"ssws"`, "api.write"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the record lacks %s: %s", want, text)
		}
	}
	if secret := member(a.json(t), oauthClient+"client_secret").(string); strings.Contains(string(text)+w.logged.String(), secret) {
		t.Error("the secret was kept")
	}
}

// TestOktaAppWithKeys: private_key_jwt, and tokens that must be bound.
func TestOktaAppWithKeys(t *testing.T) {
	w := theWorld(t)
	key := publicJWK(w.key)
	key["kid"], key["use"] = "mine", "sig"
	settings := map[string]any{"jwks": map[string]any{"keys": []any{key, publicJWK(w.key2)}}, "dpop_bound_access_tokens": true}
	m := w.createdApp(t, app("Key App", map[string]any{"token_endpoint_auth_method": "private_key_jwt"}, settings))
	id := m["id"].(string)
	if member(m, oauthClient+"client_secret") != nil || member(m, oauthClient+"token_endpoint_auth_method") != "private_key_jwt" ||
		member(m, "settings.oauthClient.dpop_bound_access_tokens") != true {
		t.Errorf("%v", m)
	}
	if keys, _ := member(m, "settings.oauthClient.jwks.keys").([]any); len(keys) != 2 || keys[0].(map[string]any)["kid"] != "mine" || keys[0].(map[string]any)["n"] != key["n"] {
		t.Errorf("jwks %v", keys)
	}
	endpoint := w.tokenURL(oktaCustom)
	with := func(kid string) answer {
		a := sign(t, w.key, map[string]any{"kid": kid}, map[string]any{"iss": id, "sub": id, "aud": endpoint, "jti": kid, "exp": w.now().Unix() + 60})
		return w.form(t, endpoint, asserts(grant(), a))
	}
	with("mine").wants(t, http.StatusBadRequest, "invalid_dpop_proof")
	with("other").wants(t, http.StatusUnauthorized, "invalid_client")
}

// TestOktaAppLifecycle: deactivated it gets nothing, and only then it goes.
func TestOktaAppLifecycle(t *testing.T) {
	w := theWorld(t)
	m := w.createdApp(t, app("Short-lived", nil, nil))
	id, secret := m["id"].(string), member(m, oauthClient+"client_secret").(string)
	path, ops := "/api/v1/apps/"+id, w.ssws("okta-ops")
	ask := func() answer { return w.form(t, w.tokenURL(oktaCustom), grant(), "Authorization", basic(id, secret)) }

	w.okta(t, ops, "DELETE", path, "").errorIs(t, http.StatusForbidden, "E0000056")
	ask().token(t)
	w.okta(t, ops, "POST", path+"/lifecycle/activate", "").wants(t, http.StatusOK, "")
	for range 2 {
		w.okta(t, ops, "POST", path+"/lifecycle/deactivate", "").wants(t, http.StatusOK, "")
	}
	ask().wants(t, http.StatusUnauthorized, "invalid_client")
	if got := w.okta(t, ops, "GET", path, "").json(t); got["status"] != "INACTIVE" || member(got, oauthClient+"client_secret") != nil {
		t.Errorf("%v", got)
	}
	w.okta(t, ops, "POST", path+"/lifecycle/activate", "").wants(t, http.StatusOK, "")
	ask().token(t)
	w.okta(t, ops, "POST", path+"/lifecycle/deactivate", "").wants(t, http.StatusOK, "")
	if a := w.okta(t, ops, "DELETE", path, ""); a.status != http.StatusNoContent || a.text != "" {
		t.Errorf("%d %s", a.status, a.text)
	}
	w.okta(t, ops, "GET", path, "").errorIs(t, http.StatusNotFound, "E0000007")
	w.okta(t, ops, "DELETE", path, "").errorIs(t, http.StatusNotFound, "E0000007")
	ask().wants(t, http.StatusUnauthorized, "invalid_client")
}

// TestOktaAppIsReplaced, by what a program has read before.
func TestOktaAppIsReplaced(t *testing.T) {
	w := theWorld(t)
	m := w.createdApp(t, app("Before", nil, nil))
	id, secret := m["id"].(string), member(m, oauthClient+"client_secret").(string)
	path, ops := "/api/v1/apps/"+id, w.ssws("okta-ops")
	put := func(m map[string]any) answer {
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return w.okta(t, ops, "PUT", path, string(text))
	}
	set := func(path string, v any) {
		parts := strings.Split(path, ".")
		at := m
		for _, name := range parts[:len(parts)-1] {
			at = at[name].(map[string]any)
		}
		at[parts[len(parts)-1]] = v
	}
	set("label", "After")
	got := put(m).json(t)
	if got["label"] != "After" || member(got, oauthClient+"client_secret") != nil {
		t.Errorf("%v", got)
	}
	w.form(t, w.tokenURL(oktaCustom), grant(), "Authorization", basic(id, secret)).token(t)

	set(oauthClient+"client_secret", "a secret of the program's own, long enough")
	put(m).errorIs(t, http.StatusBadRequest, "E0000001")
	set(oauthClient+"client_secret", secret)
	delete(m["credentials"].(map[string]any)["oauthClient"].(map[string]any), "client_id")
	put(m).wants(t, http.StatusOK, "")
	set(oauthClient+"client_secret", "a secret of the program's own, long enough")
	put(m).errorIs(t, http.StatusBadRequest, "E0000001")
	set(oauthClient+"client_secret", secret)
	set(oauthClient+"client_id", "okta-app")
	put(m).errorIs(t, http.StatusBadRequest, "E0000001")
	set(oauthClient+"client_id", id)

	// From the secret to keys, from key to key, and back.
	keys := func(of ...map[string]any) { set("settings.oauthClient.jwks", map[string]any{"keys": of}) }
	set(oauthClient+"token_endpoint_auth_method", "private_key_jwt")
	put(m).errorIs(t, http.StatusBadRequest, "E0000001")
	keys(publicJWK(w.key2))
	put(m).wants(t, http.StatusOK, "")
	keys(publicJWK(w.key))
	put(m).wants(t, http.StatusOK, "")
	w.try(t, oktaCustom, w.assertion(t, id, w.tokenURL(oktaCustom), nil), "").token(t)
	w.form(t, w.tokenURL(oktaCustom), grant(), "Authorization", basic(id, secret)).wants(t, http.StatusUnauthorized, "invalid_client")
	set("settings.oauthClient.dpop_bound_access_tokens", true)
	put(m).wants(t, http.StatusOK, "")
	w.try(t, oktaCustom, w.assertion(t, id, w.tokenURL(oktaCustom), nil), "").wants(t, http.StatusBadRequest, "invalid_dpop_proof")
	set("settings.oauthClient.dpop_bound_access_tokens", false)
	set(oauthClient+"token_endpoint_auth_method", "client_secret_basic")
	put(m).errorIs(t, http.StatusBadRequest, "E0000001")
	delete(m["settings"].(map[string]any)["oauthClient"].(map[string]any), "jwks")
	put(m).wants(t, http.StatusOK, "")
	w.form(t, w.tokenURL(oktaCustom), grant(), "Authorization", basic(id, secret)).token(t)
	if again := w.okta(t, ops, "GET", path, "").json(t); again["label"] != "After" {
		t.Errorf("%v", again)
	}
}

// TestOktaReplaceIsNotTheLastWord: what was changed after a call has looked at the
// application is not changed back.
func TestOktaReplaceIsNotTheLastWord(t *testing.T) {
	w := theWorld(t)
	m := w.createdApp(t, app("Mine", nil, nil))
	id := m["id"].(string)
	m["label"] = "Mine, too"
	for name, body := range map[string]string{
		"label": jsonOf(t, m),
		"keys":  app("Mine, too", map[string]any{"token_endpoint_auth_method": "private_key_jwt"}, map[string]any{"jwks": map[string]any{"keys": []any{publicJWK(w.key), publicJWK(w.key2)}}}),
	} {
		before, err := w.node.Admin().Client(t.Context(), admin.System(), id)
		if err != nil {
			t.Fatal(err)
		}
		a := w.late(t, "/api/v1/apps/"+id, body, func() {
			if _, _, err := w.node.Admin().UpdateClient(t.Context(), admin.System(), admin.Update[registry.Client]{Target: admin.Target{ID: id},
				Change: admin.Named[registry.Client]{Object: registry.Client{Name: "Theirs, by " + name}, Fields: admin.Fields{"name"}}}); err != nil {
				t.Error(err)
			}
		})
		a.errorIs(t, http.StatusBadRequest, "E0000001")
		if !strings.Contains(a.text, "changed meanwhile") {
			t.Errorf("%s: %s", name, a.text)
		}
		after, err := w.node.Admin().Client(t.Context(), admin.System(), id)
		if err != nil || after.Name != "Theirs, by "+name || len(after.Keys) > 0 || after.Version != before.Version+1 {
			t.Errorf("%s: %v %+v", name, err, after)
		}
		w.okta(t, w.ssws("okta-ops"), "PUT", "/api/v1/apps/"+id, jsonOf(t, m)).wants(t, http.StatusOK, "") // and the next one goes through
	}
	w.okta(t, w.ssws("okta-ops"), "PUT", "/api/v1/apps/"+id, app("Keyed", map[string]any{"token_endpoint_auth_method": "private_key_jwt"},
		map[string]any{"jwks": map[string]any{"keys": []any{publicJWK(w.key), publicJWK(w.key2)}}})).wants(t, http.StatusOK, "")
	if after, err := w.node.Admin().Client(t.Context(), admin.System(), id); err != nil || len(after.Keys) != 2 || after.Name != "Keyed" {
		t.Errorf("%v %+v", err, after)
	}
}

// lateBody runs then before its first octet.
type lateBody struct {
	*strings.Reader
	then func()
	once sync.Once
}

func (b *lateBody) Read(p []byte) (int, error) {
	b.once.Do(b.then)
	return b.Reader.Read(p)
}

// late is a PUT whose body comes when the server asks for it, after then.
func (w *world) late(t *testing.T, path, body string, then func()) answer {
	t.Helper()
	transport := w.http.Transport.(*http.Transport).Clone()
	transport.ExpectContinueTimeout = time.Minute
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.origin(oktaOrg)+path, &lateBody{Reader: strings.NewReader(body), then: then})
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(body))
	req.Header = http.Header{"Authorization": {w.ssws("okta-ops")}, "Content-Type": {"application/json"}, "Expect": {"100-continue"}}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// TestOktaAppWithManyKeys is made at once.
func TestOktaAppWithManyKeys(t *testing.T) {
	w := theWorld(t)
	a := w.okta(t, w.ssws("okta-ops"), "POST", "/api/v1/apps", app("Two keys", map[string]any{"token_endpoint_auth_method": "private_key_jwt"},
		map[string]any{"jwks": map[string]any{"keys": []any{publicJWK(w.key), publicJWK(w.key2)}}}))
	a.wants(t, http.StatusOK, "")
	if keys, _ := member(a.json(t), "settings.oauthClient.jwks.keys").([]any); len(keys) != 2 {
		t.Errorf("shown with the keys %v", keys)
	}
	if told, err := w.node.Admin().Explain(t.Context(), admin.System(), a.header.Get("Request-Id")); err != nil || len(told.Changes) != 1 {
		t.Errorf("%v, made by %d changes", err, len(told.Changes))
	}
}

// TestOktaReplaceLeavesTheRest: who sends back what it was shown with another label
// changes that alone, whatever else the client has that Okta does not know.
func TestOktaReplaceLeavesTheRest(t *testing.T) {
	w := theWorld(t)
	ctx, by, a := t.Context(), admin.System(), w.node.Admin()
	public, err := publicPEM(w.key)
	if err != nil {
		t.Fatal(err)
	}
	both := registry.Client{ID: "both-ways", Issuers: []string{oktaOrg, oktaCustom}, Bound: registry.BoundRequired, Owner: "ann",
		Labels: map[string]string{"team": "x"}, Access: map[string][]string{"okta-api": {"api.read"}}}
	made, _, err := a.CreateClient(ctx, by, admin.CreateClient{Client: both, Key: &admin.NewKey{ID: "mine", Text: public}, Secret: admin.NewCredential{ID: "s1"}})
	if err != nil {
		t.Fatal(err)
	}
	certified := registry.Client{ID: "certified", Issuers: []string{oktaCustom}}
	if _, _, err := a.CreateClient(ctx, by, admin.CreateClient{Client: certified, Certificate: &admin.NewCertificate{Certificate: registry.Certificate{SubjectDN: "CN=certified"}}}); err != nil {
		t.Fatal(err)
	}
	rename := func(id string) answer {
		m := w.okta(t, w.ssws("okta-ops"), "GET", "/api/v1/apps/"+id, "").json(t)
		m["label"] = "Renamed"
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return w.okta(t, w.ssws("okta-ops"), "PUT", "/api/v1/apps/"+id, string(text))
	}
	rename("both-ways").wants(t, http.StatusOK, "")
	now, err := a.Client(ctx, by, "both-ways")
	if err != nil || now.Name != "Renamed" {
		t.Fatalf("%v %+v", err, now)
	}
	now.Name, now.Updated, now.Version = made.Client.Name, made.Client.Updated, made.Client.Version
	if want, got := jsonOf(t, made.Client), jsonOf(t, now); want != got {
		t.Errorf("%s became %s", want, got)
	}
	rename("certified").errorIs(t, http.StatusBadRequest, "E0000001")
	if c, err := a.Client(ctx, by, "certified"); err != nil || len(c.Secrets) > 0 || c.Name != "" {
		t.Errorf("%v %+v", err, c)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// clientCount is how many clients there are.
func (w *world) clientCount(t *testing.T) (n int) {
	t.Helper()
	q := admin.Query{Limit: 1000}
	for {
		page, err := w.node.Admin().Clients(t.Context(), admin.System(), q)
		if err != nil {
			t.Fatal(err)
		}
		if n += len(page.Items); page.Next == "" {
			return n
		}
		q.After = page.Next
	}
}

// TestOktaBadApps: the vendor's error, nothing created, nothing leaked, and
// nothing of the request in the answer.
func TestOktaBadApps(t *testing.T) {
	w := theWorld(t)
	before := w.clientCount(t)
	private := publicJWK(w.key)
	private["d"] = "AQAB"
	jwks := func(of ...any) map[string]any { return map[string]any{"jwks": map[string]any{"keys": of}} }
	byKey := map[string]any{"token_endpoint_auth_method": "private_key_jwt"}
	for name, c := range map[string]struct{ body, code string }{
		"no JSON":                 {`{"name":`, "E0000003"},
		"two values":              {app("x", nil, nil) + "{}", "E0000003"},
		"a list":                  {"[" + app("x", nil, nil) + "]", "E0000003"},
		"null":                    {"null", "E0000003"},
		"a string":                {`"<script>"`, "E0000003"},
		"NoSQL label":             {strings.Replace(app("x", nil, nil), `"label":"x"`, `"label":{"$ne":null}`, 1), "E0000003"},
		"NoSQL name":              {strings.Replace(app("x", nil, nil), `"oidc_client"`, `{"$gt":""}`, 1), "E0000003"},
		"deep":                    {strings.Repeat(`{"a":`, 10900) + "1" + strings.Repeat("}", 10900), "E0000003"},
		"a label twice":           {strings.Replace(app("x", nil, nil), `"label":"x"`, `"label":"x","label":"y"`, 1), "E0000003"},
		"a label and a LABEL":     {strings.Replace(app("x", nil, nil), `"label":"x"`, `"label":"x","LABEL":"y"`, 1), "E0000003"},
		"a Label alone":           {strings.Replace(app("x", nil, nil), `"label":"x"`, `"Label":"y"`, 1), "E0000003"},
		"bound and not bound":     {strings.Replace(app("x", nil, nil), `"application_type"`, `"dpop_bound_access_tokens":true,"DPOP_bound_access_tokens":false,"application_type"`, 1), "E0000003"},
		"bound twice":             {strings.Replace(app("x", nil, nil), `"application_type"`, `"dpop_bound_access_tokens":true,"dpop_bound_access_tokens":false,"application_type"`, 1), "E0000003"},
		"unknown, and twice":      {strings.Replace(app("x", nil, nil), `"label":"x"`, `"label":"x","visibility":{"hide":1,"hide":2}`, 1), "E0000003"},
		"not UTF-8":               {strings.Replace(app("x", nil, nil), `"label":"x"`, "\"label\":\"x\xff\"", 1), "E0000003"},
		"half a character":        {strings.Replace(app("x", nil, nil), `"label":"x"`, `"label":"\ud800"`, 1), "E0000003"},
		"empty":                   {"{}", "E0000001"},
		"no label":                {app("", nil, nil), "E0000001"},
		"a long label":            {app(strings.Repeat("x", 101), nil, nil), "E0000001"},
		"a label of two lines":    {app("a\nb", nil, nil), "E0000001"},
		"another name":            {strings.Replace(app("x", nil, nil), "oidc_client", "bookmark", 1), "E0000001"},
		"another sign-on mode":    {strings.Replace(app("x", nil, nil), "OPENID_CONNECT", "SAML_2_0", 1), "E0000001"},
		"no settings":             {`{"name":"oidc_client","label":"x","signOnMode":"OPENID_CONNECT"}`, "E0000001"},
		"authorization_code":      {app("x", nil, map[string]any{"grant_types": []string{"authorization_code"}}), "E0000001"},
		"two grant types":         {app("x", nil, map[string]any{"grant_types": []string{"client_credentials", "implicit"}}), "E0000001"},
		"response_types":          {app("x", nil, map[string]any{"response_types": []string{"code"}}), "E0000001"},
		"a browser":               {app("x", nil, map[string]any{"application_type": "browser"}), "E0000001"},
		"no authentication":       {app("x", map[string]any{"token_endpoint_auth_method": "none"}, nil), "E0000001"},
		"client_secret_jwt":       {app("x", map[string]any{"token_endpoint_auth_method": "client_secret_jwt"}, nil), "E0000001"},
		"a secret of its own":     {app("x", map[string]any{"client_secret": "0123456789012345678901234567890123456789"}, nil), "E0000001"},
		"an id of its own":        {app("x", map[string]any{"client_id": "billing"}, nil), "E0000001"},
		"SQL in the id":           {app("x", map[string]any{"client_id": "' OR 1=1 --"}, nil), "E0000001"},
		"a key and a secret":      {app("x", nil, jwks(publicJWK(w.key))), "E0000001"},
		"no key":                  {app("x", byKey, nil), "E0000001"},
		"no keys in the set":      {app("x", byKey, jwks()), "E0000001"},
		"a private key":           {app("x", byKey, jwks(private)), "E0000001"},
		"a symmetric key":         {app("x", byKey, jwks(map[string]any{"kty": "oct", "k": "AQAB"})), "E0000001"},
		"no object":               {app("x", byKey, jwks("<b>")), "E0000001"},
		"a key twice":             {app("x", byKey, jwks(publicJWK(w.key), publicJWK(w.key))), "E0000001"},
		"17 keys":                 {app("x", byKey, jwks(slices.Repeat([]any{publicJWK(w.key)}, 17)...)), "E0000001"},
		"keys and where they are": {app("x", byKey, map[string]any{"jwks": jwks(publicJWK(w.key))["jwks"], "jwks_uri": "https://example.com/jwks"}), "E0000001"},
		"an internal jwks_uri":    {app("x", byKey, map[string]any{"jwks_uri": "https://169.254.169.254/latest"}), "E0000001"},
		"jwks_uri of a file":      {app("x", byKey, map[string]any{"jwks_uri": "file:///etc/passwd"}), "E0000001"},
	} {
		a := w.okta(t, w.ssws("okta-ops"), "POST", "/api/v1/apps", c.body)
		t.Run(name, func(t *testing.T) {
			a.errorIs(t, http.StatusBadRequest, c.code)
			for _, echoed := range []string{"<", ">", "169.254", "passwd", "OR 1=1", "billing", "bookmark", "SAML", "$ne", "/work", ".go:"} {
				if strings.Contains(a.text, echoed) {
					t.Errorf("%s stands in %s", echoed, a.text)
				}
			}
		})
	}
	for name, c := range map[string]struct {
		headers []string
		status  int
		code    string
	}{
		"a form":         {[]string{"Content-Type", "application/x-www-form-urlencoded"}, http.StatusUnsupportedMediaType, "E0000021"},
		"plain text":     {[]string{"Content-Type", "text/plain"}, http.StatusUnsupportedMediaType, "E0000021"},
		"JSON of others": {[]string{"Content-Type", "application/json-patch+json"}, http.StatusUnsupportedMediaType, "E0000021"},
		"two types":      {[]string{"Content-Type", "application/json", "Content-Type", "text/plain"}, http.StatusUnsupportedMediaType, "E0000021"},
		"compressed":     {[]string{"Content-Type", "application/json", "Content-Encoding", "gzip"}, http.StatusUnsupportedMediaType, "E0000021"},
	} {
		t.Run(name, func(t *testing.T) {
			w.okta(t, w.ssws("okta-ops"), "POST", "/api/v1/apps", app("x", nil, nil), c.headers...).errorIs(t, c.status, c.code)
		})
	}
	w.okta(t, w.ssws("okta-ops"), "POST", "/api/v1/apps", strings.Repeat(" ", 65<<10)+app("x", nil, nil)).errorIs(t, http.StatusRequestEntityTooLarge, "E0000003")
	w.okta(t, w.ssws("okta-ops"), "POST", "/api/v1/apps", app("x", nil, nil), "Content-Type", "application/json; charset=utf-8").wants(t, http.StatusOK, "")
	more := strings.Replace(app("x", nil, nil), `"label":"x"`, `"label":"x","visibility":{"hide":{"iOS":false},"Label":"y"},"accessibility":null`, 1)
	w.okta(t, w.ssws("okta-ops"), "POST", "/api/v1/apps", more).wants(t, http.StatusOK, "") // members of Okta's that mean nothing here
	if n := w.clientCount(t); n != before+2 {
		t.Errorf("%d clients, want %d", n, before+2)
	}
}

// TestOktaAppsOfOthers are not there: neither those of other issuers nor those of
// both.
func TestOktaAppsOfOthers(t *testing.T) {
	w := theWorld(t)
	ops := w.ssws("okta-ops")
	for _, id := range []string{"billing", "auth0-app", "everywhere", "nobody", "' OR '1'='1", "..", "%2e%2e", "a%2Fb", "{id}", strings.Repeat("x", 200), "%00", "<script>"} {
		path := "/api/v1/apps/" + strings.NewReplacer(" ", "%20", "<", "%3C", ">", "%3E", "{", "%7B", "}", "%7D").Replace(id)
		if id == ".." { // net/http's client would take the dots away
			continue
		}
		for _, method := range []string{"GET", "DELETE"} {
			w.okta(t, ops, method, path, "").errorIs(t, http.StatusNotFound, "E0000007")
		}
		w.okta(t, ops, "PUT", path, app("x", nil, nil)).errorIs(t, http.StatusNotFound, "E0000007")
		w.okta(t, ops, "POST", path+"/lifecycle/deactivate", "").errorIs(t, http.StatusNotFound, "E0000007")
	}
	for _, c := range []registry.Client{{ID: "billing"}, {ID: "auth0-app"}, {ID: "everywhere"}} {
		if got, err := w.node.Admin().Client(t.Context(), admin.System(), c.ID); err != nil || got.State != registry.StateActive {
			t.Errorf("%s: %v %s", c.ID, err, got.State)
		}
	}
}

// TestOktaPaths: what this API lacks, and methods that it does not take.
func TestOktaAPIPaths(t *testing.T) {
	w := theWorld(t)
	ops := w.ssws("okta-ops")
	for _, path := range []string{"/api/v1/groups", "/api/v1/apps/", "/api/v1/apps//", "/api/v1/apps/x/credentials/keys", "/api/v1/apps/x/lifecycle/explode", "/api/v1/apps/x/", "/api/v1/users/me", "/api/v1/x/../apps%20"} {
		w.okta(t, ops, "GET", path, "").errorIs(t, http.StatusNotFound, "E0000008")
	}
	for path, methods := range map[string]string{
		"/api/v1/apps": "GET, POST, HEAD", "/api/v1/users": "GET, HEAD", "/api/v1/apps/okta-app": "GET, PUT, DELETE, HEAD",
		"/api/v1/apps/okta-app/lifecycle/activate": "POST",
	} {
		for _, method := range []string{"PATCH", "OPTIONS", "PROPFIND"} {
			a := w.okta(t, ops, method, path, "")
			a.errorIs(t, http.StatusMethodNotAllowed, "E0000022")
			if a.header.Get("Allow") != methods {
				t.Errorf("%s: Allow %q, want %q", path, a.header.Get("Allow"), methods)
			}
		}
	}
}
