package pgtest

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func TestDatabasesAreApartOnOneServer(t *testing.T) {
	a, b := Database(t), Database(t)
	if a == b {
		t.Fatalf("two databases with the URL %s", a)
	}
	ca, cb := connect(t, a), connect(t, b)
	if _, err := ca.Exec(t.Context(), "CREATE TABLE only_here (x BIGINT)"); err != nil {
		t.Fatal(err)
	}
	if _, err := cb.Exec(t.Context(), "SELECT x FROM only_here"); err == nil {
		t.Error("a table of one database is seen in the other")
	}
	const dir = "SELECT setting FROM pg_settings WHERE name = 'data_directory'"
	var da, db string
	if err := ca.QueryRow(t.Context(), dir).Scan(&da); err != nil {
		t.Fatal(err)
	}
	if err := cb.QueryRow(t.Context(), dir).Scan(&db); err != nil {
		t.Fatal(err)
	}
	if da != db {
		t.Errorf("two servers, %s and %s", da, db)
	}
}

// TestOpenWaitsForTheDisk: what is measured on it is what a commit costs.
func TestOpenWaitsForTheDisk(t *testing.T) {
	dsn, stop, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for setting, want := range map[string]string{"fsync": "on", "synchronous_commit": "on"} {
		var got string
		if err := connect(t, dsn).QueryRow(t.Context(), "SHOW "+setting).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is %s, want %s", setting, got, want)
		}
	}
}

func TestSortsUnlikeC(t *testing.T) {
	var first string
	conn := connect(t, Database(t))
	if err := conn.QueryRow(t.Context(), "SELECT x FROM (VALUES ('B'), ('a')) AS v(x) ORDER BY x LIMIT 1").Scan(&first); err != nil {
		t.Fatal(err)
	}
	if first != "a" {
		t.Errorf("%q sorts first: the database would hide an ORDER BY that needs COLLATE", first)
	}
}

func TestPauseAndResume(t *testing.T) {
	s := Start(t)
	conn := connect(t, s.Database(t))
	s.Pause(t)
	answer := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "SELECT 1")
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Fatalf("a paused server answered: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	s.Resume(t)
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	s.Disconnect(t)
	if _, err := conn.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("the connection is still there")
	}
}

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("PGTEST_CHILD") == "" {
		os.Exit(m.Run())
	}
	s, err := start(nil, "off")
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString(s.dir + "\n")
	select {}
}

func TestServerEndsWithAKilledTest(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "PGTEST_CHILD=1")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(line)
	if _, err := os.Stat(filepath.Join(dir, ".s.PGSQL.5432")); err != nil {
		t.Fatal(err)
	}
	s := &Server{dir: dir}
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGSTOP) // also a paused one must go
	child.Process.Kill()
	child.Wait()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); ; <-tick.C {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s is still there", dir)
		}
	}
}

func TestDirectoryFitsASocket(t *testing.T) {
	if os.Geteuid() != 0 {
		who, err := owner()
		if who != nil || err != nil {
			t.Errorf("owner() = %v, %v: an ordinary user runs the server as oneself", who, err)
		}
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if err := os.Mkdir(long, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	who, err := owner()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := directory(who)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	if filepath.Dir(dir) != "/tmp" {
		t.Errorf("directory() = %s: too long for a socket", dir)
	}
}

func TestWithoutPostgreSQLSaysWhatToInstall(t *testing.T) {
	root := t.TempDir()
	if _, err := programs(root); err == nil || !strings.Contains(err.Error(), "apt-get install postgresql") {
		t.Errorf("nothing installed: %v", err)
	}
	install := func(version string) string {
		bin := filepath.Join(root, version, "bin")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, "initdb"), nil, 0o755); err != nil {
			t.Fatal(err)
		}
		return bin
	}
	install("9")
	if _, err := programs(root); err == nil || !strings.Contains(err.Error(), "15 or newer") {
		t.Errorf("only version 9: %v", err)
	}
	install("15")
	want := install("17")
	if bin, err := programs(root); bin != want || err != nil {
		t.Errorf("programs() = %s, %v; want the newest, %s", bin, err, want)
	}
}
