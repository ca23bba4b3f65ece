package guard

import (
	"bufio"
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/internal/logtest"
	"github.com/symbolon/symbolon/symbolontest"
)

// arrived is what the API behind the guard got.
type arrived struct {
	Method, Target, Host, Body string
	Header                     http.Header
	Trailer                    http.Header
}

// world is a symbolon, an API that tells what it got, and a guard between them.
type world struct {
	*Guard
	auth     *symbolontest.Server
	orders   *symbolontest.API
	billing  *symbolontest.Client
	upstream *httptest.Server
	addr     string // of the proxy
	asked    string // of forward-auth
	log      logtest.Buffer

	mu  sync.Mutex
	got []arrived
}

// ServeHTTP is the API behind the guard.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a := arrived{r.Method, r.RequestURI, r.Host, string(body), r.Header, r.Trailer}
	w.mu.Lock()
	w.got = append(w.got, a)
	w.mu.Unlock()
	json.NewEncoder(rw).Encode(a)
}

// reached gives what the API got since the last call.
func (w *world) reached() []arrived {
	w.mu.Lock()
	defer w.mu.Unlock()
	got := w.got
	w.got = nil
	return got
}

// freeAddr is an address that nobody listens on at the moment.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

var standardRoutes = []Route{
	{Match: "/orders/", Scopes: []string{"orders:read"}},
	{Match: "GET /orders", Scopes: []string{"orders:read"}},
	{Match: "POST /orders", Scopes: []string{"orders:write"}},
	{Match: "/any", Scopes: []string{}},
	{Match: "/public/", Allow: "anyone"},
	{Match: "/files/", Scopes: []string{"orders:read"}, AmbiguousPaths: "allow"},
}

// start runs a guard with both modes in front of the API; api nil: the world.
func start(t *testing.T, api http.Handler, change func(*Config)) *world {
	t.Helper()
	w := &world{auth: symbolontest.New(t)}
	w.orders = w.auth.API("orders", "orders:read", "orders:write")
	w.billing = w.auth.Client("billing", w.orders, "orders:read")
	if api == nil {
		api = w
	}
	w.upstream = httptest.NewServer(api)
	t.Cleanup(w.upstream.Close)
	w.addr, w.asked = freeAddr(t), freeAddr(t)
	cfg := Config{
		Issuer: w.auth.URL, Audience: w.orders.Identifier, PublicURL: "http://" + w.addr,
		Proxy:       &Proxy{Listen: w.addr, Upstream: w.upstream.URL},
		ForwardAuth: &ForwardAuth{Listen: w.asked, Headers: "nginx", Trusted: []string{"127.0.0.1/32"}},
		Routes:      standardRoutes, Now: w.auth.Now,
		Revocations: Revocations{OnStale: "allow"}, // the clock jumps
		Logger:      slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	w.run(t, cfg)
	return w
}

func (w *world) run(t *testing.T, cfg Config) {
	t.Helper()
	var err error
	if w.Guard, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	if err := w.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if err := w.api.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) bearer(t *testing.T) string {
	t.Helper()
	token, err := w.billing.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + token.Value()
}

// head is a request's head: alternating names and values.
func head(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = append(h[pairs[i]], pairs[i+1])
	}
	return h
}

// do sends a request whose target and headers are as they are written.
func do(t *testing.T, method, base, target string, h http.Header, body io.Reader) (*http.Response, string) {
	t.Helper()
	addr := strings.TrimPrefix(base, "http://")
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, target)
	if h["Host"] == nil {
		fmt.Fprintf(&b, "Host: %s\r\n", addr)
	}
	for name, values := range h {
		for _, v := range values {
			fmt.Fprintf(&b, "%s: %s\r\n", name, v)
		}
	}
	text := ""
	if body != nil {
		all, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(all)
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(text))
	}
	return raw(t, addr, b.String()+"\r\n"+text)
}

// raw writes octets to an address and reads one answer.
func raw(t *testing.T, addr, text string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// proving is a client of the world with tokens that are bound to the key.
func (w *world) proving(t *testing.T, key crypto.Signer) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{
		Issuer: w.auth.URL, ID: w.billing.ID, Auth: client.Secret(w.billing.Secret), Scopes: []string{"orders:read"},
		Resource: w.orders.Identifier, Origins: []string{"http://" + w.addr}, DPoP: key, Now: w.auth.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// until waits for what the guard does in the background.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// byHand is an API that answers what it likes, not what net/http lets it.
func byHand(t *testing.T, answer func(conn net.Conn, rest io.Reader, r *http.Request)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		conn, rest, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		answer(conn, rest, r)
	})
}
