package guard

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
)

func (c *Config) checkRoutes(bad complain) {
	if len(c.Routes) == 0 {
		bad("routes", "write for example [{match: GET /orders, scopes: [orders:read]}]", "missing: every request would be refused")
	}
	var good []string // patterns
	for i, r := range c.Routes {
		at := fmt.Sprintf("routes.%d", i)
		c.checkNeeds(at, r, bad)
		if message, fix := checkPattern(r.Match, r.AmbiguousPaths == allowAmbiguous); message != "" {
			bad(at+".match", fix, "%s", message)
			continue
		}
		if other := conflicting(good, r.Match); other != "" {
			bad(at+".match", "make one of them more specific, or remove one", "it and %q match the same requests, and neither is more specific", other)
			continue
		}
		good = append(good, r.Match)
	}
	c.checkReach(good, bad)
}

// checkReach complains about routes that no request could come to, since another
// path that many programs take for the same asks for more.
func (c *Config) checkReach(good []string, bad complain) {
	if len(good) < len(c.Routes) {
		return // which of them count is not clear yet
	}
	t := newTable(c.Routes)
	for i, r := range c.Routes {
		s := shapeOf(r.Match)
		method := cmp.Or(s.method, http.MethodGet)
		path, err := url.PathUnescape(exampleOf(r.Match))
		if err != nil {
			continue
		}
		u := &url.URL{Path: path}
		found := t.find(method, u)
		if found == nil || found.pattern != r.Match || found.ambiguous || !t.doubtful(method, u, found) {
			continue
		}
		bad(fmt.Sprintf("routes.%d.match", i), "let both ask for the same, or write ambiguous_paths: allow where the API tells them apart",
			"but for the case or the final slash it is another route's, which asks for more: each request would be refused")
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
func checkPattern(pattern string, open bool) (message, fix string) {
	const example = "write for example GET /orders, /orders/{id} or /static/"
	method, rest, found := strings.Cut(pattern, " ")
	if !found {
		method, rest = "", pattern
	}
	rest = strings.TrimLeft(rest, " \t")
	switch {
	case pattern == "":
		return "missing", example
	case strings.Contains(method, "/"):
		return "a space in the path", "write %20"
	case method != strings.ToUpper(method):
		return "the method is not in capitals, and would match no request", "write " + strings.ToUpper(method)
	case found && !token(method):
		return "not one method before the path", "write a route for each method, or leave it out for every method"
	case method == http.MethodConnect:
		return "CONNECT is never forwarded", "remove the route"
	case !strings.HasPrefix(rest, "/"):
		return "no path, or a host before it: which host it is, public_url says", example
	case !registers(pattern):
		return "not a pattern", example
	}
	return unreachable(rest, open)
}

// shape is what there is to know of a pattern besides what it matches.
type shape struct {
	method string // empty: every one
	text   string // the path in small letters, with {} for each wildcard, without what open and below say
	open   bool   // it ends with a slash: what is below is its, or that path alone ({$})
	below  bool   // what is below is its
}

func shapeOf(pattern string) shape {
	at := strings.IndexByte(pattern, '/')
	s := shape{method: strings.TrimSpace(pattern[:at])}
	path := pattern[at:]
	last := strings.LastIndexByte(path, '/') + 1
	s.below = path[last:] == "" || strings.HasSuffix(path[last:], "...}")
	s.open = s.below || path[last:] == "{$}"
	if s.open {
		path = path[:last-1]
	}
	s.text = small(withoutNames(path, "{}"))
	return s
}

// withoutNames writes something else for each wildcard of a path.
func withoutNames(path, something string) string {
	segments := strings.Split(path, "/")
	for i, one := range segments {
		if strings.HasPrefix(one, "{") {
			segments[i] = something
		}
	}
	return strings.Join(segments, "/")
}

// exampleOf gives a path that a pattern matches.
func exampleOf(pattern string) string {
	const some = "~some~" // that nobody names
	path := pattern[strings.IndexByte(pattern, '/'):]
	if bare, ok := strings.CutSuffix(path, "/{$}"); ok {
		return withoutNames(bare, some) + "/"
	}
	if strings.HasSuffix(path, "/") {
		path += some
	}
	return withoutNames(path, some)
}

// unreachable says why no request would ever come to a path that is a pattern all
// the same. Who writes patterns in another program's way must hear of it: what
// /admin/* does not match falls to a route that asks for less.
func unreachable(path string, open bool) (message, fix string) {
	for segment := range strings.SplitSeq(path, "/") {
		switch {
		case segment == "*" || segment == "**":
			return segment + " is nothing but that text here", "write {name} for one segment, and end with a slash for all that is below"
		case strings.HasPrefix(segment, ":"):
			return segment + " is nothing but that text here", "write {" + segment[1:] + "} for any segment, or %3A for the colon"
		}
	}
	if strings.ContainsAny(path, "?#") {
		return "more than a path", "leave the query out: routes do not see it"
	}
	var b strings.Builder
	for _, c := range []byte(exampleOf(path)) {
		if c <= ' ' || c >= 0x7f { // as it is sent
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	switch c := judgePath(b.String()); {
	case c == refused:
		return "such paths are refused", "write the path as requests have it"
	case c == ambiguous && !open:
		return "such paths are refused, since two programs could read them differently", "write ambiguous_paths: allow with it, where the API takes care of that"
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
