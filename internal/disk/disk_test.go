package disk

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestReplace(t *testing.T) {
	for name, replace := range map[string]func(string, []byte, fs.FileMode) error{"durable": Replace, "soon": ReplaceSoon} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			for _, c := range []struct {
				text string
				mode fs.FileMode
			}{{"first", 0o600}, {"a longer text", 0o644}, {"", 0o600}} {
				if err := replace(path, []byte(c.text), c.mode); err != nil {
					t.Fatal(err)
				}
				got, err := os.ReadFile(path)
				info, err2 := os.Stat(path)
				if err != nil || err2 != nil || string(got) != c.text || info.Mode() != c.mode {
					t.Errorf("%q, mode %v: %v, %v", got, info.Mode(), err, err2)
				}
			}
			alone(t, dir, "file")
		})
	}
}

// TestReplaceFails: what was there stays, and nothing else is left.
func TestReplaceFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "taken", "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(filepath.Join(dir, "taken"), []byte("x"), 0o600); err == nil {
		t.Error("a directory was replaced")
	}
	alone(t, dir, "taken")
	if err := Replace(filepath.Join(dir, "none", "file"), []byte("x"), 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := SyncDir(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	full := filepath.Join(dir, "file")
	if err := write(full, []byte("x"), 0o600, func(*os.File) error { return errors.New("no space left on device") }); err == nil {
		t.Error("what was not written took its name")
	}
	alone(t, dir, "taken")
}

// TestReplaceIsWhole: who reads meanwhile has one text or the other.
func TestReplaceIsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	texts := [][]byte{bytes.Repeat([]byte("a"), 64<<10), bytes.Repeat([]byte("b"), 64<<10)}
	if err := ReplaceSoon(path, texts[0], 0o600); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for i := range 2 {
		writers.Go(func() {
			for range 50 {
				if err := ReplaceSoon(path, texts[i], 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 100 {
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, texts[0]) && !bytes.Equal(got, texts[1]) {
			t.Fatalf("%d octets, %v", len(got), err)
		}
	}
	writers.Wait()
}

// alone wants nothing in dir but that name.
func alone(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("%v, %v", entries, err)
	}
}
