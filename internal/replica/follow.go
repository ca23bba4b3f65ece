package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// pollEvery is how often the store is asked without having been told that
// there is something: a notification may get lost.
const pollEvery = time.Second

// purgeEvery is how often the copy drops old deletions.
const purgeEvery = time.Hour

// changesPage is about how many objects are asked for at once.
const changesPage = 1000

// Run follows the store until ctx ends, and returns nil then. A store that is
// away is asked again and again.
func (r *Replica) Run(ctx context.Context) error {
	poll := time.NewTicker(r.poll)
	defer poll.Stop()
	news, err := r.cfg.Store.Watch(ctx)
	if err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	for {
		_ = r.CatchUp(ctx) // logged where the store goes away and comes back
		r.tidy(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-news:
		case <-poll.C:
		}
	}
}

// tidy does what is due now and then: it keeps the time of the contact, and
// drops tombstones that the store has dropped.
func (r *Replica) tidy(ctx context.Context) {
	if r.contact.due() {
		if err := r.contact.save(); err != nil {
			r.cfg.Logger.Warn("the time of the last contact is not kept over a restart", "error", err)
		}
	}
	if now := r.cfg.Now(); r.cfg.Local != nil && now.Sub(r.tidied) >= purgeEvery && !r.Away() {
		r.tidied = now
		floor, err := r.cfg.Store.Purged(ctx)
		if err == nil {
			err = r.cfg.Local.Purge(ctx, floor)
		}
		if err != nil && ctx.Err() == nil {
			r.cfg.Logger.Warn("old deletions stay in the local copy for now", "error", err)
		}
	}
}

// CatchUp applies everything that the store has when it is called.
func (r *Replica) CatchUp(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.turn }()
	err := r.catchUp(ctx)
	if err != nil && ctx.Err() != nil {
		return err // says nothing about the store
	}
	if was := r.away.Swap(err != nil); err != nil && !was {
		r.cfg.Logger.Warn("the copy does not follow the store; the node goes on with what it has", "error", err)
	} else if err == nil && was {
		r.cfg.Logger.Info("the copy follows the store again")
	}
	return err
}

// catchUp follows until the copy equals the store. It is the applier's turn.
func (r *Replica) catchUp(ctx context.Context) error {
	progress := progress{logger: r.cfg.Logger, told: time.Now()}
	for over := false; ; {
		asked := r.cfg.Now()
		r.catchUps.Add(1)
		changes, err := r.cfg.Store.Changes(ctx, r.at, r.page)
		if errors.Is(err, store.ErrUnknownPosition) && !over {
			over = true
			if err := r.startOver(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("replica: follow the store: %w", err)
		}
		if len(changes) > 0 {
			// An apply is not left half-done because a request went away.
			if err := r.apply(context.WithoutCancel(ctx), changes); err != nil {
				return err
			}
		}
		if len(changes) == 0 {
			r.settle(r.at) // a new copy of an empty store is complete too
		}
		if len(changes) == 0 || changes[len(changes)-1].Settled {
			r.contact.heard(asked)
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		progress.more(changes)
	}
}

// progressEvery is how often an operator who waits for a node hears of it.
const progressEvery = 5 * time.Second

// progress tells how far a long catch-up is.
type progress struct {
	logger  *slog.Logger
	told    time.Time
	objects int
}

func (p *progress) more(changes []store.Change) {
	for _, c := range changes {
		p.objects += len(c.Objects)
	}
	if time.Since(p.told) >= progressEvery {
		p.told = time.Now()
		p.logger.Info("the node copies the store", "objects", p.objects, "seq", changes[len(changes)-1].Seq)
	}
}

// apply applies changes, at least one: to the file, to the clients in memory, to
// the snapshot, in this order. Between any two steps a request that takes the
// snapshot and then the client gets a client that is not older than the
// snapshot.
func (r *Replica) apply(ctx context.Context, changes []store.Change) error {
	r.pause("begin")
	if r.cfg.Local != nil { // on SQLite the commit was the apply
		if err := r.cfg.Local.Apply(ctx, changes...); err != nil {
			return fmt.Errorf("replica: apply commit %d: %w", changes[0].Seq, err)
		}
	}
	last := changes[len(changes)-1]
	r.at = last.Position
	r.pause("file")
	// A file that is filled from zero gives no client out before it is complete:
	// until then what is cached is all there is.
	filling := r.rebuilds.Load()%2 != 0
	for _, c := range changes {
		for _, o := range c.Objects {
			if o.Kind != registry.KindClient {
				r.keep(o.Object)
			} else if !filling {
				r.cache.invalidate(o.ID)
				r.pause("client")
			}
		}
	}
	// Until it has caught up the copy is a mixture, and claims nothing.
	if last.Settled {
		r.pause("clients")
		r.settle(last.Position)
		r.pause("published")
	}
	return nil
}

// settle is for a copy that equals the store at a position.
func (r *Replica) settle(p store.Position) {
	if r.rebuilds.Load()%2 != 0 {
		r.rebuilds.Add(1)
		r.cache.invalidateAll()
	}
	r.publish(p)
}

func (r *Replica) pause(step string) {
	if r.step != nil {
		r.step(step)
	}
}

// keep takes an object of a small kind into memory.
func (r *Replica) keep(o store.Object) {
	if !slices.Contains(smallKinds, o.Kind) {
		return // of a later version
	}
	if o.Kind == registry.KindDenial {
		r.keepDenial(o)
		return
	}
	key := object{o.Kind, o.ID}
	if old, ok := r.docs[key]; ok && old.Seq > o.Seq {
		return // read at the start, when it was newer than the position already
	}
	r.changed = true
	if o.Deleted {
		delete(r.docs, key)
		return
	}
	r.docs[key] = registry.NewDoc(o.Kind, o.ID, o.Seq, o.Doc)
}

// keepDenial is keep for denials, of which there may be a hundred thousand.
func (r *Replica) keepDenial(o store.Object) {
	known := r.denials.Seq(o.ID)
	if doc, ok := r.written[o.ID]; ok {
		known = doc.Seq
	}
	switch {
	case known > o.Seq:
	case o.Deleted:
		r.written[o.ID] = registry.Doc{Kind: o.Kind, ID: o.ID, Seq: o.Seq}
	default:
		r.written[o.ID] = registry.Doc{Kind: o.Kind, ID: o.ID, Seq: o.Seq, Doc: o.Doc}
	}
}

// settleDenials takes what was written into the denials, and gives them.
func (r *Replica) settleDenials() *registry.Denials {
	if len(r.written) > 0 {
		r.denials = r.denials.With(slices.Collect(maps.Values(r.written)))
		r.written = make(map[string]registry.Doc)
	}
	return r.denials
}

// forgetDocs begins anew with none.
func (r *Replica) forgetDocs() {
	r.docs, r.changed = make(map[object]registry.Doc), true
	r.denials, r.written = registry.NewDenials(nil), make(map[string]registry.Doc)
}

// publish makes the snapshot of a position known. What a commit did not write it
// shares with the snapshot before.
func (r *Replica) publish(p store.Position) {
	position := registry.Position{Seq: p.Seq, Epoch: p.Epoch}
	denials := r.settleDenials()
	var next *registry.Snapshot
	switch last := r.base; {
	case last == nil || r.changed:
		next = r.build(position)
	case last.Position == position && last.Denials == denials:
		return
	default:
		next = last.Next(position, denials)
	}
	if r.changed || next.Denials != r.base.Denials {
		r.tell(append(denials.Warnings(), r.unused...))
	}
	r.changed = false
	r.show(next)
}

// build makes a snapshot of the documents.
func (r *Replica) build(position registry.Position) (next *registry.Snapshot) {
	next, r.unused = registry.BuildOn(r.denials, r.cfg.BaseURL, position, slices.Collect(maps.Values(r.docs)))
	return next
}

// tell logs once what is wrong with documents.
func (r *Replica) tell(warnings []registry.Warning) {
	known := r.warnings
	r.warnings = make(map[registry.Warning]bool, len(warnings))
	for _, w := range warnings {
		if r.warnings[w] = true; !known[w] {
			r.cfg.Logger.Warn("an object is not used", "kind", w.Kind, "id", w.ID, "reason", w.Message, "fix", w.Fix)
		}
	}
}

// Await returns when the snapshot has the commit of that number, asking the
// store for it; or with the context's error. Who has written something waits
// for it, so that the node that acknowledged a change also acts by it.
func (r *Replica) Await(ctx context.Context, seq int64) error {
	for {
		r.mu.Lock()
		published := r.published
		r.mu.Unlock()
		if r.Snapshot().Seq >= seq {
			return nil
		}
		if err := r.CatchUp(ctx); err == nil && r.Snapshot().Seq >= seq {
			return nil
		}
		select {
		case <-published:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
