package dpop

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// What NormalizeURL refuses. The texts repeat nothing of the URL.
var (
	errURLScheme    = errors.New("dpop: the URL is not an absolute http or https URL")
	errURLUser      = errors.New("dpop: the URL has a user before its host")
	errURLHost      = errors.New("dpop: the host of the URL is not a host name in ASCII or an address")
	errURLPort      = errors.New("dpop: the port of the URL is not a number up to 65535")
	errURLCharacter = errors.New("dpop: the URL has characters that no URL has, or a % without two hexadecimal digits")
)

// NormalizeURL returns the spelling of an http or https URL by which an htu is compared
// (RFC 9449 §4.3), without query and fragment. RFC 3986 §6.2.2: scheme and host in lower
// case, percent-encodings in upper case, those of unreserved characters decoded, dot segments
// removed. RFC 3986 §6.2.3: no default or empty port, an empty path is "/".
//
// Printable characters that belong into a URL only percent-encoded are encoded, since
// browsers leave some of them alone in a path and Go's net/url does not. Other than that it
// is strict: a user, a relative reference, white space, backslashes, characters beyond ASCII
// and broken percent-encodings are errors. What it returns it returns unchanged.
func NormalizeURL(u string) (string, error) {
	if isNormal(u) {
		return u, nil
	}
	return normalize(u)
}

// isNormal reports whether u is surely as [normalize] leaves it, as nearly all are: it looks
// for what has nothing in it that could be spelt in another way. Of others it says false.
func isNormal(u string) bool {
	rest, ok := strings.CutPrefix(u, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(u, "http://")
	}
	slash := strings.IndexByte(rest, '/')
	if !ok || slash <= 0 || strings.Contains(rest, "/.") {
		return false
	}
	for i := range len(rest) {
		allowed := plainPath
		if i < slash {
			allowed = plainHost
		}
		if plainChars[rest[i]]&allowed == 0 {
			return false
		}
	}
	return true
}

// plainChars tells where a character means itself and nothing else.
var plainChars = func() (chars [256]uint8) {
	for i := range chars {
		c := byte(i)
		if alphanumeric(c) && !('A' <= c && c <= 'Z') || contains(hostMarks, c) {
			chars[i] |= plainHost
		}
		if unreserved(c) || contains(pathMarks, c) || c == '/' {
			chars[i] |= plainPath
		}
	}
	return chars
}()

const (
	plainHost uint8 = 1 << iota
	plainPath
)

const (
	hostMarks = "-._"           // in a name, besides letters and digits
	pathMarks = "!$&'()*+,;=:@" // in a path segment, besides what is unreserved (RFC 3986 §3.3)
)

func normalize(u string) (string, error) {
	scheme, rest, ok := strings.Cut(u, "://")
	scheme = asciiLower(scheme)
	if !ok || scheme != "https" && scheme != "http" {
		return "", errURLScheme
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		if !printable(rest[i:]) {
			return "", errURLCharacter
		}
		rest = rest[:i]
	}
	authority, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	b := make([]byte, 0, len(u)+16)
	b = append(append(b, scheme...), "://"...)
	b, err := appendAuthority(b, scheme, authority)
	if err != nil {
		return "", err
	}
	if b, err = appendPath(b, path); err != nil {
		return "", err
	}
	return string(b), nil
}

// appendAuthority appends host and port.
func appendAuthority(b []byte, scheme, authority string) ([]byte, error) {
	if strings.IndexByte(authority, '@') >= 0 {
		return nil, errURLUser
	}
	host, port := authority, ""
	// A colon inside of brackets belongs to the address.
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i+1:]
	}
	if !validHost(host) {
		return nil, errURLHost
	}
	b = append(b, asciiLower(host)...)
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return b, nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || port[0] == '0' || n == 0 {
		return nil, errURLPort
	}
	return append(append(b, ':'), port...), nil
}

// validHost takes names and IPv4 addresses of letters, digits, . - and _, and IPv6 addresses
// in brackets (RFC 3986 §3.2.2) without a zone, which means something on one machine only.
// Names with percent-encodings are in no certificate and no DNS.
func validHost(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		return ok && err == nil && a.Is6() && a.Zone() == ""
	}
	for i := range len(host) {
		if c := host[i]; !alphanumeric(c) && !contains(hostMarks, c) {
			return false
		}
	}
	return host != ""
}

// appendPath appends the normalised path, which is empty or begins with a slash.
func appendPath(b []byte, path string) ([]byte, error) {
	root := len(b)
	b = append(b, '/')
	if path == "" {
		return b, nil
	}
	for rest, more := path[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		start := len(b)
		var ok bool
		if b, ok = appendSegment(b, segment); !ok {
			return nil, errURLCharacter
		}
		// RFC 3986 §5.2.4, on the decoded segment: %2e is a dot. A slash stays behind what is
		// removed, since /a/. is /a/ and not /a.
		switch string(b[start:]) {
		case ".":
			b = b[:start]
			continue
		case "..":
			b = parent(b[:start], root)
			continue
		}
		if more {
			b = append(b, '/')
		}
	}
	return b, nil
}

// parent drops the last segment of a path that ends with a slash and begins at root.
func parent(b []byte, root int) []byte {
	end := len(b) - 1
	for end > root && b[end-1] != '/' {
		end--
	}
	if end <= root {
		return b[:root+1]
	}
	return b[:end]
}

// appendSegment appends a path segment, RFC 3986 §6.2.2.1 and §6.2.2.2.
func appendSegment(b []byte, segment string) ([]byte, bool) {
	for i := 0; i < len(segment); i++ {
		c := segment[i]
		switch {
		case c == '%':
			if i+2 >= len(segment) || !hexDigit(segment[i+1]) || !hexDigit(segment[i+2]) {
				return nil, false
			}
			b = appendEncoded(b, unhex(segment[i+1])<<4|unhex(segment[i+2]))
			i += 2
		case c <= ' ' || c > '~' || c == '\\':
			return nil, false
		case unreserved(c) || contains(pathMarks, c):
			b = append(b, c)
		default:
			b = appendEncoded(b, c)
		}
	}
	return b, true
}

// appendEncoded appends c as itself where it is unreserved, else percent-encoded.
func appendEncoded(b []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	if unreserved(c) {
		return append(b, c)
	}
	return append(b, '%', digits[c>>4], digits[c&15])
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func asciiLower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

func contains(set string, c byte) bool { return strings.IndexByte(set, c) >= 0 }

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// unreserved is RFC 3986 §2.3.
func unreserved(c byte) bool { return alphanumeric(c) || contains("-._~", c) }

func hexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unhex is the value of a hexadecimal digit.
func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
