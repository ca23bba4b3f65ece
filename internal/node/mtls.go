package node

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
)

// MTLS is where clients present certificates, to authenticate with them
// (tls_client_auth, self_signed_tls_client_auth) or to bind tokens to them
// (RFC 8705). Nobody is asked for a certificate anywhere else: browsers would ask
// their users.
type MTLS struct {
	// URL is the https URL under which clients with certificates reach this
	// server, without a path: on the mtls listener its host stands for the host of
	// url, and the alias of a token endpoint is URL and then the issuer's path. It
	// is for issuers on url's host only. It differs from url by host or port,
	// unless listen is left out.
	URL string `yaml:"url"`
	// Listen is the address on which certificates are asked for, with a
	// certificate of the server's own where that of tls does not fit. Left out: the
	// trusted_proxies serve URL and pass certificates on (RFC 9440).
	Listen Listener `yaml:"listen"`
	// ClientCA is a PEM file with the roots that certificates of tls_client_auth
	// lead to; it is read again when it changes, and the one before stays while it
	// is broken, empty or gone. The one line "# nobody" is no root at all. Left out:
	// no client can use tls_client_auth. Clients with self-signed certificates need
	// none.
	ClientCA string `yaml:"client_ca"`
}

// checkMTLS says what is wrong with the member mtls, if it is there.
func (c *Config) checkMTLS(behindProxy bool, bad complain) {
	m := c.MTLS
	if m == nil {
		return
	}
	if err := c.checkMTLSURL(); err != nil {
		bad("mtls.url", "mtls.url: %w", err)
	}
	if m.Listen.Addr == "" {
		if !behindProxy {
			bad("mtls.listen", "mtls.listen: missing; write the address on which to ask for certificates, as 127.0.0.1:8444, or name the proxies that pass them on in trusted_proxies")
		}
		return
	}
	if _, _, err := net.SplitHostPort(m.Listen.Addr); err != nil {
		bad("mtls.listen.addr", "mtls.listen: %q is not an address; write host:port, as 127.0.0.1:8444", m.Listen.Addr)
		return
	}
	if m.Listen.TLS == nil && c.TLS == nil {
		bad("mtls.listen.addr", "mtls.listen: this listener speaks TLS itself and has no certificate; write tls: {cert: …, key: …}")
	}
	for _, l := range c.Listen {
		if l.Addr == m.Listen.Addr && !strings.HasSuffix(l.Addr, ":0") {
			bad("mtls.listen.addr", "mtls.listen: %s is in listen already, where nobody is asked for a certificate; choose another port", l.Addr)
		}
	}
}

func (c *Config) checkMTLSURL() error {
	const example = "write for example https://mtls.auth.example.com"
	if c.MTLS.URL == "" {
		return errors.New("missing; it is the https URL under which clients with certificates reach this server; " + example)
	}
	if message, fix := registry.CheckURL(c.MTLS.URL); message != "" {
		return fmt.Errorf("%s; %s", message, fix)
	}
	u, err := url.Parse(c.MTLS.URL)
	switch {
	case err != nil:
		return errors.New("not a URL; " + example)
	case u.Scheme != "https":
		return errors.New("certificates are presented in TLS; write https://, on loopback too")
	case strings.Trim(u.Path, "/") != "":
		return errors.New("a path, which every issuer adds by itself; remove what follows the host")
	case c.MTLS.Listen.Addr != "" && hostOf(c.MTLS.URL) == hostOf(c.URL):
		return errors.New("the same host and port as url; use another one for clients with certificates, so that nobody else is asked for one")
	}
	return nil
}

// hostOf is the host[:port] of a URL as requests name it: lower case, without
// the default port (RFC 3986 §6.2.3).
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return bareHost(u.Host, u.Scheme)
}

func bareHost(host, scheme string) string {
	port := ":443"
	if scheme == "http" {
		port = ":80"
	}
	return strings.TrimSuffix(strings.ToLower(host), port)
}

// mtls is what the node knows of the place where certificates are presented; nil
// when there is none.
type mtls struct {
	base  string // mtls.url without a final slash
	host  string // as requests name it
	forms string // the host of url, for which it stands
	cas   *clientCAs
}

// openMTLS reads what the configuration says; the socket is listen's.
func (n *Node) openMTLS() (err error) {
	c := n.cfg.MTLS
	if c == nil {
		return nil
	}
	m := &mtls{base: strings.TrimSuffix(c.URL, "/"), host: hostOf(c.URL), forms: hostOf(n.cfg.URL)}
	if c.ClientCA != "" {
		if m.cas, err = loadClientCAs(c.ClientCA, n.cfg.Now, n.cfg.Logger); err != nil {
			return n.cfg.Origins.Place("mtls.client_ca", fmt.Errorf("mtls.client_ca: %w", err))
		}
	}
	n.mtls = m
	return nil
}

// names reports whether a Host header is the one of mtls.url.
func (m *mtls) names(host string) bool {
	return m != nil && (host == m.host || bareHost(host, "https") == m.host)
}

// alias is the URL that stands for that of an issuer, without a final slash, where
// certificates are presented; "" when the issuer is on another host than url
// (RFC 8705 §5).
func (m *mtls) alias(base string) string {
	u, err := url.Parse(base)
	if m == nil || err != nil || bareHost(u.Host, u.Scheme) != m.forms {
		return ""
	}
	return m.base + u.EscapedPath()
}

// certificates says whether the issuer's clients are asked for certificates
// anywhere, and the URL that stands for the issuer's there. What proxies do for
// issuers of other hosts nobody told us, so it is not announced; certificates
// that they pass on count all the same.
func (n *Node) certificates(base string) (alias string, ok bool) {
	if n.mtls == nil {
		return "", false
	}
	if alias = n.mtls.alias(base); alias == base {
		return "", true // a proxy asks for certificates at the issuer's own URL
	}
	return alias, alias != ""
}

// tokenEndpoint is what is known of the token endpoint at a URL.
type tokenEndpoint struct {
	dialect *server.Dialect
	urls    []string
}

// tokenURLs are the URLs of an issuer's token endpoint. Each issuer's are made
// once.
func (n *Node) tokenURLs(issuer *registry.IssuerView, d *server.Dialect) []string {
	if known, ok := n.endpoints.Load(issuer.Iss); ok {
		// Another issuer may have come to stand there.
		if e := known.(*tokenEndpoint); e.dialect == d {
			return e.urls
		}
	}
	path := d.Endpoints().Token
	urls := []string{path.URL(issuer.Base)}
	if alias, _ := n.certificates(issuer.Base); alias != "" {
		urls = append(urls, path.URL(alias))
	}
	n.endpoints.Store(issuer.Iss, &tokenEndpoint{d, urls})
	return urls
}
