package adminapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// ErrOwner: somebody else may be behind the socket. Nothing was sent. The text
// says who, and what to do.
var ErrOwner = errors.New("not a server to send secrets to")

// answerTime is how long a server may take to accept.
const answerTime = 5 * time.Second

// Dial connects to the socket of a server that the caller, running as uid,
// trusts: the socket, its directory and the process that listens belong to root
// or to that user. What is sent may hold secrets, and whoever made a directory
// for others to step into could have a server of their own there.
//
// Root administers servers that run as users of their own. It may, where it
// said which server it means (named): then that is the directory's owner.
func Dial(ctx context.Context, path string, uid int, named bool) (net.Conn, error) {
	dir := filepath.Dir(path)
	dirInfo, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	t := trust{uid: uid, named: named, owner: ownerOf(dirInfo)}
	if err := t.check(dir, dirInfo); err != nil {
		return nil, err
	}
	if err := t.check(path, info); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := t.checkPeer(path, c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// trust is whom a caller believes.
type trust struct {
	uid   int  // of the caller
	named bool // the caller said which server
	owner int  // of the directory
}

func (t trust) believes(uid int) bool {
	mine := []int{0, t.uid}
	if t.uid == 0 && t.named {
		mine = append(mine, t.owner)
	}
	return slices.Contains(mine, uid)
}

func (t trust) check(path string, info fs.FileInfo) error {
	if owner := ownerOf(info); !t.believes(owner) {
		return t.foreign(path, owner)
	}
	// In a directory with the sticky bit nobody moves what is another's.
	if mode := info.Mode(); mode.IsDir() && mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("%w: others may write to %s (mode %04o), and put a socket of their own there; run: chmod 700 %s",
			ErrOwner, path, mode.Perm(), path)
	}
	return nil
}

// checkPeer looks at the process at the other end: what is at a path may change
// between two looks at it, a connection does not.
func (t trust) checkPeer(path string, c net.Conn) error {
	if peer, ok := peerUID(c); ok && !t.believes(int(peer)) {
		return t.foreign("the process that listens at "+path, int(peer))
	}
	return nil
}

func (t trust) foreign(what string, owner int) error {
	if t.uid == 0 && !t.named {
		return fmt.Errorf("%w: %s belongs to the user with the uid %d; if that is the server's user, name its directory with --data-dir", ErrOwner, what, owner)
	}
	return fmt.Errorf("%w: %s belongs to the user with the uid %d, who is neither you nor root; name the server's directory with --data-dir", ErrOwner, what, owner)
}

// ownerOf is the uid of who owns the file; nobody's where the system tells none.
func ownerOf(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}
