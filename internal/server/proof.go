package server

import (
	"fmt"
	"sync"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// binding is the key that a token is bound to. The zero value: to none.
type binding struct {
	kind       string // registry.BindingDPoP, registry.BindingMTLS
	thumbprint string // of the proof's key, or of the certificate
}

// confirmation is the token's cnf (RFC 9449 §6.1, RFC 8705 §3.1); nil for a
// bearer token.
func (b binding) confirmation() *symbolon.Confirmation {
	switch b.kind {
	case registry.BindingDPoP:
		return &symbolon.Confirmation{JKT: b.thumbprint}
	case registry.BindingMTLS:
		return &symbolon.Confirmation{X5TS256: b.thumbprint}
	}
	return nil
}

// tokenType: RFC 9449 §5. A token bound to a certificate is a Bearer token still
// (RFC 8705 §3).
func (b binding) tokenType() string {
	if b.kind == registry.BindingDPoP {
		return symbolon.TokenTypeDPoP
	}
	return symbolon.TokenTypeBearer
}

var errNonce = symbolon.NewError(symbolon.UseDPoPNonce,
	"the DPoP proof must hold the nonce of the DPoP-Nonce header of this answer; make a new proof with it and send the request again")

// prove finds out to which key the token will be bound. A proof comes before a
// certificate: who sends one wants the token for that key, and may have
// presented the certificate for its authentication alone.
func (s *Server) prove(c *call) error {
	c.binding = binding{}
	if len(c.request.Proofs) > 0 {
		return s.proveKey(c)
	}
	if cert := c.request.Certificate; cert != nil {
		c.binding = binding{registry.BindingMTLS, symbolon.CertificateThumbprint(cert.Raw)}
		c.trace.OK("binding", "RFC 8705 §3", "the certificate of the connection", c.binding.thumbprint)
	}
	return nil
}

// proveKey checks a DPoP proof (RFC 9449 §4.3) but for whether it was presented
// before: that comes last of all.
func (s *Server) proveKey(c *call) error {
	urls := c.urls[:0]
	for _, u := range c.TokenURLs {
		normal, err := s.normal.of(u)
		if err != nil {
			return fmt.Errorf("the URL of the token endpoint: %w", err)
		}
		urls = append(urls, normal)
	}
	s.counted("proof")
	want := dpop.Expectation{
		Method: "POST", URLs: urls, Now: c.now, Keys: &s.proofKeys,
		Algorithms: c.Issuer.AssertionAlgorithms(), // those that the metadata lists
	}
	proof, err := dpop.Check(c.request.Proofs, want)
	if err != nil {
		// What was wrong with a proof is told step by step; of a good one the ten
		// steps would only make the record longer.
		want.Trace = &c.trace
		_, err = dpop.Check(c.request.Proofs, want)
		return err
	}
	c.trace.OK("proof", "RFC 9449 §4.3", "a good proof for this request", proof.Thumbprint)
	if s.demandsNonce(c) && !s.cfg.Nonces.Check(c.Issuer.Iss, proof.Nonce, c.now) {
		got := "an old or foreign one"
		if proof.Nonce == "" {
			got = "none"
		}
		c.trace.Fail("nonce", "RFC 9449 §8", "a nonce of this issuer, less than 5 minutes old", got, "send the nonce of the DPoP-Nonce header, as libraries do by themselves")
		return errNonce
	}
	c.binding = binding{registry.BindingDPoP, proof.Thumbprint}
	c.consumes(replayed{proof: true, issued: proof.IssuedAt, entry: dpop.Entry{Key: proof.ReplayKey, Expires: proof.Expires, Owner: c.record.Client}})
	return nil
}

// normalURLs are the few URLs of token endpoints by dpop.NormalizeURL, as a
// proof's htu is compared: they are the same for every request.
type normalURLs struct {
	mu    sync.RWMutex
	known map[string]string
}

func (n *normalURLs) of(u string) (string, error) {
	n.mu.RLock()
	normal, ok := n.known[u]
	n.mu.RUnlock()
	if ok {
		return normal, nil
	}
	normal, err := dpop.NormalizeURL(u)
	if err != nil {
		return "", err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = make(map[string]string)
	}
	n.known[u] = normal
	return normal, nil
}

func (s *Server) demandsNonce(c *call) bool { return s.cfg.Nonces != nil && c.Issuer.DemandsNonce() }

// offerNonce puts the newest nonce on every answer to a request with a proof
// (RFC 9449 §8.2): a program that takes it from there is never sent back.
func (s *Server) offerNonce(c *call, x *web.Exchange) {
	if c.request != nil && len(c.request.Proofs) > 0 && s.demandsNonce(c) {
		x.Header()[symbolon.HeaderDPoPNonce] = []string{s.cfg.Nonces.Issue(c.Issuer.Iss, c.now)}
	}
}
