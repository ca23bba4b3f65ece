package client

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/symbolon/symbolon"
)

// Transport adds the token to each request before base sends it; nil is the
// default transport.
//
// The token goes only to Config.Origins: a request to somewhere else fails,
// and one that was redirected elsewhere goes on without it. When the API
// answers 401 invalid_token, the token is dropped, one new one is fetched, and
// the request is sent once more if its body can be (http.Request.GetBody).
func (c *Client) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{c, base}
}

type transport struct {
	client *Client
	base   http.RoundTripper
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
	token, err := t.client.Token(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := t.send(req, token, req.Body)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !tokenRefused(resp.Header) {
		return resp, err
	}
	return t.again(req, token, resp)
}

// again answers a 401 invalid_token.
func (t *transport) again(req *http.Request, refused *Token, resp *http.Response) (*http.Response, error) {
	if !t.client.Forget(refused) {
		return resp, nil
	}
	body := req.Body
	if body != nil && body != http.NoBody {
		if req.GetBody == nil {
			return resp, nil
		}
		var err error
		if body, err = req.GetBody(); err != nil {
			return resp, nil
		}
	}
	token, err := t.client.Token(req.Context())
	if err != nil {
		// The API's answer is worth more than a second error about it.
		if body != nil {
			body.Close()
		}
		return resp, nil
	}
	io.CopyN(io.Discard, resp.Body, symbolon.MaxBody) // so that the connection can be used again
	resp.Body.Close()
	return t.send(req, token, body)
}

func (t *transport) send(req *http.Request, token *Token, body io.ReadCloser) (*http.Response, error) {
	r := req.Clone(req.Context())
	r.Body = body
	token.SetAuthHeader(r)
	return t.base.RoundTrip(r)
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close() // a RoundTripper must, also on errors
	}
}

// tokenRefused reports whether a challenge of scheme Bearer says invalid_token
// (RFC 6750 §3.1).
func tokenRefused(h http.Header) bool {
	for _, value := range h.Values("WWW-Authenticate") {
		if bearerError(value) == string(symbolon.InvalidToken) {
			return true
		}
	}
	return false
}

// bearerError gives the error parameter of the Bearer challenge in a field
// value, which may list several challenges (RFC 9110 §11.6.1).
func bearerError(s string) string {
	scheme := ""
	for s != "" {
		var word string
		word, s = cutWord(s)
		rest := strings.TrimLeft(s, " \t")
		switch {
		case word == "":
			s = s[1:] // a comma, a space or a stray character
		case !strings.HasPrefix(rest, "="):
			scheme, s = word, rest // a word without = begins a challenge
		default:
			var value string
			value, s = cutValue(strings.TrimLeft(rest[1:], " \t"))
			if strings.EqualFold(scheme, symbolon.TokenTypeBearer) && strings.EqualFold(word, "error") {
				return value
			}
		}
	}
	return ""
}

// cutWord cuts a token (RFC 9110 §5.6.2) off the beginning.
func cutWord(s string) (word, rest string) {
	i := strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~/", r))
	})
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i:]
}

// cutValue cuts a token or a quoted string off the beginning.
func cutValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		return cutWord(s)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			i++
			if i == len(s) {
				return b.String(), ""
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}
