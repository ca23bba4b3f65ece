package audit

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestPresentedReadsNoExpiredSegment: once all that a closed segment's records
// presented has expired, nothing but its header is read, also when the segment was
// written by several processes.
func TestPresentedReadsNoExpiredSegment(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	expires := now.Add(5 * time.Minute)
	open := func() *Spool {
		s, err := OpenSpool(SpoolConfig{Dir: dir, Node: "n1", SegmentBytes: 64 << 10, Reserve: 1, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	add := func(s *Spool, presented ...Presented) {
		if err := s.Append(&Record{Outcome: Issued, Client: "c", Presented: presented}); err != nil {
			t.Fatal(err)
		}
	}
	s := open()
	add(s, Presented{Key: [32]byte{1}, Expires: expires})
	for range 2 { // the second and the third process know it from the file
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open()
	}
	for s.Position().Segment == 1 {
		add(s)
	}
	defer func() { s.Close() }()
	reopen := func(at time.Time) (told int, err error) {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		now = at
		s = open()
		err = s.Presented(t.Context(), at.Add(-2*time.Hour), at, func(string, Presented) { told++ })
		return told, err
	}
	if told, err := reopen(expires); told != 1 || err != nil {
		t.Errorf("as long as it has not expired: told of %d, %v", told, err)
	}
	first := segmentPath(dir, 1)
	b, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndexByte(b[:20000], '\n')
	b[at] = 'x' // a line break
	if err := os.WriteFile(first, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if told, err := reopen(expires); told != 1 || !errors.Is(err, ErrIncomplete) {
		t.Errorf("damaged, and not expired: told of %d, %v", told, err)
	}
	if told, err := reopen(expires.Add(time.Second)); told != 0 || err != nil {
		t.Errorf("expired: told of %d, %v; it was read", told, err)
	}
	if report, err := Verify(t.Context(), dir, Anchors{}); err != nil || len(report.Damages) == 0 {
		t.Errorf("what is not read at the start is verified nevertheless: %+v, %v", report, err)
	}
}

// TestPresentedOfTheOpenSegment: what OpenSpool has found and what was appended
// since are told once each, whether the segment was read at the start or is read
// again.
func TestPresentedOfTheOpenSegment(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	s, err := OpenSpool(SpoolConfig{Dir: dir, Node: "n1", SegmentBytes: 64 << 10, Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if i == 2 { // by a clock that is ahead
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			ahead := func() time.Time { return now.Add(time.Hour) }
			if s, err = OpenSpool(SpoolConfig{Dir: dir, Node: "n1", SegmentBytes: 64 << 10, Reserve: 1, Now: ahead}); err != nil {
				t.Fatal(err)
			}
		}
		r := Record{Outcome: Issued, Client: "c", Presented: []Presented{{Key: [32]byte{byte(i)}, Expires: now.Add(time.Minute)}}}
		if err := s.Append(&r); err != nil {
			t.Fatal(err)
		}
	}
	defer s.Close()
	for _, now := range []time.Time{now, now.Add(-time.Hour)} {
		told := make(map[[32]byte]int)
		err := s.Presented(t.Context(), now.Add(-time.Hour), now, func(_ string, p Presented) { told[p.Key]++ })
		if err != nil || len(told) != 3 || told[[32]byte{}] != 1 || told[[32]byte{1}] != 1 || told[[32]byte{2}] != 1 {
			t.Errorf("%v, %v", told, err)
		}
	}
}

// TestExpiredByTheHeader: only a header that is whole and says when is believed.
func TestExpiredByTheHeader(t *testing.T) {
	now := time.Now()
	at := func(seconds int64) *int64 { return &seconds }
	for name, test := range map[string]struct {
		presented *int64
		change    func([]byte) []byte
		want      bool
	}{
		"nothing was presented":   {at(0), nil, true},
		"all has expired":         {at(now.Unix() - 1), nil, true},
		"it expires now":          {at(now.Unix()), nil, false},
		"what could not be read":  {at(math.MaxInt64), nil, false},
		"an earlier version's":    {nil, nil, false},
		"altered":                 {at(0), func(b []byte) []byte { return bytes.Replace(b, []byte(`"first":1`), []byte(`"first":2`), 1) }, false},
		"of another segment":      {at(0), func(b []byte) []byte { return nil }, false},
		"torn by a loss of power": {at(0), func(b []byte) []byte { return b[:len(b)/2] }, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := header{Spool: "x", Segment: 7, Node: "n1", First: 1, Presented: test.presented}
			line, _, err := h.appendTo(make([]byte, len(digest{})), digest{})
			if err != nil {
				t.Fatal(err)
			}
			text, number := line[len(digest{}):], int64(7)
			if test.change != nil {
				if changed := test.change(bytes.Clone(text)); changed != nil {
					text = changed
				} else {
					number = 8
				}
			}
			path := filepath.Join(t.TempDir(), "segment")
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			r := presentedReader{now: now}
			if got := r.expired(path, number); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}
