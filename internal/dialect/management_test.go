package dialect_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// TestSSWS: only a token of an operator that is for it and names the
// organisation, within its role; and only at Okta's management API.
func TestSSWS(t *testing.T) {
	w := theWorld(t)
	value := w.tokens["okta-ops"]
	for name, c := range map[string]struct {
		header string
		status int
		code   string
	}{
		"a good one":           {"SSWS " + value, http.StatusOK, ""},
		"in other letters":     {"ssws " + value, http.StatusOK, ""},
		"none":                 {"", http.StatusUnauthorized, "E0000004"},
		"no value":             {"SSWS", http.StatusUnauthorized, "E0000011"},
		"an empty one":         {"SSWS ", http.StatusUnauthorized, "E0000011"},
		"another":              {"SSWS bad", http.StatusUnauthorized, "E0000011"},
		"with its end missing": {"SSWS " + value[:len(value)-1], http.StatusUnauthorized, "E0000011"},
		"with more":            {"SSWS " + value + " x", http.StatusUnauthorized, "E0000011"},
		"SQL":                  {"SSWS ' OR '1'='1", http.StatusUnauthorized, "E0000011"},
		"very long":            {"SSWS " + strings.Repeat("x", 8000), http.StatusUnauthorized, "E0000011"},
		"its hash":             {"SSWS " + registry.HashGenerated(value), http.StatusUnauthorized, "E0000011"},
		"as Bearer":            {"Bearer " + value, http.StatusUnauthorized, "E0000011"},
		"not for SSWS":         {w.ssws("okta-plain"), http.StatusUnauthorized, "E0000011"},
		"of a custom server":   {w.ssws("okta-custom"), http.StatusUnauthorized, "E0000011"},
		"of another dialect":   {w.ssws("auth0-ops"), http.StatusUnauthorized, "E0000011"},
		"of another Okta":      {w.ssws("okta-other"), http.StatusUnauthorized, "E0000011"},
		"a client's secret":    {"SSWS " + w.secrets["okta-app"], http.StatusUnauthorized, "E0000011"},
		"a client by Basic":    {basic("okta-app", w.secrets["okta-app"]), http.StatusUnauthorized, "E0000011"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.okta(t, c.header, "GET", "/api/v1/users", "")
			if c.code == "" {
				a.wants(t, c.status, "")
				return
			}
			a.errorIs(t, c.status, c.code)
			if a.header.Get("WWW-Authenticate") == "" {
				t.Error("no challenge")
			}
		})
	}
	two := w.okta(t, w.ssws("okta-ops"), "GET", "/api/v1/users", "", "Authorization", w.ssws("okta-ops"))
	if two.status < 400 || two.status >= 500 {
		t.Errorf("two headers: %d %s", two.status, two.text)
	}
	if a := w.get(t, w.origin(auth0)+"/api/v2/clients", "Authorization", w.ssws("okta-everything")); a.status != http.StatusUnauthorized {
		t.Errorf("SSWS at Auth0's management API: %d %s", a.status, a.text)
	}
	if log := w.logged.String(); strings.Contains(log, value) {
		t.Error("the log holds the token")
	}
}

// TestOktaOrganisationsAreApart: neither sees or reaches what the other has.
func TestOktaOrganisationsAreApart(t *testing.T) {
	w := theWorld(t)
	// An organisation's own server may stand for its management API: a new
	// application gets no access to that.
	if _, _, err := w.node.Admin().UpdateIssuer(t.Context(), admin.System(), admin.Update[registry.Issuer]{
		Target: admin.Target{ID: oktaOther},
		Change: admin.Named[registry.Issuer]{Object: registry.Issuer{Audience: w.issuers[oktaOther]}, Fields: admin.Fields{"audience"}},
	}); err != nil {
		t.Fatal(err)
	}
	apps := w.origin(oktaOther) + "/api/v1/apps"
	a := w.do(t, http.MethodPost, apps, app("Over there", nil, nil), "Authorization", w.ssws("okta-other"), "Content-Type", "application/json")
	a.wants(t, http.StatusOK, "")
	id := a.json(t)["id"].(string)
	if c, err := w.node.Admin().Client(t.Context(), admin.System(), id); err != nil || len(c.Access) > 0 || !slices.Equal(c.Issuers, []string{oktaOther}) {
		t.Errorf("%v %+v", err, c)
	}
	w.okta(t, w.ssws("okta-ops"), "GET", "/api/v1/apps/"+id, "").errorIs(t, http.StatusNotFound, "E0000007")
	w.okta(t, w.ssws("okta-ops"), "DELETE", "/api/v1/apps/"+id, "").errorIs(t, http.StatusNotFound, "E0000007")
	w.get(t, apps+"/okta-app", "Authorization", w.ssws("okta-other")).errorIs(t, http.StatusNotFound, "E0000007")
	for _, header := range []string{w.ssws("okta-ops"), w.bearer(t, "okta-admin", "okta.apps.read")} {
		w.get(t, apps, "Authorization", header).errorIs(t, http.StatusUnauthorized, "E0000011")
	}
}

// TestSSWSRoles: a viewer reads, and no role hands on power.
func TestSSWSRoles(t *testing.T) {
	w := theWorld(t)
	viewer := w.ssws("okta-viewer")
	w.okta(t, viewer, "GET", "/api/v1/apps", "").wants(t, http.StatusOK, "")
	w.okta(t, viewer, "GET", "/api/v1/apps/okta-app", "").wants(t, http.StatusOK, "")
	before := w.clientCount(t)
	for method, path := range map[string]string{"POST": "/api/v1/apps", "PUT": "/api/v1/apps/okta-app", "DELETE": "/api/v1/apps/okta-app"} {
		body := ""
		if method != "DELETE" {
			body = app("x", nil, nil)
		}
		w.okta(t, viewer, method, path, body).errorIs(t, http.StatusForbidden, "E0000006")
	}
	w.okta(t, viewer, "POST", "/api/v1/apps/okta-app/lifecycle/deactivate", "").errorIs(t, http.StatusForbidden, "E0000006")
	if n := w.clientCount(t); n != before {
		t.Errorf("%d clients, want %d", n, before)
	}
	// okta-admin may manage applications: whoever could make its credentials would
	// have that power, too.
	powerful := app("Mine", map[string]any{"token_endpoint_auth_method": "private_key_jwt"}, map[string]any{"jwks": map[string]any{"keys": []any{publicJWK(w.key2)}}})
	for _, id := range []string{"okta-ops", "okta-everything"} {
		w.okta(t, w.ssws(id), "PUT", "/api/v1/apps/okta-admin", powerful).errorIs(t, http.StatusForbidden, "E0000006")
	}
	w.okta(t, w.bearer(t, "okta-admin", "okta.apps.manage"), "PUT", "/api/v1/apps/okta-admin", powerful).errorIs(t, http.StatusForbidden, "E0000006")
	got, err := w.node.Admin().Client(t.Context(), admin.System(), "okta-admin")
	if err != nil || len(got.Keys) != 1 || got.Name != "Client okta-admin" {
		t.Errorf("%v %+v", err, got)
	}
}

// TestManagementScopes: each call needs its scope, which reaches nothing else.
func TestManagementScopes(t *testing.T) {
	w := theWorld(t)
	for scope, may := range map[string][]string{
		"okta.users.read":                {"GET /api/v1/users"},
		"okta.apps.read":                 {"GET /api/v1/apps", "GET /api/v1/apps/okta-app"},
		"okta.apps.manage":               {"GET /api/v1/apps", "GET /api/v1/apps/okta-app", "POST /api/v1/apps", "POST /api/v1/apps/okta-app/lifecycle/activate"},
		"okta.apps.read okta.users.read": {"GET /api/v1/users", "GET /api/v1/apps", "GET /api/v1/apps/okta-app"},
	} {
		token := w.bearer(t, "okta-admin", scope)
		for _, call := range []string{"GET /api/v1/users", "GET /api/v1/apps", "GET /api/v1/apps/okta-app", "POST /api/v1/apps", "POST /api/v1/apps/okta-app/lifecycle/activate"} {
			method, path, _ := strings.Cut(call, " ")
			body := ""
			if call == "POST /api/v1/apps" {
				body = app("By "+scope, nil, nil)
			}
			a := w.okta(t, token, method, path, body)
			if slices.Contains(may, call) {
				a.wants(t, http.StatusOK, "")
			} else {
				a.errorIs(t, http.StatusForbidden, "E0000006")
			}
		}
	}
}

// TestManagementTokens: only those of the organisation's own server for its
// management API.
func TestManagementTokens(t *testing.T) {
	w := theWorld(t)
	custom := grant()
	custom.Set("client_id", "okta-app")
	custom.Set("client_secret", w.secrets["okta-app"])
	for name, header := range map[string]string{
		"of the custom server":  "Bearer " + w.form(t, w.tokenURL(oktaCustom), custom).token(t),
		"of the default issuer": "Bearer " + w.ask(t, standard, "billing").token(t),
		"of another dialect":    "Bearer " + w.ask(t, auth0, "auth0-app").token(t),
		"undefined":             "Bearer undefined", // what @okta/okta-sdk-nodejs makes of a refusal
		"no JWT":                "Bearer a.b.c",
		"another scheme":        "Token x",
		"no scheme":             "x",
	} {
		t.Run(name, func(t *testing.T) {
			w.okta(t, header, "GET", "/api/v1/users", "").errorIs(t, http.StatusUnauthorized, "E0000011")
		})
	}
	changed := w.bearer(t, "okta-pk", "okta.users.read")
	w.okta(t, changed[:len(changed)-4]+"AAAA", "GET", "/api/v1/users", "").errorIs(t, http.StatusUnauthorized, "E0000011")
	token := url.QueryEscape(strings.TrimPrefix(changed, "Bearer "))
	w.okta(t, "", "GET", "/api/v1/users?access_token="+token, "").errorIs(t, http.StatusUnauthorized, "E0000004")
	// Beside a good header, too, whoever it is of.
	for _, header := range []string{changed, w.ssws("okta-ops")} {
		for _, query := range []string{"access_token=" + token, "limit=2&access_token=" + token, "limit=2;access_token=x", "access%5Ftoken=x", "access_token", "a=%zz&access_token=x"} {
			w.okta(t, header, "GET", "/api/v1/users?"+query, "").errorIs(t, http.StatusBadRequest, "E0000002")
		}
	}
}

// TestManagementTokensEnd at once: with the client, with its access, with its
// credential.
func TestManagementTokensEnd(t *testing.T) {
	w := theWorld(t)
	a, by := w.node.Admin(), admin.System()
	for name, end := range map[string]func(id string) error{
		"disabled": func(id string) error {
			_, _, err := a.DisableClient(t.Context(), by, admin.Target{ID: id})
			return err
		},
		"without access": func(id string) error {
			_, _, err := a.Ungrant(t.Context(), by, admin.Target{ID: id}, admin.Access{API: "okta-management", Scopes: []string{"okta.users.read"}})
			return err
		},
		"key-revoked": func(id string) error {
			_, _, err := a.RevokeCredential(t.Context(), by, admin.Target{ID: id}, admin.CredentialKey, "k1")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := "ends-" + strings.ReplaceAll(name, " ", "-")
			if err := w.create(t.Context(), made{keyed: true, Client: registry.Client{ID: id, Issuers: []string{oktaOrg},
				Access: map[string][]string{"okta-management": {"okta.users.read"}}}}); err != nil {
				t.Fatal(err)
			}
			token := w.bearer(t, id, "okta.users.read")
			w.okta(t, token, "GET", "/api/v1/users", "").wants(t, http.StatusOK, "")
			if err := end(id); err != nil {
				t.Fatal(err)
			}
			w.okta(t, token, "GET", "/api/v1/users", "").errorIs(t, http.StatusUnauthorized, "E0000011")
		})
	}
}

// TestManagementByDPoP: a bound token needs its key, a proof for this very
// request, and no nonce; the nonce of the token request does no harm.
func TestManagementByDPoP(t *testing.T) {
	w := theWorld(t)
	endpoint := w.tokenURL(oktaOrg)
	assertion := func() string { return w.assertion(t, "okta-dpop", endpoint, nil) }
	challenge := w.try(t, oktaOrg, assertion(), w.proof(t, w.key2, "POST", endpoint, nil))
	nonce := challenge.header.Get("DPoP-Nonce")
	token := w.try(t, oktaOrg, assertion(), w.proof(t, w.key2, "POST", endpoint, map[string]any{"nonce": nonce})).token(t)
	path := "/api/v1/users?limit=2"
	users, ath := w.origin(oktaOrg)+path, tokenHash(token)
	good := func() string { return w.proof(t, w.key2, "GET", users, map[string]any{"ath": ath}) }
	for name, c := range map[string]struct{ scheme, proof string }{
		"as Bearer":        {"Bearer", good()},
		"Bearer, no proof": {"Bearer", ""},
		"no proof":         {"DPoP", ""},
		"another's key":    {"DPoP", w.proof(t, w.key, "GET", users, map[string]any{"ath": ath})},
		"another method":   {"DPoP", w.proof(t, w.key2, "POST", users, map[string]any{"ath": ath})},
		"another path":     {"DPoP", w.proof(t, w.key2, "GET", w.origin(oktaOrg)+"/api/v1/apps", map[string]any{"ath": ath})},
		"another host":     {"DPoP", w.proof(t, w.key2, "GET", w.origin(auth0)+"/api/v1/users", map[string]any{"ath": ath})},
		"no ath":           {"DPoP", w.proof(t, w.key2, "GET", users, nil)},
		"another token's":  {"DPoP", w.proof(t, w.key2, "GET", users, map[string]any{"ath": tokenHash("x")})},
		"yesterday's":      {"DPoP", w.proof(t, w.key2, "GET", users, map[string]any{"ath": ath, "iat": w.now().Add(-24 * time.Hour).Unix()})},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if c.proof != "" {
				headers = []string{"DPoP", c.proof}
			}
			w.okta(t, c.scheme+" "+token, "GET", path, "", headers...).errorIs(t, http.StatusUnauthorized, "E0000011")
		})
	}
	once := good()
	w.okta(t, "DPoP "+token, "GET", path, "", "DPoP", once).wants(t, http.StatusOK, "")
	w.okta(t, "DPoP "+token, "GET", path, "", "DPoP", once).errorIs(t, http.StatusUnauthorized, "E0000011")
	for range 2 {
		with := w.proof(t, w.key2, "GET", users, map[string]any{"ath": ath, "nonce": nonce})
		w.okta(t, "dpop "+token, "GET", path, "", "DPoP", with).wants(t, http.StatusOK, "")
	}
}

// TestOktaUsers: operators, page by page, with a next page only when there is one.
func TestOktaUsers(t *testing.T) {
	w := theWorld(t)
	next := func(a answer) string {
		for _, link := range a.header["Link"] {
			if target, ok := strings.CutSuffix(link, `>; rel="next"`); ok {
				return strings.TrimPrefix(target, "<")
			}
		}
		return ""
	}
	for _, limit := range []string{"1", "2", "3", "200", ""} {
		target, got := w.origin(oktaOrg)+"/api/v1/users", []string{}
		if limit != "" {
			target += "?limit=" + limit
		}
		for pages := 0; target != ""; pages++ {
			if pages > len(operators) {
				t.Fatalf("limit %s: pages without end", limit)
			}
			a := w.get(t, target, "Authorization", w.ssws("okta-viewer"))
			a.wants(t, http.StatusOK, "")
			var page []struct {
				ID, Status, Created string
				Profile             struct{ Login, Email, FirstName, LastName string }
			}
			if err := json.Unmarshal([]byte(a.text), &page); err != nil || len(page) == 0 {
				t.Fatalf("limit %s: %v %s", limit, err, a.text)
			}
			for _, u := range page {
				got = append(got, u.ID)
				if u.Status != "ACTIVE" || u.Created == "" || u.Profile.Login == "" {
					t.Errorf("%+v", u)
				}
				if u.ID == "ann" && (u.Profile.FirstName != "Ann" || u.Profile.LastName != "Example" || u.Profile.Email != "ann@example.com") {
					t.Errorf("%+v", u)
				}
			}
			target = next(a)
			if !strings.HasPrefix(target, w.origin(oktaOrg)) && target != "" {
				t.Errorf("next is %s", target)
			}
		}
		if !slices.Equal(got, []string{"ann", "bob", "cem"}) {
			t.Errorf("limit %s: users %v", limit, got)
		}
	}
	for query, code := range map[string]string{
		"limit=0": "E0000001", "limit=-1": "E0000001", "limit=201": "E0000001", "limit=x": "E0000001", "limit=": "E0000001", "limit=1e2": "E0000001",
		"limit=99999999999999999999": "E0000001", "limit=1&limit=2": "E0000001", "after=%00": "E0000001", "after=' OR 1=1": "E0000001",
		"after=" + strings.Repeat("x", 300): "E0000001", "limit=%zz": "E0000001", "a;b": "E0000001",
		"q=ann": "E0000031", "filter=status+eq+%22ACTIVE%22": "E0000031", "search=x": "E0000031",
	} {
		a := w.okta(t, w.ssws("okta-viewer"), "GET", "/api/v1/users?"+strings.ReplaceAll(query, " ", "%20"), "")
		a.errorIs(t, http.StatusBadRequest, code)
		if strings.Contains(a.text, "1=1") {
			t.Errorf("%s: %s", query, a.text)
		}
	}
	if a := w.okta(t, w.ssws("okta-viewer"), "GET", "/api/v1/users?after=zzz&sortBy=x", ""); a.text != "[]" || next(a) != "" {
		t.Errorf("past the end: %s, next %s", a.text, next(a))
	}
}

// TestOktaAppsAreListed: those of the organisation alone, page by page.
func TestOktaAppsAreListed(t *testing.T) {
	w := theWorld(t)
	ids := map[string]bool{}
	target := "/api/v1/apps?limit=2"
	for range 100 {
		a := w.okta(t, w.ssws("okta-viewer"), "GET", target, "")
		a.wants(t, http.StatusOK, "")
		var page []map[string]any
		if err := json.Unmarshal([]byte(a.text), &page); err != nil {
			t.Fatal(err)
		}
		for _, app := range page {
			id, _ := app["id"].(string)
			if ids[id] || member(app, oauthClient+"client_secret") != nil || app["signOnMode"] != "OPENID_CONNECT" {
				t.Errorf("%v", app)
			}
			ids[id] = true
		}
		links := a.header["Link"]
		last := links[len(links)-1]
		if !strings.HasSuffix(last, `rel="next"`) {
			break
		}
		target = strings.TrimSuffix(strings.TrimPrefix(last, "<"+w.origin(oktaOrg)), `>; rel="next"`)
	}
	for _, id := range []string{"okta-app", "okta-pk", "okta-dpop", "okta-admin"} {
		if !ids[id] {
			t.Errorf("%s is not there", id)
		}
	}
	for _, id := range []string{"billing", "auth0-app", "everywhere", "curity-app", ""} {
		if ids[id] {
			t.Errorf("%s is there", id)
		}
	}
}

// TestManagementOverTime has a node of its own: the records of a flood of refusals,
// as the other tests make one, are capped, and its clock is moved.
func TestManagementOverTime(t *testing.T) {
	w := newWorld(t, nil)
	leaked := w.do(t, http.MethodPost, w.tokenURL(oktaOrg)+"?client_id=okta-app&client_secret="+w.secrets["okta-app"], "", "Content-Type", "application/x-www-form-urlencoded")
	for name, c := range map[string]struct {
		answer
		endpoint, reason string
	}{
		"who asks":  {w.okta(t, "SSWS bad", "GET", "/api/v1/users", ""), "okta_users", ""},
		"may not":   {w.okta(t, w.ssws("okta-viewer"), "POST", "/api/v1/apps", app("x", nil, nil)), "okta_apps", "clients:write"},
		"wrong":     {w.okta(t, w.ssws("okta-ops"), "POST", "/api/v1/apps", app("", nil, nil)), "okta_apps", "label"},
		"not there": {w.okta(t, w.ssws("okta-ops"), "GET", "/api/v1/apps/nobody", ""), "okta_app", "nobody"},
		"leaked":    {leaked, "token", "replace"},
	} {
		told, err := w.node.Admin().Explain(t.Context(), admin.System(), c.header.Get("Request-Id"))
		if err != nil || told.Record == nil || told.Record.Issuer != oktaOrg || told.Record.Endpoint != c.endpoint || !strings.Contains(told.Record.Reason, c.reason) {
			t.Errorf("%s: %v %+v", name, err, told.Record)
		}
	}
	made, _, err := w.node.Admin().CreateOperatorToken(t.Context(), admin.System(), admin.CreateOperatorToken{Token: registry.OperatorToken{
		ID: "brief", Role: registry.RoleViewer, Issuers: []string{oktaOrg}, SSWS: true, Expires: w.now().Add(time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	brief := "SSWS " + made.Value.Reveal()
	w.okta(t, brief, "GET", "/api/v1/users", "").wants(t, http.StatusOK, "")

	// Who calls without end waits; the others do not.
	var over answer
	for range 2000 {
		if over = w.okta(t, w.ssws("okta-viewer"), "GET", "/api/v1/users", ""); over.status != http.StatusOK {
			break
		}
	}
	over.errorIs(t, http.StatusTooManyRequests, "E0000047")
	reset, err := strconv.ParseInt(over.header.Get("X-Rate-Limit-Reset"), 10, 64)
	date, dateErr := http.ParseTime(over.header.Get("Date"))
	if err != nil || dateErr != nil || reset <= date.Unix() || reset > date.Unix()+60 || over.header.Get("Retry-After") == "" || over.header.Get("X-Rate-Limit-Remaining") != "0" {
		t.Errorf("headers %v", over.header)
	}
	w.okta(t, brief, "GET", "/api/v1/users", "").wants(t, http.StatusOK, "")
	// Who changes waits sooner, and may still read.
	for range 300 {
		if over = w.okta(t, w.ssws("okta-ops"), "POST", "/api/v1/apps", "{}"); over.status == http.StatusTooManyRequests {
			break
		}
	}
	over.errorIs(t, http.StatusTooManyRequests, "E0000047")
	if limit := over.header.Get("X-Rate-Limit-Limit"); limit != "200" {
		t.Errorf("the limit of changes is %s", limit)
	}
	w.okta(t, w.ssws("okta-ops"), "GET", "/api/v1/apps/okta-app", "").wants(t, http.StatusOK, "")
	w.advance(2 * time.Hour)
	w.okta(t, w.ssws("okta-viewer"), "GET", "/api/v1/users", "").wants(t, http.StatusOK, "")
	w.okta(t, brief, "GET", "/api/v1/users", "").errorIs(t, http.StatusUnauthorized, "E0000011")
}
