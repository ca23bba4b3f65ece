package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// vendor is the URL of the issuer that has the dialect, as base is of one that has
// none. Clients of both are everywhere, here-and-there by its key, and odd by its
// secret.
const vendor = base + "/partners"

// oddSecret can be read in two ways: of its two halves each is what the other is
// when it is form-decoded.
const oddSecret = "100%25+a secret with: two readings"

// newDialectFixture is a fixture whose issuer partners has the dialect.
func newDialectFixture(t testing.TB, d *Dialect) *fixture {
	t.Helper()
	f := newProofFixture(t)
	f.dialects = map[string]*Dialect{"partners": d}
	f.apply(
		named("odd", func(c *registry.Client) {
			c.Secrets = []registry.Secret{imported("s1", oddSecret)}
			c.Issuers = []string{"default", "partners"}
			c.Access, c.DefaultAPI = map[string][]string{"orders": {"orders:read"}, "shared": {"orders:read"}}, nil
		}),
		&registry.API{ID: "shared", Issuer: "partners", Identifier: "https://orders.example.com",
			Scopes: map[string]registry.Scope{"orders:read": {Default: true}, "orders:write": {}}},
		named("everywhere", func(c *registry.Client) {
			c.Issuers = []string{"default", "partners", "elsewhere"}
			c.Access, c.DefaultAPI = map[string][]string{"orders": {"orders:read", "orders:write"}, "shared": {"orders:read", "orders:write"}, "remote": {"a"}}, nil
		}),
	)
	return f
}

// asks sends a form to an issuer's token endpoint.
func (f *fixture) asks(issuer, form string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.ask("POST", issuer+"/token", form, header...)
}

// letThrough fails unless the vendor's issuer gives a token and the standard one
// answers as it should.
func (f *fixture) letThrough(t *testing.T, standard refusal, ask func(issuer string) *httptest.ResponseRecorder) {
	t.Helper()
	f.textOf(ask(vendor))
	standard.check(t, ask(base))
}

// last is the newest record.
func (f *fixture) last() audit.Record {
	f.t.Helper()
	all := f.records()
	return all[len(all)-1]
}

// TestRawBasic: a secret that is not form-urlencoded in the header fits at the
// issuer whose programs send it so, and nowhere else.
func TestRawBasic(t *testing.T) {
	f := newDialectFixture(t, &Dialect{Name: "x", RawBasic: true})
	asItIs := func(issuer string) *httptest.ResponseRecorder {
		return f.asks(issuer, grant, "Authorization", basic("odd:"+oddSecret))
	}
	f.letThrough(t, refusedBasic, asItIs)
	for _, issuer := range []string{base, vendor} {
		f.textOf(f.asks(issuer, grant, "Authorization", basicAuth("odd", oddSecret)))
		f.textOf(f.asks(issuer, grant, "Authorization", basicAuth("everywhere", secret1)))
	}
	for name, c := range map[string]struct {
		header string
		want   refusal
	}{
		"a wrong secret that can be read in one way":  {basic("odd:x"), refusedBasic},
		"a wrong secret that can be read in two ways": {basic("odd:x%20y"), refusedBasic},
		"a wrong secret that cannot be decoded":       {basic("odd:100%"), refusedBasic},
		"encoded twice":                               {basicAuth("odd", url.QueryEscape(oddSecret)), refusedBasic},
		"an unknown client":                           {basic("nobody:" + oddSecret), refusedBasic},
		"an id that is encoded otherwise":             {basic("od%64:" + secret1), refusedBasic},
		"an id that cannot be decoded":                {basic("odd%:" + oddSecret), refusedBy(errBasic)},
		"no colon":                                    {basic("odd"), refusedBy(errBasic)},
		"a control character":                         {basic("odd:" + oddSecret + "\x00"), refusedBy(errBasic)},
		"not UTF-8":                                   {basic("odd:\xff"), refusedBy(errBasic)},
		"another scheme":                              {"Bearer " + oddSecret, refusedBasic},
		"a NUL that only one reading has":             {basic("odd:" + oddSecret + "%00"), refusedBasic},
		"the stored form of the secret":               {basic("everywhere:" + registry.HashGenerated(secret1)), refusedBasic},
		"base64 without its padding":                  {strings.TrimRight(basic("odd:abc"), "="), refusedBy(errBasic)},
		"two headers, one of them in order":           {"", refusedBy(errTwoMethods)},
	} {
		header := []string{"Authorization", c.header}
		if c.header == "" {
			header = []string{"Authorization", basicAuth("odd", oddSecret), "Authorization", basic("odd:" + oddSecret)}
		}
		t.Run(name, func(t *testing.T) { c.want.check(t, f.asks(vendor, grant, header...)) })
	}
}

// TestNoOracleOfReadings: which reading fits, and whether the client could use it,
// changes no step of a refusal.
func TestNoOracleOfReadings(t *testing.T) {
	f := newDialectFixture(t, &Dialect{Name: "x", RawBasic: true})
	decoded, raw := registry.FormatSecret([32]byte{7}), "%73ym"+registry.FormatSecret([32]byte{8})[len("sym"):]
	for _, c := range []struct{ id, value string }{{"disabled-decoded", decoded}, {"disabled-raw", raw}} {
		f.apply(named(c.id, func(c2 *registry.Client) {
			c2.Issuers, c2.State, c2.Secrets = []string{"partners"}, registry.StateDisabled, []registry.Secret{generated("s1", c.value)}
		}))
	}
	counts := f.counting()
	want := ""
	for _, c := range [][2]string{{"disabled-decoded", "%73ym" + decoded[len("sym"):]}, {"disabled-raw", raw}, {"disabled-raw", "%74" + raw}, {"nobody", raw}, {"everywhere", raw}} {
		ask := func() { refusedBasic.check(t, f.asks(vendor, grant, "Authorization", basic(c[0]+":"+c[1]))) }
		ask()
		counts()
		ask()
		got, err := json.Marshal(counts())
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = string(got)
		}
		if string(got) != want || !strings.Contains(want, `"digest":2`) {
			t.Errorf("%s: %s, want %s", c[0], got, want)
		}
	}
}

// TestGrantAndScopesOfADialect: what a request leaves out.
func TestGrantAndScopesOfADialect(t *testing.T) {
	f := newDialectFixture(t, &Dialect{Name: "x", Grant: symbolon.GrantClientCredentials, AllScopes: true})
	auth := []string{"Authorization", basicAuth("everywhere", secret1)}
	f.letThrough(t, refusedBy(errNoGrant), func(issuer string) *httptest.ResponseRecorder {
		return f.asks(issuer, "audience="+url.QueryEscape("https://orders.example.com"), auth...)
	})
	refusedBy(errGrant).check(t, f.asks(vendor, "grant_type=password", auth...))
	for issuer, want := range map[string]string{base: "orders:read", vendor: "orders:read orders:write"} {
		if got := scopeOf(t, f.asks(issuer, grant+"&audience="+url.QueryEscape("https://orders.example.com"), auth...)); got != want {
			t.Errorf("%s: %q, want %q", issuer, got, want)
		}
	}
	if got := scopeOf(t, f.asks(vendor, "scope=orders%3Aread", auth...)); got != "orders:read" {
		t.Errorf("asked for one, got %q", got)
	}
	refusedScope.check(t, f.asks(vendor, "scope=orders%3Anonsense&resource="+url.QueryEscape("https://orders.example.com"), auth...))
}

func scopeOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var a symbolon.TokenAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return a.Scope
}

// TestClaimsOfADialect: they are in its tokens and in no others, and no name is
// there twice.
func TestClaimsOfADialect(t *testing.T) {
	f := newDialectFixture(t, &Dialect{Name: "x", Claims: DialectClaims{
		CID: true, AZP: true, SCP: true, More: []DialectClaim{{"gty", `"client-credentials"`}, {"ver", "1"}},
	}})
	f.apply(named("everywhere", func(c *registry.Client) {
		c.Issuers = []string{"default", "partners"}
		c.Access, c.DefaultAPI = map[string][]string{"orders": {"orders:read", "orders:write"}, "shared": {"orders:read", "orders:write"}}, nil
		c.Claims = map[string]json.RawMessage{}
		for _, name := range []string{"cid", "azp", "scp", "gty", "ver", "role"} {
			c.Claims[name] = json.RawMessage(`"the client's own"`)
		}
	}))
	members := func(issuer string) map[string]any {
		token, err := jose.Parse(f.textOf(f.asks(issuer, grant+"&scope=orders%3Aread+orders%3Awrite", "Authorization", basicAuth("everywhere", secret1))))
		if err != nil {
			t.Fatal(err)
		}
		if err := jose.CheckObject(token.Payload); err != nil {
			t.Fatalf("%v: %s", err, token.Payload)
		}
		var m map[string]any
		if err := json.Unmarshal(token.Payload, &m); err != nil {
			t.Fatal(err)
		}
		if m["client_id"] != "everywhere" || m["sub"] != "everywhere" || m["scope"] != "orders:read orders:write" || m["role"] != "the client's own" {
			t.Errorf("%s", token.Payload)
		}
		return m
	}
	m := members(vendor)
	scp, _ := m["scp"].([]any)
	if m["cid"] != "everywhere" || m["azp"] != "everywhere" || m["gty"] != "client-credentials" || m["ver"] != 1.0 ||
		!slices.Equal(scp, []any{"orders:read", "orders:write"}) {
		t.Errorf("%v", m)
	}
	m = members(base)
	if m["cid"] != nil || m["azp"] != nil || m["scp"] != nil || m["gty"] != "the client's own" {
		t.Errorf("at the standard issuer: %v", m)
	}
}

// TestAnswersOfADialect: the body of a token, and how a refusal is written at all
// of its OAuth endpoints.
func TestAnswersOfADialect(t *testing.T) {
	d := &Dialect{Name: "x"}
	d.Answer = func(b []byte, a symbolon.TokenAnswer, client string) []byte {
		return append(b, `{"`+client+`":"`+a.AccessToken[:2]+`"}`...)
	}
	d.WriteError = writeTeapot
	f := newDialectFixture(t, d)
	auth := []string{"Authorization", basicAuth("everywhere", secret1)}
	if w := f.asks(vendor, grant, auth...); w.Code != http.StatusOK || w.Body.String() != `{"everywhere":"ey"}` || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	for path, method := range map[string]string{"/token": "POST", "/introspect": "POST", "/authorize": "GET", "/jwks": "PUT"} {
		for issuer, want := range map[string]bool{vendor: true, base: false} {
			w := f.ask(method, issuer+path, "x=y")
			if got := w.Code == http.StatusTeapot; got != want || w.Code == http.StatusOK {
				t.Errorf("%s %s: %d %s", method, issuer+path, w.Code, w.Body)
			}
		}
	}
	if last := f.last(); last.Outcome != audit.Refused {
		t.Errorf("recorded as %+v", last)
	}
}

// TestWhatIsLetThroughIsTold: the record of a token says that an exception was
// needed, and which.
func TestWhatIsLetThroughIsTold(t *testing.T) {
	f := newDialectFixture(t, &Dialect{Name: "x", Assertion: &DialectAssertion{TokenEndpoint: true}})
	told := func(change func(*forged)) (told []string) {
		a := f.assertionAt(vendor, "here-and-there")
		change(&a)
		f.textOf(f.asks(vendor, assertingForm(a.text(t), "")))
		for _, check := range f.last().Checks {
			if strings.Contains(check.Name, "assertion") {
				told = append(told, check.Name+": "+check.Got)
			}
		}
		return told
	}
	if got := told(func(*forged) {}); got != nil {
		t.Errorf("of a strict one: %q", got)
	}
	endpoint := func(a *forged) { a.claims["aud"] = vendor + "/token" }
	if got := told(endpoint); !slices.Equal(got, []string{"assertion of the dialect: let through at an issuer of dialect x"}) {
		t.Errorf("%q", got)
	}
	f.apply(with(keyed("here-and-there", clientKey(t, "k1", "P-256 signing", "")), func(c *registry.Client) {
		c.Issuers = []string{"default", "partners"}
		c.Access = map[string][]string{"orders": {"orders:read"}, "shared": {"orders:read"}}
		c.LegacyAssertion = &registry.LegacyAssertion{Until: start.Add(24 * time.Hour), MaxLifetime: registry.Duration(30 * time.Minute)}
	}))
	if got := told(endpoint); len(got) != 1 || !strings.HasPrefix(got[0], "assertion of the dialect") {
		t.Errorf("%q", got)
	}
	long := func(a *forged) { a.claims["exp"] = f.now().Add(20 * time.Minute).Unix() }
	if got := told(long); len(got) != 1 || !strings.HasPrefix(got[0], "legacy assertion") {
		t.Errorf("%q", got)
	}
}

func writeTeapot(x *web.Exchange, _ *http.Request, e *symbolon.Error) {
	x.WriteHeader(http.StatusTeapot)
	x.Write([]byte(e.Code))
}

// assertionAt is a good assertion for an issuer, by "P-256 signing".
func (f *fixture) assertionAt(issuer, client string) forged {
	f.t.Helper()
	a := f.assertionOf(client, "P-256 signing")
	a.claims["aud"] = issuer
	return a
}
