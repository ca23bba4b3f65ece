package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/logtest"
)

// Whatever the newest segment holds: reading it ends without a panic, a spool opens
// on it, takes records, and loses no line that was whole.
func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	s := spoolIn(f, dir)
	fill(f, s, 0, 5)
	closeSpool(f, s)
	good := content(f, newest(f, dir))
	f.Add(good)
	f.Add(good[:len(good)-10])
	f.Add(good[bytes.IndexByte(good, '\n')+1:])
	f.Add(bytes.Replace(good, []byte(`"n":3`), []byte(`"n":9223372036854775807`), 1))
	f.Add(append(bytes.Clone(good), 0, 0, 'x', '\n', 0, '\n'))
	f.Add([]byte("\n\n\x00{}\n"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > minSegment {
			return
		}
		defer time.AfterFunc(10*time.Second, func() { panic("it does not end") }).Stop()
		dir := t.TempDir()
		path := segmentPath(dir, 1)
		if err := os.WriteFile(path, append(bytes.Clone(text), make([]byte, minSegment-len(text))...), 0o600); err != nil {
			t.Fatal(err)
		}
		before := wholeLines(t, dir)
		if _, err := Search(t.Context(), dir, Query{Text: "r"}); err != nil {
			t.Fatal(err)
		}
		verify(t, dir, Anchors{})
		s, err := OpenSpool(SpoolConfig{Dir: dir, Node: "n1", SegmentBytes: minSegment, Reserve: 1, Now: newClock().now, Logger: new(logtest.Buffer).Logger()})
		if errors.Is(err, ErrClock) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		fill(t, s, 5, 7)
		closeSpool(t, s)
		if after := wholeLines(t, dir); !bytes.HasPrefix(after, before) {
			t.Fatalf("lines were lost:\n%q\n%q", before, after)
		}
		if found, err := Find(t.Context(), dir, "r6"); err != nil || found.RequestID != "r6" {
			t.Fatal(err)
		}
	})
}

// wholeLines are the records up to the first damage.
func wholeLines(t *testing.T, dir string) []byte {
	var all []byte
	err := Scan(dir, Position{}, func(r *Record, _ Position) error {
		all = append(r.AppendJSON(all), '\n')
		return nil
	})
	var damage *Damage
	if err != nil && !errors.As(err, &damage) {
		t.Fatal(err)
	}
	return all
}

// What the folds read by hand is what a JSON parser reads.
func FuzzMembers(f *testing.F) {
	f.Add(typical().AppendJSON(nil))
	f.Add(refusal("192.0.2.1").AppendJSON(nil))
	f.Add([]byte(`{"time":"2026-03-01T12:00:00.000000Z","outcome":"a\"b","apis":["x\\","y"],"count":3,"code":"\\"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var m members
		var r Record
		if !m.read(line) || json.Unmarshal(line, &r) != nil {
			return
		}
		// Names may come twice in what is not our own line: only the canonical form counts.
		if !bytes.Equal(bytes.TrimSuffix(r.AppendJSON(nil), []byte("}")), bytes.TrimSuffix(line, []byte("}"))) {
			return
		}
		if unquoted(m.client) != r.Client || unquoted(m.cred) != r.Cred || unquoted(m.outcome) != r.Outcome || unquoted(m.code) != r.Code ||
			unquoted(m.requestID) != r.RequestID || unquoted(m.endpoint) != r.Endpoint || m.verified != r.Verified || m.count != max(r.Count, 1) {
			t.Fatalf("%s: %+v", line, r)
		}
	})
}
