package admin

import (
	"cmp"
	"context"
	"errors"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// Query selects objects for a list. Empty members select everything; those
// that a kind does not have find nothing.
type Query struct {
	Search    string // substring of the name or id
	Owner     string // operator id
	State     string // of clients
	Label     string // "team=finance"
	Issuer    string // issuer id
	API       string // API id that a client has access to
	ManagedBy string // set
	After     string // Next of the page before
	Limit     int    // default 100, at most 1000
}

func (q Query) store(kind string) store.Query {
	out := store.Query{Kind: kind, Search: q.Search, After: q.After, Limit: q.Limit}
	for _, at := range []store.Attr{
		{Name: registry.AttrOwner, Value: q.Owner}, {Name: registry.AttrState, Value: q.State},
		{Name: registry.AttrLabel, Value: q.Label}, {Name: registry.AttrIssuer, Value: q.Issuer},
		{Name: registry.AttrAPI, Value: q.API}, {Name: registry.AttrManagedBy, Value: q.ManagedBy},
	} {
		if at.Value != "" {
			out.Attrs = append(out.Attrs, at)
		}
	}
	return out
}

// Page is one page of a list, by id. Next is what Query.After of the next page
// is; empty when there is no more.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// read gives an object as the node's copy has it, with its version. What the actor
// does not reach is not there.
func read[T any](ctx context.Context, a *Admin, actor Actor, kind, id string) (*T, int64, error) {
	obj, version, err := readAny(ctx, a, actor, kind, id)
	if err != nil {
		return nil, 0, err
	}
	return obj.(*T), version, nil
}

// readAny is read for any kind.
func readAny(ctx context.Context, a *Admin, actor Actor, kind, id string) (obj any, version int64, err error) {
	if !possibleID(kind, id) {
		return nil, 0, notFound(kind, id)
	}
	o, err := a.Reader.Get(ctx, kind, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && o.Deleted {
		return nil, 0, notFound(kind, id)
	}
	if err != nil {
		return nil, 0, fromStore(err)
	}
	if obj, err = registry.Decode(kind, o.Doc); err != nil {
		return nil, 0, fromStore(err)
	}
	if seen, err := a.sight(ctx, actor).see(obj); err != nil || !seen {
		return nil, 0, cmp.Or(fromStore(err), notFound(kind, id))
	}
	return obj, o.Version, nil
}

// list gives one page of the objects that the actor reaches, as show makes them.
func list[T, V any](ctx context.Context, a *Admin, actor Actor, kind string, q Query, show func(*T, int64) V) (Page[V], error) {
	page := Page[V]{Items: []V{}}
	sight := a.sight(ctx, actor)
	for {
		query := q.store(kind)
		query.Within = actor.within(kind)
		objects, next, err := a.candidates(ctx, actor, query)
		if err != nil {
			return Page[V]{}, fromStore(err)
		}
		for i, o := range objects {
			obj, err := registry.Decode(kind, o.Doc)
			if err != nil {
				a.Logger.Warn("an object cannot be shown", "kind", kind, "id", o.ID, "error", err)
				continue
			}
			seen, err := sight.see(obj)
			if err != nil {
				return Page[V]{}, fromStore(err)
			}
			if !seen {
				continue
			}
			page.Items = append(page.Items, show(obj.(*T), o.Version))
			if actor.Issuers != nil && len(page.Items) == query.PageSize() && (i < len(objects)-1 || next != "") {
				page.Next = o.ID
				return page, nil
			}
		}
		// A page of an actor who reaches some of the objects is filled from several.
		if page.Next, q.After = next, next; actor.Issuers == nil || next == "" {
			return page, nil
		}
	}
}

// within is what the store can leave out of a list by itself, where there may be
// much that an actor who is bound to issuers does not see: clients of others, too.
func (a Actor) within(kind string) (issuers []store.Attr) {
	if kind != registry.KindClient {
		return nil
	}
	for _, id := range a.Issuers {
		issuers = append(issuers, store.Attr{Name: registry.AttrIssuer, Value: id})
	}
	return issuers
}

// Target names an object to act on. A Version other than 0 refuses the action
// with Conflict when the object has changed since.
type Target struct {
	ID      string
	Version int64
}

// at refuses an object that has changed since the version its editor saw.
func (s *staged) at(version int64) error {
	if version != 0 && s.version != version {
		return &Error{Code: Conflict, Message: word(s.kind) + " " + s.id + " has changed since you looked at it",
			Fix: "look at it again and repeat"}
	}
	return nil
}

// create stages a new object of a kind; its id must be free.
func create[T any](c *change, kind, id string, obj *T) (*staged, error) {
	s, old, err := load[T](c, kind, id)
	if err != nil {
		return nil, err
	}
	if old != nil {
		return nil, exists(kind, id)
	}
	if err := c.unusedID(s.ref); err != nil {
		return nil, err
	}
	spent, err := c.revive(s.ref)
	if err != nil {
		return nil, err
	}
	if client, ok := any(obj).(*registry.Client); ok {
		client.Spent = spent
	}
	c.stage(s, obj, kind+".create")
	return s, nil
}

// Update is a change of some members of an object.
type Update[T any] struct {
	Target
	Change Named[T]
}

// update merges the named members into an object and stages it.
func update[T any](c *change, kind string, u Update[T], may []string) (*staged, *T, error) {
	s, obj, err := must[T](c, kind, u.ID)
	if err != nil {
		return nil, nil, err
	}
	if err := s.at(u.Version); err != nil {
		return nil, nil, err
	}
	if problems := merge(kind, obj, u.Change, may); len(problems) > 0 {
		for i := range problems {
			problems[i].ID = u.ID
		}
		return nil, nil, problems
	}
	c.stage(s, obj, kind+".update")
	return s, obj, nil
}
