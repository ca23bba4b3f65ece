package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/node"
	"github.com/symbolon/symbolon/internal/registry"
)

// migrateYAML is what the pages of docs/migrate mean by their YAML blocks.
func migrateYAML(t *testing.T) map[string]any {
	t.Helper()
	public, err := registry.PublicJWK([]byte(samplePublicKey))
	if err != nil {
		t.Fatal(err)
	}
	at := func(port string) node.Config {
		return node.Config{
			URL: "https://localhost:8443", Listen: []node.Listener{{Addr: "127.0.0.1:8443"}, {Addr: "127.0.0.1:" + port}},
			TLS: &node.TLSFiles{Cert: "server.crt", Key: "server.key"}, Apply: "state.yaml",
		}
	}
	secret := func(id string) []registry.Secret { return []registry.Secret{{ID: id}} }
	return map[string]any{
		"docs/migrate/okta.md symbolon.yaml":   at("9443"),
		"docs/migrate/auth0.md symbolon.yaml":  at("9444"),
		"docs/migrate/curity.md symbolon.yaml": at("9445"),
		"docs/migrate/okta.md state.yaml": objects{
			Issuers: []registry.Issuer{
				{ID: "okta", URL: "https://localhost:9443", Dialect: registry.DialectOkta},
				{ID: "okta-default", URL: "https://localhost:9443/oauth2/default", Dialect: registry.DialectOkta, Audience: "api://default"},
			},
			APIs: []registry.API{{
				ID: "default-api", Issuer: "okta-default", Identifier: "api://default",
				Scopes: map[string]registry.Scope{"api.read": {Description: "Read"}, "api.write": {Description: "Write"}},
			}},
			Clients: []registry.Client{
				{
					ID: "0oa1billing2Example3", Name: "Billing", Issuers: []string{"okta-default"}, Secrets: secret("okta"),
					Access: map[string][]string{"default-api": {"api.read"}},
				},
				{
					ID: "0oa4reports5Example6", Name: "Reports", Issuers: []string{"okta"}, Keys: []registry.ClientKey{{ID: "k1", JWK: public}},
					Bound: registry.BoundDPoP, Access: map[string][]string{"okta-management": {"okta.users.read"}},
				},
			},
		},
		"docs/migrate/auth0.md state.yaml": objects{
			Issuers: []registry.Issuer{{ID: "auth0", URL: "https://localhost:9444", Dialect: registry.DialectAuth0}},
			APIs: []registry.API{{
				ID: "users", Issuer: "auth0", Identifier: "https://api.example.com/",
				Scopes: map[string]registry.Scope{"list:users": {Description: "List users"}, "delete:users": {Description: "Delete users"}},
			}},
			Clients: []registry.Client{
				{
					ID: "aT2pmQ7partner1Example4bKdXw9zLs", Name: "Partner", Issuers: []string{"auth0"}, Secrets: secret("auth0"),
					Access: map[string][]string{"users": {"list:users"}},
				},
				{
					ID: "nV8onboarding5Example7RcYt3hJfGq", Name: "Onboarding, which makes applications for new partners", Issuers: []string{"auth0"}, Secrets: secret("auth0"),
					Access: map[string][]string{"auth0-management": {
						"create:clients", "read:clients", "delete:clients", "create:client_grants", "read:client_grants", "delete:client_grants",
					}},
				},
			},
		},
		"docs/migrate/curity.md state.yaml": objects{
			Issuers: []registry.Issuer{{ID: "curity", URL: "https://localhost:9445/oauth/v2/oauth-anonymous", Dialect: registry.DialectCurity}},
			APIs: []registry.API{{
				ID: "records", Issuer: "curity", Identifier: "api.example.com", Scopes: map[string]registry.Scope{"records_read": {Description: "Read records"}},
				ResourceServers: []string{"records-api"},
			}},
			Clients: []registry.Client{
				{
					ID: "records-client", Name: "Records", Issuers: []string{"curity"}, Secrets: secret("curity"),
					Access: map[string][]string{"records": {"records_read"}}, Claims: map[string]json.RawMessage{"role": json.RawMessage(`"developer"`)},
				},
				{ID: "records-api", Issuers: []string{"curity"}, Secrets: secret("curity")},
			},
		},
	}
}

// sampleVariable is the environment of the documentation's files: every variable
// that they name is set.
func sampleVariable(string) (string, bool) { return strings.Repeat("x", 40), true }
