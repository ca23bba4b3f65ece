package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"
)

// survey is what the newest segment holds.
type survey struct {
	head   Position // end of the last line that fits
	size   int64
	first  int64 // end of the header
	began  time.Time
	newest time.Time // of the last record
	torn   int64     // what a kill left of a line ends here
	damage *Damage

	presented int64   // see segment
	taken     []taken // what was presented, expired or not
	unread    bool    // there was more, which is not legible
}

// survey reads the newest segment from its beginning.
func (s *Spool) survey(f *os.File, number int64) (*survey, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	found := &survey{size: info.Size(), head: Position{Segment: number}}
	w := &walk{dir: s.cfg.Dir, f: f, lines: lines{f: f}, pos: Position{Segment: number}}
	w.header = func(h header) {
		s.id, s.oldest = h.Spool, h.Oldest
		found.began, _ = time.Parse(time.RFC3339, h.Time)
		found.newest = found.began
	}
	line, err := w.surveyed()
	var last []byte
	whole := true
	// All of it: who asks says what has expired, and the clock may be wrong now.
	r := presentedReader{f: func(client string, p Presented) { found.taken = append(found.taken, taken{client, p}) }}
	for ; err == nil; line, err = w.surveyed() {
		if found.first == 0 {
			found.first = w.pos.Offset
		} else {
			last = append(last[:0], line...)
			whole = r.record(line) && whole
		}
		found.head = w.pos
	}
	var damage *Damage
	switch {
	case errors.As(err, &damage):
		found.damage = damage
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	if at, ok := timeOf(last); ok {
		found.newest = at
	}
	if found.presented = r.latest; !whole {
		found.presented, found.unread = math.MaxInt64, true
	}
	return found, s.surveyTail(f, w, found)
}

// surveyed returns the next line of this segment, the header too.
func (w *walk) surveyed() ([]byte, error) {
	line, err := w.read()
	switch {
	case errors.Is(err, errPartial):
		return nil, io.EOF
	case err != nil:
		return nil, err
	case w.pos.Offset == 0:
		return line, w.takeHeader(line)
	}
	return line, w.takeRecord(line)
}

// surveyTail tells a line that was torn by a kill from damage. Lines are written in
// their order, so a kill leaves the beginning of one line; a loss of power may have
// left any part of it. Whatever else stands there was evidence once.
func (s *Spool) surveyTail(f *os.File, w *walk, found *survey) error {
	if found.damage != nil {
		return s.surveyDamage(w, found)
	}
	end, err := lastWritten(f, found.head.Offset)
	if err != nil {
		return fmt.Errorf("audit: segment %d: %w", w.pos.Segment, err)
	}
	torn, err := isTorn(f, found.head.Offset, end)
	if err != nil {
		return fmt.Errorf("audit: segment %d: %w", w.pos.Segment, err)
	}
	if found.torn = end; !torn {
		found.damage = w.damage(w.pos.Segment, found.head.N+1, "what stands here is not a line").(*Damage)
		return s.surveyDamage(w, found)
	}
	return nil
}

// isTorn reports whether what stands from off to end, behind the last whole line,
// can be one line that was not written to its end.
func isTorn(f *os.File, off, end int64) (bool, error) {
	if end-off > MaxRecord {
		return false, nil
	}
	rest := make([]byte, end-off)
	if _, err := f.ReadAt(rest, off); err != nil && !isEOF(err) {
		return false, err
	}
	i := bytes.IndexByte(rest, '\n')
	return i < 0 || i == len(rest)-1 && bytes.IndexByte(rest, 0) >= 0, nil
}

// surveyDamage makes sure that new records get numbers above those behind the
// damage.
func (s *Spool) surveyDamage(w *walk, found *survey) error {
	found.torn = 0
	if n := w.pos.N; n < found.head.N+maxSkip {
		found.head.N = max(found.head.N, n)
	}
	for {
		line, err := w.lines.next()
		switch {
		case err == nil:
			if n, ok := numberOf(line); ok && n > found.head.N && n < found.head.N+maxSkip {
				found.head.N = n
			}
		case isEOF(err) || errors.Is(err, errPartial):
			if err := w.lines.skip(); isEOF(err) {
				return nil
			} else if err != nil {
				return fmt.Errorf("audit: segment %d: %w", w.pos.Segment, err)
			}
		default:
			return fmt.Errorf("audit: segment %d: %w", w.pos.Segment, err)
		}
	}
}

// maxSkip bounds how far the number of a line that nobody vouches for is believed.
const maxSkip = 1 << 24

// timeOf reads the time of a record, its first member.
func timeOf(line []byte) (time.Time, bool) {
	text, ok := bytes.CutPrefix(line, []byte(`{"time":"`))
	if !ok {
		return time.Time{}, false
	}
	text, _, ok = bytes.Cut(text, []byte(`"`))
	if !ok {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, string(text))
	return t, err == nil
}
