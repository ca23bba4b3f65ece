package jose

import (
	"testing"

	"pgregory.net/rapid"
)

// TestPlainStopsBeforeWhatItMustNotSkip: eight bytes at a time skip nothing that one at a time
// would not, and leave at most seven that they could have skipped.
func TestPlainStopsBeforeWhatItMustNotSkip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte("aZ\"\\\x00\x1f\x20\x21\x23\x5b\x5d\x7f\x80\xa2\xdc\xff")), 0, 40).Draw(t, "text")
		want := 0
		for want < len(b) && b[want] >= 0x20 && b[want] != '"' && b[want] != '\\' {
			want++
		}
		got := plain(b)
		if got > want || want-got > 7 || got < want && len(b)-got >= 8 {
			t.Fatalf("%q: %d, want %d", b, got, want)
		}
	})
	for c := range 256 {
		b := []byte("abcdefgh")
		for at := range b {
			b[at] = byte(c)
			want := 8
			if c < 0x20 || c == '"' || c == '\\' {
				want = at
			}
			if got := plain(b); got != want {
				t.Errorf("%q: %d, want %d", b, got, want)
			}
			b[at] = 'x'
		}
	}
}
