package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/symbolon/symbolon/internal/store"
)

// LoadAnchors reads what the store knows about the spool of a node.
func LoadAnchors(ctx context.Context, db *store.Store, node string) (Anchors, error) {
	var a Anchors
	var err error
	if a.Flushed, err = db.SpoolPosition(ctx, node); err != nil {
		return a, err
	}
	for after := int64(0); ; {
		page, err := db.Segments(ctx, node, after, 0)
		if err != nil || len(page) == 0 {
			return a, err
		}
		a.Segments = append(a.Segments, page...)
		after = page[len(page)-1].Number
	}
}

// anchor tells the store about a closed segment that ends at end.
func (f *Folder) anchor(ctx context.Context, end Position) error {
	spool := f.cfg.Spool
	g, err := readSegment(spool.cfg.Dir, end)
	if err != nil {
		return err
	}
	g.Node = spool.cfg.Node
	err = f.cfg.Store.AddSegment(ctx, *g)
	if errors.Is(err, store.ErrConflict) {
		// The chain of another spool with this node's name: nothing here can change that.
		f.cfg.Logger.Error("audit: the store knows another segment under this number; run audit verify", "segment", end.Segment, "error", err)
		return nil
	}
	return err
}

// readSegment reads the ends of a segment.
func readSegment(dir string, end Position) (*store.Segment, error) {
	file, err := os.Open(segmentPath(dir, end.Segment))
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	defer file.Close()
	l := lines{f: file, limit: end.Offset}
	line, err := l.next()
	if err != nil {
		return nil, fmt.Errorf("audit: segment %d: %w", end.Segment, err)
	}
	h, err := parseHeader(line)
	if err != nil {
		return nil, err
	}
	_, first, _ := claimed(line)
	g := &store.Segment{Number: end.Segment, FirstHash: first[:], LastHash: end.Hash[:], Records: end.N - h.First + 1}
	if began, err := time.Parse(time.RFC3339, h.Time); err == nil {
		g.From, g.To = began.UnixMicro(), began.UnixMicro()
	}
	if line, err := l.next(); err == nil {
		if at, ok := timeOf(line); ok {
			g.From = at.UnixMicro()
		}
	}
	if line, err := lineBefore(file, end.Offset); err == nil {
		if at, ok := timeOf(line); ok {
			g.To = at.UnixMicro()
		}
	}
	return g, nil
}

// pruneEvery is how often old segments are looked for.
const pruneEvery = time.Hour

func (f *Folder) pruneHourly(ctx context.Context) error {
	if now := f.cfg.Now(); f.cfg.Keep > 0 && now.Sub(f.pruned) >= pruneEvery {
		f.pruned = now
		return f.Prune(ctx)
	}
	return nil
}

// Prune removes the segments whose records are all older than Keep and that the
// store has an anchor of. The header of a new segment says so first: a segment
// that is missing without that is a damage.
func (f *Folder) Prune(ctx context.Context) error {
	if f.cfg.Keep <= 0 {
		return nil
	}
	spool := f.cfg.Spool
	before := f.cfg.Now().Add(-f.cfg.Keep)
	if err := errors.Join(spool.rollOld(before), f.Flush(ctx)); err != nil {
		return err
	}
	at, err := f.cfg.Store.SpoolPosition(ctx, spool.cfg.Node)
	if err != nil {
		return err
	}
	all, err := segments(spool.cfg.Dir)
	if err != nil {
		return err
	}
	var old []int64
	for _, number := range all {
		newest, err := newestTime(spool.cfg.Dir, number)
		if number >= at.Segment || err != nil || !newest.Before(before) {
			break
		}
		old = append(old, number)
	}
	if len(old) == 0 {
		return nil
	}
	if err := spool.retain(old[len(old)-1] + 1); err != nil {
		return err
	}
	for _, number := range old {
		if err := os.Remove(segmentPath(spool.cfg.Dir, number)); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	f.cfg.Logger.Info("audit: removed old segments", "count", len(old), "keep", f.cfg.Keep)
	return nil
}

// newestTime is the time of a closed segment's last record.
func newestTime(dir string, number int64) (time.Time, error) {
	file, err := os.Open(segmentPath(dir, number))
	if err != nil {
		return time.Time{}, fmt.Errorf("audit: %w", err)
	}
	defer file.Close()
	end, err := lastWritten(file, 0)
	if err != nil {
		return time.Time{}, err
	}
	line, err := lineBefore(file, end)
	if err != nil {
		return time.Time{}, err
	}
	if at, ok := timeOf(line); ok {
		return at, nil
	}
	h, err := parseHeader(line) // it has no record
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, h.Time)
}

// retain makes a new segment whose header says that those before oldest were
// removed, and makes that survive a loss of power.
func (s *Spool) retain(oldest int64) error {
	s.mu.Lock()
	was := s.oldest
	var err error
	switch {
	case s.closed:
		err = ErrClosed
	case oldest > was:
		s.oldest = oldest
		if err = s.next(s.cfg.Now()); err != nil {
			s.oldest = was
		}
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.syncAll()
}

// rollOld closes the current segment when all its records are older than before:
// nothing comes that would close it.
func (s *Spool) rollOld(before time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.cur == nil || s.cur.used == s.cur.first || !s.cur.newest.Before(before) {
		return nil
	}
	return s.next(s.cfg.Now())
}

// flushes notes that the store will know the spool up to there.
func (s *Spool) flushes(to store.SpoolPosition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushed = Position{Segment: to.Segment, Offset: to.Offset}
}

// isCut reports whether the store knows of more than there was when this process
// began to append, without having it from this process. What was appended since
// may reach beyond it: that a line ends there now says nothing.
func (s *Spool) isCut(at store.SpoolPosition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := Position{Segment: at.Segment, Offset: at.Offset}
	return s.opened.before(stored) && s.flushed.before(stored)
}

// skipPast begins a segment with a number above the given one, whose header tells
// what is missing before it.
func (s *Spool) skipPast(number int64, what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.skipTo = number + 1
	s.damage = &Damage{Segment: number, Record: s.opened.N + 1, What: what}
	return s.next(s.cfg.Now())
}

// tellInHeader begins a segment whose header tells of the damage, for good.
func (s *Spool) tellInHeader(d Damage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.damage = &d
	return s.next(s.cfg.Now())
}
