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
