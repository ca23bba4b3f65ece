package dpop

import (
	"errors"
	"strconv"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

const clause = "RFC 9449 §4.3"

func refused(sentence string) *symbolon.Error {
	return symbolon.NewError(symbolon.InvalidDPoPProof, sentence)
}

// One sentence per cause, made once. Each names the rule and the way out.
var (
	errNone        = refused("the request has no DPoP proof: send one in the DPoP header field")
	errSeveral     = refused("the request has more than one DPoP header field: send exactly one")
	errLong        = refused("the DPoP proof is too long: keep it under 16 KiB")
	errForm        = refused("the DPoP proof is not a well-formed signed JWT in compact form: send what a JWT library signs, three parts with dots between them")
	errHeader      = refused("the header of the DPoP proof is not acceptable: send typ, alg and jwk, and none of crit, b64, zip, jku, x5u and x5c")
	errType        = refused("the typ of the DPoP proof is not dpop+jwt: set it in the header")
	errAlgorithm   = refused("the alg of the DPoP proof is not supported or does not go with its key: use ES256, PS256 or EdDSA")
	errKey         = refused("the jwk of the DPoP proof is not an acceptable public key: use EC P-256, RSA of 2048 bits or more, or Ed25519")
	errPrivateKey  = refused("the jwk of the DPoP proof contains a private key: replace the key, and send its public members only")
	errSignature   = refused("the signature of the DPoP proof is not valid for the key in its jwk: sign with the private half of that key")
	errClaims      = refused("the claims of the DPoP proof are not one JSON object with values of the right types: send jti, htm and htu as strings, iat as a number")
	errID          = refused("the DPoP proof has no acceptable jti: set it to a unique string of at most 256 bytes")
	errMethod      = refused("the htm of the DPoP proof is not the method of this request: sign the method that is sent")
	errURL         = refused("the htu of the DPoP proof is not the URL of this request: sign the URL that is called, without query and fragment")
	errIssuedAt    = refused("the DPoP proof has no acceptable iat: set it, and exp and nbf if there, to numbers of seconds since 1970")
	errOld         = refused("the iat of the DPoP proof is too long ago: make a new proof for each request, and compare the clocks")
	errAhead       = refused("the iat of the DPoP proof is in the future: compare the clocks")
	errExpired     = refused("the exp of the DPoP proof has passed: make a new proof for each request")
	errNotYet      = refused("the nbf of the DPoP proof is in the future: compare the clocks")
	errNoTokenHash = refused("the DPoP proof has no ath: set it to the base64url SHA-256 of the access token")
	errTokenHash   = refused("the ath of the DPoP proof is not the hash of the access token of this request: make the proof for the token that is sent")
)

// refusal is the public half of what jose says of a proof or its key, nil for nil.
func refusal(err error) *symbolon.Error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jose.ErrTooLong):
		return errLong
	case errors.Is(err, jose.ErrAlgorithm):
		return errAlgorithm
	case errors.Is(err, jose.ErrPrivateKey):
		return errPrivateKey
	case errors.Is(err, jose.ErrHeader):
		return errHeader
	case errors.Is(err, jose.ErrKey), errors.Is(err, jose.ErrUnsupportedKey), errors.Is(err, jose.ErrWeakKey):
		return errKey
	}
	return errForm
}

// ok and fail write a step into the trace. What they are given is made only when there is
// one, where that costs anything: see quoted and stamp.
func (c *checker) ok(name, want, got string) {
	c.Trace.OK(name, clause, want, got)
}

func (c *checker) fail(name, want, got string, err *symbolon.Error) *symbolon.Error {
	c.Trace.Fail(name, clause, want, got, err.Description)
	return err
}

// stamp is t for the trace.
func (c *checker) stamp(t time.Time) string {
	if c.Trace == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// quotedText is quoted for a text that is a string only where there is a trace.
func (c *checker) quotedText(text []byte) string {
	if c.Trace == nil {
		return ""
	}
	return c.quoted(string(text))
}

// quoted is what somebody sent, for the trace: bounded and on one line.
func (c *checker) quoted(values ...string) string {
	const most = 200
	if c.Trace == nil {
		return ""
	}
	var b []byte
	for i, v := range values {
		if i > 0 {
			b = append(b, ' ')
		}
		if len(v) > most {
			v = v[:most]
		}
		b = strconv.AppendQuote(b, v)
		if len(b) > most {
			return string(b[:most]) + "…"
		}
	}
	return string(b)
}
