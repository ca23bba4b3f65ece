package admin

import (
	"context"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// NewCredential is a new secret of a client: the server makes it, or its value
// or its hash comes along.
type NewCredential struct {
	ID      string // empty: the next free one of s1, s2, …
	Value   Secret // an existing secret; zero: none
	Hash    string // its stored form instead; "": none
	Expires time.Time

	managedBy string // set of the declarative file that names it
}

// AddedSecret is a new secret: Value is zero unless the server made it, and
// then cannot be seen a second time.
type AddedSecret struct {
	Secret SecretInfo
	Value  Secret
}

// fill makes the value where the request brings neither value nor hash.
func (n *NewCredential) fill() (made Secret, err error) {
	switch {
	case !n.Value.IsZero() && n.Hash != "":
		return made, invalid("give one of them", "both the value and the hash of a secret are given")
	case !n.Value.IsZero():
		return made, checkValue(n.Value)
	case n.Hash == "":
		n.Value = generateSecret()
		return n.Value, nil
	}
	return made, nil
}

// AddSecret gives a client one more secret. The others go on: that is how a
// secret is changed without an outage.
func (a *Admin) AddSecret(ctx context.Context, actor Actor, t Target, n NewCredential) (AddedSecret, int64, error) {
	made, err := n.fill()
	if err != nil {
		return AddedSecret{}, 0, err
	}
	var id string
	client, seq, err := a.editClient(ctx, actor, t, "secret.add", func(c *change, s *staged, client *registry.Client) error {
		id, err = c.addSecret(client, n)
		return err
	})
	if err != nil {
		return AddedSecret{}, seq, err
	}
	return addedSecret(client, id, made), seq, nil
}

// addedSecret is the client's secret of that id, with the value that was made.
func addedSecret(client Client, id string, made Secret) AddedSecret {
	out := AddedSecret{Value: made}
	for _, s := range client.Secrets {
		if s.ID == id {
			out.Secret = s
		}
	}
	return out
}

// addSecret puts a secret into a client and gives its id. The rules that need
// no value (ids used once, no hash twice) are the registry's.
func (c *change) addSecret(client *registry.Client, n NewCredential) (string, error) {
	s := registry.Secret{ID: n.ID, Hash: n.Hash, Created: c.now, Expires: n.Expires, ManagedBy: n.managedBy}
	if s.ID == "" {
		s.ID = nextCredentialID(client, CredentialSecret)
	}
	if err := c.stillToCome(CredentialSecret, s.ID, n.Expires); err != nil {
		return "", err
	}
	if !n.Value.IsZero() {
		// An argon2id form differs each time, so equal values are found by trying.
		for _, spent := range client.Spent {
			if isSecretHash(spent.Digest) && c.prep.fits(spent.Digest, n.Value) {
				return "", refused("make a new secret", "this secret of client %s was revoked as %s", client.ID, spent.ID)
			}
		}
		for _, other := range client.Secrets {
			if c.prep.fits(other.Hash, n.Value) {
				return "", refused("make a new secret", "this secret is the client's %s already", other.ID)
			}
		}
		s.Hash = c.prep.hash(n.Value)
	}
	client.Secrets = append(client.Secrets, s)
	return s.ID, nil
}

// isSecretHash reports whether the digest of a spent credential is a secret's.
func isSecretHash(digest string) bool {
	return strings.HasPrefix(digest, registry.HashSHA256) || strings.HasPrefix(digest, registry.HashArgon2id)
}
