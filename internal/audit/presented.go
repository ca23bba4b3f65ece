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

// Presented calls f for what tokens consumed in the time since then and what has
// not expired at now, with the client whose token it was: what a node that
// starts must know to refuse its replay. Other records cost it little: of a line
// that consumed nothing only a few words are looked for.
func (s *Spool) Presented(ctx context.Context, since, now time.Time, f func(client string, p Presented)) error {
	all, err := segments(s.cfg.Dir)
	if err != nil {
		return err
	}
	first := len(all)
	for first > 0 {
		first--
		newest, err := newestTime(s.cfg.Dir, all[first])
		if err != nil || newest.Before(since) { // the newest segment may be empty
			if first < len(all)-1 {
				break
			}
		}
	}
	for _, number := range all[first:] {
		if err := presentedIn(ctx, segmentPath(s.cfg.Dir, number), now, f); err != nil {
			return err
		}
	}
	return nil
}

var presentedName = []byte(`,"presented":["`)

// presentedIn reads one segment. A quotation mark in a value is escaped, so the
// member's name cannot stand in one.
func presentedIn(ctx context.Context, path string, now time.Time, f func(client string, p Presented)) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer file.Close()
	l := lines{f: file}
	var m members
	for ctx.Err() == nil {
		line, err := l.next()
		if isEOF(err) || errors.Is(err, errPartial) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		_, rest, found := bytes.Cut(line, presentedName)
		if !found || !m.read(line) {
			continue
		}
		list, _, _ := bytes.Cut(rest, []byte(`"]`))
		for text := range bytes.SplitSeq(list, []byte(`","`)) {
			var p Presented
			if p.UnmarshalText(text) == nil && !p.Expires.Before(now) {
				f(unquoted(m.client), p)
			}
		}
	}
	return ctx.Err()
}
