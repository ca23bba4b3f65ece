package resource

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/symbolon/symbolon"
)

// Request is what Check needs of a request.
type Request struct {
	Method        string   // not read by this version, which takes no tokens that are bound to a key
	URL           *url.URL // of which the query is read
	Authorization []string // every value of the Authorization header

	// Certificate is the client's, verified to be in use on the connection. It
	// is not read by this version either.
	Certificate *x509.Certificate
}

// Require gives a middleware that lets a request through only with a valid
// access token that carries all of the scopes, and answers others with the
// challenge of RFC 6750 §3. Without scopes any token for the API will do. It
// panics on what is not one scope: Require("a b") must be Require("a", "b").
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
			caller, err := a.Check(r.Context(), requestOf(r), scopes...)
			if err != nil {
				a.WriteError(w, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(withCaller(r.Context(), caller)))
		})
	}
}

func requestOf(r *http.Request) Request {
	q := Request{Method: r.Method, URL: r.URL, Authorization: r.Header["Authorization"]}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		q.Certificate = r.TLS.PeerCertificates[0]
	}
	return q
}

// Check judges a request as Require does. Its errors are *symbolon.Error, and
// for WriteError, which knows more about them.
func (a *API) Check(ctx context.Context, r Request, scopes ...string) (*Caller, error) {
	caller, refused := a.check(ctx, r, scopes, nil)
	if refused != nil {
		return nil, refused
	}
	return caller, nil
}

// Explain is Check with the steps that were taken: all that passed, and the
// one that did not.
func (a *API) Explain(ctx context.Context, r Request, scopes ...string) (*Caller, []symbolon.Check, error) {
	var t symbolon.Trace
	caller, refused := a.check(ctx, r, scopes, &t)
	if refused != nil {
		return nil, t.Checks, refused
	}
	return caller, t.Checks, nil
}

func (a *API) check(ctx context.Context, r Request, scopes []string, t *symbolon.Trace) (*Caller, *refusal) {
	token, err := bearer(r)
	if err != nil {
		t.Fail("request", "RFC 6750 §2.1", "one access token in the Authorization header", "", err.err.Description)
		err.scopes = scopes
		return nil, err
	}
	t.OK("request", "RFC 6750 §2.1", "one access token in the Authorization header", "")
	v, failed := a.verified(ctx, token, t)
	if failed != nil {
		return nil, &refusal{err: failed, scopes: scopes}
	}
	// Whatever is remembered of a token, these are asked for each request.
	if failed = v.bound(t); failed == nil {
		failed = v.covers(scopes, t)
	}
	if failed != nil {
		return nil, &refusal{err: failed, scopes: scopes}
	}
	return v.caller, nil
}

// bound: RFC 9449 §7.1, RFC 8705 §3: who cannot check to which key a token is
// bound must not take it from just anybody.
func (v *verified) bound(t *symbolon.Trace) *symbolon.Error {
	if v.caller.Claims.Confirmation != nil {
		t.Fail("binding", "RFC 9449 §7.1, RFC 8705 §3", "no cnf", "cnf", "ask for the token without a proof key or client certificate")
		return errBound
	}
	t.OK("binding", "RFC 9449 §7.1, RFC 8705 §3", "no cnf", "")
	return nil
}

func (v *verified) covers(scopes []string, t *symbolon.Trace) *symbolon.Error {
	for _, s := range scopes {
		if !v.caller.HasScope(s) {
			if t != nil {
				t.Fail("scope", "RFC 6750 §3.1", strings.Join(scopes, " "), v.caller.Claims.Scope, "ask for the scope, or give the client access to it")
			}
			return errScope
		}
	}
	if t != nil {
		t.OK("scope", "RFC 6750 §3.1", strings.Join(scopes, " "), v.caller.Claims.Scope)
	}
	return nil
}
