package dialect

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/server"
)

// auth0API is where Auth0's management API stands. The identifier of the built-in
// API, which programs send as audience, is the same with the issuer before it.
const auth0API = "/api/v2/"

// auth0Operation is one operation of the management API.
type auth0Operation struct {
	method, path string // {id} in it is one segment
	// scope of the management API that the token must have, named as Auth0 names it.
	scope string
	needs []admin.Permission
	serve func(*auth0Call) (status int, body any, err error) // a nil body: no content
}

// Permissions of the operations. Each answer shows the object, so that who changes
// one may see it.
var (
	mayRead        = []admin.Permission{admin.ClientsRead}
	mayWriteClient = []admin.Permission{admin.ClientsRead, admin.ClientsWrite}
	mayWriteAPI    = []admin.Permission{admin.ClientsRead, admin.APIsWrite}
)

// auth0Operations are those of https://auth0.com/docs/api/management/v2 that have
// to do with machine-to-machine access: node-auth0 2, 4 and 7 call them.
var auth0Operations = []auth0Operation{
	{"GET", "clients", "read:clients", mayRead, (*auth0Call).listClients},
	{"POST", "clients", "create:clients", mayWriteClient, (*auth0Call).createClient},
	{"GET", "clients/{id}", "read:clients", mayRead, (*auth0Call).getClient},
	{"PATCH", "clients/{id}", "update:clients", mayWriteClient, (*auth0Call).patchClient},
	{"DELETE", "clients/{id}", "delete:clients", mayWriteClient, (*auth0Call).deleteClient},
	{"POST", "clients/{id}/rotate-secret", "update:client_keys", mayWriteClient, (*auth0Call).rotateSecret},

	{"GET", "resource-servers", "read:resource_servers", mayRead, (*auth0Call).listAPIs},
	{"POST", "resource-servers", "create:resource_servers", mayWriteAPI, (*auth0Call).createAPI},
	{"GET", "resource-servers/{id}", "read:resource_servers", mayRead, (*auth0Call).getAPI},
	{"PATCH", "resource-servers/{id}", "update:resource_servers", mayWriteAPI, (*auth0Call).patchAPI},
	{"DELETE", "resource-servers/{id}", "delete:resource_servers", mayWriteAPI, (*auth0Call).deleteAPI},

	{"GET", "client-grants", "read:client_grants", mayRead, (*auth0Call).listGrants},
	{"POST", "client-grants", "create:client_grants", mayWriteClient, (*auth0Call).createGrant},
	{"GET", "client-grants/{id}", "read:client_grants", mayRead, (*auth0Call).getGrant},
	{"PATCH", "client-grants/{id}", "update:client_grants", mayWriteClient, (*auth0Call).patchGrant},
	{"DELETE", "client-grants/{id}", "delete:client_grants", mayWriteClient, (*auth0Call).deleteGrant},
}

// auth0Call is a call of the management API under way.
type auth0Call struct {
	*managed
	e  *Endpoints
	id string // that stands for {id}
}

func (e *Endpoints) auth0Routes() []server.Route {
	return []server.Route{{
		Name: "auth0_management", Form: server.Under, Path: auth0API, Errors: auth0Error,
		Serve: e.serveManaged(func(m *managed) error {
			err := (&auth0Call{managed: m, e: e}).serve()
			var p *auth0Problem
			if errors.As(err, &p) {
				return p.outward()
			}
			return err
		}),
	}}
}

// serve carries out the operation that the request names.
func (c *auth0Call) serve() error {
	op, err := c.operation()
	if err != nil {
		return err
	}
	err = c.e.admit(c.managed, demand{scopes: []string{op.scope}, permissions: op.needs})
	if err != nil {
		if symbolon.AsError(err).Code == symbolon.InsufficientScope {
			return newAuth0Problem(http.StatusForbidden, auth0NoScope, "Insufficient scope, expected any of: "+op.scope).because(err)
		}
		return err
	}
	status, body, err := op.serve(c)
	c.e.management.may.charge(c.managed)
	if err != nil {
		return err
	}
	if status == http.StatusNoContent {
		return c.done()
	}
	return c.answer(status, body)
}

// operation finds the one of the request. Segments are taken apart as they were
// sent: the identifier of an API may stand in one, with its slashes escaped.
func (c *auth0Call) operation() (*auth0Operation, error) {
	segments := strings.Split(c.Rest, "/")
	var allowed []string
	for i := range auth0Operations {
		op := &auth0Operations[i]
		id, fits := op.fits(segments)
		if !fits {
			continue
		}
		if allowed = append(allowed, op.method); op.method == c.r.Method {
			c.id = id
			return op, nil
		}
	}
	if len(allowed) == 0 {
		return nil, errAuth0NoPath.because(c.noPath())
	}
	slices.Sort(allowed)
	c.x.Header().Set("Allow", strings.Join(allowed, ", "))
	return nil, errAuth0Method
}

func (op *auth0Operation) fits(segments []string) (id string, fits bool) {
	pattern := strings.Split(op.path, "/")
	if len(pattern) != len(segments) {
		return "", false
	}
	for i, want := range pattern {
		if want != "{id}" {
			if want != segments[i] {
				return "", false
			}
			continue
		}
		var err error
		if id, err = url.PathUnescape(segments[i]); err != nil || id == "" {
			return "", false
		}
	}
	return id, true
}
