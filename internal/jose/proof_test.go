package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"
)

func TestProofRoundTrip(t *testing.T) {
	for alg, want := range map[Algorithm]Algorithm{ES256: "", ES384: "", PS256: "", EdDSA: "", RS256: RS256, Ed25519: Ed25519} {
		s, err := NewProofSigner(testKeyFor(alg), want, "dpop+jwt")
		if err != nil {
			t.Fatal(err)
		}
		text := must(s.Sign([]byte(`{"jti":"1"}`)))
		p, err := ParseProof(text)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		key := must(p.Key())
		if err := p.Verify(key); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if p.Header != (Header{Algorithm: alg, Type: "dpop+jwt"}) || string(p.Payload) != `{"jti":"1"}` || key.Thumbprint() != s.Key().Thumbprint() {
			t.Errorf("%s: %+v, %s", alg, p.Header, p.Payload)
		}
		// Its jwk is what the thumbprint is made of, and nothing else (RFC 7638 §3.2).
		head, _, _ := strings.Cut(text, ".")
		if got, want := string(must(DecodeSegment(head))), `{"typ":"dpop+jwt","alg":"`+string(alg)+`","jwk":`+string(s.Key().appendMembers(nil))+`}}`; got != want {
			t.Errorf("%s: header %s, want %s", alg, got, want)
		}
		// Who asks for a token gets none: its key is nobody's but the sender's.
		if _, err := Parse(text); !errors.Is(err, ErrHeader) {
			t.Errorf("%s: as a token: %v", alg, err)
		}
	}
}

func TestParseProofRefuses(t *testing.T) {
	jwk := string(must(NewKey(p256TestKey().Public(), "", "")).JSON())
	for header, want := range map[string]error{
		`{"alg":"ES256"}`:                                 ErrHeader,
		`{"alg":"ES256","kid":"k1"}`:                      ErrHeader,
		`{"jwk":` + jwk + `}`:                             ErrHeader,
		`{"alg":"none","jwk":` + jwk + `}`:                ErrAlgorithm,
		`{"alg":"HS256","jwk":` + jwk + `}`:               ErrAlgorithm,
		`{"alg":"ES256","jwk":{},"jwk":` + jwk + `}`:      ErrDuplicateMember,
		`{"alg":"ES256","j\u0077k":{},"jwk":` + jwk + `}`: ErrDuplicateMember,
		`{"alg":"ES256","jwk":{"x":1,"x":2}}`:             ErrDuplicateMember,
		`{"alg":"ES256","jwk":` + jwk + `,"jku":"x"}`:     ErrHeader,
		`{"alg":"ES256","jwk":` + jwk + `,"x5u":"x"}`:     ErrHeader,
		`{"alg":"ES256","jwk":` + jwk + `,"x5c":["x"]}`:   ErrHeader,
		`{"alg":"ES256","jwk":` + jwk + `,"crit":["x"]}`:  ErrHeader,
		`{"alg":"ES256","jwk":` + jwk + `,"b64":true}`:    ErrHeader,
		`{"alg":"ES256","jwk":` + jwk + `,"zip":"DEF"}`:   ErrHeader,
		`{"alg":"ES256","jwk":` + jwk + `,"typ":1}`:       ErrHeader,
		`{"alg":"ES256","jwk":` + jwk + `,"typ":"a"}x`:    ErrJSON,
		`{"alg":"ES256","jwk":` + strings.Repeat("[", 20): ErrTooDeep,
		`["alg","jwk"]`: ErrJSON,
		`{"alg":"ES256","jwk":` + jwk[:len(jwk)-1] + `,}}`: ErrJSON,
	} {
		if p, err := ParseProof(EncodeSegment([]byte(header)) + ".e30.AAAA"); !errors.Is(err, want) || p != nil {
			t.Errorf("%s: %v, want %v", header, err, want)
		}
	}
	for text, want := range map[string]error{"": ErrParts, "e30.e30": ErrParts, "e30.e30.!": ErrBase64, strings.Repeat("e", MaxToken+1): ErrTooLong} {
		if _, err := ParseProof(text); !errors.Is(err, want) {
			t.Errorf("%.20q: %v, want %v", text, err, want)
		}
	}
	// The key is looked at when it is asked for, by the rules of every other key.
	for embedded, want := range map[string]error{
		`null`: ErrJSON, `"x"`: ErrJSON, `[]`: ErrJSON, `{}`: ErrKey, `{"kty":"oct","k":"AA"}`: ErrPrivateKey,
		rfc8037Private: ErrPrivateKey, `{"kty":"OKP","crv":"X25519","x":"AA"}`: ErrUnsupportedKey,
	} {
		p := must(ParseProof(EncodeSegment([]byte(`{"alg":"EdDSA","jwk":`+embedded+`}`)) + ".e30.AAAA"))
		if _, err := p.Key(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", embedded, err, want)
		}
	}
}

func TestNewProofSignerRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		key  crypto.Signer
		alg  Algorithm
		typ  string
		want error
	}{
		"nil":             {nil, "", "x", ErrKey},
		"nil RSA":         {(*rsa.PrivateKey)(nil), "", "x", ErrKey},
		"a foreign nil":   {(*foreignNil)(nil), "", "x", ErrKey},
		"verify only":     {p521TestKey(), "", "x", ErrAlgorithm},
		"P-224":           {must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)), "", "x", ErrAlgorithm},
		"another curve":   {p256TestKey(), ES384, "x", ErrAlgorithm},
		"typ not UTF-8":   {p256TestKey(), "", "\xff", ErrHeader},
		"none":            {p256TestKey(), "none", "x", ErrAlgorithm},
		"RSA for Ed25519": {rsaTestKey(), EdDSA, "x", ErrAlgorithm},
	} {
		if s, err := NewProofSigner(c.key, c.alg, c.typ); !errors.Is(err, c.want) || s != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := NewSigner((*foreignNil)(nil), ES256, "", ""); !errors.Is(err, ErrKey) {
		t.Errorf("NewSigner: %v", err)
	}
}

// foreignNil is a signer of another package, whose methods panic on nil.
type foreignNil struct{ crypto.Signer }

func TestVisitObject(t *testing.T) {
	var seen []string
	visit := func(name, value []byte) error {
		seen = append(seen, string(name)+"="+string(value))
		return nil
	}
	if err := VisitObject([]byte(` { "\u0061" : "x\n" , "b":[1, {"a":2}], "c":-1.5e3 } `), visit); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(seen, ";"); got != `a="x\n";b=[1, {"a":2}];c=-1.5e3` {
		t.Error(got)
	}
	for text, want := range map[string]error{`{"a":1,"a":2}`: ErrDuplicateMember, `{"a":1`: ErrJSON, `[]`: ErrJSON, `{"a":"\ud800"}`: ErrJSON} {
		if err := VisitObject([]byte(text), visit); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	stop := errors.New("stop")
	if err := VisitObject([]byte(`{"a":1,"b":2}`), func([]byte, []byte) error { return stop }); err != stop {
		t.Error(err)
	}
	for value, want := range map[string]string{`"x"`: "x", `""`: "", `"\u0041\n"`: "A\n"} {
		if got, err := Text([]byte(value)); err != nil || got != want {
			t.Errorf("%s: %q, %v", value, got, err)
		}
	}
	for _, value := range []string{`1`, `null`, `["x"]`, `{}`, `true`} {
		if got, err := Text([]byte(value)); err == nil {
			t.Errorf("%s: %q", value, got)
		}
	}
}

// FuzzParseProof: ParseProof and Parse differ in the jwk alone. What one accepts the other
// refuses for exactly that.
func FuzzParseProof(f *testing.F) {
	s := must(NewProofSigner(ed25519TestKey(), "", "dpop+jwt"))
	f.Add(must(s.Sign([]byte("{}"))))
	f.Add(must(must(NewSigner(ed25519TestKey(), EdDSA, "", "JWT")).Sign([]byte("{}"))))
	for _, header := range []string{`{"alg":"ES256","jwk":{}}`, `{"alg":"ES256","jwk":1,"jku":""}`, `{"jwk":{},"jwk":{}}`, `{"alg":"ES256","\u006awk":{}}`} {
		f.Add(EncodeSegment([]byte(header)) + ".e30.AAAA")
	}
	f.Fuzz(func(t *testing.T, text string) {
		proof, err := ParseProof(text)
		token, tokenErr := Parse(text)
		switch {
		case err == nil && (proof == nil || token != nil || tokenErr != errEmbeddedKey):
			t.Fatalf("a proof, and as a token %v, %v", token, tokenErr)
		case tokenErr == nil && err != errNoEmbeddedKey:
			t.Fatalf("a token, and as a proof %v", err)
		}
		if err != nil {
			return
		}
		if key, err := proof.Key(); err == nil && key.Thumbprint() == "" {
			t.Fatal("a key without a thumbprint")
		}
	})
}
