package guard

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Streams have no end that a server could know, so what is bounded is how long
// the other side may take for the next step.
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

// steady is an answer whose caller takes what is written: one that takes nothing
// would keep a connection to the API for itself. Over HTTP/2 it can do so with one
// stream of a connection on which all else moves.
type steady struct {
	*answer
	over        context.Context // ends with the exchange
	http1       bool
	stall, last time.Duration
}

func newSteady(w http.ResponseWriter, over context.Context, http1 bool) steady {
	return steady{newAnswer(w), over, http1, stallTime, lastTime}
}

// WriteHeader implements http.ResponseWriter. What comes before the answer itself
// is written at once, and an API may have no end of it.
func (s steady) WriteHeader(status int) {
	if status < http.StatusOK {
		defer s.within()()
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (s steady) Write(b []byte) (int, error) {
	defer s.within()()
	return s.ResponseWriter.Write(b)
}

// FlushError serves http.ResponseController.
func (s steady) FlushError() error {
	defer s.within()()
	return s.control.Flush()
}

// within bounds what is written until done is called.
func (s steady) within() (done func()) {
	s.control.SetWriteDeadline(time.Now().Add(s.stall))
	if s.http1 {
		return func() {} // it counts for writes alone
	}
	return func() { s.control.SetWriteDeadline(time.Time{}) } // it would end an idle stream, too
}

// Hijack implements http.Hijacker: what is a WebSocket by now ends with the
// exchange, also where its caller takes nothing, so that nobody sees the end.
func (s steady) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := s.control.Hijack()
	if err == nil {
		context.AfterFunc(s.over, func() { conn.Close() })
	}
	return conn, buffered, err
}

// finish bounds what net/http still has to write, and to read of a body that the
// API did not want.
func (s steady) finish() {
	s.control.SetWriteDeadline(time.Now().Add(s.last))
	if s.http1 {
		s.control.SetReadDeadline(time.Now().Add(s.last / 2)) // net/http reads before it writes
	}
}

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
