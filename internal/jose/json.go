package jose

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxDepth is how deep JSON may nest: the outermost object is depth 1.
const MaxDepth = 16

// CheckObject returns nil when data is exactly one JSON object (RFC 8259) that every parser
// reads alike: valid UTF-8 without unpaired surrogates, no member named twice in any object
// at any depth (compared after unescaping), nested at most [MaxDepth] deep, nothing before
// or after it but white space. Its time is linear in the length of data; the caller bounds
// that. Errors: [ErrJSON], [ErrDuplicateMember], [ErrTooDeep].
func CheckObject(data []byte) error {
	var s scanner
	return s.run(data, nil)
}

// VisitObject does what [CheckObject] does and calls visit for every member of the outermost
// object, in their order, with the unescaped name and the text of the value, both to be read
// only. An error of visit ends the walk and is returned. What visit saw counts only when
// VisitObject returns nil: a mistake may still follow.
func VisitObject(data []byte, visit func(name, value []byte) error) error {
	var s scanner
	return s.run(data, visit)
}

var errNotText = errors.New("is not a string")

// Text returns what a JSON string says, given the text of a value as [VisitObject] has it.
// The error, for a value that is not a string, goes behind the member's name.
func Text(value []byte) (string, error) {
	t, err := TextBytes(value)
	return string(t), err
}

// TextBytes is [Text] without a copy, where there is nothing to unescape: the result is to be
// read only, and lasts as long as value does.
func TextBytes(value []byte) ([]byte, error) {
	t, ok := unquote(value)
	if !ok {
		return nil, errNotText
	}
	return t, nil
}

// errSyntax and its siblings are made once: a refused token costs no formatting.
var (
	errSyntax    = fmt.Errorf("%w: syntax error", ErrJSON)
	errUTF8      = fmt.Errorf("%w: not valid UTF-8", ErrJSON)
	errSurrogate = fmt.Errorf("%w: unpaired surrogate in a string", ErrJSON)
	errTrailing  = fmt.Errorf("%w: something follows the object", ErrJSON)
	errNoObject  = fmt.Errorf("%w: it does not begin with {", ErrJSON)
)

// pairwise is up to how many members of one object are compared with each other; an object
// with more gets a map, so that a hostile one costs linear time.
const pairwise = 24

// scanner walks over JSON without building anything. Its zero value is ready.
type scanner struct {
	data    []byte
	pos     int
	shallow bool // names are compared in the outermost object only

	names  [2 * pairwise][]byte // the open objects' names, innermost last, while they fit
	count  int
	buffer []byte // where names with escapes are decoded; never shrinks, so that they stay
}

// run scans the whole of data as one object. If visit is not nil, it is called for every
// member of the outermost object with the unescaped name and the value's text.
func (s *scanner) run(data []byte, visit func(name, value []byte) error) error {
	if !utf8.Valid(data) {
		return errUTF8
	}
	s.data, s.pos = data, 0
	s.space()
	if s.peek() != '{' {
		return errNoObject
	}
	if err := s.object(1, visit); err != nil {
		return err
	}
	s.space()
	if s.pos != len(s.data) {
		return errTrailing
	}
	return nil
}

// peek returns the next byte, or 0, which no JSON text contains, at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// object scans an object whose { is the next byte.
func (s *scanner) object(depth int, visit func(name, value []byte) error) error {
	if depth > MaxDepth {
		return ErrTooDeep
	}
	s.pos++
	s.space()
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	seen := memberNames{scanner: s, first: s.count}
	for {
		name, err := s.memberName()
		if err != nil {
			return err
		}
		if depth == 1 || !s.shallow {
			if !seen.add(name) {
				return ErrDuplicateMember
			}
		}
		start := s.pos
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if visit != nil {
			if err := visit(name, s.data[start:s.pos]); err != nil {
				return err
			}
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case '}':
			s.pos++
			s.count = seen.first
			return nil
		default:
			return errSyntax
		}
	}
}

// memberName scans a name and the colon and space behind it, and returns it unescaped.
func (s *scanner) memberName() ([]byte, error) {
	if s.peek() != '"' {
		return nil, errSyntax
	}
	start := s.pos
	if err := s.text(); err != nil {
		return nil, err
	}
	name := s.data[start+1 : s.pos-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		from := len(s.buffer)
		s.buffer = appendUnescaped(s.buffer, name)
		name = s.buffer[from:]
	}
	s.space()
	if s.peek() != ':' {
		return nil, errSyntax
	}
	s.pos++
	s.space()
	return name, nil
}

// value scans any value; depth is the depth that it has if it is an object or an array.
func (s *scanner) value(depth int) error {
	switch c := s.peek(); {
	case c == '"':
		return s.text()
	case c == '{':
		return s.object(depth, nil)
	case c == '[':
		return s.array(depth, nil)
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return errSyntax
}

// array scans an array whose [ is the next byte and calls visit, if not nil, with the text
// of each element.
func (s *scanner) array(depth int, visit func(element []byte) error) error {
	if depth > MaxDepth {
		return ErrTooDeep
	}
	s.pos++
	s.space()
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		start := s.pos
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if visit != nil {
			if err := visit(s.data[start:s.pos]); err != nil {
				return err
			}
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case ']':
			s.pos++
			return nil
		default:
			return errSyntax
		}
	}
}

func (s *scanner) word(w string) error {
	if len(s.data)-s.pos < len(w) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return errSyntax
	}
	s.pos += len(w)
	return nil
}

// number scans -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? (RFC 8259 §6).
func (s *scanner) number() error {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return errSyntax
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return errSyntax
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return errSyntax
		}
	}
	return nil
}

// digits scans one or more digits and reports whether there was one.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}
