package server

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

var random22 = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

// TestRFC6749_4_4_TokenAnswer walks one good request to its last octet.
func TestRFC6749_4_4_TokenAnswer(t *testing.T) {
	f := newFixture(t)
	w := f.post("billing", grant+"&scope=orders%3Aread")
	answer, claims, token := f.token(w)

	// RFC 6749 §5.1: the members, and none besides; the headers.
	want := `{"access_token":"` + answer.AccessToken + `","token_type":"Bearer","expires_in":600,"scope":"orders:read"}`
	if w.Body.String() != want {
		t.Errorf("body %s", w.Body)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"} {
		if got := w.Header().Values(name); len(got) != 1 || got[0] != value {
			t.Errorf("%s: %q", name, got)
		}
	}
	// RFC 9068 §2.1: the header.
	head, err := jose.DecodeSegment(answer.AccessToken[:strings.IndexByte(answer.AccessToken, '.')])
	if err != nil || string(head) != `{"alg":"ES256","kid":"`+token.Header.KeyID+`","typ":"at+jwt"}` {
		t.Errorf("header %s, %v", head, err)
	}
	// RFC 9068 §2.2: the claims.
	if !random22.MatchString(claims.ID) {
		t.Errorf("jti %q", claims.ID)
	}
	claims.ID = ""
	if diff := cmp.Diff(&symbolon.Claims{
		Issuer: base, Subject: "billing", Audience: []string{"https://orders.example.com"},
		IssuedAt: start.Unix(), Expiry: start.Unix() + 600, ClientID: "billing", Scope: "orders:read",
		Gen: f.replica.Snapshot().Gen(), Cred: "s1",
		Extra: map[string]json.RawMessage{"role": json.RawMessage(`"batch"`)}, // and no other sub
	}, claims); diff != "" {
		t.Error(diff)
	}
	// RFC 7519 §4.1.3: one audience is a string.
	if !strings.Contains(string(token.Payload), `"aud":"https://orders.example.com"`) {
		t.Errorf("payload %s", token.Payload)
	}
	if gen := f.replica.Snapshot().Gen(); gen>>40 != 1 || gen&(1<<40-1) != f.replica.Snapshot().Seq {
		t.Errorf("gen %d", gen)
	}
}

func TestEveryTokenHasItsOwnID(t *testing.T) {
	f := newFixture(t)
	seen := map[string]bool{}
	for range 200 {
		_, claims, _ := f.token(f.post("billing", grant))
		seen[claims.ID] = true
	}
	if len(seen) != 200 {
		t.Errorf("%d different jti of 200", len(seen))
	}
}

// TestGoodRequests: who asks how gets what.
func TestGoodRequests(t *testing.T) {
	f := newFixture(t)
	tests := map[string]struct {
		target, form string // the issuer's token endpoint; the default's when empty
		header       []string
		aud, scope   string
		cred, typ    string
	}{
		"RFC 6749 §2.3.1: Basic":                      {form: grant, scope: "orders:read"},
		"RFC 6749 §2.3.1: in the body":                {form: grant + "&client_id=billing&client_secret=" + secret1, header: []string{"Authorization", ""}, scope: "orders:read"},
		"client_id beside Basic, the same":            {form: grant + "&client_id=billing", scope: "orders:read"},
		"the second of several secrets":               {form: grant, header: []string{"Authorization", basicAuth("rotating", secret2)}, scope: "orders:read", cred: "s2"},
		"the first live of several secrets":           {form: grant, header: []string{"Authorization", basicAuth("rotating", secret1)}, scope: "orders:read"},
		"an imported secret, form-encoded":            {form: grant, header: []string{"Authorization", basicAuth("old", importedOne)}, scope: "orders:read"},
		"an imported secret in the body":              {form: grant + "&client_id=old&client_secret=" + url.QueryEscape(importedOne), header: []string{"Authorization", ""}, scope: "orders:read"},
		"narrowed to Basic":                           {form: grant, header: []string{"Authorization", basicAuth("basic-only", secret1)}, scope: "orders:read"},
		"narrowed to the body":                        {form: grant + "&client_id=post-only&client_secret=" + secret1, header: []string{"Authorization", ""}, scope: "orders:read"},
		"a charset in the Content-Type":               {form: grant, header: []string{"Content-Type", "Application/X-WWW-Form-Urlencoded ; charset=UTF-8", "Authorization", basicAuth("billing", secret1)}, scope: "orders:read"},
		"RFC 6749 §3.2: unknown parameters":           {form: grant + "&login_hint=x&Scope=y", scope: "orders:read"},
		"RFC 6749 §3.3: several scopes, as asked":     {form: grant + "&scope=orders%3Awrite+orders%3Aread", scope: "orders:write orders:read"},
		"RFC 6749 §3.3: a scope twice is once":        {form: grant + "&scope=orders%3Aread+orders%3Aread++", scope: "orders:read"},
		"RFC 6749 §3.2: scope without a value":        {form: grant + "&scope=", scope: "orders:read"},
		"RFC 6749 §3.3: no scope, the answer says it": {form: grant + "&resource=https%3A%2F%2Ffiles.example.com%2Fv1", aud: "https://files.example.com/v1", scope: "files:read", typ: "JWT"},
		"RFC 8707 §2: resource":                       {form: grant + "&resource=https%3A%2F%2Forders.example.com", scope: "orders:read"},
		"RFC 8707 §2: an empty path, with a slash":    {form: grant + "&resource=https%3A%2F%2Forders.example.com%2F", scope: "orders:read"},
		"RFC 8707 §2: resource twice, the same":       {form: grant + "&resource=https%3A%2F%2Forders.example.com&resource=https%3A%2F%2Forders.example.com%2F", scope: "orders:read"},
		"audience":                                    {form: grant + "&audience=https%3A%2F%2Forders.example.com", scope: "orders:read"},
		"audience, a legacy identifier":               {form: grant + "&audience=urn-less+legacy", aud: "urn-less legacy", scope: "legacy:use"},
		"resource and audience agree":                 {form: grant + "&audience=https%3A%2F%2Forders.example.com&resource=https%3A%2F%2Forders.example.com", scope: "orders:read"},
		"the one API that has the scope":              {form: grant + "&scope=files%3Aread", aud: "https://files.example.com/v1", scope: "files:read", typ: "JWT"},
		"RFC 6749 §5.1: a token without scope":        {form: grant, header: []string{"Authorization", basicAuth("scopeless", secret1)}, aud: "https://bare.example.com"},
		"another issuer by its path":                  {target: base + "/partners", form: grant, header: []string{"Authorization", basicAuth("everywhere", secret1)}, scope: "orders:read"},
		"another issuer by host, port and path":       {target: "https://tokens.example.net:8443/a/b", form: grant, header: []string{"Authorization", basicAuth("everywhere", secret1)}, aud: "https://files.example.net", scope: "a"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			c.target = or(c.target, base)
			f.in(t)
			w := f.ask("POST", c.target+"/token", c.form, asBilling(c.header)...)
			answer, claims, token := f.token(w)
			if claims.Issuer != c.target || len(claims.Audience) != 1 || claims.Audience[0] != or(c.aud, "https://orders.example.com") || claims.Scope != c.scope {
				t.Errorf("claims %+v", claims)
			}
			if answer.Scope != c.scope || (c.scope == "") != !strings.Contains(w.Body.String(), `"scope"`) {
				t.Errorf("answer %s", w.Body)
			}
			if claims.Cred != or(c.cred, "s1") || token.Header.Type != or(c.typ, "at+jwt") {
				t.Errorf("cred %q, typ %q", claims.Cred, token.Header.Type)
			}
		})
	}
}

// asBilling adds the credentials of most tests to a header that names none.
func asBilling(header []string) []string {
	if slices.Contains(header, "Authorization") {
		return header
	}
	return slices.Concat(header, []string{"Authorization", basicAuth("billing", secret1)})
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// refusal is a whole answer.
type refusal struct {
	status      int
	code        symbolon.Code
	description string
	headers     map[string]string // besides those that all have
}

func refusedBy(e *symbolon.Error, headers ...string) refusal {
	r := refusal{status: e.Code.TokenStatus(), code: e.Code.Wire(), description: e.Description, headers: map[string]string{}}
	for i := 0; i < len(headers); i += 2 {
		r.headers[headers[i]] = headers[i+1]
	}
	return r
}

// check compares the answer, to the last octet of its body.
func (want refusal) check(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	body, err := json.Marshal(symbolon.ErrorAnswer{Error: want.code, ErrorDescription: want.description})
	if err != nil {
		t.Fatal(err)
	}
	if w.Code != want.status || w.Body.String() != string(body) {
		t.Errorf("got  %d %s\nwant %d %s", w.Code, w.Body, want.status, body)
	}
	headers := map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache",
		"Www-Authenticate": "", "Allow": "", "Retry-After": "", "Location": "",
	}
	for name, value := range want.headers {
		headers[name] = value
	}
	for name, value := range headers {
		if got := strings.Join(w.Header().Values(name), ", "); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if !random22.MatchString(w.Header().Get("Request-Id")) {
		t.Errorf("Request-Id %q", w.Header().Get("Request-Id"))
	}
}

const challenge = `Basic realm="symbolon"`

// The refusals that come from the registry's rules, by their sentences: the
// wire is fixed, so the test says it anew.
var (
	refusedClient = refusal{status: 401, code: "invalid_client", description: "the client is not known here, is not active, or its credential does not fit; the request id leads an operator to the cause"}
	refusedBasic  = refusal{status: 401, code: "invalid_client", description: refusedClient.description, headers: map[string]string{"Www-Authenticate": challenge}}
	refusedTarget = refusal{status: 400, code: "invalid_target", description: "no API by that name is granted to the client at this issuer; check resource or audience, and the access of the client"}
	refusedWhich  = refusal{status: 400, code: "invalid_target", description: "the request does not tell which API it is for; send resource, or give the client a default API at this issuer"}
	refusedScope  = refusal{status: 400, code: "invalid_scope", description: "a scope is unknown or not granted to the client at this API; ask for scopes within its access, or for none"}
	differentAPIs = refusal{status: 400, code: "invalid_target", description: "resource and audience name different APIs; send one of them"}
	severalAPIs   = refusal{status: 400, code: "invalid_target", description: "one token for several resources must be sender-constrained; ask for one token per resource"}
)

// TestBadRequests: every way to be wrong, with the whole answer.
func TestBadRequests(t *testing.T) {
	f := newFixture(t)
	basicOf := func(id, secret string) []string { return []string{"Authorization", basicAuth(id, secret)} }
	none := []string{"Authorization", ""}
	tests := map[string]struct {
		method, query, form string
		header              []string
		want                refusal
	}{
		"RFC 6749 §3.2: GET":                     {method: "GET", want: refusedBy(errAsMethod, "Allow", "POST")},
		"RFC 6749 §3.2: PUT":                     {method: "PUT", form: grant, want: refusedBy(errAsMethod, "Allow", "POST")},
		"parameters in the URL":                  {query: "?" + grant, form: grant, want: refusedBy(errQuery)},
		"RFC 6749 §2.3.1: a secret in the URL":   {query: "?" + grant + "&client_id=billing&client_secret=" + secret1, header: none, want: refusedBy(errQuery)},
		"no Content-Type":                        {form: grant, header: []string{"Content-Type", ""}, want: refusedBy(errContentType)},
		"JSON":                                   {form: `{"grant_type":"client_credentials"}`, header: []string{"Content-Type", "application/json"}, want: refusedBy(errContentType)},
		"two Content-Types":                      {form: grant, header: []string{"Content-Type", formType, "Content-Type", "application/json"}, want: refusedBy(errContentType)},
		"multipart":                              {form: grant, header: []string{"Content-Type", "multipart/form-data; boundary=x"}, want: refusedBy(errContentType)},
		"a compressed body":                      {form: grant, header: []string{"Content-Encoding", "gzip"}, want: refusedBy(errContentType)},
		"more than 64 KiB":                       {form: grant + "&x=" + strings.Repeat("x", symbolon.MaxBody), want: refusal{status: 413, code: "invalid_request", description: "the request body is larger than this server reads: 64 KiB at the OAuth endpoints"}},
		"65 parameters":                          {form: many(65), want: refusedBy(errTooMany)},
		"RFC 6749 §3.2: a repeated parameter":    {form: grant + "&scope=orders%3Aread&scope=orders%3Aread", want: refusedBy(errRepeated)},
		"RFC 6749 §3.2: a repeated grant_type":   {form: grant + "&" + grant, want: refusedBy(errRepeated)},
		"a malformed form":                       {form: grant + "&scope=%zz", want: refusedBy(errForm)},
		"a control character":                    {form: grant + "&scope=orders%3Aread%00", want: refusedBy(errCharacters)},
		"RFC 6749 §2.3: two methods":             {form: grant + "&client_id=billing&client_secret=" + secret1, header: basicOf("billing", secret1), want: refusedBy(errTwoMethods)},
		"RFC 6749 §2.3: Basic and an assertion":  {form: grant + "&client_assertion=x", header: basicOf("billing", secret1), want: refusedBy(errTwoMethods)},
		"RFC 6749 §2.3: secret and assertion":    {form: grant + "&client_id=billing&client_secret=x&client_assertion_type=y", header: none, want: refusedBy(errTwoMethods)},
		"two Authorization headers":              {form: grant, header: []string{"Authorization", basicAuth("billing", secret1), "Authorization", basicAuth("billing", secret1)}, want: refusedBy(errTwoMethods)},
		"two clients":                            {form: grant + "&client_id=rotating", header: basicOf("billing", secret1), want: refusedBy(errTwoClients)},
		"a secret without a client":              {form: grant + "&client_secret=" + secret1, header: none, want: refusedBy(errNoClientID)},
		"malformed Basic":                        {form: grant, header: []string{"Authorization", "Basic !"}, want: refusedBy(errBasic)},
		"a secret and NUL in Basic":              {form: grant, header: []string{"Authorization", basic("billing:" + secret1 + "\x00")}, want: refusedBy(errBasic)},
		"RFC 6749 §5.2: no authentication":       {form: grant, header: none, want: refusedClient},
		"RFC 6749 §5.2: a client_id alone":       {form: grant + "&client_id=billing", header: none, want: refusedClient},
		"RFC 6749 §5.2: an assertion":            {form: grant + "&client_id=billing&client_assertion=x&client_assertion_type=y", header: none, want: refusedClient},
		"RFC 6749 §5.2: another scheme":          {form: grant, header: []string{"Authorization", "Bearer " + secret1}, want: refusedBasic},
		"another scheme beside good parameters":  {form: grant + "&client_id=billing&client_secret=" + secret1, header: []string{"Authorization", "Negotiate x"}, want: refusedBy(errTwoMethods)},
		"an empty Authorization":                 {form: grant, header: []string{"Authorization", " "}, want: refusedBasic},
		"RFC 6749 §4.4.2: no grant_type":         {form: "scope=orders%3Aread", want: refusedBy(errNoGrant)},
		"RFC 6749 §5.2: unsupported_grant_type":  {form: "grant_type=authorization_code&code=x", want: refusedBy(errGrant)},
		"RFC 6749 §5.2: case of the grant":       {form: "grant_type=Client_Credentials", want: refusedBy(errGrant)},
		"RFC 6749 §3.3: scope's characters":      {form: grant + "&scope=orders%3Aread+%22x%22", want: refusedBy(errScopeForm)},
		"RFC 6749 §3.3: an unknown scope":        {form: grant + "&resource=https%3A%2F%2Forders.example.com&scope=orders%3Anonsense", want: refusedScope},
		"RFC 6749 §3.3: a scope not granted":     {form: grant + "&resource=https%3A%2F%2Forders.example.com&scope=orders%3Aadmin", want: refusedScope},
		"RFC 6749 §3.3: one of several":          {form: grant + "&scope=orders%3Aread+orders%3Aadmin", want: refusedScope},
		"RFC 6749 §3.3: of another API":          {form: grant + "&resource=https%3A%2F%2Forders.example.com&scope=files%3Aread", want: refusedScope},
		"RFC 8707 §2: an unknown resource":       {form: grant + "&resource=https%3A%2F%2Fnobody.example.com", want: refusedTarget},
		"RFC 8707 §2: a resource without access": {form: grant + "&resource=https%3A%2F%2Fbare.example.com", want: refusedTarget},
		"RFC 8707 §2: with a fragment":           {form: grant + "&resource=https%3A%2F%2Forders.example.com%23x", want: refusedTarget},
		"RFC 8707 §2: not a URI":                 {form: grant + "&resource=urn-less+legacy", want: refusedTarget},
		"RFC 8707 §2: of another issuer":         {form: grant + "&resource=https%3A%2F%2Ffiles.example.net", want: refusedTarget},
		"RFC 8707 §2: one good, one bad":         {form: grant + "&resource=https%3A%2F%2Forders.example.com&resource=https%3A%2F%2Fnobody.example.com", want: refusedTarget},
		"several resources, bearer":              {form: grant + "&resource=https%3A%2F%2Forders.example.com&resource=https%3A%2F%2Ffiles.example.com%2Fv1", want: severalAPIs},
		"an unknown audience":                    {form: grant + "&audience=x", want: refusedTarget},
		"resource and audience differ":           {form: grant + "&audience=https%3A%2F%2Forders.example.com&resource=https%3A%2F%2Ffiles.example.com%2Fv1", want: differentAPIs},
		"nothing tells the API":                  {form: grant, header: basicOf("undecided", secret1), want: refusedWhich},
		"no access at all":                       {form: grant, header: basicOf("no-access", secret1), want: refusedWhich},
		"an unknown client":                      {form: grant, header: basicOf("nobody", secret1), want: refusedBasic},
		"an unknown client in the body":          {form: grant + "&client_id=nobody&client_secret=" + secret1, header: none, want: refusedClient},
		"a wrong secret":                         {form: grant, header: basicOf("billing", secret2), want: refusedBasic},
		"an empty secret":                        {form: grant, header: basicOf("billing", ""), want: refusedBasic},
		"a secret and more":                      {form: grant, header: basicOf("billing", secret1+"x"), want: refusedBasic},
		"the stored form of the secret":          {form: grant, header: basicOf("billing", registry.HashGenerated(secret1)), want: refusedBasic},
		"an expired secret":                      {form: grant, header: basicOf("rotating", secret3), want: refusedBasic},
		"RFC 6749 §2.3: narrowed, not to body":   {form: grant + "&client_id=basic-only&client_secret=" + secret1, header: none, want: refusedClient},
		"RFC 6749 §2.3: narrowed, not to Basic":  {form: grant, header: basicOf("post-only", secret1), want: refusedBasic},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			f.in(t)
			w := f.ask(or(c.method, "POST"), base+"/token"+c.query, c.form, asBilling(c.header)...)
			c.want.check(t, w)
			// Nothing of the request comes back.
			for _, sent := range []string{secret1, secret2, "nonsense", "nobody", "zz", "urn-less"} {
				if strings.Contains(w.Body.String(), sent) {
					t.Errorf("the answer repeats %q: %s", sent, w.Body)
				}
			}
		})
	}
	// The good token still works after all of that.
	f.token(f.post("billing", grant))
}

// errAsMethod is package web's refusal of a method, by its sentence.
var errAsMethod = symbolon.NewError(symbolon.MethodNotAllowed, "this endpoint does not take that method; the Allow header names those that it takes")

// TestIssuersAreApart: a client is unknown where it may not authenticate, also
// when issuers share the host and APIs share the identifier.
func TestIssuersAreApart(t *testing.T) {
	f := newFixture(t)
	ask := func(issuer, client string) *httptest.ResponseRecorder {
		return f.ask("POST", issuer+"/token", grant, "Authorization", basicAuth(client, secret1))
	}
	refusedBasic.check(t, ask(base+"/partners", "billing"))
	refusedBasic.check(t, ask(base, "partner"))
	refusedBasic.check(t, ask("https://tokens.example.net:8443/a/b", "partner"))
	for _, url := range []string{"https://other.example.com/token", "https://tokens.example.net/a/b/token", base + "/token/", base + "//token", base + "/Token", base + "/partners/partners/token"} {
		if w := f.ask("POST", url, grant, "Authorization", basicAuth("everywhere", secret1)); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", url, w.Code)
		}
	}
	_, one, token1 := f.token(ask(base, "everywhere"))
	_, two, token2 := f.token(ask(base+"/partners", "everywhere"))
	if one.Issuer == two.Issuer || token1.Header.KeyID == token2.Header.KeyID {
		t.Errorf("%q by %q, %q by %q", one.Issuer, token1.Header.KeyID, two.Issuer, token2.Header.KeyID)
	}
}

// TestAlgorithmsAndLifetimes: format, algorithm, typ and life are the API's,
// else the issuer's, else the defaults (RFC 9068 §2.1: RS256 too).
func TestAlgorithmsAndLifetimes(t *testing.T) {
	f := newFixture(t)
	for _, alg := range []jose.Algorithm{jose.ES256, jose.ES384, jose.PS256, jose.RS256, jose.EdDSA} {
		f.apply(&registry.API{ID: "orders", Issuer: "default", Identifier: "https://orders.example.com",
			Scopes: map[string]registry.Scope{"orders:read": {}}, Token: registry.APIToken{Algorithm: string(alg)}}, f.key("default", alg))
		answer, claims, token := f.token(f.post("billing", grant+"&scope=orders:read"))
		if token.Header.Algorithm != alg {
			t.Errorf("alg %s, want %s", token.Header.Algorithm, alg)
		}
		if answer.ExpiresIn != 3600 || claims.Expiry-claims.IssuedAt != 3600 {
			t.Errorf("%s: lives %d s", alg, claims.Expiry-claims.IssuedAt)
		}
	}
	f.apply(&registry.Issuer{ID: "default", Token: registry.IssuerToken{Lifetime: registry.Duration(5 * time.Minute)}})
	if answer, _, _ := f.token(f.post("billing", grant+"&scope=orders:read")); answer.ExpiresIn != 300 {
		t.Errorf("the issuer's lifetime: %d", answer.ExpiresIn)
	}
}

// TestNoTokenOutlivesItsKey: exp is never later than the deletion of the key,
// and without a key there is no token.
func TestNoTokenOutlivesItsKey(t *testing.T) {
	f := newFixture(t)
	key := f.replica.Snapshot().Issuers["default"].Keys[jose.ES256][0]
	ending := *key
	ending.Deletes = start.Add(90 * time.Second)
	f.apply(&ending)
	answer, claims, _ := f.token(f.post("billing", grant))
	if answer.ExpiresIn != 90 || time.Unix(claims.Expiry, 0).After(ending.Deletes) {
		t.Errorf("expires in %d, the key is deleted in 90", answer.ExpiresIn)
	}
	unavailable := refusedBy(errNoSigner, "Retry-After", "5")
	f.advance(89*time.Second + 900*time.Millisecond) // its last second: no whole one is left
	unavailable.check(t, f.post("billing", grant))
	f.advance(time.Second)
	unavailable.check(t, f.post("billing", grant))

	revoked := *key
	revoked.Revoked, revoked.Private = start, ""
	f.apply(&revoked)
	unavailable.check(t, f.post("billing", grant))
	// Other algorithms of the issuer go on.
	f.token(f.post("billing", grant+"&scope=files:read"))
}

// TestAnotherMasterKeySignsNothing: a node that cannot open the key says so by
// its status, and in the record.
func TestAnotherMasterKeySignsNothing(t *testing.T) {
	f := newFixture(t)
	f.cfg.Ring = keys.NewRing(keys.NewMaster())
	refusedBy(errNoSigner, "Retry-After", "5").check(t, f.post("billing", grant))
	last := f.records()[0]
	if last.Outcome != "error" || !strings.Contains(last.Reason, "master key") {
		t.Errorf("record %+v", last)
	}
}

// TestAStaleNodeAnswersNothing: past max_stale without its store a node refuses
// by its status, tokens and documents alike.
func TestAStaleNodeAnswersNothing(t *testing.T) {
	f := newFixtureOn(t, pgtest.Database(t))
	f.token(f.post("billing", grant))
	f.advance(time.Hour)
	f.token(f.post("billing", grant))
	f.advance(time.Second)
	want := refusedBy(errStale, "Retry-After", "5")
	want.check(t, f.post("billing", grant))
	want.check(t, f.post("nobody", grant))
	want.check(t, f.about("/introspect", "billing", "x"))
	want.check(t, f.outside("verify", func(at Place, x *web.Exchange) error {
		_, err := f.Recognize(at, x, "x")
		return err
	}))
	want.check(t, f.outside("management", func(at Place, _ *web.Exchange) error { return f.Current(at) }))
	want.check(t, f.get(base+"/jwks"))
	want.check(t, f.get(base+"/.well-known/openid-configuration"))
	if err := f.replica.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.token(f.post("billing", grant))
	if w := f.outside("management", func(at Place, _ *web.Exchange) error { return f.Current(at) }); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestAnOverlongTokenIsTheOperatorsFault: no library takes one, so none leaves,
// and the log says which client's claims to shorten.
func TestAnOverlongTokenIsTheOperatorsFault(t *testing.T) {
	f := newFixture(t)
	f.apply(with(billing(), func(c *registry.Client) {
		c.Claims["long"] = json.RawMessage(`"` + strings.Repeat("x", symbolon.MaxToken) + `"`)
	}))
	w := f.post("billing", grant)
	refusal{status: 500, code: "server_error", description: symbolon.AsError(io.EOF).Description}.check(t, w)
	if !strings.Contains(f.log.String(), "claims of client billing") || f.records()[0].Outcome != "error" {
		t.Errorf("log:\n%s", &f.log)
	}
}
