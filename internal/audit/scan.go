package audit

import (
	"context"
	"errors"
	"io"
	"time"
)

// Scan calls fn for each record behind from, in order, with the position behind
// it, and checks the chain as it goes. It ends at the end of the spool, with the
// error of fn, or at the first *Damage: a caller that has taken note of it may go
// on from its Next. The record is the callee's to keep. A spool may be scanned
// while a process appends to it.
//
// ErrPosition: from is not in this spool.
func Scan(dir string, from Position, fn func(*Record, Position) error) error {
	return scan(walkFrom(dir, from), fn)
}

func walkFrom(dir string, from Position) *walk { return &walk{dir: dir, pos: from} }

func scan(w *walk, fn func(*Record, Position) error) error {
	defer w.close()
	for {
		line, err := w.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r, err := parseRecord(line)
		if err != nil {
			return w.damage(w.pos.Segment, w.pos.N, err.Error())
		}
		if err := fn(r, w.pos); err != nil {
			return err
		}
	}
}

// End is the end of the newest record of the spool in dir, which another process
// may be writing.
func End(dir string) (Position, error) {
	all, err := segments(dir)
	if err != nil || len(all) == 0 {
		return Position{}, err
	}
	w := walkFrom(dir, Position{Segment: all[len(all)-1]})
	defer w.close()
	for {
		_, err := w.next()
		var damage *Damage
		switch {
		case errors.Is(err, io.EOF):
			return w.pos, nil
		case err != nil && !errors.As(err, &damage):
			return Position{}, err
		}
	}
}

// pollEvery is how often Follow looks for records of another process.
const pollEvery = 250 * time.Millisecond

// Follow is Scan that does not end: it waits for records that come later, of this
// process or another, until ctx ends or fn returns an error, and returns that. fn
// is called for each Damage with a nil record, and following goes on behind it.
func Follow(ctx context.Context, dir string, from Position, fn func(*Record, Position, *Damage) error) error {
	return follow(ctx, walkFrom(dir, from), fn, func(Position) error {
		timer := time.NewTimer(pollEvery)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return nil
		}
	})
}

// Follow is the function Follow, woken by each append of this process.
func (s *Spool) Follow(ctx context.Context, from Position, fn func(*Record, Position, *Damage) error) error {
	w := walkFrom(s.cfg.Dir, from)
	w.limit = s.Position
	return follow(ctx, w, fn, func(at Position) error { return s.wait(ctx, at) })
}

func follow(ctx context.Context, w *walk, fn func(*Record, Position, *Damage) error, wait func(Position) error) error {
	defer w.close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, err := w.next()
		var r *Record
		var damage *Damage
		switch {
		case errors.Is(err, io.EOF):
			if err := wait(w.pos); err != nil {
				return err
			}
			continue
		case errors.As(err, &damage):
		case err != nil:
			return err
		default:
			if r, err = parseRecord(line); err != nil {
				damage = w.damage(w.pos.Segment, w.pos.N, err.Error()).(*Damage)
			}
		}
		if err := fn(r, w.pos, damage); err != nil {
			return err
		}
	}
}

// wait returns when something was appended behind at.
func (s *Spool) wait(ctx context.Context, at Position) error {
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	s.mu.Lock()
	head, written, closed := s.head, s.written, s.closed
	s.mu.Unlock()
	switch {
	case at.before(head):
		return nil
	case closed:
		return ErrClosed
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-written:
		return nil
	}
}
