package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// PeerOf is the address that a request comes from. Behind proxies of the
// trusted networks it is the last address in X-Forwarded-For that is not one of
// theirs; from anybody else the header says nothing, since its sender wrote it.
// IPv4 in IPv6 is given as IPv4, without a zone. A connection that has no IP
// address (a Unix socket) gives the zero Addr.
func PeerOf(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, ok := Connected(r)
	if !ok || len(trusted) == 0 {
		return peer
	}
	// Each proxy appends whom it heard from: the truth is at the end, and what
	// stands before the first untrusted address was written by that one. A hop
	// that is no address ends the walk at the proxy that passed it on.
	lines := r.Header["X-Forwarded-For"]
	for _, line := range slices.Backward(lines) {
		for line != "" {
			if !Within(peer, trusted) {
				return peer
			}
			cut := strings.LastIndexByte(line, ',')
			hop, ok := parseHop(line[cut+1:])
			if !ok {
				return peer
			}
			peer = hop
			line = line[:max(cut, 0)]
		}
	}
	return peer
}

// Connected is the address of the other end of the connection; ok is false for
// a Unix socket.
func Connected(r *http.Request) (peer netip.Addr, ok bool) {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	return at.Addr().Unmap().WithZone(""), true
}

// Within reports whether one of the networks holds the address.
func Within(a netip.Addr, networks []netip.Prefix) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// ParseNetworks reads networks, as 10.0.0.0/8, and single addresses.
func ParseNetworks(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		if ip, err := netip.ParseAddr(text); err == nil {
			ip = ip.Unmap() // as peers are compared
			out = append(out, netip.PrefixFrom(ip, ip.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network; write for example 10.0.0.0/8", text)
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// parseHop reads an address, with the port that some proxies add.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.Trim(text, " \t")
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if a, err := netip.ParseAddrPort(text); err == nil {
		return a.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}
