package dialect

import (
	"net/http"
	"strconv"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
	"github.com/symbolon/symbolon/internal/web"
)

// auth0Dialect is what programs for Auth0 expect: node-auth0 2, 4 and 7, and the
// APIs behind express-jwt with jwks-rsa and behind express-oauth2-jwt-bearer. That
// the iss of its tokens ends in a slash, package registry knows: the same programs
// compare it with https://DOMAIN/, and with private_key_jwt node-auth0 4 and 7 put
// it into aud, so that assertions need no leniency here.
var auth0Dialect = server.Dialect{
	Name: registry.DialectAuth0,
	Paths: &server.Paths{
		Token:      server.Path{Path: "/oauth/token"},
		Revocation: server.Path{Path: "/oauth/revoke"},
		JWKS:       server.Path{Path: "/.well-known/jwks.json"},
		// Auth0 has none of those below, or, as /authorize, has them where a standard
		// issuer does.
		Introspection:  server.Path{Path: "/introspect"},
		Key:            server.Path{Path: "/jwks/", Suffix: ".pem"},
		Revocations:    server.Path{Path: "/revocations"},
		RevocationKeys: server.Path{Path: "/revocations/keys"},
		Authorize:      server.Path{Path: "/authorize"},
	},
	Claims: server.DialectClaims{
		AZP:  true,
		More: []server.DialectClaim{{Name: "gty", Value: `"client-credentials"`}},
	},

	// node-auth0 2 and programs that ask without a library send JSON, as Auth0's own
	// documentation shows it.
	JSON: true,
	// None of them names scopes: node-auth0 4 and 7 want those of the client grant.
	AllScopes: true,

	WriteError: auth0OAuthError,
}

// auth0OAuthError writes a refusal of the OAuth endpoints: an API that is unknown
// or not granted is 403 access_denied, as node-auth0's callers know it. The rest is
// RFC 6749 §5.2's, invalid_client and invalid_scope too: simple-oauth2, openid-client
// and golang.org/x/oauth2 go by these, and no program was seen to want other words.
func auth0OAuthError(x *web.Exchange, r *http.Request, e *symbolon.Error) {
	switch e.Code {
	case symbolon.InvalidTarget:
		web.WriteErrorStatus(x, http.StatusForbidden, symbolon.NewError("access_denied", e.Description))
	case symbolon.TooManyRequests:
		auth0Limits(x, r, e)
		web.WriteError(x, r, e)
	default:
		web.WriteError(x, r, e)
	}
}

// auth0Limits are the headers of a 429: node-auth0 7 waits until x-ratelimit-reset,
// in seconds since 1970, where there is no Retry-After.
func auth0Limits(x *web.Exchange, r *http.Request, e *symbolon.Error) {
	h := x.Header()
	h.Set("X-Ratelimit-Limit", strconv.Itoa(atOnce(r)))
	h.Set("X-Ratelimit-Remaining", "0")
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(x.Began.Unix()+web.RetrySeconds(e)+1, 10))
}
