package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// refusal is a record as it comes from a spool.
func refusal(i int) Record {
	return Record{ID: fmt.Sprintf("%016x-%d", 1000+i, i), Time: int64(1000 + i), Node: "n1", Class: ClassRefusal,
		Actor: fmt.Sprint("client", i%2), Action: "token", ObjectKind: "client", ObjectID: fmt.Sprint("c", i%3),
		RequestID: fmt.Sprint("r", i), Doc: []byte{0, 0xff, byte(i)}}
}

func refusals(from, to int) (list []Record) {
	for i := from; i < to; i++ {
		list = append(list, refusal(i))
	}
	return list
}

func TestRecords(t *testing.T) {
	now := time.UnixMicro(5_000_000)
	each(t, func(t *testing.T, dsn string) {
		s := open(t, Config{DSN: dsn, Now: func() time.Time { return now }})
		if err := s.CopyRecords(t.Context(), refusals(0, 6)); err != nil {
			t.Fatal(err)
		}
		if h := headOf(t, s); !h.IsZero() {
			t.Errorf("records of a spool took the number %d", h.Seq)
		}
		// Shipped again, as after a crash: nothing is doubled.
		if err := s.CopyRecords(t.Context(), refusals(3, 8)); err != nil {
			t.Fatal(err)
		}
		p := update(t, s, func(tx *Tx) error {
			return tx.Record(Record{Node: "n2", Class: ClassChange, Actor: "ann", Action: "client.create", ObjectKind: "client", ObjectID: "c0"})
		})
		all, err := s.Records(t.Context(), RecordQuery{})
		if err != nil || len(all) != 9 {
			t.Fatalf("%d records, %v", len(all), err)
		}
		if c := all[0]; c.Time != now.UnixMicro() || c.Seq != p.Seq || c.ID == "" || len(c.Hash) != 32 {
			t.Errorf("a record made in a transaction: %+v", c)
		}
		if got, want := all[8], refusal(0); !bytes.Equal(got.Doc, want.Doc) || got.RequestID != want.RequestID || got.Time != want.Time || got.Seq != 0 || len(got.Hash) != 0 {
			t.Errorf("a shipped record: %+v, want %+v", got, want)
		}
		for _, c := range []struct {
			name string
			q    RecordQuery
			want string // request ids, newest first
		}{
			{"class", RecordQuery{Class: ClassRefusal}, "r7 r6 r5 r4 r3 r2 r1 r0"},
			{"node", RecordQuery{Node: "n1", Limit: 2}, "r7 r6"},
			{"actor", RecordQuery{Actor: "client1"}, "r7 r5 r3 r1"},
			{"object", RecordQuery{ObjectKind: "client", ObjectID: "c0", Action: "token"}, "r6 r3 r0"},
			{"request", RecordQuery{RequestID: "r4"}, "r4"},
			{"time", RecordQuery{From: 1002, To: 1005}, "r4 r3 r2"},
			{"next page", RecordQuery{Before: refusal(2).ID, Limit: 1}, "r1"},
			{"nothing", RecordQuery{RequestID: "' OR ''='"}, ""},
		} {
			list, err := s.Records(t.Context(), c.q)
			var ids []string
			for _, r := range list {
				ids = append(ids, r.RequestID)
			}
			if got := strings.Join(ids, " "); got != c.want || err != nil {
				t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
			}
		}
		if n, err := s.VerifyRecords(t.Context()); n != 1 || err != nil { // copies are not in the chain
			t.Errorf("VerifyRecords: %d, %v", n, err)
		}
	})
}

// Copies go when they are old, many at a time, and neither they nor their removal
// have to do with the chain or wait for its writer.
func TestPurgeRecords(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		chained := Record{Time: 1, Class: ClassRefusal, Actor: "uid:33"}
		if err := s.AppendRecords(t.Context(), []Record{chained}); err != nil {
			t.Fatal(err)
		}
		update(t, s, func(tx *Tx) error { return tx.Record(Record{Time: 2, Class: ClassChange}) })
		copies := func() {
			t.Helper()
			if err := s.CopyRecords(t.Context(), refusals(0, 2500)); err != nil {
				t.Fatal(err)
			}
			if n, err := s.PurgeRecords(t.Context(), refusal(2300).Time); n != 2300 || err != nil {
				t.Errorf("removed %d, %v", n, err)
			}
		}
		if s.e.postgres {
			update(t, s, func(tx *Tx) error { // holds the head's row
				copies()
				return tx.Record(Record{Time: 3, Class: ClassChange})
			})
		} else {
			copies()
		}
		left, err := s.Records(t.Context(), RecordQuery{Limit: 1000})
		if err != nil || left[0].ID != refusal(2499).ID || left[199].ID != refusal(2300).ID {
			t.Errorf("%d are left, %v", len(left), err)
		}
		for _, r := range left[200:] {
			if len(r.Hash) != 32 {
				t.Errorf("an old copy is left: %+v", r)
			}
		}
		if n, err := s.VerifyRecords(t.Context()); n != int64(len(left)-200) || n < 2 || err != nil {
			t.Errorf("%d in the chain of %d, %v", n, len(left)-200, err)
		}
		if n, err := s.PurgeRecords(t.Context(), refusal(2300).Time); n != 0 || err != nil {
			t.Errorf("again: %d, %v", n, err)
		}
	})
}

func TestRecordsRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for name, r := range map[string]Record{
			"NUL": {ID: "a", Actor: "\x00"}, "broken UTF-8": {ID: "a", Action: "\xff"},
			"long": {ID: "a", RequestID: strings.Repeat("r", maxID+1)}, "a long document": {ID: "a", Doc: make([]byte, maxDoc+1)},
		} {
			if err := s.AppendRecords(t.Context(), []Record{refusal(1), r}); err == nil || ours(err) {
				t.Errorf("%s: %v", name, err)
			}
			if err := s.CopyRecords(t.Context(), []Record{refusal(1), r}); err == nil || ours(err) {
				t.Errorf("a copy, %s: %v", name, err)
			}
		}
		if err := s.CopyRecords(t.Context(), []Record{refusal(1), {Time: 1, Class: ClassRefusal}}); err == nil || ours(err) {
			t.Errorf("a copy without an id: %v", err)
		}
		if list, err := s.Records(t.Context(), RecordQuery{}); len(list) != 0 || err != nil {
			t.Errorf("half of a refused batch is there: %v, %v", list, err)
		}
		if n, err := s.VerifyRecords(t.Context()); n != 0 || err != nil {
			t.Errorf("half of a refused batch is there: %d, %v", n, err)
		}
	})
}

// Two rows have the same octets in front of the hash only if they are equal.
func TestLinkKeepsColumnsApart(t *testing.T) {
	base := refusal(1)
	seen := map[string]string{}
	for name, change := range map[string]func(*Record){
		"none":           func(*Record) {},
		"id":             func(r *Record) { r.ID += "x" },
		"time":           func(r *Record) { r.Time++ },
		"node":           func(r *Record) { r.Node += "x" },
		"class":          func(r *Record) { r.Class += "x" },
		"actor":          func(r *Record) { r.Actor += "x" },
		"action":         func(r *Record) { r.Action += "x" },
		"kind":           func(r *Record) { r.ObjectKind += "x" },
		"object":         func(r *Record) { r.ObjectID += "x" },
		"request":        func(r *Record) { r.RequestID += "x" },
		"seq":            func(r *Record) { r.Seq++ },
		"doc":            func(r *Record) { r.Doc = append(slices.Clone(r.Doc), 'x') },
		"moved boundary": func(r *Record) { r.Actor, r.Action = r.Actor+r.Action[:1], r.Action[1:] },
	} {
		r := base
		change(&r)
		h := string(r.link([]byte("before"), 2))
		if other, there := seen[h]; there {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		seen[h] = name
	}
	for name, h := range map[string][]byte{"another place": base.link([]byte("before"), 3), "another row before": base.link([]byte("bef"), 2)} {
		if other, there := seen[string(h)]; there {
			t.Errorf("%s and %s have the same hash", name, other)
		}
	}
}

var tampering = []struct {
	name string
	sql  []string
	says string
	good int64
}{
	{"altered", []string{`UPDATE records SET actor = 'other' WHERE n = 4`}, "record 4 (" + refusal(3).ID + ") was altered", 3},
	{"altered document", []string{`UPDATE records SET doc = hash WHERE n = 1`}, "record 1 (", 0},
	{"altered hash", []string{`UPDATE records SET hash = doc WHERE n = 5`}, "record 5 (", 4},
	{"deleted", []string{`DELETE FROM records WHERE n = 3`}, "record 3 is missing: record 4 (" + refusal(3).ID + ")", 2},
	{"first deleted", []string{`DELETE FROM records WHERE n = 1`}, "record 1 is missing", 0},
	{"deleted and closed up", []string{`DELETE FROM records WHERE n = 3`, `UPDATE records SET n = n - 1 WHERE n = 4`,
		`UPDATE records SET n = n - 1 WHERE n = 5`, `UPDATE records SET n = n - 1 WHERE n = 6`,
		`UPDATE head SET records = 5`}, "record 3 (" + refusal(3).ID + ") was altered or moved", 2},
	{"turned into a copy", []string{`UPDATE records SET n = NULL WHERE n = 3`}, "record 3 is missing", 2},
	{"reordered", []string{`UPDATE records SET n = 100 WHERE n = 2`, `UPDATE records SET n = 2 WHERE n = 5`,
		`UPDATE records SET n = 5 WHERE n = 100`}, "record 2 (" + refusal(4).ID + ") was altered or moved", 1},
	{"tail cut", []string{`DELETE FROM records WHERE n > 4`}, "the newest 2 records were cut off after record 4 (" + refusal(3).ID + ")", 4},
	{"all cut", []string{`DELETE FROM records`}, "the newest 6 records were cut off after record 0", 0},
	{"tail cut with its count", []string{`DELETE FROM records WHERE n > 4`, `UPDATE head SET records = 4`}, "record 4 (", 4},
	{"tail hidden", []string{`UPDATE head SET records = 5`}, "1 records stand behind the end", 5},
	{"head altered", []string{`UPDATE head SET audit_hash = (SELECT hash FROM records WHERE n = 1)`}, "record 6 (", 6},
}

func TestTamperedRecords(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		run := func(queries ...string) {
			t.Helper()
			for _, q := range queries {
				if _, err := s.e.w.ExecContext(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, c := range tampering {
			run(`DELETE FROM records`, `UPDATE head SET records = 0, audit_hash = ''`)
			if err := s.AppendRecords(t.Context(), refusals(0, 6)); err != nil {
				t.Fatal(err)
			}
			if n, err := s.VerifyRecords(t.Context()); n != 6 || err != nil {
				t.Fatalf("untouched: %d, %v", n, err)
			}
			run(c.sql...)
			n, err := s.VerifyRecords(t.Context())
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.says) || n != c.good {
				t.Errorf("%s: %d good, %v; want %d, %q", c.name, n, err, c.good, c.says)
			}
			if err := s.Check(t.Context()); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: Check: %v", c.name, err)
			}
		}
	})
}

// More rows than one page of the walk.
func TestVerifyManyRecords(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		if err := s.AppendRecords(t.Context(), refusals(0, 1500)); err != nil {
			t.Fatal(err)
		}
		if n, err := s.VerifyRecords(t.Context()); n != 1500 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if _, err := s.e.w.ExecContext(t.Context(), `UPDATE records SET time = time + 1 WHERE n = 1200`); err != nil {
			t.Fatal(err)
		}
		if n, err := s.VerifyRecords(t.Context()); n != 1199 || !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d, %v", n, err)
		}
	})
}
