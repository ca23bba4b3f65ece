package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Flush is what a node read from its spool between two positions.
type Flush struct {
	From, To SpoolPosition
	Usage    []UsageRow // each combination of the columns once
	LastUsed []LastUsed // each credential once
	Counted  int64      // unix microseconds: with this, all that the node answered before is flushed; 0: not known
}

// FlushUsage adds the counts and last uses read from a node's spool between
// From and To, and moves the node's flushed position, in one transaction.
// ErrConflict when the stored position is not From (its hash is not looked at):
// then that part has been flushed already, and nothing is added.
func (s *Store) FlushUsage(ctx context.Context, node string, f Flush) error {
	return s.e.transact(ctx, "flush usage", evidence, func(u *unit) error {
		if err := u.moveSpool(node, f); err != nil {
			return err
		}
		if err := u.addUsage(f.Usage); err != nil {
			return err
		}
		return u.addLastUsed(f.LastUsed)
	})
}

// moveSpool comes first: its row keeps a second flush of the same node waiting.
func (u *unit) moveSpool(node string, f Flush) error {
	if f.From.Segment == 0 && f.From.Offset == 0 {
		_, err := u.exec("flush usage", `INSERT INTO nodes (`+nodeColumns+`, spool_hash) VALUES ($1, '', 0, 0, '', 0, 0, 0, 0, $2)
			ON CONFLICT (id) DO NOTHING`, node, []byte{})
		if err != nil {
			return err
		}
	}
	moved, err := u.exec("flush usage", `UPDATE nodes SET spool_segment = $1, spool_offset = $2, spool_hash = $3,
		counted = CASE WHEN counted < $4 THEN $4 ELSE counted END WHERE id = $5 AND spool_segment = $6 AND spool_offset = $7`,
		f.To.Segment, f.To.Offset, f.To.Hash[:], f.Counted, node, f.From.Segment, f.From.Offset)
	if err == nil && moved != 1 {
		err = fmt.Errorf("store: flush usage: %w: the spool of node %s is not flushed up to segment %d, offset %d: read the position again",
			ErrConflict, node, f.From.Segment, f.From.Offset)
	}
	return err
}

// addUsage adds the counts. Rows go in order, so that two nodes that add to
// the same ones cannot block each other.
func (u *unit) addUsage(rows []UsageRow) error {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, compareUsage)
	args := make([]any, 0, 7*len(rows))
	for i, r := range rows {
		if i > 0 && compareUsage(rows[i-1], r) == 0 {
			return fmt.Errorf("store: flush usage: two rows for client %q in the same hour with the same outcome: add them up first", r.Client)
		}
		args = append(args, r.Hour, r.Issuer, r.Client, r.Credential, r.API, r.Outcome, r.Count)
	}
	return u.insert("flush usage", `INSERT INTO usage (`+usageColumns+`) VALUES `,
		` ON CONFLICT (hour, issuer, client, credential, api, outcome) DO UPDATE SET count = usage.count + excluded.count`, 7, args)
}

const usageColumns = `hour, issuer, client, credential, api, outcome, count`

func compareUsage(a, b UsageRow) int {
	return cmp.Or(cmp.Compare(a.Hour, b.Hour), cmp.Compare(a.Issuer, b.Issuer), cmp.Compare(a.Client, b.Client),
		cmp.Compare(a.Credential, b.Credential), cmp.Compare(a.API, b.API), cmp.Compare(a.Outcome, b.Outcome))
}

// addLastUsed keeps the later of two uses, whichever node reports first.
func (u *unit) addLastUsed(list []LastUsed) error {
	list = slices.Clone(list)
	slices.SortFunc(list, compareLastUsed)
	args := make([]any, 0, 4*len(list))
	for i, l := range list {
		if i > 0 && compareLastUsed(list[i-1], l) == 0 {
			return fmt.Errorf("store: flush usage: two last uses of credential %q of client %q: keep the later", l.Credential, l.Client)
		}
		args = append(args, l.Client, l.Credential, l.At, l.RequestID)
	}
	return u.insert("flush usage", `INSERT INTO last_used (client, credential, used_at, request_id) VALUES `,
		` ON CONFLICT (client, credential) DO UPDATE SET used_at = excluded.used_at, request_id = excluded.request_id
		WHERE excluded.used_at > last_used.used_at`, 4, args)
}

func compareLastUsed(a, b LastUsed) int {
	return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Credential, b.Credential))
}

// Usage returns the counted requests.
func (s *Store) Usage(ctx context.Context, q UsageQuery) (list []UsageRow, err error) {
	var w where
	if q.From != 0 {
		w.add("hour >= ", q.From)
	}
	if q.To != 0 {
		w.add("hour < ", q.To)
	}
	w.equal("issuer", q.Issuer)
	w.equal("client", q.Client)
	w.equal("credential", q.Credential)
	w.equal("api", q.API)
	w.equal("outcome", q.Outcome)
	query := `SELECT ` + usageColumns + ` FROM usage` + w.text()
	if q.Sum || q.Step > 1 {
		first := "0"
		if !q.Sum {
			first = fmt.Sprintf("hour - hour %% %d", q.Step)
		}
		// CAST: PostgreSQL's sum of BIGINT is NUMERIC.
		query = `SELECT ` + first + `, issuer, client, credential, api, outcome, CAST(sum(count) AS BIGINT) FROM usage` + w.text() +
			` GROUP BY 1, 2, 3, 4, 5, 6`
	}
	query += ` ORDER BY 1, 2, 3, 4, 5, 6 LIMIT ` + w.bind(limited(q.Limit, 1000, 100000))
	err = s.e.transact(ctx, "read usage", reading, func(u *unit) error {
		return u.query("read usage", query, w.args, func(row scanner) error {
			var r UsageRow
			err := row.Scan(&r.Hour, &r.Issuer, &r.Client, &r.Credential, &r.API, &r.Outcome, &r.Count)
			list = append(list, r)
			return err
		})
	})
	return list, err
}

// PurgeUsage removes the rows of the hours before the given one (unix hours).
func (s *Store) PurgeUsage(ctx context.Context, before int64) (n int64, err error) {
	for {
		var removed int64 // an hour at a time: no statement takes long
		err = s.e.transact(ctx, "purge usage", evidence, func(u *unit) (err error) {
			removed, err = u.exec("purge usage", `DELETE FROM usage WHERE hour = (SELECT min(hour) FROM usage WHERE hour < $1)`, before)
			return err
		})
		n += removed
		if err != nil || removed == 0 {
			return n, err
		}
	}
}

// LastUsedOf returns the last use of each credential of a client.
func (s *Store) LastUsedOf(ctx context.Context, client string) (list []LastUsed, err error) {
	err = s.e.transact(ctx, "read last use", reading, func(u *unit) error {
		return u.query("read last use", `SELECT client, credential, used_at, request_id FROM last_used WHERE client = $1 ORDER BY credential`,
			[]any{client}, func(row scanner) error {
				var l LastUsed
				err := row.Scan(&l.Client, &l.Credential, &l.At, &l.RequestID)
				list = append(list, l)
				return err
			})
	})
	return list, err
}
