package admin

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
)

// TestWhatDenies is the table of operations and the denials that they write:
// no more and no fewer.
func TestWhatDenies(t *testing.T) {
	ctx := context.Background()
	billing := Target{ID: "billing"}
	const (
		client     = "client:billing"
		atOrders   = "client_api:billing:orders:https://orders.example.com"
		otherThere = "client_api:other:orders:https://orders.example.com"
	)
	removeScope := func(w *world) error {
		n, err := ReadNamed[registry.API]([]byte(`{"scopes":{"read":{}}}`))
		w.ok(err)
		_, _, err = w.UpdateAPI(ctx, w.actor, Update[registry.API]{Target: Target{ID: "orders"}, Change: n})
		return err
	}
	patch := func(w *world, doc string) error {
		n, err := ReadNamed[registry.Client]([]byte(doc))
		w.ok(err)
		_, _, err = w.UpdateClient(ctx, w.actor, Update[registry.Client]{Target: billing, Change: n})
		return err
	}
	for _, c := range []struct {
		name string
		do   func(w *world) error
		want []string
	}{
		{"disable a client", func(w *world) error { _, _, err := w.DisableClient(ctx, w.actor, billing); return err }, []string{client}},
		{"delete a client", func(w *world) error { _, err := w.DeleteClient(ctx, w.actor, billing); return err }, []string{client}},
		{"enable a client", func(w *world) error { _, _, err := w.EnableClient(ctx, w.actor, billing); return err }, nil},
		{"remove access to an API", func(w *world) error {
			_, _, err := w.Ungrant(ctx, w.actor, billing, Access{API: "orders"})
			return err
		}, []string{atOrders}},
		{"remove a scope of the access", func(w *world) error {
			_, _, err := w.Ungrant(ctx, w.actor, billing, Access{API: "orders", Scopes: []string{"write"}})
			return err
		}, []string{atOrders}},
		{"give access", func(w *world) error {
			_, _, err := w.Grant(ctx, w.actor, billing, Access{API: "stock", Scopes: []string{"see"}})
			return err
		}, nil},
		{"set less access", func(w *world) error { return patch(w, `{"access":{"orders":["read"]}}`) }, []string{atOrders}},
		{"set more access", func(w *world) error { return patch(w, `{"access":{"orders":["read","write"],"stock":["see"]}}`) }, nil},
		{"change what is no access", func(w *world) error { return patch(w, `{"name":"Other","labels":{"a":"b"}}`) }, nil},
		{"remove a scope of an API", removeScope, []string{atOrders}},
		{"delete an API", func(w *world) error { _, err := w.DeleteAPI(ctx, w.actor, Target{ID: "orders"}); return err }, []string{atOrders, otherThere}},
		{"add a secret", func(w *world) error { _, _, err := w.AddSecret(ctx, w.actor, billing, NewCredential{}); return err }, nil},
		{"remove a secret", func(w *world) error {
			_, _, err := w.RemoveCredential(ctx, w.actor, billing, CredentialSecret, "s1")
			return err
		}, nil},
		{"revoke a secret", func(w *world) error {
			_, _, err := w.RevokeCredential(ctx, w.actor, billing, CredentialSecret, "s1")
			return err
		}, []string{"credential:billing:s1"}},
		{"add a key", func(w *world) error {
			_, _, err := w.AddKey(ctx, w.actor, billing, NewKey{Text: secondJWK})
			return err
		}, nil},
		{"remove a key", func(w *world) error {
			_, _, err := w.RemoveCredential(ctx, w.actor, billing, CredentialKey, "k1")
			return err
		}, nil},
		{"revoke a key", func(w *world) error {
			_, _, err := w.RevokeCredential(ctx, w.actor, billing, CredentialKey, "k1")
			return err
		}, []string{"credential:billing:k1"}},
		{"change a jwks_uri", func(w *world) error { return patch(w, `{"jwks_uri":"https://other.example.com/jwks"}`) }, nil},
		{"revoke a jwks_uri", func(w *world) error {
			_, _, err := w.RevokeCredential(ctx, w.actor, billing, CredentialKey, uriID)
			return err
		}, []string{"credential:billing:" + uriID}},
		{"revoke a certificate", func(w *world) error {
			_, _, err := w.RevokeCredential(ctx, w.actor, billing, CredentialCertificate, "c1")
			return err
		}, []string{"credential:billing:c1"}},
		{"deny a key", func(w *world) error { _, _, err := w.DenyCredential(ctx, w.actor, "billing", "k1"); return err }, []string{"credential:billing:k1"}},
		{"deny a client", func(w *world) error { _, _, err := w.DenyClient(ctx, w.actor, "billing"); return err }, []string{client}},
		{"deny the tokens of a client", func(w *world) error { _, _, err := w.DenyTokens(ctx, w.actor, "billing"); return err }, []string{client}},
		{"deny a credential", func(w *world) error {
			_, _, err := w.DenyCredential(ctx, w.actor, "billing", "s1")
			return err
		}, []string{"credential:billing:s1"}},
		{"deny a token", func(w *world) error { _, _, err := w.DenyJTI(ctx, w.actor, "", "abc:def"); return err }, []string{"jti:default:abc:def"}},
		{"rotate a key", func(w *world) error { _, _, err := w.RotateKey(ctx, w.actor, "default", ""); return err }, nil},
		{"delete an operator", func(w *world) error { _, err := w.DeleteOperator(ctx, w.actor, Target{ID: "ann"}); return err }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			onSQLite(t, func(w *world) {
				w.api("orders", "read", "write")
				w.api("stock", "see")
				w.client("billing", "orders read write")
				w.client("other", "orders read")
				w.keys("billing")
				_, _, err := w.CreateOperator(ctx, w.actor, registry.Operator{ID: "ann", Role: registry.RoleViewer})
				w.ok(err)
				before := w.head()
				w.ok(c.do(w))
				if got := w.denialIDs(); !slices.Equal(got, c.want) && len(got)+len(c.want) > 0 {
					t.Errorf("denials %v, want %v", got, c.want)
				}
				for id, n := range w.denials() {
					positional := len(id) > 7 && id[:6] == "client"
					if want := w.gen(w.head()); positional && n != want || !positional && n != 0 {
						t.Errorf("%s has n %d, the commit is %d", id, n, want)
					}
				}
				if w.head() > before+1 {
					t.Errorf("the change took %d commits", w.head()-before)
				}
			})
		})
	}
}

func TestKeyRevocationDenies(t *testing.T) {
	eachStore(t, func(w *world) {
		w.api("orders", "read")
		active := w.key(keys.StateActive)
		k, seq, err := w.RevokeKey(w.Context(), w.actor, active.ID)
		w.ok(err)
		if k.State != keys.StateRevoked || seq != w.head() {
			t.Errorf("state %s, commit %d of %d", k.State, seq, w.head())
		}
		if got, want := w.denialIDs(), []string{"kid:default:" + active.ID}; !slices.Equal(got, want) {
			t.Errorf("denials %v, want %v", got, want)
		}
		if next := w.key(keys.StateActive); next.ID == active.ID {
			t.Error("the revoked key is still active")
		}
		w.key(keys.StateNext)
		stored, _, err := read[registry.Key](w.Context(), w.Admin, w.actor, registry.KindKey, active.ID)
		w.ok(err)
		if stored.Private != "" {
			t.Error("the private half of a revoked key is still there")
		}
		// Again, after the denial was forgotten: the answer is a denial all the same.
		_, _, err = w.DenyKID(w.Context(), w.actor, active.ID)
		w.ok(err)
		_, _, err = w.DenyKID(w.Context(), w.actor, "nosuchkey")
		w.refused(err, NotFound, "nosuchkey", "symbolon key list")
	})
}

// key is the one ES256 key of the default issuer in that state.
func (w *world) key(state string) Key {
	w.Helper()
	ks, err := w.Keys(w.Context(), w.actor, registry.DefaultIssuer)
	w.ok(err)
	var found []Key
	for _, k := range ks {
		if k.State == state && k.Algorithm == "ES256" {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		w.Fatalf("%d keys are %s, want 1: %+v", len(found), state, ks)
	}
	return found[0]
}

func TestEnablingNeverLowersN(t *testing.T) {
	eachStore(t, func(w *world) {
		w.client("billing")
		ctx, target := w.Context(), Target{ID: "billing"}
		_, first, err := w.DisableClient(ctx, w.actor, target)
		w.ok(err)
		_, _, err = w.EnableClient(ctx, w.actor, target)
		w.ok(err)
		if got := w.denials()["client:billing"]; got != w.gen(first) {
			t.Errorf("n is %d after enabling, it was %d", got, w.gen(first))
		}
		_, _, err = w.DisableClient(ctx, w.actor, target)
		w.ok(err)
		_, again, err := w.DisableClient(ctx, w.actor, target)
		w.ok(err)
		n := w.denials()["client:billing"]
		if n <= w.gen(first) {
			t.Errorf("n did not rise: %d", n)
		}
		// deny does not take "disabled already" for an answer: somebody may have
		// issued meanwhile.
		d, seq, err := w.DenyClient(ctx, w.actor, "billing")
		w.ok(err)
		if d.N != w.gen(seq) || seq <= again || d.Commit != seq {
			t.Errorf("deny answers n %d and commit %d at commit %d", d.N, d.Commit, seq)
		}
		if got := w.stored("billing"); got.State != registry.StateDisabled || got.StateBy != "uid:1000" {
			t.Errorf("state %s by %q", got.State, got.StateBy)
		}
	})
}

func TestDenialsExpire(t *testing.T) {
	eachStore(t, func(w *world) {
		w.client("billing")
		_, _, err := w.DenyClient(w.Context(), w.actor, "billing")
		w.ok(err)
		// A token from just before may have been issued with the longest lifetime
		// that any setting allows, by a node that was max_stale behind.
		keep := 24*time.Hour + w.MaxStale + 5*time.Minute
		w.clock.advance(keep - time.Second)
		_, err = w.RunSchedule(w.Context())
		w.ok(err)
		if len(w.denials()) != 1 {
			t.Fatal("the denial went too early")
		}
		w.clock.advance(2 * time.Second)
		_, err = w.RunSchedule(w.Context())
		w.ok(err)
		if got := w.denials(); len(got) != 0 {
			t.Errorf("left: %v", got)
		}
	})
}

func TestADenialIsRecordedWithItsCause(t *testing.T) {
	eachStore(t, func(w *world) {
		w.client("billing")
		before := w.head()
		_, _, err := w.DenyClient(w.Context(), w.actor, "billing")
		w.ok(err)
		_, _, err = w.DenyClient(w.Context(), w.actor, "billing")
		w.ok(err)
		_, _, err = w.DenyJTI(w.Context(), w.actor, "", "t1")
		w.ok(err)
		want := []string{"client.deny billing", "client.deny billing", "denial.create jti:default:t1"}
		if got := w.actions(before); !slices.Equal(got, want) {
			t.Errorf("recorded %v, want %v", got, want)
		}
		changes, err := w.Changes(w.Context(), w.actor, ChangeQuery{Object: "billing", Action: "client.deny"})
		w.ok(err)
		for _, c := range changes {
			if len(c.Denials) != 1 || c.Denials[0].ID != "client:billing" || c.Denials[0].N != w.gen(c.Commit) ||
				c.Actor != "uid:1000" || c.RequestID != "req-1" || c.Via != "socket" || c.Node != "n1" {
				t.Errorf("record %+v", c)
			}
		}
	})
}
