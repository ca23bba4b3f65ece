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
	p := newDenied(nil)
	for _, d := range denials {
		p.add(d, always)
	}
	out := *s
	out.Issuers = make(map[string]*IssuerView, len(s.Issuers))
	out.byHost = make(map[string][]*IssuerView, len(s.byHost))
	for id, v := range s.Issuers {
		view := *v
		view.pending, view.Keys = p, v.keysWithout(p, now)
		out.Issuers[id] = &view
	}
	for host, views := range s.byHost {
		for _, v := range views {
			out.byHost[host] = append(out.byHost[host], out.Issuers[v.ID])
		}
	}
	return &out
}

// keysWithout are the keys, those that are denied as revoked ones: who signs
// takes the next key then.
func (v *IssuerView) keysWithout(p *denied, now time.Time) map[jose.Algorithm][]*Key {
	keys := maps.Clone(v.Keys)
	for alg, list := range keys {
		list = slices.Clone(list)
		for i, k := range list {
			if _, gone := p.kids[ofIssuer{v.ID, k.ID}]; gone && k.Revoked.IsZero() {
				revoked := *k
				revoked.Revoked, revoked.Private = now, ""
				list[i] = &revoked
			}
		}
		keys[alg] = list
	}
	return keys
}
