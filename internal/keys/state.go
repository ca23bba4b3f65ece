package keys

import (
	"cmp"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// States of a key. They follow from its times, so that all nodes change over
// at the same moment without telling each other.
const (
	StateNext    = "next"    // published, signs nothing yet
	StateActive  = "active"  // signs
	StateRetired = "retired" // published, signs nothing any more
	StateDeleted = "deleted" // not published any more
	StateRevoked = "revoked" // leaked: neither published nor used, from the moment of the document on
)

// State tells what a key is at a time. A revoked key is revoked at all times,
// and one announced in the future is next already: a node whose clock is behind
// must not think otherwise than the one that wrote the document.
func State(k *registry.Key, now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return StateRevoked
	case passed(k.Deletes, now):
		return StateDeleted
	case passed(k.Retires, now):
		return StateRetired
	case passed(k.Activates, now):
		return StateActive
	}
	return StateNext
}

// passed reports whether a planned time has come.
func passed(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

// Active returns the key to sign with, of the keys of one issuer and algorithm:
// the active one, or where there is none (it was revoked, or its clock is ahead)
// the next one, whatever its age. nil when there is neither. Every node that
// knows the same documents gives the same answer at the same time.
func Active(ks []*registry.Key, now time.Time) *registry.Key {
	var active, next *registry.Key
	for _, k := range ks {
		switch State(k, now) {
		case StateActive:
			if active == nil || newer(k, active) {
				active = k
			}
		case StateNext:
			if next == nil || earlier(k, next) {
				next = k
			}
		}
	}
	if active != nil {
		return active
	}
	return next
}

// newer orders active keys: the one activated last signs.
func newer(a, b *registry.Key) bool {
	if c := a.Activates.Compare(b.Activates); c != 0 {
		return c > 0
	}
	return a.ID < b.ID
}

// earlier orders next keys: the one announced first is the next to sign,
// because verifiers know it best.
func earlier(a, b *registry.Key) bool {
	if c := a.Announced.Compare(b.Announced); c != 0 {
		return c < 0
	}
	return a.ID < b.ID
}

// Published returns the keys that belong into the key set: next, active and
// retired ones. The active one comes first, for verifiers that take the first
// key that fits; the order is the same on every node.
func Published(ks []*registry.Key, now time.Time) []*registry.Key {
	rank := func(k *registry.Key) int {
		return slices.Index([]string{StateActive, StateNext, StateRetired}, State(k, now))
	}
	out := slices.DeleteFunc(slices.Clone(ks), func(k *registry.Key) bool { return rank(k) < 0 })
	slices.SortFunc(out, func(a, b *registry.Key) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), b.Announced.Compare(a.Announced), cmp.Compare(a.ID, b.ID))
	})
	return out
}
