package main

import (
	"context"
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
	"github.com/symbolon/symbolon/resource"
)

// mayGrow are the tables that a token may add a row to: one for each closed
// segment of the spool, and one for each hour and combination in usage.
var mayGrow = []string{"segments", "usage"}

// growth counts the rows of the database before and after many tokens, while a
// validator follows the revocation set and tokens are asked about; and after
// some of them were revoked. The server is stopped to be counted, so that
// everything is flushed.
func (b *bench) growth(report *report) error {
	tokens, asked := b.n(1_000_000), b.n(100_000)
	server, err := b.configureAsking("growth")
	if err != nil {
		return err
	}
	// What the first tokens and a restart write is not what a token writes.
	if err := server.serve(func(p *process) error { return b.useTokens(p, 2000, tokensAsked) }); err != nil {
		return err
	}
	before, err := server.database()
	if err != nil {
		return err
	}
	if err := server.serve(func(p *process) error { return b.useTokens(p, tokens, asked) }); err != nil {
		return err
	}
	after, err := server.database()
	if err != nil {
		return err
	}
	grown, unexpected := after.grown(before)
	report.add(fmt.Sprintf("database growth over %d tokens and %d introspections, the revocation set followed", tokens, asked),
		fmt.Sprintf("rows: %s; file %+.0f KiB to %.0f KiB", strings.Join(grown, ", "), float64(after.octets-before.octets)/1024, float64(after.octets)/1024),
		"segment and usage rows only", len(unexpected) == 0)
	report.note("the spool, which audit.keep prunes (90 days unless configured), grew by %.0f octets per token to %.0f MB",
		float64(after.spool-before.spool)/float64(tokens), float64(after.spool)/1e6)
	return b.growthByRevocation(report, server, after)
}

// useTokens lets the one client get tokens while a validator follows the set,
// and asks about some.
func (b *bench) useTokens(p *process, tokens, asked int) error {
	api, err := resource.New(resource.Config{Issuer: "http://" + p.addr, Audience: benchAudience})
	if err != nil {
		return err
	}
	defer api.Close()
	if err := api.Start(context.Background()); err != nil {
		return err
	}
	if _, err := b.tokenJob(p, 16, tokens).run(); err != nil {
		return err
	}
	questions, err := b.questions(p, benchScope)
	if err != nil {
		return err
	}
	_, err = (job{Addr: p.addr, Path: "/introspect", Asks: questions, Conns: 16, N: asked}).run()
	return err
}

// growthByRevocation counts what a token leaves that its client revoked (RFC
// 7009), until it expires.
func (b *bench) growthByRevocation(report *report, server *instance, before contents) error {
	revoked := b.n(5000) // of the 10,000 that a client may have at a time
	err := server.serve(func(p *process) error {
		texts, err := b.tokensOf(p, revoked)
		if err != nil {
			return err
		}
		asks := make([]ask, len(texts))
		for i, text := range texts {
			asks[i] = ask{Auth: basic(benchClient, b.secret), Form: url.Values{"token": {text}}.Encode(), Want: 200}
		}
		_, err = (job{Addr: p.addr, Path: "/revoke", Asks: asks, Conns: 16, N: len(asks)}).run()
		return err
	})
	if err != nil {
		return err
	}
	after, err := server.database()
	if err != nil {
		return err
	}
	grown, _ := after.grown(before)
	report.note("%d tokens that were revoked: rows %s; %.0f octets of the database each, until they expire", revoked, strings.Join(grown, ", "),
		float64(after.octets-before.octets)/float64(revoked))
	return nil
}

// grown tells which tables have more or fewer rows than before, and which of
// those should not.
func (c contents) grown(before contents) (grown, unexpected []string) {
	for _, table := range slices.Sorted(maps.Keys(c.rows)) {
		if more := c.rows[table] - before.rows[table]; more != 0 {
			grown = append(grown, fmt.Sprintf("%s %+d", table, more))
			if !slices.Contains(mayGrow, table) {
				unexpected = append(unexpected, table)
			}
		}
	}
	return grown, unexpected
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
