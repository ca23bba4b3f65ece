package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/config"
	"github.com/symbolon/symbolon/internal/registry"
)

const example = `
set: main                              # owner of what this file names
issuers:
  - {id: default, token: {lifetime: 1h}, profile: standard, dpop_nonce: required, replay: strict, keys: {rotate: 90d, announce: 24h}}   # standard | fapi2; <url>
  - {id: partners}                                                    # <url>/partners, or its own url: (host, port and path count)
  - {id: okta, url: "https://okta.example.com", dialect: okta}
  - {id: okta-default, url: "https://okta.example.com/oauth2/default", dialect: okta, audience: "api://default"}
  - {id: auth0, url: "https://auth0.example.com", dialect: auth0, subject_suffix: "@clients"}
apis:
  - id: orders
    issuer: default
    identifier: https://orders.example.com
    scopes: {orders:read: Read orders, orders:write: {description: Change orders, default: false}}
    token: {format: jwt, lifetime: 10m, algorithm: ES256, typ: at+jwt}
    bound: optional                    # optional | required | dpop | mtls
    dpop_nonce: off
clients:
  - id: billing                        # [A-Za-z0-9._~-]{1,128}; other ids [a-z0-9][a-z0-9-]{0,62}
    name: Nightly billing
    owner: ann
    labels: {team: finance}
    state: active
    issuers: [default]
    bound: optional
    secrets: [{id: s1, value_from: {env: BILLING_SECRET}, expires: 2027-01-01}]   # or {file: …}, or hash: "sha256:…"; never plain text
    keys: [{id: k1, pem_file: testdata/public.pem}]      # or jwk: {…}; jwks_uri: https://… for the client
    jwks_uri: https://billing.example.com/jwks
    certificates: [{id: c1, subject_dn: CN=billing}, {id: c2, pem_file: testdata/billing.crt, expires: 2027-01-01}]   # or san_dns, san_uri, san_ip, san_email; or pem_file (self-signed)
    auth: [private_key_jwt]            # optional, narrows: client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth, self_signed_tls_client_auth
    legacy_assertion: {until: 2027-01-01, audience: [token_endpoint, issuer_array], max_lifetime: 1h}   # dated exception, audited
    access: {orders: [orders:read]}
    default_api: orders                # or a list: one per issuer
    claims: {role: batch}
operators: [{id: ann, name: Ann Example, email: ann@example.com, role: admin}]
operator_tokens: [{id: ci, role: operator, issuers: [okta], expires: 2027-01-01, ssws: true, value_from: {env: CI_TOKEN}}]
`

var generated = registry.FormatSecret([32]byte{7})

func environment(name string) (string, bool) {
	v, ok := map[string]string{"BILLING_SECRET": generated, "OLD_SECRET": "correct horse", "CI_TOKEN": generated}[name]
	return v, ok
}

func parse(text string) (*admin.ApplyRequest, error) {
	return Parse(Source{File: "state.yaml", Data: []byte(text), Dir: ".", Env: environment})
}

// redacted lets cmp look at secrets.
var secrets = cmp.Comparer(func(a, b admin.Secret) bool { return a.Reveal() == b.Reveal() })

// plainCredentials lets cmp look at credentials as they are written.
var plainCredentials = cmpopts.IgnoreUnexported(registry.ClientKey{}, registry.Certificate{})

func TestExample(t *testing.T) {
	got, err := parse(example)
	if err != nil {
		t.Fatal(err)
	}
	hour := registry.Duration(time.Hour)
	public, err1 := os.ReadFile("testdata/public.pem")
	jwk, err2 := registry.PublicJWK(public)
	certificate, err3 := os.ReadFile("testdata/billing.crt")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	want := admin.State{
		Issuers: []admin.Named[registry.Issuer]{
			{Object: registry.Issuer{ID: "default", Token: registry.IssuerToken{Lifetime: hour}, Profile: "standard",
				DPoPNonce: "required", Replay: "strict", Keys: registry.KeySchedule{Rotate: 90 * 24 * hour, Announce: 24 * hour}},
				Fields: admin.Fields{"dpop_nonce", "keys.announce", "keys.rotate", "profile", "replay", "token.lifetime"}},
			{Object: registry.Issuer{ID: "partners"}},
			{Object: registry.Issuer{ID: "okta", URL: "https://okta.example.com", Dialect: "okta"}, Fields: admin.Fields{"dialect", "url"}},
			{Object: registry.Issuer{ID: "okta-default", URL: "https://okta.example.com/oauth2/default", Dialect: "okta", Audience: "api://default"}, Fields: admin.Fields{"audience", "dialect", "url"}},
			{Object: registry.Issuer{ID: "auth0", URL: "https://auth0.example.com", Dialect: "auth0", SubjectSuffix: "@clients"}, Fields: admin.Fields{"dialect", "subject_suffix", "url"}},
		},
		APIs: []admin.Named[registry.API]{{
			Object: registry.API{ID: "orders", Issuer: "default", Identifier: "https://orders.example.com",
				Scopes: map[string]registry.Scope{"orders:read": {Description: "Read orders"}, "orders:write": {Description: "Change orders"}},
				Token:  registry.APIToken{Format: "jwt", Lifetime: hour / 6, Algorithm: "ES256", Typ: "at+jwt"}, Bound: "optional", DPoPNonce: "off"},
			Fields: admin.Fields{"bound", "dpop_nonce", "identifier", "issuer", "scopes", "token.algorithm", "token.format", "token.lifetime", "token.typ"},
		}},
		Clients: []admin.Named[registry.Client]{{
			Object: registry.Client{ID: "billing", Name: "Nightly billing", Owner: "ann", Labels: map[string]string{"team": "finance"}, State: "active",
				Issuers: []string{"default"}, Bound: "optional", Secrets: []registry.Secret{{ID: "s1", Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}},
				Keys: []registry.ClientKey{{ID: "k1", JWK: jwk}}, JWKSURI: "https://billing.example.com/jwks",
				Certificates:    []registry.Certificate{{ID: "c1", SubjectDN: "CN=billing"}, {ID: "c2", PEM: string(certificate), Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}},
				LegacyAssertion: &registry.LegacyAssertion{Until: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Audience: []string{"token_endpoint", "issuer_array"}, MaxLifetime: hour},
				Auth:            []string{"private_key_jwt"}, Access: map[string][]string{"orders": {"orders:read"}}, DefaultAPI: registry.OneOrMore{"orders"},
				Claims: map[string]json.RawMessage{"role": json.RawMessage(`"batch"`)}},
			Fields: admin.Fields{"access", "auth", "bound", "certificates", "certificates.c2.expires", "claims", "default_api", "issuers", "jwks_uri", "keys", "labels", "legacy_assertion", "name", "owner", "secrets", "secrets.s1.expires", "state"},
		}},
		Operators: []admin.Named[registry.Operator]{{
			Object: registry.Operator{ID: "ann", Name: "Ann Example", Email: "ann@example.com", Role: "admin"},
			Fields: admin.Fields{"email", "name", "role"},
		}},
		OperatorTokens: []admin.Named[registry.OperatorToken]{{
			Object: registry.OperatorToken{ID: "ci", Role: "operator", Issuers: []string{"okta"}, SSWS: true, Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
			Fields: admin.Fields{"expires", "issuers", "role", "ssws"},
		}},
		Values:      admin.SecretValues{"billing": {"s1": admin.NewSecret(generated)}},
		TokenValues: map[string]admin.Secret{"ci": admin.NewSecret(generated)},
	}
	if diff := cmp.Diff(want, got.Objects, secrets, plainCredentials); diff != "" {
		t.Error(diff)
	}
	if got.Set != "main" || got.Prune || got.DryRun || !strings.HasPrefix(got.Content.File, "sha256:") {
		t.Errorf("%+v", got)
	}
}

func TestAFileMayNameLittle(t *testing.T) {
	got, err := parse("clients: [{id: c}]\napis: [{id: o, scopes: {}, token: {}}]\n")
	if err != nil {
		t.Fatal(err)
	}
	want := admin.State{
		APIs:    []admin.Named[registry.API]{{Object: registry.API{ID: "o", Scopes: map[string]registry.Scope{}}, Fields: admin.Fields{"scopes"}}},
		Clients: []admin.Named[registry.Client]{{Object: registry.Client{ID: "c"}}},
	}
	if diff := cmp.Diff(want, got.Objects, secrets, plainCredentials); diff != "" || got.Set != "main" {
		t.Error(got.Set, diff)
	}
}

func TestFormsOfASecret(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"new": generated + "\n", "old": "correct horse"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hash := registry.HashGenerated(generated)
	text := fmt.Sprintf(`clients:
  - id: c
    secrets:
      - {id: s1, value_from: {file: new}}
      - {id: s2, value_from: {file: %s}, expires: never}
      - {id: s3, value_from: {env: OLD_SECRET}, expires: 2027-01-01T10:00:00+02:00}
      - {id: s4, hash: %q}
`, filepath.Join(dir, "old"), hash)
	path := filepath.Join(dir, "state.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path, environment)
	if err != nil {
		t.Fatal(err)
	}
	c := got.Objects.Clients[0]
	want := []registry.Secret{{ID: "s1"}, {ID: "s2"}, {ID: "s3", Expires: time.Date(2027, 1, 1, 8, 0, 0, 0, time.UTC)}, {ID: "s4", Hash: hash}}
	if diff := cmp.Diff(want, c.Object.Secrets); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(admin.Fields{"secrets", "secrets.s2.expires", "secrets.s3.expires"}, c.Fields); diff != "" {
		t.Error(diff)
	}
	values := admin.SecretValues{"c": {"s1": admin.NewSecret(generated), "s2": admin.NewSecret("correct horse"), "s3": admin.NewSecret("correct horse")}}
	if diff := cmp.Diff(values, got.Objects.Values, secrets); diff != "" {
		t.Error(diff)
	}
	if out, err := json.Marshal(got); err != nil || strings.Contains(string(out)+fmt.Sprintf("%v %+v %#v", got, got, got.Objects.Values), "correct horse") {
		t.Errorf("a secret shows: %s, %v", out, err)
	}
}

// What a later version will have is refused by name, never ignored.
func TestKeysOfLaterVersionsAreRefused(t *testing.T) {
	for key, tt := range map[string]struct{ text, place string }{
		"rules": {"set: main\nrules: []\n", "2:1"},
	} {
		_, err := parse(tt.text)
		key = strings.TrimSpace(key)
		if err == nil || !strings.HasPrefix(err.Error(), "state.yaml:"+tt.place+": ") || !strings.Contains(err.Error(), fmt.Sprintf("%q is not implemented in this version; remove it", key)) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestMistakesAreToldWithTheirPlace(t *testing.T) {
	hash := registry.HashGenerated(generated)
	for _, tt := range []struct{ name, text, want string }{
		{"unknown list", "client: []\n", `state.yaml:1:1: unknown key "client"; write clients`},
		{"unknown member", "clients:\n  - id: c\n    acess: {}\n", `state.yaml:3:5: clients.c: unknown key "acess"; write access`},
		{"set", "set: My set\nclients: []\n", `state.yaml:1:6: set: not an id; write`},
		{"no id", "clients:\n  - id: a\n  - name: b\n", `state.yaml:3:5: clients.1.id: not a client id; write 1 to 128`},
		{"bad id", "apis: [{id: Orders}]\n", `state.yaml:1:13: apis.Orders.id: not an id; write`},
		{"id twice", "clients:\n  - id: a\n  - id: b\n  - id: a\n", `state.yaml:4:9: clients.a: named twice, first in line 2; put both into one entry`},
		{"same id of two kinds", "clients: [{id: a}]\napis: [{id: a}]\nissuers: [{id: a}]\noperators: [{id: a}]\n", ``},
		{"plain secret", "clients:\n  - id: c\n    secrets: [{id: s1, value: hunter2}]\n", `state.yaml:3:31: clients.c.secrets.s1.value: a plain secret does not belong into this file; write value_from`},
		{"plain secret by another name", "clients:\n  - id: c\n    secrets: [{id: s1, secret: hunter2}]\n", `state.yaml:3:32: clients.c.secrets.s1.secret: a plain secret does not belong`},
		{"plain secret as the secret", "clients:\n  - id: c\n    secrets: [hunter2]\n", `state.yaml:3:15: clients.c.secrets.0: want a mapping, got text`},
		{"plain secret as the source", "clients:\n  - id: c\n    secrets: [{id: s1, value_from: hunter2}]\n", `state.yaml:3:36: clients.c.secrets.s1.value_from: want a mapping, got text`},
		{"plain secret as the hash", "clients:\n  - id: c\n    secrets: [{id: s1, hash: hunter2}]\n", `state.yaml:3:30: clients.c.secrets.s1.hash: not a hash of a secret; write "sha256:"`},
		{"secret without value", "clients:\n  - id: c\n    secrets: [{id: s1}]\n", `state.yaml:3:15: clients.c.secrets.s1: want one of value_from and hash; write value_from`},
		{"secret with both", "clients:\n  - id: c\n    secrets: [{id: s1, hash: x, value_from: {env: X}}]\n", `state.yaml:3:15: clients.c.secrets.s1: want one of value_from and hash`},
		{"source with nothing", "clients:\n  - id: c\n    secrets: [{id: s1, value_from: {}}]\n", `state.yaml:3:24: clients.c.secrets.s1.value_from: want one of env and file; write`},
		{"secret that is not in the environment", "clients:\n  - id: c\n    secrets: [{id: s1, value_from: {env: NOT_SET}}]\n", `state.yaml:3:24: clients.c.secrets.s1.value_from: the environment variable NOT_SET is not set; set it where the program starts`},
		{"secret that is no file", "clients:\n  - id: c\n    secrets: [{id: s1, value_from: {file: nowhere}}]\n", `state.yaml:3:24: clients.c.secrets.s1.value_from: nowhere: there is no such file; check the path`},
		{"two secrets of one id", "clients:\n  - id: c\n    secrets: [{id: s1, hash: \"" + hash + "\"}, {id: s1, value_from: {env: BILLING_SECRET}}]\n", `state.yaml:3:20: clients.c.secrets.s1.id: two credentials of the client have this id; give`},
		{"secret without id", "clients:\n  - id: c\n    secrets: [{value_from: {env: BILLING_SECRET}}]\n", `state.yaml:3:15: clients.c.secrets.0.id: not an id; write`},
		{"secret with a bad id", "clients:\n  - id: c\n    secrets: [{id: S1, value_from: {env: BILLING_SECRET}}]\n", `state.yaml:3:20: clients.c.secrets.0.id: not an id; write`},
		{"expiry", "clients:\n  - id: c\n    secrets: [{id: s1, expires: soon, value_from: {env: BILLING_SECRET}}]\n", `state.yaml:3:33: clients.c.secrets.s1.expires: want a date, got text; write`},
		{"default API that the access of the file lacks", "clients: [{id: c, access: {orders: []}, default_api: [orders, stock]}]\n", `state.yaml:1:63: clients.c.default_api.stock: the client has no access to this API; grant`},
		{"default API that the access may have", "clients: [{id: c, default_api: stock}]\n", ``},
		{"scope", "apis: [{id: o, scopes: {\"a b\": x}}]\n", `state.yaml:1:32: apis.o.scopes.a b: not a scope value`},
		{"access", "clients: [{id: c, access: {orders: orders:read}}]\n", `state.yaml:1:36: clients.c.access.orders: want a list, got text`},
		{"reserved claim", "clients: [{id: c, claims: {sub: x}}]\n", `state.yaml:1:33: clients.c.claims.sub: only the server sets this claim; choose another name`},
		{"lifetime", "issuers: [{id: p, token: {lifetime: 25h}}]\n", `state.yaml:1:37: issuers.p.token.lifetime: longer than 24h`},
		{"no duration", "issuers: [{id: p, token: {lifetime: 3600}}]\n", `state.yaml:1:37: issuers.p.token.lifetime: "3600" is not a duration; write for example 90d, 24h or 10m`},
		{"schedule", "issuers: [{id: p, keys: {announce: 5m}}]\n", `state.yaml:1:36: issuers.p.keys.announce: shorter than 1h`},
		{"schedule that the stored announcement may fit", "issuers: [{id: p, keys: {rotate: 10h}}]\n", ``},
		{"schedule that the stored rotation may fit", "issuers: [{id: p, keys: {announce: 100d}}]\n", ``},
		{"schedule that cannot fit", "issuers: [{id: p, keys: {rotate: 10h, announce: 11h}}]\n", `state.yaml:1:34: issuers.p.keys.rotate: shorter than keys.announce`},
		{"url", "issuers: [{id: p, url: http://p.example}]\n", `state.yaml:1:24: issuers.p.url: plain http`},
		{"url of the default", "issuers: [{id: default, url: \"https://p.example\"}]\n", `state.yaml:1:30: issuers.default.url: the default issuer's URL is the server's own`},
		{"key with both", "clients:\n  - id: c\n    keys: [{id: k1, jwk: {kty: EC}, pem_file: x}]\n", `state.yaml:3:12: clients.c.keys.k1: want one of pem_file and jwk; write pem_file`},
		{"key without either", "clients:\n  - id: c\n    keys: [{id: k1}]\n", `state.yaml:3:12: clients.c.keys.k1: want one of pem_file and jwk`},
		{"key that is no file", "clients:\n  - id: c\n    keys: [{id: k1, pem_file: nowhere.pub}]\n", `state.yaml:3:31: clients.c.keys.k1.pem_file: nowhere.pub: there is no such file; check the path`},
		{"key that is a private one", "clients:\n  - id: c\n    keys: [{id: k1, jwk: {kty: OKP, crv: Ed25519, d: nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}}]\n", `state.yaml:3:21: clients.c.keys.k1.jwk: a private key stands where a public key belongs`},
		{"key that is none", "clients:\n  - id: c\n    keys: [{id: k1, jwk: {kty: EC, crv: P-256}}]\n", `state.yaml:3:21: clients.c.keys.k1.jwk: key is not acceptable: x is missing; give the public half`},
		{"the id of a secret", "clients:\n  - id: c\n    secrets: [{id: a, value_from: {env: BILLING_SECRET}}]\n    certificates: [{id: a, san_dns: a.example}]\n", `state.yaml:4:25: clients.c.certificates.a.id: two credentials of the client have this id; give`},
		{"certificate of two forms", "clients:\n  - id: c\n    certificates: [{id: c1, san_dns: a.example, san_ip: 192.0.2.1}]\n", `state.yaml:3:20: clients.c.certificates.c1: more than one of san_dns, san_ip; give one`},
		{"certificate of no form", "clients:\n  - id: c\n    certificates: [{id: c1}]\n", `state.yaml:3:20: clients.c.certificates.c1: it does not say what the certificate must be; give`},
		{"name as OpenSSL prints it", "clients:\n  - id: c\n    certificates: [{id: c1, subject_dn: \"C = DE, CN = a\"}]\n", `state.yaml:3:41: clients.c.certificates.c1.subject_dn: not a distinguished name: a part is not TYPE=VALUE without spaces around the =; write it as`},
		{"certificate that is a key", "clients:\n  - id: c\n    certificates: [{id: c1, pem_file: testdata/public.pem}]\n", `state.yaml:3:20: clients.c.certificates.c1.pem: not a certificate; give`},
		{"jwks_uri", "clients: [{id: c, jwks_uri: \"http://c.example/jwks\"}]\n", `state.yaml:1:29: clients.c.jwks_uri: not an https URL`},
		{"jwks_uri inside", "clients: [{id: c, jwks_uri: \"https://10.0.0.1/jwks\"}]\n", `state.yaml:1:29: clients.c.jwks_uri: an address of this machine or of a private network; write`},
		{"exception without end", "clients: [{id: c, legacy_assertion: {audience: [token_endpoint]}}]\n", `state.yaml:1:19: clients.c.legacy_assertion.until: missing: the exception must end; write a date`},
		{"exception of another kind", "clients: [{id: c, legacy_assertion: {until: 2027-01-01, audience: [any]}}]\n", `state.yaml:1:68: clients.c.legacy_assertion.audience.0: not a form of audience; write token_endpoint`},
		{"exception in a word", "clients: [{id: c, legacy_assertion: yes}]\n", `state.yaml:1:37: clients.c.legacy_assertion: want a mapping, got text`},
		{"exception taken away", "clients: [{id: c, legacy_assertion: none}]\n", ``},
		{"bound", "clients: [{id: p, bound: always}]\n", `state.yaml:1:26: clients.p.bound: not a known value; write optional, required, dpop or mtls, or remove it`},
		{"nonce", "issuers: [{id: p, dpop_nonce: on}]\n", `state.yaml:1:31: issuers.p.dpop_nonce: not a known value; write required or off`},
		{"replay", "issuers: [{id: p, replay: loose}]\n", `state.yaml:1:27: issuers.p.replay: not a known value; write strict or local`},
		{"profile", "issuers: [{id: p, profile: fapi1}]\n", `state.yaml:1:28: issuers.p.profile: not a known value; write standard or fapi2`},
		{"auth", "clients: [{id: p, auth: [client_secret_jwt]}]\n", `state.yaml:1:26: clients.p.auth.client_secret_jwt: client_secret_jwt needs symmetric keys`},
		{"role", "operators: [{id: ann, role: root}]\n", `state.yaml:1:29: operators.ann.role: not a role; write`},
		{"dialect", "issuers:\n  - {id: kc, url: \"https://kc.example\", dialect: keycloak}\n", `state.yaml:2:50: issuers.kc.dialect: not a known value; write okta, auth0, curity or simple, or remove it`},
		{"dialect of the default", "issuers:\n  - {id: default, dialect: okta}\n", `state.yaml:2:28: issuers.default.dialect: the default issuer speaks the standards alone; make another issuer`},
		{"dialect at a wrong path", "issuers:\n  - {id: o, dialect: okta, url: \"https://o.example/oauth2/v1\"}\n", `state.yaml:2:33: issuers.o.url: not where Okta has authorization servers; write https://HOST for`},
		{"dialect with a strict profile", "issuers:\n  - {id: o, dialect: auth0, url: \"https://o.example\", profile: fapi2}\n", `state.yaml:2:64: issuers.o.profile: a dialect lets pass what the profile fapi2 forbids; remove one of them`},
		{"dialect without nonces", "issuers:\n  - {id: o, dialect: okta, url: \"https://o.example\", dpop_nonce: off}\n", `state.yaml:2:66: issuers.o.dpop_nonce: programs for Okta`},
		{"another sub", "issuers:\n  - {id: o, dialect: auth0, url: \"https://o.example\", subject_suffix: \"@x\"}\n", `state.yaml:2:71: issuers.o.subject_suffix: not what Auth0 has behind a client's id; write "@clients", or remove it`},
		{"another sub at a standard issuer", "issuers:\n  - {id: o, subject_suffix: \"@clients\"}\n", `state.yaml:2:29: issuers.o.subject_suffix: the sub of a token is the client's id (RFC 9068 §2.2)`},
		{"token role", "operator_tokens:\n  - {id: ci, role: root, issuers: [okta], value_from: {env: CI_TOKEN}}\n", `state.yaml:2:20: operator_tokens.ci.role: not a role; write "viewer", "operator" or "admin"`},
		{"token issuers", "operator_tokens:\n  - {id: ci, role: viewer, issuers: [], value_from: {env: CI_TOKEN}}\n", `state.yaml:2:28: operator_tokens.ci.issuers: missing: a token is good at some issuers, never at all; name one at least`},
		{"token issuer", "operator_tokens:\n  - {id: ci, role: viewer, issuers: [Okta], value_from: {env: CI_TOKEN}}\n", `state.yaml:2:38: operator_tokens.ci.issuers.0: not an id`},
		{"token in plain text", "operator_tokens:\n  - {id: ci, role: viewer, issuers: [okta], value: hunter2hunter2hunter2hunter2hunter2}\n", `state.yaml:2:52: operator_tokens.ci.value: the plain value of a token does not belong into this file; write value_from`},
		{"token without value", "operator_tokens:\n  - {id: ci, role: viewer, issuers: [okta]}\n", `state.yaml:2:5: operator_tokens.ci: want one of value_from and hash; write value_from`},
		{"token with a short value", "operator_tokens:\n  - {id: ci, role: viewer, issuers: [okta], value_from: {env: OLD_SECRET}}\n", `state.yaml:2:45: operator_tokens.ci.value_from: the value has less than 32 octets: it could be guessed; put a generated value there: openssl rand -hex 32`},
		{"token that is not in the environment", "operator_tokens:\n  - {id: ci, role: viewer, issuers: [okta], value_from: {env: NOT_SET}}\n", `state.yaml:2:45: operator_tokens.ci.value_from: the environment variable NOT_SET is not set`},
		{"token with a bad hash", "operator_tokens:\n  - {id: ci, role: viewer, issuers: [okta], hash: \"sha256:12\"}\n", `state.yaml:2:51: operator_tokens.ci.hash: not "sha256:" and 64 lower-case hexadecimal digits`},
		{"token twice", "operator_tokens:\n  - {id: ci, hash: \"" + hash + "\"}\n  - {id: ci, hash: \"" + hash + "\"}\n", `state.yaml:3:10: operator_tokens.ci: named twice, first in line 2`},
		{"identifier", "apis: [{id: o, identifier: \"https://o.example/#x\"}]\n", `state.yaml:1:28: apis.o.identifier: not an absolute URI`},
		{"empty list value", "clients:\n", `state.yaml:1:9: clients: has no value; write one, or remove the key`},
		{"empty file", "", `state.yaml:1:1: the file is empty`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.text)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("\n got %v\nwant %s", err, tt.want)
			}
			if e := (*config.Error)(nil); !errors.As(err, &e) {
				t.Errorf("not a *config.Error: %T", err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats a secret: %v", err)
			}
		})
	}
}

func TestSeveralMistakesAreToldAtOnce(t *testing.T) {
	_, err := parse("clients:\n  - {id: a b, state: on}\n  - {id: c, bound: always}\n")
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("%v", err)
	}
}

func TestLoadTellsWhatItCannotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := Load(path, environment); err == nil || err.Error() != path+": there is no such file; check the path" {
		t.Errorf("%v", err)
	}
}

// A problem that is found when the file is applied is placed in the file.
func TestWhere(t *testing.T) {
	got, err := parse(example)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ kind, id, path, want string }{
		{registry.KindClient, "billing", "access.orders.orders:read", "state.yaml:31:23"},
		{registry.KindClient, "billing", "secrets.s1.id", "state.yaml:25:20"},
		{registry.KindClient, "billing", "spent.s0", "state.yaml:18:5"},
		{registry.KindClient, "billing", "", "state.yaml:18:5"},
		{registry.KindAPI, "orders", "scopes.orders:write", "state.yaml:13:40"},
		{registry.KindIssuer, "okta-default", "audience", "state.yaml:7:97"},
		{registry.KindOperator, "ann", "role", "state.yaml:34:72"},
		{registry.KindClient, "other", "access", ""},
		{registry.KindKey, "billing", "", ""},
	} {
		if where := got.Where(registry.Problem{Kind: tt.kind, ID: tt.id, Path: tt.path}); where != tt.want {
			t.Errorf("%s %s %s: got %q, want %q", tt.kind, tt.id, tt.path, where, tt.want)
		}
	}
	little, err := parse("set: main\n")
	if err != nil || little.Where(registry.Problem{Kind: registry.KindClient, ID: "c"}) != "" {
		t.Errorf("%v", err)
	}
}

func TestContentChangesWithTheFileAndWhatItReads(t *testing.T) {
	sum := func(text, secret string) string {
		r, err := Parse(Source{File: "f", Data: []byte(text), Env: func(string) (string, bool) { return secret, true }})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Content.Values) != 1 || strings.Contains(r.Content.Values[0], secret) {
			t.Errorf("%+v", r.Content)
		}
		return r.Content.File + r.Content.Values[0]
	}
	const text = "clients: [{id: c, secrets: [{id: s1, value_from: {env: X}}]}]\n"
	first := sum(text, "correct horse")
	if first != sum(text, "correct horse") {
		t.Error("the same content has two sums")
	}
	seen := map[string]bool{first: true}
	for _, other := range []string{sum(text, "battery staple"), sum(text+"#", "correct horse"), sum(text, generated), sum(strings.Replace(text, "s1", "s2", 1), "correct horse")} {
		if seen[other] {
			t.Error("another content has the same sum")
		}
		seen[other] = true
	}
}

// TestLoadOnceMissesWhatNeedNotBeThere: a file that was applied before has read
// its values; a file that cannot be right is refused all the same.
func TestLoadOnceMissesWhatNeedNotBeThere(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("state.yaml", `clients:
  - {id: a, secrets: [{id: s1, value_from: {env: SET}}, {id: s2, value_from: {env: UNSET}}, {id: s3, value_from: {env: EMPTY}}]}
  - {id: b, secrets: [{id: s1, value_from: {file: gone}}], keys: [{id: k1, pem_file: gone.pem}], certificates: [{id: c1, pem_file: gone.crt}]}
operator_tokens: [{id: ci, role: operator, value_from: {env: UNSET}}]
`)
	env := func(name string) (string, bool) {
		value, ok := map[string]string{"SET": "correct horse", "EMPTY": ""}[name]
		return value, ok
	}
	path := filepath.Join(dir, "state.yaml")
	req, err := LoadOnce(path, env)
	if err != nil {
		t.Fatal(err)
	}
	missing := []string{
		path + ":2:66: clients.a.secrets.s2.value_from: the environment variable UNSET is not set; set it", path + ":2:102: clients.a.secrets.s3.value_from: the environment variable EMPTY is empty",
		"gone.pem: there is no such file", "gone.crt: there is no such file", "gone: there is no such file", "operator_tokens.ci.value_from: the environment variable UNSET is not set",
	}
	told := strings.Split(fmt.Sprint(req.Missing), "\n")
	for i, want := range missing {
		if len(told) != len(missing) || !strings.Contains(told[i], want) {
			t.Errorf("%d: %q, want %s", i, told, want)
		}
	}
	if v := req.Content.Values; len(v) != 7 || v[0] == "" || strings.Join(v[1:], "") != "" {
		t.Errorf("%q", v)
	}
	if _, err := Load(path, env); err == nil || err.Error() != req.Missing.Error() {
		t.Errorf("%v", err)
	}
	env = func(string) (string, bool) { return generated, true }
	for _, name := range []string{"gone", "gone.pem", "gone.crt"} {
		text, err := os.ReadFile(map[string]string{"gone": "testdata/public.pem", "gone.pem": "testdata/public.pem", "gone.crt": "testdata/billing.crt"}[name])
		if err != nil {
			t.Fatal(err)
		}
		if name == "gone" {
			text = []byte("secret-of-b")
		}
		write(name, string(text))
	}
	all, err := LoadOnce(path, env)
	if err != nil || all.Missing != nil {
		t.Fatal(err, all.Missing)
	}
	if len(all.Content.Values) != 7 || slices.Contains(all.Content.Values, "") || req.Content.File != all.Content.File {
		t.Errorf("%+v", all.Content)
	}
	for _, wrong := range []struct{ text, want string }{
		{"clients: [{id: a, secrets: [{id: s1, value_from: {env: UNSET}}], state: on}]\n", "clients.a.state"},
		{"clients: [{id: a, secrets: [{id: s1, value_from: {file: many}}]}]\n", "more than one line"},
		{"clients: [{id: a, secrets: [{id: s1, value_from: {file: .}}]}]\n", "cannot be read"},
		{"clients: [{id: a, secrets: [{id: s1, value_from: {file: empty}}]}]\n", "is empty"},
	} {
		write("many", "a\nb\n")
		write("empty", "")
		write("state.yaml", wrong.text)
		if _, err := LoadOnce(path, func(string) (string, bool) { return "", false }); err == nil || !strings.Contains(err.Error(), wrong.want) {
			t.Errorf("%s: %v, want %s", wrong.text, err, wrong.want)
		}
	}
}

func TestPlaced(t *testing.T) {
	r, err := parse(example)
	if err != nil {
		t.Fatal(err)
	}
	problems := registry.Problems{
		{Kind: registry.KindClient, ID: "billing", Path: "access.orders", Message: "there is no API orders", Fix: "create it first"},
		{Kind: registry.KindClient, ID: "other", Message: "wrong"},
	}
	want := "state.yaml:31:14: client \"billing\": access.orders: there is no API orders; create it first\nclient \"other\": wrong"
	if got := Placed(fmt.Errorf("apply: %w", problems), r); got == nil || got.Error() != want {
		t.Errorf("got %v\nwant %s", got, want)
	}
	other := errors.New("the store is away")
	if got := Placed(other, r); got != other {
		t.Errorf("got %v", got)
	}
	if got := Placed(problems, &admin.ApplyRequest{}); got == nil || got.Error() != problems.Error() {
		t.Errorf("got %v", got)
	}
}
