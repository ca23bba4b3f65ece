package node

import (
	"net"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/logtest"
	"github.com/symbolon/symbolon/internal/registry"
)

// TestIssuersThatNobodyReaches: at the start it is said of an issuer that no
// listener has its port, but not where trusted proxies are in front, or the program
// around the node brings its own sockets.
func TestIssuersThatNobodyReaches(t *testing.T) {
	dir := t.TempDir() + "/data"
	s := start(t, Config{DataDir: dir})
	_, _, err := s.Admin().CreateIssuer(t.Context(), admin.System(), registry.Issuer{ID: "elsewhere", URL: "https://login.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		proxies []string
		given   bool
		want    int
	}{{nil, false, 1}, {[]string{"127.0.0.1"}, false, 0}, {nil, true, 0}} {
		var log logtest.Buffer
		cfg := Config{URL: s.url, DataDir: dir, TrustedProxies: c.proxies, Logger: log.Logger(), Listen: []Listener{{Addr: "127.0.0.1:0"}}}
		if c.given {
			socket, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			cfg.Listen, cfg.Sockets = nil, []net.Listener{socket}
		}
		n, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if n := log.Count("issuer=elsewhere url=https://login.example.com fix=\"no listener has port 443: add one to listen"); n != c.want {
			t.Errorf("proxies %v, given sockets %v: said %d times, want %d:\n%s", c.proxies, c.given, n, c.want, log.String())
		}
	}
}

func TestUnreachable(t *testing.T) {
	n := &Node{}
	for port, scheme := range map[int]string{8080: "http", 8443: "https", 9000: ""} {
		n.hears(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, scheme)
	}
	for base, want := range map[string]string{
		"http://localhost:8080":              "",
		"https://localhost:8443/oauth2/a":    "",
		"https://localhost:9000":             "",
		"http://[::1]:9000":                  "",
		"https://auth.example.com":           "no listener has port 443: add one to listen",
		"http://localhost":                   "no listener has port 80: add one to listen",
		"http://localhost:8443":              "the listener at port 8443 has tls: write the url with https",
		"https://auth.example.com:8080/path": "the listener at port 8080 has no tls: give it a certificate (tls)",
	} {
		if got := n.unreachable(base); !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", base, got, want)
		}
	}
}
