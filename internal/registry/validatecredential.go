package registry

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon/internal/jose"
)

// Bounds of a client's credentials.
const (
	MaxSecrets      = 16   // each wrong one is compared with all
	MaxKeys         = 16   // inline; behind a jwks_uri there may be more
	MaxCertificates = 16   // subject forms and certificates
	maxKeyID        = 256  // octets of a JWK's kid
	maxURI          = 1024 // octets of a jwks_uri or a name in a certificate
)

// credentials checks the credentials against each other and against those that
// may not come back. All kinds share one space of ids: a token names its
// credential by the id alone.
func (p *problems) credentials(c *Client) {
	p.tooMany("secrets", len(c.Secrets), MaxSecrets)
	p.tooMany("keys", len(c.Keys), MaxKeys)
	p.tooMany("certificates", len(c.Certificates), MaxCertificates)
	seen := &seenCredentials{client: c}
	for i := range c.Secrets {
		path := p.credentialID(seen, "secrets", i, c.Secrets[i].ID)
		p.secret(seen, path, &c.Secrets[i])
	}
	for i := range c.Keys {
		path := p.credentialID(seen, "keys", i, c.Keys[i].ID)
		p.key(seen, path, &c.Keys[i])
	}
	p.sameKID(c.Keys)
	for i := range c.Certificates {
		path := p.credentialID(seen, "certificates", i, c.Certificates[i].ID)
		p.certificate(seen, path, &c.Certificates[i])
	}
	p.jwksURI(c)
	for i, s := range c.Spent {
		if slices.ContainsFunc(c.Spent[:i], func(o Spent) bool { return o.ID == s.ID }) {
			p.add(at("spent", s.ID), "listed twice", "list each id once")
		}
	}
}

func (p *problems) tooMany(path string, n, limit int) {
	if n > limit {
		p.add(path, "more than "+strconv.Itoa(limit), "remove those that are no longer used")
	}
}

// seenCredentials are the ids and values of a client's credentials so far.
type seenCredentials struct {
	client  *Client
	ids     []string
	digests []string
}

// credentialID checks the id of a credential and gives its path.
func (p *problems) credentialID(seen *seenCredentials, list string, i int, id string) string {
	path := at(list, id)
	switch {
	case !ValidID(id):
		path = at(list, strconv.Itoa(i))
		p.add(at(path, "id"), "not an id", idFix)
	case strings.HasPrefix(id, "uri-"):
		p.add(at(path, "id"), "ids that begin with uri- are those of a jwks_uri", "choose another id")
	case slices.Contains(seen.ids, id):
		p.add(at(path, "id"), "two credentials of the client have this id", "give each an id of its own")
	}
	if slices.ContainsFunc(seen.client.Spent, func(o Spent) bool { return o.ID == id }) {
		p.add(at(path, "id"), "a credential of this id was removed or revoked; an id is used once only", "choose an id that was never used, as "+id[:min(1, len(id))]+"2")
	}
	seen.ids = append(seen.ids, id)
	return path
}

// value refuses a value that another credential has, or that was revoked.
func (p *problems) value(seen *seenCredentials, path, digest string, what [2]string) {
	if slices.Contains(seen.digests, digest) {
		p.add(path, "two credentials of the client are the same "+what[0], what[1])
	}
	if slices.ContainsFunc(seen.client.Spent, func(o Spent) bool { return o.Digest != "" && o.Digest == digest }) {
		p.add(path, "this "+what[0]+" was revoked", what[1])
	}
	seen.digests = append(seen.digests, digest)
}

func (p *problems) secret(seen *seenCredentials, path string, s *Secret) {
	path = at(path, "hash")
	if !validHash(s.Hash) {
		p.add(path, "not a hash of a secret", `write "sha256:" and the 64 lower-case hexadecimal digits of a generated secret's SHA-256`)
		return
	}
	p.value(seen, path, s.Hash, [2]string{"secret", "make a new secret for each"})
}

func validHash(hash string) bool {
	_, sha := ParseSHA256(hash)
	_, argon := ParseArgon2id(hash)
	return sha || argon
}

func (p *problems) key(seen *seenCredentials, path string, k *ClientKey) {
	path = at(path, "jwk")
	key, err := normalJWK(k.JWK)
	if err != nil {
		p.add(path, strings.TrimPrefix(err.Error(), "jose: "), KeyFix)
		return
	}
	if !sameJSON(key, k.JWK) {
		p.add(path, "not written as it is stored", "write the public members, kid, use and alg alone")
		return
	}
	if id := k.Key().ID; len(id) > maxKeyID {
		p.add(path, fmt.Sprintf("its kid is longer than %d octets", maxKeyID), "give the key a shorter kid")
	}
	p.value(seen, path, k.Digest(), [2]string{"key", "make a new key pair"})
}

// PublicJWK is the public JWK of a JWK or a PEM text, as normalJWK gives it: a
// public key, or the one in a certificate. The errors are those of package jose;
// a private key is jose.ErrPrivateKey.
func PublicJWK(text []byte) (json.RawMessage, error) {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return normalJWK(text)
	}
	public, err := jose.ParsePublicPEM(text)
	if err != nil {
		return nil, err
	}
	key, err := jose.NewKey(public, "", "")
	if err != nil {
		return nil, err
	}
	return key.JSON(), nil
}

// sameJSON compares two texts as a document writes them: escaped alike.
func sameJSON(x, y json.RawMessage) bool {
	one, err1 := json.Marshal(x)
	other, err2 := json.Marshal(y)
	return err1 == nil && err2 == nil && bytes.Equal(one, other)
}

// KeyFix says what to give where a public key cannot be used.
const KeyFix = "give the public half of an EC (P-256, P-384, P-521), RSA (2048 bits or more) or Ed25519 key; `symbolon keygen` makes a key pair"

// normalJWK is the public JWK as a client's document holds it: what jose.Key
// knows of it, in a fixed order, without foreign members. Errors are those of
// jose.ParseKey; a private key is jose.ErrPrivateKey.
func normalJWK(jwk []byte) ([]byte, error) {
	if len(jwk) == 0 {
		return nil, errors.New("missing")
	}
	key, err := jose.ParseKey(jwk)
	if err != nil {
		return nil, err
	}
	return key.JSON(), nil
}

// sameKID refuses two keys that one kid would mean: an assertion with it could
// not be told which key it was signed with.
func (p *problems) sameKID(keys []ClientKey) {
	for i := range keys {
		k := keys[i].Key()
		if k == nil || k.ID == "" {
			continue
		}
		for j := range keys {
			if i != j && (keys[j].ID == k.ID || j < i && keys[j].answersTo(k.ID)) {
				p.add(at("keys", keys[i].ID, "jwk"), "its kid is also that of the credential "+keys[j].ID, "give each key a kid of its own")
				break
			}
		}
	}
}

// jwksURI checks the place of the client's keys by its text. The address that
// its host has is looked at again when it is dialled.
func (p *problems) jwksURI(c *Client) {
	if c.JWKSURI == "" {
		return
	}
	if message, fix := checkKeysURI(c.JWKSURI); message != "" {
		p.add("jwks_uri", message, fix)
		return
	}
	id := JWKSURICredential(c.JWKSURI)
	if slices.ContainsFunc(c.Spent, func(o Spent) bool { return o.ID == id && !o.Revoked.IsZero() }) {
		p.add("jwks_uri", "the credential of this URI was revoked", "publish new keys at another URI")
	}
}

// legacy checks the dated exception by itself: how far ahead it may reach is
// judged when it is set.
func (p *problems) legacy(l *LegacyAssertion) {
	if l == nil {
		return
	}
	if l.Until.IsZero() {
		p.add("legacy_assertion.until", "missing: the exception must end", "write a date, at most a year ahead")
	}
	if len(l.Audience) == 0 {
		p.add("legacy_assertion.audience", "missing", legacyFix)
	}
	for i, a := range l.Audience {
		switch {
		case a != AudienceTokenEndpoint && a != AudienceIssuerArray:
			p.add(at("legacy_assertion", "audience", strconv.Itoa(i)), "not a form of audience", legacyFix)
		case slices.Contains(l.Audience[:i], a):
			p.add(at("legacy_assertion", "audience", a), "named twice", "name it once")
		}
	}
	if d := l.MaxLifetime; d < 0 || cmp.Compare(d, MaxLegacyLifetime) > 0 {
		p.add("legacy_assertion.max_lifetime", "longer than "+MaxLegacyLifetime.String()+", or negative", "write "+MaxLegacyLifetime.String()+" or less")
	}
}

const legacyFix = "write " + AudienceTokenEndpoint + ", " + AudienceIssuerArray + " or both"
