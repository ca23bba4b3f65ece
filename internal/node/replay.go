package node

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/server"
	"github.com/symbolon/symbolon/internal/store"
)

const (
	rememberEvery = time.Second // how often it is looked whether the shared memory is back
	forgetEvery   = time.Minute // what has expired goes from the shared memory
	// forgetAfter: a node whose clock is behind believes it still.
	forgetAfter = 2*time.Hour + server.LongestPresentable
	laterMost   = 100_000 // entries that wait for the shared memory to be back
	laterBatch  = 500
)

// openReplay remembers what this node took before it was stopped or killed: the
// records of its tokens say so. Where they are lost, or may be with the last
// seconds before a loss of power, nothing is taken that was issued before this
// start.
func (n *Node) openReplay(ctx context.Context) (err error) {
	n.presented = dpop.NewMemory(dpop.MemoryConfig{Now: n.cfg.Now})
	now := n.cfg.Now()
	if n.since, err = n.dir.begin(bootID(), now); err != nil {
		return err
	}
	if n.since.Equal(now) {
		n.cfg.Logger.Warn("the machine stopped while the server worked, and its last records may not have reached the disk: assertions and proofs that were issued before this start are refused",
			"issued_since", now)
	}
	missing := n.spool.Missing(ctx, n.store)
	away := errors.Is(missing, store.ErrUnavailable)
	if away {
		missing = nil
	}
	if n.local != nil {
		n.shared = &shared{store: n.store, now: n.cfg.Now}
	}
	var entries []dpop.Entry
	load := func() {
		n.presented.Load(entries)
		if away && n.shared != nil { // the other nodes may not have been told yet
			n.shared.Later(slices.DeleteFunc(entries, func(e dpop.Entry) bool { return e.Expires.Before(now) })...)
		}
		entries = entries[:0]
	}
	const batch = 1000
	since := now.Add(-server.LongestPresentable)
	// What has expired counts too: the clock may be ahead, and be set back soon.
	err = n.spool.Presented(ctx, since, since, func(client string, p audit.Presented) {
		if entries = append(entries, dpop.Entry{Key: p.Key, Expires: p.Expires, Owner: client}); len(entries) == batch {
			load()
		}
	})
	load()
	err = errors.Join(missing, err)
	if errors.Is(err, audit.ErrIncomplete) && ctx.Err() == nil {
		n.since = now
		n.cfg.Logger.Warn("what this node took before its start is not all known: assertions and proofs that were issued before it are refused; run symbolon audit verify",
			"issued_since", now, "error", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("what was presented before the start cannot be read, so replays could not be refused: %w; look at the spool with symbolon audit verify", err)
	}
	return nil
}

// endReplay notes that the next start can know all that was presented: it is on
// the disk, and what was not known of earlier times has expired.
func (n *Node) endReplay() error {
	if n.presented == nil || n.cfg.Now().Sub(n.since) < server.LongestPresentable {
		return nil
	}
	return n.dir.end()
}

// shared is the replay memory of all nodes of a PostgreSQL store. While it is away,
// nodes of issuers with replay: local go by themselves. What one of them takes then
// another may take too, once, until it has been written here: about a second after
// the store is back.
type shared struct {
	store *store.Store
	now   func() time.Time

	mu    sync.Mutex
	away  time.Time         // of the first claim without an answer; zero: it answered last
	later []store.Presented // taken meanwhile
}

// Claim takes all entries or none; see server.SharedReplay.
func (s *shared) Claim(ctx context.Context, entries ...dpop.Entry) error {
	var space [audit.MaxPresented]store.Presented
	list := space[:0]
	for _, e := range entries {
		list = append(list, stored(e))
	}
	err := s.store.ClaimPresented(ctx, s.now().UnixMicro(), list...)
	switch {
	case err == nil, errors.Is(err, store.ErrConflict):
		s.answered(0)
		if err != nil {
			return dpop.ErrReplayed
		}
	case errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrBusy):
		return &server.AwayError{Since: s.awaySince(), Err: err}
	}
	return err
}

func stored(e dpop.Entry) store.Presented {
	return store.Presented{Key: base64.RawURLEncoding.EncodeToString(e.Key[:]), Expires: e.Expires.UnixMicro()}
}

// awaySince is when the store did not answer first. When it answered last is too
// early: other nodes may have asked it after that.
func (s *shared) awaySince() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away.IsZero() {
		s.away = s.now()
	}
	return s.away
}

// answered notes that the store did, and has as many of the later ones.
func (s *shared) answered(written int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = time.Time{}
	if s.later = s.later[written:]; len(s.later) == 0 {
		s.later = nil
	}
}

// Later keeps the entries until the store is back.
func (s *shared) Later(entries ...dpop.Entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.later)+len(entries) > laterMost {
		return false
	}
	for _, e := range entries {
		s.later = append(s.later, stored(e))
	}
	return true
}

// flush writes what waits. It asks the store when nothing does, too, after an
// outage: the next one must not seem to be the same.
func (s *shared) flush(ctx context.Context) error {
	for {
		s.mu.Lock()
		batch := s.later[:min(len(s.later), laterBatch)]
		idle := s.away.IsZero() && len(batch) == 0
		s.mu.Unlock()
		if idle {
			return nil
		}
		err := s.store.RememberPresented(ctx, batch...)
		if errors.Is(err, store.ErrUnavailable) {
			return nil // everything else says so already
		}
		if err != nil {
			return err
		}
		s.answered(len(batch))
	}
}

// runForget tells the shared memory what it missed, and drops what has expired
// from it.
func (n *Node) runForget(ctx context.Context) error {
	var forgot time.Time
	return n.every(ctx, rememberEvery, "the replay memory of all nodes", func(ctx context.Context) error {
		if err := n.shared.flush(ctx); err != nil {
			return err
		}
		now := n.cfg.Now()
		if now.Sub(forgot) < forgetEvery {
			return nil
		}
		forgot = now
		_, err := n.store.PurgePresented(ctx, now.Add(-forgetAfter).UnixMicro())
		return err
	})
}
