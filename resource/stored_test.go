package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// storedFile runs an API until it has stored its keys, and gives the file.
func storedFile(t *testing.T, i *issuer, dir string) string {
	t.Helper()
	cfg := i.config()
	cfg.DataDir = dir
	a := newAPI(t, cfg)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.Close()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	return files[0]
}

// offline is an API whose issuer cannot be reached.
func offline(t *testing.T, i *issuer, dir string, now time.Time) (*API, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	cfg := i.config()
	cfg.DataDir = dir
	cfg.Now = func() time.Time { return now }
	cfg.HTTP = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })}
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	return newAPI(t, cfg), &log
}

// TestStartWhileTheIssuerIsAway: with the stored keys, as long as they are not
// too old.
func TestStartWhileTheIssuerIsAway(t *testing.T) {
	i := newIssuer(t)
	dir := filepath.Join(t.TempDir(), "made", "by itself")
	path := storedFile(t, i, dir)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	token := i.token(t, func(c *symbolon.Claims) { c.Expiry += 72 * 3600 })
	now := time.Now()
	for after, ok := range map[time.Duration]bool{0: true, 23 * time.Hour: true, 25 * time.Hour: false, -time.Hour: false} {
		a, log := offline(t, i, dir, now.Add(after))
		_, err := check(a, token)
		if ok && err != nil || !ok && err == nil {
			t.Errorf("after %s: %v", after, err)
		}
		a.Close()
		if !ok && !strings.Contains(log.String(), "are too old, or from a time") {
			t.Errorf("after %s: %s", after, log)
		}
	}
}

// TestADamagedStoredSetIsNotUsed: nor one of another issuer, of another
// version, or that others may write to. It is said, and the issuer's own keys
// replace it.
func TestADamagedStoredSetIsNotUsed(t *testing.T) {
	i := newIssuer(t)
	dir := t.TempDir()
	path := storedFile(t, i, dir)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*storedKeys)) []byte {
		var s storedKeys
		if err := json.Unmarshal(good, &s); err != nil {
			t.Fatal(err)
		}
		f(&s)
		b, _ := json.Marshal(s)
		return b
	}
	evil := freshSigner(t, "k1").Key().JSON()
	bad := map[string][]byte{
		"empty":           {},
		"garbage":         []byte("garbage"),
		"another key":     change(func(s *storedKeys) { s.Keys = []byte(`{"keys":[` + string(evil) + `]}`) }),
		"made younger":    change(func(s *storedKeys) { s.Confirmed++ }),
		"another issuer":  change(func(s *storedKeys) { s.Issuer = "https://evil.example"; s.Sum = s.sum() }),
		"another version": change(func(s *storedKeys) { s.V = 2; s.Sum = s.sum() }),
		"no key set":      change(func(s *storedKeys) { s.Keys = []byte("{}"); s.Sum = s.sum() }),
		"endless":         append(bytes.Clone(good), bytes.Repeat([]byte("x"), maxStored)...),
	}
	for n := range good {
		if n%37 == 0 {
			bad[fmt.Sprint("cut at ", n)] = good[:n]
			flipped := bytes.Clone(good)
			flipped[n] ^= 1
			bad[fmt.Sprint("bit at ", n)] = flipped
		}
	}
	token := i.token(t, nil)
	for name, data := range bad {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		a, log := offline(t, i, dir, time.Now())
		if _, err := check(a, token); !errors.Is(err, errNoKeys) {
			t.Errorf("%s: %v", name, err)
		}
		a.Close()
		if !strings.Contains(log.String(), "the stored keys are not used") {
			t.Errorf("%s: %s", name, log)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	a, log := offline(t, i, dir, time.Now())
	if _, err := check(a, token); !errors.Is(err, errNoKeys) {
		t.Errorf("writable by others: %v", err)
	}
	a.Close()
	if !strings.Contains(log.String(), "others may write") {
		t.Error(log)
	}
	if again := storedFile(t, i, dir); again != path {
		t.Error(again)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	a, _ = offline(t, i, dir, time.Now())
	if _, err := check(a, token); err != nil {
		t.Errorf("after the repair: %v", err)
	}
}

// TestStoredKeysOfAnotherUser: who wrote the file decides, not only who may now.
func TestStoredKeysOfAnotherUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mine, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		owner uint32
		mode  fs.FileMode
		uid   int
		want  string // in the error; empty: none
	}{
		{1000, 0o600, 1000, ""},
		{1000, 0o644, 1000, ""},
		{0, 0o644, 1000, ""},
		{0, 0o600, 0, ""},
		{1001, 0o600, 1000, "another user (uid 1001)"},
		{1001, 0o600, 0, "another user (uid 1001)"},
		{1000, 0o620, 1000, "others may write"},
		{1000, 0o602, 1000, "others may write"},
		{0, 0o666, 1000, "others may write"},
	} {
		err := checkOwner(owned{mine, c.owner, c.mode}, c.uid)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if os.Geteuid() != 0 {
		return // only root can give a file away, for the rest of it
	}
	i := newIssuer(t)
	path = storedFile(t, i, t.TempDir())
	if err := os.Chown(path, 12345, -1); err != nil {
		t.Fatal(err)
	}
	a, log := offline(t, i, filepath.Dir(path), time.Now())
	if _, err := check(a, i.token(t, nil)); !errors.Is(err, errNoKeys) || !strings.Contains(log.String(), "another user (uid 12345)") {
		t.Errorf("%v: %s", err, log)
	}
}

// owned is a file as another user has it.
type owned struct {
	fs.FileInfo
	uid  uint32
	mode fs.FileMode
}

func (o owned) Mode() fs.FileMode { return o.mode }
func (o owned) Sys() any          { return &syscall.Stat_t{Uid: o.uid} }

// TestKeysThatCannotBeStored: it is said once per fetch, and nothing fails.
func TestKeysThatCannotBeStored(t *testing.T) {
	i := newIssuer(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cfg := i.config()
	cfg.DataDir = file
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	a := newAPI(t, cfg)
	if _, err := check(a, i.token(t, nil)); err != nil {
		t.Error(err)
	}
	a.Close()
	if !strings.Contains(log.String(), "cannot be stored") {
		t.Error(log.String())
	}
}

// TestStoredKeysAreReplacedWhole: a reader never sees half a file, and nothing
// else is left behind.
func TestStoredKeysAreReplacedWhole(t *testing.T) {
	i := newIssuer(t)
	dir := t.TempDir()
	path := storedFile(t, i, dir)
	cfg := i.config()
	cfg.DataDir = dir
	var log bytes.Buffer
	cfg.Now, cfg.Logger = time.Now, slog.New(slog.NewTextHandler(&log, nil))
	cfg.defaults()
	var writer, reader keys
	writer.init(&cfg, i.url, nil)
	reader.init(&cfg, i.url, nil)
	set, err := writer.read()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 300 {
			writer.store(set)
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if _, err := reader.read(); err != nil {
			t.Fatal(err)
		}
	}
	if log.Len() > 0 {
		t.Error(log.String())
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 || filepath.Join(dir, files[0].Name()) != path {
		t.Errorf("%v", files)
	}
}
