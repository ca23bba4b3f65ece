package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
)

// edKey is the OKP key of RFC 8037 without the closing brace.
const edKey = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`

func TestParseKeyAccepts(t *testing.T) {
	for jwk, alg := range map[string]Algorithm{
		edKey + `}`:                                             EdDSA,
		edKey + `,"alg":"Ed25519"}`:                             Ed25519,
		edKey + `,"use":"sig"}`:                                 EdDSA,
		edKey + `,"key_ops":["verify"]}`:                        EdDSA,
		edKey + `,"key_ops":["verify","sign"],"use":"sig"}`:     EdDSA,
		edKey + `,"x5c":["MIIB"],"x5u":"https://x","ext":true}`: EdDSA,
		edKey + `,"Alg":"none","KTY":"oct","D":"AQ"}`:           EdDSA,
		" " + edKey + ` } `:                                     EdDSA,
		"{" + rfc7517EC + `,"alg":"ES256"}`:                     ES256,
		"{" + rfc7517RSA + `,"alg":"PS512"}`:                    PS512,
		"{" + rfc7517RSA + `}`:                                  "",
	} {
		key, err := ParseKey([]byte(jwk))
		if err != nil {
			t.Errorf("%.120s: %v", jwk, err)
			continue
		}
		if key.Algorithm != alg {
			t.Errorf("%.120s: alg %q, want %q", jwk, key.Algorithm, alg)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	ec := "{" + rfc7517EC
	for _, c := range []struct {
		name, jwk string
		want      error
	}{
		{"empty", ``, ErrJSON},
		{"no object", `"x"`, ErrJSON},
		{"no kty", `{"crv":"Ed25519"}`, ErrKey},
		{"kty not a string", `{"kty":1}`, ErrKey},
		{"kty in another case", `{"kty":"ec"}`, ErrUnsupportedKey},
		{"unknown kty", `{"kty":"AKP","pub":"AAAA"}`, ErrUnsupportedKey},
		{"symmetric", `{"kty":"oct","k":"AAAA"}`, ErrPrivateKey},
		{"OKP without crv", `{"kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, ErrKey},
		{"X25519", strings.Replace(edKey, "Ed25519", "X25519", 1) + "}", ErrUnsupportedKey},
		{"Ed448", strings.Replace(edKey, "Ed25519", "Ed448", 1) + "}", ErrUnsupportedKey},
		{"OKP short", `{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`, ErrKey},
		{"OKP without x", `{"kty":"OKP","crv":"Ed25519"}`, ErrKey},
		{"x not a string", `{"kty":"OKP","crv":"Ed25519","x":11}`, ErrKey},
		{"x padded", edKey[:len(edKey)-1] + `="}`, ErrKey},
		{"x with a line break", strings.Replace(edKey, "11qY", `11\nqY`, 1) + "}", ErrKey},
		{"secp256k1", strings.Replace(ec, "P-256", "secp256k1", 1) + "}", ErrUnsupportedKey},
		{"crv of another size", strings.Replace(ec, "P-256", "P-384", 1) + "}", ErrKey},
		{"crv in another case", strings.Replace(ec, "P-256", "p-256", 1) + "}", ErrUnsupportedKey},
		{"EC without y", `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"}`, ErrKey},
		{"EC without crv", strings.Replace(ec, `"crv":"P-256",`, "", 1) + "}", ErrKey},
		{"not on the curve", strings.Replace(ec, "4Etl6S", "4Etl6T", 1) + "}", ErrKey},
		{"zero point", `{"kty":"EC","crv":"P-256","x":"` + EncodeSegment(make([]byte, 32)) + `","y":"` + EncodeSegment(make([]byte, 32)) + `"}`, ErrKey},
		{"alg of another curve", ec + `,"alg":"ES384"}`, ErrAlgorithm},
		{"alg of another type", ec + `,"alg":"RS256"}`, ErrAlgorithm},
		{"alg for encryption", ec + `,"alg":"ECDH-ES"}`, ErrAlgorithm},
		{"alg none", ec + `,"alg":"none"}`, ErrAlgorithm},
		{"alg empty", ec + `,"alg":""}`, ErrAlgorithm},
		{"alg null", ec + `,"alg":null}`, ErrKey},
		{"RSA alg on OKP", edKey + `,"alg":"PS256"}`, ErrAlgorithm},
		{"EC alg on RSA", "{" + rfc7517RSA + `,"alg":"ES256"}`, ErrAlgorithm},
		{"RSA-OAEP", "{" + rfc7517RSA + `,"alg":"RSA-OAEP"}`, ErrAlgorithm},
		{"use enc", edKey + `,"use":"enc"}`, ErrKey},
		{"use in another case", edKey + `,"use":"Sig"}`, ErrKey},
		{"use null", edKey + `,"use":null}`, ErrKey},
		{"key_ops encrypt", edKey + `,"key_ops":["encrypt"]}`, ErrKey},
		{"key_ops verify and encrypt", edKey + `,"key_ops":["verify","encrypt"]}`, ErrKey},
		{"key_ops sign only", edKey + `,"key_ops":["sign"]}`, ErrKey},
		{"key_ops empty", edKey + `,"key_ops":[]}`, ErrKey},
		{"key_ops twice", edKey + `,"key_ops":["verify","verify"]}`, ErrKey},
		{"key_ops twice, escaped", edKey + `,"key_ops":["verify","v\u0065rify"]}`, ErrKey},
		{"key_ops not an array", edKey + `,"key_ops":"verify"}`, ErrKey},
		{"key_ops not strings", edKey + `,"key_ops":["verify",1]}`, ErrKey},
		{"key_ops null", edKey + `,"key_ops":null}`, ErrKey},
		{"kid a number", edKey + `,"kid":1}`, ErrKey},
		{"twice", edKey + `,"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, ErrDuplicateMember},
		{"twice inside", edKey + `,"y":"","oth2":{"a":1,"a":1}}`, ErrDuplicateMember},
		{"too long", edKey + `,"x5t":"` + strings.Repeat("A", MaxKey) + `"}`, ErrTooLong},
		{"n with a leading zero", strings.Replace("{"+rfc7517RSA+"}", `"n":"0vx7agoebGcQSuuPiLJXZptN`, `"n":"ANL8e2oKHmxnEErrj4iyV2abTQ`, 1), ErrKey},
		{"e with a leading zero", strings.Replace("{"+rfc7517RSA+"}", "AQAB", "AAEAAQ", 1), ErrKey},
		{"e empty", strings.Replace("{"+rfc7517RSA+"}", "AQAB", "", 1), ErrKey},
		{"e zero", strings.Replace("{"+rfc7517RSA+"}", "AQAB", "AA", 1), ErrKey},
		{"e missing", strings.Replace("{"+rfc7517RSA+"}", `,"e":"AQAB"`, "", 1), ErrKey},
		{"n missing", `{"kty":"RSA","e":"AQAB"}`, ErrKey},
		{"e one", strings.Replace("{"+rfc7517RSA+"}", "AQAB", "AQ", 1), ErrWeakKey},
		{"e even", strings.Replace("{"+rfc7517RSA+"}", "AQAB", "AQAA", 1), ErrWeakKey},
		{"e huge", strings.Replace("{"+rfc7517RSA+"}", "AQAB", "_________w", 1), ErrWeakKey},
		{"e beyond 64 bits", strings.Replace("{"+rfc7517RSA+"}", "AQAB", "AQAAAAAAAQAB", 1), ErrWeakKey},
		{"EC as RSA", strings.Replace(ec, `"EC"`, `"RSA"`, 1) + "}", ErrKey},
	} {
		if key, err := ParseKey([]byte(c.jwk)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.name, key, err, c.want)
		}
	}
}

// TestKeyJSON: the output is fixed, public, and reads back as the same key.
func TestKeyJSON(t *testing.T) {
	for _, c := range []struct {
		jwk, want string
	}{
		{`{"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kty":"OKP","crv":"Ed25519","ext":true}`,
			`{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"sig","alg":"EdDSA"}`},
		{edKey + `,"kid":"a\"b\\c\u0001é"}`,
			`{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a\"b\\c\u0001é","use":"sig","alg":"EdDSA"}`},
		{"{" + rfc7517EC + `,"kid":"1"}`,
			`{"crv":"P-256","kty":"EC","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","kid":"1","use":"sig","alg":"ES256"}`},
		{"{" + rfc7517RSA + "}",
			`{"e":"AQAB","kty":"RSA","n":"` + strings.Split(rfc7517RSA, `"`)[7] + `","use":"sig"}`},
	} {
		key := must(ParseKey([]byte(c.jwk)))
		if got := string(key.JSON()); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		if !json.Valid(key.JSON()) {
			t.Errorf("%s is not JSON", key.JSON())
		}
		again := must(ParseKey(key.JSON()))
		if again.ID != key.ID || again.Algorithm != key.Algorithm || again.Thumbprint() != key.Thumbprint() {
			t.Errorf("%s reads back as another key", key.JSON())
		}
	}
}

// pointAt returns a key that the parsers of the standard library would not make.
func pointAt(x, y *big.Int) *ecdsa.PublicKey {
	//lint:ignore SA1019 there is no other way to make a wrong key
	return &ecdsa.PublicKey{Curve: elliptic.P256(), X: x, Y: y}
}

func TestNewKeyRefuses(t *testing.T) {
	good := p256TestKey()
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	for name, c := range map[string]struct {
		pub  crypto.PublicKey
		alg  Algorithm
		id   string
		want error
	}{
		"nil":                 {nil, "", "", ErrUnsupportedKey},
		"a private key":       {good, "", "", ErrUnsupportedKey},
		"ECDSA by value":      {good.PublicKey, "", "", ErrUnsupportedKey},
		"nil ECDSA":           {(*ecdsa.PublicKey)(nil), "", "", ErrKey},
		"empty ECDSA":         {&ecdsa.PublicKey{}, "", "", ErrKey},
		"ECDSA without point": {&ecdsa.PublicKey{Curve: elliptic.P256()}, "", "", ErrKey},
		"point off the curve": {pointAt(big.NewInt(1), big.NewInt(1)), "", "", ErrKey},
		"point at infinity":   {pointAt(new(big.Int), new(big.Int)), "", "", ErrKey},
		"negative coordinate": {pointAt(big.NewInt(-1), big.NewInt(1)), "", "", ErrKey},
		"P-224":               {&p224.PublicKey, "", "", ErrUnsupportedKey},
		"ES384 on P-256":      {&good.PublicKey, ES384, "", ErrAlgorithm},
		"unknown algorithm":   {&good.PublicKey, "HS256", "", ErrAlgorithm},
		"none":                {&rsaTestKey().PublicKey, "none", "", ErrAlgorithm},
		"nil RSA":             {(*rsa.PublicKey)(nil), RS256, "", ErrKey},
		"empty RSA":           {&rsa.PublicKey{}, RS256, "", ErrKey},
		"RSA of 1024 bits":    {&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}, RS256, "", ErrWeakKey},
		"RSA of 2047 bits":    {&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 2046, 1), E: 65537}, RS256, "", ErrWeakKey},
		"RSA of 8193 bits":    {&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8192, 1), E: 65537}, RS256, "", ErrWeakKey},
		"negative modulus":    {&rsa.PublicKey{N: new(big.Int).Neg(rsaTestKey().N), E: 65537}, RS256, "", ErrWeakKey},
		"negative exponent":   {&rsa.PublicKey{N: rsaTestKey().N, E: -3}, RS256, "", ErrWeakKey},
		"Ed25519 too short":   {ed25519.PublicKey(make([]byte, 31)), "", "", ErrKey},
		"empty Ed25519":       {ed25519.PublicKey{}, "", "", ErrKey},
		"kid not UTF-8":       {&good.PublicKey, ES256, "\xff", ErrKey},
	} {
		if _, err := NewKey(c.pub, c.alg, c.id); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestUncheckedKeyVerifiesNothing: a Key that was not made by this package is an error, also
// one whose fields were changed afterwards.
func TestUncheckedKeyVerifiesNothing(t *testing.T) {
	s := must(NewSigner(p256TestKey(), ES256, "", ""))
	token := must(Parse(must(s.Sign(nil))))
	for name, key := range map[string]*Key{
		"nil": nil, "empty": {}, "by hand": {ID: "k", Algorithm: ES256, Public: &p256TestKey().PublicKey},
	} {
		if err := token.Verify(key); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
		if key.Thumbprint() != "" || key.JSON() != nil || key.PEM() != nil {
			t.Errorf("%s has a text form", name)
		}
	}
	changed := must(NewKey(&rsaTestKey().PublicKey, RS256, ""))
	changed.Algorithm, changed.Public = ES256, &p256TestKey().PublicKey
	if err := token.Verify(changed); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("changed fields: %v, want ErrAlgorithm", err)
	}
}

func TestParsePrivateKeyRefuses(t *testing.T) {
	swap := func(jwk, old, with string) string {
		if !strings.Contains(jwk, old) {
			t.Fatalf("%s is not in the key", old)
		}
		return strings.Replace(jwk, old, with, 1)
	}
	for _, c := range []struct {
		name, jwk string
		want      error
	}{
		{"a public key", rfc8037Public, ErrKey},
		{"Ed25519 d of another key", swap(rfc8037Private, "nWGxne", "nWGxnf"), ErrKey},
		{"Ed25519 d too short", swap(rfc8037Private, "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "AAAA"), ErrKey},
		{"EC d of another key", swap(rfc7515A3Private, "jpsQnn", "jpsQno"), ErrKey},
		{"EC d zero", swap(rfc7515A3Private, "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI", EncodeSegment(make([]byte, 32))), ErrKey},
		{"EC d too short", swap(rfc7515A3Private, "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI", "AQ"), ErrKey},
		{"EC with an RSA member", swap(rfc7515A3Private, `"d":`, `"p":`), ErrKey},
		{"RSA d of another key", swap(rfc7515A2Private, `"d":"Eq5x`, `"d":"Eq5y`), ErrKey},
		{"RSA p of another key", swap(rfc7515A2Private, `"p":"4Bz`, `"p":"4By`), ErrKey},
		{"RSA dp of another key", swap(rfc7515A2Private, `"dp":"BwKf`, `"dp":"BwKg`), ErrKey},
		{"RSA dq of another key", swap(rfc7515A2Private, `"dq":"h_96`, `"dq":"h_97`), ErrKey},
		{"RSA qi of another key", swap(rfc7515A2Private, `"qi":"IYd7`, `"qi":"IYd8`), ErrKey},
		{"RSA without p", swap(rfc7515A2Private, `"p":`, `"p2":`), ErrKey},
		{"RSA without qi", swap(rfc7515A2Private, `"qi":`, `"qi2":`), ErrKey},
		{"RSA with oth", swap(rfc7515A2Private, `"qi":`, `"oth":[],"qi":`), ErrUnsupportedKey},
		{"key_ops verify only", swap(rfc8037Private, `"kty"`, `"key_ops":["verify"],"kty"`), ErrKey},
		{"use enc", swap(rfc8037Private, `"kty"`, `"use":"enc","kty"`), ErrKey},
		{"alg of another type", swap(rfc8037Private, `"kty"`, `"alg":"ES256","kty"`), ErrAlgorithm},
		{"twice", swap(rfc8037Private, `"kty"`, `"d":"AA","kty"`), ErrDuplicateMember},
	} {
		if signer, _, err := ParsePrivateKey([]byte(c.jwk)); !errors.Is(err, c.want) || signer != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, _, err := ParsePrivateKey([]byte(rfc8037Public)); err == nil || !strings.Contains(err.Error(), "public key") {
		t.Errorf("a public key: %v does not say so", err)
	}
	signer, key, err := ParsePrivateKey([]byte(swap(rfc8037Private, `"kty"`, `"key_ops":["sign"],"kid":"k","kty"`)))
	if err != nil || key.ID != "k" || signer == nil {
		t.Errorf("key_ops sign: %v", err)
	}
}
