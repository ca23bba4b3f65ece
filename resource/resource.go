// Package resource is the half that checks: it protects an API with access
// tokens (RFC 9068, RFC 6750).
//
//	orders, err := resource.New(resource.Config{
//		Issuer: "https://auth.example.com", Audience: "https://orders.example.com",
//	})
//	mux.Handle("GET /orders", orders.Require("orders:read")(http.HandlerFunc(list)))
//	mux.Handle(orders.Metadata())
//
// In list, [CallerFrom] tells who asks. Frameworks that are not net/http call
// [API.Check] and [API.WriteError].
//
// Every check is local. The issuer's keys are fetched in the background and
// kept, on disk too where Config.DataDir says so; while the issuer is away the
// last good ones stay in use.
package resource

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/internal/jose"
)

// Config says whose tokens an API takes. Issuer and Audience are needed; the
// rest has useful zero values.
type Config struct {
	// Issuer is the iss of the tokens, exactly, and where its metadata and keys
	// are found (RFC 8414): https, or http on a loopback name.
	Issuer string
	// Audience is the API's identifier, exactly: what must be in aud.
	Audience string

	// PublicURL is the URL under which callers reach the API, without query.
	// Empty: the Audience when that is an http or https URL. Callers are shown
	// where the API's metadata is (RFC 9728) only when there is one; that they
	// may believe it, it should be equal to the Audience.
	PublicURL string
	// Realm stands in challenges (RFC 9110 §11.5); empty: the Audience.
	Realm string
	// Scopes are listed in the metadata, besides those that Require names.
	Scopes []string

	// AllowTyp are values of the header's typ that are taken besides at+jwt
	// (RFC 9068 §2.1), as "JWT" of issuers that do not write it. Each makes it
	// easier to pass off another kind of JWT of the same issuer as an access
	// token; the claims of RFC 9068 §2.2 stay required.
	AllowTyp []string
	// ClockSkew is how far iat and nbf may lie ahead of this clock, at most
	// 60 s; zero: 10 s. There is none for exp: an expired token is expired, and
	// package client gives none out in its last ten seconds.
	ClockSkew time.Duration

	// HTTP fetches metadata and keys; nil: a client with the default transport.
	// Redirects are not followed, whatever it says, and a request may take 10 s.
	HTTP *http.Client
	// DataDir is a directory for the last good keys, so that the API can start
	// while the issuer is away; empty: they are kept in memory only. Several
	// APIs may share one. Whoever can write to it decides whose tokens are taken:
	// a file of another user (but root), or that others may write, is not used.
	DataDir string
	// MaxStale is how long keys are used after the issuer last confirmed them;
	// zero: 24 h. After that requests are answered 503.
	MaxStale time.Duration

	// TokenCache is how many verified tokens are remembered, so that their
	// signature is not checked again; zero: none. Time, binding and scopes are
	// checked for every request all the same.
	TokenCache int

	Now    func() time.Time // the clock; nil: time.Now
	Logger *slog.Logger     // hears about keys; nil: nobody does
}

// API protects one API. It is safe for concurrent use. Close it when it is no
// longer needed.
type API struct {
	cfg    Config
	keys   keys
	cache  *tokenCache // nil: none
	public *url.URL    // nil: callers are not told where the metadata is

	challenge string // the parameters of every challenge
	metadata  string // the same for resource_metadata; empty: none

	mu     sync.Mutex
	scopes map[string]bool // for the metadata
}

// Bounds of the configuration.
const (
	defaultSkew     = 10 * time.Second
	maxSkew         = time.Minute
	defaultMaxStale = 24 * time.Hour
)

// New checks the configuration. It does no I/O: the issuer may be away, keys
// are fetched from the first request or from Start on. Its errors are
// *symbolon.ConfigError inside: they name the field and say what to put there.
func New(cfg Config) (*API, error) {
	public, err := cfg.check()
	if err != nil {
		return nil, err
	}
	cfg.defaults()
	a := &API{cfg: cfg, public: public, scopes: make(map[string]bool)}
	a.challenge = `Bearer realm="` + cfg.Realm + `"`
	if public != nil {
		a.metadata = `, resource_metadata="` + public.Scheme + "://" + public.Host + metadataPath(public) + `"`
	}
	if cfg.TokenCache > 0 {
		if a.cache, err = newTokenCache(cfg.TokenCache); err != nil {
			return nil, wrong("TokenCache", fmt.Errorf("cannot be used here: %w", err))
		}
	}
	a.keys.init(&a.cfg)
	return a, nil
}

// wrong names the field of Config that cannot be used.
func wrong(field string, err error) error {
	return fmt.Errorf("resource: %w", &symbolon.ConfigError{Field: field, Err: err})
}

func (cfg *Config) check() (public *url.URL, err error) {
	if cfg.Issuer == "" {
		return nil, wrong("Issuer", errors.New(`is empty; set the issuer's URL, as "https://auth.example.com"`))
	}
	if _, err := client.MetadataURLs(cfg.Issuer); err != nil {
		return nil, wrong("Issuer", err)
	}
	if cfg.Audience == "" || strings.ContainsFunc(cfg.Audience, control) {
		return nil, wrong("Audience", errors.New(`must be the API's identifier, as "https://orders.example.com"`))
	}
	if !quotable(cfg.Realm) || cfg.Realm == "" && !quotable(cfg.Audience) {
		return nil, wrong("Realm", errors.New(`must be printable ASCII without " and \`))
	}
	for i, s := range cfg.Scopes {
		if !symbolon.ValidScope(s) {
			return nil, wrong(fmt.Sprintf("Scopes[%d]", i), fmt.Errorf("%q is not one scope (RFC 6749 §3.3)", s))
		}
	}
	for i, s := range cfg.AllowTyp {
		if s == "" || strings.EqualFold(s, "none") {
			return nil, wrong(fmt.Sprintf("AllowTyp[%d]", i), errors.New(`must be a typ as issuers write it, as "JWT"`))
		}
	}
	switch {
	case cfg.ClockSkew < 0 || cfg.ClockSkew > maxSkew:
		return nil, wrong("ClockSkew", fmt.Errorf("must be from 0 to %s", maxSkew))
	case cfg.MaxStale < 0:
		return nil, wrong("MaxStale", errors.New("must not be negative"))
	case cfg.TokenCache < 0:
		return nil, wrong("TokenCache", errors.New("must not be negative"))
	}
	return cfg.publicURL()
}

// publicURL reads PublicURL, or the Audience where that can stand for it.
func (cfg *Config) publicURL() (*url.URL, error) {
	text := cfg.PublicURL
	if text == "" {
		text = cfg.Audience
	}
	u, err := url.Parse(text)
	ok := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil &&
		u.RawQuery == "" && !u.ForceQuery && !strings.Contains(text, "#") && quotable(u.Host+u.EscapedPath())
	switch {
	case ok:
		return u, nil
	case cfg.PublicURL == "":
		return nil, nil
	}
	return nil, wrong("PublicURL", fmt.Errorf(`%q is not a URL as "https://orders.example.com/v1"`, cfg.PublicURL))
}

func (cfg *Config) defaults() {
	if cfg.Realm == "" {
		cfg.Realm = cfg.Audience
	}
	if cfg.ClockSkew == 0 {
		cfg.ClockSkew = defaultSkew
	}
	if cfg.MaxStale == 0 {
		cfg.MaxStale = defaultMaxStale
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
}

func control(r rune) bool { return r < 0x20 || r == 0x7f }

// quotable reports whether s can stand between quotes in a header (RFC 9110
// §5.6.4) without escapes.
func quotable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// acceptsType: RFC 9068 §4: at+jwt or application/at+jwt, and what the
// configuration adds.
func (cfg *Config) acceptsType(h jose.Header) bool {
	if h.MatchType(symbolon.TypAccessToken) {
		return true
	}
	for _, typ := range cfg.AllowTyp {
		if h.MatchType(typ) {
			return true
		}
	}
	return false
}

// Close ends what runs in the background and waits for it. Requests are still
// judged by the keys that are there, until MaxStale.
func (a *API) Close() error {
	a.keys.close()
	return nil
}
