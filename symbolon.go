// Package symbolon holds the words that the half that asks (package client) and
// the half that checks (package resource) share with the server: errors,
// access-token claims, metadata documents and the checks of a verdict.
//
// It imports the standard library only, so that a program which uses client or
// resource takes on no other module.
package symbolon

// Grant types (RFC 6749 §4.4.2).
const GrantClientCredentials = "client_credentials"

// Client authentication methods, by their registered names (RFC 7591 §2).
const (
	AuthSecretBasic = "client_secret_basic"
	AuthSecretPost  = "client_secret_post"
)

// Token types (RFC 6749 §7.1).
const TokenTypeBearer = "Bearer"

// Values of the JOSE header parameter typ. Each kind of token has its own, so
// that none is taken for another (RFC 8725 §3.11).
const TypAccessToken = "at+jwt" // RFC 9068 §2.1

// Limits of the wire. A server refuses what exceeds them, a library neither
// sends nor accepts it.
const (
	MaxBody       = 64 << 10 // octets of a request body
	MaxHeader     = 16 << 10 // octets of a request head
	MaxParameters = 64       // form parameters
	MaxToken      = 16 << 10 // octets of an access token
)
