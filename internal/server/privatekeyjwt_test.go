package server

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
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
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			f := newKeyFixture(t)
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
			last := f.records()[0]
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

// by signs with another key, that the header says nothing about.
func by(key string, alg jose.Algorithm) func(*fixture, *forged) {
	return func(f *fixture, a *forged) {
		a.sign = func(message []byte) []byte { return signatureBy(f.t, privateKey(f.t, key), alg, message) }
	}
}

// payload takes the claims as text, with old replaced by new.
func payload(old, new string) func(*fixture, *forged) {
	return func(f *fixture, a *forged) {
		text := compactJSON(f.t, a.claims)
		if a.payload = strings.Replace(text, old, new, 1); a.payload == text {
			f.t.Fatalf("no %s in %s", old, text)
		}
	}
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

// TestBadAssertions: every way to be wrong has the one answer of whoever may not
// act as a client, to the last octet; the record tells which it was.
func TestBadAssertions(t *testing.T) {
	tests := map[string]struct {
		client, key, more string
		change            func(*fixture, *forged)
		reason            string // a part of the record's
	}{
		"RFC 7523 §3: iss is another":                        {change: claim("iss", "billing"), more: "&client_id=signing", reason: "iss and sub"},
		"RFC 7523 §3: iss missing":                           {change: claim("iss", nil), reason: "iss and sub"},
		"RFC 7523 §3: sub missing":                           {change: claim("sub", nil), more: "&client_id=signing", reason: "iss and sub"},
		"RFC 7523 §3: sub and client_id missing":             {change: claim("sub", nil), reason: "no client of that id"},
		"RFC 7523 §3: sub is another":                        {change: claim("sub", "billing"), more: "&client_id=signing", reason: "iss and sub"},
		"iss is a list (CVE-2025-30144)":                     {change: claim("iss", []string{"signing"}), reason: "iss is not a string"},
		"sub is a list":                                      {change: claim("sub", []string{"signing"}), reason: "sub is not a string"},
		"iss is a part of the id (CVE-2024-53861)":           {change: claim("iss", "sign"), reason: "iss and sub"},
		"iss in another case":                                {change: claim("iss", "Signing"), reason: "iss and sub"},
		"RFC 7521 §4.2: client_id is another's":              {more: "&client_id=second", reason: "not by the client's key"},
		"RFC 7521 §4.2: client_id is unknown":                {more: "&client_id=nobody", reason: "no client of that id"},
		"another client's assertion, under its own name":     {client: "second", key: "P-256 signing", reason: "not by the client's key"},
		"RFC 7523 §3: aud missing":                           {change: claim("aud", nil), reason: "aud is none"},
		"RFC 7523 §3: aud is another":                        {change: claim("aud", "https://other.example.com"), reason: "aud is another"},
		"aud injection: the token endpoint (CVE-2025-27370)": {change: claim("aud", base+"/token"), reason: "aud is the token endpoint"},
		"aud injection: a list (CVE-2025-27371)":             {change: claim("aud", []string{base, "https://attacker.example"}), reason: "aud is a list"},
		"aud: a list of one (CVE-2020-26160)":                {change: claim("aud", []string{base}), reason: "aud is a list"},
		"aud: an empty list":                                 {change: claim("aud", []string{}), reason: "aud is none"},
		"aud: a number":                                      {change: claim("aud", 1), reason: "neither a string nor a list"},
		"aud: another issuer of this server":                 {change: claim("aud", base+"/partners"), reason: "aud is another"},
		"aud: the issuer and a slash":                        {change: claim("aud", base+"/"), reason: "aud is another"},
		"aud: the issuer in another case":                    {change: claim("aud", strings.ToUpper(base)), reason: "aud is another"},
		"aud: a longer one":                                  {change: claim("aud", base+".attacker.example"), reason: "aud is another"},
		"an exception for lists: the token endpoint":         {client: "old-array", change: claim("aud", base+"/token"), reason: "aud is the token endpoint"},
		"an exception for lists: with the token endpoint":    {client: "old-array", change: claim("aud", []string{base + "/token"}), reason: "aud is a list"},
		"an exception for the endpoint: a list":              {client: "old-token", change: claim("aud", []string{base + "/token"}), reason: "aud is a list"},
		"an exception: another aud":                          {client: "old-both", change: claim("aud", "https://other.example.com"), reason: "aud is another"},
		"an exception: a list without us":                    {client: "old-both", change: claim("aud", []string{"https://other.example.com"}), reason: "aud is a list"},
		"an exception: the token endpoint of another":        {client: "old-both", change: claim("aud", base+"/partners/token"), reason: "aud is another"},
		"an exception: exp an hour ahead":                    {client: "old-both", change: claimAt("exp", time.Hour), reason: "lives too long"},
		"an exception: no jti":                               {client: "old-both", change: claim("jti", nil), reason: "no jti"},
		"RFC 7523 §3: exp missing":                           {change: claim("exp", nil), reason: "has no exp"},
		"RFC 7523 §3: exp a second ago":                      {change: claimAt("exp", -time.Second), reason: "has expired"},
		"RFC 7523 §3: exp now":                               {change: claimAt("exp", 0), reason: "has expired"},
		"exp five minutes ago":                               {change: claimAt("exp", -5*time.Minute), reason: "has expired"},
		"exp six minutes ahead":                              {change: claimAt("exp", 6*time.Minute), reason: "lives too long"},
		"exp a year ahead":                                   {change: claimAt("exp", 365*24*time.Hour), reason: "lives too long"},
		"exp in milliseconds":                                {change: claim("exp", start.Add(time.Minute).UnixMilli()), reason: "exp is not a number of seconds"},
		"exp 1e400":                                          {change: both(claim("exp", 7777), payload("7777", "1e400")), reason: "exp is not a number of seconds"},
		"exp -1e400":                                         {change: both(claim("exp", 7777), payload("7777", "-1e400")), reason: "exp is not a number of seconds"},
		"exp of the least int64":                             {change: claim("exp", int64(math.MinInt64)), reason: "exp is not a number of seconds"},
		"exp of the largest int64":                           {change: claim("exp", int64(math.MaxInt64)), reason: "exp is not a number of seconds"},
		"exp -Infinity":                                      {change: both(claim("exp", 7777), payload("7777", "-Infinity")), reason: "claims cannot be read"},
		"exp NaN":                                            {change: both(claim("exp", 7777), payload("7777", "NaN")), reason: "claims cannot be read"},
		"exp a string":                                       {change: claim("exp", "1800000000"), reason: "exp is not a number of seconds"},
		"exp true":                                           {change: claim("exp", true), reason: "exp is not a number of seconds"},
		"exp null":                                           {change: both(claim("exp", 7777), payload("7777", "null")), reason: "exp is not a number of seconds"},
		"iat of the least int64":                             {change: claim("iat", int64(math.MinInt64)), reason: "iat is not a number of seconds"},
		"iat 1e400":                                          {change: both(claim("iat", 7777), payload("7777", "1e400")), reason: "iat is not a number of seconds"},
		"iat more than 60 s ahead":                           {change: claimAt("iat", 61*time.Second), reason: "from the future"},
		"nbf more than 60 s ahead":                           {change: both(claimAt("nbf", 61*time.Second), claimAt("exp", 2*time.Minute)), reason: "from the future"},
		"iat an hour ago":                                    {change: claimAt("iat", -time.Hour), reason: "too old"},
		"jti missing":                                        {change: claim("jti", nil), reason: "no jti"},
		"jti empty":                                          {change: claim("jti", ""), reason: "no jti"},
		"jti of 257 octets":                                  {change: claim("jti", strings.Repeat("j", 257)), reason: "no jti"},
		"jti a number":                                       {change: claim("jti", 4711), reason: "jti is not a string"},
		"typ of an access token":                             {change: header("typ", "at+jwt"), reason: "typ is another token's"},
		"typ of a DPoP proof":                                {change: header("typ", "dpop+jwt"), reason: "typ is another token's"},
		"typ of an ID token's logout":                        {change: header("typ", "logout+jwt"), reason: "typ is another token's"},
		"crit (CVE-2025-59420)":                              {change: header("crit", []string{"exp"}), reason: "cannot be read"},
		"jwk in the header (CVE-2018-0114)":                  {key: "P-256 attacker", change: embedded, reason: "cannot be read"},
		"jku in the header":                                  {change: header("jku", "https://attacker.example/jwks"), reason: "cannot be read"},
		"x5u in the header":                                  {change: header("x5u", "https://attacker.example/cert"), reason: "cannot be read"},
		"x5c in the header":                                  {change: header("x5c", []string{"MIIB"}), reason: "cannot be read"},
		"b64 in the header":                                  {change: header("b64", false), reason: "cannot be read"},
		"zip in the header":                                  {change: header("zip", "DEF"), reason: "cannot be read"},
		"alg missing":                                        {change: both(by("P-256 signing", "ES256"), header("alg", nil)), reason: "cannot be read"},
		"alg none":                                           {change: unsigned("none"), reason: "cannot be read"},
		"alg None":                                           {change: unsigned("None"), reason: "cannot be read"},
		"alg nOnE":                                           {change: unsigned("nOnE"), reason: "cannot be read"},
		"alg ES256, and no signature":                        {change: unsigned("ES256"), reason: "cannot be read"},
		"alg es256":                                          {change: both(by("P-256 signing", "ES256"), header("alg", "es256")), reason: "cannot be read"},
		"HS256 with the JWK as secret (CVE-2015-9235)":       {change: hs256("jwk"), reason: "cannot be read"},
		"HS256 with the PEM as secret (CVE-2022-29217)":      {change: hs256("pem"), reason: "cannot be read"},
		"HS256 with the client_id as secret":                 {change: hs256("id"), reason: "cannot be read"},
		"r = s = 0 (CVE-2022-21449)":                         {change: func(_ *fixture, a *forged) { a.sign = func([]byte) []byte { return make([]byte, 64) } }, reason: "not by the client's key"},
		"an EC key, RS256":                                   {change: both(by("P-256 signing", "ES256"), header("alg", "RS256")), reason: "not by the client's key"},
		"an EC key, ES384":                                   {change: both(by("P-256 signing", "ES256"), header("alg", "ES384")), reason: "not by the client's key"},
		"a wrong key":                                        {key: "P-256 attacker", reason: "not by the client's key"},
		"a wrong key that names the right one":               {key: "P-256 attacker", change: header("kid", "k1"), reason: "not by the client's key"},
		"another key of the client than kid says":            {client: "two-keys", key: "P-256 signing", change: header("kid", "new"), reason: "not by the client's key"},
		"kid unknown":                                        {change: header("kid", "k9"), reason: "none of the client's keys"},
		"kid of another client's key":                        {change: thumbprint("P-256 second"), reason: "none of the client's keys"},
		"kid a path (CVE-2025-65945)":                        {change: header("kid", "../../../../dev/null"), reason: "none of the client's keys"},
		"kid a query":                                        {change: header("kid", "x' UNION SELECT '1';--"), reason: "none of the client's keys"},
		"kid a number":                                       {change: header("kid", 1), reason: "cannot be read"},
		"an expired key":                                     {client: "two-keys", key: "P-256 expired", reason: "not by the client's key"},
		"an expired key, by its id":                          {client: "two-keys", key: "P-256 expired", change: header("kid", "k0"), reason: "key k0 has expired"},
		"a client without keys":                              {client: "billing", reason: "may not authenticate by this method"},
		"an unknown client":                                  {client: "nobody", reason: "no client of that id"},
		"an impossible client":                               {client: "no such/form", reason: "no client of that id"},
		"a disabled client":                                  {client: "off", reason: "the client is disabled"},
		"a pending client":                                   {client: "waiting", reason: "the client is pending"},
		"a client of another issuer":                         {client: "away", reason: "may not authenticate at this issuer"},
		"a method narrowed away":                             {client: "narrowed", reason: "may not authenticate by this method"},
		"a claim twice":                                      {change: payload(`"aud":`, `"aud":"https://x.example","aud":`), reason: "claims cannot be read"},
		"a claim twice, the second spelt with an escape":     {change: payload(`"aud":`, `"\u0061ud":"https://x.example","aud":`), reason: "claims cannot be read"},
		"10,000 nested members":                              {change: nested(10_000), reason: "cannot be read"},
		"nested members within the size":                     {change: nested(4_000), reason: "claims cannot be read"},
		"claims not an object":                               {change: func(_ *fixture, a *forged) { a.payload = `["x"]` }, reason: "claims cannot be read"},
		"claims not JSON":                                    {change: func(_ *fixture, a *forged) { a.payload = `x` }, reason: "claims cannot be read"},
	}
	f := newKeyFixture(t)
	network := 0
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			f.in(t)
			a := f.assertionOf(or(c.client, "signing"), or(c.key, "P-256 signing"))
			if c.change != nil {
				c.change(f, &a)
			}
			network++ // only so many refusals of one network have a record each
			w := f.exchange(wire{form: assertingForm(a.text(t), c.more), remote: fmt.Sprintf("10.1.%d.1:1", network)})
			refusedClient.check(t, w)
			records := f.records()
			last := records[len(records)-1]
			if !strings.Contains(last.Reason, c.reason) || last.Code != "invalid_client" || last.Verified || len(last.Presented) != 0 || last.JTI != "" {
				t.Errorf("record %+v, want %q", last, c.reason)
			}
		})
	}
	// The good assertion still works after all of that.
	f.token(f.assert(assertingForm(f.assertionOf("signing", "P-256 signing").text(t), "")))
}

// embedded puts the attacker's key into the header, as if it were to be used.
func embedded(f *fixture, a *forged) {
	a.header["jwk"] = json.RawMessage(publicKey(f.t, "P-256 attacker", "", "").JSON())
}

func unsigned(alg string) func(*fixture, *forged) {
	return func(_ *fixture, a *forged) {
		a.header["alg"], a.sign = alg, func([]byte) []byte { return nil }
	}
}

// hs256 signs with what is public of the client, as a secret.
func hs256(secret string) func(*fixture, *forged) {
	return func(f *fixture, a *forged) {
		key := publicKey(f.t, "P-256 signing", "", "jwk-kid")
		public := map[string][]byte{"jwk": key.JSON(), "pem": key.PEM(), "id": []byte("signing")}
		a.header["alg"], a.sign = "HS256", hmacWith(public[secret])
	}
}

func nested(depth int) func(*fixture, *forged) {
	return payload(`{`, `{"x":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`,`)
}

// TestAssertionsInBadRequests: what is wrong with the request itself may be said
// precisely, since no client has been looked at.
func TestAssertionsInBadRequests(t *testing.T) {
	f := newKeyFixture(t)
	good := func() string { return f.assertionOf("mixed", "P-256 signing").text(t) }
	kind := "&client_assertion_type=" + url.QueryEscape(symbolon.AssertionTypeJWT)
	tooLarge := refusal{status: 413, code: "invalid_request", description: "the request body is larger than this server reads: 64 KiB at the OAuth endpoints"}
	tests := map[string]struct {
		query, form string
		header      []string
		want        refusal
	}{
		"RFC 6749 §2.3: assertion and secret":         {form: assertingForm(good(), "&client_id=mixed&client_secret="+secret1), want: refusedBy(errTwoMethods)},
		"RFC 6749 §2.3: assertion and Basic":          {form: assertingForm(good(), ""), header: []string{"Authorization", basicAuth("mixed", secret1)}, want: refusedBy(errTwoMethods)},
		"RFC 6749 §2.3: assertion and another header": {form: assertingForm(good(), ""), header: []string{"Authorization", "Bearer x"}, want: refusedBy(errTwoMethods)},
		"RFC 6749 §3.2: two assertions":               {form: assertingForm(good(), "&client_assertion="+good()), want: refusedBy(errRepeated)},
		"RFC 6749 §3.2: two types":                    {form: assertingForm(good(), kind), want: refusedBy(errRepeated)},
		"RFC 7521 §4.2: no type":                      {form: grant + "&client_assertion=" + good(), want: refusedBy(errHalfAssertion)},
		"RFC 7521 §4.2: an empty type":                {form: grant + "&client_assertion_type=&client_assertion=" + good(), want: refusedBy(errHalfAssertion)},
		"RFC 7521 §4.2: no assertion":                 {form: grant + kind, want: refusedBy(errHalfAssertion)},
		"RFC 7521 §4.2: an empty assertion":           {form: grant + kind + "&client_assertion=", want: refusedBy(errHalfAssertion)},
		"RFC 7522: a SAML assertion":                  {form: grant + "&client_assertion_type=" + url.QueryEscape("urn:ietf:params:oauth:client-assertion-type:saml2-bearer") + "&client_assertion=PHg", want: refusedClient},
		"a type in another case":                      {form: strings.Replace(assertingForm(good(), ""), "jwt-bearer", "JWT-bearer", 1), want: refusedClient},
		"RFC 7523 §2.1: the type of a grant":          {form: strings.Replace(assertingForm(good(), ""), "client-assertion-type", "grant-type", 1), want: refusedClient},
		"an assertion in the URL":                     {query: "?client_assertion=" + good(), form: grant, want: refusedBy(errQuery)},
		"not a token":                                 {form: assertingForm("x", ""), want: refusedClient},
		"millions of dots (CVE-2025-30204)":           {form: assertingForm(strings.Repeat(".", 60_000), ""), want: refusedClient},
		"five parts":                                  {form: assertingForm(good()+".x.y", ""), want: refusedClient},
		"white space around it":                       {form: assertingForm(" "+good(), ""), want: refusedClient},
		"padding":                                     {form: assertingForm(good()+"=", ""), want: refusedClient},
		"a line break inside":                         {form: assertingForm(good()[:20]+"\n"+good()[20:], ""), want: refusedBy(errCharacters)},
		"1 MB":                                        {form: assertingForm(strings.Repeat("A", 1<<20), ""), want: tooLarge},
		"60 KB":                                       {form: assertingForm(strings.Repeat("A", 60<<10), ""), want: refusedClient},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			f.in(t)
			c.want.check(t, f.ask("POST", base+"/token"+c.query, c.form, c.header...))
		})
	}
	if strings.Contains(f.log.String(), "eyJ") {
		t.Errorf("an assertion is in the log:\n%s", &f.log)
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

// TestAssertionReplay (CVE-2020-15222, CVE-2020-5300): an assertion is good for
// one token. What refuses it is refused with the one answer, as if it were wrong.
func TestAssertionReplay(t *testing.T) {
	f := newKeyFixture(t)
	a := f.assertionOf("signing", "P-256 signing")
	text := a.text(t)
	f.token(f.assert(assertingForm(text, "")))
	refusedClient.check(t, f.assert(assertingForm(text, "")))
	// Signed anew, with the same jti: the signature is another one, the assertion is not.
	refusedClient.check(t, f.assert(assertingForm(a.text(t), "&client_id=signing")))
	a.claims["exp"], a.header["kid"] = f.at(2*time.Minute), "k1"
	refusedClient.check(t, f.assert(assertingForm(a.text(t), "")))
	records := f.records()
	if last := records[len(records)-1]; last.Reason != errAssertionReplayed.Error() || !last.Verified {
		t.Errorf("record %+v", last)
	}
	// The jti is the client's: another client may have the same.
	b := f.assertionOf("second", "P-256 second")
	b.claims["jti"] = a.claims["jti"]
	f.token(f.assert(assertingForm(b.text(t), "")))
	// It is remembered for as long as any clock of ours could believe it, and no
	// record of it is lost with the memory: the key is in the record of the token.
	if p := records[0].Presented; len(p) != 1 || p[0].Expires.Before(time.Unix(a.claims["iat"].(int64)+60, 0)) {
		t.Errorf("presented %+v", p)
	}
}

// TestReplayKeysAreApart: no two pairs of client and jti have the same key.
func TestReplayKeysAreApart(t *testing.T) {
	seen := map[[32]byte]string{}
	for _, a := range []assertion{
		{issuer: "a", id: "b"}, {issuer: "ab", id: ""}, {issuer: "", id: "ab"}, {issuer: "a", id: "\x00b"}, {issuer: "b", id: "a"},
	} {
		if other, twice := seen[a.replayKey()]; twice {
			t.Errorf("%q %q and %s", a.issuer, a.id, other)
		}
		seen[a.replayKey()] = fmt.Sprintf("%q %q", a.issuer, a.id)
	}
	if (&assertion{issuer: "a", id: "b"}).replayKey() != sha256.Sum256([]byte("a\x00b")) {
		t.Error("the journal of older versions has other keys")
	}
}

// TestARefusedRequestConsumesNothing: whatever the request is refused for, the
// same assertion is good once that is put right.
func TestARefusedRequestConsumesNothing(t *testing.T) {
	f := newKeyFixture(t)
	form := assertingForm(f.assertionOf("signing", "P-256 signing").text(t), "")
	refusedScope.check(t, f.assert(form+"&scope=orders:admin"))
	refusedTarget.check(t, f.assert(form+"&resource=https%3A%2F%2Fbare.example.com"))
	refusedBy(errScopeForm).check(t, f.assert(form+"&scope=%22"))
	refusedBy(errGrant).check(t, f.assert(strings.Replace(form, grant, "grant_type=password", 1)))
	refusedClient.check(t, f.assert(form+"&client_id=second"))
	f.apply(with(signing(t), func(c *registry.Client) { c.State = registry.StateDisabled }))
	refusedClient.check(t, f.assert(form))
	f.apply(signing(t))
	f.token(f.assert(form))
	refusedClient.check(t, f.assert(form))
}

// TestOneOfManyPresentationsWins: the same assertion, many times at once.
func TestOneOfManyPresentationsWins(t *testing.T) {
	f := newKeyFixture(t)
	form := assertingForm(f.assertionOf("signing", "P-256 signing").text(t), "")
	codes := make([]int, 64)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() { codes[i] = f.assert(form).Code })
	}
	wg.Wait()
	slices.Sort(codes)
	if codes[0] != http.StatusOK || codes[1] != http.StatusUnauthorized || codes[63] != http.StatusUnauthorized {
		t.Errorf("%v", codes)
	}
}

// TestAFullReplayMemory answers 429: nothing that lives is given up for it, and
// other clients notice nothing.
func TestAFullReplayMemory(t *testing.T) {
	f := newKeyFixture(t)
	f.cfg.Replay = dpop.NewMemory(dpop.MemoryConfig{MaxPerOwner: 2, Now: f.now})
	ask := func(client, key string) *httptest.ResponseRecorder {
		return f.assert(assertingForm(f.assertionOf(client, key).text(t), ""))
	}
	f.token(ask("signing", "P-256 signing"))
	f.token(ask("signing", "P-256 signing"))
	refusedBy(errReplayQuota, "Retry-After", "10").check(t, ask("signing", "P-256 signing"))
	f.token(ask("second", "P-256 second"))
	f.advance(2 * time.Minute)
	f.token(ask("signing", "P-256 signing"))
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
