package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

const (
	sealedURL = "https://sealed.example.com"
	notActive = `{"active":false}`
)

// newAskFixture is a fixture with clients that serve APIs: orders-api, bare-api and
// sealed-api, whose tokens are opaque, and both-api, which serves orders and bare.
// What clients revoke is stored by the real operation.
func newAskFixture(t testing.TB) *fixture {
	t.Helper()
	f := newProofFixture(t)
	f.cfg.Revoker = admin.New(admin.Config{Store: f.store, Reader: f.replica.Reader(), Replica: f.replica, Master: sharedMaster, BaseURL: base, Now: f.now})
	server := func(id string) *registry.Client {
		return named(id, func(c *registry.Client) { c.Access, c.DefaultAPI, c.Claims = nil, nil, nil })
	}
	orders := ordersAPI()
	orders.ResourceServers = []string{"orders-api", "both-api"}
	f.apply(orders,
		&registry.API{ID: "bare", Issuer: "default", Identifier: "https://bare.example.com", Scopes: map[string]registry.Scope{"bare:use": {}},
			ResourceServers: []string{"bare-api", "both-api"}},
		&registry.API{ID: "sealed", Issuer: "default", Identifier: sealedURL, Scopes: map[string]registry.Scope{"sealed:read": {}},
			Token: registry.APIToken{Format: registry.FormatOpaque}, ResourceServers: []string{"sealed-api"}},
		&registry.API{ID: "shared", Issuer: "partners", Identifier: "https://orders.example.com", Scopes: map[string]registry.Scope{"orders:read": {}},
			Token: registry.APIToken{Format: registry.FormatOpaque}, ResourceServers: []string{"partner-api"}},
		with(billing(), func(c *registry.Client) {
			c.Access["bare"], c.Access["sealed"] = []string{"bare:use"}, []string{"sealed:read"}
		}),
		server("orders-api"), server("bare-api"), server("sealed-api"), server("both-api"),
		with(server("partner-api"), func(c *registry.Client) { c.Issuers = []string{"partners", "default"} }),
	)
	return f
}

// tokenFor is an access token of billing's.
func (f *fixture) tokenFor(form string) string {
	f.t.Helper()
	return f.textOf(f.post("billing", grant+form))
}

func (f *fixture) textOf(w *httptest.ResponseRecorder) string {
	f.t.Helper()
	var a symbolon.TokenAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return a.AccessToken
}

const forSealed = "&resource=" + sealedURL

// about asks an endpoint of the default issuer about a token, as a client.
func (f *fixture) about(path, client, token string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.ask("POST", base+path, "token="+url.QueryEscape(token), append([]string{"Authorization", basicAuth(client, secret1)}, header...)...)
}

func (f *fixture) introspects(client, token string) *symbolon.IntrospectionAnswer {
	f.t.Helper()
	w := f.about("/introspect", client, token)
	answer, err := symbolon.ParseIntrospection(w.Body.Bytes())
	if err != nil || w.Code != http.StatusOK {
		f.t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return answer
}
