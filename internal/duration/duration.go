// Package duration reads the durations of configurations: those of package time,
// and days.
package duration

import (
	"strconv"
	"strings"
	"time"
)

// Day has 24 hours.
const Day = 24 * time.Hour

// Parse reads a duration such as "90d", "24h", "1d12h" or "1h30m", from 0 on. It
// reports whether text is one; what to write instead is for the caller to say.
func Parse(text string) (total time.Duration, ok bool) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		rest = text
	} else {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, false
		}
		total = time.Duration(n) * Day
	}
	if rest == "" && found {
		return total, true
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || total+d < total { // more than a Duration holds
		return 0, false
	}
	return total + d, true
}
