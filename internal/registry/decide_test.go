package registry

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// doc writes an object as the store would hold it.
func doc(t testing.TB, kind, id string, obj any) Doc {
	t.Helper()
	b, err := Encode(obj, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Doc{Kind: kind, ID: id, Doc: b}
}

func scopes(names ...string) map[string]Scope {
	m := make(map[string]Scope)
	for _, n := range names {
		name, marked := strings.CutSuffix(n, "*")
		m[name] = Scope{Description: name, Default: marked}
	}
	return m
}

// world has two issuers; orders, stock, old and plain belong to the first. A
// star marks the scopes that are given by default.
func world(t testing.TB, extra ...Doc) *Snapshot {
	t.Helper()
	api := func(id, issuer, identifier string, token APIToken, names ...string) Doc {
		return doc(t, KindAPI, id, &API{ID: id, Issuer: issuer, Identifier: identifier, Token: token, Scopes: scopes(names...)})
	}
	docs := append([]Doc{
		doc(t, KindIssuer, "default", &Issuer{ID: "default", Token: IssuerToken{Lifetime: Duration(30 * time.Minute)}}),
		doc(t, KindIssuer, "partners", &Issuer{ID: "partners", Audience: "https://partner.example"}),
		api("orders", "default", "https://orders.example.com", APIToken{Lifetime: Duration(10 * time.Minute), Algorithm: "RS256", Typ: "JWT"}, "orders:read*", "orders:write", "ping"),
		api("stock", "default", "https://stock.example.com/v1", APIToken{}, "stock:read", "stock:write", "ping"),
		api("old", "default", "old-api", APIToken{}, "old:read"),
		api("secretive", "default", "https://secretive.example.com", APIToken{}, "secretive:read"),
		api("partner", "partners", "https://partner.example", APIToken{}, "partner:read"),
		api("elsewhere", "partners", "https://orders.example.com", APIToken{}, "orders:read"),
	}, extra...)
	s, warnings := Build("https://auth.example.com/", Position{Seq: 7, Epoch: 1}, docs)
	if len(warnings) != 0 {
		t.Fatalf("warnings: %v", warnings)
	}
	return s
}

func TestWhichAPI(t *testing.T) {
	s := world(t)
	access := map[string][]string{
		"orders": {"orders:read", "orders:write"}, "stock": {"stock:read", "ping"}, "old": {"old:read"},
		"partner": {"partner:read"}, "gone": {"x"},
	}
	const none = ""
	tests := []struct {
		name      string
		issuer    string
		resources []string
		audience  string
		scopes    string
		access    map[string][]string
		defaults  []string
		api       string // none: refused
		err       *symbolon.Error
	}{
		// 1: what the request names
		{name: "resource", resources: []string{"https://orders.example.com"}, api: "orders"},
		{name: "resource with the slash of an empty path", resources: []string{"https://orders.example.com/"}, api: "orders"},
		{name: "resource with a path matches exactly", resources: []string{"https://stock.example.com/v1"}, api: "stock"},
		{name: "resource with a path and another slash", resources: []string{"https://stock.example.com/v1/"}, err: errTarget},
		{name: "resource in another case", resources: []string{"https://ORDERS.example.com"}, err: errTarget},
		{name: "resource twice", resources: []string{"https://orders.example.com", "https://orders.example.com/"}, api: "orders"},
		{name: "unknown resource", resources: []string{"https://nowhere.example.com"}, err: errTarget},
		{name: "resource without access", resources: []string{"https://secretive.example.com"}, err: errTarget},
		{name: "resource of another issuer", resources: []string{"https://partner.example"}, err: errTarget},
		{name: "resource with a fragment (RFC 8707 §2)", resources: []string{"https://orders.example.com#x"}, err: errTarget},
		{name: "legacy string in resource", resources: []string{"old-api"}, err: errTarget},
		{name: "several resources and a bearer token", resources: []string{"https://orders.example.com", "https://stock.example.com/v1"}, err: errSeveral},
		{name: "several resources of which one is unknown", resources: []string{"https://orders.example.com", "https://nowhere.example.com"}, err: errTarget},
		{name: "audience", audience: "https://orders.example.com/", api: "orders"},
		{name: "legacy audience", audience: "old-api", api: "old"},
		{name: "legacy audience has no second form", audience: "old-api/", err: errTarget},
		{name: "unknown audience", audience: "nothing", err: errTarget},
		{name: "audience without access", audience: "https://secretive.example.com", err: errTarget},
		{name: "resource and audience agree", resources: []string{"https://orders.example.com"}, audience: "https://orders.example.com/", api: "orders"},
		{name: "resource and audience disagree", resources: []string{"https://orders.example.com"}, audience: "old-api", err: errDisagree},
		{name: "several resources and an audience", resources: []string{"https://orders.example.com", "https://stock.example.com/v1"}, audience: "https://orders.example.com", err: errDisagree},
		{name: "resource wins over scopes", resources: []string{"https://orders.example.com"}, scopes: "stock:read", err: errScope},
		// 2: what the issuer stands for
		{name: "the issuer's audience", issuer: "partners", api: "partner"},
		{name: "the issuer's audience before scopes", issuer: "partners", scopes: "orders:read", access: map[string][]string{"partner": {"partner:read"}, "elsewhere": {"orders:read"}}, err: errScope},
		{name: "the issuer's audience without access", issuer: "partners", access: map[string][]string{"orders": {"orders:read"}}, err: errTarget},
		{name: "resource before the issuer's audience", issuer: "partners", resources: []string{"https://orders.example.com"}, access: map[string][]string{"partner": nil, "elsewhere": {"orders:read"}}, api: "elsewhere"},
		// 3: what the scopes mean
		{name: "the one API with the scope", scopes: "stock:read", api: "stock"},
		{name: "the one API with all scopes", scopes: "stock:read ping", api: "stock"},
		{name: "a scope of two APIs", scopes: "ping", err: errWhichAPI},
		{name: "a scope of two APIs, one of which has the other scope", scopes: "ping stock:read", api: "stock"},
		{name: "scopes of different APIs", scopes: "stock:read old:read", err: errWhichAPI},
		{name: "the only API", access: map[string][]string{"orders": {"orders:read"}, "partner": {"partner:read"}}, api: "orders"},
		{name: "the only API with no scope at all", access: map[string][]string{"orders": nil}, api: "orders"},
		{name: "the one API defines the scope, the client has not got it", scopes: "orders:write", access: map[string][]string{"orders": {"orders:read"}}, err: errScope},
		{name: "a scope of an API without access", scopes: "secretive:read", err: errScope},
		{name: "a scope that nothing defines", scopes: "nonsense", err: errScope},
		// 4: the client's default
		{name: "default API", defaults: []string{"partner", "old"}, api: "old"},
		{name: "default API settles a scope of two", scopes: "ping", defaults: []string{"stock"}, api: "stock"},
		{name: "scopes before the default API", scopes: "stock:read", defaults: []string{"old"}, api: "stock"},
		{name: "default API of another issuer only", defaults: []string{"partner"}, err: errWhichAPI},
		{name: "default API without access", defaults: []string{"secretive"}, err: errWhichAPI},
		{name: "default API that is gone", defaults: []string{"gone"}, err: errWhichAPI},
		{name: "scopes of different APIs and a default", scopes: "stock:read old:read", defaults: []string{"old"}, err: errScope},
		// 5
		{name: "nothing says which", err: errWhichAPI},
		{name: "no access anywhere", access: map[string][]string{}, err: errWhichAPI},
		{name: "no access anywhere, with a scope", access: map[string][]string{}, scopes: "orders:read", err: errWhichAPI},
		{name: "access elsewhere only", access: map[string][]string{"partner": {"partner:read"}}, err: errWhichAPI},
		{name: "access to an API that is gone", access: map[string][]string{"gone": {"x"}}, err: errWhichAPI},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.issuer == "" {
				tt.issuer = DefaultIssuer
			}
			if tt.access == nil {
				tt.access = access
			}
			c := &Client{ID: "c", State: StateActive, Issuers: []string{"default", "partners"}, Access: tt.access, DefaultAPI: tt.defaults}
			f := Facts{Issuer: s.Issuers[tt.issuer], Client: c, Resources: tt.resources, Audience: tt.audience, Scopes: strings.Fields(tt.scopes)}
			var trace symbolon.Trace
			d, err := Decide(s, f, &trace)
			checkTrace(t, &trace, err == nil)
			if tt.api == none {
				wantRefusal(t, err, tt.err)
				return
			}
			if err != nil {
				t.Fatalf("%v: %v", err, errors.Unwrap(err))
			}
			want := s.APIs[tt.api]
			if len(d.APIs) != 1 || d.APIs[0] != want || !slices.Equal(d.Audience, []string{want.Identifier}) {
				t.Errorf("APIs %v, audience %v; want %s", d.APIs, d.Audience, tt.api)
			}
		})
	}
}

// reporter is a test, or a check of a property.
type reporter interface {
	Helper()
	Fatal(...any)
	Errorf(string, ...any)
}

// checkTrace wants a verdict that explains itself: the last check tells the
// outcome, and a failed one says what to do.
func checkTrace(t reporter, trace *symbolon.Trace, granted bool) {
	t.Helper()
	if len(trace.Checks) == 0 {
		t.Fatal("no checks in the trace")
	}
	for i, c := range trace.Checks {
		last := i == len(trace.Checks)-1
		if c.Name == "" || !strings.HasPrefix(c.Clause, "RFC ") && !strings.HasPrefix(c.Clause, "FAPI 2.0 §") || c.OK != (!last || granted) {
			t.Errorf("check %d: %+v", i, c)
		}
		if !c.OK && (c.Fix == "" || c.Expected == "" || c.Got == "") {
			t.Errorf("failed check without expected, got and fix: %+v", c)
		}
	}
}

// wantRefusal wants the very code and sentence, and a cause for operators.
func wantRefusal(t testing.TB, err error, want *symbolon.Error) {
	t.Helper()
	var got *symbolon.Error
	if !errors.As(err, &got) {
		t.Fatalf("got %v, want %v", err, want)
	}
	if got.Code != want.Code || got.Description != want.Description {
		t.Errorf("got %v, want %v", got, want)
	}
	if got.Cause() == nil {
		t.Error("no private cause")
	}
}

func TestWhichScopes(t *testing.T) {
	s := world(t)
	tests := []struct {
		name   string
		access []string
		asked  []string
		want   string
		err    *symbolon.Error
	}{
		{name: "one granted", access: []string{"orders:read", "orders:write"}, asked: []string{"orders:write"}, want: "orders:write"},
		{name: "all granted, in the order asked", access: []string{"orders:read", "orders:write"}, asked: []string{"orders:write", "orders:read"}, want: "orders:write orders:read"},
		{name: "a repeated scope counts once", access: []string{"orders:read", "ping"}, asked: []string{"ping", "orders:read", "ping"}, want: "ping orders:read"},
		{name: "many repetitions", access: []string{"orders:read", "ping"}, asked: slices.Repeat([]string{"ping", "orders:read"}, 500), want: "ping orders:read"},
		{name: "one not granted refuses all", access: []string{"orders:read"}, asked: []string{"orders:read", "orders:write"}, err: errScope},
		{name: "one unknown refuses all", access: []string{"orders:read"}, asked: []string{"orders:read", "nonsense"}, err: errScope},
		{name: "one unknown among many", access: []string{"orders:read"}, asked: append(manyScopes(40), "orders:read"), err: errScope},
		{name: "granted once but no longer defined", access: []string{"orders:read", "removed"}, asked: []string{"removed"}, err: errScope},
		{name: "case matters", access: []string{"orders:read"}, asked: []string{"Orders:read"}, err: errScope},
		{name: "none asked: the marked ones", access: []string{"ping", "orders:read", "orders:write"}, want: "orders:read"},
		{name: "none asked, the marked one not granted: all of the access", access: []string{"ping", "orders:write"}, want: "orders:write ping"},
		{name: "none asked, the access has one that is gone", access: []string{"removed", "ping"}, want: "ping"},
		{name: "none asked, access without scopes", access: nil, want: ""},
		{name: "asked, access without scopes", access: nil, asked: []string{"orders:read"}, err: errScope},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Client{ID: "c", State: StateActive, Access: map[string][]string{"orders": tt.access}}
			asked := slices.Clone(tt.asked)
			var trace symbolon.Trace
			d, err := Decide(s, Facts{Issuer: s.Issuers["default"], Client: c, Scopes: tt.asked, Resources: []string{"https://orders.example.com"}}, &trace)
			checkTrace(t, &trace, err == nil)
			if !slices.Equal(asked, tt.asked) {
				t.Error("the facts were changed")
			}
			if tt.err != nil {
				wantRefusal(t, err, tt.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d.Scope != tt.want || strings.Join(d.Scopes, " ") != tt.want {
				t.Errorf("got %q %q, want %q", d.Scopes, d.Scope, tt.want)
			}
		})
	}
}

// The API stock marks no scope.
func TestNoScopeMarked(t *testing.T) {
	s := world(t)
	c := &Client{ID: "c", State: StateActive, Access: map[string][]string{"stock": {"stock:write", "ping"}}}
	d, err := Decide(s, Facts{Issuer: s.Issuers["default"], Client: c}, nil)
	if err != nil || d.Scope != "ping stock:write" {
		t.Errorf("got %+v, %v", d, err)
	}
	if !slices.Equal(c.Access["stock"], []string{"stock:write", "ping"}) {
		t.Error("the client was changed")
	}
}

func TestRefusalsDoNotTellUnknownFromNotGranted(t *testing.T) {
	s := world(t)
	c := &Client{ID: "c", State: StateActive, Access: map[string][]string{"orders": {"orders:read"}, "stock": {"stock:read"}}}
	public := func(f Facts) string {
		f.Issuer, f.Client = s.Issuers["default"], c
		_, err := Decide(s, f, nil)
		e := symbolon.AsError(err)
		return string(e.Code) + e.Description
	}
	if a, b := public(Facts{Resources: []string{"https://secretive.example.com"}}), public(Facts{Resources: []string{"https://unknown.example.com"}}); a != b {
		t.Errorf("resource: %q, %q", a, b)
	}
	if a, b := public(Facts{Audience: "https://secretive.example.com"}), public(Facts{Audience: "unknown"}); a != b {
		t.Errorf("audience: %q, %q", a, b)
	}
	for _, granted := range []string{"orders:write", "ping", "secretive:read", "partner:read"} {
		if a, b := public(Facts{Scopes: []string{granted}}), public(Facts{Scopes: []string{"unknown"}}); a != b {
			t.Errorf("scope %s: %q, %q", granted, a, b)
		}
		named := []string{"https://orders.example.com"}
		if a, b := public(Facts{Scopes: []string{granted}, Resources: named}), public(Facts{Scopes: []string{"unknown"}, Resources: named}); a != b {
			t.Errorf("scope %s at orders: %q, %q", granted, a, b)
		}
	}
}

// RFC 6749 §5.2: descriptions have %x20-21 / %x23-5B / %x5D-7E.
func TestDescriptionsAreFixedAndInTheCharacterSet(t *testing.T) {
	for _, e := range []*symbolon.Error{ErrClient, errTarget, errWhichAPI, errDisagree, errSeveral, errScope,
		errKinds, errShared, errWantDPoP, errWantMTLS, errWantBound, errNoBinding, errProfile} {
		if e.Description == "" || strings.ContainsFunc(e.Description, func(r rune) bool { return r < 0x20 || r == '"' || r == '\\' || r > 0x7e }) {
			t.Errorf("%q", e.Description)
		}
	}
}

func TestClientsThatGetNothing(t *testing.T) {
	s := world(t)
	access := map[string][]string{"orders": {"orders:read"}}
	for name, c := range map[string]*Client{
		"disabled":  {ID: "c", State: StateDisabled, Access: access},
		"pending":   {ID: "c", State: StatePending, Access: access},
		"no state":  {ID: "c", Access: access},
		"elsewhere": {ID: "c", State: StateActive, Issuers: []string{"partners"}, Access: access},
	} {
		t.Run(name, func(t *testing.T) {
			var trace symbolon.Trace
			_, err := Decide(s, Facts{Issuer: s.Issuers["default"], Client: c}, &trace)
			wantRefusal(t, err, ErrClient)
			checkTrace(t, &trace, false)
		})
	}
}

func TestViewOfAnotherSnapshotIsAMistakeOfTheProgram(t *testing.T) {
	c := &Client{ID: "c", State: StateActive, Access: map[string][]string{"orders": {"orders:read"}}}
	for name, view := range map[string]*IssuerView{"another": world(t).Issuers["default"], "none": nil} {
		_, err := Decide(world(t), Facts{Issuer: view, Client: c}, nil)
		if !errors.Is(err, symbolon.NewError(symbolon.ServerError, "")) || !errors.Is(err, errForeignView) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestWhatTheTokenWillBe(t *testing.T) {
	s := world(t, doc(t, KindAPI, "closed", &API{ID: "closed", Issuer: "default", Identifier: "https://closed.example", Token: APIToken{Format: FormatOpaque}}))
	claims := map[string]json.RawMessage{"role": json.RawMessage(`"batch"`)}
	c := &Client{ID: "c", State: StateActive, Issuers: []string{"default", "partners"}, Claims: claims, Access: map[string][]string{"orders": {}, "stock": {}, "partner": {}, "closed": {}}}
	for _, tt := range []struct {
		issuer, resource string
		lifetime         time.Duration
		alg              jose.Algorithm
		typ              string
	}{
		{"default", "https://orders.example.com", 10 * time.Minute, jose.RS256, "JWT"},
		{"default", "https://stock.example.com/v1", 30 * time.Minute, jose.ES256, "at+jwt"},
		{"partners", "https://partner.example", time.Hour, jose.ES256, "at+jwt"},
		{"default", "https://closed.example", 30 * time.Minute, "", ""},
	} {
		d, err := Decide(s, Facts{Issuer: s.Issuers[tt.issuer], Client: c, Resources: []string{tt.resource}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d.Lifetime != tt.lifetime || d.Algorithm != tt.alg || d.Typ != tt.typ || (d.Format == FormatOpaque) != (tt.typ == "") || string(d.Extra["role"]) != `"batch"` {
			t.Errorf("%s: %+v", tt.resource, d)
		}
	}
}

// A lifetime beyond the bound, as a document of another version might hold,
// never reaches a token: its key could be gone before it.
func TestLifetimeIsBoundedWhateverTheDocumentSays(t *testing.T) {
	s := world(t, doc(t, KindAPI, "long", &API{ID: "long", Issuer: "default", Identifier: "long", Token: APIToken{Lifetime: 10 * MaxLifetime}}))
	c := &Client{ID: "c", State: StateActive, Access: map[string][]string{"long": nil}}
	d, err := Decide(s, Facts{Issuer: s.Issuers["default"], Client: c}, nil)
	if err != nil || d.Lifetime != MaxLifetime.Std() {
		t.Errorf("%+v, %v", d, err)
	}
}

// What goes into a record is bounded, whatever a request or a document holds.
func TestTraceIsBounded(t *testing.T) {
	s := world(t)
	long := strings.Repeat("x", 60_000)
	c := &Client{ID: "c", State: StateActive, Access: map[string][]string{"orders": manyScopes(3000)}}
	for _, f := range []Facts{
		{Scopes: []string{long}},
		{Resources: []string{long}},
		{Audience: long},
		{Resources: []string{"https://orders.example.com"}, Scopes: manyScopes(3000)},
	} {
		f.Issuer, f.Client = s.Issuers["default"], c
		var trace symbolon.Trace
		_, err := Decide(s, f, &trace)
		size := len(errors.Unwrap(err).Error())
		for _, check := range trace.Checks {
			size += len(check.Expected) + len(check.Got) + len(check.Fix)
		}
		if size > 2000 {
			t.Errorf("%d octets", size)
		}
	}
}

func manyScopes(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = "s" + strings.Repeat("x", i%20) + string(rune('a'+i%26)) + strings.Repeat("y", i/26%30)
	}
	return list
}

func BenchmarkDecide(b *testing.B) {
	s := world(b)
	c := &Client{ID: "c", State: StateActive, Access: map[string][]string{"orders": {"orders:read", "orders:write"}, "stock": {"ping", "stock:read"}}}
	for name, f := range map[string]Facts{
		"resource": {Resources: []string{"https://orders.example.com"}, Scopes: []string{"orders:read"}},
		"implied":  {Scopes: []string{"stock:read"}},
		"defaults": {Resources: []string{"https://orders.example.com"}},
	} {
		f.Issuer, f.Client = s.Issuers["default"], c
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			trace := symbolon.Trace{Checks: make([]symbolon.Check, 0, 16)}
			for b.Loop() {
				trace.Checks = trace.Checks[:0]
				if _, err := Decide(s, f, &trace); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// More scopes than are compared one by one.
func TestManyScopesAsked(t *testing.T) {
	asked := slices.Compact(slices.Sorted(slices.Values(manyScopes(60))))
	api := &API{ID: "wide", Issuer: "default", Identifier: "https://wide.example", Scopes: scopes(asked...)}
	s := world(t, doc(t, KindAPI, "wide", api))
	c := &Client{ID: "c", State: StateActive, Access: map[string][]string{"wide": asked}}
	f := Facts{Issuer: s.Issuers["default"], Client: c, Scopes: asked}
	if d, err := Decide(s, f, nil); err != nil || d.Scope != strings.Join(asked, " ") {
		t.Errorf("%v, %v", d, err)
	}
	c.Access["wide"] = asked[:len(asked)-1]
	_, err := Decide(s, f, nil)
	wantRefusal(t, err, errScope)
}
