package server

import (
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
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
	// MissingProof is the code of the refusal where a DPoP proof is demanded and none
	// was sent; "": invalid_request.
	MissingProof symbolon.Code

	// Answer makes the body of a token answer; nil: RFC 6749 §5.1's.
	Answer func(b []byte, a symbolon.TokenAnswer, client string) []byte
	// WriteError writes a refusal of the OAuth endpoints; nil: web.WriteError.
	WriteError func(x *web.Exchange, r *http.Request, e *symbolon.Error)
}

// DialectClaims are claims of an access token besides those of RFC 9068. They come
// before a client's extra claims of the same name.
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
	MaxLifetime   time.Duration // longest exp
	NoID          bool          // without a jti: the assertion itself is then good once
}

// manner is how requests may be written at the issuer; those of the token endpoint
// also in the URL.
func (d *Dialect) manner(token bool) manner {
	if d == nil {
		return manner{}
	}
	m := manner{json: d.JSON, rawBasic: d.RawBasic}
	if token {
		m.query = d.Query
	}
	return m
}

// proofMissing gives a refusal for want of a DPoP proof the code of the dialect.
func (d *Dialect) proofMissing(err error) error {
	if d == nil || d.MissingProof == "" || !registry.ProofMissing(err) {
		return err
	}
	e := *symbolon.AsError(err)
	e.Code = d.MissingProof
	return &e
}

// appendAnswer appends the body of a token answer to the client.
func (d *Dialect) appendAnswer(b []byte, a symbolon.TokenAnswer, client string) []byte {
	if d == nil || d.Answer == nil {
		return appendAnswer(b, a)
	}
	return d.Answer(b, a, client)
}

// appendClaims appends the claims of an access token as one JSON object.
func (d *Dialect) appendClaims(b []byte, claims *symbolon.Claims) []byte {
	if d == nil {
		return claims.AppendJSON(b)
	}
	own := *claims
	for _, c := range d.Claims.More {
		// No name stands in a token twice: parsers take either.
		if _, twice := own.Extra[c.Name]; twice {
			own.Extra = maps.Clone(own.Extra)
			delete(own.Extra, c.Name)
		}
	}
	b = own.AppendJSON(b)
	b = b[:len(b)-1] // the object goes on
	// Neither a client's id nor a scope (RFC 6749 §3.3) has anything to escape.
	if d.Claims.CID {
		b = append(append(append(b, `,"cid":"`...), claims.ClientID...), '"')
	}
	if d.Claims.AZP {
		b = append(append(append(b, `,"azp":"`...), claims.ClientID...), '"')
	}
	if scopes := claims.Scopes(); d.Claims.SCP && len(scopes) > 0 {
		b = append(append(append(b, `,"scp":["`...), strings.Join(scopes, `","`)...), `"]`...)
	}
	for _, c := range d.Claims.More {
		b = append(append(append(append(b, `,"`...), c.Name...), `":`...), c.Value...)
	}
	return append(b, '}')
}
