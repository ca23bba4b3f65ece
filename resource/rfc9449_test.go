package resource

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// set changes members of the header or the claims.
func set(name string, value any) func(header, claims members) {
	return func(header, claims members) {
		switch name {
		case "typ", "alg", "jwk", "kid", "crit", "jku", "x5c", "b64", "zip", "x-extra":
			header[name] = value
		default:
			claims[name] = value
		}
	}
}

// withKey changes members of the jwk.
func withKey(name string, value any) func(header, claims members) {
	return func(header, _ members) {
		if value == nil {
			delete(header["jwk"].(members), name)
			return
		}
		header["jwk"].(members)[name] = value
	}
}

// TestDPoPNegatives: what is wrong with a proof is refused with 401 and
// invalid_dpop_proof in the challenge of DPoP, over HTTP, and a good proof
// afterwards is taken.
func TestDPoPNegatives(t *testing.T) {
	i := newIssuer(t)
	cfg := i.config()
	cfg.TokenCache = 100 // remembered or not, the proof is asked for
	a := newAPI(t, cfg)
	at := orders(t, a, "orders:read")
	h := newHolder(t, i, time.Now)
	secret, err := h.key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	private := b64(secret)
	now := time.Now()
	for name, change := range map[string]func(header, claims members){
		"no typ":                    set("typ", nil),
		"typ of an access token":    set("typ", "at+jwt"),
		"typ of an assertion":       set("typ", "client-authentication+jwt"),
		"typ JWT":                   set("typ", "JWT"),
		"typ as media type":         set("typ", "application/dpop+jwt"),
		"typ in capitals":           set("typ", "DPOP+JWT"),
		"no alg":                    set("alg", nil),
		"alg none":                  set("alg", "none"),
		"alg None":                  set("alg", "None"),
		"alg HS256":                 set("alg", "HS256"),
		"alg of another key":        set("alg", "RS256"),
		"alg of another curve":      set("alg", "ES384"),
		"unknown alg":               set("alg", "ES256K"),
		"no jwk":                    set("jwk", nil),
		"jwk is a string":           set("jwk", "key"),
		"jwk empty":                 set("jwk", members{}),
		"private jwk":               withKey("d", private), // CVE-2026-54431 liboauth2
		"symmetric jwk":             set("jwk", members{"kty": "oct", "k": "c2VjcmV0"}),
		"jwk without a coordinate":  withKey("y", nil),
		"jwk off the curve":         withKey("x", b64(make([]byte, 32))),
		"jwk of another curve":      withKey("crv", "P-384"),
		"weak RSA jwk":              set("jwk", members{"kty": "RSA", "n": b64(append([]byte{0x80}, make([]byte, 127)...)), "e": "AQAB"}),
		"crit":                      set("crit", []string{"exp"}),
		"b64":                       set("b64", false),
		"zip":                       set("zip", "DEF"),
		"jku":                       set("jku", "https://evil.example/jwks"),
		"x5c":                       set("x5c", []string{"MIIB"}),
		"no htm":                    set("htm", nil),
		"htm of another method":     set("htm", "POST"),
		"htm in lower case":         set("htm", "get"),
		"htm is a list":             set("htm", []string{"GET"}),
		"no htu":                    set("htu", nil),
		"htu of another path":       set("htu", audience+"/invoices"),
		"htu with a final slash":    set("htu", ordersURL+"/"),
		"htu of another case":       set("htu", audience+"/Orders"),
		"htu of another host":       set("htu", "https://evil.example/orders"),
		"htu of a host that begins": set("htu", "https://orders.example.com.evil.example/orders"),
		"htu over http":             set("htu", "http://orders.example.com/orders"),
		"htu of another port":       set("htu", "https://orders.example.com:8443/orders"),
		"htu of the connection":     set("htu", at), // what the Host header says
		"htu with a user":           set("htu", "https://x@orders.example.com/orders"),
		"htu is a path":             set("htu", "/orders"),
		"htu is a list":             set("htu", []string{ordersURL}),
		"no iat":                    set("iat", nil),
		"iat is text":               set("iat", "now"),
		"iat 61 s ago":              set("iat", now.Unix()-62),
		"iat an hour ago":           set("iat", now.Unix()-3600),
		"iat in 61 s":               set("iat", now.Unix()+61),
		"iat in a year":             set("iat", now.Unix()+31536000),
		"iat zero":                  set("iat", 0),
		"iat below zero":            set("iat", -1),
		"exp passed":                set("exp", now.Unix()-1),
		"nbf far ahead":             set("nbf", now.Unix()+61),
		"no jti":                    set("jti", nil),
		"jti empty":                 set("jti", ""),
		"jti is a number":           set("jti", 7),
		"jti of 10000 bytes":        set("jti", strings.Repeat("x", 10000)),
		"no ath":                    set("ath", nil),
		"ath of another token":      set("ath", b64(make([]byte, 32))),
		"ath empty":                 set("ath", ""),
		"ath with padding": func(_, claims members) {
			claims["ath"] = claims["ath"].(string) + "="
		},
		"ath is the token": set("ath", h.token),
	} {
		got := h.present(t, at, h.proof(t, change))
		var e symbolon.ErrorAnswer
		if err = json.Unmarshal([]byte(got.body), &e); err != nil || e.Error != symbolon.InvalidDPoPProof || e.ErrorDescription == "" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
			continue
		}
		got.wants(t, name, "DPoP", invalidProof(e.ErrorDescription))
	}
	h.present(t, at, h.proof(t, nil)).good(t, "a good proof afterwards")
}

// TestDPoPNegativeRequests: the proof may be good, and the request is not.
func TestDPoPNegativeRequests(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	at := orders(t, a, "orders:read")
	h := newHolder(t, i, time.Now)
	proof := func() string { return h.proof(t, nil) }
	tampered := func(n int) string { // another letter in the middle of a part
		parts := strings.Split(proof(), ".")
		b := []byte(parts[n])
		if b[len(b)/2] == 'A' {
			b[len(b)/2] = 'B'
		} else {
			b[len(b)/2] = 'A'
		}
		parts[n] = string(b)
		return strings.Join(parts, ".")
	}
	for name, proofs := range map[string][]string{
		"no proof":                 nil,
		"an empty header":          {""},
		"two headers":              {proof(), proof()},
		"a good one and another":   {proof(), "x"},
		"a list in one header":     {proof() + ", " + proof()},
		"the access token":         {h.token},
		"garbage":                  {"x.y.z"},
		"cut signature":            {proof()[:150]},
		"no signature":             {strings.Join(strings.Split(proof(), ".")[:2], ".") + "."},
		"changed claims":           {tampered(1)},
		"changed signature":        {tampered(2)},
		"JSON serialization":       {`{"payload":"","signatures":[]}`},
		"four parts":               {proof() + ".x"},
		"the issuer's signature":   {sign(t, i.signers[0], []byte(`{"jti":"a","htm":"GET","htu":"`+ordersURL+`"}`))},
		"header is no JSON object": {forge(`[]`, []byte(`{}`), func([]byte) []byte { return nil })},
		"10000 nested members":     {forge(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+strings.Repeat(`{"a":`, 1500)+`1`+strings.Repeat(`}`, 1500)+`}`, []byte(`{}`), func([]byte) []byte { return make([]byte, 64) })},
	} {
		got := h.present(t, at, proofs...)
		var e symbolon.ErrorAnswer
		if json.Unmarshal([]byte(got.body), &e); e.Error != symbolon.InvalidDPoPProof {
			t.Errorf("%s: %d %s", name, got.status, got.body)
			continue
		}
		got.wants(t, name, "DPoP", invalidProof(e.ErrorDescription))
	}
	h.present(t, at, h.proof(t, nil)).good(t, "a good proof afterwards")
}

// TestDPoPAccepted: what is spelt otherwise, or more than is needed, is taken.
func TestDPoPAccepted(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	at := orders(t, a, "orders:read")
	h := newHolder(t, i, time.Now)
	now := time.Now()
	for name, change := range map[string]func(header, claims members){
		"as it should be":            nil,
		"more members in the header": set("x-extra", members{"a": 1}),
		"a kid":                      set("kid", "k1"),
		"more claims":                set("extra", []int{1, 2}),
		"a nonce though none is on":  set("nonce", "of-another-server"),
		"exp and nbf": func(_, claims members) {
			claims["exp"], claims["nbf"] = now.Unix()+30, now.Unix()-30
		},
		"alg and use in the jwk": func(header, _ members) {
			k := header["jwk"].(members)
			k["alg"], k["use"], k["kid"] = "ES256", "sig", "k1"
		},
		"iat 10 s ago":                set("iat", now.Unix()-10), // FAPI: iat 10 s before succeeds
		"iat in 10 s":                 set("iat", now.Unix()+10), // FAPI: iat 10 s after succeeds
		"iat with a fraction":         set("iat", float64(now.UnixMilli())/1000),
		"htu with scheme in capitals": set("htu", "HTTPS://orders.example.com/orders"),
		"htu with host in capitals":   set("htu", "https://Orders.EXAMPLE.com/orders"),
		"htu with the default port":   set("htu", "https://orders.example.com:443/orders"),
		"htu with an empty port":      set("htu", "https://orders.example.com:/orders"),
		"htu with dot segments":       set("htu", audience+"/x/../orders"),
		"htu with encoded letters":    set("htu", audience+"/%6Frder%73"),
		"htu with a query":            set("htu", ordersURL+"?page=2"),
		"htu with a fragment":         set("htu", ordersURL+"#top"),
		"jti of 256 bytes":            set("jti", strings.Repeat("j", 256)),
	} {
		h.present(t, at+"?page=1", h.proof(t, change)).good(t, name)
	}
	for name, fields := range map[string]http.Header{
		"scheme in lower case":    {"Authorization": {"dpop " + h.token}, "Dpop": {h.proof(t, nil)}},
		"scheme in capitals":      {"Authorization": {"DPOP " + h.token}, "DPoP": {h.proof(t, nil)}},
		"header in capitals":      {"Authorization": {"DPoP " + h.token}, "DPOP": {h.proof(t, nil)}},
		"header in lower case":    {"authorization": {"DPoP " + h.token}, "dpop": {h.proof(t, nil)}},
		"two spaces":              {"Authorization": {"DPoP  " + h.token}, "Dpop": {h.proof(t, nil)}},
		"Host of somebody else's": {"Authorization": {"DPoP " + h.token}, "Dpop": {h.proof(t, nil)}, "X-Forwarded-Host": {"evil.example"}, "Forwarded": {"host=evil.example"}},
	} {
		do(t, http.DefaultClient, http.MethodGet, at, fields).good(t, name)
	}
	// A token that is bound to nothing is not helped by a proof, nor harmed.
	fields := http.Header{"Authorization": {"Bearer " + i.token(t, nil)}, "Dpop": {"x"}}
	do(t, http.DefaultClient, http.MethodGet, at, fields).good(t, "an unbound token beside a proof")
}

// TestDPoPAlgorithms: each algorithm of the list with a token bound to its key,
// and none that is not on it.
func TestDPoPAlgorithms(t *testing.T) {
	i := newIssuer(t)
	all, cfg := newAPI(t, i.config()), i.config()
	cfg.DPoPAlgorithms = []string{"PS256", "ES256", "EdDSA"}
	fapi := newAPI(t, cfg)
	h := newHolder(t, i, time.Now)
	for alg, onList := range map[jose.Algorithm]bool{jose.RS256: false, jose.PS256: true, jose.ES384: false, jose.EdDSA: true} {
		h.jkt = thumbprintOf(t, keysOf()[alg].Public())
		h.token = h.bound(t, i, nil)
		h.present(t, orders(t, all), h.proof(t, otherKey(t, alg))).good(t, string(alg))
		got := h.present(t, orders(t, fapi), h.proof(t, otherKey(t, alg)))
		if onList {
			got.good(t, string(alg))
			continue
		}
		if c := got.challengeFor("DPoP"); got.status != 401 || !strings.Contains(c, `error="invalid_dpop_proof"`) || !strings.Contains(c, `algs="PS256 ES256 EdDSA"`) {
			t.Errorf("%s: %d %s", alg, got.status, c)
		}
	}
}

// TestSchemes: RFC 9449 §7.1 and §7.2: which token under which scheme, and who
// is told what.
func TestSchemes(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	at := orders(t, a, "orders:read")
	h := newHolder(t, i, time.Now)
	free := i.token(t, nil)
	send := func(proof string, authorization ...string) answer {
		fields := http.Header{"Authorization": authorization}
		if proof != "" {
			fields["Dpop"] = []string{proof}
		}
		return do(t, http.DefaultClient, http.MethodGet, at, fields)
	}
	send("", "Bearer "+h.token).wants(t, "downgrade", "Bearer", errDowngrade)
	send(h.proof(t, nil), "Bearer "+h.token).wants(t, "downgrade with a proof", "Bearer", errDowngrade)
	send(h.proof(t, nil), "DPoP "+free).wants(t, "an unbound token under DPoP", "DPoP", errNotDPoP)
	send("", "DPoP "+free).wants(t, "an unbound token under DPoP without proof", "DPoP", errNotDPoP)
	send(h.proof(t, nil), "DPoP x").wants(t, "garbage under DPoP", "DPoP", errMalformed)
	send("", "Bearer x").wants(t, "garbage under Bearer", "Bearer", errMalformed)
	expired := h.bound(t, i, func(c *symbolon.Claims) { c.Expiry = 1 })
	send(h.proof(t, nil), "DPoP "+expired).wants(t, "an expired token", "DPoP", errExpired)
	less := *h
	less.token = h.bound(t, i, func(c *symbolon.Claims) { c.Scope = "orders:list" })
	send(less.proof(t, nil), "DPoP "+less.token).wants(t, "a scope lacking", "DPoP", errScope)
	send("", "DPoP").wants(t, "the scheme alone", "DPoP", errEmptyToken)

	// Figure 19: who sends two is told in both.
	two := send(h.proof(t, nil), "Bearer "+h.token, "DPoP "+h.token)
	for _, scheme := range []string{"Bearer", "DPoP"} {
		if c := two.challengeFor(scheme); two.status != 400 || !strings.Contains(c, `error="invalid_request"`) {
			t.Errorf("two Authorization headers: %d %s", two.status, c)
		}
	}
	two = send(h.proof(t, nil), "DPoP "+h.token, "DPoP "+h.token)
	if two.status != 400 {
		t.Errorf("two Authorization headers of one scheme: %d", two.status)
	}
	// Figure 17: who sends nothing is told nothing but what there is.
	none := send("")
	const end = `, scope="orders:read", resource_metadata="https://orders.example.com/.well-known/oauth-protected-resource"`
	if none.status != 401 || none.body != "" || none.challengeFor("Bearer") != `Bearer realm="https://orders.example.com"`+end ||
		none.challengeFor("DPoP") != `DPoP realm="https://orders.example.com", algs="ES256 ES384 PS256 RS256 EdDSA Ed25519"`+end {
		t.Errorf("no token: %d %q %s", none.status, none.header["Www-Authenticate"], none.body)
	}
}

// TestPaths: the URL that a proof must name is made of PublicURL and the path
// that was sent, whatever middlewares make of it.
func TestPaths(t *testing.T) {
	i := newIssuer(t)
	h := newHolder(t, i, time.Now)
	for _, c := range []struct{ public, sent, htu string }{
		{"https://orders.example.com", "/orders", "https://orders.example.com/orders"},
		{"https://orders.example.com/", "/", "https://orders.example.com"},
		{"https://Orders.Example.com:443", "/a%2Fb%20c", "https://orders.example.com/a%2fb%20c"},
		{"https://orders.example.com", "//evil.example/x", "https://orders.example.com//evil.example/x"},
		{"https://orders.example.com", "/a/../b", "https://orders.example.com/b"},
		{"https://orders.example.com", "/a;b=c,d", "https://orders.example.com/a;b=c,d"},
		{"https://orders.example.com/v1", "/orders", "https://orders.example.com/v1/orders"},    // a proxy took /v1 away
		{"https://orders.example.com/v1", "/v1/orders", "https://orders.example.com/v1/orders"}, // or not
		{"https://orders.example.com/v1/", "/v1", "https://orders.example.com/v1"},
		{"https://orders.example.com/v1", "/v10/orders", "https://orders.example.com/v1/v10/orders"},
		{"https://orders.example.com/v1", "/%761/orders", "https://orders.example.com/v1/orders"},
		{"http://localhost:3000", "/orders", "http://localhost:3000/orders"},
		{"http://api.internal:8080", "/orders", "http://api.internal:8080/orders"},
		{"https://[2001:DB8::1]:8443", "/x", "https://[2001:db8::1]:8443/x"},
	} {
		cfg := i.config()
		cfg.PublicURL = c.public
		a := newAPI(t, cfg)
		srv := httptest.NewServer(http.StripPrefix("/", a.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }))))
		if got := do(t, http.DefaultClient, http.MethodGet, srv.URL+c.sent, http.Header{"Authorization": {"DPoP " + h.token}, "Dpop": {h.proof(t, set("htu", c.htu))}}); got.status != 204 {
			t.Errorf("%+v: %d %s", c, got.status, got.body)
		}
		if got := do(t, http.DefaultClient, http.MethodGet, srv.URL+c.sent+"x", http.Header{"Authorization": {"DPoP " + h.token}, "Dpop": {h.proof(t, set("htu", c.htu))}}); got.status != 401 {
			t.Errorf("%+v: another path: %d", c, got.status)
		}
		srv.Close()
	}
}

// TestRequestTargets: what is no path has no URL to compare with.
func TestRequestTargets(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	h := newHolder(t, i, time.Now)
	check := func(r Request, htu string) error {
		r.Method, r.Authorization, r.DPoP = "GET", []string{"DPoP " + h.token}, []string{h.proof(t, set("htu", htu))}
		_, err := a.Check(t.Context(), r)
		return err
	}
	for _, r := range []Request{{}, {URL: &url.URL{Path: "*"}}, {URL: &url.URL{Opaque: "a:1"}}, {URL: &url.URL{Path: "orders"}}, {URL: new(url.URL)}} {
		if err := check(r, audience+"/"); !sameError(err, errTarget) {
			t.Errorf("%+v: %v", r.URL, err)
		}
	}
	if err := check(Request{URL: &url.URL{Path: "/a b#c?d"}}, audience+"/a%20b%23c%3Fd"); err != nil {
		t.Error(err)
	}
	for sent, want := range map[string]string{
		"/orders?x#y": "/orders", "/a#b": "/a%23b", "*": "", "": "", "http://evil.example/orders": "", "evil.example:443": "", "//x/y": "//x/y", "?": "",
	} {
		if got := target(sent); got != want {
			t.Errorf("%q: %q", sent, got)
		}
	}
}

// TestNoProofsWithoutAURL: what a proof says cannot be compared with anything.
func TestNoProofsWithoutAURL(t *testing.T) {
	i := newIssuer(t)
	for _, aud := range []string{"orders", "urn:orders", "http://orders.example.com"} {
		cfg := i.config()
		cfg.Audience = aud
		a := newAPI(t, cfg)
		h := newHolder(t, i, time.Now)
		h.token = h.bound(t, i, func(c *symbolon.Claims) { c.Audience = []string{aud} })
		got := h.present(t, orders(t, a), h.proof(t, set("htu", aud+"/orders")))
		if got.status != 401 || got.challengeFor("DPoP") != "" || !strings.Contains(got.challengeFor("Bearer"), errBound.Description) {
			t.Errorf("%s: %d %v", aud, got.status, got.header)
		}
	}
}

// TestRFC9449_7_1_Example: figures 8, 9, 13 and 14: the request of the text, at its
// time, to its resource. Its token is opaque; what it stands for is put in the
// memory of verified tokens.
func TestRFC9449_7_1_Example(t *testing.T) {
	const (
		token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
		jkt   = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
		proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik" +
			"VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR" +
			"nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE" +
			"QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj" +
			"oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z" +
			"WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF" +
			"c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E" +
			"OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	)
	i := newIssuer(t)
	now := time.Unix(1562262618, 0)
	cfg := Config{Issuer: i.url, Audience: "https://resource.example.org", TokenCache: 100, Now: func() time.Time { return now }}
	a := newAPI(t, cfg)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	remember := func(jkt string) {
		claims := &symbolon.Claims{ClientID: "billing", Expiry: 1562266216, NotBefore: 1562262611, Confirmation: &symbolon.Confirmation{JKT: jkt}}
		key, failed := a.sources[0].keys.find(t.Context(), "k1", now)
		if failed != nil {
			t.Fatal(failed)
		}
		a.cache.put(a.cache.digest(token), verifiedOf(claims, key, a.sources[0]), now)
	}
	srv := httptest.NewServer(a.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })))
	defer srv.Close()
	ask := func(scheme string) answer {
		return do(t, http.DefaultClient, "GET", srv.URL+"/protectedresource", http.Header{"Authorization": {scheme + " " + token}, "Dpop": {proof}})
	}
	remember(jkt)
	ask("Bearer").wants(t, "as a bearer token", "Bearer", errDowngrade)
	now = now.Add(61 * time.Second)
	if got := ask("DPoP"); got.status != 401 || !strings.Contains(got.challengeFor("DPoP"), `error="invalid_dpop_proof"`) {
		t.Errorf("61 s later: %d %s", got.status, got.body)
	}
	now = now.Add(-31 * time.Second)
	remember("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs") // of RFC 7638 §3.1
	ask("DPoP").wants(t, "bound to another key", "DPoP", errOtherKey)
	remember(jkt)
	if got := ask("DPoP"); got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
	ask("DPoP").wants(t, "once more", "DPoP", errReplayed)
}

// athOf is the ath of a token (RFC 9449 §4.2).
func athOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return b64(sum[:])
}
