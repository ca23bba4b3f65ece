// Package client is the half that asks: it gets access tokens for a program
// (RFC 6749 §4.4) and presents them to an API (RFC 6750 §2.1).
//
//	billing, err := client.New(client.Config{
//		Issuer: "https://auth.example.com", ID: "billing",
//		Auth:   client.SecretFile("/run/secrets/billing"),
//		Scopes: []string{"orders:read"}, Resource: "https://orders.example.com",
//	})
//	resp, err := billing.HTTP().Get("https://orders.example.com/orders")
//
// A private key instead of a secret ([PrivateKeyJWT], [Certificate]) leaves
// nothing at the server that could be stolen there, and tokens that are bound to
// a key (Config.DPoP) or a certificate (Config.TLS) are worth nothing without it.
//
// There are three rungs: [Client.HTTP] is the ready thing, [Client.Transport]
// adds the token to a transport of yours, [Client.Token] is the token alone.
// [Client.PerRPC] is for gRPC.
//
// One token is kept and given out until shortly before it expires. A new one
// is asked for in the background at about three quarters of its life, once
// however many goroutines want it; while the server is away the old one stays
// in use as long as it is valid. Nothing runs while nobody asks.
//
// [NewIntrospector] is for who is shown tokens and asks the server about them
// (RFC 7662). Package resource does that by itself.
package client

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/fetch"
)

// Config says who asks whom for what. Issuer (or TokenURL), ID and Auth are
// needed; the rest has useful zero values.
type Config struct {
	// Issuer is the authorization server's issuer URL, from whose metadata the
	// token endpoint is taken (RFC 8414 §3): https, or http on a loopback name.
	// The metadata must name exactly this issuer.
	Issuer string
	// TokenURL is the token endpoint, when it is not to be looked up. Then
	// Issuer may be empty.
	TokenURL string

	ID   string // the client's id
	Auth Auth   // how it proves that: PrivateKeyJWT, Certificate, Secret, or from files

	// DPoP is a private key to which tokens are bound (RFC 9449), so that a
	// stolen one is worth nothing: ECDSA P-256 (ES256) or P-384 (ES384), Ed25519
	// (EdDSA), or RSA (PS256); any crypto.Signer. Every request to the token
	// endpoint and the API carries a proof made with it. It need not be kept: a
	// program may make one when it starts. nil: bearer tokens.
	DPoP crypto.Signer
	// TLS is a certificate to which tokens are bound (RFC 8705 §3) while Auth is
	// something else; with a certificate as Auth they are bound to that. It is
	// presented to the token endpoint, at the mtls_endpoint_aliases of the
	// metadata where there are such, and to Origins. nil: none.
	TLS *ClientCertificate

	// Scopes to ask for; none: the server gives its default.
	Scopes []string
	// Resource is the API's identifier (RFC 8707 §2): an absolute URI without
	// fragment. Empty: the server's default for the client.
	Resource string
	// Audience names the API by a string that need not be a URI, for servers
	// and APIs that want it so.
	Audience string
	// Origins are where the token may be sent ("https://orders.example.com",
	// no path). Empty: the origin of Resource, and nowhere when that is not an
	// http or https URL. Each must be https, or http on a loopback name
	// (RFC 6750 §5.2).
	Origins []string

	// HTTP makes the requests to the server, which never follow redirects and
	// take at most 10 s, and is what Client.HTTP adds the token to. nil: a
	// client with the default transport. With a certificate its transport must
	// be an *http.Transport, of which clones are used.
	HTTP *http.Client
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Logger hears of failed refreshes; nil: nobody does.
	Logger *slog.Logger
}

// Client keeps a token for one program at one API. It is safe for concurrent
// use. Close it when it is no longer needed.
type Client struct {
	cfg       Config
	origins   []origin
	form      url.Values // what every token request says, without the authentication
	endpoint  *http.Client
	prover    *dpop.Prover // nil: bearer tokens
	certified *certified   // nil: no certificate is presented
	peers     peers
	metadata  discovered // of the token endpoint; only one token is asked for at a time, so it needs no lock
	cache     cache
}

// New checks the configuration and gives a Client. It reaches no server; what
// Auth needs from a file is read, so that a wrong path shows here. Its errors
// are *symbolon.ConfigError inside: they name the field and say what to put
// there.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	origins, err := parseOrigins(cfg.Origins, cfg.Resource)
	if err != nil {
		return nil, err
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, origins: origins, form: cfg.form(), endpoint: fetch.WithoutRedirects(cfg.HTTP)}
	if err := c.bind(); err != nil {
		return nil, err
	}
	c.cache.init(c.cfg, c.ask)
	return c, nil
}

// bind prepares what tokens are bound to.
func (c *Client) bind() (err error) {
	if c.cfg.DPoP != nil {
		if c.prover, err = dpop.NewProver(c.cfg.DPoP); err != nil {
			return wrong("DPoP", err)
		}
		c.cfg.DPoP = nil // the prover has it, and does not print it
	}
	if c.cfg.bound() != nil {
		if c.certified, err = newCertified(c.cfg.HTTP.Transport); err != nil {
			return wrong("HTTP", fmt.Errorf("its Transport %w", err))
		}
	}
	return nil
}

// wrong names the field of Config that cannot be used.
func wrong(field string, err error) error {
	return fmt.Errorf("client: %w", &symbolon.ConfigError{Field: field, Err: err})
}

func (cfg *Config) check() error {
	if cfg.Issuer == "" && cfg.TokenURL == "" {
		return wrong("Issuer", errors.New(`is empty; set the authorization server's URL, as "https://auth.example.com"`))
	}
	if cfg.Issuer != "" {
		if _, err := MetadataURLs(cfg.Issuer); err != nil {
			return wrong("Issuer", err)
		}
	}
	if cfg.TokenURL != "" {
		if _, err := secureURL(cfg.TokenURL); err != nil {
			return wrong("TokenURL", err)
		}
	}
	if cfg.ID == "" {
		return wrong("ID", errors.New("is empty; set the client's id"))
	}
	if err := cfg.checkAuth(); err != nil {
		return err
	}
	for i, s := range cfg.Scopes {
		if !symbolon.ValidScope(s) {
			return wrong(fmt.Sprintf("Scopes[%d]", i), fmt.Errorf("%q is not one scope (RFC 6749 §3.3); give each scope as an element of its own", s))
		}
	}
	return cfg.checkResource()
}

// checkAuth makes a request on a trial, so that an empty secret, a missing file
// or a weak key shows now.
func (cfg *Config) checkAuth() error {
	if cfg.Auth == nil {
		return wrong("Auth", errors.New("is nil; set client.PrivateKeyJWT, client.Certificate or client.Secret, or one that reads a file"))
	}
	trial := cfg.request()
	trial.trial = true
	switch err := cfg.Auth.authenticate(trial); {
	case errors.Is(err, errNoAudience):
		return wrong("Issuer", err)
	case err != nil:
		return wrong("Auth", err)
	}
	if cfg.TLS != nil {
		if _, ok := cfg.Auth.(*ClientCertificate); ok {
			return wrong("TLS", errors.New("is set, and Auth is a certificate already, to which tokens are bound; leave TLS out"))
		}
		if _, err := cfg.TLS.fresh(); err != nil {
			return wrong("TLS", err)
		}
	}
	if cfg.bound() != nil && strings.HasPrefix(cfg.TokenURL, "http:") {
		return wrong("TokenURL", errors.New("is plain http, over which no certificate can be presented; use https"))
	}
	return nil
}

// request is a token request without its parameters.
func (cfg *Config) request() *tokenRequest {
	return &tokenRequest{id: cfg.ID, issuer: cfg.Issuer, form: url.Values{}, header: http.Header{}}
}

// checkResource: RFC 8707 §2.
func (cfg *Config) checkResource() error {
	if cfg.Resource == "" {
		return nil
	}
	u, err := url.Parse(cfg.Resource)
	if err != nil || !u.IsAbs() || strings.Contains(cfg.Resource, "#") {
		return wrong("Resource", fmt.Errorf("%q is not an absolute URI without fragment; names that are not URIs go into Audience", cfg.Resource))
	}
	return nil
}

// form is the part of the token request that never changes (RFC 6749 §4.4.2).
func (cfg *Config) form() url.Values {
	form := url.Values{"grant_type": {symbolon.GrantClientCredentials}}
	if len(cfg.Scopes) > 0 {
		form.Set("scope", strings.Join(cfg.Scopes, " "))
	}
	if cfg.Resource != "" {
		form.Set("resource", cfg.Resource)
	}
	if cfg.Audience != "" {
		form.Set("audience", cfg.Audience)
	}
	return form
}

// HTTP is Config.HTTP with the token added to each request that goes to the
// API's origin; see Transport.
func (c *Client) HTTP() *http.Client {
	hc := *c.cfg.HTTP
	hc.Transport = c.Transport(hc.Transport)
	return &hc
}

// Close ends what runs in the background and waits for it. A Client that was
// closed gives out what it holds, and fetches nothing more.
func (c *Client) Close() error {
	c.cache.close()
	if c.certified != nil {
		c.certified.closeClones(true)
	}
	return nil
}

// String names the client and the server; nothing of a Config prints a secret or
// a key.
func (cfg Config) String() string {
	where := cfg.Issuer
	if where == "" {
		where = cfg.TokenURL
	}
	return "client.Config(" + cfg.ID + " at " + where + ")"
}

// Format is String under every verb: %d would look past String into a key.
func (cfg Config) Format(f fmt.State, _ rune) { io.WriteString(f, cfg.String()) }

// LogValue is String for slog.
func (cfg Config) LogValue() slog.Value { return slog.StringValue(cfg.String()) }

// String names the client; nothing of a Client prints a secret or a token.
func (c *Client) String() string {
	return "client.Client" + strings.TrimPrefix(c.cfg.String(), "client.Config")
}

// GoString is String: %#v must not reach inside.
func (c *Client) GoString() string { return c.String() }

// LogValue is String for slog.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }
