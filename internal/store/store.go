// Package store keeps objects (opaque versioned documents) in one total order
// of commits, and the evidence beside them, on SQLite or PostgreSQL. The two
// are one implementation: the SQL is the same text.
package store

import (
	"context"
	"log/slog"
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
type Store struct{}

// Open opens the store, makes it where it does not exist and migrates it.
// A damaged, newer or locked store is left untouched.
func Open(ctx context.Context, cfg Config) (*Store, error) { panic("not yet") }

// Close waits for calls in progress and closes the store.
func (s *Store) Close() error { panic("not yet") }

// Update runs f in a transaction and commits it as one numbered commit. There
// is one writer at a time on both databases: what f reads is the truth. An
// error of f rolls everything back and is returned as it is. When f wrote
// nothing at all, nothing is committed and the current head is returned.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) (Position, error) { panic("not yet") }

// Head is the position of the newest commit.
func (s *Store) Head(ctx context.Context) (Position, error) { panic("not yet") }

// Changes returns what was written after the given position, in order and in
// whole commits: as many as hold about limit objects (default 1000), at least
// one. Nothing written: an empty slice. The zero position gives the latest
// state of everything. ErrUnknownPosition: the follower starts from zero.
func (s *Store) Changes(ctx context.Context, after Position, limit int) ([]Change, error) {
	panic("not yet")
}

// Watch returns a channel that gets a value after commits of any node, until
// ctx ends. Several commits may make one value; a value may come for nothing;
// on PostgreSQL one may be lost, so a follower also polls every second.
func (s *Store) Watch(ctx context.Context) (<-chan struct{}, error) { panic("not yet") }

// RaiseEpoch makes an empty commit with the next epoch, if the head is still
// the expected one; else ErrConflict.
func (s *Store) RaiseEpoch(ctx context.Context, expected Position) (Position, error) {
	panic("not yet")
}

// Meta returns a value set by Tx.SetMeta, or ErrNotFound.
func (s *Store) Meta(ctx context.Context, key string) (string, error) { panic("not yet") }

// PurgeTombstones removes the tombstones (not those to keep) and the commits
// that are older than before (unix microseconds). It returns the number of
// tombstones removed. Followers that are further behind start from zero.
func (s *Store) PurgeTombstones(ctx context.Context, before int64) (int64, error) { panic("not yet") }

// Check reads the whole store and verifies it: the file's structure, the
// checksum of every object, the chain of records. ErrCorrupt names the first
// thing that is wrong.
func (s *Store) Check(ctx context.Context) error { panic("not yet") }

// Tx is a write transaction: valid only inside the function given to Update.
type Tx struct{}

// Position is what this commit will be.
func (t *Tx) Position() Position { panic("not yet") }

// Get returns the object, also a tombstone; ErrNotFound else.
func (t *Tx) Get(kind, id string) (Object, error) { panic("not yet") }

// List returns all live objects of a small kind, by id.
func (t *Tx) List(kind string) ([]Object, error) { panic("not yet") }

// Find returns the ids of the live objects with this attribute, in order.
func (t *Tx) Find(kind, attr, value string) ([]string, error) { panic("not yet") }

// Put writes an object and returns its new version; ErrConflict when the
// stored version is not the expected one.
func (t *Tx) Put(p Put) (version int64, err error) { panic("not yet") }

// Delete leaves a tombstone without document and attributes. keep makes it
// stay for ever, and once kept always kept. ErrNotFound when there is no live
// object, ErrConflict when its version is another.
func (t *Tx) Delete(kind, id string, version int64, keep bool) error { panic("not yet") }

// Record writes a row of evidence in the same transaction.
func (t *Tx) Record(r Record) error { panic("not yet") }

// SetMeta sets a value; the empty value removes it.
func (t *Tx) SetMeta(key, value string) error { panic("not yet") }

// Meta returns a value set by SetMeta, or ErrNotFound.
func (t *Tx) Meta(key string) (string, error) { panic("not yet") }
