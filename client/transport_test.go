package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
)

const refusedToken = `Bearer realm="orders", error="invalid_token", error_description="the access token expired"`

// api is an API that takes tokens in accepts, or all when it is empty.
func api(t *testing.T, accepts string) (*httptest.Server, *atomic.Int64) {
	var n atomic.Int64
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		body, _ := io.ReadAll(r.Body)
		if got := r.Header.Values("Authorization"); len(got) != 1 || !strings.HasPrefix(got[0], "Bearer token-") {
			t.Errorf("Authorization is %q", got)
		} else if accepts != "" && got[0] != "Bearer "+accepts {
			w.Header().Add("WWW-Authenticate", `Negotiate`)
			w.Header().Add("WWW-Authenticate", refusedToken)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Write(append([]byte("hello "), body...))
	})), &n
}

func body(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (s *authServer) clientOf(t *testing.T, resource string) *Client {
	cfg := s.config()
	cfg.Resource = resource
	return newClient(t, cfg)
}

func TestHTTPPresentsTheToken(t *testing.T) {
	s := newAuthServer(t)
	a, _ := api(t, "")
	c := s.clientOf(t, a.URL+"/api")
	req, _ := http.NewRequest(http.MethodGet, a.URL+"/orders", nil)
	req.Header.Set("Authorization", "Bearer of-another")
	for range 3 {
		resp, err := c.HTTP().Do(req)
		if got := body(t, resp, err); got != "hello " {
			t.Error(got)
		}
	}
	if req.Header.Get("Authorization") != "Bearer of-another" {
		t.Error("the caller's request was changed")
	}
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d token requests", n)
	}
}

// TestTheTokenGoesToItsOriginOnly: another host, port or scheme is another
// origin; nothing is sent there.
func TestTheTokenGoesToItsOriginOnly(t *testing.T) {
	s := newAuthServer(t)
	other := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Errorf("a request reached %s", r.Host) }))
	c := s.clientOf(t, "https://orders.example.com")
	for _, u := range []string{other.URL, "https://orders.example.com.evil.example", "https://evil.example/orders.example.com", "http://orders.example.com", "https://orders.example.com:8443",
		"https://orders.example.com@evil.example/"} {
		resp, err := c.HTTP().Get(u)
		if err == nil {
			resp.Body.Close()
			t.Errorf("%s was asked", u)
		} else if !strings.Contains(err.Error(), "Origins") {
			t.Error(err)
		}
	}
	if s.requests.Load() != 0 {
		t.Error("a token was fetched for nothing")
	}
	same := originsOf(t, "https://Orders.Example.Com", "https://orders.example.com:443/x", "https://orders.example.com.")
	for _, o := range same {
		if o != same[0] {
			t.Errorf("%v and %v are one origin", o, same[0])
		}
	}
}

func originsOf(t *testing.T, resources ...string) []origin {
	var all []origin
	for _, r := range resources {
		o, err := parseOrigins(nil, r)
		if err != nil || len(o) != 1 {
			t.Fatal(o, err)
		}
		all = append(all, o[0])
	}
	return all
}

// TestNoOriginMeansNowhere: without an http resource and origins nothing is
// sent by itself.
func TestNoOriginMeansNowhere(t *testing.T) {
	s := newAuthServer(t)
	a, n := api(t, "")
	if _, err := s.clientOf(t, "urn:example:orders").HTTP().Get(a.URL); err == nil || n.Load() != 0 {
		t.Error(err)
	}
}

// TestNoTokenAlongARedirectElsewhere: the request goes on, the token stays;
// and a chain that left its origin is not trusted when it comes back.
func TestNoTokenAlongARedirectElsewhere(t *testing.T) {
	s := newAuthServer(t)
	var a, elsewhere *httptest.Server
	back := ""
	elsewhere = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token followed the redirect")
		}
		if back != "" {
			http.Redirect(w, r, back, http.StatusFound)
			return
		}
		io.WriteString(w, "elsewhere")
	}))
	a = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("Authorization") != ""
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		case "/here":
			http.Redirect(w, r, "/end", http.StatusFound)
		default:
			io.WriteString(w, map[bool]string{true: "with token", false: "without token"}[token])
		}
	}))
	c := s.clientOf(t, a.URL)
	for _, step := range []struct{ back, path, want string }{
		{"", "/away", "elsewhere"},
		{"", "/here", "with token"},
		{a.URL + "/end", "/away", "without token"},
	} {
		back = step.back
		resp, err := c.HTTP().Get(a.URL + step.path)
		if got := body(t, resp, err); got != step.want {
			t.Errorf("%s: %s, want %s", step.path, got, step.want)
		}
	}
}

// TestARefusedTokenIsReplacedOnce: RFC 6750 §3.1, with a body that can be sent
// again.
func TestARefusedTokenIsReplacedOnce(t *testing.T) {
	s := newAuthServer(t)
	a, n := api(t, "token-2")
	c := s.clientOf(t, a.URL)
	resp, err := c.HTTP().Post(a.URL, "text/plain", strings.NewReader("twice"))
	if got := body(t, resp, err); got != "hello twice" {
		t.Error(got)
	}
	if n.Load() != 2 || s.requests.Load() != 2 {
		t.Errorf("%d calls, %d token requests", n.Load(), s.requests.Load())
	}
}

// TestABodyThatCannotBeSentAgain: the caller gets the 401, and the next call a
// new token.
func TestABodyThatCannotBeSentAgain(t *testing.T) {
	s := newAuthServer(t)
	a, n := api(t, "token-2")
	c := s.clientOf(t, a.URL)
	resp, err := c.HTTP().Post(a.URL, "text/plain", io.MultiReader(strings.NewReader("once")))
	if body(t, resp, err); resp.StatusCode != http.StatusUnauthorized || n.Load() != 1 {
		t.Errorf("%d after %d calls", resp.StatusCode, n.Load())
	}
	resp, err = c.HTTP().Get(a.URL)
	if got := body(t, resp, err); got != "hello " {
		t.Error(got)
	}
}

// TestAnAPIThatRefusesEveryToken: two calls to it, the second answer to the
// caller, and no load on the server.
func TestAnAPIThatRefusesEveryToken(t *testing.T) {
	s := newAuthServer(t)
	a, n := api(t, "token-none")
	c := s.clientOf(t, a.URL)
	for i := range 20 {
		resp, err := c.HTTP().Get(a.URL)
		if body(t, resp, err); resp.StatusCode != http.StatusUnauthorized {
			t.Error(resp.Status)
		}
		if i == 0 && n.Load() != 2 {
			t.Errorf("%d calls for one", n.Load())
		}
	}
	if s.requests.Load() != 2 || n.Load() != 21 {
		t.Errorf("%d token requests, %d calls for twenty", s.requests.Load(), n.Load())
	}
}

// TestOtherRefusalsAreTheCallers: only invalid_token is about the token.
func TestOtherRefusalsAreTheCallers(t *testing.T) {
	for _, challenge := range []string{"", "Bearer", `Bearer realm="x", error="insufficient_scope"`, `Basic realm="x", error="invalid_token"`, `Bearer realm="error=\"invalid_token\""`, `Bearer error="invalid"`} {
		s := newAuthServer(t)
		var n atomic.Int64
		a := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			w.Header().Set("WWW-Authenticate", challenge)
			w.WriteHeader(http.StatusUnauthorized)
		}))
		resp, err := s.clientOf(t, a.URL).HTTP().Get(a.URL)
		if body(t, resp, err); n.Load() != 1 || s.requests.Load() != 1 {
			t.Errorf("%q: %d calls, %d token requests", challenge, n.Load(), s.requests.Load())
		}
	}
}

func TestSchemeError(t *testing.T) {
	for header, want := range map[string]string{
		refusedToken:                                      "invalid_token",
		`bearer error=invalid_token`:                      "invalid_token",
		`Bearer error = "invalid_token"`:                  "invalid_token",
		`Basic realm="a, b", Bearer error="x"`:            "x",
		`Basic realm="Bearer error=\"x\"", charset="U"`:   "",
		`Negotiate abc/d+e==, Bearer realm="", error="x"`: "x",
		`Bearer error="x`:                                 "x",
		`Bearer error="\`:                                 "",
		`Bearer error=`:                                   "",
		`,,,=`:                                            "",
		`Bearer`:                                          "",
		`DPoP error="invalid_token", algs="ES256"`:        "",
	} {
		if got := schemeError(header, "Bearer"); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
}

// FuzzSchemeError: no header of an API makes the client fail or hang.
func FuzzSchemeError(f *testing.F) {
	f.Add(refusedToken)
	f.Add(`Basic realm="\"", Bearer error=`)
	f.Fuzz(func(t *testing.T, header string) {
		if got := schemeError(header, "Bearer"); got != "" && !strings.Contains(strings.ToLower(header), "error") {
			t.Errorf("%q gave %q", header, got)
		}
	})
}

// TestNoTokenNoRequest: when there is no token, the API is not asked, the
// error is the server's, and the body is closed.
func TestNoTokenNoRequest(t *testing.T) {
	s := newAuthServer(t)
	s.answer(func(w http.ResponseWriter, r *request) { refuse(w, 401, "invalid_client") })
	a, n := api(t, "")
	closed := &closeNoted{Reader: bytes.NewReader([]byte("x"))}
	req, _ := http.NewRequest(http.MethodPost, a.URL, closed)
	_, err := s.clientOf(t, a.URL).HTTP().Do(req)
	var e *symbolon.Error
	if !errors.As(err, &e) || e.Code != symbolon.InvalidClient || e.RequestID != "rid-1" || n.Load() != 0 || !closed.closed {
		t.Errorf("%v; %d calls; closed %v", err, n.Load(), closed.closed)
	}
}

type closeNoted struct {
	io.Reader
	closed bool
}

func (c *closeNoted) Close() error { c.closed = true; return nil }

// TestTheServerGoesAwayAfterARefusal: the API's own answer is what the caller
// sees.
func TestTheServerGoesAwayAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &authServer{issuer: "http://auth.localhost"}
		cfg := s.config()
		cfg.Resource = "http://api.localhost"
		cfg.HTTP = pipe(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Host != "api.localhost" {
				s.ServeHTTP(w, r)
				return
			}
			w.Header().Set("WWW-Authenticate", refusedToken)
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, "the API's words")
		}))
		c := newClient(t, cfg)
		value(t, c)
		s.answer(func(w http.ResponseWriter, r *request) { w.WriteHeader(http.StatusServiceUnavailable) })
		resp, err := c.HTTP().Get("http://api.localhost")
		if got := body(t, resp, err); got != "the API's words" {
			t.Error(got)
		}
	})
}

// perRPCCredentials is credentials.PerRPCCredentials of google.golang.org/grpc.
type perRPCCredentials interface {
	GetRequestMetadata(ctx context.Context, uri ...string) (map[string]string, error)
	RequireTransportSecurity() bool
}

var _ perRPCCredentials = (*PerRPC)(nil)

func TestPerRPC(t *testing.T) {
	s := newAuthServer(t)
	for resource, c := range map[string]struct {
		uri    string
		ok     bool
		secure bool
	}{
		"https://orders.example.com":     {"https://orders.example.com/pkg.Orders", true, true},
		"https://orders.example.com/v1":  {"https://orders.example.com/pkg.Orders", true, true},
		"https://orders.example.com:443": {"https://evil.example/pkg.Orders", false, true},
		"http://localhost:50051":         {"https://localhost:50051/pkg.Orders", true, false},
		"http://localhost:50052":         {"https://localhost:50051/pkg.Orders", false, false},
		"urn:example:orders":             {"https://orders.example.com/pkg.Orders", false, true},
	} {
		p, err := s.clientOf(t, resource).PerRPC()
		if err != nil {
			t.Fatal(err)
		}
		md, err := p.GetRequestMetadata(t.Context(), c.uri)
		if (err == nil) != c.ok || c.ok && !strings.HasPrefix(md["authorization"], "Bearer token-") {
			t.Errorf("%s: %v, %v", resource, md, err)
		}
		if p.RequireTransportSecurity() != c.secure {
			t.Errorf("%s: transport security %v", resource, !c.secure)
		}
	}
}

// TestTransportUsesItsBase: HTTP is Config.HTTP with the token.
func TestTransportUsesItsBase(t *testing.T) {
	s := newAuthServer(t)
	cfg := s.config()
	used := 0
	cfg.HTTP = &http.Client{Timeout: time.Minute, Transport: countingTransport{&used}}
	c := newClient(t, cfg)
	hc := c.HTTP()
	if hc.Timeout != time.Minute {
		t.Error("the timeout is lost")
	}
	hc.CloseIdleConnections()
	if used != 1 {
		t.Error("CloseIdleConnections does not reach the base")
	}
}

type countingTransport struct{ n *int }

func (countingTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.EOF }
func (c countingTransport) CloseIdleConnections()                         { *c.n++ }
