package server

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/web"
)

// Bounds of the requests that wait: each holds a connection and some kilobytes.
// Who gets no place can ask without waiting.
const (
	waitingInAll      = 4096
	waitingPerNetwork = 1024
)

var errNoPlace = &symbolon.Error{
	Code:        symbolon.TemporarilyUnavailable,
	Description: "too many requests wait for the revocation set; ask without wait, or another node",
	RetryAfter:  5 * time.Second,
}

// await returns when there is something that the validator does not have, when
// its wait is over, when it went away, or when the node stops.
func (fs *feeds) await(f *feed, q *revocationQuery, w http.ResponseWriter, r *http.Request) error {
	changed, news := fs.newsFor(f, q)
	if news {
		return nil
	}
	release, ok := fs.waiting.take(web.ExchangeOf(w).Peer)
	if !ok {
		return errNoPlace
	}
	defer release()
	fs.counted("wait for a denial")
	// The listener's limits are for answers that come at once: past the one for
	// reading, net/http takes a client that only waits for one that went away.
	deadline := time.Now().Add(q.wait + web.WriteTimeout)
	extend(w, (*http.ResponseController).SetReadDeadline, deadline)
	extend(w, (*http.ResponseController).SetWriteDeadline, deadline)
	end := time.NewTimer(q.wait)
	defer end.Stop()
	for {
		select {
		case <-changed:
		case <-end.C:
			return nil
		case <-fs.drained:
			return nil
		case <-r.Context().Done():
			return nil
		}
		if changed, news = fs.newsFor(f, q); news {
			return nil
		}
	}
}

// newsFor looks whether there is news for a request, and gives what is closed
// when it is worth looking again. A request that does not say what it has of the
// journal waits for the journal to change.
func (fs *feeds) newsFor(f *feed, q *revocationQuery) (changed <-chan struct{}, news bool) {
	changed = fs.config.Replica.Changed() // before the look, so that nothing is missed
	d, _ := f.look()
	if q.journal == nil {
		q.journal = &d.journal
	}
	return changed, d.newsFor(q)
}

// places counts the requests that wait. Its bounds are set before its first use.
type places struct {
	inAll, perNetwork int

	mu       sync.Mutex
	taken    int
	networks map[netip.Prefix]int
}

// take gives a place to a request from that address, unless its network or the
// node has no more. An address that is none (a Unix socket) is of no network.
func (p *places) take(peer netip.Addr) (release func(), ok bool) {
	network := networkOf(peer)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.inAll || network.IsValid() && p.networks[network] >= p.perNetwork {
		return nil, false
	}
	p.taken++
	if network.IsValid() {
		if p.networks == nil {
			p.networks = make(map[netip.Prefix]int)
		}
		p.networks[network]++
	}
	return func() { p.release(network) }, true
}

func (p *places) release(network netip.Prefix) {
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

func (p *places) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// networkOf is what one owner usually has: an IPv4 /24, an IPv6 /48.
func networkOf(peer netip.Addr) netip.Prefix {
	bits := 24
	if peer.Is6() {
		bits = 48
	}
	network, _ := peer.Prefix(bits) // of no address: the zero prefix
	return network
}
