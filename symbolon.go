// Package symbolon holds the words that the half that asks (package client) and
// the half that checks (package resource) share with the server: errors,
// access-token claims, metadata documents and the checks of a verdict.
//
// It imports the standard library only, so that a program which uses client or
// resource takes on no other module.
package symbolon

import (
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"strings"
)

// Grant types (RFC 6749 §4.4.2).
const GrantClientCredentials = "client_credentials"

// Client authentication methods, by their registered names (RFC 7591 §2).
const (
	AuthSecretBasic   = "client_secret_basic"
	AuthSecretPost    = "client_secret_post"
	AuthPrivateKeyJWT = "private_key_jwt"
	AuthTLSClient     = "tls_client_auth"             // RFC 8705 §2.1
	AuthSelfSignedTLS = "self_signed_tls_client_auth" // RFC 8705 §2.2
)

// AssertionTypeJWT is the client_assertion_type of private_key_jwt (RFC 7523 §2.2).
const AssertionTypeJWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Token types (RFC 6749 §7.1, RFC 9449 §5).
const (
	TokenTypeBearer = "Bearer"
	TokenTypeDPoP   = "DPoP"
)

// Header fields of RFC 9449, in the spelling of http.Header.
const (
	HeaderDPoP      = "Dpop"       // RFC 9449 §4.1: the proof
	HeaderDPoPNonce = "Dpop-Nonce" // RFC 9449 §8.1
)

// Values of the JOSE header parameter typ. Each kind of token has its own, so
// that none is taken for another (RFC 8725 §3.11).
const (
	TypAccessToken          = "at+jwt"                    // RFC 9068 §2.1
	TypDPoPProof            = "dpop+jwt"                  // RFC 9449 §4.2
	TypClientAuthentication = "client-authentication+jwt" // draft-ietf-oauth-rfc7523bis
)

// CertificateThumbprint is the x5t#S256 of a certificate (RFC 8705 §3.1): of its
// whole DER text, in base64url without padding.
func CertificateThumbprint(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Limits of the wire. A server refuses what exceeds them, a library neither
// sends nor accepts it.
const (
	MaxBody          = 64 << 10 // octets of a request body
	MaxHeader        = 16 << 10 // octets of a request head
	MaxParameters    = 64       // form parameters
	MaxToken         = 16 << 10 // octets of an access token
	MaxRevocationSet = 32 << 20 // octets of a signed revocation set: 400,000 entries
)

// ValidScope reports whether s is one scope-token of RFC 6749 §3.3:
// %x21 / %x23-5B / %x5D-7E, at least one.
func ValidScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// Loopback reports whether the host, without a port, is this machine by its
// name or address alone: localhost and what is below it (RFC 6761 §6.3),
// 127.0.0.0/8, ::1. Nothing but these is asked for tokens and keys over plain
// http, which does not leave the machine there.
func Loopback(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
