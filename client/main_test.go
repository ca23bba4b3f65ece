package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authServer is the server side of a test: metadata and a token endpoint whose
// answers the test decides.
type authServer struct {
	issuer   string
	requests atomic.Int64                                        // token requests
	token    atomic.Pointer[func(http.ResponseWriter, *request)] // nil: a token with a life of an hour
}

type request struct {
	n int64 // from 1
	*http.Request
}

func (s *authServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		json.NewEncoder(w).Encode(map[string]any{"issuer": s.issuer, "token_endpoint": s.issuer + "/token", "response_types_supported": []string{}})
	case "/token":
		q := &request{s.requests.Add(1), r}
		if f := s.token.Load(); f != nil {
			(*f)(w, q)
			return
		}
		grant(w, q, time.Hour)
	default:
		http.NotFound(w, r)
	}
}

func (s *authServer) answer(f func(http.ResponseWriter, *request)) { s.token.Store(&f) }

// grant writes a token whose text tells which request it answers.
func grant(w http.ResponseWriter, r *request, life time.Duration) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":%d}`, r.n, int(life.Seconds()))
}

// refuse writes an OAuth error.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "rid-1")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":%q,"error_description":"words from the server"}`, code)
}

// serve starts the server on loopback.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func newAuthServer(t *testing.T) *authServer {
	t.Helper()
	s := &authServer{}
	s.issuer = serve(t, s).URL
	return s
}

func (s *authServer) config() Config {
	return Config{Issuer: s.issuer, ID: "billing", Auth: Secret("s3cr3t"), Scopes: []string{"orders:read"}, Resource: "https://orders.example.com"}
}

func newClient(t *testing.T, cfg Config) *Client {
	t.Helper()
	if cfg.HTTP == nil {
		tr := &http.Transport{}
		t.Cleanup(tr.CloseIdleConnections)
		cfg.HTTP = &http.Client{Transport: tr}
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// pipe is an HTTP server whose connections are pipes in memory: inside a
// synctest bubble, where a socket would stop the clock.
func pipe(t *testing.T, h http.Handler) *http.Client {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: h}
	go srv.Serve(l)
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case l.conns <- far:
			return near, nil
		case <-l.closed:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		srv.Close()
	})
	return &http.Client{Transport: tr}
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
