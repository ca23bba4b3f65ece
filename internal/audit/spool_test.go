package audit

import (
	"fmt"
	"testing"
)

func TestBasic(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		s, err := OpenSpool(SpoolConfig{Dir: dir, Node: "n1", SegmentBytes: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			r := typical()
			r.RequestID = fmt.Sprint(round, "-", i)
			r.Time = s.cfg.Now()
			if err := s.Append(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	err := Scan(dir, Position{}, func(r *Record, p Position) error { n++; return nil })
	t.Log(n, err)
	if n != 300 || err != nil {
		t.Fail()
	}
}
