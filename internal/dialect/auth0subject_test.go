package dialect_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/resource"
)

// tenant is what a test has at the issuer whose tokens say sub as Auth0 does: an API,
// one whose tokens are opaque, and a client that has access to both, and to the
// management API, and may ask about tokens.
type tenant struct {
	w          *world
	id         string
	api, other string // identifiers
}

func newTenant(t *testing.T) tenant {
	t.Helper()
	w, n := theWorld(t), tenant{w: theWorld(t), id: unique(t)}
	a, by := w.node.Admin(), admin.System()
	access := map[string][]string{registry.ManagementID(auth0Other): {"read:clients", "create:clients"}}
	for id, format := range map[string]string{n.id: registry.FormatJWT, n.id + "-o": registry.FormatOpaque} {
		access[id] = []string{"api.read"}
		api := registry.API{ID: id, Issuer: auth0Other, Identifier: "https://" + id + ".test", Scopes: scopes, Token: registry.APIToken{Format: format}}
		if _, _, err := a.CreateAPI(t.Context(), by, api); err != nil {
			t.Fatal(err)
		}
	}
	n.api, n.other = "https://"+n.id+".test", "https://"+n.id+"-o.test"
	for _, id := range []string{n.id, n.id + "-2"} {
		if err := w.create(t.Context(), made{Client: registry.Client{ID: id, Issuers: []string{auth0Other}, Access: access}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{n.id, n.id + "-o"} {
		if _, _, err := a.UpdateAPI(t.Context(), by, admin.Update[registry.API]{Target: admin.Target{ID: id},
			Change: admin.Named[registry.API]{Object: registry.API{ResourceServers: []string{n.id}}, Fields: admin.Fields{"resource_servers"}}}); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// token is one of the client for an API.
func (n tenant) token(t *testing.T, client, audience string) string {
	t.Helper()
	ask := url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {n.w.secrets[client]}, "audience": {audience}}
	return n.w.form(t, n.w.tokenURL(auth0Other), ask).token(t)
}

// by posts a token to an endpoint, as a client.
func (n tenant) by(t *testing.T, client, path, token string) answer {
	t.Helper()
	return n.w.form(t, n.w.issuers[auth0Other]+path, url.Values{"client_id": {client}, "client_secret": {n.w.secrets[client]}, "token": {token}})
}

// TestAuth0SubjectSuffix: where the issuer says so, sub is what Auth0 writes, in
// tokens and in what introspection tells; who the client is, stays.
func TestAuth0SubjectSuffix(t *testing.T) {
	n := newTenant(t)
	signed, opaque := n.token(t, n.id, n.api), n.token(t, n.id, n.other)
	if c := claims(t, signed); c["azp"] != n.id {
		t.Errorf("azp %v", c["azp"])
	}
	for name, c := range map[string]map[string]any{
		"token": claims(t, signed), "introspection": n.by(t, n.id, "/introspect", signed).json(t), "an opaque one": n.by(t, n.id, "/introspect", opaque).json(t),
	} {
		if c["sub"] != n.id+"@clients" || c["client_id"] != n.id {
			t.Errorf("%s: sub %v, client_id %v", name, c["sub"], c["client_id"])
		}
	}
	for _, issuer := range []string{standard, oktaCustom, auth0, curity} {
		if c := claims(t, n.w.ask(t, issuer, "everywhere").token(t)); c["sub"] != "everywhere" {
			t.Errorf("%s: sub %v", issuer, c["sub"])
		}
	}
}

// TestClientsGoByTheirIDs, whatever sub is: a caller of the management API, who
// revokes a token, and what is denied.
func TestClientsGoByTheirIDs(t *testing.T) {
	n := newTenant(t)
	w, second := n.w, n.id+"-2"

	manages := "Bearer " + n.token(t, n.id, w.issuers[auth0Other]+"/api/v2/")
	called := w.get(t, w.issuers[auth0Other]+"/api/v2/clients/"+second, "Authorization", manages)
	called.wants(t, http.StatusOK, "")
	if r, text := w.told(t, called); r.Client != n.id || !r.Verified {
		t.Errorf("recorded as %+v: %s", r, text)
	}
	w.do(t, "POST", w.issuers[auth0Other]+"/api/v2/clients", `{"name":"By `+n.id+`"}`, "Authorization", manages, "Content-Type", "application/json").made(t, "client_id")

	active := func(token string) any { return n.by(t, n.id, "/introspect", token).json(t)["active"] }
	own, others := n.token(t, second, n.api), n.token(t, n.id, n.api)
	n.by(t, second, "/oauth/revoke", others)
	n.by(t, second, "/oauth/revoke", own).wants(t, http.StatusOK, "")
	if active(own) != false || active(others) != true {
		t.Errorf("active: its own %v, another client's %v", active(own), active(others))
	}

	api, err := resource.New(resource.Config{Issuer: w.issuers[auth0Other] + "/", Audience: n.api, HTTP: w.http})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	check := func(token string) (*resource.Caller, error) {
		return api.Check(t.Context(), resource.Request{Method: "GET", URL: &url.URL{Path: "/"}, Authorization: []string{"Bearer " + token}})
	}
	denied, stays := n.token(t, second, n.api), n.token(t, n.id, n.api)
	if caller, err := check(denied); err != nil || caller.ClientID != second || caller.Subject != second+"@clients" {
		t.Fatalf("%v %+v", err, caller)
	}
	if _, _, err := w.node.Admin().DenyClient(t.Context(), admin.System(), second); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); err == nil; _, err = check(denied) {
		if time.Now().After(end) {
			t.Fatal("the token of a denied client is taken still")
		}
		<-time.After(time.Millisecond)
	}
	if _, err := check(stays); err != nil {
		t.Errorf("a token of another client: %v", err)
	}
	if active(denied) != false {
		t.Error("introspection calls the token of a denied client active")
	}
	manages = "Bearer " + n.token(t, n.id, w.issuers[auth0Other]+"/api/v2/")
	if _, _, err := w.node.Admin().DenyClient(t.Context(), admin.System(), n.id); err != nil {
		t.Fatal(err)
	}
	w.get(t, w.issuers[auth0Other]+"/api/v2/clients", "Authorization", manages).refused(t, http.StatusUnauthorized, "invalid_token")
}

// TestNoClientIsNamedAsASubject: whoever chose such an id would be another client in
// the eyes of an API that goes by sub.
func TestNoClientIsNamedAsASubject(t *testing.T) {
	n := newTenant(t)
	_, _, err := n.w.node.Admin().CreateClient(t.Context(), admin.System(), admin.CreateClient{Client: registry.Client{ID: n.id + registry.SuffixClients, Issuers: []string{auth0Other}}})
	if admin.CodeOf(err) != admin.Invalid {
		t.Errorf("a client id with the suffix: %v", err)
	}
}
