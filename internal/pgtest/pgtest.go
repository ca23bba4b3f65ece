// Package pgtest gives tests a real PostgreSQL: one server per test binary,
// started by the first test that asks for a database, on a Unix socket alone,
// in a directory of its own. It needs the server's programs (Debian package
// postgresql) and no running server, no configuration and no password.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a running PostgreSQL.
type Server struct {
	dir   string // data, socket, log; the server's own
	pid   int
	alive *os.File // when its last copy is closed, the server stops and its directory goes
	count atomic.Int64
}

var shared struct {
	sync.Mutex
	server *Server
	err    error
}

// Database makes an empty database for this test on the server that this test
// binary shares, and returns its URL. The database is dropped after the test.
func Database(t testing.TB) (dsn string) {
	t.Helper()
	return common(t).Database(t)
}

// common starts the shared server once. It lives as long as the test binary.
func common(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = start(nil, "off")
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// Start starts a server for this test alone, for tests that stop or pause it.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := start(common(t), "off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.alive.Close() })
	return s
}

// Database makes an empty database for this test and returns its URL.
func (s *Server) Database(t testing.TB) (dsn string) {
	t.Helper()
	name := fmt.Sprintf("test%d", s.count.Add(1))
	if err := s.exec("CREATE DATABASE " + name); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		// The server may have been stopped by the test: then its directory goes as a whole.
		_ = s.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)")
	})
	return s.url(name)
}

// Pause stops the server's processes where they are (SIGSTOP): connections
// stay open and nothing answers. The test ends with Resume.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
	t.Cleanup(func() { s.signal(t, syscall.SIGCONT) })
}

// Resume lets a paused server go on.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGCONT)
}

// Disconnect ends every connection of the server except the caller's own, as
// a fail-over or a restart of the server does.
func (s *Server) Disconnect(t testing.TB) {
	t.Helper()
	const q = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`
	if err := s.exec(q); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
}

// Open starts a server outside of tests, for measurements: unlike those of tests
// it waits for the disk. It returns the URL of an empty database, and what stops
// the server.
func Open() (dsn string, stop func(), err error) {
	s, err := start(nil, "on")
	if err != nil {
		return "", nil, err
	}
	return s.url("postgres"), func() { s.alive.Close() }, nil
}

func (s *Server) url(database string) string {
	return "postgres://postgres@/" + database + "?host=" + s.dir + "&port=5432&sslmode=disable"
}

func (s *Server) exec(query string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, query)
	return err
}

// signal reaches the server and each of its processes: they are in process
// groups of their own.
func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.pid, s.pid))
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	for _, f := range append([]string{strconv.Itoa(s.pid)}, strings.Fields(string(children))...) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatalf("pgtest: %v", err)
		}
		_ = syscall.Kill(pid, sig) // a child may have ended meanwhile
	}
}

// The script holds the server: it ends when its standard input does, which
// the kernel closes with the test binary however that ends (also by SIGKILL).
// A paused server must be woken first: it would never see the signal.
const script = `
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c port=5432 \
	-c fsync="$3" -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 \
	-c shared_buffers=16MB -c max_connections=200 -c jit=off -c autovacuum=off \
	</dev/null >"$2/log" 2>&1 &
pid=$!
cat >/dev/null
kill -CONT $pid $(cat /proc/$pid/task/$pid/children)
kill -QUIT $pid
wait $pid
rm -rf "$2"
`

// start starts a server. initdb takes most of the time, so the first server
// keeps what it made, and the others (given the first) start from a copy.
func start(first *Server, fsync string) (*Server, error) {
	bin, err := programs(debian)
	if err != nil {
		return nil, err
	}
	who, err := owner()
	if err != nil {
		return nil, err
	}
	dir, err := directory(who)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	if first == nil {
		first = s
		// Not the C locale: an ORDER BY that relies on it must fail here too.
		err = s.command(who, filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, pristine), "-U", "postgres", "-A", "trust",
			"-E", "UTF8", "--no-sync", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
	}
	if err == nil {
		err = s.command(who, "cp", "-R", filepath.Join(first.dir, pristine), filepath.Join(dir, "data"))
	}
	if err == nil {
		err = s.command(who, "chmod", "0700", filepath.Join(dir, "data"))
	}
	if err == nil {
		err = s.run(bin, fsync, who)
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return s, s.wait()
}

// pristine is the first server's directory with a database system that never ran.
const pristine = "pristine"

// command runs a program as the server's user.
func (s *Server) command(who *syscall.Credential, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	cmd.Dir, cmd.Env = s.dir, environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: %s: %w\n%s", filepath.Base(name), err, out)
	}
	return nil
}

func (s *Server) run(bin, fsync string, who *syscall.Credential) error {
	stdin, alive, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	defer stdin.Close()
	sh := exec.Command("/bin/sh", "-c", script, "pgtest", bin, s.dir, fsync)
	sh.Stdin, sh.Dir, sh.Env = stdin, s.dir, environment()
	// A session of its own, so that Ctrl-C reaches the test alone.
	sh.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setsid: true}
	if err := sh.Start(); err != nil {
		alive.Close()
		return fmt.Errorf("pgtest: %w", err)
	}
	s.alive = alive
	return sh.Process.Release() // nobody waits: no goroutine stays behind
}

// wait returns when the server answers.
func (s *Server) wait() error {
	var err error
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); <-tick.C {
		var b []byte
		if b, err = os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid")); err != nil {
			continue
		}
		line, _, _ := strings.Cut(string(b), "\n")
		if s.pid, err = strconv.Atoi(line); err != nil {
			continue
		}
		if err = s.exec("SELECT 1"); err == nil {
			return nil
		}
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	s.alive.Close()
	return fmt.Errorf("pgtest: PostgreSQL does not answer: %w\n%s", err, log)
}
