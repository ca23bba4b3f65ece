package registry

import (
	"slices"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon/internal/jose"
)

// managementSuffix ends the id of an issuer's management API.
const managementSuffix = "-management"

// maxID is the longest id of an issuer, API or operator.
const maxID = 63

var maxManagingID = strconv.Itoa(maxID - len(managementSuffix))

// ManagementID is the id of the API through which a vendor's programs administer
// the organisation of the issuer.
func ManagementID(issuer string) string { return issuer + managementSuffix }

// Administrative reports whether access to the API of that id is power over this
// server.
func Administrative(api string) bool {
	return api == "admin" || strings.HasSuffix(api, managementSuffix)
}

// NoAPIFix is what to do where there is no API of that id.
func NoAPIFix(id string) string {
	if issuer, manages := strings.CutSuffix(id, managementSuffix); manages {
		return "it comes with the issuer " + issuer + " where that has the dialect okta or auth0 and a URL without a path: create that first, or correct the id"
	}
	return "create it first, or correct the id"
}

// Administers reports whether the client has access to such an API.
func (c *Client) Administers() bool {
	for api := range c.Access {
		if Administrative(api) {
			return true
		}
	}
	return false
}

// managementScopes are the scopes of the management APIs, by dialect.
var managementScopes = map[string]map[string]Scope{
	DialectOkta: {
		"okta.apps.read":   {Description: "Read applications, which are clients"},
		"okta.apps.manage": {Description: "Make, change and delete applications"},
		"okta.users.read":  {Description: "Read users, which are operators"},
	},
	DialectAuth0: {
		"create:clients":          {Description: "Make clients"},
		"read:clients":            {Description: "Read clients"},
		"update:clients":          {Description: "Change clients"},
		"delete:clients":          {Description: "Delete clients"},
		"update:client_keys":      {Description: "Change the secrets of clients"},
		"create:resource_servers": {Description: "Make APIs"},
		"read:resource_servers":   {Description: "Read APIs"},
		"update:resource_servers": {Description: "Change APIs"},
		"delete:resource_servers": {Description: "Delete APIs"},
		"create:client_grants":    {Description: "Give clients access to APIs"},
		"read:client_grants":      {Description: "Read the access of clients"},
		"update:client_grants":    {Description: "Change the access of clients"},
		"delete:client_grants":    {Description: "Take access from clients"},
	},
}

// Management is the built-in API of the issuer through which its vendor's
// programs administer the organisation; nil where it has none. It is made, kept
// and deleted with its issuer, and never by itself. base is the URL of the
// default issuer.
func (i *Issuer) Management(base string) *API {
	scopes, ok := managementScopes[i.Dialect]
	_, path, err := splitURL(i.Resolve(base))
	if !ok || err != nil || path != "" {
		return nil
	}
	api := &API{ID: ManagementID(i.ID), Issuer: i.ID, Identifier: i.Iss(base), Name: "Management of " + i.ID,
		Scopes: make(map[string]Scope, len(scopes)), Token: APIToken{Algorithm: string(jose.RS256)}}
	for _, name := range sortedKeys(scopes) {
		api.Scopes[name] = scopes[name]
	}
	if i.Dialect == DialectAuth0 {
		api.Identifier += "api/v2/"
	}
	return api
}

// Builtin reports whether the server itself keeps the API.
func (a *API) Builtin() bool { return slices.Contains([]string{"admin", ManagementID(a.Issuer)}, a.ID) }
