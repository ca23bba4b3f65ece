package audit

import (
	"fmt"
	"time"
)

// keepEvery is how often the reserve is looked after: how soon after a full disk
// has space again records are taken again.
const keepEvery = time.Second

// keep looks after the spool until Close: reserve, closed segments, summaries.
func (s *Spool) keep() {
	defer close(s.done)
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		if !s.cfg.Sync { // else whoever waits for a sync does it, and gets the error
			if err := s.finish(); err != nil {
				s.cfg.Logger.Error("audit: a closed segment could not be synced; verify the spool", "dir", s.cfg.Dir, "error", err)
			}
		}
		s.fill()
		select {
		case <-s.stop:
			return
		case <-s.wake:
		case <-tick.C:
		}
		s.tell(s.cfg.Now(), false)
	}
}

// poke wakes the keeper.
func (s *Spool) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// fill makes spares up to the reserve.
func (s *Spool) fill() {
	for {
		s.mu.Lock()
		enough := len(s.spares) >= s.cfg.Reserve
		s.mu.Unlock()
		if enough {
			s.setShort(nil)
			return
		}
		f, err := makeSpare(s.cfg.Dir, s.size)
		if err != nil {
			s.setShort(err)
			return
		}
		s.mu.Lock()
		s.spares = append(s.spares, f)
		s.mu.Unlock()
	}
}

// setShort keeps whether the reserve can be filled up, and says so once.
func (s *Spool) setShort(err error) {
	short := err != nil
	switch {
	case s.short.Swap(short) == short:
	case short:
		s.cfg.Logger.Error("audit: no room for more evidence; when the reserve is used up no tokens are issued (audit.on_full): free space on its disk",
			"dir", s.cfg.Dir, "on_full", s.cfg.OnFull, "error", err)
	default:
		s.cfg.Logger.Info("audit: there is room for evidence again", "dir", s.cfg.Dir)
	}
}

// tell writes the summaries that are due: of refusals over the cap once a minute,
// and of lost records as soon as there is room. all writes them at once.
func (s *Spool) tell(now time.Time, all bool) {
	s.tellLost(now)
	for _, r := range s.refused.due(now, all) {
		r.Time = now
		if err := s.append(&r); err != nil {
			s.refused.again(&r)
		}
	}
}

func (s *Spool) tellLost(now time.Time) {
	n := s.untold.Swap(0)
	if n == 0 {
		return
	}
	r := Record{
		Time: now, Outcome: Notice, Endpoint: "spool", Code: "evidence_lost", Count: n,
		Reason: fmt.Sprintf("%d requests went on without a record, because there was no room for it (audit.on_full: %s)", n, OnFullIssue),
	}
	if s.append(&r) != nil {
		s.untold.Add(n)
		if now.Sub(s.toldAt) >= time.Minute {
			s.toldAt = now
			s.cfg.Logger.Error("audit: requests go on without evidence: free space on the disk of the spool", "dir", s.cfg.Dir, "lost", s.lost.Load())
		}
	}
}
