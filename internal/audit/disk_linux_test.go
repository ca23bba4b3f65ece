package audit

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// TestLastWritten: whatever blocks of a preallocated file were written, in
// whatever order, the last octet that is not NUL is found.
func TestLastWritten(t *testing.T) {
	const size = 1 << 20
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		f, err := os.Create(filepath.Join(dir, "spool"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		defer os.Remove(f.Name())
		if rapid.Bool().Draw(t, "preallocated") {
			if err := preallocate(f, size); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(0, 6).Draw(t, "writes") {
			piece := bytes.Repeat([]byte{rapid.SampledFrom([]byte{0, 'x'}).Draw(t, "octet")}, rapid.IntRange(1, 9000).Draw(t, "length"))
			if _, err := f.WriteAt(piece, rapid.Int64Range(0, size-9000).Draw(t, "at")); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "synced") {
				f.Sync()
			}
		}
		all, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		off := rapid.Int64Range(0, int64(len(all))).Draw(t, "from")
		want := max(off, int64(len(bytes.TrimRight(all, "\x00"))))
		if got, err := lastWritten(f, off); got != want || err != nil {
			t.Fatalf("%d, %v, want %d", got, err, want)
		}
	})
}
