package registry

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"
)

// Denials are all denials of a snapshot, by id, by commit and by what they name.
// They are never changed: With makes others, which share with these all but what
// is new. A nil one is empty.
type Denials struct {
	byID     layered[string, *Denial]
	unusable layered[string, *unusable]
	count    int
	denied   denied
	merged   []MergedDenial // by id
	tokens   map[string]int // how many name a single token, by the id of the issuer; never changed in place

	// In the order of their commits; fresh is small, and in no order. Both still
	// have some that are gone: byID says which.
	ordered, fresh []*Denial
}

// unusable is the document of a denial that cannot be used.
type unusable struct {
	warning Warning
	seq     int64
}

// NewDenials makes those of documents. Documents of other kinds are skipped.
func NewDenials(docs []Doc) *Denials { return new(Denials).With(docs) }

// Len is how many denials there are.
func (x *Denials) Len() int {
	if x == nil {
		return 0
	}
	return x.count
}

// Tokens is how many single tokens of the issuer with that id are denied.
func (x *Denials) Tokens(issuer string) int {
	if x == nil {
		return 0
	}
	return x.tokens[issuer]
}

// Get is the denial of that id; nil when there is none.
func (x *Denials) Get(id string) *Denial {
	if x == nil {
		return nil
	}
	return x.byID.get(id)
}

// Seq is the commit that wrote the document of that id; 0 when there is none.
func (x *Denials) Seq(id string) int64 {
	if d := x.Get(id); d != nil {
		return d.Commit
	}
	if x != nil {
		if u := x.unusable.get(id); u != nil {
			return u.seq
		}
	}
	return 0
}

// After are the denials that were written after that commit, in no order. It
// costs what they are, and at most mostFresh, but not what there is in all.
func (x *Denials) After(commit int64) iter.Seq[*Denial] {
	return func(yield func(*Denial) bool) {
		if x == nil {
			return
		}
		first, _ := slices.BinarySearchFunc(x.ordered, commit+1, func(d *Denial, c int64) int { return cmp.Compare(d.Commit, c) })
		for _, part := range [][]*Denial{x.ordered[first:], x.fresh} {
			for _, d := range part {
				if d.Commit > commit && x.byID.get(d.ID) == d && !yield(d) {
					return
				}
			}
		}
	}
}

// Warnings say which documents are not used, in no order.
func (x *Denials) Warnings() (list []Warning) {
	if x != nil {
		x.unusable.each(func(_ string, u *unusable) bool {
			list = append(list, u.warning)
			return true
		})
	}
	return list
}

// With gives the denials as they are after some documents were written: each takes
// the place of that of the same id. A Doc without a document was deleted. It costs
// what the documents are, as a mean of many calls.
func (x *Denials) With(docs []Doc) *Denials {
	next := new(Denials)
	if x != nil {
		*next = *x
	}
	changes, broken := next.changes(docs)
	if x != nil && len(changes)+len(broken) == 0 {
		return x
	}
	if len(broken) > 0 {
		next.unusable = next.unusable.edit(len(broken))
		for id, u := range broken {
			next.unusable.set(id, u)
		}
		next.unusable.finish()
	}
	next.byID = next.byID.edit(len(changes))
	next.denied = next.denied.edit(changes)
	merged := next.mergedWith(changes)
	next.tokens = next.tokensWith(changes)
	var fresh []*Denial
	for _, c := range changes {
		next.byID.set(c.id, c.now)
		if c.was != nil {
			next.denied.change(c.was, mark.without)
			next.count--
		}
		if c.now != nil {
			next.denied.change(c.now, mark.with)
			next.count++
			fresh = append(fresh, c.now)
		}
	}
	next.byID.finish()
	next.denied.finish()
	next.merged = merged
	next.order(fresh)
	return next
}

// denialChange is what a document makes of the denial of its id; was and now are
// not both nil.
type denialChange struct {
	id       string
	was, now *Denial
}

// changes decodes the documents, the last of each id. broken are the ids whose
// documents cannot be used, and with nil those where that is over.
func (x *Denials) changes(docs []Doc) (changes []denialChange, broken map[string]*unusable) {
	broken = make(map[string]*unusable)
	last := make(map[string]int, len(docs))
	for i := range docs {
		if docs[i].Kind == KindDenial {
			last[docs[i].ID] = i
		}
	}
	for i := range docs {
		doc := &docs[i]
		if doc.Kind != KindDenial || last[doc.ID] != i {
			continue
		}
		c := denialChange{id: doc.ID, was: x.byID.get(doc.ID)}
		var wrong *unusable
		if doc.Doc != nil {
			if obj, err := doc.decode(); err != nil {
				wrong = &unusable{warningOf(doc, err), doc.Seq}
			} else {
				c.now, _ = obj.(*Denial)
			}
		}
		if wrong != nil || x.unusable.get(doc.ID) != nil {
			broken[doc.ID] = wrong
		}
		if c.was != c.now {
			changes = append(changes, c)
		}
	}
	return changes, broken
}

// warningOf tells what to do about a document that cannot be decoded.
func warningOf(doc *Doc, err error) Warning {
	fix := "write the object again"
	if errors.Is(err, ErrNewer) {
		fix = "upgrade this node"
	}
	return Warning{Kind: doc.Kind, ID: doc.ID, Message: err.Error(), Fix: fix}
}

// order keeps fresh denials, and drops what is gone where that is most.
func (x *Denials) order(fresh []*Denial) {
	if len(x.fresh)+len(fresh) <= mostFresh && len(x.ordered)+len(x.fresh)+len(fresh) <= 2*(x.count+mostFresh) {
		x.fresh = slices.Concat(x.fresh, fresh)
		return
	}
	all := make([]*Denial, 0, x.count)
	for _, part := range [][]*Denial{x.ordered, x.fresh, fresh} {
		for _, d := range part {
			if x.byID.get(d.ID) == d {
				all = append(all, d)
			}
		}
	}
	slices.SortFunc(all, func(a, b *Denial) int { return cmp.Compare(a.Commit, b.Commit) })
	x.ordered, x.fresh = all, nil
}

// tokensWith counts the tokens that are denied after the changes.
func (x *Denials) tokensWith(changes []denialChange) map[string]int {
	more := make(map[string]int)
	for _, c := range changes {
		if c.was != nil && c.was.What == DenyJTI {
			more[c.was.Issuer]--
		}
		if c.now != nil && c.now.What == DenyJTI {
			more[c.now.Issuer]++
		}
	}
	for issuer, n := range x.tokens {
		more[issuer] += n
	}
	return more
}

// mergedWith are the pending denials that became denials, after the changes.
func (x *Denials) mergedWith(changes []denialChange) []MergedDenial {
	gone := make(map[MergedDenial]int)
	var more []MergedDenial
	for _, c := range changes {
		if c.was != nil {
			for _, m := range c.was.Merged {
				gone[m]++
			}
		}
		if c.now != nil {
			more = append(more, c.now.Merged...)
		}
	}
	if len(gone)+len(more) == 0 {
		return x.merged
	}
	merged := make([]MergedDenial, 0, len(x.merged)+len(more))
	for _, m := range x.merged {
		if gone[m] > 0 {
			gone[m]--
			continue
		}
		merged = append(merged, m)
	}
	merged = append(merged, more...)
	slices.SortFunc(merged, func(x, y MergedDenial) int {
		return cmp.Or(strings.Compare(x.ID, y.ID), x.Expires.Compare(y.Expires))
	})
	return merged
}

// mergedAt are the ids of merged that a validator may still hold.
func (x *Denials) mergedAt(now time.Time) (ids []string) {
	if x == nil {
		return nil
	}
	for _, m := range x.merged {
		if m.Expires.After(now) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}
