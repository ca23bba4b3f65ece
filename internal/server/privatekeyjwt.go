package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
	"github.com/symbolon/symbolon/internal/web"
)

const clauseAssertion = "RFC 7523 §3"

var (
	errNoClientKey    = errors.New("none of the client's keys is the assertion's")
	errNotPublished   = noPublishedKey(errKeyNotInSet) // made once: a flood of unknown keys costs no formatting
	errAlgorithm      = errors.New("the issuer takes no assertions of that algorithm")
	errWrongSignature = errors.New("the assertion's signature is not by the client's key")
)

// byAssertion is private_key_jwt (RFC 7523 §2.2): the signature first, then what
// it says.
func (s *Server) byAssertion(ctx context.Context, c *call, entry *replica.Entry) (presented, error) {
	a := c.request.Assertion
	p := presented{clause: clauseAssertion}
	alg := a.token.Header.Algorithm
	if !slices.Contains(c.Issuer.AssertionAlgorithms(), alg) {
		p.why = &fault{"RFC 8725 §3.1", "one of the issuer's algorithms", string(alg), "sign with ES256, PS256 or EdDSA", errAlgorithm}
		return p, nil
	}
	candidates, why, err := s.assertionKeys(ctx, c, entry)
	if err != nil {
		return p, err
	}
	if len(candidates) == 0 {
		s.counted("verify")
		s.decoy.verify(&a.token, c.now)
		p.why = &fault{clauseAssertion, "a live key of the client", "none that fits", "register the program's public key, or correct its kid", why}
		return p, nil
	}
	s.counted("verify")
	for _, k := range candidates {
		if a.token.Verify(k.key) == nil {
			p.cred = k.cred
			break
		}
	}
	if p.cred == "" {
		p.why = &fault{clauseAssertion, "a signature by the client's key", "another", "sign with the private half of a registered key", errWrongSignature}
		return p, nil
	}
	if err := a.read(); err != nil {
		p.why = &fault{clauseAssertion, "claims that can be read", "others", "make the claims one JSON object with each member once, of the right types", err}
		return p, nil
	}
	p.why = c.checkAssertion(a, entry.Client)
	if p.why == nil {
		p.why = s.fresh(c, a, entry.Client.ID)
	}
	return p, nil
}

// fresh looks whether this node took a good assertion before, and notes that a
// token would consume it.
func (s *Server) fresh(c *call, a *assertion, clientID string) *fault {
	key := a.replayKey()
	if s.holds(key) {
		// Before anything is decided: who found a used assertion is nobody, and
		// learns nothing.
		return assertionReplayed
	}
	c.consumes(replayed{issued: a.issued, entry: dpop.Entry{Key: key, Expires: a.expires.Add(dpop.Overlap), Owner: clientID}})
	return nil
}

// assertionReplayed is why an assertion that this node took before is nobody's
// proof any more.
var assertionReplayed = &fault{clauseAssertion, "an assertion that was not presented before", "one that was",
	"make a new assertion for each request; if the program does, somebody else has got hold of one", errAssertionReplayed}

// holds reports whether this node remembers it. Other nodes are asked when it is
// consumed.
func (s *Server) holds(key [32]byte) bool {
	known, ok := s.cfg.Replay.(interface{ Holds(key [32]byte) bool })
	return ok && known.Holds(key)
}

// candidate is a key that may have signed an assertion, and the credential that
// it belongs to.
type candidate struct {
	cred string
	key  *jose.Key
}

// assertionKeys finds the client's keys that an assertion may be signed with; why
// says, for the record, why there are none. An assertion without kid may be of
// any live key, and verifying finds those of its algorithm: programs of one key
// send none, and a rotation must not refuse them.
func (s *Server) assertionKeys(ctx context.Context, c *call, entry *replica.Entry) (list []candidate, why, err error) {
	if !s.usable(c, entry) {
		return nil, errNoClientKey, nil
	}
	client, h := entry.Client, &c.request.Assertion.token.Header
	list = c.candidates[:0]
	take := func(k *registry.ClientKey) {
		if key := k.Key(); key != nil {
			list = append(list, candidate{k.ID, key})
		}
	}
	if h.KeyID == "" {
		for _, k := range client.LiveKeys(c.now) {
			take(k)
		}
	} else if k := client.KeyFor(h.KeyID, c.now); k != nil {
		take(k)
	}
	if len(list) > 0 || client.JWKSURI == "" || s.cfg.Keys == nil {
		return list, expiredKey(client, h.KeyID, c.now), nil
	}
	published, cause := s.cfg.Keys.Keys(ctx, client.JWKSURI, h.KeyID, h.Algorithm)
	if err := ctx.Err(); err != nil {
		return nil, nil, errGaveUp.WithCause(err)
	}
	switch {
	case cause == errKeyNotInSet:
		return nil, errNotPublished, nil
	case cause != nil:
		return nil, noPublishedKey(cause), nil
	}
	cred := registry.JWKSURICredential(client.JWKSURI)
	for _, key := range published {
		if client.RevokedKey(key) { // its owner may publish it still
			continue
		}
		list = append(list, candidate{cred, key})
	}
	return list, errNoClientKey, nil
}

func noPublishedKey(cause error) error { return fmt.Errorf("%w; jwks_uri: %w", errNoClientKey, cause) }

// expiredKey tells the operator when the key was the client's until lately.
func expiredKey(client *registry.Client, kid string, now time.Time) error {
	for i := range client.Keys {
		if k := &client.Keys[i]; kid != "" && k.ID == kid && !k.Live(now) {
			return fmt.Errorf("key %s has expired", kid)
		}
	}
	return errNoClientKey
}

// decoy lets an assertion that no key fits cost what one costs that a key fits:
// time must not tell which clients and keys there are. Under a flood it stops:
// then waiting for each other hides the difference, and strangers must not be
// able to make the server work.
type decoy struct {
	limit web.Limiter
	key   func() *jose.Key
}

const decoysPerSecond = 100

func newDecoy() *decoy {
	return &decoy{
		limit: web.Limiter{Every: time.Second / decoysPerSecond, Burst: decoysPerSecond, MaxKeys: 1},
		key:   sync.OnceValue(decoyKey),
	}
}

// decoyKey is a key of nobody's.
func decoyKey() *jose.Key {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic("server: P-256: " + err.Error()) // cannot happen
	}
	key, err := jose.NewKey(private.Public(), jose.ES256, "")
	if err != nil {
		panic("server: a decoy key: " + err.Error()) // cannot happen
	}
	return key
}

// verify makes up for ES256, which nearly all programs use; a token of another
// algorithm is refused at once.
func (d *decoy) verify(token *jose.Token, now time.Time) {
	if ok, _ := d.limit.Allow("", now); ok {
		_ = token.Verify(d.key())
	}
}
