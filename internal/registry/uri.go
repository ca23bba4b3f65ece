package registry

import (
	"cmp"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// absoluteURI reports whether text is an absolute URI without a fragment
// (RFC 3986 §4.3), as RFC 8707 §2 wants it in resource. A URI has no other
// characters than those of RFC 3986 §2.
func absoluteURI(text string) bool {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}#", r) }) {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != "" || u.Path != "")
}

// targetNames are the names by which an identifier is found: a URI with an
// authority and an empty path stands for the same with "/" (RFC 3986 §6.2.3).
func targetNames(identifier string) []string {
	names := []string{identifier}
	u, err := url.Parse(identifier)
	if err != nil || !absoluteURI(identifier) || u.Host == "" || u.RawQuery != "" || u.ForceQuery {
		return names
	}
	switch u.Path {
	case "":
		names = append(names, identifier+"/")
	case "/":
		names = append(names, strings.TrimSuffix(identifier, "/"))
	}
	return names
}

// splitURL takes an issuer's URL apart for comparison and routing: the host in
// lower case and without the scheme's default port, the path without a final
// slash.
func splitURL(iss string) (host, path string, err error) {
	u, err := url.Parse(iss)
	if err != nil {
		return "", "", errors.New("it is not a URL")
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Opaque != "" {
		return "", "", errors.New("it is not an absolute https URL")
	}
	host = strings.ToLower(u.Host)
	if p := u.Port(); p == "" || u.Scheme == "https" && p == "443" || u.Scheme == "http" && p == "80" {
		host = strings.TrimSuffix(strings.TrimSuffix(host, p), ":")
	}
	return host, strings.TrimSuffix(u.EscapedPath(), "/"), nil
}

func sortedKeys[M ~map[K]V, K cmp.Ordered, V any](m M) []K {
	return slices.Sorted(maps.Keys(m))
}
