package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func openLocal(t testing.TB, path string) *Local {
	t.Helper()
	l, err := OpenLocal(t.Context(), path, LocalConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func localAt(t testing.TB, l *Local) (applied, settled Position) {
	t.Helper()
	applied, err := l.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if settled, err = l.Reader().Position(t.Context()); err != nil {
		t.Fatal(err)
	}
	return applied, settled
}

// follow brings a replica up to date as a node does.
func follow(t testing.TB, s *Store, l *Local, limit int) {
	t.Helper()
	for {
		at, _ := localAt(t, l)
		changes, err := s.Changes(t.Context(), at, limit)
		if errors.Is(err, ErrUnknownPosition) {
			if err := l.Reset(t.Context()); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(changes) == 0 {
			return
		}
		if err := l.Apply(t.Context(), changes...); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChanges(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		if c, err := s.Changes(t.Context(), Position{}, 0); len(c) != 0 || err != nil {
			t.Errorf("an empty store: %v, %v", c, err)
		}
		if c, err := s.Changes(t.Context(), headOf(t, s), 0); len(c) != 0 || err != nil {
			t.Errorf("an empty store, from its head: %v, %v", c, err)
		}
		p1 := update(t, s, func(tx *Tx) error {
			for _, id := range []string{"b", "a", "c"} {
				if _, err := tx.Put(Put{Kind: "client", ID: id, Doc: []byte(id), Attrs: []Attr{{"owner", "x"}, {"name", id}}}); err != nil {
					return err
				}
			}
			return nil
		})
		p2 := put(t, s, Put{Kind: "client", ID: "a", Version: 1, Doc: []byte("A")})
		p3 := remove(t, s, "client", "b", 1, true)
		p4 := update(t, s, func(tx *Tx) error { return tx.Record(Record{Class: ClassSystem}) })

		got, err := s.Changes(t.Context(), Position{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := []Change{
			{p1, false, []ChangedObject{{Object{"client", "c", p1.Seq, 1, false, false, []byte("c")}, []Attr{{"name", "c"}, {"owner", "x"}}}}},
			{p2, false, []ChangedObject{{Object{"client", "a", p2.Seq, 2, false, false, []byte("A")}, nil}}},
			{p3, false, []ChangedObject{{Object{"client", "b", p3.Seq, 2, true, true, []byte{}}, nil}}},
			{p4, true, nil},
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("from zero:\n%v\nwant\n%v", got, want)
		}
		for i, p := range []Position{p1, p2, p3, p4} {
			got, err := s.Changes(t.Context(), p, 0)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want[i+1:]) {
				t.Errorf("after commit %d:\n%v, %v\nwant\n%v", p.Seq, got, err, want[i+1:])
			}
		}
	})
}

// However small the limit, a commit comes whole.
func TestChangesNeverHalfACommit(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		sizes := []int{1, 7, 2, 5, 1}
		for i, n := range sizes {
			update(t, s, func(tx *Tx) error {
				for j := range n {
					if _, err := tx.Put(Put{Kind: "client", ID: fmt.Sprint(i, ".", j)}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		for limit := 1; limit <= 20; limit++ {
			var got []int
			for p := (Position{}); ; {
				changes, err := s.Changes(t.Context(), p, limit)
				if err != nil {
					t.Fatal(err)
				}
				if len(changes) == 0 {
					break
				}
				objects := 0
				for _, c := range changes {
					got = append(got, len(c.Objects))
					objects += len(c.Objects)
					p = c.Position
				}
				if objects > limit && len(changes) > 1 {
					t.Errorf("limit %d: %d objects in %d commits", limit, objects, len(changes))
				}
			}
			if !slices.Equal(got, sizes) {
				t.Errorf("limit %d: commits of %v objects, want %v", limit, got, sizes)
			}
		}
		// Large documents end an answer too.
		for i := range 20 {
			put(t, s, Put{Kind: "big", ID: fmt.Sprint(i), Doc: make([]byte, maxDoc)})
		}
		changes, err := s.Changes(t.Context(), Position{}, 1000)
		if err != nil || len(changes) > 15 || changes[len(changes)-1].Settled {
			t.Errorf("%d changes of a megabyte at once, %v", len(changes), err)
		}
		if all := catchUp(t, s, Position{}); len(all) != 25 || !all[24].Settled {
			t.Errorf("%d changes in all", len(all))
		}
	})
}

// A commit that a later one partly overwrote leaves a hole in what a follower
// sees while it catches up: the trap that Settled is there for.
func TestCatchingUpIsNotSettled(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		l := openLocal(t, filepath.Join(t.TempDir(), "replica.db"))
		put(t, s, Put{Kind: "client", ID: "a", Doc: []byte("active")})
		follow(t, s, l, 0)
		_, start := localAt(t, l)
		disabled := update(t, s, func(tx *Tx) error { // disabled in one commit with another object
			_, err := tx.Put(Put{Kind: "client", ID: "a", Version: 1, Doc: []byte("disabled")})
			if err == nil {
				_, err = tx.Put(Put{Kind: "denial", ID: "a"})
			}
			return err
		})
		head := put(t, s, Put{Kind: "client", ID: "a", Version: 2, Doc: []byte("disabled, renamed")})
		changes, err := s.Changes(t.Context(), start, 1)
		if err != nil || len(changes) != 1 || changes[0].Position != disabled {
			t.Fatalf("%v, %v", changes, err)
		}
		if err := l.Apply(t.Context(), changes...); err != nil {
			t.Fatal(err)
		}
		o, err := l.Reader().Get(t.Context(), "client", "a")
		if err != nil || string(o.Doc) != "active" {
			t.Fatalf("in the middle: %+v, %v", o, err)
		}
		// The client is active here: commit "disabled" must not be claimed.
		if applied, settled := localAt(t, l); applied != disabled || settled != start || changes[0].Settled {
			t.Errorf("applied %v, settled %v; want %v, %v", applied, settled, disabled, start)
		}
		follow(t, s, l, 1)
		if applied, settled := localAt(t, l); applied != head || settled != head {
			t.Errorf("at the end: applied %v, settled %v; want both %v", applied, settled, head)
		}
	})
}

func TestUnknownPosition(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		clock := time.Unix(1_800_000_000, 0)
		s := open(t, Config{DSN: dsn, Now: func() time.Time { return clock }})
		p0 := put(t, s, Put{Kind: "client", ID: "0"})
		p1 := put(t, s, Put{Kind: "client", ID: "a"})
		p2 := put(t, s, Put{Kind: "client", ID: "b"})
		unknown := map[string]Position{
			"another history": {p1.Seq, p1.Epoch, p2.CommitID},
			"another epoch":   {p1.Seq, p1.Epoch + 1, p1.CommitID},
			"no id":           {p1.Seq, p1.Epoch, ""},
			"ahead":           {p2.Seq + 1, p2.Epoch, p2.CommitID},
			"a forged floor":  {p0.Seq, 0, "floor:"},
		}
		check := func() {
			t.Helper()
			for name, p := range unknown {
				if _, err := s.Changes(t.Context(), p, 0); !errors.Is(err, ErrUnknownPosition) {
					t.Errorf("%s %v: %v", name, p, err)
				}
			}
		}
		check()
		if _, err := s.Changes(t.Context(), p1, 0); err != nil {
			t.Error(err)
		}
		// After a purge, a follower from before may have missed a tombstone.
		clock = clock.Add(time.Hour)
		if _, err := s.PurgeTombstones(t.Context(), clock.UnixMicro()); err != nil {
			t.Fatal(err)
		}
		unknown["before the purge"] = p0
		check()
		// Whoever stands at the floor has seen all that is gone.
		if rest := catchUp(t, s, p1); len(rest) != 1 || rest[0].Position != p2 {
			t.Errorf("after the floor: %v", rest)
		}
		// From zero the purged commits come with a position of their own, from
		// which the follower can go on, until the next purge.
		p3 := put(t, s, Put{Kind: "client", ID: "c"})
		changes, err := s.Changes(t.Context(), Position{}, 1)
		if err != nil || len(changes) != 1 || changes[0].Seq != p0.Seq || changes[0].Position == p0 || changes[0].Settled {
			t.Fatalf("from zero: %v, %v", changes, err)
		}
		after := changes[0].Position
		if rest := catchUp(t, s, after); len(rest) != 3 || rest[0].Position != p1 || rest[1].Position != p2 || rest[2].Position != p3 {
			t.Errorf("after %v: %v", after, rest)
		}
		clock = clock.Add(time.Hour)
		if _, err := s.PurgeTombstones(t.Context(), clock.UnixMicro()); err != nil {
			t.Fatal(err)
		}
		unknown["in the middle of an older start"] = after
		check()
	})
}

// After a month without a commit, a purge leaves those followers alone that were
// up to date until a moment ago.
func TestPurgeAfterALongPause(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		clock := time.Unix(1_800_000_000, 0)
		s := open(t, Config{DSN: dsn, Now: func() time.Time { return clock }})
		l := openLocal(t, filepath.Join(t.TempDir(), "replica.db"))
		put(t, s, Put{Kind: "client", ID: "a"})
		put(t, s, Put{Kind: "client", ID: "sticky"})
		remove(t, s, "client", "sticky", 1, true)
		last := remove(t, s, "client", "a", 1, false)
		follow(t, s, l, 0)
		clock = clock.Add(31 * 24 * time.Hour)
		next := put(t, s, Put{Kind: "client", ID: "b"})
		if n, err := s.PurgeTombstones(t.Context(), clock.Add(-30*24*time.Hour).UnixMicro()); n != 1 || err != nil {
			t.Fatalf("purged %d, %v", n, err)
		}
		changes, err := s.Changes(t.Context(), last, 0)
		if err != nil || len(changes) != 1 || changes[0].Position != next || !changes[0].Settled {
			t.Fatalf("the follower gets %v, %v", changes, err)
		}
		if err := l.Apply(t.Context(), changes...); err != nil {
			t.Fatal(err)
		}
		purged, err := s.Purged(t.Context())
		if err != nil || purged != last.Seq {
			t.Errorf("purged up to %d, %v", purged, err)
		}
		if err := l.Purge(t.Context(), purged); err != nil {
			t.Fatal(err)
		}
		if got, want := dump(t, l.e), dump(t, s.e); fmt.Sprint(got) != fmt.Sprint(want) || len(want) != 2 {
			t.Errorf("replica\n%v\nstore\n%v", got, want)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
		// A follower that begins anew gets the same.
		fresh := openLocal(t, filepath.Join(t.TempDir(), "fresh.db"))
		follow(t, s, fresh, 1)
		if got, want := dump(t, fresh.e), dump(t, s.e); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("anew\n%v\nstore\n%v", got, want)
		}
	})
}

func TestRaiseEpoch(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for _, first := range []bool{true, false} {
			before := headOf(t, s)
			p, err := s.RaiseEpoch(t.Context(), before)
			if err != nil || p.Epoch != before.Epoch+1 || p.Seq != before.Seq+1 || headOf(t, s) != p {
				t.Fatalf("raised %+v to %+v, %v; head %+v", before, p, err, headOf(t, s))
			}
			for name, wrong := range map[string]Position{
				"the old head":  before,
				"another id":    {p.Seq, p.Epoch, "x"},
				"another epoch": {p.Seq, p.Epoch + 1, p.CommitID},
			} {
				if _, err := s.RaiseEpoch(t.Context(), wrong); !errors.Is(err, ErrConflict) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if headOf(t, s) != p {
				t.Error("a refused raise moved the head")
			}
			// Followers hear of it as of any commit, and the next commits are in it.
			if before.Seq > 0 {
				if c, err := s.Changes(t.Context(), before, 0); err != nil || len(c) != 1 || c[0].Position != p || !c[0].Settled {
					t.Errorf("a follower at %v: %v, %v", before, c, err)
				}
			}
			if next := put(t, s, Put{Kind: "client", ID: fmt.Sprint(first)}); next.Epoch != p.Epoch {
				t.Errorf("the next commit is in epoch %d", next.Epoch)
			}
		}
	})
}

func TestApplyRefusesWhatIsBehind(t *testing.T) {
	s := open(t, Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "s.db")})
	put(t, s, Put{Kind: "client", ID: "a"})
	put(t, s, Put{Kind: "client", ID: "b"})
	changes := catchUp(t, s, Position{})
	l := openLocal(t, filepath.Join(t.TempDir(), "replica.db"))
	if err := l.Apply(t.Context(), changes[1], changes[0]); !errors.Is(err, ErrConflict) {
		t.Errorf("in the wrong order: %v", err)
	}
	if all := dump(t, l.e); len(all) != 0 {
		t.Errorf("half of a refused batch is there: %v", all)
	}
	if err := l.Apply(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
	if err := l.Apply(t.Context(), changes[1]); !errors.Is(err, ErrConflict) {
		t.Errorf("again: %v", err)
	}
}

func TestReset(t *testing.T) {
	s := open(t, Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "s.db")})
	put(t, s, Put{Kind: "client", ID: "a", Attrs: []Attr{{"name", "Nightly"}}})
	path := filepath.Join(t.TempDir(), "replica.db")
	l := openLocal(t, path)
	follow(t, s, l, 0)
	if err := l.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	applied, settled := localAt(t, l)
	list, _, err := l.Reader().List(t.Context(), Query{Kind: "client", Search: "Nightly"})
	if !applied.IsZero() || !settled.IsZero() || len(list) != 0 || err != nil || len(dump(t, l.e)) != 0 {
		t.Errorf("after Reset: applied %v, settled %v, %v, %v", applied, settled, list, err)
	}
	follow(t, s, l, 0)
	if list, _, err = l.Reader().List(t.Context(), Query{Kind: "client", Search: "Nightly"}); len(list) != 1 || err != nil {
		t.Errorf("filled again: %v, %v", list, err)
	}
	l.Close()
}

// model is what the property test knows: the state at each commit.
type model struct {
	s       *Store
	clock   *time.Time
	history map[int64]string // by number
	next    int
}

// visible is a dump without the tombstones that a purge may take.
func visible(all map[string]string) string {
	var lines []string
	for name, line := range all {
		if !strings.Contains(line, "deleted true keep false") {
			lines = append(lines, name+" "+line)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// commit makes one random commit, purge or raise of the epoch.
func (m *model) commit(t testing.TB, r *rapid.T) {
	*m.clock = m.clock.Add(time.Minute)
	switch rapid.IntRange(0, 19).Draw(r, "what") {
	case 0:
		age := rapid.IntRange(0, 10).Draw(r, "age")
		if _, err := m.s.PurgeTombstones(t.Context(), m.clock.Add(-time.Duration(age)*time.Minute).UnixMicro()); err != nil {
			r.Fatal(err)
		}
		return
	case 1:
		if _, err := m.s.RaiseEpoch(t.Context(), headOf(t, m.s)); err != nil {
			r.Fatal(err)
		}
	default:
		if _, err := m.s.Update(t.Context(), func(tx *Tx) error { return m.random(r, tx) }); err != nil {
			r.Fatal(err)
		}
	}
	m.history[headOf(t, m.s).Seq] = visible(dump(t, m.s.e))
}

func (m *model) random(r *rapid.T, tx *Tx) error {
	for range rapid.IntRange(0, 4).Draw(r, "writes") {
		m.next++
		kind := rapid.SampledFrom([]string{"api", "client"}).Draw(r, "kind")
		id := rapid.StringMatching(`[a-eA-E]`).Draw(r, "id")
		o, err := tx.Get(kind, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if o.Version > 0 && !o.Deleted && rapid.IntRange(0, 2).Draw(r, "delete") == 0 {
			if err := tx.Delete(kind, id, o.Version, rapid.Bool().Draw(r, "keep")); err != nil {
				return err
			}
			continue
		}
		p := Put{Kind: kind, ID: id, Version: o.Version, Doc: fmt.Append(nil, m.next)}
		if o.Deleted {
			p.Version = 0
		}
		for range rapid.IntRange(0, 3).Draw(r, "attributes") {
			p.Attrs = append(p.Attrs, Attr{rapid.SampledFrom([]string{"name", "owner"}).Draw(r, "attr"), rapid.StringMatching(`[xyz]{1,2}`).Draw(r, "value")})
		}
		if _, err := tx.Put(p); err != nil {
			return err
		}
	}
	return tx.Record(Record{Class: ClassSystem})
}

// A follower that stops and goes on anywhere, behind purges and epochs, claims
// only positions whose state it has, and ends with the store's objects.
func TestFollowersEndEqual(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		clock := time.Unix(1_800_000_000, 0)
		s := open(t, Config{DSN: dsn, Now: func() time.Time { return clock }})
		m := &model{s: s, clock: &clock, history: map[int64]string{}}
		files := 0
		rapid.Check(t, func(r *rapid.T) {
			files++
			path := filepath.Join(t.TempDir(), fmt.Sprintf("replica%d.db", files))
			l, err := OpenLocal(t.Context(), path, LocalConfig{PoolSize: 1})
			if err != nil {
				r.Fatal(err)
			}
			defer func() { l.Close() }()
			for range rapid.IntRange(1, 12).Draw(r, "steps") {
				for range rapid.IntRange(0, 3).Draw(r, "commits") {
					m.commit(t, r)
				}
				m.step(t, r, l)
				if rapid.IntRange(0, 9).Draw(r, "restart") == 0 {
					if err := l.Close(); err != nil {
						r.Fatal(err)
					}
					if l, err = OpenLocal(t.Context(), path, LocalConfig{PoolSize: 1}); err != nil {
						r.Fatal(err)
					}
				}
			}
			m.finish(t, r, l)
		})
	})
}

// step applies a part of what a follower is offered.
func (m *model) step(t testing.TB, r *rapid.T, l *Local) {
	at, _ := localAt(t, l)
	changes, err := m.s.Changes(t.Context(), at, rapid.IntRange(1, 6).Draw(r, "limit"))
	if errors.Is(err, ErrUnknownPosition) {
		if err := l.Reset(t.Context()); err != nil {
			r.Fatal(err)
		}
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	if n := rapid.IntRange(0, len(changes)).Draw(r, "applied"); n > 0 {
		if err := l.Apply(t.Context(), changes[:n]...); err != nil {
			r.Fatal(err)
		}
	}
	applied, settled := localAt(t, l)
	if applied == settled && !settled.IsZero() && visible(dump(t, l.e)) != m.history[settled.Seq] {
		r.Fatalf("settled at commit %d, but\n%s\nwant\n%s", settled.Seq, visible(dump(t, l.e)), m.history[settled.Seq])
	}
}

func (m *model) finish(t testing.TB, r *rapid.T, l *Local) {
	follow(t, m.s, l, 3)
	purged, err := m.s.Purged(t.Context())
	if err != nil {
		r.Fatal(err)
	}
	if err := l.Purge(t.Context(), purged); err != nil {
		r.Fatal(err)
	}
	if got, want := dump(t, l.e), dump(t, m.s.e); fmt.Sprint(got) != fmt.Sprint(want) {
		r.Fatalf("replica\n%v\nstore\n%v", got, want)
	}
	if applied, settled := localAt(t, l); applied != settled || !settled.IsZero() && settled != headOf(t, m.s) || settled.IsZero() != headOf(t, m.s).IsZero() {
		r.Fatalf("applied %v, settled %v, head %v", applied, settled, headOf(t, m.s))
	}
}
