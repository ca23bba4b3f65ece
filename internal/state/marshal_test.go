package state

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

func TestMarshalExample(t *testing.T) {
	hash := `hash: "` + registry.HashGenerated(generated) + `"`
	r, err := parse(strings.NewReplacer("value_from: {env: BILLING_SECRET}", hash, "value_from: {env: CI_TOKEN}", hash).Replace(example))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Marshal("main", r.Objects)
	if err != nil {
		t.Fatal(err)
	}
	want := `set: main
issuers:
  - id: default
    token: {lifetime: 1h}
    profile: standard
    dpop_nonce: required
    replay: strict
    keys: {rotate: 90d, announce: 24h}
  - id: partners
  - id: okta
    url: https://okta.example.com
    dialect: okta
  - id: okta-default
    url: https://okta.example.com/oauth2/default
    dialect: okta
    audience: api://default
  - id: auth0
    url: https://auth0.example.com
    dialect: auth0
    subject_suffix: '@clients'
apis:
  - id: orders
    issuer: default
    identifier: https://orders.example.com
    scopes:
      orders:read: Read orders
      orders:write: Change orders
    token: {format: jwt, lifetime: 10m, algorithm: ES256, typ: at+jwt}
    bound: optional
    dpop_nonce: off
clients:
  - id: billing
    name: Nightly billing
    owner: ann
    labels:
      team: finance
    state: active
    issuers: [default]
    bound: optional
    secrets:
      - id: s1
        hash: sha256:` + registry.HashGenerated(generated)[7:] + `
        expires: 2027-01-01
    keys:
      - id: k1
        jwk: {crv: P-256, kty: EC, x: ` + jwkMember(t, "x") + `, y: ` + jwkMember(t, "y") + `, use: sig, alg: ES256}
    jwks_uri: https://billing.example.com/jwks
    certificates:
      - id: c1
        subject_dn: CN=billing
      - id: c2
        pem: |
` + indented(t, "testdata/billing.crt") + `        expires: 2027-01-01
    legacy_assertion: {until: 2027-01-01, audience: [token_endpoint, issuer_array], max_lifetime: 1h}
    auth: [private_key_jwt]
    access:
      orders: ['orders:read']
    default_api: [orders]
    claims:
      role: batch
operators:
  - id: ann
    name: Ann Example
    email: ann@example.com
    role: admin
operator_tokens:
  - id: ci
    role: operator
    issuers: [okta]
    ssws: true
    expires: 2027-01-01
    hash: sha256:` + registry.HashGenerated(generated)[7:] + `
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// jwkMember is a member of the key in testdata/public.pem.
func jwkMember(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/public.pem")
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := registry.PublicJWK(text)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]string
	if err := json.Unmarshal(jwk, &members); err != nil {
		t.Fatal(err)
	}
	return members[name]
}

// indented is a file as a block of YAML.
func indented(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		b.WriteString("          " + line)
	}
	return b.String()
}

func TestMarshalRefusesASecretWithoutHash(t *testing.T) {
	r, err := parse(example)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := Marshal("main", r.Objects); err == nil {
		t.Errorf("%s", b)
	}
}

var (
	someText  = rapid.OneOf(rapid.SampledFrom([]string{"", "a", "null", "010", "true", "2027-01-01", "a: b", "# a", "é…", "- a", `"`, `\`, "{}", "~"}), rapid.StringMatching(`[ -~äß€😀\x{2028}\x{a0}]{0,20}`))
	someID    = rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,8}`)
	someScope = rapid.StringMatching(`[!#-\[\]-~]{1,8}`)
)

// named draws an object's named members: each is set by its function or left
// alone.
func named(t *rapid.T, members map[string]func()) admin.Fields {
	var fields admin.Fields
	for _, name := range sorted(members) {
		if rapid.Bool().Draw(t, name) {
			members[name]()
			fields = append(fields, name)
		}
	}
	return fields
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func drawDuration(t *rapid.T, most registry.Duration) registry.Duration {
	return registry.Duration(rapid.Int64Range(0, int64(most.Std()/time.Second)).Draw(t, "seconds")) * registry.Duration(time.Second)
}

func drawIssuer(t *rapid.T, id string) admin.Named[registry.Issuer] {
	var n admin.Named[registry.Issuer]
	o := &n.Object
	o.ID = id
	n.Fields = named(t, map[string]func(){
		"url":            func() { o.URL = "https://" + id + ".example/" + id },
		"token.lifetime": func() { o.Token.Lifetime = drawDuration(t, registry.MaxLifetime) },
		"profile":        func() { o.Profile = registry.ProfileStandard },
		"dialect":        func() { o.Dialect = rapid.SampledFrom([]string{"", registry.DialectCurity}).Draw(t, "dialect") },
		"audience": func() {
			o.Audience = rapid.SampledFrom([]string{"", "api://default", "true", "010"}).Draw(t, "audience")
		},
		"dpop_nonce":    func() { o.DPoPNonce = rapid.SampledFrom([]string{"required", "off"}).Draw(t, "nonce") },
		"replay":        func() { o.Replay = registry.ReplayLocal },
		"keys.rotate":   func() { o.Keys.Rotate = registry.DefaultRotate + drawDuration(t, registry.DefaultRotate) },
		"keys.announce": func() { o.Keys.Announce = registry.MinAnnounce + drawDuration(t, registry.DefaultAnnounce) },
	})
	return n
}

func drawAPI(t *rapid.T, id string) admin.Named[registry.API] {
	var n admin.Named[registry.API]
	o := &n.Object
	o.ID = id
	n.Fields = named(t, map[string]func(){
		"issuer": func() { o.Issuer = someID.Draw(t, "issuer") },
		"identifier": func() {
			o.Identifier = rapid.SampledFrom([]string{"https://o.example", "null", "5", "a:b", "*a"}).Draw(t, "identifier")
		},
		"name": func() { o.Name = someText.Draw(t, "name") },
		"scopes": func() {
			o.Scopes = map[string]registry.Scope{}
			for _, s := range rapid.SliceOfN(someScope, 0, 4).Draw(t, "scopes") {
				o.Scopes[s] = registry.Scope{Description: someText.Draw(t, "description"), Default: rapid.Bool().Draw(t, "default")}
			}
		},
		"token.lifetime":  func() { o.Token.Lifetime = drawDuration(t, registry.MaxLifetime) },
		"token.algorithm": func() { o.Token.Algorithm = rapid.SampledFrom([]string{"", "RS256"}).Draw(t, "algorithm") },
		"token.format":    func() { o.Token.Format = "jwt" },
		"token.typ":       func() { o.Token.Typ = rapid.SampledFrom([]string{"", "JWT"}).Draw(t, "typ") },
		"bound":           func() { o.Bound = rapid.SampledFrom([]string{"optional", "required", "dpop", "mtls"}).Draw(t, "bound") },
		"dpop_nonce":      func() { o.DPoPNonce = registry.NonceOff },
	})
	return n
}

func drawClient(t *rapid.T, id string) admin.Named[registry.Client] {
	var n admin.Named[registry.Client]
	o := &n.Object
	o.ID = id
	o.Access = map[string][]string{}
	for _, api := range rapid.SliceOfNDistinct(someID, 0, 3, rapid.ID[string]).Draw(t, "APIs") {
		o.Access[api] = rapid.SliceOfNDistinct(someScope, 0, 3, rapid.ID[string]).Draw(t, "granted")
	}
	var expiries admin.Fields
	n.Fields = named(t, map[string]func(){
		"name":         func() { o.Name = someText.Draw(t, "name") },
		"owner":        func() { o.Owner = someID.Draw(t, "owner") },
		"labels":       func() { o.Labels = rapid.MapOfN(someID, someText, 0, 3).Draw(t, "labels") },
		"state":        func() { o.State = registry.StateDisabled },
		"issuers":      func() { o.Issuers = rapid.SliceOfNDistinct(someID, 0, 3, rapid.ID[string]).Draw(t, "issuers") },
		"bound":        func() { o.Bound = "mtls" },
		"jwks_uri":     func() { o.JWKSURI = "https://keys.example/" + id },
		"keys":         func() { o.Keys = drawKeys(t, &expiries) },
		"certificates": func() { o.Certificates = drawCertificates(t, &expiries) },
		"legacy_assertion": func() {
			if rapid.Bool().Draw(t, "exception") {
				o.LegacyAssertion = &registry.LegacyAssertion{Until: someTime.Draw(t, "until").Add(time.Hour),
					Audience: []string{registry.AudienceTokenEndpoint}, MaxLifetime: drawDuration(t, registry.MaxLegacyLifetime)}
			}
		},
		"auth":        func() { o.Auth = []string{"client_secret_post"} },
		"access":      func() {},
		"default_api": func() { o.DefaultAPI = sorted(o.Access) },
		"claims": func() {
			o.Claims = map[string]json.RawMessage{"x" + someID.Draw(t, "claim"): rapid.Custom(drawJSON).Draw(t, "value")}
		},
	})
	n.Fields = append(n.Fields, expiries...)
	if !n.Fields.Has("access") {
		o.Access = nil
	}
	if rapid.Bool().Draw(t, "with secrets") {
		n.Fields = append(n.Fields, "secrets")
		for i, sid := range rapid.SliceOfNDistinct(someID, 0, 3, rapid.ID[string]).Draw(t, "secrets") {
			sid = "s" + sid // not the id of a key or certificate
			s := registry.Secret{ID: sid, Hash: registry.HashGenerated(fmt.Sprint(i))}
			if rapid.Bool().Draw(t, "expires") {
				n.Fields = append(n.Fields, "secrets."+sid+".expires")
				s.Expires = rapid.SampledFrom([]time.Time{{}, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 1, 2, 3, 4, time.UTC)}).Draw(t, "at")
			}
			o.Secrets = append(o.Secrets, s)
		}
	}
	slices.Sort(n.Fields)
	return n
}

var someTime = rapid.SampledFrom([]time.Time{{}, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 1, 2, 3, 4, time.UTC)})

// drawExpiry sets an expiry in half of the cases.
func drawExpiry(t *rapid.T, fields *admin.Fields, path string) time.Time {
	if !rapid.Bool().Draw(t, "expires") {
		return time.Time{}
	}
	*fields = append(*fields, path+".expires")
	return someTime.Draw(t, "at")
}

func drawKeys(t *rapid.T, fields *admin.Fields) []registry.ClientKey {
	var keys []registry.ClientKey
	for i, kid := range rapid.SliceOfN(someText, 0, 3).Draw(t, "kids") {
		id := "k" + fmt.Sprint(i)
		key, err := jose.NewKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i)}, 32)).Public(), "", strings.Repeat(kid, i%2)+strings.Repeat("x", i))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, registry.ClientKey{ID: id, JWK: key.JSON(), Expires: drawExpiry(t, fields, "keys."+id)})
	}
	return keys
}

func drawCertificates(t *rapid.T, fields *admin.Fields) []registry.Certificate {
	all := []registry.Certificate{{ID: "c1", SubjectDN: `CN="a, b"`}, {ID: "c2", SANDNS: "null.example"}, {ID: "c3", SANURI: "urn:a:b"},
		{ID: "c4", SANIP: "2001:db8::1"}, {ID: "c5", SANEmail: "a@b.example"}, {ID: "c6", SubjectDN: "2.5.4.3=#0c0161"}}
	list := all[:rapid.IntRange(0, len(all)).Draw(t, "certificates")]
	for i := range list {
		list[i].Expires = drawExpiry(t, fields, "certificates."+list[i].ID)
	}
	return list
}

func drawJSON(t *rapid.T) json.RawMessage {
	text := someText.Draw(t, "text")
	b, err := json.Marshal(rapid.SampledFrom([]any{text, 5, -2.5, 1e300, true, nil, []any{text, 1}, map[string]any{text: text, "b": map[string]any{}}}).Draw(t, "JSON"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func drawOperator(t *rapid.T, id string) admin.Named[registry.Operator] {
	var n admin.Named[registry.Operator]
	o := &n.Object
	o.ID = id
	n.Fields = named(t, map[string]func(){
		"name":  func() { o.Name = someText.Draw(t, "name") },
		"email": func() { o.Email = "ann@example.com" },
		"role":  func() { o.Role = registry.RoleViewer },
	})
	return n
}

func drawOperatorToken(t *rapid.T, id string) admin.Named[registry.OperatorToken] {
	var n admin.Named[registry.OperatorToken]
	o := &n.Object
	o.ID, o.Hash = id, registry.HashGenerated(id)
	n.Fields = append(named(t, map[string]func(){
		"name":    func() { o.Name = someText.Draw(t, "name") },
		"role":    func() { o.Role = registry.RoleViewer },
		"issuers": func() { o.Issuers = rapid.SliceOfNDistinct(someID, 1, 3, rapid.ID[string]).Draw(t, "issuers") },
		"ssws":    func() { o.SSWS = rapid.Bool().Draw(t, "ssws") },
		"expires": func() { o.Expires = someTime.Draw(t, "at") },
	}), "hash")
	slices.Sort(n.Fields)
	return n
}

func drawList[T any](t *rapid.T, label string, draw func(*rapid.T, string) admin.Named[T]) []admin.Named[T] {
	var list []admin.Named[T]
	for _, id := range rapid.SliceOfNDistinct(someID, 0, 3, rapid.ID[string]).Draw(t, label) {
		list = append(list, draw(t, "x"+id)) // not an endpoint's name, nor default
	}
	return list
}

func TestMarshalIsLoadedBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := admin.State{
			Issuers: drawList(t, "issuers", drawIssuer), APIs: drawList(t, "apis", drawAPI),
			Clients: drawList(t, "clients", drawClient), Operators: drawList(t, "operators", drawOperator),
			OperatorTokens: drawList(t, "operator tokens", drawOperatorToken),
		}
		if rapid.Bool().Draw(t, "resource servers") {
			for i := range want.APIs {
				n := &want.APIs[i]
				n.Object.ResourceServers = rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Za-z0-9._~-]{1,8}`), 0, 3, rapid.ID[string]).Draw(t, "clients")
				n.Fields = append(n.Fields, "resource_servers")
				slices.Sort(n.Fields)
			}
		}
		text, err := Marshal("some-set", want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parse(string(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		sameJSON := cmp.Comparer(func(a, b json.RawMessage) bool {
			var x, y any
			return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && cmp.Equal(x, y)
		})
		if diff := cmp.Diff(want, got.Objects, cmpopts.EquateEmpty(), sameJSON, secrets, plainCredentials); diff != "" || got.Set != "some-set" {
			t.Fatalf("%s\n%s", diff, text)
		}
		again, err := Marshal("some-set", got.Objects)
		if err != nil || string(again) != string(text) {
			t.Fatalf("not stable: %v\n%s\n%s", err, text, again)
		}
	})
}

// TestMarshalRefusesHalfTheResourceServers: the file could not say that it leaves
// those of one API alone.
func TestMarshalRefusesHalfTheResourceServers(t *testing.T) {
	apis := []admin.Named[registry.API]{{Object: registry.API{ID: "a"}, Fields: admin.Fields{"resource_servers"}}, {Object: registry.API{ID: "b"}}}
	if text, err := Marshal("", admin.State{APIs: apis}); err == nil {
		t.Errorf("%s", text)
	}
}

func TestMarshalNothing(t *testing.T) {
	text, err := Marshal("", admin.State{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := parse(string(text)); err != nil || r.Set != DefaultSet {
		t.Errorf("%q: %v, %v", text, r, err)
	}
}

func TestWords(t *testing.T) {
	got := Words(admin.Plan{Set: "main", Differences: []admin.Difference{
		{Action: admin.ActionCreate, Kind: registry.KindAPI, ID: "orders", Fields: []admin.FieldChange{{Path: "identifier", After: "https://o.example"}}},
		{Action: admin.ActionChange, Kind: registry.KindClient, ID: "billing", Fields: []admin.FieldChange{
			{Path: "access.orders", Before: "orders:read", After: "orders:read orders:write"}, {Path: "name", After: "Billing"}, {Path: "owner", Before: "ann"},
			{Path: "secrets.s1", Before: "yes"}, {Path: "secrets.s2", After: "yes"}, {Path: "secrets.s2.expires", After: "2027-01-01T00:00:00Z"},
		}, Notes: []admin.Note{{Text: "disabled by uid:0; a file does not enable it", Undo: "symbolon client enable billing"}}},
		{Action: admin.ActionDisable, Kind: registry.KindClient, ID: "old", Notes: []admin.Note{{Text: "the next prune deletes it"}}},
		{Action: admin.ActionMark, Kind: registry.KindAPI, ID: "invoices"},
		{Action: admin.ActionDelete, Kind: registry.KindClient, ID: "older", Fields: []admin.FieldChange{{Path: "name", Before: "Older"}}},
		{Action: admin.ActionKeep, Kind: registry.KindIssuer, ID: "x\x1b[2J"},
	}})
	want := []string{
		"create API orders",
		"  identifier: https://o.example",
		"change client billing",
		"  access.orders: orders:read becomes orders:read orders:write",
		"  name: becomes Billing",
		"  owner: no longer ann",
		"  secret s1 is removed",
		"  secret s2 is added",
		"  secrets.s2.expires: becomes 2027-01-01T00:00:00Z",
		"  note: disabled by uid:0; a file does not enable it (by hand: symbolon client enable billing)",
		"disable client old",
		"  note: the next prune deletes it",
		"mark API invoices",
		"delete client older",
		`keep issuer "x\x1b[2J"`,
		"1 to create, 1 to change, 1 to disable, 1 to mark, 1 to delete",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := Words(admin.Plan{}); len(got) != 1 || got[0] != "nothing to change" {
		t.Errorf("%q", got)
	}
}

func TestExpiryText(t *testing.T) {
	for want, at := range map[string]time.Time{
		"never":                {},
		"2027-01-01":           time.Date(2027, 1, 1, 1, 0, 0, 0, time.FixedZone("", 3600)),
		"2027-01-01T01:00:00Z": time.Date(2027, 1, 1, 1, 0, 0, 0, time.UTC),
	} {
		if got := string(expiryText(at)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
