package web

import (
	"io"
	"net/http"

	"github.com/symbolon/symbolon"
)

// drain reads what is left of a small body before a refusal goes out. Over HTTP/2
// net/http ends a stream whose body has not come by then with RST_STREAM: RFC 9113
// §8.1 forbids to throw the answer away for it, and curl 7.88 does, so that whoever
// is refused for a wrong Content-Type never learns it. Over HTTP/1 net/http reads
// the rest by itself. The time for it is bounded as for each body.
func drain(r *http.Request, limit int64) {
	if r.ProtoMajor == 2 && r.Body != nil && r.ContentLength > 0 && (limit < 0 || r.ContentLength <= limit) {
		io.CopyN(io.Discard, r.Body, min(r.ContentLength, maxDrained)) // the refusal stands, whatever comes
	}
}

const maxDrained = symbolon.MaxBody // octets
