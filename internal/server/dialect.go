package server

import (
	"net/http"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/web"
)

// Dialect is what the programs of a vendor expect of an issuer: where its
// endpoints stand, what its tokens say besides, and what it lets pass that a
// standard issuer refuses. It is data: there is one token endpoint, and it looks
// here. Package dialect has one value per vendor, with the program beside each
// leniency that needs it. Nothing in a Dialect may be changed.
//
// The zero value is a standard issuer.
type Dialect struct {
	Name  string // as registry.DialectOkta
	Paths *Paths // nil: those of a standard issuer

	Claims DialectClaims

	// RawBasic takes a secret of the Authorization header also as it stands there,
	// not form-urlencoded.
	RawBasic bool
	// JSON takes the parameters as one JSON object of strings, too.
	JSON bool
	// Query names the parameters that a request without a body may have in its URL.
	Query []string
	// Assertion is what assertions may be that a standard issuer refuses; nil: nothing.
	Assertion *DialectAssertion
	// AllScopes gives all granted scopes of the API to a request that names none.
	AllScopes bool
	// Grant is meant by a request without grant_type; "": none is.
	Grant string

	// Answer makes the body of a token answer; nil: RFC 6749 §5.1's.
	Answer func(b []byte, a symbolon.TokenAnswer, client string) []byte
	// WriteError writes a refusal of the OAuth endpoints; nil: web.WriteError.
	WriteError func(x *web.Exchange, r *http.Request, e *symbolon.Error)
}

// DialectClaims are claims of an access token besides those of RFC 9068.
type DialectClaims struct {
	CID  bool           // cid: the client_id
	AZP  bool           // azp: the client_id
	SCP  bool           // scp: the scopes as an array
	More []DialectClaim // that are the same in every token
}

// DialectClaim is one claim, its value as JSON.
type DialectClaim struct{ Name, Value string }

// DialectAssertion is what a client assertion may be at an issuer (RFC 7523 §3)
// that a standard issuer refuses.
type DialectAssertion struct {
	TokenEndpoint bool          // aud is the URL of the token endpoint
	IssuerArray   bool          // aud is a list in which the issuer stands
	MaxLifetime   time.Duration // longest exp
	NoID          bool          // without a jti: the assertion itself is then good once
}
