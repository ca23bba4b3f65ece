package server

import (
	"fmt"
	"net/netip"
	"syscall"
)

// addressGuard decides which addresses a jwks_uri may lead to: global unicast
// ones, and those in the networks it lists.
//
// It is asked about the address that is about to be dialled, after the name was
// resolved, each time. A list of forbidden names or a look at the URI would be
// got round by a name that resolves to another address a moment later, or by
// another spelling of the same address (CVE-2026-55671, CVE-2026-27945).
type addressGuard []netip.Prefix

func newAddressGuard(allow []netip.Prefix) addressGuard {
	var g addressGuard
	for _, p := range allow {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 { // dialled, and compared, as IPv4
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		g = append(g, p.Masked())
	}
	return g
}

// addressError is an address that must not be dialled.
type addressError struct{ address netip.Addr }

func (e *addressError) Error() string {
	return fmt.Sprintf("the host of the jwks_uri is at %s, which is not on the public Internet: if clients' keys may come from there, add its network to jwks_uri_allow", e.address)
}

// control is net.Dialer's Control.
func (g addressGuard) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &addressError{} // a kind of address that is none of IP
	}
	return g.check(at.Addr())
}

// check gives an *addressError unless the address may be dialled.
func (g addressGuard) check(a netip.Addr) error {
	a = a.WithZone("") // a prefix has none
	for _, p := range g {
		if p.Contains(a) {
			return nil
		}
	}
	if !public(a) {
		return &addressError{a}
	}
	return nil
}

// internet6 is what of IPv6 is handed out for hosts. All else is something else:
// loopback, fc00::/7, fe80::/10, fec0::/10, ff00::/8, and whatever holds an IPv4
// address (::/96, ::ffff:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48), behind which a
// gateway could lead anywhere.
var internet6 = netip.MustParsePrefix("2000::/3")

// public reports whether the address is one of a host on the Internet.
func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.Is6() && !internet6.Contains(a) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// special are the networks of the IANA special-purpose address registries
// (RFC 6890) within unicast IPv4 and within internet6.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this host
	netip.MustParsePrefix("10.0.0.0/8"),       // private
	netip.MustParsePrefix("100.64.0.0/10"),    // behind a carrier's NAT
	netip.MustParsePrefix("127.0.0.0/8"),      // loopback
	netip.MustParsePrefix("168.63.129.16/32"), // in the registry nothing special: the host of every Azure machine
	netip.MustParsePrefix("169.254.0.0/16"),   // link-local, the metadata of clouds
	netip.MustParsePrefix("172.16.0.0/12"),    // private
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),     // documentation
	netip.MustParsePrefix("192.88.99.0/24"),   // relays of 6to4
	netip.MustParsePrefix("192.168.0.0/16"),   // private
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"),  // documentation
	netip.MustParsePrefix("203.0.113.0/24"),   // documentation
	netip.MustParsePrefix("224.0.0.0/4"),      // multicast
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved, broadcast
	netip.MustParsePrefix("2001::/23"),        // protocol assignments: Teredo, ORCHID, benchmarks
	netip.MustParsePrefix("2001:db8::/32"),    // documentation
	netip.MustParsePrefix("2002::/16"),        // 6to4: holds an IPv4 address
	netip.MustParsePrefix("3fff::/20"),        // documentation
}
