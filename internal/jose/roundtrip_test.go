package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"sync"
	"testing"
)

// Keys that several tests use: made once, RSA keys are slow to make.
var (
	rsaTestKey = sync.OnceValue(func() *rsa.PrivateKey {
		return must(rsa.GenerateKey(rand.Reader, 2048))
	})
	p256TestKey = sync.OnceValue(func() *ecdsa.PrivateKey {
		return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	})
	p384TestKey = sync.OnceValue(func() *ecdsa.PrivateKey {
		return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	})
	p521TestKey = sync.OnceValue(func() *ecdsa.PrivateKey {
		return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	})
	ed25519TestKey = sync.OnceValue(func() ed25519.PrivateKey {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return must(private, err)
	})
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// testKeyFor returns a private key that goes with alg.
func testKeyFor(alg Algorithm) crypto.Signer {
	switch alg {
	case ES256:
		return p256TestKey()
	case ES384:
		return p384TestKey()
	case ES512:
		return p521TestKey()
	case EdDSA, Ed25519:
		return ed25519TestKey()
	}
	return rsaTestKey()
}

func TestSignParseVerify(t *testing.T) {
	for _, alg := range SigningAlgorithms() {
		t.Run(string(alg), func(t *testing.T) {
			s, err := NewSigner(testKeyFor(alg), alg, "k1", "at+jwt")
			if err != nil {
				t.Fatal(err)
			}
			for _, payload := range []string{"", "{}", `{"sub":"billing"}`, strings.Repeat("x", 5000)} {
				text, err := s.Sign([]byte(payload))
				if err != nil {
					t.Fatal(err)
				}
				token, err := Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				if err := token.Verify(s.Key()); err != nil {
					t.Fatalf("payload of %d bytes: %v", len(payload), err)
				}
				if string(token.Payload) != payload {
					t.Errorf("payload %q, want %q", token.Payload, payload)
				}
				if want := (Header{Algorithm: alg, KeyID: "k1", Type: "at+jwt"}); token.Header != want {
					t.Errorf("header %+v, want %+v", token.Header, want)
				}
			}
		})
	}
}

func TestVerifyRefusesAnotherKey(t *testing.T) {
	other := map[Algorithm]crypto.Signer{
		ES256: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		RS256: must(rsa.GenerateKey(rand.Reader, 2048)),
		EdDSA: ed25519.NewKeyFromSeed(make([]byte, 32)),
	}
	for alg, key := range other {
		s := must(NewSigner(testKeyFor(alg), alg, "", ""))
		token := must(Parse(must(s.Sign([]byte("{}")))))
		if err := token.Verify(must(NewKey(key.Public(), alg, ""))); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v, want ErrSignature", alg, err)
		}
	}
}
