// Package web holds the plain HTTP manners of every listener: a handler that
// returns its error, a request id on each answer, bounded bodies and heads, one
// place that writes, logs and counts errors, and the address and the certificate
// of the peer.
package web

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/symbolon/symbolon"
)

// HandlerFunc answers a request, or returns why it does not. It must not have
// begun its answer when it returns an error: Wrap writes that one. The
// ResponseWriter is an Exchange's; see ExchangeOf.
type HandlerFunc func(http.ResponseWriter, *http.Request) error

// Config is what Wrap needs to know. The zero value is usable: it trusts no
// proxy and logs nothing.
type Config struct {
	// TrustedProxies are the networks whose X-Forwarded-For counts.
	TrustedProxies []netip.Prefix
	// ProxyCertificates: the Client-Cert and Client-Cert-Chain of TrustedProxies
	// count too (RFC 9440). Not every proxy that tells addresses removes these
	// headers from what it gets.
	ProxyCertificates bool
	// AskCertificates: the listener asks its clients for a certificate. It is then
	// the one of the TLS connection and of nothing else, whoever the peer is.
	AskCertificates bool
	// MaxBody bounds the octets of a request body; default symbolon.MaxBody.
	// Negative: there is no bound, bodies are the handler's.
	MaxBody int64
	// WriteError writes an error as the answer; default WriteError.
	WriteError func(x *Exchange, r *http.Request, e *symbolon.Error)
	// Logger gets the access log (debug) and failures of the server (warn,
	// error). No line has a query, a header or a body.
	Logger *slog.Logger
	// LogPaths: the access log has the path of every request; default: only of
	// those that no endpoint took.
	LogPaths bool
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// HeaderRequestID names the header that carries the request id. It is always
// made here: one that a request brings is not looked at, since whoever chooses
// it could make two requests look like one.
const HeaderRequestID = "Request-Id"

// Exchange is one request under way. It is the ResponseWriter that handlers get.
type Exchange struct {
	http.ResponseWriter
	RequestID string     // 22 characters, random; the answer's Request-Id
	Peer      netip.Addr // whom the request comes from; the zero Addr on a Unix socket
	Began     time.Time

	// Certificate is the client's, nil when it presented none. Whoever presented
	// it holds its key; nothing else was checked: neither chain nor dates nor use.
	Certificate *x509.Certificate
	// Chain is what was presented along with the certificate, in that order.
	Chain []*x509.Certificate
	// Forwarded: a trusted proxy passed the certificate on (RFC 9440).
	Forwarded bool
	// Claimed: a header claims a certificate and was not looked at, since it came
	// from a peer that may write what it likes.
	Claimed bool

	Endpoint string // set by whoever picks the handler, for records, log and metrics

	// WriteError writes the error that the handler returns; set by whoever picks
	// the handler. Nil: Config's does.
	WriteError func(x *Exchange, r *http.Request, e *symbolon.Error)

	status int
	size   int64
}

// ExchangeOf gives the Exchange that Wrap made for a handler's ResponseWriter,
// also through writers that unwrap. It panics outside Wrap.
func ExchangeOf(w http.ResponseWriter) *Exchange {
	for {
		switch v := w.(type) {
		case *Exchange:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			panic("web.ExchangeOf: the handler does not run inside web.Wrap")
		}
	}
}

// Unwrap serves http.ResponseController.
func (x *Exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader notes the status.
func (x *Exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write notes the size.
func (x *Exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(b)
	x.size += int64(n)
	return n, err
}

// nosniff is shared by all answers and never written to: net/http only reads
// the header's slices.
var nosniff = []string{"nosniff"}

// wrapped is a handler with its manners.
type wrapped struct {
	Config
	handle HandlerFunc
	noise  *Limiter // how often a failure of one kind is logged
}

// Wrap gives the handler its manners.
func Wrap(c Config, h HandlerFunc) http.Handler {
	if c.MaxBody == 0 {
		c.MaxBody = symbolon.MaxBody
	}
	if c.WriteError == nil {
		c.WriteError = WriteError
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &wrapped{Config: c, handle: h, noise: &Limiter{Every: time.Second, Burst: 10, MaxKeys: 256}}
}

func (s *wrapped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &Exchange{ResponseWriter: w, RequestID: NewID(), Peer: PeerOf(r, s.TrustedProxies), Began: s.Now()}
	head := w.Header()
	head[HeaderRequestID] = []string{x.RequestID}
	head["X-Content-Type-Options"] = nosniff
	err := s.serve(x, r)
	var e *symbolon.Error
	if err != nil {
		e = symbolon.AsError(err)
		s.fail(x, r, e)
	}
	s.logAccess(r.Context(), x, r, e)
}

var errBodyTooLarge = symbolon.NewError(symbolon.TooLarge, "the request body is larger than this server reads: 64 KiB at the OAuth endpoints")

// serve runs the handler; a panic of it becomes an error.
func (s *wrapped) serve(x *Exchange, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { // net/http compares it the same way
				s.logAccess(r.Context(), x, r, nil, slog.Bool("aborted", true)) // with what was sent by then
				panic(p)
			}
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := s.findCertificate(x, r); err != nil {
		return err
	}
	if s.MaxBody >= 0 && r.ContentLength > s.MaxBody {
		x.Header()["Connection"] = []string{"close"} // what follows the head is not worth reading
		return errBodyTooLarge
	}
	if !r.ProtoAtLeast(1, 1) {
		// RFC 9112 §6.1: the framing of a message of HTTP/1.0 with a transfer coding
		// is faulty. net/http has dropped that by now and passes over it: what
		// follows, to another reader a body, must be no request.
		x.Header()["Connection"] = []string{"close"}
	}
	if r.ContentLength < 0 {
		// RFC 9112 §6.1: after a message with both a length and a transfer coding
		// the connection MUST be closed: what follows may be another reader's
		// idea of a body. net/http has dropped the length by now, so it is closed
		// after every message with a transfer coding; clients that know what they
		// send have none.
		if r.ProtoMajor == 1 {
			x.Header()["Connection"] = []string{"close"}
		}
		if s.MaxBody >= 0 {
			r.Body = http.MaxBytesReader(x.ResponseWriter, r.Body, s.MaxBody)
		}
	}
	if err = s.handle(x, r); err != nil {
		// A handler that reads by other means than ReadBody gives net/http's own.
		if over := new(http.MaxBytesError); errors.As(err, &over) {
			return errBodyTooLarge
		}
	}
	return err
}

// errBegun is logged when a handler returns an error too late for an answer.
var errBegun = errors.New("the answer had begun already")

// fail writes the error as the answer and logs what is the server's own fault.
func (s *wrapped) fail(x *Exchange, r *http.Request, e *symbolon.Error) {
	cause, level := e.Cause(), slog.LevelDebug
	switch status := e.Code.TokenStatus(); {
	case status == http.StatusServiceUnavailable:
		level = slog.LevelWarn
	case status >= 500:
		level = slog.LevelError
	}
	if x.status != 0 {
		cause, level = errors.Join(errBegun, cause), slog.LevelError
	} else {
		drain(x.ResponseWriter, r, s.MaxBody)
		if x.WriteError != nil {
			x.WriteError(x, r, e)
		} else {
			s.WriteError(x, r, e)
		}
	}
	if level == slog.LevelDebug {
		return // the client's own doing: the access log has it
	}
	// A store that is away or a full disk fails every request alike: ten lines
	// and then one a second tell it as well as thousands.
	if ok, _ := s.noise.Allow(x.Endpoint+" "+string(e.Code), x.Began); !ok {
		return
	}
	s.Logger.LogAttrs(r.Context(), level, "request failed",
		slog.String("request_id", x.RequestID), slog.String("endpoint", x.Endpoint),
		slog.String("code", string(e.Code)), slog.Any("cause", cause))
}

// logAccess writes the access log, on level debug: each token request leaves
// its record in the spool, which is the log that counts.
func (s *wrapped) logAccess(ctx context.Context, x *Exchange, r *http.Request, e *symbolon.Error, more ...slog.Attr) {
	if !s.Logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", x.RequestID), slog.String("peer", x.Peer.String()),
		slog.String("method", cut(r.Method)), slog.String("endpoint", x.Endpoint),
		slog.Int("status", x.status), slog.Int64("size", x.size), slog.Duration("took", s.Now().Sub(x.Began)),
	}
	if x.Claimed {
		attrs = append(attrs, slog.Bool("certificate_claimed", true))
	}
	if x.Endpoint == "" || s.LogPaths {
		// Mostly only what no endpoint took: the path of the others says no more
		// than their name.
		attrs = append(attrs, slog.String("path", cut(r.URL.EscapedPath())))
	}
	if e != nil {
		attrs = append(attrs, slog.String("code", string(e.Code)))
	}
	attrs = append(attrs, more...)
	s.Logger.LogAttrs(ctx, slog.LevelDebug, "request", attrs...)
}

// cut bounds a text that the sender chose.
func cut(s string) string { return s[:min(len(s), 128)] }

// NewID makes 128 random bits as 22 characters of base64url: the id of a request
// or of a token. The first is no hyphen: command lines would take the id for an
// option. crypto/rand never gives predictable bytes: without its source the
// process ends.
func NewID() string {
	for {
		var raw [16]byte
		rand.Read(raw[:])
		if id := base64.RawURLEncoding.EncodeToString(raw[:]); id[0] != '-' {
			return id
		}
	}
}
