package dpop

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNormalizeURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example":                       "https://a.example/",
		"https://a.example/":                      "https://a.example/",
		"https://a.example?q":                     "https://a.example/",
		"https://a.example#f":                     "https://a.example/",
		"https://a.example/p?q#f":                 "https://a.example/p",
		"https://a.example/p?q=/../x":             "https://a.example/p",
		"https://a.example/p#f?/@":                "https://a.example/p",
		"HTTPS://A.Example/P":                     "https://a.example/P",
		"https://a.example:443/p":                 "https://a.example/p",
		"https://a.example:/p":                    "https://a.example/p",
		"https://a.example:80/p":                  "https://a.example:80/p",
		"http://a.example:80/p":                   "http://a.example/p",
		"http://a.example:443/p":                  "http://a.example:443/p",
		"https://a.example:8443":                  "https://a.example:8443/",
		"https://127.0.0.1:8443/p":                "https://127.0.0.1:8443/p",
		"https://[2001:DB8::1]:443/p":             "https://[2001:db8::1]/p",
		"https://[::ffff:127.0.0.1]:8443/":        "https://[::ffff:127.0.0.1]:8443/",
		"https://a_b.example./p":                  "https://a_b.example./p",
		"https://a.example/%7euser/%41%2d%2E%5f":  "https://a.example/~user/A-._",
		"https://a.example/%2f%3a%3F%23%25":       "https://a.example/%2F%3A%3F%23%25",
		"https://a.example/a%252e":                "https://a.example/a%252e",
		"https://a.example/%c3%bc":                "https://a.example/%C3%BC",
		"https://a.example/a/b/c/./../../g":       "https://a.example/a/g", // RFC 3986 §5.2.4
		"https://a.example/mid/content=5/../6":    "https://a.example/mid/6",
		"https://a.example/..":                    "https://a.example/",
		"https://a.example/../..":                 "https://a.example/",
		"https://a.example/../p":                  "https://a.example/p",
		"https://a.example/.":                     "https://a.example/",
		"https://a.example/p/.":                   "https://a.example/p/",
		"https://a.example/p/..":                  "https://a.example/",
		"https://a.example/p/q/..":                "https://a.example/p/",
		"https://a.example/%2E%2e/p":              "https://a.example/p",
		"https://a.example/x/%2e%2E/p":            "https://a.example/p",
		"https://a.example/...":                   "https://a.example/...",
		"https://a.example//p":                    "https://a.example//p",
		"https://a.example//../p":                 "https://a.example/p",
		"https://a.example/p//..":                 "https://a.example/p/",
		"https://a.example/p/":                    "https://a.example/p/",
		"https://a.example/!$&'()*+,;=:@":         "https://a.example/!$&'()*+,;=:@",
		"https://a.example/[a]|{b}^`\"<>":         "https://a.example/%5Ba%5D%7C%7Bb%7D%5E%60%22%3C%3E",
		"https://a.example/%5Ba%5d":               "https://a.example/%5Ba%5D",
		"https://xn--mnchen-3ya.example/p":        "https://xn--mnchen-3ya.example/p",
		"https://a.example:65535/p":               "https://a.example:65535/p",
		"https://a.example/p?q=http://b.example/": "https://a.example/p",
	} {
		got, err := NormalizeURL(in)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", in, got, err, want)
		}
		if again, err := NormalizeURL(got); err != nil || again != got {
			t.Errorf("%s: again %q, %v", in, again, err)
		}
	}
}

func TestNormalizeURLRefuses(t *testing.T) {
	for in, want := range map[string]error{
		"":                              errURLScheme,
		"/p":                            errURLScheme,
		"//a.example/p":                 errURLScheme,
		"a.example/p":                   errURLScheme,
		"https:a.example":               errURLScheme,
		"https:/a.example":              errURLScheme,
		"ftp://a.example/":              errURLScheme,
		"wss://a.example/":              errURLScheme,
		" https://a.example/":           errURLScheme,
		"javascript://a.example/":       errURLScheme,
		"https://":                      errURLHost,
		"https:///p":                    errURLHost,
		"https://?q":                    errURLHost,
		"https://:443/p":                errURLHost,
		"https://u@a.example/":          errURLUser,
		"https://u:p@a.example/":        errURLUser,
		"https://@a.example/":           errURLUser,
		"https://a%2eexample/":          errURLHost,
		"https://a b.example/":          errURLHost,
		"https://a.example\\@b.example": errURLUser,
		"https://a.example\\/p":         errURLHost,
		"https://münchen.example/":      errURLHost,
		"https://a.example,b.example/":  errURLHost,
		"https://[::1/p":                errURLHost,
		"https://[]/p":                  errURLHost,
		"https://[0]/p":                 errURLHost,
		"https://[127.0.0.1]/p":         errURLHost,
		"https://[v7.x]/p":              errURLHost,
		"https://::1/p":                 errURLHost,
		"https://[fe80::1%25eth0]/p":    errURLHost,
		"https://[::1]x/p":              errURLHost,
		"https://a.example:x/p":         errURLPort,
		"https://a.example:+443/p":      errURLPort,
		"https://a.example:0443/p":      errURLPort,
		"https://a.example:0/p":         errURLPort,
		"https://a.example:65536/p":     errURLPort,
		"https://a.example:443:443/p":   errURLHost,
		"https://a.example/%":           errURLCharacter,
		"https://a.example/%4":          errURLCharacter,
		"https://a.example/%4/1":        errURLCharacter,
		"https://a.example/%zz":         errURLCharacter,
		"https://a.example/a b":         errURLCharacter,
		"https://a.example/\\p":         errURLCharacter,
		"https://a.example/\x00":        errURLCharacter,
		"https://a.example/p\n":         errURLCharacter,
		"https://a.example/ü":           errURLCharacter,
		"https://a.example/p?\n":        errURLCharacter,
		"https://a.example/p#ü":         errURLCharacter,
	} {
		if got, err := NormalizeURL(in); err != want || got != "" {
			t.Errorf("%q: %q, %v, want %v", in, got, err, want)
		}
	}
}

// TestNormalizeURLMeetsNetURL: what a Go program sees of a request is what its client wrote.
func TestNormalizeURLMeetsNetURL(t *testing.T) {
	for _, raw := range []string{
		"/", "/orders", "/a|b", "/[a]", "/a%2Fb", "/a%2fb", "/%C3%BC", "/a%20b", "/!'()*", "/a;b=c", "/a^b", "/{id}", "/~x",
	} {
		seen := must(url.Parse(raw)) // as net/http does with the request line
		if a, b := must(NormalizeURL("https://a.example"+raw)), must(NormalizeURL("https://a.example"+seen.EscapedPath())); a != b {
			t.Errorf("%s: client %s, server %s", raw, a, b)
		}
	}
}

// FuzzNormalizeURL: what it returns it returns unchanged, it has no query, no fragment, and no
// dot segments, and net/url reads the same host and path in both; spellings that RFC 3986
// §6.2.2 calls equal stay equal.
func FuzzNormalizeURL(f *testing.F) {
	for _, u := range []string{
		"", "https://a.example", "HTTP://A.example:80/%7e/../x/./y//?q#f", "https://[::1]:8443/a%2fb", "https://a/%zz",
		"https://a/..%2f../%2e%2e//.", "https://a:443:1/", "https://a/[|^{}`\"<>]", "https://a/\\", "https://a?://b/../c",
	} {
		f.Add(u)
	}
	f.Fuzz(func(t *testing.T, u string) {
		got, err := NormalizeURL(u)
		if err != nil {
			if got != "" {
				t.Fatal("a URL and an error")
			}
			return
		}
		if again, err := NormalizeURL(got); err != nil || again != got {
			t.Fatalf("%q: %q, then %q, %v", u, got, again, err)
		}
		parsed, err := url.Parse(got)
		if err != nil || parsed.Scheme+"://"+parsed.Host+parsed.EscapedPath() != got || parsed.User != nil {
			t.Fatalf("%q: %q reads as %v, %v", u, got, parsed, err)
		}
		for _, s := range strings.Split(parsed.EscapedPath(), "/") {
			if s == "." || s == ".." {
				t.Fatalf("%q: %q", u, got)
			}
		}
		if raw, err := url.Parse(u); err == nil && !strings.EqualFold(raw.Hostname(), parsed.Hostname()) {
			t.Fatalf("%q: host %q, net/url %q", u, parsed.Hostname(), raw.Hostname())
		}
		if again, err := NormalizeURL(respell(got)); err != nil || again != got {
			t.Fatalf("%q and %q: %q, %v", got, respell(got), again, err)
		}
	})
}

// respell writes a normalised URL with the scheme in upper case, every letter of its path
// percent-encoded, and something behind it.
func respell(u string) string {
	scheme, rest, _ := strings.Cut(u, "://")
	host, path, _ := strings.Cut(rest, "/")
	var b strings.Builder
	b.WriteString(strings.ToUpper(scheme) + "://" + strings.ToUpper(host) + "/x/../")
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '%':
			b.WriteString(strings.ToLower(path[i : i+3]))
			i += 2
		case unreserved(c):
			const digits = "0123456789abcdef"
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + "?q=/../#f"
}

// TestIsNormalKnowsOnlyWhatIsNormal: what it lets pass unread, normalize would not change.
func TestIsNormalKnowsOnlyWhatIsNormal(t *testing.T) {
	for u, want := range map[string]bool{
		"https://api.example.com/v1/orders": true, "http://a_b-c.d/~x/a;b=c,d:e@f": true, "https://h/": true, "https://h/a//b": true, "https://h/a.b/c..": true,
		"https://h": false, "https:///": false, "HTTPS://h/": false, "https://H/": false, "https://h/%41": false, "https://h/a/.": false, "https://h/a/../b": false,
		"https://h/a?": false, "https://h/#": false, "https://u@h/": false, "https://h:443/": false, "https://h/ ": false, "https://h/\\": false, "https://h/\"": false,
		"https://h\x7f/": false, "https://[::1]/": false, "https://h/é": false, "ftp://h/": false, "//h/": false, "": false,
	} {
		if got := isNormal(u); got != want {
			t.Errorf("%q: %v", u, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.SampledFrom([]string{"https://", "http://", "https:/", "Http://"}).Draw(t, "scheme") +
			rapid.StringOfN(rapid.RuneFrom([]rune("aA1-._~:@/%?#[]\\ !é")), 0, 20, -1).Draw(t, "rest")
		if !isNormal(u) {
			return
		}
		if got, err := normalize(u); err != nil || got != u {
			t.Fatalf("%q is %q, %v", u, got, err)
		}
	})
}
