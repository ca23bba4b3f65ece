package admin

import (
	"context"

	"github.com/symbolon/symbolon/internal/registry"
)

// clientMembers are what an update of a client may name. Its state and its
// credentials have operations of their own.
var clientMembers = []string{"name", "owner", "labels", "issuers", "bound", "auth", "access", "default_api", "claims",
	"jwks_uri", "legacy_assertion", "managed_by"}

// CreateClient is a new client.
type CreateClient struct {
	Client      registry.Client // an empty ID: one is made; the lists of credentials and Spent must be empty
	Secret      NewCredential   // its first secret
	Key         *NewKey         // its first key
	MoreKeys    []NewKey        // and others
	Certificate *NewCertificate // its first certificate credential
	NoSecret    bool            // it has none: set by itself where another credential comes along and no secret does
}

// CreatedClient is a new client, with its secret where the server made it: this
// is the only time that the secret can be seen.
type CreatedClient struct {
	Client Client
	Secret Secret // zero when the value came with the request, or there is none
	Cred   string // id of the credential; "" without a secret
}

// CreateClient makes a client.
func (a *Admin) CreateClient(ctx context.Context, actor Actor, req CreateClient) (CreatedClient, int64, error) {
	if err := actor.May(ClientsWrite); err != nil {
		return CreatedClient{}, 0, err
	}
	made, err := req.prepare()
	if err != nil {
		return CreatedClient{}, 0, err
	}
	if req.Client.State == registry.StateDisabled {
		req.Client.StateBy = actor.Name
	}
	id := req.Client.ID
	out := CreatedClient{Secret: made}
	seq, err := a.change(ctx, actor, func(c *change) error {
		fresh := clone(req.Client)
		s, err := create(c, registry.KindClient, id, &fresh)
		if err != nil {
			return err
		}
		s.asked = len(fresh.DefaultAPI) > 0
		for _, key := range req.keys() {
			if _, err := c.addKey(&fresh, key); err != nil {
				return err
			}
		}
		if req.Certificate != nil {
			if _, err := c.addCertificate(&fresh, *req.Certificate); err != nil {
				return err
			}
		}
		if req.NoSecret {
			return nil
		}
		out.Cred, err = c.addSecret(&fresh, req.Secret)
		return err
	})
	if err != nil {
		return CreatedClient{}, seq, err
	}
	out.Client, err = a.Client(ctx, actor.reading(), id)
	return out, seq, err
}

func (r *CreateClient) keys() []NewKey {
	if r.Key == nil {
		return r.MoreKeys
	}
	return append([]NewKey{*r.Key}, r.MoreKeys...)
}

// prepare fills what the request leaves open, and gives the secret if one had
// to be made.
func (r *CreateClient) prepare() (made Secret, err error) {
	c := &r.Client
	if len(c.Secrets)+len(c.Keys)+len(c.Certificates)+len(c.Spent) > 0 || c.StateBy != "" {
		return made, invalid("give the first of them beside the client", "secrets, keys, certificates, spent and state_by are not part of a new client")
	}
	other := len(r.keys()) > 0 || r.Certificate != nil || c.JWKSURI != ""
	if other && r.Secret.Value.IsZero() && r.Secret.Hash == "" && r.Secret.ID == "" && r.Secret.Expires.IsZero() {
		r.NoSecret = true
	}
	if r.Client.ID == "" {
		r.Client.ID = generateID("client")
	}
	if r.Client.State == "" {
		r.Client.State = registry.StateActive
	}
	r.Client.Meta = registry.Meta{}
	if r.NoSecret {
		return made, nil
	}
	return r.Secret.fill()
}

// UpdateClient changes members of a client.
func (a *Admin) UpdateClient(ctx context.Context, actor Actor, u Update[registry.Client]) (Client, int64, error) {
	edited, seq, err := a.EditClient(ctx, actor, EditClient{Update: u})
	return edited.Client, seq, err
}

// EnableClient lets a client authenticate again. Tokens from before it was
// disabled stay refused.
func (a *Admin) EnableClient(ctx context.Context, actor Actor, t Target) (Client, int64, error) {
	return a.editClient(ctx, actor, t, "client.enable", func(_ *change, _ *staged, client *registry.Client) error {
		client.State, client.StateBy = registry.StateActive, ""
		return nil
	})
}

// DisableClient stops a client: it gets no more tokens, and those that it has
// are denied. No file enables it again, not even one whose prune had disabled it
// before.
func (a *Admin) DisableClient(ctx context.Context, actor Actor, t Target) (Client, int64, error) {
	return a.editClient(ctx, actor, t, "client.disable", func(_ *change, _ *staged, client *registry.Client) error {
		client.State, client.StateBy = registry.StateDisabled, actor.Name
		return nil
	})
}

// DeleteClient deletes a client. Its id can be used again by hand, the ids of
// its credentials cannot.
func (a *Admin) DeleteClient(ctx context.Context, actor Actor, t Target) (int64, error) {
	if err := actor.May(ClientsWrite); err != nil {
		return 0, err
	}
	return a.change(ctx, actor, func(c *change) error {
		s, _, err := must[registry.Client](c, registry.KindClient, t.ID)
		if err != nil {
			return err
		}
		if err := s.at(t.Version); err != nil {
			return err
		}
		return c.remove(s, actor.Name)
	})
}

// editClient is every operation that alters a client that is there.
func (a *Admin) editClient(ctx context.Context, actor Actor, t Target, action string, f func(*change, *staged, *registry.Client) error) (Client, int64, error) {
	if err := actor.May(ClientsWrite); err != nil {
		return Client{}, 0, err
	}
	seq, err := a.change(ctx, actor, func(c *change) error {
		s, client, err := must[registry.Client](c, registry.KindClient, t.ID)
		if err != nil {
			return err
		}
		if err := s.at(t.Version); err != nil {
			return err
		}
		c.stage(s, client, action)
		return f(c, s, client)
	})
	return shown(a.Client, ctx, actor, t.ID, seq, err)
}

// Client shows one client, with the last use of its credentials.
func (a *Admin) Client(ctx context.Context, actor Actor, id string) (Client, error) {
	if err := actor.May(ClientsRead); err != nil {
		return Client{}, err
	}
	client, version, err := read[registry.Client](ctx, a, actor, registry.KindClient, id)
	if err != nil {
		return Client{}, err
	}
	a.countNow(ctx)
	used, err := a.Store.LastUsedOf(ctx, id)
	if err != nil {
		return Client{}, fromStore(err)
	}
	return showClient(client, version, lastUse(used), a.now()), nil
}

// Clients lists clients, without the last use of their credentials.
func (a *Admin) Clients(ctx context.Context, actor Actor, q Query) (Page[Client], error) {
	if err := actor.May(ClientsRead); err != nil {
		return Page[Client]{}, err
	}
	return list(ctx, a, actor, registry.KindClient, q, func(c *registry.Client, v int64) Client { return showClient(c, v, nil, a.now()) })
}
