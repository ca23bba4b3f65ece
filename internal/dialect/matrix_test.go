package dialect_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// The programs that were written for the vendors break when a server differs in
// one of these ways; each was found by changing that alone and running them. The
// names beside a test are of the programs that break.

// vendors are the dialects' issuers, and at which path the programs of each look
// for keys and metadata without being told.
var vendors = map[string]struct {
	keys, metadata string
	forms          []string // other places of the same metadata
	slash          bool     // iss ends in one
	own            bool     // its token endpoint answers in a shape of its own
}{
	oktaOrg: {keys: "/oauth2/v1/keys", metadata: "/.well-known/openid-configuration", forms: []string{"/.well-known/oauth-authorization-server"}},
	oktaCustom: {
		keys: "/oauth2/default/v1/keys", metadata: "/oauth2/default/.well-known/openid-configuration",
		forms: []string{"/oauth2/default/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/oauth2/default", "/.well-known/openid-configuration/oauth2/default"},
	},
	auth0: {keys: "/.well-known/jwks.json", metadata: "/.well-known/openid-configuration", forms: []string{"/.well-known/oauth-authorization-server"}, slash: true},
	curity: {
		keys: "/oauth/v2/oauth-anonymous/jwks", metadata: "/oauth/v2/oauth-anonymous/.well-known/openid-configuration",
		forms: []string{"/.well-known/oauth-authorization-server/oauth/v2/oauth-anonymous", "/.well-known/openid-configuration/oauth/v2/oauth-anonymous"},
	},
	simple: {keys: "/jwks", metadata: "/.well-known/openid-configuration", forms: []string{"/.well-known/oauth-authorization-server"}, own: true},
}

// iss is what tokens of an issuer say.
func (w *world) iss(issuer string) string {
	if vendors[issuer].slash {
		return w.issuers[issuer] + "/"
	}
	return w.issuers[issuer]
}

// issued is a token of each issuer as its vendor's programs get it, and the
// answer that held it.
func (w *world) issued(t *testing.T, issuer string) (answer, string) {
	t.Helper()
	switch issuer {
	case oktaOrg: // for its management alone, with a key
		f := asserts(url.Values{"grant_type": {"client_credentials"}, "scope": {"okta.users.read"}}, w.assertion(t, "okta-pk", w.tokenURL(oktaOrg), nil))
		a := w.form(t, w.tokenURL(oktaOrg), f)
		return a, a.token(t)
	case simple:
		a := w.form(t, w.tokenURL(simple), url.Values{"client_id": {"everywhere"}, "client_secret": {w.secrets["everywhere"]}})
		token, _ := a.json(t)["token"].(string)
		return a, token
	}
	a := w.ask(t, issuer, "everywhere")
	return a, a.token(t)
}

// headerOf is the header of a JWT, without checking anything.
func headerOf(t *testing.T, token string) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(token[:max(strings.IndexByte(token, '.'), 0)])
	if err != nil {
		t.Fatal(err)
	}
	return answer{text: string(text)}.json(t)
}

// eachVendor runs a test at every dialect's issuer.
func eachVendor(t *testing.T, f func(t *testing.T, w *world, issuer string)) {
	t.Helper()
	w := theWorld(t)
	for issuer := range vendors {
		t.Run(issuer, func(t *testing.T) { f(t, w, issuer) })
	}
}

// published are the keys of an issuer, where its programs look for them.
func (w *world) published(t *testing.T, issuer string) []map[string]any {
	t.Helper()
	a := w.get(t, w.origin(issuer)+vendors[issuer].keys)
	a.wants(t, http.StatusOK, "")
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal([]byte(a.text), &set); err != nil || len(set.Keys) == 0 {
		t.Fatalf("no keys: %v: %s", err, a.text)
	}
	return set.Keys
}

// RS256 with a kid, verified as the vendors' libraries do: @okta/jwt-verifier 0.0.12
// to 4.0.2 and express-jwt know no other algorithm; without a kid
// @okta/jwt-verifier 4, go-jwt-middleware 2, authlib and HAProxy find no key.
func TestTokensAreSignedAsVerifiersExpect(t *testing.T) {
	eachVendor(t, func(t *testing.T, w *world, issuer string) {
		_, token := w.issued(t, issuer)
		h := headerOf(t, token)
		if h["alg"] != "RS256" {
			t.Errorf("alg %v", h["alg"])
		}
		if h["typ"] != "at+jwt" { // oauth4webapi: RFC 9068 §4
			t.Errorf("typ %v", h["typ"])
		}
		kid, _ := h["kid"].(string)
		keys := w.published(t, issuer)
		at := slices.IndexFunc(keys, func(k map[string]any) bool { return k["kid"] == kid })
		if kid == "" || at < 0 {
			t.Fatalf("kid %q is not among %v", kid, keys)
		}
		dot := strings.LastIndexByte(token, '.')
		sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(token[:dot]))
		if err := rsa.VerifyPKCS1v15(rsaKey(t, keys[at]), crypto.SHA256, sum[:], sig); err != nil {
			t.Errorf("the key of that kid: %v", err)
		}
	})
}

func rsaKey(t *testing.T, jwk map[string]any) *rsa.PublicKey {
	t.Helper()
	number := func(name string) *big.Int {
		text, _ := jwk[name].(string)
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(b) == 0 {
			t.Fatalf("%s of %v: %v", name, jwk, err)
		}
		return new(big.Int).SetBytes(b)
	}
	return &rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}
}

// A key of a kind that it does not know kills the process that uses
// express-oauth-jwt 1.1.0, and go-jwt-middleware 2 and authlib refuse the whole
// set. EC and Ed25519 beside RSA harm nobody; use and alg are what
// okta-jwt-verifier-golang and jwks-rsa look at.
func TestKeySetsHoldNoKeyThatProgramsDieOf(t *testing.T) {
	w := theWorld(t)
	for _, alg := range []string{"ES256", "EdDSA", "PS256"} {
		id := "matrix-" + strings.ToLower(alg)
		if _, _, err := w.node.Admin().CreateAPI(t.Context(), admin.System(), registry.API{
			ID: id, Issuer: curity, Identifier: "https://" + id + ".example.com",
			Scopes: map[string]registry.Scope{"x.read": {}}, Token: registry.APIToken{Algorithm: alg},
		}); err != nil {
			t.Fatal(err)
		}
	}
	eachVendor(t, func(t *testing.T, w *world, issuer string) {
		kinds := map[any]bool{}
		for _, key := range w.published(t, issuer) {
			kinds[key["kty"]] = true
			if !slices.Contains([]any{"RSA", "EC", "OKP"}, key["kty"]) {
				t.Errorf("a key of kty %v", key["kty"])
			}
			if key["use"] != "sig" || key["alg"] == nil || key["kid"] == nil {
				t.Errorf("use %v, alg %v, kid %v", key["use"], key["alg"], key["kid"])
			}
			for _, private := range []string{"d", "p", "q", "k"} {
				if key[private] != nil {
					t.Errorf("member %s of a private key", private)
				}
			}
		}
		if issuer == curity && len(kinds) != 3 {
			t.Errorf("only kinds %v: this test sees none but those", kinds)
		}
	})
}

// HAProxy reads no key set: it wants each key as PEM.
func TestKeysCanBeHadAsPEM(t *testing.T) {
	eachVendor(t, func(t *testing.T, w *world, issuer string) {
		at := w.origin(issuer) + vendors[issuer].keys
		if issuer == auth0 { // beside what is Auth0's
			at = w.origin(issuer) + "/jwks"
		}
		for _, key := range w.published(t, issuer) {
			if key["kty"] != "RSA" {
				continue
			}
			a := w.get(t, at+"/"+key["kid"].(string)+".pem")
			a.wants(t, http.StatusOK, "")
			block, rest := pem.Decode([]byte(a.text))
			if block == nil || block.Type != "PUBLIC KEY" || len(rest) > 0 {
				t.Fatalf("no PEM: %s", a.text)
			}
			public, err := x509.ParsePKIXPublicKey(block.Bytes)
			if err != nil || !rsaKey(t, key).Equal(public) {
				t.Errorf("another key: %v", err)
			}
		}
	})
}

// The claims by which programs of the vendors go; sub is the client's id
// (express-jwt, Okta's verifiers). HAProxy and express-oauth-jwt 1.1.0 compare aud
// as a string; go-jwt-middleware, HAProxy and express-jwt-authz want scope as one.
func TestClaimsAreWhatProgramsRead(t *testing.T) {
	w := theWorld(t)
	for _, test := range []struct {
		issuer, client, aud, scope string
		more                       map[string]any
		without                    []string
	}{
		{standard, "everywhere", "https://orders.example.com", "api.read", nil, []string{"cid", "azp", "scp", "gty", "ver"}},
		{oktaOrg, "okta-pk", w.issuers[oktaOrg], "okta.users.read", map[string]any{"cid": "okta-pk", "scp": []any{"okta.users.read"}}, []string{"azp"}},
		{oktaCustom, "everywhere", "api://default", "api.read", map[string]any{"cid": "everywhere", "scp": []any{"api.read"}}, []string{"azp"}},
		{auth0, "everywhere", "https://api.example.test", "api.read", map[string]any{"azp": "everywhere", "gty": "client-credentials"}, []string{"cid", "scp"}},
		{curity, "everywhere", "https://api.example.com", "api.read", nil, []string{"cid", "azp", "scp"}},
		{simple, "everywhere", "https://simple.example.com", "", nil, []string{"cid", "azp", "scp"}},
	} {
		t.Run(test.issuer, func(t *testing.T) {
			_, token := w.issued(t, test.issuer)
			c := claims(t, token)
			want := map[string]any{"iss": w.iss(test.issuer), "sub": test.client, "client_id": test.client, "aud": test.aud}
			if test.scope != "" {
				want["scope"] = test.scope
			}
			for name, value := range test.more {
				want[name] = value
			}
			for name, value := range want {
				if got, _ := json.Marshal(c[name]); string(got) != marshalled(t, value) {
					t.Errorf("%s: %s, want %s", name, got, marshalled(t, value))
				}
			}
			for _, name := range test.without {
				if c[name] != nil {
					t.Errorf("%s: %v, which no program of this vendor reads", name, c[name])
				}
			}
			for _, name := range []string{"iat", "exp"} { // okta-jwt-verifier-golang wants numbers
				if _, ok := c[name].(float64); !ok {
					t.Errorf("%s: %v", name, c[name])
				}
			}
			if jti, _ := c["jti"].(string); jti == "" {
				t.Errorf("jti: %v", c["jti"])
			}
		})
	}
}

// What is the same in each token of a client: the article's API for Curity shows role.
func TestClaimsOfAClientAreInItsTokens(t *testing.T) {
	w := theWorld(t)
	if c := claims(t, w.ask(t, curity, "curity-app").token(t)); c["role"] != "batch" {
		t.Errorf("role: %v", c["role"])
	}
}

func marshalled(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A program that puts token_type before the token as it stands, as the API of 2018
// with request-promise does, is refused for "bearer"; authlib and okta-sdk-golang
// want expires_in as a number; simple-oauth2, openid-client, x/oauth2 and the SDKs
// read nothing that is not application/json.
func TestTokenAnswersAreWhatProgramsRead(t *testing.T) {
	eachVendor(t, func(t *testing.T, w *world, issuer string) {
		a, _ := w.issued(t, issuer)
		wantJSON(t, a)
		wantJSON(t, w.get(t, w.origin(issuer)+vendors[issuer].keys))
		wantJSON(t, w.get(t, w.origin(issuer)+vendors[issuer].metadata))
		if vendors[issuer].own {
			return
		}
		body := a.json(t)
		if body["token_type"] != "Bearer" {
			t.Errorf("token_type %v", body["token_type"])
		}
		if n, ok := body["expires_in"].(float64); !ok || n <= 0 {
			t.Errorf("expires_in %v", body["expires_in"])
		}
		if _, ok := body["scope"].(string); !ok {
			t.Errorf("scope %v", body["scope"])
		}
	})
}

func wantJSON(t *testing.T, a answer) {
	t.Helper()
	if got, _, _ := strings.Cut(a.header.Get("Content-Type"), ";"); got != "application/json" {
		t.Errorf("Content-Type %q of %s", a.header.Get("Content-Type"), a.text)
	}
}

// The MCP SDK reads no metadata without authorization_endpoint and
// response_types_supported; it, openid-client, oauth4webapi, go-oidc and
// express-oauth2-jwt-bearer compare issuer octet by octet, and go-oidc goes by
// id_token_signing_alg_values_supported. openid-client and okta-sdk-nodejs sign
// proofs with RS256 only where that is offered.
func TestMetadataIsWhatProgramsRead(t *testing.T) {
	eachVendor(t, func(t *testing.T, w *world, issuer string) {
		v := vendors[issuer]
		a := w.get(t, w.origin(issuer)+v.metadata)
		a.wants(t, http.StatusOK, "")
		m := a.json(t)
		_, token := w.issued(t, issuer)
		if m["issuer"] != w.iss(issuer) || claims(t, token)["iss"] != m["issuer"] {
			t.Errorf("issuer %v, in tokens %v, want %s", m["issuer"], claims(t, token)["iss"], w.iss(issuer))
		}
		if m["jwks_uri"] != w.origin(issuer)+v.keys {
			t.Errorf("jwks_uri %v", m["jwks_uri"])
		}
		if v.own { // such programs read no metadata
			return
		}
		if m["token_endpoint"] != w.tokenURL(issuer) {
			t.Errorf("token_endpoint %v", m["token_endpoint"])
		}
		endpoint, _ := m["authorization_endpoint"].(string)
		if !strings.HasPrefix(endpoint, w.origin(issuer)+"/") {
			t.Fatalf("authorization_endpoint %q", endpoint)
		}
		if got := w.get(t, endpoint); got.status != http.StatusBadRequest {
			t.Errorf("the authorization endpoint answers %d %s", got.status, got.text)
		}
		for _, name := range []string{"response_types_supported", "subject_types_supported", "scopes_supported"} {
			if _, ok := m[name].([]any); !ok {
				t.Errorf("%s %v", name, m[name])
			}
		}
		for _, name := range []string{"id_token_signing_alg_values_supported", "dpop_signing_alg_values_supported"} {
			if list, _ := m[name].([]any); !slices.Contains(list, any("RS256")) {
				t.Errorf("%s %v", name, m[name])
			}
		}
		for _, form := range v.forms {
			if other := w.get(t, w.origin(issuer)+form); other.text != a.text {
				t.Errorf("%s: %d %s, want what is at %s", form, other.status, other.text, v.metadata)
			}
		}
	})
}

// okta-sdk-nodejs 8 presents a token as Bearer unless it has once been asked for a
// nonce, whether its client is bound or not; okta-sdk-golang sends no second proof,
// and the program of the article gives up. So at Okta's dialect every request
// with a proof is asked for a nonce first.
func TestProofsAreAskedForANonceFirst(t *testing.T) {
	w := theWorld(t)
	for _, test := range []struct{ issuer, client, scope, tokenType string }{
		{oktaOrg, "okta-dpop", "okta.users.read", "DPoP"},
		{oktaOrg, "okta-pk", "okta.users.read", "DPoP"},
		{oktaCustom, "okta-dpop", "api.read", "DPoP"},
		{oktaCustom, "okta-pk", "api.read", "DPoP"},
		{auth0, "everywhere-dpop", "api.read", "DPoP"},
		{curity, "everywhere-dpop", "api.read", "DPoP"},
	} {
		t.Run(test.issuer+" "+test.client, func(t *testing.T) {
			ask := func(proof map[string]any) answer {
				f := asserts(url.Values{"grant_type": {"client_credentials"}, "scope": {test.scope}}, w.assertion(t, test.client, w.iss(test.issuer), nil))
				return w.form(t, w.tokenURL(test.issuer), f, "DPoP", w.proof(t, w.key2, http.MethodPost, w.tokenURL(test.issuer), proof))
			}
			first := ask(nil)
			first.wants(t, http.StatusBadRequest, "use_dpop_nonce")
			nonce := first.header.Get("DPoP-Nonce")
			if nonce == "" {
				t.Fatal("no DPoP-Nonce")
			}
			second := ask(map[string]any{"nonce": nonce})
			if cnf, _ := claims(t, second.token(t))["cnf"].(map[string]any); cnf["jkt"] == nil {
				t.Errorf("cnf %v", cnf)
			}
			if got := second.json(t)["token_type"]; got != test.tokenType { // okta-sdk-golang compares it with DPoP, octet by octet
				t.Errorf("token_type %v", got)
			}
		})
	}
}

// Whatever else a dialect lets pass, no secret but the right one.
func TestNoOtherSecretDoes(t *testing.T) {
	w := theWorld(t)
	right := w.secrets["everywhere"]
	for _, issuer := range allIssuers {
		for what, wrong := range map[string]string{
			"none": "", "another": "wrong", "one that ends otherwise": right[:len(right)-1] + "x", "one that is longer": right + "x",
			"another client's": w.secrets["everywhere-odd"], "the right one in other letters": strings.ToUpper(right), "a blank before it": " " + right,
		} {
			t.Run(issuer+" "+what, func(t *testing.T) {
				form := url.Values{"grant_type": {"client_credentials"}, "scope": {"api.read"}, "client_id": {"everywhere"}, "client_secret": {wrong}}
				refused(t, issuer, w.form(t, w.tokenURL(issuer), form))
				if issuer != simple {
					refused(t, issuer, w.form(t, w.tokenURL(issuer), grant(), "Authorization", basic("everywhere", wrong)))
					refused(t, issuer, w.form(t, w.tokenURL(issuer), grant(), "Authorization", basic("everywhere", url.QueryEscape(wrong))))
				}
			})
		}
	}
}

// refused fails unless the answer is a refusal, in the issuer's shape, without a token.
func refused(t *testing.T, issuer string, a answer) {
	t.Helper()
	wantJSON(t, a)
	body := a.json(t)
	if body["access_token"] != nil || body["token"] != nil {
		t.Fatalf("%d %s", a.status, a.text)
	}
	right := a.status == http.StatusUnauthorized && body["error"] == "invalid_client"
	if issuer == simple {
		right = a.status == http.StatusOK && body["success"] == false
	}
	if !right {
		t.Errorf("%d %s", a.status, a.text)
	}
}
