package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon/internal/logtest"
)

// smallDisk mounts a file system of its own.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("a full disk cannot be tried without mounting a tmpfs: %v; run `scripts/unit.sh ./internal/audit`, or as root with CAP_SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillDisk leaves about so many octets free, and returns what gives the rest back.
func fillDisk(t *testing.T, dir string, leave int64) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var end int64
	for err == nil {
		var n int
		n, err = f.Write(make([]byte, 4096))
		end += int64(n)
	}
	if !isFull(err) {
		t.Fatal(err)
	}
	if err := f.Truncate(end - leave); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// A full disk stops nothing before the reserve is used up; then every request is
// refused, and when there is space again records are taken again. Nothing that was
// acknowledged is lost.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t, "2m")
	dir := filepath.Join(disk, "spool")
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Buffer
		s := spoolIn(t, dir, func(c *SpoolConfig) { c.Now, c.Reserve, c.Logger = time.Now, 2, log.Logger() })
		fill(t, s, 0, 10)
		synctest.Wait() // the reserve is made
		if st := s.Stats(); st.Reserve != 2 || st.Short {
			t.Fatalf("%+v", st)
		}
		free := fillDisk(t, disk, 0)

		n := 10
		for ; ; n++ {
			r := typical()
			r.Time, r.RequestID = s.cfg.Now(), fmt.Sprint("r", n)
			err := s.Append(r)
			if err != nil {
				is(t, err, ErrFull)
				break
			}
		}
		if least := 10 + int(2*s.size/1300); n < least {
			t.Errorf("%d records before the disk counted as full, the reserve has room for %d", n, least)
		}
		synctest.Wait()
		is(t, s.Append(typical()), ErrFull)
		if st := s.Stats(); !st.Short || st.Reserve != 0 || st.Full != 2 || st.Records != int64(n) {
			t.Errorf("%+v", st)
		}
		if got := log.String(); strings.Count(got, "no room for more evidence") != 1 {
			t.Errorf("log: %s", got)
		}

		free()
		time.Sleep(keepEvery)
		synctest.Wait()
		fill(t, s, n, n+50)
		if !strings.Contains(log.String(), "room for evidence again") {
			t.Errorf("log: %s", &log)
		}
		closeSpool(t, s)
		checkIDs(t, dir, n+50)
		if r := verify(t, dir, Anchors{}); !r.OK() {
			t.Errorf("%+v", r)
		}
	})
}

// on_full: issue goes on without evidence, counts it, and says in the evidence how
// much is missing as soon as there is room.
func TestFullDiskIssue(t *testing.T) {
	disk := smallDisk(t, "2m")
	dir := filepath.Join(disk, "spool")
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Buffer
		s := spoolIn(t, dir, func(c *SpoolConfig) { c.Now, c.OnFull, c.Logger = time.Now, OnFullIssue, log.Logger() })
		synctest.Wait()
		free := fillDisk(t, disk, 0)
		for s.Stats().Lost < 7 {
			if err := s.Append(typical()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(keepEvery)
		synctest.Wait()
		if !strings.Contains(log.String(), "without evidence") {
			t.Errorf("log: %s", &log)
		}
		free()
		time.Sleep(keepEvery)
		synctest.Wait() // the reserve is there
		time.Sleep(keepEvery)
		synctest.Wait()
		closeSpool(t, s)
		found, err := Search(t.Context(), dir, Query{Code: "evidence_lost"})
		if err != nil || len(found) != 1 || found[0].Count != 7 || found[0].Outcome != Notice {
			t.Errorf("%+v, %v", found, err)
		}
	})
}

func TestOpenOnFullDisk(t *testing.T) {
	disk := smallDisk(t, "1m")
	dir := filepath.Join(disk, "spool")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		free := fillDisk(t, disk, 0)
		s := spoolIn(t, dir, func(c *SpoolConfig) { c.Now = time.Now })
		is(t, s.Append(typical()), ErrFull)
		free()
		time.Sleep(keepEvery)
		synctest.Wait()
		fill(t, s, 0, 3)
		closeSpool(t, s)
		checkIDs(t, dir, 3)
	})
}

// While the reserve cannot be filled up, what anybody can cause takes none of it.
func TestRefusalsLeaveTheReserveAlone(t *testing.T) {
	disk := smallDisk(t, "1m")
	dir := filepath.Join(disk, "spool")
	synctest.Test(t, func(t *testing.T) {
		s := spoolIn(t, dir, func(c *SpoolConfig) { c.Now = time.Now })
		synctest.Wait()
		free := fillDisk(t, disk, 0)
		for s.Position().Segment == 1 {
			if err := s.Append(typical()); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait() // the keeper has seen that there is no space
		at := s.Position()
		for range 100 {
			if err := s.AppendRefusal(refusal("192.0.2.1"), Network(peer("192.0.2.1"))); err != nil {
				t.Fatal(err)
			}
		}
		if s.Position() != at || s.Stats().Suppressed != 100 {
			t.Errorf("%+v, %+v", s.Position(), s.Stats())
		}
		free()
	})
}

// A write that failed half-way leaves nothing that the next start could take for a
// line, nor for a torn one.
func TestShortWriteLeavesNothing(t *testing.T) {
	disk := smallDisk(t, "1m")
	f, err := os.Create(filepath.Join(disk, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(minSegment); err != nil { // not preallocated
		t.Fatal(err)
	}
	free := fillDisk(t, disk, 8192)
	g := &segment{f: f, size: minSegment}
	err = g.write(bytes.Repeat([]byte("x"), 20000))
	if !isFull(err) || g.used != 0 {
		t.Fatalf("%d octets, %v", g.used, err)
	}
	if end, err := lastWritten(f, 0); err != nil || end != 0 {
		t.Errorf("%d octets are left (%v)", end, err)
	}
	// Even when the NUL octets could not be written then, the next line covers it.
	if _, err := f.WriteAt([]byte("half a record"), 0); err != nil {
		t.Fatal(err)
	}
	g.dirty = max(g.dirty, 13)
	free()
	if err := g.write([]byte("line\n")); err != nil {
		t.Fatal(err)
	}
	if end, err := lastWritten(f, 0); err != nil || end != 5 || g.used != 5 {
		t.Errorf("the line ends at %d of %d (%v)", g.used, end, err)
	}
}

// After an error the chain goes on as if the record had never been.
func TestWriteErrorKeepsTheChain(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 3)
	s.mu.Lock()
	good := s.cur.f
	s.cur.f, _ = os.Open(good.Name()) // nil, or not for writing
	s.mu.Unlock()
	before := s.Position()
	err := s.Append(typical())
	if err == nil || errors.Is(err, ErrFull) || s.Position() != before {
		t.Fatalf("%v at %+v", err, s.Position())
	}
	s.mu.Lock()
	s.cur.f = good
	s.mu.Unlock()
	fill(t, s, 3, 6)
	if s.Position().Segment == before.Segment {
		t.Error("the file that gave an error is still written to")
	}
	closeSpool(t, s)
	checkIDs(t, dir, 6)
}
