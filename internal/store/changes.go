package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

const (
	changesLimit = 1000    // objects in one answer when the caller says nothing
	changesBytes = 8 << 20 // octets of documents after which an answer ends
)

// Changes returns what was written after the given position, in order and in
// whole commits: as many as hold about limit objects (default 1000), at least
// one. Nothing written: an empty slice. The zero position gives the latest
// state of everything. ErrUnknownPosition: the follower starts from zero.
func (s *Store) Changes(ctx context.Context, after Position, limit int) (changes []Change, err error) {
	if limit <= 0 {
		limit = changesLimit
	}
	err = s.e.transact(ctx, "read changes", reading, func(u *unit) error {
		head, err := u.head()
		if err != nil {
			return err
		}
		if err := u.known(after, head); err != nil {
			return err
		}
		changes, err = u.changes(after.Seq, limit, head)
		if err != nil || len(changes) == 0 {
			return err
		}
		return u.addAttrs(changes, after.Seq)
	})
	if err != nil {
		return nil, err
	}
	return changes, nil
}

// purged is the commit id that stands for the commits before the floor: their
// rows are gone, only the objects they wrote are left. It holds until the next
// purge, which may remove tombstones that a follower this far has not seen.
func (h *headRow) purged(seq int64) Position {
	return Position{Seq: seq, CommitID: "floor:" + h.floorID}
}

// known checks that a follower's position is in the history of this store and
// not so old that tombstones after it are gone. The floor's own commit keeps its
// row: who stands on it has seen every tombstone that is gone, and it may be the
// newest commit but one, however long ago the purged ones were.
func (u *unit) known(p Position, head headRow) error {
	unknown := fmt.Errorf("store: %w: commit %d of epoch %d: start from zero", ErrUnknownPosition, p.Seq, p.Epoch)
	if p.IsZero() || p == head.Position {
		return nil
	}
	if p.Seq < head.floor {
		if p == head.purged(p.Seq) {
			return nil
		}
		return unknown
	}
	stored := Position{Seq: p.Seq}
	err := u.row("read changes", `SELECT epoch, commit_id FROM commits WHERE seq = $1`, []any{p.Seq}, &stored.Epoch, &stored.CommitID)
	if errors.Is(err, ErrNotFound) || err == nil && stored != p {
		return unknown
	}
	return err
}

// changes reads whole commits, as many as fit.
func (u *unit) changes(after int64, limit int, head headRow) ([]Change, error) {
	c := cut{limit: limit}
	err := u.query("read changes", `SELECT seq, length(doc) FROM objects WHERE seq > $1 ORDER BY seq LIMIT $2`, []any{after, limit + 1}, c.add)
	if err != nil {
		return nil, err
	}
	to, oversize := c.end()
	if oversize {
		if err := u.patience(); err != nil {
			return nil, err
		}
	}
	b := builder{head: head}
	err = u.query("read changes", `SELECT o.kind, o.id, o.seq, o.version, o.deleted, o.keep, o.sum, o.doc, coalesce(c.epoch, 0), coalesce(c.commit_id, '')
		FROM objects o LEFT JOIN commits c ON c.seq = o.seq WHERE o.seq > $1 AND o.seq <= $2 ORDER BY o.seq, o.kind, o.id`,
		[]any{after, to}, b.add)
	if err != nil {
		return nil, err
	}
	if !c.over && max(after, to) < head.Seq { // what came last wrote no object
		b.changes = append(b.changes, Change{Position: head.Position, Settled: true})
	}
	return b.changes, nil
}

// cut finds how many whole commits fit into one answer.
type cut struct {
	limit, rows, bytes int
	current, complete  int64 // commits: that of the last row, and the one before it
	over               bool
}

func (c *cut) add(row scanner) error {
	var seq int64
	var size int
	if err := row.Scan(&seq, &size); err != nil || c.over {
		return err
	}
	if seq != c.current {
		c.complete, c.current = c.current, seq
	}
	c.rows++
	c.bytes += size
	c.over = c.rows > c.limit || c.bytes > changesBytes
	return nil
}

// end is the last commit of the answer; oversize: it is the only one, and
// larger than an answer should be.
func (c *cut) end() (to int64, oversize bool) {
	switch {
	case !c.over:
		return c.current, false
	case c.complete > 0:
		return c.complete, false
	}
	return c.current, true
}

// builder groups rows into changes.
type builder struct {
	head    headRow
	changes []Change
}

func (b *builder) add(row scanner) error {
	var o Object
	var p Position
	if err := o.scan(row, &p.Epoch, &p.CommitID); err != nil {
		return err
	}
	p.Seq = o.Seq
	if o.Seq < b.head.floor {
		p = b.head.purged(o.Seq)
	}
	last := len(b.changes) - 1
	if last < 0 || b.changes[last].Seq != o.Seq {
		b.changes = append(b.changes, Change{Position: p, Settled: o.Seq == b.head.Seq})
		last++
	}
	b.changes[last].Objects = append(b.changes[last].Objects, ChangedObject{Object: o})
	return nil
}

// addAttrs reads the attributes of all the objects at once.
func (u *unit) addAttrs(changes []Change, after int64) error {
	objects := map[[2]string]*ChangedObject{}
	for i := range changes {
		for j := range changes[i].Objects {
			o := &changes[i].Objects[j]
			objects[[2]string{o.Kind, o.ID}] = o
		}
	}
	return u.query("read changes", `SELECT a.kind, a.id, a.attr, a.value FROM objects o
		JOIN attrs a ON a.kind = o.kind AND a.id = o.id WHERE o.seq > $1 AND o.seq <= $2 ORDER BY a.kind, a.id, a.attr, a.value`,
		[]any{after, changes[len(changes)-1].Seq}, func(row scanner) error {
			var kind, id string
			var a Attr
			if err := row.Scan(&kind, &id, &a.Name, &a.Value); err != nil {
				return err
			}
			if o := objects[[2]string{kind, id}]; o != nil {
				o.Attrs = append(o.Attrs, a)
			}
			return nil
		})
}

// PurgeTombstones removes the tombstones (not those to keep) of commits that are
// older than before (unix microseconds), and those commits but the last of them.
// It returns the number of tombstones removed. Followers that have not got as far
// as that last commit start from zero.
func (s *Store) PurgeTombstones(ctx context.Context, before int64) (n int64, err error) {
	var floor int64
	err = s.e.transact(ctx, "purge", numbered, func(u *unit) (err error) {
		floor, err = u.raiseFloor(before)
		return err
	})
	if err != nil || floor == 0 {
		return 0, err
	}
	for more := true; more && err == nil; {
		var removed int64
		removed, more, err = s.purgePiece(ctx, floor)
		n += removed
	}
	return n, err
}

// purgePiece removes some of what is below the floor: other writers get their
// turn in between, and no statement takes long.
func (s *Store) purgePiece(ctx context.Context, floor int64) (tombstones int64, more bool, err error) {
	err = s.e.transact(ctx, "purge", numbered, func(u *unit) error {
		// Without the head's row another node could revive a tombstone between
		// this statement's choice and its removal.
		if _, err := u.exec("take the head", `UPDATE head SET seq = seq WHERE one = 1`); err != nil {
			return err
		}
		tombstones, err = u.exec("purge", `DELETE FROM objects WHERE (kind, id) IN (SELECT kind, id FROM objects
			WHERE seq <= $1 AND deleted = 1 AND keep = 0 ORDER BY seq LIMIT 1000)`, floor)
		if err != nil {
			return err
		}
		commits, err := u.exec("purge", `DELETE FROM commits WHERE seq IN (SELECT seq FROM commits WHERE seq < $1 ORDER BY seq LIMIT 1000)`, floor)
		more = tombstones > 0 || commits > 0
		return err
	})
	return tombstones, more, err
}

// raiseFloor moves the floor to the last commit before the given time, but
// never to the newest one: the followers that are up to date stay known.
func (u *unit) raiseFloor(before int64) (floor int64, err error) {
	var head, first int64
	err = u.row("take the head", `UPDATE head SET seq = seq WHERE one = 1 RETURNING seq, floor`, nil, &head, &floor)
	if err != nil {
		return 0, err
	}
	err = u.row("purge", `SELECT coalesce(min(seq), $1) FROM commits WHERE time >= $2`, []any{head, before}, &first)
	if err != nil || first-1 <= floor {
		return floor, err
	}
	floor = first - 1
	_, err = u.exec("purge", `UPDATE head SET floor = $1, floor_id = $2 WHERE one = 1`, floor, rand.Text())
	return floor, err
}

// Purged is the number of the commit up to which tombstones are gone (see
// Local.Purge).
func (s *Store) Purged(ctx context.Context) (seq int64, err error) {
	err = s.e.transact(ctx, "read head", reading, func(u *unit) error {
		h, err := u.head()
		seq = h.floor
		return err
	})
	return seq, err
}
