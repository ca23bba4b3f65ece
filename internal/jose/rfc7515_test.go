package jose

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"
)

// TestRFC7515S4OtherParametersAreIgnored: what a header says beyond what this package reads
// changes nothing, whether RFC 7515 defines it, a registry, or nobody.
func TestRFC7515S4OtherParametersAreIgnored(t *testing.T) {
	for _, parameter := range []string{
		`"cty":"JWT"`, `"cty":1`, `"x5t":"AAAA"`, `"x5t#S256":"AAAA"`, `"x5t":null`,
		`"iss":"https://attacker.example"`, `"nonce":"x"`, `"ALG":"none"`, `"https://example.com/x":{"y":[1]}`,
	} {
		text, key := signWithHeader(t, ES256, `{"alg":"ES256","kid":"k1",`+parameter+`}`, "{}")
		token, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", parameter, err)
			continue
		}
		if err := token.Verify(key); err != nil || token.Header != (Header{Algorithm: ES256, KeyID: "k1"}) {
			t.Errorf("%s: %v, header %+v", parameter, err, token.Header)
		}
	}
}

// TestRFC7515S106HashInsideTheSignature: an RSASSA-PKCS1-v1_5 signature names its hash. It
// is not believed: the header's must be it, under a pinned key and under one that is not.
func TestRFC7515S106HashInsideTheSignature(t *testing.T) {
	for _, pinned := range []Algorithm{RS256, ""} {
		key := must(NewKey(&rsaTestKey().PublicKey, pinned, ""))
		signed := EncodeSegment([]byte(`{"alg":"RS256"}`)) + "." + EncodeSegment([]byte("{}"))
		for _, alg := range []Algorithm{RS256, RS384, RS512} {
			_, hash := alg.family()
			sum := digestOf(hash, []byte(signed))
			signature := must(rsa.SignPKCS1v15(rand.Reader, rsaTestKey(), hash, sum.bytes()))
			err := must(Parse(signed + "." + EncodeSegment(signature))).Verify(key)
			if alg == RS256 && err != nil || alg != RS256 && !errors.Is(err, ErrSignature) {
				t.Errorf("header RS256, signature %s, key %q: %v", alg, pinned, err)
			}
		}
	}
}

// TestRFC7515S1012HeaderIsOneJSONText: under a good signature too, a header that is not one
// whole JSON object in UTF-8 is no header.
func TestRFC7515S1012HeaderIsOneJSONText(t *testing.T) {
	const good = `{"alg":"ES256","kid":"k1"}`
	for _, header := range []string{
		good + "ABCD", good + good, good + ",", good + "\x00", "x" + good, "[" + good + "]", `"` + "x" + `"`, "null", "",
		`{"alg":"ES256",}`, `{"alg":"ES256"`, `{'alg':'ES256'}`, `{alg:"ES256"}`, `{"alg":"ES256"/**/}`,
		"\ufeff" + good, "{\"alg\":\"ES256\",\"kid\":\"\xff\"}", "{\x00\"\x00a\x00l\x00g\x00", // a byte order mark, Latin-1, UTF-16
	} {
		text, _ := signWithHeader(t, ES256, header, "{}")
		if _, err := Parse(text); !errors.Is(err, ErrJSON) && (header != "" || !errors.Is(err, ErrParts)) {
			t.Errorf("%q: %v, want ErrJSON", header, err)
		}
	}
	text, key := signWithHeader(t, ES256, " "+good+"\n", "{}")
	if err := must(Parse(text)).Verify(key); err != nil {
		t.Errorf("white space around: %v", err)
	}
}

// TestRFC7515S1013BeyondTheBasicPlane: characters that JSON escapes as two surrogates are
// kept, and compared as what they mean.
func TestRFC7515S1013BeyondTheBasicPlane(t *testing.T) {
	const kid = "k😀𝄞"
	s := must(NewSigner(p256TestKey(), ES256, kid, ""))
	set := must(ParseKeySet([]byte(`{"keys":[` + string(s.Key().JSON()) + `]}`)))
	escaped, _ := signWithHeader(t, ES256, `{"alg":"ES256","kid":"k\ud83d\ude00\ud834\udd1e"}`, "{}")
	for _, text := range []string{must(s.Sign([]byte("{}"))), escaped} {
		token := must(Parse(text))
		key := set.Lookup(token.Header.KeyID)
		if key == nil {
			t.Fatalf("kid %q is not found", token.Header.KeyID)
		}
		if err := token.Verify(key); err != nil {
			t.Error(err)
		}
	}
	if set.Lookup("k😁𝄞") != nil || set.Lookup("k\ufffd\ufffd") != nil {
		t.Error("another character finds the key")
	}
}
