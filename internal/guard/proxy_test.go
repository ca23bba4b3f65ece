package guard

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestProxyForwardsWhatItDecidedOn: method, target and body as they came; who
// the caller is, and where it asked, from the guard alone.
func TestProxyForwardsWhatItDecidedOn(t *testing.T) {
	w := start(t, nil, nil)
	resp, body := do(t, "PUT", "http://"+w.addr, "/orders/a%20b?x=%7B1%7D&y=&y=2&z", head("Authorization", w.bearer(t), "X-Mine", "yes"), strings.NewReader("text"))
	got := w.reached()
	if resp.StatusCode != http.StatusOK || len(got) != 1 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	a := got[0]
	if a.Method != "PUT" || a.Target != "/orders/a%20b?x=%7B1%7D&y=&y=2&z" || a.Body != "text" || a.Host != w.addr {
		t.Errorf("%+v", a)
	}
	want := map[string]string{
		"X-Auth-Client-Id": "billing", "X-Auth-Subject": "billing", "X-Auth-Scope": "orders:read", "X-Mine": "yes",
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": w.addr, "X-Forwarded-Proto": "http", "Request-Id": resp.Header.Get("Request-Id"),
	}
	for name, value := range want {
		if !reflect.DeepEqual(a.Header[name], []string{value}) {
			t.Errorf("%s: %q, want %q", name, a.Header[name], value)
		}
	}
	if a.Header["Authorization"] != nil || a.Header["Dpop"] != nil {
		t.Errorf("the token went on: %q", a.Header)
	}
	if id := resp.Header["Request-Id"]; len(id) != 1 || len(id[0]) != 22 || resp.Header.Get("X-Content-Type-Options") != "" {
		t.Errorf("answered with %q", resp.Header)
	}
	if strings.Contains(w.log.String(), "y=2") || !strings.Contains(w.log.String(), `endpoint=/orders/`) || !strings.Contains(w.log.String(), "path=/orders/a%20b") {
		t.Errorf("the access log: %s", w.log.String())
	}
}

func TestProxyRefuses(t *testing.T) {
	w := start(t, nil, nil)
	good := w.bearer(t)
	for name, c := range map[string]struct {
		method, target string
		header         http.Header
		status         int
		says           string // part of WWW-Authenticate or of the body
	}{
		"no token":                              {"GET", "/orders", nil, 401, `Bearer realm="https://orders.example.com", scope="orders:read"`},
		"a token of nobody":                     {"GET", "/orders", head("Authorization", "Bearer x"), 401, "invalid_token"},
		"a broken signature":                    {"GET", "/orders", head("Authorization", good[:len(good)-6]+"AAAAAA"), 401, "invalid_token"},
		"a scope that is missing":               {"POST", "/orders", head("Authorization", good), 403, `error="insufficient_scope"`},
		"no route":                              {"GET", "/admin", head("Authorization", good), 404, "no route of this guard matches"},
		"another method":                        {"DELETE", "/orders", head("Authorization", good), 404, "no route"},
		"a path without its slash":              {"GET", "/public", head("Authorization", good), 404, "no route"},
		"two Authorization headers":             {"GET", "/orders", head("Authorization", good, "Authorization", good), 400, "more than one access token"},
		"two tokens in one":                     {"GET", "/orders", head("Authorization", good+", "+good), 400, "more than one access token"},
		"a token in the query":                  {"GET", "/orders?access_token=x", head("Authorization", good), 400, "access tokens in the query"},
		"another scheme":                        {"GET", "/orders", head("Authorization", strings.Replace(good, "Bearer", "Token", 1)), 401, "Bearer"},
		"a health checker's name":               {"GET", "/orders", head("User-Agent", "kube-probe/1.30"), 401, "Bearer"},
		"health is not here":                    {"GET", "/livez", nil, 404, "no route"},
		"forward-auth is not here":              {"GET", "/forward-auth", head("X-Original-Uri", "/public/", "X-Original-Method", "GET"), 404, "no route"},
		"a method in a header":                  {"GET", "/orders", head("Authorization", good, "X-Http-Method-Override", "DELETE"), 400, "override"},
		"a method in a header, other spelling":  {"GET", "/orders", head("Authorization", good, "x_http_method", "DELETE"), 400, "override"},
		"a method in a header, for anyone":      {"POST", "/public/a", head("X-Method-Override", "DELETE"), 400, "override"},
		"a path in a header":                    {"GET", "/orders", head("X-Original-Url", "/public/", "X-Rewrite-Url", "/public/"), 401, "Bearer"},
		"a forged identity":                     {"GET", "/orders", head("X-Auth-Client-Id", "billing"), 401, "Bearer"},
		"a certificate in a header":             {"GET", "/orders", head("Client-Cert", ":AAAA:"), 401, "Bearer"},
		"a semicolon in the query":              {"GET", "/public/?a=1;b=2", nil, 400, "differently"},
		"an encoding that is none":              {"GET", "/public/?a=%zz", nil, 400, "differently"},
		"octets that are no URL in the query":   {"GET", "/public/?a=\xff", nil, 400, "differently"},
		"a token under a spelling of the query": {"GET", "/orders?%61ccess_token=x", head("Authorization", good), 400, "access tokens in the query"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := do(t, c.method, "http://"+w.addr, c.target, c.header, nil)
			said := strings.Join(resp.Header["Www-Authenticate"], ", ") + body
			if resp.StatusCode != c.status || !strings.Contains(said, c.says) {
				t.Errorf("%d %s, want %d %s", resp.StatusCode, said, c.status, c.says)
			}
			if got := w.reached(); len(got) > 0 {
				t.Errorf("the API got %+v", got)
			}
			if resp.Header.Get("Cache-Control") != "no-store" || len(resp.Header.Get("Request-Id")) != 22 {
				t.Errorf("answered with %q", resp.Header)
			}
		})
	}
}

// TestTheLogHasWhyARequestWasRefused, by the Request-Id that the caller was given.
func TestTheLogHasWhyARequestWasRefused(t *testing.T) {
	w := start(t, nil, nil)
	for target, want := range map[string]string{"/orders": "code=invalid_token because=\"the access token is malformed\"", "/nowhere": "code=not_found because=\"no route"} {
		resp, _ := do(t, "GET", "http://"+w.addr, target, head("Authorization", "Bearer not.one.secret"), nil)
		line := "msg=refused request_id=" + resp.Header.Get("Request-Id") + " " + want
		if log := w.log.String(); !strings.Contains(log, line) || strings.Contains(log, "secret") {
			t.Errorf("%s: the log has no %s:\n%s", target, line, log)
		}
	}
}

// forgeries are headers by which somebody in front of an API says who the caller
// is or what it asked for, in spellings that are one to some program.
var forgeries = []string{
	"X-Auth-Client-Id", "X-Auth-Scope", "X-Auth-Subject", "X-Auth-User", "X-Auth-Request-User",
	"X_Auth_Client_Id", "x-auth_client-id", "X_AUTH_SCOPE", "x.auth.client.id", "X-Auth-Client-Id_", "X_Auth-Subject",
	"X-Forwarded-User", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Port", "X-Forwarded-Prefix", "X_Forwarded_For", "X_Forwarded_Host", "X_Forwarded_Proto",
	"X-Original-Uri", "X-Original-Url", "X-Original-Method", "X_Original_Uri", "X-Rewrite-Url", "X-Envoy-Original-Path",
	"Forwarded", "X-Real-Ip", "X-Remote-User", "Remote-User", "X-Ssl-Client-Cert", "Ssl-Client-Verify", "X-Authenticated-User",
	"Client-Cert", "Client-Cert-Chain", "X-Client-Cert", "X-Forwarded-Client-Cert", "X-Forwarded-Tls-Client-Cert",
	"X-Forwarded", "X-Forward-For", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Envoy-External-Address", "X-Host", "X-Http-Host-Override",
	"X-Webauth-User", "X-Consumer-Username", "X-Amzn-Oidc-Identity", "X-Goog-Authenticated-User-Email", "X-Goog-Iap-Jwt-Assertion", "X-Ms-Client-Principal", "Cf-Access-Jwt-Assertion",
	"X-Tls-Client-Cert", "X-Arr-Clientcert", "X-Arr-Ssl", "X-Client-Verify", "X-Client-Dn", "Wl-Proxy-Client-Cert", "Fastly-Client-Ip", "X-Azure-Clientip", "X-Appengine-User-Email",
	"Oidc-Claim-Sub", "Mellon-Name-Id", "Shib-Session-Id", "Sm-User", "Iv-User", "X-Pomerium-Claim-Email", "X-Credential-Identifier", "X-Anonymous-Consumer",
	"X-Scheme", "X-Url-Scheme", "Front-End-Https", "X-Script-Name", "X-Accel-Mapping", "X-Sendfile-Type", "X-Middleware-Subrequest",
	"Proxy", "Transfer_Encoding", "Content_Length", "Authorization_", "Dpop_",
}

// TestNoForgedHeaderReachesTheAPI, whether a token was needed or not.
func TestNoForgedHeaderReachesTheAPI(t *testing.T) {
	w := start(t, nil, nil)
	good := w.bearer(t)
	for _, target := range []string{"/orders", "/public/a"} {
		h := head("Authorization", good)
		for _, name := range forgeries {
			h[name] = []string{"forged", "forged"}
		}
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Request-Id"} {
			h[name] = []string{"forged", "forged"}
		}
		if resp, body := do(t, "GET", "http://"+w.addr, target, h, nil); resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", target, resp.StatusCode, body)
		}
		for _, a := range w.reached() {
			for name, values := range a.Header {
				if slices.Contains(values, "forged") {
					t.Errorf("%s: %s: %q", target, name, values)
				}
			}
			if known := a.Header.Get("X-Auth-Client-Id"); known != "" && target != "/orders" || known != "billing" && target == "/orders" {
				t.Errorf("%s: X-Auth-Client-Id %q", target, known)
			}
			if a.Host != w.addr || a.Header.Get("X-Forwarded-Host") != w.addr {
				t.Errorf("host %q, %q", a.Host, a.Header.Get("X-Forwarded-Host"))
			}
		}
	}
}

// TestConnectionRemovesNothingOfOurs: a caller that names our headers as
// hop-by-hop takes none of them away (CVE-2024-45410).
func TestConnectionRemovesNothingOfOurs(t *testing.T) {
	w := start(t, nil, nil)
	resp, body := do(t, "GET", "http://"+w.addr, "/orders", head("Authorization", w.bearer(t),
		"Connection", "close, X-Auth-Client-Id, x-auth-scope, X-Auth-Subject, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, Request-Id, Authorization"), nil)
	got := w.reached()
	if resp.StatusCode != http.StatusOK || len(got) != 1 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	for _, name := range []string{"X-Auth-Client-Id", "X-Auth-Scope", "X-Auth-Subject", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Request-Id"} {
		if len(got[0].Header[name]) != 1 {
			t.Errorf("%s: %q", name, got[0].Header[name])
		}
	}
}

// TestTheHostIsNotTheCallers: what an API builds from Host it builds from
// public_url.
func TestTheHostIsNotTheCallers(t *testing.T) {
	w := start(t, nil, nil)
	for _, host := range []string{"evil.example.com", w.addr, "127.0.0.1:1", ""} {
		resp, body := raw(t, w.addr, "GET /public/a HTTP/1.1\r\nHost: "+host+"\r\nX-Forwarded-Host: evil.example.com\r\nConnection: close\r\n\r\n")
		got := w.reached()
		if resp.StatusCode != http.StatusOK || len(got) != 1 || got[0].Host != w.addr || got[0].Header.Get("X-Forwarded-Host") != w.addr {
			t.Errorf("%s: %d %s %+v", host, resp.StatusCode, body, got)
		}
	}
}

// TestProxyPassesTheTokenOnWhenToldSo, and only then.
func TestProxyPassesTheTokenOnWhenToldSo(t *testing.T) {
	w := start(t, nil, func(c *Config) { c.Proxy.Authorization = "pass" })
	good := w.bearer(t)
	do(t, "GET", "http://"+w.addr, "/orders", head("Authorization", good), nil)
	if got := w.reached(); len(got) != 1 || got[0].Header.Get("Authorization") != good {
		t.Errorf("%+v", got)
	}
}

// TestSmuggling: what two readers of HTTP/1.1 could take apart differently
// is refused, or becomes one message, and its connection ends.
func TestSmuggling(t *testing.T) {
	w := start(t, nil, nil)
	const inner = "GET /orders HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, c := range map[string]struct {
		text   string
		status int
		body   string // that the API gets
	}{
		"length and chunks":           {"POST /public/a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + inner, 200, "abc"},
		"chunks and a smuggled one":   {"POST /public/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner, 200, ""},
		"chunks of the old version":   {"GET /public/a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + inner, 200, ""},
		"two lengths":                 {"POST /public/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, ""},
		"a list of lengths":           {"POST /public/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\nab", 400, ""},
		"a length with a sign":        {"POST /public/a HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", 400, ""},
		"a coding that is none":       {"POST /public/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501, ""},
		"two codings":                 {"POST /public/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 501, ""},
		"a space before the colon":    {"POST /public/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, ""},
		"a folded line":               {"POST /public/a HTTP/1.1\r\nHost: a\r\nX: 1\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, ""},
		"a bare line feed in a chunk": {"POST /public/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 0, ""},
		"two hosts":                   {"GET /public/a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, ""},
		"an absolute form":            {"GET http://evil.example.com/public/a HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""},
		"an authority form":           {"CONNECT evil.example.com:443 HTTP/1.1\r\nHost: evil.example.com:443\r\n\r\n", 400, ""},
		"an asterisk form":            {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""},
		"a path that has no slash":    {"GET public/a HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""},
		"CONNECT to a path":           {"CONNECT /public/a HTTP/1.1\r\nHost: a\r\n\r\n", 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			place := "/public/" + url.PathEscape(name) // what comes late of another case is not counted
			resp, body := raw(t, w.addr, strings.Replace(c.text, "/public/a", place, 1))
			got := slices.DeleteFunc(w.reached(), func(a arrived) bool { return a.Target != place && a.Target != "/orders" })
			switch {
			case c.status != 0 && resp.StatusCode != c.status:
				t.Errorf("%d %s, want %d", resp.StatusCode, body, c.status)
			case resp.StatusCode >= 500 && resp.StatusCode != 501:
				t.Errorf("%d %s", resp.StatusCode, body)
			case c.status == 200 && (len(got) != 1 || got[0].Body != c.body || got[0].Header["Content-Length"] != nil):
				t.Errorf("the API got %+v", got)
			case c.status == 200 && !resp.Close:
				t.Error("the connection goes on")
			case c.status != 200 && len(got) > 0 && (len(got) > 1 || got[0].Body != ""):
				t.Errorf("the API got %+v", got)
			}
			for _, a := range got {
				if a.Header.Get("X") != "" && strings.Contains(a.Header.Get("X"), "\n") {
					t.Errorf("the API got %+v", a)
				}
			}
		})
	}
}

// TestTrailersDoNotReachTheAPI: they come when everything is decided, and become
// headers in some programs. Those of answers pass.
func TestTrailersDoNotReachTheAPI(t *testing.T) {
	var w *world
	w = start(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Trailer", "Sum")
		w.ServeHTTP(rw, r)
		rw.Header().Set("Sum", "1")
	}), nil)
	resp, body := raw(t, w.addr, "POST /public/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Auth-Client-Id, Other\r\n\r\n3\r\nabc\r\n0\r\nX-Auth-Client-Id: forged\r\nOther: 1\r\n\r\n")
	got := w.reached()
	if resp.StatusCode != http.StatusOK || len(got) != 1 || got[0].Body != "abc" || len(got[0].Trailer) > 0 || got[0].Header["Trailer"] != nil {
		t.Fatalf("%d %s %+v", resp.StatusCode, body, got)
	}
	if resp.Trailer.Get("Sum") != "1" {
		t.Errorf("the answer's trailers: %q", resp.Trailer)
	}
}

// TestARouteMayTakeAmbiguousPaths: they arrive as they were sent, and lead out of
// the route in no spelling.
func TestARouteMayTakeAmbiguousPaths(t *testing.T) {
	w := start(t, nil, nil)
	good := w.bearer(t)
	for _, target := range []string{"/files/a%2fb", "/files/a//b", "/files//", "/files/a;v=1/b", "/files/a%2Eb", "/files/100%2541", "/files/a?x=1;y=2", "/files/[1]", "/files/a?x=%"} {
		resp, body := do(t, "GET", "http://"+w.addr, target, head("Authorization", good), nil)
		if got := w.reached(); resp.StatusCode != http.StatusOK || len(got) != 1 || got[0].Target != target {
			t.Errorf("%s: %d %s %+v", target, resp.StatusCode, body, got)
		}
		if resp, body := do(t, "GET", "http://"+w.addr, target, nil, nil); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d %s", target, resp.StatusCode, body)
		}
	}
	for _, target := range []string{"/files/..%2fpublic/a", "/files/../public/a", "/files/a\\b", "/files/..;/public/", "/files/%2e%2e/public/", "/files/%252e%252e/x", "/files/a%00", "/files/a%5c..", "//files/a", "/public//a"} {
		resp, body := do(t, "GET", "http://"+w.addr, target, head("Authorization", good), nil)
		if got := w.reached(); resp.StatusCode != http.StatusBadRequest || len(got) > 0 {
			t.Errorf("%s: %d %s %+v", target, resp.StatusCode, body, got)
		}
	}
}

// TestUpstreamErrors: 502 and 504 without a text, and the log has the cause.
func TestUpstreamErrors(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	w := start(t, byHand(t, func(conn net.Conn, _ io.Reader, r *http.Request) {
		switch r.URL.Path {
		case "/public/garbage":
			io.WriteString(conn, "\x16\x03\x01 garbage\r\n\r\n")
		case "/public/head":
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX: %s\r\n\r\n", strings.Repeat("x", 1<<20))
		case "/public/slow":
			<-hang
		case "/public/switch":
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
		}
	}), func(c *Config) { c.Proxy.UpstreamTimeout = Duration(100e6) })
	for path, status := range map[string]int{"gone": 502, "garbage": 502, "head": 502, "slow": 504, "switch": 502} {
		resp, body := do(t, "GET", "http://"+w.addr, "/public/"+path, nil, nil)
		if resp.StatusCode != status || body != "" || len(resp.Header.Get("Request-Id")) != 22 || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q %q", path, resp.StatusCode, body, resp.Header)
		}
	}
	w.upstream.Close()
	if resp, body := do(t, "GET", "http://"+w.addr, "/public/", nil, nil); resp.StatusCode != 502 || body != "" {
		t.Errorf("away: %d %q", resp.StatusCode, body)
	}
	if !strings.Contains(w.log.String(), "connection refused") {
		t.Errorf("the log: %s", w.log.String())
	}
}

// TestTheLogHoldsNoAnswerOfTheUpstreams, and no line of it is long: what is no HTTP
// server may answer anything, also with what it was asked.
func TestTheLogHoldsNoAnswerOfTheUpstreams(t *testing.T) {
	w := start(t, byHand(t, func(conn net.Conn, _ io.Reader, r *http.Request) {
		if r.URL.Path == "/public/echo" {
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\n\r\n", r.RequestURI)
		} else {
			io.WriteString(conn, strings.Repeat("g", 200<<10)+"\r\n\r\n")
		}
	}), nil)
	for _, target := range []string{"/public/echo?key=private", "/public/garbage"} {
		if resp, body := do(t, "GET", "http://"+w.addr, target, nil, nil); resp.StatusCode != 502 || body != "" {
			t.Errorf("%s: %d %q", target, resp.StatusCode, body)
		}
	}
	log := w.log.String()
	if strings.Count(log, "malformed HTTP") != 2 || strings.Contains(log, "private") || strings.Contains(log, "gggg") {
		t.Errorf("the log has %d octets: %.2000s", len(log), log)
	}
}

// TestCallersThatLeave end the request to the API, too.
func TestCallersThatLeave(t *testing.T) {
	left := make(chan struct{})
	w := start(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(http.StatusOK)
		http.NewResponseController(rw).Flush()
		<-r.Context().Done()
		close(left)
	}), nil)
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, err := conn.Read(make([]byte, 12)); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	<-left
}

// TestMetadataIsTheGuards: the URL that stands in every challenge (RFC 9728).
func TestMetadataIsTheGuards(t *testing.T) {
	w := start(t, nil, nil)
	for _, base := range []string{w.addr, w.asked} {
		resp, body := do(t, "GET", "http://"+base, "/.well-known/oauth-protected-resource", nil, nil)
		var doc struct {
			Resource string   `json:"resource"`
			Scopes   []string `json:"scopes_supported"`
		}
		if err := json.Unmarshal([]byte(body), &doc); err != nil || resp.StatusCode != 200 || doc.Resource != w.orders.Identifier || !slices.Equal(doc.Scopes, []string{"orders:read", "orders:write"}) {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	if got := w.reached(); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

// TestOpenToTheNetwork: a listener in the clear for a proxy answers nobody else.
func TestOpenToTheNetwork(t *testing.T) {
	hosts, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	outside := ""
	for _, h := range hosts {
		if ip, ok := h.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			outside = ip.IP.String()
		}
	}
	if outside == "" {
		t.Log("this machine has no other address than loopback")
		return
	}
	w := start(t, nil, func(c *Config) {
		_, port, _ := net.SplitHostPort(c.Proxy.Listen)
		c.Proxy.Listen, c.Proxy.Trusted = "0.0.0.0:"+port, []string{"192.0.2.1"}
	})
	_, port, _ := net.SplitHostPort(w.addr)
	if resp, body := do(t, "GET", "http://"+outside+":"+port, "/public/a", nil, nil); resp.StatusCode != 400 || !strings.Contains(body, "without TLS") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestStart: what a start needs is there or named.
func TestStart(t *testing.T) {
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := func() Config {
		return Config{
			Issuer: "http://127.0.0.1:1", Audience: "https://orders.example.com",
			Proxy: &Proxy{Listen: "127.0.0.1:0", Upstream: "http://127.0.0.1:1"}, Routes: standardRoutes,
		}
	}
	for want, change := range map[string]func(*Config){
		"nonce_key_file: open " + dir: func(c *Config) { c.NonceKeyFile = filepath.Join(dir, "none") },
		"short does not hold 32 random octets; name the file that does, or make a new one with: openssl rand -out nonce.key 32": func(c *Config) { c.NonceKeyFile = short },
		"proxy.tls: ":     func(c *Config) { c.Proxy.TLS = &ListenerTLS{Cert: short, Key: short} },
		"issuer: ":        func(c *Config) { c.Issuer = "http://auth.example.com" },
		"routes: missing": func(c *Config) { c.Routes = nil },
		"audience: must be the API's identifier, ": func(c *Config) { c.Audience = "a\nb"; c.PublicURL = "https://a.example.com" },
	} {
		cfg := base()
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	g, err := New(base())
	if err != nil {
		t.Fatal(err)
	}
	g.places[0].addr = "127.0.0.1:0"
	if err := g.Listen(); err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	taken := base()
	taken.Proxy.Listen = g.Addrs()["proxy"].String()
	second, err := New(taken)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Listen(); err == nil || !strings.Contains(err.Error(), "in use by another program") {
		t.Errorf("got %v", err)
	}
	second.Close()
}
