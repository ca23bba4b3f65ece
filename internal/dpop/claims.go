package dpop

import (
	"fmt"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// claims are those that a proof has (RFC 9449 §4.2), and exp and nbf, which it may have.
// All others are ignored.
type claims struct {
	// Texts are parts of the payload, or copies where it had escapes.
	id, method, url  []byte
	tokenHash, nonce []byte
	issuedAt         time.Time // zero when absent
	expiry           time.Time
	notBefore        time.Time // zero when absent
	hasExpiry        bool
}

// read takes the claims from a payload, which must be one strict JSON object.
func (c *claims) read(payload []byte) error { return jose.VisitObject(payload, c.member) }

// member takes one member of the payload.
func (c *claims) member(name, value []byte) (err error) {
	switch string(name) {
	case "jti":
		c.id, err = jose.TextBytes(value)
	case "htm":
		c.method, err = jose.TextBytes(value)
	case "htu":
		c.url, err = jose.TextBytes(value)
	case "ath":
		c.tokenHash, err = jose.TextBytes(value)
	case "nonce":
		c.nonce, err = jose.TextBytes(value)
	case "iat":
		c.issuedAt, err = jose.NumericDate(value)
	case "exp":
		c.expiry, err = jose.NumericDate(value)
		c.hasExpiry = true
	case "nbf":
		c.notBefore, err = jose.NumericDate(value)
	}
	if err != nil {
		return fmt.Errorf("%s %w", name, err) // one of the names above
	}
	return nil
}

// incomplete is a claim that is not there, or empty, or too long.
type incomplete struct {
	missing string
	refused *symbolon.Error
}

// complete returns the first of the required claims that is missing, nil when none is.
func (c *claims) complete() *incomplete {
	switch {
	case len(c.id) == 0 || len(c.id) > maxID:
		return &incomplete{"jti of 1 to 256 bytes", errID}
	case len(c.method) == 0:
		return &incomplete{"htm", errMethod}
	case len(c.url) == 0:
		return &incomplete{"htu", errURL}
	case c.issuedAt.IsZero():
		return &incomplete{"iat", errIssuedAt}
	}
	return nil
}
