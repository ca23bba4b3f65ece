package audit

import (
	"errors"
	"fmt"
	"sync"

	"github.com/symbolon/symbolon/internal/disk"
)

// groupSync lets appends that run at the same time share one fsync.
type groupSync struct {
	mu   sync.Mutex
	last *round // the one that began to sync last
	next *round // has not begun to sync
}

type round struct {
	done chan struct{}
	err  error
}

// wait returns when a sync that began after the call has ended. The first who
// waits for a round leads it, while the round before is still at work.
func (g *groupSync) wait(sync func() error) error {
	g.mu.Lock()
	r := g.next
	lead, before := r == nil, g.last
	if lead {
		r = &round{done: make(chan struct{})}
		g.next = r
	}
	g.mu.Unlock()
	if lead {
		if before != nil {
			<-before.done
		}
		g.mu.Lock()
		g.last, g.next = r, nil // whoever has written later waits for the next round
		g.mu.Unlock()
		r.err = sync()
		close(r.done)
	}
	<-r.done
	return r.err
}

// syncAll makes everything that is written survive a loss of power. After an error
// nobody knows what reached the disk (the kernel forgets that it did not): the
// records of this round count as not written, and the chain goes on in a new file.
func (s *Spool) syncAll() error {
	s.finishing.Lock()
	defer s.finishing.Unlock()
	cur, err := s.finishClosed()
	if cur != nil {
		err = errors.Join(err, syncData(cur.f))
	}
	if err == nil {
		return nil
	}
	s.mu.Lock()
	s.roll = s.cur != nil && s.cur.used > s.cur.first
	s.mu.Unlock()
	return fmt.Errorf("audit: the record could not be synced: %w", err)
}

// finish does what is still to be done for segments that were closed.
func (s *Spool) finish() error {
	s.finishing.Lock()
	defer s.finishing.Unlock()
	_, err := s.finishClosed()
	return err
}

// finishClosed cuts the segments that were closed to their size, syncs and closes
// them. It returns the segment that was current when it began: if that is closed
// meanwhile, its file stays open until the next call, for which the caller's
// s.finishing has to be free.
func (s *Spool) finishClosed() (*segment, error) {
	s.mu.Lock()
	cur, finished, renamed := s.cur, s.finished, s.renamed
	s.finished, s.renamed = nil, false
	s.mu.Unlock()
	var err error
	if renamed {
		err = disk.SyncDir(s.cfg.Dir)
	}
	for _, c := range finished {
		err = errors.Join(err, c.f.Truncate(c.used), syncData(c.f), c.f.Close())
	}
	return cur, err
}
