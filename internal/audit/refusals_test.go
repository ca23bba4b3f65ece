package audit

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

func peer(s string) netip.Addr { return netip.MustParseAddr(s) }

// refusal is the record of a wrong secret.
func refusal(from string) *Record {
	return &Record{
		Outcome: Refused, Issuer: "default", Client: "whoever", Endpoint: "token", Code: "invalid_client", Peer: peer(from),
		Checks: []symbolon.Check{{Name: "client", OK: true}, {Name: "secret"}},
	}
}

func refuse(t testing.TB, s *Spool, n int, from string, change ...func(*Record)) {
	t.Helper()
	for range n {
		r := refusal(from)
		for _, c := range change {
			c(r)
		}
		if err := s.AppendRefusal(r, Network(r.Peer)); err != nil {
			t.Fatal(err)
		}
	}
}

func records(t testing.TB, dir string) []*Record {
	t.Helper()
	var all []*Record
	if err := Scan(dir, Position{}, func(r *Record, _ Position) error { all = append(all, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestNetwork(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.17": "192.0.2.17/32", "::ffff:192.0.2.17": "192.0.2.17/32", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := Network(peer(addr)).String(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
	if Network(netip.Addr{}).IsValid() {
		t.Error("an unknown peer has a network")
	}
}

func TestRefusalsAreCappedPerNetwork(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	s := spoolIn(t, dir, func(cfg *SpoolConfig) { cfg.Now = c.now })
	other := func(r *Record) { r.Code = "invalid_request" }
	check := func(r *Record) { r.Checks[1].Name = "state" }
	reason := func(r *Record) { r.Reason = fmt.Sprint("free text ", time.Now()) }
	refuse(t, s, 100, "192.0.2.1", reason)
	refuse(t, s, 100, "192.0.2.1", other)
	refuse(t, s, 100, "192.0.2.1", check) // the network has had its share
	refuse(t, s, 100, "192.0.2.2")
	refuse(t, s, 50, "2001:db8::1")
	refuse(t, s, 50, "2001:db8::ffff") // the same network
	want := perNetwork + 2*perKind
	if got := len(records(t, dir)); got != want {
		t.Errorf("%d records, want %d", got, want)
	}
	c.advance(time.Minute)
	refuse(t, s, 1, "192.0.2.1")
	if got := len(records(t, dir)); got != want+1 {
		t.Errorf("%d records in the next minute", got)
	}
}

// A few loud networks use up what there is for all of them, and a quiet one still
// has its first records.
func TestLoudNetworksLeaveRoomForQuietOnes(t *testing.T) {
	var l refusals
	at := newClock().now()
	admitted := func(from string, n int) (got int) {
		r := refusal(from)
		for i := range n {
			r.Code = fmt.Sprint("code", i%4)
			if l.admit(r, Network(r.Peer), at, false) {
				got++
			}
		}
		return got
	}
	all := 0
	for i := range 20 {
		all += admitted(fmt.Sprint("192.0.2.", i), 1000)
	}
	if got := admitted("198.51.100.7", 1); got != 1 {
		t.Error("a quiet network was kept out")
	}
	if all < allNetworks-forNewcomers || all > allNetworks-forNewcomers+20*fewRecords {
		t.Errorf("%d of the loud ones", all)
	}
	for i := range 1000 {
		all += admitted(fmt.Sprintf("203.0.%d.%d", i/256, i%256), 10)
	}
	if all++; all != allNetworks {
		t.Errorf("%d in all", all)
	}
}

// Requests that began before the minute was over and end in the next do not renew
// the caps of either.
func TestCapsAreNotRenewedByOldRequests(t *testing.T) {
	var l refusals
	r := refusal("192.0.2.1")
	now := newClock().now()
	admitted := 0
	for i := range 1000 {
		at := now
		if i%2 == 1 {
			at = now.Add(-time.Second)
		}
		if l.admit(r, Network(r.Peer), at, false) {
			admitted++
		}
	}
	if admitted != perKind {
		t.Errorf("%d admitted", admitted)
	}
	if l.admit(r, Network(r.Peer), now.Add(-time.Hour), false); l.all != 1 {
		t.Error("a clock that was set back does not begin anew")
	}
}

// Once a minute, and at Close, the others are told in one record of each kind.
func TestSuppressedRefusalsAreTold(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	s := spoolIn(t, dir, func(cfg *SpoolConfig) { cfg.Now = c.now })
	refuse(t, s, 100, "192.0.2.1")
	refuse(t, s, 75, "192.0.2.2")
	before := len(records(t, dir))
	s.tell(c.now(), false)
	if n := len(records(t, dir)); n != before {
		t.Errorf("%d records while the minute runs", n-before)
	}
	c.advance(time.Minute)
	s.tell(c.now(), false)
	s.tell(c.now(), false)
	told := records(t, dir)[before:]
	if len(told) != 1 {
		t.Fatalf("%d summaries", len(told))
	}
	r := told[0]
	if r.Count != 55 || r.Outcome != Refused || r.Issuer != "default" || r.Code != "invalid_client" || r.Endpoint != "token" || r.Verified ||
		r.Reason != "55 refusals more than the cap of one minute; most from 192.0.2.1/32 (40), 192.0.2.2/32 (15)" {
		t.Errorf("%+v", r)
	}
	refuse(t, s, 70, "192.0.2.1")
	closeSpool(t, s)
	all := records(t, dir)
	if r := all[len(all)-1]; r.Count != 10 {
		t.Errorf("at Close: %+v", r)
	}
}

// A flood from a million addresses: the records, the memory and the summaries stay
// bounded, and none is uncounted.
func TestFloodOfNetworks(t *testing.T) {
	var l refusals
	at := newClock().now()
	r := refusal("192.0.2.1")
	admitted := int64(0)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var issuers [1000]string
	for i := range issuers {
		issuers[i] = fmt.Sprint("i", i)
	}
	for i := range flood {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(i))
		r.Issuer = issuers[i%1000] // no more kinds of summaries either
		if l.admit(r, Network(netip.AddrFrom4(a)), at, false) {
			admitted++
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2<<20 {
		t.Errorf("the limiter holds %d octets", grown)
	}
	if admitted != allNetworks {
		t.Errorf("%d admitted", admitted)
	}
	due := l.due(at.Add(time.Minute), false)
	if len(due) > maxSummaries+1 {
		t.Errorf("%d summaries", len(due))
	}
	var told int64
	for _, d := range due {
		told += d.Count
		if len(d.Reason) > maxText {
			t.Errorf("a reason of %d octets", len(d.Reason))
		}
	}
	if told+admitted != flood {
		t.Errorf("%d told and %d admitted of %d", told, admitted, flood)
	}
	if l.due(at.Add(time.Hour), true) != nil {
		t.Error("told twice")
	}
}

// The networks that a summary names include every one with a large share.
func TestSummaryNamesTheLargest(t *testing.T) {
	var l refusals
	at := newClock().now()
	r := refusal("192.0.2.1")
	for i := range 20_000 {
		n := Network(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
		if i%3 == 0 {
			n = Network(peer("203.0.113.9"))
		}
		l.admit(r, n, at, true)
	}
	due := l.due(at, true)
	if len(due) != 1 || !strings.Contains(due[0].Reason, "most from 203.0.113.9/32") {
		t.Errorf("%+v", due)
	}
}

// What cannot be written is told later.
func TestSummaryIsKeptUntilItIsWritten(t *testing.T) {
	var l refusals
	at := newClock().now()
	l.admit(refusal("192.0.2.1"), Network(peer("192.0.2.1")), at, true)
	due := l.due(at, true)
	l.again(&due[0])
	if due = l.due(at, true); len(due) != 1 || due[0].Count != 1 {
		t.Errorf("%+v", due)
	}
}
