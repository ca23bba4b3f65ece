package server

import (
	"net/http"
	"strings"
)

// Path is where an endpoint stands. The zero Path: the issuer has no such endpoint.
type Path struct {
	Form   Form   // Below or Beside
	Path   string // as Route has it
	Suffix string // as Route has it: of Key alone
}

// Paths are where the endpoints of an issuer stand.
type Paths struct {
	Token, Introspection, Revocation, JWKS, Key, Revocations, RevocationKeys, Authorize Path
}

var standardPaths = Paths{
	Token:          Path{Path: "/token"},
	Introspection:  Path{Path: "/introspect"},
	Revocation:     Path{Path: "/revoke"},
	JWKS:           Path{Path: "/jwks"},
	Key:            Path{Path: "/jwks/", Suffix: ".pem"},
	Revocations:    Path{Path: "/revocations"},
	RevocationKeys: Path{Path: "/revocations/keys"},
	Authorize:      Path{Path: "/authorize"},
}

// Endpoints are the paths of the dialect, of a standard issuer where d is nil or
// names none. They are not to be changed.
func (d *Dialect) Endpoints() *Paths {
	if d == nil || d.Paths == nil {
		return &standardPaths
	}
	return d.Paths
}

// URL is the endpoint's at the issuer of that URL without a final slash, which
// IssuerView.Base is; "" where the issuer has no such endpoint.
func (p Path) URL(base string) string {
	switch {
	case p.Path == "":
		return ""
	case p.Form != Beside:
		return base + p.Path
	}
	host := strings.Index(base, "://") + len("://")
	last := strings.LastIndexByte(base[host:], '/')
	if last < 0 {
		return ""
	}
	return base[:host+last] + p.Path
}

func (p Path) route(name string, serve func(Place, http.ResponseWriter, *http.Request) error) Route {
	return Route{Name: name, Form: p.Form, Path: p.Path, Suffix: p.Suffix, Serve: serve}
}
