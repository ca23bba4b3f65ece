package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/store"
)

// Presented is a client assertion or a DPoP proof that was good for one token. In
// JSON it is a string: the digest in base64url, a dot, and the expiry in seconds
// since 1970, rounded up.
type Presented struct {
	Key     [32]byte // digest of what identifies it
	Expires time.Time
}

// MaxPresented is how many a record can hold: a request has one assertion and one
// proof at most.
const MaxPresented = 2

// MarshalText writes the form of the record.
func (p Presented) MarshalText() ([]byte, error) { return p.append(nil), nil }

func (p Presented) append(dst []byte) []byte {
	dst = base64.RawURLEncoding.AppendEncode(dst, p.Key[:])
	return strconv.AppendInt(append(dst, '.'), p.seconds(), 10)
}

func (p Presented) seconds() int64 {
	seconds := p.Expires.Unix()
	if p.Expires.Nanosecond() > 0 {
		seconds++ // never forgotten too early
	}
	return seconds
}

var errPresented = errors.New("audit: not a digest and its expiry")

// UnmarshalText reads it.
func (p *Presented) UnmarshalText(text []byte) error {
	digest, expires, found := strings.Cut(string(text), ".")
	seconds, err := strconv.ParseInt(expires, 10, 64)
	raw, err2 := base64.RawURLEncoding.Strict().DecodeString(digest)
	if !found || err != nil || err2 != nil || len(raw) != len(p.Key) {
		return errPresented
	}
	p.Key, p.Expires = [32]byte(raw), time.Unix(seconds, 0)
	return nil
}

func appendPresented(dst []byte, list []Presented) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(dst, `,"presented":[`...)
	for i, p := range list[:min(len(list), MaxPresented)] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(p.append(append(dst, '"')), '"')
	}
	return append(dst, ']')
}

// ErrIncomplete: evidence is missing or damaged, and with it what was presented.
var ErrIncomplete = errors.New("evidence is missing or damaged")

// Presented calls f for what tokens consumed in the time since then and what has
// not expired at now, with the client whose token it was: what a node that
// starts must know to refuse its replay. It reads little: OpenSpool has looked at
// the newest segment, and of one before whose successor says that all that was
// presented in it has expired only the header is read.
//
// It reads on past whatever is damaged or missing, and then returns an error that
// is ErrIncomplete: f was told of less than there was.
func (s *Spool) Presented(ctx context.Context, since, now time.Time, f func(client string, p Presented)) error {
	all, err := segments(s.cfg.Dir)
	if err != nil {
		return err
	}
	first := len(all)
	for first > 0 {
		first--
		newest, err := newestTime(s.cfg.Dir, all[first])
		// The newest segment may be empty. One that cannot be read hides none
		// of those before it.
		if err == nil && newest.Before(since) && first < len(all)-1 {
			break
		}
	}
	r := presentedReader{since: since, now: now, f: f}
	r.surveyed, r.end = s.surveyed(), s.Position()
	var damages []error
	for i, number := range all[first:] {
		if i > 0 && number != all[first+i-1]+1 {
			damages = append(damages, fmt.Errorf("segments %d to %d: %w", all[first+i-1]+1, number-1, ErrIncomplete))
		}
		if err := r.segment(ctx, s.cfg.Dir, number); err != nil {
			damages = append(damages, fmt.Errorf("segment %d: %w", number, err))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return errors.Join(damages...)
}

// Missing returns ErrIncomplete when the store has flushed more of this spool than
// there was when it was opened: its folder was lost, or its end.
func (s *Spool) Missing(ctx context.Context, db *store.Store) error {
	at, err := db.SpoolPosition(ctx, s.cfg.Node)
	if err == nil && s.isCut(at) {
		err = fmt.Errorf("the store knows the spool up to segment %d, octet %d: %w", at.Segment, at.Offset, ErrIncomplete)
	}
	return err
}

var (
	presentedName = []byte(`,"presented":["`)
	checksName    = []byte(`,"checks":[`)
	recordStart   = []byte(`{"time":"`)
)

// surveyed gives what OpenSpool has found in the newest segment, once: it may be
// much, and is asked for at the start. nil: it is not known.
func (s *Spool) surveyed() *survey {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.found
	s.found = nil
	return found
}

// presentedReader reads for Spool.Presented.
type presentedReader struct {
	since, now time.Time
	f          func(client string, p Presented)

	surveyed *survey  // what is known of the newest segment; nil: nothing
	end      Position // nothing is written behind it
	latest   int64    // expiry of all there was, expired or not, in seconds since 1970
}

// taken is what Presented tells of.
type taken struct {
	client string
	Presented
}

// segment reads as much of one as it must.
func (r *presentedReader) segment(ctx context.Context, dir string, number int64) error {
	path := segmentPath(dir, number)
	h, ok := headerOf(path)
	known := r.surveyed
	switch {
	case ok && known != nil && known.head.Segment == number:
		for _, t := range known.taken {
			r.tell(t.client, t.Presented)
		}
		part := lines{off: known.head.Offset}
		if r.end.Segment == number {
			part.limit = r.end.Offset // the survey has found NUL octets there
		}
		return errors.Join(r.header(h), r.part(ctx, path, part))
	case ok && r.expired(segmentPath(dir, number+1), number+1):
		return r.header(h)
	}
	return r.part(ctx, path, lines{})
}

// headerOf reads the header of a segment, if it is whole.
func headerOf(path string) (h header, ok bool) {
	file, err := os.Open(path)
	if err != nil {
		return h, false
	}
	defer file.Close()
	l := lines{f: file, buf: make([]byte, 8<<10)}
	line, err := l.next()
	if err != nil {
		return h, false
	}
	if h, err = parseHeader(line); err != nil {
		return h, false
	}
	prev, _ := parseDigest([]byte(h.Prev))
	_, ok = fits(prev, line)
	return h, ok
}

// expired reports whether the header of the segment in path says that all that was
// presented in the one before it has.
func (r *presentedReader) expired(path string, number int64) bool {
	h, ok := headerOf(path)
	return ok && h.Segment == number && h.Presented != nil && *h.Presented < r.now.Unix()
}

// header looks whether one tells of what had been lost when it was written.
func (r *presentedReader) header(h header) error {
	if h.Damage == nil || r.isBefore(h.Time) {
		return nil
	}
	return ErrIncomplete
}

// part reads lines of a segment, and goes on behind what is no line.
func (r *presentedReader) part(ctx context.Context, path string, l lines) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	defer file.Close()
	l.f = file
	whole := true
	for ctx.Err() == nil {
		line, err := l.next()
		switch {
		case err == nil:
			whole = r.line(line) && whole
			continue
		case errors.Is(err, errPartial):
			whole, err = false, l.skip()
		case isEOF(err):
			if err = l.skip(); err == nil { // NUL octets with text behind them
				whole = false
			}
		}
		if isEOF(err) {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrIncomplete, err)
		}
	}
	if !whole {
		return ErrIncomplete
	}
	return ctx.Err()
}

// line reads one, and reports whether it looks like one, and not like
// two whose line break is gone. A quotation mark in a value is escaped, so neither
// the member's name nor a record can stand in one.
func (r *presentedReader) line(line []byte) bool {
	if !bytes.HasPrefix(line, recordStart) {
		h, err := parseHeader(line)
		return err == nil && r.header(h) == nil
	}
	return r.record(line) && bytes.HasSuffix(line, []byte(`"}`)) && !bytes.Contains(line[1:], recordStart)
}

// record reads a line that is one, and reports whether what it presented is legible.
func (r *presentedReader) record(line []byte) bool {
	head, _, _ := bytes.Cut(line, checksName) // the most of it comes then
	_, rest, found := bytes.Cut(head, presentedName)
	if !found {
		return true
	}
	whole := true
	var m members
	if !m.read(line) {
		return false
	}
	list, _, _ := bytes.Cut(rest, []byte(`"]`))
	for text := range bytes.SplitSeq(list, []byte(`","`)) {
		var p Presented
		if p.UnmarshalText(text) != nil {
			whole = false
			continue
		}
		r.tell(unquoted(m.client), p)
	}
	return whole
}

func (r *presentedReader) tell(client string, p Presented) {
	r.latest = max(r.latest, p.seconds())
	if !p.Expires.Before(r.now) {
		r.f(client, p)
	}
}

// isBefore reports whether a time is out of the window.
func (r *presentedReader) isBefore(text string) bool {
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && at.Before(r.since)
}
