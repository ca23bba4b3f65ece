package registry

import (
	"crypto/x509"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// AtIssuer reports whether the client may authenticate at the issuer. At any
// other it is an unknown client.
func (c *Client) AtIssuer(id string) bool {
	if len(c.Issuers) == 0 {
		return id == DefaultIssuer
	}
	return slices.Contains(c.Issuers, id)
}

// IssuerIDs are the issuers where the client may authenticate.
func (c *Client) IssuerIDs() []string {
	if len(c.Issuers) == 0 {
		return []string{DefaultIssuer}
	}
	return c.Issuers
}

// live reports whether a credential that expires then, or never, may still be
// used at the time.
func live(expires, now time.Time) bool { return expires.IsZero() || now.Before(expires) }

// Live reports whether the secret may still be used at the time.
func (s *Secret) Live(now time.Time) bool { return live(s.Expires, now) }

// LiveKeys are the inline keys that may be used at the time, in the order of the
// document.
func (c *Client) LiveKeys(now time.Time) []*ClientKey {
	var list []*ClientKey
	for i := range c.Keys {
		if c.Keys[i].Live(now) {
			list = append(list, &c.Keys[i])
		}
	}
	return list
}

// RevokedKey reports whether the key was revoked as a credential of the client:
// it is none any more wherever it is published.
func (c *Client) RevokedKey(key *jose.Key) bool {
	if !slices.ContainsFunc(c.Spent, func(s Spent) bool { return s.Digest != "" }) {
		return false
	}
	digest := keyDigest(key)
	return slices.ContainsFunc(c.Spent, func(s Spent) bool { return s.Digest == digest })
}

// KeyFor is the live inline key that an assertion with this kid means: kid is
// the credential's id, the kid of its JWK, or its thumbprint (RFC 7638). An
// assertion without kid means the client's only live key. It is nil when there
// is none, and when there are several: which one is meant cannot be known.
func (c *Client) KeyFor(kid string, now time.Time) *ClientKey {
	var found *ClientKey
	for i := range c.Keys {
		k := &c.Keys[i]
		if !k.Live(now) || kid != "" && !k.answersTo(kid) {
			continue
		}
		if found != nil {
			return nil
		}
		found = k
	}
	return found
}

// answersTo reports whether kid names the key. The thumbprint is worked out
// only for what could be one.
func (k *ClientKey) answersTo(kid string) bool {
	if kid == k.ID {
		return true
	}
	key := k.Key()
	return key != nil && (kid == key.ID || len(kid) == thumbprintLength && kid == key.Thumbprint())
}

// thumbprintLength is that of a SHA-256 in base64url.
const thumbprintLength = 43

// liveCertificates are the credentials for tls_client_auth or
// self_signed_tls_client_auth that may be used at the time, in the order of the
// document.
func (c *Client) liveCertificates(method string, now time.Time) []*Certificate {
	var list []*Certificate
	for i := range c.Certificates {
		if cert := &c.Certificates[i]; cert.Live(now) && cert.Method() == method {
			list = append(list, cert)
		}
	}
	return list
}

// CertificateFor is the first live credential of the method that the leaf of a
// connection fits; nil when there is none. Whether the leaf is valid at the
// time, and for tls_client_auth whether its chain leads to a trusted root, is
// not looked at here.
func (c *Client) CertificateFor(method string, leaf *x509.Certificate, now time.Time) *Certificate {
	for _, cert := range c.liveCertificates(method, now) {
		if cert.fits(leaf) {
			return cert
		}
	}
	return nil
}

// methods are all authentication methods, in the order in which they are
// listed. Those of a secret count as one unless Auth names only one of them:
// programs pick either without telling.
var methods = []string{symbolon.AuthSecretBasic, symbolon.AuthSecretPost,
	symbolon.AuthPrivateKeyJWT, symbolon.AuthTLSClient, symbolon.AuthSelfSignedTLS}

// Authenticates reports whether the client may use the authentication method:
// it has a credential of that kind, and Auth does not narrow the method away.
// Whether the credential still lives is decided where it is compared.
func (c *Client) Authenticates(method string) bool {
	return c.allows(method) && c.has(method, func(time.Time) bool { return true })
}

// Methods are the authentication methods that the client could use at the
// time, by their registered names (RFC 7591 §2).
func (c *Client) Methods(now time.Time) []string {
	var usable []string
	for _, m := range methods {
		if c.allows(m) && c.has(m, func(expires time.Time) bool { return live(expires, now) }) {
			usable = append(usable, m)
		}
	}
	return usable
}

// has reports whether the client has a credential for the method whose expiry
// counts.
func (c *Client) has(method string, counts func(expires time.Time) bool) bool {
	switch method {
	case symbolon.AuthSecretBasic, symbolon.AuthSecretPost:
		return slices.ContainsFunc(c.Secrets, func(s Secret) bool { return counts(s.Expires) })
	case symbolon.AuthPrivateKeyJWT:
		return c.JWKSURI != "" || slices.ContainsFunc(c.Keys, func(k ClientKey) bool { return counts(k.Expires) })
	case symbolon.AuthTLSClient, symbolon.AuthSelfSignedTLS:
		return slices.ContainsFunc(c.Certificates, func(cert Certificate) bool { return cert.Method() == method && counts(cert.Expires) })
	}
	return false
}

func (c *Client) allows(method string) bool {
	return len(c.Auth) == 0 || slices.Contains(c.Auth, method)
}
