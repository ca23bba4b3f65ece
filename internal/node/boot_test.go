package node

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestALossOfPowerIsNoticed: by the machine's next run, and by every node that
// starts in it; never by one after a kill, nor after an end in order.
func TestALossOfPowerIsNoticed(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	d := &dataDir{path: t.TempDir()}
	for step, c := range []struct {
		do   string // what happened before
		boot string
		now  int64
		want time.Time
	}{
		{"", "a", 1, time.Time{}}, {"killed", "a", 2, time.Time{}},
		{"no power", "b", 3, at(3)}, {"killed", "b", 4, at(3)}, {"no power", "c", 5, at(5)},
		{"ended", "c", 6, time.Time{}}, {"ended", "d", 7, time.Time{}}, {"torn", "d", 8, at(8)}, {"unknown", "", 9, time.Time{}},
	} {
		switch c.do {
		case "ended":
			if err := d.end(); err != nil {
				t.Fatal(err)
			}
		case "torn":
			write(t, filepath.Join(d.path, bootFile), []byte{0, 0})
		}
		if since, err := d.begin(c.boot, at(c.now)); err != nil || !since.Equal(c.want) {
			t.Errorf("step %d: %v, %v, want %v", step, since, err, c.want)
		}
	}
	for range 2 {
		if err := d.end(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReplayAfterALossOfPower: the records of the last seconds may be gone, and
// nobody can tell: nothing is taken that was issued before the start, and
// that lasts until it has expired.
func TestReplayAfterALossOfPower(t *testing.T) {
	if bootID() == "" {
		t.Log("this system does not name its runs")
		return
	}
	cfg := Config{Store: "sqlite", DataDir: t.TempDir() + "/data"}
	first := start(t, cfg)
	c := first.seedKey(t)
	file := filepath.Join(cfg.DataDir, bootFile)
	if _, err := os.Stat(file); err != nil {
		t.Errorf("while it runs: %v", err)
	}
	unused := c.assertion(t, first.url, "x")
	stop := func(s *started) {
		t.Helper()
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
	}
	stop(first)
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("after it ended: %v", err)
	}
	cfg.URL = first.url
	write(t, file, []byte("another run of the machine\n"))
	for range 2 {
		again := start(t, cfg)
		again.presents(t, first.url, unused, "", http.StatusServiceUnavailable)
		stop(again)
	}
}
