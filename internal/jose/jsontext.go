package jose

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// text scans a string whose opening quote is the next byte. That the data is valid UTF-8
// is known already.
func (s *scanner) text() error {
	data, i := s.data, s.pos+1
	for i < len(data) {
		i += plain(data[i:])
		if i == len(data) {
			break
		}
		switch c := data[i]; {
		case c == '"':
			s.pos = i + 1
			return nil
		case c == '\\':
			n, err := escape(data[i:])
			if err != nil {
				return err
			}
			i += n
		case c < 0x20:
			return errSyntax
		default:
			i++
		}
	}
	return errSyntax
}

// plain returns how many bytes at the beginning of b stand for themselves in a string; it may
// stop at one that does, of the last seven. It looks at eight at a time: this is most of the
// work for a token's JSON.
func plain(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(b); n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		// The high bit of each byte that is below 0x20, a quote, a backslash. A borrow can set
		// it for others too, but only behind one that is meant.
		quote, slash := w^ones*'"', w^ones*'\\'
		found := ((w-ones*0x20)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & highs
		if found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	return n
}

// escape returns the length of the escape sequence, or pair of surrogates, that b begins
// with.
func escape(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, errSyntax
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
		r, ok := hex4(b)
		switch {
		case !ok:
			return 0, errSyntax
		case !utf16.IsSurrogate(r):
			return 6, nil
		}
		// RFC 7493 §2.1: no unpaired surrogates. What a parser makes of them is its own
		// choice (RFC 8259 §8.2), and so two names could be one.
		if low, ok := hex4(b[6:]); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
			return 12, nil
		}
		return 0, errSurrogate
	}
	return 0, errSyntax
}

// hex4 reads \uXXXX.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// appendUnescaped appends what the scanned text between two quotes means.
func appendUnescaped(dst, text []byte) []byte {
	for len(text) > 0 {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		text = text[i:]
		n := 2
		switch text[1] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(text)
			n = 6
			if utf16.IsSurrogate(r) {
				low, _ := hex4(text[6:])
				r, n = utf16.DecodeRune(r, low), 12
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, text[1])
		}
		text = text[n:]
	}
	return dst
}

// unquote returns what a scanned value means if it is a string.
func unquote(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	text := value[1 : len(value)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text, true
	}
	return appendUnescaped(nil, text), true
}

// appendQuoted appends s, which is valid UTF-8, as a JSON string.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// memberNames are the names of one open object.
type memberNames struct {
	scanner *scanner
	first   int // where its names begin in scanner.names
	many    map[string]struct{}
}

// add reports whether name is new to the object, and keeps it.
func (m *memberNames) add(name []byte) bool {
	s := m.scanner
	if m.many == nil {
		open := s.names[m.first:s.count]
		for _, other := range open {
			if bytes.Equal(name, other) {
				return false
			}
		}
		if len(open) < pairwise && s.count < len(s.names) {
			s.names[s.count] = name
			s.count++
			return true
		}
		m.many = make(map[string]struct{}, 2*len(open))
		for _, other := range open {
			m.many[string(other)] = struct{}{}
		}
	}
	if _, twice := m.many[string(name)]; twice {
		return false
	}
	m.many[string(name)] = struct{}{}
	return true
}
