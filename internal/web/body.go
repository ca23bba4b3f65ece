package web

import (
	"errors"
	"io"
	"net/http"

	"github.com/symbolon/symbolon"
)

var errBodyBroken = symbolon.NewError(symbolon.InvalidRequest, "the request body did not arrive whole")

// maxFirst is how much space is made for a body because its head says that it is
// so long: not by steps, but no more than nearly all forms need.
const maxFirst = 4 << 10

// ReadBody reads the whole body into the space of buf, which may be nil, and
// returns it. A body of more than limit octets is an error of code TooLarge,
// one that breaks off is an InvalidRequest. It reads no more than limit octets
// and one, whatever the head says.
func ReadBody(r *http.Request, limit int, buf []byte) ([]byte, error) {
	buf = buf[:0]
	if r.ContentLength > int64(limit) {
		return nil, errBodyTooLarge
	}
	if r.Body == nil {
		return buf, nil
	}
	if first := min(r.ContentLength+1, maxFirst); int64(cap(buf)) < first {
		buf = make([]byte, 0, first)
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		room := buf[len(buf):min(cap(buf), limit+1)]
		n, err := r.Body.Read(room)
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > limit:
			return nil, errBodyTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, broken(err)
		}
	}
}

// broken tells a body that Wrap's bound cut off from one that broke off.
func broken(err error) error {
	if over := new(http.MaxBytesError); errors.As(err, &over) {
		return errBodyTooLarge
	}
	return errBodyBroken.WithCause(err)
}
