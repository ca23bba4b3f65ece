package symbolon

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// errClaims is wrapped by every error of ParseClaims.
var errClaims = errors.New("malformed claims")

var errNoObject = fmt.Errorf("%w: not a JSON object", errClaims)

// ParseClaims reads the payload of an access token. It refuses wrong types,
// times that are not finite or outside 1970 to 9999, and members of cnf that
// it does not know; it does not judge missing claims. Duplicate members are
// the caller's to refuse before (internal/jose does).
//
// It runs for every request of a protected API, so it walks over the members
// by itself: encoding/json takes as long for them as a tenth of a signature
// check. Values that are neither plain strings nor plain integers still go
// through encoding/json.
func ParseClaims(payload []byte) (*Claims, error) {
	if !utf8.Valid(payload) {
		return nil, errNoObject
	}
	c := new(parsedClaims)
	// One copy, of which the claims are parts: the payload stays the caller's.
	m := members{text: string(payload)}
	if !m.open() {
		return nil, errNoObject
	}
	for {
		name, value, ok := m.next()
		if !ok {
			break
		}
		if err := c.set(name, value); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", errClaims, quoteName(name), err)
		}
	}
	if !m.complete {
		return nil, errNoObject
	}
	return &c.Claims, nil
}

// parsedClaims are claims with a place for the one audience that nearly all tokens have.
type parsedClaims struct {
	Claims
	audience [1]string
}

// quoteName is the claim's name for an error text: short and on one line.
func quoteName(name string) string {
	const most = 64
	if len(name) > most {
		name = name[:most]
	}
	q := strconv.Quote(name)
	return q[1 : len(q)-1]
}

func (c *parsedClaims) set(name, value string) (err error) {
	switch name {
	case "iss":
		c.Issuer, err = claimString(value)
	case "sub":
		c.Subject, err = claimString(value)
	case "aud":
		c.Audience, err = claimAudience(c.audience[:0], value)
	case "exp":
		c.Expiry, err = claimTime(value)
	case "nbf":
		c.NotBefore, err = claimTime(value)
	case "iat":
		c.IssuedAt, err = claimTime(value)
	case "jti":
		c.ID, err = claimString(value)
	case "client_id":
		c.ClientID, err = claimString(value)
	case "scope":
		c.Scope, err = claimString(value)
	case "gen":
		c.Gen, err = strconv.ParseInt(value, 10, 64)
		if err != nil || c.Gen < 0 {
			err = errors.New("want an integer from 0")
		}
	case "cred":
		c.Cred, err = claimString(value)
	case "cnf":
		c.Confirmation, err = claimConfirmation(value)
	default:
		if c.Extra == nil {
			c.Extra = make(map[string]json.RawMessage)
		}
		c.Extra[name] = json.RawMessage(value)
	}
	return err
}

var errWantString = errors.New("want a string")

func claimString(value string) (string, error) {
	if len(value) < 2 || value[0] != '"' {
		return "", errWantString
	}
	if strings.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], nil
	}
	var s string
	err := json.Unmarshal([]byte(value), &s)
	return s, err
}

// claimAudience reads a string or an array of strings (RFC 7519 §4.1.3); one goes into the place.
func claimAudience(place []string, value string) ([]string, error) {
	if value[0] == '"' {
		s, err := claimString(value)
		return append(place, s), err
	}
	var parts []json.RawMessage
	if err := json.Unmarshal([]byte(value), &parts); err != nil || len(parts) == 0 {
		return nil, errors.New("want a string or an array of strings")
	}
	audience := make([]string, len(parts))
	for i, p := range parts {
		s, err := claimString(string(p))
		if err != nil {
			return nil, err
		}
		audience[i] = s
	}
	return audience, nil
}

// maxTime is the end of the year 9999: beyond it a NumericDate is a mistake or
// an attack on somebody's arithmetic.
const maxTime = 253402300799

// claimTime reads a NumericDate, which may have a fraction (RFC 7519 §2). The
// fraction is dropped: no token gains a whole second by it.
func claimTime(value string) (int64, error) {
	if n, err := strconv.ParseInt(value, 10, 64); err == nil && 0 <= n && n <= maxTime {
		return n, nil
	}
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > maxTime {
		return 0, errors.New("want seconds since 1970")
	}
	return int64(f), nil
}

// claimConfirmation reads member by member: encoding/json would take "JKT" for
// "jkt".
func claimConfirmation(value string) (*Confirmation, error) {
	var members map[string]string
	if err := json.Unmarshal([]byte(value), &members); err != nil || len(members) == 0 {
		return nil, errors.New("want an object with a confirmation method")
	}
	cnf := new(Confirmation)
	for name, value := range members {
		// Also null: what names no key must not read as no binding.
		if value == "" {
			return nil, errors.New("want a confirmation method that names a key")
		}
		switch name {
		case "jkt":
			cnf.JKT = value
		case "x5t#S256":
			cnf.X5TS256 = value
		default:
			return nil, errors.New("a confirmation method that is not known here")
		}
	}
	return cnf, nil
}

// members walks over the members of one JSON object, which it validates on its
// way (RFC 8259).
type members struct {
	text     string
	pos      int
	first    bool
	complete bool // the object ended, and with it the text
}

// open steps over the brace that begins the object.
func (m *members) open() bool {
	m.space()
	m.first = true
	return m.skip('{')
}

// next gives the unescaped name and the text of the value of the next member;
// ok is false at the end and at the first mistake.
func (m *members) next() (name, value string, ok bool) {
	m.space()
	if m.skip('}') {
		m.space()
		m.complete = m.pos == len(m.text)
		return "", "", false
	}
	if !m.first {
		if !m.skip(',') {
			return "", "", false
		}
		m.space()
	}
	m.first = false
	quoted, ok := m.str()
	if !ok {
		return "", "", false
	}
	if name, ok = unquote(quoted); !ok {
		return "", "", false
	}
	m.space()
	if !m.skip(':') {
		return "", "", false
	}
	m.space()
	value, ok = m.value()
	return name, value, ok
}

func unquote(quoted string) (string, bool) {
	s, err := claimString(quoted)
	return s, err == nil
}

func (m *members) space() {
	for m.pos < len(m.text) {
		switch m.text[m.pos] {
		case ' ', '\t', '\n', '\r':
			m.pos++
		default:
			return
		}
	}
}

func (m *members) skip(c byte) bool {
	if m.pos < len(m.text) && m.text[m.pos] == c {
		m.pos++
		return true
	}
	return false
}

// value gives the text of the value that begins here.
func (m *members) value() (string, bool) {
	if m.pos == len(m.text) {
		return "", false
	}
	switch c := m.text[m.pos]; {
	case c == '"':
		return m.str()
	case c == '{' || c == '[':
		return m.nested()
	case '1' <= c && c <= '9':
		return m.number()
	default:
		return m.scalar()
	}
}

// str gives the text of the string that begins here, with its quotes.
func (m *members) str() (string, bool) {
	if !m.skip('"') {
		return "", false
	}
	start, escaped := m.pos-1, false
	for m.pos < len(m.text) {
		switch c := m.text[m.pos]; {
		case c == '"':
			m.pos++
			s := m.text[start:m.pos]
			return s, !escaped || json.Valid([]byte(s))
		case c == '\\':
			escaped = true
			m.pos += 2
		case c < 0x20:
			return "", false
		default:
			m.pos++
		}
	}
	return "", false
}

// number gives the text of a number that begins with a digit from 1.
func (m *members) number() (string, bool) {
	start := m.pos
	for m.pos < len(m.text) && '0' <= m.text[m.pos] && m.text[m.pos] <= '9' {
		m.pos++
	}
	if m.pos < len(m.text) {
		switch m.text[m.pos] {
		case '.', 'e', 'E':
			m.pos = start
			return m.scalar()
		}
	}
	return m.text[start:m.pos], true
}

// scalar gives the text of a number or a literal.
func (m *members) scalar() (string, bool) {
	start := m.pos
	for m.pos < len(m.text) && !strings.ContainsRune(" \t\n\r,}", rune(m.text[m.pos])) {
		m.pos++
	}
	s := m.text[start:m.pos]
	return s, json.Valid([]byte(s))
}

// nested gives the text of the object or array that begins here.
func (m *members) nested() (string, bool) {
	start, depth := m.pos, 0
	for m.pos < len(m.text) {
		switch m.text[m.pos] {
		case '"':
			if _, ok := m.str(); !ok {
				return "", false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		m.pos++
		if depth == 0 {
			s := m.text[start:m.pos]
			return s, json.Valid([]byte(s))
		}
	}
	return "", false
}
