package jose

import (
	"crypto"
	_ "crypto/sha256" // SHA-256 for crypto.Hash
	_ "crypto/sha512" // SHA-384 and SHA-512 for crypto.Hash
	"fmt"
)

// Algorithm is the value of the alg parameter of a JWS header or a JWK: exact case, and
// only asymmetric signatures (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2).
type Algorithm string

// The algorithms this package verifies. Which of them it also signs with says
// [Algorithm.CanSign].
const (
	ES256 Algorithm = "ES256" // ECDSA, P-256, SHA-256
	ES384 Algorithm = "ES384" // ECDSA, P-384, SHA-384
	ES512 Algorithm = "ES512" // ECDSA, P-521, SHA-512
	PS256 Algorithm = "PS256" // RSASSA-PSS, SHA-256, salt of 32 bytes
	PS384 Algorithm = "PS384" // RSASSA-PSS, SHA-384, salt of 48 bytes
	PS512 Algorithm = "PS512" // RSASSA-PSS, SHA-512, salt of 64 bytes
	RS256 Algorithm = "RS256" // RSASSA-PKCS1-v1_5, SHA-256
	RS384 Algorithm = "RS384" // RSASSA-PKCS1-v1_5, SHA-384
	RS512 Algorithm = "RS512" // RSASSA-PKCS1-v1_5, SHA-512
	EdDSA Algorithm = "EdDSA" // Ed25519 by its older, polymorphic name (RFC 8037)

	// Ed25519 is the same signature as [EdDSA] by its fully specified name (RFC 9864). A key
	// pinned to either name verifies tokens of both; a [Signer] writes the name it was given.
	Ed25519 Algorithm = "Ed25519"
)

// family is the kind of key that an algorithm needs.
type family int

const (
	familyNone family = iota
	familyECDSA
	familyPSS
	familyPKCS1
	familyEdDSA
)

// ParseAlgorithm returns the algorithm of that exact name, or [ErrAlgorithm]: "none" in any
// case, HS256 and its siblings, and names that differ in case only are errors like every
// other unknown name. The error does not repeat the name.
func ParseAlgorithm(s string) (Algorithm, error) {
	a, ok := lookupAlgorithm([]byte(s))
	if !ok {
		return "", errUnknownAlgorithm
	}
	return a, nil
}

var errUnknownAlgorithm = fmt.Errorf("%w: alg is none of the asymmetric signature algorithms of this package", ErrAlgorithm)

// lookupAlgorithm returns constants, so that reading a header allocates nothing.
func lookupAlgorithm(name []byte) (Algorithm, bool) {
	switch string(name) {
	case "ES256":
		return ES256, true
	case "ES384":
		return ES384, true
	case "ES512":
		return ES512, true
	case "PS256":
		return PS256, true
	case "PS384":
		return PS384, true
	case "PS512":
		return PS512, true
	case "RS256":
		return RS256, true
	case "RS384":
		return RS384, true
	case "RS512":
		return RS512, true
	case "EdDSA":
		return EdDSA, true
	case "Ed25519":
		return Ed25519, true
	}
	return "", false
}

// CanSign reports whether this package signs with a: ES256, ES384, PS256, RS256, EdDSA and
// Ed25519. The others only verify what somebody else signed.
func (a Algorithm) CanSign() bool {
	switch a {
	case ES256, ES384, PS256, RS256, EdDSA, Ed25519:
		return true
	}
	return false
}

// SigningAlgorithms returns the algorithms for which [Algorithm.CanSign] is true, the
// recommended one first.
func SigningAlgorithms() []Algorithm {
	return []Algorithm{ES256, ES384, PS256, RS256, EdDSA, Ed25519}
}

// family returns the kind of key and the hash of a; the hash is 0 where the algorithm
// hashes by itself.
func (a Algorithm) family() (family, crypto.Hash) {
	switch a {
	case ES256:
		return familyECDSA, crypto.SHA256
	case ES384:
		return familyECDSA, crypto.SHA384
	case ES512:
		return familyECDSA, crypto.SHA512
	case PS256:
		return familyPSS, crypto.SHA256
	case PS384:
		return familyPSS, crypto.SHA384
	case PS512:
		return familyPSS, crypto.SHA512
	case RS256:
		return familyPKCS1, crypto.SHA256
	case RS384:
		return familyPKCS1, crypto.SHA384
	case RS512:
		return familyPKCS1, crypto.SHA512
	case EdDSA, Ed25519:
		return familyEdDSA, 0
	}
	return familyNone, 0
}
