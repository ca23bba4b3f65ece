package client

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/symbolon/symbolon"
)

// Transport adds the token to each request before base sends it; nil is the
// default transport. With Config.DPoP a proof is added too, made for that
// request alone. Where tokens are bound to a certificate, base must be an
// *http.Transport, and a clone of it sends the request.
//
// Token, proof and certificate go only to Config.Origins: a request to somewhere
// else fails, and one that was redirected elsewhere goes on without them.
//
// When the API answers 401 invalid_token, the token is dropped, one new one is
// fetched, and the request is sent once more if its body can be
// (http.Request.GetBody). So it is when the API asks for a nonce (RFC 9449 §9),
// or refuses a proof because the clocks differ; a nonce for a body that cannot
// be sent again is an error.
func (c *Client) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	t := &transport{client: c, base: base}
	if c.certified != nil {
		t.certified, t.err = c.certified, nil
		if base != http.RoundTripper(c.certified.base) { // those over the same transport share its connections
			if t.certified, t.err = newCertified(base); t.err != nil {
				t.err = fmt.Errorf("client: the transport %w", t.err)
			}
		}
	}
	return t
}

type transport struct {
	client    *Client
	base      http.RoundTripper
	certified *certified // nil: tokens are not bound to a certificate
	err       error      // why nothing can be sent
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.client.stayed(req) {
		if req.Response != nil {
			return t.base.RoundTrip(req)
		}
		closeBody(req)
		return nil, fmt.Errorf("client: no token is sent to %s://%s: it is not the origin of Config.Resource; if it is the API, add it to Config.Origins", req.URL.Scheme, req.URL.Host)
	}
	if t.err != nil {
		closeBody(req)
		return nil, t.err
	}
	token, err := t.client.Token(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	x := &apiExchange{transport: t, req: req, at: place{originOf(req.URL), true}, token: token}
	return x.run()
}

// apiExchange is one request of the program to the API, with its repetitions.
type apiExchange struct {
	*transport
	req   *http.Request
	at    place
	token *Token
	sent  peer // what was known of the API

	done     corrections
	replaced bool // the token
}

// errNonceBody: the nonce is known now, so that the next request works.
var errNonceBody = errors.New("client: the API asks for a nonce (RFC 9449 §9), and the request's body cannot be sent again: set http.Request.GetBody, or send the request anew")

// run sends the request, and again for each refusal that something can be done
// about.
func (x *apiExchange) run() (*http.Response, error) {
	body := x.req.Body
	for {
		resp, err := x.send(body)
		if err != nil || resp.StatusCode != http.StatusUnauthorized {
			return resp, err
		}
		refused := challengeError(resp.Header, x.token.Type)
		if !x.remedy(refused, resp.Header) {
			return resp, nil
		}
		var ok bool
		if body, ok = x.replay(); !ok {
			if refused != symbolon.UseDPoPNonce {
				return resp, nil
			}
			discard(resp)
			return nil, errNonceBody
		}
		if refused == symbolon.InvalidToken {
			if x.token, err = x.client.Token(x.req.Context()); err != nil {
				// The API's answer is worth more than a second error about it.
				if body != nil {
					body.Close()
				}
				return resp, nil
			}
		}
		discard(resp)
	}
}

// remedy reports whether the request should be sent again: each time because of
// something else.
func (x *apiExchange) remedy(refused symbolon.Code, h http.Header) bool {
	if refused == symbolon.InvalidToken {
		again := !x.replaced && x.client.Forget(x.token)
		x.replaced = true
		return again
	}
	return x.client.prover != nil && x.client.correct(&x.done, x.at, x.sent, refused, h)
}

// replay gives the body once more.
func (x *apiExchange) replay() (body io.ReadCloser, ok bool) {
	if x.req.Body == nil || x.req.Body == http.NoBody {
		return x.req.Body, true
	}
	if x.req.GetBody == nil {
		return nil, false
	}
	body, err := x.req.GetBody()
	return body, err == nil
}

func (x *apiExchange) send(body io.ReadCloser) (*http.Response, error) {
	r := x.req.Clone(x.req.Context())
	r.Body = body
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	x.token.SetAuthHeader(r)
	base := x.base
	if x.token.shown != nil && x.certified != nil {
		base = x.certified.with(x.token.shown)
	}
	if x.client.prover == nil {
		return base.RoundTrip(r)
	}
	x.sent = x.client.peers.at(x.at)
	if err := x.client.prove(r, x.sent, x.token.Value()); err != nil {
		closeBody(r)
		return nil, fmt.Errorf("client: no DPoP proof can be made for this request: %w", err)
	}
	resp, err := base.RoundTrip(r)
	if err == nil {
		x.client.peers.hear(x.at, resp.Header)
	}
	return resp, err
}

// discard ends an answer so that its connection can be used again.
func discard(resp *http.Response) {
	io.CopyN(io.Discard, resp.Body, symbolon.MaxBody)
	resp.Body.Close()
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (t *transport) CloseIdleConnections() {
	if t.certified != nil {
		t.certified.CloseIdleConnections()
		return
	}
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close() // a RoundTripper must, also on errors
	}
}
