package admin

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
)

// states are the states of an issuer's keys of an algorithm, in the order of
// their announcement.
func (w *world) states(issuer, algorithm string) (out []string) {
	w.Helper()
	ks, err := w.Keys(w.Context(), w.actor, issuer)
	w.ok(err)
	for _, k := range ks {
		if k.Algorithm == algorithm {
			out = append(out, k.State)
		}
	}
	slices.Sort(out)
	return out
}

func TestKeysAreThereAtOnce(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx := w.Context()
		want := []string{keys.StateActive, keys.StateNext}
		if got := w.states("default", "ES256"); !slices.Equal(got, want) {
			t.Errorf("at the beginning: %v", got)
		}
		w.ok(w.Bootstrap(ctx)) // changes nothing

		before := w.head()
		api := registry.API{ID: "old", Identifier: "https://old.example.com", Token: registry.APIToken{Algorithm: "RS256"}}
		_, seq, err := w.CreateAPI(ctx, w.actor, api)
		w.ok(err)
		if got := w.states("default", "RS256"); !slices.Equal(got, want) || seq != before+1 {
			t.Errorf("with the API: %v, in %d commits", got, seq-before)
		}
		w.api("plain")
		n, err := ReadNamed[registry.API]([]byte(`{"token":{"algorithm":"EdDSA"}}`))
		w.ok(err)
		_, _, err = w.UpdateAPI(ctx, w.actor, Update[registry.API]{Target: Target{ID: "plain"}, Change: n})
		w.ok(err)
		if got := w.states("default", "EdDSA"); !slices.Equal(got, want) {
			t.Errorf("with another algorithm: %v", got)
		}
		w.apply(file(t, `
			issuer {"id":"partners"}
			api {"id":"deals","issuer":"partners","identifier":"https://deals.example.com","token":{"algorithm":"PS256"}}`))
		if got := w.states("partners", "PS256"); !slices.Equal(got, want) {
			t.Errorf("by a file: %v", got)
		}
		if got := w.states("partners", "ES256"); len(got) != 0 {
			t.Errorf("for an algorithm that no API uses: %v", got)
		}
		// Nothing is sealed with a key that is not this node's.
		ring := keys.NewRing(w.Master)
		for _, v := range w.replica.Snapshot().Issuers {
			for _, ks := range v.Keys {
				if _, err := ring.Signer(keys.Active(ks, w.clock.now()), "at+jwt"); err != nil {
					t.Error(err)
				}
			}
		}

		_, err = w.DeleteAPI(ctx, w.actor, Target{ID: "deals"})
		w.ok(err)
		_, err = w.DeleteIssuer(ctx, w.actor, Target{ID: "partners"})
		w.ok(err)
		if got := w.states("partners", "PS256"); len(got) != 0 {
			t.Errorf("left of a deleted issuer: %v", got)
		}
	})
}

// TestSchedule walks the clock through a rotation: announced, used, retired,
// deleted, and the record says that nobody but the schedule did it.
func TestSchedule(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx := w.Context()
		first := w.key(keys.StateActive)
		second := w.key(keys.StateNext)
		before := w.head()
		next, err := w.RunSchedule(ctx)
		w.ok(err)
		if w.head() != before || !next.Equal(w.clock.now().Add(time.Hour)) {
			t.Errorf("with nothing due: commit %d after %d, next %s", w.head(), before, next)
		}
		w.clock.advance(90*24*time.Hour - time.Minute)
		if next, err = w.RunSchedule(ctx); err != nil || !next.Equal(second.Activates) {
			t.Errorf("a minute before: next %s, not %s (%v)", next, second.Activates, err)
		}
		w.clock.advance(time.Minute)
		_, err = w.RunSchedule(ctx)
		w.ok(err)
		if got := w.key(keys.StateActive); got.ID != second.ID {
			t.Errorf("active is %s, not the one that was announced", got.ID)
		}
		retired := w.key(keys.StateRetired)
		if retired.ID != first.ID || retired.Deletes.Sub(retired.Retires) < time.Hour+w.MaxStale {
			t.Errorf("retired %+v", retired)
		}
		w.key(keys.StateNext)

		// A longer lifetime moves the deletion, in the same commit.
		head := w.head()
		n, err := ReadNamed[registry.Issuer]([]byte(`{"token":{"lifetime":"12h"}}`))
		w.ok(err)
		_, seq, err := w.UpdateIssuer(ctx, w.actor, Update[registry.Issuer]{Target: Target{ID: "default"}, Change: n})
		w.ok(err)
		if later := w.key(keys.StateRetired); seq != head+1 || later.Deletes.Sub(later.Retires) < 12*time.Hour+w.MaxStale {
			t.Errorf("in %d commits: %+v", seq-head, later)
		}
		w.clock.advance(37 * time.Hour)
		_, err = w.RunSchedule(ctx)
		w.ok(err)
		if got := w.states("default", "ES256"); !slices.Equal(got, []string{keys.StateActive, keys.StateNext}) {
			t.Errorf("in the end: %v", got)
		}
		changes, err := w.Changes(ctx, w.actor, ChangeQuery{Actor: "system", Kind: registry.KindKey})
		w.ok(err)
		for _, c := range changes {
			if c.Via != "schedule" || c.Why == "" {
				t.Errorf("record %+v", c)
			}
			for _, f := range c.Fields {
				if strings.Contains(f.Path, "private") || strings.Contains(f.Path, "public") {
					t.Errorf("a record tells %s", f.Path)
				}
			}
		}
	})
}

func TestRotateKey(t *testing.T) {
	eachStore(t, func(w *world) {
		next := w.key(keys.StateNext)
		w.clock.advance(time.Minute)
		_, _, err := w.RotateKey(w.Context(), w.actor, "default", "ES256")
		w.ok(err)
		after := w.key(keys.StateNext)
		if after.ID != next.ID || !after.Activates.Equal(next.Announced.Add(24*time.Hour+w.MaxStale)) {
			t.Errorf("asked for: %+v, announced %s", after, next.Announced)
		}
		w.clock.advance(24*time.Hour + w.MaxStale)
		_, err = w.RunSchedule(w.Context())
		w.ok(err)
		if got := w.key(keys.StateActive); got.ID != next.ID {
			t.Errorf("active is %s", got.ID)
		}
	})
}

// TestSchedulesOfManyNodes: nodes that see the same thing due do it once.
func TestSchedulesOfManyNodes(t *testing.T) {
	eachStore(t, func(w *world) {
		w.clock.advance(90 * 24 * time.Hour)
		var group sync.WaitGroup
		for range 6 {
			group.Go(func() {
				if _, err := w.RunSchedule(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		want := []string{keys.StateActive, keys.StateNext, keys.StateRetired}
		if got := w.states("default", "ES256"); !slices.Equal(got, want) {
			t.Errorf("keys %v, want %v", got, want)
		}
	})
}
