package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/fetch"
	"github.com/symbolon/symbolon/internal/jose"
)

// discovered is what is known of the server. Only one request for a token is
// made at a time, so it needs no lock.
type discovered struct {
	endpoint string
	methods  []string
	fetched  time.Time
}

// metadataLife is how long the metadata is used without looking again.
const metadataLife = time.Hour

// ask makes one token request (RFC 6749 §4.4.2).
func (c *Client) ask(ctx context.Context) (*Token, *symbolon.Error) {
	endpoint, methods, err := c.locate(ctx)
	if err != nil {
		return nil, err
	}
	r := &tokenRequest{id: c.cfg.ID, form: maps.Clone(c.form), header: http.Header{}, methods: methods}
	if err := c.cfg.Auth.authenticate(r); err != nil {
		return nil, symbolon.NewError(symbolon.InvalidClient, "the client cannot authenticate: "+err.Error()).WithCause(err)
	}
	ctx, cancel := context.WithTimeout(ctx, fetch.Timeout)
	defer cancel()
	req, cause := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(url.Values(r.form).Encode()))
	if cause != nil {
		return nil, fault(0, "the token endpoint's URL cannot be asked").WithCause(cause)
	}
	req.Header = r.header
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	asked := c.cfg.Now() // the token's life is counted from before the request: never too long
	resp, cause := c.endpoint.Do(req)
	if cause != nil {
		return nil, unreachable(cause)
	}
	defer resp.Body.Close()
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
	token, err := readToken(body, asked)
	if err != nil {
		err.RequestID = requestID(resp.Header)
		return nil, err
	}
	if token.Scopes == nil {
		token.Scopes = c.cfg.Scopes // RFC 6749 §5.1: absent means as asked
	}
	return token, nil
}

// locate gives the token endpoint. What was found once stays in use when the
// metadata cannot be read again.
func (c *Client) locate(ctx context.Context) (string, []string, *symbolon.Error) {
	if c.cfg.TokenURL != "" {
		return c.cfg.TokenURL, nil, nil
	}
	m, now := &c.metadata, c.cfg.Now()
	if m.endpoint != "" && now.Sub(m.fetched).Abs() < metadataLife {
		return m.endpoint, m.methods, nil
	}
	doc, err := Discover(ctx, c.endpoint, c.cfg.Issuer)
	if err == nil && doc.TokenEndpoint == "" {
		err = fault(http.StatusOK, "the server's metadata names no token_endpoint; set Config.TokenURL")
	}
	if err != nil {
		if m.endpoint != "" {
			return m.endpoint, m.methods, nil
		}
		return "", nil, symbolon.AsError(err)
	}
	*m = discovered{endpoint: doc.TokenEndpoint, methods: doc.TokenAuthMethods, fetched: now}
	return m.endpoint, m.methods, nil
}

// Lives of tokens: of one whose answer names none (RFC 6749 §5.1 only
// recommends it), and the longest that is believed.
const (
	unknownLife = 5 * time.Minute
	longestLife = 366 * 24 * time.Hour
)

// readToken reads a successful answer (RFC 6749 §5.1).
func readToken(body []byte, asked time.Time) (*Token, *symbolon.Error) {
	var m map[string]json.RawMessage // exact names: encoding/json takes Access_Token for access_token in a struct
	if err := jose.CheckObject(body); err != nil {
		return nil, fault(http.StatusOK, "the token endpoint's answer is not one JSON object; check that the URL is a token endpoint").WithCause(err)
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fault(http.StatusOK, "the token endpoint's answer is not a JSON object").WithCause(err)
	}
	value, kind := text(m["access_token"]), text(m["token_type"])
	switch {
	case !bearerSyntax(value):
		return nil, fault(http.StatusOK, "the token endpoint's answer holds no access_token that can be sent")
	case !strings.EqualFold(kind, symbolon.TokenTypeBearer): // RFC 6749 §5.1: case insensitive
		// RFC 6749 §7.1: a token of a type that the client does not understand is not used.
		return nil, fault(http.StatusOK, "the token endpoint gave a token of another type than Bearer, which this client cannot present")
	}
	life, ok := lifetime(m["expires_in"])
	if !ok {
		return nil, fault(http.StatusOK, "the token endpoint's answer has an expires_in that is not a number of seconds")
	}
	t := &Token{Type: symbolon.TokenTypeBearer, Expiry: asked.Add(life), value: &value}
	if scope, ok := m["scope"]; ok {
		t.Scopes = strings.Fields(text(scope))
	}
	return t, nil
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// lifetime reads expires_in: a number, or a string of digits, which several
// servers send.
func lifetime(raw json.RawMessage) (time.Duration, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return unknownLife, true
	}
	digits := strings.Trim(string(raw), `"`)
	n, err := strconv.ParseUint(digits, 10, 40)
	if err != nil {
		return 0, false
	}
	return min(time.Duration(n)*time.Second, longestLife), true
}

// bearerSyntax reports whether s is a b64token (RFC 6750 §2.1), and so cannot
// end a header's line.
func bearerSyntax(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		switch c := body[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return body != "" && len(s) <= symbolon.MaxToken
}

// refusal reads an answer that gives no token (RFC 6749 §5.2).
func (c *Client) refusal(resp *http.Response, body []byte) *symbolon.Error {
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	e := fault(resp.StatusCode, fmt.Sprintf("the token endpoint answered %d without an OAuth error; check its URL and what stands before it", resp.StatusCode))
	if kind == "application/json" && json.Unmarshal(body, &answer) == nil && answer.Error != "" {
		e.Code = symbolon.Code(printable(answer.Error, 64))
		e.Description = printable(answer.Description, 300)
	}
	e.RequestID = requestID(resp.Header)
	e.RetryAfter = retryAfter(resp.Header, c.cfg.Now)
	return e
}

func requestID(h http.Header) string { return printable(h.Get("Request-Id"), 64) }
