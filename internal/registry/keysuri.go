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
			return "an address of this machine or of a private network", "write a name or an address that everybody can reach"
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

// notPublic are the blocks of addresses that lead into somebody's own network,
// or nowhere (RFC 6890 and the registries that it began), and those behind which
// an IPv4 address of such a block can hide.
var notPublic = func() []netip.Prefix {
	var list []netip.Prefix
	for _, text := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"224.0.0.0/4", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
		"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	} {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}()

// PublicAddress reports whether the address is one that everybody reaches: not
// of this machine, of a private or link-local network, multicast or reserved.
func PublicAddress(addr netip.Addr) bool {
	if addr.Zone() != "" {
		return false
	}
	addr = addr.Unmap()
	for _, block := range notPublic {
		if block.Contains(addr) {
			return false
		}
	}
	return addr.IsValid()
}
