// Package disk writes files that are there whole or as they were before, whatever
// happens meanwhile: a killed process, a full disk, a loss of power.
package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Replace writes a file of that mode, also over one that is there. Who reads it, and
// who finds it after a loss of power, has all of data or what was there before. The
// disk has it when Replace returns nil; after an error either may be there.
func Replace(path string, data []byte, mode fs.FileMode) error {
	if err := write(path, data, mode, (*os.File).Sync); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// ReplaceSoon is Replace for what may be lost with the power: it waits for no disk.
// After such a loss the file may be empty, too.
func ReplaceSoon(path string, data []byte, mode fs.FileMode) error {
	return write(path, data, mode, func(*os.File) error { return nil })
}

// write goes by a file beside path: a name changes at once, contents do not.
func write(path string, data []byte, mode fs.FileMode, sync func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // O_EXCL, mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = errors.Join(f.Chmod(mode), sync(f))
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// SyncDir makes the names in a directory survive a loss of power: that a file has
// been made, renamed or removed. Windows cannot be asked for that, and keeps a
// journal of names itself.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
