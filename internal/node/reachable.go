package node

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
)

// heard is where this node listens.
type heard struct {
	port   string
	scheme string // "": whoever gave the socket knows whether it speaks TLS
}

// hears notes a listener for warnOfIssuers.
func (n *Node) hears(addr net.Addr, scheme string) {
	if _, port, err := net.SplitHostPort(addr.String()); err == nil {
		n.heard = append(n.heard, heard{port, scheme})
	}
}

// warnOfIssuers logs which issuers nobody can reach as their URLs have it. It is no
// error: something that is not named here, as the port mapping of a container, may
// lead to this node. What is behind trusted proxies is their matter, and that of a
// program that brings its own sockets which of its issuers it serves now: dev does for
// one vendor at a time.
func (n *Node) warnOfIssuers(context.Context) error {
	if len(n.proxies) > 0 || len(n.cfg.Sockets) > 0 || len(n.heard) < len(n.sockets) {
		return nil
	}
	issuers := n.replica.Snapshot().Issuers
	for _, id := range slices.Sorted(maps.Keys(issuers)) {
		if fix := n.unreachable(issuers[id].Base); fix != "" {
			n.cfg.Logger.Warn("programs may not reach an issuer", "issuer", id, "url", issuers[id].Base, "fix", fix)
		}
	}
	return nil
}

// unreachable says what to change so that the issuer is reached by its URL; "" when
// a listener has its port and speaks as it says.
func (n *Node) unreachable(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	at := slices.IndexFunc(n.heard, func(h heard) bool { return h.port == port })
	switch {
	case at < 0:
		return fmt.Sprintf("no listener has port %s: add one to listen (--listen), correct the url, or, where a proxy leads here, name it in trusted_proxies", port)
	case slices.ContainsFunc(n.heard, func(h heard) bool { return h.port == port && (h.scheme == "" || h.scheme == u.Scheme) }):
		return ""
	case u.Scheme == "http":
		return fmt.Sprintf("the listener at port %s has tls: write the url with https, or give the issuer a listener without tls at a port of its own", port)
	}
	return fmt.Sprintf("the listener at port %s has no tls: give it a certificate (tls), or name the proxies in front of it in trusted_proxies", port)
}
