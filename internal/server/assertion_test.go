package server

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

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
		"RFC 7523 §3: sub and client_id missing":             {change: claim("sub", nil), reason: "names a client"},
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
		"expired and badly signed (CVE-2024-51744)":          {key: "P-256 attacker", change: claimAt("exp", -time.Hour), reason: "not by the client's key"},
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
		"JSON serialization (GHSA-5739-39v2-5754)":    {form: assertingForm(serialized(good()), ""), want: refusedClient},
		"five parts":            {form: assertingForm(good()+".x.y", ""), want: refusedClient},
		"white space around it": {form: assertingForm(" "+good(), ""), want: refusedClient},
		"padding":               {form: assertingForm(good()+"=", ""), want: refusedClient},
		"a line break inside":   {form: assertingForm(good()[:20]+"\n"+good()[20:], ""), want: refusedBy(errCharacters)},
		"1 MB":                  {form: assertingForm(strings.Repeat("A", 1<<20), ""), want: tooLarge},
		"60 KB":                 {form: assertingForm(strings.Repeat("A", 60<<10), ""), want: refusedClient},
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

// serialized is the token in the JSON serialization of RFC 7515 §7.2.2, with an
// algorithm in its unprotected header.
func serialized(token string) string {
	parts := strings.Split(token, ".")
	return `{"protected":"` + parts[0] + `","header":{"alg":"none"},"payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`
}

// TestNoAssertionIsWritten: neither an assertion nor a proof is in the log, in
// the records or in an answer, whatever comes of it, nor does a request print it.
func TestNoAssertionIsWritten(t *testing.T) {
	f := newProofFixture(t)
	var answers strings.Builder
	var sent []string
	for _, more := range []string{"", "", "&scope=%22", "&scope=orders:admin", "&client_id=second", "&client_secret=x", "&resource=x", "&x=%zz"} {
		assertion, proof := f.assertionOf("signing", "P-256 signing").text(t), f.proofOf("P-256 proof").text(t)
		sent = append(sent, assertion, proof)
		for range 2 { // the second time it is a replay
			w := f.exchange(wire{form: assertingForm(assertion, more), header: http.Header{symbolon.HeaderDPoP: {proof}}})
			if w.Code != http.StatusOK {
				answers.Write(w.Body.Bytes())
			}
		}
		f.ask("POST", base+"/token?client_assertion="+assertion, grant, symbolon.HeaderDPoP, proof)
	}
	var records strings.Builder
	files, err := filepath.Glob(filepath.Join(f.dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		records.Write(data)
	}
	a, err := readAssertion(sent[0])
	if err != nil {
		t.Fatal(err)
	}
	q := request{Method: symbolon.AuthPrivateKeyJWT, Assertion: a, Proofs: sent[1:2]}
	printed := fmt.Sprintf("%v %+v %#v %s", q, q, q, &q)
	for place, text := range map[string]string{"the log": f.log.String(), "a record": records.String(), "an answer": answers.String(), "a printed request": printed} {
		for _, token := range sent {
			if signature := token[strings.LastIndexByte(token, '.')+1:]; strings.Contains(text, signature) || strings.Contains(text, token[:60]) {
				t.Errorf("an assertion or a proof is in %s", place)
			}
		}
	}
}
