package duration

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0s": 0, "0d": 0, "90d": 90 * Day, "24h": Day, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "1d0s": Day,
	} {
		if got, ok := Parse(text); !ok || got != want {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "d", "1", "-1s", "-1d", "+1d", "1.5d", "1d-1s", "1d1d", "1d 1h", "65536d", "65535d2500000h", "soon"} {
		if got, ok := Parse(text); ok {
			t.Errorf("%q: taken as %v", text, got)
		}
	}
}
