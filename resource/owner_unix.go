//go:build unix

package resource

import (
	"fmt"
	"io/fs"
	"syscall"
)

// checkOwner refuses a file that somebody else than the user uid or root could
// have written: whoever writes the keys decides whose tokens are taken.
func checkOwner(info fs.FileInfo, uid int) error {
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("others may write to it (mode %04o)", mode)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != uid {
		return fmt.Errorf("it belongs to another user (uid %d)", st.Uid)
	}
	return nil
}
