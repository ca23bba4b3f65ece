package web

import (
	"net/netip"
	"sync"
)

// Places bounds how many requests of one kind are under way, in all and from one
// Network. Its exported fields are set before the first use.
type Places struct {
	InAll, PerNetwork int

	mu       sync.Mutex
	taken    int
	networks map[netip.Prefix]int
}

// Take gives a place to a request from that address, to be given back with
// Release, unless there are no more. An address that is none (a Unix socket) is of
// no network.
func (p *Places) Take(peer netip.Addr) bool {
	network := Network(peer)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.InAll || network.IsValid() && p.networks[network] >= p.PerNetwork {
		return false
	}
	p.taken++
	if network.IsValid() {
		if p.networks == nil {
			p.networks = make(map[netip.Prefix]int)
		}
		p.networks[network]++
	}
	return true
}

// Release gives a place back that Take gave to that address.
func (p *Places) Release(peer netip.Addr) {
	network := Network(peer)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if !network.IsValid() {
		return
	}
	if p.networks[network]--; p.networks[network] == 0 {
		delete(p.networks, network)
	}
}

// Taken is how many places are taken.
func (p *Places) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// Network is what the owner of the address usually has: an IPv4 /24 or an IPv6 /48.
// Of no address it is the zero Prefix.
func Network(peer netip.Addr) netip.Prefix {
	bits := 24
	if peer.Is6() {
		bits = 48
	}
	network, _ := peer.Prefix(bits)
	return network
}
