package guard

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// TestRequestsUnderWayAreBounded, streams and WebSockets among them: in all and by
// network, for whoever may ask at all, and each place is given back.
func TestRequestsUnderWayAreBounded(t *testing.T) {
	two, four := 2, 4
	w := start(t, http.HandlerFunc(streaming), func(c *Config) {
		c.Proxy.MaxRequests, c.Proxy.MaxRequestsPerNetwork, c.Proxy.Trusted = &four, &two, []string{"127.0.0.1"}
	})
	token := w.bearer(t)
	request := func(path, peer, more string) string {
		text := "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + more
		if peer != "" {
			text += "X-Forwarded-For: " + peer + "\r\n"
		}
		return text + "\r\n"
	}
	authorized := "Authorization: " + token + "\r\n"
	stream, r := open(t, w.addr, request("/orders/events", "192.0.2.1", authorized))
	line(t, r, "first")
	socket, r := open(t, w.addr, request("/public/socket", "192.0.2.2", webSocket))
	line(t, r, "101 Switching Protocols")

	status := func(what string, want int, text string) {
		t.Helper()
		resp, body := raw(t, w.addr, text)
		if resp.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", what, resp.StatusCode, body, want)
		}
		if want == http.StatusServiceUnavailable && (resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, `"temporarily_unavailable"`) || resp.Header.Get("Request-Id") == "") {
			t.Errorf("%s: %s %q", what, body, resp.Header)
		}
	}
	metadata := request("/.well-known/oauth-protected-resource", "192.0.2.3", "")
	full := request("/orders/known", "192.0.2.3", authorized)
	status("a third of a network", http.StatusServiceUnavailable, full)
	status("a third of a network, without a token", http.StatusUnauthorized, request("/orders/known", "192.0.2.3", ""))
	status("the metadata", http.StatusOK, metadata)
	if resp, _ := raw(t, w.asked, "GET /forward-auth HTTP/1.1\r\nHost: a\r\nX-Original-Method: GET\r\nX-Original-Uri: /orders/known\r\n"+authorized+"\r\n"); resp.StatusCode != http.StatusOK {
		t.Errorf("forward-auth, which sends nothing on: %d", resp.StatusCode)
	}
	for i, peer := range []string{"198.51.100.1", ""} { // the proxy itself is of no network
		_, r := open(t, w.addr, request("/public/events", peer, fmt.Sprintf("X-N: %d\r\n", i)))
		line(t, r, "first")
	}
	status("a fifth in all", http.StatusServiceUnavailable, request("/public/known", "203.0.113.1", ""))
	if !strings.Contains(w.log.String(), "proxy.max_requests_per_network") {
		t.Error("the operator does not hear of it")
	}

	stream.Close()
	socket.Close()
	until(t, "a place is free", func() bool {
		free := w.underway.Take(netip.MustParseAddr("192.0.2.3"))
		if free {
			w.underway.Release(netip.MustParseAddr("192.0.2.3"))
		}
		return free
	})
	_, r = open(t, w.addr, full)
	line(t, r, "200 OK")
}
