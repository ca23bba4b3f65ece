// Package resource is the half that checks: it protects an API with access
// tokens (RFC 9068, RFC 6750), which it takes only from who has their key when
// they are bound to one (RFC 9449, RFC 8705).
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
// Every check is local. The issuer's keys and what it denies are fetched in the
// background and kept, on disk too where Config.DataDir says so; while the issuer
// is away the last good ones stay in use. Only about tokens that nobody but the
// issuer can read is it asked itself, where Config.Introspection says so.
package resource

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/jose"
)

// Config says whose tokens an API takes. Issuer and Audience are needed; the
// rest has useful zero values.
type Config struct {
	// Issuer is the iss of the tokens, exactly, and where its metadata and keys
	// are found (RFC 8414): https, or http on a loopback name.
	Issuer string
	// Issuers are further ones whose tokens are taken, each with keys and a
	// revocation set of its own. A client_id means another client at each: decide
	// by Caller.Issuer too.
	Issuers []string
	// Audience is the API's identifier, exactly: what must be in aud.
	Audience string

	// PublicURL is the URL under which callers reach the API, without query.
	// Empty: the Audience when that is an http or https URL. Callers are shown
	// where the API's metadata is (RFC 9728) only when there is one; that they
	// may believe it, it should be equal to the Audience.
	//
	// It is also what the htu of a DPoP proof is compared with, together with the
	// request's path, which may hold its path or, behind a proxy that takes it
	// away, not: the Host header says nothing. Without a PublicURL and with an
	// Audience that is no URL of https (or http on a loopback name), tokens that
	// are bound to a DPoP key are refused.
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

	// Bound says whether tokens must be bound to a key of their client, and how:
	// BoundOptional (as the empty string), BoundRequired, BoundDPoP or BoundMTLS.
	// Whatever it says, the keys of a token that is bound are asked for.
	Bound string
	// DPoPAlgorithms are those that DPoP proofs may be signed with, as "ES256";
	// nil: ES256, ES384, PS256, RS256, EdDSA and Ed25519. FAPI 2.0 allows ES256,
	// PS256 and EdDSA alone.
	DPoPAlgorithms []string
	// Replay remembers which DPoP proofs were presented; nil: this API in its own
	// memory, which knows nothing of other instances and of what was before a
	// restart: there a stolen proof is good for its last minute.
	Replay Replay
	// NonceKey turns on nonces in DPoP proofs (RFC 9449 §9): a proof is then good
	// for requests of the next minutes only, also one that was made ahead of
	// time. 32 random octets, the same at all instances; nil: no nonces. To change
	// it, give all instances the new key among PreviousNonceKeys first, whose
	// nonces are taken too, then exchange the two.
	NonceKey          NonceKey
	PreviousNonceKeys []NonceKey

	// Introspection is how Issuer is asked about opaque tokens; nil: they are
	// refused.
	Introspection *Introspection
	// Revocations says how the API follows what its issuers deny.
	Revocations Revocations

	// HTTP fetches metadata, keys and revocation sets; nil: a client with the default transport.
	// Redirects are not followed, whatever it says, and a request may take 10 s.
	HTTP *http.Client
	// DataDir is a directory for the last good keys and revocation sets, so that the API can start
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
	cfg     Config
	sources []*source   // one per issuer, the first is that of Config.Issuer
	cache   *tokenCache // nil: none
	public  *url.URL    // nil: callers are not told where the metadata is

	introspection *introspection // nil: only signed JWTs are taken
	mentioned     atomic.Int64   // when mention did, in nanoseconds since 1970; 0: never

	possession possession
	nonces     *dpop.Nonces // nil: none
	proofs     *dpop.Memory // nil: Config.Replay
	proofKeys  dpop.Keys    // of good proofs

	challenges []challenge // of the schemes that are taken
	metadata   string      // the end of every challenge; empty: none

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
	if err := a.readBinding(); err != nil {
		return nil, err
	}
	if public != nil {
		a.metadata = `, resource_metadata="` + public.Scheme + "://" + public.Host + metadataPath(public) + `"`
	}
	if cfg.TokenCache > 0 {
		if a.cache, err = newTokenCache(cfg.TokenCache); err != nil {
			return nil, wrong("TokenCache", fmt.Errorf("cannot be used here: %w", err))
		}
	}
	if a.introspection, err = a.askAbout(); err != nil {
		return nil, err
	}
	for _, iss := range a.cfg.issuers() {
		a.sources = append(a.sources, newSource(&a.cfg, iss))
	}
	return a, nil
}

// readBinding reads what the configuration says of tokens that are bound to a key.
func (a *API) readBinding() (err error) {
	if a.nonces, err = a.cfg.nonces(); err != nil {
		return err
	}
	if a.possession, err = a.cfg.possession(a.public); err != nil {
		return err
	}
	if a.cfg.Replay == nil {
		a.proofs = dpop.NewMemory(dpop.MemoryConfig{Now: a.cfg.Now})
	}
	a.challenges = a.cfg.challengesFor(&a.possession)
	return nil
}

// wrong names the field of Config that cannot be used.
func wrong(field string, err error) error {
	return fmt.Errorf("resource: %w", &symbolon.ConfigError{Field: field, Err: err})
}

func (cfg *Config) check() (public *url.URL, err error) {
	if err := cfg.checkIssuers(); err != nil {
		return nil, err
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
	if err := errors.Join(cfg.checkBinding(), cfg.Revocations.check(), cfg.checkIntrospection()); err != nil {
		return nil, err
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
	cfg.Revocations.defaults()
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
	for _, s := range a.sources {
		s.close()
	}
	a.introspection.close()
	return nil
}
