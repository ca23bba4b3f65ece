package web

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// Connections bounds how many connections are open at a time: each takes one of
// the process's files, which the evidence and the database need too, and an idle
// one may stay for IdleTimeout. What is over a bound is closed as it comes, so
// that nobody waits for what does not come. Its fields are set before the first
// use; one value may serve several listeners.
type Connections struct {
	// Total is the most on all listeners; zero: no bound.
	Total int
	// PerPeer is the most from one address, for IPv6 from one /64, the least
	// that one host gets; zero: no bound.
	PerPeer int
	// Exempt are networks whose addresses count for Total alone: proxies speak
	// for many.
	Exempt []netip.Prefix

	mu    sync.Mutex
	all   int
	peers map[netip.Prefix]int
}

// Bounds that FileConnections gives.
const (
	maxPerPeer   = 8192
	mostReserved = 256
	allFiles     = 1 << 20 // when the system tells no limit
)

// FileConnections is what the process's limit of open files allows: a part of
// them is kept for files (a quarter, at most 256), and no address gets more than
// half of the others.
func FileConnections(proxies []netip.Prefix) *Connections {
	files := allFiles
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && limit.Cur < allFiles {
		files = int(limit.Cur)
	}
	total := max(files-min(files/4, mostReserved), 2)
	return &Connections{Total: total, PerPeer: min(total/2, maxPerPeer), Exempt: proxies}
}

// Limit gives a listener that accepts within the bounds.
func (c *Connections) Limit(l net.Listener) net.Listener { return &limited{l, c} }

type limited struct {
	net.Listener
	bounds *Connections
}

// Accept waits for a connection that is within the bounds.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := conn.(*net.TCPConn)
		if !ok {
			return conn, nil // a Unix socket: who may open it is no stranger
		}
		peer, ok := l.bounds.admit(tcp)
		if ok {
			return &counted{TCPConn: tcp, bounds: l.bounds, peer: peer}, nil
		}
		tcp.Close()
	}
}

// admit counts a connection, unless that is one too many. The prefix is what it
// was counted under; the zero one: for the total alone.
func (c *Connections) admit(conn *net.TCPConn) (peer netip.Prefix, ok bool) {
	if at, isTCP := conn.RemoteAddr().(*net.TCPAddr); isTCP {
		addr := at.AddrPort().Addr().Unmap().WithZone("")
		if !Within(addr, c.Exempt) {
			peer = host(addr)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Total > 0 && c.all >= c.Total || peer.IsValid() && c.PerPeer > 0 && c.peers[peer] >= c.PerPeer {
		return netip.Prefix{}, false
	}
	c.all++
	if peer.IsValid() {
		if c.peers == nil {
			c.peers = make(map[netip.Prefix]int)
		}
		c.peers[peer]++
	}
	return peer, true
}

func host(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // of an invalid address: the zero prefix
	return p
}

func (c *Connections) release(peer netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if !peer.IsValid() {
		return
	}
	if c.peers[peer]--; c.peers[peer] == 0 {
		delete(c.peers, peer)
	}
}

// counted is a connection that gives its place back when it is closed. It is a
// *net.TCPConn besides, of which net/http uses CloseWrite.
type counted struct {
	*net.TCPConn
	bounds *Connections
	peer   netip.Prefix
	once   sync.Once
}

// Close implements net.Conn.
func (c *counted) Close() error {
	err := c.TCPConn.Close()
	c.once.Do(func() { c.bounds.release(c.peer) })
	return err
}
