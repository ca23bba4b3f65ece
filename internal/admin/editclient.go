package admin

import (
	"context"

	"github.com/symbolon/symbolon/internal/registry"
)

// EditClient is a change of a client as a whole: its members, and credentials that
// come and go with them.
type EditClient struct {
	Update     Update[registry.Client]
	Secret     *NewCredential // one more; nil: none
	Keys       []NewKey       // more of them
	RemoveKeys []string       // ids of keys that are not accepted any more: tokens obtained with them stay good
}

// EditedClient is a client after such a change, with its new secret where the
// server made one: this is the only time that the secret can be seen.
type EditedClient struct {
	Client Client
	Secret Secret // zero when there is none, or its value came with the request
}

// EditClient changes members and credentials of a client in one commit: all of it
// happens, or nothing. There is no time at which the client has its new method of
// authentication and not yet the credential for it, or neither of two keys.
func (a *Admin) EditClient(ctx context.Context, actor Actor, req EditClient) (EditedClient, int64, error) {
	if err := actor.May(ClientsWrite); err != nil {
		return EditedClient{}, 0, err
	}
	var out EditedClient
	if req.Secret != nil {
		secret := *req.Secret
		var err error
		if out.Secret, err = secret.fill(); err != nil {
			return EditedClient{}, 0, err
		}
		req.Secret = &secret
	}
	seq, err := a.change(ctx, actor, func(c *change) error {
		s, client, err := update(c, registry.KindClient, req.Update, clientMembers)
		if err != nil {
			return err
		}
		s.asked = req.Update.Change.Fields.Has("default_api")
		return c.exchange(client, req)
	})
	if err != nil {
		return EditedClient{}, seq, err
	}
	out.Client, err = a.Client(ctx, actor.reading(), req.Update.ID)
	return out, seq, err
}

// exchange takes credentials from a client and gives it others.
func (c *change) exchange(client *registry.Client, req EditClient) error {
	// New ones first: the id of one that goes is not to be that of another.
	for _, key := range req.Keys {
		if _, err := c.addKey(client, key); err != nil {
			return err
		}
	}
	for _, id := range req.RemoveKeys {
		if _, found := takeCredential(client, CredentialKey, id); !found {
			return noCredential(client, CredentialKey, id)
		}
	}
	if req.Secret == nil {
		return nil
	}
	_, err := c.addSecret(client, *req.Secret)
	return err
}
