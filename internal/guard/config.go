// Package guard protects APIs that are written in any language: as a reverse
// proxy in front of one, or as the endpoint that nginx, Traefik, Caddy, HAProxy
// or Envoy ask about each request (forward-auth). Both decide by package
// resource, on the request that is forwarded and on nothing else.
package guard

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/symbolon/symbolon/internal/duration"
	"github.com/symbolon/symbolon/internal/web"
)

// EnvPrefix begins the names of the environment variables that override members
// of the file: SYMBOLON_GUARD_PROXY_UPSTREAM.
const EnvPrefix = "SYMBOLON_GUARD_"

// Config is guard.yaml. Each member but routes may be overridden by the
// environment variable SYMBOLON_GUARD_ and its path in capitals, and some of
// those by a flag. Paths of files are relative to the working directory.
type Config struct {
	// Issuer is the iss of the tokens, exactly, and where its metadata and keys
	// are found: https, or http on a loopback name.
	Issuer string `yaml:"issuer"`
	// Audience is the API's identifier, exactly: what must be in aud.
	Audience string `yaml:"audience"`
	// PublicURL is the URL under which callers reach the API, without query: what
	// the htu of a DPoP proof must say, and what upstreams are told in Host and
	// X-Forwarded-Host. Default: the audience, where that is an http or https URL.
	PublicURL string `yaml:"public_url"`
	// DataDir keeps the last good keys and revocation set, so that the guard starts
	// while the issuer is away; default: they are kept in memory only. Who can write
	// to it decides whose tokens are taken.
	DataDir string `yaml:"data_dir"`

	// Proxy is the reverse proxy; ForwardAuth answers another one's questions. At
	// least one of them is there.
	Proxy       *Proxy       `yaml:"proxy"`
	ForwardAuth *ForwardAuth `yaml:"forward_auth"`
	// Health is an address on which /livez and /readyz answer, and nothing else;
	// they are on the listener of forward_auth anyway, and never on that of the
	// proxy, whose paths are the API's.
	Health string `yaml:"health"`

	// Routes say which requests need what. What none of them matches is refused.
	Routes []Route `yaml:"routes"`

	// Bound says whether tokens must be bound to a key of their client:
	// "optional" (default), "required", "dpop" or "mtls".
	Bound string `yaml:"bound"`
	// NonceKeyFile turns on nonces in DPoP proofs (RFC 9449 §9): a file of 32
	// random octets, the same at all instances. PreviousNonceKeyFiles hold keys
	// whose nonces are still taken.
	NonceKeyFile          string   `yaml:"nonce_key_file"`
	PreviousNonceKeyFiles []string `yaml:"previous_nonce_key_files"`
	// ClientCertHeader is how a trusted peer passes on its client's certificate:
	// "Client-Cert" (RFC 9440), or "X-Client-Cert" (PEM, percent-encoded: nginx's
	// $ssl_client_escaped_cert). Default: no header says anything.
	ClientCertHeader string `yaml:"client_cert_header"`
	// TokenCache is how many verified tokens are remembered, so that their
	// signature is not checked again; default 10000, 0: none.
	TokenCache *int `yaml:"token_cache"`

	// Introspection is how opaque tokens are checked; default: they are refused.
	Introspection *Introspection `yaml:"introspection"`
	// Revocations says how closely the issuer's revocation set is followed.
	Revocations Revocations `yaml:"revocations"`

	// What follows is not part of the file.

	HTTP   *http.Client     `yaml:"-"` // fetches metadata and keys; nil: the default transport
	Now    func() time.Time `yaml:"-"` // the clock; nil: time.Now
	Logger *slog.Logger     `yaml:"-"` // nil: nobody
}

// Proxy is the reverse proxy in front of the API.
type Proxy struct {
	// Listen is the address to serve on.
	Listen string `yaml:"listen"`
	// Upstream is where the API is: scheme, host and port. It sees the paths that
	// the routes see.
	Upstream string `yaml:"upstream"`
	// UpstreamTimeout is how long the API may take to begin its answer; default
	// 60s. There is no bound for the rest of it.
	UpstreamTimeout Duration `yaml:"upstream_timeout"`
	// MaxRequests is how many requests may be under way to the API, streams and
	// WebSockets among them, and MaxRequestsPerNetwork how many of those from one
	// network, an IPv4 /24 or an IPv6 /48; further ones are answered 503. Default:
	// 16384 and 4096, less where the process may not open so many files.
	MaxRequests           *int `yaml:"max_requests"`
	MaxRequestsPerNetwork *int `yaml:"max_requests_per_network"`
	// Authorization is what happens to the caller's Authorization and DPoP
	// headers: "remove" (default) or "pass".
	Authorization string `yaml:"authorization"`
	// TLS is the listener's certificate.
	TLS *ListenerTLS `yaml:"tls"`
	// Trusted are the networks of proxies in front of this one, whose
	// X-Forwarded-For counts, and whose client_cert_header; default: nobody's.
	Trusted []string `yaml:"trusted"`
}

// asks reports whether callers are asked for certificates: then no header says
// anything about them.
func (p *Proxy) asks() bool { return p.TLS != nil && p.TLS.ClientCerts != "" }

// ListenerTLS are PEM files; they are read again when they change, and a broken
// pair keeps the old one.
type ListenerTLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	// ClientCerts is "request" where callers may present certificates, to which
	// their tokens are bound (RFC 8705 §3); any will do. Default: nobody is asked.
	ClientCerts string `yaml:"client_certs"`
}

// ForwardAuth is the endpoint /forward-auth, which other proxies ask.
type ForwardAuth struct {
	// Listen is the address to serve on.
	Listen string `yaml:"listen"`
	// Headers is the family of headers in which the proxy tells what it was asked
	// for: "nginx", "traefik", "caddy", "haproxy" or "envoy". A request with
	// headers of another one is refused.
	Headers string `yaml:"headers"`
	// Trusted are the networks of the proxies: nobody else gets an answer.
	Trusted []string `yaml:"trusted"`
	// TLS is the listener's certificate; client_certs is of no use here.
	TLS *ListenerTLS `yaml:"tls"`
}

// Introspection is who the guard is when it asks the issuer about opaque tokens
// (RFC 7662).
type Introspection struct {
	ClientID string `yaml:"client_id"`
	// One of: SecretFile; KeyFile, a private key as PEM or JWK, with KID where the
	// file does not name it; CertFile and KeyFile, a certificate and its key.
	SecretFile string `yaml:"secret_file"`
	KeyFile    string `yaml:"key_file"`
	KID        string `yaml:"kid"`
	CertFile   string `yaml:"cert_file"`
	// Always asks about tokens that could be checked here, too.
	Always bool `yaml:"always"`
	// Cache is how long an answer is used, 1s at most; default 1s, 0s: each request
	// asks.
	Cache *Duration `yaml:"cache"`
}

// Revocations says how closely the issuer's revocation set is followed.
type Revocations struct {
	// MaxAge is how long ago a node may have been heard last; default 30s, 25s at
	// least: a quiet one is heard every 20s.
	MaxAge Duration `yaml:"max_age"`
	// MaxStale is how old the last contact of that node with its store may be;
	// default 24h. Keep it at least as long as the server's max_stale.
	MaxStale Duration `yaml:"max_stale"`
	// OnStale is what happens beyond MaxAge: "deny" (default) refuses every token,
	// "allow" goes by the last set. Beyond MaxStale every token is refused.
	OnStale string `yaml:"on_stale"`
}

// Duration is a time.Duration, in the file as 30s, 24h, 7d or 1d12h: as the
// server's configuration has it.
type Duration time.Duration

// UnmarshalText reads it.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, ok := duration.Parse(string(text))
	if !ok {
		return fmt.Errorf("%q is not a duration; write for example 30s, 24h or 7d", text)
	}
	*d = Duration(parsed)
	return nil
}

// Defaults of Config.
const (
	defaultTokenCache      = 10000
	defaultUpstreamTimeout = Duration(time.Minute)
	defaultMaxRequests     = 16384
	defaultMaxPerNetwork   = 4096
	defaultMaxAge          = Duration(30 * time.Second)
	minMaxAge              = Duration(25 * time.Second)
	defaultMaxStale        = Duration(24 * time.Hour)
)

// withDefaults fills what is not set.
func (c Config) withDefaults() Config {
	if c.PublicURL == "" && webURL(c.Audience) {
		c.PublicURL = c.Audience
	}
	if c.TokenCache == nil {
		c.TokenCache = new(int)
		*c.TokenCache = defaultTokenCache
	}
	if c.Proxy != nil {
		p := c.Proxy.withDefaults()
		c.Proxy = &p
	}
	if c.Revocations.MaxAge == 0 {
		c.Revocations.MaxAge = defaultMaxAge
	}
	if c.Revocations.MaxStale == 0 {
		c.Revocations.MaxStale = defaultMaxStale
	}
	if c.Revocations.OnStale == "" {
		c.Revocations.OnStale = "deny"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// withDefaults fills what is not set.
func (p Proxy) withDefaults() Proxy {
	if p.UpstreamTimeout == 0 {
		p.UpstreamTimeout = defaultUpstreamTimeout
	}
	if p.MaxRequests == nil {
		// Each takes a connection to the API besides its caller's.
		most := min(defaultMaxRequests, web.FileConnections(nil).Total/2)
		p.MaxRequests = &most
	}
	if p.MaxRequestsPerNetwork == nil {
		most := min(defaultMaxPerNetwork, *p.MaxRequests)
		p.MaxRequestsPerNetwork = &most
	}
	return p
}
