package registry

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

func TestValidateDialectIssuer(t *testing.T) {
	of := func(dialect, url string) func(*Issuer) {
		return func(i *Issuer) { i.Dialect, i.URL = dialect, url }
	}
	with := func(dialect, url string, f func(*Issuer)) func(*Issuer) {
		return func(i *Issuer) { i.Dialect, i.URL = dialect, url; f(i) }
	}
	const host = "https://vendor.example.com"
	checkInvalid(t, KindIssuer, func(i *Issuer) string { return i.ID }, goodIssuer, func(i *Issuer) *Issuer { return i }, []invalid[Issuer]{
		{name: "okta org", change: of(DialectOkta, host)},
		{name: "okta org with a final slash", change: of(DialectOkta, host+"/")},
		{name: "okta custom", change: of(DialectOkta, host+"/oauth2/default")},
		{name: "okta v1", change: of(DialectOkta, host+"/oauth2/v1"), path: "url", says: "not v1"},
		{name: "okta elsewhere", change: of(DialectOkta, host+"/auth/default"), path: "url", says: "/oauth2/ID"},
		{name: "okta deeper", change: of(DialectOkta, host+"/oauth2/default/v1"), path: "url", says: "/oauth2/ID"},
		{name: "okta oauth2 alone", change: of(DialectOkta, host+"/oauth2"), path: "url", says: "/oauth2/ID"},
		{name: "okta without nonces", change: with(DialectOkta, host, func(i *Issuer) { i.DPoPNonce = NonceOff }), path: "dpop_nonce", says: "required"},
		{name: "okta with nonces", change: with(DialectOkta, host, func(i *Issuer) { i.DPoPNonce = NonceRequired })},
		{name: "okta with an id of 52", change: with(DialectOkta, host, func(i *Issuer) { i.ID = strings.Repeat("a", 52) })},
		{name: "okta with an id of 53", change: with(DialectOkta, host, func(i *Issuer) { i.ID = strings.Repeat("a", 53) }), path: "id", says: "at most 52"},
		{name: "okta custom with an id of 63", change: with(DialectOkta, host+"/oauth2/a", func(i *Issuer) { i.ID = strings.Repeat("a", 63) })},
		{name: "auth0", change: of(DialectAuth0, host+":8443")},
		{name: "auth0 without nonces", change: with(DialectAuth0, host, func(i *Issuer) { i.DPoPNonce = NonceOff })},
		{name: "auth0 with a path", change: of(DialectAuth0, host+"/tenant"), path: "url", says: "https://HOST"},
		{name: "curity", change: of(DialectCurity, host+"/oauth/v2/oauth-anonymous")},
		{name: "curity with one segment", change: of(DialectCurity, host+"/anonymous")},
		{name: "curity without a path", change: of(DialectCurity, host), path: "url", says: "oauth-anonymous"},
		{name: "curity at its token endpoint", change: of(DialectCurity, host+"/oauth/v2/oauth-token"), path: "url", says: "oauth-anonymous"},
		{name: "curity at its introspection", change: of(DialectCurity, host+"/oauth/v2/oauth-introspect"), path: "url"},
		{name: "curity at its authorization endpoint", change: of(DialectCurity, host+"/oauth/v2/oauth-authorize"), path: "url"},
		{name: "curity at its revocation", change: of(DialectCurity, host+"/oauth-revoke2"), path: "url"},
		{name: "simple", change: of(DialectSimple, host+":2600")},
		{name: "simple on this machine", change: of(DialectSimple, "http://localhost:2600")},
		{name: "simple with a path", change: of(DialectSimple, host+"/a"), path: "url", says: "https://HOST"},
		{name: "unknown", change: of("keycloak", host), path: "dialect", says: "okta, auth0, curity or simple"},
		{name: "without a url", change: of(DialectAuth0, ""), path: "url", says: "host or port of its own"},
		{name: "with a url that is none", change: of(DialectAuth0, "vendor.example.com"), path: "url", says: "https://"},
		{name: "the default issuer", change: func(i *Issuer) { i.ID, i.Dialect = DefaultIssuer, DialectOkta }, path: "dialect", says: "another issuer"},
		{name: "auth0 with Auth0's sub", change: with(DialectAuth0, host, func(i *Issuer) { i.SubjectSuffix = "@clients" })},
		{name: "auth0 with another sub", change: with(DialectAuth0, host, func(i *Issuer) { i.SubjectSuffix = "@client" }), path: "subject_suffix", says: `write "@clients", or remove it`},
		{name: "auth0 with a sub in other letters", change: with(DialectAuth0, host, func(i *Issuer) { i.SubjectSuffix = "@Clients" }), path: "subject_suffix"},
		{name: "okta with Auth0's sub", change: with(DialectOkta, host, func(i *Issuer) { i.SubjectSuffix = "@clients" }), path: "subject_suffix", says: "dialect auth0"},
		{name: "curity with Auth0's sub", change: with(DialectCurity, host+"/a", func(i *Issuer) { i.SubjectSuffix = "@clients" }), path: "subject_suffix"},
		{name: "simple with Auth0's sub", change: with(DialectSimple, host, func(i *Issuer) { i.SubjectSuffix = "@clients" }), path: "subject_suffix"},
		{name: "a standard issuer with Auth0's sub", change: func(i *Issuer) { i.SubjectSuffix = "@clients" }, path: "subject_suffix", says: "RFC 9068 §2.2"},
		{name: "fapi2", change: with(DialectOkta, host, func(i *Issuer) { i.Profile = ProfileFAPI2 }), path: "profile", says: "remove one"},
	})
}

func TestDialectsStandAlone(t *testing.T) {
	const base = "https://auth.example.com"
	issuer := func(id, dialect, url string) *Issuer { return &Issuer{ID: id, Dialect: dialect, URL: url} }
	for _, tt := range []struct {
		name    string
		issuers []*Issuer
		apis    []*API
		problem string
	}{
		{name: "an organisation", issuers: []*Issuer{issuer("okta", DialectOkta, "https://o.example"), issuer("okta-default", DialectOkta, "https://o.example/oauth2/default"), issuer("okta-two", DialectOkta, "https://o.example/oauth2/two")}},
		{name: "two ports of a host", issuers: []*Issuer{issuer("a", DialectAuth0, "https://o.example"), issuer("b", DialectOkta, "https://o.example:8443"), issuer("c", "", "https://o.example:9443/x")}},
		{name: "beside the default issuer", issuers: []*Issuer{issuer("o", DialectOkta, "https://auth.example.com/oauth2/default")}, problem: "issuer o url"},
		{name: "beside a standard issuer", issuers: []*Issuer{issuer("o", DialectOkta, "https://o.example"), issuer("p", "", "https://o.example/p")}, problem: "issuer p url"},
		{name: "beside the default issuer's others", issuers: []*Issuer{issuer("partners", "", ""), issuer("z", DialectCurity, "https://auth.example.com:443/a/b")}, problem: "issuer z url"},
		{name: "beside another dialect", issuers: []*Issuer{issuer("o", DialectOkta, "https://o.example/oauth2/x"), issuer("p", DialectAuth0, "https://O.example:443")}, problem: "issuer p url"},
		{name: "the same place", issuers: []*Issuer{issuer("o", DialectOkta, "https://o.example"), issuer("p", DialectAuth0, "https://o.example")}, problem: "issuer p url"},
		{name: "curity twice", issuers: []*Issuer{issuer("c", DialectCurity, "https://c.example/oauth/v2/a"), issuer("d", DialectCurity, "https://c.example/oauth/v2/b")}, problem: "issuer d url"},
		{name: "curity twice at the top", issuers: []*Issuer{issuer("c", DialectCurity, "https://c.example/a"), issuer("d", DialectCurity, "https://c.example/b")}, problem: "issuer d url"},
		{name: "curity with two parents", issuers: []*Issuer{issuer("c", DialectCurity, "https://c.example/one/a"), issuer("d", DialectCurity, "https://c.example/two/a")}},
		{name: "opaque tokens of the dialect simple", issuers: []*Issuer{issuer("s", DialectSimple, "https://s.example:2600")},
			apis: []*API{{ID: "a", Issuer: "s", Identifier: "https://a.example", Token: APIToken{Format: FormatOpaque}}}, problem: "api a token.format"},
		{name: "opaque tokens of another", issuers: []*Issuer{issuer("s", DialectAuth0, "https://s.example")},
			apis: []*API{{ID: "a", Issuer: "s", Identifier: "https://a.example", Token: APIToken{Format: FormatOpaque}}}},
		{name: "an API with the name of the built-in one", issuers: []*Issuer{issuer("z", DialectAuth0, "https://z.example")},
			apis:    []*API{{ID: "a", Issuer: "z", Identifier: "https://z.example/api/v2/"}, issuer("z", DialectAuth0, "https://z.example").Management(base)},
			problem: "api a identifier"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := View{Base: base, Issuers: map[string]*Issuer{"default": {ID: "default"}}, APIs: map[string]*API{}}
			for _, i := range tt.issuers {
				v.Issuers[i.ID] = i
			}
			for _, a := range tt.apis {
				v.APIs[a.ID] = a
			}
			checkProblem(t, ValidateSet(v), tt.problem)
		})
	}
}

func TestManagementAPI(t *testing.T) {
	for _, tt := range []struct {
		issuer     Issuer
		identifier string // "" when there is none
		scope      string
	}{
		{Issuer{ID: "okta", Dialect: DialectOkta, URL: "https://o.example/"}, "https://o.example", "okta.apps.manage"},
		{Issuer{ID: "tenant", Dialect: DialectAuth0, URL: "https://t.example:8443"}, "https://t.example:8443/api/v2/", "delete:client_grants"},
		{Issuer{ID: "custom", Dialect: DialectOkta, URL: "https://o.example/oauth2/default"}, "", ""},
		{Issuer{ID: "c", Dialect: DialectCurity, URL: "https://c.example/a"}, "", ""},
		{Issuer{ID: "s", Dialect: DialectSimple, URL: "https://s.example"}, "", ""},
		{Issuer{ID: "default"}, "", ""},
	} {
		api := tt.issuer.Management("https://auth.example.com")
		if tt.identifier == "" {
			if api != nil {
				t.Errorf("%s has %+v", tt.issuer.ID, api)
			}
			continue
		}
		if api == nil || api.Identifier != tt.identifier || api.ID != tt.issuer.ID+"-management" || api.SigningAlgorithm() != jose.RS256 || !api.Builtin() {
			t.Errorf("%s has %+v", tt.issuer.ID, api)
			continue
		}
		if _, ok := api.Scopes[tt.scope]; !ok {
			t.Errorf("%s has no scope %s", api.ID, tt.scope)
		}
		// All that validation has against it is that nobody else may make one.
		named := *api
		named.ID = "other"
		if err := named.Validate(); err != nil {
			t.Error(err)
		}
		checkProblem(t, api.Validate(), "api "+api.ID+" id")
	}
}

// A client of an issuer with a dialect may not be one of the profile fapi2 too:
// whichever of the two came last is told.
func TestDialectAndFAPI2DoNotMix(t *testing.T) {
	v := View{Base: "https://auth.example.com", Issuers: map[string]*Issuer{
		"default": {ID: "default"}, "bank": {ID: "bank", Profile: ProfileFAPI2}, "okta": {ID: "okta", Dialect: DialectOkta, URL: "https://o.example"}}}
	for _, tt := range []struct {
		issuers []string
		problem string
	}{
		{[]string{"default", "okta"}, ""},
		{[]string{"default", "bank"}, ""},
		{[]string{"okta", "bank"}, "client c issuers"},
		{[]string{"bank", "default", "okta"}, "client c issuers"},
	} {
		checkProblem(t, FitClient(v, &Client{ID: "c", Issuers: tt.issuers}), tt.problem)
	}
}

func TestSnapshotOfDialects(t *testing.T) {
	docs := []Doc{
		doc(t, KindIssuer, "default", &Issuer{ID: "default"}),
		doc(t, KindIssuer, "partners", &Issuer{ID: "partners"}),
		doc(t, KindIssuer, "okta", &Issuer{ID: "okta", URL: "https://o.example", Dialect: DialectOkta}),
		doc(t, KindIssuer, "okta-default", &Issuer{ID: "okta-default", URL: "https://o.example/oauth2/default", Dialect: DialectOkta}),
		doc(t, KindIssuer, "okta-port", &Issuer{ID: "okta-port", URL: "https://o.example:8443", Dialect: DialectOkta}),
		doc(t, KindIssuer, "tenant", &Issuer{ID: "tenant", URL: "https://t.example/", Dialect: DialectAuth0}),
		doc(t, KindIssuer, "later", &Issuer{ID: "later", URL: "https://l.example", Dialect: "keycloak"}),
	}
	s, warnings := Build("https://auth.example.com", Position{Seq: 1, Epoch: 1}, docs)
	if len(warnings) != 1 || warnings[0].ID != "later" || s.Issuers["later"] != nil {
		t.Errorf("an issuer of a dialect that nobody knows: %+v", warnings)
	}
	if v := s.Issuers["tenant"]; v.Iss != "https://t.example/" || v.Base != "https://t.example" || v.Issuer.Iss(s.Base) != v.Iss {
		t.Errorf("iss %q, base %q", v.Iss, v.Base)
	}
	for id, want := range map[string][]string{
		"okta": {"okta", "okta-default"}, "okta-default": {"okta", "okta-default"}, "okta-port": {"okta-port"},
		"tenant": {"tenant"}, "default": {"default"}, "partners": {"partners"},
	} {
		if got := s.Organisation(s.Issuers[id]); !slices.Equal(got, want) {
			t.Errorf("the organisation of %s is %v, want %v", id, got, want)
		}
	}
	if got := s.Issuers["okta"].Algorithms(); !slices.Equal(got, []jose.Algorithm{jose.RS256}) {
		t.Errorf("its first key is for %v", got)
	}
	if got := s.Issuers["partners"].Algorithms(); !slices.Equal(got, []jose.Algorithm{jose.ES256}) {
		t.Errorf("its first key is for %v", got)
	}
}

// TestTheNewerIssuerIsAtFault: of two at one host, what is told names the one that
// is being made, whatever their ids are.
func TestTheNewerIssuerIsAtFault(t *testing.T) {
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		a, z    time.Time // when a and z were made; zero: not yet
		problem string
	}{
		"a is new":     {time.Time{}, day, "issuer a url"},
		"z is new":     {day, time.Time{}, "issuer z url"},
		"a is younger": {day.Add(time.Hour), day, "issuer a url"},
		"z is younger": {day, day.Add(time.Hour), "issuer z url"},
		"both are new": {time.Time{}, time.Time{}, "issuer z url"},
	} {
		t.Run(name, func(t *testing.T) {
			v := View{Base: "https://auth.example.com", Issuers: map[string]*Issuer{
				"default": {ID: "default", Meta: Meta{Created: day}},
				"a":       {ID: "a", Dialect: DialectAuth0, URL: "https://v.example", Meta: Meta{Created: tt.a}},
				"z":       {ID: "z", Dialect: DialectOkta, URL: "https://v.example/oauth2/z", Meta: Meta{Created: tt.z}},
			}}
			checkProblem(t, ValidateSet(v), tt.problem)
		})
	}
}

// TestNoSuchManagementAPI: nobody can create one by hand, so nobody is told to.
func TestNoSuchManagementAPI(t *testing.T) {
	v := View{Base: "https://auth.example.com", Issuers: map[string]*Issuer{"default": {ID: "default"}}}
	for api, want := range map[string]string{"okta-management": "it comes with the issuer okta", "orders": "create it first"} {
		err := ValidateClient(v, &Client{ID: "c", Issuers: []string{"default"}, Access: map[string][]string{api: nil}})
		if err == nil || !strings.Contains(err.Error(), "there is no API "+api+"; "+want) {
			t.Errorf("%s: %v", api, err)
		}
	}
}
