package web

import (
	"net/netip"
	"testing"
)

// TestPlaces: no more than there are, in all and per network, and each is given
// back to where it was taken.
func TestPlaces(t *testing.T) {
	addr := netip.MustParseAddr
	none := netip.Addr{}
	p := Places{InAll: 5, PerNetwork: 2}
	for _, step := range []struct {
		peer netip.Addr
		want bool
	}{
		{addr("192.0.2.1"), true}, {addr("192.0.2.200"), true}, {addr("192.0.2.3"), false}, {addr("192.0.3.1"), true},
		{addr("2001:db8:1::1"), true}, {none, true}, {none, false}, {addr("198.51.100.1"), false},
	} {
		if p.Take(step.peer) != step.want {
			t.Errorf("%s: %t", step.peer, !step.want)
		}
	}
	p.Release(none)
	if p.Take(addr("192.0.2.1")) {
		t.Error("a place of nobody's is one of a network that has no more")
	}
	p.Release(addr("192.0.2.1"))
	if !p.Take(addr("192.0.2.9")) || !p.Take(none) || p.Take(none) {
		t.Error("what was given back is not there")
	}
	for _, peer := range []netip.Addr{none, addr("192.0.2.1"), addr("192.0.2.1"), addr("192.0.3.1"), addr("2001:db8:1:ffff::1")} {
		p.Release(peer)
	}
	if p.Taken() != 0 || len(p.networks) != 0 {
		t.Errorf("%d are taken, of %v", p.taken, p.networks)
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"203.0.113.7": "203.0.113.0/24", "203.0.114.7": "203.0.114.0/24", "2001:db8:1:2::3": "2001:db8:1::/48", "2001:db8:2::": "2001:db8:2::/48",
	} {
		if got := Network(netip.MustParseAddr(address)).String(); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if got := Network(netip.Addr{}); got.IsValid() {
		t.Errorf("of no address: %s", got)
	}
}
