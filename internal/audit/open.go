package audit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// clockTolerance is how far the clock may be behind the newest record at start:
// a step of time synchronization, no more.
const clockTolerance = 5 * time.Second

func (cfg SpoolConfig) withDefaults() (SpoolConfig, error) {
	if cfg.Dir == "" || cfg.Node == "" {
		return cfg, errors.New("audit: SpoolConfig.Dir and Node are required")
	}
	switch cfg.OnFull {
	case "":
		cfg.OnFull = OnFullRefuse
	case OnFullRefuse, OnFullIssue:
	default:
		return cfg, fmt.Errorf("audit: on_full: %q is unknown: write %s or %s", cfg.OnFull, OnFullRefuse, OnFullIssue)
	}
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = defaultSegment
	}
	if cfg.Reserve == 0 {
		cfg.Reserve = defaultReserve
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return cfg, nil
}

// OpenSpool opens the spool, or begins one, and takes up the chain where it ended.
// What a kill left of a line that was being written is cut off; any other damage is
// logged, left as it is, and told by the header of the segment that is begun behind
// it. On a full disk it opens nevertheless: Append says so.
//
// ErrClock: records would stand before older ones.
func OpenSpool(cfg SpoolConfig) (*Spool, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Spool{
		cfg: cfg, size: segmentSize(cfg), lock: lock, written: make(chan struct{}),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		tail: append(appendMember(nil, `,"node":`, cfg.Node, maxWord), `,"n":`...),
	}
	if err := s.start(); err != nil {
		s.abandon()
		return nil, err
	}
	go s.keep()
	return s, nil
}

func (s *Spool) start() error {
	var err error
	if s.spares, err = findSpares(s.cfg.Dir); err != nil && !isFull(err) {
		return err
	}
	if err := s.recover(); err != nil {
		return err
	}
	if s.id == "" {
		s.id = rand.Text()
	}
	if s.cur == nil {
		s.mu.Lock()
		err = s.next(s.cfg.Now())
		s.mu.Unlock()
		if err != nil && !errors.Is(err, ErrFull) {
			return err
		}
	}
	s.opened = s.head
	return s.cutClosed()
}

// abandon closes the files of a spool that did not start.
func (s *Spool) abandon() {
	if s.cur != nil {
		s.cur.f.Close()
	}
	for _, f := range s.spares {
		f.Close()
	}
	s.lock.Close()
}

// recover finds the end of the chain in the newest segment.
func (s *Spool) recover() error {
	all, err := segments(s.cfg.Dir)
	if err != nil {
		return err
	}
	var damaged *survey // the newest segment, when not even its header is whole
	for i := len(all) - 1; i >= 0; i-- {
		f, err := os.OpenFile(segmentPath(s.cfg.Dir, all[i]), os.O_RDWR, 0)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		found, err := s.survey(f, all[i])
		switch {
		case err != nil:
			f.Close()
			return err
		case found.first == 0 && found.damage == nil:
			// A loss of power took the header: no line of this file was ever whole.
			s.cfg.Logger.Warn("audit: removed a segment that was never begun", "segment", all[i])
			if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
				return fmt.Errorf("audit: %w", err)
			}
			continue
		case found.first == 0 && damaged == nil && i > 0:
			f.Close()
			damaged = found
			continue
		}
		return s.takeUp(f, found, damaged)
	}
	return nil
}

// takeUp goes on where a survey found the end of the chain.
func (s *Spool) takeUp(f *os.File, found, damaged *survey) error {
	if now := s.cfg.Now(); now.Before(found.newest.Add(-clockTolerance)) {
		f.Close()
		return fmt.Errorf("%w: it says %s, and the newest record in %s is of %s. Set the clock (timedatectl); if the record is what is wrong, move the folder away and keep it",
			ErrClock, now.UTC().Format(time.RFC3339), s.cfg.Dir, found.newest.UTC().Format(time.RFC3339))
	}
	s.head = found.head
	if damaged != nil {
		damaged.head.N = max(damaged.head.N, found.head.N)
		damaged.head.Hash = found.head.Hash
		s.head, found.damage = damaged.head, damaged.damage
	}
	if s.damage = found.damage; s.damage != nil {
		s.cfg.Logger.Error("audit: the spool is damaged: it is left as it is, and evidence goes on in a new segment; run audit verify",
			"dir", s.cfg.Dir, "damage", s.damage)
		return f.Close()
	}
	s.cur = &segment{f: f, size: found.size, began: found.began, newest: found.newest, first: found.first, used: found.head.Offset, presented: found.presented}
	if !found.unread {
		s.found = found
	}
	if torn := found.torn - found.head.Offset; torn > 0 {
		s.cfg.Logger.Warn("audit: cut off a line that was not written to its end", "segment", found.head.Segment, "octets", torn)
		if err := writeZeros(f, found.head.Offset, found.torn); err != nil {
			return fmt.Errorf("audit: segment %d: %w", found.head.Segment, err)
		}
	}
	return nil
}

// cutClosed hands segments to the keeper that an earlier process closed and did not
// cut to their size any more.
func (s *Spool) cutClosed() error {
	all, err := segments(s.cfg.Dir)
	if err != nil {
		return err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i] >= s.head.Segment {
			continue
		}
		f, err := os.OpenFile(segmentPath(s.cfg.Dir, all[i]), os.O_RDWR, 0)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		end, err := lastWritten(f, 0)
		info, err2 := f.Stat()
		if err := errors.Join(err, err2); err != nil || info.Size() == end {
			return errors.Join(err, f.Close())
		}
		s.finished = append(s.finished, closedSegment{f, end})
	}
	return nil
}
