package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/symbolon/symbolon/internal/web"
	"github.com/symbolon/symbolon/resource"
)

// drainTime is how long requests in flight get when the guard stops.
const drainTime = 10 * time.Second

// Guard is a configured guard. New, then Listen, then Run.
type Guard struct {
	cfg    Config
	api    *resource.API
	routes *table
	public *url.URL // Config.PublicURL

	wellKnown string       // the path of the API's metadata (RFC 9728)
	metadata  http.Handler // what answers there

	family       *family        // of forward-auth
	trustedAuth  []netip.Prefix // ForwardAuth.Trusted
	trustedProxy []netip.Prefix // Proxy.Trusted
	upstream     *url.URL
	proxy        *httputil.ReverseProxy
	noise        web.Limiter // how often an upstream's failure is logged
	live         live
	underway     web.Places // requests to the API

	places   []*place
	draining atomic.Bool
}

// place is a listener with what answers there.
type place struct {
	member, addr string
	cert         *web.Certificate // nil: plain HTTP
	ask          bool             // for certificates
	trusted      []netip.Prefix
	server       *http.Server
	socket       net.Listener
}

// New checks the configuration and reads the files that it names. Nothing is
// opened yet.
func New(cfg Config) (*Guard, error) {
	var errs []error
	for _, p := range cfg.problems() {
		errs = append(errs, p)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	cfg = cfg.withDefaults()
	g := &Guard{cfg: cfg, routes: newTable(cfg.Routes), noise: web.Limiter{Every: time.Second, Burst: 10, MaxKeys: 16}}
	var err error
	if g.public, err = url.Parse(cfg.PublicURL); err != nil {
		return nil, fmt.Errorf("public_url: %w", err)
	}
	if g.api, err = newAPI(&cfg); err != nil {
		return nil, err
	}
	g.wellKnown, g.metadata = metadataOf(g.api)
	g.live.init(cfg.Now, g.api.Stands)
	for _, step := range []func() error{g.newProxy, g.newForwardAuth, g.newHealth} {
		if err := step(); err != nil {
			return nil, errors.Join(err, g.api.Close())
		}
	}
	return g, nil
}

// newProxy puts the reverse proxy together.
func (g *Guard) newProxy() (err error) {
	p := g.cfg.Proxy
	if p == nil {
		return nil
	}
	if g.upstream, err = upstreamURL(p.Upstream); err != nil {
		return fmt.Errorf("proxy.upstream: %w", err)
	}
	if g.trustedProxy, err = web.ParseNetworks(p.Trusted); err != nil {
		return fmt.Errorf("proxy.trusted: %w", err)
	}
	g.proxy = g.newReverseProxy()
	g.underway.InAll, g.underway.PerNetwork = *p.MaxRequests, *p.MaxRequestsPerNetwork
	at := &place{member: "proxy", addr: p.Listen, trusted: g.trustedProxy, ask: p.asks()}
	manners := g.manners(g.trustedProxy)
	manners.AskCertificates = at.ask
	manners.ProxyCertificates = !at.ask && g.cfg.ClientCertHeader == headerClientCert
	return g.add(at, p.TLS, web.Wrap(manners, g.serveProxy))
}

// newForwardAuth puts the forward-auth endpoint together.
func (g *Guard) newForwardAuth() (err error) {
	f := g.cfg.ForwardAuth
	if f == nil {
		return nil
	}
	g.family = families[f.Headers]
	if g.trustedAuth, err = web.ParseNetworks(f.Trusted); err != nil {
		return fmt.Errorf("forward_auth.trusted: %w", err)
	}
	manners := g.manners(g.trustedAuth)
	manners.ProxyCertificates = g.cfg.ClientCertHeader == headerClientCert
	manners.WriteError = writeForwardAuthError
	return g.add(&place{member: "forward_auth", addr: f.Listen, trusted: g.trustedAuth}, f.TLS, web.Wrap(manners, g.serveForwardAuth))
}

// newHealth puts the listener for probes together.
func (g *Guard) newHealth() error {
	if g.cfg.Health == "" {
		return nil
	}
	return g.add(&place{member: "health", addr: g.cfg.Health}, nil, web.Wrap(g.manners(nil), g.serveHealth))
}

func (g *Guard) manners(trusted []netip.Prefix) web.Config {
	// Bodies are the API's: a proxy does not bound them, forward-auth does not
	// look at them.
	return web.Config{TrustedProxies: trusted, MaxBody: -1, LogPaths: true, Logger: g.cfg.Logger, Now: g.cfg.Now}
}

// add completes a place.
func (g *Guard) add(at *place, files *ListenerTLS, h http.Handler) (err error) {
	if files != nil {
		if at.cert, err = web.LoadCertificate(files.Cert, files.Key, g.cfg.Now, g.cfg.Logger); err != nil {
			return fmt.Errorf("%s.tls: %w; cert and key are PEM files of one pair", at.member, err)
		}
	}
	at.server = &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(g.cfg.Logger.Handler(), slog.LevelDebug)}
	web.Limit(at.server)
	at.server.HTTP2 = &http.HTTP2Config{WriteByteTimeout: stallTime}
	g.places = append(g.places, at)
	return nil
}

// Listen opens all sockets before anything is served.
func (g *Guard) Listen() error {
	for _, at := range g.places {
		socket, err := net.Listen("tcp", at.addr)
		if err != nil {
			g.closeSockets()
			if errors.Is(err, syscall.EADDRINUSE) {
				return fmt.Errorf("%s: %s is in use by another program; stop that one or choose another address", at.member, at.addr)
			}
			return fmt.Errorf("%s: %w", at.member, err)
		}
		at.socket = web.FileConnections(at.trusted).Limit(socket)
		if at.cert == nil {
			continue
		}
		c := at.cert.TLSConfig()
		if at.ask {
			c = web.AskCertificates(c)
		}
		at.socket = tls.NewListener(at.socket, c)
	}
	return nil
}

// Addrs are the addresses that the guard listens on, by the member of Config:
// proxy, forward_auth, health.
func (g *Guard) Addrs() map[string]net.Addr {
	all := make(map[string]net.Addr)
	for _, at := range g.places {
		if at.socket != nil {
			all[at.member] = at.socket.Addr()
		}
	}
	return all
}

// Run serves until ctx ends, then lets requests in flight finish, ends those that
// do not, and closes everything. It may be called once, after Listen.
func (g *Guard) Run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go g.follow(background)
	watched := make(chan struct{})
	go func() { g.live.watch(background); close(watched) }()

	failed := make(chan error, len(g.places))
	for _, at := range g.places {
		g.cfg.Logger.Info("listening", "what", at.member, "addr", at.socket.Addr().String())
		go func() { failed <- at.server.Serve(at.socket) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	g.draining.Store(true)
	graceful, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	for _, at := range g.places {
		if at.server.Shutdown(graceful) != nil {
			g.live.end(errStopping)
			at.server.Close()
		}
	}
	g.live.end(errStopping) // a WebSocket is no longer its server's
	stop()
	<-watched
	return errors.Join(err, g.Close())
}

// follow begins to follow the issuer's keys, and says when there are none.
func (g *Guard) follow(ctx context.Context) {
	const patience = 10 * time.Second
	first, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := g.api.Start(first); err != nil && ctx.Err() == nil {
		g.cfg.Logger.Warn("the issuer's keys are not here yet; requests are answered 503 until they are", "issuer", g.cfg.Issuer, "error", err, "cause", errors.Unwrap(err))
	}
}

// Close closes what Listen opened, without Run.
func (g *Guard) Close() error {
	g.closeSockets()
	return g.api.Close()
}

func (g *Guard) closeSockets() {
	for _, at := range g.places {
		if at.socket != nil {
			at.socket.Close()
		}
	}
}
