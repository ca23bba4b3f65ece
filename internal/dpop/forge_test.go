package dpop

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	// p256Key is the same one in every process of the fuzzer.
	p256Key = sync.OnceValue(func() *ecdsa.PrivateKey {
		return must(ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{47, 11}, 16)))
	})
	p384Key = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	rsaKey  = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	edKey   = sync.OnceValue(func() ed25519.PrivateKey {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return must(private, err)
	})
)

// The request of the tests, and a good proof for it, of which each test changes a part. JWK
// and ATH stand for the key and the hash.
const (
	testURL    = "https://api.example.com/orders"
	testToken  = "the-access-token"
	testHeader = `{"typ":"dpop+jwt","alg":"ES256","jwk":JWK}`
	testClaims = `{"jti":"j-4711","htm":"POST","htu":"https://api.example.com/orders","iat":1800000000,"ath":"ATH","nonce":"n-1"}`
)

var testNow = time.Unix(1800000000, 0)

// expected is what the good proof meets.
func expected() Expectation {
	return Expectation{Method: "POST", URLs: []string{testURL}, AccessToken: testToken, Now: testNow}
}

// publicJWK is the text of p256Key's public half.
func publicJWK() string {
	text := string(must(jose.NewKey(p256Key().Public(), "", "")).JSON())
	return strings.Replace(text, `,"use":"sig","alg":"ES256"`, "", 1)
}

// forge signs whatever header and claims a test wants with p256Key, always alike (RFC 6979).
func forge(header, claims string) string {
	header = strings.ReplaceAll(header, "JWK", publicJWK())
	claims = strings.ReplaceAll(claims, "ATH", tokenHash(testToken))
	signed := jose.EncodeSegment([]byte(header)) + "." + jose.EncodeSegment([]byte(claims))
	sum := sha256.Sum256([]byte(signed))
	var n struct{ R, S *big.Int }
	must(asn1.Unmarshal(must(p256Key().Sign(nil, sum[:], crypto.SHA256)), &n))
	var signature [64]byte
	n.R.FillBytes(signature[:32])
	n.S.FillBytes(signature[32:])
	return signed + "." + jose.EncodeSegment(signature[:])
}

// change replaces a part of a text, which must be there.
func change(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in %q", old, text)
	}
	return strings.Replace(text, old, new, 1)
}

// proofOf makes a good proof with any key.
func proofOf(t *testing.T, key crypto.Signer, r ProofRequest) string {
	t.Helper()
	p, err := NewProver(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.Proof(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func testRequest() ProofRequest {
	return ProofRequest{Method: "POST", URL: testURL, AccessToken: testToken, Nonce: "n-1", Time: testNow}
}

// tokenHash is an ath.
func tokenHash(token string) string { return string(appendTokenHash(nil, token)) }
