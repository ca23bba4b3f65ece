package guard

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/symbolon/symbolon"
)

// family is how a proxy tells what it was asked for. Exactly one is believed:
// what another proxy would write, this one passes on from its caller.
type family struct {
	method, uri string // headers that are there, once each; empty: the request itself says it (Envoy)
}

var (
	original  = &family{"X-Original-Method", "X-Original-Uri"}
	forwarded = &family{"X-Forwarded-Method", "X-Forwarded-Uri"}
	itself    = &family{}
)

// families are the values of ForwardAuth.Headers.
var families = map[string]*family{"nginx": original, "traefik": forwarded, "caddy": forwarded, "haproxy": forwarded, "envoy": itself}

// tellers are the headers in which proxies tell what they were asked for, those
// of no family of ours included.
var tellers = map[string]bool{
	"X-Original-Method": true, "X-Original-Uri": true, "X-Original-Url": true, "X-Original-Path": true, "X-Original-Host": true,
	"X-Forwarded-Method": true, "X-Forwarded-Uri": true, "X-Forwarded-Path": true, "X-Forwarded-Url": true,
	"X-Rewrite-Url": true, "X-Envoy-Original-Path": true, "X-Envoy-Original-Method": true, "X-Envoy-Original-Host": true,
}

// Headers of every family: they may be left out, and say nothing but what
// public_url says.
const (
	forwardedHost  = "X-Forwarded-Host"
	forwardedProto = "X-Forwarded-Proto"
)

var (
	errFamily    = symbolon.NewError(symbolon.InvalidRequest, "the request has forwarding or identity headers that this guard takes from nobody, or has one twice: forward_auth.headers says which proxy asks")
	errNotTold   = symbolon.NewError(symbolon.InvalidRequest, "the proxy does not tell the method and the URI that it was asked for: compare its configuration with forward_auth.headers")
	errElsewhere = symbolon.NewError(symbolon.InvalidRequest, "the request was made for another host or scheme than the guard's public_url")
)

// asked is the request that a proxy was asked for.
type asked struct{ method, target string }

// read gives the request that the proxy asks about.
func (f *family) read(r *http.Request, public *url.URL) (asked, *symbolon.Error) {
	if err := f.alone(r.Header); err != nil {
		return asked{}, err
	}
	if !agrees(r.Header, forwardedHost, public, sameHost) || !agrees(r.Header, forwardedProto, public, sameScheme) {
		return asked{}, errElsewhere
	}
	if f == itself {
		if !sameHost(r.Host, public) {
			return asked{}, errElsewhere
		}
		target, ok := strings.CutPrefix(r.RequestURI, forwardAuthPath)
		if !ok || !strings.HasPrefix(target, "/") {
			return asked{}, errNotTold
		}
		return asked{r.Method, target}, nil
	}
	a := asked{r.Header.Get(f.method), r.Header.Get(f.uri)}
	if !token(a.method) || a.target == "" {
		return asked{}, errNotTold
	}
	return a, nil
}

// alone refuses what no proxy of this family writes, and what somebody wrote
// besides it: in any spelling, since the proxy's own would stand beside it.
func (f *family) alone(h http.Header) *symbolon.Error {
	for name, values := range h {
		plain := name
		if !canonical(name) {
			plain = fold(name)
		}
		ours := plain == f.method || plain == f.uri || plain == forwardedHost || plain == forwardedProto
		told := tellers[plain] || plain == headerClientID || plain == headerScope || plain == headerSubject
		if told && !ours || ours && (plain != name || len(values) != 1) {
			return errFamily
		}
	}
	return nil
}

// agrees reports whether a header, where it is there, says what public_url says.
func agrees(h http.Header, name string, public *url.URL, same func(string, *url.URL) bool) bool {
	values := h[name]
	return len(values) == 0 || len(values) == 1 && same(values[0], public)
}

// sameHost compares as RFC 3986 §6.2 says: without case and default port.
func sameHost(host string, public *url.URL) bool {
	port := ":443"
	if public.Scheme == "http" {
		port = ":80"
	}
	bare := func(h string) string { return strings.TrimSuffix(strings.ToLower(h), port) }
	return host != "" && bare(host) == bare(public.Host)
}

// sameScheme: Traefik writes ws and wss for WebSockets.
func sameScheme(proto string, public *url.URL) bool {
	switch proto = strings.ToLower(proto); proto {
	case "ws":
		proto = "http"
	case "wss":
		proto = "https"
	}
	return proto == public.Scheme
}

// token reports whether s is one of RFC 9110 §5.6.2, as a method is.
func token(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]{}", c) >= 0 {
			return false
		}
	}
	return s != ""
}
