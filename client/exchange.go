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
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/fetch"
)

// discovered is what is known of an endpoint of the server, and of how clients
// authenticate there.
type discovered struct {
	name       string // what errors call it
	endpoint   string
	methods    []string
	algorithms []string
	fetched    time.Time
}

// tokenEndpoint is a discovered.name.
const tokenEndpoint = "token endpoint"

// metadataLife is how long the metadata is used without looking again.
const metadataLife = time.Hour

// ask asks for a token (RFC 6749 §4.4.2).
func (c *Client) ask(ctx context.Context) (*Token, *symbolon.Error) {
	m, err := c.locate(ctx)
	if err != nil {
		return nil, err
	}
	x := &exchange{to: m, form: c.form, prover: c.prover}
	body, err := c.post(ctx, x)
	if err != nil {
		return nil, err
	}
	token, err := readToken(body, c.tokenType())
	if err != nil {
		err.RequestID = requestID(x.header)
		return nil, err
	}
	token.Expiry, token.shown = x.asked.Add(token.life), x.shown
	if token.Scopes == nil {
		token.Scopes = c.cfg.Scopes // RFC 6749 §5.1: absent means as asked
	}
	return token, nil
}

// exchange is one request that the client makes as itself, and what is known of
// its answer.
type exchange struct {
	to     *discovered
	form   url.Values   // without the authentication
	token  *string      // that is asked about; behind a pointer, so that it is not printed; nil: none
	prover *dpop.Prover // nil: no proof goes along

	shown  *shown
	sent   peer        // what was known of the server
	timed  bool        // the authentication holds the time
	asked  time.Time   // before the request: what is counted from it is never too long
	header http.Header // of the answer; nil: there was none
}

// hide takes the token that was asked about out of a server's words, which go
// into logs.
func (x *exchange) hide(words string) string {
	if x.token == nil {
		return words
	}
	return strings.ReplaceAll(words, *x.token, "[redacted]")
}

// post makes the request, and again where the refusal told something that was
// not known. It gives the body of a 200.
func (c *Client) post(ctx context.Context, x *exchange) ([]byte, *symbolon.Error) {
	u, cause := url.Parse(x.to.endpoint)
	if cause != nil {
		return nil, fault(0, "the "+x.to.name+"'s URL cannot be asked").WithCause(cause)
	}
	with, err := c.certificate(x.to.name, u)
	if err != nil {
		return nil, err
	}
	x.shown = with
	at := place{origin: originOf(u)}
	var done corrections
	for {
		x.sent, x.header = c.peers.at(at), nil
		body, err := c.send(ctx, x)
		if x.header != nil {
			c.peers.hear(at, x.header)
		}
		if err == nil || x.header == nil || err.Code == symbolon.InvalidClient && !x.timed || !c.correct(&done, at, x.sent, err.Code, x.header) {
			return body, err
		}
	}
}

// certificate gives what is presented to the endpoint of this name, nil when
// there is none.
func (c *Client) certificate(name string, endpoint *url.URL) (*shown, *symbolon.Error) {
	bound := c.cfg.bound()
	if bound == nil {
		return nil, nil
	}
	if endpoint.Scheme != "https" {
		return nil, symbolon.NewError(symbolon.InvalidClient, "the "+name+" is plain http, over which no certificate can be presented; give the server TLS")
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

// send makes one request.
func (c *Client) send(ctx context.Context, x *exchange) ([]byte, *symbolon.Error) {
	ctx, cancel := context.WithTimeout(ctx, fetch.Timeout)
	defer cancel()
	req, err := c.requestOf(ctx, x)
	if err != nil {
		return nil, err
	}
	x.asked = c.cfg.Now()
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
	case resp.StatusCode != http.StatusOK:
		return nil, c.refusal(x, resp, body)
	}
	return body, nil
}

// requestOf makes the request: what it proves is made anew for each.
func (c *Client) requestOf(ctx context.Context, x *exchange) (*http.Request, *symbolon.Error) {
	r := c.cfg.request()
	r.form, r.methods, r.algorithms = maps.Clone(x.form), x.to.methods, x.to.algorithms
	r.now = c.cfg.Now().Add(x.sent.ahead)
	if x.token != nil {
		r.form.Set("token", *x.token)
	}
	if err := c.cfg.Auth.authenticate(r); err != nil {
		return nil, symbolon.NewError(symbolon.InvalidClient, "the client cannot authenticate: "+err.Error()).WithCause(err)
	}
	x.timed = r.timed
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.to.endpoint, strings.NewReader(r.form.Encode()))
	if err != nil {
		return nil, fault(0, "the "+x.to.name+"'s URL cannot be asked").WithCause(err)
	}
	req.Header = r.header
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if x.prover != nil {
		if err := c.prove(req, x.sent, ""); err != nil {
			return nil, symbolon.NewError(symbolon.InvalidClient, "no DPoP proof can be made: "+err.Error()).WithCause(err)
		}
	}
	return req, nil
}

// sender is what sends such a request.
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
		return &discovered{name: tokenEndpoint, endpoint: c.cfg.TokenURL}, nil
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
	*m = discovered{name: tokenEndpoint, endpoint: doc.TokenEndpoint, methods: doc.TokenAuthMethods, algorithms: doc.TokenAuthSigningAlgs, fetched: now}
	// RFC 8705 §5: who presents a certificate uses the alias.
	if a := doc.MTLSAliases; a != nil && a.TokenEndpoint != "" && c.cfg.bound() != nil {
		m.endpoint = a.TokenEndpoint
	}
	return m, nil
}
