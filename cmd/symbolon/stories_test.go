package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/symbolon/symbolon/internal/pgtest"
)

// clockEnv moves the clock of a symbolon inside a story by a duration.
const clockEnv = "STORY_CLOCK"

// raceEnv has options of the race detector. A program that it watches sleeps for a
// second before it ends, in which it might see more: stories start a thousand.
const raceEnv = "GORACE"

// soak asks for the long form of some tests. The program, which tests start with
// their own environment, does not know the variable, and refuses those.
var soak = os.Getenv("SYMBOLON_SOAK") != ""

func TestMain(m *testing.M) {
	os.Unsetenv("SYMBOLON_SOAK")
	os.Setenv(raceEnv, strings.TrimSpace(os.Getenv(raceEnv)+" atexit_sleep_ms=0"))
	testscript.Main(m, map[string]func(){"symbolon": storyMain})
}

// storyMain is main with a clock that the story may move.
func storyMain() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	now := time.Now
	if text := os.Getenv(clockEnv); text != "" {
		offset, err := time.ParseDuration(text)
		if err != nil {
			panic(err)
		}
		now = func() time.Time { return time.Now().Add(offset) }
	}
	os.Exit(run(ctx, &app{
		name: "symbolon", env: os.LookupEnv, environ: os.Environ, now: now,
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
	}, os.Args[1:]))
}

// TestStories runs testdata/*.txtar: the command line as people use it, once on
// each database. Inside, $STORE is the value for the option store, $URL and
// $ADDR a free place to listen.
func TestStories(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, testscript.Params{
				Dir:                 "testdata",
				RequireExplicitExec: true,
				Setup: func(env *testscript.Env) error {
					store := "sqlite"
					if backend == "postgres" {
						dsn, err := behindLink(pgtest.Database(t), env)
						if err != nil {
							return err
						}
						store = dsn
					}
					addr, err := freeAddr()
					if err != nil {
						return err
					}
					env.Setenv(raceEnv, os.Getenv(raceEnv))
					env.Setenv("BACKEND", backend)
					env.Setenv("STORE", store)
					env.Setenv("ADDR", addr)
					env.Setenv("URL", "http://"+addr)
					env.Setenv("SYMBOLON_DATA_DIR", env.WorkDir+"/data")
					return nil
				},
				Condition: func(name string) (bool, error) {
					return name == backend, nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"waitfor": cmdWaitFor,
					"capture": cmdCapture,
					"tmpfs":   cmdTmpfs,
					"until":   cmdUntil,
					"store":   cmdStore,
				},
			})
		})
	}
}

// behindLink lets a story reach the PostgreSQL server through a link in its own
// directory, so that it can take the server away (see cmdStore).
func behindLink(dsn string, env *testscript.Env) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	query := u.Query()
	env.Setenv("POSTGRES", query.Get("host"))
	link := filepath.Join(env.WorkDir, "pg")
	query.Set("host", link)
	u.RawQuery = query.Encode()
	return u.String(), os.Symlink(env.Getenv("POSTGRES"), link)
}

// cmdStore takes the PostgreSQL server away from whoever connects from now on,
// or gives it back: store away, store back.
func cmdStore(ts *testscript.TestScript, neg bool, args []string) {
	link := ts.MkAbs("pg")
	var err error
	switch {
	case !neg && len(args) == 1 && args[0] == "away":
		err = os.Remove(link)
	case !neg && len(args) == 1 && args[0] == "back":
		err = os.Symlink(ts.Getenv("POSTGRES"), link)
	default:
		ts.Fatalf("usage: store away|back")
	}
	if err != nil {
		ts.Fatalf("%v", err)
	}
}

// freeAddr is an address that nobody listens on at the moment.
func freeAddr() (string, error) {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		addr := l.Addr().String()
		l.Close()
		// The system may give a port again that nobody has opened yet.
		if _, given := givenAddrs.LoadOrStore(addr, true); !given {
			return addr, nil
		}
	}
}

var givenAddrs sync.Map

// cmdWaitFor waits until a URL answers 200: waitfor $URL/readyz.
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor URL")
	}
	var last error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(args[0])
		if err != nil {
			last = err
			continue
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
		last = fmt.Errorf("status %d", resp.StatusCode)
	}
	ts.Fatalf("%s did not come up: %v", args[0], last)
}

// cmdCapture puts what a marker in a file is followed by into a variable:
// capture NAME FILE MARKER takes the text behind MARKER up to the next quote,
// space or end of line.
func cmdCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture NAME FILE MARKER")
	}
	_, rest, found := strings.Cut(ts.ReadFile(args[1]), args[2])
	if !found {
		ts.Fatalf("%s has no %s", args[1], strconv.Quote(args[2]))
	}
	value := rest
	if end := strings.IndexAny(rest, "\"' \t\r\n"); end >= 0 {
		value = rest[:end]
	}
	ts.Setenv(args[0], value)
}

// cmdTmpfs mounts a file system of that size for the rest of the story:
// tmpfs DIR 2m.
func cmdTmpfs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tmpfs DIR SIZE")
	}
	dir := ts.MkAbs(args[0])
	if err := os.MkdirAll(dir, 0o700); err != nil {
		ts.Fatalf("%v", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+args[1]+",mode=0700"); err != nil {
		ts.Fatalf("a full disk cannot be tried without mounting a tmpfs: %v; run `scripts/unit.sh ./cmd/symbolon`, or as root with CAP_SYS_ADMIN", err)
	}
	ts.Defer(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// cmdUntil repeats a shell line until it exits 0: until 'curl -f $URL'. It is
// for what is to come true within seconds, and fails when it does not.
func cmdUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: until 'shell line'")
	}
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = ts.Exec("sh", "-c", args[0]); err == nil {
			return
		}
	}
	ts.Fatalf("it never came true: %s: %v", args[0], err)
}
