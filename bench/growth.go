package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "github.com/symbolon/symbolon/internal/store" // registers the driver "sqlite"
)

// mayGrow are the tables that a token may add a row to: one for each closed
// segment of the spool, and one for each hour and combination in usage.
var mayGrow = []string{"segments", "usage"}

// growth counts the rows of the database before and after many tokens. The
// server is stopped to be counted, so that everything is flushed.
func (b *bench) growth(report *report) error {
	tokens := b.n(1_000_000)
	server, err := b.configure("growth", "ES256")
	if err != nil {
		return err
	}
	// What the first tokens and a restart write is not what a token writes.
	if err := server.serve(func(p *process) error { _, err := b.tokenJob(p, 16, 2000).run(); return err }); err != nil {
		return err
	}
	before, err := server.database()
	if err != nil {
		return err
	}
	if err := server.serve(func(p *process) error { _, err := b.tokenJob(p, 16, tokens).run(); return err }); err != nil {
		return err
	}
	after, err := server.database()
	if err != nil {
		return err
	}
	var grown, unexpected []string
	for _, table := range slices.Sorted(maps.Keys(after.rows)) {
		if more := after.rows[table] - before.rows[table]; more != 0 {
			grown = append(grown, fmt.Sprintf("%s %+d", table, more))
			if !slices.Contains(mayGrow, table) {
				unexpected = append(unexpected, table)
			}
		}
	}
	report.add(fmt.Sprintf("database growth over %d tokens", tokens),
		fmt.Sprintf("rows: %s; file %+.0f KiB to %.0f KiB", strings.Join(grown, ", "), float64(after.octets-before.octets)/1024, float64(after.octets)/1024),
		"segment and usage rows only", len(unexpected) == 0)
	report.note("the spool, which audit.keep prunes (90 days unless configured), grew by %.0f octets per token to %.0f MB",
		float64(after.spool-before.spool)/float64(tokens), float64(after.spool)/1e6)
	return nil
}

// serve runs the server for as long as f takes.
func (i *instance) serve(f func(*process) error) error {
	p, err := i.start()
	if err != nil {
		return err
	}
	defer p.stop()
	return f(p)
}

// contents are the rows of each table, the size of the database's files, and
// that of the spool.
type contents struct {
	rows          map[string]int64
	octets, spool int64
}

func (i *instance) database() (c contents, err error) {
	path := filepath.Join(i.dir, "symbolon.db")
	for _, suffix := range []string{"", "-wal"} {
		st, err := os.Stat(path + suffix)
		if err == nil {
			c.octets += st.Size()
		} else if !errors.Is(err, fs.ErrNotExist) {
			return c, err
		}
	}
	if c.spool, err = sizeOf(filepath.Join(i.dir, "spool")); err != nil {
		return c, err
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro")
	if err != nil {
		return c, err
	}
	defer db.Close()
	c.rows = make(map[string]int64)
	tables, err := tablesOf(db)
	if err != nil {
		return c, err
	}
	for _, table := range tables {
		var n int64
		if err := db.QueryRow(`SELECT count(*) FROM "` + table + `"`).Scan(&n); err != nil {
			return c, err
		}
		c.rows[table] = n
	}
	return c, nil
}

func tablesOf(db *sql.DB) (tables []string, err error) {
	rows, err := db.Query(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		tables = append(tables, name)
	}
	return tables, rows.Err()
}

// sizeOf is the size of the files in a directory, in octets.
func sizeOf(dir string) (octets int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		st, err := d.Info()
		if err == nil {
			octets += st.Size()
		}
		return err
	})
	return octets, err
}
