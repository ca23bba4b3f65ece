package guard

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/web"
	"github.com/symbolon/symbolon/resource"
)

var errOpen = symbolon.NewError(symbolon.InvalidRequest, "this request crossed the network without TLS; use the API's https URL, and replace the token that was sent")

// errCrowd comes after the token was judged: who has none takes no place.
var errCrowd = symbolon.NewError(symbolon.TemporarilyUnavailable, "too many requests are under way, from this network or in all: try again in a moment").
	WithCause(errors.New("as many requests are under way as proxy.max_requests and proxy.max_requests_per_network allow"))

// passage is a request on its way to the API and its answer on its way back.
type passage struct {
	caller    *resource.Caller // nil: anyone
	nonce     string           // that the caller should use from now on; empty: the one it has
	requestID string
	peer      netip.Addr
	websocket bool
	final     bool      // the connection is closed behind the answer
	live      *exchange // nil: anyone
	broken    atomic.Bool
}

type passageKey struct{}

func passageOf(ctx context.Context) *passage { return ctx.Value(passageKey{}).(*passage) }

// serveProxy decides, and forwards what it decided on.
func (g *Guard) serveProxy(w http.ResponseWriter, r *http.Request) error {
	x := web.ExchangeOf(w)
	direct, ok := web.Connected(r)
	trusted := ok && web.Within(direct, g.trustedProxy)
	// A listener that is open to the network for a proxy is open to others too.
	if r.TLS == nil && !trusted && !direct.IsLoopback() {
		return errOpen
	}
	if g.isMetadata(r) {
		x.Endpoint = "metadata"
		g.metadata.ServeHTTP(x, r)
		return nil
	}
	cert, failed := g.certificateOf(x, r, trusted && !g.cfg.Proxy.asks())
	if failed != nil {
		return failed
	}
	q := &question{method: r.Method, target: r.RequestURI, url: r.URL, header: r.Header, certificate: cert}
	route, caller, err := g.decide(r.Context(), q)
	if route != nil {
		x.Endpoint = route.pattern
	}
	if err != nil {
		return g.refuse(x, err)
	}
	place := x.Peer
	if web.Within(place, g.trustedProxy) {
		place = netip.Addr{} // it speaks for many, and does not say for whom
	}
	if !g.underway.Take(place) {
		return g.refuse(x, errCrowd)
	}
	defer g.underway.Release(place)
	g.forward(x, r, caller)
	return nil
}

// refuse answers what package resource refused; other errors are for web.
func (g *Guard) refuse(x *web.Exchange, err error) error {
	g.logRefusal(x, err)
	if e, ours := err.(*symbolon.Error); ours && e != errCaller {
		return e
	}
	g.api.WriteError(x, err)
	return nil
}

// logRefusal tells the operator, who has a Request-Id and cannot see what the
// caller was told.
func (g *Guard) logRefusal(x *web.Exchange, err error) {
	if e := symbolon.AsError(err); g.cfg.Logger.Enabled(context.Background(), slog.LevelDebug) {
		g.cfg.Logger.Debug("refused", "request_id", x.RequestID, "code", e.Code, "because", e.Description)
	}
}

// forward lets the request through and its answer back.
func (g *Guard) forward(x *web.Exchange, r *http.Request, caller *resource.Caller) {
	p := &passage{caller: caller, requestID: x.RequestID, peer: x.Peer, websocket: isWebSocket(r), final: x.Header().Get("Connection") == "close"}
	ctx := context.WithValue(r.Context(), passageKey{}, p)
	if caller != nil {
		p.nonce = g.renewed(r.Header[symbolon.HeaderDPoP], caller)
		cancelled, end := context.WithCancelCause(ctx)
		ctx = cancelled
		p.live = &exchange{caller: caller, end: func(cause error) {
			g.cfg.Logger.Debug("a request under way is ended", "request_id", p.requestID, "client", caller.ClientID, "cause", cause)
			end(cause)
		}}
		p.live.stream.Store(r.ContentLength < 0)
		g.live.add(p.live)
		defer func() { g.live.remove(p.live); end(nil) }()
	}
	r = r.WithContext(ctx)
	clear(x.Header()) // what the API answers is its own; modify adds what is ours
	to := newSteady(x, ctx, r.ProtoMajor == 1)
	defer to.finish()
	if to.http1 && r.Body != nil && r.Body != http.NoBody {
		r.Body = upload{r.Body, to.control, &p.broken}
	}
	g.proxy.ServeHTTP(to, r)
}

func (g *Guard) newReverseProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        g.rewrite,
		Transport:      g.newTransport(),
		FlushInterval:  flushTime, // of answers of known length; others are flushed at once
		BufferPool:     buffers{},
		ModifyResponse: g.modify,
		ErrorHandler:   g.fail,
		ErrorLog:       slog.NewLogLogger(g.cfg.Logger.Handler(), slog.LevelDebug),
	}
}

// flushTime is how long a part of an answer may wait for the next.
const flushTime = 100 * time.Millisecond

// newTransport speaks to the API. It is no http.DefaultTransport: no proxy of the
// environment, nothing decompressed, nothing followed.
func (g *Guard) newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  time.Duration(g.cfg.Proxy.UpstreamTimeout),
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    1024,
		// Node closes connections after 5 s: it must not do so just when a request
		// is on its way that cannot be sent twice.
		IdleConnTimeout:    4 * time.Second,
		DisableCompression: true,
		ForceAttemptHTTP2:  true,
	}
}

// rewrite makes the request that the API gets of the one that was decided on.
func (g *Guard) rewrite(pr *httputil.ProxyRequest) {
	p, out := passageOf(pr.In.Context()), pr.Out
	// The same path and the same query: ReverseProxy would leave out parameters
	// that it cannot read (GO-2026-4976).
	target := *pr.In.URL
	target.Scheme, target.Host = g.upstream.Scheme, g.upstream.Host
	out.URL = &target
	out.Host = g.public.Host // never the caller's word
	out.Trailer = nil        // headers that came too late to be decided on
	strip(out.Header)
	if g.cfg.Proxy.Authorization != "pass" {
		delete(out.Header, "Authorization")
		delete(out.Header, symbolon.HeaderDPoP)
	}
	if !p.websocket { // of others, h2c would carry requests that nobody decides on
		delete(out.Header, "Connection")
		delete(out.Header, "Upgrade")
	}
	set := func(name, value string) { out.Header[name] = []string{value} }
	set("Request-Id", p.requestID)
	set("X-Forwarded-Host", g.public.Host)
	set("X-Forwarded-Proto", g.public.Scheme)
	if p.peer.IsValid() {
		set("X-Forwarded-For", p.peer.String())
	}
	if p.caller != nil {
		identify(out.Header, p.caller)
	}
}

// identify says who the caller is.
func identify(h http.Header, c *resource.Caller) {
	h[headerClientID] = []string{c.ClientID}
	h[headerSubject] = []string{c.Subject}
	h[headerScope] = []string{strings.Join(c.Scopes, " ")}
}

// unidentified says to a proxy that there is no caller. Caddy 2.6 would write the
// name of a variable where a header is missing, which an API could take for one.
func unidentified(h http.Header) {
	for _, name := range []string{headerClientID, headerSubject, headerScope} {
		h[name] = []string{""}
	}
}

// modify adds what is ours to the API's answer.
func (g *Guard) modify(resp *http.Response) error {
	p, h := passageOf(resp.Request.Context()), resp.Header
	if resp.StatusCode == http.StatusSwitchingProtocols && !(p.websocket && accepted(resp)) {
		return errNoWebSocket
	}
	p.mark(h)
	delete(h, symbolon.HeaderDPoPNonce) // proofs are for the guard
	if p.nonce != "" {
		h[symbolon.HeaderDPoPNonce] = []string{p.nonce}
		h["Cache-Control"] = []string{"no-store"} // RFC 9449 §8.2
	}
	if p.live != nil && (resp.ContentLength < 0 || resp.StatusCode == http.StatusSwitchingProtocols) {
		p.live.stream.Store(true)
	}
	return nil
}

// mark adds what every answer has.
func (p *passage) mark(h http.Header) {
	h[web.HeaderRequestID] = []string{p.requestID}
	if p.final {
		h["Connection"] = []string{"close"} // package web says why
	}
}

// fail answers when the API does not, without a word about why.
func (g *Guard) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := passageOf(r.Context())
	h := w.Header()
	clear(h)
	p.mark(h)
	var ended *symbolon.Error
	if errors.As(context.Cause(r.Context()), &ended) {
		g.api.WriteError(w, ended)
		return
	}
	status := http.StatusBadGateway
	var late net.Error
	switch {
	case p.broken.Load():
		status = http.StatusBadRequest
	case errors.As(err, &late) && late.Timeout():
		status = http.StatusGatewayTimeout
	}
	h["Cache-Control"] = []string{"no-store"}
	h["Content-Length"] = []string{"0"}
	w.WriteHeader(status)
	if ok, _ := g.noise.Allow("upstream", time.Now()); ok && r.Context().Err() == nil && !p.broken.Load() {
		g.cfg.Logger.Warn("the upstream does not answer", "request_id", p.requestID, "upstream", g.upstream.Host, "error", blameless(err))
	}
}

// blameless is an error's text up to what it quotes of the upstream's answer, which
// may be long, and the request itself where the upstream is no HTTP server.
func blameless(err error) string {
	text, _, quotes := strings.Cut(err.Error(), `"`)
	if quotes {
		text += "…"
	}
	return text[:min(len(text), 256)]
}

// buffers are the space through which bodies go.
type buffers struct{}

const bufferSize = 32 << 10

var bufferPool = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// Get implements httputil.BufferPool.
func (buffers) Get() []byte { return bufferPool.Get().(*[bufferSize]byte)[:] }

// Put implements httputil.BufferPool.
func (buffers) Put(b []byte) { bufferPool.Put((*[bufferSize]byte)(b)) }
