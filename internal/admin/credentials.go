package admin

import (
	"context"
	"fmt"
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
	out := AddedSecret{Value: made}
	for _, s := range client.Secrets {
		if s.ID == id {
			out.Secret = s
		}
	}
	return out, seq, nil
}

// addSecret puts a secret into a client and gives its id. The rules that need
// no value (ids used once, no hash twice) are the registry's.
func (c *change) addSecret(client *registry.Client, n NewCredential) (string, error) {
	s := registry.Secret{ID: n.ID, Hash: n.Hash, Created: c.now, Expires: n.Expires, ManagedBy: n.managedBy}
	if s.ID == "" {
		s.ID = nextSecretID(client)
	}
	if !n.Expires.IsZero() && !n.Expires.After(c.now) {
		return "", invalid("give a time to come", "the secret %s would have expired already", s.ID)
	}
	if !n.Value.IsZero() {
		// An argon2id form differs each time, so equal values are found by trying.
		for _, spent := range client.Spent {
			if spent.Digest != "" && c.prep.fits(spent.Digest, n.Value) {
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

// nextSecretID is the first of s1, s2, … that was never used.
func nextSecretID(client *registry.Client) string {
	for n := 1; ; n++ {
		id := fmt.Sprintf("s%d", n)
		if findSecret(client, id) < 0 && findSpent(client, id) < 0 {
			return id
		}
	}
}

// RemoveSecret ends a rotation: the secret is not accepted any more, and the
// tokens obtained with it stay good until they expire.
func (a *Admin) RemoveSecret(ctx context.Context, actor Actor, t Target, id string) (Client, int64, error) {
	return a.editClient(ctx, actor, t, "secret.remove", func(_ *change, s *staged, client *registry.Client) error {
		i := findSecret(client, id)
		if i < 0 {
			return noSecret(client, id)
		}
		client.Secrets = append(client.Secrets[:i], client.Secrets[i+1:]...)
		s.why = "secret " + id
		return nil
	})
}

// RevokeSecret is for a secret that leaked: it is not accepted any more, under
// no id, and the tokens obtained with it are denied. It works on a secret that was
// removed before, too.
func (a *Admin) RevokeSecret(ctx context.Context, actor Actor, t Target, id string) (Client, int64, error) {
	return a.editClient(ctx, actor, t, "secret.revoke", func(c *change, s *staged, client *registry.Client) error {
		return c.revokeSecret(s, client, id)
	})
}

func (c *change) revokeSecret(s *staged, client *registry.Client, id string) error {
	s.why = "secret " + id
	if i := findSpent(client, id); i >= 0 {
		if client.Spent[i].Revoked.IsZero() {
			client.Spent[i].Revoked = c.now
		}
		return nil
	}
	i := findSecret(client, id)
	if i < 0 {
		return noSecret(client, id)
	}
	client.Spent = append(client.Spent, registry.Spent{ID: id, Digest: client.Secrets[i].Hash, Revoked: c.now})
	client.Secrets = append(client.Secrets[:i], client.Secrets[i+1:]...)
	return nil
}

func noSecret(client *registry.Client, id string) error {
	return &Error{Code: NotFound, Message: fmt.Sprintf("client %s has no secret %q", client.ID, id),
		Fix: "`symbolon client secret list " + client.ID + "` shows what it has"}
}
