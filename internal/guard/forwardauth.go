package guard

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/web"
)

const forwardAuthPath = "/forward-auth"

var (
	errStranger = symbolon.NewError(symbolon.InvalidRequest, "this endpoint answers the proxies of forward_auth.trusted alone")
	errDemand   = symbolon.NewError(symbolon.InvalidRequest, "of the query's parameters there are scope, which adds to what the route demands, and audience, which must be the guard's")
)

// serveForwardAuth answers a proxy. Whatever it was asked, the answer is 200, 401
// or 403: nginx makes an error of its own of any other.
func (g *Guard) serveForwardAuth(w http.ResponseWriter, r *http.Request) error {
	x := web.ExchangeOf(w)
	switch {
	case isHealth(r):
		return g.health(w, r)
	case g.isMetadata(r):
		x.Endpoint = "metadata"
		g.metadata.ServeHTTP(x, r)
		return nil
	case !asks(r):
		return errNoEndpoint
	}
	x.Endpoint = "forward-auth"
	direct, ok := web.Connected(r)
	if !ok || !web.Within(direct, g.trustedAuth) {
		return errStranger
	}
	q, failed := g.asked(x, r)
	if failed != nil {
		return failed
	}
	_, caller, err := g.decide(r.Context(), q)
	if err != nil {
		return g.refuseAsked(x, err)
	}
	h := x.Header()
	web.NoStore(h)
	if caller == nil {
		unidentified(h)
	} else {
		identify(h, caller)
		if nonce := g.renewed(q.header[symbolon.HeaderDPoP], caller); nonce != "" {
			h[symbolon.HeaderDPoPNonce] = []string{nonce}
		}
	}
	h["Content-Length"] = []string{"0"}
	x.WriteHeader(http.StatusOK)
	return nil
}

// asked reads the question.
func (g *Guard) asked(x *web.Exchange, r *http.Request) (*question, *symbolon.Error) {
	a, err := g.family.read(r, g.public)
	if err != nil {
		return nil, err
	}
	q := &question{method: a.method, target: a.target, header: r.Header}
	if g.family != itself { // Envoy's query is the caller's
		if q.extra, err = g.demanded(r.URL.RawQuery); err != nil {
			return nil, err
		}
	}
	if q.url, err = parseTarget(a.target); err != nil {
		return nil, err
	}
	q.certificate, err = g.certificateOf(x, r, true)
	return q, err
}

// demanded reads what the proxy's configuration demands besides the routes.
// Nothing in it makes less of that.
func (g *Guard) demanded(query string) (scopes []string, failed *symbolon.Error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errDemand.WithCause(err)
	}
	for name, all := range values {
		for _, value := range all {
			switch name {
			case "scope":
				parts := strings.Fields(value)
				for _, s := range parts {
					if !symbolon.ValidScope(s) {
						return nil, errDemand
					}
				}
				if len(parts) == 0 {
					return nil, errDemand
				}
				scopes = append(scopes, parts...)
			case "audience":
				if value != g.cfg.Audience {
					return nil, errDemand
				}
			default:
				return nil, errDemand
			}
		}
	}
	return scopes, nil
}

// refuseAsked answers what was refused.
func (g *Guard) refuseAsked(x *web.Exchange, err error) error {
	g.logRefusal(x, err)
	if e, ours := err.(*symbolon.Error); ours && e != errCaller {
		return e
	}
	switch symbolon.AsError(err).Code {
	case symbolon.InvalidRequest, symbolon.InvalidToken, symbolon.InsufficientScope, symbolon.InvalidDPoPProof, symbolon.UseDPoPNonce:
		g.api.WriteError(&inOneLine{x}, err)
	default:
		// Not 401, which would make the caller fetch another token; and no code,
		// since what is wrong is nothing of the caller's.
		writeBare(x)
	}
	return nil
}

// inOneLine makes an answer of package resource one for a proxy.
type inOneLine struct{ *web.Exchange }

// WriteHeader implements http.ResponseWriter: 401 or 403, and one
// WWW-Authenticate with all challenges (RFC 9110 §11.6.1), since nginx passes on
// the first line alone.
func (o *inOneLine) WriteHeader(status int) {
	if status != http.StatusUnauthorized {
		status = http.StatusForbidden
	}
	h := o.Header()
	if lines := h["Www-Authenticate"]; len(lines) > 1 {
		h["Www-Authenticate"] = []string{strings.Join(lines, ", ")}
	}
	o.Exchange.WriteHeader(status)
}

// writeForwardAuthError answers what never came to a question about a token. The
// sentence is for who configured the proxy.
func writeForwardAuthError(x *web.Exchange, r *http.Request, e *symbolon.Error) {
	switch {
	case !asks(r):
		web.WriteError(x, r, e)
	case e.Code.TokenStatus() >= http.StatusInternalServerError:
		writeBare(x)
	default:
		web.WriteErrorStatus(x, http.StatusForbidden, e)
	}
}

func writeBare(x *web.Exchange) {
	h := x.Header()
	web.NoStore(h)
	h["Content-Length"] = []string{"0"}
	x.WriteHeader(http.StatusForbidden)
}

// asks reports whether a request is for the endpoint that proxies ask. Envoy
// puts what it was asked for behind its path.
func asks(r *http.Request) bool {
	rest, ok := strings.CutPrefix(r.URL.Path, forwardAuthPath)
	return ok && (rest == "" || rest[0] == '/')
}
