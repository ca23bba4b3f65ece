package symbolon

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Claims are the claims of an access token (RFC 9068 §2.2). Times are seconds
// since 1970, zero when the claim is absent.
type Claims struct {
	Issuer       string
	Subject      string
	Audience     []string // one: a string on the wire; several: an array
	Expiry       int64
	NotBefore    int64
	IssuedAt     int64
	ID           string // jti
	ClientID     string
	Scope        string // space-separated (RFC 8693 §4.2)
	Gen          int64  // position of the issuing node's snapshot; absent: zero
	Cred         string // id of the credential that authenticated the client
	Confirmation *Confirmation

	// Extra holds every other claim, as JSON. On marshalling, a name of
	// ReservedClaim is left out.
	Extra map[string]json.RawMessage
}

// Confirmation says to which key the token is bound (RFC 7800 §3.1). A member
// that this version does not know is kept as an unknown confirmation: who
// cannot check a binding must not accept the token.
type Confirmation struct {
	JKT     string `json:"jkt,omitempty"`      // RFC 9449 §6.1
	X5TS256 string `json:"x5t#S256,omitempty"` // RFC 8705 §3.1
}

// reserved are the claims that only the server sets, whatever a client's, a
// rule's or an API's extra claims say.
var reserved = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "cid", "azp",
	"scope", "scp", "cnf", "act", "may_act", "gen", "cred",
}

// ReservedClaim reports whether an extra claim may not have this name.
func ReservedClaim(name string) bool { return slices.Contains(reserved, name) }

// Scopes are the scope values of the token, in the order of the claim. RFC 6749
// §3.3: a space divides them, and no other character that looks like one.
func (c *Claims) Scopes() []string {
	return strings.FieldsFunc(c.Scope, func(r rune) bool { return r == ' ' })
}

// HasScope reports whether the token carries the scope value.
func (c *Claims) HasScope(scope string) bool {
	rest := c.Scope
	for rest != "" {
		var one string
		one, rest, _ = strings.Cut(rest, " ")
		if one == scope {
			return true
		}
	}
	return false
}

// HasAudience reports whether the token is for the audience, by exact
// comparison (RFC 9068 §4).
func (c *Claims) HasAudience(audience string) bool { return slices.Contains(c.Audience, audience) }

// AppendJSON appends the claims as one JSON object in a fixed order of members
// and gives the extended slice. It does not validate them.
func (c *Claims) AppendJSON(b []byte) []byte {
	b = append(b, `{"iss":`...)
	b = appendString(b, c.Issuer)
	b = append(b, `,"sub":`...)
	b = appendString(b, c.Subject)
	b = append(b, `,"aud":`...)
	b = appendAudience(b, c.Audience)
	b = append(b, `,"exp":`...)
	b = strconv.AppendInt(b, c.Expiry, 10)
	if c.NotBefore != 0 {
		b = append(b, `,"nbf":`...)
		b = strconv.AppendInt(b, c.NotBefore, 10)
	}
	b = append(b, `,"iat":`...)
	b = strconv.AppendInt(b, c.IssuedAt, 10)
	b = append(b, `,"jti":`...)
	b = appendString(b, c.ID)
	b = append(b, `,"client_id":`...)
	b = appendString(b, c.ClientID)
	if c.Scope != "" {
		b = append(b, `,"scope":`...)
		b = appendString(b, c.Scope)
	}
	if c.Gen != 0 {
		b = append(b, `,"gen":`...)
		b = strconv.AppendInt(b, c.Gen, 10)
	}
	if c.Cred != "" {
		b = append(b, `,"cred":`...)
		b = appendString(b, c.Cred)
	}
	b = c.appendConfirmation(b)
	b = c.appendExtra(b)
	return append(b, '}')
}

func (c *Claims) appendConfirmation(b []byte) []byte {
	if c.Confirmation == nil {
		return b
	}
	b = append(b, `,"cnf":{`...)
	if c.Confirmation.JKT != "" {
		b = append(b, `"jkt":`...)
		b = appendString(b, c.Confirmation.JKT)
	}
	if c.Confirmation.X5TS256 != "" {
		if c.Confirmation.JKT != "" {
			b = append(b, ',')
		}
		b = append(b, `"x5t#S256":`...)
		b = appendString(b, c.Confirmation.X5TS256)
	}
	return append(b, '}')
}

func (c *Claims) appendExtra(b []byte) []byte {
	if len(c.Extra) == 0 {
		return b
	}
	names := make([]string, 0, len(c.Extra))
	for name := range c.Extra {
		if !ReservedClaim(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b = append(b, ',')
		b = appendString(b, name)
		b = append(b, ':')
		b = append(b, c.Extra[name]...)
	}
	return b
}

func appendAudience(b []byte, audience []string) []byte {
	if len(audience) == 1 {
		return appendString(b, audience[0])
	}
	b = append(b, '[')
	for i, a := range audience {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, a)
	}
	return append(b, ']')
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, so that the result is always valid JSON.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			default:
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, s[start:i]...)
			b = append(b, `\ufffd`...)
			start = i + size
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
