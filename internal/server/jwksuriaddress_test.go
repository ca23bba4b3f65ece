package server

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestOnlyPublicAddressesAreDialled: what the address that is dialled may be (CVE-2026-1180,
// CVE-2020-10770, CVE-2026-55671, CVE-2026-27945).
func TestOnlyPublicAddressesAreDialled(t *testing.T) {
	for text, good := range map[string]bool{
		"1.1.1.1": true, "9.255.255.255": true, "11.0.0.0": true, "100.63.255.255": true, "100.128.0.0": true, "126.255.255.255": true,
		"172.15.255.255": true, "172.32.0.0": true, "192.0.1.0": true, "192.167.255.255": true, "192.169.0.0": true, "198.17.255.255": true,
		"198.20.0.0": true, "223.255.255.255": true,

		"0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "10.255.255.255": false, "100.64.0.0": false, "100.100.100.200": false,
		"100.127.255.255": false, "127.0.0.1": false, "127.255.255.255": false, "168.63.129.16": false, "169.254.169.254": false,
		"172.16.0.0": false, "172.31.255.255": false, "192.0.0.192": false, "192.0.2.1": false, "192.88.99.1": false, "192.168.0.1": false,
		"198.18.0.0": false, "198.19.255.255": false, "198.51.100.1": false, "203.0.113.1": false, "224.0.0.1": false, "239.255.255.255": false,
		"240.0.0.0": false, "255.255.255.255": false,

		"2606:4700:4700::1111": true, "2a00::1": true, "2001:200::1": true, "3ffe::1": true,

		"::": false, "::1": false, "::ffff:10.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:1.1.1.1": false, "::10.0.0.1": false,
		"::1.1.1.1": false, "64:ff9b::a00:1": false, "64:ff9b::101:101": false, "64:ff9b:1::1": false, "100::1": false, "2001::1": false,
		"2001:2::1": false, "2001:10::1": false, "2001:20::1": false, "2001:db8::1": false, "2002:a00:1::": false, "2002:101:101::": false,
		"3fff::1": false, "4000::1": false, "5f00::1": false, "fc00::1": false, "fd00:ec2::254": false, "fe80::1": false,
		"fe80::1%eth0": false, "fec0::1": false, "ff02::1": false,
	} {
		address := net.JoinHostPort(text, "443")
		err := newAddressGuard(nil).control("tcp", address, nil)
		var refused *addressError
		if good != (err == nil) || !good && (!errors.As(err, &refused) || !strings.Contains(err.Error(), refused.address.String())) {
			t.Errorf("%s: %v", text, err)
		}
		a := netip.MustParseAddr(text).WithZone("")
		if err := newAddressGuard([]netip.Prefix{netip.PrefixFrom(a, a.BitLen())}).control("tcp", address, nil); err != nil && !a.Is4In6() {
			t.Errorf("%s, allowed: %v", text, err)
		}
	}
	for _, address := range []string{"", "localhost:443", "/run/a.sock", "10.0.0.1", "0x7f000001:443"} {
		if err := newAddressGuard(nil).control("tcp", address, nil); err == nil {
			t.Errorf("%q is dialled", address)
		}
	}
}

// TestAllowedNetworks: an allowed network lets in itself and nothing else.
func TestAllowedNetworks(t *testing.T) {
	g := newAddressGuard([]netip.Prefix{netip.MustParsePrefix("10.1.2.3/16"), netip.PrefixFrom(netip.MustParseAddr("::ffff:192.168.1.0"), 120), netip.MustParsePrefix("fd00:1::/32")})
	for text, good := range map[string]bool{
		"10.1.0.0": true, "10.1.255.255": true, "10.2.0.0": false, "192.168.1.255": true, "192.168.2.0": false,
		"fd00:1::1": true, "fd00:2::1": false, "127.0.0.1": false, "::1": false, "::ffff:10.1.0.1": false, "1.1.1.1": true,
	} {
		if err := g.check(netip.MustParseAddr(text)); good != (err == nil) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// resolve makes every name that is looked up have these addresses, until the
// test ends: the system's resolver, with a name server of our own.
func resolve(t *testing.T, addresses func() []string) {
	t.Helper()
	before := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = before })
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		wg.Go(func() {
			defer far.Close()
			for {
				var length [2]byte
				if _, err := io.ReadFull(far, length[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(length[:]))
				if _, err := io.ReadFull(far, query); err != nil {
					return
				}
				answer := answerTo(query, addresses())
				if _, err := far.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
					return
				}
			}
		})
		return near, nil
	}}
}

// answerTo is the answer to a query over TCP (RFC 1035 §4): the question, and
// those of the addresses that are of the type that was asked for.
func answerTo(query []byte, addresses []string) []byte {
	end := 12
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 5 // the root's label, type and class
	const typeA, typeAAAA = 1, 28
	answer := append([]byte{}, query[:end]...)
	answer[2], answer[3] = 0x84, 0 // an answer, by authority
	count := uint16(0)
	for _, text := range addresses {
		a := netip.MustParseAddr(text)
		kind := uint16(typeA)
		if a.Is6() {
			kind = typeAAAA
		}
		if kind != binary.BigEndian.Uint16(query[end-4:]) {
			continue
		}
		count++
		answer = append(answer, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(a.BitLen()/8)) // the name of the question, class IN, TTL 0
		answer = append(answer, a.AsSlice()...)
	}
	binary.BigEndian.PutUint16(answer[6:], count)
	binary.BigEndian.PutUint16(answer[8:], 0)
	binary.BigEndian.PutUint16(answer[10:], 0)
	return answer
}

// counted is a listener that counts who comes.
type counted struct {
	net.Listener
	n *atomic.Int64
}

func (l counted) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.n.Add(1)
	}
	return conn, err
}

// guarded is a host on loopback, and how many connections reached it.
func guarded(t *testing.T) (port string, connections *atomic.Int64) {
	t.Helper()
	connections = new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.Listener = counted{s.Listener, connections}
	s.StartTLS()
	t.Cleanup(s.Close)
	return port, connections
}

// publicOnly allows nothing beyond the Internet.
func publicOnly(c *KeySourceConfig, _ *keyLimits) { c.Allow = nil }

// TestOtherSpellingsOfThisMachine: no spelling of this machine is dialled.
func TestOtherSpellingsOfThisMachine(t *testing.T) {
	port, connections := guarded(t)
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.0.2", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0", "0.0.0.0", "[::]", "[::1]", "[::ffff:127.0.0.1]",
		"[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "localhost", "LOCALHOST", "localhost.", "①②⑦.⓪.⓪.①", "127。0。0。1",
	} {
		w := newKeyWorld(t, func(c *KeySourceConfig, l *keyLimits) {
			c.Allow, l.patience = nil, 2*time.Second // some resolvers ask for such names, and hear nothing
		})
		keys, err := w.Keys(t.Context(), "https://"+host+":"+port+"/keys", "k1", "")
		if keys != nil || !errors.Is(err, errKeySetAway) {
			t.Errorf("%s: %v, %v", host, keys, err)
		}
		if n := connections.Load(); n != 0 {
			t.Fatalf("%s was dialled", host)
		}
	}
	newKeyWorld(t, publicOnly).refuses(t, "https://127.0.0.1:"+port, "is at 127.0.0.1, which is not on the public Internet: if clients' keys may come from there, add its network")
}

// TestNamesOfPrivateAddresses: what counts is the address that a name has when it is dialled.
func TestNamesOfPrivateAddresses(t *testing.T) {
	port, connections := guarded(t)
	for _, address := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00:ec2::254"} {
		resolve(t, func() []string { return []string{address} })
		newKeyWorld(t, publicOnly).refuses(t, "https://keys.example.com:"+port, "is at "+netip.MustParseAddr(address).Unmap().String()+", which")
	}
	resolve(t, func() []string { return nil })
	newKeyWorld(t, publicOnly).refuses(t, "https://keys.example.com:"+port, "has no address")
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// TestRebinding: a name that changed its address is judged anew, and of
// several addresses only those are dialled that may be.
func TestRebinding(t *testing.T) {
	h := newKeyHost(t, keyNamed(t, "k1"))
	_, port, err := net.SplitHostPort(h.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	uri := "https://example.com:" + port // a name of the certificate
	at := []string{"127.0.0.2", "127.0.0.1"}
	resolve(t, func() []string { return at })
	w := newKeyWorld(t, func(c *KeySourceConfig, _ *keyLimits) {
		c.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	})
	w.gives(t, uri, "k1", "k1")
	h.asked(t, 1)
	at = []string{"127.0.0.2"}
	w.advance(10 * usualLimits.pause)
	if err := w.gives(t, uri, "k2", ""); !strings.Contains(err.Error(), "is at 127.0.0.2") {
		t.Error(err)
	}
	w.gives(t, uri, "k1", "k1")
	h.asked(t, 1)
}

// TestNoProxyForKeys: a proxy would dial for us what we must not.
func TestNoProxyForKeys(t *testing.T) {
	port, connections := guarded(t)
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:"+port)
	}
	resolve(t, func() []string { return []string{"10.0.0.1"} })
	w := newKeyWorld(t, nil)
	w.refuses(t, "https://keys.example.com", "is at 10.0.0.1, which")
	if n := connections.Load(); n != 0 || w.http.Transport.(*http.Transport).Proxy != nil {
		t.Errorf("%d connections to the proxy", n)
	}
}
