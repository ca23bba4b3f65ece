package guard

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
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
	t := &table{http.NewServeMux(), http.NewServeMux(), true}
	for _, r := range all {
		one := &route{r.Match, r.Scopes, r.Allow == allowAnyone, r.AmbiguousPaths == allowAmbiguous}
		t.mux.Handle(r.Match, one)
		at := strings.IndexByte(r.Match, '/')
		lower := r.Match[:at] + strings.ToLower(r.Match[at:])
		t.small = t.small && lower == r.Match
		// Of two that differ in nothing else the first stays: requests for the
		// other are in doubt.
		takes(t.loose, lower, one)
	}
	return t
}

// doubtful reports whether the path, to a program that takes no note of case or of
// a final slash (as Express and ASP.NET by default), may be one of a route that
// asks for something else: /ADMIN beside a route for anyone.
func (t *table) doubtful(method string, u *url.URL, r *route) bool {
	lower := strings.ToLower(u.Path)
	bare := strings.TrimSuffix(lower, "/")
	if (!t.small || lower != u.Path) && !r.asksAs(look(t.loose, method, &url.URL{Path: lower})) {
		return true
	}
	if bare == lower || bare == "" {
		return false
	}
	other := look(t.loose, method, &url.URL{Path: bare}) // nil: there is only the route with the slash
	return other != nil && !r.asksAs(other)
}

func look(mux *http.ServeMux, method string, u *url.URL) *route {
	h, _ := mux.Handler(&http.Request{Method: method, URL: u})
	r, _ := h.(*route) // others redirect, or answer 404 or 405
	return r
}

// asksAs reports whether the other route, nil for none, asks for the same.
func (r *route) asksAs(other *route) bool {
	return other != nil && r.anyone == other.anyone && slices.Equal(r.scopes, other.scopes)
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

func (c *Config) checkRoutes(bad complain) {
	if len(c.Routes) == 0 {
		bad("routes", "write for example [{match: GET /orders, scopes: [orders:read]}]", "missing: every request would be refused")
	}
	var good []string // patterns
	for i, r := range c.Routes {
		at := fmt.Sprintf("routes.%d", i)
		c.checkNeeds(at, r, bad)
		if message, fix := checkPattern(r.Match); message != "" {
			bad(at+".match", fix, "%s", message)
			continue
		}
		if other := conflicting(good, r.Match); other != "" {
			bad(at+".match", "make one of them more specific, or remove one", "it and %q match the same requests, and neither is more specific", other)
			continue
		}
		good = append(good, r.Match)
	}
}

func (c *Config) checkNeeds(at string, r Route, bad complain) {
	switch {
	case r.Allow != "" && r.Allow != allowAnyone:
		bad(at+".allow", "write anyone, or scopes", "want anyone")
	case r.Allow != "" && r.Scopes != nil:
		bad(at+".allow", "remove one of them", "both scopes and allow")
	case r.Allow == "" && r.Scopes == nil:
		bad(at, "write scopes: [orders:read], scopes: [] for any token of the API, or allow: anyone", "neither scopes nor allow")
	}
	for i, s := range r.Scopes {
		if !symbolon.ValidScope(s) {
			bad(fmt.Sprintf("%s.scopes.%d", at, i), "write each scope as an entry of its own", "not one scope (RFC 6749 §3.3)")
		}
	}
	if r.AmbiguousPaths != "" && r.AmbiguousPaths != allowAmbiguous {
		bad(at+".ambiguous_paths", "write allow, or remove it", "want allow")
	}
}

// checkPattern says what is wrong with a pattern.
func checkPattern(pattern string) (message, fix string) {
	const example = "write for example GET /orders, /orders/{id} or /static/"
	method, rest, found := strings.Cut(pattern, " ")
	if !found {
		method, rest = "", pattern
	}
	rest = strings.TrimLeft(rest, " \t")
	switch {
	case pattern == "":
		return "missing", example
	case method != strings.ToUpper(method):
		return "the method is not in capitals, and would match no request", "write " + strings.ToUpper(method)
	case method == http.MethodConnect:
		return "CONNECT is never forwarded", "remove the route"
	case !strings.HasPrefix(rest, "/"):
		return "no path, or a host before it: which host it is, public_url says", example
	case !registers(pattern):
		return "not a pattern", example
	}
	return "", ""
}

// conflicting gives the first of the patterns that the mux would not hold
// together with this one.
func conflicting(good []string, pattern string) string {
	if i := slices.IndexFunc(good, func(other string) bool { return !registers(other, pattern) }); i >= 0 {
		return good[i]
	}
	return ""
}

// registers reports whether a mux takes the patterns together.
func registers(patterns ...string) bool {
	mux := http.NewServeMux()
	for _, p := range patterns {
		if !takes(mux, p, &route{}) {
			return false
		}
	}
	return true
}

// takes adds a pattern to a mux, if that takes it: it panics when it does not, with
// a text about source files.
func takes(mux *http.ServeMux, pattern string, r *route) (ok bool) {
	defer func() { ok = recover() == nil }()
	mux.Handle(pattern, r)
	return true
}
