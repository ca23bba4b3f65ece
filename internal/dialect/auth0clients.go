package dialect

import (
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// allClients are the organisation's clients that fit, by id.
func (c *auth0Call) allClients(q admin.Query) iter.Seq2[admin.Client, error] {
	return everyOne(c, q, c.e.cfg.Admin.Clients)
}

func (c *auth0Call) listClients() (int, any, error) {
	q := readAuth0Query(c.r)
	paging, fields := q.paging(), q.fields()
	// Every client here is one of a program, first-party and of this organisation.
	none := q.flag("is_global", false) || !q.flag("is_first_party", true) || q.text("external_client_id") != ""
	if types := q.text("app_type"); types != "" {
		none = none || !slices.Contains(strings.Split(types, ","), auth0AppType)
	}
	var ids []string
	if text := q.text("client_ids"); text != "" {
		ids = q.atMost("client_ids", strings.Split(text, ","))
	}
	q.checkpoint(paging, registry.ValidClientID)
	known := "clients"
	if none || ids != nil {
		known = ""
	}
	if err := q.end(); err != nil {
		return 0, nil, err
	}
	list, err := (&auth0Source[admin.Client]{
		name: "clients", known: known,
		all: func(from string, batch int) iter.Seq2[admin.Client, error] {
			switch {
			case none:
				return func(func(admin.Client, error) bool) {}
			case ids != nil:
				return someOf(c, ids, from, c.client)
			}
			return c.allClients(admin.Query{After: from, Limit: batch})
		},
		show: func(v admin.Client) auth0Object { return fields.of(showAuth0Client(v)) },
		key:  func(v admin.Client) string { return v.ID },
	}).answer(c, paging)
	return http.StatusOK, list, err
}

// client is the client of that id; one of another organisation is not there.
func (c *auth0Call) client(id string) (admin.Client, error) {
	client, err := c.e.cfg.Admin.Client(c.r.Context(), c.actor, id)
	return client, auth0Admin(err, errAuth0NoClient)
}

func (c *auth0Call) getClient() (int, any, error) {
	q := readAuth0Query(c.r)
	fields := q.fields()
	if err := q.end(); err != nil {
		return 0, nil, err
	}
	client, err := c.client(c.id)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, fields.of(showAuth0Client(client)), nil
}

// createClient makes a client that may ask for nothing until a client grant says
// so. Its secret is in this answer and in no other: what is kept of it is a hash.
func (c *auth0Call) createClient() (int, any, error) {
	b, err := c.payload()
	if err != nil {
		return 0, nil, err
	}
	fresh := registry.Client{Issuers: []string{c.Issuer.ID}}
	b.clientSettings(&fresh, "", true)
	if err := b.end(); err != nil {
		return 0, nil, err
	}
	made, _, err := c.e.cfg.Admin.CreateClient(c.r.Context(), c.actor, admin.CreateClient{Client: fresh})
	if err != nil {
		return 0, nil, auth0Admin(err, nil)
	}
	out := showAuth0Client(made.Client)
	out["client_secret"] = made.Secret.Reveal()
	return http.StatusCreated, out, nil
}

func (c *auth0Call) patchClient() (int, any, error) {
	b, err := c.payload()
	if err != nil {
		return 0, nil, err
	}
	before, err := c.client(c.id)
	if err != nil {
		return 0, nil, err
	}
	change := registry.Client{Labels: before.Labels, Auth: before.Auth, Bound: before.Bound}
	fields := b.clientSettings(&change, auth0Method(before), false)
	if err := b.end(); err != nil {
		return 0, nil, err
	}
	after, _, err := c.e.cfg.Admin.UpdateClient(c.r.Context(), c.actor, admin.Update[registry.Client]{
		Target: admin.Target{ID: c.id, Version: before.Version},
		Change: admin.Named[registry.Client]{Object: change, Fields: fields},
	})
	if err != nil {
		return 0, nil, auth0Admin(err, errAuth0NoClient)
	}
	return http.StatusOK, showAuth0Client(after), nil
}

func (c *auth0Call) deleteClient() (int, any, error) {
	_, err := c.e.cfg.Admin.DeleteClient(c.r.Context(), c.actor, admin.Target{ID: c.id})
	return http.StatusNoContent, nil, auth0Admin(err, errAuth0NoClient)
}

// rotateSecret gives a client a new secret in the place of those that it has, at
// once: tokens that it got with them stay good. As at its creation the answer is
// where the secret can be seen.
func (c *auth0Call) rotateSecret() (int, any, error) {
	client, err := c.client(c.id)
	if err != nil {
		return 0, nil, err
	}
	if len(client.Secrets) == 0 {
		return 0, nil, errAuth0NoSecret
	}
	added, _, err := c.e.cfg.Admin.ReplaceSecrets(c.r.Context(), c.actor, admin.Target{ID: c.id}, admin.NewCredential{})
	if err != nil {
		return 0, nil, auth0Admin(err, errAuth0NoClient)
	}
	out := showAuth0Client(client)
	out["client_secret"] = added.Value.Reveal()
	return http.StatusOK, out, nil
}
