package web

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// serve boots a real server around the handler.
func serve(t *testing.T, c Config, h HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(Wrap(c, h))
	Limit(s.Config)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func do(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a, string(body)
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestAnIDIsNoOption: `symbolon explain -2M…` and `symbolon deny jti -2M…` would
// be wrong options.
func TestAnIDIsNoOption(t *testing.T) {
	for range 2000 {
		if id := NewID(); len(id) != 22 || id[0] == '-' {
			t.Fatalf("id %q", id)
		}
	}
}

func TestEveryAnswerHasARequestID(t *testing.T) {
	fail := map[string]error{
		"/ok":    nil,
		"/typed": symbolon.NewError(symbolon.InvalidScope, "no"),
		"/other": errors.New("private"),
	}
	s := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) error {
		if r.URL.Path == "/panic" {
			panic("private")
		}
		return fail[r.URL.Path]
	})
	form := regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)
	seen := map[string]bool{}
	for _, path := range []string{"/ok", "/typed", "/other", "/panic"} {
		r := request(t, "GET", s.URL+path, nil)
		r.Header.Set("Request-Id", "chosen-by-the-sender22")
		a, body := do(t, r)
		id := a.Header.Get("Request-Id")
		if len(a.Header.Values("Request-Id")) != 1 || !form.MatchString(id) || seen[id] {
			t.Errorf("%s: Request-Id %q", path, a.Header.Values("Request-Id"))
		}
		seen[id] = true
		if strings.Contains(body, "private") {
			t.Errorf("%s: the cause left: %s", path, body)
		}
	}
}

func TestErrorAnswers(t *testing.T) {
	tests := map[string]struct {
		err           error
		authorization string
		status        int
		header        map[string]string
		body          string
	}{
		"the status follows from the code": {
			err: symbolon.NewError(symbolon.InvalidTarget, "text"), status: 400,
			body: `{"error":"invalid_target","error_description":"text"}`,
		},
		"RFC 6749 §5.2: no challenge without Authorization": {
			err: symbolon.NewError(symbolon.InvalidClient, "text"), status: 401,
			header: map[string]string{"Www-Authenticate": ""},
			body:   `{"error":"invalid_client","error_description":"text"}`,
		},
		"RFC 6749 §5.2: a challenge to who used Authorization": {
			err: symbolon.NewError(symbolon.InvalidClient, "text"), authorization: "Other x", status: 401,
			header: map[string]string{"Www-Authenticate": `Basic realm="symbolon"`},
			body:   `{"error":"invalid_client","error_description":"text"}`,
		},
		"what is not typed is a server error": {
			err: errors.New("private"), status: 500,
			body: `{"error":"server_error","error_description":"the server met an unexpected condition; the request id leads its operator to the cause"}`,
		},
		"503 says when to come again": {
			err: &symbolon.Error{Code: symbolon.TemporarilyUnavailable, Description: "text", RetryAfter: 1500 * time.Millisecond}, status: 503,
			header: map[string]string{"Retry-After": "2"},
			body:   `{"error":"temporarily_unavailable","error_description":"text"}`,
		},
		"429 too, and leaves under a registered name": {
			err: symbolon.NewError(symbolon.TooManyRequests, "text"), status: 429,
			header: map[string]string{"Retry-After": "1"},
			body:   `{"error":"temporarily_unavailable","error_description":"text"}`,
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Config{}, func(http.ResponseWriter, *http.Request) error { return c.err })
			r := request(t, "GET", s.URL, nil)
			if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			a, body := do(t, r)
			if a.StatusCode != c.status || body != c.body {
				t.Errorf("got %d %s", a.StatusCode, body)
			}
			want := map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"}
			for k, v := range c.header {
				want[k] = v
			}
			for k, v := range want {
				if got := a.Header.Get(k); got != v {
					t.Errorf("%s: %q, want %q", k, got, v)
				}
			}
		})
	}
}

func TestCheckMethod(t *testing.T) {
	for _, c := range []struct {
		takes  []string
		method string
		status int
		allow  string
	}{
		{[]string{"POST"}, "POST", 200, ""},
		{[]string{"POST"}, "GET", 405, "POST"},
		{[]string{"POST"}, "post", 405, "POST"}, // RFC 9110 §9.1: case-sensitive
		{[]string{"GET"}, "HEAD", 200, ""},
		{[]string{"GET"}, "PUT", 405, "GET, HEAD"},
	} {
		s := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) error { return CheckMethod(w, r, c.takes...) })
		a, _ := do(t, request(t, c.method, s.URL, nil))
		if a.StatusCode != c.status || a.Header.Get("Allow") != c.allow {
			t.Errorf("%v %s: %d, Allow %q", c.takes, c.method, a.StatusCode, a.Header.Get("Allow"))
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	s := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) error {
		body, err := ReadBody(r, symbolon.MaxBody, nil)
		if err != nil {
			return err
		}
		w.Write(body)
		return nil
	})
	for _, c := range []struct {
		size   int
		status int
	}{{0, 200}, {1, 200}, {511, 200}, {512, 200}, {513, 200}, {symbolon.MaxBody, 200}, {symbolon.MaxBody + 1, 413}, {4 << 20, 413}} {
		sent := strings.Repeat("x", c.size)
		declared := strings.NewReader(sent)
		chunked := io.MultiReader(strings.NewReader(sent)) // a reader that hides its length
		for name, body := range map[string]io.Reader{"declared": declared, "chunked": chunked} {
			r := request(t, "POST", s.URL, body)
			r.Header.Set("Expect", "100-continue") // so that the client waits with what nobody will read
			a, got := do(t, r)
			if a.StatusCode != c.status || c.status == 200 && got != sent {
				t.Errorf("%s %d octets: %d, %d octets back", name, c.size, a.StatusCode, len(got))
			}
		}
	}
}

// TestWrapHoldsItsLimit for handlers that read the body by other means.
func TestWrapHoldsItsLimit(t *testing.T) {
	var read int
	h := Wrap(Config{MaxBody: 5}, func(w http.ResponseWriter, r *http.Request) error {
		body, err := io.ReadAll(r.Body)
		read = len(body)
		return err
	})
	for _, c := range []struct {
		body       io.Reader
		read, code int
	}{
		{strings.NewReader("12345"), 5, 200},
		{strings.NewReader("123456"), 0, 413},                 // refused by its head
		{io.MultiReader(strings.NewReader("12345")), 5, 200},  // of unknown length
		{io.MultiReader(strings.NewReader("123456")), 5, 413}, // refused where it goes on
	} {
		read = 0
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/", c.body))
		if read != c.read || w.Code != c.code {
			t.Errorf("%d octets read, answer %d; want %d, %d", read, w.Code, c.read, c.code)
		}
	}
}

func TestReadBodyHoldsItsOwnLimit(t *testing.T) {
	r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader("123456")))
	if _, err := ReadBody(r, 5, make([]byte, 0, 64)); !errors.Is(err, errBodyTooLarge) {
		t.Errorf("six octets where five are allowed: %v", err)
	}
	r = httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader("12345")))
	if got, err := ReadBody(r, 5, make([]byte, 0, 2)); err != nil || string(got) != "12345" {
		t.Errorf("five octets where five are allowed: %q, %v", got, err)
	}
	r = httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader("12"), brokenReader{}))
	_, err := ReadBody(r, 5, nil)
	if e := symbolon.AsError(err); e.Code != symbolon.InvalidRequest || !errors.Is(e.Cause(), io.ErrUnexpectedEOF) {
		t.Errorf("a body that breaks off: %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestHeadsAreBounded: exactly 16 KiB of head pass, one octet more does not.
func TestHeadsAreBounded(t *testing.T) {
	s := serve(t, Config{}, func(http.ResponseWriter, *http.Request) error { return nil })
	for _, c := range []struct{ size, status int }{{symbolon.MaxHeader, 200}, {symbolon.MaxHeader + 1, 431}} {
		head := "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Fill: "
		head += strings.Repeat("x", c.size-len(head)-4) + "\r\n\r\n"
		if status := raw(t, s, head); status != c.status {
			t.Errorf("a head of %d octets: %d", len(head), status)
		}
	}
}

// raw sends bytes as they are and gives the status of the first answer.
func raw(t *testing.T, s *httptest.Server, text string) int {
	t.Helper()
	conn := dial(t, s)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	a := readAnswer(t, conn)
	a.Body.Close()
	return a.StatusCode
}

func TestFailuresOfTheServerAreLoggedWithTheirCause(t *testing.T) {
	var log bytes.Buffer
	c := Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	h := Wrap(c, func(w http.ResponseWriter, r *http.Request) error {
		ExchangeOf(w).Endpoint = "token"
		switch r.URL.Path {
		case "/refused":
			return symbolon.NewError(symbolon.InvalidClient, "no").WithCause(errors.New("wrong secret"))
		case "/late":
			io.WriteString(w, "half an answer")
		}
		return errors.New("the disk is gone")
	})
	get := func(path string) {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path+"?client_secret=canary", nil))
	}

	get("/refused")
	if log.Len() != 0 {
		t.Errorf("a refusal is nothing to log above debug: %s", &log)
	}
	get("/failed")
	if line := log.String(); !strings.Contains(line, "level=ERROR") || !strings.Contains(line, "the disk is gone") || !strings.Contains(line, "endpoint=token") {
		t.Errorf("log: %s", line)
	}
	log.Reset()
	get("/late")
	if !strings.Contains(log.String(), "the answer had begun already") {
		t.Errorf("log: %s", &log)
	}
	for range 1000 {
		get("/failed")
	}
	if n := strings.Count(log.String(), "\n"); n > 20 {
		t.Errorf("a failure of every request made %d lines", n)
	}
	if strings.Contains(log.String(), "canary") {
		t.Error("the query is in the log")
	}
}

// TestNoLineHasAQuery: nor a referrer that repeats one, whatever comes of the request
// and however much is logged.
func TestNoLineHasAQuery(t *testing.T) {
	var log bytes.Buffer
	c := Config{LogPaths: true, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	h := Wrap(c, func(w http.ResponseWriter, r *http.Request) error {
		switch r.URL.Path {
		case "/refused":
			return symbolon.NewError(symbolon.InvalidRequest, "wrong")
		case "/broken":
			return errors.New("the disk is gone")
		case "/panics":
			panic("out of order")
		}
		return nil
	})
	for _, path := range []string{"/", "/refused", "/broken", "/panics", "/escaped%3Fx=y"} {
		r := httptest.NewRequest("POST", path+"?client_id=billing&client_secret=canary", strings.NewReader("client_secret=canary"))
		r.Header.Set("Referer", "https://example.com/?client_secret=canary")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if text := log.String(); strings.Contains(text, "canary") || strings.Contains(text, "client_secret") || strings.Count(text, "msg=request ") != 5 {
		t.Errorf("log: %s", text)
	}
}

// TestErrorsInAnotherShape: whoever picks the handler says how its errors are
// written, a panic's too; others are written as before.
func TestErrorsInAnotherShape(t *testing.T) {
	for path, want := range map[string]string{"/": `{"error":"invalid_request"`, "/other": "other invalid_request", "/panics": "other server_error"} {
		s := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) error {
			if r.URL.Path != "/" {
				ExchangeOf(w).WriteError = func(x *Exchange, _ *http.Request, e *symbolon.Error) { io.WriteString(x, "other "+string(e.Code)) }
			}
			if r.URL.Path == "/panics" {
				panic("out of order")
			}
			return symbolon.NewError(symbolon.InvalidRequest, "wrong")
		})
		if _, body := do(t, request(t, "GET", s.URL+path, nil)); !strings.HasPrefix(body, want) {
			t.Errorf("%s: %s", path, body)
		}
	}
}

// TestNoLineIsInjectedIntoTheLog: what the sender chose stays inside its field.
func TestNoLineIsInjectedIntoTheLog(t *testing.T) {
	var log bytes.Buffer
	c := Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	h := Wrap(c, func(http.ResponseWriter, *http.Request) error { return nil })
	r := httptest.NewRequest("GET", "/", nil)
	r.Method = "GET\nlevel=ERROR"
	r.URL.Path = "/\nlevel=ERROR " + strings.Repeat("x", 4096)
	h.ServeHTTP(httptest.NewRecorder(), r)
	if line := log.String(); strings.Count(line, "\n") != 1 || len(line) > 1024 {
		t.Errorf("log: %q", line)
	}
}

func TestExchangeOfOutsideWrapPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	ExchangeOf(httptest.NewRecorder())
}

// TestAbortPassesThrough: net/http's own way to drop a connection stays, and the
// access log has what was answered until then.
func TestAbortPassesThrough(t *testing.T) {
	var log bytes.Buffer
	c := Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	h := Wrap(c, func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		panic(http.ErrAbortHandler)
	})
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("swallowed")
		}
		if line := log.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, "status=200") || !strings.Contains(line, "aborted=true") {
			t.Errorf("log: %q", line)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}
