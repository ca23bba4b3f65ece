package node

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Files in the data directory.
const (
	lockFile    = "lock"
	socketFile  = "admin.sock"
	replicaFile = "replica.db"
	contactFile = "contact"
	journalFile = "deny.journal"
	spoolDir    = "spool"
	nodeIDFile  = "node.id"
)

// SocketPath is where the administration listens in a data directory.
func SocketPath(dataDir string) string { return filepath.Join(dataDir, socketFile) }

// SpoolPath is where the records of requests are in a data directory.
func SpoolPath(dataDir string) string { return filepath.Join(dataDir, spoolDir) }

// IDPath is the file with the node's id in a data directory.
func IDPath(dataDir string) string { return filepath.Join(dataDir, nodeIDFile) }

// ErrInUse: another process works in the data directory.
var ErrInUse = errors.New("data directory in use")

// dataDir is the directory that belongs to this process alone while it runs.
type dataDir struct {
	path string
	lock *os.File
}

// openDataDir makes the directory where it is missing and takes its lock: two
// processes on one spool or one database would each undo the other's work.
func openDataDir(path string) (*dataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data_dir %s cannot be made: %w; make it for the server's user or choose another", path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("data_dir %s is open to others (mode %04o); run: chmod 700 %s", path, info.Mode().Perm(), path)
	}
	if err := checkOwner(path, info, os.Geteuid()); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(lock, 32))
		lock.Close()
		return nil, fmt.Errorf("%w: %s belongs to the running process %s; stop that one or choose another data_dir",
			ErrInUse, path, strings.TrimSpace(string(holder)))
	}
	if err := lock.Truncate(0); err != nil {
		lock.Close()
		return nil, err
	}
	if _, err := lock.WriteAt([]byte(fmt.Sprintf("%d\n", os.Getpid())), 0); err != nil {
		lock.Close()
		return nil, err
	}
	return &dataDir{path: path, lock: lock}, nil
}

// checkOwner refuses a directory of another user than uid: whoever owns it may
// replace what is in it, the master key and the administration's socket too.
func checkOwner(path string, info fs.FileInfo, uid int) error {
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != uid {
		return fmt.Errorf("data_dir %s belongs to the user with the uid %d, and the server runs as %d; run it as that user, or run: chown -R %d %s",
			path, owner.Uid, uid, uid, path)
	}
	return nil
}

func (d *dataDir) join(name string) string { return filepath.Join(d.path, name) }

func (d *dataDir) close() error { return d.lock.Close() }
