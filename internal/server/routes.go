package server

import (
	"net/http"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
)

// Place is where a request arrived: the issuer, by host and path, and the
// snapshot that everything about the request is decided on. The snapshot is
// taken before anything else of the request is read, so that a token never
// claims a position whose changes its decision did not see.
type Place struct {
	Snapshot *registry.Snapshot
	Issuer   *registry.IssuerView // of that snapshot
	Rest     string               // what the route left open: the kid of /jwks/{kid}.pem

	// TokenURLs are the URLs of the issuer's token endpoint: its own first, then
	// its alias for clients with certificates, if any. A proof's htu may name
	// either (RFC 9449 §4.3), and so may the audience of an older assertion.
	TokenURLs []string
}

// Form says how a route's path goes with an issuer's.
type Form int

// Forms of a route.
const (
	// Below: the issuer's path and then the route's.
	Below Form = iota
	// WellKnown: the same, and also the route's path and then the issuer's. RFC
	// 8414 §3.1 inserts the well-known part before the path of the issuer,
	// OpenID Connect Discovery §4 appends it: programs try either name in
	// either form.
	WellKnown
)

// Route is one endpoint of every issuer.
type Route struct {
	Name   string // in records, logs and metrics: the Exchange's Endpoint when Serve is called
	Form   Form
	Path   string // "/token"
	Suffix string // with one path segment between Path and it: ".pem" of /jwks/{kid}.pem

	// Serve answers a request that matched. An error it returns is to be
	// written by web.Wrap.
	Serve func(at Place, w http.ResponseWriter, r *http.Request) error
}

// Routes are the OAuth endpoints of an issuer: every URL of theirs is made here.
func (s *Server) Routes() []Route {
	routes := []Route{
		{Name: "token", Path: "/token", Serve: s.serveToken},
		{Name: "introspection", Path: pathIntrospect, Serve: s.serveIntrospection},
		{Name: "jwks", Path: "/jwks", Serve: s.serveJWKS},
		{Name: "key", Path: "/jwks/", Suffix: ".pem", Serve: s.serveKey},
		{Name: "revocations", Path: "/revocations", Serve: s.serveRevocations},
		{Name: "revocation_keys", Path: "/revocations/keys", Serve: s.serveRevocationKeys},
		{Name: "authorize", Path: "/authorize", Serve: s.serveAuthorize},
		{Name: "metadata", Form: WellKnown, Path: symbolon.WellKnownServer, Serve: s.serveMetadata},
		{Name: "metadata", Form: WellKnown, Path: symbolon.WellKnownOpenID, Serve: s.serveMetadata},
	}
	if s.cfg.Revoker != nil {
		routes = append(routes, Route{Name: "revocation", Path: pathRevoke, Serve: s.serveRevocation})
	}
	return routes
}

// Paths that stand in the metadata twice.
const (
	pathIntrospect = "/introspect"
	pathRevoke     = "/revoke"
)

// Match reports whether a request's path is this route at an issuer's path
// ("" or "/a/b", as IssuerView.Path has it), and what it left open. The
// comparison is exact: no slash is added, dropped or unescaped, because a
// proxy in front decides on the same octets.
func (rt *Route) Match(issuer, path string) (rest string, ok bool) {
	if below, cut := strings.CutPrefix(path, issuer); cut {
		if rest, ok := rt.matchBelow(below); ok {
			return rest, true
		}
	}
	// With an empty issuer path both forms are the same.
	return "", rt.Form == WellKnown && len(path) == len(rt.Path)+len(issuer) &&
		strings.HasPrefix(path, rt.Path) && path[len(rt.Path):] == issuer
}

func (rt *Route) matchBelow(path string) (rest string, ok bool) {
	if rt.Suffix == "" {
		return "", path == rt.Path
	}
	rest, ok1 := strings.CutPrefix(path, rt.Path)
	rest, ok2 := strings.CutSuffix(rest, rt.Suffix)
	return rest, ok1 && ok2 && rest != "" && strings.IndexByte(rest, '/') < 0
}
