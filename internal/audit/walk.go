package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Damage is a place where the spool is not what was written. It is an error.
type Damage struct {
	Segment int64  `json:"segment"`
	Line    int64  `json:"line,omitempty"` // in its file; 1 is the header, 0 the file as a whole
	Record  int64  `json:"record"`         // number of the record that belongs there
	What    string `json:"what"`

	next Position // where reading can go on
}

// Error names the place and what is wrong with it.
func (d *Damage) Error() string {
	return fmt.Sprintf("audit: segment %d, line %d, record %d: %s", d.Segment, d.Line, d.Record, d.What)
}

// Next is where reading can go on behind the damage.
func (d *Damage) Next() Position { return d.next }

// ErrPosition: no line of the spool ends at the position.
var ErrPosition = errors.New("audit: no line of the spool ends there: it is another spool, or a part of it was cut off")

// errAtEnd: the rest of the file is not meant to be read yet.
var errAtEnd = errors.New("audit: end of what is written")

// walk goes over the lines of a spool in their order and checks the chain. Behind
// a Damage it can go on: it takes up the chain at the next line that there is.
type walk struct {
	dir    string
	limit  func() Position // end of what may be read, for the process that writes; nil: to the end of the files
	header func(header)    // called for each good header; may be nil
	trust  func() bool     // whether the hash of the next record may be left unchecked; may be nil

	f      *os.File
	lines  lines
	end    Position // what limit said last: it is asked again only there
	start  int64    // of the line that is looked at
	pos    Position
	linked bool // pos.Hash is the hash of the line before pos
	torn   bool // the newest segment ends in a part of a line
}

func (w *walk) close() {
	if w.f != nil {
		w.f.Close()
		w.f = nil
	}
}

// next returns the line of the next record, io.EOF at the end (a later call may
// find more), or a *Damage.
func (w *walk) next() ([]byte, error) {
	for {
		if w.f == nil {
			if err := w.open(); err != nil {
				return nil, err
			}
		}
		line, err := w.read()
		switch {
		case err == nil && w.pos.Offset == 0:
			err = w.takeHeader(line)
		case err == nil:
			return line, w.takeRecord(line)
		case errors.Is(err, errAtEnd):
			return nil, io.EOF
		case isEOF(err) || errors.Is(err, errPartial):
			err = w.cross(err)
		}
		if err != nil {
			return nil, err
		}
	}
}

// read reads a line, up to where the writer says that lines are whole.
func (w *walk) read() ([]byte, error) {
	w.lines.limit, w.start = 0, w.pos.Offset
	if w.limit != nil {
		if !w.pos.before(w.end) {
			if w.end = w.limit(); !w.pos.before(w.end) {
				return nil, errAtEnd
			}
		}
		if w.pos.Segment == w.end.Segment {
			w.lines.limit = w.end.Offset
		}
	}
	return w.lines.next()
}

// before reports whether p is an earlier place than q.
func (p Position) before(q Position) bool {
	return p.Segment < q.Segment || p.Segment == q.Segment && p.Offset < q.Offset
}

// open opens the segment of pos, or the first there is behind it.
func (w *walk) open() error {
	for {
		all, err := segments(w.dir)
		if err != nil {
			return err
		}
		i, found := slices.BinarySearch(all, w.pos.Segment)
		switch {
		case !found && w.pos.Offset > 0:
			return fmt.Errorf("%w (segment %d)", ErrPosition, w.pos.Segment)
		case i == len(all):
			return io.EOF
		}
		f, err := os.Open(segmentPath(w.dir, all[i]))
		if errors.Is(err, fs.ErrNotExist) && w.pos.Offset == 0 {
			continue // removed for its age since it was listed
		}
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		w.f, w.pos.Segment = f, all[i]
		w.lines = lines{f: f, off: w.pos.Offset, buf: w.lines.buf}
		if w.pos.Offset > 0 && !w.linked {
			return w.resume()
		}
		return nil
	}
}

// resume makes sure that a line ends at pos, and that it is the one that pos was
// taken from.
func (w *walk) resume() error {
	line, err := lineBefore(w.f, w.pos.Offset)
	d, ok := digest{}, false
	if err == nil {
		_, d, ok = claimed(line)
	}
	if err != nil || w.pos.Hash != (digest{}) && d != w.pos.Hash {
		w.close()
		return fmt.Errorf("%w (segment %d, octet %d)", ErrPosition, w.pos.Segment, w.pos.Offset)
	}
	// A line without a hash is damage that is known already: the chain begins
	// anew behind it.
	w.pos.Hash, w.linked = d, ok
	if n, ok := numberOf(line); ok {
		w.pos.N = n
	} else if h, err := parseHeader(line); err == nil {
		w.pos.N = h.First - 1
	}
	return nil
}

// lineBefore returns the line that ends, with its line break, at off.
func lineBefore(f io.ReaderAt, off int64) ([]byte, error) {
	buf := make([]byte, min(off, maxLine))
	if _, err := f.ReadAt(buf, off-int64(len(buf))); err != nil {
		return nil, err
	}
	text, ok := bytes.CutSuffix(buf, []byte("\n"))
	if !ok {
		return nil, ErrPosition
	}
	return text[bytes.LastIndexByte(text, '\n')+1:], nil
}

// takeRecord moves on behind a record's line, and checks it against the chain.
func (w *walk) takeRecord(line []byte) error {
	expected, linked := w.pos.N+1, w.linked
	n, numbered := numberOf(line)
	body, d, isLink := claimed(line)
	good := isLink && (w.trust != nil && w.trust() || link(w.pos.Hash, body) == d)
	if !numbered {
		n = expected
	}
	w.pos.Offset, w.pos.N, w.pos.Hash, w.linked = w.lines.off, n, d, isLink
	switch {
	case !numbered || !isLink:
		return w.damage(w.pos.Segment, expected, "this is not a record")
	case n > expected:
		return w.damage(w.pos.Segment, expected, fmt.Sprintf("records %d to %d are missing, or were moved", expected, n-1))
	case n < expected:
		return w.damage(w.pos.Segment, expected, fmt.Sprintf("record %d stands here: it was moved or inserted", n))
	case linked && !good:
		return w.damage(w.pos.Segment, expected, "the record was altered, or the one before it was exchanged")
	}
	return nil
}

// takeHeader moves on behind the header of a segment, and checks that the segment
// follows the one before.
func (w *walk) takeHeader(line []byte) error {
	n, last, linked := w.pos.N, w.pos.Hash, w.linked
	w.pos.Offset, w.linked = w.lines.off, false
	h, err := parseHeader(line)
	if err != nil {
		return w.damage(w.pos.Segment, n+1, err.Error())
	}
	prev, _ := parseDigest([]byte(h.Prev))
	d, good := fits(prev, line)
	w.pos.N, w.pos.Hash, w.linked = h.First-1, d, true
	if !good || h.Segment != w.pos.Segment {
		return w.damage(w.pos.Segment, h.First, "the header was altered, or is that of another segment")
	}
	if w.header != nil {
		w.header(h)
	}
	switch {
	case !linked || h.Damage != nil:
		return nil // nothing was read before it, or it says itself what is wrong there
	case h.First != n+1:
		return w.damage(w.pos.Segment, n+1, fmt.Sprintf("records %d to %d, the end of the segment before, are missing", n+1, h.First-1))
	case prev != last:
		return w.damage(w.pos.Segment, n, "the segment does not follow the last line of the one before: that line was altered")
	}
	return nil
}

// cross goes on to the next segment when there is one.
func (w *walk) cross(end error) error {
	all, err := segments(w.dir)
	if err != nil {
		return err
	}
	i, found := slices.BinarySearch(all, w.pos.Segment)
	if found {
		i++
	}
	if i == len(all) {
		w.torn = errors.Is(end, errPartial)
		return io.EOF
	}
	// A segment is closed before the next one gets its name: what was appended to it
	// between our reading and that is there now.
	off := w.lines.off
	if _, err := w.lines.next(); err == nil {
		w.lines.off, w.lines.unread = off, nil
		return nil
	}
	more, err := w.lines.rest()
	if err != nil {
		return fmt.Errorf("audit: segment %d: %w", w.pos.Segment, err)
	}
	if more {
		return w.pass(all[i])
	}
	expected := w.pos.Segment + 1
	w.leave(all[i])
	if all[i] != expected {
		w.linked = false
		return w.damage(expected, w.pos.N+1, fmt.Sprintf("segments %d to %d are missing", expected, all[i]-1))
	}
	return nil
}

// pass goes behind the next line break, over what is no line.
func (w *walk) pass(next int64) error {
	damage := w.damage(w.pos.Segment, w.pos.N+1, "what stands here is not a line").(*Damage)
	w.linked, w.pos.Hash = false, digest{}
	if err := w.lines.skip(); err == nil {
		w.pos.Offset = w.lines.off
	} else if isEOF(err) {
		w.leave(next)
	} else {
		return fmt.Errorf("audit: segment %d: %w", w.pos.Segment, err)
	}
	damage.next = w.pos
	return damage
}

func (w *walk) leave(next int64) {
	w.close()
	w.pos.Segment, w.pos.Offset = next, 0
}

// damage reports the line that is looked at; what the walk does now is its Next.
func (w *walk) damage(segment, record int64, what string) error {
	d := &Damage{Segment: segment, Record: record, What: what, next: w.pos}
	if w.f != nil {
		d.Line = w.countLines() + 1
	}
	return d
}

// countLines counts the lines of the segment before the one that is looked at.
func (w *walk) countLines() int64 {
	var n int64
	buf := make([]byte, readChunk)
	for off := int64(0); off < w.start; {
		part := buf[:min(int64(len(buf)), w.start-off)]
		got, err := w.f.ReadAt(part, off)
		n += int64(bytes.Count(part[:got], []byte("\n")))
		off += int64(got)
		if err != nil {
			break
		}
	}
	return n
}
