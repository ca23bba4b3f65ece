package guard

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/resource"
)

// streaming is an API whose answers go on until their caller leaves.
func streaming(rw http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Upgrade") != "":
		conn, rest, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n"+webSocketAccept+"\r\n")
		io.Copy(conn, rest) // an echo
	case strings.HasSuffix(r.URL.Path, "/endless"):
		block := make([]byte, 64<<10)
		for {
			if _, err := rw.Write(block); err != nil {
				return
			}
		}
	case strings.HasSuffix(r.URL.Path, "/known"):
		rw.Header().Set("Content-Length", "1000000")
		fmt.Fprintln(rw, "first")
		http.NewResponseController(rw).Flush()
		<-r.Context().Done()
	case strings.HasSuffix(r.URL.Path, "/late"):
		<-r.Context().Done()
	default:
		http.NewResponseController(rw).EnableFullDuplex() // it answers while the body comes
		fmt.Fprintln(rw, "first")
		http.NewResponseController(rw).Flush()
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			<-r.Context().Done()
		}
	}
}

const webSocket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"

// webSocketAccept is the answer to that key (RFC 6455 §4.2.2).
const webSocketAccept = "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n"

// open begins an exchange and gives what comes back.
func open(t *testing.T, addr, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// line reads up to a line that holds the text.
func line(t *testing.T, r *bufio.Reader, text string) {
	t.Helper()
	for {
		s, err := r.ReadString('\n')
		if strings.Contains(s, text) {
			return
		}
		if err != nil {
			t.Fatalf("%q did not come: %v", text, err)
		}
	}
}

// cutOff waits for the end of a connection, whose answer must not look whole.
func cutOff(t *testing.T, name string, r io.Reader) {
	t.Helper()
	if rest, _ := io.ReadAll(r); strings.HasSuffix(string(rest), "0\r\n\r\n") || len(rest) > 1000 {
		t.Errorf("%s: ended as if it were whole: %q", name, rest)
	}
}

// TestStreamsAreFlushed: what the API sends arrives while it is still sending.
func TestStreamsAreFlushed(t *testing.T) {
	w := start(t, http.HandlerFunc(streaming), nil)
	_, r := open(t, w.addr, "GET /orders/events HTTP/1.1\r\nHost: a\r\nAuthorization: "+w.bearer(t)+"\r\n\r\n")
	line(t, r, "200 OK")
	line(t, r, "first")
}

// TestWebSocket: both directions, with a token and for anyone.
func TestWebSocket(t *testing.T) {
	w := start(t, http.HandlerFunc(streaming), nil)
	for _, target := range []string{"GET /orders/socket HTTP/1.1\r\nHost: a\r\nAuthorization: " + w.bearer(t) + "\r\n", "GET /public/socket HTTP/1.1\r\nHost: a\r\n"} {
		conn, r := open(t, w.addr, target+webSocket+"\r\n")
		line(t, r, "101 Switching Protocols")
		line(t, r, "Request-Id: ")
		for { // the rest of the head
			if s, err := r.ReadString('\n'); err != nil || s == "\r\n" {
				break
			}
		}
		for range 3 {
			fmt.Fprintln(conn, "hello")
			line(t, r, "hello")
		}
	}
	if resp, _ := raw(t, w.addr, "GET /orders/socket HTTP/1.1\r\nHost: a\r\n"+webSocket+"\r\n"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %d", resp.StatusCode)
	}
}

// TestNoOtherProtocolIsSwitchedTo: within h2c, requests would go to the API that
// nobody decided on.
func TestNoOtherProtocolIsSwitchedTo(t *testing.T) {
	w := start(t, nil, nil)
	for _, upgrade := range []string{
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
		"Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket\r\n", // without a key
		"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\nSec-WebSocket-Key: a\r\n",
		"Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n",
	} {
		resp, body := raw(t, w.addr, "GET /public/a HTTP/1.1\r\nHost: a\r\n"+upgrade+"\r\n")
		got := w.reached()
		if resp.StatusCode != http.StatusOK || len(got) != 1 || got[0].Header["Upgrade"] != nil || got[0].Header["Connection"] != nil || got[0].Header["Http2-Settings"] != nil {
			t.Errorf("%q: %d %s %+v", upgrade, resp.StatusCode, body, got)
		}
	}
}

// TestOnlyWebSocketsAreTunnels: an API that merely answers 101, since somebody made
// it do so, would go on to read requests on which nobody has decided.
func TestOnlyWebSocketsAreTunnels(t *testing.T) {
	const upgrade, accept = "Connection: Upgrade\r\nUpgrade: websocket\r\n", webSocketAccept
	for name, c := range map[string]struct{ request, answer string }{
		"not asked for":      {"", ""},
		"not asked, a whole": {"", upgrade + accept},
		"nothing else":       {webSocket, ""},
		"no key":             {webSocket, upgrade},
		"another key":        {webSocket, upgrade + "Sec-WebSocket-Accept: x\r\n"},
		"the key itself":     {webSocket, upgrade + "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAA==\r\n"},
		"two":                {webSocket, upgrade + accept + accept},
		"two asked for":      {webSocket + "Sec-WebSocket-Key: b\r\n", upgrade + accept},
		"another protocol":   {webSocket, "Connection: Upgrade\r\nUpgrade: h2c\r\n" + accept},
	} {
		t.Run(name, func(t *testing.T) {
			inner := make(chan string, 1)
			w := start(t, byHand(t, func(conn net.Conn, rest io.Reader, _ *http.Request) {
				io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n"+c.answer+"\r\n")
				got, _ := bufio.NewReader(rest).ReadString('\n')
				inner <- got
			}), nil)
			conn, r := open(t, w.addr, "GET /public/a HTTP/1.1\r\nHost: a\r\n"+c.request+"\r\n")
			line(t, r, "502 Bad Gateway")
			io.WriteString(conn, "GET /orders/7 HTTP/1.1\r\nHost: a\r\n\r\n")
			line(t, r, "401 Unauthorized")
			if got := <-inner; got != "" {
				t.Errorf("the API got %q", got)
			}
		})
	}
}

// TestStreamsEndWithTheirToken: at exp; what has a length may finish, for a while.
func TestStreamsEndWithTheirToken(t *testing.T) {
	w := start(t, http.HandlerFunc(streaming), nil)
	token := "Authorization: " + w.bearer(t) + "\r\n"
	streams := map[string]string{
		"events":   "GET /orders/events HTTP/1.1\r\nHost: a\r\n" + token + "\r\n",
		"a socket": "GET /orders/socket HTTP/1.1\r\nHost: a\r\n" + token + webSocket + "\r\n",
		"upload":   "POST /orders/events HTTP/1.1\r\nHost: a\r\n" + token + "Transfer-Encoding: chunked\r\n\r\n",
	}
	readers := map[string]*bufio.Reader{}
	for name, text := range streams {
		_, readers[name] = open(t, w.addr, text)
		line(t, readers[name], "HTTP/1.1 ")
	}
	_, known := open(t, w.addr, "GET /orders/known HTTP/1.1\r\nHost: a\r\n"+token+"\r\n")
	line(t, known, "first")
	_, late := open(t, w.addr, "GET /orders/late HTTP/1.1\r\nHost: a\r\n"+token+"\r\n")
	_, free := open(t, w.addr, "GET /public/events HTTP/1.1\r\nHost: a\r\n\r\n")
	line(t, free, "first")
	until(t, "all are under way", func() bool { return len(w.live.list()) == 5 })

	w.auth.Advance(time.Hour)
	for name, r := range readers {
		cutOff(t, name, r)
	}
	until(t, "the streams are gone", func() bool { return len(w.live.list()) == 2 })
	w.auth.Advance(finishTime)
	line(t, late, "401 Unauthorized")
	line(t, late, "expired while the request was under way")
	cutOff(t, "what has a length", known)
	if n := len(w.live.list()); n != 0 {
		t.Errorf("%d exchanges are left", n)
	}
}

// TestStreamsEndWhenTheirClientIsDenied, and its next request is refused.
func TestStreamsEndWhenTheirClientIsDenied(t *testing.T) {
	w := start(t, http.HandlerFunc(streaming), nil)
	token := "Authorization: " + w.bearer(t) + "\r\n"
	_, events := open(t, w.addr, "GET /orders/events HTTP/1.1\r\nHost: a\r\n"+token+"\r\n")
	line(t, events, "first")
	_, socket := open(t, w.addr, "GET /orders/socket HTTP/1.1\r\nHost: a\r\n"+token+webSocket+"\r\n")
	line(t, socket, "101 Switching")
	_, late := open(t, w.addr, "GET /orders/late HTTP/1.1\r\nHost: a\r\n"+token+"\r\n")
	_, free := open(t, w.addr, "GET /public/events HTTP/1.1\r\nHost: a\r\n\r\n")
	line(t, free, "first")
	w.auth.Disable("billing")
	began := time.Now()
	cutOff(t, "events", events)
	cutOff(t, "a socket", socket)
	line(t, late, "401 Unauthorized")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if resp, body := raw(t, w.addr, "GET /orders HTTP/1.1\r\nHost: a\r\n"+token+"\r\n"); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "revoked") {
		t.Errorf("the next request: %d %s", resp.StatusCode, body)
	}
	if n := len(w.live.list()); n != 0 {
		t.Errorf("%d exchanges are left", n)
	}
}

// TestDoubtEndsNoStreamAtOnce: an issuer that cannot be asked for a moment.
func TestDoubtEndsNoStreamAtOnce(t *testing.T) {
	var answer error
	now := time.Unix(1000, 0)
	var l live
	l.init(func() time.Time { return now }, func(context.Context, *resource.Caller) error { return answer })
	var ended error
	e := &exchange{caller: &resource.Caller{}, end: func(cause error) { ended = cause }}
	away := symbolon.NewError(symbolon.TemporarilyUnavailable, "away")
	for step, c := range []struct {
		after time.Duration
		is    error
		want  error
	}{
		{0, nil, nil}, {time.Second, away, nil}, {doubtTime - 1, away, nil}, {0, nil, nil}, {time.Second, away, nil},
		{doubtTime - 1, away, nil}, {1, away, away}, {0, errEnded, errEnded},
	} {
		now, answer = now.Add(c.after), c.is
		l.judge(t.Context(), e, now)
		if ended != c.want {
			t.Errorf("step %d: ended by %v, want %v", step, ended, c.want)
		}
	}
}

// TestStoppingEndsWhatGoesOn, WebSockets included, and loses no answer.
func TestStoppingEndsWhatGoesOn(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(streaming))
	defer api.Close()
	w := start(t, http.HandlerFunc(streaming), nil)
	cfg := w.cfg
	cfg.Proxy = &Proxy{Listen: freeAddr(t), Upstream: api.URL}
	cfg.ForwardAuth, cfg.Health = nil, freeAddr(t)
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	_, r := open(t, cfg.Proxy.Listen, "GET /orders/socket HTTP/1.1\r\nHost: a\r\nAuthorization: "+w.bearer(t)+"\r\n"+webSocket+"\r\n")
	line(t, r, "101 Switching")
	if resp, body := do(t, "GET", "http://"+cfg.Health, "/readyz", nil, nil); resp.StatusCode != 200 || body != "ok\n" {
		t.Errorf("readyz: %d %s", resp.StatusCode, body)
	}
	for path, status := range map[string]int{"/livez": 200, "/forward-auth": 404, "/orders": 404, "/livez/": 404} {
		if resp, _ := do(t, "GET", "http://"+cfg.Health, path, nil, nil); resp.StatusCode != status {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	stop()
	if err := <-ended; err != nil && !strings.Contains(err.Error(), "closed network connection") {
		t.Error(err)
	}
	io.Copy(io.Discard, r)
}

// TestHTTP2: by ALPN; streams, and the same decisions.
func TestHTTP2(t *testing.T) {
	files := pair(t)
	w := start(t, nil, func(c *Config) { c.Proxy.TLS = files; c.PublicURL = "https://orders.example.com" })
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	ask := func(target string, h http.Header) (*http.Response, string) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+w.addr+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = h
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	good := w.bearer(t)
	resp, body := ask("/orders?a=1", head("Authorization", good, "X-Auth-Client-Id", "forged", "x_auth_client_id", "forged"))
	got := w.reached()
	if resp.ProtoMajor != 2 || resp.StatusCode != 200 || len(got) != 1 || got[0].Header.Get("X-Auth-Client-Id") != "billing" || got[0].Header["X_auth_client_id"] != nil ||
		got[0].Host != "orders.example.com" || got[0].Header.Get("X-Forwarded-Proto") != "https" {
		t.Errorf("%s %d %s %+v", resp.Proto, resp.StatusCode, body, got)
	}
	for target, status := range map[string]int{"/orders": 401, "/public/%2e%2e/orders": 400, "/public/a": 200, "/public/a?b;c": 400} {
		if resp, body := ask(target, http.Header{}); resp.StatusCode != status {
			t.Errorf("%s: %d %s", target, resp.StatusCode, body)
		}
	}
}

// TestEndlessAnswers go through with flat memory, and end with their caller.
func TestEndlessAnswers(t *testing.T) {
	w := start(t, http.HandlerFunc(streaming), nil)
	conn, r := open(t, w.addr, "GET /public/endless HTTP/1.1\r\nHost: a\r\n\r\n")
	line(t, r, "200 OK")
	var before, after runtime.MemStats
	if _, err := io.CopyN(io.Discard, r, 8<<20); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&before)
	if _, err := io.CopyN(io.Discard, r, 256<<20); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("256 MiB went through and %d KiB of memory are left", grown>>10)
	}
	conn.Close()
}

// TestEndlessUploads do too.
func TestEndlessUploads(t *testing.T) {
	const size = 64 << 20
	done := make(chan int64, 1)
	w := start(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		done <- n
	}), nil)
	conn, r := open(t, w.addr, fmt.Sprintf("POST /public/a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size))
	block := make([]byte, 1<<20)
	for range size / len(block) {
		if _, err := conn.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	line(t, r, "200 OK")
	if n := <-done; n != size {
		t.Errorf("%d octets of %d arrived", n, size)
	}
}

// TestAnUploadThatBreaksOff is its caller's fault, and the API does not take it
// for whole.
func TestAnUploadThatBreaksOff(t *testing.T) {
	broken := make(chan error, 1)
	w := start(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		broken <- err
	}), nil)
	conn, r := open(t, w.addr, "POST /public/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnot a size\r\n")
	line(t, r, "400 Bad Request")
	if err := <-broken; err == nil {
		t.Error("the API took half a body for a whole one")
	}
	conn.Close()
}
