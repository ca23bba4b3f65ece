package guard

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Streams have no end that a server could know, so what is bounded is how long
// the other side may take for the next step. HTTP/2 does the same for its
// connections.
const (
	silenceTime = time.Minute      // for the next octets of a request's body
	stallTime   = 30 * time.Second // for taking what is written
	lastTime    = 10 * time.Second // for the end of an answer
)

// answer is the way back to the caller, without a bound on the whole.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
}

// newAnswer lifts the listener's bounds from a request that is forwarded.
func newAnswer(w http.ResponseWriter) *answer {
	a := &answer{w, http.NewResponseController(w)}
	a.control.SetReadDeadline(time.Time{})
	a.control.SetWriteDeadline(time.Time{})
	return a
}

// Unwrap serves http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// steady is an answer over HTTP/1, where a caller that takes nothing would keep
// a connection for itself.
type steady struct{ *answer }

// Write implements http.ResponseWriter.
func (s steady) Write(b []byte) (int, error) {
	s.control.SetWriteDeadline(time.Now().Add(stallTime))
	return s.ResponseWriter.Write(b)
}

// FlushError serves http.ResponseController.
func (s steady) FlushError() error {
	s.control.SetWriteDeadline(time.Now().Add(stallTime))
	return s.control.Flush()
}

// finish bounds what net/http still has to write.
func (s steady) finish() { s.control.SetWriteDeadline(time.Now().Add(lastTime)) }

// upload is the body of a request over HTTP/1.
type upload struct {
	io.ReadCloser
	control *http.ResponseController
	broken  *atomic.Bool // the caller is to blame for how it ends
}

// Read implements io.Reader.
func (u upload) Read(b []byte) (int, error) {
	u.control.SetReadDeadline(time.Now().Add(silenceTime))
	n, err := u.ReadCloser.Read(b)
	if err != nil {
		// net/http goes on reading, to learn when the caller leaves.
		u.control.SetReadDeadline(time.Time{})
		if !errors.Is(err, io.EOF) {
			u.broken.Store(true)
		}
	}
	return n, err
}
