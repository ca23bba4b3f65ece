package okta

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"testing"

	"github.com/okta/okta-sdk-golang/v5/okta"
)

// users lists them two by two and gives their ids.
func users(t *testing.T, c *okta.APIClient) (ids []string) {
	t.Helper()
	page, resp, err := c.UserAPI.ListUsers(c.GetConfig().Context).Limit(2).Execute()
	for {
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page {
			ids = append(ids, u.GetId())
			if u.GetStatus() != "ACTIVE" || u.Profile.GetEmail() == "" {
				t.Errorf("%+v", u)
			}
		}
		if !resp.HasNextPage() {
			return ids
		}
		page = nil
		resp, err = resp.Next(&page)
	}
}

// TestUsers: three pages' worth of calls with each way to authenticate. The bound
// client asks for its token three times with one assertion, and presents the
// token with the nonce of that last time in every call.
func TestUsers(t *testing.T) {
	o := start(t)
	for name, c := range map[string]*okta.APIClient{
		"SSWS":                 o.client(t, okta.WithToken(o.token)),
		"PrivateKey":           o.keyed(t, "bearer", o.key, "okta.users.read"),
		"PrivateKey with DPoP": o.keyed(t, "bound", o.key, "okta.users.read", "okta.apps.manage"),
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				if ids := users(t, c); len(ids) != 3 || ids[0] != "ann" || ids[2] != "cem" {
					t.Errorf("users %v", ids)
				}
			}
		})
	}
}

// TestApplication is one from its beginning to its end.
func TestApplication(t *testing.T) {
	o := start(t)
	for name, c := range map[string]*okta.APIClient{
		"SSWS": o.client(t, okta.WithToken(o.token)), "DPoP": o.keyed(t, "bound", o.key, "okta.apps.manage"),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := c.GetConfig().Context
			client := okta.NewOpenIdConnectApplicationSettingsClientWithDefaults()
			client.SetApplicationType("service")
			client.SetGrantTypes([]string{"client_credentials"})
			client.SetResponseTypes([]string{"token"})
			settings := okta.NewOpenIdConnectApplicationSettingsWithDefaults()
			settings.SetOauthClient(*client)
			wanted := okta.NewOpenIdConnectApplication(*okta.NewOAuthApplicationCredentialsWithDefaults(), "oidc_client", *settings, "Go App", "OPENID_CONNECT")
			made, _, err := c.ApplicationAPI.CreateApplication(ctx).Application(okta.ListApplications200ResponseInner{OpenIdConnectApplication: wanted}).Execute()
			if err != nil {
				t.Fatal(err)
			}
			app := made.OpenIdConnectApplication
			credentials := app.Credentials.OauthClient
			if app.GetId() == "" || credentials.GetClientId() != app.GetId() || credentials.GetClientSecret() == "" || app.GetStatus() != "ACTIVE" {
				t.Fatalf("%+v", app)
			}
			app.SetLabel("Renamed")
			replaced, _, err := c.ApplicationAPI.ReplaceApplication(ctx, app.GetId()).Application(*made).Execute()
			if err != nil || replaced.OpenIdConnectApplication.GetLabel() != "Renamed" {
				t.Fatalf("%v %+v", err, replaced)
			}
			if resp, err := c.ApplicationAPI.DeleteApplication(ctx, app.GetId()).Execute(); err == nil || resp.StatusCode != http.StatusForbidden {
				t.Errorf("an active application was deleted: %v", err)
			}
			for _, step := range []func() (*okta.APIResponse, error){
				c.ApplicationAPI.DeactivateApplication(ctx, app.GetId()).Execute,
				c.ApplicationAPI.ActivateApplication(ctx, app.GetId()).Execute,
				c.ApplicationAPI.DeactivateApplication(ctx, app.GetId()).Execute,
				c.ApplicationAPI.DeleteApplication(ctx, app.GetId()).Execute,
			} {
				if _, err := step(); err != nil {
					t.Fatal(err)
				}
			}
			if _, resp, err := c.ApplicationAPI.GetApplication(ctx, app.GetId()).Execute(); err == nil || resp.StatusCode != http.StatusNotFound {
				t.Errorf("the deleted application is there: %v", err)
			}
		})
	}
}

// TestApplicationsAreListed with the clients that there are.
func TestApplicationsAreListed(t *testing.T) {
	o := start(t)
	c := o.client(t, okta.WithToken(o.token))
	page, resp, err := c.ApplicationAPI.ListApplications(c.GetConfig().Context).Limit(1).Execute()
	if err != nil || len(page) != 1 || !resp.HasNextPage() || page[0].OpenIdConnectApplication == nil {
		t.Fatalf("%v %+v", err, page)
	}
	page = nil
	if resp, err = resp.Next(&page); err != nil || len(page) != 1 || resp.HasNextPage() || page[0].OpenIdConnectApplication.GetId() != "bound" {
		t.Fatalf("%v %+v", err, page)
	}
}

// TestWrongCredentials: another token, another key, a scope that was not granted.
func TestWrongCredentials(t *testing.T) {
	o := start(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*okta.APIClient{
		"token":       o.client(t, okta.WithToken(o.token+"x")),
		"key":         o.keyed(t, "bearer", other, "okta.users.read"),
		"key, DPoP":   o.keyed(t, "bound", other, "okta.users.read"),
		"scope":       o.keyed(t, "bearer", o.key, "okta.apps.manage"), // a token, but not for users
		"other scope": o.keyed(t, "bound", o.key, "okta.groups.read"),
	} {
		t.Run(name, func(t *testing.T) {
			page, resp, err := c.UserAPI.ListUsers(c.GetConfig().Context).Execute()
			if err == nil || len(page) > 0 {
				t.Errorf("%v %+v", resp, page)
			}
		})
	}
}
