package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

const (
	scheduleEvery = time.Minute      // how often it is looked whether a key is due
	beatEvery     = 10 * time.Second // how often the node says that it is there
	settleEvery   = time.Second      // how often it is looked whether the store is back after a start without it
	flushTime     = 5 * time.Second  // for the last flush of the evidence
)

// Run serves until ctx ends, then finishes what is in flight, flushes the
// evidence and closes everything. It may be called once.
func (n *Node) Run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	failed := make(chan error, 8)
	work := func(name string, f func(context.Context) error) {
		workers.Go(func() {
			if err := f(background); err != nil && background.Err() == nil {
				n.cfg.Logger.Error("stopped working", "what", name, "error", err)
				failed <- err
			}
		})
	}
	work("replica", n.replica.Run)
	work("folds", n.folder.Run)
	work("schedule", n.runSchedule)
	work("heartbeat", n.beat)
	work("purge", n.runPurge)
	work("deny journal", n.runJournal)
	if n.local != nil {
		work("replay memory", n.runForget)
	}
	if n.postponed {
		work("start", n.settleLater)
	}

	serving, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case err := <-failed: // a node that follows no more must not go on
			failed <- err
			cancel()
		case <-background.Done():
		}
	}()
	err := n.serve(serving)
	cancel()
	stop()
	workers.Wait()
	select {
	case failure := <-failed:
		err = errors.Join(err, failure)
	default:
	}

	n.flush(ctx)
	return errors.Join(err, n.Close())
}

// flush writes the last evidence into the store.
func (n *Node) flush(ctx context.Context) {
	last, done := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer done()
	if err := n.folder.Flush(last); err != nil {
		// Nothing is lost: the next start flushes from the same position.
		n.cfg.Logger.Warn("evidence was not flushed at the end; the next start does it", "error", err)
	}
}

// every calls f now and then until ctx ends. What f cannot do it tries again
// the next time.
func (n *Node) every(ctx context.Context, interval time.Duration, what string, f func(context.Context) error) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			n.cfg.Logger.Warn("will be tried again", "what", what, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// runSchedule lets the keys change when they are due, and forgets those that
// have gone. Between two planned times it writes nothing, unless something was
// changed meanwhile.
func (n *Node) runSchedule(ctx context.Context) error {
	var next time.Time
	var seen registry.Position
	return n.every(ctx, scheduleEvery, "key schedule", func(ctx context.Context) (err error) {
		snapshot := n.replica.Snapshot()
		if snapshot.Position == seen && n.cfg.Now().Before(next) {
			return nil
		}
		if next, err = n.admin.RunSchedule(ctx); err != nil {
			next = time.Time{}
			return err
		}
		seen = snapshot.Position // of before: what was written meanwhile is looked at the next time
		inUse := n.replica.Snapshot().Issuers
		n.ring.Keep(func(kid string) bool {
			for _, issuer := range inUse {
				if issuer.Key(kid) != nil {
					return true
				}
			}
			return false
		})
		return nil
	})
}

// mergeEvery is how often it is looked whether the store takes what the journal
// of denials holds.
const mergeEvery = time.Second

// runJournal writes denials that were made while the store was away into it when
// it is back.
func (n *Node) runJournal(ctx context.Context) error {
	var told bool
	return n.every(ctx, mergeEvery, "merging denials", func(ctx context.Context) error {
		if len(n.replica.Journalled()) == 0 || n.replica.Away() {
			told = false
			return nil
		}
		err := n.admin.MergeJournal(ctx)
		switch {
		case err == nil:
			n.cfg.Logger.Info("the denials of this node's journal are in the store")
		case told:
			return nil // once is enough: it is tried every second
		}
		told = err != nil
		return err
	})
}

// beat says in the store that the node is there and how far it is.
func (n *Node) beat(ctx context.Context) error {
	return n.every(ctx, beatEvery, "heartbeat", func(ctx context.Context) error {
		s := n.replica.Snapshot()
		return n.store.UpsertNode(ctx, store.Node{
			ID: n.id, Version: n.cfg.Version,
			Position: store.Position{Seq: s.Seq, Epoch: s.Epoch},
			LastSeen: n.cfg.Now().UnixMicro(),
		})
	})
}

// settleLater does what the start could not do while the store was away. What it
// refuses then is logged: the node goes on, as one does whose file was changed
// while it ran; its next start says so and ends.
func (n *Node) settleLater(ctx context.Context) error {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		err := n.settle(ctx)
		switch {
		case err == nil:
			n.cfg.Logger.Info("the store is back; the start is complete")
			return nil
		case errors.Is(err, keys.ErrNoMaster), errors.Is(err, keys.ErrWrongMaster):
			return err // it would sign with keys that the others cannot open
		case !errors.Is(err, store.ErrUnavailable) && ctx.Err() == nil:
			n.cfg.Logger.Error("the store is back, but what belongs to the start was refused; the node goes on without it", "error", err)
			n.state = nil
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
