package dialect

import (
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

// grantsAfter are the grants of those clients, by client and API, after the one of
// that id where it is named.
func (c *auth0Call) grantsAfter(from string, clients iter.Seq2[admin.Client, error], fits func(auth0Grant) bool) iter.Seq2[auth0Grant, error] {
	lastAPI, lastClient, _ := parseAuth0Grant(from)
	return func(yield func(auth0Grant, error) bool) {
		for client, err := range clients {
			if err != nil {
				yield(auth0Grant{}, err)
				return
			}
			for _, g := range c.grantsOf(client) {
				if g.client < lastClient || g.client == lastClient && g.api.ID <= lastAPI || !fits(g) {
					continue
				}
				if !yield(g, nil) {
					return
				}
			}
		}
	}
}

func (c *auth0Call) listGrants() (int, any, error) {
	q := readAuth0Query(c.r)
	paging := q.paging()
	audience, id := q.text("audience"), q.text("client_id")
	// There are no organisations of people here, nor grants for anybody but clients.
	subject := q.text("subject_type")
	none := q.flag("allow_any_organization", false) || q.text("default_for") != "" || subject != "" && subject != auth0Subject
	_, last, known := parseAuth0Grant(paging.from)
	if paging.from != "" && !known {
		q.refuse("from", "It is not the next of a page before")
	}
	if err := q.end(); err != nil {
		return 0, nil, err
	}
	clients, err := c.grantees(id, audience, last, none)
	if err != nil {
		return 0, nil, err
	}
	target := c.Issuer.Target(audience, true)
	grants := c.grantsAfter(paging.from, clients, func(g auth0Grant) bool { return audience == "" || g.api == target })
	list, err := auth0List("client_grants", paging, grants, auth0Grant.show, auth0Grant.id)
	return http.StatusOK, list, err
}

// grantees are the clients whose grants a list may hold: the one of that id, or
// those with access to the API of the audience, or all; from the last one seen on.
func (c *auth0Call) grantees(id, audience, last string, none bool) (iter.Seq2[admin.Client, error], error) {
	nobody := func(func(admin.Client, error) bool) {}
	q := admin.Query{}
	if audience != "" {
		api := c.Issuer.Target(audience, true)
		if none = none || api == nil; !none {
			q.API = api.ID
		}
	}
	one := id
	if id == "" {
		one = last // its grants after the checkpoint come before those of other clients
	}
	if none {
		return nobody, nil
	}
	if one == "" {
		return c.allClients(q), nil
	}
	first, err := c.client(one)
	if err != nil && admin.CodeOf(err) != admin.NotFound {
		return nil, err
	}
	q.After = last
	return func(yield func(admin.Client, error) bool) {
		if err == nil && !yield(first, nil) || id != "" {
			return
		}
		for client, err := range c.allClients(q) {
			if !yield(client, err) {
				return
			}
		}
	}, nil
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
	b, err := readAuth0Body(c.r)
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
	b, err := readAuth0Body(c.r)
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
