package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// LocalConfig holds the options of a local replica.
type LocalConfig struct {
	PoolSize int // readers; default 4
}

// Local is the replica file of a node whose store is PostgreSQL. The file has
// the store's tables: objects and attributes are the copies, the head is the
// newest settled position.
type Local struct {
	e      *engine
	reader *Reader
}

// nowhere is a replica's head before it has ever been complete.
const nowhere = `UPDATE head SET seq = 0, epoch = 0 WHERE one = 1`

// metaApplied is the key of the position to follow from.
const metaApplied = "replica.applied"

// OpenLocal opens or makes the replica file. Errors are those of Open; a
// replica is a copy, so who reaches the store may remove the file of a damaged
// one and start from zero.
func OpenLocal(ctx context.Context, path string, cfg LocalConfig) (*Local, error) {
	if cfg.PoolSize < 0 {
		return nil, errors.New("store: PoolSize is negative")
	}
	e, err := openSQLite(ctx, path, replicaFile, cmp.Or(cfg.PoolSize, defaultReaders))
	if err != nil {
		return nil, err
	}
	r, err := newReader(ctx, e.r)
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return &Local{e: e, reader: r}, nil
}

// Reader reads the replica. Its Position moves with settled changes only.
func (l *Local) Reader() *Reader { return l.reader }

// Position is where to follow from (Store.Changes): the last applied change.
func (l *Local) Position(ctx context.Context) (p Position, err error) {
	err = l.e.transact(ctx, "read replica", reading, func(u *unit) (err error) {
		p, err = u.applied()
		return err
	})
	return p, err
}

func (u *unit) applied() (p Position, err error) {
	text, err := u.meta(metaApplied)
	if errors.Is(err, ErrNotFound) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	f := strings.SplitN(text, " ", 3)
	if len(f) == 3 {
		var err1, err2 error
		p.Seq, err1 = strconv.ParseInt(f[0], 10, 64)
		p.Epoch, err2 = strconv.ParseInt(f[1], 10, 64)
		p.CommitID = f[2]
		err = errors.Join(err1, err2)
	}
	if len(f) != 3 || err != nil {
		return Position{}, fmt.Errorf("store: %w: the replica does not know its position: remove it to start from zero", ErrCorrupt)
	}
	return p, nil
}

// Apply applies changes, in the order in which Store.Changes returned them, in
// one local transaction. ErrConflict when they do not come after what is there.
func (l *Local) Apply(ctx context.Context, changes ...Change) error {
	return l.e.transact(ctx, "apply changes", evidence, func(u *unit) error {
		at, err := u.applied()
		if err != nil {
			return err
		}
		settled := Position{}
		for _, c := range changes {
			if c.Seq <= at.Seq {
				return fmt.Errorf("store: apply changes: %w: commit %d comes after commit %d already applied", ErrConflict, c.Seq, at.Seq)
			}
			if at = c.Position; c.Settled {
				settled = at
			}
			for _, o := range c.Objects {
				if err := u.copyObject(o); err != nil {
					return err
				}
			}
		}
		if err := u.setMeta(metaApplied, fmt.Sprintf("%d %d %s", at.Seq, at.Epoch, at.CommitID)); err != nil {
			return err
		}
		if settled.IsZero() {
			return nil
		}
		return u.settle(settled)
	})
}

func (u *unit) copyObject(o ChangedObject) error {
	old, err := u.attrsOf(o.Kind, o.ID)
	if err != nil {
		return err
	}
	if err := u.writeObject(o.Object); err != nil {
		return err
	}
	return u.writeAttrs(o.Kind, o.ID, old, o.Attrs)
}

// settle makes p the replica's head.
func (u *unit) settle(p Position) error {
	if _, err := u.exec("apply changes", `UPDATE head SET seq = $1, epoch = $2 WHERE one = 1`, p.Seq, p.Epoch); err != nil {
		return err
	}
	if _, err := u.exec("apply changes", `DELETE FROM commits`); err != nil {
		return err
	}
	_, err := u.exec("apply changes", `INSERT INTO commits (seq, epoch, commit_id, time) VALUES ($1, $2, $3, 0)`, p.Seq, p.Epoch, p.CommitID)
	return err
}

// Purge removes the tombstones that the store has purged (Store.Purged).
func (l *Local) Purge(ctx context.Context, seq int64) error {
	return l.e.transact(ctx, "purge replica", evidence, func(u *unit) error {
		_, err := u.exec("purge replica", `DELETE FROM objects WHERE seq <= $1 AND deleted = 1 AND keep = 0`, seq)
		return err
	})
}

// Reset empties the replica, before it starts from zero.
func (l *Local) Reset(ctx context.Context) error {
	return l.e.transact(ctx, "empty replica", evidence, func(u *unit) error {
		for _, q := range []string{`DELETE FROM attrs`, `DELETE FROM objects`, `DELETE FROM commits`, `DELETE FROM meta`,
			nowhere} {
			if _, err := u.exec("empty replica", q); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close closes the replica.
func (l *Local) Close() error {
	return errors.Join(l.reader.close(), l.e.close())
}
