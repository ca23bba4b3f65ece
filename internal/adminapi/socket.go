package adminapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxPath is the longest path of a Unix socket: sun_path has 108 octets, the
// last of which is NUL (unix(7)).
const maxPath = 107

// ErrSocket: the socket cannot be opened. The text says what to do.
var ErrSocket = errors.New("admin socket")

// Listen opens the socket at path, in a directory that is open to its owner
// alone. A socket that a server left behind when it was killed is replaced; one
// that somebody answers on is not.
func Listen(path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("%w: the path %s has %d octets, the system takes %d; choose a shorter data_dir", ErrSocket, path, len(path), maxPath)
	}
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w; make the directory for the server's user", ErrSocket, err)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%w: %s is open to others (mode %04o); run: chmod 700 %s", ErrSocket, dir, info.Mode().Perm(), dir)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSocket, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrSocket, err), l.Close())
	}
	return l, nil
}

// dialTime is how long a server that lives may take to accept.
const dialTime = time.Second

// removeStale removes a socket that nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", ErrSocket, err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%w: %s is there and is no socket; look what it is and move it away", ErrSocket, path)
	}
	c, err := net.DialTimeout("unix", path, dialTime)
	if err == nil {
		c.Close()
		return fmt.Errorf("%w: another server answers at %s; stop it, or choose another data_dir", ErrSocket, path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w: %s: %w; nobody can tell whether a server is behind it", ErrSocket, path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrSocket, err)
	}
	return nil
}

type peerKey struct{}

// PeerContext notes the uid of the process at the other end. It is the
// ConnContext of the http.Server that serves the socket.
func PeerContext(ctx context.Context, c net.Conn) context.Context {
	if uid, ok := peerUID(c); ok {
		return context.WithValue(ctx, peerKey{}, uid)
	}
	return ctx
}

// PeerUID is the uid of the process that sent the request; false when it did
// not come over a Unix socket.
func PeerUID(ctx context.Context) (uint32, bool) {
	uid, ok := ctx.Value(peerKey{}).(uint32)
	return uid, ok
}
