package audit

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
)

// Caps on the refusals of clients that did not prove who they are, a minute. What
// exceeds them is counted.
const (
	perKind      = 60  // of one network, with one code and one failed check
	perNetwork   = 120 // of one network
	allNetworks  = 600 // altogether: many networks fill a disk as well as one does
	forNewcomers = 120 // of these, for networks that have had fewer than fewRecords
	fewRecords   = 4
	maxSummaries = 64 // kinds of summary; the others share one
	topNetworks  = 8  // that a summary names
)

// Network is the network that a peer's refusals are counted under: the address
// itself for IPv4, because a wider one would let whoever shares a provider's range
// push a neighbour's refusals out of the evidence; the /64 for IPv6, because that is
// the least that one host gets, and it may take any address in it.
func Network(peer netip.Addr) netip.Prefix {
	peer = peer.Unmap().WithZone("")
	bits := peer.BitLen()
	if peer.Is6() {
		bits = 64
	}
	p, _ := peer.Prefix(bits) // of an invalid address: the zero prefix
	return p
}

// AppendRefusal is Append for a refusal of a client that did not prove who it is.
// Anybody can cause them, so they are capped: 60 a minute of one network (see
// Network) with the same code and failed check, 120 of one network and 600
// altogether are written one by one; a fifth of these is for networks that had
// less than four, so that few loud ones do not keep a quiet one out. The others are
// counted and told by one summary record a
// minute for each issuer, endpoint and code; a kill loses the counts of the running
// minute. They never take from the reserve: while that cannot be filled up they are
// only counted.
func (s *Spool) AppendRefusal(r *Record, network netip.Prefix) error {
	at := r.Time
	if at.IsZero() {
		at = s.cfg.Now()
	}
	if !s.refused.admit(r, network, at, s.short.Load()) {
		return nil
	}
	return s.Append(r)
}

type networkKey struct {
	network     netip.Prefix
	code, check string
}

type summaryKey struct{ issuer, endpoint, code string }

type summary struct {
	count    int64
	networks [topNetworks]networkCount
}

type networkCount struct {
	network netip.Prefix
	count   int64
}

// refusals counts what is over the caps. Its memory is bounded whatever comes.
type refusals struct {
	suppressed atomic.Int64

	mu     sync.Mutex
	minute time.Time
	seen   map[networkKey]int
	from   map[netip.Prefix]int
	all    int
	over   map[summaryKey]*summary
}

// admit reports whether the refusal gets a record of its own, and counts it when
// it does not.
func (l *refusals) admit(r *Record, network netip.Prefix, at time.Time, short bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if minute, anew := nextMinute(l.minute, at); anew {
		l.minute, l.seen, l.from, l.all = minute, make(map[networkKey]int), make(map[netip.Prefix]int), 0
	}
	key := networkKey{network, r.Code, failedCheck(r.Checks)}
	room := allNetworks
	if l.from[network] >= fewRecords {
		room -= forNewcomers
	}
	if l.seen[key] < perKind && l.from[network] < perNetwork && l.all < room && !short {
		l.seen[key]++ // at most allNetworks keys: what is not admitted makes none
		l.from[network]++
		l.all++
		return true
	}
	l.suppressed.Add(1)
	l.count(summaryKey{r.Issuer, r.Endpoint, r.Code}, network, 1)
	return false
}

// nextMinute tells the minute of a cap, and whether it is a new one. Requests that
// began in the minute before may still come: they count in the running one, or
// whoever holds some of them back would get both caps by turns. A clock that was
// set back begins anew.
func nextMinute(running, at time.Time) (minute time.Time, anew bool) {
	minute = at.Truncate(time.Minute)
	if minute.After(running) || running.Sub(minute) > time.Minute {
		return minute, true
	}
	return running, false
}

// failedCheck is the name of the check that refused the request: names are ours,
// so there are few. A reason is free text, and would make a cap of each spelling.
func failedCheck(checks []symbolon.Check) string {
	for i := range checks {
		if !checks[i].OK {
			return checks[i].Name
		}
	}
	return ""
}

// count adds to a summary. The networks that it names are kept by the space-saving
// algorithm: exact while there are few, too high by less than the smallest one else.
func (l *refusals) count(key summaryKey, network netip.Prefix, n int64) {
	if l.over == nil {
		l.over = make(map[summaryKey]*summary)
	}
	s := l.over[key]
	if s == nil {
		if len(l.over) >= maxSummaries {
			key = summaryKey{}
		}
		if s = l.over[key]; s == nil {
			s = new(summary)
			l.over[key] = s
		}
	}
	s.count += n
	least := 0
	for i := range s.networks {
		if s.networks[i].network == network && s.networks[i].count > 0 {
			s.networks[i].count += n
			return
		}
		if s.networks[i].count < s.networks[least].count {
			least = i
		}
	}
	s.networks[least] = networkCount{network, s.networks[least].count + n}
}

// due returns the summaries of minutes that are over; with all, of the running
// one too.
func (l *refusals) due(now time.Time, all bool) []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.over) == 0 || !all && now.Truncate(time.Minute).Equal(l.minute) {
		return nil
	}
	var due []Record
	for key, s := range l.over {
		due = append(due, Record{
			Outcome: Refused, Issuer: key.issuer, Endpoint: key.endpoint, Code: key.code, Count: s.count,
			Reason: s.String(),
		})
	}
	clear(l.over)
	return due
}

// again takes back a summary that could not be written.
func (l *refusals) again(r *Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(summaryKey{r.Issuer, r.Endpoint, r.Code}, netip.Prefix{}, r.Count)
}

// String says where most came from.
func (s *summary) String() string {
	networks := slices.DeleteFunc(s.networks[:], func(n networkCount) bool { return n.count == 0 || !n.network.IsValid() })
	slices.SortStableFunc(networks, func(a, b networkCount) int { return cmp.Compare(b.count, a.count) })
	var b strings.Builder
	fmt.Fprintf(&b, "%d refusals more than the cap of one minute", s.count)
	for i, n := range networks {
		sep := ", "
		if i == 0 {
			sep = "; most from "
		}
		fmt.Fprintf(&b, "%s%s (%d)", sep, n.network, n.count)
	}
	return b.String()
}
