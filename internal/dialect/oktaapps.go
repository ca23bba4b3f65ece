package dialect

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// What the calls about applications and users need.
var (
	oktaReadApps   = demand{[]string{"okta.apps.read", "okta.apps.manage"}, []admin.Permission{admin.ClientsRead}}
	oktaManageApps = demand{[]string{"okta.apps.manage"}, []admin.Permission{admin.ClientsRead, admin.ClientsWrite}}
	oktaReadUsers  = demand{[]string{"okta.users.read"}, []admin.Permission{admin.OperatorsRead}}
)

// createApp makes a client of what an application is for: a program that gets
// tokens for itself.
func (e *Endpoints) createApp(c *managed) error {
	if err := e.admit(c, oktaManageApps); err != nil {
		return err
	}
	state, err := oktaState(c.r.URL.RawQuery)
	if err != nil {
		return err
	}
	app, err := c.readApp("")
	if err != nil {
		return err
	}
	settings := &app.Settings.OAuthClient
	req := admin.CreateClient{Client: registry.Client{
		Name: app.Label, State: state, Issuers: c.actor.Issuers, Access: oktaAccess(c), Auth: []string{app.method()},
		Bound: app.bound(), JWKSURI: settings.JWKSURI,
	}}
	if settings.JWKS != nil {
		for _, jwk := range settings.JWKS.Keys {
			req.MoreKeys = append(req.MoreKeys, admin.NewKey{Text: string(jwk)})
		}
	}
	made, _, err := e.cfg.Admin.CreateClient(c.r.Context(), c.actor, req)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, showApp(c, made.Client, made.Secret))
}

// oktaState is the state of a new application: who asks with activate=false must not
// get one that can be used at once. Other parameters change nothing.
func oktaState(query string) (string, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", invalidIn("query", oktaCause{"query: cannot be read"})
	}
	switch strings.Join(values["activate"], " ") {
	case "true":
		return registry.StateActive, nil
	case "false":
		return registry.StateDisabled, nil
	case "":
		if !values.Has("activate") {
			return registry.StateActive, nil
		}
	}
	return "", invalidIn("activate", oktaCause{"activate: must be true or false, once"})
}

// oktaAccess is what a new application may ask for. At Okta the policy "all
// clients" lets it have every scope of a custom authorization server's API; here
// that is written down, as access of the client, and can be taken away.
func oktaAccess(c *managed) map[string][]string {
	access := make(map[string][]string)
	for _, id := range c.actor.Issuers {
		v := c.Snapshot.Issuers[id]
		if v.Audience == "" {
			continue
		}
		if api := v.Target(v.Audience, true); api != nil && !registry.Administrative(api.ID) {
			access[api.ID] = slices.Sorted(maps.Keys(api.Scopes))
		}
	}
	return access
}

// app finds the application of a call.
func (e *Endpoints) app(c *managed, id string) (admin.Client, error) {
	if !registry.ValidClientID(id) {
		return admin.Client{}, oktaNoApp.refuse(nil)
	}
	return e.cfg.Admin.Client(c.r.Context(), c.actor, id)
}

// oneApp answers GET, PUT and DELETE of an application.
func (e *Endpoints) oneApp(c *managed, id string) error {
	d := oktaManageApps
	if reads(c.r) {
		d = oktaReadApps
	}
	if err := e.admit(c, d); err != nil {
		return err
	}
	client, err := e.app(c, id)
	if err != nil {
		return err
	}
	switch c.r.Method {
	case http.MethodPut:
		return e.replaceApp(c, client)
	case http.MethodDelete:
		return e.deleteApp(c, client)
	}
	return c.answer(http.StatusOK, showApp(c, client, admin.Secret{}))
}

// deleteApp takes two calls, as at Okta, whose programs deactivate first.
func (e *Endpoints) deleteApp(c *managed, client admin.Client) error {
	if client.State == registry.StateActive {
		return oktaStillActive.refuse(nil)
	}
	if _, err := e.cfg.Admin.DeleteClient(c.r.Context(), c.actor, admin.Target{ID: client.ID, Version: client.Version}); err != nil {
		return err
	}
	return c.done()
}

// appLifecycle activates or deactivates an application.
func (e *Endpoints) appLifecycle(c *managed, id, verb string) error {
	if err := e.admit(c, oktaManageApps); err != nil {
		return err
	}
	client, err := e.app(c, id)
	if err != nil {
		return err
	}
	do, done := e.cfg.Admin.EnableClient, client.State == registry.StateActive
	if verb == oktaDeactivate {
		do, done = e.cfg.Admin.DisableClient, !done
	}
	if !done {
		if _, _, err := do(c.r.Context(), c.actor, admin.Target{ID: client.ID, Version: client.Version}); err != nil {
			return err
		}
	}
	return c.answer(http.StatusOK, struct{}{})
}

// replaceApp gives an application another label, binding, method or keys: all of
// it in one commit, which is refused when somebody else has changed the application
// since it was read.
func (e *Endpoints) replaceApp(c *managed, client admin.Client) error {
	app, err := c.readApp(client.ID)
	if err != nil {
		return err
	}
	if err := e.checkSecret(c, client.ID, app); err != nil {
		return err
	}
	req := admin.EditClient{Update: admin.Update[registry.Client]{
		Target: admin.Target{ID: client.ID, Version: client.Version},
		Change: admin.Named[registry.Client]{Fields: differs(client, app), Object: registry.Client{
			Name: app.Label, Bound: app.bound(), Auth: []string{app.method()}, JWKSURI: app.Settings.OAuthClient.JWKSURI,
		}},
	}}
	if app.method() == symbolon.AuthPrivateKeyJWT {
		req.Keys, req.RemoveKeys = app.exchangedKeys(client)
	} else if !hasLiveSecret(client, e.cfg.Now()) {
		req.Secret = new(admin.NewCredential)
	}
	edited, _, err := e.cfg.Admin.EditClient(c.r.Context(), c.actor, req)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, showApp(c, edited.Client, edited.Secret))
}

// differs names what an application asks to be otherwise than it was shown: a
// client may be bound in another way than Okta knows, and may have other methods
// besides, which a program that changes the label does not mean to take away.
func differs(client admin.Client, app *oktaApp) admin.Fields {
	fields := admin.Fields{"name"}
	if app.Settings.OAuthClient.Bound != (client.Bound == registry.BoundDPoP) {
		fields = append(fields, "bound")
	}
	if app.method() != methodOf(client) {
		fields = append(fields, "auth")
	}
	if app.method() == symbolon.AuthPrivateKeyJWT {
		fields = append(fields, "jwks_uri")
	}
	return fields
}

// checkSecret refuses a secret that is not the application's: it would not
// become it. A program that sends back what it was given when it made the
// application changes nothing.
func (e *Endpoints) checkSecret(c *managed, id string, app *oktaApp) error {
	value := app.Credentials.OAuthClient.ClientSecret
	if value == "" {
		return nil
	}
	has, err := e.cfg.Admin.HasSecret(c.r.Context(), c.actor, id, admin.NewSecret(value))
	if err == nil && !has {
		err = invalidIn("client_secret", oktaCause{"client_secret: is made by the server and cannot be changed"})
	}
	return err
}

// exchangedKeys are the application's keys that the client lacks, and the ids of
// those of its own that are not among the application's. They are asked for where
// the program authenticates by them: what cannot be used does no harm, and an
// operator put it there.
func (a *oktaApp) exchangedKeys(client admin.Client) (fresh []admin.NewKey, gone []string) {
	var keys []json.RawMessage
	if jwks := a.Settings.OAuthClient.JWKS; jwks != nil {
		keys = jwks.Keys
	}
	wanted, has := make(map[string]bool), make(map[string]bool)
	for _, jwk := range keys {
		wanted[keyDigest(jwk)] = true
	}
	for _, k := range client.Keys {
		digest := keyDigest(k.JWK)
		if has[digest] = true; !wanted[digest] {
			gone = append(gone, k.ID)
		}
	}
	for _, jwk := range keys {
		if !has[keyDigest(jwk)] {
			fresh = append(fresh, admin.NewKey{Text: string(jwk)})
		}
	}
	return fresh, gone
}
