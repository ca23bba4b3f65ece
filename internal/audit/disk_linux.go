package audit

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// preallocate gives f size octets of disk, all NUL, so that writing into them
// later needs no space.
func preallocate(f *os.File, size int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return writeZeros(f, 0, size) // NFS, ZFS
		}
		return err
	}
}

// dataEnd is an offset of f, at most size, behind which there are only NUL octets:
// the file system knows which of the preallocated blocks were ever written, and
// need not be asked for the others.
func dataEnd(f *os.File, size int64) int64 {
	const seekData, seekHole = 3, 4
	var end int64
	for at := int64(0); at < size; {
		data, err := syscall.Seek(int(f.Fd()), at, seekData)
		if errors.Is(err, syscall.ENXIO) { // no data from here on
			return min(end, size)
		}
		if err == nil {
			end, err = syscall.Seek(int(f.Fd()), data, seekHole)
		}
		if err != nil || end <= at {
			return size // it cannot be told
		}
		at = end
	}
	return min(end, size)
}

func syncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// diskSize is the size of the file system that holds dir; 0 when unknown.
func diskSize(dir string) int64 {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0
	}
	return int64(s.Blocks) * s.Bsize
}

// lockDir keeps a second process from appending to the same spool: two chains in
// one file would both be lost. The lock goes with the process.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("audit: %s is in use by another process: stop it, or give this one another data_dir", dir)
	}
	return f, nil
}
