package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon/internal/logtest"
)

func TestAppendGoesOnAfterReopen(t *testing.T) {
	dir := t.TempDir()
	for round := range 4 {
		s := spoolIn(t, dir)
		fill(t, s, round*100, round*100+100)
		at := s.Position()
		closeSpool(t, s)
		if end, err := End(dir); err != nil || end != at {
			t.Fatalf("end %+v (%v), want %+v", end, err, at)
		}
	}
	checkIDs(t, dir, 400)
	if r := verify(t, dir, Anchors{}); !r.OK() || r.Records != 400 || r.First != 1 || r.Last != 400 || r.Segments < 6 || r.Torn {
		t.Errorf("report %+v", r)
	}
}

func TestAppendFromManyGoroutines(t *testing.T) {
	for _, sync := range []bool{false, true} {
		dir := t.TempDir()
		s := spoolIn(t, dir, func(c *SpoolConfig) { c.Sync = sync })
		appendConcurrently(t, s, 16, 40)
		if n := len(requestIDs(t, dir)); n != 640 {
			t.Errorf("%d records", n)
		}
		if n := s.Stats().Records; n != 640 {
			t.Errorf("%d counted", n)
		}
	}
}

func appendConcurrently(t *testing.T, s *Spool, goroutines, each int) {
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for i := range each {
				r := typical()
				r.RequestID = fmt.Sprint("r", g, "-", i)
				if err := s.Append(r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// Closed segments give back what they did not use.
func TestClosedSegmentsAreCutToSize(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 200)
	closeSpool(t, s)
	all, _ := segments(dir)
	for _, n := range all[:len(all)-1] {
		b, err := os.ReadFile(segmentPath(dir, n))
		if err != nil || !bytes.HasSuffix(b, []byte("}\n")) {
			t.Errorf("segment %d ends in %q (%v)", n, b[max(0, len(b)-5):], err)
		}
	}
	if info, err := os.Stat(newest(t, dir)); err != nil || info.Size() != minSegment {
		t.Errorf("the newest segment has %v octets (%v)", info.Size(), err)
	}
}

// One that an earlier process closed but did not cut is cut at the next start.
func TestSegmentThatWasNotCutIsCutAtStart(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 200)
	closeSpool(t, s)
	all, _ := segments(dir)
	path := segmentPath(dir, all[len(all)-2])
	before := content(t, path)
	if err := os.Truncate(path, minSegment); err != nil {
		t.Fatal(err)
	}
	closeSpool(t, spoolIn(t, dir))
	if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
		t.Errorf("%d octets, want %d", len(after), len(before))
	}
	checkIDs(t, dir, 200)
}

func TestSegmentIsClosedDaily(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	s := spoolIn(t, dir, func(cfg *SpoolConfig) { cfg.Now = c.now })
	fill(t, s, 0, 1)
	c.advance(maxAge - time.Second)
	fill(t, s, 1, 2)
	if n := s.Position().Segment; n != 1 {
		t.Errorf("segment %d before a day is over", n)
	}
	c.advance(time.Second)
	fill(t, s, 2, 3)
	if n := s.Position().Segment; n != 2 {
		t.Errorf("segment %d after a day", n)
	}
	closeSpool(t, s)
	checkIDs(t, dir, 3)
}

// A kill leaves the beginning of a line. The chain goes on behind the last whole
// one, whatever the place of the cut.
func TestTornLineIsCutAtStart(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 3)
	before := s.Position().Offset
	fill(t, s, 3, 4)
	closeSpool(t, s)
	whole := content(t, newest(t, dir))
	for cut := before + 1; cut < int64(len(whole)); cut += 31 {
		rewrite(t, newest(t, dir), whole[:cut])
		if r := verify(t, dir, Anchors{}); !r.OK() || !r.Torn {
			t.Fatalf("cut at %d: %+v", cut, r)
		}
		var log logtest.Buffer
		s := spoolIn(t, dir, func(c *SpoolConfig) { c.Logger = log.Logger() })
		if got := content(t, newest(t, dir)); int64(len(got)) != before {
			t.Fatalf("cut at %d: %d octets are left, %d are whole lines", cut, len(got), before)
		}
		fill(t, s, 3, 4)
		closeSpool(t, s)
		checkIDs(t, dir, 4)
		if r := verify(t, dir, Anchors{}); !r.OK() || r.Torn {
			t.Fatalf("cut at %d: %+v", cut, r)
		}
		if !strings.Contains(log.String(), "cut off") {
			t.Fatalf("cut at %d: log %q", cut, &log)
		}
	}
}

// A loss of power may leave any pages of the last line.
func TestLineWithAHoleIsCutAtStart(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 3)
	before := s.Position().Offset
	fill(t, s, 3, 4)
	closeSpool(t, s)
	text := content(t, newest(t, dir))
	clear(text[before : before+300])
	rewrite(t, newest(t, dir), text)
	s = spoolIn(t, dir)
	fill(t, s, 3, 4)
	closeSpool(t, s)
	checkIDs(t, dir, 4)
}

// Damage is no torn line: what is there stays, and is told by the log, the next
// header and Verify.
func TestDamageIsNeverDropped(t *testing.T) {
	for name, damage := range map[string]func(lines [][]byte) [][]byte{
		"a record in the middle was altered": func(l [][]byte) [][]byte {
			l[3] = bytes.Replace(l[3], []byte("billing"), []byte("payroll"), 1)
			return l
		},
		"the last record was altered": func(l [][]byte) [][]byte {
			l[5] = bytes.Replace(l[5], []byte("billing"), []byte("payroll"), 1)
			return l
		},
		"a record in the middle is gone":   func(l [][]byte) [][]byte { return append(l[:3], l[4:]...) },
		"text in the middle":               func(l [][]byte) [][]byte { l[3] = []byte("hello\n"); return l },
		"a hole in the middle":             func(l [][]byte) [][]byte { clear(l[3]); return l },
		"text without a line break at end": func(l [][]byte) [][]byte { return append(l, bytes.Repeat([]byte("x"), MaxRecord+1)) },
		"the header was altered": func(l [][]byte) [][]byte {
			l[0] = bytes.Replace(l[0], []byte(`"n1"`), []byte(`"n2"`), 1)
			return l
		},
		"the header is gone": func(l [][]byte) [][]byte { return l[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := spoolIn(t, dir)
			fill(t, s, 0, 5)
			closeSpool(t, s)
			path := newest(t, dir)
			rewrite(t, path, bytes.Join(damage(bytes.SplitAfter(content(t, path), []byte("\n"))), nil))
			before := content(t, path)
			found := verify(t, dir, Anchors{})
			if found.OK() || found.Damages[0].Segment != 1 {
				t.Fatalf("verify: %+v", found)
			}

			var log logtest.Buffer
			s = spoolIn(t, dir, func(c *SpoolConfig) { c.Logger = log.Logger() })
			fill(t, s, 5, 8)
			closeSpool(t, s)
			if after := content(t, path); !bytes.Equal(after, before) {
				t.Error("the damaged segment was changed")
			}
			if !strings.Contains(log.String(), "the spool is damaged") {
				t.Errorf("log: %s", &log)
			}
			again := verify(t, dir, Anchors{})
			if again.OK() || again.Damages[0].Error() != found.Damages[0].Error() || again.Last < 8 {
				t.Errorf("verify: %+v, before: %+v", again, found)
			}
			if !bytes.Contains(content(t, newest(t, dir)), []byte(`"damage":{"segment":1,`)) {
				t.Error("the next header does not tell it")
			}
			for _, id := range []string{"r5", "r6", "r7"} {
				if _, err := Find(t.Context(), dir, id); err != nil {
					t.Errorf("%s: %v", id, err)
				}
			}
		})
	}
}

// A header that a loss of power took is no damage: no line of its segment was
// acknowledged as synced.
func TestSegmentWithoutHeaderIsRemoved(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 3)
	closeSpool(t, s)
	if err := os.WriteFile(segmentPath(dir, 2), make([]byte, minSegment), 0o600); err != nil {
		t.Fatal(err)
	}
	s = spoolIn(t, dir)
	fill(t, s, 3, 100)
	closeSpool(t, s)
	checkIDs(t, dir, 100)
}

// A loss of power may also take a segment's new name.
func TestSegmentThatLostItsNameGetsItAgain(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 100)
	closeSpool(t, s)
	path := newest(t, dir)
	if err := os.Rename(path, filepath.Join(dir, reservePrefix+"LOST")); err != nil {
		t.Fatal(err)
	}
	s = spoolIn(t, dir)
	fill(t, s, 100, 101)
	closeSpool(t, s)
	checkIDs(t, dir, 101)
}

// A kill between header and name leaves a reserve with a header in it.
func TestReserveWithAHeaderIsCleared(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 3)
	closeSpool(t, s)
	reserve, err := filepath.Glob(filepath.Join(dir, reservePrefix+"*"))
	if err != nil || len(reserve) != 1 {
		t.Fatal(reserve, err)
	}
	h := header{Spool: "x", Segment: 2, Node: strings.Repeat("long", 200)}
	line, _, err := h.appendTo(make([]byte, 32), digest{})
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, reserve[0], line[32:])
	s = spoolIn(t, dir)
	if got := content(t, reserve[0]); len(got) != 0 {
		t.Errorf("%q is left", got)
	}
	fill(t, s, 3, 100)
	closeSpool(t, s)
	checkIDs(t, dir, 100)
}

func TestClockEarlierThanNewestRecord(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	with := func(cfg *SpoolConfig) { cfg.Now = c.now }
	s := spoolIn(t, dir, with)
	fill(t, s, 0, 1)
	closeSpool(t, s)
	before := content(t, newest(t, dir))

	c.advance(-clockTolerance)
	closeSpool(t, spoolIn(t, dir, with)) // a step of time synchronization

	c.advance(-time.Second)
	_, err := OpenSpool(SpoolConfig{Dir: dir, Node: "n1", Now: c.now})
	is(t, err, ErrClock)
	if msg := err.Error(); strings.Contains(msg, "\n") || !strings.Contains(msg, "Set the clock") || !strings.Contains(msg, "2026-03-01T12:00:00Z") {
		t.Errorf("message: %s", msg)
	}
	if after := content(t, newest(t, dir)); !bytes.Equal(after, before) {
		t.Error("the spool was changed")
	}
	c.advance(time.Minute)
	closeSpool(t, spoolIn(t, dir, with)) // the refusal left no lock
}

func TestClockSetBackIsLoggedOnce(t *testing.T) {
	c := newClock()
	var log logtest.Buffer
	s := spoolIn(t, t.TempDir(), func(cfg *SpoolConfig) { cfg.Now, cfg.Logger = c.now, log.Logger() })
	times := func(n int) {
		t.Helper()
		if got := strings.Count(log.String(), "the clock was set back"); got != n {
			t.Errorf("logged %d times, want %d", got, n)
		}
	}
	fill(t, s, 0, 2)
	c.advance(-clockTolerance)
	fill(t, s, 2, 4)
	times(0)
	c.advance(-time.Second)
	fill(t, s, 4, 9)
	times(1)
	c.advance(time.Hour)
	fill(t, s, 9, 10)
	c.advance(-time.Minute)
	fill(t, s, 10, 12)
	times(2)
}

func TestOneProcessAppends(t *testing.T) {
	dir := t.TempDir()
	spoolIn(t, dir)
	if _, err := OpenSpool(SpoolConfig{Dir: dir, Node: "n1"}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("second open: %v", err)
	}
}

func TestSpoolConfigIsChecked(t *testing.T) {
	for _, cfg := range []SpoolConfig{{Node: "n1"}, {Dir: t.TempDir()}, {Dir: t.TempDir(), Node: "n1", OnFull: "maybe"}} {
		if _, err := OpenSpool(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

func TestAppendAfterClose(t *testing.T) {
	s := spoolIn(t, t.TempDir(), func(c *SpoolConfig) { c.OnFull = OnFullIssue })
	closeSpool(t, s)
	is(t, s.Append(typical()), ErrClosed)
}

// Each append waits for a sync that began after its write; those who come while one
// runs share the next.
func TestSyncIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g groupSync
		var mu sync.Mutex
		var began []time.Time
		slow := func() error {
			mu.Lock()
			began = append(began, time.Now())
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			return nil
		}
		for i := range 100 {
			go func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				at := time.Now()
				if err := g.wait(slow); err != nil {
					t.Error(err)
				}
				mu.Lock()
				last := began[len(began)-1]
				mu.Unlock()
				if last.Before(at) {
					t.Errorf("a sync that began %v before the write was enough", at.Sub(last))
				}
			}()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(began); n < 5 || n > 15 {
			t.Errorf("%d syncs for 100 appends in 100 ms, each of 10 ms", n)
		}
	})
}

func TestFailedSyncIsTold(t *testing.T) {
	var g groupSync
	boom := errors.New("input/output error")
	is(t, g.wait(func() error { return boom }), boom)
	if err := g.wait(func() error { return nil }); err != nil {
		t.Errorf("the next round: %v", err)
	}
}

// After an error of a sync nobody knows what the file holds: the chain goes on in
// another one, and the record counts as not written.
func TestFailedSyncBeginsANewSegment(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir, func(c *SpoolConfig) { c.Sync = true })
	fill(t, s, 0, 1)
	s.mu.Lock()
	broken, err := os.Open(os.DevNull) // fdatasync of it is EINVAL
	if err != nil {
		t.Fatal(err)
	}
	s.finished = append(s.finished, closedSegment{broken, 0})
	s.mu.Unlock()
	if err := s.Append(typical()); err == nil {
		t.Fatal("a record that was not synced is acknowledged")
	}
	fill(t, s, 1, 2)
	if at := s.Position(); at.Segment != 2 {
		t.Errorf("segment %d", at.Segment)
	}
	if r := verify(t, dir, Anchors{}); !r.OK() {
		t.Errorf("%+v", r)
	}
}
