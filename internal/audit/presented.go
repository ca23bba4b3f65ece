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
	seconds := p.Expires.Unix()
	if p.Expires.Nanosecond() > 0 {
		seconds++ // never forgotten too early
	}
	return strconv.AppendInt(append(dst, '.'), seconds, 10)
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
// starts must know to refuse its replay. Other records cost it little: of a line
// that consumed nothing only a few words are looked for.
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
	r := presentedReader{since, now, f}
	var damages []error
	for i, number := range all[first:] {
		if i > 0 && number != all[first+i-1]+1 {
			damages = append(damages, fmt.Errorf("segments %d to %d: %w", all[first+i-1]+1, number-1, ErrIncomplete))
		}
		if err := r.segment(ctx, segmentPath(s.cfg.Dir, number)); err != nil {
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
	recordStart   = []byte(`{"time":"`)
)

// presentedReader reads for Spool.Presented.
type presentedReader struct {
	since, now time.Time
	f          func(client string, p Presented)
}

// segment reads one, and goes on behind what is no line.
func (r *presentedReader) segment(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	defer file.Close()
	l := lines{f: file}
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
		// A header tells of what had been lost when it was written.
		h, err := parseHeader(line)
		return err == nil && (h.Damage == nil || r.isBefore(h.Time))
	}
	whole := bytes.HasSuffix(line, []byte(`"}`)) && !bytes.Contains(line[1:], recordStart)
	_, rest, found := bytes.Cut(line, presentedName)
	if !found {
		return whole
	}
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
		if !p.Expires.Before(r.now) {
			r.f(unquoted(m.client), p)
		}
	}
	return whole
}

// isBefore reports whether a time is out of the window.
func (r *presentedReader) isBefore(text string) bool {
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && at.Before(r.since)
}
