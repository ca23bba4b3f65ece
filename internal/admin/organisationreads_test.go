package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
)

// What is its own an organisation does administer, from the first to the last.
func TestAnOrganisationAdministersItsOwn(t *testing.T) {
	onSQLite(t, func(w *world) {
		organisations(w)
		ctx := w.Context()
		for who, a := range boundActors() {
			made, _, err := w.CreateClient(ctx, a, CreateClient{Client: registry.Client{ID: "job", Issuers: []string{"okta-default"}, Labels: map[string]string{"team": "finance"}}})
			w.ok(err)
			if made.Secret.IsZero() {
				t.Errorf("%s: no secret", who)
			}
			api, _, err := w.CreateAPI(ctx, a, registry.API{ID: "mine", Issuer: "okta", Identifier: "https://mine.example.com", Scopes: map[string]registry.Scope{"read": {}}, ResourceServers: []string{"own"}})
			w.ok(err)
			if api.Token.Algorithm != "RS256" || len(api.ResourceServers) != 1 {
				t.Errorf("%s: %+v", who, api)
			}
			w.ok(grant("job", "mine", "read")(ctx, w, a))
			w.ok(updateClient("job", `{"name":"Job","issuers":["okta","okta-default"],"default_api":["mine"]}`)(ctx, w, a))
			if ok, err := w.HasSecret(ctx, a, "job", made.Secret); err != nil || !ok {
				t.Errorf("%s: %v", who, err)
			}
			_, _, err = w.DenyTokens(ctx, a, "job")
			w.ok(err)
			_, _, err = w.DenyJTI(ctx, a, "okta", "abc")
			w.ok(err)
			_, _, err = w.DisableClient(ctx, a, Target{ID: "job"})
			w.ok(err)
			_, err = w.DeleteAPI(ctx, a, Target{ID: "mine"})
			w.ok(err)
			_, err = w.DeleteClient(ctx, a, Target{ID: "job"})
			w.ok(err)
			// The whole server may use the ids again.
			w.ok(createClient(registry.Client{ID: "job"})(ctx, w, w.actor))
			_, err = w.DeleteClient(ctx, w.actor, Target{ID: "job"})
			w.ok(err)
			break // the ids are used up for those of the organisation
		}
		page, err := w.Operators(ctx, boundActors()["a client that manages"], Query{})
		w.ok(err)
		if len(page.Items) != 1 || page.Items[0].ID != "ann" {
			t.Errorf("operators: %+v", page.Items)
		}
		if changes, err := w.Changes(ctx, w.actor, ChangeQuery{Object: "job", Action: "client.disable"}); err != nil || len(changes) != 1 ||
			!strings.HasPrefix(changes[0].Actor, "token:ci") && changes[0].Actor != "client:ops" {
			t.Errorf("recorded as %+v, %v", changes, err)
		}
	})
}

// What an organisation does not see costs it next to nothing: a page of one is as
// cheap among many clients that are shared with others.
func TestAListReadsNoClientsOfOthers(t *testing.T) {
	onSQLite(t, func(w *world) {
		organisations(w)
		a := boundActors()["a client that manages"]
		allocations := func() float64 {
			return testing.AllocsPerRun(3, func() {
				page, err := w.Clients(w.Context(), a, Query{Issuer: "okta", After: "own", Limit: 1})
				if w.ok(err); len(page.Items) != 0 {
					t.Fatalf("%+v", page.Items)
				}
			})
		}
		before := allocations()
		for n := range 60 {
			_, _, err := w.CreateClient(w.Context(), w.actor, CreateClient{NoSecret: true, Client: registry.Client{ID: fmt.Sprintf("z%02d", n), Issuers: []string{"okta", "default"}}})
			w.ok(err)
		}
		if after := allocations(); after > before+60 {
			t.Errorf("an empty page takes %.0f allocations, %.0f among 60 clients of others", before, after)
		}
	})
}

// Lists, searches and filters have its own objects and nothing else, each once and
// in order, however they are divided into pages.
func TestAnOrganisationSeesItsOwnInLists(t *testing.T) {
	onSQLite(t, func(w *world) {
		organisations(w)
		ctx := w.Context()
		issuers := [][]string{{"okta"}, {"default"}, {"okta-default"}, {"okta", "okta-default"}, {"okta", "default"}, {"tenant"}}
		want := []string{"ops", "own"}
		for n := range 24 {
			id := fmt.Sprintf("c%02d", n)
			of := issuers[n%len(issuers)]
			_, _, err := w.CreateClient(ctx, w.actor, CreateClient{NoSecret: true, Client: registry.Client{ID: id, Name: "Finance " + id, Issuers: of, Labels: map[string]string{"team": "finance"}}})
			w.ok(err)
			if !slices.ContainsFunc(of, func(i string) bool { return !strings.HasPrefix(i, "okta") }) {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		finance := slices.DeleteFunc(slices.Clone(want), func(id string) bool { return id[0] != 'c' })
		a := boundActors()["a client that manages"]
		clients := func(q Query) []string {
			var ids []string
			for range 100 {
				page, err := w.Clients(ctx, a, q)
				w.ok(err)
				if q.Limit > 0 && len(page.Items) > q.Limit {
					t.Errorf("%d on a page of %d", len(page.Items), q.Limit)
				}
				for _, c := range page.Items {
					ids = append(ids, c.ID)
				}
				if q.After = page.Next; q.After == "" {
					return ids
				}
			}
			t.Fatal("the pages never end")
			return nil
		}
		for _, limit := range []int{0, 1, 2, 3, 5, 1000} {
			if got := clients(Query{Limit: limit}); !slices.Equal(got, want) {
				t.Errorf("pages of %d: %v, want %v", limit, got, want)
			}
			if got := clients(Query{Limit: limit, Label: "team=finance"}); !slices.Equal(got, finance) {
				t.Errorf("by label, pages of %d: %v, want %v", limit, got, finance)
			}
			if got := clients(Query{Limit: limit, Search: "Finance"}); !slices.Equal(got, finance) {
				t.Errorf("by name, pages of %d: %v, want %v", limit, got, finance)
			}
			if got := clients(Query{Limit: limit, Search: "c0"}); len(got) != 6 {
				t.Errorf("by a short text, pages of %d: %v", limit, got)
			}
		}
		for _, q := range []Query{{Search: "Foreign"}, {Issuer: "default"}, {Issuer: "tenant"}, {API: "orders"}, {Search: "shared"}, {Search: "tenant-client"}} {
			if got := clients(q); len(got) != 0 {
				t.Errorf("%+v finds %v", q, got)
			}
		}
		if got := clients(Query{Issuer: "okta", Search: "Finance c0"}); !slices.Equal(got, []string{"c00", "c03", "c06", "c09"}) {
			t.Errorf("%v", got)
		}
		nowhere := a
		nowhere.Issuers = []string{}
		if got, err := w.Clients(ctx, nowhere, Query{}); err != nil || len(got.Items) != 0 {
			t.Errorf("an actor of no issuer sees %d clients, %v", len(got.Items), err)
		}

		apis, err := w.APIs(ctx, a, Query{})
		w.ok(err)
		if len(apis.Items) != 2 || apis.Items[0].ID != "hello" || apis.Items[1].ID != "okta-management" {
			t.Errorf("APIs: %+v", apis.Items)
		}
		seen, err := w.Issuers(ctx, a, Query{})
		w.ok(err)
		if len(seen.Items) != 2 || seen.Items[0].ID != "okta" || seen.Items[1].ID != "okta-default" {
			t.Errorf("issuers: %+v", seen.Items)
		}
		ks, err := w.Keys(ctx, a, "")
		w.ok(err)
		if slices.ContainsFunc(ks, func(k Key) bool { return !strings.HasPrefix(k.Issuer, "okta") }) || len(ks) != 4 {
			t.Errorf("keys: %+v", ks)
		}
		tokens, err := w.OperatorTokens(ctx, a, Query{})
		w.ok(err)
		if len(tokens.Items) != 0 {
			t.Errorf("operator tokens: %+v", tokens.Items)
		}
	})
}

// Of denials an organisation sees those of its own, and what it sees of its own
// clients and APIs names nothing of others.
func TestAnOrganisationSeesNoNamesOfOthers(t *testing.T) {
	onSQLite(t, func(w *world) {
		organisations(w)
		ctx := w.Context()
		a := boundActors()["a token of an operator"]
		w.ok(grant("own", "orders", "orders:read")(ctx, w, w.actor))
		w.ok(updateClient("own", `{"default_api":["hello"]}`)(ctx, w, w.actor))
		_, _, err := w.UpdateClient(ctx, w.actor, changes[registry.Client](w, "shared", `{"issuers":["okta-default","default"]}`))
		w.ok(err)
		w.ok(updateAPI("hello", `{"resource_servers":["own","shared"]}`)(ctx, w, w.actor))
		for _, id := range []string{"foreign", "own", "shared"} {
			_, _, err := w.DenyTokens(ctx, w.actor, id)
			w.ok(err)
		}
		_, _, err = w.DenyJTI(ctx, w.actor, "default", "abc")
		w.ok(err)
		_, _, err = w.DenyJTI(ctx, w.actor, "okta", "abc")
		w.ok(err)
		client, err := w.Client(ctx, a, "own")
		w.ok(err)
		api, err := w.API(ctx, a, "hello")
		w.ok(err)
		denials, err := w.Denials(ctx, a, Query{})
		w.ok(err)
		all, err := json.Marshal([]any{client, api, denials})
		w.ok(err)
		for _, name := range []string{"foreign", "shared", "orders", "tenant", "default\""} {
			if strings.Contains(strings.ReplaceAll(string(all), "okta-default\"", ""), name) {
				t.Errorf("%s shows in %s", name, all)
			}
		}
		if len(denials.Items) != 2 || len(client.Access) != 1 || !slices.Equal(api.ResourceServers, []string{"own"}) {
			t.Errorf("%s", all)
		}
		// What it does not see of its own client, it does not take away either.
		refusedAll(w, map[string]Actor{"operator": a}, []attempt{
			{"all access", updateClient("own", `{"access":{}}`), Forbidden, "objects of other issuers"},
			{"more of orders", grant("own", "orders", "orders:write"), Invalid, "there is no API orders"},
			{"the default of orders", updateClient("own", `{"default_api":["hello","orders"]}`), Invalid, "there is no API orders"},
		}, "foreign", "shared")
	})
}

// While the store is away a denial goes to the node's journal, which asks the same
// of whoever wants it.
func TestTheJournalAsksTheSame(t *testing.T) {
	onSQLite(t, func(w *world) {
		organisations(w)
		ctx := w.Context()
		w.Admin.Journal = awayJournal{w.replica}
		foreignKey, ownKey := "", ""
		for _, k := range mustKeys(w) {
			switch k.Issuer {
			case "default":
				foreignKey = k.ID
			case "okta":
				ownKey = k.ID
			}
		}
		admin := boundActors()["a token of an admin"]
		refusedAll(w, map[string]Actor{"admin": admin}, []attempt{
			{"foreign", func(ctx context.Context, w *world, a Actor) error { return second(w.DenyClient(ctx, a, "foreign")) }, NotFound, ""},
			{"shared", func(ctx context.Context, w *world, a Actor) error { return second(w.DenyTokens(ctx, a, "shared")) }, NotFound, ""},
			{"a credential of foreign", func(ctx context.Context, w *world, a Actor) error {
				return second(w.DenyCredential(ctx, a, "foreign", "s1"))
			}, NotFound, ""},
			{"misspelt", func(ctx context.Context, w *world, a Actor) error { return second(w.DenyClient(ctx, a, "misspelt")) }, NotFound, ""},
			{"a token of default", func(ctx context.Context, w *world, a Actor) error { return second(w.DenyJTI(ctx, a, "", "abc")) }, NotFound, ""},
			{"a key of default", func(ctx context.Context, w *world, a Actor) error { return second(w.DenyKID(ctx, a, foreignKey)) }, NotFound, ""},
			{"a credential of who administers", func(ctx context.Context, w *world, a Actor) error {
				return second(w.DenyCredential(ctx, a, "ops", "s1"))
			}, Forbidden, "may administer"},
		}, "tenant", "orders")
		refusedAll(w, map[string]Actor{"operator": plainOperator}, []attempt{
			{"a credential of who administers", func(ctx context.Context, w *world, a Actor) error {
				return second(w.DenyCredential(ctx, a, "ops", "s1"))
			}, Forbidden, "may administer"},
		})
		if n := len(w.replica.Journalled()); n != 0 {
			t.Errorf("%d are kept", n)
		}
		for name, err := range map[string]error{
			"own":          second(w.DenyClient(ctx, admin, "own")),
			"ops":          second(w.DenyClient(ctx, plainOperator, "ops")),
			"misspelt":     second(w.DenyClient(ctx, plainOperator, "misspelt")),
			"own key":      second(w.DenyKID(ctx, admin, ownKey)),
			"own token id": second(w.DenyJTI(ctx, admin, "okta", "abc")),
		} {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		page, err := w.Denials(ctx, admin, Query{})
		w.ok(err)
		if len(page.Items) != 4 {
			t.Errorf("of the journal it sees %+v", page.Items)
		}
	})
}

// awayJournal is the node's journal while the store does not answer.
type awayJournal struct{ *replica.Replica }

func (awayJournal) Away() bool { return true }
