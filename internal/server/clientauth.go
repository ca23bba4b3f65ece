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

// Private causes of a refused authentication: for the record, never for the
// answer.
var (
	errUnknownClient = errors.New("there is no client of that id")
	errElsewhere     = errors.New("the client may not authenticate at this issuer")
	errNoIssuer      = errors.New("the issuer was deleted a moment ago")
	errNotByMethod   = errors.New("the client may not authenticate by this method")
	errWrongSecret   = errors.New("the secret is none of the client's")
)

// authenticate finds out whether the client is who it says it is, and by which
// of its credentials. All causes of a refusal take the same steps: one digest,
// at least decoySecrets comparisons, one answer (RFC 6749 §5.2). Only the
// record tells them apart.
func (s *Server) authenticate(ctx context.Context, c *call, entry *replica.Entry) error {
	c.record.Client, c.record.Method = c.request.ClientID, c.request.Method
	c.record.Verified, c.record.Cred = false, ""
	cred, err := s.findSecret(ctx, c, entry)
	if err != nil {
		return err
	}
	if err := s.fits(c, entry, cred); err != nil {
		return err
	}
	c.trace.OK(checkAuthentication, "RFC 6749 §2.3.1", "a live secret of an active client", cred.ID)
	c.record.Client, c.record.Cred, c.record.Verified = entry.Client.ID, cred.ID, true
	return nil
}

// checkAuthentication is the one name of the check that all causes fail. The
// cap on refusals counts by it: were there several, it would tell them apart.
const checkAuthentication = "client authentication"

// fits says why the client may not have a token; nil when it may. cred is the
// secret that it presented, nil when that is none of its own.
func (s *Server) fits(c *call, entry *replica.Entry, cred *registry.Secret) error {
	fail := func(expected, got, fix string, cause error) error {
		c.trace.Fail(checkAuthentication, "RFC 6749 §5.2", expected, got, fix)
		return registry.ErrClient.WithCause(cause)
	}
	client := entry.Client
	switch {
	case entry.Unusable != nil:
		return fail("a document that this version can use", "another", "upgrade this node, or write the client again", entry.Unusable)
	case client == nil:
		return fail("a known client", "an unknown id", "create the client, or correct the id in the program", errUnknownClient)
	case !client.AtIssuer(c.Issuer.ID):
		return fail("a client of issuer "+c.Issuer.ID, "a client of others only", "add the issuer to the client's issuers, or use one of them", errElsewhere)
	case client.State != registry.StateActive:
		return fail(registry.StateActive, client.State, "symbolon client enable "+client.ID, fmt.Errorf("the client is %s", client.State))
	case !client.Authenticates(c.request.Method):
		return fail("a method that the client may use", c.request.Method, "send the secret the other way, or widen the client's auth", errNotByMethod)
	case cred == nil:
		return fail("a secret of the client", "another", "give the program one of the client's secrets, or add a new one", errWrongSecret)
	case !cred.Live(c.now):
		return fail("a secret that has not expired", cred.ID, "add a new secret to the client and give it to the program", fmt.Errorf("secret %s has expired", cred.ID))
	}
	return nil
}

// decoySecrets is the least number of comparisons. A client has one secret, or
// two while they rotate; an unknown one has none.
const decoySecrets = 4

// findSecret gives the client's secret that was presented, live or not; nil
// when it is none of them. It compares with all of them in constant time, and
// with as many decoys as it takes.
func (s *Server) findSecret(ctx context.Context, c *call, entry *replica.Entry) (*registry.Secret, error) {
	s.counted("digest")
	presented := sha256.Sum256([]byte(c.request.Secret))
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
	if entry.Client == nil {
		return nil, nil
	}
	if found >= 0 {
		return &entry.Client.Secrets[found], nil
	}
	return s.findImported(ctx, c, entry.Client)
}

// findImported looks among the imported secrets, which need a slow hash. A
// value that was generated here is never one of them.
func (s *Server) findImported(ctx context.Context, c *call, client *registry.Client) (*registry.Secret, error) {
	for i := range client.Secrets {
		hash := client.Secrets[i].Hash
		if !strings.HasPrefix(hash, registry.HashArgon2id) || registry.IsGenerated(c.request.Secret) {
			continue
		}
		hit, err := s.slowHash(ctx, c, hash)
		if err != nil {
			return nil, err
		}
		if hit {
			return &client.Secrets[i], nil
		}
	}
	return nil, nil
}

// slowHash compares once per request and stored form: a refusal looks at the
// client twice.
func (s *Server) slowHash(ctx context.Context, c *call, hash string) (hit bool, err error) {
	if hit, known := c.hashed[hash]; known {
		return hit, nil
	}
	p, ok := registry.ParseArgon2id(hash)
	if !ok {
		return false, nil
	}
	if hit, err = s.hashing.matches(ctx, c.request.Secret, p); err != nil {
		return false, err
	}
	if c.hashed == nil {
		c.hashed = make(map[string]bool)
	}
	c.hashed[hash] = hit
	return hit, nil
}
