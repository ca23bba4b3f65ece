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
// There are three rungs: [Client.HTTP] is the ready thing, [Client.Transport]
// adds the token to a transport of yours, [Client.Token] is the token alone.
// [Client.PerRPC] is for gRPC.
//
// One token is kept and given out until shortly before it expires. A new one
// is asked for in the background at about three quarters of its life, once
// however many goroutines want it; while the server is away the old one stays
// in use as long as it is valid. Nothing runs while nobody asks.
package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
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
	Auth Auth   // how it proves that: Secret, SecretFile

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
	// client with the default transport.
	HTTP *http.Client
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Logger hears of failed refreshes; nil: nobody does.
	Logger *slog.Logger
}

// Client keeps a token for one program at one API. It is safe for concurrent
// use. Close it when it is no longer needed.
type Client struct {
	cfg      Config
	origins  []origin
	form     url.Values // what every token request says, without the authentication
	endpoint *http.Client
	metadata discovered
	cache    cache
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
	c.cache.init(cfg, c.ask)
	return c, nil
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
	if cfg.Auth == nil {
		return wrong("Auth", errors.New("is nil; set client.Secret or client.SecretFile"))
	}
	// A trial, so that an empty secret or a missing file shows now.
	if err := cfg.Auth.authenticate(&tokenRequest{id: cfg.ID, form: url.Values{}, header: http.Header{}}); err != nil {
		return wrong("Auth", err)
	}
	for i, s := range cfg.Scopes {
		if !symbolon.ValidScope(s) {
			return wrong(fmt.Sprintf("Scopes[%d]", i), fmt.Errorf("%q is not one scope (RFC 6749 §3.3); give each scope as an element of its own", s))
		}
	}
	return cfg.checkResource()
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
	return nil
}

// String names the client; nothing of a Client prints a secret or a token.
func (c *Client) String() string {
	where := c.cfg.Issuer
	if where == "" {
		where = c.cfg.TokenURL
	}
	return "client.Client(" + c.cfg.ID + " at " + where + ")"
}

// GoString is String: %#v must not reach inside.
func (c *Client) GoString() string { return c.String() }

// LogValue is String for slog.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }
