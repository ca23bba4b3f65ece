package node

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// inProcess carries requests to this node's own listeners without the network:
// what protects our APIs with our tokens asks for keys and denials as any
// validator does, whether or not the issuer's name can be resolved from here, and
// whatever the node is started before.
//
// The handler is asked with the address of this machine, and gets nothing from
// there that a program on it would not.
type inProcess struct{ handler http.Handler }

// RoundTrip returns when the handler has. A handler that waits ends with the
// request's context.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	w := &answer{header: http.Header{}}
	if err := w.of(t.handler, in); err != nil {
		return nil, err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err // nobody is there any more, and the answer may be none
	}
	w.WriteHeader(http.StatusOK) // unless it was
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// answer is a ResponseWriter that keeps what is written.
type answer struct {
	header, sent http.Header
	status       int
	body         bytes.Buffer
}

func (a *answer) of(h http.Handler, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil { // as net/http does on a connection
			err = fmt.Errorf("the request was given up: %v", p)
		}
	}()
	h.ServeHTTP(a, r)
	return nil
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}
