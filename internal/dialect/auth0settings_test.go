package dialect_test

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// TestAuth0ClientSettings: what of a client's settings means something here is
// kept, shown and changed; what has to do with people who log in does no harm.
func TestAuth0ClientSettings(t *testing.T) {
	w := theWorld(t)
	m := auth0Manager(t, w)
	body, id := m.call(t, "POST", "clients", `{"name":"Batch & <b>bold</b>"}`), ""
	body.refused(t, http.StatusBadRequest, "invalid_body")
	made, id := m.call(t, "POST", "clients", map[string]any{
		"name": "Batch & more", "description": "Every <night>", "client_metadata": map[string]any{"team": "finance", "tier": "1"},
		"token_endpoint_auth_method": "client_secret_basic", "require_proof_of_possession": true,
		"callbacks": []string{"https://app.example.com/cb"}, "oidc_conformant": true, "jwt_configuration": map[string]any{"alg": "HS256"}, "refresh_token": nil,
	}).made(t, "client_id")
	want := map[string]any{"name": "Batch & more", "description": "Every <night>", "client_metadata": map[string]any{"team": "finance", "tier": "1"},
		"token_endpoint_auth_method": "client_secret_basic", "require_proof_of_possession": true, "app_type": "non_interactive",
		"grant_types": []any{"client_credentials"}, "callbacks": []any{}}
	has(t, made, want)
	has(t, m.call(t, "GET", "clients/"+id, nil).json(t), want)

	// As with Auth0 the members of client_metadata that are not named stay.
	changed := m.call(t, "PATCH", "clients/"+id, `{"client_metadata":{"team":null,"env":"prod"},"require_proof_of_possession":false,"description":null}`)
	has(t, changed.json(t), map[string]any{"name": "Batch & more", "description": "", "client_metadata": map[string]any{"tier": "1", "env": "prod"},
		"require_proof_of_possession": false, "token_endpoint_auth_method": "client_secret_basic"})
	has(t, m.call(t, "PATCH", "clients/"+id, `{"token_endpoint_auth_method":null,"client_metadata":null}`).json(t),
		map[string]any{"client_metadata": map[string]any{}, "token_endpoint_auth_method": "client_secret_basic"})
	has(t, m.call(t, "PATCH", "clients/"+id, `{"token_endpoint_auth_method":"client_secret_post"}`).json(t), map[string]any{"token_endpoint_auth_method": "client_secret_post"})
	has(t, m.call(t, "GET", "clients/"+id+"?fields=name,client_id", nil).json(t), map[string]any{"name": "Batch & more", "client_id": id})
	if o := m.call(t, "GET", "clients/"+id+"?fields=name,client_id", nil).json(t); len(o) != 2 {
		t.Errorf("two fields asked for: %v", o)
	}
	if o := m.call(t, "GET", "clients/"+id+"?fields=name&include_fields=false", nil).json(t); o["name"] != nil || o["client_id"] != id {
		t.Errorf("all but the name: %v", o)
	}
}

// has fails for each member that is not as wanted.
func has(t testing.TB, got, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if !reflect.DeepEqual(got[name], value) {
			t.Errorf("%s is %#v, want %#v", name, got[name], value)
		}
	}
}

// TestAuth0APISettings: the same for an API.
func TestAuth0APISettings(t *testing.T) {
	w := theWorld(t)
	m := auth0Manager(t, w)
	identifier := "https://" + unique(t) + ".test"
	made, id := m.call(t, "POST", "resource-servers", map[string]any{
		"identifier": identifier, "name": "Orders", "signing_alg": "PS256", "token_lifetime": 600, "allow_offline_access": true,
		"skip_consent_for_verifiable_first_party_clients": true, "token_dialect": "access_token", "enforce_policies": false,
		"scopes": []any{map[string]any{"value": "read:orders", "description": "Read <all>"}}, "proof_of_possession": map[string]any{"mechanism": "dpop", "required": true},
	}).made(t, "id")
	want := map[string]any{"identifier": identifier, "name": "Orders", "signing_alg": "PS256", "token_lifetime": 600.0, "is_system": false,
		"scopes":              []any{map[string]any{"value": "read:orders", "description": "Read <all>"}},
		"proof_of_possession": map[string]any{"mechanism": "dpop", "required": true}}
	has(t, made, want)
	has(t, m.call(t, "GET", "resource-servers/"+id, nil).json(t), want)
	// As with Auth0 the identifier may stand for the id.
	has(t, m.call(t, "GET", "resource-servers/"+url.PathEscape(identifier), nil).json(t), want)
	if a := m.call(t, "GET", "resource-servers?identifiers="+url.QueryEscape(identifier)+"&identifiers=x", nil); strings.Count(a.text, `"identifier"`) != 1 {
		t.Errorf("by identifier: %s", a.text)
	}
	m.call(t, "POST", "resource-servers", map[string]any{"identifier": identifier}).refused(t, http.StatusConflict, "resource_server_conflict")
	m.call(t, "POST", "resource-servers", map[string]any{"identifier": w.issuers[auth0] + "/api/v2/"}).refused(t, http.StatusConflict, "resource_server_conflict")

	has(t, m.call(t, "PATCH", "resource-servers/"+id, `{"name":"More orders","token_lifetime":86400,"proof_of_possession":null,"signing_alg":"RS256"}`).json(t),
		map[string]any{"name": "More orders", "token_lifetime": 86400.0, "signing_alg": "RS256", "proof_of_possession": nil, "scopes": want["scopes"]})

	// A scope that goes is taken from the clients that have it.
	client, secret := m.newApp(t)
	_, grant := m.call(t, "POST", "client-grants", map[string]any{"client_id": client, "audience": identifier, "scope": []string{"read:orders"}}).made(t, "id")
	has(t, m.call(t, "PATCH", "resource-servers/"+id, `{"scopes":[{"value":"write:orders"}]}`).json(t),
		map[string]any{"scopes": []any{map[string]any{"value": "write:orders", "description": ""}}})
	if a := m.call(t, "GET", "client-grants/"+grant, nil); !reflect.DeepEqual(a.json(t)["scope"], []any{}) {
		t.Errorf("the grant keeps %v", a.json(t)["scope"])
	}
	m.call(t, "PATCH", "client-grants/"+grant, `{"scope":["read:orders"]}`).refused(t, http.StatusBadRequest, "")
	has(t, m.call(t, "PATCH", "client-grants/"+grant, `{"allow_all_scopes":true}`).json(t), map[string]any{"scope": []any{"write:orders"}})
	if c := claims(t, m.tokenFor(t, client, secret, identifier).token(t)); c["scope"] != "write:orders" {
		t.Errorf("scope %v", c["scope"])
	}
}

// TestAuth0LeavesWhatOperatorsSaid: their labels are not Auth0's metadata, and a
// program that sends back what it was shown, or clears it, widens nothing that it
// has no words for.
func TestAuth0LeavesWhatOperatorsSaid(t *testing.T) {
	w := theWorld(t)
	m := auth0Manager(t, w)
	a, by := w.node.Admin(), admin.System()
	text, err := publicPEM(w.key)
	if err != nil {
		t.Fatal(err)
	}
	create := func(id string, c registry.Client) {
		t.Helper()
		c.ID, c.Name, c.Issuers = id, "Said", []string{auth0}
		c.Labels = map[string]string{"team": "finance", "auth0/other": "1"}
		if _, _, err := a.CreateClient(t.Context(), by, admin.CreateClient{Client: c, Secret: admin.NewCredential{ID: "s1"}, Key: &admin.NewKey{Text: text}}); err != nil {
			t.Fatal(err)
		}
	}
	create("said-basic", registry.Client{Auth: []string{"client_secret_basic"}, Bound: registry.BoundDPoP})
	create("said-key", registry.Client{Auth: []string{"private_key_jwt"}, Bound: registry.BoundMTLS})
	create("said-two", registry.Client{Auth: []string{"client_secret_basic", "private_key_jwt"}, Bound: registry.BoundRequired})
	for id, auth := range map[string]string{"said-basic": "client_secret_basic", "said-key": "private_key_jwt", "said-two": "client_secret_post"} {
		before, err := a.Client(t.Context(), by, id)
		if err != nil {
			t.Fatal(err)
		}
		has(t, m.call(t, "GET", "clients/"+id, nil).json(t), map[string]any{"client_metadata": map[string]any{}, "token_endpoint_auth_method": auth, "require_proof_of_possession": true})
		for _, body := range []string{
			`{"client_metadata":null}`, `{"client_metadata":{"team":null,"auth0/other":null}}`, `{"token_endpoint_auth_method":""}`, `{"token_endpoint_auth_method":null}`,
			`{"token_endpoint_auth_method":"` + auth + `","require_proof_of_possession":true,"name":"` + before.Name + `"}`, `{"require_proof_of_possession":null}`,
		} {
			m.call(t, "PATCH", "clients/"+id, body).wants(t, http.StatusOK, "")
		}
		if id != "said-two" {
			m.call(t, "PATCH", "clients/"+id, `{"require_proof_of_possession":false}`).refused(t, http.StatusBadRequest, "invalid_body")
		}
		if id != "said-basic" { // between the two that Auth0 knows, its programs choose
			for _, method := range []string{"client_secret_post", "client_secret_basic"} {
				if method != auth {
					m.call(t, "PATCH", "clients/"+id, `{"token_endpoint_auth_method":"`+method+`"}`).refused(t, http.StatusBadRequest, "invalid_body")
				}
			}
		}
		after, err := a.Client(t.Context(), by, id)
		if err != nil || !reflect.DeepEqual(after.Auth, before.Auth) || after.Bound != before.Bound || !reflect.DeepEqual(after.Labels, before.Labels) {
			t.Errorf("%s: %v %v %s %v, before %v %s %v", id, err, after.Auth, after.Bound, after.Labels, before.Auth, before.Bound, before.Labels)
		}
		m.call(t, "PATCH", "clients/"+id, `{"client_metadata":{"team":"hr"}}`).wants(t, http.StatusOK, "")
		if after, err = a.Client(t.Context(), by, id); err != nil || after.Labels["team"] != "finance" || after.Labels["auth0/metadata/team"] != "hr" {
			t.Errorf("%s: %v %v", id, err, after.Labels)
		}
	}

	api, _, err := a.CreateAPI(t.Context(), by, registry.API{Issuer: auth0, Identifier: "https://" + unique(t) + ".test", Bound: registry.BoundRequired})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"proof_of_possession":null}`, `{"proof_of_possession":{"required":false}}`, `{"proof_of_possession":{"mechanism":"dpop","required":false}}`} {
		m.call(t, "PATCH", "resource-servers/"+api.ID, body).wants(t, http.StatusOK, "")
	}
	if after, err := a.API(t.Context(), by, api.ID); err != nil || after.Bound != registry.BoundRequired {
		t.Errorf("%v: bound %s", err, after.Bound)
	}
}

// TestAuth0IdentifierIsNoID: no API can be made that another's id then means, and
// where there is one, the id is what counts.
func TestAuth0IdentifierIsNoID(t *testing.T) {
	w := theWorld(t)
	m := auth0Manager(t, w)
	id, _ := m.newAPI(t)
	for _, identifier := range []string{id, "auth0-api", "auth0-management", "okta-management", "admin"} {
		m.call(t, "POST", "resource-servers", map[string]any{"identifier": identifier}).refused(t, http.StatusBadRequest, "invalid_body")
	}
	// That another organisation has an API of that id is not told, and does no harm.
	_, other := m.call(t, "POST", "resource-servers", map[string]any{"identifier": "okta-api"}).made(t, "id")
	has(t, m.call(t, "GET", "resource-servers/okta-api", nil).json(t), map[string]any{"id": other})
	m.call(t, "DELETE", "resource-servers/okta-api", nil).wants(t, http.StatusNoContent, "")

	shadow, _, err := w.node.Admin().CreateAPI(t.Context(), admin.System(), registry.API{Issuer: auth0, Identifier: id, Name: "Shadow"})
	if err != nil {
		t.Fatal(err)
	}
	has(t, m.call(t, "GET", "resource-servers/"+id, nil).json(t), map[string]any{"id": id, "name": "Orders"})
	m.call(t, "PATCH", "resource-servers/"+id, `{"name":"Changed"}`).wants(t, http.StatusOK, "")
	m.call(t, "DELETE", "resource-servers/"+id, nil).wants(t, http.StatusNoContent, "")
	has(t, m.call(t, "GET", "resource-servers/"+shadow.ID, nil).json(t), map[string]any{"name": "Shadow", "identifier": id})
}

// auth0BadInput: Auth0's error, nothing made, nothing repeated.
func auth0BadInput(t *testing.T, w *world) {
	m := auth0Manager(t, w)
	const evil = "Robert'); DROP--"
	before := m.total(t)
	for _, op := range []struct{ name, method, path, body string }{
		{"no name", "POST", "clients", `{}`},
		{"an empty name", "POST", "clients", `{"name":""}`},
		{"markup", "POST", "clients", `{"name":"<script>alert(1)</script>"}`},
		{"a long name", "POST", "clients", `{"name":"` + strings.Repeat("x", 300) + `"}`},
		{"a control character", "POST", "clients", `{"name":"a\u0007b"}`},
		{"a number for the name", "POST", "clients", `{"name":7}`},
		{"an object for the name", "POST", "clients", `{"name":{"$ne":null}}`},
		{"a name twice", "POST", "clients", `{"name":"a","name":"b"}`},
		{"a list", "POST", "clients", `[{"name":"a"}]`},
		{"null", "POST", "clients", `null`},
		{"cut off", "POST", "clients", `{"name":"a`},
		{"nothing", "POST", "clients", ``},
		{"an unknown member", "POST", "clients", `{"name":"a","` + evil + `":1}`},
		{"a member of ours", "POST", "clients", `{"name":"a","issuers":["default"]}`},
		{"access", "POST", "clients", `{"name":"a","access":{"admin":[]}}`},
		{"a chosen secret", "POST", "clients", `{"name":"a","client_secret":"` + evil + `"}`},
		{"a chosen id", "POST", "clients", `{"name":"a","client_id":"billing"}`},
		{"a login", "POST", "clients", `{"name":"a","grant_types":["client_credentials","password"]}`},
		{"a page in a browser", "POST", "clients", `{"name":"a","app_type":"spa"}`},
		{"no authentication", "POST", "clients", `{"name":"a","token_endpoint_auth_method":"none"}`},
		{"metadata of numbers", "POST", "clients", `{"name":"a","client_metadata":{"a":1}}`},
		{"an odd label", "POST", "clients", `{"name":"a","client_metadata":{"a=` + evil + `":"1"}}`},
		{"metadata without a name", "POST", "clients", `{"name":"a","client_metadata":{"":"1"}}`},
		{"metadata with a long name", "POST", "clients", `{"name":"a","client_metadata":{"` + strings.Repeat("x", 49) + `":"1"}}`},

		{"no identifier", "POST", "resource-servers", `{"name":"a"}`},
		{"an identifier with a fragment", "POST", "resource-servers", `{"identifier":"https://a.test/#b"}`},
		{"an identifier with a space", "POST", "resource-servers", `{"identifier":"https://a.test/ b"}`},
		{"HS256", "POST", "resource-servers", `{"identifier":"https://bad.test","signing_alg":"HS256"}`},
		{"none", "POST", "resource-servers", `{"identifier":"https://bad.test","signing_alg":"none"}`},
		{"a shared secret", "POST", "resource-servers", `{"identifier":"https://bad.test","signing_secret":"` + evil + `"}`},
		{"too long a life", "POST", "resource-servers", `{"identifier":"https://bad.test","token_lifetime":86401}`},
		{"no life", "POST", "resource-servers", `{"identifier":"https://bad.test","token_lifetime":0}`},
		{"a negative life", "POST", "resource-servers", `{"identifier":"https://bad.test","token_lifetime":-1}`},
		{"half a second", "POST", "resource-servers", `{"identifier":"https://bad.test","token_lifetime":0.5}`},
		{"a life that overflows", "POST", "resource-servers", `{"identifier":"https://bad.test","token_lifetime":9223372036854775807}`},
		{"an odd scope", "POST", "resource-servers", `{"identifier":"https://bad.test","scopes":[{"value":"a b"}]}`},
		{"a scope without value", "POST", "resource-servers", `{"identifier":"https://bad.test","scopes":[{"description":"a"}]}`},
		{"a scope twice", "POST", "resource-servers", `{"identifier":"https://bad.test","scopes":[{"value":"a"},{"value":"a"}]}`},
		{"a scope in another case", "POST", "resource-servers", `{"identifier":"https://bad.test","scopes":[{"value":"a","VALUE":"b"}]}`},
		{"a value twice", "POST", "resource-servers", `{"identifier":"https://bad.test","scopes":[{"value":"a","value":"b"}]}`},
		{"a scope that is not UTF-8", "POST", "resource-servers", "{\"identifier\":\"https://bad.test\",\"scopes\":[{\"value\":\"a\",\"description\":\"\xff\"}]}"},
		{"proof in another case", "POST", "resource-servers", `{"identifier":"https://bad.test","proof_of_possession":{"mechanism":"dpop","required":true,"Required":false}}`},
		{"a name in another case", "POST", "clients", `{"name":"a","NAME":"b"}`},
		{"scopes that are texts", "POST", "resource-servers", `{"identifier":"https://bad.test","scopes":["a"]}`},
		{"permissions", "POST", "resource-servers", `{"identifier":"https://bad.test","enforce_policies":true}`},
		{"an unknown proof", "POST", "resource-servers", `{"identifier":"https://bad.test","proof_of_possession":{"mechanism":"none","required":true}}`},
		{"another issuer", "POST", "resource-servers", `{"identifier":"https://bad.test","issuer":"default"}`},

		{"a grant for nobody", "POST", "client-grants", `{"audience":"` + auth0Audience + `","scope":[]}`},
		{"a grant of nothing", "POST", "client-grants", `{"client_id":"auth0-app","audience":"` + auth0Audience + `"}`},
		{"a grant of a scope that is none", "POST", "client-grants", `{"client_id":"auth0-mgmt-less","audience":"` + auth0Audience + `","scope":"api.read"}`},
		{"a grant for people", "POST", "client-grants", `{"client_id":"auth0-app","audience":"` + auth0Audience + `","scope":[],"subject_type":"user"}`},

		{"a negative page", "GET", "clients?page=-1", ""},
		{"no number", "GET", "clients?page=x", ""},
		{"too large a page", "GET", "clients?per_page=101", ""},
		{"a page beyond numbers", "GET", "clients?page=99999999999999999999", ""},
		{"a page twice", "GET", "clients?page=1&page=2", ""},
		{"a take of nothing", "GET", "client-grants?take=0", ""},
		{"too large a take", "GET", "client-grants?take=1000", ""},
		{"a checkpoint of nothing", "GET", "client-grants?from=" + url.QueryEscape(evil), ""},
		{"no truth value", "GET", "resource-servers?include_totals=maybe", ""},
		{"an unknown parameter", "GET", "clients?" + url.QueryEscape(evil) + "=1", ""},
		{"a broken query", "GET", "clients?a=%zz", ""},
	} {
		t.Run(op.name, func(t *testing.T) {
			a := m.call(t, op.method, op.path, op.body)
			a.refused(t, http.StatusBadRequest, "")
			if strings.Contains(a.text, "Robert") || strings.Contains(a.text, "<") {
				t.Errorf("the answer repeats the request: %s", a.text)
			}
		})
	}
	for _, op := range []struct {
		method, path string
		status       int
	}{
		{"GET", "clients/" + url.PathEscape("' OR 1=1"), http.StatusNotFound}, {"GET", "clients/..%2Fclients", http.StatusNotFound},
		{"GET", "client-grants/cgr_", http.StatusNotFound}, {"GET", "client-grants/cgr_auth0-api", http.StatusNotFound},
		{"GET", "client-grants/" + strings.Repeat("x", 500), http.StatusNotFound}, {"GET", "resource-servers/%3Cb%3E", http.StatusNotFound},
		{"GET", "users", http.StatusNotFound}, {"GET", "clients/", http.StatusNotFound}, {"GET", "clients/a/b", http.StatusNotFound},
		{"PUT", "clients", http.StatusMethodNotAllowed}, {"DELETE", "clients", http.StatusMethodNotAllowed}, {"POST", "clients/a", http.StatusMethodNotAllowed},
	} {
		m.call(t, op.method, op.path, nil).refused(t, op.status, "")
	}
	m.w.do(t, "POST", w.issuers[auth0]+"/api/v2/clients", `name=a`, "Authorization", "Bearer "+m.token, "Content-Type", "application/x-www-form-urlencoded").
		refused(t, http.StatusUnsupportedMediaType, "")
	m.call(t, "POST", "clients", `{"name":"`+strings.Repeat("x", 70<<10)+`"}`).refused(t, http.StatusRequestEntityTooLarge, "")
	if after := m.total(t); after != before {
		t.Errorf("there is something new: %s, before %s", after, before)
	}
}

// total counts what there is.
func (m manager) total(t testing.TB) string {
	t.Helper()
	var counts []any
	for _, path := range []string{"clients", "resource-servers", "client-grants"} {
		counts = append(counts, m.call(t, "GET", path+"?page=0&include_totals=true", nil).json(t)["total"])
	}
	return fmt.Sprint(counts...)
}

// TestAuth0ManagementTokens: who may call at all.
func TestAuth0ManagementTokens(t *testing.T) {
	w := theWorld(t)
	target := w.issuers[auth0] + "/api/v2/clients"
	app := manager{w, w.ask(t, auth0, "auth0-app").token(t)}
	for name, headers := range map[string][]string{
		"no token": nil, "nonsense": {"Authorization", "Bearer nonsense"}, "of another API": {"Authorization", "Bearer " + app.token},
		"of another issuer": {"Authorization", "Bearer " + w.ask(t, standard, "billing").token(t)},
		"Basic":             {"Authorization", basic("auth0-mgmt", w.secrets["auth0-mgmt"])},
		"an Okta API token": {"Authorization", w.ssws("okta-ops")},
		"a broken one":      {"Authorization", "Bearer " + auth0Manager(t, w).token[:40]},
		"in the query":      nil,
	} {
		t.Run(name, func(t *testing.T) {
			at := target
			if name == "in the query" {
				at += "?access_token=" + auth0Manager(t, w).token
			}
			a := w.get(t, at, headers...)
			a.refused(t, http.StatusUnauthorized, "")
			if a.header.Get("Www-Authenticate") == "" {
				t.Error("no challenge")
			}
		})
	}
	// A revoked token is refused at once.
	m := auth0Manager(t, w)
	m.call(t, "GET", "clients", nil).wants(t, http.StatusOK, "")
	w.form(t, w.issuers[auth0]+"/oauth/revoke", url.Values{"client_id": {"auth0-mgmt"}, "client_secret": {w.secrets["auth0-mgmt"]}, "token": {m.token}}).wants(t, http.StatusOK, "")
	m.call(t, "GET", "clients", nil).refused(t, http.StatusUnauthorized, "")
}
