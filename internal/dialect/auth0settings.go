package dialect

import (
	"maps"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// Labels that keep what Auth0 calls a client's description, and its client_metadata:
// the name of a member follows. All others are the operators'.
const (
	auth0Description = "auth0/description"
	auth0Metadata    = "auth0/metadata/"
	maxMetadataName  = 63 - len(auth0Metadata) // octets
)

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

// auth0AppType is what Auth0 calls a program that acts for itself.
const auth0AppType = "non_interactive"

// clientSettings takes the settings of a client into it, and gives the members
// that they change. What there is of labels, auth and bound is in client; shown is
// the token_endpoint_auth_method that it was shown with.
func (b *auth0Body) clientSettings(client *registry.Client, shown string, fresh bool) (fields admin.Fields) {
	const people = "nobody logs in here, programs get tokens for themselves"
	if text, given := b.name(fresh); given {
		client.Name, fields = text, append(fields, "name")
	}
	if b.labels(client) {
		fields = append(fields, "labels")
	}
	b.only("app_type", auth0AppType, people)
	b.grantTypes(people)
	if b.authMethod(client, shown) {
		fields = append(fields, "auth")
	}
	if b.proofs(client) {
		fields = append(fields, "bound")
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

// authMethod takes how the client says who it is. Programs send back what they were
// shown, or nothing: neither changes anything. What Auth0 has no words for, an
// operator has said, and only an operator takes it away.
func (b *auth0Body) authMethod(client *registry.Client, shown string) (changed bool) {
	const member = "token_endpoint_auth_method"
	bySecret := func(method string) bool {
		return method == symbolon.AuthSecretPost || method == symbolon.AuthSecretBasic
	}
	method, _ := b.text(member, 64)
	switch {
	case method == "" || method == shown:
		return false
	case !bySecret(method):
		b.refuse(member, "Write client_secret_post or client_secret_basic: a client of this server proves who it is")
	case len(client.Auth) > 1 || len(client.Auth) == 1 && !bySecret(client.Auth[0]):
		b.refuse(member, "An operator of this server has said how the client authenticates: on its host, `symbolon client update --auth`")
	}
	client.Auth = []string{method}
	return true
}

// proofs takes whether the client's tokens must be bound to a key. That they must be
// to one of a certain kind, an operator has said.
func (b *auth0Body) proofs(client *registry.Client) (changed bool) {
	const member = "require_proof_of_possession"
	var wanted bool
	given, removed := b.take(member, "boolean", &wanted)
	switch {
	case !given || removed || wanted == needsKey(client.Bound):
		return false
	case wanted:
		client.Bound = registry.BoundRequired
	case client.Bound == registry.BoundRequired:
		client.Bound = registry.BoundOptional
	default:
		b.refuse(member, "An operator of this server has said how the client's tokens are bound: on its host, `symbolon client update --bound`")
	}
	return true
}

func needsKey(bound string) bool { return bound != "" && bound != registry.BoundOptional }

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
		maps.DeleteFunc(labels, func(name, _ string) bool { return strings.HasPrefix(name, auth0Metadata) })
	}
	for name, value := range metadata {
		if name == "" || len(name) > maxMetadataName {
			b.refuse("client_metadata", "A name has 1 to %d characters", maxMetadataName)
		}
		if value == nil {
			delete(labels, auth0Metadata+name)
		} else {
			labels[auth0Metadata+name] = *value
		}
	}
	client.Labels = labels
	return changed || given
}

// showAuth0Client is a client as Auth0 shows it, without a secret.
func showAuth0Client(v admin.Client) auth0Object {
	metadata := map[string]string{}
	for name, value := range v.Labels {
		if name, its := strings.CutPrefix(name, auth0Metadata); its {
			metadata[name] = value
		}
	}
	out := auth0Object{
		"client_id": v.ID, "name": v.Name, "description": v.Labels[auth0Description], "app_type": auth0AppType,
		"grant_types": []string{symbolon.GrantClientCredentials}, "client_metadata": metadata,
		"is_first_party": true, "oidc_conformant": true, "global": false, "callbacks": []string{},
		"require_proof_of_possession": needsKey(v.Bound),
		"jwt_configuration":           auth0Object{"alg": "RS256"},
	}
	if len(v.Keys) > 0 {
		credentials := []auth0Object{}
		for _, key := range v.Keys {
			credentials = append(credentials, auth0Object{"id": key.ID})
		}
		out["client_authentication_methods"] = auth0Object{"private_key_jwt": auth0Object{"credentials": credentials}}
	}
	if method := auth0Method(v); method != "" {
		out["token_endpoint_auth_method"] = method
	}
	return out
}

// auth0Method is how a client with secrets authenticates, as Auth0 shows it: one of
// several is shown as Auth0's default. "": it is not shown.
func auth0Method(v admin.Client) string {
	switch {
	case len(v.Secrets) == 0:
		return ""
	case len(v.Auth) == 1:
		return v.Auth[0]
	}
	return symbolon.AuthSecretPost
}
