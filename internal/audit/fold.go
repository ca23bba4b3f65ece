package audit

import (
	"bytes"
	"strconv"
	"time"

	"github.com/symbolon/symbolon/internal/store"
)

// How many refusals are copied to the store a minute: neither a client in a loop
// nor anybody's flood must fill it. All are counted in usage, and stay in the spool.
const (
	shipClient  = 10 // of a client that proved who it is, with one code
	shipNetwork = 5  // of one network, of clients that did not (see Network)
	shipNode    = 30 // of all networks
)

// fold is what a part of the spool adds up to. Sums are kept under the text that
// the lines have, so that a line which adds to a known sum allocates nothing.
type fold struct {
	node    string
	usage   map[string]*usageSum
	used    map[string]*use
	records []store.Record
	minute  time.Time      // of what follows
	shipped map[string]int // by client and code, or by network
	others  int            // of clients that did not prove who they are

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
	if string(m.outcome) != Issued && string(m.outcome) != Answered {
		f.offer(line)
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

// offer ships the refusal that f.members is of, unless enough of its kind were in
// this minute. Summaries, and what the spool says about itself, always go.
func (f *fold) offer(line []byte) {
	m := &f.members
	at, err := time.Parse(time.RFC3339, string(m.time))
	if minute, anew := nextMinute(f.minute, at); anew && err == nil {
		f.minute, f.others = minute, 0
		clear(f.shipped)
	}
	always := m.summary || string(m.outcome) == Notice
	if !always && !m.verified && f.others >= shipNode {
		return
	}
	r, err := parseRecord(line)
	if err == nil && (always || f.hasRoom(r)) { // it is a record: members has read it
		f.ship(r, line)
	}
}

// hasRoom counts the refusal, unless it is over a cap.
func (f *fold) hasRoom(r *Record) bool {
	source, most := r.Client+"\x00"+r.Code, shipClient
	if !r.Verified {
		source, most = "\x00"+Network(r.Peer).String(), shipNetwork // no client's id is empty
	}
	if f.shipped[source] >= most {
		return false
	}
	f.shipped[source]++
	if !r.Verified {
		f.others++
	}
	return true
}

// ship makes the store's record of a refusal. Its id follows from the record's
// place in the chain, so that shipping it again changes nothing.
func (f *fold) ship(r *Record, line []byte) {
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
