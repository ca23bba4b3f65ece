package audit

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// childEnv makes the test binary a process that appends until it is killed.
const childEnv = "AUDIT_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		appendUntilKilled(dir)
	}
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		f.Value.Set("40") // each check writes and reads files
	}
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// clock is a clock that a test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// spoolIn opens a spool with small segments.
func spoolIn(t testing.TB, dir string, change ...func(*SpoolConfig)) *Spool {
	t.Helper()
	cfg := SpoolConfig{Dir: dir, Node: "n1", SegmentBytes: minSegment, Reserve: 1, Now: newClock().now, Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&cfg)
	}
	s, err := OpenSpool(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeSpool(t, s) })
	return s
}

func closeSpool(t testing.TB, s *Spool) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// fill appends records with the request ids r<from> to r<to-1>.
func fill(t testing.TB, s *Spool, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		r := typical()
		r.Time, r.RequestID = s.cfg.Now(), fmt.Sprint("r", i)
		if err := s.Append(r); err != nil {
			t.Fatal(err)
		}
	}
}

// requestIDs scans a spool that must be whole.
func requestIDs(t testing.TB, dir string) []string {
	t.Helper()
	var ids []string
	n := int64(0)
	err := Scan(dir, Position{}, func(r *Record, p Position) error {
		if n++; r.N != n && n > 1 || p.N != r.N {
			t.Errorf("record %d has number %d at %d", n, r.N, p.N)
		}
		n = r.N
		ids = append(ids, r.RequestID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// checkIDs makes sure that the spool holds r0 to r<n-1> and nothing else.
func checkIDs(t testing.TB, dir string, n int) {
	t.Helper()
	ids := requestIDs(t, dir)
	if len(ids) != n {
		t.Fatalf("%d records, want %d", len(ids), n)
	}
	for i, id := range ids {
		if id != fmt.Sprint("r", i) {
			t.Fatalf("record %d is of request %s", i+1, id)
		}
	}
}

func verify(t testing.TB, dir string, a Anchors) *Report {
	t.Helper()
	r, err := Verify(t.Context(), dir, a)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newest(t testing.TB, dir string) string {
	t.Helper()
	all, err := segments(dir)
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	return segmentPath(dir, all[len(all)-1])
}

// content is a segment up to its last line.
func content(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimRight(b, "\x00")
}

// rewrite replaces the content of a segment and keeps its size.
func rewrite(t testing.TB, path string, text []byte) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := int(info.Size()) - len(text); n > 0 {
		text = append(bytes.Clone(text), make([]byte, n)...)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(filepath.Join(to, "spool"), os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(to, "spool")
}

func is(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}
