package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// TestDeclarativeFilePageLineByLine: the server takes the example of the page about
// the declarative file as it is printed, once, and what it exports says the same.
func TestDeclarativeFilePageLineByLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(repository, "docs/declarative-file.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	followPage(t, path, freePorts(t, string(text)), t.TempDir(), nil)
}

// declarativeYAML is what the example means.
func declarativeYAML(t *testing.T) map[string]any {
	t.Helper()
	day := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	return map[string]any{"docs/declarative-file.md state.yaml": objects{
		Issuers: []registry.Issuer{
			{ID: "default", Token: registry.IssuerToken{Lifetime: mustDuration(t, "1h")}, Profile: "standard", DPoPNonce: "required", Replay: "strict",
				Keys: registry.KeySchedule{Rotate: mustDuration(t, "90d"), Announce: mustDuration(t, "24h")}},
			{ID: "partners", Audience: "https://shop.example.com"},
			{ID: "okta", URL: "https://okta.example.com", Dialect: "okta"},
			{ID: "auth0", URL: "https://auth0.example.com", Dialect: "auth0", SubjectSuffix: "@clients"},
		},
		APIs: []registry.API{
			{ID: "orders", Issuer: "default", Identifier: "https://orders.example.com", Name: "Orders",
				Scopes: map[string]registry.Scope{"orders:read": {Description: "Read orders", Default: true}, "orders:write": {Description: "Change orders"}},
				Token:  registry.APIToken{Format: "jwt", Lifetime: mustDuration(t, "10m"), Algorithm: "ES256", Typ: "at+jwt"},
				Bound:  "optional", DPoPNonce: "off"},
			{ID: "shop", Issuer: "partners", Identifier: "https://shop.example.com", Scopes: map[string]registry.Scope{"shop:read": {Description: "Look at the shop"}},
				Token: registry.APIToken{Format: "opaque"}, ResourceServers: []string{"shop-api"}},
		},
		Clients: []registry.Client{
			{ID: "billing", Name: "Nightly billing", Owner: "ann", Labels: map[string]string{"team": "finance", "cost-center": "4711"}, State: "active",
				Issuers: []string{"default", "partners"}, Bound: "optional",
				Secrets:    []registry.Secret{{ID: "s1", Expires: day}, {ID: "s2"}},
				Keys:       []registry.ClientKey{{ID: "k1", JWK: mustJWK(t, samplePublicKey)}, {ID: "k2", JWK: mustJWK(t, `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)}},
				Auth:       []string{"client_secret_basic", "private_key_jwt"},
				Access:     map[string][]string{"orders": {"orders:read", "orders:write"}, "shop": {"shop:read"}},
				DefaultAPI: registry.OneOrMore{"orders", "shop"},
				Claims:     map[string]json.RawMessage{"department": json.RawMessage(`"finance"`), "levels": json.RawMessage(`[1,2]`)}},
			{ID: "reports", JWKSURI: "https://reports.example.com/jwks.json",
				Certificates: []registry.Certificate{{ID: "c1", SubjectDN: "CN=reports,O=Example,C=DE"}, {ID: "c2", PEM: sampleCertificate, Expires: day.Add(12 * time.Hour)}},
				Access:       map[string][]string{"orders": {}}},
			{ID: "shop-api", Issuers: []string{"partners"}, Secrets: []registry.Secret{{ID: "s1"}}},
		},
	}}
}

func mustJWK(t *testing.T, text string) json.RawMessage {
	t.Helper()
	public, err := registry.PublicJWK([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return public
}
