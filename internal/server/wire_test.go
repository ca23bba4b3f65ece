package server

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
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
	host, alias := strings.TrimPrefix(base, "https://"), strings.TrimPrefix(aliasURL, "https://")
	return web.Wrap(cfg, func(w http.ResponseWriter, r *http.Request) error {
		at := r.Host
		if at == alias {
			at = host
		}
		return f.dispatch(at, w, r, func(issuer *registry.IssuerView, d *Dialect) []string {
			path := d.Endpoints().Token
			return []string{path.URL(issuer.Base), path.URL(aliasURL + issuer.Path)}
		})
	})
}
