package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/symbolon/symbolon/internal/store"
)

// Anchors are what the store knows about a spool: what no one who can only write
// the spool's files can change.
type Anchors struct {
	Segments []store.Segment     // closed ones, see Folder
	Flushed  store.SpoolPosition // up to where the folds have read, and the hash of the line that ends there
}

// Report is what Verify found.
type Report struct {
	Node     string   `json:"node"` // that wrote the newest segment
	Segments int64    `json:"segments"`
	Records  int64    `json:"records"`
	First    int64    `json:"first"`  // number of the first record there is
	Last     int64    `json:"last"`   // and of the last
	Oldest   int64    `json:"oldest"` // the oldest segment that is kept
	Torn     bool     `json:"torn"`   // the end is a line that was not written to its end, as a kill leaves it or as it is being written
	Damages  []Damage `json:"damages"`
	More     int64    `json:"more,omitempty"` // damages above those that are named
}

// OK reports whether everything is as it was written.
func (r *Report) OK() bool { return len(r.Damages) == 0 }

// maxDamages is how many damages a report names.
const maxDamages = 100

// Verify reads the whole spool and names each place where a record was altered,
// deleted, inserted, moved or cut off. Without anchors a tail that was cut off or
// written anew with hashes that fit is not seen, nor a spool that was written anew
// as a whole; with them, only one that was not flushed yet. The spool may be in use.
func Verify(ctx context.Context, dir string, anchors Anchors) (*Report, error) {
	v := &verification{anchors: anchors, seen: make(map[int64]*seen)}
	v.walk = walkFrom(dir, Position{})
	v.walk.header = v.takeHeader
	defer v.walk.close()
	if err := v.read(ctx); err != nil {
		return nil, err
	}
	v.checkOldest()
	v.checkSegments()
	v.checkFlushed()
	return &v.report, nil
}

type verification struct {
	walk      *walk
	anchors   Anchors
	report    Report
	seen      map[int64]*seen // by number of the segment
	firstSeen int64
	flushed   *Damage // the line that ends at anchors.Flushed, as far as it would be named; nil: none does
	altered   bool    // that is not the line that the store knows
}

// seen is what was read of a segment.
type seen struct {
	first, last digest
	lines       int64
	n           int64 // number of its last record
	end         int64
}

func (v *verification) takeHeader(h header) {
	v.report.Node = h.Node
	v.report.Oldest = max(v.report.Oldest, h.Oldest)
	v.segment(h.Segment).first = v.walk.pos.Hash
	if h.Damage != nil {
		v.add(Damage{Segment: h.Damage.Segment, Line: h.Damage.Line, Record: h.Damage.Record,
			What: fmt.Sprintf("%s (found when segment %d was begun)", h.Damage.What, h.Segment)})
	}
	v.note()
}

func (v *verification) segment(number int64) *seen {
	g := v.seen[number]
	if g == nil {
		g = new(seen)
		v.seen[number] = g
		v.report.Segments++
		if v.firstSeen == 0 {
			v.firstSeen = number
		}
	}
	return g
}

// note keeps where the walk is now.
func (v *verification) note() {
	pos := v.walk.pos
	g := v.segment(pos.Segment)
	g.last, g.n, g.end = pos.Hash, pos.N, pos.Offset
	g.lines++
	if at := v.anchors.Flushed; pos.Segment == at.Segment && pos.Offset == at.Offset {
		v.flushed = &Damage{Segment: pos.Segment, Line: g.lines, Record: pos.N, What: alteredLast}
		v.altered = at.Hash != digest{} && at.Hash != pos.Hash
	}
}

func (v *verification) add(d Damage) {
	for i := range v.report.Damages {
		if old := &v.report.Damages[i]; old.Segment == d.Segment && old.Line == d.Line && old.Record == d.Record {
			return // told by a header, and found again
		}
	}
	if len(v.report.Damages) == maxDamages {
		v.report.More++
		return
	}
	v.report.Damages = append(v.report.Damages, d)
}

// read goes over all lines.
func (v *verification) read(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, err := v.walk.next()
		var damage *Damage
		switch {
		case errors.Is(err, io.EOF):
			if done, err := v.readTail(); done || err != nil {
				return err
			}
			continue
		case errors.As(err, &damage):
			v.add(*damage)
			if line == nil {
				continue
			}
		case err != nil:
			return err
		}
		if v.report.Records++; v.report.First == 0 {
			v.report.First = v.walk.pos.N
		}
		v.report.Last = v.walk.pos.N
		v.note()
	}
}

// readTail looks at what stands behind the last line. It reports false when there
// are lines by now.
func (v *verification) readTail() (bool, error) {
	w := v.walk
	if w.f == nil {
		return true, nil
	}
	off := w.pos.Offset
	end, err := lastWritten(w.f, off)
	if err != nil {
		return false, fmt.Errorf("audit: segment %d: %w", w.pos.Segment, err)
	}
	if end == off {
		return true, nil
	}
	w.lines.off, w.lines.unread, w.lines.limit = off, nil, 0
	if _, err := w.lines.next(); err == nil {
		w.lines.off, w.lines.unread = off, nil
		return false, nil
	}
	torn, err := isTorn(w.f, off, end)
	if err != nil {
		return false, fmt.Errorf("audit: segment %d: %w", w.pos.Segment, err)
	}
	if v.report.Torn = torn; torn {
		return true, nil
	}
	var damage *Damage
	if err := w.pass(w.pos.Segment + 1); !errors.As(err, &damage) {
		return false, err
	}
	v.add(*damage)
	return false, nil
}

// checkOldest finds segments that are missing at the beginning.
func (v *verification) checkOldest() {
	if v.report.Oldest > 0 && v.firstSeen > v.report.Oldest {
		v.add(Damage{Segment: v.report.Oldest, What: fmt.Sprintf("segments %d to %d are missing: no segment says that they were removed for their age", v.report.Oldest, v.firstSeen-1)})
	}
}

// checkSegments compares closed segments with their anchors.
func (v *verification) checkSegments() {
	for _, a := range v.anchors.Segments {
		g := v.seen[a.Number]
		switch {
		case a.Number < v.report.Oldest && (g == nil || a.Number < v.firstSeen):
		case g == nil:
			v.add(Damage{Segment: a.Number, What: fmt.Sprintf("the segment is missing: it had %d records", a.Records)})
		case g.lines-1 < a.Records:
			v.add(Damage{Segment: a.Number, Line: g.lines + 1, Record: g.n + 1, What: fmt.Sprintf("%d records of the %d that the store knows of are missing", a.Records-g.lines+1, a.Records)})
		case g.lines-1 > a.Records:
			v.add(Damage{Segment: a.Number, Line: a.Records + 2, Record: g.n - (g.lines - 2 - a.Records), What: fmt.Sprintf("the store knows of %d records only: what follows was added", a.Records)})
		case !bytes.Equal(g.first[:], a.FirstHash):
			v.add(Damage{Segment: a.Number, Line: 1, Record: g.n - a.Records + 1, What: "the header is not the one that the store knows of"})
		case !bytes.Equal(g.last[:], a.LastHash):
			v.add(Damage{Segment: a.Number, Line: g.lines, Record: g.n, What: "the last record is not the one that the store knows of"})
		}
	}
}

// alteredLast is what is wrong with a line whose hash fits, but is not the one that
// the store got.
const alteredLast = "the record is not the one that was flushed to the store last: it was written anew"

// checkFlushed makes sure that what was flushed is still there, as it was.
func (v *verification) checkFlushed() {
	at := v.anchors.Flushed
	if at.Segment == 0 || at.Segment < v.report.Oldest || at.Offset == 0 {
		return
	}
	if v.flushed != nil {
		if v.altered {
			v.add(*v.flushed)
		}
		return
	}
	g := v.seen[at.Segment]
	switch {
	case g == nil:
		v.add(Damage{Segment: at.Segment, What: "the segment is missing: it was flushed to the store"})
	case g.end < at.Offset:
		v.add(Damage{Segment: at.Segment, Line: g.lines + 1, Record: g.n + 1,
			What: fmt.Sprintf("the end is missing: %d octets were flushed to the store, %d are there", at.Offset, g.end)})
	case len(v.report.Damages) == 0:
		v.add(Damage{Segment: at.Segment, What: fmt.Sprintf("no record ends at octet %d, up to where it was flushed to the store", at.Offset)})
	}
}
