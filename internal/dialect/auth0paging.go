package dialect

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/admin"
)

// auth0Query are the parameters of a list. As with payloads, those that nobody
// took are refused.
type auth0Query struct {
	auth0Check
	values url.Values
}

func readAuth0Query(r *http.Request) *auth0Query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &auth0Query{auth0Check{of: "Query", code: auth0InvalidQuery}, values}
	if err != nil {
		q.refuseAll("It is not well-formed")
	}
	return q
}

// text takes a parameter that may be there once.
func (q *auth0Query) text(name string) string {
	values := q.values[name]
	delete(q.values, name)
	if len(values) > 1 {
		q.refuse(name, "It is there more than once")
	}
	return strings.Join(values, "")
}

// number takes one between lowest and highest; given: it is there.
func (q *auth0Query) number(name string, fallback, lowest, highest int) (n int, given bool) {
	if !q.values.Has(name) {
		return fallback, false
	}
	n, err := wholeNumber(q.text(name))
	switch {
	case err != nil:
		q.refuse(name, "Expected type integer")
	case n < lowest:
		q.refuse(name, "Value is less than minimum %d", lowest)
	case n > highest:
		q.refuse(name, "Value is greater than maximum %d", highest)
	}
	return n, true
}

// flag takes true or false.
func (q *auth0Query) flag(name string, fallback bool) bool {
	if !q.values.Has(name) {
		return fallback
	}
	switch q.text(name) {
	case "true":
		return true
	case "false":
		return false
	}
	q.refuse(name, "Expected type boolean")
	return fallback
}

// end gives what is wrong with the query.
func (q *auth0Query) end() error {
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		q.additional(name, "")
	}
	return q.found()
}

// Bounds of pages, as Auth0 has them.
const (
	auth0PerPage    = 50
	auth0MaxPerPage = 100
	auth0MaxPage    = 1 << 20 // beyond all that there is
	auth0Reach      = 1000    // by page no entry is reached beyond so many: from and take have no such bound
	auth0Named      = 50      // how many objects a filter may name
	auth0Batch      = 500     // how many entries are read at once where many are looked through
)

// auth0Paging says which part of a list is asked for, and in which of its two ways:
// by page and per_page, or, where take or from is there, from a checkpoint on.
// node-auth0 7 asks for clients and resource servers in the first way, until a page
// is empty, and for client grants in the second, until there is no next.
type auth0Paging struct {
	checkpoint bool
	from       string // the next of the part before; "": from the beginning
	take       int

	page, perPage int
	totals        bool // wrap the list in an object
}

func (q *auth0Query) paging() (p auth0Paging) {
	var taken bool
	p.take, taken = q.number("take", auth0PerPage, 1, auth0MaxPerPage)
	p.from = q.text("from")
	p.checkpoint = taken || p.from != ""
	p.page, _ = q.number("page", 0, 0, auth0MaxPage)
	p.perPage, _ = q.number("per_page", auth0PerPage, 0, auth0MaxPerPage)
	p.totals = q.flag("include_totals", false)
	return p
}

// checkpoint refuses a from that cannot have been the next of the part before.
func (q *auth0Query) checkpoint(p auth0Paging, valid func(id string) bool) {
	if p.from != "" && !valid(p.from) {
		q.refuse("from", "It is not the next of a page before")
	}
}

// auth0Object is an object as it is answered.
type auth0Object map[string]any

// auth0Fields says which members of objects are asked for; nil: all.
type auth0Fields struct {
	names   []string
	exclude bool
}

func (q *auth0Query) fields() *auth0Fields {
	names, include := q.text("fields"), q.flag("include_fields", true)
	if names == "" {
		return nil
	}
	return &auth0Fields{strings.Split(names, ","), !include}
}

// of gives the object with the members that are asked for.
func (f *auth0Fields) of(o auth0Object) auth0Object {
	if f == nil {
		return o
	}
	out := auth0Object{}
	for name, value := range o {
		if slices.Contains(f.names, name) != f.exclude {
			out[name] = value
		}
	}
	return out
}

// atMost refuses more texts than a filter may name.
func (q *auth0Query) atMost(name string, texts []string) []string {
	if len(texts) > auth0Named {
		q.refuse(name, "Array is too long, maximum %d", auth0Named)
	}
	return texts
}

// everyOne gives what a list of package admin has of the organisation, page after
// page: the more of them, the longer they get.
func everyOne[T any](c *auth0Call, q admin.Query, list func(context.Context, admin.Actor, admin.Query) (admin.Page[T], error)) iter.Seq2[T, error] {
	q.Issuer = c.Issuer.ID
	return func(yield func(T, error) bool) {
		for {
			page, err := list(c.r.Context(), c.actor, q)
			if err != nil {
				var none T
				yield(none, auth0Admin(err, nil))
				return
			}
			c.looked += len(page.Items)
			for _, one := range page.Items {
				if !yield(one, nil) {
					return
				}
			}
			if q.After = page.Next; q.After == "" {
				return
			}
			q.Limit = min(2*q.Limit, auth0Batch)
		}
	}
}

// someOf gives those of the ids that there are, from after one on.
func someOf[T any](c *auth0Call, ids []string, after string, get func(id string) (T, error)) iter.Seq2[T, error] {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	return func(yield func(T, error) bool) {
		for _, id := range ids {
			if id <= after {
				continue
			}
			c.looked++
			one, err := get(id)
			if admin.CodeOf(err) == admin.NotFound {
				continue
			}
			if !yield(one, err) || err != nil {
				return
			}
		}
	}
}

// auth0Source is a list: its entries in their order, from after a checkpoint on, as
// many read at once as batch says.
type auth0Source[T any] struct {
	name  string // in the answer
	known string // under which it is remembered where its pages begin; "": it is not
	all   func(from string, batch int) iter.Seq2[T, error]
	show  func(T) auth0Object
	key   func(T) string // checkpoint of an entry
}

// answer gives the part of the list that is asked for.
func (s *auth0Source[T]) answer(c *auth0Call, p auth0Paging) (any, error) {
	if p.checkpoint {
		return s.checkpoint(p)
	}
	var mark *auth0Mark
	if s.known != "" {
		mark = c.e.auth0Marks.of(c.Issuer.ID+" "+s.known, c.Snapshot.Position)
	}
	list, total, err := s.page(c.r.Context(), p, mark)
	switch {
	case err != nil:
		return nil, err
	case !p.totals:
		return list, nil
	}
	return auth0Object{"start": p.page * p.perPage, "limit": p.perPage, "length": len(list), "total": total, s.name: list}, nil
}

func (s *auth0Source[T]) checkpoint(p auth0Paging) (any, error) {
	list, last := []auth0Object{}, ""
	for entry, err := range s.all(p.from, p.take+1) {
		if err != nil {
			return nil, err
		}
		if len(list) == p.take {
			return auth0Object{s.name: list, "next": last}, nil
		}
		list, last = append(list, s.show(entry)), s.key(entry)
	}
	return auth0Object{s.name: list}, nil
}

// page gives the entries of a page, and how many there are in all where that is
// asked for. It looks at the entries before and after only where no mark tells, and
// at no more than auth0Reach before. A page after the end is empty, since node-auth0
// 2, 4 and 7 go on until one is; one that would have entries beyond the reach is
// refused, or they would take what they have for all.
func (s *auth0Source[T]) page(ctx context.Context, p auth0Paging, mark *auth0Mark) (list []auth0Object, total int, err error) {
	list = []auth0Object{}
	start := p.page * p.perPage
	from, seen, total := mark.find(start)
	if seen != start || p.totals && total < 0 {
		done, err := mark.wait(ctx)
		if err != nil {
			return nil, 0, err
		}
		defer done()
		from, seen, total = mark.find(start)
	}
	counting := p.totals && total < 0
	switch {
	case total > auth0Reach && start >= auth0Reach:
		return nil, 0, errAuth0Reach
	case total >= 0 && start >= total:
		return list, total, nil
	}
	batch := auth0Batch
	if seen == start && !counting {
		batch = p.perPage + 1
	}
	for entry, err := range s.all(from, batch) {
		if err != nil {
			return nil, 0, err
		}
		full := len(list) == p.perPage
		switch {
		case full && !counting:
			return list, total, nil
		case full:
		case seen >= auth0Reach:
			return nil, 0, errAuth0Reach
		case seen >= start:
			if list = append(list, s.show(entry)); len(list) == p.perPage {
				mark.begins(seen+1, s.key(entry))
			}
		}
		seen++
	}
	mark.ends(seen)
	return list, seen, nil
}
