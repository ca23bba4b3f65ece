package node

import (
	"net/http"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dialect"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
	"github.com/symbolon/symbolon/internal/web"
)

var (
	errHost     = symbolon.NewError(symbolon.Misdirected, "no issuer of this server has that host; use the issuer's URL as it is configured, or have the proxy pass the Host header on")
	errMTLSHost = symbolon.NewError(symbolon.Misdirected, "this port is for clients with certificates; use the URLs that mtls_endpoint_aliases in the issuer's metadata has, or have the proxy pass the Host header on")
	errPath     = symbolon.NewError(symbolon.NotFound, "no endpoint of this issuer has that path; its metadata lists those that it has")
	errOpen     = symbolon.NewError(symbolon.InvalidRequest, "this request crossed the network without TLS; use the issuer's https URL, and replace the credential that was sent")
)

// dispatch is the walk's first step on a public listener.
func (n *Node) dispatch(w http.ResponseWriter, r *http.Request) error {
	// A proxy that serves the mtls URL for us stands for the listener we do not
	// have. Who is no proxy gets there by its own port alone.
	if n.mtls.names(r.Host) && n.proxied(r) {
		return n.walk(n.mtls.forms, w, r)
	}
	return n.walk(r.Host, w, r)
}

// dispatchMTLS is the first step on the mtls listener, where the host of
// mtls.url stands for the host of url.
func (n *Node) dispatchMTLS(w http.ResponseWriter, r *http.Request) error {
	if !n.mtls.names(r.Host) && !isHealth(r.URL.Path) {
		return errMTLSHost
	}
	return n.walk(n.mtls.forms, w, r)
}

func isHealth(path string) bool { return path == "/livez" || path == "/readyz" }

// walk picks the issuer by exact host and path. The Host header is used for
// nothing else.
func (n *Node) walk(host string, w http.ResponseWriter, r *http.Request) error {
	switch r.URL.Path {
	case "/livez":
		return n.livez(w, r)
	case "/readyz":
		return n.readyz(w, r)
	}
	// RFC 6749 §3.2: TLS, here or at a proxy that we were told of. A listener
	// that is open to the network for that proxy is open to others too.
	if r.TLS == nil && !n.nearby(r) {
		return errOpen
	}
	// The snapshot comes before anything else of the request is looked at: its
	// position goes into the token.
	snapshot := n.replica.Snapshot()
	issuers := issuersAt(snapshot, host)
	if len(issuers) == 0 {
		return errHost
	}
	at, route := n.find(issuers, r)
	if route == nil {
		return errPath
	}
	x := web.ExchangeOf(w)
	x.Endpoint, x.WriteError = route.Name, route.Errors
	at.Snapshot, at.TokenURLs = snapshot, n.tokenURLs(at.Issuer, at.Dialect)
	return route.Serve(at, w, r)
}

// find picks the endpoint of the issuers at a request's host that its path means;
// nil when there is none.
func (n *Node) find(issuers []*registry.IssuerView, r *http.Request) (at server.Place, route *server.Route) {
	for _, issuer := range issuers { // the longest path first
		d := dialect.Of(issuer)
		routes := n.routesOf(d)
		for i := range routes {
			route := &routes[i]
			path := r.URL.Path
			switch {
			case route.Form == server.Under:
				path = r.URL.EscapedPath()
			case r.URL.RawPath != "":
				// An escaped path is not unescaped: a proxy in front may have decided on
				// the octets that it saw.
				continue
			}
			if rest, ok := route.Match(issuer.Path, path); ok {
				return server.Place{Issuer: issuer, Dialect: d, Rest: rest}, route
			}
		}
	}
	return at, nil
}

// writeError writes an error. One that was found before the walk had picked an
// endpoint, as a body that is too large, has the shape of that endpoint's all the
// same.
func (n *Node) writeError(x *web.Exchange, r *http.Request, e *symbolon.Error) {
	if x.Endpoint == "" {
		if _, route := n.find(issuersAt(n.replica.Snapshot(), r.Host), r); route != nil && route.Errors != nil {
			route.Errors(x, r, e)
			return
		}
	}
	web.WriteError(x, r, e)
}

// routesOf are the endpoints of the issuers with the dialect, nil for the standard
// one. Those of each are made once: equal dialects are the same pointer.
func (n *Node) routesOf(d *server.Dialect) []server.Route {
	if d == nil {
		return n.routes
	}
	if known, ok := n.dialects.Load(d); ok {
		return known.([]server.Route)
	}
	routes := append(n.oauth.Routes(d), n.vendors.Routes(d)...)
	n.dialects.Store(d, routes)
	return routes
}

// nearby reports whether a connection comes from this machine or from a
// trusted proxy.
func (n *Node) nearby(r *http.Request) bool {
	peer, ok := web.Connected(r)
	return ok && (peer.IsLoopback() || web.Within(peer, n.proxies))
}

// proxied reports whether a connection comes from a trusted proxy.
func (n *Node) proxied(r *http.Request) bool {
	peer, ok := web.Connected(r)
	return ok && web.Within(peer, n.proxies)
}

// issuersAt finds the issuers of a Host header. Names have no case, and a
// client may spell out the default port (RFC 3986 §6.2).
func issuersAt(s *registry.Snapshot, host string) []*registry.IssuerView {
	if issuers := s.IssuersAt(host); issuers != nil {
		return issuers
	}
	host = strings.ToLower(host)
	for _, d := range []struct{ port, scheme string }{{":443", "https:"}, {":80", "http:"}} {
		if bare, ok := strings.CutSuffix(host, d.port); ok {
			var fit []*registry.IssuerView
			for _, issuer := range s.IssuersAt(bare) {
				if strings.HasPrefix(issuer.Iss, d.scheme) {
					fit = append(fit, issuer)
				}
			}
			return fit
		}
	}
	return s.IssuersAt(host)
}

// livez: the process answers.
func (n *Node) livez(w http.ResponseWriter, r *http.Request) error {
	web.ExchangeOf(w).Endpoint = "livez"
	return web.Health(w, r, http.StatusOK, "ok")
}

// readyz: whether to send requests here. It never waits for the store: a node
// whose store is away issues from its replica, and says so.
func (n *Node) readyz(w http.ResponseWriter, r *http.Request) error {
	web.ExchangeOf(w).Endpoint = "readyz"
	switch {
	case n.draining.Load():
		return web.Health(w, r, http.StatusServiceUnavailable, "draining")
	case n.replica.Stale():
		return web.Health(w, r, http.StatusServiceUnavailable, "stale: the store has been away for longer than max_stale")
	case n.replica.Away():
		return web.Health(w, r, http.StatusOK, "degraded: the store is away; issuing goes on from the replica")
	}
	return web.Health(w, r, http.StatusOK, "ok")
}
