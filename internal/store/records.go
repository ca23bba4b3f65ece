package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// chain is the end of the chain of records, while a transaction extends it.
type chain struct {
	n       int64  // rows so far
	hash    []byte // of the last one; empty before the first
	changed bool
}

// link is the hash of a row: SHA-256 over the hash before it, its place and
// its columns, each with its length in front, so that no two rows have the
// same octets.
func (r *Record) link(before []byte, n int64) []byte {
	h := sha256.New()
	h.Write(before)
	var b []byte
	for _, v := range [...]int64{n, r.Time, r.Seq} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	for _, s := range [...]string{r.ID, r.Node, r.Class, r.Actor, r.Action, r.ObjectKind, r.ObjectID, r.RequestID} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(len(r.Doc)))
	h.Write(b)
	h.Write(r.Doc)
	return h.Sum(nil)
}

// append adds a row, unless its id is there already.
func (c *chain) append(u *unit, r Record) error {
	if err := r.check(); err != nil {
		return err
	}
	r.Hash = r.link(c.hash, c.n+1)
	added, err := u.exec("write record", `INSERT INTO records (`+recordColumns+`, n)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING`, append(r.values(), c.n+1)...)
	if err == nil && added == 1 {
		c.n, c.hash, c.changed = c.n+1, r.Hash, true
	}
	return err
}

// save writes the end of the chain into the head's row.
func (c *chain) save(u *unit) error {
	if !c.changed {
		return nil
	}
	_, err := u.exec("write record", `UPDATE head SET records = $1, audit_hash = $2 WHERE one = 1`, c.n, c.hash)
	return err
}

func (r *Record) check() error {
	for _, s := range [...]string{r.ID, r.Node, r.Class, r.Actor, r.Action, r.ObjectKind, r.ObjectID, r.RequestID} {
		if len(s) > maxID || !Storable(s) {
			return fmt.Errorf("store: record %q: its columns must be UTF-8 without NUL, at most %d octets", r.ID, maxID)
		}
	}
	if r.ID == "" || len(r.Doc) > maxDoc {
		return fmt.Errorf("store: record %q: it needs an id and a document of at most %d octets", r.ID, maxDoc)
	}
	return nil
}

// complete fills what the writer of a record may leave open.
func (r *Record) complete(now time.Time) {
	if r.Time == 0 {
		r.Time = now.UnixMicro()
	}
	if r.ID == "" {
		r.ID = fmt.Sprintf("%016x-%s", r.Time, rand.Text())
	}
}

// Record writes a row of evidence in the same transaction, as a link of the
// store's chain. A record whose ID is there already is skipped.
func (t *Tx) Record(r Record) error {
	r.complete(t.now)
	if r.Seq == 0 {
		r.Seq = t.pos.Seq
	}
	t.written = true
	return t.chain.append(t.u, r)
}

// AppendRecords adds records that belong to no commit and stand nowhere else to
// the store's chain, and does not take part in the numbering of commits. A record
// whose ID is there already is skipped.
func (s *Store) AppendRecords(ctx context.Context, records []Record) error {
	return s.e.transact(ctx, "write records", numbered, func(u *unit) error {
		var c chain
		err := u.row("take the head", `UPDATE head SET records = records WHERE one = 1 RETURNING records, audit_hash`, nil, &c.n, &c.hash)
		if err != nil {
			return err
		}
		for _, r := range records {
			r.complete(s.cfg.Now())
			if err := c.append(u, r); err != nil {
				return err
			}
		}
		return c.save(u)
	})
}

// CopyRecords adds copies of records that stand in a node's spool, so that every
// node finds them. They are no links of the store's chain: the spool's own chain
// and its anchors say whether the record is as it was written. So they keep no
// other writer waiting, and can be removed when they are old (PurgeRecords). A
// record whose ID is there already is skipped.
func (s *Store) CopyRecords(ctx context.Context, records []Record) error {
	const width = 12
	args := make([]any, 0, width*len(records))
	for _, r := range records {
		if err := r.check(); err != nil {
			return err
		}
		r.Hash = nil
		args = append(args, r.values()...)
	}
	return s.e.transact(ctx, "write records", evidence, func(u *unit) error {
		return u.insert("write records", `INSERT INTO records (`+recordColumns+`) VALUES `, ` ON CONFLICT (id) DO NOTHING`, width, args)
	})
}

// PurgeRecords removes the copies (CopyRecords) that are older than before (unix
// microseconds), and returns their number. The chain's records stay.
func (s *Store) PurgeRecords(ctx context.Context, before int64) (n int64, err error) {
	for {
		var removed int64 // some at a time: no statement takes long
		err = s.e.transact(ctx, "purge records", evidence, func(u *unit) (err error) {
			removed, err = u.exec("purge records", `DELETE FROM records WHERE id IN
				(SELECT id FROM records WHERE n IS NULL AND time < $1 ORDER BY time LIMIT 1000)`, before)
			return err
		})
		n += removed
		if err != nil || removed == 0 {
			return n, err
		}
	}
}

const recordColumns = `id, time, node, class, actor, action, object_kind, object_id, request_id, seq, doc, hash`

// values are the record's columns as they are written.
func (r *Record) values() []any {
	return []any{r.ID, r.Time, r.Node, r.Class, r.Actor, r.Action, r.ObjectKind, r.ObjectID, r.RequestID, r.Seq,
		notNull(r.Doc), notNull(r.Hash)}
}

func (r *Record) scan(row scanner, more ...any) error {
	dest := append([]any{&r.ID, &r.Time, &r.Node, &r.Class, &r.Actor, &r.Action, &r.ObjectKind, &r.ObjectID,
		&r.RequestID, &r.Seq, &r.Doc, &r.Hash}, more...)
	return row.Scan(dest...)
}

// Records returns one page of records, newest first: those of the chain, and
// copies.
func (s *Store) Records(ctx context.Context, q RecordQuery) (list []Record, err error) {
	var w where
	w.equal("node", q.Node)
	w.equal("class", q.Class)
	w.equal("actor", q.Actor)
	w.equal("action", q.Action)
	w.equal("object_kind", q.ObjectKind)
	w.equal("object_id", q.ObjectID)
	w.equal("request_id", q.RequestID)
	if q.From != 0 {
		w.add("time >= ", q.From)
	}
	if q.To != 0 {
		w.add("time < ", q.To)
	}
	if q.Before != "" {
		w.add("id < ", q.Before)
	}
	query := `SELECT ` + recordColumns + ` FROM records` + w.text() + ` ORDER BY id DESC LIMIT ` + w.bind(limited(q.Limit, 100, 1000))
	err = s.e.transact(ctx, "read records", reading, func(u *unit) error {
		return u.query("read records", query, w.args, func(row scanner) error {
			var r Record
			err := r.scan(row)
			list = append(list, r)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// VerifyRecords walks the whole chain and returns the number of good rows.
// ErrCorrupt names the first row that was altered, deleted or reordered, or
// says that the tail was cut. Copies of spools' records are not looked at: what
// vouches for those is the spool.
func (s *Store) VerifyRecords(ctx context.Context) (n int64, err error) {
	var head headRow
	var last int64
	err = s.e.transact(ctx, "verify records", reading, func(u *unit) (err error) {
		if head, err = u.head(); err != nil {
			return err
		}
		return u.row("verify records", `SELECT coalesce(max(n), 0) FROM records`, nil, &last)
	})
	if err != nil {
		return 0, err
	}
	v := verifier{}
	for more := true; more && v.n < head.records; {
		if more, err = s.verifyPage(ctx, &v, head.records); err != nil {
			return v.n, err
		}
	}
	switch {
	case v.n < head.records:
		err = tampered("the newest %d records were cut off after record %d (%s)", head.records-v.n, v.n, v.id)
	case last > head.records:
		err = tampered("%d records stand behind the end of the chain, record %d (%s)", last-head.records, v.n, v.id)
	case !bytes.Equal(v.hash, head.hash):
		err = tampered("record %d (%s), the newest, is not the one that the head knows", v.n, v.id)
	}
	return v.n, err
}

func tampered(format string, args ...any) error {
	return fmt.Errorf("store: %w: "+format+": compare with a backup", append([]any{ErrCorrupt}, args...)...)
}

// verifier is how far the chain has been found good.
type verifier struct {
	n    int64
	id   string
	hash []byte
}

func (s *Store) verifyPage(ctx context.Context, v *verifier, to int64) (more bool, err error) {
	err = s.e.transact(ctx, "verify records", reading, func(u *unit) error {
		return u.query("verify records", `SELECT `+recordColumns+`, n FROM records WHERE n > $1 AND n <= $2 ORDER BY n LIMIT 1000`,
			[]any{v.n, to}, func(row scanner) error {
				more = true
				return v.next(row)
			})
	})
	return more, err
}

func (v *verifier) next(row scanner) error {
	var r Record
	var n int64
	if err := r.scan(row, &n); err != nil {
		return err
	}
	if n != v.n+1 {
		return tampered("record %d is missing: record %d (%s) follows record %d (%s)", v.n+1, n, r.ID, v.n, v.id)
	}
	if hash := r.link(v.hash, n); !bytes.Equal(hash, r.Hash) {
		return tampered("record %d (%s) was altered or moved", n, r.ID)
	}
	v.n, v.id, v.hash = n, r.ID, r.Hash
	return nil
}
