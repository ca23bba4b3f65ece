package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Errors of this package. Each is returned wrapped in one line that says what
// happened and what to do; compare with errors.Is.
var (
	// ErrNotFound: no such object, or no such key.
	ErrNotFound = errors.New("not found")
	// ErrConflict: an expected version, position or spool offset is not the
	// stored one. Read again, decide again.
	ErrConflict = errors.New("changed meanwhile")
	// ErrUnavailable: a time-out, a lost connection, a read-only server. The
	// store may be back any moment. From Update it leaves open whether the
	// commit was done: read before repeating.
	ErrUnavailable = errors.New("store unavailable")
	// ErrBusy is an ErrUnavailable of this process alone: the database may well
	// answer, but too many of its claims are waiting.
	ErrBusy = fmt.Errorf("%w: too many claims are waiting: try again later", ErrUnavailable)
	// ErrCorrupt: the file, a row or the chain of records is not what was written.
	ErrCorrupt = errors.New("store is damaged")
	// ErrNewerSchema: written by a later version that this one cannot work with.
	ErrNewerSchema = errors.New("store has a newer schema")
	// ErrLocked: another process has the file open.
	ErrLocked = errors.New("store is in use")
	// ErrFull: no space left. Nothing was written; works again when there is space.
	ErrFull = errors.New("no space left for the store")
	// ErrUnknownPosition: the follower starts from zero (Local.Reset, then
	// Changes from the zero Position).
	ErrUnknownPosition = errors.New("position is not in the store")
)

// errOutage marks the ErrUnavailable that come from the database as a whole
// (it is away, or does not answer), not from one statement.
var errOutage = errors.New("no answer from the database")

// errAway is both: what callers see, and what the gate looks for.
var errAway = fmt.Errorf("%w: %w", ErrUnavailable, errOutage)

// cause keeps a driver's error for errors.As, on one line: PostgreSQL's
// connection errors have one per host.
type cause struct{ error }

func (c cause) Error() string { return strings.ReplaceAll(c.error.Error(), "\n", "; ") }
func (c cause) Unwrap() error { return c.error }

// failure turns an error of a driver into one of this package's.
func failure(op string, err error) error {
	if err == nil || ours(err) && strings.HasPrefix(err.Error(), "store: ") {
		return err
	}
	wrap := func(kind error, advice string) error {
		return fmt.Errorf("store: %s: %w: %s: %w", op, kind, advice, cause{err})
	}
	var lite *sqlite.Error
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case ours(err):
		return fmt.Errorf("store: %s: %w", op, err)
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("store: %s: %w", op, ErrNotFound)
	case errors.As(err, &connect): // before the next: it may wrap a time-out of its own
		return wrap(errAway, "check that the PostgreSQL server runs and can be reached")
	case errors.Is(err, context.DeadlineExceeded):
		return wrap(ErrUnavailable, "no answer in the time given")
	case errors.As(err, &lite):
		if advice, kind := sqliteKind(lite.Code()); kind != nil {
			return wrap(kind, advice)
		}
	case errors.As(err, &pg):
		if advice, kind := postgresKind(pg.Code); kind != nil {
			return wrap(kind, advice)
		}
	case disconnected(err):
		return wrap(errAway, "the connection to the PostgreSQL server was lost")
	}
	return fmt.Errorf("store: %s: %w", op, cause{err}) // a cancelled context, or a mistake of ours
}

// disconnected reports whether err is about an existing connection.
func disconnected(err error) bool {
	var network net.Error
	return errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
}

func ours(err error) bool {
	for _, e := range []error{ErrNotFound, ErrConflict, ErrUnavailable, ErrCorrupt, ErrNewerSchema,
		ErrLocked, ErrFull, ErrUnknownPosition} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// sqliteKind classifies an extended result code of SQLite; nil: a statement
// that is wrong in itself.
func sqliteKind(code int) (advice string, kind error) {
	switch code & 0xff {
	case sqlite3.SQLITE_FULL:
		return "free some space on its disk", ErrFull
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return "restore a backup of the file", ErrCorrupt
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "another program holds the file's lock", ErrUnavailable
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return "check that the file and its directory may be written", ErrUnavailable
	case sqlite3.SQLITE_IOERR:
		if code == sqlite3.SQLITE_IOERR_SHMSIZE { // the wal index could not grow
			return "free some space on its disk", ErrFull
		}
		return "check the disk", ErrUnavailable
	}
	return "", nil
}

// postgresKind classifies a SQLSTATE; nil: a statement that is wrong in itself.
func postgresKind(state string) (advice string, kind error) {
	const unreachable = "the server is shutting down, starting or overloaded"
	switch state {
	case "53100": // disk_full
		return "free some space on the database server's disk", ErrFull
	case "25006": // read_only_sql_transaction
		return "connected to a standby: the connection is given up", errAway
	case "57014": // query_canceled: statement_timeout
		return "the server took too long", ErrUnavailable
	case "55P03", "40001", "40P01": // lock_not_available, serialization_failure, deadlock_detected
		return "another node is writing: try again", ErrUnavailable
	case "XX001", "XX002": // data_corrupted, index_corrupted
		return "restore a backup of the database", ErrCorrupt
	case "28000", "28P01", "3D000": // authorization, password, no such database
		return "check user, password and database of the store's URL", errAway
	}
	switch state[:min(2, len(state))] {
	case "08", "53", "58": // connection exception, insufficient resources, system error
		return unreachable, errAway
	case "57": // operator intervention
		return unreachable, errAway
	}
	return "", nil
}
