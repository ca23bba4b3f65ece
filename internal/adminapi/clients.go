package adminapi

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// newSecret is a secret that the server made. No other answer has the member
// value, and this one is given once.
type newSecret struct {
	ID    string `json:"id"`
	Value string `json:"value,omitempty" doc:"Shown this once; absent when it came with the request"`
}

// secretRequest is a secret to be made or imported.
type secretRequest struct {
	ID      string    `json:"id,omitempty"`
	Value   string    `json:"value,omitempty"`
	Hash    string    `json:"hash,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
}

func (s secretRequest) credential() admin.NewCredential {
	n := admin.NewCredential{ID: s.ID, Hash: s.Hash, Expires: s.Expires}
	if s.Value != "" {
		n.Value = admin.NewSecret(s.Value)
	}
	return n
}

// createdClient is a client, and the secret that was made for it.
type createdClient struct {
	Client admin.Client `json:"client"`
	Secret *newSecret   `json:"secret"`
}

func (h *handler) listClients(ctx context.Context, in *query) (*shown[admin.Page[admin.Client]], error) {
	return shownAs(h.Admin.Clients(ctx, actorOf(ctx), in.query()))
}

func (h *handler) showClient(ctx context.Context, in *Target) (*shown[admin.Client], error) {
	return shownAs(h.Admin.Client(ctx, actorOf(ctx), in.ID))
}

func (h *handler) createClient(ctx context.Context, in *document) (*answer[createdClient], error) {
	req, err := readNewClient(in.RawBody)
	if err != nil {
		return nil, err
	}
	made, seq, err := h.Admin.CreateClient(ctx, actorOf(ctx), req)
	return answered(showCreated(made), seq, err)
}

func showCreated(made admin.CreatedClient) createdClient {
	out := createdClient{Client: made.Client}
	if made.Cred != "" {
		out.Secret = &newSecret{ID: made.Cred, Value: made.Secret.Reveal()}
	}
	return out
}

// readNewClient takes the credentials and no_secret out of the body; the rest is
// the client.
func readNewClient(body []byte) (req admin.CreateClient, err error) {
	members, err := admin.ReadStrict[map[string]json.RawMessage](body)
	if err != nil {
		return admin.CreateClient{}, err
	}
	takes := map[string]func([]byte) error{
		"secret": func(text []byte) error {
			s, err := admin.ReadStrict[secretRequest](text)
			req.Secret = s.credential()
			return err
		},
		"key": func(text []byte) error {
			n, err := readKey(text)
			req.Key = &n
			return err
		},
		"certificate": func(text []byte) error {
			c, err := admin.ReadStrict[certificateRequest](text)
			n := c.credential()
			req.Certificate = &n
			return err
		},
		"no_secret": func(text []byte) error {
			req.NoSecret, err = admin.ReadStrict[bool](text)
			return err
		},
	}
	for _, name := range slices.Sorted(maps.Keys(takes)) {
		if text, ok := members[name]; ok {
			if err := takes[name](text); err != nil {
				return req, err
			}
			delete(members, name)
		}
	}
	if members != nil {
		if body, err = json.Marshal(members); err != nil {
			return req, err
		}
	}
	req.Client, err = admin.ReadNew[registry.Client](registry.KindClient, body)
	return req, err
}

// putClient creates the client of the path's id, or sets the members that the
// body names. A secret comes about only with the client.
func (h *handler) putClient(ctx context.Context, in *edited) (*answer[createdClient], error) {
	ops := crud[registry.Client, createdClient]{
		kind: registry.KindClient,
		show: func(ctx context.Context, actor admin.Actor, id string) (createdClient, error) {
			_, err := h.Admin.Client(ctx, actor, id)
			return createdClient{}, err
		},
		update: func(ctx context.Context, actor admin.Actor, u admin.Update[registry.Client]) (createdClient, int64, error) {
			client, seq, err := h.Admin.UpdateClient(ctx, actor, u)
			return createdClient{Client: client}, seq, err
		},
		create: func(ctx context.Context, actor admin.Actor, c registry.Client) (createdClient, int64, error) {
			made, seq, err := h.Admin.CreateClient(ctx, actor, admin.CreateClient{Client: c})
			return showCreated(made), seq, err
		},
	}
	return ops.put(ctx, in)
}

func (h *handler) updateClient(ctx context.Context, in *edited) (*answer[admin.Client], error) {
	t, err := in.target()
	if err != nil {
		return nil, err
	}
	n, err := admin.ReadNamed[registry.Client](in.RawBody)
	if err != nil {
		return nil, err
	}
	return answered(h.Admin.UpdateClient(ctx, actorOf(ctx), admin.Update[registry.Client]{Target: t, Change: n}))
}

func (h *handler) deleteClient(ctx context.Context, in *Target) (*done, error) {
	t, err := in.target()
	if err != nil {
		return nil, err
	}
	return doneAt(h.Admin.DeleteClient(ctx, actorOf(ctx), t))
}

func (h *handler) enableClient(ctx context.Context, in *Target) (*answer[admin.Client], error) {
	t, err := in.target()
	if err != nil {
		return nil, err
	}
	return answered(h.Admin.EnableClient(ctx, actorOf(ctx), t))
}

func (h *handler) disableClient(ctx context.Context, in *Target) (*answer[admin.Client], error) {
	t, err := in.target()
	if err != nil {
		return nil, err
	}
	return answered(h.Admin.DisableClient(ctx, actorOf(ctx), t))
}

type grantRequest struct {
	Target
	API string `path:"api"`
	document
}

func (h *handler) grant(ctx context.Context, in *grantRequest) (*answer[admin.Client], error) {
	t, err := in.target()
	if err != nil {
		return nil, err
	}
	body, err := admin.ReadStrict[struct {
		Scopes []string `json:"scopes"`
	}](in.RawBody)
	if err != nil {
		return nil, err
	}
	return answered(h.Admin.Grant(ctx, actorOf(ctx), t, admin.Access{API: in.API, Scopes: body.Scopes}))
}

type ungrantRequest struct {
	Target
	API    string   `path:"api"`
	Scopes []string `query:"scope,explode" doc:"Repeated; none is all access to the API"`
}

func (h *handler) ungrant(ctx context.Context, in *ungrantRequest) (*answer[admin.Client], error) {
	t, err := in.target()
	if err != nil {
		return nil, err
	}
	return answered(h.Admin.Ungrant(ctx, actorOf(ctx), t, admin.Access{API: in.API, Scopes: in.Scopes}))
}

func (h *handler) listSecrets(ctx context.Context, in *Target) (*shown[[]admin.SecretInfo], error) {
	client, err := h.Admin.Client(ctx, actorOf(ctx), in.ID)
	return shownAs(client.Secrets, err)
}

// addedSecret is a new secret of a client.
type addedSecret struct {
	Secret admin.SecretInfo `json:"secret"`
	Value  string           `json:"value,omitempty" doc:"Shown this once; absent when it came with the request"`
}

func (h *handler) addSecret(ctx context.Context, in *edited) (*answer[addedSecret], error) {
	t, err := in.target()
	if err != nil {
		return nil, err
	}
	req, err := admin.ReadStrict[secretRequest](in.RawBody)
	if err != nil {
		return nil, err
	}
	added, seq, err := h.Admin.AddSecret(ctx, actorOf(ctx), t, req.credential())
	return answered(addedSecret{Secret: added.Secret, Value: added.Value.Reveal()}, seq, err)
}
