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

// shipCap is how many refusals of one client with one code are shipped to the
// store a minute: a client in a loop must not fill it. All are counted in usage,
// and stay in the spool.
const shipCap = 60

// fold is what a part of the spool adds up to. Sums are kept under the text that
// the lines have, so that a line which adds to a known sum allocates nothing.
type fold struct {
	node    string
	usage   map[string]*usageSum
	used    map[string]*use
	records []store.Record
	minute  string         // of shipped
	shipped map[string]int // refusals of that minute, by client and code

	members members
	key     []byte
}

type usageSum struct {
	of    members // copies
	count int64
}

type use struct {
	client, cred  string
	at, requestID []byte
}

func newFold(node string) *fold {
	return &fold{node: node, usage: make(map[string]*usageSum), used: make(map[string]*use), shipped: make(map[string]int)}
}

// reset forgets the sums. What was shipped in the running minute stays known.
func (f *fold) reset() {
	clear(f.usage)
	clear(f.used)
	f.records = nil
}

// add adds one record. It reports false when the line is not one.
func (f *fold) add(line []byte) bool {
	m := &f.members
	if !m.read(line) {
		return false
	}
	if string(m.outcome) != Notice {
		f.count(m)
	}
	if m.verified && len(m.cred) > 0 {
		f.use(m)
	}
	if string(m.outcome) != Issued && f.ships(m) {
		f.ship(line)
	}
	return true
}

// count adds to the usage of an hour. What a client said that did not prove who it
// is counts for nobody: anybody could make rows of any number of names.
func (f *fold) count(m *members) {
	f.key = append(append(f.key[:0], m.time[:hourText]...), m.outcome...)
	f.key = append(append(f.key, 0), m.issuer...)
	if m.verified {
		f.key = append(append(f.key, 0), m.client...)
		f.key = append(append(f.key, 0), m.cred...)
		f.key = append(append(f.key, 0), m.apis...)
	}
	sum := f.usage[string(f.key)]
	if sum == nil {
		sum = &usageSum{of: m.clone()}
		f.usage[string(f.key)] = sum
	}
	sum.count += m.count
}

// use keeps the last time that a credential proved its client.
func (f *fold) use(m *members) {
	f.key = append(append(append(f.key[:0], m.client...), 0), m.cred...)
	u := f.used[string(f.key)]
	if u == nil {
		u = &use{client: unquoted(m.client), cred: unquoted(m.cred)}
		f.used[string(f.key)] = u
	}
	if bytes.Compare(m.time, u.at) >= 0 { // texts of times sort as times do
		u.at = append(u.at[:0], m.time...)
		u.requestID = append(u.requestID[:0], m.requestID...)
	}
}

// ships reports whether a refusal goes to the store as a record of its own.
func (f *fold) ships(m *members) bool {
	if !m.verified {
		return true // capped when it was appended
	}
	if minute := m.time[:minuteText]; string(minute) != f.minute {
		f.minute = string(minute)
		clear(f.shipped)
	}
	f.key = append(append(append(f.key[:0], m.client...), 0), m.code...)
	n := f.shipped[string(f.key)]
	if n < shipCap {
		f.shipped[string(f.key)] = n + 1
	}
	return n < shipCap
}

// ship makes the store's record of a refusal. Its id follows from the record's
// place in the chain, so that shipping it again changes nothing.
func (f *fold) ship(line []byte) {
	r, err := parseRecord(line)
	if err != nil {
		return // read by members, so it is one
	}
	s := store.Record{
		ID:   shippedID(r),
		Time: r.Time.UnixMicro(), Node: f.node, Class: store.ClassRefusal, Action: r.Endpoint + "." + r.Outcome,
		RequestID: r.RequestID, Doc: bytes.Clone(line),
	}
	if r.Client != "" {
		s.ObjectKind, s.ObjectID = "client", r.Client
	}
	switch {
	case r.Outcome == Notice:
		s.Class, s.Actor, s.Action = store.ClassSystem, "system", r.Endpoint+"."+r.Code
	case r.Verified:
		s.Actor = r.Client
	}
	f.records = append(f.records, s)
}

// shippedID is the id of a record in the store: ordered by time as the store's
// own, unique by its number and its hash (a spool that is begun anew counts from
// 1 again).
func shippedID(r *Record) string {
	return string(appendHex16(nil, uint64(r.Time.UnixMicro()))) + "-" + strconv.FormatInt(r.N, 10) + "-" + r.Hash[:min(16, len(r.Hash))]
}

func appendHex16(dst []byte, v uint64) []byte {
	s := strconv.FormatUint(v, 16)
	return append(append(dst, "0000000000000000"[:16-len(s)]...), s...)
}

// rows are the sums as the store takes them: each combination once.
func (f *fold) rows() ([]store.UsageRow, []store.LastUsed) {
	sums := make(map[store.UsageRow]int64)
	for _, sum := range f.usage {
		row := sum.of.row()
		for _, api := range sum.of.apiIDs() {
			row.API = api
			sums[row] += sum.count
		}
	}
	usage := make([]store.UsageRow, 0, len(sums))
	for row, n := range sums {
		row.Count = n
		usage = append(usage, row)
	}
	used := make([]store.LastUsed, 0, len(f.used))
	for _, u := range f.used {
		at, err := time.Parse(time.RFC3339, string(u.at))
		if err != nil {
			continue // members.read has looked at it
		}
		used = append(used, store.LastUsed{Client: u.client, Credential: u.cred, At: at.UnixMicro(), RequestID: unquoted(u.requestID)})
	}
	return usage, used
}

const (
	timeText   = len("2026-01-02T15:04:05.000000Z")
	hourText   = len("2026-01-02T15")
	minuteText = len("2026-01-02T15:04")
)

// members are those members of a record that the folds add up, as they stand in the
// line: strings without their quotes, apis without its brackets.
type members struct {
	time, outcome, issuer, client, cred, apis []byte
	requestID, endpoint, code                 []byte
	verified                                  bool
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
		m.count = n
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
