package dpop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// refusedWith fails unless Check refuses the header fields with that sentence, before and
// after a good proof, and says no more than the sentence.
func refusedWith(t *testing.T, name string, fields []string, e Expectation, want *symbolon.Error) {
	t.Helper()
	p, err := Check(fields, e)
	var refused *symbolon.Error
	switch {
	case err == nil || p != nil:
		t.Errorf("%s: accepted", name)
	case !errors.As(err, &refused) || refused.Code != symbolon.InvalidDPoPProof:
		t.Errorf("%s: %v", name, err)
	case refused.Description != want.Description:
		t.Errorf("%s: %q, want %q (%v)", name, refused.Description, want.Description, refused.Cause())
	}
	if _, err := Check([]string{forge(testHeader, testClaims)}, expected()); err != nil {
		t.Fatalf("%s: the good proof after it: %v", name, err)
	}
}

// TestDPoPNegativeTests is named after the conformance suite's module; each case is refused
// with its own sentence. Reuse, the nonce and a token bound to another key are not seen in a
// proof alone and are tested where they are checked.
func TestDPoPNegativeTests(t *testing.T) {
	const header, claims = true, false
	for _, c := range []struct {
		name     string
		in       bool // where old becomes new
		old, new string
		want     *symbolon.Error
	}{
		{"typ missing", header, `"typ":"dpop+jwt",`, ``, errType},
		{"typ wrong", header, `dpop+jwt`, `dpop+jwt+wrong`, errType},
		{"typ of an access token", header, `dpop+jwt`, `at+jwt`, errType},
		{"typ JWT", header, `dpop+jwt`, `JWT`, errType},
		{"typ in another case", header, `dpop+jwt`, `DPoP+JWT`, errType},
		{"typ with prefix", header, `dpop+jwt`, `application/dpop+jwt`, errType},
		{"typ not a string", header, `"dpop+jwt"`, `["dpop+jwt"]`, errHeader},
		{"alg missing", header, `"alg":"ES256",`, ``, errHeader},
		{"alg none", header, `ES256`, `none`, errAlgorithm},
		{"alg nOnE", header, `ES256`, `nOnE`, errAlgorithm},
		{"alg HS256", header, `ES256`, `HS256`, errAlgorithm},
		{"alg in another case", header, `ES256`, `es256`, errAlgorithm},
		{"alg of another family", header, `ES256`, `RS256`, errAlgorithm},
		{"alg of another curve", header, `ES256`, `ES384`, errAlgorithm},
		{"alg not offered", header, `ES256`, `ES512`, errAlgorithm},
		{"jwk missing", header, `,"jwk":JWK`, ``, errHeader},
		{"jwk null", header, `JWK`, `null`, errForm},
		{"jwk a string", header, `JWK`, `"JWK"`, errForm},
		{"jwk empty", header, `JWK`, `{}`, errKey},
		{"jwk twice", header, `"jwk":JWK`, `"jwk":JWK,"jwk":JWK`, errForm},
		{"jwk symmetric", header, `JWK`, `{"kty":"oct","k":"c2VjcmV0"}`, errPrivateKey},
		{"jwk of another key", header, `JWK`, otherJWK(), errSignature},
		{"jwk not on the curve", header, `JWK`, `{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`, errKey},
		{"jwk of an unknown curve", header, `JWK`, `{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}`, errKey},
		{"jwk weak RSA", header, `JWK`, `{"kty":"RSA","e":"AQAB","n":"` + strings.Repeat("w", 171) + `"}`, errKey},
		{"jwk for encryption", header, `JWK`, strings.Replace(publicJWK(), "{", `{"use":"enc",`, 1), errKey},
		{"jwk with another alg", header, `JWK`, strings.Replace(publicJWK(), "{", `{"alg":"ES384",`, 1), errAlgorithm},
		{"jwk with a member twice", header, `JWK`, strings.Replace(publicJWK(), "{", `{"kty":"EC",`, 1), errForm},
		{"kid instead of jwk", header, `"jwk":JWK`, `"kid":"k1"`, errHeader},
		{"jku", header, `{`, `{"jku":"https://attacker.example/",`, errHeader},
		{"x5c", header, `{`, `{"x5c":["MIIB"],`, errHeader},
		{"x5u", header, `{`, `{"x5u":"https://attacker.example/",`, errHeader},
		{"crit", header, `{`, `{"crit":["exp"],`, errHeader},
		{"b64", header, `{`, `{"b64":false,`, errHeader},
		{"zip", header, `{`, `{"zip":"DEF",`, errHeader},
		{"header not an object", header, testHeader, `[]`, errForm},
		{"claims not an object", claims, testClaims, `[1]`, errClaims},
		{"claims not JSON", claims, testClaims, `jti=1`, errClaims},
		{"claims empty", claims, testClaims, ``, errClaims},
		{"claims twice", claims, testClaims, testClaims + testClaims, errClaims},
		{"claims not UTF-8", claims, `j-4711`, "j-\xff", errClaims},
		{"a claim twice", claims, `"htm":"POST"`, `"htm":"POST","h\u0074m":"POST"`, errClaims},
		{"a member twice deep inside", claims, `{"jti"`, `{"x":[{"a":1,"a":2}],"jti"`, errClaims},
		{"jti missing", claims, `"jti":"j-4711",`, ``, errID},
		{"jti empty", claims, `j-4711`, ``, errID},
		{"jti a number", claims, `"j-4711"`, `4711`, errClaims},
		{"jti null", claims, `"j-4711"`, `null`, errClaims},
		{"jti too long", claims, `j-4711`, strings.Repeat("j", maxID+1), errID},
		{"htm missing", claims, `"htm":"POST",`, ``, errMethod},
		{"htm empty", claims, `POST`, ``, errMethod},
		{"htm another", claims, `POST`, `PUT`, errMethod},
		{"htm in another case", claims, `POST`, `post`, errMethod},
		{"htm with a space", claims, `POST`, `POST `, errMethod},
		{"htm a list", claims, `"POST"`, `["POST"]`, errClaims},
		{"htu missing", claims, `"htu":"https://api.example.com/orders",`, ``, errURL},
		{"htu empty", claims, `https://api.example.com/orders`, ``, errURL},
		{"htu another path", claims, `/orders`, `/order`, errURL},
		{"htu with a final slash", claims, `/orders`, `/orders/`, errURL},
		{"htu path in another case", claims, `/orders`, `/Orders`, errURL},
		{"htu a prefix", claims, `/orders`, ``, errURL},
		{"htu another host", claims, `api.example.com`, `api.example.com.attacker.example`, errURL},
		{"htu another port", claims, `api.example.com`, `api.example.com:8443`, errURL},
		{"htu another scheme", claims, `https:`, `http:`, errURL},
		{"htu with a user", claims, `https://`, `https://api.example.com@`, errURL},
		{"htu relative", claims, `https://api.example.com`, ``, errURL},
		{"htu with white space", claims, `https://`, ` https://`, errURL},
		{"htu a list", claims, `"https://api.example.com/orders"`, `["https://api.example.com/orders"]`, errClaims},
		{"iat missing", claims, `"iat":1800000000,`, ``, errIssuedAt},
		{"iat a string", claims, `1800000000`, `"1800000000"`, errIssuedAt},
		{"iat null", claims, `1800000000`, `null`, errIssuedAt},
		{"iat true", claims, `1800000000`, `true`, errIssuedAt},
		{"iat an object", claims, `1800000000`, `{"s":1800000000}`, errIssuedAt},
		{"iat too old", claims, `1800000000`, `1799999939`, errOld},
		{"iat a part of a second too old", claims, `1800000000`, `1799999939.9`, errOld},
		{"iat an hour ago", claims, `1800000000`, `1799996400`, errOld},
		{"iat in milliseconds", claims, `1800000000`, `1800000000000`, errIssuedAt},
		{"iat too far ahead", claims, `1800000000`, `1800000031`, errAhead},
		{"iat more than 60 s ahead", claims, `1800000000`, `1800000061`, errAhead},
		{"iat an hour ahead", claims, `1800000000`, `1800003600`, errAhead},
		{"exp passed", claims, `{`, `{"exp":1799999999,`, errExpired},
		{"exp now", claims, `{`, `{"exp":1800000000,`, errExpired},
		{"exp a string", claims, `{`, `{"exp":"1800000300",`, errIssuedAt},
		{"nbf ahead", claims, `{`, `{"nbf":1800000061,`, errNotYet},
		{"nbf a string", claims, `{`, `{"nbf":"1800000000",`, errIssuedAt},
		{"ath missing", claims, `"ath":"ATH",`, ``, errNoTokenHash},
		{"ath empty", claims, `ATH`, ``, errNoTokenHash},
		{"ath of another token", claims, `ATH`, tokenHash("another"), errTokenHash},
		{"ath is the token", claims, `ATH`, testToken, errTokenHash},
		{"ath padded", claims, `ATH`, `ATH=`, errTokenHash},
		{"ath a number", claims, `"ATH"`, `1`, errClaims},
		{"nonce a number", claims, `"n-1"`, `1`, errClaims},
	} {
		head, body := testHeader, testClaims
		if c.in == header {
			head = change(t, head, c.old, c.new)
		} else {
			body = change(t, body, c.old, c.new)
		}
		refusedWith(t, c.name, []string{forge(head, body)}, expected(), c.want)
	}
}

func otherJWK() string {
	other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return string(must(jose.NewKey(other.Public(), "", "")).JSON())
}

// TestDPoPNegativeForms: what is wrong with the header field itself, or with the signature.
func TestDPoPNegativeForms(t *testing.T) {
	good := forge(testHeader, testClaims)
	parts := strings.Split(good, ".")
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	for _, c := range []struct {
		name   string
		fields []string
		want   *symbolon.Error
	}{
		{"no field", nil, errNone},
		{"an empty field", []string{""}, errNone},
		{"two fields", []string{good, forge(testHeader, testClaims)}, errSeveral},
		{"the same one twice", []string{good, good}, errSeveral},
		{"two in one field", []string{good + ", " + good}, errForm},
		{"a list of one", []string{good + ","}, errForm},
		{"quoted", []string{`"` + good + `"`}, errForm},
		{"white space before", []string{" " + good}, errForm},
		{"a line break inside", []string{good[:20] + "\n" + good[20:]}, errForm},
		{"padding", []string{good + "="}, errForm},
		{"two parts", []string{parts[0] + "." + parts[1]}, errForm},
		{"no signature", []string{parts[0] + "." + parts[1] + "."}, errForm},
		{"five parts", []string{good + ".e30.e30"}, errForm},
		{"no JWT at all", []string{"this is not a proof"}, errForm},
		{"the JSON serialization", []string{`{"payload":"` + parts[1] + `","signatures":[]}`}, errForm},
		{"another proof's signature", []string{parts[0] + "." + parts[1] + "." + strings.Split(forge(testHeader, "{}"), ".")[2]}, errSignature},
		{"a signature of zeros", []string{parts[0] + "." + parts[1] + "." + jose.EncodeSegment(make([]byte, 64))}, errSignature},
		{"a cut signature", []string{parts[0] + "." + parts[1] + "." + parts[2][:84]}, errSignature},
		{"an ASN.1 signature", []string{parts[0] + "." + parts[1] + "." + jose.EncodeSegment(make([]byte, 70))}, errSignature},
		{"other claims under it", []string{parts[0] + "." + jose.EncodeSegment([]byte(strings.Replace(testClaims, "4711", "4712", 1))) + "." + parts[2]}, errSignature},
		{"1 MB", []string{strings.Repeat("e", 1<<20)}, errLong},
		{"a claim of 1 MB", []string{forge(testHeader, `{"x":"`+strings.Repeat("x", 1<<20)+`"}`)}, errLong},
		{"a byte too long", []string{strings.Repeat("e", jose.MaxToken+1)}, errLong},
		{"header nested 5,000 deep", []string{forge(`{"x":`+deep[5_000:15_000]+`}`, testClaims)}, errForm},
		{"claims nested 5,000 deep", []string{forge(testHeader, `{"x":`+deep[5_000:15_000]+`}`)}, errClaims},
		{"claims nested 10,000 deep", []string{forge(testHeader, `{"x":`+deep+`}`)}, errLong},
		{"claims nested 10,000 deep, never closed", []string{forge(testHeader, `{"x":`+deep[:10_000])}, errClaims},
	} {
		refusedWith(t, c.name, c.fields, expected(), c.want)
	}
}

// TestDPoPNegativeExpectations: a good proof for another request.
func TestDPoPNegativeExpectations(t *testing.T) {
	good := []string{forge(testHeader, testClaims)}
	for _, c := range []struct {
		name string
		set  func(*Expectation)
		want *symbolon.Error
	}{
		{"another method", func(e *Expectation) { e.Method = "GET" }, errMethod},
		{"no method", func(e *Expectation) { e.Method = "" }, errMethod},
		{"another URL", func(e *Expectation) { e.URLs = []string{"https://other.example.com/orders"} }, errURL},
		{"no URL", func(e *Expectation) { e.URLs = nil }, errURL},
		{"another token", func(e *Expectation) { e.AccessToken = "another" }, errTokenHash},
		{"an algorithm less", func(e *Expectation) { e.Algorithms = []jose.Algorithm{jose.PS256, jose.EdDSA} }, errAlgorithm},
		{"no algorithm", func(e *Expectation) { e.Algorithms = []jose.Algorithm{} }, errAlgorithm},
		{"a later time", func(e *Expectation) { e.Now = e.Now.Add(DefaultWindow + 1) }, errOld},
		{"an earlier time", func(e *Expectation) { e.Now = e.Now.Add(-MaxAhead - 1) }, errAhead},
		{"a smaller window", func(e *Expectation) { e.Window = 5e9; e.Now = e.Now.Add(6e9) }, errOld},
	} {
		e := expected()
		c.set(&e)
		refusedWith(t, c.name, good, e, c.want)
	}
}
