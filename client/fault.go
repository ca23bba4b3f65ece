package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/fetch"
)

// fault is an error about the server rather than from it. The status tells
// what was read; zero is no answer at all.
func fault(status int, description string) *symbolon.Error {
	code := symbolon.ServerError
	if status == 0 || status == http.StatusTooManyRequests || status >= 502 {
		code = symbolon.TemporarilyUnavailable
	}
	e := symbolon.NewError(code, description)
	e.Status = status
	return e
}

// tooLong is an answer of which only the beginning was read.
func tooLong(status int) *symbolon.Error {
	return fault(status, fmt.Sprintf("the answer is longer than %d bytes and was not read on", symbolon.MaxBody))
}

// unreachable is a request without an answer. The text of the network's error
// is part of the description: who configures the client has to see it.
func unreachable(err error) *symbolon.Error {
	var u *url.Error
	inner := err
	if errors.As(err, &u) {
		inner = u.Err
	}
	return fault(0, "the authorization server cannot be reached: "+inner.Error()).WithCause(err)
}

// waitEnded is what a caller gets whose context ended first; last is what the
// attempts until then met, if they met anything.
func waitEnded(ctx context.Context, last *symbolon.Error) *symbolon.Error {
	description := "gave up waiting for a token: " + ctx.Err().Error()
	if last != nil {
		description += "; the last attempt: " + last.Error()
	}
	return symbolon.NewError(symbolon.TemporarilyUnavailable, description).WithCause(context.Cause(ctx))
}

// lasting reports whether asking again soon would give the same answer: the
// server answered, and the answer does not say that it is in trouble; or there
// was nothing to ask with.
func lasting(e *symbolon.Error) bool {
	if e.Code == symbolon.InvalidClient {
		return true
	}
	switch e.Status {
	case 0, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.Status < 500
}

// Bounds within which a server's Retry-After is followed.
const (
	minRetryAfter = time.Second
	maxRetryAfter = 5 * time.Minute
)

// retryAfter reads the header, zero when there is none.
func retryAfter(h http.Header, now func() time.Time) time.Duration {
	d, said := fetch.RetryAfter(h, now)
	if !said {
		return 0
	}
	return min(max(d, minRetryAfter), maxRetryAfter)
}

// printable keeps what may stand in an error text: foreign words on one line.
func printable(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, s)
	if len(s) > most {
		s = s[:most]
	}
	return s
}
