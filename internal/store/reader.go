package store

import "context"

// Reader reads objects from the local file: the store's own on SQLite, a
// Local's on PostgreSQL. It is never blocked by the writer.
type Reader struct{}

// Reader returns the store's reader on SQLite. On PostgreSQL reads go to a
// Local: there it returns nil.
func (s *Store) Reader() *Reader { panic("not yet") }

// Get returns the object, also a tombstone; ErrNotFound else.
func (r *Reader) Get(ctx context.Context, kind, id string) (Object, error) { panic("not yet") }

// Seq returns only the number of the commit that wrote the object last.
func (r *Reader) Seq(ctx context.Context, kind, id string) (int64, error) { panic("not yet") }

// List returns one page of objects, and what to set as Query.After for the
// next one; next is empty when there is no more.
func (r *Reader) List(ctx context.Context, q Query) (page []Object, next string, err error) {
	panic("not yet")
}

// All calls f for every live object of the kind, by id, until f returns an
// error. It reads in pages: commits may happen between two of them, so a
// caller reads Position first and follows from there.
func (r *Reader) All(ctx context.Context, kind string, f func(Object) error) error { panic("not yet") }

// Position is the position that the objects read later are not older than. It
// is zero in a Local that has never been complete.
func (r *Reader) Position(ctx context.Context) (Position, error) { panic("not yet") }

// LocalConfig holds the options of a local replica.
type LocalConfig struct {
	PoolSize int // readers; default 4
}

// Local is the replica file of a node whose store is PostgreSQL.
type Local struct{}

// OpenLocal opens or makes the replica file. Errors are those of Open; a
// replica is a copy, so a caller that reaches the store may remove a damaged
// one (RemoveLocal) and start from zero.
func OpenLocal(ctx context.Context, path string, cfg LocalConfig) (*Local, error) { panic("not yet") }

// RemoveLocal removes a replica file that no process has open.
func RemoveLocal(path string) error { panic("not yet") }

// Reader reads the replica. Its Position moves with settled changes only.
func (l *Local) Reader() *Reader { panic("not yet") }

// Position is where to follow from (Store.Changes): the last applied change.
func (l *Local) Position(ctx context.Context) (Position, error) { panic("not yet") }

// Apply applies one change in one local transaction.
func (l *Local) Apply(ctx context.Context, c Change) error { panic("not yet") }

// Reset empties the replica, before it starts from zero.
func (l *Local) Reset(ctx context.Context) error { panic("not yet") }

// Close closes the replica.
func (l *Local) Close() error { panic("not yet") }
