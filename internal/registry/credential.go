package registry

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// Bindings of a token: what Facts.Binding says.
const (
	BindingDPoP = "dpop" // to the key of a DPoP proof (RFC 9449 §6)
	BindingMTLS = "mtls" // to the certificate of the connection (RFC 8705 §3)
)

// ClientKey is a credential of the kind key: the public half of a key pair with
// whose private half the client signs assertions (RFC 7523 §2.2).
type ClientKey struct {
	ID      string          `json:"id"`
	JWK     json.RawMessage `json:"jwk"` // public, as jose.Key.JSON writes it; its kid is the client's own
	Created time.Time       `json:"created,omitzero"`
	Expires time.Time       `json:"expires,omitzero"` // zero: never
	// ManagedBy is as in Secret.
	ManagedBy string `json:"managed_by,omitempty"`

	parsed *jose.Key // of JWK, when the document was decoded
}

// Key is the public key; nil when JWK is none. Its ID is the JWK's kid, its
// Algorithm is empty for an RSA key that is pinned to none.
func (k *ClientKey) Key() *jose.Key {
	if k.parsed != nil {
		return k.parsed
	}
	key, err := jose.ParseKey(k.JWK)
	if err != nil {
		return nil
	}
	return key
}

// Live reports whether the key may still be used at the time.
func (k *ClientKey) Live(now time.Time) bool { return live(k.Expires, now) }

// Digest names the value of the key, whatever its id, kid and algorithm:
// "jwk:" and the thumbprint of RFC 7638. It is empty when JWK is no key.
func (k *ClientKey) Digest() string {
	key := k.Key()
	if key == nil {
		return ""
	}
	return keyDigest(key)
}

func keyDigest(key *jose.Key) string { return "jwk:" + key.Thumbprint() }

// Certificate is a credential of the kind certificate: what the certificate of
// a TLS connection must say or be. Exactly one of the subject forms is given
// (RFC 8705 §2.1.2), or PEM.
type Certificate struct {
	ID        string `json:"id"`
	SubjectDN string `json:"subject_dn,omitempty"` // RFC 4514 text, compared by its meaning
	SANDNS    string `json:"san_dns,omitempty"`    // a dNSName of the certificate, compared in lower case; no wildcards
	SANURI    string `json:"san_uri,omitempty"`    // a uniformResourceIdentifier, compared as it stands
	SANIP     string `json:"san_ip,omitempty"`     // an iPAddress, compared by value
	SANEmail  string `json:"san_email,omitempty"`  // an rfc822Name; the part behind the @ is compared in lower case
	// PEM is a certificate that the client made itself: this one and no other,
	// without a chain (RFC 8705 §2.2).
	PEM       string    `json:"pem,omitempty"`
	Created   time.Time `json:"created,omitzero"`
	Expires   time.Time `json:"expires,omitzero"` // zero: never
	ManagedBy string    `json:"managed_by,omitempty"`

	parsed *x509.Certificate // of PEM, when the document was decoded
	dn     DN                // of SubjectDN, likewise
}

// Live reports whether the credential may still be used at the time. It does
// not look at the validity of a certificate itself.
func (c *Certificate) Live(now time.Time) bool { return live(c.Expires, now) }

// Method is the authentication method that the credential is for.
func (c *Certificate) Method() string {
	if c.PEM != "" {
		return symbolon.AuthSelfSignedTLS
	}
	return symbolon.AuthTLSClient
}

// X509 is the certificate of PEM; nil when there is none.
func (c *Certificate) X509() *x509.Certificate {
	if c.parsed != nil {
		return c.parsed
	}
	block, _ := pem.Decode([]byte(c.PEM))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return cert
}

// parse reads keys, certificates and names once, for a client that is used many
// times.
func (c *Client) parse() {
	for i := range c.Keys {
		c.Keys[i].parsed = c.Keys[i].Key()
	}
	for i := range c.Certificates {
		cert := &c.Certificates[i]
		if cert.PEM != "" {
			cert.parsed = cert.X509()
		}
		if cert.SubjectDN != "" {
			cert.dn = cert.name()
		}
	}
}

// JWKSURICredential is the id of the credential that a jwks_uri is: tokens that
// were got by keys from another URI name another one.
func JWKSURICredential(uri string) string {
	sum := sha256.Sum256([]byte(uri))
	return "uri-" + hex.EncodeToString(sum[:8])
}

// LegacyAssertion is a dated exception for clients that sign the assertions of
// RFC 7523 as it was before its audience was narrowed to the issuer.
type LegacyAssertion struct {
	Until       time.Time `json:"until"`                  // not after; at most MaxLegacyAssertion ahead when it is set
	Audience    []string  `json:"audience"`               // AudienceTokenEndpoint, AudienceIssuerArray
	MaxLifetime Duration  `json:"max_lifetime,omitempty"` // until exp, at most MaxLegacyLifetime; zero: as without the exception
}

// What a legacy assertion may have as its aud besides the issuer.
const (
	AudienceTokenEndpoint = "token_endpoint" // the URL of the token endpoint
	AudienceIssuerArray   = "issuer_array"   // a list with the issuer or, where that is allowed too, the token endpoint in it
)

// Bounds of LegacyAssertion.
const (
	MaxLegacyAssertion = 366 * 24 * time.Hour
	MaxLegacyLifetime  = Duration(time.Hour)
)

// Active reports whether the exception still holds at the time.
func (l *LegacyAssertion) Active(now time.Time) bool { return l != nil && now.Before(l.Until) }

// FAPI2 reports whether the issuer keeps to the FAPI 2.0 Security Profile.
func (i *Issuer) FAPI2() bool { return i.Profile == ProfileFAPI2 }

// DemandsNonce reports whether a DPoP proof at the issuer's token endpoint must
// hold a nonce (RFC 9449 §8).
func (i *Issuer) DemandsNonce() bool { return i.DPoPNonce != NonceOff }

// StrictReplay reports whether the issuer refuses what needs the shared replay
// memory while that is away.
func (i *Issuer) StrictReplay() bool { return i.Replay != ReplayLocal }

// AssertionAlgorithms are the algorithms of client assertions that the issuer
// takes, the recommended first. FAPI 2.0 §5.4.1 leaves PS256, ES256 and EdDSA.
func (i *Issuer) AssertionAlgorithms() []jose.Algorithm {
	if i.FAPI2() {
		return fapiAlgorithms
	}
	return assertionAlgorithms
}

var (
	fapiAlgorithms      = []jose.Algorithm{jose.ES256, jose.PS256, jose.EdDSA, jose.Ed25519}
	assertionAlgorithms = []jose.Algorithm{jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512,
		jose.RS256, jose.RS384, jose.RS512, jose.EdDSA, jose.Ed25519}
)
