package server

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// forged is a signed token of any header and any claims: what a hostile program
// could send. Members that are nil are left out.
type forged struct {
	header, claims map[string]any
	payload        string // instead of claims
	key            crypto.Signer
	sign           func(message []byte) []byte // instead of key
}

// text is the token in compact form.
func (f forged) text(t testing.TB) string {
	t.Helper()
	payload := f.payload
	if payload == "" {
		payload = compactJSON(t, f.claims)
	}
	message := jose.EncodeSegment([]byte(compactJSON(t, f.header))) + "." + jose.EncodeSegment([]byte(payload))
	sign := f.sign
	if sign == nil {
		alg, _ := f.header["alg"].(string)
		sign = func(message []byte) []byte { return signatureBy(t, f.key, jose.Algorithm(alg), message) }
	}
	return message + "." + jose.EncodeSegment(sign([]byte(message)))
}

func compactJSON(t testing.TB, members map[string]any) string {
	t.Helper()
	members = maps.Clone(members)
	maps.DeleteFunc(members, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

// signatureBy signs as RFC 7518 §3 says, with any key and algorithm: a wrong pair
// of both too, as far as the mathematics go.
func signatureBy(t testing.TB, key crypto.Signer, alg jose.Algorithm, message []byte) []byte {
	t.Helper()
	hash := crypto.SHA256
	if h, ok := hashes[strings.TrimLeft(string(alg), "ESRP")]; ok {
		hash = h
	}
	h := hash.New()
	h.Write(message)
	digest := h.Sum(nil)
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			t.Fatal(err)
		}
		size := (key.Curve.Params().BitSize + 7) / 8
		both := make([]byte, 2*size)
		r.FillBytes(both[:size])
		s.FillBytes(both[size:])
		return both
	case ed25519.PrivateKey:
		return ed25519.Sign(key, message)
	case *rsa.PrivateKey:
		opts := crypto.SignerOpts(hash)
		if strings.HasPrefix(string(alg), "PS") {
			opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
		}
		signed, err := key.Sign(rand.Reader, digest, opts)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	t.Fatalf("no key but a %T", key)
	return nil
}

// hmacWith signs as HS256 would.
func hmacWith(secret []byte) func([]byte) []byte {
	return func(message []byte) []byte {
		h := hmac.New(sha256.New, secret)
		h.Write(message)
		return h.Sum(nil)
	}
}

// Keys that all tests share, by name: making an RSA key takes longer than a test.
var namedKeys sync.Map

// privateKey is the key of that name: the first letters are its kind.
func privateKey(t testing.TB, name string) crypto.Signer {
	t.Helper()
	if k, ok := namedKeys.Load(name); ok {
		return k.(crypto.Signer)
	}
	var key crypto.Signer
	var err error
	switch kind, _, _ := strings.Cut(name, " "); kind {
	case "P-256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "P-384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "P-521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "RSA":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "RSA-2040":
		key, err = rsa.GenerateKey(rand.Reader, 2040)
	case "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		t.Fatalf("no kind of key: %s", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	kept, _ := namedKeys.LoadOrStore(name, key)
	return kept.(crypto.Signer)
}

// publicKey is its public half.
func publicKey(t testing.TB, name string, alg jose.Algorithm, kid string) *jose.Key {
	t.Helper()
	key, err := jose.NewKey(privateKey(t, name).Public(), alg, kid)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// clientKey is a client's credential with that key.
func clientKey(t testing.TB, id, name, kid string) registry.ClientKey {
	t.Helper()
	return registry.ClientKey{ID: id, JWK: publicKey(t, name, "", kid).JSON(), Created: start}
}

// keyed is a client like billing that has keys instead of secrets.
func keyed(id string, keys ...registry.ClientKey) *registry.Client {
	return named(id, func(c *registry.Client) { c.Secrets, c.Keys = nil, keys })
}

// signing is the client of most tests of assertions: its one key is "P-256 signing".
func signing(t testing.TB) *registry.Client {
	t.Helper()
	return keyed("signing", clientKey(t, "k1", "P-256 signing", "jwk-kid"))
}

var serial atomic.Int64

// nextID is a jti that no other token has.
func nextID() string { return fmt.Sprintf("j-%d", serial.Add(1)) }

// assertionOf is a good assertion by that client and key, with a jti of its own.
func (f *fixture) assertionOf(client, key string) forged {
	f.t.Helper()
	now := f.now().Unix()
	return forged{
		header: map[string]any{"alg": "ES256", "typ": symbolon.TypClientAuthentication},
		claims: map[string]any{"iss": client, "sub": client, "aud": base, "jti": nextID(), "iat": now, "exp": now + 60},
		key:    privateKey(f.t, key),
	}
}

// assertingForm is the body of a token request with that assertion.
func assertingForm(assertion string, more string) string {
	return grant + "&client_assertion_type=" + url.QueryEscape(symbolon.AssertionTypeJWT) + "&client_assertion=" + url.QueryEscape(assertion) + more
}

// at is a NumericDate so far from now.
func (f *fixture) at(d time.Duration) int64 { return f.now().Add(d).Unix() }
