package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// newKeyFixture is a fixture with clients that have keys.
func newKeyFixture(t testing.TB) *fixture {
	t.Helper()
	f := newFixture(t)
	legacy := func(audience ...string) func(*registry.Client) {
		return func(c *registry.Client) {
			c.LegacyAssertion = &registry.LegacyAssertion{Until: start.Add(24 * time.Hour), Audience: audience, MaxLifetime: registry.Duration(30 * time.Minute)}
		}
	}
	key := func(id string) registry.ClientKey { return clientKey(t, id, "P-256 signing", "jwk-kid") }
	expired := clientKey(t, "k0", "P-256 expired", "")
	expired.Expires = start
	f.apply(
		signing(t),
		keyed("second", clientKey(t, "k1", "P-256 second", "")),
		keyed("two-keys", expired, clientKey(t, "k1", "P-256 signing", ""), clientKey(t, "k2", "P-256 second", "new"), clientKey(t, "k3", "RSA one", "")),
		with(keyed("old-token", key("k1")), legacy(registry.AudienceTokenEndpoint)),
		with(keyed("old-array", key("k1")), legacy(registry.AudienceIssuerArray)),
		with(keyed("old-both", key("k1")), legacy(registry.AudienceIssuerArray, registry.AudienceTokenEndpoint)),
		with(keyed("off", key("k1")), func(c *registry.Client) { c.State = registry.StateDisabled }),
		with(keyed("waiting", key("k1")), func(c *registry.Client) { c.State = registry.StatePending }),
		with(keyed("away", key("k1")), func(c *registry.Client) { c.Issuers = []string{"partners"} }),
		with(keyed("here-and-there", key("k1")), func(c *registry.Client) {
			c.Issuers = []string{"default", "partners"}
			c.Access = map[string][]string{"orders": {"orders:read"}, "shared": {"orders:read"}}
		}),
		with(keyed("narrowed", key("k1")), func(c *registry.Client) {
			c.Secrets = []registry.Secret{generated("s1", secret1)}
			c.Auth = []string{symbolon.AuthSecretBasic}
		}),
		with(keyed("mixed", key("k1")), func(c *registry.Client) { c.Secrets = []registry.Secret{generated("s1", secret1)} }),
	)
	return f
}

// assert asks the default issuer with the form as it is.
func (f *fixture) assert(form string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.ask("POST", base+"/token", form, header...)
}

// TestGoodAssertions: whose assertion is taken, and which credential the token names.
func TestGoodAssertions(t *testing.T) {
	tests := map[string]struct {
		client, key, more string
		change            func(*fixture, *forged)
		cred              string
	}{
		"RFC 7521 §4.2: without client_id":                {},
		"RFC 7521 §4.2: with the same client_id":          {more: "&client_id=signing"},
		"RFC 8725 §3.11: typ client-authentication+jwt":   {},
		"RFC 8725 §3.11: typ in another case":             {change: header("typ", "Client-Authentication+JWT")},
		"RFC 8725 §3.11: typ with its prefix":             {change: header("typ", "application/client-authentication+jwt")},
		"typ JWT, as most programs set it":                {change: header("typ", "JWT")},
		"no typ":                                          {change: header("typ", nil)},
		"kid: the credential's id":                        {change: header("kid", "k1")},
		"kid: the JWK's own":                              {change: header("kid", "jwk-kid")},
		"kid: the thumbprint of RFC 7638":                 {change: thumbprint("P-256 signing")},
		"no kid, several keys: the first":                 {client: "two-keys", key: "P-256 signing"},
		"no kid, several keys: a rotation's new one":      {client: "two-keys", key: "P-256 second", cred: "k2"},
		"no kid, several keys: of another kind":           {client: "two-keys", key: "RSA one", change: header("alg", "PS256"), cred: "k3"},
		"kid, several keys":                               {client: "two-keys", key: "P-256 second", change: header("kid", "new"), cred: "k2"},
		"RSA without alg in its JWK: RS256":               {client: "two-keys", key: "RSA one", change: both(header("alg", "RS256"), header("kid", "k3")), cred: "k3"},
		"a client with a secret too":                      {client: "mixed"},
		"RFC 7523 §3: aud is the issuer":                  {},
		"iat absent":                                      {change: claim("iat", nil)},
		"nbf now":                                         {change: claimAt("nbf", 0)},
		"iat 8 s ahead":                                   {change: claimAt("iat", 8*time.Second)},
		"iat 10 s ahead":                                  {change: claimAt("iat", 10*time.Second)},
		"nbf 8 s ahead":                                   {change: claimAt("nbf", 8*time.Second)},
		"nbf 10 s ahead":                                  {change: claimAt("nbf", 10*time.Second)},
		"exp a second ahead":                              {change: claimAt("exp", time.Second)},
		"exp five minutes ahead":                          {change: claimAt("exp", 5*time.Minute)},
		"exp five minutes ahead by a clock that is ahead": {change: claimAt("exp", 5*time.Minute+10*time.Second)},
		"RFC 7519 §2: exp with a fraction":                {change: func(f *fixture, a *forged) { a.claims["exp"] = float64(f.at(time.Minute)) + 0.5 }},
		"iat five minutes ago":                            {change: claimAt("iat", -5*time.Minute)},
		"a jti of 256 octets":                             {change: claim("jti", strings.Repeat("j", 256))},
		"a jti of one octet":                              {change: claim("jti", "j")},
		"RFC 7523 §3: other claims":                       {change: claim("azp", []string{"x"})},
		"other header parameters":                         {change: header("x-extra", map[string]any{"a": 1})},
		"the same key at the next client":                 {client: "here-and-there"},
		"empty secret and scope are as if absent":         {more: "&client_secret=&scope="},
		"an exception: aud is the token endpoint":         {client: "old-token", change: claim("aud", base+"/token")},
		"an exception: aud is its alias":                  {client: "old-token", change: claim("aud", aliasURL+"/token")},
		"an exception: aud is the issuer all the same":    {client: "old-token"},
		"an exception: aud is a list of the issuer":       {client: "old-array", change: claim("aud", []string{base})},
		"an exception: aud is a list with the issuer":     {client: "old-array", change: claim("aud", []string{"https://x.example", base})},
		"an exception: aud is a list with the endpoint":   {client: "old-both", change: claim("aud", []string{"https://x.example", base + "/token"})},
		"an exception: exp half an hour ahead":            {client: "old-token", change: claimAt("exp", 30*time.Minute)},
	}
	f := newKeyFixture(t)
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			f.in(t)
			client := or(c.client, "signing")
			a := f.assertionOf(client, or(c.key, "P-256 signing"))
			if c.change != nil {
				c.change(f, &a)
			}
			w := f.exchange(wire{form: assertingForm(a.text(t), c.more)})
			answer, claims, _ := f.token(w)
			if claims.ClientID != client || claims.Subject != client || claims.Cred != or(c.cred, "k1") {
				t.Errorf("claims %+v", claims)
			}
			if answer.TokenType != "Bearer" || claims.Confirmation != nil {
				t.Errorf("type %s, confirmation %v", answer.TokenType, claims.Confirmation)
			}
			records := f.records()
			last := records[len(records)-1]
			if last.Method != symbolon.AuthPrivateKeyJWT || !last.Verified || last.Cred != claims.Cred || len(last.Presented) != 1 {
				t.Errorf("record %+v", last)
			}
		})
	}
}

func header(name string, value any) func(*fixture, *forged) {
	return func(_ *fixture, a *forged) { a.header[name] = value }
}

func claim(name string, value any) func(*fixture, *forged) {
	return func(_ *fixture, a *forged) { a.claims[name] = value }
}

func claimAt(name string, d time.Duration) func(*fixture, *forged) {
	return func(f *fixture, a *forged) { a.claims[name] = f.at(d) }
}

func both(changes ...func(*fixture, *forged)) func(*fixture, *forged) {
	return func(f *fixture, a *forged) {
		for _, change := range changes {
			change(f, a)
		}
	}
}

func thumbprint(key string) func(*fixture, *forged) {
	return func(f *fixture, a *forged) { a.header["kid"] = publicKey(f.t, key, "", "").Thumbprint() }
}

// everyAlgorithm is what assertions may be signed with, and a key for each.
var everyAlgorithm = map[jose.Algorithm]string{
	jose.ES256: "P-256 one", jose.ES384: "P-384 one", jose.ES512: "P-521 one",
	jose.PS256: "RSA one", jose.PS384: "RSA one", jose.PS512: "RSA one",
	jose.RS256: "RSA one", jose.RS384: "RSA one", jose.RS512: "RSA one",
	jose.EdDSA: "Ed25519 one", jose.Ed25519: "Ed25519 one",
}

// TestAssertionAlgorithms: RFC 8725 §3.1: the issuer's list, which its metadata
// tells, and no other; a key that is pinned to one algorithm takes no second.
func TestAssertionAlgorithms(t *testing.T) {
	f := newKeyFixture(t)
	f.apply(&registry.Issuer{ID: "strict", Profile: registry.ProfileFAPI2})
	plain, strict := f.replica.Snapshot().Issuers["default"], f.replica.Snapshot().Issuers["strict"]
	if len(plain.AssertionAlgorithms()) != len(everyAlgorithm) {
		t.Fatalf("%d algorithms, %d keys", len(plain.AssertionAlgorithms()), len(everyAlgorithm))
	}
	for alg, key := range everyAlgorithm {
		f.apply(with(keyed("signing", clientKey(t, "k1", key, "")), func(c *registry.Client) {
			c.Issuers, c.Bound = []string{"default", "strict"}, ""
		}))
		a := f.assertionOf("signing", key)
		a.header["alg"] = string(alg)
		if _, claims, _ := f.token(f.assert(assertingForm(a.text(t), ""))); claims.Cred != "k1" {
			t.Errorf("%s: %+v", alg, claims)
		}
		// FAPI 2.0 §5.4.1: PS256, ES256 and EdDSA with Ed25519.
		a.claims["aud"], a.claims["jti"] = base+"/strict", nextID()
		w := f.ask("POST", base+"/strict/token", assertingForm(a.text(t), ""))
		allowed := slices.Contains(strict.AssertionAlgorithms(), alg)
		if refused := w.Code == http.StatusUnauthorized; refused == allowed {
			t.Errorf("%s at a fapi2 issuer: %d %s", alg, w.Code, w.Body)
		}
		if want := slices.Contains([]jose.Algorithm{"ES256", "PS256", "EdDSA", "Ed25519"}, alg); allowed != want {
			t.Errorf("%s is allowed at a fapi2 issuer: %v", alg, allowed)
		}
	}
	pinned := registry.ClientKey{ID: "k1", JWK: publicKey(t, "RSA one", jose.PS256, "").JSON()}
	f.apply(keyed("signing", pinned))
	for alg, good := range map[string]bool{"PS256": true, "RS256": false, "PS384": false} {
		a := f.assertionOf("signing", "RSA one")
		a.header["alg"] = alg
		if w := f.assert(assertingForm(a.text(t), "")); (w.Code == http.StatusOK) != good {
			t.Errorf("a key for PS256, %s: %d", alg, w.Code)
		}
	}
}

// TestARevokedKey: a key that is no longer the client's, on this node and without
// anybody telling it.
func TestARevokedKey(t *testing.T) {
	f := newKeyFixture(t)
	ask := func() *httptest.ResponseRecorder {
		return f.assert(assertingForm(f.assertionOf("signing", "P-256 signing").text(t), ""))
	}
	f.token(ask())
	f.apply(keyed("signing", clientKey(t, "k2", "P-256 second", "")))
	refusedClient.check(t, ask())
	// And a new one counts at once, wherever it was written.
	f.put(keyed("signing", clientKey(t, "k3", "P-256 signing", "")))
	if _, claims, _ := f.token(ask()); claims.Cred != "k3" {
		t.Errorf("%+v", claims)
	}
}

// TestALegacyAssertionEnds on its date, and does not exist under the profile fapi2.
func TestALegacyAssertionEnds(t *testing.T) {
	f := newKeyFixture(t)
	ask := func(issuer string) *httptest.ResponseRecorder {
		a := f.assertionOf("old-both", "P-256 signing")
		a.claims["aud"] = issuer + "/token"
		return f.ask("POST", issuer+"/token", assertingForm(a.text(t), ""))
	}
	f.token(ask(base))
	f.advance(24*time.Hour - time.Second)
	f.token(ask(base))
	f.advance(time.Second)
	refusedClient.check(t, ask(base))

	f = newKeyFixture(t)
	f.apply(&registry.Issuer{ID: "strict", Profile: registry.ProfileFAPI2})
	f.apply(with(keyed("old-both", clientKey(t, "k1", "P-256 signing", "")), func(c *registry.Client) {
		c.Issuers = []string{"default", "strict"}
		c.LegacyAssertion = &registry.LegacyAssertion{Until: start.Add(time.Hour), Audience: []string{registry.AudienceTokenEndpoint}}
	}))
	f.token(ask(base))
	refusedClient.check(t, ask(base+"/strict"))
}

// TestNoOracleOfAssertions: who may not have a token learns nothing about why:
// the same octets, and the same steps, counted.
func TestNoOracleOfAssertions(t *testing.T) {
	causes := map[string]struct {
		client, key string
		change      func(*fixture, *forged)
	}{
		"an unknown client":         {client: "nobody"},
		"an impossible client":      {client: "no such/form"},
		"an unknown kid":            {change: header("kid", "k9")},
		"an expired kid":            {client: "two-keys", key: "P-256 expired", change: header("kid", "k0")},
		"a wrong key":               {key: "P-256 attacker"},
		"a wrong key, by kid":       {key: "P-256 attacker", change: header("kid", "k1")},
		"a wrong aud":               {change: claim("aud", "x")},
		"an expired assertion":      {change: claimAt("exp", -1)},
		"without jti":               {change: claim("jti", nil)},
		"disabled":                  {client: "off"},
		"disabled, a wrong key":     {client: "off", key: "P-256 attacker"},
		"pending":                   {client: "waiting"},
		"elsewhere":                 {client: "away"},
		"narrowed":                  {client: "narrowed"},
		"a client with secrets":     {client: "billing"},
		"a client without anything": {client: "no-secret"},
	}
	f := newKeyFixture(t)
	ask := func(name string) *httptest.ResponseRecorder {
		c := causes[name]
		a := f.assertionOf(or(c.client, "signing"), or(c.key, "P-256 signing"))
		if c.change != nil {
			c.change(f, &a)
		}
		return f.assert(assertingForm(a.text(t), ""))
	}
	for name := range causes { // fill the caches, as they are in use
		ask(name)
	}
	counts := f.counting()
	shapes := map[string][]string{}
	for name := range causes {
		before := f.replica.Stats()
		w := ask(name)
		answer := w.Header().Clone()
		answer.Del("Request-Id")
		after := f.replica.Stats()
		shape := fmt.Sprintf("%d %v %s %v, %d loads, %d catch-ups", w.Code, answer, w.Body, counts(), after.Loads-before.Loads, after.CatchUps-before.CatchUps)
		shapes[shape] = append(shapes[shape], name)
		if steps := "map[confirm:1 look up:1 record:1 verify:1]"; !strings.Contains(shape, steps) {
			t.Errorf("%s: %s, want %s", name, shape, steps)
		}
	}
	if len(shapes) != 1 {
		for s, names := range shapes {
			t.Errorf("%q:\n\t%s", names, s)
		}
	}
}

// TestADecoyIsBounded: strangers cannot make the server compute more than so many
// signatures a second for clients and keys that do not exist.
func TestADecoyIsBounded(t *testing.T) {
	d := newDecoy()
	made := 0
	key := d.key
	d.key = func() *jose.Key { made++; return key() }
	token, err := jose.Parse(newKeyFixture(t).assertionOf("nobody", "P-256 attacker").text(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 * decoysPerSecond {
		d.verify(token, start)
	}
	if made != decoysPerSecond {
		t.Errorf("%d signatures", made)
	}
}

// TestKeysFromAJWKSURI: a client that publishes its keys, on a real host.
func TestKeysFromAJWKSURI(t *testing.T) {
	f := newKeyFixture(t)
	h := newKeyHost(t, publicKey(t, "P-256 one", "", "e1"), publicKey(t, "P-256 second", "", "e2"))
	w := newKeyWorld(t, nil)
	f.cfg.Keys = w.KeySource
	published := with(keyed("published"), func(c *registry.Client) { c.JWKSURI = h.URL })
	f.apply(published)
	ask := func(key, kid string) *httptest.ResponseRecorder {
		a := f.assertionOf("published", key)
		if kid != "" {
			a.header["kid"] = kid
		}
		return f.assert(assertingForm(a.text(t), ""))
	}
	want := registry.JWKSURICredential(h.URL)
	for _, c := range [][2]string{{"P-256 one", "e1"}, {"P-256 second", "e2"}, {"P-256 second", ""}} {
		if _, claims, _ := f.token(ask(c[0], c[1])); claims.Cred != want {
			t.Errorf("cred %q, want %q", claims.Cred, want)
		}
	}
	refusedClient.check(t, ask("P-256 attacker", "e1"))
	refusedClient.check(t, ask("P-256 one", "e2"))
	// A flood of kids that nobody has costs one fetch, and each the one answer.
	for i := range 50 {
		refusedClient.check(t, ask("P-256 attacker", fmt.Sprintf("random-%d", i)))
	}
	h.asked(t, 1)
	// A key that was revoked is none of the client's, though it is published still.
	f.apply(with(published, func(c *registry.Client) {
		c.Spent = []registry.Spent{{ID: "k1", Digest: "jwk:" + publicKey(t, "P-256 one", "", "").Thumbprint(), Revoked: start}}
	}))
	refusedClient.check(t, ask("P-256 one", "e1"))
	f.token(ask("P-256 second", "e2"))
	// Nobody is asked for the keys of a client that could not use them.
	f.apply(with(published, func(c *registry.Client) { c.State = registry.StateDisabled }))
	w.advance(time.Minute)
	refusedClient.check(t, ask("P-256 attacker", "new"))
	h.asked(t, 1)
	// A host that is gone is told as a client that is unknown.
	f.apply(with(published, func(c *registry.Client) { c.State, c.JWKSURI = registry.StateActive, h.URL+"/other" }))
	h.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	refusedClient.check(t, ask("P-256 one", "e1"))
	// Without anybody to ask, the registered keys alone count.
	f.cfg.Keys = nil
	refusedClient.check(t, ask("P-256 one", "e1"))
}
