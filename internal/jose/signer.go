package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"reflect"
	"unicode/utf8"
)

// Signer makes tokens with one key, one algorithm and one typ. Its header is computed once.
// It is safe for concurrent use as far as its crypto.Signer is, and those of the standard
// library are. It prints as its algorithm and kid, never as its key.
type Signer struct {
	private crypto.Signer
	key     *Key
	header  string // encoded, with the dot behind it
	family  family
	options crypto.SignerOpts
	random  bool
}

// NewSigner returns a signer for a private key of the standard library or any crypto.Signer
// (a KMS, an HSM) with an ECDSA, RSA or Ed25519 key. Algorithms for which
// [Algorithm.CanSign] is false are [ErrAlgorithm]; a key that is weak or does not go with
// alg is the error of [NewKey]. kid and typ are left out of the header when "".
func NewSigner(key crypto.Signer, alg Algorithm, kid, typ string) (*Signer, error) {
	s, err := newSigner(key, alg, kid)
	if err != nil {
		return nil, err
	}
	if !utf8.ValidString(typ) {
		return nil, errTypeUTF8
	}
	header := appendQuoted([]byte(`{"alg":`), string(alg))
	if kid != "" {
		header = appendQuoted(append(header, `,"kid":`...), kid)
	}
	if typ != "" {
		header = appendQuoted(append(header, `,"typ":`...), typ)
	}
	s.setHeader(append(header, '}'))
	return s, nil
}

var errTypeUTF8 = fmt.Errorf("%w: typ is not valid UTF-8", ErrHeader)

// newSigner checks the key and prepares everything but the header.
func newSigner(key crypto.Signer, alg Algorithm, kid string) (*Signer, error) {
	if !alg.CanSign() {
		return nil, errCannotSign
	}
	if missing(key) {
		return nil, errNoPrivateKey
	}
	public, err := NewKey(key.Public(), alg, kid)
	if err != nil {
		return nil, err
	}
	s := &Signer{private: key, key: public}
	var hash crypto.Hash
	s.family, hash = alg.family()
	s.options = hash
	if s.family == familyPSS {
		// RFC 7518 §3.5: the salt is as long as the hash.
		s.options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	// RFC 8725 §3.2: ECDSA the deterministic way of RFC 6979, so that no weakness of the
	// random source shows the key; for crypto/ecdsa that is asked for by giving it none.
	// Foreign signers may need one, and RSASSA-PSS does.
	_, deterministic := key.(*ecdsa.PrivateKey)
	s.random = !deterministic
	return s, nil
}

func (s *Signer) setHeader(header []byte) { s.header = EncodeSegment(header) + "." }

var errNoPrivateKey = fmt.Errorf("%w: the private key is nil or empty", ErrKey)

var errCannotSign = fmt.Errorf("%w: it is not one to sign with: use ES256, ES384, PS256, RS256, EdDSA or Ed25519", ErrAlgorithm)

// missing reports whether key is nil, a nil pointer, or an Ed25519 key of the wrong length:
// their methods would panic.
func missing(key crypto.Signer) bool {
	switch key := key.(type) {
	case nil:
		return true
	case *ecdsa.PrivateKey:
		//lint:ignore SA1019 the scalar is only compared with nil, on which Sign panics
		return key == nil || key.D == nil
	case *rsa.PrivateKey:
		return key == nil || key.D == nil
	case ed25519.PrivateKey:
		return len(key) != ed25519.PrivateKeySize
	}
	v := reflect.ValueOf(key)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// Key returns the public half, with the algorithm and kid given to [NewSigner].
func (s *Signer) Key() *Key { return s.key }

// Sign returns the compact JWS of payload, of which it keeps nothing. A token that [Parse]
// would refuse for its length is [ErrTooLong]; other errors come from the crypto.Signer.
func (s *Signer) Sign(payload []byte) (string, error) {
	return s.SignDocument(payload, MaxToken)
}

// SignDocument is Sign for what is no token and may have so many bytes; ParseDocument
// reads it.
func (s *Signer) SignDocument(payload []byte, most int) (string, error) {
	signed := len(s.header) + segmentEncoding.EncodedLen(len(payload))
	size := signed + 1 + segmentEncoding.EncodedLen(s.key.checked.signature)
	if size > most {
		return "", ErrTooLong
	}
	token := make([]byte, size)
	copy(token, s.header)
	segmentEncoding.Encode(token[len(s.header):signed], payload)
	token[signed] = '.'
	signature, err := s.sign(token[:signed])
	if err != nil {
		return "", err
	}
	segmentEncoding.Encode(token[signed+1:], signature)
	return string(token), nil
}

// sign returns the signature of message in the form of RFC 7518 §3.
func (s *Signer) sign(message []byte) ([]byte, error) {
	var sum digest
	if hash := s.options.HashFunc(); hash != 0 {
		sum = digestOf(hash, message)
		message = sum.bytes()
	}
	random := rand.Reader
	if !s.random {
		random = nil
	}
	raw, err := s.private.Sign(random, message, s.options)
	if err != nil {
		return nil, fmt.Errorf("jose: the signing key did not sign: %w", err)
	}
	if s.family == familyECDSA {
		der := raw
		raw = make([]byte, s.key.checked.signature)
		if !splitDER(raw, der) {
			return nil, errForeignSignature
		}
	}
	if len(raw) != s.key.checked.signature {
		return nil, errForeignSignature
	}
	return raw, nil
}

var errForeignSignature = fmt.Errorf("jose: the signing key returned something that is not a signature of its algorithm")

// String returns the algorithm and the kid.
func (s *Signer) String() string {
	if s == nil {
		return "jose.Signer(nil)"
	}
	return "jose.Signer(" + string(s.key.Algorithm) + " " + s.key.ID + ")"
}

// GoString is String: %#v must not print the private key.
func (s *Signer) GoString() string { return s.String() }

// LogValue is String for slog.
func (s *Signer) LogValue() slog.Value { return slog.StringValue(s.String()) }
