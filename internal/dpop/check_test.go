package dpop

import (
	"crypto"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// TestCheckAccepts: what is another spelling of a good proof, or carries more than it must.
func TestCheckAccepts(t *testing.T) {
	const header, claims = true, false
	for _, c := range []struct {
		name     string
		in       bool
		old, new string
	}{
		{"as it is", header, `{`, `{`},
		{"extra header parameters", header, `{`, `{"kid":"k1","tx_id":1800003600,"cty":"x",`},
		{"jwk with more members", header, `JWK`, strings.Replace(publicJWK(), "{", `{"kid":"k1","use":"sig","alg":"ES256","key_ops":["verify"],"ext":true,"x5c":["MIIB"],`, 1)},
		{"white space in the header", header, `"alg":`, " \n\"alg\" :\t"},
		{"escapes", claims, `POST`, `\u0050OST`},
		{"extra claims", claims, `{`, `{"iss":1,"aud":[],"cnf":null,"x":{"y":[1,"2",{}]},`},
		{"nbf now and exp in 5 minutes", claims, `{`, `{"nbf":1800000000,"exp":1800000300,`}, // CheckDpopProofNbfExp
		{"iat 10 s before", claims, `1800000000`, `1799999990`},                              // EnsureDpopProofWithIat10SecondsBeforeSucceeds
		{"iat 10 s after", claims, `1800000000`, `1800000010`},                               // EnsureDpopProofWithIat10SecondsAfterSucceeds
		{"iat at the window's end", claims, `1800000000`, `1799999940`},
		{"iat as far ahead as it may be", claims, `1800000000`, `1800000030`},
		{"iat with a fraction", claims, `1800000000`, `1799999999.75`},
		{"iat with an exponent", claims, `1800000000`, `1.8e9`},
		{"jti as long as it may be", claims, `j-4711`, strings.Repeat("j", maxID)},
		{"no nonce", claims, `,"nonce":"n-1"`, ``},
		{"htu with query and fragment", claims, `/orders`, `/orders?access_token=x#y`},
		{"htu in upper case", claims, `https://api.example.com`, `HTTPS://API.EXAMPLE.COM`},
		{"htu with the default port", claims, `api.example.com`, `api.example.com:443`},
		{"htu with dot segments", claims, `/orders`, `/./x/../%2e/orders`},
		{"htu with needless encodings", claims, `/orders`, `/%6Frders`},
		{"htu with an escaped slash", claims, `https://`, `https:\/\/`},
	} {
		head, body := testHeader, testClaims
		if c.in == header {
			head = change(t, head, c.old, c.new)
		} else {
			body = change(t, body, c.old, c.new)
		}
		p, err := Check([]string{forge(head, body)}, expected())
		if err != nil {
			t.Errorf("%s: %v (%v)", c.name, err, symbolon.AsError(err).Cause())
			continue
		}
		if p.HTU != testURL || p.ID == "" || p.Thumbprint != must(NewProver(p256Key())).Thumbprint() {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

// TestCheckWithoutToken: at a token endpoint nothing is said of a token.
func TestCheckWithoutToken(t *testing.T) {
	e := expected()
	e.AccessToken = ""
	for _, claims := range []string{testClaims, change(t, testClaims, `"ath":"ATH",`, ``)} {
		if _, err := Check([]string{forge(testHeader, claims)}, e); err != nil {
			t.Errorf("%s: %v", claims, err)
		}
	}
}

// TestCheckEitherURL: a server that is reached by two hosts.
func TestCheckEitherURL(t *testing.T) {
	e := expected()
	e.URLs = []string{"https://mtls.example.com/orders", testURL}
	p, err := Check([]string{forge(testHeader, testClaims)}, e)
	if err != nil || p.HTU != testURL {
		t.Errorf("%v, %+v", err, p)
	}
}

// TestCheckEveryAlgorithm: made by a Prover, and by RS256 and Ed25519 of others.
func TestCheckEveryAlgorithm(t *testing.T) {
	for alg, key := range map[jose.Algorithm]crypto.Signer{
		jose.ES256: p256Key(), jose.ES384: p384Key(), jose.PS256: rsaKey(), jose.EdDSA: edKey(),
	} {
		p, err := Check([]string{proofOf(t, key, testRequest())}, expected())
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		prover := must(NewProver(key))
		if p.Algorithm != alg || prover.signer.Key().Algorithm != alg || p.Thumbprint != prover.Thumbprint() || p.Nonce != "n-1" {
			t.Errorf("%s: %+v", alg, p)
		}
	}
	for alg, key := range map[jose.Algorithm]crypto.Signer{jose.RS256: rsaKey(), jose.Ed25519: edKey()} {
		s := must(jose.NewProofSigner(key, alg, symbolon.TypDPoPProof))
		claims := strings.Replace(testClaims, "ATH", tokenHash(testToken), 1)
		if _, err := Check([]string{must(s.Sign([]byte(claims)))}, expected()); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		fapi := expected()
		fapi.Algorithms = []jose.Algorithm{jose.PS256, jose.ES256, jose.EdDSA}
		refusedWith(t, string(alg)+" outside of the list", []string{must(s.Sign([]byte(claims)))}, fapi, errAlgorithm)
	}
}

// TestReplayKeyAndExpiry: what a proof is remembered by, and how long.
func TestReplayKeyAndExpiry(t *testing.T) {
	check := func(claims string) *Proof {
		t.Helper()
		p, err := Check([]string{forge(testHeader, claims)}, expected())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := check(testClaims)
	if again := check(testClaims); again.ReplayKey != p.ReplayKey {
		t.Error("two presentations of one proof have two keys")
	}
	if other := check(change(t, testClaims, "4711", "4712")); other.ReplayKey == p.ReplayKey {
		t.Error("proofs of different jti have one key")
	}
	if other := must(Check([]string{proofOf(t, p384Key(), testRequest())}, expected())); other.ReplayKey == p.ReplayKey {
		t.Error("proofs of different keys have one key")
	}
	// The parts of the key do not run into each other.
	if replayKey("t", "a", "bc") == replayKey("t", "ab", "c") {
		t.Error("jti and htu are one text")
	}
	// It is known as long as it would be accepted.
	late := expected()
	late.Now = p.Expires.Add(-Overlap)
	if _, err := Check([]string{forge(testHeader, testClaims)}, late); err != nil {
		t.Errorf("at its last moment: %v", err)
	}
	late.Now = late.Now.Add(1)
	refusedWith(t, "after its last moment", []string{forge(testHeader, testClaims)}, late, errOld)
	early := expected()
	early.Window = 5 * time.Minute
	if p := must(Check([]string{forge(testHeader, testClaims)}, early)); !p.Expires.Equal(testNow.Add(5*time.Minute + Overlap)) {
		t.Errorf("a window of 5 minutes: until %v", p.Expires)
	}
}

// TestCheckTrace: every step is told, the last one with what to do.
func TestCheckTrace(t *testing.T) {
	steps := []string{"proof form", "proof type", "proof algorithm", "proof key", "proof signature", "proof claims",
		"proof method", "proof url", "proof time", "proof token"}
	run := func(header, claims string) []symbolon.Check {
		e := expected()
		e.Trace = new(symbolon.Trace)
		_, err := Check([]string{forge(header, claims)}, e)
		for i, c := range e.Trace.Checks {
			if c.Name != steps[i] || c.Clause != "RFC 9449 §4.3" || c.Expected == "" {
				t.Errorf("step %d: %+v", i, c)
			}
			last := i == len(e.Trace.Checks)-1
			if failed := err != nil && last; c.OK == failed || (c.Fix != "") != failed {
				t.Errorf("step %d, error %v: %+v", i, err, c)
			}
		}
		return e.Trace.Checks
	}
	if got := run(testHeader, testClaims); len(got) != len(steps) {
		t.Errorf("a good proof: %d steps", len(got))
	}
	for step, c := range map[string][2]string{
		"proof form":      {`{}`, testClaims},
		"proof type":      {change(t, testHeader, "dpop+jwt", "JWT"), testClaims},
		"proof algorithm": {change(t, testHeader, "ES256", "ES512"), testClaims},
		"proof key":       {change(t, testHeader, "JWK", "{}"), testClaims},
		"proof signature": {change(t, testHeader, "JWK", otherJWK()), testClaims},
		"proof claims":    {testHeader, `{}`},
		"proof method":    {testHeader, change(t, testClaims, "POST", "GET")},
		"proof url":       {testHeader, change(t, testClaims, "orders", "other")},
		"proof time":      {testHeader, change(t, testClaims, "1800000000", "1")},
		"proof token":     {testHeader, change(t, testClaims, "ATH", "x")},
	} {
		got := run(c[0], c[1])
		if len(got) == 0 || got[len(got)-1].Name != step || got[len(got)-1].OK {
			t.Errorf("%s: %+v", step, got)
		}
	}
}

// TestNothingIsRepeated: no error, cause, trace or printed value has anything of a proof that
// could be a secret, and what the trace has of it is short.
func TestNothingIsRepeated(t *testing.T) {
	const canary = "canary4711"
	long := strings.Repeat("long", 500)
	for _, c := range [][2]string{
		{testHeader, change(t, testClaims, "j-4711", canary)},
		{testHeader, change(t, change(t, testClaims, "j-4711", canary), "POST", "GET")},
		{testHeader, change(t, change(t, testClaims, "n-1", canary), "orders", "other")},
		{testHeader, change(t, testClaims, `"ATH"`, `"`+canary+`"`)},
		{testHeader, change(t, testClaims, `"n-1"`, `["`+canary+`"]`)},
		{testHeader, change(t, testClaims, "/orders", "/other?access_token="+canary)},
		{testHeader, change(t, testClaims, "https://", "https://"+canary+"@")},
		{testHeader, change(t, testClaims, `{`, `{"`+canary+`":1,"`+canary+`":1,`)},
		{change(t, testHeader, `JWK`, `{"kty":"EC","crv":"P-256","d":"`+canary+`"}`), testClaims},
		{change(t, testHeader, `JWK`, `{"kty":"`+canary+`"}`), testClaims},
		{testHeader, change(t, testClaims, "POST", long)},
		{testHeader, change(t, testClaims, "orders", long)},
		{change(t, testHeader, "dpop+jwt", long), testClaims},
	} {
		e := expected()
		e.Trace = new(symbolon.Trace)
		text := forge(c[0], c[1])
		_, err := Check([]string{text}, e)
		said := fmt.Sprintf("%+v %v %#v %+v", e, e.Trace.Checks, e, err)
		for ; err != nil; err = errors.Unwrap(err) {
			said += err.Error()
		}
		for _, secret := range []string{canary, testToken, text, strings.Split(text, ".")[2]} {
			if strings.Contains(said, secret) {
				t.Errorf("%s: says %q", c[1], said)
			}
		}
		for _, check := range e.Trace.Checks {
			if len(check.Got) > 256 {
				t.Errorf("%d bytes in the trace", len(check.Got))
			}
		}
	}
}

// TestSentences keep to the character set of RFC 6749 §5.2 and say different things.
func TestSentences(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range []*symbolon.Error{
		errNone, errSeveral, errLong, errForm, errHeader, errType, errAlgorithm, errKey, errPrivateKey, errSignature,
		errClaims, errID, errMethod, errURL, errIssuedAt, errOld, errAhead, errExpired, errNotYet, errNoTokenHash, errTokenHash,
	} {
		if e.Code != symbolon.InvalidDPoPProof || seen[e.Description] || e.Description == "" {
			t.Errorf("%v", e)
		}
		seen[e.Description] = true
		if i := strings.IndexFunc(e.Description, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }); i >= 0 {
			t.Errorf("%q: character %d", e.Description, i)
		}
	}
}
