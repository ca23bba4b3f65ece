package node

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/disk"
)

// bootFile says in which run of the machine the data directory was written to
// last, while a node works there, and since when it is known what was presented.
// A process that is killed loses nothing that it wrote; a machine that loses its
// power does.
const bootFile = "boot.id"

// bootID names the run of the machine; "" where that is not known, and a loss of
// power is not noticed.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || len(b) > 64 {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// begin notes the run of the machine. What a node took before since is not all
// known, if that is not zero: the machine stopped while one worked here, lately or
// now.
func (d *dataDir) begin(boot string, now time.Time) (since time.Time, err error) {
	if boot == "" {
		return time.Time{}, nil
	}
	text, err := os.ReadFile(d.join(bootFile))
	before, noted, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	switch {
	case errors.Is(err, fs.ErrNotExist): // the last node ended in order
	case err != nil:
		return time.Time{}, err
	case before == boot:
		since, _ = time.Parse(time.RFC3339Nano, noted)
		return since, nil
	default: // half a file is another one, too
		since = now
	}
	return since, d.noteBoot(boot, since)
}

// noteBoot writes the file, and waits until it is on the disk.
func (d *dataDir) noteBoot(boot string, since time.Time) error {
	text := boot + "\n"
	if !since.IsZero() {
		text += since.UTC().Format(time.RFC3339Nano) + "\n"
	}
	return disk.Replace(d.join(bootFile), []byte(text), 0o600)
}

// end notes that everything is on the disk.
func (d *dataDir) end() error {
	if err := os.Remove(d.join(bootFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
