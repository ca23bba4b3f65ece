package client

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/fetch"
)

// discovered is what is known of the server. Only one request for a token is
// made at a time, so it needs no lock.
type discovered struct {
	endpoint   string
	methods    []string
	algorithms []string
	fetched    time.Time
}

// metadataLife is how long the metadata is used without looking again.
const metadataLife = time.Hour

// ask asks for a token (RFC 6749 §4.4.2), and again where the refusal told
// something that was not known.
func (c *Client) ask(ctx context.Context) (*Token, *symbolon.Error) {
	m, err := c.locate(ctx)
	if err != nil {
		return nil, err
	}
	u, cause := url.Parse(m.endpoint)
	if cause != nil {
		return nil, fault(0, "the token endpoint's URL cannot be asked").WithCause(cause)
	}
	with, err := c.certificate(u)
	if err != nil {
		return nil, err
	}
	at := place{origin: originOf(u)}
	var done corrections
	for {
		x := &tokenExchange{metadata: m, shown: with, sent: c.peers.at(at)}
		token, err := c.exchange(ctx, x)
		if x.header != nil {
			c.peers.hear(at, x.header)
		}
		if err == nil || x.header == nil || err.Code == symbolon.InvalidClient && !x.timed || !c.correct(&done, at, x.sent, err.Code, x.header) {
			return token, err
		}
	}
}

// certificate gives what is presented to the token endpoint, nil when there is
// none.
func (c *Client) certificate(endpoint *url.URL) (*shown, *symbolon.Error) {
	bound := c.cfg.bound()
	if bound == nil {
		return nil, nil
	}
	if endpoint.Scheme != "https" {
		return nil, symbolon.NewError(symbolon.InvalidClient, "the token endpoint is plain http, over which no certificate can be presented; give the server TLS")
	}
	with, err := bound.fresh()
	if err != nil {
		return nil, symbolon.NewError(symbolon.InvalidClient, "the client has no certificate: "+err.Error()).WithCause(err)
	}
	if trouble := bound.source.trouble(); trouble != nil {
		c.cfg.Logger.Warn("the new client certificate cannot be used; the old one stays in use", "error", trouble, "expires", with.notAfter)
	}
	return with, nil
}

// tokenExchange is one token request, and what is known of its answer.
type tokenExchange struct {
	metadata *discovered
	shown    *shown
	sent     peer        // what was known of the server
	timed    bool        // the authentication holds the time
	header   http.Header // of the answer; nil: there was none
}

func (c *Client) exchange(ctx context.Context, x *tokenExchange) (*Token, *symbolon.Error) {
	ctx, cancel := context.WithTimeout(ctx, fetch.Timeout)
	defer cancel()
	req, err := c.tokenRequest(ctx, x)
	if err != nil {
		return nil, err
	}
	asked := c.cfg.Now() // the token's life is counted from before the request: never too long
	resp, cause := c.sender(x.shown).Do(req)
	if cause != nil {
		return nil, unreachable(cause)
	}
	defer resp.Body.Close()
	x.header = resp.Header
	body, cause := fetch.Body(resp)
	switch {
	case errors.Is(cause, fetch.ErrTooLong):
		return nil, tooLong(resp.StatusCode)
	case cause != nil:
		return nil, unreachable(cause)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, c.refusal(resp, body)
	}
	token, err := readToken(body, c.tokenType())
	if err != nil {
		err.RequestID = requestID(resp.Header)
		return nil, err
	}
	token.Expiry, token.shown = asked.Add(token.life), x.shown
	if token.Scopes == nil {
		token.Scopes = c.cfg.Scopes // RFC 6749 §5.1: absent means as asked
	}
	return token, nil
}

// tokenRequest makes the request: what it proves is made anew for each.
func (c *Client) tokenRequest(ctx context.Context, x *tokenExchange) (*http.Request, *symbolon.Error) {
	r := c.cfg.request()
	r.form, r.methods, r.algorithms = maps.Clone(c.form), x.metadata.methods, x.metadata.algorithms
	r.now = c.cfg.Now().Add(x.sent.ahead)
	if err := c.cfg.Auth.authenticate(r); err != nil {
		return nil, symbolon.NewError(symbolon.InvalidClient, "the client cannot authenticate: "+err.Error()).WithCause(err)
	}
	x.timed = r.timed
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.metadata.endpoint, strings.NewReader(r.form.Encode()))
	if err != nil {
		return nil, fault(0, "the token endpoint's URL cannot be asked").WithCause(err)
	}
	req.Header = r.header
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if c.prover != nil {
		if err := c.prove(req, x.sent, ""); err != nil {
			return nil, symbolon.NewError(symbolon.InvalidClient, "no DPoP proof can be made: "+err.Error()).WithCause(err)
		}
	}
	return req, nil
}

// sender is what sends a token request.
func (c *Client) sender(s *shown) *http.Client {
	if s == nil {
		return c.endpoint
	}
	hc := *c.endpoint
	hc.Transport = c.certified.with(s)
	return &hc
}

// locate gives the token endpoint. What was found once stays in use when the
// metadata cannot be read again.
func (c *Client) locate(ctx context.Context) (*discovered, *symbolon.Error) {
	if c.cfg.TokenURL != "" {
		return &discovered{endpoint: c.cfg.TokenURL}, nil
	}
	m, now := &c.metadata, c.cfg.Now()
	if m.endpoint != "" && now.Sub(m.fetched).Abs() < metadataLife {
		return m, nil
	}
	doc, err := Discover(ctx, c.endpoint, c.cfg.Issuer)
	if err == nil && doc.TokenEndpoint == "" {
		err = fault(http.StatusOK, "the server's metadata names no token_endpoint; set Config.TokenURL")
	}
	if err != nil {
		if m.endpoint != "" {
			return m, nil
		}
		return nil, symbolon.AsError(err)
	}
	*m = discovered{endpoint: doc.TokenEndpoint, methods: doc.TokenAuthMethods, algorithms: doc.TokenAuthSigningAlgs, fetched: now}
	// RFC 8705 §5: who presents a certificate uses the alias.
	if a := doc.MTLSAliases; a != nil && a.TokenEndpoint != "" && c.cfg.bound() != nil {
		m.endpoint = a.TokenEndpoint
	}
	return m, nil
}
