package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// Place is where a request arrived: the issuer, by host and path, and the
// snapshot that everything about the request is decided on. The snapshot is
// taken before anything else of the request is read, so that a token never
// claims a position whose changes its decision did not see.
type Place struct {
	Snapshot *registry.Snapshot
	Issuer   *registry.IssuerView // of that snapshot
	Dialect  *Dialect             // the issuer's; nil: a standard issuer
	Rest     string               // what the route left open: the kid of /jwks/{kid}.pem, what follows an Under

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
	// Beside: next to the last segment of the issuer's path, in its place. At an
	// issuer without a path there is no such place.
	Beside
	// Under: the issuer's path, the route's, which ends in a slash, and then at
	// least one more octet: Rest is that, as it stands in the request, escapes and
	// all. Of a request for such a route the escaped path is matched.
	Under
)

// Route is one endpoint of the issuers of a dialect.
type Route struct {
	Name   string // in records, logs and metrics: the Exchange's Endpoint when Serve is called
	Form   Form
	Path   string // "/token"
	Suffix string // with one path segment between Path and it: ".pem" of /jwks/{kid}.pem

	// Serve answers a request that matched. An error it returns is to be
	// written by web.Wrap.
	Serve func(at Place, w http.ResponseWriter, r *http.Request) error
	// Errors writes it in the shape of the dialect: who dispatches sets the
	// Exchange's WriteError. Nil: web's.
	Errors func(x *web.Exchange, r *http.Request, e *symbolon.Error)
}

// Routes are the OAuth endpoints of an issuer with the dialect, nil for a
// standard one: every URL of theirs is made here and of Paths.
func (s *Server) Routes(d *Dialect) []Route {
	p := d.Endpoints()
	routes := []Route{
		p.Token.route("token", s.serveToken),
		p.Introspection.route("introspection", s.serveIntrospection),
		p.JWKS.route("jwks", s.serveJWKS),
		p.Key.route("key", s.serveKey),
		p.Revocations.route("revocations", s.serveRevocations),
		p.RevocationKeys.route("revocation_keys", s.serveRevocationKeys),
		p.Authorize.route("authorize", s.serveAuthorize),
		{Name: "metadata", Form: WellKnown, Path: symbolon.WellKnownServer, Serve: s.serveMetadata},
		{Name: "metadata", Form: WellKnown, Path: symbolon.WellKnownOpenID, Serve: s.serveMetadata},
	}
	if s.cfg.Revoker != nil {
		routes = append(routes, p.Revocation.route("revocation", s.serveRevocation))
	}
	routes = slices.DeleteFunc(routes, func(rt Route) bool { return rt.Path == "" })
	if d != nil {
		for i := range routes {
			routes[i].Errors = d.WriteError
		}
	}
	return routes
}

// Match reports whether a request's path is this route at an issuer's path
// ("" or "/a/b", as IssuerView.Path has it), and what it left open. The
// comparison is exact: no slash is added, dropped or unescaped, because a
// proxy in front decides on the same octets.
func (rt *Route) Match(issuer, path string) (rest string, ok bool) {
	if rt.Form == Beside {
		last := strings.LastIndexByte(issuer, '/')
		if last < 0 {
			return "", false
		}
		issuer = issuer[:last]
	}
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
	if rt.Form == Under {
		rest, ok = strings.CutPrefix(path, rt.Path)
		return rest, ok && rest != ""
	}
	if rt.Suffix == "" {
		return "", path == rt.Path
	}
	rest, ok1 := strings.CutPrefix(path, rt.Path)
	rest, ok2 := strings.CutSuffix(rest, rt.Suffix)
	return rest, ok1 && ok2 && rest != "" && strings.IndexByte(rest, '/') < 0
}
