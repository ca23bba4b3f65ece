package admin

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// sight is what one actor sees of the node's copy, for one page at most: it
// remembers what it had to look up.
type sight struct {
	ctx   context.Context
	a     *Admin
	actor Actor
	known map[ref]bool
}

func (a *Admin) sight(ctx context.Context, actor Actor) *sight {
	return &sight{ctx: ctx, a: a, actor: actor, known: make(map[ref]bool)}
}

// see reports whether the actor sees the object, and takes from it what names
// others that the actor does not see.
func (s *sight) see(obj any) (bool, error) {
	seen, err := s.actor.owns(obj, s.client)
	if err != nil || !seen || s.actor.Issuers == nil {
		return seen, err
	}
	switch o := obj.(type) {
	case *registry.Client:
		for id := range o.Access {
			if own, err := s.is(registry.KindAPI, id); err != nil {
				return false, err
			} else if !own {
				delete(o.Access, id)
			}
		}
		o.DefaultAPI = slices.DeleteFunc(o.DefaultAPI, func(id string) bool { _, there := o.Access[id]; return !there })
	case *registry.API:
		o.ResourceServers = slices.DeleteFunc(o.ResourceServers, func(id string) bool {
			own, failed := s.is(registry.KindClient, id)
			err = cmp.Or(err, failed)
			return !own
		})
	}
	return true, err
}

// is reports whether an API or a client is the actor's.
func (s *sight) is(kind, id string) (own bool, err error) {
	r := ref{kind, id}
	if own, known := s.known[r]; known {
		return own, nil
	}
	obj, _, err := readAny(s.ctx, s.a, System(), kind, id)
	if err == nil {
		own, err = s.actor.owns(obj, nil)
	}
	if err == nil || CodeOf(err) == NotFound {
		s.known[r] = own
		return own, nil
	}
	return false, err
}

// client looks a client up; nil when there is none.
func (s *sight) client(id string) (*registry.Client, error) {
	client, _, err := read[registry.Client](s.ctx, s.a, System(), registry.KindClient, id)
	if CodeOf(err) == NotFound {
		return nil, nil
	}
	return client, err
}

// candidates is one page of a list, with fewer objects that the actor does not see
// where the store can tell: by the index of issuers.
func (a *Admin) candidates(ctx context.Context, actor Actor, q store.Query) (page []store.Object, next string, err error) {
	indexed := []string{registry.KindClient, registry.KindAPI, registry.KindKey}
	named := slices.ContainsFunc(q.Attrs, func(at store.Attr) bool { return at.Name == registry.AttrIssuer })
	if actor.Issuers == nil || named || !slices.Contains(indexed, q.Kind) {
		return a.Reader.List(ctx, q)
	}
	for _, issuer := range actor.Issuers {
		one := q
		one.Attrs = append([]store.Attr{{Name: registry.AttrIssuer, Value: issuer}}, q.Attrs...)
		found, more, err := a.Reader.List(ctx, one)
		if err != nil {
			return nil, "", err
		}
		page = append(page, found...)
		if more != "" && (next == "" || more < next) {
			next = more // what lies behind it may miss some of this issuer
		}
	}
	slices.SortFunc(page, func(x, y store.Object) int { return strings.Compare(x.ID, y.ID) })
	page = slices.CompactFunc(page, func(x, y store.Object) bool { return x.ID == y.ID })
	if next != "" {
		page = slices.DeleteFunc(page, func(o store.Object) bool { return o.ID > next })
	}
	return page, next, nil
}
