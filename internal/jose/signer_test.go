package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

func TestNewSignerRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		key      crypto.Signer
		alg      Algorithm
		kid, typ string
		want     error
	}{
		"nil":                   {nil, ES256, "", "", ErrKey},
		"nil ECDSA":             {(*ecdsa.PrivateKey)(nil), ES256, "", "", ErrKey},
		"empty ECDSA":           {&ecdsa.PrivateKey{}, ES256, "", "", ErrKey},
		"ECDSA without private": {&ecdsa.PrivateKey{PublicKey: p256TestKey().PublicKey}, ES256, "", "", ErrKey},
		"nil RSA":               {(*rsa.PrivateKey)(nil), RS256, "", "", ErrKey},
		"empty RSA":             {&rsa.PrivateKey{}, RS256, "", "", ErrKey},
		"nil Ed25519":           {ed25519.PrivateKey(nil), EdDSA, "", "", ErrKey},
		"short Ed25519":         {ed25519.PrivateKey(make([]byte, 32)), EdDSA, "", "", ErrKey},
		"no algorithm":          {p256TestKey(), "", "", "", ErrAlgorithm},
		"none":                  {p256TestKey(), "none", "", "", ErrAlgorithm},
		"HMAC":                  {p256TestKey(), "HS256", "", "", ErrAlgorithm},
		"verify only ES512":     {p521TestKey(), ES512, "", "", ErrAlgorithm},
		"verify only RS512":     {rsaTestKey(), RS512, "", "", ErrAlgorithm},
		"verify only PS384":     {rsaTestKey(), PS384, "", "", ErrAlgorithm},
		"another curve":         {p256TestKey(), ES384, "", "", ErrAlgorithm},
		"another type":          {rsaTestKey(), ES256, "", "", ErrAlgorithm},
		"kid not UTF-8":         {p256TestKey(), ES256, "\xff", "", ErrKey},
		"typ not UTF-8":         {p256TestKey(), ES256, "", "\xff", ErrHeader},
	} {
		if _, err := NewSigner(c.key, c.alg, c.kid, c.typ); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestSignerHeader(t *testing.T) {
	for want, c := range map[string][2]string{
		`{"alg":"ES256"}`: {"", ""},
		`{"alg":"ES256","kid":"k1","typ":"at+jwt"}`:     {"k1", "at+jwt"},
		`{"alg":"ES256","typ":"JWT"}`:                   {"", "JWT"},
		`{"alg":"ES256","kid":"a\"\\\u000a</script>é"}`: {"a\"\\\n</script>é", ""},
	} {
		s := must(NewSigner(p256TestKey(), ES256, c[0], c[1]))
		head, _, _ := strings.Cut(must(s.Sign(nil)), ".")
		if got := string(must(DecodeSegment(head))); got != want {
			t.Errorf("header %s, want %s", got, want)
		}
		token := must(Parse(must(s.Sign(nil))))
		if token.Header.KeyID != c[0] || token.Header.Type != c[1] {
			t.Errorf("header reads back as %+v", token.Header)
		}
	}
}

// TestSignerConcurrent is for the race detector.
func TestSignerConcurrent(t *testing.T) {
	for _, alg := range []Algorithm{ES256, PS256, EdDSA} {
		s := must(NewSigner(testKeyFor(alg), alg, "k1", "at+jwt"))
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				payload := fmt.Sprintf(`{"n":%d}`, i)
				for range 5 {
					token := must(Parse(must(s.Sign([]byte(payload)))))
					if err := token.Verify(s.Key()); err != nil || string(token.Payload) != payload {
						t.Errorf("%s: %v, payload %s", alg, err, token.Payload)
					}
				}
			})
		}
		group.Wait()
	}
}

// foreignSigner stands for a KMS or an HSM.
type foreignSigner struct {
	crypto.Signer
	change func([]byte) ([]byte, error)
	random bool
}

func (f *foreignSigner) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	f.random = random != nil
	signature, err := f.Signer.Sign(random, digest, options)
	if err != nil || f.change == nil {
		return signature, err
	}
	return f.change(signature)
}

func TestForeignSigner(t *testing.T) {
	for _, alg := range SigningAlgorithms() {
		foreign := &foreignSigner{Signer: testKeyFor(alg)}
		s, err := NewSigner(foreign, alg, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := must(Parse(must(s.Sign([]byte("{}"))))).Verify(s.Key()); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if !foreign.random {
			t.Errorf("%s: a foreign signer got no random source", alg)
		}
		for name, change := range map[string]func([]byte) ([]byte, error){
			"empty":     func([]byte) ([]byte, error) { return nil, nil },
			"cut":       func(b []byte) ([]byte, error) { return b[:len(b)-1], nil },
			"extended":  func(b []byte) ([]byte, error) { return append(b, 0), nil },
			"one byte":  func([]byte) ([]byte, error) { return []byte{0x30}, nil },
			"long form": func([]byte) ([]byte, error) { return []byte{0x30, 0x81}, nil },
			"too large": func([]byte) ([]byte, error) { return appendDER(nil, bytes.Repeat([]byte{0x7f}, 132)), nil },
			"negative":  func([]byte) ([]byte, error) { return []byte{0x30, 6, 2, 1, 0x80, 2, 1, 1}, nil },
			"a third":   func([]byte) ([]byte, error) { return []byte{0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1}, nil },
			"no s":      func([]byte) ([]byte, error) { return []byte{0x30, 3, 2, 1, 1}, nil },
		} {
			foreign.change = change
			if text, err := s.Sign(nil); err == nil || text != "" {
				t.Errorf("%s, %s: %q, %v", alg, name, text, err)
			}
		}
		gone := errors.New("the KMS is away")
		foreign.change = func([]byte) ([]byte, error) { return nil, gone }
		if _, err := s.Sign(nil); !errors.Is(err, gone) {
			t.Errorf("%s: %v does not wrap the signer's error", alg, err)
		}
	}
}

// TestNothingLeaksWhenPrinted: tokens and signers in a log show neither token nor key.
func TestNothingLeaksWhenPrinted(t *testing.T) {
	private, _, err := ParsePrivateKey([]byte(rfc7515A3Private))
	if err != nil {
		t.Fatal(err)
	}
	s := must(NewSigner(private, ES256, "k1", ""))
	text := must(s.Sign([]byte(`{"secret":"canary4711"}`)))
	token := must(Parse(text))
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	for _, v := range []any{token, s} {
		fmt.Fprintf(&out, "%v %+v %s %#v %q\n", v, v, v, v, v)
		log.Info("printed", "value", v)
	}
	log.Error("nothing", "token", (*Token)(nil), "signer", (*Signer)(nil))
	d := private.(*ecdsa.PrivateKey)
	for _, leak := range []string{
		"canary4711", "99 97 110", "0x63, 0x61", text[:30], text[len(text)-30:], "8e9b109e", fmt.Sprint(must(d.Bytes())[:4]),
	} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in %s", leak, out.String())
		}
	}
	if !strings.Contains(out.String(), "jose.Token(ES256)") || !strings.Contains(out.String(), "jose.Signer(ES256 k1)") {
		t.Errorf("printed %s", out.String())
	}
}

// TestRFC7515S419MatchType: typ is compared as a media type.
func TestRFC7515S419MatchType(t *testing.T) {
	for typ, want := range map[string]bool{
		"at+jwt": true, "AT+JWT": true, "application/at+jwt": true, "Application/AT+jwt": true,
		"": false, "jwt": false, "at+jwt ": false, "application/": false, "application/application/at+jwt": false,
		"text/at+jwt": false, "at+jwt;charset=utf-8": false, "at+jwtx": false,
	} {
		if got := (Header{Type: typ}).MatchType("at+jwt"); got != want {
			t.Errorf("%q: %v", typ, got)
		}
	}
}

func TestAlgorithms(t *testing.T) {
	sign := 0
	for _, name := range strings.Fields("ES256 ES384 ES512 PS256 PS384 PS512 RS256 RS384 RS512 EdDSA Ed25519") {
		alg, err := ParseAlgorithm(name)
		if err != nil || string(alg) != name {
			t.Errorf("%s: %q, %v", name, alg, err)
		}
		if alg.CanSign() {
			sign++
		}
	}
	for _, alg := range SigningAlgorithms() {
		if !alg.CanSign() {
			t.Errorf("%s is listed, but cannot sign", alg)
		}
	}
	if sign != len(SigningAlgorithms()) || sign != 6 {
		t.Errorf("%d algorithms sign", sign)
	}
	for _, name := range []string{"", "none", "HS256", "HS384", "HS512", "es256", "ES256K", "Ed448", "ML-DSA-44", "ES256 ", "eddsa"} {
		if _, err := ParseAlgorithm(name); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%q: %v, want ErrAlgorithm", name, err)
		}
	}
}
