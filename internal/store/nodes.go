package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// UpsertNode says that a node is there. It leaves alone how far its spool is
// flushed.
func (s *Store) UpsertNode(ctx context.Context, n Node) error {
	if n.ID == "" || len(n.ID) > maxID || !Storable(n.ID) || !Storable(n.Version) {
		return fmt.Errorf("store: node %q: its id must be UTF-8 without NUL, at most %d octets", n.ID, maxID)
	}
	return s.e.transact(ctx, "write node", evidence, func(u *unit) error {
		_, err := u.exec("write node", `INSERT INTO nodes (`+nodeColumns+`, spool_hash) VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, $7)
			ON CONFLICT (id) DO UPDATE SET version = excluded.version, seq = excluded.seq, epoch = excluded.epoch,
			commit_id = excluded.commit_id, last_seen = excluded.last_seen`,
			n.ID, n.Version, n.Seq, n.Epoch, n.CommitID, n.LastSeen, []byte{})
		return err
	})
}

const nodeColumns = `id, version, seq, epoch, commit_id, last_seen, spool_segment, spool_offset, counted`

// Nodes returns all nodes by id.
func (s *Store) Nodes(ctx context.Context) (nodes []Node, err error) {
	err = s.e.transact(ctx, "read nodes", reading, func(u *unit) error {
		return u.query("read nodes", `SELECT `+nodeColumns+` FROM nodes ORDER BY id`, nil, func(row scanner) error {
			var n Node
			err := row.Scan(&n.ID, &n.Version, &n.Seq, &n.Epoch, &n.CommitID, &n.LastSeen, &n.SpoolSegment, &n.SpoolOffset, &n.Counted)
			nodes = append(nodes, n)
			return err
		})
	})
	return nodes, err
}

// SpoolPosition is how far a node's spool is flushed; zero for an unknown node.
func (s *Store) SpoolPosition(ctx context.Context, node string) (p SpoolPosition, err error) {
	var hash []byte
	err = s.e.transact(ctx, "read spool position", reading, func(u *unit) error {
		return u.row("read spool position", `SELECT spool_segment, spool_offset, spool_hash FROM nodes WHERE id = $1`, []any{node},
			&p.Segment, &p.Offset, &hash)
	})
	copy(p.Hash[:], hash)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return p, err
}

// AddSegment adds a closed segment; adding it again changes nothing, adding
// another one under its number is ErrConflict.
func (s *Store) AddSegment(ctx context.Context, g Segment) error {
	return s.e.transact(ctx, "write segment", evidence, func(u *unit) error {
		added, err := u.exec("write segment", `INSERT INTO segments (`+segmentColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (node, number) DO NOTHING`,
			g.Node, g.Number, notNull(g.FirstHash), notNull(g.LastHash), g.Records, g.From, g.To)
		if err != nil || added == 1 {
			return err
		}
		old, err := u.segments(g.Node, g.Number-1, 1)
		if err != nil {
			return err
		}
		if len(old) != 1 || old[0].Number != g.Number || old[0].Records != g.Records ||
			!bytes.Equal(old[0].FirstHash, g.FirstHash) || !bytes.Equal(old[0].LastHash, g.LastHash) {
			return fmt.Errorf("store: segment %d of node %s: %w: another one with this number is there", g.Number, g.Node, ErrConflict)
		}
		return nil
	})
}

func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

const segmentColumns = `node, number, first_hash, last_hash, records, first_time, last_time`

// Segments returns a node's closed segments with a number above after, in
// order, at most limit (default and most 1000).
func (s *Store) Segments(ctx context.Context, node string, after int64, limit int) (list []Segment, err error) {
	err = s.e.transact(ctx, "read segments", reading, func(u *unit) (err error) {
		list, err = u.segments(node, after, limited(limit, 1000, 1000))
		return err
	})
	return list, err
}

func (u *unit) segments(node string, after int64, limit int) (list []Segment, err error) {
	err = u.query("read segments", `SELECT `+segmentColumns+` FROM segments WHERE node = $1 AND number > $2 ORDER BY number LIMIT $3`,
		[]any{node, after, limit}, func(row scanner) error {
			var g Segment
			err := row.Scan(&g.Node, &g.Number, &g.FirstHash, &g.LastHash, &g.Records, &g.From, &g.To)
			list = append(list, g)
			return err
		})
	return list, err
}
