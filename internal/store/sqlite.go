package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/symbolon/symbolon/internal/disk"
)

const defaultReaders = 4

// Application ids in the files' headers (PRAGMA application_id): a replica is
// not taken for a store.
const (
	storeFile   = 0x53594D42 // "SYMB"
	replicaFile = 0x53594D4C // "SYML"
)

// quickCheckLimit is the largest file whose structure is walked at every open
// (about 10 ms); Store.Check does it for any size.
const quickCheckLimit = 4 << 20

// openSQLite opens the file, or makes it where there is none. Whatever is
// wrong with an existing file is found through a read-only connection: it is
// never changed, and never replaced by an empty one.
func openSQLite(ctx context.Context, path string, app uint32, readers int) (e *engine, err error) {
	path, err = resolve(path)
	if err != nil {
		return nil, err
	}
	lock, err := lockFile(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.release()
		}
	}()
	switch _, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		if err := create(ctx, path, app); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fmt.Errorf("store: %w", err)
	default:
		if err := probe(ctx, path, app); err != nil {
			return nil, err
		}
	}
	e = filePools(path, readers)
	e.lock = lock
	if err := e.upgradeFile(ctx); err != nil {
		e.w.Close()
		e.r.Close()
		return nil, err
	}
	return e, nil
}

// filePools does no I/O yet.
func filePools(path string, readers int) *engine {
	e := &engine{turn: newQueue(1)}
	e.w = pool(path, "rw", 1, "_txlock=immediate")
	e.r = pool(path, "ro", readers)
	return e
}

// upgradeFile runs missing migrations. The writer comes first: with it the
// write-ahead log of a killed process is taken in.
func (e *engine) upgradeFile(ctx context.Context) error {
	var mode string
	if err := e.w.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return failure("open", err)
	}
	version, err := e.schema(ctx)
	if err != nil || version >= newestSchema {
		return err
	}
	return migrate(ctx, e.w, false)
}

// pool opens connections with small caches: the operating system's cache of
// the file serves them all.
func pool(path, mode string, size int, params ...string) *sql.DB {
	params = append(params, "mode="+mode,
		"_pragma=busy_timeout(5000)",
		"_pragma=foreign_keys(1)",
		"_pragma=synchronous(FULL)", // a commit is on the disk before it is acknowledged
		"_pragma=cache_size(-1024)", // KiB, each connection
		"_pragma=journal_size_limit(8388608)",
		"_pragma=cell_size_check(1)",
		"_pragma=trusted_schema(0)",
	)
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+strings.Join(params, "&"))
	if err != nil {
		panic(err) // the driver is compiled in
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db
}

// resolve makes the path absolute and follows links, so that the lock and the
// log stand beside the file itself.
func resolve(path string) (string, error) {
	if path == "" || strings.HasPrefix(path, ":") {
		return "", fmt.Errorf("store: %q is not a path: give the file's, as in sqlite:/var/lib/symbolon/symbolon.db", path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("store: make the directory first: %w", err)
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// create makes the file under another name and renames it when it is whole: a
// file under the store's name is a store, whenever the process was killed.
func create(ctx context.Context, path string, app uint32) error {
	if st, err := os.Stat(path + "-wal"); err == nil && st.Size() > 0 {
		return fmt.Errorf("store: %w: %s-wal is there without %s: bring the file back, or remove the rest too to start anew",
			ErrCorrupt, path, path)
	}
	unfinished := path + ".new"
	if err := removeFile(unfinished); err != nil {
		return err
	}
	f, err := os.OpenFile(unfinished, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	f.Close()
	if err := fill(ctx, unfinished, app); err != nil {
		return errors.Join(err, removeFile(unfinished))
	}
	if err := os.Rename(unfinished, path); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := disk.SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func fill(ctx context.Context, path string, app uint32) error {
	db := pool(path, "rw", 1)
	err := migrate(ctx, db, false)
	statements := []string{
		"PRAGMA application_id = " + strconv.FormatUint(uint64(app), 10),
		"PRAGMA journal_mode = WAL", // kept in the file's header
	}
	if app == replicaFile {
		statements = append(statements, nowhere)
	}
	for _, s := range statements {
		if err == nil {
			_, err = db.ExecContext(ctx, s)
		}
	}
	return failure("create", errors.Join(err, db.Close()))
}

// removeFile removes a database file and what SQLite puts beside it.
func removeFile(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("store: %w", err)
		}
	}
	return nil
}

// probe looks at an existing file without changing it: SQLite itself would
// make an empty file a database, and fold the log into a damaged one.
func probe(ctx context.Context, path string, app uint32) error {
	size, err := probeHeader(path, app)
	if err != nil {
		return err
	}
	db := pool(path, "ro", 1)
	defer db.Close()
	e := &engine{r: db, w: db, turn: newQueue(1)}
	if _, err := e.schema(ctx); err != nil {
		return damaged(path, err)
	}
	return damaged(path, e.transact(ctx, "check", reading, func(u *unit) error {
		if size <= quickCheckLimit {
			if err := u.integrity("quick_check"); err != nil {
				return err
			}
		}
		if app == storeFile {
			return u.order()
		}
		_, err := u.applied()
		return err
	}))
}

// probeHeader reads the first page's fixed fields.
func probeHeader(path string, app uint32) (size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	const advice = "restore a backup, or move the file away to start anew"
	if !st.Mode().IsRegular() {
		return 0, fmt.Errorf("store: %s is not a regular file", path)
	}
	var h [100]byte
	if _, err := io.ReadFull(f, h[:]); err != nil {
		return 0, fmt.Errorf("store: %w: %s has %d octets: %s", ErrCorrupt, path, st.Size(), advice)
	}
	if string(h[:16]) != "SQLite format 3\x00" || binary.BigEndian.Uint32(h[68:]) != app {
		return 0, fmt.Errorf("store: %w: %s is not a file of this kind: %s", ErrCorrupt, path, advice)
	}
	return st.Size(), nil
}

// damaged names the file, and takes a missing table or row for damage too.
func damaged(path string, err error) error {
	if err == nil || errors.Is(err, ErrNewerSchema) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrFull) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return fmt.Errorf("store: %w: %s: restore a backup, or move the file away to start anew: %w", ErrCorrupt, path, err)
}

// integrity runs one of SQLite's own checks.
func (u *unit) integrity(pragma string) error {
	return u.query("check", "PRAGMA "+pragma+"(1)", nil, func(row scanner) error {
		var line string
		if err := row.Scan(&line); err != nil {
			return err
		}
		if line != "ok" {
			return fmt.Errorf("store: check: %w: %s: restore a backup of the file", ErrCorrupt, strings.ReplaceAll(line, "\n", " "))
		}
		return nil
	})
}
