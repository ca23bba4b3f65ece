package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// engine is one database: its pools, and whose turn it is to write.
type engine struct {
	postgres bool
	w, r     *sql.DB       // the same on PostgreSQL
	turn     *queue        // the one writer of this process
	gate     *gate         // nil on SQLite: a file always answers
	claims   *claims       // nil on SQLite
	acquire  time.Duration // limit for getting a connection
	suspect  atomic.Int64  // unix nanoseconds: connections made before the last outage are not used again
	lock     *fileLock     // nil on PostgreSQL
	closed   atomic.Bool

	upgrade   func(context.Context) error // brings the schema up to date; nil: it is
	upgraded  atomic.Bool
	upgrading *queue
}

// mode says what a transaction does.
type mode int

const (
	reading  mode = iota // one consistent snapshot
	evidence             // rows that take no part in the order of commits
	numbered             // takes the head's row: one at a time in all processes
)

// transact runs f in a transaction and commits it unless f returns an error,
// which is returned as it is.
func (e *engine) transact(ctx context.Context, op string, m mode, f func(*unit) error) error {
	if err := e.ready(ctx); err != nil {
		return failure(op, err)
	}
	return e.attempt(ctx, op, m, f)
}

// ready brings the schema up to date before the first transaction, which may
// be long after Open: a server that is away then is no reason not to start.
func (e *engine) ready(ctx context.Context) error {
	if e.upgrade == nil || e.upgraded.Load() {
		return nil
	}
	if err := e.upgrading.enter(ctx); err != nil {
		return err
	}
	defer e.upgrading.leave()
	if e.upgraded.Load() {
		return nil
	}
	err := e.upgrade(ctx)
	e.upgraded.Store(err == nil)
	return err
}

// attempt is transact on whatever schema there is.
func (e *engine) attempt(ctx context.Context, op string, m mode, f func(*unit) error) error {
	if err := e.enter(ctx, m); err != nil {
		return failure(op, err)
	}
	return e.inside(ctx, op, m, f)
}

// inside is attempt behind enter, whose turn and slot it gives back.
func (e *engine) inside(ctx context.Context, op string, m mode, f func(*unit) error) error {
	var said error // by the database
	leave := sync.OnceFunc(func() { e.leave(m, said) })
	defer leave() // also when f panics
	u, err := e.begin(ctx, m)
	if err != nil {
		said = failure(op, err)
		e.doubt(said)
		return said
	}
	defer u.end()
	err = f(u)
	if err == nil {
		err = failure(op, u.commit())
		if u.broken == nil {
			u.broken = err
		}
	}
	said = u.broken
	e.doubt(said)
	u.end() // the connection is back in its pool before the slot is free
	leave()
	return err
}

// enter waits for the writer's turn and for a connection's slot.
func (e *engine) enter(ctx context.Context, m mode) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if e.closed.Load() {
		return errors.New("the store is closed")
	}
	if e.gate == nil {
		if m == reading {
			return nil
		}
		return e.turn.enter(ctx)
	}
	if m != numbered {
		return e.gate.enter(ctx)
	}
	if err := e.turn.enter(ctx); err != nil {
		return err
	}
	if err := e.gate.enter(ctx); err != nil {
		e.turn.leave()
		return err
	}
	return nil
}

func (e *engine) leave(m mode, said error) {
	if e.gate != nil {
		e.gate.leave(said)
	}
	if m == numbered || m == evidence && e.gate == nil {
		e.turn.leave()
	}
}

// doubt gives up all connections after an outage: a server that restarted has
// dropped them, and one that became a standby would refuse writes on them.
func (e *engine) doubt(err error) {
	if errors.Is(err, errOutage) {
		e.suspect.Store(time.Now().UnixNano())
	}
}

// begin starts a transaction. Beginning has no effect, so when it finds its
// connection dead it is tried again, on a new one.
func (e *engine) begin(ctx context.Context, m mode) (*unit, error) {
	u, err := e.beginOnce(ctx, m)
	var connect *pgconn.ConnectError
	if err == nil || errors.Is(err, errNoAnswer) || errors.As(err, &connect) {
		return u, err
	}
	if said := failure("", err); errors.Is(said, errOutage) {
		e.doubt(said)
		return e.beginOnce(ctx, m)
	}
	return nil, err
}

func (e *engine) beginOnce(ctx context.Context, m mode) (*unit, error) {
	db, opts := e.w, &sql.TxOptions{}
	if m == reading {
		db, opts.ReadOnly = e.r, true
		if e.postgres {
			opts.Isolation = sql.LevelRepeatableRead
		}
	}
	u := &unit{caller: ctx, detach: func() bool { return true }}
	if !e.postgres {
		// The driver starts a goroutine for each statement of a context that
		// can end. A write is short and must not be torn by an interrupt.
		u.ctx, u.cancel = ctx, func(error) {}
		if m != reading {
			u.ctx = context.WithoutCancel(ctx)
		}
	} else {
		u.ctx, u.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
		u.detach = context.AfterFunc(ctx, func() { u.cancel(ctx.Err()) })
		u.limit = time.AfterFunc(e.acquire, func() { u.cancel(errNoAnswer) })
	}
	tx, err := db.BeginTx(u.ctx, opts)
	u.disarm()
	if err != nil {
		err = u.why(err)
		u.detach()
		u.cancel(nil)
		return nil, err
	}
	u.tx = tx
	return u, nil
}

// close waits for the writer's turn and closes the pools, the writer's last:
// it folds the write-ahead log into the file.
func (e *engine) close() error {
	if e.closed.Swap(true) {
		return nil
	}
	err := e.turn.enter(context.Background())
	if e.r != e.w {
		err = errors.Join(err, e.r.Close())
	}
	err = errors.Join(err, e.w.Close())
	if e.lock != nil {
		err = errors.Join(err, e.lock.release())
	}
	return err
}
