package jose

import (
	"errors"
	"math"
	"strconv"
	"time"
)

// lastDate is the end of the year 9999. Beyond it, and before 1970, a NumericDate is a
// mistake or an attack on somebody's arithmetic.
const lastDate = 253402300799

// ErrNotDate is what [NumericDate] says of what is none.
var ErrNotDate = errors.New("is not a number of seconds from 1970 to 9999")

// NumericDate returns the time that a JSON number says (RFC 7519 §2), given the text of a
// value as [VisitObject] has it. It may have a fraction, which counts to the nanosecond. The
// error, for a value that is no number of seconds from 1970 to 9999, goes behind the
// member's name.
func NumericDate(value []byte) (time.Time, error) {
	if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
		if n < 0 || n > lastDate {
			return time.Time{}, ErrNotDate
		}
		return time.Unix(n, 0), nil
	}
	f, err := strconv.ParseFloat(string(value), 64)
	// ParseFloat also reads "Inf" and "NaN", which are no JSON; no comparison lets NaN through.
	if err != nil || !(0 <= f && f <= lastDate) {
		return time.Time{}, ErrNotDate
	}
	whole, fraction := math.Modf(f)
	return time.Unix(int64(whole), int64(fraction*1e9)), nil
}
