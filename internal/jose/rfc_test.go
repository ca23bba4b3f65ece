package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"
)

// verifyVector parses and verifies a token with the key of a public JWK.
func verifyVector(t *testing.T, token, jwk string) *Token {
	t.Helper()
	key, err := ParseKey([]byte(jwk))
	if err != nil {
		t.Fatalf("key: %v", err)
	}
	parsed, err := Parse(token)
	if err != nil {
		t.Fatalf("token: %v", err)
	}
	if err := parsed.Verify(key); err != nil {
		t.Fatalf("signature: %v", err)
	}
	return parsed
}

// TestRFC7515A1HS256Refused: HMAC is not implemented, neither its tokens nor its keys.
func TestRFC7515A1HS256Refused(t *testing.T) {
	if _, err := Parse(rfc7515A1Token); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("token: %v, want ErrAlgorithm", err)
	}
	if _, err := ParseKey([]byte(rfc7515A1Key)); !errors.Is(err, ErrPrivateKey) {
		t.Errorf("key: %v, want ErrPrivateKey", err)
	}
	if _, _, err := ParsePrivateKey([]byte(rfc7515A1Key)); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("private key: %v, want ErrUnsupportedKey", err)
	}
}

func TestRFC7515A2RS256(t *testing.T) {
	token := verifyVector(t, rfc7515A2Token, "{"+rfc7515A2Public+"}")
	if string(token.Payload) != rfc7515Payload {
		t.Errorf("payload %q", token.Payload)
	}
	if err := CheckObject(token.Payload); err != nil {
		t.Errorf("payload: %v", err)
	}
	// RSASSA-PKCS1-v1_5 is deterministic: signing gives the RFC's own token.
	private, key, err := ParsePrivateKey([]byte(rfc7515A2Private))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := private.(*rsa.PrivateKey); !ok || key.Algorithm != "" {
		t.Errorf("private key is %T for %q", private, key.Algorithm)
	}
	if text := must(must(NewSigner(private, RS256, "", "")).Sign([]byte(rfc7515Payload))); text != rfc7515A2Token {
		t.Errorf("signed %s", text)
	}
}

// TestRFC7518S35SaltLength: the salt is as long as the hash, no shorter and no longer.
func TestRFC7518S35SaltLength(t *testing.T) {
	key := must(NewKey(&rsaTestKey().PublicKey, "", ""))
	message := []byte("message")
	for _, alg := range []Algorithm{PS256, PS384, PS512} {
		_, hash := alg.family()
		sum := digestOf(hash, message)
		for _, size := range []int{1, 20, 32, 48, 64, 100} { // 0 would mean any
			options := &rsa.PSSOptions{SaltLength: size}
			signature := must(rsa.SignPSS(rand.Reader, rsaTestKey(), hash, sum.bytes(), options))
			if err := key.Verify(alg, message, signature); (err == nil) != (size == hash.Size()) {
				t.Errorf("%s with %d bytes of salt: %v", alg, size, err)
			}
		}
	}
}

// TestRFC7515S71Parts: exactly three parts, of which the header and the signature are not
// empty.
func TestRFC7515S71Parts(t *testing.T) {
	for _, text := range []string{"", ".", "..", "...", "a", "a.b", ".a.b", "a.b.", "a..", "..a", "a.b.c.", ".a.b.c", "a.b.c.d", "a..b.c"} {
		if _, err := Parse(text); !errors.Is(err, ErrParts) {
			t.Errorf("%q: %v, want ErrParts", text, err)
		}
	}
}

func TestRFC7515A3ES256(t *testing.T) {
	token := verifyVector(t, rfc7515A3Token, "{"+rfc7515A3Public+"}")
	if string(token.Payload) != rfc7515Payload {
		t.Errorf("payload %q", token.Payload)
	}
	private, key, err := ParsePrivateKey([]byte(rfc7515A3Private))
	if err != nil {
		t.Fatal(err)
	}
	if key.Algorithm != ES256 {
		t.Errorf("algorithm %q", key.Algorithm)
	}
	text := must(must(NewSigner(private, ES256, "", "")).Sign([]byte(rfc7515Payload)))
	verifyVector(t, text, "{"+rfc7515A3Public+"}")
	if head, _, _ := strings.Cut(text, "."); head != "eyJhbGciOiJFUzI1NiJ9" {
		t.Errorf("header %s is not the RFC's", head)
	}
}

func TestRFC7515A4ES512(t *testing.T) {
	token := verifyVector(t, rfc7515A4Token, "{"+rfc7515A4Public+"}")
	if string(token.Payload) != "Payload" {
		t.Errorf("payload %q", token.Payload)
	}
	private, _, err := ParsePrivateKey([]byte(rfc7515A4Private))
	if err != nil {
		t.Fatal(err)
	}
	// ES512 only verifies foreign tokens.
	if _, err := NewSigner(private, ES512, "", ""); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("signer: %v, want ErrAlgorithm", err)
	}
}

func TestRFC7515A5UnsecuredRefused(t *testing.T) {
	if _, err := Parse(rfc7515A5Token); !errors.Is(err, ErrParts) {
		t.Errorf("%v, want ErrParts", err)
	}
	if _, err := Parse(rfc7515A5Token + "AAAA"); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("with a signature: %v, want ErrAlgorithm", err)
	}
}

// TestRFC7515A6JSONSerializationRefused: RFC 7515 §7.2 is not implemented, with several
// signatures (RFC 7520 §4.8), with one, or flattened. Detached content (Appendix F,
// RFC 7520 §4.5) is an HMAC there; ours would be a token with an empty payload.
func TestRFC7515A6JSONSerializationRefused(t *testing.T) {
	one := strings.Replace(rfc7515A6, `{"protected":"eyJhbGciOiJFUzI1NiJ9"`, `{"unknown":"eyJhbGciOiJFUzI1NiJ9"`, 1)
	for name, text := range map[string]string{
		"general": rfc7515A6, "flattened": rfc7515A7, "one": one, "array": "[" + rfc7515A7 + "]",
		"with dots": strings.Replace(rfc7515A7, `"signature":"`, `"signature":"a.b.c`, 1),
	} {
		if _, err := Parse(text); !errors.Is(err, ErrParts) && !errors.Is(err, ErrBase64) {
			t.Errorf("%s: %v, want ErrParts or ErrBase64", name, err)
		}
	}
	if _, err := Parse(rfc7520DetachedToken); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("detached: %v, want ErrAlgorithm", err)
	}
	key := must(ParseKey([]byte("{" + rfc7515A3Public + "}")))
	detached := must(Parse(strings.Replace(rfc7515A3Token, rfc7515PayloadSegment, "", 1)))
	if err := detached.Verify(key); !errors.Is(err, ErrSignature) {
		t.Errorf("detached ES256: %v, want ErrSignature", err)
	}
}

// TestRFC7515S4CriticalRefused is the example of RFC 7515 §4.1.11 and its neighbours.
func TestRFC7515S4CriticalRefused(t *testing.T) {
	for _, header := range []string{
		`{"alg":"ES256","crit":["exp"],"exp":1363284000}`,
		`{"alg":"ES256","crit":[]}`, `{"alg":"ES256","crit":null}`, `{"alg":"ES256","crit":"exp"}`,
		`{"alg":"ES256","crit":["alg"]}`, `{"alg":"ES256","b64":false,"crit":["b64"]}`,
		`{"alg":"ES256","b64":true}`, `{"alg":"ES256","\u0063rit":["exp"]}`,
	} {
		if _, err := Parse(EncodeSegment([]byte(header)) + ".e30.AAAA"); !errors.Is(err, ErrHeader) {
			t.Errorf("%s: %v, want ErrHeader", header, err)
		}
	}
}

// TestRFC7517A1PublicKeys: the EC key is for encryption, so it is skipped with its reason.
func TestRFC7517A1PublicKeys(t *testing.T) {
	set, err := ParseKeySet([]byte(rfc7517A1))
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 1 || set.Lookup("2011-04-29") == nil || set.Keys[0].Algorithm != RS256 {
		t.Fatalf("keys: %+v", set.Keys)
	}
	if len(set.Skipped) != 1 || set.Skipped[0].Index != 0 || set.Skipped[0].ID != "1" || !errors.Is(set.Skipped[0].Reason, ErrKey) {
		t.Errorf("skipped: %+v", set.Skipped)
	}
	if key, err := ParseKey([]byte("{" + rfc7517EC + "}")); err != nil || key.Algorithm != ES256 {
		t.Errorf("the EC key without use: %v", err)
	}
}

func TestRFC7517A2PrivateKeys(t *testing.T) {
	private, key, err := ParsePrivateKey([]byte(rfc7517RSAPrivate))
	if err != nil {
		t.Fatal(err)
	}
	if key.ID != "2011-04-29" || key.Algorithm != RS256 || key.Thumbprint() != rfc7638Thumbprint {
		t.Errorf("key %+v", key)
	}
	signer := must(NewSigner(private, RS256, "", ""))
	if err := must(Parse(must(signer.Sign(nil)))).Verify(key); err != nil {
		t.Error(err)
	}
	if _, _, err := ParsePrivateKey([]byte(rfc7517ECPrivate)); !errors.Is(err, ErrKey) {
		t.Errorf("a key for encryption: %v, want ErrKey", err)
	}
	ec, key, err := ParsePrivateKey([]byte(strings.Replace(rfc7517ECPrivate, `"use":"enc",`, "", 1)))
	if err != nil || key.ID != "1" {
		t.Fatalf("the EC key without use: %v", err)
	}
	if _, ok := ec.(*ecdsa.PrivateKey); !ok {
		t.Errorf("EC key is %T", ec)
	}
	for _, jwk := range []string{rfc7517RSAPrivate, rfc7517ECPrivate} {
		if _, err := ParseKey([]byte(jwk)); !errors.Is(err, ErrPrivateKey) {
			t.Errorf("private key as a public one: %v, want ErrPrivateKey", err)
		}
	}
}

// TestRFC7638S31Thumbprint: the required members alone, in lexicographic order, whatever
// else the JWK has and however it is written.
func TestRFC7638S31Thumbprint(t *testing.T) {
	for _, jwk := range []string{
		"{" + rfc7517RSA + `,"alg":"RS256","kid":"2011-04-29"}`,
		"{" + rfc7517RSA + "}",
		"{ \"x5t\" : \"x\", " + strings.Replace(rfc7517RSA, `"kty"`, `"\u006bty"`, 1) + "\n}",
	} {
		if got := must(ParseKey([]byte(jwk))).Thumbprint(); got != rfc7638Thumbprint {
			t.Errorf("thumbprint %s of %.40s", got, jwk)
		}
	}
}

func TestRFC8037A1A2Keys(t *testing.T) {
	private, key, err := ParsePrivateKey([]byte(rfc8037Private))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := private.(ed25519.PrivateKey); !ok || key.Algorithm != EdDSA {
		t.Errorf("%T for %s", private, key.Algorithm)
	}
	if public := must(ParseKey([]byte(rfc8037Public))); public.Thumbprint() != key.Thumbprint() {
		t.Error("public and private key differ")
	}
}

func TestRFC8037A3Thumbprint(t *testing.T) {
	if got := must(ParseKey([]byte(rfc8037Public))).Thumbprint(); got != rfc8037Thumbprint {
		t.Errorf("thumbprint %s", got)
	}
}

func TestRFC8037A4Signing(t *testing.T) {
	private, _, err := ParsePrivateKey([]byte(rfc8037Private))
	if err != nil {
		t.Fatal(err)
	}
	if text := must(must(NewSigner(private, EdDSA, "", "")).Sign([]byte(rfc8037Payload))); text != rfc8037Token {
		t.Errorf("signed %s", text)
	}
}

func TestRFC8037A5Validation(t *testing.T) {
	token := verifyVector(t, rfc8037Token, rfc8037Public)
	if string(token.Payload) != rfc8037Payload {
		t.Errorf("payload %q", token.Payload)
	}
}

// TestRFC9864Ed25519BothNames: EdDSA and Ed25519 are one algorithm; a key pinned to either
// name verifies both, and to nothing else.
func TestRFC9864Ed25519BothNames(t *testing.T) {
	private, _, err := ParsePrivateKey([]byte(rfc8037Private))
	if err != nil {
		t.Fatal(err)
	}
	for _, signed := range []Algorithm{EdDSA, Ed25519} {
		token := must(Parse(must(must(NewSigner(private, signed, "", "")).Sign([]byte("{}")))))
		if token.Header.Algorithm != signed {
			t.Errorf("header says %s, want %s", token.Header.Algorithm, signed)
		}
		for _, pinned := range []Algorithm{EdDSA, Ed25519, ""} {
			key := must(NewKey(private.Public(), pinned, ""))
			if err := token.Verify(key); err != nil {
				t.Errorf("%s under a key for %q: %v", signed, pinned, err)
			}
		}
	}
	if _, err := NewKey(private.Public(), ES256, ""); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("Ed25519 key for ES256: %v", err)
	}
}

// TestRFC8725S32DeterministicECDSA: two signatures of the same message by crypto/ecdsa keys
// are the same, as RFC 6979 makes them.
func TestRFC8725S32DeterministicECDSA(t *testing.T) {
	for _, alg := range []Algorithm{ES256, ES384} {
		s := must(NewSigner(testKeyFor(alg), alg, "", ""))
		first, second, other := must(s.Sign([]byte("{}"))), must(s.Sign([]byte("{}"))), must(s.Sign([]byte("[]")))
		if first != second {
			t.Errorf("%s: two signatures of one message differ", alg)
		}
		if first[len(first)-86:] == other[len(other)-86:] {
			t.Errorf("%s: signatures of two messages are the same", alg)
		}
	}
}
