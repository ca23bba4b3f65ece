package registry

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/duration"
)

// Duration is a time.Duration whose text form also has days, as "90d" or
// "1d12h"; a day is 24 hours.
type Duration time.Duration

// Std is the duration as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String is a text form that ParseDuration reads back. Up to three days are
// told in hours: 24h is how people write it.
func (d Duration) String() string {
	rest := time.Duration(d)
	if rest == 0 {
		return "0s"
	}
	var b strings.Builder
	if rest < 0 {
		b.WriteByte('-')
		rest = -rest
	}
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", duration.Day}, {"h", time.Hour}, {"m", time.Minute}} {
		if n := rest / unit.size; n > 0 && (unit.size != duration.Day || n > 2) {
			b.WriteString(strconv.FormatInt(int64(n), 10) + unit.name)
			rest -= n * unit.size
		}
	}
	if rest > 0 {
		b.WriteString(rest.String())
	}
	return b.String()
}

// ParseDuration reads a duration such as "90d", "24h" or "1h30m".
func ParseDuration(text string) (Duration, error) {
	d, ok := duration.Parse(text)
	if !ok {
		return 0, fmt.Errorf("%q is not a duration; write for example 90d, 24h or 10m", text)
	}
	return Duration(d), nil
}

// MarshalText writes the text form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the text form.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	if err == nil {
		*d = parsed
	}
	return err
}
