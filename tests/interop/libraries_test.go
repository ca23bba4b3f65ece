package interop

import (
	"crypto"
	"errors"
	"fmt"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/symbolon/symbolon/internal/jose"
)

// library verifies a token under one key and one algorithm, as its documentation says to,
// and returns the payload. None of them looks at the claims.
type library struct {
	name   string
	verify func(token string, pub crypto.PublicKey, alg jose.Algorithm) ([]byte, error)
}

var libraries = []library{
	{"golang-jwt", verifyGolangJWT},
	{"go-jose", verifyGoJOSE},
	{"jwx", verifyJWX},
}

func verifyGolangJWT(token string, pub crypto.PublicKey, alg jose.Algorithm) ([]byte, error) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{string(alg)}), jwt.WithoutClaimsValidation())
	parsed, err := parser.ParseWithClaims(token, jwt.MapClaims{}, func(*jwt.Token) (any, error) { return pub, nil })
	if err != nil {
		return nil, err
	}
	if !parsed.Valid {
		return nil, errors.New("not valid")
	}
	return parser.DecodeSegment(strings.Split(token, ".")[1]) // its token does not keep it
}

func verifyGoJOSE(token string, pub crypto.PublicKey, alg jose.Algorithm) ([]byte, error) {
	parsed, err := gojose.ParseSignedCompact(token, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(alg)})
	if err != nil {
		return nil, err
	}
	return parsed.Verify(pub)
}

func verifyJWX(token string, pub crypto.PublicKey, alg jose.Algorithm) ([]byte, error) {
	name, ok := jwa.LookupSignatureAlgorithm(string(alg))
	if !ok {
		return nil, fmt.Errorf("%s is unknown", alg)
	}
	return jws.Verify([]byte(token), jws.WithKey(name, pub))
}

// ours does what a protected API does before it reads the claims, and says where it stopped.
func ours(token string, key *jose.Key) (payload []byte, where string, err error) {
	parsed, err := jose.Parse(token)
	if err != nil {
		return nil, "token", err
	}
	if err := parsed.Verify(key); err != nil {
		return nil, "signature", err
	}
	if err := jose.CheckObject(parsed.Payload); err != nil {
		return nil, "payload", err
	}
	return parsed.Payload, "", nil
}
