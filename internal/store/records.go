package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
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
	if r.Doc == nil {
		r.Doc = []byte{} // not NULL
	}
	hash := r.link(c.hash, c.n+1)
	added, err := u.exec("write record", `INSERT INTO records (n, `+recordColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING`,
		c.n+1, r.ID, r.Time, r.Node, r.Class, r.Actor, r.Action, r.ObjectKind, r.ObjectID, r.RequestID, r.Seq, r.Doc, hash)
	if err == nil && added == 1 {
		c.n, c.hash, c.changed = c.n+1, hash, true
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
		if len(s) > maxID || !storable(s) {
			return fmt.Errorf("store: record %q: its columns must be UTF-8 without NUL, at most %d octets", r.ID, maxID)
		}
	}
	if r.ID == "" || len(r.Doc) > maxDoc {
		return fmt.Errorf("store: record %q: it needs an id and a document of at most %d octets", r.ID, maxDoc)
	}
	return nil
}

// Record writes a row of evidence in the same transaction. A record whose ID
// is there already is skipped.
func (t *Tx) Record(r Record) error {
	if r.Time == 0 {
		r.Time = t.now.UnixMicro()
	}
	if r.ID == "" {
		r.ID = fmt.Sprintf("%016x-%s", r.Time, rand.Text())
	}
	if r.Seq == 0 {
		r.Seq = t.pos.Seq
	}
	t.written = true
	return t.chain.append(t.u, r)
}

// AppendRecords adds records that come from a spool. A record whose ID is
// there already is skipped. It takes no part in the numbering of commits.
func (s *Store) AppendRecords(ctx context.Context, records []Record) error {
	return s.e.transact(ctx, "write records", numbered, func(u *unit) error {
		var c chain
		err := u.row("take the head", `UPDATE head SET records = records WHERE one = 1 RETURNING records, audit_hash`, nil, &c.n, &c.hash)
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := c.append(u, r); err != nil {
				return err
			}
		}
		return c.save(u)
	})
}

const recordColumns = `id, time, node, class, actor, action, object_kind, object_id, request_id, seq, doc, hash`

func (r *Record) scan(row scanner, more ...any) error {
	dest := append([]any{&r.ID, &r.Time, &r.Node, &r.Class, &r.Actor, &r.Action, &r.ObjectKind, &r.ObjectID,
		&r.RequestID, &r.Seq, &r.Doc, &r.Hash}, more...)
	return row.Scan(dest...)
}

// Records returns one page of records, newest first.
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
// says that the tail was cut.
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
