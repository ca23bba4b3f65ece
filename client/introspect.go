package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/fetch"
	"github.com/symbolon/symbolon/internal/jose"
)

// IntrospectorConfig says who asks whom about tokens. Issuer, ID and Auth are
// needed; the rest has useful zero values.
type IntrospectorConfig struct {
	// Issuer is the authorization server's issuer URL, from whose metadata the
	// introspection endpoint is taken (RFC 8414 §2): https, or http on a loopback
	// name. The metadata must name exactly this issuer.
	Issuer string
	ID     string // the id of the client that may ask: the API's own
	Auth   Auth   // how it proves that: PrivateKeyJWT, Certificate, Secret, or from files

	// Timeout bounds one call with all its requests; zero: 10 s, which is also the
	// most.
	Timeout time.Duration

	// HTTP makes the requests, which never follow redirects. nil: a client with the
	// default transport. With a certificate its transport must be an
	// *http.Transport, of which clones are used.
	HTTP *http.Client
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Logger hears when the server does not answer, and when it does again; nil:
	// nobody does.
	Logger *slog.Logger
}

// Introspector asks a server about access tokens that others present (RFC 7662),
// as package resource does for an API. It keeps no answer. It is safe for
// concurrent use. Close it when it is no longer needed.
//
// While the server is away it is asked by one call at a time, after pauses that
// grow to ten seconds; all others fail at once. When it was asked too much (429),
// nothing is asked for a second at most.
type Introspector struct {
	client *Client
	limit  time.Duration
	turn   chan struct{} // held while the metadata is looked for

	mu    sync.Mutex
	found discovered // the zero value: nothing yet
	down  outage
	crowd crowd
}

// NewIntrospector checks the configuration. It reaches no server; what Auth needs
// from a file is read. Its errors are *symbolon.ConfigError inside, as those of
// New.
func NewIntrospector(cfg IntrospectorConfig) (*Introspector, error) {
	if cfg.Timeout < 0 || cfg.Timeout > fetch.Timeout {
		return nil, wrong("Timeout", fmt.Errorf("must be from 0 to %s", fetch.Timeout))
	}
	c, err := New(cfg.config())
	if err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = fetch.Timeout
	}
	return &Introspector{client: c, limit: cfg.Timeout, turn: make(chan struct{}, 1)}, nil
}

func (cfg IntrospectorConfig) config() Config {
	return Config{Issuer: cfg.Issuer, ID: cfg.ID, Auth: cfg.Auth, HTTP: cfg.HTTP, Now: cfg.Now, Logger: cfg.Logger}
}

// Introspect asks whether the token is active (RFC 7662 §2). The answer is as the
// server gave it: whether the token was issued by whom, for whom and until when
// the caller needs it is the caller's to judge. A text that cannot be an access
// token (RFC 6750 §2.1) is not active, and is not sent.
//
// Errors are *symbolon.Error, none holds the token: temporarily_unavailable when
// the server could not be reached; from the server as it wrote them, as
// invalid_client (Status 401) when it does not know who asks; server_error when
// its answer cannot be used. While the server is away the error of the last
// attempt is given at once, with the time of the next one in RetryAfter.
func (i *Introspector) Introspect(ctx context.Context, token string) (*symbolon.IntrospectionAnswer, error) {
	if !bearerSyntax(token) {
		return &symbolon.IntrospectionAnswer{}, nil
	}
	if ctx.Err() != nil {
		return nil, introspectionEnded(ctx)
	}
	version := i.client.cache.version() // of the credential that the server judges
	probe, refused := i.admit(version)
	if refused != nil {
		return nil, refused
	}
	limited, cancel := context.WithTimeout(ctx, i.limit)
	defer cancel()
	answer, err := i.ask(limited, token)
	if err != nil && ctx.Err() != nil {
		// The caller went: that says nothing about the server.
		i.leave(probe)
		return nil, introspectionEnded(ctx)
	}
	i.learn(probe, err, version)
	if err != nil {
		return nil, err
	}
	return answer, nil
}

func introspectionEnded(ctx context.Context) *symbolon.Error {
	return symbolon.NewError(symbolon.TemporarilyUnavailable, "gave up waiting for the introspection endpoint: "+ctx.Err().Error()).WithCause(context.Cause(ctx))
}

// ask makes the request of RFC 7662 §2.1 and reads the answer of §2.2.
func (i *Introspector) ask(ctx context.Context, token string) (*symbolon.IntrospectionAnswer, *symbolon.Error) {
	to, err := i.locate(ctx)
	if err != nil {
		return nil, err
	}
	x := &exchange{to: to, form: url.Values{"token_type_hint": {"access_token"}}, token: &token}
	body, err := i.client.post(ctx, x)
	if err != nil {
		return nil, err
	}
	answer, cause := readIntrospection(x.header, body)
	if cause != nil {
		// Its cause may quote the answer, which may quote the token.
		err := fault(http.StatusOK, "the introspection endpoint's answer is not one of RFC 7662; check that the URL is an introspection endpoint: "+printable(x.hide(cause.Error()), 200))
		err.RequestID = requestID(x.header)
		return nil, err
	}
	return answer, nil
}

var errNotJSON = errors.New("its media type is not application/json")

// readIntrospection reads the answer: one object that every program reads alike
// (RFC 7662 §2.2).
func readIntrospection(h http.Header, body []byte) (*symbolon.IntrospectionAnswer, error) {
	if kind, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, errNotJSON
	}
	if err := jose.CheckObject(body); err != nil {
		return nil, err
	}
	return symbolon.ParseIntrospection(body)
}

// introspectionEndpoint is a discovered.name.
const introspectionEndpoint = "introspection endpoint"

// locate gives the endpoint. What was found once stays in use while the metadata
// is read again, and when it cannot be. One call looks at a time; that it gives up
// is nothing to those that wait behind it.
func (i *Introspector) locate(ctx context.Context) (*discovered, *symbolon.Error) {
	old, current := i.known()
	if current {
		return old, nil
	}
	if old != nil {
		select {
		case i.turn <- struct{}{}:
		default:
			return old, nil
		}
	} else {
		select {
		case i.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, unreachable(ctx.Err())
		}
	}
	defer func() { <-i.turn }()
	if m, current := i.known(); current { // by the call before
		return m, nil
	}
	return i.look(ctx)
}

// look reads the metadata.
func (i *Introspector) look(ctx context.Context) (*discovered, *symbolon.Error) {
	cfg := &i.client.cfg
	doc, err := Discover(ctx, i.client.endpoint, cfg.Issuer)
	if err == nil && doc.IntrospectionEndpoint == "" {
		err = fault(http.StatusOK, "the server's metadata names no introspection_endpoint: only tokens that can be checked without it are taken from this issuer")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case err == nil:
		i.found = introspectionAt(doc, cfg)
	case i.found.endpoint == "":
		e := *symbolon.AsError(err)
		e.Code = symbolon.TemporarilyUnavailable // whatever the metadata lacks, no token is to blame
		return nil, &e
	default:
		i.found.fetched = cfg.Now()
	}
	m := i.found
	return &m, nil
}

// known gives what was found, nil when that is nothing, and whether it is recent.
func (i *Introspector) known() (m *discovered, current bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.found.endpoint == "" {
		return nil, false
	}
	found := i.found
	return &found, i.client.cfg.Now().Sub(found.fetched).Abs() < metadataLife
}

// introspectionAt reads where and how to ask. RFC 8414 §2: what the metadata does
// not say of this endpoint is known by other means: as at the token endpoint.
func introspectionAt(doc *symbolon.ServerMetadata, cfg *Config) discovered {
	d := discovered{
		name: introspectionEndpoint, endpoint: doc.IntrospectionEndpoint, fetched: cfg.Now(),
		methods: doc.IntrospectionAuthMethods, algorithms: doc.IntrospectionAuthAlgs,
	}
	if d.methods == nil {
		d.methods = doc.TokenAuthMethods
	}
	if d.algorithms == nil {
		d.algorithms = doc.TokenAuthSigningAlgs
	}
	// RFC 8705 §5: who presents a certificate uses the alias.
	if a := doc.MTLSAliases; a != nil && a.IntrospectionEndpoint != "" && cfg.bound() != nil {
		d.endpoint = a.IntrospectionEndpoint
	}
	return d
}

// Close ends the connections that are the Introspector's own.
func (i *Introspector) Close() error { return i.client.Close() }

// String names the client and the server; nothing of a configuration prints a
// secret or a key.
func (cfg IntrospectorConfig) String() string {
	return "client.IntrospectorConfig(" + cfg.ID + " at " + cfg.Issuer + ")"
}

// Format is String under every verb: %d would look past String into a key.
func (cfg IntrospectorConfig) Format(f fmt.State, _ rune) { io.WriteString(f, cfg.String()) }

// LogValue is String for slog.
func (cfg IntrospectorConfig) LogValue() slog.Value { return slog.StringValue(cfg.String()) }

// String names the client.
func (i *Introspector) String() string {
	return "client.Introspector(" + i.client.cfg.ID + " at " + i.client.cfg.Issuer + ")"
}

// GoString is String: %#v must not reach inside.
func (i *Introspector) GoString() string { return i.String() }

// LogValue is String for slog.
func (i *Introspector) LogValue() slog.Value { return slog.StringValue(i.String()) }
