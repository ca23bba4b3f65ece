package jose

import "errors"

// What can be wrong with a token. Parse finds all but the last two, [Token.Verify] those.
var (
	// ErrTooLong: the input is longer than this package reads ([MaxToken], [MaxKey],
	// [MaxKeySet]) or than it would accept back.
	ErrTooLong = errors.New("jose: input is too long")
	// ErrParts: a compact JWS is exactly three parts separated by two dots, the first and
	// the last of them not empty (RFC 7515 §7.1). The JSON serializations and JWE are not
	// implemented.
	ErrParts = errors.New("jose: a token is exactly three parts separated by dots")
	// ErrBase64: a part is not base64url as RFC 7515 §2 wants it.
	ErrBase64 = errors.New("jose: not strict base64url: no padding, line breaks, other characters or loose trailing bits are allowed")
	// ErrJSON: not exactly one JSON object in valid UTF-8. [ErrDuplicateMember] and
	// [ErrTooDeep] are errors of their own.
	ErrJSON = errors.New("jose: not one strict JSON object")
	// ErrDuplicateMember: two parsers could read two different values (RFC 7515 §4,
	// RFC 7519 §4).
	ErrDuplicateMember = errors.New("jose: a JSON object names a member twice")
	// ErrTooDeep: JSON nested deeper than [MaxDepth].
	ErrTooDeep = errors.New("jose: JSON is nested too deep")
	// ErrHeader: a header parameter is missing, has the wrong type, or is one that no token
	// may carry here (crit, b64, jwk outside of [ParseProof], jku, x5u, x5c, zip).
	ErrHeader = errors.New("jose: header is not acceptable")
	// ErrAlgorithm: the algorithm is unknown, not allowed, or not the key's.
	ErrAlgorithm = errors.New("jose: algorithm is not acceptable")
	// ErrSignature: the signature does not verify. Nothing else about the token is known.
	ErrSignature = errors.New("jose: signature is not valid")
)

// What can be wrong with a key or a key set.
var (
	// ErrKey: a key is malformed or contradicts itself (kty, crv, alg, use, key_ops, the
	// lengths of its members).
	ErrKey = errors.New("jose: key is not acceptable")
	// ErrUnsupportedKey: a key type or curve that this package does not implement.
	ErrUnsupportedKey = errors.New("jose: key type is not supported: use EC P-256, P-384 or P-521, RSA, or OKP Ed25519")
	// ErrWeakKey: the key is well formed but gives no security.
	ErrWeakKey = errors.New("jose: key is weak")
	// ErrPrivateKey: a private or symmetric key stands where a public key belongs.
	ErrPrivateKey = errors.New("jose: a private key stands where a public key belongs: replace it, and make a new key pair")
	// ErrDuplicateKey: a key set names the same kid for different keys.
	ErrDuplicateKey = errors.New("jose: two keys of the set have the same kid")
)
