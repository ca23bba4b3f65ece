package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// unit is one transaction. On PostgreSQL each of its statements has a limit of
// its own that does not depend on the server's help: a process that is stopped
// cannot cancel anything.
type unit struct {
	tx     *sql.Tx
	ctx    context.Context // of the statements
	caller context.Context
	cancel context.CancelCauseFunc
	detach func() bool // from the caller's context; false: that has ended
	limit  *time.Timer // nil on SQLite
	broken error       // first error of the database: nothing may be committed after it
	over   bool
	stmts  map[string]*sql.Stmt // on SQLite; nil values: seen once
}

// errNoAnswer is why a unit's context ends when a limit is over.
var errNoAnswer = fmt.Errorf("%w within %v", errAway, statementLimit)

func (u *unit) arm() {
	if u.limit != nil {
		u.limit.Reset(statementLimit)
	}
}

func (u *unit) disarm() {
	if u.limit != nil {
		u.limit.Stop()
	}
}

// why replaces the driver's wording for a limit that was over.
func (u *unit) why(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(context.Cause(u.ctx), errNoAnswer) {
		return errNoAnswer
	}
	if e := u.caller.Err(); e != nil {
		return e
	}
	return err
}

// commit is not broken off by the caller's context: the caller would not know
// whether it was done.
func (u *unit) commit() error {
	if u.broken != nil {
		return u.broken
	}
	if err := u.caller.Err(); err != nil {
		return err
	}
	if !u.detach() { // it has ended just now
		return u.caller.Err()
	}
	u.arm()
	defer u.disarm()
	return u.why(u.tx.Commit())
}

// end rolls back what was not committed.
func (u *unit) end() {
	if u.over {
		return
	}
	u.over = true
	u.arm()
	_ = u.tx.Rollback() // after a commit it does nothing
	u.disarm()
	u.detach()
	u.cancel(nil)
}

// fail notes the first error of the database.
func (u *unit) fail(op string, err error) error {
	err = failure(op, u.why(err))
	if u.broken == nil && !errors.Is(err, ErrNotFound) {
		u.broken = err
	}
	return err
}

// exec runs a statement and returns the number of rows it touched.
func (u *unit) exec(op, query string, args ...any) (int64, error) {
	if err := u.ready(op); err != nil {
		return 0, err
	}
	u.arm()
	defer u.disarm()
	stmt, err := u.prepared(query)
	if err != nil {
		return 0, u.fail(op, err)
	}
	var res sql.Result
	if stmt != nil {
		res, err = stmt.ExecContext(u.ctx, args...)
	} else {
		res, err = u.tx.ExecContext(u.ctx, query, args...)
	}
	if err != nil {
		return 0, u.fail(op, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, u.fail(op, err)
	}
	return n, nil
}

// prepared returns a statement that runs for the second time in this
// transaction, or nil: to parse a statement costs SQLite more than to run it,
// and PostgreSQL's driver keeps its own. They end with the transaction.
func (u *unit) prepared(query string) (*sql.Stmt, error) {
	if u.limit != nil {
		return nil, nil
	}
	stmt, seen := u.stmts[query]
	if !seen {
		if u.stmts == nil {
			u.stmts = map[string]*sql.Stmt{}
		}
		u.stmts[query] = nil
		return nil, nil
	}
	if stmt == nil {
		var err error
		if stmt, err = u.tx.PrepareContext(u.ctx, query); err != nil {
			return nil, err
		}
		u.stmts[query] = stmt
	}
	return stmt, nil
}

// patience lifts the server's limit for one long answer. Ours stays: it is for
// the time between two pieces of the answer.
func (u *unit) patience() error {
	if u.limit == nil {
		return nil
	}
	_, err := u.exec("read", `SET LOCAL statement_timeout = 60000`)
	return err
}

// query calls scan for each row.
func (u *unit) query(op, query string, args []any, scan func(scanner) error) error {
	if err := u.ready(op); err != nil {
		return err
	}
	u.arm()
	defer u.disarm()
	stmt, err := u.prepared(query)
	if err != nil {
		return u.fail(op, err)
	}
	var rows *sql.Rows
	if stmt != nil {
		rows, err = stmt.QueryContext(u.ctx, args...)
	} else {
		rows, err = u.tx.QueryContext(u.ctx, query, args...)
	}
	if err != nil {
		return u.fail(op, err)
	}
	defer rows.Close()
	for n := 1; rows.Next(); n++ {
		if err := scan(rows); err != nil {
			return u.fail(op, err)
		}
		if n%64 == 0 {
			u.arm() // it does answer
		}
	}
	if err := rows.Err(); err != nil {
		return u.fail(op, err)
	}
	return nil
}

// row scans one row, or returns ErrNotFound.
func (u *unit) row(op, query string, args []any, dest ...any) error {
	found := false
	err := u.query(op, query, args, func(row scanner) error {
		found = true
		return row.Scan(dest...)
	})
	if err == nil && !found {
		return failure(op, sql.ErrNoRows)
	}
	return err
}

// ready refuses statements after the first error: what they see or write
// would not be one transaction any more.
func (u *unit) ready(op string) error {
	if u.broken != nil {
		return u.broken
	}
	if err := u.caller.Err(); err != nil {
		return u.fail(op, err)
	}
	return nil
}

type scanner interface{ Scan(dest ...any) error }
