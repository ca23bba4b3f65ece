package admin

import (
	"context"
	"testing"

	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/registry"
)

// An actor of an organisation changes nothing of another's, in whatever way it
// names it, and learns nothing of it.
func TestAnOrganisationChangesNothingOfAnother(t *testing.T) {
	eachStore(t, func(w *world) {
		organisations(w)
		foreignKey := ""
		for _, k := range mustKeys(w) {
			if k.Issuer == "default" {
				foreignKey = k.ID
			}
		}
		target := func(f func(context.Context, *world, Actor, Target) error) []attempt {
			var out []attempt
			for _, id := range []string{"foreign", "shared", "tenant-client"} {
				out = append(out, attempt{id, func(ctx context.Context, w *world, a Actor) error { return f(ctx, w, a, Target{ID: id}) }, NotFound, "there is no client"})
			}
			return out
		}
		var attempts []attempt
		for what, f := range map[string]func(context.Context, *world, Actor, Target) error{
			"disable": func(ctx context.Context, w *world, a Actor, t Target) error {
				return second(w.DisableClient(ctx, a, t))
			},
			"enable": func(ctx context.Context, w *world, a Actor, t Target) error { return second(w.EnableClient(ctx, a, t)) },
			"delete": func(ctx context.Context, w *world, a Actor, t Target) error { return third(w.DeleteClient(ctx, a, t)) },
			"delete a version": func(ctx context.Context, w *world, a Actor, t Target) error {
				return third(w.DeleteClient(ctx, a, Target{ID: t.ID, Version: 99}))
			},
			"rename": func(ctx context.Context, w *world, a Actor, t Target) error {
				return updateClient(t.ID, `{"name":"x"}`)(ctx, w, a)
			},
			"take over": func(ctx context.Context, w *world, a Actor, t Target) error {
				return updateClient(t.ID, `{"issuers":["okta"]}`)(ctx, w, a)
			},
			"secret": func(ctx context.Context, w *world, a Actor, t Target) error {
				return second(w.AddSecret(ctx, a, t, NewCredential{}))
			},
			"new secret": func(ctx context.Context, w *world, a Actor, t Target) error {
				return second(w.ReplaceSecrets(ctx, a, t, NewCredential{}))
			},
			"revoke": func(ctx context.Context, w *world, a Actor, t Target) error {
				return second(w.RevokeCredential(ctx, a, t, CredentialSecret, "s1"))
			},
			"remove": func(ctx context.Context, w *world, a Actor, t Target) error {
				return second(w.RemoveCredential(ctx, a, t, CredentialSecret, "s1"))
			},
			"grant": func(ctx context.Context, w *world, a Actor, t Target) error {
				return grant(t.ID, "hello", "read")(ctx, w, a)
			},
			"regrant": func(ctx context.Context, w *world, a Actor, t Target) error {
				return second(w.Regrant(ctx, a, t, Access{API: "hello"}))
			},
			"ungrant": func(ctx context.Context, w *world, a Actor, t Target) error {
				return second(w.Ungrant(ctx, a, t, Access{API: "hello"}))
			},
			"deny": func(ctx context.Context, w *world, a Actor, t Target) error {
				return second(w.DenyClient(ctx, a, t.ID))
			},
			"deny tokens": func(ctx context.Context, w *world, a Actor, t Target) error {
				return second(w.DenyTokens(ctx, a, t.ID))
			},
			"deny credential": func(ctx context.Context, w *world, a Actor, t Target) error {
				return second(w.DenyCredential(ctx, a, t.ID, "s1"))
			},
			"show": func(ctx context.Context, w *world, a Actor, t Target) error { return third(w.Client(ctx, a, t.ID)) },
			"ask what": func(ctx context.Context, w *world, a Actor, t Target) error {
				return third(w.HasSecret(ctx, a, t.ID, NewSecret("x")))
			},
		} {
			for _, x := range target(f) {
				x.name = what + " " + x.name
				attempts = append(attempts, x)
			}
		}
		own := func(issuers ...string) registry.Client { return registry.Client{ID: "new", Issuers: issuers} }
		attempts = append(attempts, []attempt{
			{"a client of the default issuer", createClient(own()), Invalid, `client "new": issuers: missing`},
			{"a client of the issuer default", createClient(own("default")), Invalid, "there is no issuer default"},
			{"a client shared with default", createClient(own("okta", "default")), Invalid, "issuers.default: there is no issuer default; name of these: okta, okta-default"},
			{"a client shared with tenant", createClient(own("okta", "tenant")), Invalid, "there is no issuer tenant"},
			{"a client that takes over foreign", createClient(registry.Client{ID: "foreign", Issuers: []string{"okta"}}), Exists, ""},
			{"a client under the id of gone, which is deleted", createClient(registry.Client{ID: "gone", Issuers: []string{"okta"}}), Exists, "choose another id"},
			{"its client at default, too", updateClient("own", `{"issuers":["okta","default"]}`), Invalid, "there is no issuer default"},
			{"its client without issuers", updateClient("own", `{"issuers":[]}`), Invalid, `issuers: missing`},
			{"access to orders", grant("own", "orders", "orders:read"), Invalid, "access.orders: there is no API orders; create it first, or correct the id"},
			{"access to what is not there", grant("own", "nothing", "x"), Invalid, "access.nothing: there is no API nothing; create it first, or correct the id"},
			{"access to parcels, as a default", updateClient("own", `{"access":{"parcels":["read"]},"default_api":["parcels"]}`), Invalid, "there is no API parcels"},
			{"a client with access to orders", createClient(registry.Client{ID: "new", Issuers: []string{"okta"}, Access: map[string][]string{"orders": nil}}), Invalid, "there is no API orders"},
			{"access to management", grant("own", "okta-management", "okta.apps.manage"), Forbidden, "grants:admin"},
			{"access to tenant-management", grant("own", "tenant-management", "read:clients"), Forbidden, "grants:admin"},
			{"a client with access to management", createClient(registry.Client{ID: "new", Issuers: []string{"okta"}, Access: map[string][]string{"okta-management": nil}}), Forbidden, "grants:admin"},
			{"a secret of who administers", func(ctx context.Context, w *world, a Actor) error {
				return second(w.AddSecret(ctx, a, Target{ID: "ops"}, NewCredential{}))
			}, Forbidden, "may administer"},
			{"more issuers for who administers", updateClient("ops", `{"issuers":["okta","okta-default"]}`), Forbidden, "may administer"},
			{"its client in a set", updateClient("own", `{"managed_by":"main"}`), Invalid, "managed_by"},

			{"orders shown", func(ctx context.Context, w *world, a Actor) error { return third(w.API(ctx, a, "orders")) }, NotFound, ""},
			{"parcels changed", updateAPI("parcels", `{"name":"x"}`), NotFound, "there is no API"},
			{"tenant-management changed", updateAPI("tenant-management", `{"name":"x"}`), NotFound, ""},
			{"parcels deleted", func(ctx context.Context, w *world, a Actor) error {
				return third(w.DeleteAPI(ctx, a, Target{ID: "parcels"}))
			}, NotFound, ""},
			{"an API of default", createAPI(registry.API{ID: "new", Identifier: "https://new.example.com"}), Invalid, "issuer: there is no issuer default"},
			{"an API of tenant", createAPI(registry.API{ID: "new", Issuer: "tenant", Identifier: "https://new.example.com"}), Invalid, "issuer: there is no issuer tenant"},
			{"an API that takes over orders", createAPI(registry.API{ID: "orders", Issuer: "okta", Identifier: "https://new.example.com"}), Exists, ""},
			{"an API that is an administration", createAPI(registry.API{ID: "new-management", Issuer: "okta", Identifier: "https://new.example.com"}), Invalid, "choose another id"},
			{"an API in the place of its administration", createAPI(registry.API{ID: "new", Issuer: "okta", Identifier: "https://okta.example.com/"}), Invalid, "identifier"},
			{"foreign asks about its tokens", updateAPI("hello", `{"resource_servers":["foreign"]}`), Invalid, `resource_servers.foreign: there is no client "foreign"; create it first, or correct the id`},
			{"shared asks about its tokens", updateAPI("hello", `{"resource_servers":["own","shared"]}`), Invalid, `there is no client "shared"`},
			{"nobody asks about its tokens", updateAPI("hello", `{"resource_servers":["nobody"]}`), Invalid, `resource_servers.nobody: there is no client "nobody"; create it first, or correct the id`},
			{"a new API that foreign asks about", createAPI(registry.API{ID: "new", Issuer: "okta", Identifier: "https://new.example.com", ResourceServers: []string{"foreign"}}), Invalid, `there is no client "foreign"`},
			{"its own administration changed", updateAPI("okta-management", `{"scopes":{}}`), Refused, "keeps the API"},
			{"its API in a set", updateAPI("hello", `{"managed_by":"main"}`), Invalid, "managed_by"},

			// Others have access to hello: what follows would change them.
			{"its API deleted", func(ctx context.Context, w *world, a Actor) error {
				return third(w.DeleteAPI(ctx, a, Target{ID: "hello"}))
			}, Forbidden, "objects of other issuers"},
			{"a scope of its API taken", updateAPI("hello", `{"scopes":{"write":{}}}`), Forbidden, "objects of other issuers"},
			{"its API with another name", updateAPI("hello", `{"identifier":"https://other.example.com"}`), Refused, "and 1 of other issuers"},

			{"an issuer", func(ctx context.Context, w *world, a Actor) error {
				return second(w.CreateIssuer(ctx, a, registry.Issuer{ID: "okta-two", Dialect: "okta", URL: "https://okta.example.com/oauth2/two"}))
			}, Forbidden, "issuers:write"},
			{"its issuer moved", func(ctx context.Context, w *world, a Actor) error {
				return second(w.UpdateIssuer(ctx, a, changes[registry.Issuer](w, "okta", `{"url":"https://tenant.example.com"}`)))
			}, Forbidden, "issuers:write"},
			{"its issuer deleted", func(ctx context.Context, w *world, a Actor) error {
				return third(w.DeleteIssuer(ctx, a, Target{ID: "okta-default"}))
			}, Forbidden, "issuers:write"},
			{"tenant shown", func(ctx context.Context, w *world, a Actor) error { return third(w.Issuer(ctx, a, "tenant")) }, NotFound, ""},
			{"an operator", func(ctx context.Context, w *world, a Actor) error {
				return second(w.CreateOperator(ctx, a, registry.Operator{ID: "eve", Role: registry.RoleAdmin}))
			}, Forbidden, "grants:admin"},
			{"a token", func(ctx context.Context, w *world, a Actor) error {
				return second(w.CreateOperatorToken(ctx, a, CreateOperatorToken{Token: registry.OperatorToken{Role: registry.RoleViewer, Issuers: []string{"okta"}}}))
			}, Forbidden, "grants:admin"},
			{"its own token", func(ctx context.Context, w *world, a Actor) error { return third(w.OperatorToken(ctx, a, "ci")) }, NotFound, ""},
			{"a token for more issuers", func(ctx context.Context, w *world, a Actor) error {
				return second(w.UpdateOperatorToken(ctx, a, changes[registry.OperatorToken](w, "ci", `{"issuers":["okta","default"]}`)))
			}, Forbidden, "grants:admin"},
			{"a file", apply(State{}), Forbidden, "for the whole server"},
			{"an export", func(ctx context.Context, w *world, a Actor) error { return third(w.Export(ctx, a, "")) }, Forbidden, ""},
			{"the evidence", func(ctx context.Context, w *world, a Actor) error { return third(w.Changes(ctx, a, ChangeQuery{})) }, Forbidden, "audit:read"},
			{"the requests", func(ctx context.Context, w *world, a Actor) error { return third(w.Requests(ctx, a, audit.Query{})) }, Forbidden, "audit:read"},
			{"an explanation", func(ctx context.Context, w *world, a Actor) error { return third(w.Explain(ctx, a, "abc")) }, Forbidden, "audit:read"},
			{"a verification", func(ctx context.Context, w *world, a Actor) error { return third(w.Verify(ctx, a)) }, Forbidden, "audit:read"},
			{"the usage of foreign", func(ctx context.Context, w *world, a Actor) error {
				return third(w.Usage(ctx, a, UsageQuery{Client: "foreign"}))
			}, Forbidden, "audit:read"},
			{"a token id of default", func(ctx context.Context, w *world, a Actor) error { return second(w.DenyJTI(ctx, a, "default", "abc")) }, NotFound, ""},
			{"a token id of the default issuer", func(ctx context.Context, w *world, a Actor) error { return second(w.DenyJTI(ctx, a, "", "abc")) }, NotFound, ""},
		}...)
		refusedAll(w, boundActors(), attempts, "foreign", "shared", "tenant", "orders", "parcels")

		keysOf := map[string]Actor{"a token of an admin": boundActors()["a token of an admin"]}
		refusedAll(w, keysOf, []attempt{
			{"keys of default", func(ctx context.Context, w *world, a Actor) error { return second(w.RotateKey(ctx, a, "default", "")) }, NotFound, ""},
			{"a key of default revoked", func(ctx context.Context, w *world, a Actor) error { return second(w.RevokeKey(ctx, a, foreignKey)) }, NotFound, ""},
			{"a key of default denied", func(ctx context.Context, w *world, a Actor) error { return second(w.DenyKID(ctx, a, foreignKey)) }, NotFound, ""},
		})
		_, _, err := w.RotateKey(w.Context(), keysOf["a token of an admin"], "okta-default", "")
		w.ok(err)
	})
}
