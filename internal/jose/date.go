package jose

import (
	"math"
	"strconv"
	"time"
)

// lastDate is the end of the year 9999. Beyond it, and before 1970, a NumericDate is a
// mistake or an attack on somebody's arithmetic.
const lastDate = 253402300799

// NumericDate returns the time that a JSON number says (RFC 7519 §2), given the text of a
// value as [VisitObject] has it; ok is false for a value that is no number of seconds from
// 1970 to 9999. It may have a fraction, which counts to the nanosecond.
func NumericDate(value []byte) (at time.Time, ok bool) {
	if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
		return time.Unix(n, 0), 0 <= n && n <= lastDate
	}
	f, err := strconv.ParseFloat(string(value), 64)
	// ParseFloat also reads "Inf" and "NaN", which are no JSON; no comparison lets NaN through.
	if err != nil || !(0 <= f && f <= lastDate) {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(f)
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}
