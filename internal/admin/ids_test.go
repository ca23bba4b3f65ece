package admin

import (
	"context"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/registry"
)

// impossible are ids that no object can have; some of them no store takes.
var impossible = []string{"", "\x00", "a\x00b", "\xff", "a/b", "a b", strings.Repeat("x", 9000)}

// TestIDsThatNoObjectHas are not found, by whatever operation, as those that no
// object has by chance.
func TestIDsThatNoObjectHas(t *testing.T) {
	eachStore(t, func(w *world) {
		organisations(w)
		ctx, head := w.Context(), w.head()
		name := `{"name":"x"}`
		for what, f := range map[string]func(a Actor, id string) error{
			"client":  func(a Actor, id string) error { return third(w.Client(ctx, a, id)) },
			"update":  func(a Actor, id string) error { return updateClient(id, name)(ctx, w, a) },
			"disable": func(a Actor, id string) error { return second(w.DisableClient(ctx, a, Target{ID: id})) },
			"delete":  func(a Actor, id string) error { return third(w.DeleteClient(ctx, a, Target{ID: id})) },
			"new secret": func(a Actor, id string) error {
				return second(w.ReplaceSecrets(ctx, a, Target{ID: id}, NewCredential{}))
			},
			"deny":           func(a Actor, id string) error { return second(w.DenyClient(ctx, a, id)) },
			"deny secret":    func(a Actor, id string) error { return second(w.DenyCredential(ctx, a, id, "s1")) },
			"deny a secret":  func(a Actor, id string) error { return second(w.DenyCredential(ctx, a, "own", id)) },
			"deny kid":       func(a Actor, id string) error { return second(w.DenyKID(ctx, w.actor, id)) },
			"API":            func(a Actor, id string) error { return third(w.API(ctx, a, id)) },
			"API update":     func(a Actor, id string) error { return updateAPI(id, name)(ctx, w, a) },
			"API delete":     func(a Actor, id string) error { return third(w.DeleteAPI(ctx, a, Target{ID: id})) },
			"issuer":         func(a Actor, id string) error { return third(w.Issuer(ctx, a, id)) },
			"issuer delete":  func(_ Actor, id string) error { return third(w.DeleteIssuer(ctx, w.actor, Target{ID: id})) },
			"operator":       func(_ Actor, id string) error { return third(w.DeleteOperator(ctx, w.actor, Target{ID: id})) },
			"operator token": func(_ Actor, id string) error { return third(w.DeleteOperatorToken(ctx, w.actor, Target{ID: id})) },
		} {
			for _, id := range impossible {
				for who, a := range map[string]Actor{"local": w.actor, "bound": boundActors()["a token of an operator"]} {
					if err := f(a, id); CodeOf(err) != NotFound {
						t.Errorf("%s of %.20q by %s: %v", what, id, who, err)
					}
				}
			}
		}
		// Where an object names one, that is a problem of the object.
		for _, id := range impossible[1:] {
			for what, f := range map[string]func(context.Context, *world, Actor) error{
				"client":          createClient(registry.Client{ID: id, Issuers: []string{"okta"}}),
				"its issuer":      createClient(registry.Client{ID: "new", Issuers: []string{id}}),
				"its access":      grant("own", id, "read"),
				"API":             createAPI(registry.API{ID: id, Issuer: "okta", Identifier: "https://new.example.com"}),
				"the API's":       createAPI(registry.API{ID: "new", Issuer: id, Identifier: "https://new.example.com"}),
				"resource server": createAPI(registry.API{ID: "new", Issuer: "okta", Identifier: "https://new.example.com", ResourceServers: []string{id}}),
			} {
				for who, a := range map[string]Actor{"local": w.actor, "bound": boundActors()["a token of an operator"]} {
					if err := f(ctx, w, a); CodeOf(err) != Invalid {
						t.Errorf("%s %.20q by %s: %v", what, id, who, err)
					}
				}
			}
			if _, err := w.Changes(ctx, w.actor, ChangeQuery{Object: id}); err != nil {
				t.Errorf("changes of %.20q: %v", id, err)
			}
			if _, err := w.Explain(ctx, w.actor, id); CodeOf(err) != NotFound {
				t.Errorf("explain %.20q: %v", id, err)
			}
			if _, err := w.Usage(ctx, w.actor, UsageQuery{Client: id}); CodeOf(err) != NotFound {
				t.Errorf("usage of %.20q: %v", id, err)
			}
		}
		if w.head() != head {
			t.Errorf("%d commits", w.head()-head)
		}
	})
}

// TestTheJournalTakesNoImpossibleID: the store would never take it, nor anything
// that comes after.
func TestTheJournalTakesNoImpossibleID(t *testing.T) {
	server := pgtest.Start(t)
	w := newWorld(t, server.Database(t))
	w.client("billing")
	server.Pause(t)
	defer server.Resume(t)
	_, _, err := w.DenyClient(w.Context(), w.actor, "billing")
	w.ok(err)
	w.eventually("the node notices", w.replica.Away)
	for _, id := range impossible[1:] {
		_, _, err := w.DenyClient(w.Context(), w.actor, id)
		w.refused(err, NotFound)
		_, _, err = w.DenyCredential(w.Context(), w.actor, "billing", id)
		w.refused(err, NotFound)
		_, _, err = w.DenyJTI(w.Context(), w.actor, id, "t1")
		w.refused(err, NotFound)
	}
	if n := len(w.replica.Journalled()); n != 1 {
		t.Errorf("%d are journalled", n)
	}
}
