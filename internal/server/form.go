package server

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
)

// form holds the parameters of a request that mean something here.
type form struct {
	grantType, clientID, clientSecret string
	scope, audience                   string
	resources                         []string
	assertion, assertionType          string
	token                             string
}

var (
	errForm = symbolon.NewError(symbolon.InvalidRequest,
		"the request body is not a well-formed form; encode it as application/x-www-form-urlencoded")
	errTooMany = symbolon.NewError(symbolon.InvalidRequest,
		"the request has more than 64 parameters")
	errRepeated = symbolon.NewError(symbolon.InvalidRequest,
		"a parameter is repeated; only resource may be")
	errCharacters = symbolon.NewError(symbolon.InvalidRequest,
		"a parameter holds control characters or is not UTF-8")
)

// parse reads the body by hand: url.ParseQuery makes a map and takes the first
// of several values for the value. What parse accepts, url.ParseQuery reads in
// the same way, so that a proxy in front cannot have seen another request.
func (f *form) parse(body string) error {
	var names [symbolon.MaxParameters]string
	n := 0
	for body != "" {
		var pair string
		pair, body, _ = strings.Cut(body, "&")
		if pair == "" {
			continue
		}
		if n == len(names) {
			return errTooMany
		}
		name, value, err := splitPair(pair)
		if err != nil {
			return err
		}
		// RFC 6749 §3.2: parameters MUST NOT be included more than once.
		// RFC 8707 §2: resource may.
		if name != "resource" && slices.Contains(names[:n], name) {
			return errRepeated
		}
		names[n] = name
		n++
		// RFC 6749 §3.2: without a value is as if omitted.
		if value == "" {
			continue
		}
		if err := f.set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// splitPair decodes name=value (RFC 6749 Appendix B).
func splitPair(pair string) (name, value string, err error) {
	name, value, _ = strings.Cut(pair, "=")
	// Some parsers take a bare semicolon for a separator.
	if strings.IndexByte(pair, ';') >= 0 {
		return "", "", errForm
	}
	if name, err = unescape(name); err != nil {
		return "", "", errForm
	}
	if value, err = unescape(value); err != nil {
		return "", "", errForm
	}
	return name, value, nil
}

// unescape is url.QueryUnescape. Most names and values have nothing to unescape;
// an assertion is long, and to see that octet by octet takes longer than to find
// its claims.
func unescape(text string) (string, error) {
	if strings.IndexByte(text, '%') < 0 && strings.IndexByte(text, '+') < 0 {
		return text, nil
	}
	return url.QueryUnescape(text)
}

// set takes one parameter. RFC 6749 §3.2: unrecognized ones MUST be ignored.
func (f *form) set(name, value string) error {
	var into *string
	switch name {
	case "grant_type":
		into = &f.grantType
	case "client_id":
		into = &f.clientID
	case "client_secret":
		into = &f.clientSecret
	case "scope":
		into = &f.scope
	case "audience":
		into = &f.audience
	case "resource":
		if !printable(value) {
			return errCharacters
		}
		if !slices.Contains(f.resources, value) {
			f.resources = append(f.resources, value)
		}
		return nil
	case "client_assertion":
		into = &f.assertion
	case "client_assertion_type":
		into = &f.assertionType
	case "token":
		f.token = value // whatever it is: what is not a token is told from one later
		return nil
	default:
		return nil
	}
	// A secret that ends in NUL is another secret than the one without, whatever
	// a hash makes of it; and no value here needs control characters.
	if !printable(value) {
		return errCharacters
	}
	*into = value
	return nil
}

// printable reports whether the text is UTF-8 without control characters.
func printable(text string) bool {
	ascii := true
	for i := range len(text) {
		c := text[i]
		if c < 0x20 || c == 0x7f {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.ValidString(text)
}
