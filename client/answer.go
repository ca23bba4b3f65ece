package client

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// Lives of tokens: of one whose answer names none (RFC 6749 §5.1 only
// recommends it), and the longest that is believed.
const (
	unknownLife = 5 * time.Minute
	longestLife = 366 * 24 * time.Hour
)

// tokenType is the type that a token must have.
func (c *Client) tokenType() string {
	if c.prover != nil {
		return symbolon.TokenTypeDPoP
	}
	return symbolon.TokenTypeBearer
}

// readToken reads a successful answer (RFC 6749 §5.1), whose token must be of
// the type that was asked for. Its Expiry is not set.
func readToken(body []byte, want string) (*Token, *symbolon.Error) {
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
	case strings.EqualFold(kind, want): // RFC 6749 §5.1: case insensitive
	case want == symbolon.TokenTypeDPoP:
		// RFC 9449 §5: the token is bound to no key; whoever steals it can use it.
		return nil, fault(http.StatusOK, "the token endpoint was sent a DPoP proof and gave a token that is not bound to its key; turn DPoP on at the server, or leave Config.DPoP out")
	default:
		// RFC 6749 §7.1: a token of a type that the client does not understand is not used.
		return nil, fault(http.StatusOK, "the token endpoint gave a token of another type than Bearer, which this client cannot present; set Config.DPoP if it is DPoP")
	}
	life, ok := lifetime(m["expires_in"])
	if !ok {
		return nil, fault(http.StatusOK, "the token endpoint's answer has an expires_in that is not a number of seconds")
	}
	t := &Token{Type: want, life: life, value: &value}
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

// refusal reads an answer that gives nothing (RFC 6749 §5.2, RFC 7662 §2.3).
func (c *Client) refusal(x *exchange, resp *http.Response, body []byte) *symbolon.Error {
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	e := fault(resp.StatusCode, fmt.Sprintf("the %s answered %d without an OAuth error; check its URL and what stands before it", x.to.name, resp.StatusCode))
	if kind == "application/json" && json.Unmarshal(body, &answer) == nil && answer.Error != "" {
		e.Code = symbolon.Code(printable(x.hide(answer.Error), 64))
		e.Description = printable(x.hide(answer.Description), 300)
	}
	e.RequestID = requestID(resp.Header)
	e.RetryAfter = retryAfter(resp.Header, c.cfg.Now)
	return e
}

func requestID(h http.Header) string { return printable(h.Get("Request-Id"), 64) }
