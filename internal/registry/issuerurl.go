package registry

import (
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
)

// reservedSegments are first path segments that belong to endpoints. An issuer
// whose path began with one would take another's place.
var reservedSegments = []string{
	".well-known", "token", "introspect", "revoke", "register", "jwks", "revocations",
	"authorize", "admin", "console", "livez", "readyz", "metrics",
}

func reservedSegment(segment string) bool { return slices.Contains(reservedSegments, segment) }

// CheckURL says what is wrong with the URL of an issuer, and the way out;
// message is "" when nothing is. An issuer is an https URL without query and
// fragment (RFC 8414 §2); plain http is for loopback names.
func CheckURL(text string) (message, fix string) {
	const example = "write for example https://auth.example.com or https://auth.example.com/partners"
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > maxIdentifier || u.Hostname() == "" || u.Opaque != "":
		return "not an absolute URL", example
	case u.Scheme == "http" && !symbolon.Loopback(u.Hostname()):
		return "plain http to another machine would show every secret and token", "write https://, or http with localhost"
	case u.Scheme != "https" && u.Scheme != "http":
		return "not an https URL", example
	case u.User != nil:
		return "a user in the URL", "remove what stands before the @"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return "a query or fragment (RFC 8414 §2)", "remove what begins with ? or #"
	case strings.ContainsFunc(u.Host, func(r rune) bool { return !unreserved(r) && !strings.ContainsRune("[]:", r) }):
		return "a host name with characters that are not letters, digits, . and -", "write an internationalised name in its xn-- form"
	case strings.HasSuffix(u.Host, ":"):
		return "a colon without a port", "write the port, or remove the colon"
	}
	return checkPath(strings.TrimSuffix(u.EscapedPath(), "/"))
}

// checkPath takes plain segments only: what can be encoded in two ways would
// be two issuers to one client and one to another.
func checkPath(path string) (message, fix string) {
	if path == "" {
		return "", ""
	}
	segments := strings.Split(path[1:], "/")
	for _, s := range segments {
		switch {
		case s == "" || s == "." || s == ".." || strings.ContainsFunc(s, func(r rune) bool { return !unreserved(r) }):
			return "a path with empty, relative or encoded segments", "write segments of letters, digits, ., _, ~ and -"
		case s == ".well-known":
			return "a path with .well-known, which belongs to metadata", "choose another path"
		}
	}
	if reservedSegment(segments[0]) {
		return "the path /" + segments[0] + " is an endpoint of the server's own", "choose another path"
	}
	return "", ""
}

// metadataURLs are the four places of an issuer's metadata, without scheme
// (RFC 8414 §3, §5; OpenID Connect Discovery §4).
func metadataURLs(host, path string) []string {
	const oauth, openid = symbolon.WellKnownServer, symbolon.WellKnownOpenID
	return []string{host + path + oauth, host + path + openid, host + oauth + path, host + openid + path}
}

// inside reports whether the second path lies below the first at a segment
// that is an endpoint of the issuer there.
func inside(outer, inner string) (segment string, collides bool) {
	rest, below := strings.CutPrefix(inner, outer+"/")
	if !below {
		return "", false
	}
	segment, _, _ = strings.Cut(rest, "/")
	return segment, reservedSegment(segment)
}

// Iss is the iss of the issuer's tokens. base is the URL of the default issuer.
func (i *Issuer) Iss(base string) string { return i.iss(i.Resolve(base)) }

// iss is what the tokens of an issuer say, whose URL without a final slash is
// base. Programs for Auth0 compare iss with their domain and a slash.
func (i *Issuer) iss(base string) string {
	if i.Dialect == DialectAuth0 {
		return base + "/"
	}
	return base
}
