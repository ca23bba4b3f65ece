package web

import (
	"bufio"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are in memory, so that a test may set
// its own pace of time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestSlowPeersAreCutOff: after how long a connection ends whose peer sends, or
// reads, next to nothing.
func TestSlowPeersAreCutOff(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
	tests := map[string]struct {
		first string        // sent at once
		drip  string        // sent every second after it
		reads bool          // whether the peer reads the answer
		ends  time.Duration // when the server hangs up
	}{
		"a slow head":          {head, "X-More: y\r\n", true, HeaderTimeout},
		"a slow body":          {head + "\r\n", "x", true, HeaderTimeout + BodyTimeout},
		"nothing at all":       {"", "", true, HeaderTimeout},
		"idle between two":     {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "", true, IdleTimeout},
		"never reads":          {"GET /large HTTP/1.1\r\nHost: x\r\n\r\n", "x", false, BodyTimeout + WriteTimeout},
		"half a head and hush": {head, "", true, HeaderTimeout},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := Wrap(Config{MaxBody: 1 << 30}, func(w http.ResponseWriter, r *http.Request) error {
					if _, err := ReadBody(r, 1<<20, nil); err != nil {
						return err
					}
					if r.URL.Path == "/large" {
						w.Write(make([]byte, 1<<20))
					}
					return nil
				})
				s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
				Limit(s)
				l := &pipes{make(chan net.Conn), make(chan struct{})}
				go s.Serve(l)
				defer s.Close()
				mine, theirs := net.Pipe()
				defer mine.Close()
				l.conns <- theirs
				began := time.Now()
				if _, err := io.WriteString(mine, c.first); err != nil {
					t.Fatal(err)
				}
				ended := make(chan struct{})
				if c.reads {
					go func() { io.Copy(io.Discard, mine); close(ended) }()
				}
				for c.drip != "" && !over(ended) {
					time.Sleep(time.Second)
					mine.SetWriteDeadline(time.Now().Add(time.Millisecond))
					if _, err := io.WriteString(mine, c.drip); errors.Is(err, io.ErrClosedPipe) {
						break
					}
				}
				if c.reads {
					<-ended
				}
				if took := time.Since(began); took < c.ends || took > c.ends+3*time.Second {
					t.Errorf("the connection ended after %s, want %s", took, c.ends)
				}
			})
		})
	}
}

func over(ended chan struct{}) bool {
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

// TestNoRequestIsSmuggled (RFC 9112 §6.1, §6.3): of one message that two readers
// could take apart differently, no second request comes out.
func TestNoRequestIsSmuggled(t *testing.T) {
	const inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	tests := map[string]string{
		"two lengths":                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 35\r\n\r\n" + inner,
		"RFC 9112 §6.1: both":        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		"a list of lengths":          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 35\r\n\r\n" + inner,
		"a signed length":            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n" + inner,
		"another transfer coding":    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n" + inner,
		"chunked twice":              "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + inner,
		"a coding with a space":      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n" + inner,
		"a chunk that ends in LF":    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;x\nx\r\n0\r\n\r\n" + inner,
		"a chunk size with a sign":   "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n0\r\n\r\n" + inner,
		"a line folded over two":     "POST / HTTP/1.1\r\nHost: x\r\nX: y\r\n Content-Length: 35\r\nContent-Length : 0\r\n\r\n" + inner,
		"two hosts":                  "POST / HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 0\r\n\r\n" + inner,
		"a name with a NUL":          "POST / HTTP/1.1\r\nHost: x\r\nContent\x00-Length: 0\r\n\r\n" + inner,
		"a bare CR for an end":       "POST / HTTP/1.1\r\nHost: x\rContent-Length: 0\r\n\r\n" + inner,
		"HTTP/1.0 that is chunked":   "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 35\r\n\r\n" + inner,
		"HTTP/1.0 that goes on":      "POST / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + inner,
		"and has a length":           "POST / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\na" + inner,
		"an absurd version":          "POST / HTTP/1.9999\r\nHost: x\r\nContent-Length: 0\r\n\r\n" + inner,
		"a length that is too large": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n" + inner,
	}
	var smuggled atomic.Int64
	s := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) error {
		if r.URL.Path == "/smuggled" {
			smuggled.Add(1)
		}
		_, err := ReadBody(r, 1<<10, nil)
		return err
	})
	for name, text := range tests {
		smuggled.Store(0)
		conn := dial(t, s)
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		conn.(*net.TCPConn).CloseWrite()
		answers, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		if n := smuggled.Load(); n != 0 {
			t.Errorf("%s: the inner request was served\n%s", name, firstLines(string(answers)))
		}
	}
	// Shown to be able to fail: two honest requests are two.
	conn := dial(t, s)
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"+inner)
	conn.(*net.TCPConn).CloseWrite()
	in := bufio.NewReader(conn)
	for range 2 {
		a, err := http.ReadResponse(in, httptest.NewRequest("GET", "/", nil))
		if err != nil || a.StatusCode != 200 {
			t.Fatal(a, err)
		}
		a.Body.Close()
	}
	if smuggled.Load() != 1 {
		t.Error("an honest second request was not served")
	}
}

func firstLines(answers string) string {
	var lines []string
	for line := range strings.Lines(answers) {
		if strings.HasPrefix(line, "HTTP/") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
