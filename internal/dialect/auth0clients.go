package dialect

import (
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// auth0Description is the label that keeps what Auth0 calls a client's description;
// all other labels are its client_metadata.
const auth0Description = "auth0/description"

// auth0LoginOnly are settings of a client that have to do with people who log in,
// and with their tokens. There is no such login here, so they have no effect;
// programs that set up clients for both send them along.
var auth0LoginOnly = []string{
	"addons", "allowed_clients", "allowed_logout_urls", "allowed_origins", "callbacks", "client_aliases", "cross_origin_auth",
	"cross_origin_authentication", "cross_origin_loc", "custom_login_page", "custom_login_page_on", "custom_login_page_preview",
	"form_template", "initiate_login_uri", "is_first_party", "is_token_endpoint_ip_header_trusted", "jwt_configuration", "logo_uri",
	"mobile", "native_social_login", "oidc_backchannel_logout", "oidc_conformant", "oidc_logout", "organization_require_behavior",
	"organization_usage", "refresh_token", "sso", "sso_disabled", "web_origins",
}

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
	b.clientSettings(&fresh, true)
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
	change := registry.Client{Labels: before.Labels}
	fields := b.clientSettings(&change, false)
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

// auth0AppType is what Auth0 calls a program that acts for itself.
const auth0AppType = "non_interactive"

// clientSettings takes the settings of a client into it, and gives the members
// that they change. Of client the labels are read: those are what client_metadata
// adds to and takes from.
func (b *auth0Body) clientSettings(client *registry.Client, fresh bool) (fields admin.Fields) {
	const people = "nobody logs in here, programs get tokens for themselves"
	if text, given := b.name(fresh); given {
		client.Name, fields = text, append(fields, "name")
	}
	if b.labels(client) {
		fields = append(fields, "labels")
	}
	b.only("app_type", auth0AppType, people)
	b.grantTypes(people)
	if method, given := b.text("token_endpoint_auth_method", 64); given {
		if method != "" && method != symbolon.AuthSecretPost && method != symbolon.AuthSecretBasic {
			b.refuse("token_endpoint_auth_method", "Write client_secret_post or client_secret_basic: a client of this server proves who it is")
		}
		if client.Auth, fields = nil, append(fields, "auth"); method != "" {
			client.Auth = []string{method}
		}
	}
	var bound bool
	if given, _ := b.take("require_proof_of_possession", "boolean", &bound); given {
		if client.Bound, fields = registry.BoundOptional, append(fields, "bound"); bound {
			client.Bound = registry.BoundRequired
		}
	}
	if _, given := b.members["client_secret"]; given {
		b.refuse("client_secret", "A secret cannot be chosen: leave it out, the server makes one; rotate-secret makes another")
	}
	if _, given := b.members["client_authentication_methods"]; given {
		b.refuse("client_authentication_methods", "Keys cannot be registered here: on the host of the server, `symbolon client key add`")
	}
	b.ignore(auth0LoginOnly)
	return fields
}

func (b *auth0Body) grantTypes(why string) {
	var types []string
	if given, removed := b.take("grant_types", "array of string", &types); !given || removed {
		return
	}
	if len(types) != 1 || types[0] != symbolon.GrantClientCredentials {
		b.refuse("grant_types", `This server knows ["client_credentials"] alone: %s`, why)
	}
}

// labels takes description and client_metadata into the labels of a client.
// Members of client_metadata that are null go, those that are not named stay.
func (b *auth0Body) labels(client *registry.Client) (changed bool) {
	labels := maps.Clone(client.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	if text, given := b.text("description", 140); given {
		changed, labels[auth0Description] = true, text
		if text == "" {
			delete(labels, auth0Description)
		}
	}
	var metadata map[string]*string
	given, removed := b.take("client_metadata", "object of string", &metadata)
	if removed {
		maps.DeleteFunc(labels, func(name, _ string) bool { return name != auth0Description })
	}
	for name, value := range metadata {
		switch {
		case name == auth0Description:
			b.refuse("client_metadata", "auth0/description is where the description is kept")
		case value == nil:
			delete(labels, name)
		default:
			labels[name] = *value
		}
	}
	client.Labels = labels
	return changed || given
}

// showAuth0Client is a client as Auth0 shows it, without a secret.
func showAuth0Client(v admin.Client) auth0Object {
	metadata := maps.Clone(v.Labels)
	description := metadata[auth0Description]
	delete(metadata, auth0Description)
	out := auth0Object{
		"client_id": v.ID, "name": v.Name, "description": description, "app_type": auth0AppType,
		"grant_types": []string{symbolon.GrantClientCredentials}, "client_metadata": metadata,
		"is_first_party": true, "oidc_conformant": true, "global": false, "callbacks": []string{},
		"require_proof_of_possession": v.Bound != registry.BoundOptional,
		"jwt_configuration":           auth0Object{"alg": "RS256"},
	}
	if len(v.Keys) > 0 {
		credentials := []auth0Object{}
		for _, key := range v.Keys {
			credentials = append(credentials, auth0Object{"id": key.ID})
		}
		out["client_authentication_methods"] = auth0Object{"private_key_jwt": auth0Object{"credentials": credentials}}
	}
	if len(v.Secrets) > 0 {
		out["token_endpoint_auth_method"] = symbolon.AuthSecretPost
		if len(v.Auth) == 1 {
			out["token_endpoint_auth_method"] = v.Auth[0]
		}
	}
	return out
}
