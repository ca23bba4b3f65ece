package replica

import (
	"github.com/symbolon/symbolon/internal/registry"
)

// Pending is a denial of this node's journal: it is in force here, and no commit
// of the store holds it yet.
type Pending struct {
	ID     string          // its name in sets: revocation sets list it as merged once a commit holds it
	Denial registry.Denial // what it names; N is 0: it refuses every token of that
}

// Changed gives a channel that is closed when Snapshot, Pending or Merged have
// something new. Who takes it before looking at them misses nothing.
func (r *Replica) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.published
}

// Pending are the denials that this node keeps in its journal and that concern
// tokens that may still be alive, by id. What is returned is not to be changed.
func (r *Replica) Pending() []Pending { return nil }

// Merged are the ids of pending denials, of this node's and of others', that are
// denials of the snapshot now and that a validator may still hold.
func (r *Replica) Merged() []string { return r.Snapshot().Merged(r.cfg.Now()) }
