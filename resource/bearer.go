package resource

import (
	"net/url"
	"strings"

	"github.com/symbolon/symbolon"
)

// credentials are what a request presents.
type credentials struct {
	scheme string // symbolon.TokenTypeBearer or TokenTypeDPoP
	token  string
}

// credentialsOf takes the token out of the request (RFC 6750 §2, RFC 9449 §7.1).
func credentialsOf(r *Request) (credentials, *refusal) {
	// RFC 6750 §2.3, RFC 9700 §4.3.2: a token in a URL is in logs and
	// histories. It is refused in words, also beside a good header, because
	// RFC 6750 §2 allows one way per request.
	if r.URL != nil && r.URL.RawQuery != "" && queryNames(r.URL.RawQuery, "access_token") {
		return credentials{}, &refusal{err: errInQuery, got: "one in the URL"}
	}
	switch len(r.Authorization) {
	case 0:
		return credentials{}, &refusal{err: errNoToken, bare: true, got: "no Authorization header"}
	case 1:
	default:
		return credentials{}, &refusal{err: errTwoTokens, got: "several Authorization headers"}
	}
	name, token, found := strings.Cut(r.Authorization[0], " ")
	scheme := schemeOf(name)
	if scheme == "" {
		return credentials{}, &refusal{err: errNoToken, bare: true, got: "another scheme than Bearer and DPoP"}
	}
	token = strings.Trim(token, " \t")
	if !found || token == "" {
		return credentials{}, &refusal{err: errEmptyToken, scheme: scheme, got: scheme + " without a token"}
	}
	// A list is what a proxy makes of two headers.
	if strings.ContainsAny(token, " ,\t") {
		return credentials{}, &refusal{err: errTwoTokens, got: "more than a token"}
	}
	return credentials{scheme, token}, nil
}

// schemeOf knows the schemes of tokens, empty for others (CVE-2026-47673: a token
// under another scheme is not one). RFC 9110 §11.1: their case does not matter.
func schemeOf(name string) string {
	switch {
	case strings.EqualFold(name, symbolon.TokenTypeBearer):
		return symbolon.TokenTypeBearer
	case strings.EqualFold(name, symbolon.TokenTypeDPoP):
		return symbolon.TokenTypeDPoP
	}
	return ""
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
