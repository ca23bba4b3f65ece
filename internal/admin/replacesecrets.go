package admin

import (
	"context"

	"github.com/symbolon/symbolon/internal/registry"
)

// ReplaceSecrets gives a client a new secret and takes all others from it, in one
// commit: there is no time at which it has none, or the old ones as well. Tokens
// obtained with them stay good until they expire. Who can change programs one
// after the other uses AddSecret and then RemoveCredential.
func (a *Admin) ReplaceSecrets(ctx context.Context, actor Actor, t Target, n NewCredential) (AddedSecret, int64, error) {
	made, err := n.fill()
	if err != nil {
		return AddedSecret{}, 0, err
	}
	var id string
	client, seq, err := a.editClient(ctx, actor, t, "secret.replace", func(c *change, s *staged, client *registry.Client) error {
		if id, err = c.addSecret(client, n); err != nil {
			return err
		}
		s.why = "secret " + id + " in the place of all others"
		for _, other := range client.CredentialIDs() {
			if other != id && findSecret(client, other) >= 0 {
				takeCredential(client, CredentialSecret, other)
			}
		}
		return nil
	})
	if err != nil {
		return AddedSecret{}, seq, err
	}
	return addedSecret(client, id, made), seq, nil
}
