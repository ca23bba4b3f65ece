package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// ErrKey: a key's document cannot be used to sign. The text says why.
var ErrKey = errors.New("unusable signing key")

// rsaBits is the size of RSA keys. 2048 is what every verifier takes, and
// enough for keys that sign for months and tokens that live for hours.
const rsaBits = 2048

// New makes a signing key for an issuer, announced at now, whose other times
// are not planned yet. Its id (kid) follows from the public key. Making an RSA
// key takes up to a second of CPU: not something to do inside a transaction.
func New(m *Master, issuer string, alg jose.Algorithm, now time.Time) (*registry.Key, error) {
	private, err := generate(alg)
	if err != nil {
		return nil, fmt.Errorf("make a key for issuer %q: %w", issuer, err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("make a key for issuer %q: %w", issuer, err)
	}
	id := keyID(private.Public())
	public, err := jose.NewKey(private.Public(), alg, id)
	if err != nil {
		return nil, fmt.Errorf("make a key for issuer %q: %w", issuer, err)
	}
	k := &registry.Key{ID: id, Issuer: issuer, Algorithm: string(alg), Public: public.JSON(), Announced: now}
	k.Meta = registry.Meta{V: registry.DocVersion, Min: 1}
	k.Private = jose.EncodeSegment(m.Seal(LabelSigningKey, place(k), pkcs8))
	return k, nil
}

func generate(alg jose.Algorithm) (crypto.Signer, error) {
	switch alg {
	case jose.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case jose.PS256, jose.RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case jose.EdDSA, jose.Ed25519:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return nil, fmt.Errorf("%w: %q is not an algorithm to sign with", jose.ErrAlgorithm, alg)
}

// keyID is the kid of a public key: 24 characters of base32 over its digest.
// It begins with no hyphen, which a command line would take for a flag, and
// cannot be chosen, so a document cannot pass for another key's.
func keyID(public crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "" // of no type that generate makes or open accepts
	}
	sum := sha256.Sum256(der)
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:15]))
}

// place is what a sealed private key is bound to: moved into another document,
// it does not open.
func place(k *registry.Key) []byte {
	return []byte(k.Issuer + "\n" + k.Algorithm + "\n" + k.ID)
}

// SealedWith returns the id of the master key that a key's private half was
// sealed with; false when it has none (any more).
func SealedWith(k *registry.Key) (id string, ok bool) {
	sealed, err := jose.DecodeSegment(k.Private)
	if err != nil {
		return "", false
	}
	return SealedBy(sealed)
}

// open unseals the private half of a key and checks that it is the one whose
// public half is published.
func open(m *Master, k *registry.Key) (crypto.Signer, error) {
	if !k.Revoked.IsZero() || k.Private == "" {
		return nil, fmt.Errorf("%w: %s was revoked", ErrKey, k.ID)
	}
	sealed, err := jose.DecodeSegment(k.Private)
	if err != nil {
		return nil, fmt.Errorf("%w: the private half of %s is not base64url", ErrKey, k.ID)
	}
	pkcs8, err := m.Open(LabelSigningKey, place(k), sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKey, k.ID, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	clear(pkcs8)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is not PKCS#8", ErrKey, k.ID)
	}
	private, ok := parsed.(crypto.Signer)
	if !ok || keyID(private.Public()) != k.ID {
		return nil, fmt.Errorf("%w: the private half of %s belongs to another key", ErrKey, k.ID)
	}
	return private, nil
}
