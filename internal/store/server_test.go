package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/symbolon/symbolon/internal/pgtest"
)

// calls are one of each kind that goes to the database.
func calls(s *Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Update": func(ctx context.Context) error {
			_, err := s.Update(ctx, func(tx *Tx) error { return tx.Record(Record{Class: ClassSystem}) })
			return err
		},
		"Head":          func(ctx context.Context) error { _, err := s.Head(ctx); return err },
		"Changes":       func(ctx context.Context) error { _, err := s.Changes(ctx, Position{}, 0); return err },
		"AppendRecords": func(ctx context.Context) error { return s.AppendRecords(ctx, refusals(0, 3)) },
		"CopyRecords":   func(ctx context.Context) error { return s.CopyRecords(ctx, refusals(3, 6)) },
		"FlushUsage":    func(ctx context.Context) error { return s.FlushUsage(ctx, "n", Flush{}) },
		"UpsertNode":    func(ctx context.Context) error { return s.UpsertNode(ctx, Node{ID: "n"}) },
		"Usage":         func(ctx context.Context) error { _, err := s.Usage(ctx, UsageQuery{}); return err },
	}
}

// A server that hangs (its processes are stopped, its connections open) costs
// each call a bounded time, and no goroutine for ever; a second wave is
// answered at once. It is used again when it answers again.
func TestHangingServer(t *testing.T) {
	server := pgtest.Start(t)
	dsn := server.Database(t)
	s := open(t, Config{DSN: dsn, PoolSize: 4})
	all := calls(s)
	for name, call := range all {
		if err := call(t.Context()); err != nil {
			t.Fatalf("%s before: %v", name, err)
		}
	}
	before := runtime.NumGoroutine()
	server.Pause(t)
	wave := func() (longest time.Duration) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 8 {
			for name, call := range all {
				wg.Go(func() {
					start := time.Now()
					err := call(t.Context())
					mu.Lock()
					defer mu.Unlock()
					longest = max(longest, time.Since(start))
					if !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "store: ") {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
		}
		wg.Wait()
		return longest
	}
	if d := wave(); d > statementLimit+s.e.acquire+time.Second {
		t.Errorf("the longest call took %v", d)
	}
	if d := wave(); d > s.e.acquire+time.Second {
		t.Errorf("in the second wave the longest call took %v", d)
	}
	if n := runtime.NumGoroutine(); n > before+40 {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	// The caller's own limit is kept, and is no cancellation.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := s.Head(ctx); !errors.Is(err, ErrUnavailable) || time.Since(start) > time.Second {
		t.Errorf("with a limit of 50ms: %v after %v", err, time.Since(start))
	}
	server.Resume(t)
	for name, call := range all {
		if err := eventually(t, call); err != nil {
			t.Errorf("%s, when the server is back: %v", name, err)
		}
	}
}

// eventually repeats a call while the store is away.
func eventually(t testing.TB, call func(context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); ; <-tick.C {
		err := call(t.Context())
		if !errors.Is(err, ErrUnavailable) || time.Now().After(end) {
			return err
		}
	}
}

// A node that has the head for long keeps writers of other nodes out, for a
// bounded time, and nothing else.
func TestSlowWriterIsNoOutage(t *testing.T) {
	dsn := pgtest.Database(t)
	slow, s := open(t, Config{DSN: dsn}), open(t, Config{DSN: dsn, PoolSize: 1})
	update(t, slow, func(tx *Tx) error {
		_, err := s.Update(t.Context(), func(tx *Tx) error { return tx.Record(Record{Class: ClassSystem}) })
		if !errors.Is(err, ErrUnavailable) || errors.Is(err, errOutage) {
			t.Errorf("behind a slow writer: %v", err)
		}
		if _, err := s.Head(t.Context()); err != nil {
			t.Errorf("a read behind a slow writer: %v", err)
		}
		return tx.Record(Record{Class: ClassSystem})
	})
	put(t, s, Put{Kind: "client", ID: "a"})
}

// A restarted server has dropped every connection: nobody sees it.
func TestDroppedConnections(t *testing.T) {
	server := pgtest.Start(t)
	s := open(t, Config{DSN: server.Database(t), PoolSize: 4})
	for range 5 {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := s.Head(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		server.Disconnect(t)
		for name, call := range calls(s) {
			if err := call(t.Context()); err != nil && name != "FlushUsage" {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A connection that has come to lead to a standby is given up.
func TestDemotedServer(t *testing.T) {
	s := open(t, Config{DSN: pgtest.Database(t), PoolSize: 1})
	if _, err := s.e.w.ExecContext(t.Context(), "SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	write := func(ctx context.Context) error {
		_, err := s.Update(ctx, func(tx *Tx) error { return tx.Record(Record{Class: ClassSystem}) })
		return err
	}
	if err := write(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("on the read-only connection: %v", err)
	}
	if err := eventually(t, write); err != nil {
		t.Errorf("on a new connection: %v", err)
	}
}

// Of several hosts the first one that answers and accepts writes is used.
func TestSeveralHosts(t *testing.T) {
	hanging, standby, primary := pgtest.Start(t), pgtest.Start(t), pgtest.Start(t)
	hosts := []string{filepath.Join(t.TempDir(), "nobody")}
	for _, s := range []*pgtest.Server{hanging, standby, primary} {
		dsn := s.Database(t)
		if s == standby {
			execute(t, dsn, "ALTER SYSTEM SET default_transaction_read_only = on")
			execute(t, dsn, "SELECT pg_reload_conf()")
		}
		if s == primary { // the schema is there: one connection is enough below
			open(t, Config{DSN: dsn}).Close()
		}
		cfg, err := pgx.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, cfg.Host)
	}
	hanging.Pause(t)
	dsn := "postgres://postgres@/test1?sslmode=disable&host=" + strings.Join(hosts, ",") + "&port=5432,5432,5432,5432"
	s := open(t, Config{DSN: dsn, PoolSize: 1})
	put(t, s, Put{Kind: "client", ID: "a"})
	var dir string
	if err := s.e.w.QueryRowContext(t.Context(), "SHOW unix_socket_directories").Scan(&dir); err != nil || dir != hosts[3] {
		t.Errorf("connected to %s, %v; want %s", dir, err, hosts[3])
	}
}

func execute(t testing.TB, dsn, query string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// Nodes that start together on an empty database: one makes the schema.
func TestStartTogether(t *testing.T) {
	for range 3 {
		dsn := pgtest.Database(t)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				s, err := Open(t.Context(), Config{DSN: dsn, PoolSize: 1})
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				if _, err := s.Update(t.Context(), func(tx *Tx) error { return tx.Record(Record{Class: ClassSystem}) }); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		s := open(t, Config{DSN: dsn})
		var versions int64
		if err := s.e.w.QueryRowContext(t.Context(), "SELECT count(*) FROM schema_version WHERE version_id > 0").Scan(&versions); err != nil || versions != newestSchema {
			t.Errorf("%d migrations, %v", versions, err)
		}
		if h := headOf(t, s); h.Seq != 5 {
			t.Errorf("head %v after five commits", h)
		}
	}
}

func TestWatch(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		ctx, cancel := context.WithCancel(t.Context())
		c, err := s.Watch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			put(t, s, Put{Kind: "client", ID: fmt.Sprint(i)})
			awake(t, c)
		}
		cancel()
		stops := func() bool { s.hub.mu.Lock(); defer s.hub.mu.Unlock(); return len(s.hub.watchers) == 0 }
		for end := time.Now().Add(10 * time.Second); !stops(); runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatal("still watched after its context ended")
			}
		}
	})
}

func awake(t testing.TB, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody woke the follower")
	}
}

// A commit of another node is heard, also after the connection was lost.
func TestWatchOtherNodes(t *testing.T) {
	server := pgtest.Start(t)
	dsn := server.Database(t)
	s, other := open(t, Config{DSN: dsn}), open(t, Config{DSN: dsn})
	c, err := s.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	awake(t, c) // the listener is connected
	for i := range 3 {
		put(t, other, Put{Kind: "client", ID: fmt.Sprint(i)})
		awake(t, c)
		server.Disconnect(t)
		awake(t, c) // connected again: there may be something new
	}
}

func TestNothingStaysBehind(t *testing.T) {
	inTurn(t, func(t *testing.T, dsn string) {
		before := goleak.IgnoreCurrent()
		s, err := Open(t.Context(), Config{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if _, err := s.Watch(ctx); err != nil {
			t.Fatal(err)
		}
		for name, call := range calls(s) {
			if err := call(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, before)
		if err := s.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
		for name, call := range calls(s) {
			if err := call(ctx); err == nil {
				t.Errorf("%s of a closed store", name)
			}
		}
		if _, err := s.Watch(ctx); err == nil {
			t.Error("Watch of a closed store")
		}
	})
}

// The two schemas are one: the same tables, columns and order of columns.
func TestSchemasAreTheSame(t *testing.T) {
	columns := map[string][]string{}
	inTurn(t, func(t *testing.T, dsn string) {
		s := open(t, Config{DSN: dsn})
		query := `SELECT m.name || '.' || c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'
			AND m.name NOT LIKE 'search%' AND m.name NOT LIKE 'sqlite%' AND c.name <> 'rid' AND m.name <> 'schema_version'`
		if s.e.postgres {
			query = `SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema()
				AND table_name <> 'schema_version'`
		}
		rows, err := s.e.r.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var list []string
		for rows.Next() {
			var c string
			if err := rows.Scan(&c); err != nil {
				t.Fatal(err)
			}
			list = append(list, c)
		}
		slices.Sort(list)
		columns[t.Name()] = list
	})
	a, b := columns[t.Name()+"/sqlite"], columns[t.Name()+"/postgres"]
	if len(a) < 40 || !slices.Equal(a, b) {
		t.Errorf("sqlite has\n%v\npostgres\n%v", a, b)
	}
	for _, dir := range []string{"sqlite", "postgres"} {
		files, err := migrations.ReadDir("migrations/" + dir)
		if err != nil || len(files) != newestSchema {
			t.Errorf("%d migrations for %s, %v; newestSchema is %d", len(files), dir, err, newestSchema)
		}
	}
}
