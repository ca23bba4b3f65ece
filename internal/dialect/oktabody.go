package dialect

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// oktaApp is an application of Okta's management API, as far as it is about a
// program that gets tokens for itself. Members that are not here are not looked
// at, as Okta does with those that it does not know, unless they are there twice or
// are one of these in another case.
type oktaApp struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Label       string `json:"label"`
	Status      string `json:"status,omitempty"`
	Created     string `json:"created,omitempty"`
	LastUpdated string `json:"lastUpdated,omitempty"`
	SignOnMode  string `json:"signOnMode"`
	Credentials struct {
		OAuthClient oktaAppCredentials `json:"oauthClient"`
	} `json:"credentials"`
	Settings struct {
		OAuthClient oktaAppSettings `json:"oauthClient"`
	} `json:"settings"`
	Links map[string]oktaLink `json:"_links,omitempty"`
}

type oktaAppCredentials struct {
	ClientID        string `json:"client_id,omitempty"`
	ClientSecret    string `json:"client_secret,omitempty"`
	Method          string `json:"token_endpoint_auth_method,omitempty"`
	AutoKeyRotation bool   `json:"autoKeyRotation"`
}

type oktaAppSettings struct {
	GrantTypes      []string  `json:"grant_types"`
	ResponseTypes   []string  `json:"response_types"`
	ApplicationType string    `json:"application_type"`
	Bound           bool      `json:"dpop_bound_access_tokens"`
	JWKS            *oktaJWKS `json:"jwks,omitempty"`
	JWKSURI         string    `json:"jwks_uri,omitempty"`
}

type oktaJWKS struct {
	Keys []json.RawMessage `json:"keys"`
}

type oktaLink struct {
	Href  string         `json:"href"`
	Hints map[string]any `json:"hints,omitempty"`
}

// Values that every application here has.
const (
	oktaAppName    = "oidc_client"
	oktaSignOnMode = "OPENID_CONNECT"
	oktaService    = "service"
	oktaResponse   = "token"
	maxLabel       = 100 // characters, as Okta's
	maxAppKeys     = 16
)

// readApp reads an application that is asked for, and says all that is wrong
// with it by itself. id is that of the application to be replaced, "" of none.
func (c *managed) readApp(id string) (*oktaApp, error) {
	text, err := c.body()
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) {
		return nil, oktaNotJSON.refuse(nil)
	}
	app := new(oktaApp)
	if err := admin.ReadKnown(text, app); err != nil {
		return nil, oktaNotJSON.refuse(err)
	}
	if causes := app.check(id); len(causes) > 0 {
		name, _, _ := strings.Cut(causes[0].Summary, ":")
		return nil, invalidIn(name, causes...)
	}
	return app, nil
}

// check says what this server does not take, and why. What Okta would take and
// would not come true here is refused: a program that believes to be bound to its
// key, or to have the secret that it chose, must not be told yes.
func (a *oktaApp) check(id string) (causes []oktaCause) {
	bad := func(member, text string) { causes = append(causes, oktaCause{member + ": " + text}) }
	only := func(member, got, want string) {
		if got != want {
			bad(member, "must be "+want)
		}
	}
	only("name", a.Name, oktaAppName)
	only("signOnMode", a.SignOnMode, oktaSignOnMode)
	switch n := utf8.RuneCountInString(a.Label); {
	case n == 0:
		bad("label", "The field cannot be left blank")
	case n > maxLabel:
		bad("label", "The field is too long")
	}
	client, settings := &a.Credentials.OAuthClient, &a.Settings.OAuthClient
	if !slices.Equal(settings.GrantTypes, []string{symbolon.GrantClientCredentials}) {
		bad("grant_types", "must be client_credentials alone")
	}
	for _, r := range settings.ResponseTypes {
		if r != oktaResponse {
			bad("response_types", "must be token alone")
			break
		}
	}
	if settings.ApplicationType != "" {
		only("application_type", settings.ApplicationType, oktaService)
	}
	if client.ClientID != "" && client.ClientID != id {
		bad("client_id", "is made by the server and cannot be changed")
	}
	if client.ClientSecret != "" && id == "" {
		bad("client_secret", "is made by the server")
	}
	a.checkMethod(bad)
	return causes
}

// checkMethod judges how the program will authenticate, and its keys.
func (a *oktaApp) checkMethod(bad func(member, text string)) {
	settings := &a.Settings.OAuthClient
	keys := settings.JWKS != nil || settings.JWKSURI != ""
	switch method := a.method(); method {
	case symbolon.AuthSecretBasic, symbolon.AuthSecretPost:
		if keys {
			bad("jwks", "needs the token_endpoint_auth_method private_key_jwt")
		}
	case symbolon.AuthPrivateKeyJWT:
		if !keys {
			bad("jwks", "is needed with the token_endpoint_auth_method private_key_jwt")
		}
	default:
		bad("token_endpoint_auth_method", "must be client_secret_basic, client_secret_post or private_key_jwt")
	}
	if settings.JWKS == nil {
		return
	}
	if settings.JWKSURI != "" {
		bad("jwks_uri", "cannot be given together with jwks")
	}
	if n := len(settings.JWKS.Keys); n == 0 || n > maxAppKeys {
		bad("jwks", "must hold from 1 to "+strconv.Itoa(maxAppKeys)+" keys")
		return
	}
	seen := make(map[string]bool)
	for i, jwk := range settings.JWKS.Keys {
		digest := keyDigest(jwk)
		switch {
		case digest == "":
			bad("jwks.keys["+strconv.Itoa(i)+"]", "is not a public key that can be used; RSA keys have 2048 bits or more, and no private members")
		case seen[digest]:
			bad("jwks.keys["+strconv.Itoa(i)+"]", "is there twice")
		}
		seen[digest] = true
	}
}

// keyDigest names a public key as registry.ClientKey.Digest does; "" when it is
// none.
func keyDigest(jwk json.RawMessage) string {
	public, err := registry.PublicJWK(jwk)
	if err != nil {
		return ""
	}
	return (&registry.ClientKey{JWK: public}).Digest()
}

// method is how the program will authenticate. Okta's default is the secret.
func (a *oktaApp) method() string {
	if m := a.Credentials.OAuthClient.Method; m != "" {
		return m
	}
	return symbolon.AuthSecretBasic
}

func (a *oktaApp) bound() string {
	if a.Settings.OAuthClient.Bound {
		return registry.BoundDPoP
	}
	return registry.BoundOptional
}
