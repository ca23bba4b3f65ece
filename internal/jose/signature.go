package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"sync"
)

// Verify returns nil when signature is k's on message by alg, in the form that RFC 7518 §3
// and RFC 8037 §3.1 give it. An alg that is not the key's is [ErrAlgorithm], everything else
// [ErrSignature]. Tokens go through [Token.Verify].
func (k *Key) Verify(alg Algorithm, message, signature []byte) error {
	if k == nil || k.checked == nil {
		return errUncheckedKey
	}
	if !k.permits(alg) {
		return errOtherAlgorithm
	}
	if !k.verify(alg, message, signature) {
		return ErrSignature
	}
	return nil
}

var errOtherAlgorithm = fmt.Errorf("%w: the token's alg is not the key's", ErrAlgorithm)

// permits reports whether a token may name alg under this key. RFC 8725 §3.1: the key says
// what it is for. Only an RSA key from a JWK without alg leaves the choice open, and then
// only among the RSA signatures, so that no choice makes the key mean something else.
func (k *Key) permits(alg Algorithm) bool {
	pinned := k.checked.algorithm
	want, _ := alg.family()
	if alg == pinned {
		return want != familyNone
	}
	switch pinned {
	case EdDSA, Ed25519: // two names of one algorithm
		return want == familyEdDSA
	case "":
		return want == familyPSS || want == familyPKCS1
	}
	return false
}

// verify reports whether signature is the key's on message; permits said yes to alg.
func (k *Key) verify(alg Algorithm, message, signature []byte) bool {
	family, hash := alg.family()
	if len(signature) != k.checked.signature {
		return false
	}
	switch pub := k.checked.public.(type) {
	case *ecdsa.PublicKey:
		s := scratches.Get().(*scratch)
		defer scratches.Put(s)
		s.digest = digestOf(hash, message)
		return ecdsa.VerifyASN1(pub, s.digest.bytes(), appendDER(s.der[:0], signature))
	case *rsa.PublicKey:
		digest := digestOf(hash, message)
		if family == familyPSS {
			// RFC 7518 §3.5: the salt is as long as the hash.
			options := rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
			return rsa.VerifyPSS(pub, hash, digest.bytes(), signature, &options) == nil
		}
		return rsa.VerifyPKCS1v15(pub, hash, digest.bytes(), signature) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(pub, message, signature)
	}
	return false
}

// scratch is what crypto/ecdsa is given: it takes both by calls that make them escape, and
// keeps neither. Nothing in it is secret.
type scratch struct {
	digest digest
	der    [maxDER]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// digest is a hash value without an allocation.
type digest struct {
	data [64]byte
	size int
}

func (d *digest) bytes() []byte { return d.data[:d.size] }

// digestOf is the hash of message; the algorithms of this package know three.
func digestOf(hash crypto.Hash, message []byte) (d digest) {
	switch hash {
	case crypto.SHA256:
		sum := sha256.Sum256(message)
		d.size = copy(d.data[:], sum[:])
	case crypto.SHA384:
		sum := sha512.Sum384(message)
		d.size = copy(d.data[:], sum[:])
	case crypto.SHA512:
		sum := sha512.Sum512(message)
		d.size = copy(d.data[:], sum[:])
	default:
		panic("jose: an algorithm with a hash that is not here") // never sign or verify nothing
	}
	return d
}

// maxDER is the length of the longest that appendDER appends: two integers of 66 bytes and
// a zero before each, which no signature of P-521 has, but anybody can send.
const maxDER = 3 + 2*(2+1+66)

// appendDER appends r || s, as JWS writes an ECDSA signature (RFC 7518 §3.4), as the ASN.1
// SEQUENCE that crypto/ecdsa wants. The halves are at most 66 bytes; r and s that are zero
// or too large stay so and are refused there.
func appendDER(dst, signature []byte) []byte {
	r := minimal(signature[:len(signature)/2])
	s := minimal(signature[len(signature)/2:])
	size := 4 + len(r) + len(s) + int(r[0]>>7) + int(s[0]>>7)
	dst = append(dst, 0x30)
	if size >= 0x80 {
		dst = append(dst, 0x81)
	}
	dst = append(dst, byte(size))
	return appendInteger(appendInteger(dst, r), s)
}

// minimal drops leading zeros, all but the last.
func minimal(n []byte) []byte {
	for len(n) > 1 && n[0] == 0 {
		n = n[1:]
	}
	return n
}

func appendInteger(dst, n []byte) []byte {
	dst = append(dst, 0x02, byte(len(n))+n[0]>>7)
	if n[0]&0x80 != 0 {
		dst = append(dst, 0)
	}
	return append(dst, n...)
}

// splitDER writes the ASN.1 SEQUENCE of an ECDSA signature as r || s into dst, whose halves
// have the length of the curve's order, and reports whether der was one that fits.
func splitDER(dst, der []byte) bool {
	half := len(dst) / 2
	body, rest, ok := cutDER(der, 0x30)
	if !ok || len(rest) != 0 {
		return false
	}
	r, body, ok := cutDER(body, 0x02)
	if !ok {
		return false
	}
	s, body, ok := cutDER(body, 0x02)
	if !ok || len(body) != 0 {
		return false
	}
	return fill(dst[:half], r) && fill(dst[half:], s)
}

// cutDER returns the content of the element with this tag that der begins with.
func cutDER(der []byte, tag byte) (content, rest []byte, ok bool) {
	if len(der) < 2 || der[0] != tag {
		return nil, nil, false
	}
	size, der := int(der[1]), der[2:]
	if size == 0x81 && len(der) > 0 && der[0] >= 0x80 {
		size, der = int(der[0]), der[1:]
	} else if size >= 0x80 {
		return nil, nil, false
	}
	if size > len(der) {
		return nil, nil, false
	}
	return der[:size], der[size:], true
}

// fill right-aligns the positive integer n in dst, which is zero.
func fill(dst, n []byte) bool {
	if len(n) == 0 || n[0]&0x80 != 0 {
		return false
	}
	n = minimal(n)
	if len(n) > len(dst) {
		return false
	}
	copy(dst[len(dst)-len(n):], n)
	return true
}
