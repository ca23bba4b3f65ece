package guard

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// tricks are paths that a proxy and the program behind it have read differently,
// somewhere, some day.
var tricks = map[string]clarity{
	"/public/../orders":             refused,
	"/public/..":                    refused,
	"/public/.":                     refused,
	"/./public/a":                   refused,
	"/public/%2e%2e/orders":         refused,
	"/public/%2E./orders":           refused,
	"/public/.%2e/orders":           refused,
	"/public/..%2forders":           refused,
	"/public/..%5corders":           refused,
	"/public/..\\orders":            refused,
	"/public\\..\\orders":           refused,
	"/public/..;/orders":            refused,
	"/public/..;a=b/orders":         refused,
	"/public/%2e%2e;/orders":        refused,
	"/public/..%3b/orders":          refused,
	"/public/..%00/orders":          refused,
	"/public/%252e%252e/orders":     refused,
	"/public/%25%32%65%2e/orders":   refused,
	"/public/..%252forders":         refused,
	"/public/%25252e%25252e/orders": refused,
	"/public/a%00":                  refused,
	"/public/a%00.html":             refused,
	"/public/a%0d%0aX:%201":         refused,
	"/public/a%7f":                  refused,
	"/public/a%5cb":                 refused,
	"/public/a%255cb":               refused,
	"/public/%ff":                   refused,
	"/public/%c0%ae%c0%ae/orders":   refused,
	"/public/%e0%80%ae":             refused,
	"/public/%ed%a0%80":             refused,
	"/public/ü":                     refused,
	"/public/\xff":                  refused,
	"/public/{a}":                   refused,
	"/public/a|b":                   refused,
	"/public/a\"b":                  refused,
	"/public/a#b":                   refused,
	"//public/a":                    refused,
	"//orders":                      refused,
	"///":                           refused,
	"/public//a":                    ambiguous,
	"/public/a//":                   ambiguous,
	"/public/a%2fb":                 ambiguous,
	"/public/a%2Fb":                 ambiguous,
	"/public/a%252fb":               ambiguous,
	"/public/a%2eb":                 ambiguous,
	"/public/a%2541":                ambiguous,
	"/public/a;b":                   ambiguous,
	"/public/a;jsessionid=1":        ambiguous,
	"/public/a%3bb":                 ambiguous,
	"/public;/a":                    ambiguous,
	"/public/[a]":                   ambiguous,
	"/public/a":                     plain,
	"/public/":                      plain,
	"/public/.well-known/a":         plain,
	"/public/..a/a../...":           plain,
	"/public/a.b":                   plain,
	"/public/%C3%BC":                plain,
	"/public/a%20b":                 plain,
	"/public/100%25":                plain,
	"/public/100%25-":               plain,
	"/public/a:b@c,d$e&f=g+h!i'(j)": plain,
	"/public/%61":                   plain,
	"/public/a%3fb":                 ambiguous,
	"/public/a%23b":                 ambiguous,
	"/public/..%3f/orders":          refused,
	"/public/..%23/orders":          refused,
	"/public/..%20/orders":          refused,
	"/public/..%253f/orders":        refused,
}

func TestPathTricks(t *testing.T) {
	for path, want := range tricks {
		if got := judgePath(path); got != want {
			t.Errorf("%q: %d, want %d", path, got, want)
		}
	}
	for query, want := range map[string]clarity{
		"": plain, "a=1&b=%2f..%00": plain, "a=/../": plain, "a={1}|[2]": plain, "a;b": ambiguous, "a=%": ambiguous, "a=%g1": ambiguous, "a=\xff": ambiguous, "a#b": ambiguous,
		"a b": refused, "a;b c": refused, "a=\x01": refused, "a=\x7f": refused,
		"_method=DELETE": ambiguous, "a=1&_METHOD=put": ambiguous, "%5fmethod=put": ambiguous, "+_method=put": ambiguous, ".method=put": ambiguous, "[method=put": ambiguous,
		"_method[]=put": ambiguous, "_method%00=put": ambiguous, "X-HTTP-Method-Override=PUT": ambiguous, "x_http_method_override=PUT": ambiguous,
		"method=put&my_method=put&a=_method&__method=put&x=1&xyz=2": plain,
	} {
		if got := judgeQuery(query); got != want {
			t.Errorf("?%q: %d, want %d", query, got, want)
		}
	}
	for _, target := range []string{"", "*", "public", "http://a/public/", "a:443", "?a=/public/", "\\public"} {
		if c, err := judgeTarget(target); c != refused || err == nil {
			t.Errorf("%q: %d", target, c)
		}
	}
}

// TestNoTrickReachesTheAPI in either mode; what is plain does.
func TestNoTrickReachesTheAPI(t *testing.T) {
	w := start(t, nil, nil)
	for path, c := range tricks {
		resp, _ := do(t, "GET", "http://"+w.addr, path, nil, nil)
		got := w.reached()
		if c == plain && (resp.StatusCode != http.StatusOK || len(got) != 1 || got[0].Target != path) || c != plain && (resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusNotFound || len(got) > 0) {
			t.Errorf("proxy: %q: %d %+v", path, resp.StatusCode, got)
		}
		resp, body := do(t, "GET", "http://"+w.asked, "/forward-auth", head("X-Original-Method", "GET", "X-Original-Uri", path+"?a=1"), nil)
		if c == plain && resp.StatusCode != http.StatusOK || c != plain && resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("forward-auth: %q: %d %s", path, resp.StatusCode, body)
		}
	}
}

// FuzzJudgeTarget: the URL that was judged is the one that
// net/http writes.
func FuzzJudgeTarget(f *testing.F) {
	for path := range tricks {
		f.Add(path)
		f.Add(path + "?a=1;b=%2")
	}
	routes := newTable([]Route{{Match: "/public/", Allow: "anyone", AmbiguousPaths: "allow"}, {Match: "/orders", Scopes: []string{}}})
	f.Fuzz(func(t *testing.T, target string) {
		c, failed := judgeTarget(target)
		if c == refused || failed != nil {
			return
		}
		u, err := parseTarget(target)
		if err != nil {
			return
		}
		if got := u.RequestURI(); got != target {
			t.Errorf("%q is forwarded as %q", target, got)
		}
		path, _, _ := strings.Cut(target, "?")
		r := routes.find("GET", u)
		if r != nil && r.anyone && !strings.HasPrefix(path, "/public/") && !strings.HasPrefix(path, "/%") {
			if plainly, err := url.PathUnescape(path); err != nil || !strings.HasPrefix(plainly, "/public/") {
				t.Errorf("%q is for anyone", target)
			}
		}
	})
}
