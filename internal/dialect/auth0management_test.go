package dialect_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// manager calls Auth0's management API with a token.
type manager struct {
	w     *world
	token string
}

// auth0Manager is one with all scopes, or with those named.
func auth0Manager(t testing.TB, w *world, scopes ...string) manager {
	t.Helper()
	ask := url.Values{"grant_type": {"client_credentials"}, "client_id": {"auth0-mgmt"}, "client_secret": {w.secrets["auth0-mgmt"]},
		"audience": {w.issuers[auth0] + "/api/v2/"}}
	if len(scopes) > 0 {
		ask.Set("scope", strings.Join(scopes, " "))
	}
	return manager{w, w.form(t, w.tokenURL(auth0), ask).token(t)}
}

// call sends a request; body is JSON as a text, or what becomes JSON. As those of
// node-auth0 2 its requests name their type with and without a body.
func (m manager) call(t testing.TB, method, path string, body any) answer {
	t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		text = encode(t, body)
	}
	return m.w.do(t, method, m.w.issuers[auth0]+"/api/v2/"+path, text, "Authorization", "Bearer "+m.token, "Content-Type", "application/json")
}

// refused fails unless the answer is an error in Auth0's shape with that status.
func (a answer) refused(t testing.TB, status int, code string) {
	t.Helper()
	body := a.json(t)
	message, _ := body["message"].(string)
	if a.status != status || body["statusCode"] != float64(status) || body["error"] != http.StatusText(status) || message == "" ||
		code != "" && body["errorCode"] != code {
		t.Errorf("%d %s, want %d with errorCode %q", a.status, a.text, status, code)
	}
	if !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Errorf("an error of Content-Type %q", a.header.Get("Content-Type"))
	}
}

// made is the object of an answer of status 201, and its member of that name.
func (a answer) made(t testing.TB, id string) (map[string]any, string) {
	t.Helper()
	a.wants(t, http.StatusCreated, "")
	body := a.json(t)
	text, _ := body[id].(string)
	if text == "" {
		t.Fatalf("%s has no %s", a.text, id)
	}
	return body, text
}

// unique names something that no other test makes.
func unique(t testing.TB) string {
	return strings.ToLower(strings.NewReplacer("/", ".", "_", "-", " ", "-", "#", "").Replace(t.Name()))
}

// newAPI and newApp make what a test changes.
func (m manager) newAPI(t testing.TB) (id, identifier string) {
	t.Helper()
	identifier = "https://" + unique(t) + ".test/"
	_, id = m.call(t, "POST", "resource-servers", map[string]any{"identifier": identifier, "name": "Orders",
		"scopes": []any{map[string]any{"value": "list:users", "description": "List users"}, map[string]any{"value": "read:orders"}}}).made(t, "id")
	return id, identifier
}

func (m manager) newApp(t testing.TB) (id, secret string) {
	t.Helper()
	body, id := m.call(t, "POST", "clients", map[string]any{"name": "Partner " + unique(t), "app_type": "non_interactive",
		"grant_types": []string{"client_credentials"}, "token_endpoint_auth_method": "client_secret_post"}).made(t, "client_id")
	secret, _ = body["client_secret"].(string)
	if secret == "" {
		t.Fatal("a new client has no secret")
	}
	return id, secret
}

// token asks for a token of an API.
func (m manager) tokenFor(t testing.TB, id, secret, audience string) answer {
	t.Helper()
	return m.w.form(t, m.w.tokenURL(auth0), url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}, "audience": {audience}})
}

// TestAuth0ManagementWalk is what node-auth0 2, 4 and 7 do: an API, a client, a
// grant, a token, and all of it deleted.
func TestAuth0ManagementWalk(t *testing.T) {
	w := theWorld(t)
	m := auth0Manager(t, w)
	api, identifier := m.newAPI(t)
	id, secret := m.newApp(t)

	m.tokenFor(t, id, secret, identifier).wants(t, http.StatusForbidden, "access_denied")
	g, grant := m.call(t, "POST", "client-grants", map[string]any{"client_id": id, "audience": identifier, "scope": []string{"list:users"}}).made(t, "id")
	if !strings.HasPrefix(grant, "cgr_") || g["audience"] != identifier || g["client_id"] != id {
		t.Errorf("the grant is %v", g)
	}
	c := claims(t, m.tokenFor(t, id, secret, identifier).token(t))
	if c["scope"] != "list:users" || c["aud"] != identifier {
		t.Errorf("scope %v, aud %v", c["scope"], c["aud"])
	}

	m.call(t, "PATCH", "client-grants/"+grant, map[string]any{"scope": []string{"list:users", "read:orders"}}).wants(t, http.StatusOK, "")
	if c := claims(t, m.tokenFor(t, id, secret, identifier).token(t)); c["scope"] != "list:users read:orders" {
		t.Errorf("scope %v after the grant changed", c["scope"])
	}
	if a := m.call(t, "GET", "client-grants/"+grant, nil); a.status != http.StatusOK || a.json(t)["id"] != grant {
		t.Errorf("%d %s", a.status, a.text)
	}
	m.call(t, "POST", "client-grants", map[string]any{"client_id": id, "audience": identifier, "scope": []string{}}).refused(t, http.StatusConflict, "client_grant_conflict")

	// node-auth0 2 sends a body along with DELETE.
	for _, path := range []string{"client-grants/" + grant, "clients/" + id, "resource-servers/" + api} {
		if a := m.call(t, "DELETE", path, "{}"); a.status != http.StatusNoContent || a.text != "" {
			t.Errorf("DELETE %s: %d %s", path, a.status, a.text)
		}
		if path == "client-grants/"+grant {
			m.tokenFor(t, id, secret, identifier).wants(t, http.StatusForbidden, "access_denied")
		}
		if a := m.call(t, "GET", path, nil); a.status != http.StatusNotFound {
			t.Errorf("GET %s after its deletion: %d", path, a.status)
		}
	}
	m.tokenFor(t, id, secret, identifier).wants(t, http.StatusUnauthorized, "invalid_client")
}

// TestAuth0SecretIsShownTwice: when a client is made and when its secret is
// rotated, and never else, since only its hash is kept.
func TestAuth0SecretIsShownTwice(t *testing.T) {
	w := theWorld(t)
	m := auth0Manager(t, w)
	_, identifier := m.newAPI(t)
	id, secret := m.newApp(t)
	m.call(t, "POST", "client-grants", map[string]any{"client_id": id, "audience": identifier, "scope": []string{"list:users"}}).made(t, "id")
	for _, path := range []string{"clients/" + id, "clients?per_page=100", "clients/" + id + "?fields=client_secret"} {
		if a := m.call(t, "GET", path, nil); a.status != http.StatusOK || strings.Contains(a.text, "client_secret\"") || strings.Contains(a.text, secret) {
			t.Errorf("%s: %d %s", path, a.status, a.text)
		}
	}
	if a := m.call(t, "PATCH", "clients/"+id, `{"name":"Renamed"}`); a.status != http.StatusOK || strings.Contains(a.text, "client_secret\"") || a.json(t)["name"] != "Renamed" {
		t.Errorf("%d %s", a.status, a.text)
	}
	fresh, _ := m.call(t, "POST", "clients/"+id+"/rotate-secret", "{}").json(t)["client_secret"].(string)
	if fresh == "" || fresh == secret {
		t.Fatalf("the new secret is %q", fresh)
	}
	m.tokenFor(t, id, secret, identifier).wants(t, http.StatusUnauthorized, "invalid_client")
	m.tokenFor(t, id, fresh, identifier).token(t)
	if strings.Contains(w.logged.String(), fresh) || strings.Contains(w.logged.String(), secret) {
		t.Error("the log has a secret")
	}
}

// TestAuth0ManagementRefuses has a world of its own: of so many refusals from one
// network only a part has its record.
func TestAuth0ManagementRefuses(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []struct {
		name string
		test func(*testing.T, *world)
	}{
		{"and explains", auth0RefusalsAreExplained}, {"scopes", auth0ScopePerOperation}, {"what is of others", auth0SeesItsOwnOrganisation}, {"bad input", auth0BadInput},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, w) })
	}
}

// auth0ScopePerOperation: each operation needs its own scope, and says which.
func auth0ScopePerOperation(t *testing.T, w *world) {
	for _, op := range []struct{ method, path, scope string }{
		{"GET", "clients", "read:clients"}, {"POST", "clients", "create:clients"}, {"GET", "clients/x", "read:clients"},
		{"PATCH", "clients/x", "update:clients"}, {"DELETE", "clients/x", "delete:clients"}, {"POST", "clients/x/rotate-secret", "update:client_keys"},
		{"GET", "resource-servers", "read:resource_servers"}, {"POST", "resource-servers", "create:resource_servers"},
		{"GET", "resource-servers/x", "read:resource_servers"}, {"PATCH", "resource-servers/x", "update:resource_servers"},
		{"DELETE", "resource-servers/x", "delete:resource_servers"},
		{"GET", "client-grants", "read:client_grants"}, {"POST", "client-grants", "create:client_grants"},
		{"GET", "client-grants/cgr_x_y", "read:client_grants"}, {"PATCH", "client-grants/cgr_x_y", "update:client_grants"},
		{"DELETE", "client-grants/cgr_x_y", "delete:client_grants"},
	} {
		t.Run(op.method+" "+op.path, func(t *testing.T) {
			var others []string
			shown, err := w.node.Admin().API(t.Context(), admin.System(), "auth0-management")
			if err != nil {
				t.Fatal(err)
			}
			for scope := range shown.Scopes {
				if scope != op.scope {
					others = append(others, scope)
				}
			}
			a := auth0Manager(t, w, others...).call(t, op.method, op.path, nil)
			a.refused(t, http.StatusForbidden, "insufficient_scope")
			if a.json(t)["message"] != "Insufficient scope, expected any of: "+op.scope {
				t.Errorf("the message is %v", a.json(t)["message"])
			}
			// With it alone the operation gets as far as what it is asked to do.
			if a := auth0Manager(t, w, op.scope).call(t, op.method, op.path, `{}`); a.status == http.StatusForbidden || a.status == http.StatusUnauthorized || a.status >= 500 {
				t.Errorf("with %s alone: %d %s", op.scope, a.status, a.text)
			}
		})
	}
}

// TestAuth0NobodyGrantsWhatTheyDoNotHold: no call gives or changes power over the
// server itself.
func TestAuth0NobodyGrantsWhatTheyDoNotHold(t *testing.T) {
	w := theWorld(t)
	m := auth0Manager(t, w)
	audience := w.issuers[auth0] + "/api/v2/"
	id, _ := m.newApp(t)
	m.call(t, "POST", "client-grants", map[string]any{"client_id": id, "audience": audience, "scope": []string{"read:clients"}}).
		forbidden(t, "Access to this API is power over the server itself")
	m.tokenFor(t, "auth0-mgmt", w.secrets["auth0-mgmt"], audience).token(t)
	for _, op := range []struct {
		method, path string
		body         any
		says         string
	}{
		{"PATCH", "client-grants/cgr_auth0-management_auth0-mgmt", map[string]any{"scope": []string{"read:clients"}}, "This client has power over the server"},
		{"DELETE", "client-grants/cgr_auth0-management_auth0-mgmt", nil, "This client has power over the server"},
		{"POST", "clients/auth0-mgmt/rotate-secret", nil, "This client has power over the server"},
		{"PATCH", "clients/auth0-mgmt", map[string]any{"token_endpoint_auth_method": "client_secret_basic"}, "This client has power over the server"},
		{"PATCH", "resource-servers/auth0-management", map[string]any{"scopes": []any{}}, "the server's own administration"},
		{"DELETE", "resource-servers/auth0-management", nil, "the server's own administration"},
	} {
		m.call(t, op.method, op.path, op.body).forbidden(t, op.says)
	}
	m.tokenFor(t, "auth0-mgmt", w.secrets["auth0-mgmt"], audience).token(t)
	if a := m.call(t, "GET", "client-grants?client_id="+id, nil); a.text != "[]" {
		t.Errorf("the refused grant is there: %s", a.text)
	}
}

// forbidden fails unless the answer is a refusal of what only an operator may do,
// which says so.
func (a answer) forbidden(t testing.TB, says string) {
	t.Helper()
	a.refused(t, http.StatusForbidden, "operation_not_supported")
	if !strings.Contains(a.text, says) {
		t.Errorf("%s does not say %q", a.text, says)
	}
}

// TestAuth0LeavesOthersAlone: what would also change objects of other issuers is
// refused as that, and no answer tells which there are.
func TestAuth0LeavesOthersAlone(t *testing.T) {
	w := theWorld(t)
	m := auth0Manager(t, w)
	api, identifier := m.newAPI(t)
	shared := made{Client: registry.Client{ID: "shared." + unique(t), Issuers: []string{auth0, standard}, Access: map[string][]string{api: {"list:users"}}}}
	if err := w.create(t.Context(), shared); err != nil {
		t.Fatal(err)
	}
	before := w.position(t)
	var texts []string
	for _, op := range []struct {
		method, path string
		body         any
	}{
		{"DELETE", "resource-servers/" + api, nil}, {"DELETE", "resource-servers/" + url.PathEscape(identifier), nil},
		{"PATCH", "resource-servers/" + api, map[string]any{"scopes": []any{}}},
	} {
		got := m.call(t, op.method, op.path, op.body)
		got.forbidden(t, "This would also change what is not of this tenant, so nothing was changed")
		for _, name := range []string{shared.ID, "default", "power over the server"} {
			if strings.Contains(got.text, name) {
				t.Errorf("%s %s: %q stands in %s", op.method, op.path, name, got.text)
			}
		}
		texts = append(texts, got.text)
	}
	if len(slices.Compact(texts)) != 1 {
		t.Errorf("the answers differ: %q", texts)
	}
	if now := w.position(t); now != before {
		t.Error("something was written")
	}
	m.call(t, "PATCH", "resource-servers/"+api, map[string]any{"name": "What concerns nobody else"}).wants(t, http.StatusOK, "")
}

// auth0SeesItsOwnOrganisation: what belongs to other issuers, also in part, is
// not there.
func auth0SeesItsOwnOrganisation(t *testing.T, w *world) {
	m := auth0Manager(t, w)
	for _, id := range []string{"billing", "okta-app", "everywhere", "nobody"} {
		for _, op := range []struct {
			method, path string
			body         any
		}{
			{"GET", "clients/" + id, nil}, {"PATCH", "clients/" + id, map[string]any{"name": "Mine"}}, {"DELETE", "clients/" + id, nil},
			{"POST", "clients/" + id + "/rotate-secret", nil},
			{"POST", "client-grants", map[string]any{"client_id": id, "audience": auth0Audience, "scope": []string{}}},
			{"GET", "client-grants/cgr_auth0-api_" + id, nil}, {"DELETE", "client-grants/cgr_auth0-api_" + id, nil},
		} {
			m.call(t, op.method, op.path, op.body).refused(t, http.StatusNotFound, "")
		}
	}
	for _, id := range []string{"orders", "okta-api", "nothing", "okta-management", url.PathEscape("https://orders.example.com")} {
		m.call(t, "GET", "resource-servers/"+id, nil).refused(t, http.StatusNotFound, "")
		m.call(t, "DELETE", "resource-servers/"+id, nil).refused(t, http.StatusNotFound, "")
	}
	m.call(t, "POST", "client-grants", map[string]any{"client_id": "auth0-app", "audience": "https://orders.example.com", "scope": []string{}}).refused(t, http.StatusNotFound, "")
	for _, a := range []answer{m.call(t, "GET", "clients?per_page=100", nil), m.call(t, "GET", "client-grants?take=100", nil)} {
		for _, id := range []string{`"billing"`, `"okta-app"`, `"everywhere"`} {
			if strings.Contains(a.text, id) {
				t.Errorf("a list has the client %s", id)
			}
		}
	}
	if _, err := w.node.Admin().Client(t.Context(), admin.System(), "billing"); err != nil {
		t.Error(err)
	}
}

// TestAuth0Pages: both ways through a list show each object once, and end.
func TestAuth0Pages(t *testing.T) {
	w := theWorld(t)
	m := auth0Manager(t, w)
	var made []string
	for i := range 5 {
		_, id := m.call(t, "POST", "clients", map[string]any{"name": fmt.Sprintf("Page %d", i)}).made(t, "client_id")
		made = append(made, id)
		m.call(t, "POST", "client-grants", map[string]any{"client_id": id, "audience": auth0Audience, "scope": []string{"api.read"}}).made(t, "id")
	}
	t.Run("pages", func(t *testing.T) {
		var seen []string
		for page := 0; ; page++ {
			body := m.call(t, "GET", fmt.Sprintf("clients?page=%d&per_page=2&include_totals=true", page), nil).json(t)
			list, _ := body["clients"].([]any)
			if body["start"] != float64(2*page) || body["limit"] != 2.0 || body["total"].(float64) < 5 {
				t.Fatalf("page %d: start %v, limit %v, total %v", page, body["start"], body["limit"], body["total"])
			}
			if len(list) == 0 {
				if want := int(body["total"].(float64)); len(seen) != want {
					t.Errorf("%d seen, total is %d", len(seen), want)
				}
				break
			}
			for _, one := range list {
				seen = append(seen, one.(map[string]any)["client_id"].(string))
			}
		}
		complete(t, seen, made)
	})
	for _, path := range []string{"client-grants", "client-grants?audience=" + url.QueryEscape(auth0Audience), "clients"} {
		t.Run("checkpoints of "+path, func(t *testing.T) {
			name, _, _ := strings.Cut(path, "?")
			name = strings.ReplaceAll(name, "-", "_")
			target, _ := url.Parse(path)
			var seen []string
			for from := ""; ; {
				q := target.Query()
				q.Set("take", "2")
				if from != "" {
					q.Set("from", from)
				}
				body := m.call(t, "GET", target.Path+"?"+q.Encode(), nil).json(t)
				for _, one := range body[name].([]any) {
					seen = append(seen, one.(map[string]any)["client_id"].(string))
				}
				next, more := body["next"].(string)
				if !more {
					break
				}
				from = next
			}
			complete(t, seen, made)
		})
	}
	if a := m.call(t, "GET", "client-grants?client_id="+made[0], nil); strings.Count(a.text, `"id"`) != 1 {
		t.Errorf("the grants of one client are %s", a.text)
	}
	for _, path := range []string{"clients?page=1000&per_page=100", "resource-servers?page=1000", "client-grants?page=1000", "client-grants?audience=nothing", "clients?is_global=true"} {
		if a := m.call(t, "GET", path, nil); a.status != http.StatusOK || a.text != "[]" {
			t.Errorf("%s: %d %s", path, a.status, a.text)
		}
	}
}

// complete fails unless every client of want was seen, and none twice.
func complete(t *testing.T, seen, want []string) {
	t.Helper()
	for _, id := range want {
		if !slices.Contains(seen, id) {
			t.Errorf("%s was not seen", id)
		}
	}
	count := map[string]int{}
	for _, id := range seen {
		if count[id]++; slices.Contains(want, id) && count[id] > 1 {
			t.Errorf("%s was seen twice", id)
		}
	}
}

// TestAuth0PagesAfterAChange: what is remembered of a list is of no use once
// something has changed.
func TestAuth0PagesAfterAChange(t *testing.T) {
	w := theWorld(t)
	m := auth0Manager(t, w)
	all := func() (ids []string, total int) {
		for page := 0; ; page++ {
			body := m.call(t, "GET", fmt.Sprintf("clients?page=%d&per_page=3&include_totals=true", page), nil).json(t)
			list := body["clients"].([]any)
			if len(list) == 0 {
				return ids, int(body["total"].(float64))
			}
			for _, one := range list {
				ids = append(ids, one.(map[string]any)["client_id"].(string))
			}
		}
	}
	before, count := all()
	fresh, _ := m.newApp(t)
	during, more := all()
	if len(before) != count || more != count+1 || len(during) != more || !slices.Contains(during, fresh) || !slices.IsSorted(during) {
		t.Errorf("%d of %d before, %d of %d with one more", len(before), count, len(during), more)
	}
	m.call(t, "DELETE", "clients/"+fresh, nil).wants(t, http.StatusNoContent, "")
	if after, less := all(); !slices.Equal(after, before) || less != count {
		t.Errorf("%d of %d after, before %d", len(after), less, count)
	}
}

// TestAuth0ListsOfSome: the filters that node-auth0 sends.
func TestAuth0ListsOfSome(t *testing.T) {
	w := theWorld(t)
	m := auth0Manager(t, w)
	id, _ := m.newApp(t)
	_, grant := m.call(t, "POST", "client-grants", map[string]any{"client_id": id, "audience": auth0Audience, "scope": []string{"api.read"}}).made(t, "id")
	for path, want := range map[string]int{
		"clients?client_ids=" + id + ",nobody,billing": 1, "clients?client_ids=" + id + "&app_type=spa": 0, "clients?client_ids=" + id + "&app_type=spa,non_interactive": 1,
		"clients?client_ids=" + id + "&is_global=false&is_first_party=true": 1, "clients?client_ids=" + id + "&is_first_party=false": 0,
		"clients?external_client_id=x": 0,
		"client-grants?client_id=" + id + "&audience=" + url.QueryEscape(auth0Audience): 1, "client-grants?client_id=" + id + "&subject_type=client": 1,
		"client-grants?client_id=" + id + "&subject_type=user": 0, "client-grants?client_id=" + id + "&allow_any_organization=true": 0,
		"client-grants?client_id=" + id + "&audience=https://other.test": 0, "client-grants?client_id=nobody": 0, "client-grants?client_id=everywhere": 0,
	} {
		a := m.call(t, "GET", path, nil)
		if got := strings.Count(a.text, `"client_id"`); a.status != http.StatusOK || got != want {
			t.Errorf("%s: %d, %d objects, want %d", path, a.status, got, want)
		}
	}
	// A filter names fifty objects at most.
	ids := strings.Repeat(id+",", 49) + id
	if a := m.call(t, "GET", "clients?client_ids="+ids, nil); strings.Count(a.text, `"client_id"`) != 1 {
		t.Errorf("the same id fifty times: %d %s", a.status, a.text)
	}
	m.call(t, "GET", "clients?client_ids="+ids+",x", nil).refused(t, http.StatusBadRequest, "invalid_query_string")
	m.call(t, "GET", "resource-servers?"+strings.Repeat("identifiers=x&", 51), nil).refused(t, http.StatusBadRequest, "invalid_query_string")
	if a := m.call(t, "GET", "client-grants?client_id="+id+"&take=1&from="+grant, nil); strings.Contains(a.text, id) {
		t.Errorf("after the last one comes %s", a.text)
	}
}

// auth0RefusalsAreExplained: the request id of an answer leads to who asked
// and to the cause, and that of a change to what changed.
func auth0RefusalsAreExplained(t *testing.T, w *world) {
	m := auth0Manager(t, w, "create:clients", "create:client_grants")
	for name, c := range map[string]struct {
		a    answer
		want []string
	}{
		"a scope is missing": {m.call(t, "GET", "clients", nil), []string{"auth0-mgmt", "expected any of: read:clients"}},
		"power is missing": {m.call(t, "POST", "client-grants", map[string]any{"client_id": "auth0-app", "audience": w.issuers[auth0] + "/api/v2/", "scope": []string{}}),
			[]string{"auth0-mgmt", "grants:admin", "only an operator of it can give:", "ask an operator with the role admin of the whole server)"}},
		"no token": {w.get(t, w.issuers[auth0]+"/api/v2/clients"), []string{"somebody", "no access token"}},
		"a change": {m.call(t, "POST", "clients", map[string]any{"name": "Explained"}), []string{"client:auth0-mgmt", "client.create", "Explained"}},
	} {
		told, err := w.node.Admin().Explain(t.Context(), admin.System(), c.a.header.Get("Request-Id"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text := encode(t, told)
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %s does not say %q", name, text, want)
			}
		}
	}
}
