package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// own is an actor of the organisation okta, okta-default.
func own() Actor { return boundActors()["a client that manages"] }

// TestAnOrganisationMakesSoManyObjects and no more; whoever is not bound to issuers
// makes more, and takes part in the count.
func TestAnOrganisationMakesSoManyObjects(t *testing.T) {
	if want := (bounds{clients: 10_000, apis: 1_000, octets: 2 << 20, denials: 100_000, used: 1_000}); defaultBounds != want {
		t.Errorf("bounds %+v", defaultBounds)
	}
	eachStore(t, func(w *world) {
		organisations(w)
		ctx := w.Context()
		w.bounds.clients, w.bounds.apis = 5, 4 // own, ops and shared; the built-in ones and hello are there
		client := func(a Actor, issuers ...string) (string, error) {
			made, _, err := w.CreateClient(ctx, a, CreateClient{Client: registry.Client{Issuers: issuers}})
			return made.Client.ID, err
		}
		n := 0
		api := func(a Actor) (string, error) {
			n++
			made, _, err := w.CreateAPI(ctx, a, registry.API{Issuer: "okta-default", Identifier: fmt.Sprintf("https://n%d.example.com", n)})
			return made.ID, err
		}
		_, err := client(own(), "okta", "okta-default")
		w.ok(err)
		last, err := client(own(), "okta-default")
		w.ok(err)
		_, err = client(own(), "okta")
		w.refused(err, TooMany, "5 clients", "delete")
		_, err = client(w.actor, "okta")
		w.ok(err)
		_, err = api(own())
		w.ok(err)
		lastAPI, err := api(own())
		w.ok(err)
		_, err = api(own())
		w.refused(err, TooMany, "4 APIs", "delete")
		// What there is can be changed and taken away, and then there is room.
		w.ok(updateClient(last, `{"name":"x"}`)(ctx, w, own()))
		w.ok(grant(last, "hello", "read")(ctx, w, own()))
		for _, id := range []string{last, "own"} {
			w.ok(third(w.DeleteClient(ctx, own(), Target{ID: id})))
		}
		w.ok(third(w.DeleteAPI(ctx, own(), Target{ID: lastAPI})))
		_, err = client(own(), "okta")
		w.ok(err)
		_, err = api(own())
		w.ok(err)
		// Another organisation is not held up.
		_, err = client(OfManagement("x", "r", roles[registry.RoleOperator], []string{"tenant"}), "tenant")
		w.ok(err)
	})
}

// TestTheAPIsOfAnOrganisationAreNoLonger than a bound, however few they are: each
// change of anybody's reads them all.
func TestTheAPIsOfAnOrganisationAreNoLonger(t *testing.T) {
	onSQLite(t, func(w *world) {
		organisations(w)
		ctx := w.Context()
		w.bounds.octets = 8_000
		long := func(n int) map[string]registry.Scope {
			scopes := map[string]registry.Scope{}
			for i := range n {
				scopes[fmt.Sprintf("s%d", i)] = registry.Scope{Description: strings.Repeat("x", 200)}
			}
			return scopes
		}
		api := func(a Actor, id, issuer string, n int) error {
			_, _, err := w.CreateAPI(ctx, a, registry.API{ID: id, Issuer: issuer, Identifier: "https://" + id + ".example.com", Scopes: long(n)})
			return err
		}
		set := func(a Actor, n int) error {
			_, _, err := w.UpdateAPI(ctx, a, Update[registry.API]{Target: Target{ID: "first"},
				Change: Named[registry.API]{Object: registry.API{Scopes: long(n)}, Fields: Fields{"scopes"}}})
			return err
		}
		w.ok(api(own(), "first", "okta-default", 10))
		w.refused(api(own(), "second", "okta", 30), TooMany, "8000", "shorten")
		w.refused(set(own(), 40), TooMany, "8000", "shorten")
		w.ok(set(own(), 20))
		w.ok(set(w.actor, 40)) // an operator of the whole server may
		w.refused(api(own(), "third", "okta", 0), TooMany, "8000", "delete")
		w.ok(set(own(), 39)) // and less is always possible
		w.ok(third(w.DeleteAPI(ctx, own(), Target{ID: "first"})))
		w.ok(api(own(), "third", "okta", 0))
		// What others have does not count.
		w.ok(api(w.actor, "tenants", "tenant", 60))
		w.ok(api(own(), "fourth", "okta", 5))
	})
}

// TestAnOrganisationDeniesSoMuch and then makes and gives nothing until denials
// expire. It takes away whatever it likes.
func TestAnOrganisationDeniesSoMuch(t *testing.T) {
	onSQLite(t, func(w *world) {
		organisations(w)
		ctx := w.Context()
		w.bounds.denials = 3
		for range 3 {
			made, _, err := w.CreateClient(ctx, own(), CreateClient{Client: registry.Client{Issuers: []string{"okta"}}})
			w.ok(err)
			w.ok(third(w.DeleteClient(ctx, own(), Target{ID: made.Client.ID})))
		}
		refusedAll(w, map[string]Actor{"own": own()}, []attempt{
			{"a client", createClient(registry.Client{ID: "new", Issuers: []string{"okta"}}), TooMany, "3 denials"},
			{"access", grant("own", "hello", "write"), TooMany, "3 denials"},
		})
		w.ok(createClient(registry.Client{ID: "tenants", Issuers: []string{"tenant"}})(ctx, w, OfManagement("x", "r", roles[registry.RoleOperator], []string{"tenant"})))
		w.ok(updateClient("own", `{"name":"x"}`)(ctx, w, own()))
		_, _, err := w.Ungrant(ctx, own(), Target{ID: "own"}, Access{API: "hello"})
		w.ok(err)
		_, _, err = w.DisableClient(ctx, own(), Target{ID: "own"})
		w.ok(err)
		w.clock.advance(72 * time.Hour)
		_, err = w.RunSchedule(ctx)
		w.ok(err)
		w.ok(grant("own", "hello", "write")(ctx, w, own()))
	})
}

// TestAClientHasSoManyCredentials from the programs of its organisation: their ids
// stay in its document.
func TestAClientHasSoManyCredentials(t *testing.T) {
	onSQLite(t, func(w *world) {
		organisations(w)
		ctx, target := w.Context(), Target{ID: "own"}
		w.bounds.used = 4
		for range 3 {
			_, _, err := w.ReplaceSecrets(ctx, own(), target, NewCredential{})
			w.ok(err)
		}
		_, _, err := w.ReplaceSecrets(ctx, own(), target, NewCredential{})
		w.refused(err, TooMany, "4 credentials", "make a new client")
		_, _, err = w.AddKey(ctx, own(), target, NewKey{Text: firstJWK})
		w.refused(err, TooMany, "4 credentials")
		err = updateClient("own", `{"jwks_uri":"https://own.example.com/jwks"}`)(ctx, w, own())
		w.refused(err, TooMany, "4 credentials")
		w.ok(updateClient("own", `{"name":"x"}`)(ctx, w, own()))
		_, _, err = w.AddKey(ctx, w.actor, target, NewKey{Text: firstJWK})
		w.ok(err)
		w.ok(updateClient("own", `{"name":"y"}`)(ctx, w, own()))
		_, _, err = w.RevokeCredential(ctx, own(), target, CredentialKey, "k1")
		w.ok(err)
		_, _, err = w.DisableClient(ctx, own(), target)
		w.ok(err)
	})
}

// rows are the values of the store that remain of objects, and the tombstones that
// stay for ever, of that id.
func (w *world) rows(kind, id string) (meta string, keep, gone bool) {
	w.Helper()
	_, err := w.change(w.Context(), w.actor, func(c *change) (err error) {
		meta, err = c.getMeta(remainsKey(ref{kind, id}))
		return err
	})
	w.ok(err)
	o, err := w.Reader.Get(w.Context(), kind, id)
	return meta, o.Keep, err == nil && o.Deleted
}

// TestWhatAnOrganisationMakesAndDeletesLeavesNothing: or the store would grow for
// ever with what it makes. Of what others made, and of what is in a file, it stays
// that somebody deleted it.
func TestWhatAnOrganisationMakesAndDeletesLeavesNothing(t *testing.T) {
	onSQLite(t, func(w *world) {
		organisations(w)
		ctx := w.Context()
		fresh := func() string {
			made, _, err := w.CreateClient(ctx, own(), CreateClient{Client: registry.Client{Issuers: []string{"okta"}}})
			w.ok(err)
			return made.Client.ID
		}
		api, _, err := w.CreateAPI(ctx, own(), registry.API{Issuer: "okta", Identifier: "https://new.example.com"})
		w.ok(err)
		_, _, err = w.CreateAPI(ctx, w.actor, registry.API{ID: "named", Issuer: "okta", Identifier: "https://named.example.com"})
		w.ok(err)
		plain, managed, other := fresh(), fresh(), fresh()
		w.ok(updateClient(managed, `{"managed_by":"main"}`)(ctx, w, w.actor))
		_, _, err = w.DenyCredential(ctx, own(), plain, "s1")
		w.ok(err)
		for _, x := range []struct {
			kind, id string
			by       Actor
			stays    bool
		}{
			{registry.KindClient, plain, own(), false}, {registry.KindAPI, api.ID, own(), false}, {registry.KindClient, managed, own(), true},
			{registry.KindClient, other, w.actor, true}, {registry.KindClient, "own", own(), true}, {registry.KindAPI, "named", own(), true},
		} {
			remove := w.DeleteClient
			if x.kind == registry.KindAPI {
				remove = w.DeleteAPI
			}
			w.ok(third(remove(ctx, x.by, Target{ID: x.id})))
			if meta, keep, gone := w.rows(x.kind, x.id); (meta != "") != x.stays || keep != x.stays || !gone {
				t.Errorf("%s: remains %q, kept %v, tombstone %v", x.id, meta, keep, gone)
			}
		}
		// As long as its tombstone is there, all is as with others.
		err = createClient(registry.Client{ID: plain, Issuers: []string{"okta"}})(ctx, w, own())
		w.refused(err, Exists, "was used before")
		plan := w.apply(file(t, `client {"id":"`+plain+`"}`))
		if len(plan.Differences) != 1 || !strings.Contains(plan.Differences[0].Notes[0].Text, "deleted by its own organisation; a file does not bring it back") {
			t.Errorf("a file: %+v", plan.Differences)
		}
		back := w.client(plain)
		if spent := w.stored(plain).Spent; back.Cred == "s1" || !slices.ContainsFunc(spent, func(s registry.Spent) bool { return s.ID == "s1" }) {
			t.Errorf("made again with the credential %s, used are %+v", back.Cred, spent)
		}
	})
}

func TestGeneratedIDs(t *testing.T) {
	for range 100 {
		if id := generateID("client"); !isGeneratedID(registry.KindClient, id) || isGeneratedID(registry.KindAPI, id) {
			t.Errorf("%s", id)
		}
	}
	for _, id := range []string{"", "client-", "client-7k3m9qx2d", "client-7k3m9qx2dvv", "client-7k3m9qx2da", "client-7K3m9qx2dv", "7k3m9qx2dv", "own"} {
		if isGeneratedID(registry.KindClient, id) {
			t.Errorf("%q was made up by the server?", id)
		}
	}
}
