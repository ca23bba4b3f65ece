package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// fileLock keeps other processes away from a database file. It is a lock on a
// file beside it: SQLite's own locks are on the file itself and would be lost
// when any other descriptor of it is closed.
type fileLock struct{ f *os.File }

// lockFile takes the lock, or says who has it. The kernel gives it back when
// the process ends, however it ends; the file stays.
func lockFile(path string) (*fileLock, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer f.Close()
		who := "another process"
		if b, err := io.ReadAll(io.LimitReader(f, 32)); err == nil && len(b) > 0 {
			who = "process " + strings.TrimSpace(string(b))
		}
		return nil, fmt.Errorf("store: %w: %s is open in %s: stop that one, or give this one another file", ErrLocked, path, who)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("store: lock %s: %w", path, err)
	}
	// For the other one's message only, so a full disk does not matter. In
	// place: on a full disk a truncated file could not be written again.
	_, _ = f.WriteAt(fmt.Appendf(nil, "%-10d\n", os.Getpid()), 0)
	return &fileLock{f}, nil
}

func (l *fileLock) release() error { return l.f.Close() }
