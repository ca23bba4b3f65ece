package admin

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
)

// fill gives a client a document to which nothing can be added.
func (w *world) fill(id string) {
	w.Helper()
	claim := func(n int) error { return w.try(id, `{"claims":{"filler":"`+strings.Repeat("x", n)+`"}}`) }
	w.ok(claim(1))
	doc, err := json.Marshal(w.stored(id))
	w.ok(err)
	n := registry.MaxClientDoc - len(doc) + 1
	w.ok(claim(n))
	w.refused(claim(n+64), Invalid, "larger than 64 KiB")
}

// TestAFullClientCanBeStopped: whoever may change a client can fill its document.
// What takes something away is possible all the same, and nothing else is.
func TestAFullClientCanBeStopped(t *testing.T) {
	c, full := Target{ID: "full"}, "full"
	ungrant := Access{API: "orders", Scopes: []string{"read"}}
	for name, take := range map[string]func(w *world) error{
		"disable":     func(w *world) error { _, _, err := w.DisableClient(w.Context(), w.actor, c); return err },
		"deny":        func(w *world) error { _, _, err := w.DenyClient(w.Context(), w.actor, full); return err },
		"deny tokens": func(w *world) error { _, _, err := w.DenyTokens(w.Context(), w.actor, full); return err },
		"deny credential": func(w *world) error {
			_, _, err := w.DenyCredential(w.Context(), w.actor, full, "s1")
			return err
		},
		"ungrant": func(w *world) error { _, _, err := w.Ungrant(w.Context(), w.actor, c, ungrant); return err },
		"regrant": func(w *world) error {
			_, _, err := w.Regrant(w.Context(), w.actor, c, Access{API: "orders"})
			return err
		},
		"delete":      func(w *world) error { _, err := w.DeleteClient(w.Context(), w.actor, c); return err },
		"API goes":    func(w *world) error { _, err := w.DeleteAPI(w.Context(), w.actor, Target{ID: "orders"}); return err },
		"scope goes":  func(w *world) error { return w.withoutRead() },
		"prune":       func(w *world) error { return w.prunedAway(full) },
		"file":        func(w *world) error { w.apply(file(w, `client {"id":"full","state":"disabled"}`)); return nil },
		"revoke s1":   func(w *world) error { return w.revoked(full, CredentialSecret, "s1") },
		"revoke k1":   func(w *world) error { return w.revoked(full, CredentialKey, "k1") },
		"revoke c1":   func(w *world) error { return w.revoked(full, CredentialCertificate, "c1") },
		"revoke URI":  func(w *world) error { return w.revoked(full, CredentialKey, uriID) },
		"revoke gone": func(w *world) error { return w.revoked(full, CredentialSecret, "s2") },
		"remove s1": func(w *world) error {
			_, _, err := w.RemoveCredential(w.Context(), w.actor, c, CredentialSecret, "s1")
			return err
		},
		"journal, client":     func(w *world) error { return w.journalled(replica.VerbClient, registry.DenyClient, full, "") },
		"journal, tokens":     func(w *world) error { return w.journalled(replica.VerbTokens, registry.DenyClient, full, "") },
		"journal, credential": func(w *world) error { return w.journalled(replica.VerbCredential, registry.DenyCredential, full, "k1") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "sqlite:"+t.TempDir()+"/symbolon.db")
			w.actor.Name = "operator:" + strings.Repeat("a", 100) // stands in state_by
			w.api("orders", "read", "write")
			w.client(full, "orders read write")
			w.keys(full)
			_, _, err := w.AddSecret(w.Context(), w.actor, c, NewCredential{})
			w.ok(err)
			_, _, err = w.RemoveCredential(w.Context(), w.actor, c, CredentialSecret, "s2")
			w.ok(err)
			if name == "prune" || name == "file" {
				w.update(full, `{"managed_by":"main"}`)
			}
			w.fill(full)
			w.ok(take(w))
			if name == "delete" {
				return
			}
			// Whatever was taken, nothing comes for it where the document is too long then.
			if doc, err := json.Marshal(w.stored(full)); err != nil || len(doc) <= registry.MaxClientDoc {
				w.ok(err)
				return
			}
			for range 3 {
				_, _, err := w.ReplaceSecrets(w.Context(), w.actor, c, NewCredential{})
				w.refused(err, Invalid, "larger than 64 KiB")
			}
			w.refused(w.try(full, `{"labels":{"more":"of it"}}`), Invalid, "larger than 64 KiB")
			_, _, err = w.EnableClient(w.Context(), w.actor, c)
			w.ok(err)
		})
	}
}

// withoutRead takes the scope read from the API orders.
func (w *world) withoutRead() error {
	n, err := ReadNamed[registry.API]([]byte(`{"scopes":{"write":""}}`))
	w.ok(err)
	_, _, err = w.UpdateAPI(w.Context(), w.actor, Update[registry.API]{Target: Target{ID: "orders"}, Change: n})
	return err
}

// prunedAway disables a client by a file that does not name it.
func (w *world) prunedAway(id string) error {
	req := file(w, "")
	req.Prune = true
	w.apply(req)
	if c := w.stored(id); c.State != registry.StateDisabled {
		return fmt.Errorf("it is %s", c.State)
	}
	return nil
}

func (w *world) revoked(id string, kind CredentialKind, credential string) error {
	_, _, err := w.RevokeCredential(w.Context(), w.actor, Target{ID: id}, kind, credential)
	return err
}

// journalled denies as while the store is away, and merges that. All of it must
// come into the store, not the denial alone.
func (w *world) journalled(verb, what, client, credential string) error {
	p := replica.Pending{Verb: verb, Actor: w.actor.Name, Denial: registry.Denial{What: what, Client: client, Credential: credential,
		Expires: registry.DenialExpires(w.clock.now(), registry.MaxLifetime.Std(), 0)}}
	if _, err := w.replica.Journal(p); err != nil {
		return err
	}
	if err := w.MergeJournal(w.Context()); err != nil {
		return err
	}
	got := w.stored(client)
	if verb == replica.VerbClient && got.State != registry.StateDisabled || credential != "" && findSpent(got, credential) < 0 {
		return fmt.Errorf("merged without what belongs to it: %s %+v", got.State, got.Spent)
	}
	return nil
}

// TestAccessToALongIdentifierCanBeTaken: the id of the denial names it, and stores
// bound ids.
func TestAccessToALongIdentifierCanBeTaken(t *testing.T) {
	eachStore(t, func(w *world) {
		api := registry.API{ID: "long", Identifier: "https://long.example.com/" + strings.Repeat("a", 990), Scopes: map[string]registry.Scope{"read": {}, "write": {}}}
		_, _, err := w.CreateAPI(w.Context(), w.actor, api)
		w.ok(err)
		w.client("billing", "long read write")
		before := w.replica.Snapshot().Gen()
		for i, take := range []func() error{
			func() error {
				return second(w.Ungrant(w.Context(), w.actor, Target{ID: "billing"}, Access{API: "long", Scopes: []string{"read"}}))
			},
			func() error { return third(w.DeleteAPI(w.Context(), w.actor, Target{ID: "long"})) },
		} {
			w.ok(take())
			if ids := w.denialIDs(); len(ids) != 1 || !strings.HasPrefix(ids[0], "client_api:billing:long:#") {
				t.Errorf("%d: denials %v", i, ids)
			}
			if !w.replica.Snapshot().Issuers["default"].DeniedAt(registry.TokenFacts{Client: "billing", Gen: before}, api.Identifier) {
				t.Errorf("%d: its tokens are good", i)
			}
		}
	})
}
