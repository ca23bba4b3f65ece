package audit

import (
	"net/netip"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
)

// Bounds of the values of a record, in octets as written, without quotes and
// mark. Their sum leaves room for the last check whatever the others hold, and
// the last check is the one that says why a request was refused.
const (
	maxWord  = 64   // outcome, endpoint, code, method, node, ids that we make
	maxID    = 160  // client, credential, key
	maxText  = 1024 // reason, scope
	maxOther = 256  // the same, of a refusal of somebody who did not prove who they are
	maxGot   = 256  // each text of a check
	maxCheck = 3*(maxGot+maxMark) + 2*(maxWord+maxMark) + 80
	maxMark  = 28  // of a cut value
	maxTail  = 300 // node, number and hash
)

// AppendJSON appends the record as one JSON object on one line, in the form that
// it has in the spool. Whatever the values hold, the line has no line break, no
// control or invisible character and no invalid UTF-8 in it, and at most
// MaxRecord octets. Members that are empty are left out; node, n and hash are
// written when they are set.
func (r *Record) AppendJSON(dst []byte) []byte {
	dst = appendBody(dst, r, r.Time)
	if r.Node != "" {
		dst = appendMember(dst, `,"node":`, r.Node, maxWord)
	}
	if r.N != 0 {
		dst = appendInt(dst, `,"n":`, r.N)
	}
	if r.Hash != "" {
		dst = appendMember(dst, `,"hash":`, r.Hash, maxWord)
	}
	return append(dst, '}')
}

// appendBody appends what the caller of Append knows, without the closing brace.
// The members that the folds read come first, in a fixed order (see folding).
func appendBody(dst []byte, r *Record, at time.Time) []byte {
	start, text := len(dst), r.maxText()
	dst = append(dst, `{"time":"`...)
	dst = appendTime(dst, at)
	dst = appendMember(dst, `","outcome":`, r.Outcome, maxWord)
	dst = appendOptional(dst, `,"issuer":`, r.Issuer, maxWord)
	dst = appendOptional(dst, `,"client":`, r.Client, maxID)
	if r.Verified {
		dst = append(dst, `,"verified":true`...)
	}
	dst = appendOptional(dst, `,"cred":`, r.Cred, maxID)
	dst = appendAPIs(dst, r.APIs)
	if r.Count != 0 {
		dst = appendInt(dst, `,"count":`, r.Count)
	}
	dst = appendOptional(dst, `,"request_id":`, r.RequestID, maxWord)
	dst = appendOptional(dst, `,"endpoint":`, r.Endpoint, maxWord)
	dst = appendOptional(dst, `,"code":`, r.Code, maxWord)
	dst = appendOptional(dst, `,"reason":`, r.Reason, text)
	dst = appendOptional(dst, `,"method":`, r.Method, maxWord)
	dst = appendOptional(dst, `,"scope":`, r.Scope, text)
	dst = appendOptional(dst, `,"jti":`, r.JTI, maxWord)
	dst = appendOptional(dst, `,"kid":`, r.KID, maxID)
	if r.Gen != 0 {
		dst = appendInt(dst, `,"gen":`, r.Gen)
	}
	if r.Exp != 0 {
		dst = appendInt(dst, `,"exp":`, r.Exp)
	}
	dst = appendPeer(dst, r.Peer)
	dst = appendPresented(dst, r.Presented)
	if r.Micros != 0 {
		dst = appendInt(dst, `,"micros":`, r.Micros)
	}
	return appendChecks(dst, r, start+MaxRecord-maxTail)
}

// maxText bounds reason and scope. Anybody can cause refusals of clients that do
// not prove who they are, and fill the disk with them.
func (r *Record) maxText() int {
	if anybody := !r.Verified && r.Count == 0; anybody && (r.Outcome == Refused || r.Outcome == Failed) {
		return maxOther
	}
	return maxText
}

func appendAPIs(dst []byte, apis []string) []byte {
	if len(apis) == 0 {
		return dst
	}
	dst = append(dst, `,"apis":`...)
	sep := byte('[')
	for _, api := range apis[:min(len(apis), MaxAPIs)] {
		dst = append(dst, sep)
		dst = appendString(dst, api, maxWord)
		sep = ','
	}
	if more := len(apis) - MaxAPIs; more > 0 {
		dst = append(appendMark(append(dst, `,"`...), more), '"')
	}
	return append(dst, ']')
}

// appendPeer drops the zone of an IPv6 address: it is free text, and comes from a
// header when there are trusted proxies.
func appendPeer(dst []byte, peer netip.Addr) []byte {
	if !peer.IsValid() {
		return dst
	}
	dst = append(dst, `,"peer":"`...)
	dst = peer.WithZone("").AppendTo(dst)
	return append(dst, '"')
}

// appendChecks appends the checks up to limit and counts those left out. The last
// one always has its place.
func appendChecks(dst []byte, r *Record, limit int) []byte {
	dropped := r.Dropped
	if len(r.Checks) > 0 {
		dst = append(dst, `,"checks":[`...)
		first := len(dst)
		for i := range r.Checks {
			before, room := len(dst), limit
			last := i == len(r.Checks)-1
			if !last {
				room -= maxCheck
			}
			if i >= MaxChecks-1 && !last {
				dropped++
				continue
			}
			if before > first {
				dst = append(dst, ',')
			}
			if dst = appendCheck(dst, &r.Checks[i]); len(dst) > room {
				dst = dst[:before]
				dropped++
			}
		}
		dst = append(dst, ']')
	}
	if dropped != 0 {
		dst = appendInt(dst, `,"dropped":`, dropped)
	}
	return dst
}

func appendCheck(dst []byte, c *symbolon.Check) []byte {
	dst = appendMember(dst, `{"name":`, c.Name, maxWord)
	dst = appendOptional(dst, `,"clause":`, c.Clause, maxWord)
	dst = appendOptional(dst, `,"expected":`, c.Expected, maxGot)
	dst = appendOptional(dst, `,"got":`, c.Got, maxGot)
	if c.OK {
		dst = append(dst, `,"ok":true`...)
	} else {
		dst = append(dst, `,"ok":false`...)
	}
	dst = appendOptional(dst, `,"fix":`, c.Fix, maxGot)
	return append(dst, '}')
}

func appendMember(dst []byte, name, value string, max int) []byte {
	return appendString(append(dst, name...), value, max)
}

func appendOptional(dst []byte, name, value string, max int) []byte {
	if value == "" {
		return dst
	}
	return appendString(append(dst, name...), value, max)
}

func appendInt(dst []byte, name string, v int64) []byte {
	return strconv.AppendInt(append(dst, name...), v, 10)
}

// appendTime appends t as RFC 3339 in UTC with six digits of fraction, so that
// texts of times sort as the times do.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
	}
	hour, minute, second := t.Clock()
	dst = append(dst, digits[year/100*2:][:2]...)
	dst = append(dst, digits[year%100*2:][:2]...)
	dst = appendTwo(append(dst, '-'), int(month))
	dst = appendTwo(append(dst, '-'), day)
	dst = appendTwo(append(dst, 'T'), hour)
	dst = appendTwo(append(dst, ':'), minute)
	dst = appendTwo(append(dst, ':'), second)
	micro := t.Nanosecond() / 1000
	dst = appendTwo(append(dst, '.'), micro/10000)
	dst = appendTwo(dst, micro/100%100)
	dst = appendTwo(dst, micro%100)
	return append(dst, 'Z')
}

func appendTwo(dst []byte, v int) []byte { return append(dst, digits[v*2], digits[v*2+1]) }

// digits are the numbers from 00 to 99.
var digits = func() string {
	var d []byte
	for i := range 100 {
		d = append(d, '0'+byte(i/10), '0'+byte(i%10))
	}
	return string(d)
}()

// plain are the octets that stand for themselves in a JSON string.
var plain = func() (t [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// appendString appends s as a JSON string of at most max octets, and cuts it
// where it would be longer. Every text of a record comes through here, so this is
// the one place that keeps secrets out which somebody sent as something else.
func appendString(dst []byte, s string, max int) []byte {
	s = registry.Redact(s)
	dst = append(dst, '"')
	if len(s) <= max {
		i := 0
		for i < len(s) && plain[s[i]] {
			i++
		}
		dst = append(dst, s[:i]...)
		s, max = s[i:], max-i
	}
	if s != "" {
		dst = appendHard(dst, s, max)
	}
	return append(dst, '"')
}

// appendHard escapes what is not printable: control characters and the line
// separators U+2028 and U+2029 (a line stays one line for every reader), marks
// that reorder or hide text on a terminal, and octets that are not UTF-8.
func appendHard(dst []byte, s string, max int) []byte {
	end := len(dst) + max
	for i := 0; i < len(s); {
		before, size := len(dst), 1
		switch c := s[i]; {
		case plain[c]:
			dst = append(dst, c)
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < utf8.RuneSelf:
			dst = appendUnit(dst, rune(c))
		default:
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			dst = appendRune(dst, r)
		}
		if len(dst) > end {
			return appendMark(dst[:before], len(s)-i)
		}
		i += size
	}
	return dst
}

func appendRune(dst []byte, r rune) []byte {
	switch {
	case unicode.IsPrint(r):
		return utf8.AppendRune(dst, r)
	case r > 0xffff:
		r -= 0x10000
		return appendUnit(appendUnit(dst, 0xd800|r>>10), 0xdc00|r&0x3ff)
	}
	return appendUnit(dst, r)
}

func appendUnit(dst []byte, u rune) []byte {
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', hex[u>>12&15], hex[u>>8&15], hex[u>>4&15], hex[u&15])
}

const markStart = "…["

// appendMark says that a value was cut. No value of the wire may hold "…".
func appendMark(dst []byte, left int) []byte {
	dst = append(dst, markStart...)
	dst = strconv.AppendInt(dst, int64(left), 10)
	return append(dst, " more]"...)
}
