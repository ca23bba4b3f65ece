package replica

import (
	"context"
	"errors"
	"fmt"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// smallKinds are held in memory whole: all but clients.
var smallKinds = []string{
	registry.KindIssuer, registry.KindAPI, registry.KindKey, registry.KindOperator, registry.KindDenial, registry.KindOperatorToken,
}

// start makes the first snapshot.
func (r *Replica) start(ctx context.Context) error {
	complete, err := r.adopt(ctx)
	if err != nil {
		return err
	}
	err = r.CatchUp(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil || r.cfg.Local == nil:
		return err
	case !complete:
		return fmt.Errorf("replica: %w: %w", ErrIncomplete, err)
	}
	return nil // with what the file has
}

// adopt takes over what the file has, and reports whether that is complete: then
// there is a snapshot.
func (r *Replica) adopt(ctx context.Context) (complete bool, err error) {
	// The position first: what is read after it is not older.
	settled, err := r.reader.Position(ctx)
	if err != nil {
		return false, fmt.Errorf("replica: %w", err)
	}
	r.at = settled
	if r.cfg.Local != nil {
		if r.at, err = r.cfg.Local.Position(ctx); err != nil {
			return false, fmt.Errorf("replica: %w", err)
		}
	}
	r.forgetDocs()
	for _, kind := range smallKinds {
		err := r.reader.All(ctx, kind, func(o store.Object) error {
			r.keep(o)
			return nil
		})
		if err != nil {
			return false, fmt.Errorf("replica: %w", err)
		}
	}
	if r.cfg.Local != nil && settled.IsZero() {
		return false, nil // new, or begun and not finished before
	}
	r.publish(settled)
	return true, nil
}

// startOver is for a position that the store does not know: the node was away
// for longer than deletions are remembered, or the store lost commits.
func (r *Replica) startOver(ctx context.Context) error {
	if r.cfg.Local == nil {
		return fmt.Errorf("replica: %w: the store's file was replaced under the running node; restart it", store.ErrUnknownPosition)
	}
	if err := r.raiseEpoch(ctx); err != nil {
		return err
	}
	// Before the copy that knows them is emptied.
	if err := r.handIn(ctx); err != nil {
		return err
	}
	r.cfg.Logger.Warn("the store does not know the local copy's position; the copy starts from zero", "seq", r.at.Seq, "epoch", r.at.Epoch)
	// From here on the file lacks clients that exist. Clients in memory and the
	// snapshot serve on, as those of a node that has not heard the news.
	if r.rebuilds.Load()%2 == 0 {
		r.rebuilds.Add(1)
	}
	ctx = context.WithoutCancel(ctx)
	if err := r.cfg.Local.Reset(ctx); err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	r.at = store.Position{}
	r.forgetDocs()
	return nil
}

// raiseEpoch raises the store's epoch above this node's when the store lost
// commits that this node has seen: tokens carry their numbers, and the numbers
// will be given out again.
func (r *Replica) raiseEpoch(ctx context.Context) error {
	epoch := r.at.Epoch
	if s := r.Snapshot(); s != nil {
		epoch = max(epoch, s.Epoch) // what tokens have carried
	}
	for {
		floor, err := r.cfg.Store.Purged(ctx)
		if err != nil {
			return fmt.Errorf("replica: %w", err)
		}
		head, err := r.cfg.Store.Head(ctx)
		if err != nil {
			return fmt.Errorf("replica: %w", err)
		}
		if r.at.Seq < floor && r.at.Seq <= head.Seq || head.Epoch > epoch {
			// Only away for long; or another node has seen to it already.
			return nil
		}
		r.cfg.Logger.Error("the store has lost commits that this node has seen; its epoch is raised",
			"seen", r.at.Seq, "head", head.Seq, "epoch", head.Epoch)
		if _, err := r.cfg.Store.RaiseEpoch(ctx, head); err != nil && !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("replica: %w", err)
		}
	}
}
