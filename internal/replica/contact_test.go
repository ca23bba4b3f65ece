package replica

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestContactOutlivesARestart(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	path := filepath.Join(t.TempDir(), "contact")
	c := openContact(path, clock)
	if c.time().Unix() != 0 || c.due() {
		t.Errorf("before any contact: %v", c.time())
	}
	c.heard(now)
	if !c.due() {
		t.Error("not to be written")
	}
	if err := c.save(); err != nil {
		t.Fatal(err)
	}
	c.heard(now.Add(contactEvery - 1))
	if c.due() {
		t.Error("written at every contact")
	}
	if again := openContact(path, clock); !again.time().Equal(now) {
		t.Errorf("after a restart: %v, want %v", again.time(), now)
	}
	now = now.Add(-time.Hour) // the clock was ahead before the restart
	if again := openContact(path, clock); !again.time().Equal(now) {
		t.Errorf("a contact in the future counts as %v, want now", again.time())
	}
	for _, text := range []string{"", "x", "99999999999999999999"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if bad := openContact(path, clock); bad.time().Unix() != 0 {
			t.Errorf("from %q: %v", text, bad.time())
		}
	}
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(names) != 1 {
		t.Errorf("left over: %v", names)
	}
	nowhere := openContact("", clock)
	nowhere.heard(now)
	if err := nowhere.save(); err != nil || nowhere.due() {
		t.Errorf("without a file: %v", err)
	}
}
