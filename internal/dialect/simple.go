package dialect

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
	"github.com/symbolon/symbolon/internal/web"
)

// simpleDialect is the token server of "Build a Simple Node.js OAuth Server with
// JWT": POST /authorize gives a token for a client_id and a client_secret, POST
// /verify tells what is in it. Other than there, tokens are signed with a key that
// nobody else needs, expire, and can be revoked.
//
// Its /authorize speaks nothing that a program could make of metadata, so the
// metadata names no token endpoint. The keys and the revocation set are in it, for
// those who check tokens by themselves.
var simpleDialect = server.Dialect{
	Name: registry.DialectSimple,
	Paths: &server.Paths{
		Token:          server.Path{Path: "/authorize"},
		JWKS:           server.Path{Path: "/jwks"},
		Key:            server.Path{Path: "/jwks/", Suffix: ".pem"},
		Revocations:    server.Path{Path: "/revocations"},
		RevocationKeys: server.Path{Path: "/revocations/keys"},
	},
	// The payload that /verify tells has success; so has the token, for programs
	// that read it by themselves.
	Claims: server.DialectClaims{More: []server.DialectClaim{{Name: "success", Value: "true"}}},
	// Its clients send client_id and client_secret alone, as a form or as JSON.
	JSON:  true,
	Grant: symbolon.GrantClientCredentials,

	Answer:     appendSimpleAnswer,
	WriteError: writeSimpleError,
}

// appendSimpleAnswer writes what its clients read. Neither the id of a client nor a
// token has a character that JSON escapes.
func appendSimpleAnswer(b []byte, a symbolon.TokenAnswer, client string) []byte {
	b = append(b, `{"success":true,"client_id":"`...)
	b = append(b, client...)
	b = append(b, `","token":"`...)
	b = append(b, a.AccessToken...)
	return append(b, `"}`...)
}

// writeSimpleError writes a refusal as that server did: success is false, and
// nothing else is told. Its clients look at no status, and what is wrong with a
// client, a request or a token has none of its own here: 200. What another attempt
// or another method would change keeps its status.
func writeSimpleError(x *web.Exchange, _ *http.Request, e *symbolon.Error) {
	status := e.Code.TokenStatus()
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		status = http.StatusOK
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		x.Header()["Retry-After"] = []string{web.RetryAfter(e)}
	}
	writeSimple(x, status, `{"success":false}`)
}

func writeSimple(x *web.Exchange, status int, body string) {
	h := x.Header()
	web.NoStore(h)
	h["Content-Type"] = []string{contentJSON}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.WriteHeader(status)
	x.Write([]byte(body))
}

func (e *Endpoints) simpleRoutes() []server.Route {
	v := &verifier{server: e.cfg.Server, limit: web.Limiter{Every: verifyEvery, Burst: verifyBurst, MaxKeys: verifyKeys}}
	return []server.Route{
		{Name: "verify", Path: "/verify", Serve: v.serve, Errors: writeSimpleError},
		{Name: "portal", Path: "/", Serve: servePortal, Errors: writeSimpleError},
	}
}

// What one network may have verified: the APIs of one owner ask for each request
// that they get. Anybody may ask, and each time costs a signature's check and a
// record.
const (
	verifyEvery = 10 * time.Millisecond
	verifyBurst = 500
	verifyKeys  = 4096 // networks remembered
)

var errVerifying = &symbolon.Error{
	Code:        symbolon.TooManyRequests,
	Description: "this network has tokens verified faster than it may; try again, or check them by the issuer's keys",
	RetryAfter:  time.Second,
}

// verifier is the endpoint /verify.
type verifier struct {
	server *server.Server
	limit  web.Limiter
}

// serve tells what is in a token of this issuer, and nothing of any other text:
// whether it was never one, has expired or was revoked has one answer.
func (v *verifier) serve(at server.Place, w http.ResponseWriter, r *http.Request) error {
	x := web.ExchangeOf(w)
	if err := web.CheckMethod(x, r, http.MethodPost); err != nil {
		return err
	}
	if ok, _ := v.limit.Allow(web.Network(x.Peer).String(), x.Began); !ok {
		return v.server.Refused(at, x, server.Caller{}, errVerifying)
	}
	claims, err := v.server.Recognize(at, x, presentedToken(r.Header["Authorization"]))
	if err != nil {
		return err
	}
	writeSimple(x, http.StatusOK, string(claims.AppendJSON(nil)))
	return nil
}

// presentedToken is the token of the Authorization header. The article's server
// reads the header as the token itself; other clients write Bearer before it. Of
// several headers, none counts.
func presentedToken(headers []string) string {
	if len(headers) != 1 {
		return ""
	}
	scheme, token, found := strings.Cut(headers[0], " ")
	switch {
	case !found:
		return headers[0]
	case strings.EqualFold(scheme, "Bearer"):
		return strings.TrimLeft(token, " ")
	}
	return ""
}

// portal is what people see who come by with a browser.
const portal = `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Token server</title></head>
<body>
<h1>Token server</h1>
<p>Programs get tokens here.</p>
<dl>
<dt><code>POST /authorize</code></dt>
<dd>with <code>client_id</code> and <code>client_secret</code>, as a form or as JSON: a token.</dd>
<dt><code>POST /verify</code></dt>
<dd>with a token in the <code>Authorization</code> header: what it says.</dd>
<dt><a href="/jwks"><code>GET /jwks</code></a></dt>
<dd>the keys, for programs that check tokens by themselves.</dd>
</dl>
</body>
</html>
`

func servePortal(_ server.Place, w http.ResponseWriter, r *http.Request) error {
	if err := web.CheckMethod(w, r, http.MethodGet); err != nil {
		return err
	}
	h := w.Header()
	h["Content-Type"] = []string{"text/html; charset=utf-8"}
	h["Content-Security-Policy"] = []string{"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
	h["Referrer-Policy"] = []string{"no-referrer"}
	h["Cache-Control"] = []string{"public, max-age=300"}
	h["Content-Length"] = []string{strconv.Itoa(len(portal))}
	if r.Method == http.MethodHead {
		return nil
	}
	w.Write([]byte(portal))
	return nil
}
