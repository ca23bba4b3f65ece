package guard

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/resource"
)

var (
	errNoRoute = symbolon.NewError(symbolon.NotFound, "no route of this guard matches the method and the path")
	errMethod  = symbolon.NewError(symbolon.InvalidRequest, "the method has small letters: some programs would read another one, so write it in capitals")
	errCaller  = symbolon.NewError(symbolon.InvalidToken, "the access token names a client or a subject that cannot stand in a header")
)

// question is a request to decide on, in whichever way it came.
type question struct {
	method, target string   // as the caller sent them
	url            *url.URL // of target
	header         http.Header
	certificate    *x509.Certificate
	extra          []string // scopes that are demanded besides the route's
}

// decide says whether the request may go on, and whose it is: nil where anyone
// may ask. Errors of package resource are for its WriteError.
func (g *Guard) decide(ctx context.Context, q *question) (*route, *resource.Caller, error) {
	c, err := judgeTarget(q.target)
	if err != nil {
		return nil, nil, err
	}
	if q.method != strings.ToUpper(q.method) { // RFC 9110 §9.1: another method, but not to all
		return nil, nil, errMethod
	}
	r := g.routes.find(q.method, q.url)
	if r == nil || q.method == http.MethodConnect { // it would make a tunnel
		return nil, nil, errNoRoute
	}
	if !r.ambiguous && (c == ambiguous || g.routes.doubtful(q.method, q.url, r)) {
		return r, nil, errAmbiguous
	}
	if overridden(q.header) {
		return r, nil, errOverride
	}
	if r.anyone && len(q.extra) == 0 {
		return r, nil, nil
	}
	scopes := r.scopes
	if len(q.extra) > 0 {
		scopes = slices.Concat(scopes, q.extra)
	}
	caller, refused := g.api.Check(ctx, resource.Request{
		Method: q.method, URL: q.url, Authorization: q.header["Authorization"], DPoP: q.header[symbolon.HeaderDPoP], Certificate: q.certificate,
	}, scopes...)
	if refused != nil {
		return r, nil, refused
	}
	if !visible(caller.ClientID) || !visible(caller.Subject) || !visible(caller.Claims.Scope) && caller.Claims.Scope != "" {
		return r, nil, errCaller
	}
	return r, caller, nil
}

// visible reports whether a claim can stand in a header and be read as it was
// written.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > 0x7e {
			return false
		}
	}
	return s != "" && s[0] != ' ' && s[len(s)-1] != ' '
}
