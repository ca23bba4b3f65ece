package web

import (
	"io"
	"net/http"
	"time"

	"github.com/symbolon/symbolon"
)

// Bounds of what is read of a body that nobody wants. The listener's bound of time
// does not do: a handler may have lifted it, and what is left of WriteTimeout by
// then has to be enough for the answer.
const (
	maxDrained = symbolon.MaxBody // octets
	drainTime  = WriteTimeout / 2
)

// drain reads what is left of a small body before a refusal goes out. Over HTTP/2
// net/http ends a stream whose body has not come by then with RST_STREAM: RFC 9113
// §8.1 forbids to throw the answer away for it, and curl 7.88 does, so that whoever
// is refused for a wrong Content-Type never learns it. Over HTTP/1 net/http reads
// the rest by itself.
func drain(w http.ResponseWriter, r *http.Request, limit int64) {
	if r.ProtoMajor == 2 && r.Body != nil && r.ContentLength > 0 && (limit < 0 || r.ContentLength <= limit) {
		// Writers that know no deadline are those of tests.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTime))
		io.CopyN(io.Discard, r.Body, min(r.ContentLength, maxDrained)) // the refusal stands, whatever comes
	}
}
