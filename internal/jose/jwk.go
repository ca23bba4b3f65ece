package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"math/big"
	"slices"
)

// MaxKey is the length of the longest JWK or PEM text that is parsed, in bytes.
const MaxKey = 64 << 10

// ParseKey reads a public JWK (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2). It refuses private
// members ([ErrPrivateKey]), duplicate members ([ErrDuplicateMember]), weak keys
// ([ErrWeakKey]), unknown types and curves ([ErrUnsupportedKey]), and whatever contradicts
// itself or the purpose of verifying signatures: a use other than sig, key_ops without
// verify, an alg that does not go with the key ([ErrKey], [ErrAlgorithm]). Members that it
// does not know are ignored, also x5c and x5u, from which no key is taken.
func ParseKey(jwk []byte) (*Key, error) {
	j, err := readJWK(jwk)
	if err != nil {
		return nil, err
	}
	if j.private() {
		return nil, ErrPrivateKey
	}
	if err := j.purpose("verify"); err != nil {
		return nil, err
	}
	pub, err := j.public()
	if err != nil {
		return nil, err
	}
	return j.key(pub)
}

// jwk is the text of a JWK's known members; absent ones are nil.
type jwk struct {
	kty, use, alg, kid, crv *string
	keyOps                  []string // nil when absent
	numbers                 map[string][]byte
}

// jwkNumbers are the members that hold base64url, of all key types; d is private in every
// one, k is a symmetric key.
var jwkNumbers = map[string]bool{ // name: private
	"n": false, "e": false, "x": false, "y": false,
	"d": true, "p": true, "q": true, "dp": true, "dq": true, "qi": true, "k": true,
}

func readJWK(data []byte) (*jwk, error) {
	if len(data) > MaxKey {
		return nil, ErrTooLong
	}
	j := &jwk{numbers: make(map[string][]byte, 4)}
	var s scanner
	if err := s.run(data, j.member); err != nil {
		return nil, err
	}
	return j, nil
}

// member takes one member of the JWK.
func (j *jwk) member(name, value []byte) error {
	var into **string
	switch string(name) {
	case "kty":
		into = &j.kty
	case "use":
		into = &j.use
	case "alg":
		into = &j.alg
	case "kid":
		into = &j.kid
	case "crv":
		into = &j.crv
	case "key_ops":
		return j.operations(value)
	case "oth":
		j.numbers["oth"] = value
		return nil
	default:
		if _, ok := jwkNumbers[string(name)]; ok {
			return j.number(string(name), value)
		}
		return nil
	}
	text, ok := unquote(value)
	if !ok {
		return fmt.Errorf("%w: %s is not a string", ErrKey, name)
	}
	s := string(text)
	*into = &s
	return nil
}

// number takes a member that holds base64url.
func (j *jwk) number(name string, value []byte) error {
	text, ok := unquote(value)
	if !ok {
		return fmt.Errorf("%w: %s is not a string", ErrKey, name)
	}
	decoded, err := DecodeSegment(string(text))
	if err != nil {
		return fmt.Errorf("%w: %s is not strict base64url", ErrKey, name)
	}
	j.numbers[name] = decoded
	return nil
}

// operations takes key_ops. RFC 7517 §4.3: an array of strings, none of them twice; ours must
// be sign and verify alone, since a key for signatures must not be used for anything else.
func (j *jwk) operations(value []byte) error {
	if value[0] != '[' {
		return errKeyOps
	}
	j.keyOps = []string{}
	s := scanner{data: value}
	return s.array(1, func(element []byte) error {
		text, ok := unquote(element)
		op := string(text)
		if !ok || slices.Contains(j.keyOps, op) {
			return errKeyOps
		}
		if op != "sign" && op != "verify" {
			return fmt.Errorf("%w: its key_ops have something else than sign and verify", ErrKey)
		}
		j.keyOps = append(j.keyOps, op)
		return nil
	})
}

var errKeyOps = fmt.Errorf("%w: key_ops is not an array of different strings", ErrKey)

// private reports whether any private or symmetric member is there.
func (j *jwk) private() bool {
	for name := range j.numbers {
		if jwkNumbers[name] || name == "oth" {
			return true
		}
	}
	return false
}

// purpose checks use and key_ops: both, where present, must allow signatures, and the
// operation that is wanted (RFC 7517 §4.2, §4.3).
func (j *jwk) purpose(operation string) error {
	if j.use != nil && *j.use != "sig" {
		return fmt.Errorf("%w: its use is not sig", ErrKey)
	}
	if j.keyOps != nil && !slices.Contains(j.keyOps, operation) {
		return fmt.Errorf("%w: its key_ops lack %s", ErrKey, operation)
	}
	return nil
}

// public returns the public key; NewKey checks it further.
func (j *jwk) public() (crypto.PublicKey, error) {
	if j.kty == nil {
		return nil, fmt.Errorf("%w: kty is missing", ErrKey)
	}
	switch *j.kty {
	case "EC":
		return j.publicEC()
	case "RSA":
		return j.publicRSA()
	case "OKP":
		return j.publicOKP()
	}
	return nil, ErrUnsupportedKey
}

// sized returns the member name, which must be there and have size bytes.
func (j *jwk) sized(name string, size int) ([]byte, error) {
	value, ok := j.numbers[name]
	if !ok {
		return nil, fmt.Errorf("%w: %s is missing", ErrKey, name)
	}
	if len(value) != size {
		return nil, fmt.Errorf("%w: %s does not have the %d bytes that the curve demands", ErrKey, name, size)
	}
	return value, nil
}

// integer returns the member name, which must be there, as a number. RFC 7518 §2: no
// leading zeros.
func (j *jwk) integer(name string) (*big.Int, error) {
	value, ok := j.numbers[name]
	if !ok {
		return nil, fmt.Errorf("%w: %s is missing", ErrKey, name)
	}
	if len(value) == 0 || value[0] == 0 {
		return nil, fmt.Errorf("%w: %s is zero or has leading zeros", ErrKey, name)
	}
	return new(big.Int).SetBytes(value), nil
}

func (j *jwk) publicEC() (crypto.PublicKey, error) {
	if j.crv == nil {
		return nil, fmt.Errorf("%w: crv is missing", ErrKey)
	}
	curve := curveNamed(*j.crv)
	if curve == nil {
		return nil, ErrUnsupportedKey
	}
	x, err := j.sized("x", curve.size)
	if err != nil {
		return nil, err
	}
	y, err := j.sized("y", curve.size)
	if err != nil {
		return nil, err
	}
	point := append(append([]byte{4}, x...), y...)
	pub, err := ecdsa.ParseUncompressedPublicKey(curve.curve, point)
	if err != nil {
		return nil, errPoint
	}
	return pub, nil
}

func (j *jwk) publicRSA() (crypto.PublicKey, error) {
	n, err := j.integer("n")
	if err != nil {
		return nil, err
	}
	e, err := j.integer("e")
	if err != nil {
		return nil, err
	}
	if e.BitLen() > 31 {
		return nil, errRSAExponent
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

func (j *jwk) publicOKP() (crypto.PublicKey, error) {
	if j.crv == nil {
		return nil, fmt.Errorf("%w: crv is missing", ErrKey)
	}
	if *j.crv != "Ed25519" {
		return nil, ErrUnsupportedKey
	}
	x, err := j.sized("x", ed25519.PublicKeySize)
	if err != nil {
		return nil, err
	}
	return ed25519.PublicKey(x), nil
}

// key pins pub to the JWK's alg and kid.
func (j *jwk) key(pub crypto.PublicKey) (*Key, error) {
	var alg Algorithm
	if j.alg != nil {
		var err error
		if alg, err = ParseAlgorithm(*j.alg); err != nil {
			return nil, err
		}
	}
	var id string
	if j.kid != nil {
		id = *j.kid
	}
	return NewKey(pub, alg, id)
}
