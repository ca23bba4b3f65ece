package registry

import (
	"net/netip"
	"net/url"
	"strings"
)

// checkKeysURI says what is wrong with a jwks_uri and the way out, or nothing.
// A server that fetches what a stranger names could be made to speak to its own
// network (SSRF): so https alone, and no address that is not everybody's.
func checkKeysURI(text string) (message, fix string) {
	const example = "write for example https://billing.example.com/jwks.json"
	u, err := url.Parse(text)
	switch {
	case len(text) > maxURI:
		return "longer than 1024 octets", example
	case err != nil || !absoluteURI(text) || u.Opaque != "" || u.Hostname() == "":
		return "not an absolute https URL without fragment", example
	case u.Scheme != "https":
		return "not an https URL: whoever can change the keys on the way is the client", example
	case u.User != nil:
		return "it holds a user name", "remove what stands before the @: keys are public"
	case strings.HasSuffix(u.Host, ":"):
		return "a colon without a port", "remove the colon, or write the port"
	}
	host := strings.ToLower(u.Hostname())
	if addr, err := netip.ParseAddr(host); err == nil {
		if !PublicAddress(addr) {
			return "an address of this machine or of a private network", "write the host's name, as https://billing.example.com/jwks.json; a name may lead into the networks of jwks_uri_allow"
		}
		return "", ""
	}
	last := host[strings.LastIndexByte(strings.TrimSuffix(host, "."), '.')+1:]
	if !validHostname(strings.TrimSuffix(host, ".")) || last[0] >= '0' && last[0] <= '9' {
		// 127.1, 0x7f000001 and 2130706433 are addresses to some resolvers.
		return "its host is neither a name nor an address in the usual form", example
	}
	return "", ""
}

// internet6 is what of IPv6 is handed out for hosts. All else is something else:
// loopback, fc00::/7, fe80::/10, fec0::/10, ff00::/8, and whatever holds an IPv4
// address (::/96, ::ffff:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48), behind which a
// gateway could lead anywhere.
var internet6 = netip.MustParsePrefix("2000::/3")

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

// PublicAddress reports whether the address is one of a host on the Internet,
// which everybody reaches: not of this machine, of a private or link-local
// network, multicast or reserved, and no IPv6 address that stands for one of
// IPv4. It holds for what is written in a jwks_uri and for what is dialled.
func PublicAddress(addr netip.Addr) bool {
	if addr.Zone() != "" || !addr.IsGlobalUnicast() || addr.Is6() && !internet6.Contains(addr) {
		return false
	}
	for _, p := range special {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}
