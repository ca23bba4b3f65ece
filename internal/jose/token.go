package jose

import (
	"fmt"
	"log/slog"
	"strings"
)

// MaxToken is the length of the longest token that is parsed or made, in bytes.
const MaxToken = 16 << 10

// Header is what this package reads of a token's header. All of it is what the sender wrote,
// and not true before [Token.Verify].
type Header struct {
	Algorithm Algorithm
	KeyID     string // kid, "" when absent: any text, chosen by the sender
	Type      string // typ, "" when absent: as written, compare with [MatchType]
}

// MatchType reports whether the token's typ is want, for which the prefix application/ may
// be left out and case does not count (RFC 7515 §4.1.9, RFC 2045 §5.1). want is given
// without the prefix: "at+jwt".
func (h Header) MatchType(want string) bool {
	typ := h.Type
	const prefix = "application/"
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	return strings.EqualFold(typ, want)
}

// Token is a parsed compact JWS. Nothing in it is true before [Token.Verify] returned nil.
// It prints as its algorithm alone, so that a token in a log message leaks nothing.
type Token struct {
	Header  Header
	Payload []byte // decoded; not checked to be JSON, see [CheckObject]

	text      []byte // the token
	signed    int    // how much of text is signed: header, dot, payload
	signature []byte // decoded
}

// Parse reads a compact JWS and verifies nothing: follow it with [Token.Verify]. It refuses
// more than [MaxToken] bytes ([ErrTooLong]), not exactly three parts ([ErrParts]), what is
// not strict base64url ([ErrBase64]), a header that is not one strict JSON object (the
// errors of [CheckObject]), that lacks a known alg ([ErrAlgorithm]), or that carries crit,
// b64, jwk, jku, x5u, x5c or zip ([ErrHeader]). Other parameters that it does not know are
// ignored, as RFC 7515 §4 wants.
func Parse(token string) (*Token, error) {
	t := new(Token)
	if err := t.parse(token, nil); err != nil {
		return nil, err
	}
	return t, nil
}

// Read is [Parse] into t, which is the zero value: for who has a place for it. When it returns an
// error, t is of no use.
func (t *Token) Read(token string) error { return t.parse(token, nil) }

// ParseDocument is [Parse] for a signed document that is no token and may be longer: most
// bytes.
func ParseDocument(text string, most int) (*Token, error) {
	if len(text) > most {
		return nil, ErrTooLong
	}
	t := new(Token)
	if err := t.parseParts(text, nil); err != nil {
		return nil, err
	}
	return t, nil
}

// parse reads token into t. A jwk in the header is put into embedded, or refused when that
// is nil.
//
// It is not inlined so that [Parse] is: a token that is refused at once takes no memory then.
//
//go:noinline
func (t *Token) parse(token string, embedded *[]byte) error {
	// The length goes first: nothing else may be done for an over-long token.
	if len(token) > MaxToken {
		return ErrTooLong
	}
	return t.parseParts(token, embedded)
}

// parseParts is parse whatever the length.
func (t *Token) parseParts(token string, embedded *[]byte) error {
	first := strings.IndexByte(token, '.')
	last := strings.LastIndexByte(token, '.')
	if first <= 0 || last == first || last == len(token)-1 ||
		strings.IndexByte(token[first+1:last], '.') >= 0 {
		return ErrParts
	}
	// One buffer for the text and its three parts: each decodes to less than its own length.
	buffer := make([]byte, len(token)+segmentEncoding.DecodedLen(len(token)))
	copy(buffer, token)
	t.text, t.signed = buffer[:len(token):len(token)], last
	header, buffer, err := cutSegment(buffer[len(token):], t.text[:first])
	if err != nil {
		return err
	}
	if t.Payload, buffer, err = cutSegment(buffer, t.text[first+1:last]); err != nil {
		return err
	}
	if t.signature, _, err = cutSegment(buffer, t.text[last+1:]); err != nil {
		return err
	}
	t.Header, err = parseHeader(header, embedded)
	return err
}

// cutSegment decodes src into the beginning of buffer and returns it and the rest.
func cutSegment(buffer, src []byte) (decoded, rest []byte, err error) {
	n, err := decodeSegment(buffer, src)
	if err != nil {
		return nil, nil, err
	}
	return buffer[:n:n], buffer[n:], nil
}

var (
	errNoAlgorithm = fmt.Errorf("%w: alg is missing or not a string", ErrHeader)
	errKeyID       = fmt.Errorf("%w: kid is not a string", ErrHeader)
	errType        = fmt.Errorf("%w: typ is not a string", ErrHeader)
	// RFC 7515 §4.1.11: no extension is implemented, so whatever crit lists is not
	// understood, and an empty list is not allowed.
	errCritical = fmt.Errorf("%w: crit is present, but no extension is implemented", ErrHeader)
	// RFC 7797 §6: b64 needs crit; without it the text would mean two things.
	errUnencoded = fmt.Errorf("%w: b64 is present, but unencoded payloads are not implemented", ErrHeader)
	// RFC 8725 §3.10: keys come from configuration alone.
	errEmbeddedKey = fmt.Errorf("%w: jwk, jku, x5u or x5c is present, but keys are never taken from a token", ErrHeader)
	// RFC 8725 §3.6: no compression.
	errCompressed = fmt.Errorf("%w: zip is present, but compression is not implemented", ErrHeader)
)

// parseHeader reads a decoded header. Its jwk, if any, goes into embedded, see [Token.parse].
func parseHeader(data []byte, embedded *[]byte) (Header, error) {
	var h Header
	var s scanner
	err := s.run(data, func(name, value []byte) error {
		if embedded != nil && string(name) == "jwk" {
			*embedded = value
			return nil
		}
		return h.member(name, value)
	})
	if err != nil {
		return Header{}, err
	}
	if h.Algorithm == "" {
		return Header{}, errNoAlgorithm
	}
	return h, nil
}

// member takes one member of the header's object.
func (h *Header) member(name, value []byte) error {
	switch string(name) {
	case "alg":
		text, ok := unquote(value)
		if !ok {
			return errNoAlgorithm
		}
		if h.Algorithm, ok = lookupAlgorithm(text); !ok {
			return errUnknownAlgorithm
		}
	case "kid":
		text, ok := unquote(value)
		if !ok {
			return errKeyID
		}
		h.KeyID = string(text)
	case "typ":
		text, ok := unquote(value)
		if !ok {
			return errType
		}
		h.Type = typeNamed(text)
	case "crit":
		return errCritical
	case "b64":
		return errUnencoded
	case "jwk", "jku", "x5u", "x5c":
		return errEmbeddedKey
	case "zip":
		return errCompressed
	}
	return nil
}

// typeNamed returns constants for the types of the product, so that reading them allocates
// nothing.
func typeNamed(text []byte) string {
	switch string(text) {
	case "at+jwt":
		return "at+jwt"
	case "dpop+jwt":
		return "dpop+jwt"
	case "JWT":
		return "JWT"
	}
	return string(text)
}

// Verify returns nil when k's owner signed the token. The algorithm is k's: a header that
// names another one is [ErrAlgorithm], before anything is computed. Everything else that is
// wrong with the signature is [ErrSignature], whatever the header and the payload say
// (RFC 8725 §3.1, RFC 7515 §5.2).
//
// An ECDSA signature can be respelt into another valid one by anybody, so the text of a
// verified token does not identify it: its jti does.
func (t *Token) Verify(k *Key) error {
	return k.Verify(t.Header.Algorithm, t.text[:t.signed], t.signature)
}

// String returns the token's algorithm and nothing else of it.
func (t *Token) String() string {
	if t == nil {
		return "jose.Token(nil)"
	}
	return "jose.Token(" + string(t.Header.Algorithm) + ")"
}

// GoString is String: %#v must not print a token either.
func (t *Token) GoString() string { return t.String() }

// LogValue is String for slog.
func (t *Token) LogValue() slog.Value { return slog.StringValue(t.String()) }
