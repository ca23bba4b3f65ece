package admin

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
)

// organisations is a server with an organisation of two issuers, another one, and
// clients and APIs of each:
//
//	okta, okta-default  hello at okta-default; own, ops (administers)
//	tenant              parcels; tenant-client
//	default             orders; foreign
//
// shared is a client of okta and of the default issuer.
func organisations(w *world) {
	w.Helper()
	ctx := w.Context()
	w.issuer("okta", registry.DialectOkta, "https://okta.example.com")
	w.issuer("okta-default", registry.DialectOkta, "https://okta.example.com/oauth2/default")
	w.issuer("tenant", registry.DialectAuth0, "https://tenant.example.com")
	w.api("orders", "orders:read")
	for id, issuer := range map[string]string{"hello": "okta-default", "parcels": "tenant"} {
		_, _, err := w.CreateAPI(ctx, w.actor, registry.API{ID: id, Issuer: issuer, Identifier: "https://" + id + ".example.com", Scopes: map[string]registry.Scope{"read": {}, "write": {}}})
		w.ok(err)
	}
	for _, c := range []registry.Client{
		{ID: "own", Issuers: []string{"okta", "okta-default"}, Access: map[string][]string{"hello": {"read"}}},
		{ID: "ops", Issuers: []string{"okta"}, Access: map[string][]string{"okta-management": {"okta.apps.read"}}},
		{ID: "shared", Issuers: []string{"okta", "default"}, Access: map[string][]string{"hello": {"read"}, "orders": {"orders:read"}}},
		{ID: "foreign", Access: map[string][]string{"orders": {"orders:read"}}, Labels: map[string]string{"team": "finance"}, Name: "Foreign billing"},
		{ID: "tenant-client", Issuers: []string{"tenant"}, Access: map[string][]string{"parcels": {"read"}}},
	} {
		_, _, err := w.CreateClient(ctx, w.actor, CreateClient{Client: c})
		w.ok(err)
	}
	_, _, err := w.CreateOperator(ctx, w.actor, registry.Operator{ID: "ann", Name: "Ann", Role: registry.RoleAdmin})
	w.ok(err)
	_, _, err = w.CreateOperatorToken(ctx, w.actor, CreateOperatorToken{Token: registry.OperatorToken{ID: "ci", Role: registry.RoleOperator, Issuers: []string{"okta"}, SSWS: true}})
	w.ok(err)
	_, err = w.DeleteClient(ctx, w.actor, Target{ID: w.client("gone").Client.ID})
	w.ok(err)
}

// The actors of the organisation, and one of the whole server that is no admin.
func boundActors() map[string]Actor {
	within := []string{"okta", "okta-default"}
	return map[string]Actor{
		"a token of an operator": OfToken(&registry.OperatorToken{ID: "ci", Role: registry.RoleOperator}, "r", within),
		"a token of an admin":    OfToken(&registry.OperatorToken{ID: "ci", Role: registry.RoleAdmin}, "r", within),
		"a client that manages":  OfManagement("ops", "r", roles[registry.RoleAdmin], within),
	}
}

var plainOperator = Actor{Name: "bob", Via: "console", Role: registry.RoleOperator}

// changes reads members as a request brings them.
func changes[T any](w *world, id, doc string) Update[T] {
	w.Helper()
	n, err := ReadNamed[T]([]byte(doc))
	w.ok(err)
	return Update[T]{Target: Target{ID: id}, Change: n}
}

// attempt is an operation that must be refused.
type attempt struct {
	name string
	do   func(context.Context, *world, Actor) error
	code Code
	says string // in the error
}

// second is the error of an operation that also gives an object.
func second[V any](_ V, _ int64, err error) error { return err }

func third[V any](_ V, err error) error { return err }

func updateClient(id, doc string) func(context.Context, *world, Actor) error {
	return func(ctx context.Context, w *world, a Actor) error {
		return second(w.UpdateClient(ctx, a, changes[registry.Client](w, id, doc)))
	}
}

func createClient(c registry.Client) func(context.Context, *world, Actor) error {
	return func(ctx context.Context, w *world, a Actor) error {
		return second(w.CreateClient(ctx, a, CreateClient{Client: clone(c)}))
	}
}

func updateAPI(id, doc string) func(context.Context, *world, Actor) error {
	return func(ctx context.Context, w *world, a Actor) error {
		return second(w.UpdateAPI(ctx, a, changes[registry.API](w, id, doc)))
	}
}

func createAPI(api registry.API) func(context.Context, *world, Actor) error {
	return func(ctx context.Context, w *world, a Actor) error {
		return second(w.CreateAPI(ctx, a, clone(api)))
	}
}

func grant(client, api string, scopes ...string) func(context.Context, *world, Actor) error {
	return func(ctx context.Context, w *world, a Actor) error {
		return second(w.Grant(ctx, a, Target{ID: client}, Access{API: api, Scopes: scopes}))
	}
}

// refusedAll carries out each attempt, as each actor, and demands that nothing is
// written and that no name of somebody else's comes back.
func refusedAll(w *world, actors map[string]Actor, attempts []attempt, secretNames ...string) {
	w.Helper()
	head := w.head()
	for who, actor := range actors {
		for _, x := range attempts {
			name := fmt.Sprintf("%s: %s", who, x.name)
			err := x.do(w.Context(), w, actor)
			switch {
			case err == nil:
				w.Errorf("%s: it was done", name)
			case CodeOf(err) != x.code:
				w.Errorf("%s: %q, not %q: %v", name, CodeOf(err), x.code, err)
			case !strings.Contains(err.Error(), x.says) || !strings.Contains(err.Error(), "; "):
				w.Errorf("%s: says %q, without %q or a way out", name, err, x.says)
			}
			for _, secret := range secretNames {
				if err != nil && strings.Contains(err.Error(), secret) && !strings.Contains(x.name, secret) {
					w.Errorf("%s: the error tells of %s: %v", name, secret, err)
				}
			}
			if now := w.head(); now != head {
				w.Errorf("%s: something was written: %v", name, w.actions(head))
				head = now
			}
		}
	}
}

// Nobody hands on power that they do not hold: an operator of the whole server
// cannot come by administration, in whatever way it is dressed up.
func TestAnOperatorComesByNoAdministration(t *testing.T) {
	eachStore(t, func(w *world) {
		organisations(w)
		const hands = "client ops may administer this server"
		anyKey := NewKey{Text: testJWK(w)}
		refusedAll(w, map[string]Actor{"operator": plainOperator}, []attempt{
			{"access to the management API", grant("foreign", "okta-management", "okta.apps.manage"), Forbidden, "grants:admin"},
			{"access without scopes", grant("foreign", "okta-management"), Forbidden, "grants:admin"},
			{"access to admin", grant("foreign", "admin", "clients:write"), Forbidden, "grants:admin"},
			{"more of it", grant("ops", "okta-management", "okta.apps.manage"), Forbidden, "grants:admin"},
			{"in one update with other things", updateClient("foreign", `{"name":"x","access":{"orders":["orders:read"],"okta-management":["okta.apps.manage"]}}`), Forbidden, "grants:admin"},
			{"a new client with it", createClient(registry.Client{ID: "new", Access: map[string][]string{"okta-management": {"okta.apps.manage"}}}), Forbidden, "grants:admin"},
			{"a new client with access to what is not there", createClient(registry.Client{ID: "new", Access: map[string][]string{"later-management": nil}}), Forbidden, "grants:admin"},
			{"a secret of a client that administers", func(ctx context.Context, w *world, a Actor) error {
				return second(w.AddSecret(ctx, a, Target{ID: "ops"}, NewCredential{}))
			}, Forbidden, hands},
			{"another secret in the place of all", func(ctx context.Context, w *world, a Actor) error {
				return second(w.ReplaceSecrets(ctx, a, Target{ID: "ops"}, NewCredential{}))
			}, Forbidden, hands},
			{"members and credentials of it at once", func(ctx context.Context, w *world, a Actor) error {
				return second(w.EditClient(ctx, a, EditClient{Update: changes[registry.Client](w, "ops", `{"name":"x"}`), Keys: []NewKey{anyKey}}))
			}, Forbidden, hands},
			{"a key of it", func(ctx context.Context, w *world, a Actor) error {
				return second(w.AddKey(ctx, a, Target{ID: "ops"}, anyKey))
			}, Forbidden, hands},
			{"a certificate of it", func(ctx context.Context, w *world, a Actor) error {
				return second(w.AddCertificate(ctx, a, Target{ID: "ops"}, NewCertificate{registry.Certificate{SANDNS: "mine.example.com"}}))
			}, Forbidden, hands},
			{"its jwks_uri", updateClient("ops", `{"jwks_uri":"https://mine.example.com/jwks"}`), Forbidden, hands},
			{"its legacy_assertion", updateClient("ops", `{"legacy_assertion":{"until":"2026-06-01T00:00:00Z","audience":["token_endpoint"]}}`), Forbidden, hands},
			{"its issuers", updateClient("ops", `{"issuers":["okta","default"]}`), Forbidden, hands},
			{"its auth", updateClient("ops", `{"auth":["client_secret_post"]}`), Forbidden, hands},
			{"its bound", updateClient("ops", `{"bound":"dpop"}`), Forbidden, hands},
			{"its default API", updateClient("ops", `{"default_api":[]}`), Forbidden, hands},
			{"its claims", updateClient("ops", `{"claims":{"role":"root"}}`), Forbidden, hands},
			{"its owner", updateClient("ops", `{"owner":"bob"}`), Forbidden, hands},
			{"its labels", updateClient("ops", `{"labels":{"team":"mine"}}`), Forbidden, hands},
			{"its set", updateClient("ops", `{"managed_by":"main"}`), Forbidden, hands},
			{"its access to another API", grant("ops", "orders", "orders:read"), Forbidden, hands},
			{"less of its access, and a name", updateClient("ops", `{"access":{},"name":"x"}`), Forbidden, hands},
			{"taking its access", func(ctx context.Context, w *world, a Actor) error {
				return second(w.Ungrant(ctx, a, Target{ID: "ops"}, Access{API: "okta-management"}))
			}, Forbidden, hands},
			{"a credential of it", func(ctx context.Context, w *world, a Actor) error {
				return second(w.DenyCredential(ctx, a, "ops", "s1"))
			}, Forbidden, hands},
			{"an operator", func(ctx context.Context, w *world, a Actor) error {
				return second(w.CreateOperator(ctx, a, registry.Operator{ID: "bob", Role: registry.RoleAdmin}))
			}, Forbidden, "grants:admin"},
			{"the role of an operator", func(ctx context.Context, w *world, a Actor) error {
				return second(w.UpdateOperator(ctx, a, changes[registry.Operator](w, "ann", `{"role":"viewer"}`)))
			}, Forbidden, "grants:admin"},
			{"an operator away", func(ctx context.Context, w *world, a Actor) error {
				return third(w.DeleteOperator(ctx, a, Target{ID: "ann"}))
			}, Forbidden, "grants:admin"},
			{"an operator token", func(ctx context.Context, w *world, a Actor) error {
				return second(w.CreateOperatorToken(ctx, a, CreateOperatorToken{Token: registry.OperatorToken{ID: "mine", Role: registry.RoleViewer, Issuers: []string{"okta"}}}))
			}, Forbidden, "grants:admin"},
			{"the role of an operator token", func(ctx context.Context, w *world, a Actor) error {
				return second(w.UpdateOperatorToken(ctx, a, changes[registry.OperatorToken](w, "ci", `{"role":"admin"}`)))
			}, Forbidden, "grants:admin"},
			{"an operator token away", func(ctx context.Context, w *world, a Actor) error {
				return third(w.DeleteOperatorToken(ctx, a, Target{ID: "ci"}))
			}, Forbidden, "grants:admin"},
			{"an issuer", func(ctx context.Context, w *world, a Actor) error {
				return second(w.CreateIssuer(ctx, a, registry.Issuer{ID: "mine"}))
			}, Forbidden, "issuers:write"},
			{"the keys of an issuer", func(ctx context.Context, w *world, a Actor) error {
				return second(w.RotateKey(ctx, a, "default", ""))
			}, Forbidden, "keys:rotate"},
			{"the hashes of all secrets", func(ctx context.Context, w *world, a Actor) error {
				return third(w.Export(ctx, a, ""))
			}, Forbidden, "grants:admin"},
			{"the scopes of the management API", updateAPI("okta-management", `{"scopes":{}}`), Refused, "keeps the API"},
			{"an API in the way of the management API", createAPI(registry.API{ID: "okta-custom-management", Issuer: "okta-default", Identifier: "https://x.example"}), Invalid, "choose another id"},
			{"operators of a file", apply(State{Operators: []Named[registry.Operator]{{Object: registry.Operator{ID: "bob", Role: registry.RoleAdmin}, Fields: Fields{"role"}}}}), Forbidden, "grants:admin"},
			{"operator tokens of a file", apply(State{OperatorTokens: []Named[registry.OperatorToken]{{Object: registry.OperatorToken{ID: "ci", Role: registry.RoleAdmin}, Fields: Fields{"role"}}}}), Forbidden, "grants:admin"},
			{"access by a file", apply(State{Clients: []Named[registry.Client]{{Object: registry.Client{ID: "foreign", Access: map[string][]string{"okta-management": nil}}, Fields: Fields{"access"}}}}), Forbidden, "grants:admin"},
			{"a secret by a file", apply(State{Clients: []Named[registry.Client]{{Object: registry.Client{ID: "ops", Secrets: []registry.Secret{{ID: "s9", Hash: registry.HashGenerated("x")}}}, Fields: Fields{"secrets"}}}}), Forbidden, hands},
		})

		// It can be stopped, and stays so.
		ctx := w.Context()
		_, _, err := w.DenyTokens(ctx, plainOperator, "ops")
		w.ok(err)
		_, _, err = w.DisableClient(ctx, plainOperator, Target{ID: "ops"})
		w.ok(err)
		refusedAll(w, map[string]Actor{"operator": plainOperator}, []attempt{
			{"enabling it", func(ctx context.Context, w *world, a Actor) error {
				return second(w.EnableClient(ctx, a, Target{ID: "ops"}))
			}, Forbidden, hands},
		})
		_, _, err = w.DenyClient(ctx, plainOperator, "ops")
		w.ok(err)
		_, err = w.DeleteClient(ctx, plainOperator, Target{ID: "ops"})
		w.ok(err)
		// A new client under its id has nothing of it.
		made, _, err := w.CreateClient(ctx, plainOperator, CreateClient{Client: registry.Client{ID: "ops"}})
		w.ok(err)
		if len(made.Client.Access) != 0 || made.Cred == "s1" {
			t.Errorf("%+v", made.Client)
		}
	})
}

// What a prune deleted, its set may name again: with the power that it had only
// for who may give that.
func TestAFileOfAnOperatorBringsNoPowerBack(t *testing.T) {
	onSQLite(t, func(w *world) {
		organisations(w)
		ctx := w.Context()
		client := Named[registry.Client]{Object: registry.Client{ID: "robot", Issuers: []string{"okta"}, Access: map[string][]string{"okta-management": {"okta.apps.manage"}}}, Fields: Fields{"access", "issuers"}}
		file := ApplyRequest{Set: "main", Objects: State{Clients: []Named[registry.Client]{client}}, Prune: true}
		_, _, err := w.Apply(ctx, w.actor, file)
		w.ok(err)
		empty := ApplyRequest{Set: "main", Prune: true}
		_, _, err = w.Apply(ctx, plainOperator, empty) // disables it
		w.ok(err)
		again := file
		again.Objects.Clients = []Named[registry.Client]{{Object: registry.Client{ID: "robot"}}}
		_, _, err = w.Apply(ctx, plainOperator, again)
		w.refused(err, Forbidden, "client robot may administer")
		_, _, err = w.Apply(ctx, plainOperator, empty) // deletes it
		w.ok(err)
		_, _, err = w.Apply(ctx, plainOperator, again)
		w.refused(err, Forbidden, "okta-management", "grants:admin")
		_, _, err = w.Apply(ctx, w.actor, file)
		w.ok(err)
		if got := w.stored("robot"); got.State != registry.StateActive || len(got.Access) != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// A file does not let a client in elsewhere that somebody has made under the id
// which the file uses.
func TestAFileDoesNotAdoptAClientForOtherIssuers(t *testing.T) {
	onSQLite(t, func(w *world) {
		organisations(w)
		ctx := w.Context()
		_, _, err := w.CreateClient(ctx, boundActors()["a client that manages"], CreateClient{Client: registry.Client{ID: "billing", Issuers: []string{"okta"}}})
		w.ok(err)
		file := func(issuers ...string) ApplyRequest {
			return ApplyRequest{Set: "main", Objects: State{Clients: []Named[registry.Client]{{
				Object: registry.Client{ID: "billing", Issuers: issuers, Access: map[string][]string{"orders": {"orders:read"}}}, Fields: Fields{"access", "issuers"}}}}}
		}
		_, _, err = w.Apply(ctx, w.actor, file("default"))
		w.refused(err, Invalid, "issuers", "made by hand", "symbolon client update billing --issuer default")
		_, _, err = w.Apply(ctx, w.actor, file("okta", "default"))
		w.refused(err, Invalid, "issuers")
		_, _, err = w.UpdateClient(ctx, w.actor, changes[registry.Client](w, "billing", `{"issuers":["default","okta"]}`))
		w.ok(err)
		_, _, err = w.Apply(ctx, w.actor, file("default"))
		w.ok(err)
	})
}

func apply(s State) func(context.Context, *world, Actor) error {
	return func(ctx context.Context, w *world, a Actor) error {
		return second(w.Apply(ctx, a, ApplyRequest{Set: "main", Objects: s}))
	}
}

func testJWK(w *world) string {
	w.Helper()
	for _, k := range mustKeys(w) {
		stored, _, err := read[registry.Key](w.Context(), w.Admin, w.actor, registry.KindKey, k.ID)
		w.ok(err)
		return string(stored.Public)
	}
	return ""
}

func mustKeys(w *world) []Key {
	w.Helper()
	ks, err := w.Keys(w.Context(), w.actor, "")
	w.ok(err)
	return ks
}
