package adminapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/admin"
)

// edJWK is the key of RFC 8037 appendix A.2; edPrivate that of A.1.
const (
	edJWK     = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	edPrivate = `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	edPEM     = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"
)

func TestKeysAndCertificates(t *testing.T) {
	w := newWorld(t)
	var made createdClient
	w.good(201, "POST", "/admin/v1/clients", `{"id":"billing","key":{"jwk":`+edJWK+`}}`, &made)
	if made.Secret != nil || len(made.Client.Keys) != 1 || made.Client.Keys[0].ID != "k1" || made.Client.Keys[0].Algorithm != "EdDSA" {
		t.Errorf("a client with a key: %+v", made)
	}
	var keys []admin.KeyInfo
	w.good(200, "GET", "/admin/v1/clients/billing/keys", "", &keys)
	if len(keys) != 1 || keys[0].Thumbprint != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("%+v", keys)
	}
	var cert admin.CertificateInfo
	w.good(201, "POST", "/admin/v1/clients/billing/certificates", `{"id":"by-name","subject_dn":"CN=billing,O=Example"}`, &cert)
	if cert.ID != "by-name" || cert.Method != "tls_client_auth" {
		t.Errorf("%+v", cert)
	}
	var one admin.Client
	w.good(200, "PATCH", "/admin/v1/clients/billing", `{"jwks_uri":"https://billing.example.com/jwks","legacy_assertion":{"until":"2027-01-01T00:00:00Z","audience":["token_endpoint"]},"bound":"dpop"}`, &one)
	if one.KeysURI == nil || !strings.HasPrefix(one.KeysURI.ID, "uri-") || one.LegacyAssertion == nil || one.Bound != "dpop" || strings.Join(one.Methods, " ") != "private_key_jwt tls_client_auth" {
		t.Errorf("%+v", one)
	}
	w.good(200, "POST", "/admin/v1/clients/billing/keys/"+one.KeysURI.ID+"/revoke", "", &one)
	w.good(200, "DELETE", "/admin/v1/clients/billing/keys/k1", "", &one)
	w.good(200, "POST", "/admin/v1/clients/billing/certificates/by-name/revoke", "", &one)
	var last admin.Client
	w.good(200, "PATCH", "/admin/v1/clients/billing", `{"legacy_assertion":null}`, &last)
	if last.JWKSURI != "" || last.KeysURI != nil || len(last.Keys)+len(last.Certificates)+len(last.Methods) != 0 || last.LegacyAssertion != nil {
		t.Errorf("%+v", one)
	}
	pem, err := json.Marshal(edPEM)
	w.ok(err)
	w.good(201, "POST", "/admin/v1/clients/billing/keys", `{"id":"k9","pem":`+string(pem)+`}`, &keys[0])
	if keys[0].ID != "k9" || keys[0].Thumbprint != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("%+v", keys[0])
	}
	for name, c := range map[string]struct{ method, path, body, says string }{
		"a private key":     {"POST", "/clients/billing/keys", `{"jwk":` + edPrivate + `}`, "a private key stands where a public key belongs"},
		"no key":            {"POST", "/clients/billing/keys", `{"id":"k2"}`, "one of pem and jwk"},
		"both":              {"POST", "/clients/billing/keys", `{"jwk":` + edJWK + `,"pem":"x"}`, "one of pem and jwk"},
		"the same key":      {"POST", "/clients/billing/keys", `{"jwk":` + edJWK + `}`, "two credentials of the client are the same key"},
		"a revoked name":    {"POST", "/clients/billing/certificates", `{"subject_dn":"cn=BILLING, o=example"}`, "this name was revoked"},
		"two forms":         {"POST", "/clients/billing/certificates", `{"san_dns":"a.example","san_ip":"192.0.2.1"}`, "more than one of san_dns, san_ip"},
		"a spent id":        {"POST", "/clients/billing/keys", `{"id":"k1","jwk":` + edJWK + `}`, "an id is used once only"},
		"a revoked URI":     {"PATCH", "/clients/billing", `{"jwks_uri":"https://billing.example.com/jwks"}`, "was revoked"},
		"keys in an update": {"PATCH", "/clients/billing", `{"keys":[]}`, "symbolon client key add"},
		"keys at creation":  {"POST", "/clients", `{"id":"x","keys":[]}`, "only the server sets it"},
		"a long exception":  {"PATCH", "/clients/billing", `{"legacy_assertion":{"until":"2099-01-01T00:00:00Z","audience":["token_endpoint"]}}`, "more than a year ahead"},
		"an unknown member": {"POST", "/clients/billing/keys", `{"key":"x"}`, "there is no member"},
		"no such key":       {"DELETE", "/clients/billing/keys/k7", "", "has no key"},
	} {
		t.Run(name, func(t *testing.T) {
			var problem json.RawMessage
			resp := w.call(c.method, "/admin/v1"+c.path, c.body, &problem)
			if resp.StatusCode < 400 || resp.StatusCode >= 500 || !strings.Contains(string(problem), c.says) || strings.Contains(string(problem), "nWGxne") {
				t.Errorf("%d %s, want %q", resp.StatusCode, problem, c.says)
			}
		})
	}
}
