package dialect_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// hostile stands in every bad text of these tests: no answer repeats it.
const hostile = "h0stile"

// unrepeated fails where an answer tells what was sent, or how the server is made.
func (a answer) unrepeated(t *testing.T) {
	t.Helper()
	for _, told := range []string{hostile, "$ne", "<", ".go:", "goroutine", "/tmp", "SELECT"} {
		if strings.Contains(a.text, told) {
			t.Errorf("%s stands in %s", told, a.text)
		}
	}
}

// badTypes are Content-Types of bodies that are no JSON; of some there are two.
var badTypes = map[string][]string{
	"none": nil, "text/plain": {"text/plain"}, "a form": {"application/x-www-form-urlencoded"}, "parts": {"multipart/form-data; boundary=x"},
	"XML": {"text/xml"}, "JSON of others": {"application/merge-patch+json"}, "two": {"application/json", "application/json"}, "empty": {""},
	"markup": {"<b>" + hostile + "</b>"}, "JSON in a list": {"application/json, text/plain"},
}

// badTokenTypes are those that no token endpoint takes.
func badTokenTypes() map[string][]string {
	types := map[string][]string{"a form and JSON": {"application/x-www-form-urlencoded", "application/json"}}
	for name, values := range badTypes {
		if name != "a form" && name != "two" {
			types[name] = values
		}
	}
	return types
}

// TestTokenEndpointsRefuseBadInput at each issuer, in its vendor's own shape: a body
// of another type, and objects, lists and queries in the place of credentials.
func TestTokenEndpointsRefuseBadInput(t *testing.T) {
	w := theWorld(t)
	good := grant()
	good.Set("client_id", "everywhere")
	good.Set("client_secret", w.secrets["everywhere"])
	const asForm, asJSON = "application/x-www-form-urlencoded", "application/json"
	position := w.position(t)
	for _, issuer := range allIssuers {
		refuse := func(name string, a answer) {
			t.Helper()
			wantJSON(t, a)
			a.unrepeated(t)
			body := a.json(t)
			right := a.status == http.StatusBadRequest && body["error"] == "invalid_request" || a.status == http.StatusUnauthorized && body["error"] == "invalid_client"
			if issuer == simple {
				right = a.status == http.StatusOK && a.text == `{"success":false}`
			}
			if !right || a.header.Get("Cache-Control") != "no-store" || strings.Contains(a.text, w.secrets["everywhere"]) {
				t.Errorf("%s, %s: %d %s %v", issuer, name, a.status, a.text, a.header)
			}
		}
		post := func(body string, types ...string) answer {
			var headers []string
			for _, value := range types {
				headers = append(headers, "Content-Type", value)
			}
			return w.do(t, http.MethodPost, w.tokenURL(issuer), body, headers...)
		}
		for name, types := range badTokenTypes() {
			refuse(name, post(good.Encode(), types...))
		}
		for name, body := range map[string]string{
			"an operator for the id":     `{"grant_type":"client_credentials","client_id":{"$ne":"` + hostile + `"},"client_secret":"x"}`,
			"an operator for the secret": `{"grant_type":"client_credentials","client_id":"everywhere","client_secret":{"$ne":null}}`,
			"an operator for the grant":  `{"grant_type":{"$ne":null},"client_id":"everywhere","client_secret":"` + w.secrets["everywhere"] + `"}`,
			"an operator for a scope":    `{"grant_type":"client_credentials","scope":{"$ne":null},"client_id":"everywhere","client_secret":"` + w.secrets["everywhere"] + `"}`,
			"a list":                     `["` + hostile + `"]`, "SQL": `{"grant_type":"client_credentials","client_id":"' OR '1'='1","client_secret":"' OR '1'='1"}`,
			"no JSON": "<" + hostile + ">", "too deep": strings.Repeat(`{"a":`, 5000),
		} {
			refuse(name, post(body, asJSON))
		}
		for name, form := range map[string]url.Values{
			"SQL":                  {"client_id": {"' OR '1'='1' -- " + hostile}, "client_secret": {"' OR '1'='1"}},
			"members of an object": {"client_id[$ne]": {""}, "client_secret[$ne]": {hostile}}, "a NUL": {"client_id": {"everywhere\x00" + hostile}, "client_secret": {"x"}},
			"markup": {"client_id": {"<script>" + hostile}, "client_secret": {"<b>"}}, "no UTF-8": {"client_id": {"\xff" + hostile}, "client_secret": {"\xff"}},
			"two ids": {"client_id": {"everywhere", hostile}, "client_secret": {w.secrets["everywhere"]}}, "a long id": {"client_id": {strings.Repeat("x", 8000)}, "client_secret": {"x"}},
		} {
			form.Set("grant_type", "client_credentials")
			refuse(name, post(form.Encode(), asForm))
			if issuer != simple && len(form["client_id"]) == 1 && form.Get("client_id") != "everywhere\x00"+hostile {
				refuse(name+" by Basic", w.form(t, w.tokenURL(issuer), grant(), "Authorization", basic(form.Get("client_id"), form.Get("client_secret"))))
			}
		}
	}
	if now := w.position(t); now != position {
		t.Error("something was written")
	}
}

// badPages are parameters that no list takes, whatever it is of.
var badPages = []string{"-1", "99999999999999999999999", "x", "1.5", "1e1", "+1", "0x1", "", " 1", "１", "<b>" + hostile + "</b>", "1;" + hostile, "\x00"}

// TestListsRefuseBadPages, each list of each management API.
func TestListsRefuseBadPages(t *testing.T) {
	w := theWorld(t)
	m, ops := auth0Manager(t, w), w.ssws("okta-ops")
	for _, list := range []string{"clients", "resource-servers", "client-grants"} {
		var queries []string
		for _, value := range badPages {
			for _, name := range []string{"page", "per_page", "take"} {
				queries = append(queries, name+"="+url.QueryEscape(value))
			}
		}
		for _, q := range append(queries, "per_page=101", "take=0", "take=101", "page=0&page=1", "per_page=1&per_page=2", "take=1&take=1", "from=a&from=b", "include_totals=1",
			"include_totals=", "include_totals=true&include_totals=true", "from=%00", "from=%3Cb%3E"+hostile, "from="+strings.Repeat("x", 200), "page=%zz", "page[]=1", "q="+hostile, hostile+"=%3Cb%3E&page=0") {
			a := m.call(t, "GET", list+"?"+q, nil)
			a.refused(t, http.StatusBadRequest, "invalid_query_string")
			if !strings.HasPrefix(q, hostile+"=") { // the name of a parameter that is not there is told, where it is a plain one
				a.unrepeated(t)
			}
		}
	}
	for _, list := range []string{"/api/v1/apps", "/api/v1/users"} {
		var queries []string
		for _, value := range badPages {
			queries = append(queries, "limit="+url.QueryEscape(value))
		}
		for _, q := range append(queries, "limit=0", "limit=201", "limit=1&limit=1", "after=a&after=b", "after=%00", "after=%3Cb%3E"+hostile, "after="+strings.Repeat("x", 200), "limit=%zz") {
			a := w.okta(t, ops, "GET", list+"?"+q, "")
			a.errorIs(t, http.StatusBadRequest, "E0000001")
			a.unrepeated(t)
		}
		for _, q := range []string{"q=" + hostile, "filter=status+eq+%22" + hostile + "%22", "search=%3Cb%3E", "q=&q=" + hostile} {
			a := w.okta(t, ops, "GET", list+"?"+q, "")
			a.errorIs(t, http.StatusBadRequest, "E0000031")
			a.unrepeated(t)
			name, _, _ := strings.Cut(q, "=")
			if !strings.Contains(a.text, `{"errorSummary":"`+name+": ") {
				t.Errorf("%s does not say what of the search is wrong", a.text)
			}
		}
	}
}

// TestChangesRefuseBadBodies, each call of a management API that takes one: of
// another type, and of another shape. Nothing is created or changed.
func TestChangesRefuseBadBodies(t *testing.T) {
	w := newWorld(t, nil) // a caller may not make so many changes at once beside those of other tests
	m, ops := auth0Manager(t, w), w.ssws("okta-ops")
	api, identifier := m.newAPI(t)
	client, _ := m.newApp(t)
	_, granted := m.call(t, "POST", "client-grants", map[string]any{"client_id": client, "audience": identifier, "scope": []string{"list:users"}}).made(t, "id")
	application := w.createdApp(t, app("Mine", nil, nil))["id"].(string)
	position := w.position(t)

	bodies := map[string]string{
		"none": "", "a list": `[{"name":"` + hostile + `"}]`, "a text": `"` + hostile + `"`, "null": "null", "a number": "1", "half": `{"name":"` + hostile, "two": "{}{}",
		"markup": "<b>" + hostile + "</b>", "a member twice": `{"name":"` + hostile + `","name":"y"}`, "no UTF-8": "{\"name\":\"\xff" + hostile + "\"}",
		"an operator": `{"name":{"$ne":null},"label":{"$ne":null},"client_id":{"$ne":null},"identifier":{"$ne":null},"audience":{"$ne":null},"scope":{"$ne":"` + hostile + `"},"scopes":{"$ne":null}}`,
		"deep":        strings.Repeat(`{"name":`, 5000),
	}
	for call, good := range map[string]string{
		"POST clients": `{"name":"` + hostile + `"}`, "PATCH clients/" + client: `{"name":"` + hostile + `"}`,
		"POST resource-servers": `{"identifier":"https://` + hostile + `.test"}`, "PATCH resource-servers/" + api: `{"name":"` + hostile + `"}`,
		"POST client-grants": `{"client_id":"auth0-app","audience":"` + identifier + `","scope":["read:orders"]}`, "PATCH client-grants/" + granted: `{"scope":["read:orders"]}`,
	} {
		method, path, _ := strings.Cut(call, " ")
		target := w.issuers[auth0] + "/api/v2/" + path
		for name, types := range badTypes {
			headers := []string{"Authorization", "Bearer " + m.token}
			for _, value := range types {
				headers = append(headers, "Content-Type", value)
			}
			a := w.do(t, method, target, good, headers...)
			a.refused(t, http.StatusUnsupportedMediaType, "")
			if a.unrepeated(t); t.Failed() {
				t.Fatalf("%s with the Content-Type %s", call, name)
			}
		}
		for name, body := range bodies {
			a := m.call(t, method, path, body)
			a.refused(t, http.StatusBadRequest, "invalid_body")
			if a.unrepeated(t); t.Failed() {
				t.Fatalf("%s with the body %s", call, name)
			}
		}
	}
	for _, call := range []string{"POST /api/v1/apps", "PUT /api/v1/apps/" + application} {
		method, path, _ := strings.Cut(call, " ")
		for name, types := range badTypes {
			headers := []string{"Authorization", ops}
			for _, value := range types {
				headers = append(headers, "Content-Type", value)
			}
			a := w.do(t, method, w.origin(oktaOrg)+path, app(hostile, nil, nil), headers...)
			a.errorIs(t, http.StatusUnsupportedMediaType, "E0000021")
			if a.unrepeated(t); t.Failed() {
				t.Fatalf("%s with the Content-Type %s", call, name)
			}
		}
		for name, body := range bodies {
			a := w.do(t, method, w.origin(oktaOrg)+path, body, "Authorization", ops, "Content-Type", "application/json")
			if a.errorIs(t, http.StatusBadRequest, "E0000003"); t.Failed() {
				t.Fatalf("%s with the body %s", call, name)
			}
			a.unrepeated(t)
		}
	}
	if now := w.position(t); now != position {
		t.Error("something was written")
	}
}

// TestOktaAppThatIsNotActivated: who asks for one that is not to be used yet gets
// no other.
func TestOktaAppThatIsNotActivated(t *testing.T) {
	w := theWorld(t)
	ops := w.ssws("okta-ops")
	a := w.okta(t, ops, "POST", "/api/v1/apps?activate=false", app("Later", nil, nil))
	a.wants(t, http.StatusOK, "")
	made := a.json(t)
	id, secret := made["id"].(string), member(made, oauthClient+"client_secret").(string)
	ask := func() answer { return w.form(t, w.tokenURL(oktaCustom), grant(), "Authorization", basic(id, secret)) }
	ask().wants(t, http.StatusUnauthorized, "invalid_client")
	client, err := w.node.Admin().Client(t.Context(), admin.System(), id)
	if err != nil || made["status"] != "INACTIVE" || client.State != registry.StateDisabled || client.StateBy != "token:okta-ops" {
		t.Errorf("%v %s: %s by %q", err, a.text, client.State, client.StateBy)
	}
	w.okta(t, ops, "POST", "/api/v1/apps/"+id+"/lifecycle/activate", "").wants(t, http.StatusOK, "")
	ask().token(t)

	if a := w.okta(t, ops, "POST", "/api/v1/apps?activate=true&"+hostile+"=1", app("At once", nil, nil)); a.json(t)["status"] != "ACTIVE" {
		t.Error(a.text)
	}
	before := w.clientCount(t)
	for _, q := range []string{"activate=", "activate=no", "activate=FALSE", "activate=false&activate=true", "activate=false&activate=false", "activate=%3Cb%3E" + hostile, "activate=%zz"} {
		a := w.okta(t, ops, "POST", "/api/v1/apps?"+q, app("Neither", nil, nil))
		a.errorIs(t, http.StatusBadRequest, "E0000001")
		a.unrepeated(t)
	}
	if n := w.clientCount(t); n != before {
		t.Errorf("%d clients, want %d", n, before)
	}
}
