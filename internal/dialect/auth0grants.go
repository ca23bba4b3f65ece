package dialect

import (
	"cmp"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// auth0Grant is the access of one client to one API, which Auth0 keeps as an object
// of its own. Here it is a part of the client, and its id says of which client and
// which API: nothing else is kept.
type auth0Grant struct {
	client string
	api    *registry.API
	scopes []string
}

const auth0GrantPrefix = "cgr_"

// id is cgr_API_CLIENT: the id of an API has no underscore.
func (g auth0Grant) id() string { return auth0GrantPrefix + g.api.ID + "_" + g.client }

// parseAuth0Grant takes such an id apart.
func parseAuth0Grant(id string) (api, client string, ok bool) {
	rest, ok := strings.CutPrefix(id, auth0GrantPrefix)
	if !ok {
		return "", "", false
	}
	api, client, ok = strings.Cut(rest, "_")
	return api, client, ok && registry.ValidID(api) && registry.ValidClientID(client)
}

func (g auth0Grant) show() auth0Object {
	scopes := g.scopes
	if scopes == nil {
		scopes = []string{}
	}
	return auth0Object{"id": g.id(), "client_id": g.client, "audience": g.api.Identifier, "scope": scopes,
		"subject_type": auth0Subject, "is_system": false}
}

// auth0Subject is for whom a grant is: for the client itself.
const auth0Subject = "client"

// apiByID is an API of this issuer.
func (c *auth0Call) apiByID(id string) *registry.API {
	i, found := slices.BinarySearchFunc(c.Issuer.APIs, id, func(api *registry.API, id string) int { return strings.Compare(api.ID, id) })
	if !found {
		return nil
	}
	return c.Issuer.APIs[i]
}

// grantsOf are the grants of one client, by API.
func (c *auth0Call) grantsOf(client admin.Client) (grants []auth0Grant) {
	for _, id := range slices.Sorted(maps.Keys(client.Access)) {
		if api := c.apiByID(id); api != nil {
			grants = append(grants, auth0Grant{client.ID, api, client.Access[id]})
		}
	}
	return grants
}

// auth0Filter says which grants are asked for.
type auth0Filter struct {
	client string        // "": of every client
	api    *registry.API // nil: of every API
}

// grants are those that fit, by client and API, from after the one of that id on.
func (c *auth0Call) grants(f auth0Filter, from string, batch int) iter.Seq2[auth0Grant, error] {
	lastAPI, lastClient, _ := parseAuth0Grant(from)
	return func(yield func(auth0Grant, error) bool) {
		for client, err := range c.grantees(f, lastClient, batch) {
			if err != nil {
				yield(auth0Grant{}, err)
				return
			}
			for _, g := range c.grantsOf(client) {
				before := g.client < lastClient || g.client == lastClient && g.api.ID <= lastAPI
				if before || f.api != nil && g.api != f.api {
					continue
				}
				if !yield(g, nil) {
					return
				}
			}
		}
	}
}

// grantees are the clients whose grants may fit, by id, from that client on: it
// may have more of them.
func (c *auth0Call) grantees(f auth0Filter, last string, batch int) iter.Seq2[admin.Client, error] {
	q := admin.Query{After: last, Limit: batch}
	if f.api != nil {
		q.API = f.api.ID
	}
	first := cmp.Or(f.client, last)
	if first == "" {
		return c.allClients(q)
	}
	return func(yield func(admin.Client, error) bool) {
		client, err := c.client(first)
		if admin.CodeOf(err) != admin.NotFound && !yield(client, err) || f.client != "" {
			return
		}
		for client, err := range c.allClients(q) {
			if !yield(client, err) {
				return
			}
		}
	}
}

func (c *auth0Call) listGrants() (int, any, error) {
	q := readAuth0Query(c.r)
	paging := q.paging()
	audience, f := q.text("audience"), auth0Filter{client: q.text("client_id")}
	// There are no organisations of people here, nor grants for anybody but clients.
	subject := q.text("subject_type")
	none := q.flag("allow_any_organization", false) || q.text("default_for") != "" || subject != "" && subject != auth0Subject
	q.checkpoint(paging, func(id string) bool { _, _, ok := parseAuth0Grant(id); return ok })
	if err := q.end(); err != nil {
		return 0, nil, err
	}
	if audience != "" {
		f.api = c.Issuer.Target(audience, true)
		none = none || f.api == nil
	}
	known := "client_grants"
	switch {
	case none || f.client != "": // a few at most
		known = ""
	case f.api != nil:
		known += " " + f.api.ID
	}
	list, err := (&auth0Source[auth0Grant]{
		name: "client_grants", known: known,
		all: func(from string, batch int) iter.Seq2[auth0Grant, error] {
			if none {
				return func(func(auth0Grant, error) bool) {}
			}
			return c.grants(f, from, batch)
		},
		show: auth0Grant.show, key: auth0Grant.id,
	}).answer(c, paging)
	return http.StatusOK, list, err
}

// grant is the grant of the id that the request names, and its client.
func (c *auth0Call) grant() (g auth0Grant, client admin.Client, err error) {
	apiID, clientID, ok := parseAuth0Grant(c.id)
	api := c.apiByID(apiID)
	if !ok || api == nil {
		return g, client, errAuth0NoGrant
	}
	if client, err = c.e.cfg.Admin.Client(c.r.Context(), c.actor, clientID); err != nil {
		return g, client, auth0Admin(err, errAuth0NoGrant)
	}
	scopes, has := client.Access[api.ID]
	if !has {
		return g, client, errAuth0NoGrant
	}
	return auth0Grant{client.ID, api, scopes}, client, nil
}

func (c *auth0Call) getGrant() (int, any, error) {
	g, _, err := c.grant()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, g.show(), nil
}

// auth0NoOrganizations are settings of a grant that have to do with organisations
// of people.
var auth0NoOrganizations = []string{"allow_any_organization", "organization_usage"}

// createGrant gives a client access to an API. That the one is the management API
// is refused by package admin, as is a client that is not of this organisation.
func (c *auth0Call) createGrant() (int, any, error) {
	b, err := c.payload()
	if err != nil {
		return 0, nil, err
	}
	id, audience := b.needText("client_id", 128), b.needText("audience", 1024)
	b.only("subject_type", auth0Subject, "grants are for programs")
	scopes, all := b.grantScopes()
	if err := b.end(); err != nil {
		return 0, nil, err
	}
	client, err := c.client(id)
	if err != nil {
		return 0, nil, err
	}
	api := c.Issuer.Target(audience, true)
	if api == nil {
		return 0, nil, errAuth0NoAPI
	}
	if _, has := client.Access[api.ID]; has {
		return 0, nil, errAuth0Granted
	}
	if all {
		scopes = slices.Sorted(maps.Keys(api.Scopes))
	}
	after, _, err := c.e.cfg.Admin.Grant(c.r.Context(), c.actor, admin.Target{ID: id, Version: client.Version}, admin.Access{API: api.ID, Scopes: scopes})
	if err != nil {
		return 0, nil, auth0Admin(err, errAuth0NoClient)
	}
	return http.StatusCreated, auth0Grant{id, api, after.Access[api.ID]}.show(), nil
}

// grantScopes takes the scopes of a grant; all: every one that the API has now.
func (b *auth0Body) grantScopes() (scopes []string, all bool) {
	b.take("allow_all_scopes", "boolean", &all)
	if given, _ := b.take("scope", "array of string", &scopes); !given && !all {
		b.missing("scope")
	}
	b.ignore(auth0NoOrganizations)
	return scopes, all
}

// patchGrant puts other scopes in the place of a grant's. Tokens are denied where
// some go.
func (c *auth0Call) patchGrant() (int, any, error) {
	b, err := c.payload()
	if err != nil {
		return 0, nil, err
	}
	g, client, err := c.grant()
	if err != nil {
		return 0, nil, err
	}
	scopes, all := b.grantScopes()
	if err := b.end(); err != nil {
		return 0, nil, err
	}
	if all {
		scopes = slices.Collect(maps.Keys(g.api.Scopes))
	}
	after, _, err := c.e.cfg.Admin.Regrant(c.r.Context(), c.actor, admin.Target{ID: client.ID, Version: client.Version}, admin.Access{API: g.api.ID, Scopes: scopes})
	if err != nil {
		return 0, nil, auth0Admin(err, errAuth0NoGrant)
	}
	g.scopes = after.Access[g.api.ID]
	return http.StatusOK, g.show(), nil
}

// deleteGrant takes the access back, and denies the client's tokens for the API.
func (c *auth0Call) deleteGrant() (int, any, error) {
	g, client, err := c.grant()
	if err != nil {
		return 0, nil, err
	}
	_, _, err = c.e.cfg.Admin.Ungrant(c.r.Context(), c.actor, admin.Target{ID: client.ID, Version: client.Version}, admin.Access{API: g.api.ID})
	return http.StatusNoContent, nil, auth0Admin(err, errAuth0NoGrant)
}
