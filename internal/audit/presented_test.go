package audit

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/store"
)

// TestPresented: a node that starts finds what it took, in whichever segment, and
// nothing that has expired.
func TestPresented(t *testing.T) {
	dir := t.TempDir()
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var at atomic.Int64 // seconds since then
	clock := func() time.Time { return began.Add(time.Duration(at.Load()) * time.Second) }
	s, err := OpenSpool(SpoolConfig{Dir: dir, Node: "n1", SegmentBytes: 64 << 10, Reserve: 1, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[Presented]string)
	for i := range 900 { // a second each
		at.Store(int64(i))
		now := clock()
		client := fmt.Sprint("client\"", i%7) // a quotation mark, which the line escapes
		r := Record{Outcome: Issued, Client: client, Verified: true, Reason: `,"presented":["not this"],"checks":[`}
		r.Checks = []symbolon.Check{{Name: "replay", OK: true}}
		if i%3 == 0 {
			for k := range 1 + i%2 {
				p := Presented{Key: [32]byte{byte(i), byte(i >> 8), byte(k)}, Expires: now.Add(5*time.Minute + 500*time.Millisecond)}
				r.Presented = append(r.Presented, p)
				p.Expires = p.Expires.Truncate(time.Second).Add(time.Second)
				if i >= 899-300 {
					want[Presented{p.Key, p.Expires.UTC()}] = client
				}
			}
		}
		if err := s.Append(&r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = OpenSpool(SpoolConfig{Dir: dir, Node: "n1", SegmentBytes: 64 << 10, Reserve: 1, Now: clock}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if all, err := segments(dir); err != nil || len(all) < 3 {
		t.Fatalf("%d segments, %v", len(all), err)
	}
	now := clock()
	got := make(map[Presented]string)
	err = s.Presented(t.Context(), now.Add(-6*time.Minute), now, func(client string, p Presented) {
		got[Presented{p.Key, p.Expires.UTC()}] = client
	})
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%d, want %d, %v", len(got), len(want), err)
	}
}

// TestPresentedBehindDamage: a damage hides nothing but itself, and is told of.
func TestPresentedBehindDamage(t *testing.T) {
	rewrite := func(t *testing.T, path string, change func([]byte) []byte) {
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, change(b), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	overwrite := func(at, n int, with byte) func([]byte) []byte {
		return func(b []byte) []byte {
			copy(b[at:], bytes.Repeat([]byte{with}, n))
			return b
		}
	}
	const records = 1200
	for _, test := range []struct {
		name   string
		change func(t *testing.T, newest, before string)
		lost   int // records at most
		whole  bool
	}{
		{"nothing", func(*testing.T, string, string) {}, 0, true},
		{"NULs in the newest segment", func(t *testing.T, newest, _ string) { rewrite(t, newest, overwrite(5000, 64, 0)) }, 2, false},
		{"a line break is gone", func(t *testing.T, _, before string) {
			rewrite(t, before, func(b []byte) []byte {
				i := 20000 + bytes.IndexByte(b[20000:], '\n')
				return overwrite(i, 1, 'x')(b)
			})
		}, 2, false},
		{"the end of a closed segment", func(t *testing.T, _, before string) {
			rewrite(t, before, func(b []byte) []byte { return overwrite(len(b)-40, 40, 'x')(b) })
		}, 1, false},
		{"a digest", func(t *testing.T, _, before string) {
			rewrite(t, before, func(b []byte) []byte {
				return overwrite(bytes.Index(b, presentedName)+len(presentedName), 1, '!')(b)
			})
		}, 1, false},
		{"a closed segment", func(t *testing.T, _, before string) {
			if err := os.Remove(before); err != nil {
				t.Fatal(err)
			}
		}, records / 2, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, now := t.TempDir(), time.Now()
			open := func() *Spool {
				s, err := OpenSpool(SpoolConfig{Dir: dir, Node: "n1", SegmentBytes: 64 << 10, Reserve: 1})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			s := open()
			for i := range records {
				r := Record{Outcome: Issued, Client: "c", Verified: true, Presented: []Presented{{Key: [32]byte{byte(i), byte(i >> 8)}, Expires: now.Add(5 * time.Minute)}}}
				if err := s.Append(&r); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			all, err := segments(dir)
			if err != nil || len(all) < 3 {
				t.Fatal(all, err)
			}
			test.change(t, segmentPath(dir, all[len(all)-1]), segmentPath(dir, all[len(all)-2]))
			s = open()
			defer s.Close()
			known := 0
			err = s.Presented(t.Context(), now.Add(-time.Hour), now, func(string, Presented) { known++ })
			if known < records-test.lost || test.whole != (err == nil) || err != nil && !errors.Is(err, ErrIncomplete) {
				t.Errorf("%d of %d, %v", known, records, err)
			}
		})
	}
}

// TestMissing: the store knows when the spool, or its end, was lost.
func TestMissing(t *testing.T) {
	db, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + t.TempDir() + "/s.db"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	dir := t.TempDir()
	for _, test := range []struct {
		want error
		lose bool
	}{{nil, false}, {nil, false}, {ErrIncomplete, true}} {
		if test.lose {
			dir = t.TempDir()
		}
		s, err := OpenSpool(SpoolConfig{Dir: dir, Node: "n1", SegmentBytes: 64 << 10, Reserve: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Missing(t.Context(), db); !errors.Is(err, test.want) {
			t.Errorf("%v, want %v", err, test.want)
		}
		for range 3 {
			if err := s.Append(&Record{Outcome: Issued, Client: "c"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := NewFolder(FolderConfig{Store: db, Spool: s}).Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
