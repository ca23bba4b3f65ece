package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const (
	segmentSuffix  = ".jsonl"
	reservePrefix  = "reserve-"
	minSegment     = 64 << 10
	defaultSegment = 16 << 20
	defaultReserve = 3
)

func segmentPath(dir string, number int64) string {
	return filepath.Join(dir, fmt.Sprintf("%010d%s", number, segmentSuffix))
}

// segments lists the numbers of the segments in dir, rising.
func segments(dir string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var all []int64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok {
			continue
		}
		if n, err := strconv.ParseInt(name, 10, 64); err == nil && n > 0 && e.Name() == filepath.Base(segmentPath(dir, n)) {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

// isFull reports whether err says that there is no space.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

var zeros [64 << 10]byte

// writeZeros writes NUL octets over f from off to end.
func writeZeros(f *os.File, off, end int64) error {
	for off < end {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), end-off)], off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

// lastWritten is the end of the last octet of f, from off on, that is not NUL; off
// when there is none.
func lastWritten(f *os.File, off int64) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return off, err
	}
	end := dataEnd(f, info.Size())
	buf, last := make([]byte, len(zeros)), off
	for off < end {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), end-off)], off)
		if part := buf[:n]; !bytes.Equal(part, zeros[:n]) {
			last = off + int64(len(bytes.TrimRight(part, "\x00")))
		}
		off += int64(n)
		if isEOF(err) { // it was cut off meanwhile
			return last, nil
		}
		if err != nil {
			return last, err
		}
	}
	return last, nil
}

// syncDir makes the names in dir survive a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
