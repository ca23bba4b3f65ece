package registry

import (
	"maps"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

// WithPending gives the snapshot as it is while denials are pending, which are in
// force though no commit holds them: they refuse whatever gen a token has, and a
// signing key among them signs no more. The snapshot itself stays as it is; with
// no denials it is what comes back.
func (s *Snapshot) WithPending(denials []*Denial, now time.Time) *Snapshot {
	if len(denials) == 0 {
		return s
	}
	p := pendingOf(denials)
	return s.withViews(func(v *IssuerView) { v.pending, v.Keys = p, v.keysWithout(p, now) })
}

// pendingOf is the index of denials whatever position they name.
func pendingOf(denials []*Denial) *denied {
	changes := make([]denialChange, len(denials))
	for i, d := range denials {
		always := *d
		always.N = 0
		changes[i].now = &always
	}
	p := new(denied).edit(changes)
	for _, c := range changes {
		p.change(c.now, mark.with)
	}
	p.finish()
	return &p
}

// keysWithout are the keys, those that are denied as revoked ones: who signs
// takes the next key then.
func (v *IssuerView) keysWithout(p *denied, now time.Time) map[jose.Algorithm][]*Key {
	keys := maps.Clone(v.Keys)
	for alg, list := range keys {
		list = slices.Clone(list)
		for i, k := range list {
			if p.kids.get(ofIssuer{v.ID, k.ID}).Denial != nil && k.Revoked.IsZero() {
				revoked := *k
				revoked.Revoked, revoked.Private = now, ""
				list[i] = &revoked
			}
		}
		keys[alg] = list
	}
	return keys
}
