package web

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// serveLimited answers "ok" on a loopback port within the bounds.
func serveLimited(t *testing.T, c *Connections) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })}
	Limit(s)
	go s.Serve(c.Limit(l))
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// open connects from the address and reports whether a request is answered.
func open(t *testing.T, from, to string) (net.Conn, bool) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	conn, err := d.Dial("tcp4", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, answers(conn)
}

func answers(conn net.Conn) bool {
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	buf := make([]byte, 512)
	n, _ := conn.Read(buf)
	return strings.HasPrefix(string(buf[:n]), "HTTP/1.1 200")
}

// TestConnectionsOfOnePeerAreBounded: one host cannot take the connections
// of the others; what it closes, it may open again.
func TestConnectionsOfOnePeerAreBounded(t *testing.T) {
	addr := serveLimited(t, &Connections{Total: 10, PerPeer: 2})
	first, ok := open(t, "127.0.0.2", addr)
	if !ok {
		t.Fatal("the first connection is not served")
	}
	if _, ok = open(t, "127.0.0.2", addr); !ok {
		t.Fatal("the second connection is not served")
	}
	if _, ok = open(t, "127.0.0.2", addr); ok {
		t.Error("the third connection of one address is served, want it closed")
	}
	if _, ok = open(t, "127.0.0.3", addr); !ok {
		t.Error("another address is not served")
	}
	if !answers(first) {
		t.Error("a connection within the bounds was cut")
	}
	first.Close()
	for deadline := time.Now().Add(5 * time.Second); ; {
		if _, ok := open(t, "127.0.0.2", addr); ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the place of a closed connection is not given back")
		}
	}
}

// TestConnectionsAreBoundedAltogether: and a proxy, which speaks for many, by
// that bound alone.
func TestConnectionsAreBoundedAltogether(t *testing.T) {
	addr := serveLimited(t, &Connections{Total: 3, PerPeer: 1, Exempt: []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")}})
	for i := range 3 {
		if _, ok := open(t, "127.0.0.9", addr); !ok {
			t.Fatalf("connection %d of the proxy is not served", i+1)
		}
	}
	if _, ok := open(t, "127.0.0.9", addr); ok {
		t.Error("more than the total is served")
	}
	if _, ok := open(t, "127.0.0.4", addr); ok {
		t.Error("more than the total is served to another address")
	}
}

// TestConnectionsLeaveFiles: whatever comes, files can be opened.
func TestConnectionsLeaveFiles(t *testing.T) {
	c := FileConnections(nil)
	if c.Total < 2 || c.Total >= allFiles || c.PerPeer < 1 || c.PerPeer > c.Total/2 {
		t.Errorf("bounds %d and %d", c.Total, c.PerPeer)
	}
}

// TestConnectionsOfIPv6CountByNetwork: one host gets a /64 at least.
func TestConnectionsOfIPv6CountByNetwork(t *testing.T) {
	a, b, c := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff:1"), netip.MustParseAddr("2001:db8:0:1::1")
	if host(a) != host(b) || host(a) == host(c) || host(netip.MustParseAddr("192.0.2.1")) == host(netip.MustParseAddr("192.0.2.2")) {
		t.Error("addresses are not counted by host")
	}
}

// TestOptionsOfTheServerGoToTheHandler: net/http answers OPTIONS * by itself
// unless told not to, without a request id.
func TestOptionsOfTheServerGoToTheHandler(t *testing.T) {
	addr := serveLimited(t, &Connections{})
	conn, err := net.Dial("tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(conn, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if got, _ := io.ReadAll(conn); !strings.HasSuffix(string(got), "ok") {
		t.Errorf("got %q, want the handler's answer", got)
	}
}
