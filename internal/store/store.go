// Package store keeps objects (opaque versioned documents) in one total order
// of commits, and the evidence beside them, on SQLite or PostgreSQL. The two
// are one implementation: the SQL is the same text.
//
// Every commit takes the next number from the head's row, which makes its
// writers wait for each other, in one process and between nodes: what a
// transaction reads is the truth, and all objects it writes carry its number.
// A follower asks for what lies after its own position (Changes).
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Config says where the store is.
type Config struct {
	// DSN is "sqlite:" and a path, or a postgres:// URL (several hosts allowed).
	DSN string
	// PoolSize is the number of connections: default 4 readers beside the one
	// writer on SQLite, 8 in all on PostgreSQL; 1 works.
	PoolSize int
	Now      func() time.Time // default time.Now
	Logger   *slog.Logger     // default: discards
}

// Store is the one store. Its methods may be called from several goroutines.
type Store struct {
	cfg    Config
	e      *engine
	reader *Reader // nil on PostgreSQL
	hub    hub
}

// Open opens the store, makes it where it does not exist and migrates it.
// A damaged, newer or locked store is left untouched. A PostgreSQL server that
// is away is no error: until it is back each call returns ErrUnavailable, and
// the first one that reaches it does the rest.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.PoolSize < 0 {
		return nil, errors.New("store: PoolSize is negative")
	}
	s := &Store{cfg: cfg}
	err := errors.New("store: the place is neither sqlite:PATH nor postgres://…")
	switch scheme, rest, _ := strings.Cut(cfg.DSN, ":"); scheme {
	case "sqlite":
		err = s.openFile(ctx, rest)
	case "postgres", "postgresql":
		err = s.openServer(ctx)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Store) openFile(ctx context.Context, path string) (err error) {
	if s.e, err = openSQLite(ctx, path, storeFile, cmp.Or(s.cfg.PoolSize, defaultReaders)); err != nil {
		return err
	}
	if s.reader, err = newReader(ctx, s.e.r); err != nil {
		return errors.Join(err, s.e.close())
	}
	return nil
}

func (s *Store) openServer(ctx context.Context) error {
	pg, err := postgresConfig(s.cfg.DSN)
	if err != nil {
		return err
	}
	s.e = openPostgres(pg, cmp.Or(s.cfg.PoolSize, defaultPostgresPool))
	if err := s.e.ready(ctx); err != nil && !errors.Is(err, errOutage) {
		s.e.w.Close()
		return err
	}
	s.hub.listen = func(ctx context.Context) error { return s.listen(ctx, pg) }
	return nil
}

// Close waits for calls in progress and closes the store.
func (s *Store) Close() error {
	s.hub.close()
	if s.reader != nil {
		s.reader.close()
	}
	return s.e.close()
}

// Reader returns the store's reader on SQLite. On PostgreSQL reads go to a
// Local: there it returns nil.
func (s *Store) Reader() *Reader { return s.reader }

// headRow is the one row of head, with the newest commit's id.
type headRow struct {
	Position
	floor   int64
	floorID string
	records int64
	hash    []byte
}

const readHead = `SELECT h.seq, h.epoch, coalesce(c.commit_id, ''), h.floor, h.floor_id, h.records, h.audit_hash
	FROM head h LEFT JOIN commits c ON c.seq = h.seq WHERE h.one = 1`

func (u *unit) head() (h headRow, err error) {
	err = u.row("read head", readHead, nil, &h.Seq, &h.Epoch, &h.CommitID, &h.floor, &h.floorID, &h.records, &h.hash)
	return h, err
}

// Head is the position of the newest commit.
func (s *Store) Head(ctx context.Context) (Position, error) {
	var h headRow
	err := s.e.transact(ctx, "read head", reading, func(u *unit) (err error) {
		h, err = u.head()
		return err
	})
	return h.Position, err
}

// Meta returns a value set by Tx.SetMeta, or ErrNotFound.
func (s *Store) Meta(ctx context.Context, key string) (value string, err error) {
	err = s.e.transact(ctx, "read "+key, reading, func(u *unit) (err error) {
		value, err = u.meta(key)
		return err
	})
	return value, err
}

func (u *unit) meta(key string) (value string, err error) {
	err = u.row("read "+key, `SELECT value FROM meta WHERE key = $1`, []any{key}, &value)
	return value, err
}

func (u *unit) setMeta(key, value string) error {
	if value == "" {
		_, err := u.exec("write "+key, `DELETE FROM meta WHERE key = $1`, key)
		return err
	}
	_, err := u.exec("write "+key, `INSERT INTO meta (key, value) VALUES ($1, $2)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
	return err
}

// Check reads the whole store and verifies it: the file's structure, the
// checksum of every object, the chain of records. ErrCorrupt names the first
// thing that is wrong. It takes minutes on a large store and blocks nobody.
func (s *Store) Check(ctx context.Context) error {
	err := s.e.transact(ctx, "check", reading, func(u *unit) error {
		if !s.e.postgres {
			if err := u.integrity("integrity_check"); err != nil {
				return err
			}
		}
		if err := u.order(); err != nil {
			return err
		}
		return u.noHoles()
	})
	if err != nil {
		return err
	}
	const page = 500
	var kind, id string
	for {
		n := 0
		err := s.e.transact(ctx, "check", reading, func(u *unit) error {
			return u.query("check", `SELECT `+objectColumns+` FROM objects WHERE (kind, id) > ($1, $2) ORDER BY kind, id LIMIT $3`,
				[]any{kind, id, page}, func(row scanner) error {
					var o Object
					err := o.scan(row)
					kind, id = o.Kind, o.ID
					n++
					return err
				})
		})
		if err != nil {
			return err
		}
		if n < page {
			break
		}
	}
	_, err = s.VerifyRecords(ctx)
	return err
}

// order verifies that the head is the newest commit: a head that is wrong
// would give tokens a wrong gen.
func (u *unit) order() error {
	var seq, epoch, newest, newestEpoch, objects int64
	err := u.row("check", `SELECT h.seq, h.epoch, (SELECT coalesce(max(seq), 0) FROM commits),
		coalesce((SELECT epoch FROM commits c WHERE c.seq = h.seq), h.epoch), (SELECT coalesce(max(seq), 0) FROM objects)
		FROM head h WHERE h.one = 1`, nil, &seq, &epoch, &newest, &newestEpoch, &objects)
	if err == nil && (newest != seq || newestEpoch != epoch || objects > seq) {
		err = fmt.Errorf("store: check: %w: the head, commit %d of epoch %d, is not the newest commit: restore a backup", ErrCorrupt, seq, epoch)
	}
	return err
}

// noHoles verifies that no commit is missing after the floor.
func (u *unit) noHoles() error {
	var missing int64
	err := u.row("check", `SELECT h.seq - h.floor - (SELECT count(*) FROM commits c WHERE c.seq > h.floor) FROM head h WHERE h.one = 1`, nil, &missing)
	if err == nil && missing != 0 {
		err = fmt.Errorf("store: check: %w: %d commits are missing: restore a backup", ErrCorrupt, missing)
	}
	return err
}
