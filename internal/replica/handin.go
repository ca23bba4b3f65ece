package replica

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// handIn puts the denials that this node knows and the store has lost into the
// journal, from where they come into the store as new commits. Until then they
// refuse every token of what they name: which of them are older nobody can tell
// while the positions of the denials are gone.
func (r *Replica) handIn(ctx context.Context) error {
	there, err := r.storedDenials(ctx)
	if err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	now := r.cfg.Now()
	for _, p := range r.journal.list() {
		there[p.Denial.ID] = math.MaxInt64 // an attempt before this one came so far
	}
	var lost []Pending
	for d := range r.settleDenials().After(math.MinInt64) {
		if n, ok := there[d.ID]; ok && n >= d.N || !d.Expires.After(now) {
			continue
		}
		p := Pending{Verb: VerbDenial, Denial: *d, Actor: "system", Via: "journal"}
		p.Denial.Commit = 0 // its commit is what was lost
		r.name(&p)
		lost = append(lost, p)
	}
	if len(lost) == 0 {
		return nil
	}
	slices.SortFunc(lost, func(x, y Pending) int { return strings.Compare(x.Denial.ID, y.Denial.ID) })
	if len(lost) > maxJournal-len(r.journal.list()) {
		r.cfg.Logger.Error("more denials are lost than the journal takes; deny again what has to stay denied", "lost", len(lost))
		lost = lost[:max(0, maxJournal-len(r.journal.list()))]
	}
	if err := r.journal.add(lost...); err != nil {
		r.cfg.Logger.Error("the store has lost denials that this node knows, and they cannot be handed in; deny again what has to stay denied",
			"lost", len(lost), "error", err)
		return nil // without the journal the node could never go on
	}
	r.cfg.Logger.Warn("the store has lost denials that this node knows; they are handed in", "lost", len(lost))
	r.show(nil)
	return nil
}

// storedDenials are the positions of the denials in the store, by id.
func (r *Replica) storedDenials(ctx context.Context) (map[string]int64, error) {
	there := make(map[string]int64)
	_, err := r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		clear(there)
		list, err := tx.List(registry.KindDenial)
		for _, o := range list {
			if obj, err := registry.Decode(registry.KindDenial, o.Doc); err == nil {
				there[o.ID] = obj.(*registry.Denial).N
			}
		}
		return err
	})
	return there, err
}
