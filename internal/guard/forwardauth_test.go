package guard

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// asking gives the headers in which a proxy of the family asks.
func asking(w *world, headers, method, uri string, more ...string) http.Header {
	h := head(more...)
	switch headers {
	case "nginx":
		h["X-Original-Method"], h["X-Original-Uri"] = []string{method}, []string{uri}
	case "traefik", "caddy", "haproxy":
		h["X-Forwarded-Method"], h["X-Forwarded-Uri"] = []string{method}, []string{uri}
		h["X-Forwarded-For"] = []string{"192.0.2.1"}
		for name, value := range map[string]string{"X-Forwarded-Host": w.addr, "X-Forwarded-Proto": "http"} {
			if h[name] == nil {
				h[name] = []string{value}
			}
		}
	case "envoy":
		h["Host"] = []string{w.addr} // its :authority
	}
	return h
}

// askAs asks as a proxy of the family does.
func askAs(t *testing.T, w *world, headers, method, uri, query string, more ...string) (*http.Response, string) {
	t.Helper()
	if headers == "envoy" {
		return do(t, method, "http://"+w.asked, "/forward-auth"+uri, asking(w, headers, method, uri, more...), nil)
	}
	return do(t, "GET", "http://"+w.asked, "/forward-auth"+query, asking(w, headers, method, uri, more...), nil)
}

// TestForwardAuthPresets: each family is understood, and answered with 200, 401
// or 403.
func TestForwardAuthPresets(t *testing.T) {
	for headers := range families {
		t.Run(headers, func(t *testing.T) {
			w := start(t, nil, func(c *Config) { c.ForwardAuth.Headers = headers })
			good := w.bearer(t)
			resp, body := askAs(t, w, headers, "GET", "/orders?page=1", "", "Authorization", good)
			if resp.StatusCode != 200 || body != "" || resp.Header.Get("X-Auth-Client-Id") != "billing" || resp.Header.Get("X-Auth-Subject") != "billing" ||
				resp.Header.Get("X-Auth-Scope") != "orders:read" || resp.Header.Get("Cache-Control") != "no-store" || len(resp.Header.Get("Request-Id")) != 22 {
				t.Fatalf("%d %s %q", resp.StatusCode, body, resp.Header)
			}
			for _, c := range []struct {
				method, uri string
				more        []string
				status      int
				says        string
			}{
				{"GET", "/orders", nil, 401, `Bearer realm="https://orders.example.com", scope="orders:read"`},
				{"GET", "/orders", []string{"Authorization", good + "x"}, 401, `error="invalid_token"`},
				{"POST", "/orders", []string{"Authorization", good}, 403, `error="insufficient_scope"`},
				{"DELETE", "/orders", []string{"Authorization", good}, 403, "no route"},
				{"GET", "/admin", []string{"Authorization", good}, 403, "no route"},
				{"GET", "/orders", []string{"Authorization", good, "Authorization", good}, 403, "more than one access token"},
				{"GET", "/orders?access_token=x", nil, 403, "access tokens in the query"},
				{"GET", "/public/a", nil, 200, ""},
				{"GET", "/public/../orders", nil, 403, "dot segments"},
				{"GET", "/public/a?b;c", nil, 403, "differently"},
				{"PATCH", "/public/a", []string{"X-Http-Method-Override", "GET"}, 403, "override"},
				{"GET", "/public/a", []string{"X-Forwarded-Host", "evil.example.com"}, 403, ""},
				{"GET", "/public/a", []string{"X-Forwarded-Proto", "ftp"}, 403, ""},
				{"GET", "/public/a", []string{"X-Original-Url", "/public/a"}, 403, "forwarding or identity headers"},
				{"GET", "/public/a", []string{"X-Rewrite-Url", "/public/a"}, 403, "forwarding or identity headers"},
				{"GET", "/public/a", []string{"X-Auth-Client-Id", "admin"}, 403, "forwarding or identity headers"},
				{"GET", "/public/a", []string{"x_auth_client_id", "admin"}, 403, "forwarding or identity headers"},
				{"GET", "/public/a", []string{"X.Auth.Scope", "admin"}, 403, "forwarding or identity headers"},
				{"GET", "/public/a", []string{"X-Auth-Subject", ""}, 403, "forwarding or identity headers"},
			} {
				resp, body := askAs(t, w, headers, c.method, c.uri, "", c.more...)
				said := strings.Join(resp.Header["Www-Authenticate"], "\n") + body
				if resp.StatusCode != c.status || !strings.Contains(said, c.says) {
					t.Errorf("%s %s %.40q: %d %s, want %d %s", c.method, c.uri, c.more, resp.StatusCode, said, c.status, c.says)
				}
				if who, there := resp.Header["X-Auth-Client-Id"]; c.status == 200 && (!there || who[0] != "") {
					t.Errorf("%s %s: %q: a proxy must hear that there is no caller", c.method, c.uri, resp.Header)
				}
				if len(resp.Header["Www-Authenticate"]) > 1 || c.status != 200 && resp.Header.Get("X-Auth-Client-Id") != "" {
					t.Errorf("%s %s: %q", c.method, c.uri, resp.Header)
				}
			}
		})
	}
}

// TestExactlyOneFamily: what another proxy would write is refused, also when
// it says the same, and so is what stands there twice or in a second spelling.
func TestExactlyOneFamily(t *testing.T) {
	names := []string{"X-Original-Method", "X-Original-Uri", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Original-Url", "X-Envoy-Original-Path", "X-Rewrite-Url"}
	for headers, f := range families {
		t.Run(headers, func(t *testing.T) {
			w := start(t, nil, func(c *Config) { c.ForwardAuth.Headers = headers })
			for _, name := range names {
				value := "/public/a"
				if strings.HasSuffix(name, "Method") {
					value = "GET"
				}
				for _, spelling := range []string{name, strings.ToLower(name), strings.ReplaceAll(name, "-", "_"), strings.Replace(name, "-", "_", 1), strings.ReplaceAll(strings.ToUpper(name), "-", ".")} {
					h := asking(w, headers, "GET", "/public/a")
					if http.CanonicalHeaderKey(spelling) == name && (name == f.method || name == f.uri) {
						h[name] = append(h[name], value) // the second
					} else {
						h[spelling] = []string{value}
					}
					target := "/forward-auth"
					if headers == "envoy" {
						target += "/public/a"
					}
					resp, body := do(t, "GET", "http://"+w.asked, target, h, nil)
					if resp.StatusCode != 403 || !strings.Contains(body, "forwarding or identity headers") {
						t.Errorf("%s: %d %s", spelling, resp.StatusCode, body)
					}
				}
			}
			for name, h := range map[string]http.Header{
				"another family alone": asking(w, map[string]string{"nginx": "caddy", "traefik": "nginx", "caddy": "nginx", "haproxy": "nginx", "envoy": "nginx"}[headers], "GET", "/public/a"),
				"nothing":              {},
				"two hosts":            head("X-Forwarded-Host", w.addr, "X-Forwarded-Host", w.addr),
				"two schemes":          head("X-Forwarded-Proto", "http", "X-Forwarded-Proto", "http"),
				"a list of hosts":      head("X-Forwarded-Host", w.addr+", "+w.addr),
				"an empty host":        head("X-Forwarded-Host", ""),
				"a host as http_host":  head("X_Forwarded_Host", w.addr),
			} {
				if name != "another family alone" && name != "nothing" {
					for k, v := range asking(w, headers, "GET", "/public/a") {
						if h[k] == nil {
							h[k] = v
						}
					}
				}
				target := "/forward-auth"
				if headers == "envoy" && name != "nothing" {
					target += "/public/a"
				}
				if resp, body := do(t, "GET", "http://"+w.asked, target, h, nil); resp.StatusCode != 403 {
					t.Errorf("%s: %d %s", name, resp.StatusCode, body)
				}
			}
		})
	}
}

// TestHostAndSchemeArePublicURLs: a proxy that was asked for another host
// asks for nothing; the default port is one.
func TestHostAndSchemeArePublicURLs(t *testing.T) {
	public := &url.URL{Scheme: "https", Host: "Orders.example.com"}
	for host, want := range map[string]bool{
		"orders.example.com": true, "ORDERS.example.com:443": true, "orders.example.com:80": false, "orders.example.com.": false,
		"evil.example.com": false, "": false, "orders.example.com, evil.example.com": false, "orders.example.com@evil.example.com": false,
	} {
		if got := sameHost(host, public); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
	for proto, want := range map[string]bool{"https": true, "HTTPS": true, "wss": true, "http": false, "ws": false, "": false, "https, http": false} {
		if got := sameScheme(proto, public); got != want {
			t.Errorf("%q: %v", proto, got)
		}
	}
}

// TestForwardAuthDemands: what stands in the proxy's configuration adds, and
// loosens nothing.
func TestForwardAuthDemands(t *testing.T) {
	w := start(t, nil, nil)
	good := w.bearer(t)
	for _, c := range []struct {
		query, uri, authorization string
		status                    int
	}{
		{"", "/orders", good, 200},
		{"?scope=orders:read", "/orders", good, 200},
		{"?scope=orders:read&audience=https://orders.example.com", "/any", good, 200},
		{"?scope=orders:write", "/orders", good, 403},
		{"?scope=orders:read+orders:write", "/orders", good, 403},
		{"?scope=orders:read&scope=orders:write", "/orders", good, 403},
		{"?scope=orders:read", "/public/a", good, 200},
		{"?scope=orders:read", "/public/a", "", 401},
		{"?scope=orders:write", "/public/a", good, 403},
		{"?scope=", "/orders", good, 403},
		{"?scope=a%22b", "/orders", good, 403},
		{"?scope=any", "/admin", good, 403},
		{"?audience=https://other.example.com", "/orders", good, 403},
		{"?audience=https://orders.example.com&audience=x", "/orders", good, 403},
		{"?audience=", "/orders", good, 403},
		{"?scopes=orders:read", "/orders", good, 403},
		{"?allow=anyone", "/orders", "", 403},
		{"?scope=orders:read;x", "/orders", good, 403},
		{"?scope=%zz", "/orders", good, 403},
	} {
		more := []string{"Authorization", c.authorization}
		if c.authorization == "" {
			more = nil
		}
		if resp, body := askAs(t, w, "nginx", "GET", c.uri, c.query, more...); resp.StatusCode != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.query, c.uri, resp.StatusCode, body, c.status)
		}
	}
}

// TestEnvoysQueryIsTheCallers: it demands nothing, and the request is what comes
// behind the path.
func TestEnvoysQueryIsTheCallers(t *testing.T) {
	w := start(t, nil, func(c *Config) { c.ForwardAuth.Headers = "envoy" })
	good := w.bearer(t)
	for _, c := range []struct {
		method, target, host string
		status               int
	}{
		{"GET", "/forward-auth/orders?scope=orders:write&allow=anyone", w.addr, 200},
		{"POST", "/forward-auth/orders", w.addr, 403},
		{"GET", "/forward-auth", w.addr, 403},
		{"GET", "/forward-auth?scope=x", w.addr, 403},
		{"GET", "/forward-authorders", w.addr, 404},
		{"GET", "/forward-auth/forward-auth/orders", w.addr, 403},
		{"GET", "/forward-auth//orders", w.addr, 403},
		{"GET", "/forward-auth/../orders", w.addr, 403},
		{"GET", "/%66orward-auth/orders", w.addr, 403},
		{"GET", "/orders", w.addr, 404},
		{"GET", "/forward-auth/orders", "evil.example.com", 403},
	} {
		if resp, body := do(t, c.method, "http://"+w.asked, c.target, head("Authorization", good, "Host", c.host), nil); resp.StatusCode != c.status {
			t.Errorf("%s %s %s: %d %s, want %d", c.method, c.target, c.host, resp.StatusCode, body, c.status)
		}
	}
}

// TestStrangersGetNoAnswer, whatever they send; health they may ask for.
func TestStrangersGetNoAnswer(t *testing.T) {
	w := start(t, nil, func(c *Config) { c.ForwardAuth.Trusted = []string{"192.0.2.1"} })
	good := w.bearer(t)
	for _, more := range [][]string{{"Authorization", good}, {"Authorization", good, "X-Forwarded-For", "192.0.2.1"}, {"User-Agent", "GoogleHC/1.0"}} {
		if resp, body := askAs(t, w, "nginx", "GET", "/public/a", "", more...); resp.StatusCode != 403 || !strings.Contains(body, "forward_auth.trusted alone") {
			t.Errorf("%.40q: %d %s", more, resp.StatusCode, body)
		}
	}
	if resp, body := do(t, "GET", "http://"+w.asked, "/livez", nil, nil); resp.StatusCode != 200 || body != "ok\n" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestNoKeysIs403WithoutACode: a client must not fetch another token for what is
// not its fault. As a proxy the guard says 503 itself.
func TestNoKeysIs403WithoutACode(t *testing.T) {
	const away = "http://127.0.0.1:1"
	cfg := Config{
		Issuer: away, Audience: "https://orders.example.com", PublicURL: "http://" + freeAddr(t), Routes: standardRoutes,
		Proxy:       &Proxy{Listen: freeAddr(t), Upstream: away},
		ForwardAuth: &ForwardAuth{Listen: freeAddr(t), Headers: "nginx", Trusted: []string{"127.0.0.1"}},
	}
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
	defer func() { stop(); <-ended }()
	part := base64.RawURLEncoding.EncodeToString
	token := part([]byte(`{"alg":"ES256","kid":"k1","typ":"at+jwt"}`)) + "." +
		part([]byte(`{"iss":"`+away+`","aud":"https://orders.example.com","exp":9999999999,"iat":1,"sub":"a","client_id":"a","jti":"j"}`)) + "." + part(make([]byte, 64))
	resp, body := do(t, "GET", "http://"+cfg.ForwardAuth.Listen, "/forward-auth", head("X-Original-Method", "GET", "X-Original-Uri", "/orders", "Authorization", "Bearer "+token), nil)
	if resp.StatusCode != 403 || body != "" || resp.Header["Www-Authenticate"] != nil || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("forward-auth: %d %s %q", resp.StatusCode, body, resp.Header)
	}
	resp, body = do(t, "GET", "http://"+cfg.Proxy.Listen, "/orders", head("Authorization", "Bearer "+token), nil)
	if resp.StatusCode != 503 || !strings.Contains(body, "temporarily_unavailable") || resp.Header.Get("Retry-After") == "" {
		t.Errorf("proxy: %d %s %q", resp.StatusCode, body, resp.Header)
	}
	resp, body = do(t, "GET", "http://"+cfg.ForwardAuth.Listen, "/readyz", nil, nil)
	if resp.StatusCode != 503 || body != "access tokens cannot be checked at the moment: try again later\n" {
		t.Errorf("readyz: %d %s", resp.StatusCode, body)
	}
}

// TestBodiesOfQuestionsAreNotRead: some proxies pass on a length without a body.
func TestBodiesOfQuestionsAreNotRead(t *testing.T) {
	w := start(t, nil, nil)
	resp, body := raw(t, w.asked, "GET /forward-auth HTTP/1.1\r\nHost: a\r\nX-Original-Method: POST\r\nX-Original-Uri: /public/a\r\nContent-Length: 10000000\r\n\r\n")
	if resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
