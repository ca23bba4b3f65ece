package admin

import (
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
)

// issuer makes an issuer with a dialect.
func (w *world) issuer(id, dialect, url string) {
	w.Helper()
	_, _, err := w.CreateIssuer(w.Context(), w.actor, registry.Issuer{ID: id, Dialect: dialect, URL: url})
	w.ok(err)
}

func TestManagementAPIGoesWithItsIssuer(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx := w.Context()
		since := w.head()
		w.issuer("okta", registry.DialectOkta, "https://okta.example.com")
		w.issuer("okta-default", registry.DialectOkta, "https://okta.example.com/oauth2/default")
		w.issuer("tenant", registry.DialectAuth0, "https://tenant.example.com")
		for id, identifier := range map[string]string{"okta-management": "https://okta.example.com", "tenant-management": "https://tenant.example.com/api/v2/"} {
			api, err := w.API(ctx, w.actor, id)
			w.ok(err)
			if !api.Builtin || api.Identifier != identifier || api.Token.Algorithm != "RS256" || api.Issuer+"-management" != id {
				t.Errorf("%+v", api)
			}
		}
		_, err := w.API(ctx, w.actor, "okta-default-management")
		w.refused(err, NotFound)
		if ks, err := w.Keys(ctx, w.actor, "okta"); err != nil || len(ks) != 2 || !slices.ContainsFunc(ks, func(k Key) bool { return k.Algorithm == "RS256" && k.State == keys.StateActive }) {
			t.Errorf("its keys are %+v, %v", ks, err)
		}
		if got := w.actions(since); !slices.Contains(got, "api.create okta-management") {
			t.Errorf("recorded: %v", got)
		}
		i, err := w.Issuer(ctx, w.actor, "tenant")
		w.ok(err)
		if i.URL != "https://tenant.example.com/" || i.Dialect != registry.DialectAuth0 {
			t.Errorf("%+v", i)
		}

		// With it goes the access to it; nothing else keeps the issuer.
		w.client("ops", "okta-management okta.apps.read okta.users.read")
		head := w.head()
		_, err = w.DeleteIssuer(ctx, w.actor, Target{ID: "okta"})
		w.ok(err)
		_, err = w.API(ctx, w.actor, "okta-management")
		w.refused(err, NotFound)
		if ops := w.stored("ops"); len(ops.Access) != 0 || len(ops.DefaultAPI) != 0 {
			t.Errorf("it may still ask for %v", ops.Access)
		}
		if !slices.Contains(w.denialIDs(), "client_api:ops:okta-management:https://okta.example.com") {
			t.Errorf("denied: %v", w.denialIDs())
		}
		if got := w.actions(head); !slices.Contains(got, "api.delete okta-management") || !slices.Contains(got, "client.ungrant ops") {
			t.Errorf("recorded: %v", got)
		}
		// A new issuer of that id has a new one; the access is not given again.
		w.issuer("okta", registry.DialectOkta, "https://okta.example.com")
		if _, err := w.API(ctx, w.actor, "okta-management"); err != nil || len(w.stored("ops").Access) != 0 {
			t.Error(err)
		}
	})
}

func TestManagementAPIIsNotChangedByHand(t *testing.T) {
	onSQLite(t, func(w *world) {
		ctx := w.Context()
		w.issuer("okta", registry.DialectOkta, "https://okta.example.com")
		head := w.head()
		named := func(doc string) Update[registry.API] {
			n, err := ReadNamed[registry.API]([]byte(doc))
			w.ok(err)
			return Update[registry.API]{Target: Target{ID: "okta-management"}, Change: n}
		}
		for _, doc := range []string{`{"name":"mine"}`, `{"scopes":{}}`, `{"identifier":"https://x.example"}`, `{"resource_servers":["ops"]}`,
			`{"token":{"lifetime":"24h"}}`, `{"managed_by":"main"}`} {
			_, _, err := w.UpdateAPI(ctx, w.actor, named(doc))
			w.refused(err, Refused, "okta-management", "client grant")
		}
		_, err := w.DeleteAPI(ctx, w.actor, Target{ID: "okta-management"})
		w.refused(err, Refused, "with its issuer")
		for _, id := range []string{"okta-management", "admin", "later-management"} {
			_, _, err := w.CreateAPI(ctx, w.actor, registry.API{ID: id, Issuer: "okta", Identifier: "https://x.example"})
			w.refused(err, map[bool]Code{true: Exists, false: Invalid}[id == "okta-management"])
		}
		for _, req := range []ApplyRequest{
			{Set: "main", Objects: State{APIs: []Named[registry.API]{{Object: registry.API{ID: "okta-management", Name: "x"}, Fields: Fields{"name"}}}}},
			{Set: "main", Objects: State{
				Issuers: []Named[registry.Issuer]{{Object: registry.Issuer{ID: "two", Dialect: "okta", URL: "https://two.example.com"}, Fields: Fields{"dialect", "url"}}},
				APIs:    []Named[registry.API]{{Object: registry.API{ID: "two-management", Issuer: "two", Identifier: "https://mine.example.com"}, Fields: Fields{"identifier", "issuer"}}}}},
		} {
			if _, _, err := w.Apply(ctx, w.actor, req); err == nil || !strings.Contains(err.Error(), "-management") {
				t.Errorf("a file has changed it: %v", err)
			}
		}
		if w.head() != head {
			t.Error("something was written")
		}
	})
}

// What this version knows of a management API is there after its start, and what
// it no longer knows is gone, with the tokens for it.
func TestManagementAPIFollowsTheVersion(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx := w.Context()
		w.issuer("okta", registry.DialectOkta, "https://okta.example.com")
		w.client("ops", "okta-management okta.apps.read")
		_, err := w.change(ctx, System(), func(c *change) error { // as an older version would have it
			s, api, err := must[registry.API](c, registry.KindAPI, "okta-management")
			w.ok(err)
			s.builtin = true
			delete(api.Scopes, "okta.users.read")
			api.Scopes["okta.old"] = registry.Scope{}
			c.stage(s, api, "api.update")
			_, client, err := must[registry.Client](c, registry.KindClient, "ops")
			w.ok(err)
			client.Access["okta-management"] = append(client.Access["okta-management"], "okta.old")
			c.stage(c.staged[ref{registry.KindClient, "ops"}], client, "client.grant")
			return nil
		})
		w.ok(err)
		w.ok(w.Bootstrap(ctx))
		api, err := w.API(ctx, w.actor, "okta-management")
		w.ok(err)
		if _, old := api.Scopes["okta.old"]; old || len(api.Scopes) != 3 {
			t.Errorf("%v", api.Scopes)
		}
		if got := w.stored("ops").Access["okta-management"]; !slices.Equal(got, []string{"okta.apps.read"}) {
			t.Errorf("%v", got)
		}
		head := w.head()
		w.ok(w.Bootstrap(ctx))
		if w.head() != head {
			t.Error("a start without a change has written")
		}
	})
}

func TestDialectOfAnIssuerStays(t *testing.T) {
	onSQLite(t, func(w *world) {
		ctx := w.Context()
		w.issuer("okta", registry.DialectOkta, "https://okta.example.com")
		n, err := ReadNamed[registry.Issuer]([]byte(`{"dialect":"auth0"}`))
		w.ok(err)
		_, _, err = w.UpdateIssuer(ctx, w.actor, Update[registry.Issuer]{Target: Target{ID: "okta"}, Change: n})
		w.refused(err, Invalid, "dialect", "another issuer")
		for _, dialect := range []string{"", "auth0"} {
			_, _, err = w.Apply(ctx, w.actor, ApplyRequest{Set: "main", Objects: State{Issuers: []Named[registry.Issuer]{
				{Object: registry.Issuer{ID: "okta", Dialect: dialect}, Fields: Fields{"dialect"}}}}})
			w.refused(err, Invalid, "dialect", "okta", "another issuer")
		}
		_, _, err = w.Apply(ctx, w.actor, ApplyRequest{Set: "main", Objects: State{Issuers: []Named[registry.Issuer]{
			{Object: registry.Issuer{ID: "okta", Dialect: "okta"}, Fields: Fields{"dialect"}},
			{Object: registry.Issuer{ID: "default", Dialect: "okta"}, Fields: Fields{"dialect"}}}}})
		w.refused(err, Invalid, "issuer \"default\": dialect")
	})
}

// A client is at home at an issuer of a dialect or at one of the profile fapi2,
// whichever of them comes last.
func TestAClientHasNoDialectBesideFAPI2(t *testing.T) {
	onSQLite(t, func(w *world) {
		ctx := w.Context()
		w.issuer("okta", registry.DialectOkta, "https://okta.example.com")
		w.issuer("bank", "", "https://bank.example.com")
		key := &NewKey{Text: testJWK(w)}
		_, _, err := w.CreateClient(ctx, w.actor, CreateClient{Client: registry.Client{ID: "both", Issuers: []string{"okta", "bank"}}, Key: key})
		w.ok(err)
		fapi2 := changes[registry.Issuer](w, "bank", `{"profile":"fapi2"}`)
		_, _, err = w.UpdateIssuer(ctx, w.actor, fapi2)
		w.refused(err, Invalid, `client "both": issuers`, "dialect okta", "make another client")
		_, _, err = w.UpdateClient(ctx, w.actor, changes[registry.Client](w, "both", `{"issuers":["okta"]}`))
		w.ok(err)
		_, _, err = w.UpdateIssuer(ctx, w.actor, fapi2)
		w.ok(err)
		_, _, err = w.UpdateClient(ctx, w.actor, changes[registry.Client](w, "both", `{"issuers":["bank","okta"]}`))
		w.refused(err, Invalid, `client "both": issuers`, "make another client")
		_, _, err = w.CreateClient(ctx, w.actor, CreateClient{Client: registry.Client{ID: "new", Issuers: []string{"okta", "bank"}}, Key: key})
		w.refused(err, Invalid, `client "new": issuers`)
	})
}

// APIs of an issuer with a dialect are signed with RS256 unless they say
// otherwise, and that is written down.
func TestAPIsOfDialectsAreSignedWithRS256(t *testing.T) {
	onSQLite(t, func(w *world) {
		ctx := w.Context()
		w.issuer("tenant", registry.DialectAuth0, "https://tenant.example.com")
		for id, api := range map[string]registry.API{
			"plain": {}, "chosen": {Token: registry.APIToken{Algorithm: "ES256"}}, "opaque": {Token: registry.APIToken{Format: registry.FormatOpaque}},
		} {
			api.ID, api.Issuer, api.Identifier = id, "tenant", "https://"+id+".example.com"
			_, _, err := w.CreateAPI(ctx, w.actor, api)
			w.ok(err)
		}
		w.api("standard")
		for id, want := range map[string]string{"plain": "RS256", "chosen": "ES256", "opaque": "", "standard": ""} {
			stored, _, err := read[registry.API](ctx, w.Admin, w.actor, registry.KindAPI, id)
			w.ok(err)
			if stored.Token.Algorithm != want {
				t.Errorf("%s: %q is written down, not %q", id, stored.Token.Algorithm, want)
			}
		}
		n, err := ReadNamed[registry.API]([]byte(`{"token":{"format":"jwt"}}`))
		w.ok(err)
		_, _, err = w.UpdateAPI(ctx, w.actor, Update[registry.API]{Target: Target{ID: "opaque"}, Change: n})
		w.ok(err)
		if api, err := w.API(ctx, w.actor, "opaque"); err != nil || api.Token.Algorithm != "RS256" {
			t.Errorf("%+v, %v", api.Token, err)
		}
	})
}
