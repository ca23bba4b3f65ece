package admin

import (
	"context"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// NewKey is a new public key of a client.
type NewKey struct {
	ID      string // empty: the next free one of k1, k2, …
	Text    string // a JWK, or a public key or certificate in PEM
	Expires time.Time
}

// NewCertificate is a new certificate credential of a client: one subject form,
// or PEM. ID is empty for the next free one of c1, c2, …; Created and ManagedBy
// are not looked at.
type NewCertificate struct{ registry.Certificate }

// AddKey gives a client one more public key. The others go on: that is how a key
// is changed without an outage.
func (a *Admin) AddKey(ctx context.Context, actor Actor, t Target, n NewKey) (KeyInfo, int64, error) {
	var id string
	client, seq, err := a.editClient(ctx, actor, t, CredentialKey.action("add"), func(c *change, _ *staged, client *registry.Client) (err error) {
		id, err = c.addKey(client, n)
		return err
	})
	for _, k := range client.Keys {
		if k.ID == id {
			return k, seq, err
		}
	}
	return KeyInfo{}, seq, err
}

func (c *change) addKey(client *registry.Client, n NewKey) (string, error) {
	jwk, err := registry.PublicJWK([]byte(n.Text))
	if err != nil {
		return "", invalid(registry.KeyFix,
			"this is no public key that can be used: %s", strings.TrimPrefix(err.Error(), "jose: "))
	}
	k := registry.ClientKey{ID: n.ID, JWK: jwk, Created: c.now, Expires: n.Expires}
	if k.ID == "" {
		k.ID = nextCredentialID(client, CredentialKey)
	}
	if err := c.stillToCome(CredentialKey, k.ID, n.Expires); err != nil {
		return "", err
	}
	client.Keys = append(client.Keys, k)
	return k.ID, nil
}

// AddCertificate gives a client one more certificate credential.
func (a *Admin) AddCertificate(ctx context.Context, actor Actor, t Target, n NewCertificate) (CertificateInfo, int64, error) {
	var id string
	client, seq, err := a.editClient(ctx, actor, t, CredentialCertificate.action("add"), func(c *change, _ *staged, client *registry.Client) (err error) {
		id, err = c.addCertificate(client, n)
		return err
	})
	for _, cert := range client.Certificates {
		if cert.ID == id {
			return cert, seq, err
		}
	}
	return CertificateInfo{}, seq, err
}

func (c *change) addCertificate(client *registry.Client, n NewCertificate) (string, error) {
	cert := n.Certificate
	cert.Created, cert.ManagedBy = c.now, ""
	if cert.ID == "" {
		cert.ID = nextCredentialID(client, CredentialCertificate)
	}
	if err := c.stillToCome(CredentialCertificate, cert.ID, cert.Expires); err != nil {
		return "", err
	}
	client.Certificates = append(client.Certificates, cert)
	return cert.ID, nil
}

// stillToCome refuses a new credential that would never work.
func (c *change) stillToCome(kind CredentialKind, id string, expires time.Time) error {
	if expires.IsZero() || expires.After(c.now) {
		return nil
	}
	return invalid("give a time to come", "the %s %s would have expired already", kind, id)
}
