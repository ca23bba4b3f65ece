package adminapi

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListen(t *testing.T) {
	dir := func(t *testing.T) string {
		d := t.TempDir()
		if err := os.Chmod(d, 0o700); err != nil {
			t.Fatal(err)
		}
		return d
	}
	refused := func(t *testing.T, path string, words ...string) {
		t.Helper()
		l, err := Listen(path)
		if err == nil {
			l.Close()
			t.Fatal("it listens")
		}
		if !errors.Is(err, ErrSocket) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v", err)
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q is not in %v", word, err)
			}
		}
	}
	t.Run("mode", func(t *testing.T) {
		path := filepath.Join(dir(t), "admin.sock")
		l, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
		refused(t, path, "another server answers")
	})
	t.Run("left behind", func(t *testing.T) {
		path := filepath.Join(dir(t), "admin.sock")
		old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
		if err != nil {
			t.Fatal(err)
		}
		old.SetUnlinkOnClose(false) // as kill -9 leaves it
		old.Close()
		l, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	})
	t.Run("a file", func(t *testing.T) {
		path := filepath.Join(dir(t), "admin.sock")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, path, "no socket", "move it away")
		if doc, _ := os.ReadFile(path); string(doc) != "precious" {
			t.Error("the file is gone")
		}
	})
	t.Run("a link", func(t *testing.T) {
		d := dir(t)
		if err := os.Symlink(filepath.Join(d, "target"), filepath.Join(d, "admin.sock")); err != nil {
			t.Fatal(err)
		}
		refused(t, filepath.Join(d, "admin.sock"), "no socket")
	})
	t.Run("open directory", func(t *testing.T) {
		d := dir(t)
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
		refused(t, filepath.Join(d, "admin.sock"), "chmod 700 "+d)
	})
	t.Run("no directory", func(t *testing.T) {
		refused(t, filepath.Join(dir(t), "none", "admin.sock"), "make the directory")
	})
	t.Run("too long", func(t *testing.T) {
		refused(t, filepath.Join(dir(t), strings.Repeat("x", 110)), "octets", "107", "shorter data_dir")
	})
}
