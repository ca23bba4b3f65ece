package audit

import (
	"fmt"
	"maps"
	"testing"
	"time"
)

// TestPresented: a node that starts finds what it took, in whichever segment, and
// nothing that has expired.
func TestPresented(t *testing.T) {
	dir := t.TempDir()
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	now := began
	s, err := OpenSpool(SpoolConfig{Dir: dir, Node: "n1", SegmentBytes: 64 << 10, Reserve: 1, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[Presented]string)
	for i := range 900 { // a second each
		now = began.Add(time.Duration(i) * time.Second)
		client := fmt.Sprint("client\"", i%7) // a quotation mark, which the line escapes
		r := Record{Outcome: Issued, Client: client, Verified: true, Reason: `,"presented":["not this"]`}
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
	if s, err = OpenSpool(SpoolConfig{Dir: dir, Node: "n1", SegmentBytes: 64 << 10, Reserve: 1, Now: func() time.Time { return now }}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if all, err := segments(dir); err != nil || len(all) < 3 {
		t.Fatalf("%d segments, %v", len(all), err)
	}
	got := make(map[Presented]string)
	err = s.Presented(t.Context(), now.Add(-6*time.Minute), now, func(client string, p Presented) {
		got[Presented{p.Key, p.Expires.UTC()}] = client
	})
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%d, want %d, %v", len(got), len(want), err)
	}
}
