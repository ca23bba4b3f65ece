package audit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/store"
)

const (
	timeText = len("2026-01-02T15:04:05.000000Z")
	hourText = len("2026-01-02T15")
)

// members are those members of a record that the folds add up, as they stand in the
// line: strings without their quotes, apis without its brackets.
type members struct {
	time, outcome, issuer, client, cred, apis []byte
	requestID, endpoint, code                 []byte
	verified                                  bool
	summary                                   bool // it has a count
	count                                     int64
}

// read reads them from the front of a line as appendBody writes it.
func (m *members) read(line []byte) bool {
	*m = members{count: 1}
	s := memberScanner{rest: line}
	m.time = s.text(`{"time":"`)
	m.outcome = s.text(`,"outcome":"`)
	m.issuer = s.text(`,"issuer":"`)
	m.client = s.text(`,"client":"`)
	m.verified = s.skip(`,"verified":true`)
	m.cred = s.text(`,"cred":"`)
	m.apis = s.list(`,"apis":[`)
	if digits := s.number(`,"count":`); digits != nil {
		n, err := strconv.ParseInt(string(digits), 10, 64)
		if err != nil || n < 0 {
			return false
		}
		m.count, m.summary = n, true
	}
	m.requestID = s.text(`,"request_id":"`)
	m.endpoint = s.text(`,"endpoint":"`)
	m.code = s.text(`,"code":"`)
	return !s.bad && len(m.time) == timeText && len(m.outcome) > 0
}

// clone copies what row and apiIDs need.
func (m *members) clone() members {
	c := members{time: bytes.Clone(m.time), outcome: bytes.Clone(m.outcome), issuer: bytes.Clone(m.issuer)}
	if m.verified {
		c.client, c.cred, c.apis = bytes.Clone(m.client), bytes.Clone(m.cred), bytes.Clone(m.apis)
	}
	return c
}

func (m *members) row() store.UsageRow {
	at, _ := time.Parse(time.RFC3339, string(m.time))
	return store.UsageRow{
		Hour: at.Unix() / 3600, Issuer: unquoted(m.issuer), Client: unquoted(m.client),
		Credential: unquoted(m.cred), Outcome: unquoted(m.outcome),
	}
}

// apiIDs are the APIs; one empty id when there is none.
func (m *members) apiIDs() []string {
	var ids []string
	if len(m.apis) == 0 || json.Unmarshal([]byte("["+string(m.apis)+"]"), &ids) != nil {
		return []string{""}
	}
	return slices.DeleteFunc(ids, func(id string) bool { return strings.HasPrefix(id, markStart) })
}

// unquoted is what the inside of a JSON string means.
func unquoted(text []byte) string {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text)
	}
	var s string
	if json.Unmarshal([]byte(`"`+string(text)+`"`), &s) != nil {
		return strings.ToValidUTF8(string(text), "")
	}
	return s
}

// memberScanner takes members off the front of an object.
type memberScanner struct {
	rest []byte
	bad  bool
}

func (s *memberScanner) skip(prefix string) bool {
	if len(s.rest) < len(prefix) || string(s.rest[:len(prefix)]) != prefix {
		return false
	}
	s.rest = s.rest[len(prefix):]
	return true
}

// text takes a string member, when it is the next.
func (s *memberScanner) text(prefix string) []byte {
	if !s.skip(prefix) {
		return nil
	}
	for i := 0; i < len(s.rest); i++ {
		switch s.rest[i] {
		case '\\':
			i++
		case '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			return text
		}
	}
	s.bad = true
	return nil
}

// list takes an array of strings without its brackets.
func (s *memberScanner) list(prefix string) []byte {
	if !s.skip(prefix) {
		return nil
	}
	start := s.rest
	for s.text(`"`) != nil || !s.bad && s.skip(`,`) {
	}
	list := start[:len(start)-len(s.rest)]
	if !s.skip(`]`) {
		s.bad = true
	}
	return list
}

func (s *memberScanner) number(prefix string) []byte {
	if !s.skip(prefix) {
		return nil
	}
	i := 0
	for i < len(s.rest) && '0' <= s.rest[i] && s.rest[i] <= '9' {
		i++
	}
	digits := s.rest[:i]
	s.rest = s.rest[i:]
	return digits
}
