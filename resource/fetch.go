package resource

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/internal/fetch"
)

const (
	// metadataLife is how long the metadata is used without looking again.
	metadataLife = time.Hour
	// keyLife is the life of a key set whose answer names none.
	keyLife = 5 * time.Minute
)

// statusError is an answer that is no key set.
type statusError struct {
	url    string
	status int
	words  string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s answered %d%s", e.url, e.status, e.words)
}

// answered reports whether the issuer gave an answer, though not a good one.
func answered(err error) bool {
	var e *symbolon.Error
	if errors.As(err, &e) {
		return e.Status != 0
	}
	return true
}

// get fetches the key set and tells how long it may be used. Only one fetch
// runs at a time.
func (k *keys) get() (*keySet, time.Duration, error) {
	now := k.cfg.Now()
	k.mu.Lock()
	uri := k.jwksURI
	if now.Sub(k.found).Abs() >= metadataLife {
		uri = ""
	}
	k.mu.Unlock()
	if uri == "" {
		doc, err := client.Discover(k.ctx, k.cfg.HTTP, k.issuer)
		if err != nil {
			k.learn(nil)
			return nil, 0, err
		}
		k.learn(doc)
		if uri = doc.JWKSURI; uri == "" {
			return nil, 0, errors.New("the issuer's metadata names no jwks_uri")
		}
		k.mu.Lock()
		k.jwksURI, k.found = uri, now
		k.mu.Unlock()
	}
	text, life, err := document(k.ctx, k.cfg.HTTP, uri)
	if err != nil {
		return nil, 0, err
	}
	set, err := parseKeySet(text, k.cfg.Now(), k.cfg.Logger)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", uri, err)
	}
	return set, life, nil
}

// document reads what is at the URL, and tells how long it may be used.
func document(ctx context.Context, hc *http.Client, at string) ([]byte, time.Duration, error) {
	answer, err := fetch.Get(ctx, hc, at, "application/jwk-set+json, application/json")
	switch {
	case errors.Is(err, fetch.ErrTooLong):
		return nil, 0, &statusError{at, answer.Status, fmt.Sprintf(" with more than %d bytes", symbolon.MaxBody)}
	case err != nil && answer != nil:
		return nil, 0, fmt.Errorf("%s broke off: %w", at, err)
	case err != nil:
		e := symbolon.NewError(symbolon.TemporarilyUnavailable, "the issuer's keys cannot be reached: "+err.Error())
		return nil, 0, e.WithCause(err)
	case answer.Status != http.StatusOK:
		return nil, 0, &statusError{at, answer.Status, " where a key set was expected"}
	}
	return answer.Body, maxAge(answer.Header), nil
}

// maxAge reads Cache-Control (RFC 9111 §5.2.2.1).
func maxAge(h http.Header) time.Duration {
	for part := range strings.SplitSeq(h.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
			return time.Duration(n) * time.Second
		}
	}
	return keyLife
}
