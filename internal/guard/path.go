package guard

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
)

// clarity is how sure it is that two programs read a request target alike.
type clarity int

const (
	plain     clarity = iota // they do
	ambiguous                // they may not; a route may leave that to its API
	refused                  // they may not, or it leads out of the route
)

var (
	errForm      = symbolon.NewError(symbolon.InvalidRequest, "the request target is not a path: send the path and the query alone")
	errPath      = symbolon.NewError(symbolon.InvalidRequest, "the path begins with two slashes, or has dot segments, or something that must be percent-encoded, or an encoded backslash or control character, or is not UTF-8: send the path that is meant")
	errQuery     = symbolon.NewError(symbolon.InvalidRequest, "the query has a space or a control character: percent-encode it")
	errAmbiguous = symbolon.NewError(symbolon.InvalidRequest, "two programs could read the path or the query differently: no empty segments, no semicolons, no encoded slash, dot, semicolon, question mark, number sign or percent sign in the path, no other case and no other final slash than the routes have, and in the query only what may stand there, and no _method")
)

// judgeTarget looks at a request target as it was sent. Its path and query are
// not changed by anybody between here and the API.
func judgeTarget(target string) (clarity, *symbolon.Error) {
	path, query, _ := strings.Cut(target, "?")
	if !strings.HasPrefix(path, "/") {
		return refused, errForm
	}
	c := judgePath(path)
	if c == refused {
		return refused, errPath
	}
	c = max(c, judgeQuery(query))
	if c == refused {
		return refused, errQuery
	}
	return c, nil
}

// plainPath are the characters of a path that mean themselves to everybody:
// those of RFC 3986 §3.3, without ";", which begins a parameter to some, and "%".
var plainPath = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@/") {
		set[c] = true
	}
	return set
}()

// judgePath: history says which spellings were read differently by a proxy and
// the program behind it: dot segments, empty segments, encoded separators and
// dots, double encoding, parameters, NUL, backslashes, broken UTF-8.
func judgePath(path string) clarity {
	for i := range len(path) {
		c := path[i]
		if !plainPath[c] || c == '/' && i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.') {
			return judgeSlowly(path)
		}
	}
	return plain
}

// decodings is how often a path is decoded to see what some program might.
const decodings = 3

func judgeSlowly(path string) clarity {
	if !isURL(path) || strings.HasPrefix(path, "//") { // a host, to some
		return refused
	}
	text := path
	for range decodings {
		if hasDots(text) || hasControls(text) || !utf8.ValidString(text) {
			return refused
		}
		text = decode(text)
	}
	if hasDots(text) || hasControls(text) || !utf8.ValidString(text) {
		return refused
	}
	if strings.Contains(path, "//") {
		return ambiguous
	}
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '%':
			decoded, ok := octet(path[i:])
			if !ok || strings.IndexByte("/.;?#", decoded) >= 0 {
				return ambiguous
			}
			if _, twice := octet(decode(path[i:])); decoded == '%' && twice {
				return ambiguous
			}
			i += 2
		case strings.IndexByte(";[]", c) >= 0:
			return ambiguous
		}
	}
	return plain
}

// isURL reports whether a path has only what may stand in one. net/http would
// encode the rest when it forwards the path: another one than was judged.
func isURL(path string) bool {
	for i := range len(path) {
		if c := path[i]; !plainPath[c] && strings.IndexByte("%;[]", c) < 0 {
			return false
		}
	}
	return true
}

// hasDots reports whether a segment is "." or "..", to whatever divides segments
// somewhere and with whatever is cut off from them.
func hasDots(text string) bool {
	for segment := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '/' || r == '\\' }) {
		if i := strings.IndexAny(segment, ";?#\x00"); i >= 0 {
			segment = segment[:i]
		}
		segment = strings.TrimRight(segment, " ")
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// hasControls reports control characters, and backslashes, which are slashes to
// some.
func hasControls(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' })
}

// decode decodes the percent-encodings that are ones, and leaves the others.
func decode(text string) string {
	if strings.IndexByte(text, '%') < 0 {
		return text
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if c, ok := octet(text[i:]); ok {
			b = append(b, c)
			i += 2
		} else {
			b = append(b, text[i])
		}
	}
	return string(b)
}

// octet is what a text that begins with a percent-encoding begins with.
func octet(text string) (byte, bool) {
	if len(text) < 3 || text[0] != '%' {
		return 0, false
	}
	high, low := unhex(text[1]), unhex(text[2])
	return high<<4 | low, high < 16 && low < 16
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// judgeQuery: a semicolon divides parameters to some (GO-2026-4976 is about
// parameters that one program sees and the next does not), and an encoding that
// is none is dropped by some. A space, which HTTP/2 lets through, would end the
// target in a request line of HTTP/1.
func judgeQuery(query string) clarity {
	verdict := plain
	for i := range len(query) {
		switch c := query[i]; {
		case c <= ' ' || c == 0x7f:
			return refused
		case c > 0x7f || c == ';' || c == '#':
			verdict = ambiguous
		case c == '%':
			if _, ok := octet(query[i:]); !ok {
				verdict = ambiguous
			}
		}
	}
	if verdict == plain && methodIn(query) {
		return ambiguous
	}
	return verdict
}

// methodIn reports a parameter in which frameworks take another method than the
// request's (Symfony, Laravel, WordPress: _method), in the spellings that PHP
// takes for it.
func methodIn(query string) bool {
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		name = strings.TrimLeft(decode(strings.ReplaceAll(name, "+", " ")), " ")
		if i := strings.IndexAny(name, "\x00["); i > 0 {
			name = name[:i]
		}
		if len(name) == len("_method") && strings.EqualFold(name[1:], "method") && strings.IndexByte("_.[", name[0]) >= 0 {
			return true
		}
		if len(name) > 2 && name[0]|0x20 == 'x' && overrides[fold(name)] {
			return true
		}
	}
	return false
}

// parseTarget reads a request target as net/http reads that of a request.
func parseTarget(target string) (*url.URL, *symbolon.Error) {
	u, err := url.ParseRequestURI(target)
	if err != nil || u.Host != "" || u.Scheme != "" {
		return nil, errForm.WithCause(err)
	}
	return u, nil
}
