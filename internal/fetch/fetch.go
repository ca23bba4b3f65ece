// Package fetch is how the libraries read what an issuer says: no redirect is
// followed, an answer has a bounded length, a request a bounded time.
package fetch

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// Timeout is how long one request to an issuer may take, with its answer.
const Timeout = 10 * time.Second

// ErrTooLong: the answer is longer than symbolon.MaxBody, and was not read on.
var ErrTooLong = errors.New("the answer is too long")

// WithoutRedirects copies the client: nothing that carries a credential or
// decides about trust follows a redirect, and no cookie goes along.
func WithoutRedirects(hc *http.Client) *http.Client {
	c := *hc
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Jar = nil
	return &c
}

// Body reads the answer's body: at most symbolon.MaxBody octets
// (CVE-2026-26998).
func Body(resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, symbolon.MaxBody+1))
	if err == nil && len(body) > symbolon.MaxBody {
		err = ErrTooLong
	}
	return body, err
}

// Answer is what a server said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // of a 200; of another status what it says of itself, if that is JSON
}

// maxRefusal bounds what is read of an answer that is no 200: an OAuth error is
// shorter.
const maxRefusal = 8 << 10

// Get reads the document at a URL. An answer of any status is no error; with
// one that broke off or is too long both are given, the answer and the error.
func Get(ctx context.Context, hc *http.Client, url, accept string) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := WithoutRedirects(hc).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer := &Answer{Status: resp.StatusCode, Header: resp.Header}
	if answer.Status == http.StatusOK {
		answer.Body, err = Body(resp)
		return answer, err
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "application/json" {
		// What cannot be read of it is no loss: the status is the answer.
		answer.Body, _ = io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	}
	return answer, nil
}

// RetryAfter is how long the server wants to be left alone (RFC 9110 §10.2.3),
// by seconds or by a time, which is compared with now; negative for a time that
// has passed. said is false where the header is not there or cannot be read.
func RetryAfter(h http.Header, now func() time.Time) (d time.Duration, said bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return at.Sub(now()), true
	}
	return 0, false
}

// RefusesAsker reports whether the server's answer is that it does not know who asks
// (RFC 7662 §2.3), or the client has nothing to show it: that does not pass by itself.
func RefusesAsker(e *symbolon.Error) bool {
	return e.Code == symbolon.InvalidClient || e.Status == http.StatusUnauthorized
}
