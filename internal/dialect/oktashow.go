package dialect

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// showApp is the client as Okta would show it: @okta/okta-sdk-nodejs 7 and 8 and
// github.com/okta/okta-sdk-golang go by signOnMode to find out what it is. The
// secret is zero unless it was made by this very call.
func showApp(c *managed, client admin.Client, secret admin.Secret) *oktaApp {
	app := &oktaApp{
		ID: client.ID, Name: oktaAppName, Label: client.Name, Status: oktaInactive, SignOnMode: oktaSignOnMode,
		Created: oktaTime(client.Created), LastUpdated: oktaTime(client.Updated),
	}
	if app.Label == "" {
		app.Label = client.ID
	}
	self := c.Issuer.Base + oktaAppsPath + "/" + url.PathEscape(client.ID)
	verb := oktaActivate
	if client.State == registry.StateActive {
		app.Status, verb = oktaActive, oktaDeactivate
	}
	app.Links = map[string]oktaLink{
		verb: {Href: self + "/lifecycle/" + verb, Hints: map[string]any{"allow": []string{"POST"}}},
	}
	app.Credentials.OAuthClient = oktaAppCredentials{ClientID: client.ID, ClientSecret: secret.Reveal(), Method: methodOf(client)}
	settings := &app.Settings.OAuthClient
	*settings = oktaAppSettings{
		GrantTypes: []string{symbolon.GrantClientCredentials}, ResponseTypes: []string{oktaResponse}, ApplicationType: oktaService,
		Bound: client.Bound == registry.BoundDPoP,
	}
	if methodOf(client) != symbolon.AuthPrivateKeyJWT {
		return app // a program sends back what it was shown: keys belong to that method alone
	}
	settings.JWKSURI = client.JWKSURI
	if len(client.Keys) > 0 {
		settings.JWKS = new(oktaJWKS)
		for _, k := range client.Keys {
			settings.JWKS.Keys = append(settings.JWKS.Keys, k.JWK)
		}
	}
	return app
}

// methodOf is the one method that Okta's programs are told of. They know none of a
// client that has certificates alone, and cannot replace it.
func methodOf(client admin.Client) string {
	if slices.Contains(client.Methods, symbolon.AuthPrivateKeyJWT) {
		return symbolon.AuthPrivateKeyJWT
	}
	for _, list := range [][]string{client.Methods, client.Auth} {
		if len(list) > 0 {
			return list[0]
		}
	}
	return symbolon.AuthSecretBasic
}

func hasLiveSecret(client admin.Client, now time.Time) bool {
	return slices.ContainsFunc(client.Secrets, func(s admin.SecretInfo) bool { return s.Expires.IsZero() || now.Before(s.Expires) })
}

// oktaUser is an operator as Okta would show a user.
type oktaUser struct {
	ID          string      `json:"id"`
	Status      string      `json:"status"`
	Created     string      `json:"created"`
	LastUpdated string      `json:"lastUpdated"`
	Profile     oktaProfile `json:"profile"`
}

type oktaProfile struct {
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	Login     string `json:"login"`
	Email     string `json:"email"`
}

func showUser(o admin.Operator) oktaUser {
	first, last, _ := strings.Cut(o.Name, " ")
	profile := oktaProfile{FirstName: first, LastName: last, Login: o.Email, Email: o.Email}
	if profile.Login == "" {
		profile.Login = o.ID
	}
	return oktaUser{ID: o.ID, Status: oktaActive, Created: oktaTime(o.Created), LastUpdated: oktaTime(o.Updated), Profile: profile}
}

// States of applications and users.
const (
	oktaActive   = "ACTIVE"
	oktaInactive = "INACTIVE"
)

// oktaTime is a time as Okta writes it.
func oktaTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
