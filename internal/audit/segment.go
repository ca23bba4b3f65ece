package audit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/disk"
)

// segment is the file that is appended to.
type segment struct {
	f      *os.File
	began  time.Time
	newest time.Time // of its records; began when there is none
	size   int64     // octets that are preallocated
	first  int64     // end of the header
	used   int64     // end of the last whole line
	dirty  int64     // a write that failed may have left something up to here

	presented int64 // when the last of what its records presented expires, in seconds since 1970; 0: nothing was
}

// write writes a whole line or leaves none: what a failed write has left is
// covered by NUL octets, at the latest together with the next line.
func (g *segment) write(line []byte) error {
	end := g.used + int64(len(line))
	if g.dirty > end {
		line = append(line, make([]byte, g.dirty-end)...)
	}
	if _, err := g.f.WriteAt(line, g.used); err != nil {
		// Not what WriteAt counts: os.File tells 0 when an error follows a short write.
		g.dirty = max(g.dirty, end)
		if writeZeros(g.f, g.used, g.dirty) == nil {
			g.dirty = 0
		}
		return err
	}
	g.used, g.dirty = end, 0
	return nil
}

// closedSegment is a full segment on its way out.
type closedSegment struct {
	f    *os.File
	used int64
}

// A segment is closed when it is full, and daily: then the store gets an anchor
// each day, and what is kept for so many days goes when they are over.
const maxAge = 24 * time.Hour

// room makes sure that n octets fit into the current segment. s.mu is held.
func (s *Spool) room(n int64, at time.Time) error {
	g := s.cur
	if g != nil && !s.roll && g.used+n <= g.size && (at.Sub(g.began) < maxAge || g.used == g.first) {
		return nil
	}
	err := s.next(at)
	if err != nil && g != nil && g.used+n <= g.size && !s.roll {
		return nil // it is only old: it does as long as there is no other
	}
	return err
}

// next begins a new segment. s.mu is held.
func (s *Spool) next(at time.Time) error {
	f, err := s.takeSpare()
	if err != nil {
		return err
	}
	h := header{
		Spool: s.id, Segment: max(s.head.Segment+1, s.skipTo), Node: s.cfg.Node, Time: string(appendTime(nil, at)),
		First: s.head.N + 1, Oldest: s.oldest, Damage: s.damage,
	}
	if h.Oldest == 0 {
		h.Oldest = h.Segment
	}
	if s.cur != nil && s.damage == nil && h.Segment == s.head.Segment+1 {
		h.Presented = &s.cur.presented
	}
	g, hash, err := begin(f, s.cfg.Dir, &h, s.head.Hash)
	if err != nil {
		s.spares = append([]*os.File{f}, s.spares...)
		if isFull(err) {
			return fmt.Errorf("%w (%w)", ErrFull, err)
		}
		return err
	}
	g.began, g.newest = at, at
	s.renamed = true
	if s.cur != nil {
		s.finished = append(s.finished, closedSegment{s.cur.f, s.cur.used})
	}
	s.cur, s.roll, s.damage, s.oldest = g, false, nil, h.Oldest
	s.head = Position{Segment: h.Segment, Offset: g.used, N: s.head.N, Hash: hash}
	s.poke()
	return nil
}

// begin writes the header of a segment into a spare and gives it its name. A
// kill in between leaves a spare with a header in it, see findSpares.
func begin(f *os.File, dir string, h *header, prev digest) (*segment, digest, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, digest{}, fmt.Errorf("audit: %w", err)
	}
	line, hash, err := h.appendTo(make([]byte, len(digest{})), prev)
	if err != nil {
		return nil, digest{}, err
	}
	g := &segment{f: f, size: info.Size()}
	if err := g.write(line[len(digest{}):]); err != nil {
		return nil, digest{}, fmt.Errorf("audit: segment %d: %w", h.Segment, err)
	}
	if err := os.Rename(f.Name(), segmentPath(dir, h.Segment)); err != nil {
		return nil, digest{}, errors.Join(fmt.Errorf("audit: segment %d: %w", h.Segment, err), writeZeros(f, 0, g.used))
	}
	g.first = g.used
	return g, hash, nil
}

// takeSpare returns an empty segment. s.mu is held.
func (s *Spool) takeSpare() (*os.File, error) {
	if len(s.spares) > 0 {
		f := s.spares[0]
		s.spares = s.spares[1:]
		return f, nil
	}
	if s.short.Load() {
		return nil, ErrFull // known: the keeper tries again, not every request
	}
	f, err := makeSpare(s.cfg.Dir, s.size)
	if err != nil {
		s.setShort(err)
		if isFull(err) {
			return nil, fmt.Errorf("%w (%w)", ErrFull, err)
		}
		return nil, err
	}
	return f, nil
}

// makeSpare makes a preallocated file that survives a loss of power.
func makeSpare(dir string, size int64) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, reservePrefix+rand.Text()[:8]), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err = preallocate(f, size); err == nil {
		err = errors.Join(f.Sync(), disk.SyncDir(dir))
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, fmt.Errorf("audit: no room for another segment of %d octets in %s: %w", size, dir, err)
	}
	return f, nil
}

// findSpares opens the spares that an earlier process has left. Those that it
// did not finish are removed, and so is a header that it wrote into one. One with
// records is a segment whose new name a loss of power took: it gets it again.
func findSpares(dir string) ([]*os.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var spares []*os.File
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), reservePrefix) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && info.Size() < minSegment {
			if err := os.Remove(path); err != nil {
				return spares, fmt.Errorf("audit: %w", err)
			}
			continue
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return spares, fmt.Errorf("audit: %w", err)
		}
		named, err := nameAgain(f, dir)
		if err == nil && !named {
			err = writeZeros(f, 0, minSegment)
		}
		if err != nil || named {
			f.Close()
		}
		if err != nil {
			return spares, fmt.Errorf("audit: %s: %w", path, err)
		}
		if !named {
			spares = append(spares, f)
		}
	}
	return spares, nil
}

// nameAgain gives a file its name as a segment when it holds records.
func nameAgain(f *os.File, dir string) (bool, error) {
	l := lines{f: f}
	line, err := l.next()
	if err != nil {
		return false, nil
	}
	h, err := parseHeader(line)
	if err != nil {
		return false, nil
	}
	if _, err := l.next(); err != nil {
		return false, nil
	}
	path := segmentPath(dir, h.Segment)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("it holds segment %d, which is there already: move it away", h.Segment)
	}
	return true, errors.Join(os.Rename(f.Name(), path), disk.SyncDir(dir))
}

// segmentSize is the size of new segments: on a small disk the reserve and the
// current segment together take at most an eighth of it.
func segmentSize(cfg SpoolConfig) int64 {
	size := cfg.SegmentBytes
	if disk := diskSize(cfg.Dir); disk > 0 {
		size = min(size, disk/8/int64(cfg.Reserve+1)&^4095)
	}
	return max(size, minSegment)
}
