package dialect

import (
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
)

// curityDialect is where the Curity Identity Server has its endpoints by default:
// the issuer is its anonymous profile, https://host/oauth/v2/oauth-anonymous, and
// the endpoints of clients stand beside that, at /oauth/v2/oauth-token.
//
// It lets nothing pass that a standard issuer refuses: the programs of Curity's
// articles send a form with client_id and client_secret, or Basic as RFC 6749 has
// it. Claims such as role, which those programs read, are a client's fixed ones.
var curityDialect = server.Dialect{
	Name: registry.DialectCurity,
	Paths: &server.Paths{
		Token:         server.Path{Form: server.Beside, Path: "/oauth-token"},
		Introspection: server.Path{Form: server.Beside, Path: "/oauth-introspect"},
		Revocation:    server.Path{Form: server.Beside, Path: "/oauth-revoke"},
		Authorize:     server.Path{Form: server.Beside, Path: "/oauth-authorize"},

		// express-oauth-jwt is given {issuer}/jwks by hand.
		JWKS:           server.Path{Path: "/jwks"},
		Key:            server.Path{Path: "/jwks/", Suffix: ".pem"},
		Revocations:    server.Path{Path: "/revocations"},
		RevocationKeys: server.Path{Path: "/revocations/keys"},
	},
}
