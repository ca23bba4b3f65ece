package admin

import (
	"slices"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
)

// TestReplaceSecrets: one new secret in the place of all, while keys stay; the
// old ids are spent, and tokens obtained with them are not denied.
func TestReplaceSecrets(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx, billing := w.Context(), Target{ID: "billing"}
		w.client("billing")
		w.keys("billing")
		_, _, err := w.AddSecret(ctx, w.actor, billing, NewCredential{})
		w.ok(err)
		before, err := w.Client(ctx, w.actor, "billing")
		w.ok(err)
		added, _, err := w.ReplaceSecrets(ctx, w.actor, billing, NewCredential{})
		w.ok(err)
		after, err := w.Client(ctx, w.actor, "billing")
		w.ok(err)
		if len(before.Secrets) < 2 || len(after.Secrets) != 1 || after.Secrets[0].ID != added.Secret.ID || len(after.Keys) != len(before.Keys) {
			t.Fatalf("before %v, after %v, added %v", before.Secrets, after.Secrets, added.Secret)
		}
		if !registry.IsGenerated(added.Value.Reveal()) {
			t.Error("the value is not one that the server made")
		}
		if got := w.denialIDs(); len(got) != 0 {
			t.Errorf("the denials are %v", got)
		}
		_, _, err = w.ReplaceSecrets(ctx, Actor{Name: "nobody"}, billing, NewCredential{})
		if CodeOf(err) != Forbidden {
			t.Errorf("by nobody: %v", err)
		}
	})
}

// TestRegrant: the scopes are those named and no others; access is not given.
func TestRegrant(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx, billing := w.Context(), Target{ID: "billing"}
		w.api("orders", "orders:read", "orders:write")
		w.client("billing")
		if _, _, err := w.Regrant(ctx, w.actor, billing, Access{API: "orders", Scopes: []string{"orders:read"}}); CodeOf(err) != Refused {
			t.Errorf("without access: %v", err)
		}
		_, _, err := w.Grant(ctx, w.actor, billing, Access{API: "orders", Scopes: []string{"orders:read"}})
		w.ok(err)
		shown, _, err := w.Regrant(ctx, w.actor, billing, Access{API: "orders", Scopes: []string{"orders:write", "orders:write"}})
		w.ok(err)
		if got := shown.Access["orders"]; !slices.Equal(got, []string{"orders:write"}) {
			t.Errorf("the scopes are %v", got)
		}
		if got := w.denialIDs(); len(got) != 1 {
			t.Errorf("a scope went, and the denials are %v", got)
		}
		if _, _, err := w.Regrant(ctx, w.actor, billing, Access{API: "orders", Scopes: []string{"orders:none"}}); CodeOf(err) != Invalid {
			t.Errorf("a scope that is none: %v", err)
		}
	})
}

// TestEditClient: members and credentials change together, or nothing does.
func TestEditClient(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx := w.Context()
		w.client("billing")
		w.keys("billing")
		before, err := w.Client(ctx, w.actor, "billing")
		w.ok(err)
		req := EditClient{Update: changes[registry.Client](w, "billing", `{"name":"Keys alone","auth":["client_secret_post"]}`),
			Secret: &NewCredential{}, RemoveKeys: []string{before.Keys[0].ID}}
		head := w.head()
		for name, change := range map[string]func(*EditClient){
			"a key that is none":  func(r *EditClient) { r.Keys = []NewKey{{Text: "{}"}} },
			"a key that it lacks": func(r *EditClient) { r.RemoveKeys = []string{before.Keys[0].ID, "k99"} },
			"a key twice":         func(r *EditClient) { r.RemoveKeys = []string{before.Keys[0].ID, before.Keys[0].ID} },
			"its own key again":   func(r *EditClient) { r.Keys, r.RemoveKeys = []NewKey{{Text: string(before.Keys[0].JWK)}}, nil },
			"a method without a credential": func(r *EditClient) {
				r.Update = changes[registry.Client](w, "billing", `{"auth":["self_signed_tls_client_auth"]}`)
			},
			"a member that is not to be changed": func(r *EditClient) { r.Update = changes[registry.Client](w, "billing", `{"state":"disabled"}`) },
			"another version":                    func(r *EditClient) { r.Update.Version = before.Version + 1 },
			"a client that is not there":         func(r *EditClient) { r.Update.ID = "nobody" },
		} {
			bad := req
			change(&bad)
			if _, _, err := w.EditClient(ctx, w.actor, bad); CodeOf(err) == "" || w.head() != head {
				t.Errorf("%s: %v, at %d, before %d", name, err, w.head(), head)
			}
		}
		if _, _, err := w.EditClient(ctx, Actor{Name: "nobody"}, req); CodeOf(err) != Forbidden {
			t.Errorf("by nobody: %v", err)
		}
		edited, seq, err := w.EditClient(ctx, w.actor, req)
		w.ok(err)
		got := edited.Client
		if seq != head+1 || got.Version != before.Version+1 || got.Name != "Keys alone" || len(got.Secrets) != len(before.Secrets)+1 || len(got.Keys) != len(before.Keys)-1 {
			t.Errorf("at %d, before %d: %+v", seq, head, got)
		}
		if !registry.IsGenerated(edited.Secret.Reveal()) || req.Secret.Value.Reveal() != "" {
			t.Error("the secret is not in the answer alone")
		}
		if ids := w.denialIDs(); len(ids) != 0 {
			t.Errorf("the denials are %v", ids)
		}
		if actions := w.actions(head); !slices.Equal(actions, []string{"client.update billing"}) {
			t.Errorf("recorded are %v", actions)
		}
	})
}
