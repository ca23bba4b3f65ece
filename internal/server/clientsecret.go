package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
)

var errWrongSecret = errors.New("the secret is none of the client's")

// bySecret is client_secret_basic and client_secret_post (RFC 6749 §2.3.1). All
// causes of a refusal cost one digest and at least decoySecrets comparisons.
func (s *Server) bySecret(ctx context.Context, c *call, entry *replica.Entry) (presented, error) {
	p := presented{clause: "RFC 6749 §2.3.1"}
	secret, err := s.findSecret(ctx, c, entry)
	switch {
	case err != nil:
	case secret == nil:
		p.why = &fault{p.clause, "a secret of the client", "another", "give the program one of the client's secrets, or add a new one", errWrongSecret}
	case !secret.Live(c.now):
		p.why = &fault{p.clause, "a secret that has not expired", secret.ID, "add a new secret to the client and give it to the program",
			fmt.Errorf("secret %s has expired", secret.ID)}
	default:
		p.cred = secret.ID
	}
	return p, err
}

// decoySecrets is the least number of comparisons. A client has one secret, or
// two while they rotate; an unknown one has none.
const decoySecrets = 4

// findSecret gives the client's secret that was presented, live or not; nil
// when it is none of them. Where the request can be read in two ways, both are
// looked at whatever comes of the first.
func (s *Server) findSecret(ctx context.Context, c *call, entry *replica.Entry) (*registry.Secret, error) {
	value, other := c.request.Secret, c.request.RawSecret
	found := s.findDigest(entry, value)
	if other != "" {
		found = max(found, s.findDigest(entry, other))
	}
	if entry.Client == nil {
		return nil, nil
	}
	if found >= 0 {
		return &entry.Client.Secrets[found], nil
	}
	secret, err := s.findImported(ctx, c, entry.Client, value)
	if other != "" && secret == nil && err == nil {
		return s.findImported(ctx, c, entry.Client, other)
	}
	return secret, err
}

// findDigest gives the place of the secret among the client's, -1 when it is none
// of them. It compares with all of them in constant time, and with as many decoys
// as it takes.
func (s *Server) findDigest(entry *replica.Entry, value string) int {
	s.counted("digest")
	presented := sha256.Sum256([]byte(value))
	var decoy [32]byte // the digest of no known value
	found := -1
	for i := range max(len(entry.Digests), decoySecrets) {
		stored := &decoy
		if i < len(entry.Digests) {
			stored = &entry.Digests[i]
		}
		s.counted("compare")
		if subtle.ConstantTimeCompare(presented[:], stored[:]) == 1 && i < len(entry.Digests) {
			found = i
		}
	}
	return found
}

// findImported looks among the imported secrets, which need a slow hash. A
// value that was generated here is never one of them.
func (s *Server) findImported(ctx context.Context, c *call, client *registry.Client, value string) (*registry.Secret, error) {
	for i := range client.Secrets {
		hash := client.Secrets[i].Hash
		if !strings.HasPrefix(hash, registry.HashArgon2id) || registry.IsGenerated(value) {
			continue
		}
		hit, err := s.slowHash(ctx, c, hash, value)
		if err != nil {
			return nil, err
		}
		if hit {
			return &client.Secrets[i], nil
		}
	}
	return nil, nil
}

// slowHash compares once per request, reading of its secret and stored form: a
// refusal looks at the client twice.
func (s *Server) slowHash(ctx context.Context, c *call, hash, value string) (hit bool, err error) {
	key := hashedKey{hash, value == c.request.Secret}
	if hit, known := c.hashed[key]; known {
		return hit, nil
	}
	p, ok := registry.ParseArgon2id(hash)
	if !ok {
		return false, nil
	}
	if hit, err = s.hashing.matches(ctx, value, p); err != nil {
		return false, err
	}
	if c.hashed == nil {
		c.hashed = make(map[hashedKey]bool)
	}
	c.hashed[key] = hit
	return hit, nil
}

// hashedKey names a comparison of a request.
type hashedKey struct {
	hash  string // the stored form
	first bool   // of request.Secret; else of RawSecret
}
