package web

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func dial(t *testing.T, s *httptest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func readAnswer(t *testing.T, conn net.Conn) *http.Response {
	t.Helper()
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestPeerOf: a header counts only from a trusted proxy, and only what that
// proxy wrote.
func TestPeerOf(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := map[string]struct {
		remote    string
		forwarded []string
		trusted   []netip.Prefix
		want      string
	}{
		"direct":                            {"192.0.2.1:55", nil, nil, "192.0.2.1"},
		"nobody is trusted by default":      {"10.0.0.1:55", []string{"192.0.2.9"}, nil, "10.0.0.1"},
		"the header of a stranger":          {"192.0.2.1:55", []string{"192.0.2.9"}, proxies, "192.0.2.1"},
		"a trusted proxy":                   {"10.0.0.1:55", []string{"192.0.2.9"}, proxies, "192.0.2.9"},
		"a trusted proxy says nothing":      {"10.0.0.1:55", nil, proxies, "10.0.0.1"},
		"what the client wrote is ignored":  {"10.0.0.1:55", []string{"198.51.100.7, 192.0.2.9"}, proxies, "192.0.2.9"},
		"also in a line of its own":         {"10.0.0.1:55", []string{"198.51.100.7", "192.0.2.9"}, proxies, "192.0.2.9"},
		"a chain of proxies":                {"10.0.0.1:55", []string{"192.0.2.9, 10.0.0.2 ,10.0.0.3"}, proxies, "192.0.2.9"},
		"nothing but proxies":               {"10.0.0.1:55", []string{"10.0.0.3, 10.0.0.2"}, proxies, "10.0.0.3"},
		"garbage ends the walk":             {"10.0.0.1:55", []string{"192.0.2.9, nonsense, 10.0.0.2"}, proxies, "10.0.0.2"},
		"an empty hop ends the walk":        {"10.0.0.1:55", []string{"192.0.2.9,"}, proxies, "10.0.0.1"},
		"a hop with a port":                 {"10.0.0.1:55", []string{"192.0.2.9:4711"}, proxies, "192.0.2.9"},
		"IPv6 with brackets and port":       {"[fd00::1]:55", []string{"[2001:db8::9]:4711"}, proxies, "2001:db8::9"},
		"IPv6 without":                      {"[fd00::1]:55", []string{"2001:db8::9"}, proxies, "2001:db8::9"},
		"IPv4 in IPv6 is IPv4":              {"[::ffff:10.0.0.1]:55", []string{"::ffff:192.0.2.9"}, proxies, "192.0.2.9"},
		"a zone is not part of the address": {"[fe80::1%eth0]:55", nil, nil, "fe80::1"},
		"a Unix socket":                     {"@", []string{"192.0.2.9"}, proxies, "invalid IP"},
	}
	for name, c := range tests {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		for _, line := range c.forwarded {
			r.Header.Add("X-Forwarded-For", line)
		}
		if got := PeerOf(r, c.trusted).String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// FuzzPeerOf: whatever a stranger writes, the peer is the connection's own
// address; and behind a proxy it is the address that the proxy appended.
func FuzzPeerOf(f *testing.F) {
	f.Add("10.0.0.1, 192.0.2.1")
	f.Add(",,,")
	f.Add("[::1]:1")
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, written string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Forwarded-For", written)
		r.RemoteAddr = "192.0.2.1:1"
		if got := PeerOf(r, proxies); got != netip.MustParseAddr("192.0.2.1") {
			t.Errorf("a stranger became %s", got)
		}
		r.RemoteAddr = "10.0.0.1:1"
		r.Header.Set("X-Forwarded-For", written+",198.51.100.7")
		if got := PeerOf(r, proxies); got != netip.MustParseAddr("198.51.100.7") {
			t.Errorf("behind a proxy: %s for %q", got, strings.ToValidUTF8(written, "?"))
		}
	})
}

// TestNetworksOfIPv4InIPv6 are those of IPv4, as peers are.
func TestNetworksOfIPv4InIPv6(t *testing.T) {
	for text, want := range map[string]string{
		"::ffff:10.0.0.1": "10.0.0.1/32", "::ffff:10.1.2.3/104": "10.0.0.0/8", "::ffff:0:0/96": "0.0.0.0/0",
		"10.1.2.3/8": "10.0.0.0/8", "fd00::1/8": "fd00::/8", "::/0": "::/0",
	} {
		got, err := ParseNetworks([]string{text})
		if err != nil || len(got) != 1 || got[0].String() != want {
			t.Errorf("%s: %v %v, want %s", text, got, err, want)
		}
	}
}
