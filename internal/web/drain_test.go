package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
)

// TestARefusalOverHTTP2ComesAfterTheBody: else net/http ends the stream before the
// body is there, which makes curl throw the answer away. RFC 9113 §8.1.
func TestARefusalOverHTTP2ComesAfterTheBody(t *testing.T) {
	for name, c := range map[string]struct {
		major, length int
		limit         int64
		left          int // octets that were not read when the answer went out
	}{
		"HTTP/2":                        {2, 100, 0, 0},
		"HTTP/2, any length is taken":   {2, 100, -1, 0},
		"HTTP/2, as long as it may be":  {2, symbolon.MaxBody, 0, 0},
		"HTTP/2, more than the handler": {2, symbolon.MaxBody + 1, 0, symbolon.MaxBody + 1},
		"HTTP/1.1, which net/http ends": {1, 100, 0, 100},
	} {
		body, left := strings.NewReader(strings.Repeat("x", c.length)), -1
		h := Wrap(Config{MaxBody: c.limit, WriteError: func(x *Exchange, _ *http.Request, e *symbolon.Error) {
			left = body.Len()
			x.WriteHeader(http.StatusBadRequest)
		}}, func(http.ResponseWriter, *http.Request) error {
			return symbolon.NewError(symbolon.InvalidRequest, "no")
		})
		r := httptest.NewRequest(http.MethodPost, "/", io.NopCloser(body))
		r.ProtoMajor, r.ProtoMinor, r.ContentLength = c.major, 1, int64(c.length)
		h.ServeHTTP(httptest.NewRecorder(), r)
		if left != c.left {
			t.Errorf("%s: %d octets were not read, want %d", name, left, c.left)
		}
	}
}

// slowly is a body whose octets come after a while, or not at all.
type slowly struct {
	*strings.Reader
	after time.Duration
	end   <-chan struct{}
}

func (s *slowly) Read(p []byte) (int, error) {
	select {
	case <-time.After(s.after):
	case <-s.end:
		return 0, io.ErrUnexpectedEOF
	}
	s.after = 0
	return s.Reader.Read(p)
}

// TestARefusalOverHTTP2WaitsForTheBody, for a while, also where the handler has
// lifted the listener's bounds.
func TestARefusalOverHTTP2WaitsForTheBody(t *testing.T) {
	for name, c := range map[string]struct {
		after, want time.Duration
		lifted      bool
	}{
		"at once":                  {0, 0, false},
		"some time":                {3 * time.Second, 3 * time.Second, false},
		"never complete":           {time.Hour, drainTime, false},
		"some time, no bounds":     {3 * time.Second, 3 * time.Second, true},
		"never complete, no bound": {time.Hour, drainTime, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &pipes{make(chan net.Conn), make(chan struct{})}
				var both http.Protocols
				both.SetUnencryptedHTTP2(true)
				srv := &http.Server{Protocols: &both, Handler: Wrap(Config{}, func(w http.ResponseWriter, _ *http.Request) error {
					if c.lifted {
						http.NewResponseController(w).SetReadDeadline(time.Time{})
					}
					return symbolon.NewError(symbolon.InvalidRequest, "no")
				})}
				Limit(srv)
				go srv.Serve(l)
				transport := &http.Transport{Protocols: &both, DialContext: func(context.Context, string, string) (net.Conn, error) {
					ours, theirs := net.Pipe()
					l.conns <- theirs
					return ours, nil
				}}
				end := make(chan struct{})
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/", &slowly{strings.NewReader("a=b"), c.after, end})
				if err != nil {
					t.Fatal(err)
				}
				r.ContentLength = 3
				began := time.Now()
				resp, err := transport.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				if d := time.Since(began); resp.StatusCode != http.StatusBadRequest || resp.ProtoMajor != 2 || d != c.want {
					t.Errorf("%s %d after %v, want %v", resp.Proto, resp.StatusCode, d, c.want)
				}
				resp.Body.Close()
				close(end)
				transport.CloseIdleConnections()
				srv.Close()
			})
		})
	}
}
