package admin

import (
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
)

// serving are the clients that may ask about tokens of an API.
func (w *world) serving(api string) string {
	w.Helper()
	a, err := w.API(w.Context(), w.actor, api)
	w.ok(err)
	return strings.Join(a.ResourceServers, " ")
}

// patchAPI updates an API.
func (w *world) patchAPI(id, doc string) error {
	w.Helper()
	n, err := ReadNamed[registry.API]([]byte(doc))
	w.ok(err)
	_, _, err = w.UpdateAPI(w.Context(), w.actor, Update[registry.API]{Target: Target{ID: id}, Change: n})
	return err
}

func TestResourceServers(t *testing.T) {
	eachStore(t, func(w *world) {
		w.client("orders-api")
		w.client("stock-api")
		_, _, err := w.CreateAPI(w.Context(), w.actor, registry.API{ID: "orders", Identifier: "https://orders.example.com",
			Token: registry.APIToken{Format: registry.FormatOpaque}, ResourceServers: []string{"orders-api", "stock-api"}})
		w.ok(err)
		w.api("stock")
		w.ok(w.patchAPI("stock", `{"resource_servers":["stock-api"]}`))
		a, err := w.API(w.Context(), w.actor, "orders")
		w.ok(err)
		if a.Token.Format != "opaque" || a.Token.Algorithm != "" || a.Token.Typ != "" {
			t.Errorf("shown as %+v", a.Token)
		}
		w.refused(w.patchAPI("stock", `{"resource_servers":["stock-api","nobody"]}`), Invalid, "resource_servers.nobody", "create it first")
		w.refused(w.patchAPI("orders", `{"token":{"algorithm":"ES256"}}`), Invalid, "token.algorithm", "sealed")

		// Who gets the id of a deleted client later has not its rights.
		before := w.head()
		_, err = w.DeleteClient(w.Context(), w.actor, Target{ID: "stock-api"})
		w.ok(err)
		if w.head() != before+1 || w.serving("orders") != "orders-api" || w.serving("stock") != "" {
			t.Errorf("%d commits; orders: %q, stock: %q", w.head()-before, w.serving("orders"), w.serving("stock"))
		}
		if got := w.actions(before); !slices.Contains(got, "api.update stock") || !slices.Contains(got, "api.update orders") {
			t.Errorf("recorded %v", got)
		}
		w.client("stock-api")
		if w.serving("stock") != "" {
			t.Error("a new client of that id serves the API")
		}

		// It has to be able to ask.
		_, _, err = w.CreateIssuer(w.Context(), w.actor, registry.Issuer{ID: "partners"})
		w.ok(err)
		_, _, err = w.CreateAPI(w.Context(), w.actor, registry.API{ID: "deals", Issuer: "partners", Identifier: "https://deals.example.com", ResourceServers: []string{"orders-api"}})
		w.refused(err, Invalid, "orders-api does not authenticate at issuer partners", "add the issuer")
	})
}

func TestResourceServersOfAFile(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.client("byhand")
		all := `api {"id":"orders","identifier":"https://orders.example.com","token":{"format":"opaque"},"resource_servers":["orders-api"]}
			api {"id":"stock","identifier":"https://stock.example.com","resource_servers":["byhand"]}
			client {"id":"orders-api"}`
		w.wants(w.apply(file(t, all)), "create api orders", "create api stock", "create client orders-api")
		if plan := w.apply(file(t, all)); plan.Changes() != 0 {
			t.Errorf("again: %+v", plan)
		}
		_, _, err := w.Apply(w.Context(), w.actor, file(t, `api {"id":"stock","resource_servers":["nobody"]}`))
		w.refused(err, Invalid, `api "stock": resource_servers.nobody: there is no client "nobody"`)

		// A prune in two steps: at the second the file that names the client still
		// is told so, and one that does not lets the client go.
		prune := func(doc string) (Plan, error) {
			req := file(t, doc)
			req.Prune = true
			plan, _, err := w.Apply(w.Context(), w.actor, req)
			return plan, err
		}
		kept := `api {"id":"orders","resource_servers":["orders-api"]}
			api {"id":"stock"}`
		_, err = prune(kept)
		w.ok(err)
		_, err = prune(kept)
		w.refused(err, Invalid, `there is no client "orders-api"`)
		plan, err := prune(`api {"id":"stock"}`)
		w.ok(err)
		w.wants(plan, "change api orders", "delete client orders-api")
		if w.serving("orders") != "" || w.serving("stock") != "byhand" {
			t.Errorf("orders: %q, stock: %q", w.serving("orders"), w.serving("stock"))
		}
	})
}

// TestAnAPIComesBackWithoutThoseWhoAreGone: what a prune deleted is restored as it
// was, but for clients that are there no more.
func TestAnAPIComesBackWithoutThoseWhoAreGone(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.client("stays")
		w.client("goes")
		orders := `api {"id":"orders","identifier":"https://orders.example.com","resource_servers":["goes","stays"]}`
		w.apply(file(t, orders))
		for range 2 {
			w.apply(ApplyRequest{Set: "main", Prune: true})
		}
		_, err := w.DeleteClient(w.Context(), w.actor, Target{ID: "goes"})
		w.ok(err)
		w.apply(file(t, `api {"id":"orders"}`))
		if w.serving("orders") != "stays" {
			t.Errorf("it came back with %q", w.serving("orders"))
		}
	})
}

func TestResourceServersAreExported(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.client("orders-api")
		w.api("orders")
		w.api("stock")
		state, err := w.Export(w.Context(), w.actor, "")
		w.ok(err)
		if state.APIs[0].Fields.Has("resource_servers") || state.APIs[1].Fields.Has("resource_servers") {
			t.Errorf("exported though there are none: %+v", state.APIs)
		}
		w.ok(w.patchAPI("orders", `{"token":{"format":"opaque"},"resource_servers":["orders-api"]}`))
		state, err = w.Export(w.Context(), w.actor, "")
		w.ok(err)
		if !state.APIs[0].Fields.Has("resource_servers") || !state.APIs[1].Fields.Has("resource_servers") {
			t.Errorf("not exported of all: %+v", state.APIs)
		}
		onSQLite(t, func(other *world) {
			other.apply(ApplyRequest{Set: "main", Objects: state})
			if other.serving("orders") != "orders-api" || other.serving("stock") != "" {
				t.Errorf("elsewhere orders: %q, stock: %q", other.serving("orders"), other.serving("stock"))
			}
		})
	})
}
