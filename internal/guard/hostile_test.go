package guard

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/symbolontest"
)

// TestOtherCaseAndFinalSlash: to many programs /ADMIN/ is /admin, so it must not be
// a path of another route that asks for less.
func TestOtherCaseAndFinalSlash(t *testing.T) {
	w := start(t, nil, func(c *Config) {
		c.Routes = []Route{
			{Match: "/", Allow: "anyone"}, {Match: "/admin/", Scopes: []string{"orders:write"}}, {Match: "GET /orders", Scopes: []string{"orders:read"}},
			{Match: "GET /Reports", Scopes: []string{"orders:read"}}, {Match: "/items/{ID}", Allow: "anyone"}, {Match: "/items/", Allow: "anyone"},
			{Match: "/cased/", Allow: "anyone", AmbiguousPaths: "allow"}, {Match: "/cased/secret", Scopes: []string{}},
		}
	})
	for target, status := range map[string]int{
		"/ADMIN/x": 400, "/Admin/": 400, "/ADMIN": 400, "/%41dmin/x": 400, "/admin/x": 401, "/admin/X": 401, "/admin": 404,
		"/orders/": 400, "/Orders": 400, "/ORDERS/": 400, "/orders": 401, "/orders/7": 200,
		"/reports": 400, "/Reports": 401, "/REPORTS/": 400,
		"/items/ABC": 200, "/items/abc/": 200, "/items/": 200, "/else/": 200, "/Else": 200, "/": 200,
		"/cased/SECRET": 200, "/cased/secret": 401,
	} {
		resp, body := do(t, "GET", "http://"+w.addr, target, nil, nil)
		if got := w.reached(); resp.StatusCode != status || (len(got) > 0) != (status == 200) {
			t.Errorf("%s: %d %s, want %d", target, resp.StatusCode, body, status)
		}
		asked, body := do(t, "GET", "http://"+w.asked, "/forward-auth", head("X-Original-Method", "GET", "X-Original-Uri", target), nil)
		if (asked.StatusCode == 200) != (status == 200) {
			t.Errorf("forward-auth: %s: %d %s", target, asked.StatusCode, body)
		}
	}
}

// TestAFinalSlashThatIsNotThere: to many programs /reports is /reports/, so a
// wildcard that asks for less must not take it; nor what letters are small to
// some program. Who may do more than the other path asks for is in no doubt.
func TestAFinalSlashThatIsNotThere(t *testing.T) {
	w := start(t, nil, func(c *Config) {
		c.Routes = []Route{
			{Match: "GET /{page}", Allow: "anyone"}, {Match: "/reports/", Scopes: []string{"orders:read"}}, {Match: "GET /Bills/{$}", Scopes: []string{"orders:read"}},
			{Match: "/t/{team}/plans", Allow: "anyone"}, {Match: "/t/a/plans/{rest...}", Scopes: []string{"orders:read"}}, {Match: "POST /letters/", Scopes: []string{"orders:read"}},
			{Match: "/users/{id}", Scopes: []string{}}, {Match: "/users/{id}/", Scopes: []string{"orders:read"}}, {Match: "/p/", Allow: "anyone"}, {Match: "/p/sick", Scopes: []string{}},
		}
	})
	good := head("Authorization", w.bearer(t))
	for target, c := range map[string]struct{ without, with int }{
		"/reports": {400, 400}, "/REPORTS": {400, 400}, "/%52eports": {400, 400}, "/bills": {400, 400}, "/Bills": {400, 400}, "/t/a/plans": {400, 400}, "/t/A/plans": {400, 400},
		"/reports/": {401, 200}, "/Bills/": {401, 200}, "/reports/7": {401, 200}, "/t/a/plans/": {401, 200},
		"/report": {200, 200}, "/t/b/plans": {200, 200}, "/letters": {200, 200}, "/users/7": {401, 200}, "/users/7/x": {401, 200},
		"/p/sick": {401, 200}, "/p/%C5%BFick": {400, 400}, "/p/s%C4%B1ck": {400, 400}, "/p/si%E2%84%AA": {200, 200}, "/p/sic%E2%84%AA": {400, 400}, "/p/%C3%BC": {200, 200},
	} {
		for _, h := range []http.Header{nil, good} {
			status := c.without
			if h != nil {
				status = c.with
			}
			resp, body := do(t, "GET", "http://"+w.addr, target, h, nil)
			if got := w.reached(); resp.StatusCode != status || (len(got) > 0) != (status == 200) {
				t.Errorf("%s: %d %s, want %d", target, resp.StatusCode, body, status)
			}
		}
	}
}

// TestTwoRoutesThatDifferInTheirCase: whichever stands first, neither lets anyone
// to what the other protects. (The file may not say so.)
func TestTwoRoutesThatDifferInTheirCase(t *testing.T) {
	anyone, some := Route{Match: "/admin", Allow: "anyone"}, Route{Match: "/Admin", Scopes: []string{"a"}}
	for _, all := range [][]Route{{anyone, some}, {some, anyone}} {
		table := newTable(all)
		for path, doubt := range map[string]bool{"/admin": true, "/Admin": false} {
			u := &url.URL{Path: path}
			if r := table.find("GET", u); r == nil || table.doubtful("GET", u, r) != doubt {
				t.Errorf("%s: %+v", path, r)
			}
		}
	}
}

// TestMethodsInSmallLetters: to some programs delete is DELETE; to a route it is
// not.
func TestMethodsInSmallLetters(t *testing.T) {
	w := start(t, nil, func(c *Config) {
		c.Routes = []Route{{Match: "DELETE /items", Scopes: []string{"orders:write"}}, {Match: "/items", Allow: "anyone"}}
	})
	for method, status := range map[string]int{"delete": 400, "Delete": 400, "DELETE": 401, "get": 400, "GET": 200, "PURGE": 200} {
		resp, body := do(t, method, "http://"+w.addr, "/items", nil, nil)
		if resp.StatusCode != status || len(w.reached()) > 0 != (status == 200) {
			t.Errorf("%s: %d %s, want %d", method, resp.StatusCode, body, status)
		}
		asked, body := do(t, "GET", "http://"+w.asked, "/forward-auth", head("X-Original-Method", method, "X-Original-Uri", "/items"), nil)
		if (asked.StatusCode == 200) != (status == 200) {
			t.Errorf("forward-auth: %s: %d %s", method, asked.StatusCode, body)
		}
	}
}

// TestAQueryNamesNoOtherMethod: what is decided on is what is done.
func TestAQueryNamesNoOtherMethod(t *testing.T) {
	w := start(t, nil, nil)
	for target, status := range map[string]int{"/public/a?_method=DELETE": 400, "/public/a?a=1&%5Fmethod=PUT": 400, "/public/a?method=1": 200} {
		resp, body := do(t, "POST", "http://"+w.addr, target, nil, nil)
		if resp.StatusCode != status || len(w.reached()) > 0 != (status == 200) {
			t.Errorf("%s: %d %s, want %d", target, resp.StatusCode, body, status)
		}
	}
}

// TestGO_2026_4976_QueriesArriveWhole: the API gets each parameter that was looked
// at, however many there are.
func TestGO_2026_4976_QueriesArriveWhole(t *testing.T) {
	w := start(t, nil, nil)
	good := w.bearer(t)
	many := strings.Repeat("&", 10500)
	for target, status := range map[string]int{
		"/orders?" + many + "last=1": 200, "/orders?" + many + "access_token=x": 400, "/orders?" + many + "b;c": 400, "/orders?a=%7&b": 400,
		"/files/a?" + many + "b;c=%zz": 200,
	} {
		resp, body := do(t, "GET", "http://"+w.addr, target, head("Authorization", good), nil)
		got := w.reached()
		if resp.StatusCode != status || len(got) > 0 != (status == 200) || len(got) > 0 && got[0].Target != target {
			t.Errorf("…%s: %d %s, want %d", target[max(0, len(target)-20):], resp.StatusCode, body[:min(len(body), 200)], status)
		}
	}
}

// TestCVE_2024_23656_TLSStaysAsItIs when the certificate changes, and when its files
// are broken.
func TestCVE_2024_23656_TLSStaysAsItIs(t *testing.T) {
	files := pair(t)
	w := start(t, nil, func(c *Config) { c.Proxy.TLS = files })
	shown := func(low, high uint16, suites ...uint16) (string, error) {
		conn, err := tls.Dial("tcp", w.addr, &tls.Config{InsecureSkipVerify: true, MinVersion: low, MaxVersion: high, CipherSuites: suites})
		if err != nil {
			return "", err
		}
		defer conn.Close()
		return string(conn.ConnectionState().PeerCertificates[0].Raw), nil
	}
	first, err := shown(tls.VersionTLS12, tls.VersionTLS13)
	if err != nil {
		t.Fatal(err)
	}
	other := pair(t)
	for step, change := range []func(){
		func() {},
		func() { os.Rename(other.Key, files.Key); os.Rename(other.Cert, files.Cert) },
		func() { os.WriteFile(files.Cert, []byte("half a certif"), 0o600) },
	} {
		change()
		w.auth.Advance(2 * time.Second) // the files are looked at again
		got, err := shown(tls.VersionTLS12, tls.VersionTLS13)
		if err != nil || (got == first) != (step == 0) {
			t.Errorf("step %d: %v, the first certificate: %t", step, err, got == first)
		}
		if _, err := shown(tls.VersionTLS10, tls.VersionTLS11); err == nil {
			t.Errorf("step %d: TLS 1.1 is spoken", step)
		}
		if _, err := shown(tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA); err == nil {
			t.Errorf("step %d: CBC is spoken", step)
		}
	}
}

// serveSteady answers over steady with short times.
func serveSteady(t *testing.T, overHTTP2 bool, api func(s steady)) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s := newSteady(rw, r.Context(), r.ProtoMajor == 1)
		s.stall, s.last = 500*time.Millisecond, 500*time.Millisecond
		api(s)
		s.finish()
	}))
	srv.EnableHTTP2 = overHTTP2
	if overHTTP2 {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv
}

// TestAStalledStreamOfHTTP2 keeps nothing of the API's, and an idle one goes on.
func TestAStalledStreamOfHTTP2(t *testing.T) {
	ended := make(chan error, 1)
	srv := serveSteady(t, true, func(s steady) {
		s.Write([]byte("first"))
		s.FlushError()
		<-time.After(2 * s.stall)
		block := make([]byte, 64<<10)
		for {
			if _, err := s.Write(block); err != nil {
				ended <- err
				return
			}
		}
	})
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil || resp.ProtoMajor != 2 {
		t.Fatalf("an idle stream was ended: %s %v", resp.Proto, err)
	}
	select { // nothing more is taken
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("a caller that takes nothing keeps the stream")
	}
}

// TestEndlessHints: 1xx answers to a caller that takes nothing keep nothing, either.
func TestEndlessHints(t *testing.T) {
	ended := make(chan struct{})
	srv := serveSteady(t, false, func(s steady) {
		for began := time.Now(); time.Since(began) < 2*time.Second; {
			s.Header().Set("Link", strings.Repeat("a", 60<<10))
			s.WriteHeader(http.StatusEarlyHints)
		}
		close(ended)
	})
	open(t, srv.Listener.Addr().String(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("a caller that takes nothing keeps the exchange")
	}
}

// TestABodyThatNobodyWants: one that does not come keeps no connection, once the
// API has answered.
func TestABodyThatNobodyWants(t *testing.T) {
	srv := serveSteady(t, false, func(s steady) { s.Write([]byte("done")) })
	conn, r := open(t, srv.Listener.Addr().String(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	line(t, r, "200 OK")
	if _, err := io.Copy(io.Discard, r); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection stays")
	}
}

// TestAStalledWebSocketEndsWithItsToken: also when its caller takes nothing, so
// that nobody would see the end.
func TestAStalledWebSocketEndsWithItsToken(t *testing.T) {
	full := make(chan struct{})
	w := start(t, byHand(t, func(conn net.Conn, _ io.Reader, _ *http.Request) {
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+webSocketAccept+"\r\n")
		block := make([]byte, 64<<10)
		for {
			conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
			if _, err := conn.Write(block); err != nil {
				close(full)
				io.Copy(io.Discard, conn)
				return
			}
		}
	}), nil)
	_, r := open(t, w.addr, "GET /orders/socket HTTP/1.1\r\nHost: a\r\nAuthorization: "+w.bearer(t)+"\r\n"+webSocket+"\r\n")
	line(t, r, "101 Switching")
	<-full
	w.auth.Advance(time.Hour)
	until(t, "it is gone", func() bool { return len(w.live.list()) == 0 })
}

// cutOffFrom is a transport to an issuer that can be cut off.
type cutOffFrom struct{ away atomic.Bool }

var errAway = errors.New("cut off")

// RoundTrip implements http.RoundTripper: answers under way are lost, too.
func (c *cutOffFrom) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.away.Load() {
		return nil, errAway
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && c.away.Load() {
		resp.Body.Close()
		return nil, errAway
	}
	return resp, err
}

// TestReadyKnowsAnOldSet: a guard that refuses everybody, since it does not know
// what the issuer denied, is not ready.
func TestReadyKnowsAnOldSet(t *testing.T) {
	issuer := &cutOffFrom{}
	w := start(t, nil, func(c *Config) {
		c.HTTP, c.Revocations, c.Health = &http.Client{Transport: issuer}, Revocations{}, freeAddr(t)
	})
	good := w.bearer(t)
	for _, addr := range []string{w.cfg.Health, w.asked} {
		if resp, body := do(t, "GET", "http://"+addr, "/readyz", nil, nil); resp.StatusCode != 200 {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	issuer.away.Store(true)
	w.auth.Advance(time.Minute)
	for _, addr := range []string{w.cfg.Health, w.asked} {
		if resp, body := do(t, "GET", "http://"+addr, "/readyz", nil, nil); resp.StatusCode != 503 || !strings.Contains(body, "revoked") {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
		if resp, body := do(t, "GET", "http://"+addr, "/livez", nil, nil); resp.StatusCode != 200 {
			t.Errorf("livez: %d %s", resp.StatusCode, body)
		}
	}
	if resp, body := do(t, "GET", "http://"+w.addr, "/orders", head("Authorization", good), nil); resp.StatusCode != 503 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	issuer.away.Store(false)
	until(t, "it is ready again", func() bool {
		resp, _ := do(t, "GET", "http://"+w.cfg.Health, "/readyz", nil, nil)
		return resp.StatusCode == 200
	})
}

// opaque runs a guard in front of an API whose tokens only the issuer can read.
func opaque(t *testing.T) (w *world, orders *symbolontest.API) {
	t.Helper()
	w = start(t, nil, func(c *Config) { c.Proxy.Listen, c.ForwardAuth.Listen = freeAddr(t), freeAddr(t) })
	orders = w.auth.OpaqueAPI("sealed", "orders:read")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(orders.AskerSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := w.cfg
	cfg.Audience, cfg.PublicURL = orders.Identifier, "http://"+w.addr
	proxy, asked := *cfg.Proxy, *cfg.ForwardAuth
	proxy.Listen, asked.Listen = w.addr, w.asked
	cfg.Proxy, cfg.ForwardAuth = &proxy, &asked
	cfg.Introspection = &Introspection{ClientID: orders.AskerID, SecretFile: secret}
	w.run(t, cfg)
	return w, orders
}

// TestOpaqueTokens through both modes, bearer and bound: until their byte, their
// client or their time is another.
func TestOpaqueTokens(t *testing.T) {
	w, orders := opaque(t)
	billing := w.auth.Client("billing-sealed", orders, "orders:read")
	ask := func(h http.Header) (proxy, asked int) {
		t.Helper()
		resp, _ := do(t, "GET", "http://"+w.addr, "/orders", h, nil)
		for _, a := range w.reached() {
			if a.Header.Get("X-Auth-Client-Id") != billing.ID || a.Header.Get("Authorization") != "" {
				t.Errorf("the API got %q", a.Header)
			}
		}
		h["X-Original-Method"], h["X-Original-Uri"] = []string{"GET"}, []string{"/orders"}
		again, _ := do(t, "GET", "http://"+w.asked, "/forward-auth", h, nil)
		if again.StatusCode == 200 && again.Header.Get("X-Auth-Client-Id") != billing.ID {
			t.Errorf("the proxy got %q", again.Header)
		}
		return resp.StatusCode, again.StatusCode
	}
	text := func(c *client.Client) string {
		token, err := c.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return token.Value()
	}
	bearer := text(billing.Client)
	for name, c := range map[string]struct {
		authorization string
		status        int
	}{
		"good": {"Bearer " + bearer, 200}, "again": {"Bearer " + bearer, 200}, "cut": {"Bearer " + bearer[:len(bearer)-1], 401},
		"extended": {"Bearer " + bearer + "A", 401}, "in capitals": {"Bearer " + strings.ToUpper(bearer), 401},
		"of another API": {w.bearer(t), 401}, "bound, without its key": {"Bearer " + text(billing.DPoP().Client), 401},
	} {
		if proxy, asked := ask(head("Authorization", c.authorization)); proxy != c.status || asked != c.status {
			t.Errorf("%s: %d and %d, want %d", name, proxy, asked, c.status)
		}
	}
	w.auth.Disable(billing.ID)
	w.auth.Advance(time.Second) // for so long an answer is kept
	if proxy, asked := ask(head("Authorization", "Bearer "+bearer)); proxy != 401 || asked != 401 {
		t.Errorf("a client that is disabled: %d and %d", proxy, asked)
	}
}

// TestReadyTellsOfRefusedCredentials: the guard is ready for all tokens but those
// that it must ask about.
func TestReadyTellsOfRefusedCredentials(t *testing.T) {
	w, orders := opaque(t)
	ready := func(what, text string) {
		t.Helper()
		until(t, what, func() bool {
			resp, body := do(t, "GET", "http://"+w.asked, "/readyz", nil, nil)
			if resp.StatusCode != 200 {
				t.Fatalf("%s: %d %s", what, resp.StatusCode, body)
			}
			return strings.HasPrefix(body, text)
		})
	}
	ready("it is ready", "ok")
	w.auth.Disable(orders.AskerID)
	billing := w.auth.Client("billing-sealed", orders, "orders:read")
	token, err := billing.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if resp, body := do(t, "GET", "http://"+w.addr, "/orders", head("Authorization", "Bearer "+token.Value()), nil); resp.StatusCode != 503 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	ready("it is degraded", "degraded: the issuer does not take the credentials")
	if n := w.log.Count("does not take the credentials that it is asked with"); n != 1 {
		t.Errorf("the log tells it %d times", n)
	}
}
