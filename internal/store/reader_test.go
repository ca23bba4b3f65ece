package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/symbolon/symbolon/internal/pgtest"
)

// eachReader runs a test on both ways to read: the store's own file, and the
// replica of a store on PostgreSQL. sync brings the reader up to date.
func eachReader(t *testing.T, f func(t *testing.T, s *Store, r *Reader, sync func())) {
	t.Run("sqlite", func(t *testing.T) {
		s := open(t, Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "symbolon.db")})
		f(t, s, s.Reader(), func() {})
	})
	t.Run("postgres", func(t *testing.T) {
		s := open(t, Config{DSN: pgtest.Database(t)})
		if s.Reader() != nil {
			t.Fatal("a store on PostgreSQL has a reader")
		}
		l := openLocal(t, filepath.Join(t.TempDir(), "replica.db"))
		f(t, s, l.Reader(), func() { follow(t, s, l, 0) })
	})
}

func TestReader(t *testing.T) {
	eachReader(t, func(t *testing.T, s *Store, r *Reader, sync func()) {
		ctx := t.Context()
		if p, err := r.Position(ctx); !p.IsZero() || err != nil {
			t.Errorf("position before the first commit: %v, %v", p, err)
		}
		p := put(t, s, Put{Kind: "client", ID: "a", Doc: []byte{0, 0xff}})
		put(t, s, Put{Kind: "client", ID: "gone"})
		last := remove(t, s, "client", "gone", 1, true)
		sync()
		o, err := r.Get(ctx, "client", "a")
		if err != nil || fmt.Sprint(o) != fmt.Sprint(Object{"client", "a", p.Seq, 1, false, false, []byte{0, 0xff}}) {
			t.Errorf("%+v, %v", o, err)
		}
		if o, err = r.Get(ctx, "client", "gone"); err != nil || !o.Deleted || !o.Keep || o.Seq != last.Seq {
			t.Errorf("a tombstone: %+v, %v", o, err)
		}
		if seq, err := r.Seq(ctx, "client", "a"); seq != p.Seq || err != nil {
			t.Errorf("Seq: %d, %v", seq, err)
		}
		for _, id := range []string{"none", "A", ""} {
			if _, err := r.Get(ctx, "client", id); !errors.Is(err, ErrNotFound) {
				t.Errorf("Get %q: %v", id, err)
			}
			if _, err := r.Seq(ctx, "client", id); !errors.Is(err, ErrNotFound) {
				t.Errorf("Seq %q: %v", id, err)
			}
		}
		if at, err := r.Position(ctx); at != last || err != nil {
			t.Errorf("position %v, %v; want %v", at, err, last)
		}
		over, cancel := context.WithCancel(ctx)
		cancel()
		_, err1 := r.Get(over, "client", "a")
		_, err2 := r.Seq(over, "client", "a")
		_, err3 := r.Position(over)
		_, _, err4 := r.List(over, Query{Kind: "client"})
		for i, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
				t.Errorf("call %d after the context ended: %v", i, err)
			}
		}
	})
}

func listAll(t testing.TB, r *Reader, q Query) (ids []string) {
	t.Helper()
	for {
		page, next, err := r.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			ids = append(ids, o.ID)
		}
		if next == "" {
			return ids
		}
		if q.After = next; len(page) != q.Limit {
			t.Fatalf("a page of %d with a next one, limit %d", len(page), q.Limit)
		}
	}
}

// TestListWithin leaves out what has another value besides, and nothing else.
func TestListWithin(t *testing.T) {
	eachReader(t, func(t *testing.T, s *Store, r *Reader, sync func()) {
		for id, issuers := range map[string][]string{"both": {"a", "b"}, "of-a": {"a"}, "of-b": {"b"}, "others": {"c"}, "shared": {"a", "c"}, "none": nil} {
			p := Put{Kind: "client", ID: id, Attrs: []Attr{{"name", id}}}
			for _, i := range issuers {
				p.Attrs = append(p.Attrs, Attr{"issuer", i})
			}
			put(t, s, p)
		}
		sync()
		within := []Attr{{"issuer", "a"}, {"issuer", "b"}}
		for _, c := range []struct {
			q    Query
			want []string
		}{
			{Query{Within: within}, []string{"both", "none", "of-a", "of-b"}},
			{Query{Within: within, Attrs: within[:1]}, []string{"both", "of-a"}},
			{Query{Within: within[:1], Attrs: within[:1]}, []string{"of-a"}},
			{Query{Within: within, Search: "of"}, []string{"of-a", "of-b"}},
			{Query{Within: within, Search: "of-"}, []string{"of-a", "of-b"}},
			{Query{Search: "share"}, []string{"shared"}},
		} {
			c.q.Kind, c.q.Limit = "client", 2
			if got := listAll(t, r, c.q); !slices.Equal(got, c.want) {
				t.Errorf("%+v: %v, want %v", c.q, got, c.want)
			}
		}
	})
}

func TestListPages(t *testing.T) {
	eachReader(t, func(t *testing.T, s *Store, r *Reader, sync func()) {
		var all, red []string
		update(t, s, func(tx *Tx) error {
			for i := range 600 { // more than a page of All
				p := Put{Kind: "client", ID: fmt.Sprintf("c%03d", i), Attrs: []Attr{{"owner", "ann"}}}
				all = append(all, p.ID)
				if i%7 == 0 {
					p.Attrs = append(p.Attrs, Attr{"label", "red"})
					red = append(red, p.ID)
				}
				if _, err := tx.Put(p); err != nil {
					return err
				}
			}
			_, err := tx.Put(Put{Kind: "api", ID: "c0", Attrs: []Attr{{"owner", "ann"}, {"label", "red"}}})
			return err
		})
		remove(t, s, "client", "c000", 1, false)
		all, red = all[1:], red[1:]
		sync()
		for _, limit := range []int{1, 7, 100, 599, 600, 1000} {
			if limit > 1 {
				if ids := listAll(t, r, Query{Kind: "client", Limit: limit}); !slices.Equal(ids, all) {
					t.Errorf("limit %d: %d ids", limit, len(ids))
				}
			}
			for name, attrs := range map[string][]Attr{"one": {{"label", "red"}}, "two": {{"owner", "ann"}, {"label", "red"}}} {
				if ids := listAll(t, r, Query{Kind: "client", Attrs: attrs, Limit: limit}); !slices.Equal(ids, red) {
					t.Errorf("limit %d, %s attributes: %v", limit, name, ids)
				}
			}
		}
		if ids := listAll(t, r, Query{Kind: "client", Attrs: []Attr{{"owner", "bob"}, {"label", "red"}}}); len(ids) != 0 {
			t.Errorf("attributes that no client has together: %v", ids)
		}
		if ids := listAll(t, r, Query{Kind: "client", Deleted: true, Limit: 10}); !slices.Equal(ids, []string{"c000"}) {
			t.Errorf("deleted ones: %v", ids)
		}
		if _, _, err := r.List(t.Context(), Query{}); err == nil {
			t.Error("a list of no kind")
		}
		var ids []string
		if err := r.All(t.Context(), "client", func(o Object) error {
			ids = append(ids, o.ID)
			_, err := r.Seq(t.Context(), "client", o.ID) // a reader inside needs no second connection
			return err
		}); err != nil || !slices.Equal(ids, all) {
			t.Errorf("All: %d ids, %v", len(ids), err)
		}
		stop := errors.New("stop")
		if err := r.All(t.Context(), "client", func(Object) error { return stop }); err != stop {
			t.Errorf("All returned %v, not the function's error", err)
		}
	})
}

func TestSearch(t *testing.T) {
	eachReader(t, func(t *testing.T, s *Store, r *Reader, sync func()) {
		for id, name := range map[string]string{
			"billing": "Nightly billing", "b2": "Überweisung 50%", "c-3": `Say "hello" to_all`, "d4": "Ärger * OR -x", "nameless": "",
		} {
			p := Put{Kind: "client", ID: id, Attrs: []Attr{{"owner", "nightly"}}}
			if name != "" {
				p.Attrs = append(p.Attrs, Attr{AttrName, name})
			}
			put(t, s, p)
		}
		put(t, s, Put{Kind: "api", ID: "billing", Attrs: []Attr{{AttrName, "Nightly billing"}}})
		sync()
		check := func(when string, want map[string]string) {
			t.Helper()
			for text, ids := range want {
				if got := strings.Join(listAll(t, r, Query{Kind: "client", Search: text, Limit: 10}), " "); got != ids {
					t.Errorf("%s: %q finds %q, want %q", when, text, got, ids)
				}
			}
		}
		check("at first", map[string]string{
			"nightly": "billing", "LING": "billing", "ly bil": "billing", "überw": "b2", "50%": "b2", "0%": "b2", "%": "b2", "_": "c-3",
			`"hello"`: "c-3", `"`: "c-3", "to_all": "c-3", "toxall": "", "* OR": "d4", "-x": "d4", "c-3": "c-3", "c-": "c-3",
			"bi": "billing", "B": "b2 billing", "none": "", `\`: "", "name": "", "gnn": "", "nig\x00ht": "", "\xff\xff\xff": "",
		})
		if ids := listAll(t, r, Query{Kind: "client", Search: "nightly", Attrs: []Attr{{"owner", "nobody"}}}); len(ids) != 0 {
			t.Errorf("with an attribute: %v", ids)
		}
		put(t, s, Put{Kind: "client", ID: "billing", Version: 1, Attrs: []Attr{{AttrName, "Weekly billing"}}})
		put(t, s, Put{Kind: "client", ID: "nameless", Version: 1, Attrs: []Attr{{AttrName, "Named now"}, {AttrName, "Twice nightly"}}})
		remove(t, s, "client", "b2", 1, false)
		sync()
		check("after renaming", map[string]string{
			"nightly": "nameless", "weekly": "billing", "named now": "nameless", "überw": "", "b2": "", "%": "", "billing": "billing",
		})
		put(t, s, Put{Kind: "client", ID: "b2", Attrs: []Attr{{AttrName, "Back again"}}})
		sync()
		check("made again", map[string]string{"back": "b2", "überw": ""})
	})
}

// A flipped bit in a document is no other document.
func TestChecksum(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for _, q := range []string{
			`UPDATE objects SET doc = (SELECT doc FROM objects WHERE id = 'b') WHERE id = 'a'`,
			`UPDATE objects SET deleted = 0 WHERE id = 'a'`,
			`UPDATE objects SET seq = seq + 1 WHERE id = 'a'`,
			`UPDATE objects SET version = version + 1 WHERE id = 'a'`,
			`UPDATE objects SET keep = 1 - keep WHERE id = 'a'`,
			`UPDATE objects SET sum = sum + 1 WHERE id = 'a'`,
		} {
			update(t, s, func(tx *Tx) error { _, err := tx.u.exec("", `DELETE FROM objects`); tx.written = true; return err })
			put(t, s, Put{Kind: "client", ID: "a", Doc: []byte("read")})
			put(t, s, Put{Kind: "client", ID: "b", Doc: []byte("writ")})
			if strings.Contains(q, "deleted") {
				remove(t, s, "client", "a", 1, false)
			}
			if _, err := s.e.w.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			check := func(call string, err error) {
				t.Helper()
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("%s: %s: %v", q, call, err)
				}
			}
			_, err := s.Update(t.Context(), func(tx *Tx) error { _, err := tx.Get("client", "a"); return err })
			check("Tx.Get", err)
			_, err = s.Changes(t.Context(), Position{}, 0)
			check("Changes", err)
			check("Check", s.Check(t.Context()))
			if r := s.Reader(); r != nil {
				_, err = r.Get(t.Context(), "client", "a")
				check("Reader.Get", err)
				_, _, err = r.List(t.Context(), Query{Kind: "client"})
				check("Reader.List", err)
			}
		}
	})
}

// With one connection, sixty-four callers at once are all answered.
func TestPoolOfOne(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		s := open(t, Config{DSN: dsn, PoolSize: 1})
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				ctx, id := t.Context(), fmt.Sprint(i)
				p, err := s.Update(ctx, func(tx *Tx) error { _, err := tx.Put(Put{Kind: "client", ID: id}); return err })
				if err != nil {
					t.Error(err)
				}
				if _, err := s.Changes(ctx, Position{}, 0); err != nil {
					t.Error(err)
				}
				if h, err := s.Head(ctx); err != nil || h.Seq < p.Seq {
					t.Errorf("head %v after commit %v, %v", h, p, err)
				}
				if r := s.Reader(); r != nil {
					if _, err := r.Get(ctx, "client", id); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// Writers of one store, and of two nodes on one database, get their turns: no
// increment is lost, and every number is used once.
func TestParallelWriters(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		stores := []*Store{open(t, Config{DSN: dsn})}
		if strings.HasPrefix(dsn, "postgres") {
			stores = append(stores, open(t, Config{DSN: dsn}))
		}
		var mu sync.Mutex
		seen := map[int64]bool{}
		var wg sync.WaitGroup
		const writers, each = 8, 10
		for i := range writers {
			wg.Go(func() {
				for range each {
					p, err := stores[i%len(stores)].Update(t.Context(), func(tx *Tx) error {
						o, err := tx.Get("counter", "c")
						if err != nil && !errors.Is(err, ErrNotFound) {
							return err
						}
						_, err = tx.Put(Put{Kind: "counter", ID: "c", Version: o.Version, Doc: append(o.Doc, 'x')})
						return err
					})
					mu.Lock()
					if err != nil || seen[p.Seq] {
						t.Errorf("commit %d: %v", p.Seq, err)
					}
					seen[p.Seq] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		o, err := get(t, stores[0], "counter", "c")
		if err != nil || len(o.Doc) != writers*each || o.Version != writers*each || headOf(t, stores[0]).Seq != writers*each {
			t.Errorf("%d increments, version %d, head %v, %v; want %d", len(o.Doc), o.Version, headOf(t, stores[0]), err, writers*each)
		}
	})
}
