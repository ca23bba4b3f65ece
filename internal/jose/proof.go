package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"unicode/utf8"
)

// A proof of possession (RFC 9449 §4.2) is the one kind of token whose key is in its header:
// that it verifies says no more than that its sender holds that key. So it has a type and an
// entry of its own, and [Parse] goes on refusing such headers.

// Proof is a parsed compact JWS whose header brings the public key. Nothing in it is true
// before [Token.Verify] returned nil for [Proof.Key], and then it is the key's owner who
// says it, whoever that is. It prints as [Token] does.
type Proof struct {
	Token
	embedded []byte // the jwk's text, part of the decoded header
}

var errNoEmbeddedKey = fmt.Errorf("%w: jwk is missing", ErrHeader)

// ParseProof is [Parse] for a header that must carry jwk, with the same demands on
// everything else: jku, x5u, x5c, crit, b64 and zip are refused here too. It does not look at
// the key; [Proof.Key] does.
func ParseProof(token string) (*Proof, error) {
	p := new(Proof)
	if err := p.Read(token); err != nil {
		return nil, err
	}
	return p, nil
}

// Read is [ParseProof] into p, as [Token.Read].
func (p *Proof) Read(token string) error {
	if err := p.parse(token, &p.embedded); err != nil {
		return err
	}
	if p.embedded == nil {
		return errNoEmbeddedKey
	}
	return nil
}

// Key returns the key of the header, by [ParseKey]: public, strong and free of
// contradictions, or its error.
func (p *Proof) Key() (*Key, error) { return ParseKey(p.embedded) }

// KeyText returns the text of the header's jwk, to be read only. Equal texts are equal keys.
func (p *Proof) KeyText() []byte { return p.embedded }

// NewProofSigner is [NewSigner] for proofs: the header carries typ, alg and, as jwk, the
// required members of the public key (RFC 7638 §3.2), so that it says nothing that the
// thumbprint does not cover. An empty alg means the one that goes with the key: ES256,
// ES384, PS256 or EdDSA.
func NewProofSigner(key crypto.Signer, alg Algorithm, typ string) (*Signer, error) {
	if missing(key) {
		return nil, errNoPrivateKey
	}
	if alg == "" {
		alg = defaultAlgorithm(key.Public())
	}
	s, err := newSigner(key, alg, "")
	if err != nil {
		return nil, err
	}
	if !utf8.ValidString(typ) {
		return nil, errTypeUTF8
	}
	header := appendQuoted([]byte(`{"typ":`), typ)
	header = appendQuoted(append(header, `,"alg":`...), string(alg))
	header = s.key.appendMembers(append(header, `,"jwk":`...))
	s.setHeader(append(header, "}}"...))
	return s, nil
}

// defaultAlgorithm returns the algorithm to sign with, "" for a key of another kind. For RSA
// it is PS256, which every profile takes that takes RSA at all (FAPI 2.0 Security Profile §5.4.1).
func defaultAlgorithm(pub crypto.PublicKey) Algorithm {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		if pub == nil {
			return ""
		}
		if curve := curveOf(pub.Curve); curve != nil {
			return curve.algorithm
		}
	case *rsa.PublicKey:
		return PS256
	case ed25519.PublicKey:
		return EdDSA
	}
	return ""
}
