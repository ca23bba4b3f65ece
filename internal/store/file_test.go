package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// filled makes a store with some of everything and returns its closed file.
func filled(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "symbolon.db")
	s, err := Open(t.Context(), Config{DSN: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		update(t, s, func(tx *Tx) error {
			for j := range 5 {
				_, err := tx.Put(Put{Kind: "client", ID: fmt.Sprint(i, "-", j), Doc: bytes.Repeat([]byte{byte(i), byte(j)}, 10*i),
					Attrs: []Attr{{AttrName, fmt.Sprint("Client number ", i)}, {"owner", fmt.Sprint("o", j)}}})
				if err != nil {
					return err
				}
			}
			return tx.Record(refusal(i))
		})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// reads are all the answers of a store, as texts; "" where it said ErrCorrupt.
func reads(t testing.TB, s *Store) map[string]string {
	t.Helper()
	ctx, all := context.Background(), map[string]string{}
	answer := func(name string, value any, err error) {
		switch {
		case errors.Is(err, ErrCorrupt):
			all[name] = ""
		case err != nil:
			all[name] = err.Error()
		default:
			all[name] = fmt.Sprint(value)
		}
	}
	r := s.Reader()
	h, err := s.Head(ctx)
	h.CommitID = ""
	answer("head", h, err)
	changes, err := s.Changes(ctx, Position{}, 10000)
	for i := range changes {
		// A commit's id that is wrong sends a follower back to zero: no harm.
		changes[i].CommitID = ""
	}
	answer("changes", changes, err)
	records, err := s.Records(ctx, RecordQuery{Limit: 1000})
	if err == nil {
		_, err = s.VerifyRecords(ctx)
	}
	answer("records", records, err)
	var objects []Object
	err = r.All(ctx, "client", func(o Object) error { objects = append(objects, o); return nil })
	answer("all", objects, err)
	for i := range 40 {
		id := fmt.Sprint(i, "-", i%5)
		o, err := r.Get(ctx, "client", id)
		answer("get "+id, o, err)
	}
	found, _, err := r.List(ctx, Query{Kind: "client", Attrs: []Attr{{"owner", "o2"}}, Limit: 1000})
	answer("list", found, err)
	found, _, err = r.List(ctx, Query{Kind: "client", Search: "number 12"})
	answer("search", found, err)
	return all
}

// Flipped octets anywhere in the file are found when it is opened, when the
// damaged thing is read, or by Check; or they are where nothing is. The file
// is left as it is when it is refused.
func TestCorruptFile(t *testing.T) {
	path := filled(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{DSN: "sqlite:" + path})
	want := reads(t, s)
	refused, read, checked, harmless := 0, 0, 0, 0
	for seed := range uint64(corruptSeeds) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		bad := bytes.Clone(good)
		for range 1 + rnd.IntN(8) {
			bad[rnd.IntN(len(bad))] ^= byte(1 + rnd.IntN(255))
		}
		if seed%5 == 0 { // a lost page
			page := rnd.IntN(len(bad)/4096) * 4096
			clear(bad[page : page+4096])
		}
		copied := filepath.Join(t.TempDir(), fmt.Sprint(seed, ".db"))
		if err := os.WriteFile(copied, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), Config{DSN: "sqlite:" + copied})
		if err != nil {
			refused++
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerSchema) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), copied) {
				t.Errorf("seed %d: %v", seed, err)
			}
			if after, err := os.ReadFile(copied); err != nil || !bytes.Equal(after, bad) {
				t.Errorf("seed %d: the refused file was changed, %v", seed, err)
			}
			continue
		}
		got := reads(t, s)
		detected, wrong := false, ""
		for name, value := range got {
			if value == "" {
				detected = true
			} else if value != want[name] {
				wrong = name
			}
		}
		check := s.Check(t.Context())
		switch {
		case check != nil && !errors.Is(check, ErrCorrupt):
			t.Errorf("seed %d: Check: %v", seed, check)
		case detected:
			read++
		case check != nil:
			checked++
		case wrong != "":
			t.Errorf("seed %d: nobody noticed, and %s is\n%.300s\nwant\n%.300s", seed, wrong, got[wrong], want[wrong])
		default:
			harmless++
		}
		s.Update(t.Context(), func(tx *Tx) error { // whatever it says: it must not panic
			_, err := tx.Put(Put{Kind: "client", ID: "new", Attrs: []Attr{{AttrName, "new"}}})
			return err
		})
		s.Close()
	}
	t.Logf("of %d damaged files %d were refused, %d found by reading, %d by Check; %d harmless", corruptSeeds, refused, read, checked, harmless)
	if refused < corruptSeeds/5 {
		t.Errorf("only %d of %d were refused", refused, corruptSeeds)
	}
}

// Whatever stands in the store's place is never taken for a new store.
func TestNotAStore(t *testing.T) {
	whole, err := os.ReadFile(filled(t))
	if err != nil {
		t.Fatal(err)
	}
	replica := filepath.Join(t.TempDir(), "replica.db")
	openLocal(t, replica).Close()
	other, err := os.ReadFile(replica)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty": {}, "text": []byte("hello\n"), "zeros": make([]byte, 8192), "a replica": other,
		"cut in the header": whole[:60], "cut after a page": whole[:4096], "half": whole[:len(whole)/2/4096*4096],
	} {
		path := filepath.Join(t.TempDir(), "symbolon.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), Config{DSN: "sqlite:" + path}); !errors.Is(err, ErrCorrupt) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
			t.Errorf("%s: the file was changed, %v", name, err)
		}
	}
	// The log without its file: somebody lost the file.
	path := filepath.Join(t.TempDir(), "symbolon.db")
	if err := os.WriteFile(path+"-wal", []byte("log"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{DSN: "sqlite:" + path}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a log without its file: %v", err)
	}
	if _, err := Open(t.Context(), Config{DSN: "sqlite:" + t.TempDir()}); err == nil {
		t.Error("a directory was opened")
	}
}

// A process that was killed while it made the store leaves nothing under the
// store's name.
func TestUnfinishedCreation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "symbolon.db")
	for _, suffix := range []string{".new", ".new-journal", ".new-wal"} {
		if err := os.WriteFile(path+suffix, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, Config{DSN: "sqlite:" + path})
	put(t, s, Put{Kind: "client", ID: "a"})
	left, _ := filepath.Glob(path + ".new*")
	if len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestNewerSchema(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		s, err := Open(t.Context(), Config{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, Put{Kind: "client", ID: "a"})
		run := func(s *Store, query string) {
			t.Helper()
			if _, err := s.e.w.ExecContext(t.Context(), query); err != nil {
				t.Fatal(err)
			}
		}
		run(s, fmt.Sprintf(`INSERT INTO schema_version (version_id, is_applied) VALUES (%d, %s)`, newestSchema+1, map[bool]string{true: "true", false: "1"}[s.e.postgres]))
		// A migration that only added something says so: this version goes on.
		run(s, fmt.Sprintf(`INSERT INTO meta (key, value) VALUES ('%s', '%d')`, metaMinSchema, newestSchema))
		s.Close()
		if s, err = Open(t.Context(), Config{DSN: dsn}); err != nil {
			t.Fatalf("a schema that this version may use: %v", err)
		}
		put(t, s, Put{Kind: "client", ID: "b"})
		run(s, fmt.Sprintf(`UPDATE meta SET value = '%d' WHERE key = '%s'`, newestSchema+1, metaMinSchema))
		s.Close()
		before := fingerprint(t, dsn)
		for range 2 {
			_, err = Open(t.Context(), Config{DSN: dsn})
			if !errors.Is(err, ErrNewerSchema) || strings.Contains(err.Error(), "\n") {
				t.Errorf("a schema that it may not use: %v", err)
			}
		}
		if fingerprint(t, dsn) != before {
			t.Error("the refused file was changed")
		}
	})
}

// fingerprint is the content of a store's file, "" for a server.
func fingerprint(t testing.TB, dsn string) string {
	path, isFile := strings.CutPrefix(dsn, "sqlite:")
	if !isFile {
		return ""
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

func TestOpenTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "symbolon.db")
	link := filepath.Join(t.TempDir(), "link.db")
	s, err := Open(t.Context(), Config{DSN: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, link} {
		start := time.Now()
		_, err := Open(t.Context(), Config{DSN: "sqlite:" + p})
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", p, err)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("refused after %v", d)
		}
	}
	// Another process, too.
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childEnv+"=sqlite:"+path)
	out, err := child.CombinedOutput()
	if err == nil || !strings.Contains(string(out), ErrLocked.Error()) || strings.Count(string(out), "\n") != 1 {
		t.Errorf("another process: %v\n%s", err, out)
	}
	put(t, s, Put{Kind: "client", ID: "a"}) // the first one is not disturbed
	s.Close()
	open(t, Config{DSN: "sqlite:" + link})
}

func TestFileIsPrivateAndDurable(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "a b?#%&.db") // a path is no URL
	s := open(t, Config{DSN: "sqlite:" + path})
	put(t, s, Put{Kind: "client", ID: "a"})
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(files) != 4 {
		t.Errorf("%q, %v; want the file, its log, the log's index and the lock", files, err)
	}
	for _, f := range files {
		if st, err := os.Stat(f); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, st.Mode(), err)
		}
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000",
		"application_id": fmt.Sprint(storeFile), "cache_size": "-1024", "trusted_schema": "0"} {
		var got string
		if err := s.e.w.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %s, %v; want %s", pragma, got, err, want)
		}
	}
	if _, err := s.e.r.ExecContext(t.Context(), "DELETE FROM objects"); err == nil {
		t.Error("a reader's connection writes")
	}
}

// A full disk refuses writes and nothing else, and works again by itself.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("symbolon-test", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Fatalf("this test needs a disk of its own, 2 MiB of tmpfs on %s: mount: %v (run the tests as root, or in a user namespace that may mount)", dir, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	filler := filepath.Join(dir, "filler")
	fillDisk(t, filler)
	dsn := "sqlite:" + filepath.Join(dir, "symbolon.db")
	if _, err := Open(t.Context(), Config{DSN: dsn}); !errors.Is(err, ErrFull) || strings.Contains(err.Error(), "\n") {
		t.Errorf("opened anew on a full disk: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "symbolon.db")); len(left) != 0 {
		t.Error("something stands under the store's name")
	}
	os.Remove(filler)
	s, err := Open(t.Context(), Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	write := func() error {
		_, err := s.Update(t.Context(), func(tx *Tx) error {
			for part := range 2 {
				if _, err := tx.Put(Put{Kind: "client", ID: fmt.Sprint(acknowledged, "-", part), Doc: make([]byte, 10_000)}); err != nil {
					return err
				}
			}
			return tx.Record(Record{Class: ClassChange})
		})
		if err == nil {
			acknowledged++
		}
		return err
	}
	for err == nil && acknowledged < 1000 {
		err = write()
	}
	whole := func() {
		t.Helper()
		objects := 0
		for _, c := range catchUp(t, s, Position{}) {
			objects += len(c.Objects)
		}
		if objects != 2*acknowledged || headOf(t, s).Seq != int64(acknowledged) {
			t.Errorf("%d objects, head %v, of %d acknowledged commits of two", objects, headOf(t, s), acknowledged)
		}
		if n, err := s.VerifyRecords(t.Context()); n != int64(acknowledged) || err != nil {
			t.Errorf("%d records, %v", n, err)
		}
	}
	for range 3 {
		if !errors.Is(err, ErrFull) || strings.Contains(err.Error(), "\n") || acknowledged == 0 {
			t.Fatalf("after %d commits: %v", acknowledged, err)
		}
		whole()
		err = write()
	}
	if err := syscall.Mount("", dir, "tmpfs", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := write(); err != nil {
			t.Fatalf("with space again: %v", err)
		}
	}
	whole()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{DSN: dsn})
	whole()
}

// fillDisk writes a file until the disk is full.
func fillDisk(t testing.TB, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			return
		}
	}
}

// A head that is not the newest commit is found at once, a hole by Check.
func TestWrongOrder(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		for _, q := range []string{`UPDATE head SET epoch = 7`, `UPDATE head SET seq = 2`, `UPDATE head SET seq = 9`,
			`DELETE FROM commits WHERE seq = 3`, `DELETE FROM commits WHERE seq = 2`} {
			s, err := Open(t.Context(), Config{DSN: dsn})
			if err != nil {
				t.Fatal(err)
			}
			for _, reset := range []string{`DELETE FROM objects`, `DELETE FROM commits`, `UPDATE head SET seq = 0, epoch = 1`} {
				if _, err := s.e.w.ExecContext(t.Context(), reset); err != nil {
					t.Fatal(err)
				}
			}
			for _, id := range []string{"a", "b", "c"} {
				put(t, s, Put{Kind: "client", ID: id})
			}
			if err := s.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.e.w.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(t.Context()); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: Check: %v", q, err)
			}
			s.Close()
			if !strings.HasPrefix(dsn, "sqlite") || q == `DELETE FROM commits WHERE seq = 2` {
				continue
			}
			if _, err := Open(t.Context(), Config{DSN: dsn}); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: Open: %v", q, err)
			}
			os.Remove(strings.TrimPrefix(dsn, "sqlite:"))
		}
	})
}
