package server

import (
	"fmt"
	"net/netip"
	"syscall"

	"github.com/symbolon/symbolon/internal/registry"
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
	if !registry.PublicAddress(a) {
		return &addressError{a}
	}
	return nil
}
