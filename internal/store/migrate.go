package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// newestSchema is the number of the last migration. A test compares it with
// the files.
const newestSchema = 1

const migrationLimit = 5 * time.Minute

// metaMinSchema is the key under which a migration that old versions cannot
// live with says so: the lowest newestSchema that may still use the store. A
// migration that only adds leaves it alone, so that versions mix during an
// upgrade.
const metaMinSchema = "schema.min"

// schema returns the number of the last migration done, 0 for an empty
// database, and ErrNewerSchema when it is too new for this version.
func (e *engine) schema(ctx context.Context) (version int64, err error) {
	err = e.attempt(ctx, "read schema", reading, func(u *unit) error {
		there, err := u.schemaTable(e.postgres)
		if err != nil || !there {
			return err
		}
		if err := u.row("read schema", `SELECT coalesce(max(version_id), 0) FROM schema_version`, nil, &version); err != nil {
			return err
		}
		if version <= newestSchema {
			return nil
		}
		var lowest int64
		err = u.row("read schema", `SELECT CAST(value AS BIGINT) FROM meta WHERE key = $1`, []any{metaMinSchema}, &lowest)
		if err == nil && lowest <= newestSchema {
			return nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		return fmt.Errorf("store: %w: number %d, this version knows %d: use the version of symbolon that wrote it, or a later one",
			ErrNewerSchema, version, newestSchema)
	})
	return version, err
}

// migrate runs what is missing, each migration in a transaction of its own.
func migrate(ctx context.Context, db *sql.DB, postgres bool) error {
	dialect, dir := goose.DialectSQLite3, "migrations/sqlite"
	if postgres {
		dialect, dir = goose.DialectPostgres, "migrations/postgres"
	}
	files, err := fs.Sub(migrations, dir)
	if err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	p, err := goose.NewProvider(dialect, db, files, goose.WithTableName("schema_version"),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return failure("migrate", err)
	}
	return nil
}
