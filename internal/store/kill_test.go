package store

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/pgtest"
)

const childEnv = "SYMBOLON_STORE_CHILD"

// writeUntilKilled is the child of TestKill: commits of three objects and a
// record each, an id printed after each is acknowledged.
func writeUntilKilled(dsn string) {
	ctx := context.Background()
	s, err := Open(ctx, Config{DSN: dsn})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		id := fmt.Sprintf("%d-%d", os.Getpid(), i)
		_, err := s.Update(ctx, func(tx *Tx) error {
			for part := range 3 {
				_, err := tx.Put(Put{Kind: "client", ID: fmt.Sprintf("%s-%d", id, part), Doc: []byte(strings.Repeat(id, 100)),
					Attrs: []Attr{{"commit", id}, {"name", id}}})
				if err != nil {
					return err
				}
			}
			return tx.Record(Record{Class: ClassChange, ObjectID: id})
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(id)
	}
}

// Every acknowledged write is there after kill -9, and no commit is there by
// halves.
func TestKill(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		total := 0
		for range 20 {
			acknowledged := killOne(t, dsn)
			total += len(acknowledged)
			s, err := Open(t.Context(), Config{DSN: dsn})
			if err != nil {
				t.Fatalf("after the kill: %v", err)
			}
			checkWhole(t, s, acknowledged)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%d commits acknowledged", total)
		if total < 20 {
			t.Errorf("only %d commits in 20 rounds: nothing was tested", total)
		}
	})
}

// A process killed while it makes the store leaves nothing that a later one
// cannot open.
func TestKillWhileOpening(t *testing.T) {
	places := map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(t.TempDir(), "symbolon.db") },
		"postgres": func() string { return pgtest.Database(t) },
	}
	for name, place := range places {
		for range 5 {
			dsn := place()
			child := exec.Command(os.Args[0], "-test.run=^$")
			child.Env = append(os.Environ(), childEnv+"="+dsn)
			child.Stderr = os.Stderr
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(time.Duration(10+rand.IntN(60))*time.Millisecond, func() { child.Process.Kill() })
			child.Wait()
			s, err := Open(t.Context(), Config{DSN: dsn})
			if err != nil {
				t.Fatalf("%s: after the kill: %v", name, err)
			}
			checkWhole(t, s, nil)
			put(t, s, Put{Kind: "client", ID: "a-0"})
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func killOne(t *testing.T, dsn string) (acknowledged []string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childEnv+"="+dsn)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if len(acknowledged) == 0 {
			time.AfterFunc(time.Duration(rand.IntN(80))*time.Millisecond, func() { child.Process.Kill() })
		}
		acknowledged = append(acknowledged, lines.Text())
	}
	if err := child.Wait(); err == nil || child.ProcessState.Exited() {
		t.Fatalf("the child was not killed but ended: %v", err)
	}
	return acknowledged
}

func checkWhole(t *testing.T, s *Store, acknowledged []string) {
	t.Helper()
	parts := map[string]int{} // by "id seq"
	ids := map[string]bool{}
	changes := catchUp(t, s, Position{})
	for _, c := range changes {
		for _, o := range c.Objects {
			id := o.ID[:strings.LastIndexByte(o.ID, '-')]
			ids[id] = true
			parts[fmt.Sprint(id, " ", o.Seq)]++
			if len(o.Attrs) != 2 {
				t.Errorf("%s has the attributes %v", o.ID, o.Attrs)
			}
		}
	}
	for _, id := range acknowledged {
		if !ids[id] {
			t.Errorf("acknowledged commit %s is lost", id)
		}
	}
	for commit, n := range parts {
		if n != 3 {
			t.Errorf("commit %s has %d of its 3 objects", commit, n)
		}
	}
	n, err := s.VerifyRecords(t.Context())
	if err != nil || n != int64(len(parts)) {
		t.Errorf("%d records for %d commits, %v", n, len(parts), err)
	}
	if h := headOf(t, s); h.Seq != int64(len(parts)) {
		t.Errorf("the head is commit %d of %d", h.Seq, len(parts))
	}
}

// catchUp reads all changes after p, in small answers.
func catchUp(t testing.TB, s *Store, p Position) (all []Change) {
	t.Helper()
	for {
		changes, err := s.Changes(context.Background(), p, 50)
		if err != nil {
			t.Fatal(err)
		}
		if len(changes) == 0 {
			return all
		}
		all = append(all, changes...)
		p = changes[len(changes)-1].Position
	}
}
