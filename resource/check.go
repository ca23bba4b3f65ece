package resource

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
)

// Request is what Check needs of a request.
type Request struct {
	Method        string   // as it was sent: a DPoP proof names it
	URL           *url.URL // as it was sent; its query and path are read, its host is not
	Authorization []string // every value of the Authorization header
	DPoP          []string // every value of the DPoP header (RFC 9449 §4.1)

	// Certificate is what the caller presented on this very connection; nil when
	// it presented none. TLS must have seen that the caller has its key, as every
	// handshake does. Take it from nothing that the caller could write, such as a
	// header (CVE-2024-10039).
	Certificate *x509.Certificate

	target string // the path before any middleware changed it; empty: that of URL
}

// String tells the method alone: a request holds a token and a proof.
func (r Request) String() string { return "resource.Request(" + strconv.Quote(r.Method) + ")" }

// Format is String under every verb: %d would look past it.
func (r Request) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue is String for slog.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Require gives a middleware that lets a request through only with a valid
// access token that carries all of the scopes, and answers others with the
// challenges of RFC 6750 §3 and RFC 9449 §7.1. Without scopes any token for the
// API will do. It panics on what is not one scope: Require("a b") must be
// Require("a", "b").
//
// A token that is bound to a key is taken only from who has it: with a DPoP
// proof for this request, or on a TLS connection with its certificate. For the
// latter the server must ask for certificates (tls.RequestClientCert at least).
//
// It reads the Authorization header alone (RFC 6750 §2.1): the body belongs to
// the handler, so a token in it is not seen.
func (a *API) Require(scopes ...string) func(http.Handler) http.Handler {
	for _, s := range scopes {
		if !symbolon.ValidScope(s) {
			panic(fmt.Sprintf("resource: Require: %q is not one scope (RFC 6749 §3.3); give each scope as an argument of its own", s))
		}
	}
	a.know(scopes)
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("resource: Require: the handler is nil")
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := requestOf(r)
			caller, proof, refused := a.check(r.Context(), &q, scopes, nil)
			if refused != nil {
				a.WriteError(w, refused)
				return
			}
			a.renew(w.Header(), proof)
			next.ServeHTTP(w, r.WithContext(withCaller(r.Context(), caller)))
		})
	}
}

func requestOf(r *http.Request) Request {
	q := Request{
		Method: r.Method, URL: r.URL, target: target(r.RequestURI),
		Authorization: r.Header["Authorization"], DPoP: r.Header[symbolon.HeaderDPoP],
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		q.Certificate = r.TLS.PeerCertificates[0]
	}
	return q
}

// Check judges a request as Require does. Its errors are *symbolon.Error, and
// for WriteError, which knows more about them.
func (a *API) Check(ctx context.Context, r Request, scopes ...string) (*Caller, error) {
	caller, _, refused := a.check(ctx, &r, scopes, nil)
	if refused != nil {
		return nil, refused
	}
	return caller, nil
}

// Explain is Check with the steps that were taken: all that passed, and the
// one that did not. A proof is used up by it as by Check.
func (a *API) Explain(ctx context.Context, r Request, scopes ...string) (*Caller, []symbolon.Check, error) {
	var t symbolon.Trace
	caller, _, refused := a.check(ctx, &r, scopes, &t)
	if refused != nil {
		return nil, t.Checks, refused
	}
	return caller, t.Checks, nil
}

// ExplainToken explains a token by itself, as somebody who looks at one wants it:
// whether its caller has the key that it may be bound to is not asked. Its error
// is that of the step that did not pass. It lets nobody in: it gives no Caller.
func (a *API) ExplainToken(ctx context.Context, token string, scopes ...string) ([]symbolon.Check, error) {
	var t symbolon.Trace
	v, failed := a.judged(ctx, nil, token, &t)
	if failed == nil {
		failed = a.denied(ctx, v, &t)
	}
	if failed == nil {
		failed = v.covers(scopes, &t)
	}
	if failed != nil {
		return t.Checks, failed
	}
	return t.Checks, nil
}

// check walks the steps; proof is nil unless the token is bound to a DPoP key.
func (a *API) check(ctx context.Context, r *Request, scopes []string, t *symbolon.Trace) (*Caller, *dpop.Proof, *refusal) {
	const clause, want = "RFC 6750 §2.1, RFC 9449 §7.1", "one access token in the Authorization header"
	c, refused := credentialsOf(r)
	if refused != nil {
		t.Fail("request", clause, want, refused.got, refused.err.Description)
		refused.scopes = scopes
		return nil, nil, refused
	}
	t.OK("request", clause, want, "")
	v, failed := a.judged(ctx, r, c.token, t)
	var proof *dpop.Proof
	if failed == nil {
		// Whatever is remembered of a token, these are asked for each request.
		proof, failed = a.bound(r, c, v, t)
	}
	if failed == nil {
		failed = a.denied(ctx, v, t)
	}
	if failed == nil {
		failed = v.covers(scopes, t)
	}
	if failed == nil {
		failed = a.consume(ctx, proof, v.caller.ClientID, t)
	}
	if failed != nil {
		return nil, nil, &refusal{err: failed, scopes: scopes, scheme: c.scheme}
	}
	return v.caller, proof, nil
}

func (v *verified) covers(scopes []string, t *symbolon.Trace) *symbolon.Error {
	for _, s := range scopes {
		if !v.caller.HasScope(s) {
			if t != nil {
				t.Fail("scope", "RFC 6750 §3.1", strings.Join(scopes, " "), cmp.Or(v.caller.Claims.Scope, "none"), "ask for the scope, or give the client access to it")
			}
			return errScope
		}
	}
	if t != nil {
		t.OK("scope", "RFC 6750 §3.1", strings.Join(scopes, " "), v.caller.Claims.Scope)
	}
	return nil
}
