package server

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
)

// serveJWKS answers the issuer's public keys (RFC 7517 §5).
func (s *Server) serveJWKS(at Place, w http.ResponseWriter, r *http.Request) error {
	docs, err := s.published(at, w, r)
	if err != nil {
		return err
	}
	docs.jwks.serve(w, r)
	return nil
}

var errNoKey = symbolon.NewError(symbolon.NotFound, "the issuer publishes no key of that id now; its jwks_uri lists those that it does")

// serveKey answers one of them as PEM, for proxies that read nothing else.
func (s *Server) serveKey(at Place, w http.ResponseWriter, r *http.Request) error {
	docs, err := s.published(at, w, r)
	if err != nil {
		return err
	}
	page, ok := docs.pem[at.Rest]
	if !ok {
		return errNoKey
	}
	page.serve(w, r)
	return nil
}

// publishedKeys are the keys that verifiers need now, those of each algorithm
// together, and until when that list holds: nextChange is zero when no planned
// time will change it. A key whose document cannot be read is left out, with
// the reason: it must not take the others along.
func publishedKeys(v *registry.IssuerView, now time.Time) (list []*jose.Key, nextChange time.Time, unusable []error) {
	algorithms := make([]jose.Algorithm, 0, len(v.Keys))
	for alg := range v.Keys {
		algorithms = append(algorithms, alg)
	}
	slices.Sort(algorithms)
	for _, alg := range algorithms {
		for _, k := range v.Keys[alg] {
			nextChange = earliest(nextChange, now, k.Activates, k.Retires, k.Deletes)
		}
		for _, k := range keys.Published(v.Keys[alg], now) {
			key, err := jose.ParseKey(k.Public)
			if err == nil && key.ID != k.ID {
				err = errors.New("its kid is another")
			}
			if err != nil {
				unusable = append(unusable, fmt.Errorf("key %s: its public half cannot be used: %w", k.ID, err))
				continue
			}
			list = append(list, key)
		}
	}
	return list, nextChange, unusable
}

// earliest is the first of the times that is still to come; at stands for
// the one found before, zero when there was none.
func earliest(at, now time.Time, times ...time.Time) time.Time {
	for _, t := range times {
		if t.After(now) && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}
