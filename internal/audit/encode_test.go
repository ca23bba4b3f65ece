package audit

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
	"pgregory.net/rapid"
)

// hostile makes text of the kind that has broken logs: line breaks, separators,
// control and invisible characters, invalid UTF-8, quotation marks, all lengths.
func hostile() *rapid.Generator[string] {
	piece := rapid.OneOf(
		rapid.String(),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{
			"\u2028", "\u2029", "\n", "\r\n", "\x00", "\x1b[31m", "\x7f", "\u0085", "\u202e", "\ufeff", "\u200b", "\U000e0001", "\"", "\\", "\\u0000",
			`","hash":"`, `"}` + "\n" + `{"time":"`, "\xff", "\xed\xa0\x80", "…[12 more]", "§", "<script>", strings.Repeat("a", 5000), strings.Repeat("\x01", 3000),
		}),
	)
	return rapid.Map(rapid.SliceOfN(piece, 0, 4), func(p []string) string { return strings.Join(p, "") })
}

func hostileRecord(t *rapid.T) *Record {
	s := func() string { return hostile().Draw(t, "text") }
	r := &Record{
		Time:    time.UnixMicro(rapid.Int64Range(-1<<50, 1<<52).Draw(t, "time")).UTC(),
		Outcome: s(), Issuer: s(), Client: s(), Verified: rapid.Bool().Draw(t, "verified"), Cred: s(),
		APIs: rapid.SliceOfN(hostile(), 0, 12).Draw(t, "apis"), Count: rapid.Int64().Draw(t, "count"), Code: s(), Reason: s(), RequestID: s(),
		Endpoint: s(), Method: s(), Scope: s(), JTI: s(), KID: s(), Gen: rapid.Int64().Draw(t, "gen"), Exp: rapid.Int64().Draw(t, "exp"),
		Micros: rapid.Int64().Draw(t, "micros"), Dropped: rapid.Int64Range(0, 9).Draw(t, "dropped"),
	}
	if rapid.Bool().Draw(t, "has peer") {
		r.Peer = netip.MustParseAddr("fe80::1").WithZone(s())
	}
	for range rapid.IntRange(0, 50).Draw(t, "checks") {
		r.Checks = append(r.Checks, symbolon.Check{Name: s(), Clause: s(), Expected: s(), Got: s(), OK: rapid.Bool().Draw(t, "ok"), Fix: s()})
	}
	return r
}

// Nobody forges a line of the evidence by what they send, nor moves the cursor of
// whoever reads it: whatever a request holds, its record is one line of printable
// text of bounded size.
func TestRecordIsOneBoundedPrintableLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := hostileRecord(t)
		line := r.AppendJSON(nil)
		if len(line) > MaxRecord-maxTail+1 {
			t.Fatalf("%d octets", len(line))
		}
		if !utf8.Valid(line) {
			t.Fatalf("invalid UTF-8: %q", line)
		}
		for _, c := range string(line) {
			if !unicode.IsPrint(c) {
				t.Fatalf("%U is in the line: %q", c, line)
			}
		}
		var got Record
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if n := len(r.Checks); n > 0 {
			if len(got.Checks) == 0 || got.Checks[len(got.Checks)-1].OK != r.Checks[n-1].OK {
				t.Fatal("the last check is missing")
			}
			if got.Dropped != r.Dropped+int64(n-len(got.Checks)) {
				t.Fatalf("%d checks of %d, %d said to be dropped", len(got.Checks), n, got.Dropped)
			}
		}
		sameOrCut(t, "client", r.Client, got.Client)
		sameOrCut(t, "reason", r.Reason, got.Reason)
		sameOrCut(t, "scope", r.Scope, got.Scope)
		var m members
		if r.Outcome != "" && r.Count >= 0 && len(appendTime(nil, r.Time)) == timeText && !m.read(line) {
			t.Fatalf("the folds cannot read it: %s", line)
		}
	})
}

// A secret that was sent where another text belongs is not kept, nor what a cut
// would leave of it, in whichever member it stands.
func TestSecretsAreTakenOut(t *testing.T) {
	secret := registry.FormatSecret([32]byte{1, 2, 3})
	long := strings.Repeat("x ", maxOther/2-10) + secret // the cut goes through it
	for _, verified := range []bool{false, true} {
		for _, value := range []string{secret, "scope " + secret + " is unknown", long} {
			r := Record{Outcome: Refused, Verified: verified, Issuer: value, Client: value, Cred: value, APIs: []string{value}, Code: value, Reason: value,
				RequestID: value, Endpoint: value, Method: value, Scope: value, JTI: value, KID: value, Node: value,
				Checks: []symbolon.Check{{Name: value, Clause: value, Expected: value, Got: value, Fix: value}}}
			line := string(r.AppendJSON(nil))
			if strings.Contains(line, secret[:20]) {
				t.Errorf("a secret is in %s", line)
			}
			if value == secret && strings.Count(line, `"sym_[redacted]"`) != 18 {
				t.Errorf("something else is missing: %s", line)
			}
		}
	}
}

// What anybody can make the server write is small.
func TestRefusalsOfStrangersAreShort(t *testing.T) {
	long := strings.Repeat("é", 20_000)
	check := symbolon.Check{Name: "client authentication", Clause: "RFC 6749 §2.3.1", Expected: strings.Repeat("e", 60), Got: strings.Repeat("g", 60), Fix: strings.Repeat("f", 60)}
	r := Record{Time: newClock().now(), Outcome: Refused, Issuer: strings.Repeat("i", 63), Client: long, Reason: long, Scope: long, Code: "unsupported_grant_type",
		RequestID: "q3Zt0mV1xw8fYk2Lr5Bn7A", Endpoint: "token", Method: "client_secret_basic", Peer: netip.MustParseAddr("2001:db8:1111:2222:3333:4444:5555:6666"),
		Micros: 1_000_000, Checks: []symbolon.Check{check, check, check}, Node: "node-abcdefgh", N: 1_000_000_000, Hash: strings.Repeat("h", digestText)}
	for _, outcome := range []string{Refused, Failed} {
		r.Outcome, r.Verified = outcome, false
		if n := len(r.AppendJSON(nil)); n > 2<<10 {
			t.Errorf("%d octets of a stranger's request", n)
		}
		r.Verified = true
		if n := len(r.AppendJSON(nil)); n < 2*maxText {
			t.Errorf("%d octets of a known client's request", n)
		}
	}
	summary := Record{Outcome: Refused, Count: 7, Reason: strings.Repeat("r", maxText)}
	if !strings.Contains(string(summary.AppendJSON(nil)), `"`+summary.Reason+`"`) {
		t.Error("a summary was cut")
	}
}

// sameOrCut: a value is what it was, with invalid octets replaced, or a beginning of
// it and the mark.
func sameOrCut(t *rapid.T, name, want, got string) {
	want = strings.Map(func(r rune) rune { return r }, want) // invalid octets become U+FFFD
	if got == want {
		return
	}
	i := strings.LastIndex(got, markStart)
	if i < 0 || !strings.HasSuffix(got, " more]") || !strings.HasPrefix(want, got[:i]) {
		t.Fatalf("%s: %q became %q", name, want, got)
	}
}

// The hand-written form is the one that encoding/json would write.
func TestAppendJSONIsStandardJSON(t *testing.T) {
	for name, r := range map[string]*Record{
		"typical": typical(),
		"empty":   {Outcome: Refused},
		"all": {
			Time: time.Date(2026, 12, 31, 23, 59, 59, 999999000, time.UTC), Outcome: Failed, Issuer: "i", Client: "c", Verified: true, Cred: "k",
			APIs: []string{"a", "b"}, Count: 7, RequestID: "q", Endpoint: "token", Code: "server_error", Reason: "disk \"sda\" — full", Method: "m", Scope: "a b",
			JTI: "j", KID: "k", Gen: -1, Exp: 1, Peer: netip.MustParseAddr("2001:db8::1"), Micros: 3, Dropped: 2, Node: "n1", N: 9, Hash: "h",
			Checks: []symbolon.Check{{Name: "n", Clause: "RFC 6749 §5.2", Expected: "e", Got: "g", Fix: "f"}},
		},
	} {
		want, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var a, b Record
		got := r.AppendJSON(nil)
		if err := json.Unmarshal(got, &a); err != nil {
			t.Fatalf("%s: %v: %s", name, err, got)
		}
		if err := json.Unmarshal(want, &b); err != nil {
			t.Fatal(err)
		}
		opt := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
		if diff := cmp.Diff(b, a, opt); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if name == "all" {
			if diff := cmp.Diff(*r, a, opt); diff != "" {
				t.Errorf("a member is not written: %s", diff)
			}
		}
	}
}

func TestAppendTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMicro(rapid.Int64Range(-62135596800000000, 253402300799999999).Draw(t, "µs"))
		want := at.UTC().Format("2006-01-02T15:04:05.000000Z")
		if got := string(appendTime(nil, at)); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	})
}

// What a record may hold is decided here: a new member is looked at by whoever
// changes this list. None may hold a secret, a token, an assertion or a proof.
func TestRecordHasNoPlaceForSecrets(t *testing.T) {
	allowed := []string{
		"Time", "Outcome", "Issuer", "Client", "Verified", "Cred", "APIs", "Count", "Code", "Reason", "RequestID", "Endpoint", "Method", "Scope", "JTI", "KID",
		"Gen", "Exp", "Peer", "Presented", "Micros", "Checks", "Dropped", "Node", "N", "Hash",
	}
	var fields []string
	for f := range reflect.TypeFor[Record]().Fields() {
		fields = append(fields, f.Name)
	}
	if !slices.Equal(fields, allowed) {
		t.Errorf("fields are %q", fields)
	}
}

// The check that says why a request was refused is the last, and is always there.
func TestTheLastCheckHasItsPlace(t *testing.T) {
	long := strings.Repeat("\x01", 3000)
	r := &Record{
		Outcome: long, Issuer: long, Client: long, Cred: long, APIs: slices.Repeat([]string{long}, 20), Code: long, Reason: long, RequestID: long,
		Endpoint: long, Method: long, Scope: long, JTI: long, KID: long, Peer: netip.MustParseAddr("2001:db8:1111:2222:3333:4444:5555:6666"),
	}
	for range 50 {
		r.Checks = append(r.Checks, symbolon.Check{Name: long, Clause: long, Expected: long, Got: long, Fix: long, OK: true})
	}
	r.Checks[49].OK = false
	line := r.AppendJSON(nil)
	var got Record
	if err := json.Unmarshal(line, &got); err != nil || len(line) > MaxRecord-maxTail+1 {
		t.Fatalf("%d octets, %v", len(line), err)
	}
	if n := len(got.Checks); n < 2 || got.Checks[n-1].OK || got.Dropped != int64(50-n) {
		t.Errorf("%d checks, %d dropped", n, got.Dropped)
	}
}

func TestLongValuesAreMarked(t *testing.T) {
	r := &Record{Outcome: Refused, Client: strings.Repeat("x", 300), APIs: slices.Repeat([]string{"a"}, MaxAPIs+3)}
	line := r.AppendJSON(nil)
	for _, want := range []string{`"client":"` + strings.Repeat("x", maxID) + `…[140 more]"`, `"a","…[3 more]"]`} {
		if !bytes.Contains(line, []byte(want)) {
			t.Errorf("%s is not in %s", want, line)
		}
	}
}
