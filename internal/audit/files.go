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
	buf := make([]byte, min(int64(len(zeros)), max(end-off, 0)))
	for end > off { // from behind: a closed segment has no NUL octet at its end
		start := max(end-int64(len(buf)), off)
		n, err := f.ReadAt(buf[:end-start], start)
		if err != nil && !isEOF(err) { // the end: it was cut off meanwhile
			return off, err
		}
		if part := buf[:n]; !isZero(part) {
			return start + int64(len(bytes.TrimRight(part, "\x00"))), nil
		}
		end = start
	}
	return off, nil
}

// isZero reports whether there are NUL octets only, at most len(zeros).
func isZero(part []byte) bool { return bytes.Equal(part, zeros[:len(part)]) }

// trimZeros is what is left of text behind NUL octets.
func trimZeros(text []byte) []byte {
	for len(text) > 0 && text[0] == 0 {
		part := text[:min(len(text), len(zeros))]
		if !isZero(part) {
			return bytes.TrimLeft(text, "\x00")
		}
		text = text[len(part):]
	}
	return text
}
