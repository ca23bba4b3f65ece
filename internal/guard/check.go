package guard

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/web"
)

// problem is what is wrong with a member of Config.
type problem struct{ path, message, fix string }

// Error is one line.
func (p problem) Error() string { return p.path + ": " + p.message + "; " + p.fix }

// problems says what is wrong, all at once.
func (c *Config) problems() []problem {
	var all []problem
	bad := func(path, fix, format string, args ...any) {
		all = append(all, problem{path, fmt.Sprintf(format, args...), fix})
	}
	c.checkToken(bad)
	if c.Proxy == nil && c.ForwardAuth == nil {
		bad("proxy", "write proxy: {listen: …, upstream: …}, or forward_auth: {listen: …, headers: nginx, trusted: […]} for a proxy that you have", "neither proxy nor forward_auth is there")
	}
	c.checkProxy(bad)
	c.checkForwardAuth(bad)
	if c.Health != "" {
		checkListen("health", c.Health, bad)
	}
	c.checkAddresses(bad)
	c.checkRoutes(bad)
	c.checkCertificates(bad)
	c.checkIntrospection(bad)
	if r := c.Revocations; r.MaxAge != 0 && r.MaxAge < minMaxAge {
		bad("revocations.max_age", "write 25s or more", "less than 25s: a quiet issuer is heard every 20s")
	}
	switch c.Revocations.OnStale {
	case "", "deny", "allow":
	default:
		bad("revocations.on_stale", "write deny or allow", "want deny or allow")
	}
	return all
}

type complain func(path, fix, format string, args ...any)

// checkToken looks at what says whose tokens are taken; package resource looks at
// the rest of it.
func (c *Config) checkToken(bad complain) {
	if c.Issuer == "" {
		bad("issuer", "write the issuer's URL, as https://auth.example.com", "missing")
	}
	if c.Audience == "" {
		bad("audience", "write the API's identifier, as https://orders.example.com", "missing")
	}
	switch {
	case c.PublicURL == "" && c.Audience != "" && !webURL(c.Audience):
		bad("public_url", "write the URL under which callers reach the API, as https://orders.example.com", "missing, and the audience is no URL that could stand for it")
	case c.PublicURL != "" && !webURL(c.PublicURL):
		bad("public_url", "write for example https://orders.example.com", "not an http or https URL without query")
	}
	switch c.Bound {
	case "", "optional", "required", "dpop", "mtls":
	default:
		bad("bound", "write optional, required, dpop or mtls", "want optional, required, dpop or mtls")
	}
	if c.NonceKeyFile == "" && len(c.PreviousNonceKeyFiles) > 0 {
		bad("previous_nonce_key_files", "remove them, or write nonce_key_file", "of use only with nonce_key_file")
	}
	if c.TokenCache != nil && *c.TokenCache < 0 {
		bad("token_cache", "write 0 for none", "must not be negative")
	}
}

func webURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil &&
		u.RawQuery == "" && !u.ForceQuery && !strings.Contains(text, "#")
}

func (c *Config) checkProxy(bad complain) {
	p := c.Proxy
	if p == nil {
		return
	}
	open := checkListener("proxy", p.Listen, p.TLS, p.Trusted, bad)
	if open {
		bad("proxy.listen", "give it a certificate as proxy.tls, or name the proxies in front of it in proxy.trusted", "%s is not loopback and has no TLS: tokens would cross the network in the clear", p.Listen)
	}
	if _, err := upstreamURL(p.Upstream); err != nil {
		bad("proxy.upstream", "write where the API is, as http://127.0.0.1:3000", "%s", err)
	}
	checkMost("proxy.max_requests", p.MaxRequests, bad)
	checkMost("proxy.max_requests_per_network", p.MaxRequestsPerNetwork, bad)
	if p.Authorization != "" && p.Authorization != "remove" && p.Authorization != "pass" {
		bad("proxy.authorization", "write remove or pass", "want remove or pass")
	}
	if p.TLS != nil && p.TLS.ClientCerts != "" && p.TLS.ClientCerts != "request" {
		bad("proxy.tls.client_certs", "write request, or remove it", "want request")
	}
}

func checkMost(path string, most *int, bad complain) {
	if most != nil && *most < 1 {
		bad(path, "write 1 or more, or remove it", "no request would be forwarded")
	}
}

// upstreamURL reads Proxy.Upstream.
func upstreamURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, fmt.Errorf("missing")
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("not an http or https URL")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("%s is no port", port)
		}
	}
	if strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("has more than scheme, host and port: the API sees the paths that the routes see")
	}
	return u, nil
}

func (c *Config) checkForwardAuth(bad complain) {
	f := c.ForwardAuth
	if f == nil {
		return
	}
	checkListener("forward_auth", f.Listen, f.TLS, f.Trusted, bad)
	if families[f.Headers] == nil {
		bad("forward_auth.headers", "write the proxy that asks: nginx, traefik, caddy, haproxy or envoy", "want nginx, traefik, caddy, haproxy or envoy")
	}
	if len(f.Trusted) == 0 {
		bad("forward_auth.trusted", "write the networks of the proxies that ask, as [127.0.0.1/32]", "missing: what headers say of a request is believed of these alone")
	}
	if f.TLS != nil && f.TLS.ClientCerts != "" {
		bad("forward_auth.tls.client_certs", "remove it, and let the proxy pass on its clients' certificates: client_cert_header", "it would be the proxy that is asked")
	}
}

// checkListener looks at what listeners have in common, and reports whether this
// one is open to the network without TLS and without a proxy that is known.
func checkListener(member, listen string, tls *ListenerTLS, trusted []string, bad complain) (open bool) {
	networks, err := web.ParseNetworks(trusted)
	if err != nil {
		bad(member+".trusted", "write networks or addresses, as [10.0.0.0/8, 127.0.0.1]", "%s", err)
	}
	if slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Bits() == 0 }) {
		bad(member+".trusted", "write the networks of the proxies alone", "this is everybody")
	}
	if tls != nil && (tls.Cert == "" || tls.Key == "") {
		bad(member+".tls", "write {cert: …, key: …}", "both cert and key are needed")
	}
	host, ok := checkListen(member+".listen", listen, bad)
	return ok && tls == nil && len(networks) == 0 && !symbolon.Loopback(host)
}

func checkListen(path, listen string, bad complain) (host string, ok bool) {
	const fix = "write host:port, as 127.0.0.1:8090"
	host, port, err := net.SplitHostPort(listen)
	if listen == "" || err != nil || port == "" {
		bad(path, fix, "not an address")
		return "", false
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		bad(path, fix, "%s is no port", port)
		return "", false
	}
	return host, true
}

// checkAddresses looks for what stands for two things: of two listeners the second
// would be told that another program is there, and what is its own upstream asks
// itself without end.
func (c *Config) checkAddresses(bad complain) {
	const fix = "give each its own port"
	type listener struct{ member, addr string }
	var all []listener
	if c.Proxy != nil {
		all = append(all, listener{"proxy.listen", c.Proxy.Listen})
	}
	if c.ForwardAuth != nil {
		all = append(all, listener{"forward_auth.listen", c.ForwardAuth.Listen})
	}
	all = append(all, listener{"health", c.Health})
	for i, one := range all {
		for _, other := range all[:i] {
			if sameAddress(one.addr, other.addr) {
				bad(one.member, fix, "the address of %s, too", other.member)
			}
		}
	}
	if c.Proxy == nil {
		return
	}
	u, err := upstreamURL(c.Proxy.Upstream)
	if err != nil {
		return
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	for _, one := range all {
		if sameAddress(one.addr, net.JoinHostPort(u.Hostname(), port)) {
			bad("proxy.upstream", "write where the API is, and let that listen on another port", "the guard's own address: %s", one.member)
		}
	}
}

// sameAddress reports whether a listener is surely what another address leads to.
func sameAddress(listen, addr string) bool {
	host, port, err := net.SplitHostPort(listen)
	otherHost, otherPort, otherErr := net.SplitHostPort(addr)
	if err != nil || otherErr != nil || port != otherPort || port == "0" {
		return false
	}
	every := func(h string) bool {
		ip, err := netip.ParseAddr(h)
		return h == "" || err == nil && ip.IsUnspecified()
	}
	vague := func(h string) bool { return every(h) || strings.EqualFold(h, "localhost") }
	local := func(h string) bool { return every(h) || symbolon.Loopback(h) }
	return strings.EqualFold(host, otherHost) || local(host) && local(otherHost) && (vague(host) || vague(otherHost))
}

func (c *Config) checkCertificates(bad complain) {
	const fix = "write Client-Cert for RFC 9440, or X-Client-Cert for nginx's $ssl_client_escaped_cert"
	switch c.ClientCertHeader {
	case "":
		return
	case headerClientCert, headerEscapedCert:
	default:
		bad("client_cert_header", fix, "want Client-Cert or X-Client-Cert")
		return
	}
	if p := c.Proxy; p != nil && c.ForwardAuth == nil && (len(p.Trusted) == 0 || p.TLS != nil && p.TLS.ClientCerts != "") {
		bad("client_cert_header", "name the proxies that pass certificates on in proxy.trusted, and ask for none with proxy.tls.client_certs; or remove it", "no listener takes the header")
	}
}

func (c *Config) checkIntrospection(bad complain) {
	i := c.Introspection
	if i == nil {
		return
	}
	if i.ClientID == "" {
		bad("introspection.client_id", "write the id of the client that is a resource server of this API", "missing")
	}
	switch {
	case i.SecretFile != "" && (i.KeyFile != "" || i.CertFile != ""), i.CertFile != "" && i.KeyFile == "", i.SecretFile == "" && i.KeyFile == "":
		bad("introspection", "write one of secret_file, key_file, or cert_file with key_file", "how the client authenticates is not clear")
	case i.KID != "" && (i.KeyFile == "" || i.CertFile != ""):
		bad("introspection.kid", "remove it", "of use only with a key_file that is no certificate's")
	}
	if i.Cache != nil && *i.Cache > maxIntrospectionCache {
		bad("introspection.cache", "write 1s, or less", "at most 1s: a token that was revoked would be taken for longer")
	}
}
