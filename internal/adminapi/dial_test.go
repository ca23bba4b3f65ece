package adminapi

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// owned is a file as another user has it.
type owned struct {
	fs.FileInfo
	uid  int
	mode fs.FileMode
}

func (o owned) Mode() fs.FileMode { return o.mode }
func (o owned) Sys() any          { return &syscall.Stat_t{Uid: uint32(o.uid)} }

// TestWhoseSocket: secrets go to root's and to the caller's own servers; root's
// to others as well where it said which.
func TestWhoseSocket(t *testing.T) {
	const me, server, stranger = 1000, 999, 1001
	for _, c := range []struct {
		name        string
		uid         int
		named       bool
		dir, socket int
		mode        fs.FileMode
		want        string // in the error; empty: none
	}{
		{"one's own", me, false, me, me, 0o700, ""},
		{"root's", me, false, 0, 0, 0o755, ""},
		{"root's directory, one's own socket", me, false, 0, me, 0o755, ""},
		{"a stranger's directory", me, true, stranger, me, 0o700, "uid 1001, who is neither you nor root"},
		{"a stranger's socket", me, true, me, stranger, 0o700, "uid 1001, who is neither you nor root"},
		{"a directory for all", me, true, me, me, 0o777, "others may write"},
		{"a directory for the group", me, true, 0, 0, 0o775, "others may write"},
		{"the directory for temporary files", me, true, 0, me, 0o777 | fs.ModeSticky, ""},
		{"a stranger there", me, true, 0, stranger, 0o777 | fs.ModeSticky, "uid 1001"},
		{"root and the server's user", 0, true, server, server, 0o700, ""},
		{"root and whoever is here", 0, false, stranger, stranger, 0o700, "uid 1001; if that is the server's user, name its directory"},
		{"root, and a stranger in the server's directory", 0, true, server, stranger, 0o700, "uid 1001"},
		{"root, and root's socket in the server's directory", 0, true, server, 0, 0o700, ""},
		{"root's own", 0, false, 0, 0, 0o700, ""},
	} {
		tr := trust{uid: c.uid, named: c.named, owner: c.dir}
		err := errors.Join(tr.check("dir", owned{nil, c.dir, c.mode | fs.ModeDir}), tr.check("socket", owned{nil, c.socket, 0o600 | fs.ModeSocket}))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (!errors.Is(err, ErrOwner) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestDialLooksAtTheProcess: the one that listens, whatever the path shows.
func TestDialLooksAtTheProcess(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	me := os.Geteuid()
	c, err := Dial(t.Context(), path, me, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if uid, ok := peerUID(c); !ok || int(uid) != me {
		t.Errorf("the process that listens runs as %d, %v, want %d", uid, ok, me)
	}
	if me != 0 { // root is believed by everybody
		if err := (trust{uid: me + 1}).checkPeer(path, c); !errors.Is(err, ErrOwner) || !strings.Contains(err.Error(), "the process that listens") {
			t.Error(err)
		}
	}
	stranger := me + 1
	if me == 0 { // the caller stays, the directory goes
		stranger = me
		if err := os.Chown(dir, 12345, -1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Dial(t.Context(), path, stranger, false); !errors.Is(err, ErrOwner) {
		t.Error(err)
	}
	if _, err := Dial(t.Context(), filepath.Join(dir, "none"), me, true); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
