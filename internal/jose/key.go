package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"unicode/utf8"
)

// Key is one public key that was checked, with the algorithm it is for. It comes from
// [NewKey], [ParseKey] or a [Signer]; one that was put together by hand verifies nothing.
// Its fields are read, never written. It is safe for concurrent use.
type Key struct {
	ID        string           // kid, "" when it has none
	Algorithm Algorithm        // "" only for an RSA key from a JWK without alg: any RS* or PS*
	Public    crypto.PublicKey // *ecdsa.PublicKey, *rsa.PublicKey or ed25519.PublicKey

	checked *checked
}

// checked is what NewKey found out; its presence says that the key may be used.
type checked struct {
	algorithm Algorithm        // as Key.Algorithm, which anybody can write to
	public    crypto.PublicKey // a copy
	signature int              // length of a signature in bytes
	members   []member         // the required JWK members in lexicographic order (RFC 7638 §3.2)
}

// member is a member of a JWK, all of whose values are strings that need no escaping.
type member struct{ name, value string }

var errUncheckedKey = fmt.Errorf("%w: it is nil or was not made by NewKey or ParseKey", ErrKey)

// NewKey checks a public key and pins it to alg: *ecdsa.PublicKey on P-256, P-384 or P-521,
// *rsa.PublicKey or ed25519.PublicKey. An empty alg means the one that goes with the curve
// (ES256, ES384, ES512, EdDSA); for RSA it means that any RS* and PS* is accepted, which is
// what a foreign JWK without alg says. id is the kid, any valid UTF-8.
// Errors: [ErrKey], [ErrUnsupportedKey], [ErrWeakKey], [ErrAlgorithm].
func NewKey(pub crypto.PublicKey, alg Algorithm, id string) (*Key, error) {
	if !utf8.ValidString(id) {
		return nil, fmt.Errorf("%w: kid is not valid UTF-8", ErrKey)
	}
	var c *checked
	var err error
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		c, err = checkECDSA(pub, &alg)
	case *rsa.PublicKey:
		c, err = checkRSA(pub, alg)
	case ed25519.PublicKey:
		c, err = checkEd25519(pub, &alg)
	default:
		return nil, ErrUnsupportedKey
	}
	if err != nil {
		return nil, err
	}
	c.algorithm = alg
	return &Key{ID: id, Algorithm: alg, Public: c.public, checked: c}, nil
}

var errKeyAlgorithm = fmt.Errorf("%w: it does not go with the type, curve or size of the key", ErrAlgorithm)

func checkECDSA(pub *ecdsa.PublicKey, alg *Algorithm) (*checked, error) {
	//lint:ignore SA1019 the coordinates are only compared with nil, on which Bytes panics
	if pub == nil || pub.Curve == nil || pub.X == nil || pub.Y == nil {
		return nil, errUncheckedKey
	}
	curve := curveOf(pub.Curve)
	if curve == nil {
		return nil, ErrUnsupportedKey
	}
	point, err := pub.Bytes() // RFC 8725 §3.4: it must be on the curve
	if err != nil {
		return nil, errPoint
	}
	copied, err := ecdsa.ParseUncompressedPublicKey(pub.Curve, point)
	if err != nil {
		return nil, errPoint
	}
	if *alg == "" {
		*alg = curve.algorithm
	}
	if *alg != curve.algorithm {
		return nil, errKeyAlgorithm
	}
	x, y := point[1:1+curve.size], point[1+curve.size:]
	return &checked{public: copied, signature: 2 * curve.size, members: []member{
		{"crv", curve.name}, {"kty", "EC"}, {"x", EncodeSegment(x)}, {"y", EncodeSegment(y)},
	}}, nil
}

var errPoint = fmt.Errorf("%w: x and y are not a point on the curve", ErrKey)

// ecCurve is a curve of RFC 7518 §6.2.1.1 with the algorithm of §3.4 that goes with it.
type ecCurve struct {
	name      string
	curve     elliptic.Curve
	size      int // of a coordinate and of the order, in bytes
	algorithm Algorithm
}

var ecCurves = []ecCurve{
	{"P-256", elliptic.P256(), 32, ES256},
	{"P-384", elliptic.P384(), 48, ES384},
	{"P-521", elliptic.P521(), 66, ES512},
}

func curveOf(c elliptic.Curve) *ecCurve {
	for i := range ecCurves {
		if ecCurves[i].curve == c {
			return &ecCurves[i]
		}
	}
	return nil
}

func curveNamed(name string) *ecCurve {
	for i := range ecCurves {
		if ecCurves[i].name == name {
			return &ecCurves[i]
		}
	}
	return nil
}

func checkRSA(pub *rsa.PublicKey, alg Algorithm) (*checked, error) {
	if pub == nil || pub.N == nil {
		return nil, errUncheckedKey
	}
	if err := weakRSA(pub); err != nil {
		return nil, err
	}
	if f, _ := alg.family(); alg != "" && f != familyPSS && f != familyPKCS1 {
		return nil, errKeyAlgorithm
	}
	copied := &rsa.PublicKey{N: new(big.Int).Set(pub.N), E: pub.E}
	return &checked{public: copied, signature: pub.Size(), members: []member{
		{"e", EncodeSegment(big.NewInt(int64(pub.E)).Bytes())}, {"kty", "RSA"}, {"n", EncodeSegment(pub.N.Bytes())},
	}}, nil
}

func checkEd25519(pub ed25519.PublicKey, alg *Algorithm) (*checked, error) {
	if err := weakEd25519(pub); err != nil {
		return nil, err
	}
	if *alg == "" {
		*alg = EdDSA
	}
	if *alg != EdDSA && *alg != Ed25519 {
		return nil, errKeyAlgorithm
	}
	copied := append(ed25519.PublicKey(nil), pub...)
	return &checked{public: copied, signature: ed25519.SignatureSize, members: []member{
		{"crv", "Ed25519"}, {"kty", "OKP"}, {"x", EncodeSegment(pub)},
	}}, nil
}

// Thumbprint returns the SHA-256 thumbprint of RFC 7638 in base64url: 43 characters that
// depend on the key alone, not on its kid, alg or use.
func (k *Key) Thumbprint() string {
	if k == nil || k.checked == nil {
		return ""
	}
	sum := sha256.Sum256(append(k.appendMembers(nil), '}'))
	return EncodeSegment(sum[:])
}

// appendMembers appends the required members without the closing brace.
func (k *Key) appendMembers(dst []byte) []byte {
	dst = append(dst, '{')
	for i, m := range k.checked.members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, m.name)
		dst = append(dst, ':')
		dst = appendQuoted(dst, m.value)
	}
	return dst
}

// JSON returns the key as a public JWK: the members of its type in lexicographic order, then
// kid (if it has one), "use":"sig" and alg (if it is pinned to one). The same key always
// gives the same bytes.
func (k *Key) JSON() []byte {
	if k == nil || k.checked == nil {
		return nil
	}
	out := k.appendMembers(nil)
	if k.ID != "" {
		out = appendQuoted(append(out, `,"kid":`...), k.ID)
	}
	out = append(out, `,"use":"sig"`...)
	if alg := k.checked.algorithm; alg != "" {
		out = appendQuoted(append(out, `,"alg":`...), string(alg))
	}
	return append(out, '}')
}

// PEM returns the key as a PEM block PUBLIC KEY (SubjectPublicKeyInfo, RFC 5280 §4.1), the
// form that openssl, proxies and libraries read.
func (k *Key) PEM() []byte {
	if k == nil || k.checked == nil {
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(k.checked.public)
	if err != nil {
		return nil // the key was checked: x509 knows its type
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
