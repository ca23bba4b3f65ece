package client

import (
	"net/http"
	"strings"

	"github.com/symbolon/symbolon"
)

// challengeError gives what the challenges of this scheme say is wrong, "" when
// they say nothing (RFC 6750 §3.1, RFC 9449 §7.1).
func challengeError(h http.Header, scheme string) symbolon.Code {
	for _, value := range h.Values("WWW-Authenticate") {
		if code := schemeError(value, scheme); code != "" {
			return symbolon.Code(code)
		}
	}
	return ""
}

// schemeError gives the error parameter of the scheme's challenge in a field
// value, which may list several challenges (RFC 9110 §11.6.1).
func schemeError(s, wanted string) string {
	scheme := ""
	for s != "" {
		var word string
		word, s = cutWord(s)
		rest := strings.TrimLeft(s, " \t")
		switch {
		case word == "":
			s = s[1:] // a comma, a space or a stray character
		case !strings.HasPrefix(rest, "="):
			scheme, s = word, rest // a word without = begins a challenge
		default:
			var value string
			value, s = cutValue(strings.TrimLeft(rest[1:], " \t"))
			if strings.EqualFold(scheme, wanted) && strings.EqualFold(word, "error") {
				return value
			}
		}
	}
	return ""
}

// cutWord cuts a token (RFC 9110 §5.6.2) off the beginning.
func cutWord(s string) (word, rest string) {
	i := strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~/", r))
	})
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i:]
}

// cutValue cuts a token or a quoted string off the beginning.
func cutValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		return cutWord(s)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			i++
			if i == len(s) {
				return b.String(), ""
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}
