//go:build !linux

package audit

import "os"

func preallocate(f *os.File, size int64) error { return writeZeros(f, 0, size) }

func dataEnd(_ *os.File, size int64) int64 { return size }

func syncData(f *os.File) error { return f.Sync() }

func diskSize(string) int64 { return 0 }

// lockDir takes no lock here: the one on the data directory has to do.
func lockDir(dir string) (*os.File, error) { return os.Open(dir) }
