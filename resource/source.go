package resource

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/symbolon/symbolon/client"
)

// source is an issuer whose tokens are taken: its keys, and what it denies.
type source struct {
	issuer string
	keys   keys
	denied follower
}

// newSource reads nothing yet.
func newSource(cfg *Config, issuer string) *source {
	s := &source{issuer: issuer}
	s.keys.init(cfg, issuer, s.denied.learn)
	s.denied.init(cfg, issuer)
	return s
}

// begin starts to follow the issuer, once.
func (s *source) begin() {
	s.denied.begin()
	s.keys.begin()
}

func (s *source) close() {
	s.keys.close()
	s.denied.close()
}

// source finds an issuer by its iss, exactly; nil: its tokens are not taken.
func (a *API) source(iss string) *source {
	for _, s := range a.sources {
		if s.issuer == iss {
			return s
		}
	}
	return nil
}

// issuers are those of the configuration, the first one first.
func (cfg *Config) issuers() []string {
	return append([]string{cfg.Issuer}, cfg.Issuers...)
}

// checkIssuers looks at Issuer and Issuers.
func (cfg *Config) checkIssuers() error {
	if cfg.Issuer == "" {
		return wrong("Issuer", errors.New(`is empty; set the issuer's URL, as "https://auth.example.com"`))
	}
	seen := make(map[string]bool)
	for i, iss := range cfg.issuers() {
		field := "Issuer"
		if i > 0 {
			field = fmt.Sprintf("Issuers[%d]", i-1)
		}
		if _, err := client.MetadataURLs(iss); err != nil {
			return wrong(field, err)
		}
		if seen[iss] {
			return wrong(field, fmt.Errorf("%q is named twice", iss))
		}
		seen[iss] = true
	}
	return nil
}

// named lists the issuers for an explanation.
func (cfg *Config) named() string { return strings.Join(cfg.issuers(), " or ") }

// Start begins to follow the issuers, as the first request does, and waits until
// there are keys of each, and it was tried once to learn what each denies, or ctx
// ends. Its error tells why there are no keys. What runs goes on until Close.
func (a *API) Start(ctx context.Context) error {
	for _, s := range a.sources {
		s.begin() // all at once
	}
	for _, s := range a.sources {
		if err := s.keys.await(ctx); err != nil {
			return err
		}
		select { // the follower itself bounds how long that takes
		case <-s.denied.tried:
		case <-ctx.Done():
		}
	}
	return nil
}

// Ready tells whether requests can be judged now, without waiting: nil,
// or the *symbolon.Error that they would be answered with, 503, with its cause.
// There must be keys of every issuer and, where Config.Revocations denies what it
// cannot tell, a revocation set that is not too old. Where the issuer is asked about
// all tokens (Introspection.Always), it must not refuse who asks: see Degraded.
// Before Start, or the first request, it is not.
func (a *API) Ready() error {
	now := a.cfg.Now()
	if i := a.introspection; i != nil && i.always {
		if err := a.Degraded(); err != nil {
			return err
		}
	}
	for _, s := range a.sources {
		if !s.keys.current.Load().usable(now, a.cfg.MaxStale) {
			return errNoKeys.WithCause(s.keys.why(nil))
		}
		if !s.denied.ready(now) {
			return errNoSet.WithCause(errors.New(s.denied.when(s.denied.current.Load())))
		}
	}
	return nil
}

// await waits for keys that can be used.
func (k *keys) await(ctx context.Context) error {
	for {
		now := k.cfg.Now()
		if k.current.Load().usable(now, k.cfg.MaxStale) {
			return nil
		}
		done := k.fetch(now)
		if done == nil { // it was tried just now; the timer tries again
			pause := time.NewTimer(time.Second)
			select {
			case <-pause.C:
				continue
			case <-ctx.Done():
				pause.Stop()
			}
		} else {
			select {
			case <-done:
				continue
			case <-ctx.Done():
			}
		}
		return errNoKeys.WithCause(k.why(ctx.Err()))
	}
}
