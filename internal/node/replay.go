package node

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// longestReplay is how long an assertion or a proof may live after a token was
// issued for it, a clock that is ahead included.
const longestReplay = time.Duration(registry.MaxLegacyLifetime) + 2*dpop.MaxAhead

const (
	forgetEvery = time.Minute      // what has expired goes from the shared memory
	forgetAfter = 10 * time.Minute // clocks of other nodes may be behind
)

// openReplay remembers what this node took before it was stopped or killed: the
// records of its tokens say so.
func (n *Node) openReplay(ctx context.Context) error {
	n.presented = dpop.NewMemory(dpop.MemoryConfig{Now: n.cfg.Now})
	now := n.cfg.Now()
	const batch = 1000
	var entries []dpop.Entry
	err := n.spool.Presented(ctx, now.Add(-longestReplay), now, func(client string, p audit.Presented) {
		if entries = append(entries, dpop.Entry{Key: p.Key, Expires: p.Expires, Owner: client}); len(entries) == batch {
			n.presented.Load(entries)
			entries = entries[:0]
		}
	})
	n.presented.Load(entries)
	if err != nil {
		return fmt.Errorf("what was presented before the start cannot be read, so replays could not be refused: %w; look at the spool with symbolon audit verify", err)
	}
	return nil
}

// shared is the replay memory of all nodes of a PostgreSQL store.
type shared struct {
	store *store.Store
	now   func() time.Time
}

// Claim takes all entries or none; see dpop.Replay.
func (s *shared) Claim(ctx context.Context, entries ...dpop.Entry) error {
	var space [audit.MaxPresented]store.Presented
	list := space[:0]
	for _, e := range entries {
		list = append(list, store.Presented{
			Key: base64.RawURLEncoding.EncodeToString(e.Key[:]), Expires: e.Expires.UnixMicro(),
		})
	}
	err := s.store.ClaimPresented(ctx, s.now().UnixMicro(), list...)
	if errors.Is(err, store.ErrConflict) {
		return dpop.ErrReplayed
	}
	return err
}

// runForget drops what has expired from the shared memory.
func (n *Node) runForget(ctx context.Context) error {
	return n.every(ctx, forgetEvery, "forgetting what has expired", func(ctx context.Context) error {
		_, err := n.store.PurgePresented(ctx, n.cfg.Now().Add(-forgetAfter).UnixMicro())
		return err
	})
}
