package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Tx is a write transaction: valid only inside the function given to Update.
type Tx struct {
	u       *unit
	now     time.Time
	pos     Position
	chain   chain
	written bool
}

// errNothing rolls back a transaction that wrote nothing.
var errNothing = errors.New("store: nothing was written")

// Update runs f in a transaction and commits it as one numbered commit. There
// is one writer at a time on both databases: what f reads is the truth. An
// error of f rolls everything back and is returned as it is. When f wrote
// nothing at all, nothing is committed and the current head is returned.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) (Position, error) {
	var pos Position
	err := s.e.transact(ctx, "write", numbered, func(u *unit) error {
		t, err := u.begin(s.cfg.Now())
		if err != nil {
			return err
		}
		if err := f(t); err != nil {
			return err
		}
		if t.written {
			pos = t.pos
			return t.finish(s.e.postgres)
		}
		if pos, err = u.before(t.pos); err != nil {
			return err
		}
		return errNothing
	})
	if err == errNothing {
		return pos, nil
	}
	if err != nil {
		return Position{}, err
	}
	s.hub.wake()
	return pos, nil
}

// begin takes the next number. The update of the head's row is the first
// statement of every numbered transaction: who has it is the one writer.
func (u *unit) begin(now time.Time) (*Tx, error) {
	t := &Tx{u: u, now: now}
	t.pos.CommitID = rand.Text()
	err := u.row("take the head", `UPDATE head SET seq = seq + 1 WHERE one = 1 RETURNING seq, epoch, records, audit_hash`, nil,
		&t.pos.Seq, &t.pos.Epoch, &t.chain.n, &t.chain.hash)
	return t, err
}

// before is the position of the commit before next.
func (u *unit) before(next Position) (Position, error) {
	p := Position{Seq: next.Seq - 1, Epoch: next.Epoch}
	if p.Seq == 0 {
		return p, nil
	}
	err := u.row("read head", `SELECT commit_id FROM commits WHERE seq = $1`, []any{p.Seq}, &p.CommitID)
	return p, err
}

func (t *Tx) finish(postgres bool) error {
	if err := t.chain.save(t.u); err != nil {
		return err
	}
	_, err := t.u.exec("write", `INSERT INTO commits (seq, epoch, commit_id, time) VALUES ($1, $2, $3, $4)`,
		t.pos.Seq, t.pos.Epoch, t.pos.CommitID, t.now.UnixMicro())
	if err == nil && postgres {
		err = t.u.notify()
	}
	return err
}

// RaiseEpoch makes an empty commit with the next epoch, if the head is still
// the expected one; else ErrConflict.
func (s *Store) RaiseEpoch(ctx context.Context, expected Position) (Position, error) {
	var pos Position
	err := s.e.transact(ctx, "raise the epoch", numbered, func(u *unit) error {
		t, err := u.begin(s.cfg.Now())
		if err != nil {
			return err
		}
		head, err := u.before(t.pos)
		if err != nil {
			return err
		}
		if head != expected {
			return fmt.Errorf("store: raise the epoch: %w: the head is commit %d of epoch %d: read it again", ErrConflict, head.Seq, head.Epoch)
		}
		t.pos.Epoch++
		if _, err := u.exec("raise the epoch", `UPDATE head SET epoch = $1 WHERE one = 1`, t.pos.Epoch); err != nil {
			return err
		}
		pos = t.pos
		return t.finish(s.e.postgres)
	})
	if err != nil {
		return Position{}, err
	}
	s.hub.wake()
	return pos, nil
}

// Position is what this commit will be.
func (t *Tx) Position() Position { return t.pos }

// Get returns the object, also a tombstone; ErrNotFound else.
func (t *Tx) Get(kind, id string) (o Object, err error) {
	found := false
	err = t.u.query("read "+kind, getObject, []any{kind, id}, func(row scanner) error {
		found = true
		return o.scan(row)
	})
	if err == nil && !found {
		err = missing(kind, id)
	}
	if err != nil {
		return Object{}, err
	}
	return o, nil
}

const getObject = `SELECT ` + objectColumns + ` FROM objects WHERE kind = $1 AND id = $2`

func missing(kind, id string) error {
	return fmt.Errorf("store: %s %q: %w", kind, id, ErrNotFound)
}

// List returns all live objects of a small kind, by id.
func (t *Tx) List(kind string) (list []Object, err error) {
	err = t.u.query("list "+kind, `SELECT `+objectColumns+` FROM objects WHERE kind = $1 AND deleted = 0 ORDER BY id`,
		[]any{kind}, func(row scanner) error {
			var o Object
			err := o.scan(row)
			list = append(list, o)
			return err
		})
	return list, err
}

// Find returns the ids of the live objects with this attribute, in order.
func (t *Tx) Find(kind, attr, value string) (ids []string, err error) {
	err = t.u.query("find "+kind, `SELECT id FROM attrs WHERE kind = $1 AND attr = $2 AND value = $3 ORDER BY id`,
		[]any{kind, attr, value}, func(row scanner) error {
			var id string
			err := row.Scan(&id)
			ids = append(ids, id)
			return err
		})
	return ids, err
}

// Count says how many live objects have one of the values of this attribute, each
// counted once; most where there are more.
func (t *Tx) Count(kind, attr string, values []string, most int) (n int, err error) {
	if len(values) == 0 {
		return 0, nil
	}
	w := where{args: []any{kind, attr}}
	var list []string
	for _, v := range values {
		list = append(list, w.bind(v))
	}
	err = t.u.row("count "+kind, `SELECT count(*) FROM (SELECT DISTINCT id FROM attrs WHERE kind = $1 AND attr = $2 AND value IN (`+
		strings.Join(list, ", ")+`) LIMIT `+w.bind(most)+`) AS found`, w.args, &n)
	return n, err
}

// FindBelow returns at most limit ids of the live objects with a value of this
// attribute below the given one, in the order of the values.
func (t *Tx) FindBelow(kind, attr, value string, limit int) (ids []string, err error) {
	err = t.u.query("find "+kind, `SELECT id FROM attrs WHERE kind = $1 AND attr = $2 AND value < $3 ORDER BY value, id LIMIT $4`,
		[]any{kind, attr, value, limit}, func(row scanner) error {
			var id string
			err := row.Scan(&id)
			ids = append(ids, id)
			return err
		})
	return ids, err
}

// Put writes an object and returns its new version; ErrConflict when the
// stored version is not the expected one.
func (t *Tx) Put(p Put) (version int64, err error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	old, err := t.current(p.Kind, p.ID)
	if err != nil {
		return 0, err
	}
	live := old.Version > 0 && !old.Deleted
	switch {
	case p.Version == 0 && live:
		return 0, fmt.Errorf("store: %s %q: %w: it is there already, in version %d", p.Kind, p.ID, ErrConflict, old.Version)
	case p.Version != 0 && !live:
		return 0, fmt.Errorf("store: %s %q: %w: it was deleted", p.Kind, p.ID, ErrConflict)
	case p.Version != 0 && p.Version != old.Version:
		return 0, conflict(p.Kind, p.ID, p.Version, old.Version)
	}
	var attrs []Attr
	if live {
		if attrs, err = t.u.attrsOf(p.Kind, p.ID); err != nil {
			return 0, err
		}
	}
	o := Object{Kind: p.Kind, ID: p.ID, Seq: t.pos.Seq, Version: old.Version + 1, Keep: old.Keep, Doc: p.Doc}
	t.written = true
	if err := t.u.writeObject(o); err != nil {
		return 0, err
	}
	return o.Version, t.u.writeAttrs(p.Kind, p.ID, attrs, p.Attrs)
}

func conflict(kind, id string, expected, stored int64) error {
	return fmt.Errorf("store: %s %q: %w: version %d was expected, %d is stored: read it again", kind, id, ErrConflict, expected, stored)
}

// current reads what a write depends on; the zero Object when there is none.
func (t *Tx) current(kind, id string) (o Object, err error) {
	var deleted, keep int64
	err = t.u.row("read "+kind, `SELECT version, deleted, keep FROM objects WHERE kind = $1 AND id = $2`, []any{kind, id},
		&o.Version, &deleted, &keep)
	if errors.Is(err, ErrNotFound) {
		return Object{}, nil
	}
	o.Deleted, o.Keep = deleted != 0, keep != 0
	return o, err
}

// Delete leaves a tombstone without document and attributes. keep makes it
// stay for ever, and once kept always kept. ErrNotFound when there is no live
// object, ErrConflict when its version is another.
func (t *Tx) Delete(kind, id string, version int64, keep bool) error {
	if err := checkName(kind, id); err != nil {
		return err
	}
	old, err := t.current(kind, id)
	if err != nil {
		return err
	}
	if old.Version == 0 || old.Deleted {
		return missing(kind, id)
	}
	if old.Version != version {
		return conflict(kind, id, version, old.Version)
	}
	t.written = true
	attrs, err := t.u.attrsOf(kind, id)
	if err != nil {
		return err
	}
	if err := t.u.writeAttrs(kind, id, attrs, nil); err != nil {
		return err
	}
	return t.u.writeObject(Object{Kind: kind, ID: id, Seq: t.pos.Seq, Version: version + 1, Deleted: true, Keep: old.Keep || keep})
}

// SetMeta sets a value; the empty value removes it.
func (t *Tx) SetMeta(key, value string) error {
	if key == "" || len(key) > maxID || len(value) > maxDoc || !Storable(key) || !Storable(value) {
		return fmt.Errorf("store: meta %q: key and value must be UTF-8 without NUL, at most %d and %d octets", key, maxID, maxDoc)
	}
	t.written = true
	return t.u.setMeta(key, value)
}

// Meta returns a value set by SetMeta, or ErrNotFound.
func (t *Tx) Meta(key string) (string, error) { return t.u.meta(key) }
