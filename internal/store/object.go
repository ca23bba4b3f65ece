package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of what can be stored. They keep index entries inside what both
// databases accept, and a document inside memory.
const (
	maxKind = 64
	maxID   = 512
	maxAttr = 1024    // octets of an attribute's value
	maxDoc  = 1 << 20 // octets of a document
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is stored beside each object. Neither database notices a flipped bit in
// a document, and a changed access list reads as well as the right one.
func (o *Object) sum() int64 {
	var b [256]byte
	h := b[:0]
	for _, n := range [...]int64{o.Seq, o.Version, bit(o.Deleted), bit(o.Keep), int64(len(o.Kind)), int64(len(o.ID))} {
		h = binary.BigEndian.AppendUint64(h, uint64(n))
	}
	h = append(append(h, o.Kind...), o.ID...)
	return int64(crc32.Update(crc32.Checksum(h, castagnoli), castagnoli, o.Doc))
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// objectColumns are what scanObject reads, and writeObject writes.
const objectColumns = `kind, id, seq, version, deleted, keep, sum, doc`

// scan reads objectColumns and verifies the checksum; more receives what the
// query selects after them.
func (o *Object) scan(row scanner, more ...any) error {
	var deleted, keep, sum int64
	dest := append([]any{&o.Kind, &o.ID, &o.Seq, &o.Version, &deleted, &keep, &sum, &o.Doc}, more...)
	if err := row.Scan(dest...); err != nil {
		return err
	}
	o.Deleted, o.Keep = deleted != 0, keep != 0
	return o.verify(sum)
}

func (o *Object) verify(sum int64) error {
	if o.sum() != sum {
		return fmt.Errorf("store: %w: %s %s does not match its checksum: restore a backup", ErrCorrupt, o.Kind, o.ID)
	}
	return nil
}

// writeObject writes the row as given.
func (u *unit) writeObject(o Object) error {
	if o.Doc == nil {
		o.Doc = []byte{} // not NULL
	}
	_, err := u.exec("write "+o.Kind, `INSERT INTO objects (`+objectColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (kind, id) DO UPDATE SET seq = excluded.seq, version = excluded.version,
		deleted = excluded.deleted, keep = excluded.keep, sum = excluded.sum, doc = excluded.doc`,
		o.Kind, o.ID, o.Seq, o.Version, bit(o.Deleted), bit(o.Keep), o.sum(), o.Doc)
	return err
}

// attrsOf returns an object's attributes in order.
func (u *unit) attrsOf(kind, id string) (attrs []Attr, err error) {
	err = u.query("read attributes", `SELECT attr, value FROM attrs WHERE kind = $1 AND id = $2 ORDER BY attr, value`,
		[]any{kind, id}, func(row scanner) error {
			var a Attr
			err := row.Scan(&a.Name, &a.Value)
			attrs = append(attrs, a)
			return err
		})
	return attrs, err
}

// writeAttrs makes the attributes those given, touching only what differs.
// Removals come first: the search index follows them row by row.
func (u *unit) writeAttrs(kind, id string, old, attrs []Attr) error {
	attrs = sorted(attrs)
	for _, a := range old {
		if _, there := slices.BinarySearchFunc(attrs, a, compareAttr); there {
			continue
		}
		_, err := u.exec("write attributes", `DELETE FROM attrs WHERE kind = $1 AND attr = $2 AND value = $3 AND id = $4`,
			kind, a.Name, a.Value, id)
		if err != nil {
			return err
		}
	}
	var args []any
	for _, a := range attrs {
		if _, there := slices.BinarySearchFunc(old, a, compareAttr); !there {
			args = append(args, kind, a.Name, a.Value, id)
		}
	}
	return u.insert("write attributes", `INSERT INTO attrs (kind, attr, value, id) VALUES `, ``, 4, args)
}

// insert inserts rows of the given width, many to a statement.
func (u *unit) insert(op, head, tail string, width int, args []any) error {
	const most = 64 // rows: few different statements, far below the limits on parameters
	for len(args) > 0 {
		n := min(most, len(args)/width)
		var q strings.Builder
		q.WriteString(head)
		for i := range n * width {
			switch {
			case i == 0:
				q.WriteString("(")
			case i%width == 0:
				q.WriteString("), (")
			default:
				q.WriteString(", ")
			}
			fmt.Fprintf(&q, "$%d", i+1)
		}
		q.WriteString(")")
		q.WriteString(tail)
		if _, err := u.exec(op, q.String(), args[:n*width]...); err != nil {
			return err
		}
		args = args[n*width:]
	}
	return nil
}

func compareAttr(a, b Attr) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.Value, b.Value)
}

// sorted returns the attributes in order and once each.
func sorted(attrs []Attr) []Attr {
	attrs = slices.Clone(attrs)
	slices.SortFunc(attrs, compareAttr)
	return slices.Compact(attrs)
}

// check refuses what only one of the databases would take.
func (p *Put) check() error {
	if err := checkName(p.Kind, p.ID); err != nil {
		return err
	}
	if len(p.Doc) > maxDoc {
		return fmt.Errorf("store: %s %s has %d octets, more than %d", p.Kind, p.ID, len(p.Doc), maxDoc)
	}
	for _, a := range p.Attrs {
		if a.Name == "" || len(a.Name) > maxKind || len(a.Value) > maxAttr || !Storable(a.Name) || !Storable(a.Value) {
			return fmt.Errorf("store: attribute %q of %s %s: it must be UTF-8 without NUL, at most %d octets", a.Name, p.Kind, p.ID, maxAttr)
		}
	}
	return nil
}

func checkName(kind, id string) error {
	if kind == "" || id == "" || len(kind) > maxKind || len(id) > maxID || !Storable(kind) || !Storable(id) {
		return fmt.Errorf("store: kind %q, id %q: both must be UTF-8 without NUL, at most %d and %d octets", kind, id, maxKind, maxID)
	}
	return nil
}

// Storable reports whether both databases take it as text: PostgreSQL takes neither
// NUL nor broken UTF-8.
func Storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
