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
// listener has its port, but not where trusted proxies are in front.
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
		want    int
	}{{nil, 1}, {[]string{"127.0.0.1"}, 0}} {
		var log logtest.Buffer
		s := start(t, Config{URL: s.url, DataDir: dir, TrustedProxies: c.proxies, Logger: log.Logger()})
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		if n := log.Count("issuer=elsewhere url=https://login.example.com fix=\"no listener has port 443: add one to listen"); n != c.want {
			t.Errorf("proxies %v: said %d times, want %d:\n%s", c.proxies, n, c.want, log.String())
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
