package guard

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Route says what requests need that a pattern matches.
type Route struct {
	// Match is a pattern as net/http's ServeMux takes it, without a host: "GET
	// /orders", "/orders/{id}", "/static/". Of several that match, the most
	// specific one counts.
	Match string `yaml:"match"`
	// Scopes are those that the token must carry, all of them. An empty list: any
	// token for the API will do.
	Scopes []string `yaml:"scopes"`
	// Allow is "anyone" where no token is needed; there are no scopes then.
	Allow string `yaml:"allow"`
	// AmbiguousPaths is "allow" where the API itself takes care of paths that two
	// programs could read differently: "//", ";", encoded "/" and "." and the like.
	// Dot segments, backslashes, control characters and what is not UTF-8 are
	// refused all the same.
	AmbiguousPaths string `yaml:"ambiguous_paths"`
}

const (
	allowAnyone    = "anyone"
	allowAmbiguous = "allow"
)

// route is a Route that a request was matched to.
type route struct {
	pattern   string
	scopes    []string
	anyone    bool
	ambiguous bool
	near      bool // a path of it and a slash may be another's
	shape
}

// ServeHTTP makes a route something that a ServeMux holds; it is never called.
func (*route) ServeHTTP(http.ResponseWriter, *http.Request) {}

// table finds the route of a request. Only the look-up of the mux is used: it
// redirects nobody.
type table struct {
	mux   *http.ServeMux
	loose *http.ServeMux // of the same patterns in small letters
	small bool           // which they are anyway
}

func newTable(all []Route) *table {
	t := &table{mux: http.NewServeMux(), loose: http.NewServeMux(), small: true}
	routes := make([]*route, len(all))
	byShape := make(map[shape]*route) // those of loose
	for i, r := range all {
		one := &route{pattern: r.Match, scopes: r.Scopes, anyone: r.Allow == allowAnyone, ambiguous: r.AmbiguousPaths == allowAmbiguous, shape: shapeOf(r.Match)}
		routes[i] = one
		t.mux.Handle(r.Match, one)
		at := strings.IndexByte(r.Match, '/')
		lower := r.Match[:at] + small(r.Match[at:])
		t.small = t.small && lower == r.Match
		key := shapeOf(lower)
		if twin := byShape[key]; twin != nil { // they differ in nothing else: for both it takes what either asks for
			twin.anyone = twin.anyone && one.anyone
			twin.scopes = slices.Concat(twin.scopes, one.scopes)
			continue
		}
		byShape[key] = &route{pattern: lower, scopes: one.scopes, anyone: one.anyone, shape: key}
		takes(t.loose, lower, byShape[key])
	}
	for _, r := range routes {
		r.near = slices.ContainsFunc(routes, r.isNear)
	}
	return t
}

// small is a path in small letters, to whomever: there are programs (in Java) to
// which also the long s is an s, and the dotless i an i.
func small(path string) string {
	for i := range len(path) {
		if path[i] >= utf8.RuneSelf {
			path = strings.ToUpper(path)
			break
		}
	}
	return strings.ToLower(path)
}

// doubtful reports whether the path, to a program that takes no note of case or of
// a final slash (as Express and ASP.NET by default), may be one of a route that
// asks for more: /ADMIN beside a route for anyone.
func (t *table) doubtful(method string, u *url.URL, r *route) bool {
	lower := small(u.Path)
	bare := strings.TrimSuffix(lower, "/")
	if (!t.small || lower != u.Path) && !r.covers(look(t.loose, method, &url.URL{Path: lower})) {
		return true
	}
	if bare == "" {
		return false
	}
	if bare == lower {
		return r.near && t.begins(method, lower, r)
	}
	other := look(t.loose, method, &url.URL{Path: bare}) // nil: there is only the route with the slash
	return other != nil && !r.covers(other)
}

// begins reports whether a path that a wildcard matched is, but for the final
// slash, the first of another route that asks for more: /reports beside /reports/.
// Where both stand there as routes, that is what was meant.
func (t *table) begins(method, path string, r *route) bool {
	other := look(t.loose, method, &url.URL{Path: path + "/"})
	return other != nil && r.isNear(other)
}

// isNear reports whether some paths of r are, but for a final slash, the first of
// the other's, which asks for more.
func (r *route) isNear(other *route) bool {
	if !other.open || r.open || other.text == r.text || r.covers(other) {
		return false
	}
	mine, its := strings.Split(r.text, "/"), strings.Split(other.text, "/")
	return slices.EqualFunc(mine, its, func(a, b string) bool { return a == b || a == "{}" || b == "{}" })
}

func look(mux *http.ServeMux, method string, u *url.URL) *route {
	h, _ := mux.Handler(&http.Request{Method: method, URL: u})
	r, _ := h.(*route) // others redirect, or answer 404 or 405
	return r
}

// covers reports whether whoever is let through here would be by the other route,
// too; nil, for none, lets nobody through.
func (r *route) covers(other *route) bool {
	if other == nil || other.anyone {
		return other != nil
	}
	return !r.anyone && !slices.ContainsFunc(other.scopes, func(s string) bool { return !slices.Contains(r.scopes, s) })
}

// find gives the route of a request; nil: there is none. u has passed
// judgePath.
func (t *table) find(method string, u *url.URL) *route {
	// A ServeMux tells a path that it would clean to another one apart by its
	// handler; only "//" can be to blame here, and only where a route allows it.
	if strings.Contains(u.EscapedPath(), "//") {
		u = &url.URL{Path: slashes(u.Path), RawPath: slashes(u.RawPath)}
	}
	return look(t.mux, method, u)
}

// slashes writes one slash for several in a row.
func slashes(p string) string {
	if p == "" {
		return ""
	}
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}
