package resource

import (
	"net/url"
	"strings"

	"github.com/symbolon/symbolon"
)

// bearer takes the token out of the request (RFC 6750 §2).
func bearer(r Request) (string, *refusal) {
	// RFC 6750 §2.3, RFC 9700 §4.3.2: a token in a URL is in logs and
	// histories. It is refused in words, also beside a good header, because
	// RFC 6750 §2 allows one way per request.
	if r.URL != nil && r.URL.RawQuery != "" && queryNames(r.URL.RawQuery, "access_token") {
		return "", &refusal{err: errInQuery}
	}
	switch len(r.Authorization) {
	case 0:
		return "", &refusal{err: errNoToken, bare: true}
	case 1:
	default:
		return "", &refusal{err: errTwoTokens}
	}
	// RFC 9110 §11.1: the scheme's name is case-insensitive. CVE-2026-47673:
	// a token under another scheme is not one.
	scheme, token, found := strings.Cut(r.Authorization[0], " ")
	if !strings.EqualFold(scheme, symbolon.TokenTypeBearer) {
		return "", &refusal{err: errNoToken, bare: true}
	}
	token = strings.Trim(token, " \t")
	if !found || token == "" {
		return "", &refusal{err: errEmptyToken}
	}
	// A list is what a proxy makes of two headers.
	if strings.ContainsAny(token, " ,\t") {
		return "", &refusal{err: errTwoTokens}
	}
	return token, nil
}

// queryNames reports whether the query has a parameter of this name, however
// it is spelt.
func queryNames(query, name string) bool {
	for query != "" {
		var part string
		if i := strings.IndexAny(query, "&;"); i >= 0 {
			part, query = query[:i], query[i+1:]
		} else {
			part, query = query, ""
		}
		part, _, _ = strings.Cut(part, "=")
		if strings.IndexByte(part, '%') >= 0 {
			if plain, err := url.QueryUnescape(part); err == nil {
				part = plain
			}
		}
		if part == name {
			return true
		}
	}
	return false
}
