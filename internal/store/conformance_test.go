package store

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/pgtest"
)

func TestMain(m *testing.M) {
	if dsn := os.Getenv(childEnv); dsn != "" {
		writeUntilKilled(dsn)
	}
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		f.Value.Set(propertyChecks) // each check opens files and runs dozens of commits
	}
	os.Exit(m.Run())
}

// each runs a test on both databases at once. dsn is an empty one.
func each(t *testing.T, f func(t *testing.T, dsn string)) {
	inTurn(t, func(t *testing.T, dsn string) {
		t.Parallel()
		f(t, dsn)
	})
}

func inTurn(t *testing.T, f func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, "sqlite:"+filepath.Join(t.TempDir(), "symbolon.db")) })
	t.Run("postgres", func(t *testing.T) { f(t, pgtest.Database(t)) })
}

func open(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// eachStore runs a test on a new store of each kind.
func eachStore(t *testing.T, f func(t *testing.T, s *Store)) {
	each(t, func(t *testing.T, dsn string) { f(t, open(t, Config{DSN: dsn})) })
}

func update(t testing.TB, s *Store, f func(*Tx) error) Position {
	t.Helper()
	p, err := s.Update(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// put writes one object in a commit of its own.
func put(t testing.TB, s *Store, p Put) Position {
	t.Helper()
	return update(t, s, func(tx *Tx) error { _, err := tx.Put(p); return err })
}

func remove(t testing.TB, s *Store, kind, id string, version int64, keep bool) Position {
	t.Helper()
	return update(t, s, func(tx *Tx) error { return tx.Delete(kind, id, version, keep) })
}

// get reads in a transaction that writes nothing.
func get(t testing.TB, s *Store, kind, id string) (o Object, err error) {
	t.Helper()
	_, uerr := s.Update(t.Context(), func(tx *Tx) error { o, err = tx.Get(kind, id); return nil })
	if uerr != nil {
		t.Fatal(uerr)
	}
	return o, err
}

// dump reads every object with its attributes, one line each.
func dump(t testing.TB, e *engine) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := e.transact(context.Background(), "dump", reading, func(u *unit) error {
		err := u.query("dump", `SELECT `+objectColumns+` FROM objects`, nil, func(row scanner) error {
			var o Object
			err := o.scan(row)
			all[o.Kind+" "+o.ID] = fmt.Sprintf("seq %d version %d deleted %v keep %v doc %q", o.Seq, o.Version, o.Deleted, o.Keep, o.Doc)
			return err
		})
		if err != nil {
			return err
		}
		return u.query("dump", `SELECT kind, id, attr, value FROM attrs ORDER BY kind, id, attr, value`, nil, func(row scanner) error {
			var kind, id, attr, value string
			err := row.Scan(&kind, &id, &attr, &value)
			all[kind+" "+id] += fmt.Sprintf(" %s=%s", attr, value)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestVersions(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		doc := []byte{'{', 0, 0xff, '}'} // opaque: neither text nor JSON
		var version int64
		p := update(t, s, func(tx *Tx) (err error) {
			version, err = tx.Put(Put{Kind: "client", ID: "a", Doc: doc})
			return err
		})
		o, err := get(t, s, "client", "a")
		if err != nil || version != 1 || o.Version != 1 || o.Seq != p.Seq || o.Deleted || string(o.Doc) != string(doc) {
			t.Fatalf("after the first write: version %d, %+v, %v", version, o, err)
		}
		p = put(t, s, Put{Kind: "client", ID: "a", Version: 1, Doc: []byte("2")})
		if o, _ = get(t, s, "client", "a"); o.Version != 2 || o.Seq != p.Seq || string(o.Doc) != "2" {
			t.Fatalf("after the second write: %+v", o)
		}
		if _, err := get(t, s, "client", "b"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an object that is not there: %v", err)
		}
		if _, err := get(t, s, "api", "a"); !errors.Is(err, ErrNotFound) {
			t.Errorf("the same id of another kind: %v", err)
		}
	})
}

func TestConflicts(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		put(t, s, Put{Kind: "client", ID: "live", Doc: []byte("1")})
		put(t, s, Put{Kind: "client", ID: "gone", Doc: []byte("1")})
		remove(t, s, "client", "gone", 1, false)
		before, head := dump(t, s.e), headOf(t, s)
		for _, c := range []struct {
			name string
			f    func(*Tx) error
			want error
		}{
			{"make one that is there", func(tx *Tx) error { _, err := tx.Put(Put{Kind: "client", ID: "live"}); return err }, ErrConflict},
			{"an older version", func(tx *Tx) error { _, err := tx.Put(Put{Kind: "client", ID: "live", Version: 2}); return err }, ErrConflict},
			{"change one that is not there", func(tx *Tx) error { _, err := tx.Put(Put{Kind: "client", ID: "none", Version: 1}); return err }, ErrConflict},
			{"change a deleted one", func(tx *Tx) error { _, err := tx.Put(Put{Kind: "client", ID: "gone", Version: 2}); return err }, ErrConflict},
			{"delete another version", func(tx *Tx) error { return tx.Delete("client", "live", 2, false) }, ErrConflict},
			{"delete no version", func(tx *Tx) error { return tx.Delete("client", "live", 0, false) }, ErrConflict},
			{"delete a deleted one", func(tx *Tx) error { return tx.Delete("client", "gone", 2, false) }, ErrNotFound},
			{"delete nothing", func(tx *Tx) error { return tx.Delete("client", "none", 1, false) }, ErrNotFound},
		} {
			if _, err := s.Update(t.Context(), c.f); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
		if after := dump(t, s.e); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("a refused write changed something:\n%v\n%v", before, after)
		}
		if h := headOf(t, s); h != head {
			t.Errorf("refused writes moved the head from %v to %v", head, h)
		}
	})
}

func headOf(t testing.TB, s *Store) Position {
	t.Helper()
	p, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What one database takes and the other does not is refused on both.
func TestUnstorable(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for name, p := range map[string]Put{
			"no kind":             {ID: "a"},
			"no id":               {Kind: "client"},
			"NUL in the id":       {Kind: "client", ID: "a\x00"},
			"broken UTF-8":        {Kind: "client", ID: "a\xff"},
			"a long id":           {Kind: "client", ID: strings.Repeat("a", maxID+1)},
			"a long attribute":    {Kind: "client", ID: "a", Attrs: []Attr{{"name", strings.Repeat("n", maxAttr+1)}}},
			"NUL in an attribute": {Kind: "client", ID: "a", Attrs: []Attr{{"name", "\x00"}}},
			"a long document":     {Kind: "client", ID: "a", Doc: make([]byte, maxDoc+1)},
		} {
			_, err := s.Update(t.Context(), func(tx *Tx) error { _, err := tx.Put(p); return err })
			if err == nil || ours(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// The longest allowed fit into the indexes of both.
		put(t, s, Put{Kind: strings.Repeat("k", maxKind), ID: strings.Repeat("i", maxID), Doc: make([]byte, maxDoc),
			Attrs: []Attr{{strings.Repeat("a", maxKind), strings.Repeat("v", maxAttr)}, {AttrName, strings.Repeat("ü", maxAttr/2)}}})
	})
}

func TestCommitsAreInOneOrder(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		if h := headOf(t, s); !h.IsZero() || h.Epoch != 1 {
			t.Fatalf("head of a new store: %+v", h)
		}
		var inside, last Position
		for i := range 5 {
			p := update(t, s, func(tx *Tx) error {
				inside = tx.Position()
				for j := range 3 {
					if _, err := tx.Put(Put{Kind: "client", ID: fmt.Sprint(i, "-", j)}); err != nil {
						return err
					}
				}
				_, err := tx.Put(Put{Kind: "client", ID: fmt.Sprint(i, "-", 0), Version: 1}) // again in the same commit
				return err
			})
			if p != inside || p.Seq != last.Seq+1 || p.Epoch != 1 || p.CommitID == "" || p.CommitID == last.CommitID {
				t.Fatalf("commit %d: %+v, inside %+v, after %+v", i, p, inside, last)
			}
			if h := headOf(t, s); h != p {
				t.Fatalf("head %+v after commit %+v", h, p)
			}
			for j := range 3 {
				want := int64(1)
				if j == 0 {
					want = 2
				}
				if o, _ := get(t, s, "client", fmt.Sprint(i, "-", j)); o.Seq != p.Seq || o.Version != want {
					t.Fatalf("object %d of commit %d: %+v", j, p.Seq, o)
				}
			}
			last = p
		}
	})
}

func TestRollback(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		put(t, s, Put{Kind: "client", ID: "a", Doc: []byte("1"), Attrs: []Attr{{"owner", "ann"}}})
		before, head := dump(t, s.e), headOf(t, s)
		mine := errors.New("mine")
		spoil := func(tx *Tx) error {
			if _, err := tx.Put(Put{Kind: "client", ID: "a", Version: 1, Doc: []byte("2")}); err != nil {
				return err
			}
			if err := tx.Record(Record{Class: ClassChange}); err != nil {
				return err
			}
			if err := tx.SetMeta("k", "v"); err != nil {
				return err
			}
			_, err := tx.Put(Put{Kind: "client", ID: "b"})
			return err
		}
		_, err := s.Update(t.Context(), func(tx *Tx) error { return errors.Join(spoil(tx), mine) })
		if !errors.Is(err, mine) {
			t.Errorf("Update returned %v, not the function's error", err)
		}
		func() {
			defer func() { recover() }()
			s.Update(t.Context(), func(tx *Tx) error { spoil(tx); panic("mine") })
		}()
		ctx, cancel := context.WithCancel(t.Context())
		_, err = s.Update(ctx, func(tx *Tx) error { defer cancel(); return spoil(tx) })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled in the middle: %v", err)
		}
		// An error of the database that the function swallows must not be committed.
		_, err = s.Update(t.Context(), func(tx *Tx) error {
			spoil(tx)
			tx.u.exec("spoil", "INSERT INTO head (one) VALUES (2)")
			return nil
		})
		if err == nil {
			t.Error("committed after a failed statement")
		}
		if after := dump(t, s.e); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("rolled back, but:\n%v\n%v", before, after)
		}
		if h := headOf(t, s); h != head {
			t.Errorf("rolled back, but the head moved from %v to %v", head, h)
		}
		if _, err := s.Meta(t.Context(), "k"); !errors.Is(err, ErrNotFound) {
			t.Errorf("rolled back, but meta is there: %v", err)
		}
		if n, err := s.VerifyRecords(t.Context()); n != 0 || err != nil {
			t.Errorf("rolled back, but %d records, %v", n, err)
		}
		if p := put(t, s, Put{Kind: "client", ID: "c"}); p.Seq != head.Seq+1 {
			t.Errorf("the next commit is %d: the order has a hole after %d", p.Seq, head.Seq)
		}
	})
}

func TestNothingWrittenIsNoCommit(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		nothing := func(tx *Tx) error { _, err := tx.List("client"); return err }
		if p := update(t, s, nothing); p != (Position{Epoch: 1}) {
			t.Errorf("on an empty store: %+v", p)
		}
		head := put(t, s, Put{Kind: "client", ID: "a"})
		if p := update(t, s, nothing); p != head || headOf(t, s) != head {
			t.Errorf("Update returned %+v, the head is %+v; want both %+v", p, headOf(t, s), head)
		}
		// A record alone is a commit: it has a number of its own.
		p := update(t, s, func(tx *Tx) error { return tx.Record(Record{Class: ClassSystem}) })
		if p.Seq != head.Seq+1 || headOf(t, s) != p {
			t.Errorf("a record alone: %+v after %+v", p, head)
		}
	})
}

func TestTombstones(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		clock := time.Unix(1_800_000_000, 0)
		s := open(t, Config{DSN: dsn, Now: func() time.Time { return clock }})
		attrs := []Attr{{"name", "Nightly"}, {"owner", "ann"}}
		for _, id := range []string{"plain", "kept", "again"} {
			put(t, s, Put{Kind: "client", ID: id, Doc: []byte("secret"), Attrs: attrs})
			remove(t, s, "client", id, 1, id == "kept")
		}
		o, err := get(t, s, "client", "plain")
		if err != nil || !o.Deleted || o.Keep || len(o.Doc) != 0 || o.Version != 2 {
			t.Errorf("tombstone: %+v, %v", o, err)
		}
		update(t, s, func(tx *Tx) error {
			if ids, err := tx.Find("client", "owner", "ann"); len(ids) != 0 || err != nil {
				t.Errorf("attributes of the deleted are left: %v, %v", ids, err)
			}
			if list, err := tx.List("client"); len(list) != 0 || err != nil {
				t.Errorf("deleted ones are listed: %v, %v", list, err)
			}
			return nil
		})
		// Made again: versions go on, and what was kept stays kept.
		for _, id := range []string{"again", "kept"} {
			put(t, s, Put{Kind: "client", ID: id, Doc: []byte("new"), Attrs: attrs})
			remove(t, s, "client", id, 3, false)
		}
		if o, _ := get(t, s, "client", "kept"); o.Version != 4 || !o.Keep {
			t.Errorf("kept, made again, deleted: %+v", o)
		}
		put(t, s, Put{Kind: "client", ID: "live"})
		old := clock
		clock = clock.Add(31 * 24 * time.Hour)
		if n, err := s.PurgeTombstones(t.Context(), old.UnixMicro()); n != 0 || err != nil {
			t.Errorf("purged %d, %v: none is older", n, err)
		}
		head := headOf(t, s)
		n, err := s.PurgeTombstones(t.Context(), clock.UnixMicro())
		if n != 2 || err != nil {
			t.Errorf("purged %d, %v; want plain and again", n, err)
		}
		if _, err := get(t, s, "client", "plain"); !errors.Is(err, ErrNotFound) {
			t.Errorf("after the purge: %v", err)
		}
		if o, err := get(t, s, "client", "kept"); err != nil || !o.Deleted {
			t.Errorf("the kept one after the purge: %+v, %v", o, err)
		}
		if headOf(t, s) != head {
			t.Error("the purge moved the head")
		}
		if changes, err := s.Changes(t.Context(), head, 0); len(changes) != 0 || err != nil {
			t.Errorf("a follower at the head after the purge: %v, %v", changes, err)
		}
		var commits int64
		s.e.transact(t.Context(), "count", reading, func(u *unit) error {
			return u.row("count", `SELECT count(*) FROM commits`, nil, &commits)
		})
		if commits != 2 {
			t.Errorf("%d commits left, want the newest and the last old one", commits)
		}
	})
}

func TestAttributes(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		put(t, s, Put{Kind: "client", ID: "b", Attrs: []Attr{{"owner", "ann"}, {"label", "team=x"}, {"label", "env=p"}, {"label", "env=p"}}})
		put(t, s, Put{Kind: "client", ID: "B", Attrs: []Attr{{"owner", "ann"}}})
		put(t, s, Put{Kind: "client", ID: "a", Attrs: []Attr{{"owner", "ann"}}})
		put(t, s, Put{Kind: "api", ID: "x", Attrs: []Attr{{"owner", "ann"}}})
		find := func(attr, value string) (ids []string) {
			update(t, s, func(tx *Tx) (err error) { ids, err = tx.Find("client", attr, value); return err })
			return ids
		}
		// In the order of octets, whatever the database's language is.
		if ids := find("owner", "ann"); !slices.Equal(ids, []string{"B", "a", "b"}) {
			t.Errorf("owner ann: %v", ids)
		}
		put(t, s, Put{Kind: "client", ID: "b", Version: 1, Attrs: []Attr{{"owner", "bob"}, {"label", "env=p"}}})
		for _, c := range []struct {
			attr, value string
			want        []string
		}{
			{"owner", "ann", []string{"B", "a"}}, {"owner", "bob", []string{"b"}}, {"owner", "Bob", nil},
			{"label", "env=p", []string{"b"}}, {"label", "team=x", nil},
		} {
			if ids := find(c.attr, c.value); !slices.Equal(ids, c.want) {
				t.Errorf("%s %s: %v, want %v", c.attr, c.value, ids, c.want)
			}
		}
		update(t, s, func(tx *Tx) error {
			list, err := tx.List("client")
			if len(list) != 3 || list[0].ID != "B" || list[2].ID != "b" {
				t.Errorf("List: %v", list)
			}
			return err
		})
	})
}

func TestFindBelow(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for id, expires := range map[string]string{"a": "00030", "B": "00010", "c": "00020", "d": "00020", "e": "00040"} {
			put(t, s, Put{Kind: "denial", ID: id, Attrs: []Attr{{"expires", expires}, {"client", "00001"}}})
		}
		put(t, s, Put{Kind: "client", ID: "x", Attrs: []Attr{{"expires", "00001"}}})
		remove(t, s, "denial", "a", 1, false)
		for _, c := range []struct {
			value string
			limit int
			want  []string
		}{
			{"00010", 9, nil}, {"00011", 9, []string{"B"}}, {"00020", 9, []string{"B"}}, {"00021", 9, []string{"B", "c", "d"}},
			{"00021", 2, []string{"B", "c"}}, {"9", 9, []string{"B", "c", "d", "e"}},
		} {
			var ids []string
			update(t, s, func(tx *Tx) (err error) { ids, err = tx.FindBelow("denial", "expires", c.value, c.limit); return err })
			if !slices.Equal(ids, c.want) {
				t.Errorf("below %s, %d at most: %v, want %v", c.value, c.limit, ids, c.want)
			}
		}
	})
}

func TestCount(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for id, issuers := range map[string][]string{"a": {"one"}, "b": {"one", "two"}, "c": {"two"}, "d": {"three"}, "gone": {"one"}} {
			p := Put{Kind: "client", ID: id, Attrs: []Attr{{"owner", "one"}}}
			for _, issuer := range issuers {
				p.Attrs = append(p.Attrs, Attr{"issuer", issuer})
			}
			put(t, s, p)
		}
		put(t, s, Put{Kind: "api", ID: "x", Attrs: []Attr{{"issuer", "one"}}})
		remove(t, s, "client", "gone", 1, true)
		for _, c := range []struct {
			values     []string
			most, want int
		}{
			{[]string{"one"}, 9, 2}, {[]string{"one", "two"}, 9, 3}, {[]string{"two", "one", "none"}, 9, 3}, {[]string{"one", "two"}, 2, 2},
			{[]string{"none"}, 9, 0}, {nil, 9, 0}, {[]string{"one') OR ('1' = '1"}, 9, 0},
		} {
			var n int
			update(t, s, func(tx *Tx) (err error) { n, err = tx.Count("client", "issuer", c.values, c.most); return err })
			if n != c.want {
				t.Errorf("%v, %d at most: %d, want %d", c.values, c.most, n, c.want)
			}
		}
	})
}

func TestTransactionThatIsOver(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		var left *Tx
		head := update(t, s, func(tx *Tx) error { left = tx; return tx.Record(Record{Class: ClassSystem}) })
		if _, err := left.Put(Put{Kind: "client", ID: "a"}); err == nil {
			t.Error("a write after the commit")
		}
		if _, err := get(t, s, "client", "a"); !errors.Is(err, ErrNotFound) || headOf(t, s) != head {
			t.Errorf("%v, head %v", err, headOf(t, s))
		}
	})
}

func TestMeta(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		if _, err := s.Meta(t.Context(), "k"); !errors.Is(err, ErrNotFound) {
			t.Errorf("not set: %v", err)
		}
		for _, value := range []string{"one", "two"} {
			update(t, s, func(tx *Tx) error {
				if err := tx.SetMeta("k", value); err != nil {
					return err
				}
				if v, err := tx.Meta("k"); v != value || err != nil {
					t.Errorf("inside: %q, %v", v, err)
				}
				return nil
			})
			if v, err := s.Meta(t.Context(), "k"); v != value || err != nil {
				t.Errorf("outside: %q, %v", v, err)
			}
		}
		update(t, s, func(tx *Tx) error { return tx.SetMeta("k", "") })
		if _, err := s.Meta(t.Context(), "k"); !errors.Is(err, ErrNotFound) {
			t.Errorf("removed: %v", err)
		}
	})
}

func TestOpenAgain(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		s, err := Open(t.Context(), Config{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		p := put(t, s, Put{Kind: "client", ID: "a", Doc: []byte("1")})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, Config{DSN: dsn})
		if h := headOf(t, s); h != p {
			t.Errorf("head %+v, want %+v", h, p)
		}
		if o, err := get(t, s, "client", "a"); err != nil || string(o.Doc) != "1" {
			t.Errorf("%+v, %v", o, err)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestOpenRefusesOtherPlaces(t *testing.T) {
	const canary = "c4n4ry"
	for _, dsn := range []string{"", "mysql://x", "sqlite:", "sqlite::memory:", "/tmp/x.db",
		"postgres://u:" + canary + "@localhost:badport/x",
		"postgres://u:" + canary + "@/x?host=/nowhere&default_query_exec_mode=simple_protocol",
		"sqlite:/nowhere/at/all.db"} {
		s, err := Open(t.Context(), Config{DSN: dsn})
		if err == nil || s != nil {
			t.Fatalf("%q: opened", dsn)
		}
		if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", dsn, err)
		}
	}
}

// A PostgreSQL server that is away keeps nobody from starting: each call says
// so, and the first that reaches it makes the schema, once for all.
func TestOpenWhileAway(t *testing.T) {
	server := pgtest.Start(t)
	dsn := server.Database(t)
	server.Pause(t)
	s := open(t, Config{DSN: dsn})
	all := calls(s)
	for name, call := range all {
		if err := call(t.Context()); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "PostgreSQL") {
			t.Errorf("%s: %v", name, err)
		}
	}
	server.Resume(t)
	var wg sync.WaitGroup
	for name, call := range all {
		wg.Go(func() {
			if err := eventually(t, call); err != nil {
				t.Errorf("%s, when the server is there: %v", name, err)
			}
		})
	}
	wg.Wait()

	const canary = "c4n4ry"
	s = open(t, Config{DSN: "postgres://u:" + canary + "@127.0.0.1:1/x"})
	if _, err := s.Head(t.Context()); !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), canary) {
		t.Errorf("nobody listens: %v", err)
	}
}
