package server

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/web"
)

// aliasURL is where clients with certificates reach the issuers of base.
const aliasURL = "https://mtls.auth.example.com"

// wire is a client's request: to the alias when it has certificates, else to the issuer.
type wire struct {
	issuer string // default base
	path   string // default /token
	form   string
	certs  []*x509.Certificate // of the connection, the client's own first
	header http.Header
	config web.Config
	remote string // the peer; default a stranger's
}

// exchange sends it through the handler of the listener that it is for.
func (f *fixture) exchange(q wire) *httptest.ResponseRecorder {
	f.t.Helper()
	issuer := or(q.issuer, base)
	target := issuer
	if q.certs != nil {
		target = strings.Replace(issuer, base, aliasURL, 1)
	}
	r := httptest.NewRequestWithContext(f.t.Context(), http.MethodPost, target+or(q.path, "/token"), strings.NewReader(q.form))
	for name, values := range q.header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", formType)
	r.RemoteAddr = or(q.remote, r.RemoteAddr)
	if q.certs != nil {
		q.config.AskCertificates = true
		r.TLS = &tls.ConnectionState{PeerCertificates: q.certs}
	}
	w := httptest.NewRecorder()
	f.listener(q.config).ServeHTTP(w, r)
	return w
}

// listener is the composition's dispatch to the endpoints, at the issuers' URLs
// and at their aliases.
func (f *fixture) listener(cfg web.Config) http.Handler {
	cfg.Now, cfg.Logger = f.now, f.cfg.Logger
	routes := f.Routes()
	host, alias := strings.TrimPrefix(base, "https://"), strings.TrimPrefix(aliasURL, "https://")
	return web.Wrap(cfg, func(w http.ResponseWriter, r *http.Request) error {
		snapshot := f.replica.Snapshot()
		at := r.Host
		if at == alias {
			at = host
		}
		for _, issuer := range snapshot.IssuersAt(at) {
			for i := range routes {
				if rest, ok := routes[i].Match(issuer.Path, r.URL.Path); ok {
					web.ExchangeOf(w).Endpoint = routes[i].Name
					place := Place{Snapshot: snapshot, Issuer: issuer, Rest: rest,
						TokenURLs: []string{issuer.Iss + "/token", aliasURL + issuer.Path + "/token"}}
					return routes[i].Serve(place, w, r)
				}
			}
		}
		return symbolon.NewError(symbolon.NotFound, "no such endpoint")
	})
}
