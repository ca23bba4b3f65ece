package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// change is one commit in the making. Operations load objects from it, alter
// them and stage them; nothing is written before finish, which sees all of them
// as they were and as they will be.
type change struct {
	a        *Admin
	tx       *store.Tx
	actor    Actor
	now      time.Time
	prep     *prepared
	dry      bool   // write nothing
	builtins bool   // look after the management APIs of all issuers, not just of those that change
	set      string // of the declarative file, for records

	staged map[ref]*staged
	order  []*staged
	whole  map[string]bool // kinds of which everything is loaded
	keyOps []keyOp         // what operators ask of keys besides the schedule
	reseed map[string]bool // issuers whose keys are to be planned though nothing of them changed
	meta   map[string]string

	records int // written so far
}

// ref names an object.
type ref struct{ kind, id string }

// staged is one object in a change.
type staged struct {
	ref
	stored  []byte // its document; nil: there is none, or a tombstone
	version int64
	before  any // what the document says; nil: absent
	after   any // what it will say; nil: absent

	action  string // what is recorded, as "client.disable"; "": it was only looked at
	why     string // for the record
	denials []*registry.Denial
	keep    bool // its tombstone is never purged
	gone    bool // there is a tombstone
	differs bool // changed has found so
	named   bool // a declarative file names it
	told    bool // a denial that has a record of its own
	builtin bool // an API that the server itself keeps, and that it has staged
	asked   bool // a client whose default APIs were asked for: they are not set by themselves
}

// load reads an object once per change. T is the type of the kind. The object
// is nil when there is none; it may be altered, and counts once it is staged.
func load[T any](c *change, kind, id string) (*staged, *T, error) {
	r := ref{kind, id}
	s := c.staged[r]
	if s == nil {
		var o store.Object
		var err error
		if possibleID(kind, id) {
			o, err = c.tx.Get(kind, id)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, nil, err
		}
		if s, err = c.hold(r, o); err != nil {
			return nil, nil, err
		}
	}
	obj, _ := s.after.(*T)
	return s, obj, nil
}

// must is load for an object that the actor names: it has to be there, and within
// the actor's reach. What follows from a change is loaded, and judged with all of it.
func must[T any](c *change, kind, id string) (*staged, *T, error) {
	s, obj, err := load[T](c, kind, id)
	if err == nil && (obj == nil || !c.owns(obj)) {
		err = notFound(kind, id)
	}
	return s, obj, err
}

// hold keeps what the store says of an object. It is decoded twice, so that
// altering one copy leaves the other.
func (c *change) hold(r ref, o store.Object) (*staged, error) {
	s := &staged{ref: r, gone: o.Deleted}
	if o.ID != "" && !o.Deleted {
		s.stored, s.version = o.Doc, o.Version
		var err error
		if s.before, err = registry.Decode(r.kind, o.Doc); err != nil {
			return nil, fmt.Errorf("%s %q: %w", word(r.kind), r.id, err)
		}
		if s.after, err = registry.Decode(r.kind, o.Doc); err != nil {
			return nil, fmt.Errorf("%s %q: %w", word(r.kind), r.id, err)
		}
	}
	c.staged[r] = s
	return s, nil
}

// all gives every object of a small kind as it will be, by id.
func all[T any](c *change, kind string) ([]*T, error) {
	if !c.whole[kind] {
		stored, err := c.tx.List(kind)
		if err != nil {
			return nil, err
		}
		for _, o := range stored {
			if r := (ref{kind, o.ID}); c.staged[r] == nil {
				if _, err := c.hold(r, o); err != nil {
					return nil, err
				}
			}
		}
		if c.whole == nil {
			c.whole = make(map[string]bool)
		}
		c.whole[kind] = true
	}
	var refs []ref
	for r := range maps.Keys(c.staged) {
		if r.kind == kind {
			refs = append(refs, r)
		}
	}
	slices.SortFunc(refs, func(x, y ref) int { return bytes.Compare([]byte(x.id), []byte(y.id)) })
	var out []*T
	for _, r := range refs {
		if obj, ok := c.staged[r].after.(*T); ok {
			out = append(out, obj)
		}
	}
	return out, nil
}

// stage says that the object will be obj, which may be the altered copy that
// load gave; nil deletes it. action is for the record.
func (c *change) stage(s *staged, obj any, action string) {
	if s.action == "" {
		c.order = append(c.order, s)
	}
	// A later action of the same change tells more ("client.disable" after
	// "client.update"), except that what began as a creation stays one.
	if s.before != nil || s.action == "" {
		s.action = action
	}
	s.after = obj
}

// changed reports whether the object differs from what is stored. It is asked
// once everything is staged.
func (s *staged) changed() (bool, error) {
	if s.action == "" || s.before == nil && s.after == nil {
		return false, nil
	}
	if s.before == nil || s.after == nil || s.differs {
		return true, nil
	}
	meta := metaOf(s.after)
	meta.Created, meta.Updated = metaOf(s.before).Created, metaOf(s.before).Updated
	was, err := json.Marshal(s.before)
	if err != nil {
		return false, err
	}
	is, err := json.Marshal(s.after)
	s.differs = !bytes.Equal(was, is)
	return s.differs, err
}

// metaOf gives what every kind of document carries.
func metaOf(obj any) *registry.Meta {
	switch o := obj.(type) {
	case *registry.Issuer:
		return &o.Meta
	case *registry.API:
		return &o.Meta
	case *registry.Client:
		return &o.Meta
	case *registry.Key:
		return &o.Meta
	case *registry.Operator:
		return &o.Meta
	case *registry.OperatorToken:
		return &o.Meta
	case *registry.Denial:
		return &o.Meta
	}
	panic(fmt.Sprintf("admin: %T is no document", obj))
}

// setMeta notes a value of the store beside the objects, written with them.
func (c *change) setMeta(key, value string) { c.meta[key] = value }

// getMeta reads such a value; "" when there is none.
func (c *change) getMeta(key string) (string, error) {
	if v, ok := c.meta[key]; ok {
		return v, nil
	}
	v, err := c.tx.Meta(key)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return v, err
}

// evidence is the document of the record of a change.
type evidence struct {
	Via     string        `json:"via,omitempty"`
	Set     string        `json:"set,omitempty"`
	Why     string        `json:"why,omitempty"`
	Fields  []FieldChange `json:"fields,omitempty"`
	Denials []DenialRef   `json:"denials,omitempty"`
}

// record writes the evidence of one object's change.
func (c *change) record(s *staged) error {
	e := evidence{Via: c.actor.Via, Set: c.set, Why: s.why, Fields: difference(s.before, s.after)}
	for _, d := range s.denials {
		e.Denials = append(e.Denials, DenialRef{ID: d.ID, N: d.N})
	}
	doc, err := json.Marshal(e)
	if err != nil {
		return err
	}
	c.records++
	return c.tx.Record(store.Record{
		// Records of one commit keep the order in which they were made.
		ID:   fmt.Sprintf("%016x-%012x-%06d", c.now.UnixMicro(), c.tx.Position().Seq, c.records),
		Time: c.now.UnixMicro(), Node: c.a.Node, Class: store.ClassChange, Actor: c.actor.Name, Action: s.action,
		ObjectKind: s.kind, ObjectID: s.id, RequestID: c.actor.RequestID, Doc: doc})
}
