package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Reader reads objects from the local file: the store's own on SQLite, a
// Local's on PostgreSQL. It is never blocked by the writer.
type Reader struct {
	db                          *sql.DB
	get, seq, position, allFrom *sql.Stmt
}

func newReader(ctx context.Context, db *sql.DB) (*Reader, error) {
	r := &Reader{db: db}
	for _, s := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&r.get, `SELECT seq, version, deleted, keep, sum, doc FROM objects WHERE kind = $1 AND id = $2`},
		{&r.seq, `SELECT seq FROM objects WHERE kind = $1 AND id = $2`},
		{&r.position, `SELECT h.seq, h.epoch, coalesce(c.commit_id, '') FROM head h LEFT JOIN commits c ON c.seq = h.seq WHERE h.one = 1`},
		{&r.allFrom, `SELECT ` + objectColumns + ` FROM objects WHERE kind = $1 AND id > $2 AND deleted = 0 ORDER BY id LIMIT $3`},
	} {
		var err error
		if *s.stmt, err = db.PrepareContext(ctx, s.query); err != nil {
			return nil, errors.Join(failure("open", err), r.close())
		}
	}
	return r, nil
}

func (r *Reader) close() error {
	var err error
	for _, s := range []*sql.Stmt{r.get, r.seq, r.position, r.allFrom} {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	return err
}

// hot is the context of a read by key. The driver starts a goroutine for each
// statement whose context can end, which costs more than the read itself; it
// takes microseconds and is not worth interrupting.
func hot(ctx context.Context) (context.Context, error) {
	return context.WithoutCancel(ctx), ctx.Err()
}

// Get returns the object, also a tombstone; ErrNotFound else.
func (r *Reader) Get(ctx context.Context, kind, id string) (Object, error) {
	ctx, err := hot(ctx)
	if err != nil {
		return Object{}, failure("read "+kind, err)
	}
	o := Object{Kind: kind, ID: id}
	var deleted, keep, sum int64
	err = r.get.QueryRowContext(ctx, kind, id).Scan(&o.Seq, &o.Version, &deleted, &keep, &sum, &o.Doc)
	if err != nil {
		return Object{}, readFailure(kind, id, err)
	}
	o.Deleted, o.Keep = deleted != 0, keep != 0
	if err := o.verify(sum); err != nil {
		return Object{}, err
	}
	return o, nil
}

func readFailure(kind, id string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return missing(kind, id)
	}
	return failure("read "+kind, err)
}

// Seq returns only the number of the commit that wrote the object last.
func (r *Reader) Seq(ctx context.Context, kind, id string) (int64, error) {
	ctx, err := hot(ctx)
	if err != nil {
		return 0, failure("read "+kind, err)
	}
	var seq int64
	if err := r.seq.QueryRowContext(ctx, kind, id).Scan(&seq); err != nil {
		return 0, readFailure(kind, id, err)
	}
	return seq, nil
}

// Position is the position that the objects read later are not older than. It
// is zero in a Local that has never been complete.
func (r *Reader) Position(ctx context.Context) (p Position, err error) {
	if ctx, err = hot(ctx); err == nil {
		err = r.position.QueryRowContext(ctx).Scan(&p.Seq, &p.Epoch, &p.CommitID)
	}
	if err != nil {
		return Position{}, failure("read head", err)
	}
	return p, nil
}

// All calls f for every live object of the kind, by id, until f returns an
// error. It reads in pages and holds no connection while f runs: commits may
// happen meanwhile, so a caller reads Position first and follows from there.
func (r *Reader) All(ctx context.Context, kind string, f func(Object) error) error {
	const size = 256
	for after := ""; ; {
		page, err := r.page(ctx, r.allFrom, kind, after, size)
		if err != nil {
			return err
		}
		for _, o := range page {
			if err := f(o); err != nil {
				return err
			}
		}
		if len(page) < size {
			return nil
		}
		after = page[size-1].ID
	}
}

func (r *Reader) page(ctx context.Context, stmt *sql.Stmt, args ...any) ([]Object, error) {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, failure("list", err)
	}
	defer rows.Close()
	var page []Object
	for rows.Next() {
		var o Object
		if err := o.scan(rows); err != nil {
			return nil, failure("list", err)
		}
		page = append(page, o)
	}
	return page, failure("list", rows.Err())
}

// PageSize is how many objects a page holds, at most: Limit, where that is given
// and not more than may be.
func (q Query) PageSize() int { return limited(q.Limit, 100, 1000) }

// List returns one page of objects, and what to set as Query.After for the
// next one; next is empty when there is no more.
func (r *Reader) List(ctx context.Context, q Query) (page []Object, next string, err error) {
	if q.Kind == "" {
		return nil, "", errors.New("store: list: no kind")
	}
	if !Storable(q.Search) { // no name is such a text, and the index's own syntax ends at a NUL
		return nil, "", nil
	}
	limit := q.PageSize()
	text, args := q.statement(limit + 1)
	stmt, err := r.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, "", failure("list "+q.Kind, err)
	}
	defer stmt.Close()
	if page, err = r.page(ctx, stmt, args...); err != nil {
		return nil, "", err
	}
	if len(page) > limit {
		page = page[:limit]
		next = page[limit-1].ID
	}
	return page, next, nil
}

// statement builds the page's query. CROSS JOIN is SQLite's way to fix the
// order of the loops.
func (q *Query) statement(limit int) (string, []any) {
	var w where
	attrs, from, id := q.Attrs, "objects o", "o.id"
	switch {
	case utf8.RuneCountInString(q.Search) >= minSearch:
		// Only what matches is looked at, and sorted without its documents.
		from = "search s CROSS JOIN objects o ON o.rid = s.rowid"
		w.add("s.text MATCH ", `"`+strings.ReplaceAll(q.Search, `"`, `""`)+`"`)
		w.add("o.kind = ", q.Kind)
	case len(attrs) > 0:
		// The entries of an attribute are in the order of ids already.
		from, id = "attrs a CROSS JOIN objects o ON o.kind = a.kind AND o.id = a.id", "a.id"
		w.add("a.kind = ", q.Kind)
		w.add("a.attr = ", attrs[0].Name)
		w.add("a.value = ", attrs[0].Value)
		attrs = attrs[1:]
	default:
		w.add("o.kind = ", q.Kind)
	}
	w.add("o.deleted = ", bit(q.Deleted))
	if q.After != "" {
		w.add(id+" > ", q.After)
	}
	for _, a := range attrs {
		w.terms = append(w.terms, fmt.Sprintf("EXISTS (SELECT 1 FROM attrs b WHERE b.kind = o.kind AND b.attr = %s AND b.value = %s AND b.id = o.id)",
			w.bind(a.Name), w.bind(a.Value)))
	}
	w.within(q.Within)
	if q.Search != "" && utf8.RuneCountInString(q.Search) < minSearch {
		w.like(q.Search)
	}
	return `SELECT ` + objectColumns + ` FROM objects WHERE rid IN (SELECT o.rid FROM ` + from + w.text() +
		` ORDER BY ` + id + ` LIMIT ` + w.bind(limit) + `) ORDER BY id`, w.args
}

// within drops what has another value of the attribute. Without the hint all entries
// of the attribute would be looked through for each object.
func (w *where) within(values []Attr) {
	if len(values) == 0 {
		return
	}
	var list []string
	for _, v := range values {
		list = append(list, w.bind(v.Value))
	}
	w.terms = append(w.terms, fmt.Sprintf("NOT EXISTS (SELECT 1 FROM attrs x INDEXED BY attrs_object WHERE x.kind = o.kind AND x.id = o.id AND x.attr = %s AND x.value NOT IN (%s))",
		w.bind(values[0].Name), strings.Join(list, ", ")))
}

// minSearch is the number of characters in an entry of the search index.
// Shorter texts are looked for in each name.
const minSearch = 3

func (w *where) like(text string) {
	pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
	w.terms = append(w.terms, fmt.Sprintf(`EXISTS (SELECT 1 FROM attrs n WHERE n.kind = o.kind AND n.id = o.id AND n.attr = '`+AttrName+`'
		AND (n.value LIKE %s ESCAPE '\' OR n.id LIKE %s ESCAPE '\'))`, w.bind(pattern), w.bind(pattern)))
}
