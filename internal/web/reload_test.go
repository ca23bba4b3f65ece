package web

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon/internal/logtest"
)

// jumping is a clock on which every look is one after Recheck.
func jumping() func() time.Time {
	var n atomic.Int64
	return func() time.Time { return time.Unix(0, 0).Add(time.Duration(n.Add(1)) * Recheck) }
}

// TestASlowDiskHoldsNobodyUp: one goroutine waits for the files, however many
// handshakes there are; these wait a moment, once, and go on with what was there.
func TestASlowDiskHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "x")
		write(t, file, []byte("1"))
		var log logtest.Buffer
		reads, stuck := 0, make(chan struct{})
		r := &Reloaded[int]{What: "x", Files: []string{file}, Now: time.Now, Logger: log.Logger(), Read: func() (int, error) {
			if reads++; reads > 1 {
				<-stuck
			}
			return reads, nil
		}}
		if err := r.First(); err != nil {
			t.Fatal(err)
		}
		write(t, file, []byte("22"))
		time.Sleep(Recheck) // of the bubble: no time passes outside
		began := time.Now()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if got := r.Get(); got != 1 {
					t.Errorf("read %d times while the disk is stuck", got)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took != patience {
			t.Errorf("the first ones waited for %s, want %s", took, patience)
		}
		for range 5 {
			time.Sleep(Recheck)
			began = time.Now()
			if got := r.Get(); got != 1 || time.Since(began) != 0 {
				t.Errorf("read %d times; a later one waited for %s", got, time.Since(began))
			}
		}
		if n := log.Count("cannot be looked at in time"); n != 1 {
			t.Errorf("logged %d times", n)
		}
		close(stuck)
		synctest.Wait()
		if got := r.Get(); got != 2 || reads != 2 {
			t.Errorf("after the disk: %d, read %d times", got, reads)
		}
	})
}

// TestWhatCouldNotBeReadIsTriedAgain though its file looks the same: the cause
// may have been this process, out of files.
func TestWhatCouldNotBeReadIsTriedAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x")
	write(t, file, []byte("1"))
	var log logtest.Buffer
	broken, value := false, "1"
	r := &Reloaded[string]{What: "x", Files: []string{file}, Now: jumping(), Logger: log.Logger(), Read: func() (string, error) {
		if broken {
			return "", os.ErrPermission
		}
		return value, nil
	}}
	if err := r.First(); err != nil {
		t.Fatal(err)
	}
	value, broken = "2", true
	write(t, file, []byte("22"))
	if got := r.Get(); got != "1" {
		t.Errorf("while it cannot be read: %s", got)
	}
	if got := r.Get(); got != "1" || log.Count("the one before stays") != 1 {
		t.Errorf("the second time: %s, logged %d times", got, log.Count("the one before stays"))
	}
	broken = false
	if got := r.Get(); got != "2" {
		t.Errorf("when it can be read again: %s", got)
	}
	value = "3"
	if got := r.Get(); got != "2" {
		t.Errorf("it is read although nothing has changed: %s", got)
	}
}

// TestFilesAreNotLookedAtAllTheTime, and a clock that is set back does not keep
// the old ones for good.
func TestFilesAreNotLookedAtAllTheTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x")
	write(t, file, []byte("1"))
	now, reads := time.Unix(1000, 0), 0
	r := &Reloaded[int]{What: "x", Files: []string{file}, Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler), Read: func() (int, error) {
		reads++
		return reads, nil
	}}
	if err := r.First(); err != nil {
		t.Fatal(err)
	}
	write(t, file, []byte("22"))
	for step, c := range []struct {
		at   time.Time
		want int
	}{{now, 1}, {now.Add(Recheck - 1), 1}, {now.Add(Recheck), 2}, {now.Add(time.Hour), 2}} {
		now = c.at
		if got := r.Get(); got != c.want {
			t.Errorf("step %d: read %d times", step, got)
		}
	}
	write(t, file, []byte("333"))
	now = now.Add(-30 * time.Minute)
	if got := r.Get(); got != 3 {
		t.Errorf("with the clock set back: read %d times", got)
	}
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
