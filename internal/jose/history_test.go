package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
)

// One test for each thing that happened to another implementation and that could happen in
// this package. What happened with claims (aud and iss as arrays) has its tests where claims
// are read, in packages server and resource.

// signWithHeader signs with the real key under a header of the test's choice, as an insider
// or a broken issuer could: what refuses it is never the signature.
func signWithHeader(t *testing.T, alg Algorithm, header, payload string) (string, *Key) {
	t.Helper()
	s, err := NewSigner(testKeyFor(alg), alg, "", "")
	if err != nil {
		t.Fatal(err)
	}
	s.header = EncodeSegment([]byte(header)) + "."
	return must(s.Sign([]byte(payload))), s.Key()
}

// hmacToken makes a token with HMAC-SHA-256 under any secret.
func hmacToken(header string, secret []byte) string {
	signed := EncodeSegment([]byte(header)) + "." + EncodeSegment([]byte(`{"sub":"admin"}`))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + EncodeSegment(mac.Sum(nil))
}

// publicSpellings are the forms in which an attacker may guess that a public key is used as
// a secret.
func publicSpellings(t *testing.T, private crypto.Signer) [][]byte {
	t.Helper()
	key := must(NewKey(private.Public(), "", "k1"))
	spki := must(x509.MarshalPKIXPublicKey(private.Public()))
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate := must(x509.CreateCertificate(rand.Reader, template, template, private.Public(), private))
	list := [][]byte{
		key.JSON(), key.PEM(), bytes.TrimSpace(key.PEM()), spki, certificate, []byte(key.Thumbprint()),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		{}, bytes.ReplaceAll(key.PEM(), []byte("\n"), []byte("\r\n")),
	}
	switch pub := private.Public().(type) {
	case *rsa.PublicKey:
		pkcs1 := x509.MarshalPKCS1PublicKey(pub)
		list = append(list, pkcs1, pub.N.Bytes(), []byte(pub.N.String()),
			pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}))
	case *ecdsa.PublicKey:
		point := must(pub.Bytes())
		list = append(list, point, point[1:], point[1:33])
	}
	return list
}

func testKeyConfusion(t *testing.T, alg Algorithm) {
	private := testKeyFor(alg)
	pinned := must(NewKey(private.Public(), alg, "k1"))
	open := must(NewKey(private.Public(), "", "k1"))
	for _, secret := range publicSpellings(t, private) {
		for _, hs := range []string{"HS256", "hs256", "HS384", "HS512", "Hs256", "HMAC"} {
			if _, err := Parse(hmacToken(`{"alg":"`+hs+`","kid":"k1"}`, secret)); !errors.Is(err, ErrAlgorithm) {
				t.Errorf("alg %s: %v, want ErrAlgorithm", hs, err)
			}
		}
		// The MAC where a signature belongs.
		token := must(Parse(hmacToken(`{"alg":"`+string(alg)+`","kid":"k1"}`, secret)))
		for _, k := range []*Key{pinned, open} {
			if err := token.Verify(k); !errors.Is(err, ErrSignature) {
				t.Errorf("MAC as %s: %v, want ErrSignature", alg, err)
			}
		}
	}
}

// TestPublicKeyAsHMACSecret (CVE-2015-9235, CVE-2016-10555): an HMAC with the public key as its secret.
func TestPublicKeyAsHMACSecret(t *testing.T) { testKeyConfusion(t, RS256) }

// TestPublicKeyAsHMACSecretInOtherEncodings (CVE-2022-29217, CVE-2024-33663, CVE-2024-37568): the same with keys of other kinds.
func TestPublicKeyAsHMACSecretInOtherEncodings(t *testing.T) {
	testKeyConfusion(t, ES256)
	testKeyConfusion(t, EdDSA)
	if _, err := ParseKey([]byte(`{"kty":"oct","k":"AAAA","alg":"HS256"}`)); !errors.Is(err, ErrPrivateKey) {
		t.Errorf("a symmetric JWK: %v, want ErrPrivateKey", err)
	}
}

// TestTheHeadersAlgorithmDecidesNothing: a JWK without alg leaves the header no choice but among
// the signatures of its own type, and a JWK with alg none at all.
func TestTheHeadersAlgorithmDecidesNothing(t *testing.T) {
	all := []Algorithm{ES256, ES384, ES512, PS256, PS384, PS512, RS256, RS384, RS512, EdDSA, Ed25519}
	for _, c := range []struct {
		jwk     string
		allowed string
	}{
		{"{" + rfc7517RSA + "}", "PS256 PS384 PS512 RS256 RS384 RS512"},
		{"{" + rfc7517RSA + `,"alg":"RS256"}`, "RS256"},
		{"{" + rfc7517RSA + `,"alg":"PS512"}`, "PS512"},
		{"{" + rfc7517EC + "}", "ES256"},
		{"{" + rfc7515A4Public + "}", "ES512"},
		{rfc8037Public, "EdDSA Ed25519"},
	} {
		key := must(ParseKey([]byte(c.jwk)))
		for _, alg := range all {
			token := must(Parse(EncodeSegment([]byte(`{"alg":"`+string(alg)+`"}`)) + ".e30.AAAA"))
			want := ErrAlgorithm
			for _, allowed := range strings.Fields(c.allowed) {
				if Algorithm(allowed) == alg {
					want = ErrSignature
				}
			}
			if err := token.Verify(key); !errors.Is(err, want) {
				t.Errorf("%s under %.30s… alg %q: %v, want %v", alg, c.jwk, key.Algorithm, err, want)
			}
		}
		// Header that names nothing.
		for _, header := range []string{`{}`, `{"alg":null}`, `{"alg":["ES256"]}`, `{"alg":256}`} {
			if _, err := Parse(EncodeSegment([]byte(header)) + ".e30.AAAA"); !errors.Is(err, ErrHeader) {
				t.Errorf("header %s: %v, want ErrHeader", header, err)
			}
		}
	}
	// An RSA signature of another kind than the pinned one, valid by itself.
	rs256 := must(Parse(must(must(NewSigner(rsaTestKey(), RS256, "", "")).Sign([]byte("{}")))))
	if err := rs256.Verify(must(NewKey(&rsaTestKey().PublicKey, PS256, ""))); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("RS256 under a PS256 key: %v, want ErrAlgorithm", err)
	}
}

// TestNoneIsNotAccepted (CVE-2021-22160): in no spelling.
func TestNoneIsNotAccepted(t *testing.T) {
	for _, none := range []string{"none", "None", "NONE", "nonE", "nOnE", " none", "none ", "no\\u006ee", "", "null", "noné"} {
		header := EncodeSegment([]byte(`{"alg":"` + none + `"}`))
		for _, signature := range []string{"AAAA", EncodeSegment(make([]byte, 64))} {
			if _, err := Parse(header + ".e30." + signature); !errors.Is(err, ErrAlgorithm) {
				t.Errorf("alg %q: %v, want ErrAlgorithm", none, err)
			}
		}
		if _, err := Parse(header + ".e30."); !errors.Is(err, ErrParts) {
			t.Errorf("alg %q without signature: %v, want ErrParts", none, err)
		}
		if _, err := Parse(header + ".e30"); !errors.Is(err, ErrParts) {
			t.Errorf("alg %q with two parts: %v, want ErrParts", none, err)
		}
		if _, err := ParseAlgorithm(strings.ReplaceAll(none, "\\u006e", "n")); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("ParseAlgorithm(%q): %v, want ErrAlgorithm", none, err)
		}
	}
}

// TestUnprotectedHeader: there is no unprotected header, since there is no JSON
// serialization.
func TestUnprotectedHeader(t *testing.T) {
	for _, text := range []string{
		`{"payload":"e30","header":{"alg":"none"},"signature":""}`,
		`{"payload":"e30","protected":"","header":{"alg":"ES256"},"signature":"AAAA"}`,
		rfc7515A6, rfc7515A7,
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%.60s accepted", text)
		}
	}
}

// TestEmbeddedJWKIsNotTrusted (CVE-2018-0114): a key that comes with the token refuses it.
func TestEmbeddedJWKIsNotTrusted(t *testing.T) {
	attacker := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	jwk := string(must(NewKey(&attacker.PublicKey, ES256, "")).JSON())
	s := must(NewSigner(attacker, ES256, "", ""))
	for _, header := range []string{
		`{"alg":"ES256","jwk":` + jwk + `}`, `{"jwk":` + jwk + `,"alg":"ES256"}`,
		`{"alg":"ES256","\u006awk":` + jwk + `}`, `{"alg":"ES256","jwk":null}`, `{"alg":"ES256","jwk":{}}`,
	} {
		s.header = EncodeSegment([]byte(header)) + "."
		if _, err := Parse(must(s.Sign([]byte("{}")))); !errors.Is(err, ErrHeader) {
			t.Errorf("%.40s: %v, want ErrHeader", header, err)
		}
	}
	// JWK, in another case, is a name that nobody defined: ignored, and so is its key.
	text, key := signWithHeader(t, ES256, `{"alg":"ES256","JWK":`+jwk+`}`, "{}")
	if err := must(Parse(text)).Verify(key); err != nil {
		t.Errorf("unknown parameter: %v", err)
	}
	s.header = EncodeSegment([]byte(`{"alg":"ES256","JWK":`+jwk+`}`)) + "."
	if err := must(Parse(must(s.Sign([]byte("{}"))))).Verify(key); !errors.Is(err, ErrSignature) {
		t.Errorf("the attacker's own signature: %v, want ErrSignature", err)
	}
}

// TestNoKeyIsFetchedFromAToken: a URL of a key, or a certificate, refuses the token.
func TestNoKeyIsFetchedFromAToken(t *testing.T) {
	for _, parameter := range []string{
		`"jku":"https://attacker.example/jwks"`, `"x5u":"https://attacker.example/cert"`, `"x5c":["MIIB"]`,
		`"jku":null`, `"x5u":""`, `"x5c":[]`, `"j\u006bu":"http://169.254.169.254/"`,
	} {
		text, _ := signWithHeader(t, ES256, `{"alg":"ES256",`+parameter+`}`, "{}")
		if _, err := Parse(text); !errors.Is(err, ErrHeader) {
			t.Errorf("%s: %v, want ErrHeader", parameter, err)
		}
	}
}

// TestKeyIDInjection: kid is compared with the kids of the set and with nothing else,
// and comes back as it was, for the caller to log with care.
func TestKeyIDInjection(t *testing.T) {
	key := must(NewKey(&p256TestKey().PublicKey, ES256, "k1"))
	set := &KeySet{Keys: []*Key{key}}
	for _, kid := range []string{
		"", "../../dev/null", "/dev/null", "k1\x00", "K1", "k1 ", "|sleep 10", "| curl attacker.example",
		"x' UNION SELECT '1';--", "https://attacker.example/", strings.Repeat("k", 8000), "k1\n", "kid\r\nX: y",
	} {
		header := append(appendQuoted([]byte(`{"alg":"ES256","kid":`), kid), '}')
		text, _ := signWithHeader(t, ES256, string(header), "{}")
		token, err := Parse(text)
		if err != nil {
			t.Fatalf("kid %.20q: %v", kid, err)
		}
		if token.Header.KeyID != kid {
			t.Errorf("kid %.20q read as %.20q", kid, token.Header.KeyID)
		}
		if found := set.Lookup(token.Header.KeyID); found != nil {
			t.Errorf("kid %.20q found %s", kid, found.ID)
		}
	}
	if set.Lookup("k1") != key {
		t.Error("k1 not found")
	}
	for _, kid := range []string{`1`, `null`, `{}`, `["k1"]`, `true`} {
		if _, err := Parse(EncodeSegment([]byte(`{"alg":"ES256","kid":`+kid+`}`)) + ".e30.AAAA"); !errors.Is(err, ErrHeader) {
			t.Errorf("kid %s: %v, want ErrHeader", kid, err)
		}
	}
}

// TestPsychicSignatures: r and s of 0, 1, the order and their neighbours, and signatures
// of every wrong length.
func TestPsychicSignatures(t *testing.T) {
	for _, c := range []struct {
		alg   Algorithm
		curve elliptic.Curve
	}{{ES256, elliptic.P256()}, {ES384, elliptic.P384()}, {ES512, elliptic.P521()}} {
		key := must(NewKey(testKeyFor(c.alg).Public(), c.alg, ""))
		size := key.checked.signature / 2
		n := c.curve.Params().N
		one := big.NewInt(1)
		all := new(big.Int).Sub(new(big.Int).Lsh(one, uint(8*size)), one)
		var numbers [][]byte
		for _, x := range []*big.Int{
			new(big.Int), one, new(big.Int).Sub(n, one), n, new(big.Int).Add(n, one), c.curve.Params().P, all,
		} {
			numbers = append(numbers, x.FillBytes(make([]byte, size)))
		}
		header := EncodeSegment([]byte(`{"alg":"` + string(c.alg) + `"}`))
		check := func(signature []byte) {
			t.Helper()
			if err := must(Parse(header + ".e30." + EncodeSegment(signature))).Verify(key); !errors.Is(err, ErrSignature) {
				t.Errorf("%s: signature %x: %v, want ErrSignature", c.alg, signature, err)
			}
		}
		for _, r := range numbers {
			for _, s := range numbers {
				check(append(append([]byte(nil), r...), s...))
			}
		}
		for length := 1; length < 3*size; length++ {
			check(make([]byte, length))
		}
	}
}

// TestUnknownCritical (CVE-2025-59420): crit refuses the token, whatever it lists.
func TestUnknownCritical(t *testing.T) {
	for _, crit := range []string{`["x"]`, `["exp"]`, `[]`, `"x"`, `null`, `{}`, `["http://example.com/UNDEFINED"]`} {
		text, _ := signWithHeader(t, RS256, `{"alg":"RS256","crit":`+crit+`,"x":true}`, "{}")
		if _, err := Parse(text); !errors.Is(err, ErrHeader) {
			t.Errorf("crit %s: %v, want ErrHeader", crit, err)
		}
	}
}

// TestBillionHashes: PBES2 and every other key management algorithm is an unknown alg,
// and its p2c is never read.
func TestBillionHashes(t *testing.T) {
	for _, alg := range []string{
		"PBES2-HS256+A128KW", "PBES2-HS512+A256KW", "dir", "RSA-OAEP", "RSA1_5", "ECDH-ES", "A256GCMKW",
	} {
		header := EncodeSegment([]byte(`{"alg":"` + alg + `","enc":"A128GCM","p2s":"AAAA","p2c":2147483647}`))
		if _, err := Parse(header + ".AAAA.AAAA.AAAA.AAAA"); !errors.Is(err, ErrParts) {
			t.Errorf("%s as JWE: %v, want ErrParts", alg, err)
		}
		if _, err := Parse(header + ".AAAA.AAAA"); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%s with three parts: %v, want ErrAlgorithm", alg, err)
		}
	}
}

// TestZipBombs (CVE-2024-28180, CVE-2024-28122): nothing is ever unpacked.
func TestZipBombs(t *testing.T) {
	for _, zip := range []string{`"DEF"`, `"def"`, `null`, `true`} {
		text, _ := signWithHeader(t, ES256, `{"alg":"ES256","zip":`+zip+`}`, "{}")
		if _, err := Parse(text); !errors.Is(err, ErrHeader) {
			t.Errorf("zip %s: %v, want ErrHeader", zip, err)
		}
	}
}

// TestCraftedJWE: five parts, empty and odd ones among them, are an error.
func TestCraftedJWE(t *testing.T) {
	parts := []string{"", "e30", "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ", "AAAA", "*"}
	for i := range 5 * 5 * 5 * 5 * 5 {
		var five []string
		for range 5 {
			five = append(five, parts[i%5])
			i /= 5
		}
		if _, err := Parse(strings.Join(five, ".")); err == nil {
			t.Fatalf("%q accepted", five)
		}
	}
}

// TestMillionsOfDots: an over-long token costs nothing, and one of nothing but dots no
// more than a look.
func TestMillionsOfDots(t *testing.T) {
	for _, n := range []int{3, MaxToken, MaxToken + 1, 50 << 20} {
		text := strings.Repeat(".", n)
		want := ErrParts
		if n > MaxToken {
			want = ErrTooLong
		}
		if allocs := testing.AllocsPerRun(10, func() {
			if _, err := Parse(text); !errors.Is(err, want) {
				t.Errorf("%d dots: %v, want %v", n, err, want)
			}
		}); allocs != 0 {
			t.Errorf("%d dots: %v allocations", n, allocs)
		}
	}
}

// TestHugeHeaderDeepNesting (CVE-2025-61920, CVE-2025-53864): both are refused at once.
func TestHugeHeaderDeepNesting(t *testing.T) {
	huge := strings.Repeat("A", 100<<20)
	if allocs := testing.AllocsPerRun(10, func() {
		if _, err := Parse(huge); !errors.Is(err, ErrTooLong) {
			t.Errorf("huge header: %v, want ErrTooLong", err)
		}
	}); allocs != 0 {
		t.Errorf("huge header: %v allocations", allocs)
	}
	for _, nested := range []string{
		strings.Repeat("[", 5000) + strings.Repeat("]", 5000), strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000),
		strings.Repeat("[", 11000),
	} {
		if _, err := Parse(EncodeSegment([]byte(`{"alg":"ES256","x":`+nested+`}`)) + ".e30.AAAA"); !errors.Is(err, ErrTooDeep) {
			t.Errorf("nested header: %v, want ErrTooDeep", err)
		}
		if err := CheckObject([]byte(`{"x":` + nested + `}`)); !errors.Is(err, ErrTooDeep) {
			t.Errorf("nested payload: %v, want ErrTooDeep", err)
		}
	}
	// The longest token that is accepted, and one character more.
	s := must(NewSigner(ed25519TestKey(), EdDSA, "", ""))
	overhead := len(must(s.Sign(nil)))
	payload := make([]byte, (MaxToken-overhead)*3/4)
	if _, err := Parse(must(s.Sign(payload))); err != nil {
		t.Errorf("longest token: %v", err)
	}
	if _, err := s.Sign(append(payload, 0)); !errors.Is(err, ErrTooLong) {
		t.Errorf("signing a longer one: %v, want ErrTooLong", err)
	}
}

// TestErrorOfUnverifiedContent: a bad signature is ErrSignature and nothing else,
// whatever the header and the payload say.
func TestErrorOfUnverifiedContent(t *testing.T) {
	other := []error{
		ErrTooLong, ErrParts, ErrBase64, ErrJSON, ErrDuplicateMember, ErrTooDeep, ErrHeader, ErrAlgorithm, ErrKey,
	}
	attacker := must(NewSigner(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), ES256, "k1", "at+jwt"))
	key := must(NewKey(&p256TestKey().PublicKey, ES256, "k1"))
	for _, payload := range []string{
		`{"exp":1}`, `{"exp":99999999999}`, `{"iss":"https://attacker.example"}`, `{"a":1,"a":2}`, `not JSON`, "", "\xff",
		strings.Repeat("[", 2000),
	} {
		token := must(Parse(must(attacker.Sign([]byte(payload)))))
		err := token.Verify(key)
		if err != ErrSignature {
			t.Errorf("payload %.20q: %v, want ErrSignature itself", payload, err)
		}
		for _, e := range other {
			if errors.Is(err, e) {
				t.Errorf("payload %.20q: the error is %v too", payload, e)
			}
		}
	}
}

// TestPrivateJWKIsNotAccepted: any private member makes a public JWK an error, also an empty
// one, one of another key type, and oth.
func TestPrivateJWKIsNotAccepted(t *testing.T) {
	for _, public := range []string{"{" + rfc7517RSA, "{" + rfc7517EC, strings.TrimSuffix(rfc8037Public, "}")} {
		for _, member := range []string{`"d":"AQ"`, `"d":""`, `"p":"AQ"`, `"q":"AQ"`, `"dp":"AQ"`, `"dq":"AQ"`, `"qi":"AQ"`,
			`"k":"AQ"`, `"oth":[]`, `"oth":null`, `"\u0064":"AQ"`} {
			if _, err := ParseKey([]byte(public + "," + member + "}")); !errors.Is(err, ErrPrivateKey) {
				t.Errorf("%.30s… with %s: %v, want ErrPrivateKey", public, member, err)
			}
		}
	}
}

// TestTruncatedToken: no beginning and no end of a token is a token.
func TestTruncatedToken(t *testing.T) {
	for _, alg := range []Algorithm{ES256, RS256, EdDSA} {
		s := must(NewSigner(testKeyFor(alg), alg, "k1", "at+jwt"))
		text := must(s.Sign([]byte(`{"sub":"billing"}`)))
		for i := range text {
			for _, part := range []string{text[:i], text[i+1:], text[:i] + text[i+1:]} {
				if token, err := Parse(part); err == nil && token.Verify(s.Key()) == nil {
					t.Fatalf("%s: %d of %d bytes accepted", alg, len(part), len(text))
				}
			}
		}
	}
}

// TestRespeltToken: changing any byte of a token to any other refuses it. What remains
// is ECDSA itself, where (r, n-s) is a signature too: that is why nothing may be keyed by a
// token's text.
func TestRespeltToken(t *testing.T) {
	for _, alg := range []Algorithm{ES256, EdDSA} {
		s := must(NewSigner(testKeyFor(alg), alg, "", ""))
		text := must(s.Sign([]byte(`{"jti":"1"}`)))
		for i := range text {
			for c := range 256 {
				if byte(c) == text[i] {
					continue
				}
				respelt := text[:i] + string([]byte{byte(c)}) + text[i+1:]
				if token, err := Parse(respelt); err == nil && token.Verify(s.Key()) == nil {
					t.Fatalf("%s: byte %d as %#x accepted", alg, i, c)
				}
			}
		}
	}
	s := must(NewSigner(p256TestKey(), ES256, "", ""))
	text := must(s.Sign([]byte(`{"jti":"1"}`)))
	token := must(Parse(text))
	twin := append([]byte(nil), token.signature...)
	number := new(big.Int).SetBytes(twin[32:])
	number.Sub(elliptic.P256().Params().N, number).FillBytes(twin[32:])
	respelt := text[:token.signed+1] + EncodeSegment(twin)
	if err := must(Parse(respelt)).Verify(s.Key()); err != nil || respelt == text {
		t.Errorf("(r, n-s): %v; RFC 7518 §3.4 does not forbid it", err)
	}
}

// TestDuplicateMembers: no two parsers can disagree about a header.
func TestDuplicateMembers(t *testing.T) {
	for _, header := range []string{
		`{"alg":"ES256","alg":"ES256"}`, `{"alg":"none","alg":"ES256"}`, `{"alg":"ES256","kid":"a","kid":"b"}`,
		`{"alg":"ES256","\u0061lg":"ES256"}`, `{"alg":"ES256","x":{"y":1,"y":2}}`,
	} {
		text, _ := signWithHeader(t, ES256, header, "{}")
		if _, err := Parse(text); err == nil {
			t.Errorf("%s accepted", header)
		}
	}
	if _, err := ParseKey([]byte("{" + rfc7517EC + `,"crv":"P-256"}`)); !errors.Is(err, ErrDuplicateMember) {
		t.Errorf("JWK: %v, want ErrDuplicateMember", err)
	}
	if _, err := ParseKeySet([]byte(`{"keys":[],"keys":[]}`)); !errors.Is(err, ErrDuplicateMember) {
		t.Errorf("set: %v, want ErrDuplicateMember", err)
	}
	if err := CheckObject([]byte(`{"sub":"a","sub":"b"}`)); !errors.Is(err, ErrDuplicateMember) {
		t.Errorf("payload: %v, want ErrDuplicateMember", err)
	}
}
