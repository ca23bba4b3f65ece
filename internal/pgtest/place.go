package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// maxSocketPath is what a Unix socket's address holds (108 octets with the NUL).
const maxSocketPath = 107

// debian is where Debian's packages put each version of the server.
const debian = "/usr/lib/postgresql"

// programs finds the newest server installed below root.
func programs(root string) (string, error) {
	found, _ := filepath.Glob(filepath.Join(root, "*", "bin", "initdb"))
	best, version := "", 0
	for _, f := range found {
		dir := filepath.Dir(f)
		v, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if err == nil && v > version {
			best, version = dir, v
		}
	}
	if best == "" {
		return "", errors.New("pgtest: these tests need PostgreSQL's server programs in " + root + "/*/bin: apt-get install postgresql")
	}
	if version < 15 {
		return "", fmt.Errorf("pgtest: found PostgreSQL %d, these tests need 15 or newer", version)
	}
	return best, nil
}

// owner says as whom the server runs: initdb and postgres refuse root.
func owner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("pgtest: PostgreSQL refuses to run as root and there is no user postgres: apt-get install postgresql (%w)", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("pgtest: user postgres: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// directory makes the server's directory. It is /tmp where the usual place is
// too long for a socket's path or closed to the server's user.
func directory(who *syscall.Credential) (string, error) {
	var problems []error
	for _, parent := range []string{os.TempDir(), "/tmp"} {
		if !reachable(parent) {
			problems = append(problems, fmt.Errorf("%s is not open to everybody", parent))
			continue
		}
		dir, err := os.MkdirTemp(parent, "symbolon-pg-")
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if len(filepath.Join(dir, ".s.PGSQL.5432")) > maxSocketPath {
			problems = append(problems, fmt.Errorf("%s is too long for a socket", dir))
			os.Remove(dir)
			continue
		}
		if who != nil {
			if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
				return "", fmt.Errorf("pgtest: %w", err)
			}
		}
		return dir, nil
	}
	return "", fmt.Errorf("pgtest: no place for the server's directory: %w", errors.Join(problems...))
}

// reachable reports whether another user may pass through to dir.
func reachable(dir string) bool {
	if os.Geteuid() != 0 {
		return true
	}
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		st, err := os.Stat(d)
		if err != nil || st.Mode().Perm()&0o001 == 0 {
			return false
		}
		if d == filepath.Dir(d) {
			return true
		}
	}
}

// environment is ours without what changes the server's behaviour.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "LC_") && !strings.HasPrefix(v, "LANG") {
			env = append(env, v)
		}
	}
	return env
}
