package store

import "context"

// AppendRecords adds records that come from a spool. A record whose ID is
// there already is skipped. It takes no part in the numbering of commits.
func (s *Store) AppendRecords(ctx context.Context, records []Record) error { panic("not yet") }

// Records returns one page of records, newest first.
func (s *Store) Records(ctx context.Context, q RecordQuery) ([]Record, error) { panic("not yet") }

// VerifyRecords walks the whole chain and returns the number of good rows.
// ErrCorrupt names the first row that was altered, deleted or reordered, or
// says that the tail was cut.
func (s *Store) VerifyRecords(ctx context.Context) (n int64, err error) { panic("not yet") }

// UpsertNode says that a node is there. It leaves the spool position alone.
func (s *Store) UpsertNode(ctx context.Context, n Node) error { panic("not yet") }

// Nodes returns all nodes by id.
func (s *Store) Nodes(ctx context.Context) ([]Node, error) { panic("not yet") }

// FlushUsage adds the counts and last uses read from a node's spool between
// from and to, and moves the node's flushed position, in one transaction.
// ErrConflict when the stored position is not from: then somebody has flushed
// that part already, and nothing is added.
func (s *Store) FlushUsage(ctx context.Context, node string, f Flush) error { panic("not yet") }

// Flush is what a node read from its spool between two positions.
type Flush struct {
	From, To SpoolPosition
	Usage    []UsageRow
	LastUsed []LastUsed
}

// SpoolPosition is how far a node's spool is flushed; zero for an unknown node.
func (s *Store) SpoolPosition(ctx context.Context, node string) (SpoolPosition, error) {
	panic("not yet")
}

// Usage returns the counted requests.
func (s *Store) Usage(ctx context.Context, q UsageQuery) ([]UsageRow, error) { panic("not yet") }

// LastUsedOf returns the last use of each credential of a client.
func (s *Store) LastUsedOf(ctx context.Context, client string) ([]LastUsed, error) { panic("not yet") }

// AddSegment adds a closed segment; adding it again changes nothing, adding
// another one under its number is ErrConflict.
func (s *Store) AddSegment(ctx context.Context, g Segment) error { panic("not yet") }

// Segments returns a node's closed segments with a number above after, in
// order, at most limit (default and most 1000).
func (s *Store) Segments(ctx context.Context, node string, after int64, limit int) ([]Segment, error) {
	panic("not yet")
}
