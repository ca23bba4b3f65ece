package dialect

import (
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
)

// oktaOrg is the organisation's own authorization server, at the issuer without
// a path: programs get there the tokens with which they manage the organisation.
// A DPoP proof at either server always needs a nonce, whether the client must
// bind its tokens or not: @okta/okta-sdk-nodejs 7 and 8 sends a proof with every
// request, and presents the token that it gets as Bearer unless it was asked for
// a nonce before. That is not said here: an Okta issuer cannot be without nonces.
var oktaOrg = server.Dialect{
	Name:   registry.DialectOkta,
	Paths:  oktaPaths("/oauth2/v1"),
	Claims: oktaClaims,
	// github.com/okta/okta-sdk-golang v5 has all parameters in the query, and no
	// body. A client_secret is not among them.
	Query: []string{"grant_type", "scope", "client_id", "client_assertion_type", "client_assertion"},
	Assertion: &server.DialectAssertion{
		// @okta/okta-sdk-nodejs 4 to 8, github.com/okta/okta-sdk-golang v5, and the
		// oktaService.js of Okta's guide to DPoP.
		TokenEndpoint: true,
		// github.com/okta/okta-sdk-golang v5 makes one for an hour, without a jti, and
		// sends it up to three times until there is a token: refused requests use
		// nothing up.
		MaxLifetime: time.Hour,
		NoID:        true,
	},
	// github.com/okta/okta-sdk-golang v5 makes a proof only when it reads that code.
	MissingProof: symbolon.InvalidDPoPProof,
}

// oktaCustom is a custom authorization server, at /oauth2/{id}, as "default":
// programs get there the tokens for APIs.
var oktaCustom = server.Dialect{
	Name:   registry.DialectOkta,
	Paths:  oktaPaths("/v1"),
	Claims: oktaClaims,
	// The test.js of Okta's guide to client credentials, by request-promise 4 and
	// btoa, which encodes nothing.
	RawBasic: true,
	// python3-authlib 1.2, and whoever goes by Okta's guide to private_key_jwt: the
	// audience is the token endpoint, and it may live an hour.
	Assertion:    &server.DialectAssertion{TokenEndpoint: true, MaxLifetime: time.Hour},
	MissingProof: symbolon.InvalidDPoPProof, // as at the organisation's
}

// oktaClaims are what @okta/jwt-verifier 0 to 4 and
// github.com/okta/okta-jwt-verifier-golang v2 are told to compare: cid, and scp
// by "scp.includes".
var oktaClaims = server.DialectClaims{CID: true, SCP: true, More: []server.DialectClaim{{Name: "ver", Value: "1"}}}

// oktaPaths are the endpoints of an authorization server, below its issuer's
// path. The last three are ours: Okta's programs ask for none of them.
func oktaPaths(prefix string) *server.Paths {
	at := func(path string) server.Path { return server.Path{Path: prefix + path} }
	return &server.Paths{
		Token: at("/token"), Introspection: at("/introspect"), Revocation: at("/revoke"),
		JWKS: at("/keys"), Authorize: at("/authorize"),
		Key:         server.Path{Path: prefix + "/keys/", Suffix: ".pem"},
		Revocations: at("/revocations"), RevocationKeys: at("/revocations/keys"),
	}
}

// okta tells the one from the others.
func okta(v *registry.IssuerView) *server.Dialect {
	if v.Path == "" {
		return &oktaOrg
	}
	return &oktaCustom
}
