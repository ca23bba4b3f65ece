package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
)

// everything is what a dialect may let pass of assertions.
var everything = &DialectAssertion{TokenEndpoint: true, MaxLifetime: time.Hour, NoID: true}

// asserts asks an issuer with an assertion, and a proof unless it is "".
func (f *fixture) asserts(issuer, assertion, proof string) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.asks(issuer, assertingForm(assertion, ""), symbolon.HeaderDPoP, proof)
}

// TestAssertionsOfADialect: each leniency by itself lets pass what it names, and
// the standard issuer refuses the same.
func TestAssertionsOfADialect(t *testing.T) {
	hour := func(a *forged, iss string) { a.claims["exp"] = start.Add(time.Hour).Unix() }
	for name, c := range map[string]struct {
		allowed *DialectAssertion
		change  func(a *forged, iss string)
	}{
		"the token endpoint":        {&DialectAssertion{TokenEndpoint: true}, func(a *forged, iss string) { a.claims["aud"] = iss + "/token" }},
		"an hour":                   {&DialectAssertion{MaxLifetime: time.Hour}, hour},
		"an hour, by a clock ahead": {&DialectAssertion{MaxLifetime: time.Hour}, func(a *forged, _ string) { a.claims["exp"] = start.Add(time.Hour + 29*time.Second).Unix() }},
		"made half an hour ago":     {&DialectAssertion{MaxLifetime: time.Hour}, func(a *forged, _ string) { a.claims["iat"] = start.Add(-30 * time.Minute).Unix() }},
		"without jti":               {&DialectAssertion{NoID: true}, func(a *forged, _ string) { a.claims["jti"] = nil }},
		"with an empty jti":         {&DialectAssertion{NoID: true}, func(a *forged, _ string) { a.claims["jti"] = "" }},
		"without jti, iat, typ":     {&DialectAssertion{NoID: true}, func(a *forged, _ string) { a.claims["jti"], a.claims["iat"], a.header["typ"] = nil, nil, nil }},
		"all at once":               {everything, func(a *forged, iss string) { hour(a, iss); a.claims["jti"], a.claims["aud"] = nil, iss+"/token" }},
	} {
		t.Run(name, func(t *testing.T) {
			f := newDialectFixture(t, &Dialect{Name: "x", Assertion: c.allowed})
			f.letThrough(t, refusedClient, func(issuer string) *httptest.ResponseRecorder {
				a := f.assertionAt(issuer, "here-and-there")
				c.change(&a, issuer)
				return f.asserts(issuer, a.text(t), "")
			})
			// What the dialect does not name is refused there, too.
			f.dialects["partners"] = &Dialect{Name: "y"}
			a := f.assertionAt(vendor, "here-and-there")
			c.change(&a, vendor)
			refusedClient.check(t, f.asserts(vendor, a.text(t), ""))
		})
	}
}

// TestBadAssertionsAtADialect: however lenient it is.
func TestBadAssertionsAtADialect(t *testing.T) {
	f := newDialectFixture(t, &Dialect{Name: "x", Assertion: everything})
	for name, change := range map[string]func(a *forged){
		"another issuer's token endpoint": func(a *forged) { a.claims["aud"] = base + "/token" },
		"another endpoint":                func(a *forged) { a.claims["aud"] = vendor + "/introspect" },
		"a list of the issuer":            func(a *forged) { a.claims["aud"] = []string{vendor} },
		"a list with the issuer":          func(a *forged) { a.claims["aud"] = []string{vendor, "x"} },
		"a list with the endpoint":        func(a *forged) { a.claims["aud"] = []string{vendor + "/token"} },
		"a list without us":               func(a *forged) { a.claims["aud"] = []string{base, base + "/token"} },
		"an empty list":                   func(a *forged) { a.claims["aud"] = []string{} },
		"no aud":                          func(a *forged) { a.claims["aud"] = nil },
		"more than an hour":               func(a *forged) { a.claims["exp"] = start.Add(time.Hour + 61*time.Second).Unix() },
		"no exp":                          func(a *forged) { a.claims["exp"] = nil },
		"expired":                         func(a *forged) { a.claims["exp"] = start.Unix() },
		"from the future":                 func(a *forged) { a.claims["iat"] = start.Add(61 * time.Second).Unix() },
		"made more than an hour ago":      func(a *forged) { a.claims["iat"] = start.Add(-62 * time.Minute).Unix() },
		"a jti that is too long":          func(a *forged) { a.claims["jti"] = strings.Repeat("j", 257) },
		"a jti that is no string":         func(a *forged) { a.claims["jti"] = 1 },
		"a jti that is null":              func(a *forged) { a.payload = strings.Replace(compactJSON(t, a.claims), `"jti":`, `"jti":null,"x":`, 1) },
		"another's":                       func(a *forged) { a.key = privateKey(t, "P-256 attacker") },
		"iss is not the client":           func(a *forged) { a.claims["iss"] = "everywhere" },
		"the type of a proof":             func(a *forged) { a.header["typ"] = "dpop+jwt" },
		"no signature":                    func(a *forged) { a.header["alg"] = "none"; a.sign = func([]byte) []byte { return []byte("x") } },
	} {
		t.Run(name, func(t *testing.T) {
			a := f.assertionAt(vendor, "here-and-there")
			change(&a)
			refusedClient.check(t, f.asserts(vendor, a.text(t), ""))
		})
	}
	// The profile of an issuer goes before its dialect.
	f.apply(&registry.Issuer{ID: "partners", Profile: registry.ProfileFAPI2})
	a := f.assertionAt(vendor, "here-and-there")
	a.claims["aud"] = vendor + "/token"
	refusedClient.check(t, f.asserts(vendor, a.text(t), ""))
}

// TestAnAssertionWithoutIDIsGoodOnce: it is named by what is signed of it, and a
// refused request uses nothing up.
func TestAnAssertionWithoutIDIsGoodOnce(t *testing.T) {
	f := newDialectFixture(t, &Dialect{Name: "x", Assertion: everything, MissingProof: symbolon.InvalidDPoPProof})
	f.apply(with(keyed("here-and-there", clientKey(t, "k1", "P-256 signing", "")), func(c *registry.Client) {
		c.Issuers, c.Bound, c.DefaultAPI = []string{"partners"}, registry.BoundDPoP, nil
		c.Access = map[string][]string{"shared": {"orders:read"}}
	}))
	a := f.assertionAt(vendor, "here-and-there")
	a.claims["jti"], a.claims["exp"], a.claims["aud"] = nil, start.Add(time.Hour).Unix(), vendor+"/token"
	assertion := a.text(t)
	proof := func(nonce string) string {
		p := f.proofOf("P-256 proof")
		p.claims["htu"], p.claims["nonce"] = vendor+"/token", any(nonce)
		if nonce == "" {
			p.claims["nonce"] = nil
		}
		return p.text(t)
	}
	wants := func(w *httptest.ResponseRecorder, status int, code string) {
		t.Helper()
		if w.Code != status || !strings.Contains(w.Body.String(), `"`+code+`"`) {
			t.Fatalf("%d %s, want %d %s", w.Code, w.Body, status, code)
		}
	}
	wants(f.asserts(vendor, assertion, ""), http.StatusBadRequest, "invalid_dpop_proof")
	w := f.asserts(vendor, assertion, proof(""))
	wants(w, http.StatusBadRequest, "use_dpop_nonce")
	nonce := w.Header().Get("DPoP-Nonce")
	wants(f.asserts(vendor, assertion, proof("stale")), http.StatusBadRequest, "use_dpop_nonce")
	wants(f.asks(vendor, assertingForm(assertion, "&scope=orders%3Anonsense"), symbolon.HeaderDPoP, proof(nonce)), http.StatusBadRequest, "invalid_scope")
	wants(f.asserts(vendor, assertion, proof(nonce)), http.StatusOK, "DPoP")
	if got := len(f.last().Presented); got != 2 {
		t.Errorf("%d are remembered over a restart", got)
	}
	refusedClient.check(t, f.asserts(vendor, assertion, proof(nonce)))
	// The same claims, signed again: ECDSA gives another signature.
	if again := a.text(t); again == assertion {
		t.Error("the signature is the same")
	} else {
		refusedClient.check(t, f.asserts(vendor, again, proof(nonce)))
	}
	if last := f.last(); last.Verified || last.Reason != errAssertionReplayed.Error() {
		t.Errorf("recorded as %+v", last)
	}
	// Shortly before it expires it is remembered still.
	f.advance(time.Hour - time.Second)
	refusedClient.check(t, f.asserts(vendor, assertion, proof(f.cfg.Nonces.Issue(vendor, f.now()))))
	// With another exp it is another.
	a.claims["exp"] = f.now().Add(time.Minute).Unix()
	wants(f.asserts(vendor, a.text(t), proof(f.cfg.Nonces.Issue(vendor, f.now()))), http.StatusOK, "DPoP")
}
