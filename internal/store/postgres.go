package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	defaultPostgresPool = 8
	connectLimit        = time.Second            // for each host of the URL, with TLS and without
	acquireSlack        = 250 * time.Millisecond // beyond connecting: a ping, BEGIN
	acquireMost         = 5 * time.Second
)

// session holds what every connection sets, unless the URL says otherwise.
// Times are milliseconds. A server that answers refuses before statementLimit:
// only one that does not is away. The limit on idle transactions frees the head's row
// when the node that holds it was stopped in the middle.
var session = map[string]string{
	"application_name":                    "symbolon",
	"statement_timeout":                   "1500",
	"lock_timeout":                        "1500",
	"idle_in_transaction_session_timeout": "10000",
	"synchronous_commit":                  "on", // an acknowledged commit survives the server's power loss
}

// postgresConfig reads a URL. Several hosts are tried in turn, and only one
// that accepts writes is taken, unless the URL names target_session_attrs.
func postgresConfig(dsn string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil { // its text has no password
		return nil, fmt.Errorf("store: the URL is not a PostgreSQL one: %w", cause{err})
	}
	if cfg.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return nil, errors.New("store: default_query_exec_mode=simple_protocol is not allowed: values must travel apart from the statement; remove it from the URL")
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectLimit
	}
	for name, value := range session {
		if cfg.RuntimeParams[name] == "" {
			cfg.RuntimeParams[name] = value
		}
	}
	if !strings.Contains(dsn, "target_session_attrs") {
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return cfg, nil
}

// born is the key of a connection's age.
const born = "symbolon.born"

func openPostgres(cfg *pgx.ConnConfig, size int) *engine {
	e := &engine{postgres: true, turn: newQueue(1), gate: newGate(size), claims: newClaims(size), upgrading: newQueue(1)}
	e.upgrade = func(ctx context.Context) error { return e.migratePostgres(ctx, cfg) }
	e.acquire = time.Duration(1+len(cfg.Fallbacks))*cfg.ConnectTimeout + acquireSlack
	e.acquire = min(e.acquire, acquireMost)
	db := stdlib.OpenDB(*cfg,
		stdlib.OptionAfterConnect(func(_ context.Context, c *pgx.Conn) error {
			c.PgConn().CustomData()[born] = time.Now().UnixNano()
			return nil
		}),
		stdlib.OptionResetSession(func(_ context.Context, c *pgx.Conn) error {
			if at, _ := c.PgConn().CustomData()[born].(int64); at <= e.suspect.Load() {
				return driver.ErrBadConn
			}
			return nil
		}))
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxIdleTime(5 * time.Minute)
	e.w, e.r = db, db
	return e
}

// migrationLock is the advisory lock of everybody who changes the schema.
const migrationLock = 0x73796d62 // "symb"

// migratePostgres brings the schema up to date. Nodes that start together on
// an empty database wait for the first one.
func (e *engine) migratePostgres(ctx context.Context, cfg *pgx.ConnConfig) error {
	version, err := e.schema(ctx)
	if err != nil || version >= newestSchema {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, migrationLimit)
	defer cancel()
	long := cfg.Copy()
	long.RuntimeParams["statement_timeout"] = "0"
	long.RuntimeParams["lock_timeout"] = "0"
	long.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	lock, err := pgx.ConnectConfig(ctx, long)
	if err != nil {
		return failure("migrate", err)
	}
	defer lock.Close(context.WithoutCancel(ctx)) // releases the lock
	if _, err := lock.Exec(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return failure("migrate", err)
	}
	if version, err = e.schema(ctx); err != nil || version >= newestSchema {
		return err
	}
	db := stdlib.OpenDB(*long)
	defer db.Close()
	return migrate(ctx, db, true)
}

// schemaTable reports whether the database has been migrated at all.
func (u *unit) schemaTable(postgres bool) (bool, error) {
	query := `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'`
	if postgres {
		query = `SELECT count(*) FROM pg_tables WHERE tablename = 'schema_version' AND schemaname = current_schema()`
	}
	var n int64
	err := u.row("read schema", query, nil, &n)
	return n > 0, err
}
