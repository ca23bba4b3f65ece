package replica

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon/internal/disk"
)

// contact remembers when the store was last heard of, over restarts too.
type contact struct {
	path string // empty: nowhere
	at   atomic.Int64

	mu    sync.Mutex
	saved int64
}

// contactEvery is how often the file is written. What is lost in a crash makes
// the contact look older, never younger.
const contactEvery = 10 * time.Second

// openContact reads the file. A contact in the future, of a clock that was
// ahead, counts as now; a file that cannot be read, as never.
func openContact(path string, now func() time.Time) *contact {
	c := &contact{path: path}
	text, err := os.ReadFile(path)
	if err != nil {
		return c
	}
	at, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return c
	}
	c.saved = min(at, now().UnixMicro())
	c.at.Store(c.saved)
	return c
}

// time is the last contact; the beginning of 1970 when there was none.
func (c *contact) time() time.Time { return time.UnixMicro(c.at.Load()) }

// heard notes a contact.
func (c *contact) heard(at time.Time) {
	c.at.Store(at.UnixMicro())
}

// due reports whether the file is behind by so much that it is to be written.
func (c *contact) due() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.path != "" && time.Duration(c.at.Load()-c.saved)*time.Microsecond >= contactEvery
}

// save writes the file, whole or not at all.
func (c *contact) save() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.at.Load()
	if c.path == "" || at == c.saved {
		return nil
	}
	if err := disk.ReplaceSoon(c.path, append(strconv.AppendInt(nil, at, 10), '\n'), 0o600); err != nil {
		return err
	}
	c.saved = at
	return nil
}
