package keys

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

func docs(ks ...*registry.Key) []*registry.Key { return ks }

// book carries plans out as the store would, without making keys.
type book struct {
	Schedule
	made int
}

func newBook() *book {
	return &book{Schedule: Schedule{
		Issuer:          &registry.Issuer{ID: "default"},
		Algorithms:      []jose.Algorithm{jose.ES256},
		LongestLifetime: time.Hour,
		Now:             start,
	}}
}

// carryOut writes the steps. Documents are replaced, never changed: others
// hold them.
func (b *book) carryOut(steps []Step) {
	after := append([]*registry.Key(nil), b.Keys...)
	for _, s := range steps {
		if s.Do == Make {
			b.made++
			k := *s.Key
			k.ID, k.Private = fmt.Sprintf("k%d", b.made), "sealed"
			after = append(after, &k)
			continue
		}
		for i, k := range after {
			if k != nil && k.ID == s.Key.ID {
				after[i] = s.Key
				if s.Do == Delete {
					after[i] = nil
				}
			}
		}
	}
	b.Keys = nil
	for _, k := range after {
		if k != nil {
			b.Keys = append(b.Keys, k)
		}
	}
}

func (b *book) plan() { b.carryOut(Plan(b.Schedule)) }

func (b *book) wait(d time.Duration) *book {
	b.Now = b.Now.Add(d)
	return b
}

// states tells all keys, as "k1 active, k2 next".
func (b *book) states() string {
	var out []string
	for _, k := range b.Keys {
		out = append(out, k.ID+" "+State(k, b.Now))
	}
	return strings.Join(out, ", ")
}

func (b *book) want(t *testing.T, states string) {
	t.Helper()
	if got := b.states(); got != states {
		t.Errorf("%s: %s, want %s", b.Now.Format(time.DateTime), got, states)
	}
}

const oneDay = 24 * time.Hour

func TestScheduleByTheCalendar(t *testing.T) {
	b := newBook()
	b.plan()
	b.want(t, "k1 active, k2 next")
	if k2 := b.Keys[1]; !k2.Activates.Equal(start.Add(90*oneDay)) || !b.Keys[0].Retires.Equal(k2.Activates) {
		t.Errorf("changeover at %v and %v", b.Keys[0].Retires, k2.Activates)
	}
	b.wait(90*oneDay - 1).plan()
	b.want(t, "k1 active, k2 next")
	b.wait(1)
	b.want(t, "k1 retired, k2 active") // by itself, on every node
	b.plan()
	b.want(t, "k1 retired, k2 active, k3 next")
	b.wait(time.Hour + Margin - 1).plan()
	b.want(t, "k1 retired, k2 active, k3 next")
	b.wait(1).plan()
	b.want(t, "k2 active, k3 next")
}

func TestScheduleWithAStoreAfar(t *testing.T) {
	b := newBook()
	b.Extra = oneDay
	b.Issuer.Keys = registry.KeySchedule{Rotate: registry.Duration(2 * oneDay), Announce: registry.Duration(time.Hour)}
	b.plan()
	b.carryOut(Rotate(b.Schedule, jose.ES256))
	if got := b.Keys[1].Activates; !got.Equal(start.Add(oneDay + time.Hour)) {
		t.Errorf("asked for a new key: it signs at %v, want after announce and max_stale", got)
	}
	b.wait(oneDay + time.Hour).plan()
	b.want(t, "k1 retired, k2 active, k3 next")
	if got := b.Keys[0].Deletes; !got.Equal(b.Keys[0].Retires.Add(time.Hour + oneDay + Margin)) {
		t.Errorf("deleted at %v", got)
	}
}

func TestRotateOnDemand(t *testing.T) {
	b := newBook()
	b.plan()
	b.wait(time.Hour)
	b.carryOut(Rotate(b.Schedule, jose.ES256))
	b.want(t, "k1 active, k2 next") // verifiers do not know k2 yet
	if got := b.Keys[1].Activates; !got.Equal(start.Add(oneDay)) {
		t.Errorf("planned for %v", got)
	}
	b.wait(time.Hour).plan()
	if got := b.Keys[1].Activates; !got.Equal(start.Add(oneDay)) {
		t.Errorf("the schedule put it off to %v", got)
	}
	b.wait(2 * oneDay).plan()
	b.want(t, "k2 active, k3 next")
	b.wait(2 * oneDay)
	b.carryOut(Rotate(b.Schedule, jose.ES256))
	b.want(t, "k2 retired, k3 active, k4 next") // announced long enough: at once
	if steps := Rotate(b.Schedule, jose.RS256); len(steps) != 0 {
		t.Errorf("an algorithm that nobody uses: %v", steps)
	}
}

func TestRevoke(t *testing.T) {
	b := newBook()
	b.plan()
	b.wait(time.Minute)
	old := b.Keys
	b.carryOut(RevokeKey(b.Schedule, "k1"))
	b.want(t, "k1 revoked, k2 active, k3 next")
	if b.Keys[0].Private != "" {
		t.Error("a revoked key keeps its private half")
	}
	for _, k := range Published(b.Keys, b.Now) {
		if k.ID == "k1" {
			t.Error("a revoked key is published")
		}
	}
	if old[0].Private == "" {
		t.Error("the document before was changed")
	}
	if steps := RevokeKey(b.Schedule, "k1"); len(steps) != 0 {
		t.Errorf("revoked twice: %v", steps)
	}
	// The next one leaks: a new one is announced, the active one signs on.
	b.carryOut(RevokeKey(b.Schedule, "k3"))
	b.want(t, "k1 revoked, k2 active, k3 revoked, k4 next")
	if !b.Keys[1].Retires.Equal(b.Keys[3].Activates) {
		t.Error("k2 does not sign until k4 does")
	}
	b.wait(time.Hour + Margin).plan()
	b.want(t, "k2 active, k4 next")
	// Everything leaks.
	b.carryOut(RevokeKey(b.Schedule, "k4"))
	b.carryOut(RevokeKey(b.Schedule, "k2"))
	b.wait(time.Hour + Margin).plan()
	if Active(b.Keys, b.Now) == nil {
		t.Errorf("no key signs: %s", b.states())
	}
}

// TestNextTakesOverBeforeAnyPlan: a node that only hears of the revocation
// signs with the next key at once, also when its clock is behind.
func TestNextTakesOverBeforeAnyPlan(t *testing.T) {
	b := newBook()
	b.plan()
	b.Keys[0].Revoked = start.Add(time.Hour)
	for _, now := range []time.Time{start.Add(time.Hour), start.Add(-time.Minute)} {
		if k := Active(b.Keys, now); k == nil || k.ID != "k2" {
			t.Errorf("at %v signs %v", now, k)
		}
	}
	first := newBook()
	first.plan()
	if k := Active(first.Keys, start.Add(-time.Minute)); k == nil || k.ID != "k1" {
		t.Errorf("a clock that is behind: %v signs", k)
	}
	if Active(nil, start) != nil {
		t.Error("no keys, and one signs")
	}
}

func TestLifetimes(t *testing.T) {
	b := newBook()
	b.LongestLifetime = 10 * time.Hour
	b.plan()
	b.wait(oneDay)
	b.LongestLifetime = time.Hour // lowered while tokens of ten hours live
	b.plan()
	b.wait(time.Hour)
	b.carryOut(Rotate(b.Schedule, jose.ES256))
	b.want(t, "k1 retired, k2 active, k3 next")
	if got, want := b.Keys[0].Deletes, b.Now.Add(10*time.Hour+Margin); !got.Equal(want) {
		t.Errorf("deleted at %v, want %v", got, want)
	}
	b.LongestLifetime = 20 * time.Hour // raised: moves the deletion
	b.plan()
	if got, want := b.Keys[0].Deletes, b.Now.Add(20*time.Hour+Margin); !got.Equal(want) {
		t.Errorf("deleted at %v, want %v", got, want)
	}
}

func TestSettingsChange(t *testing.T) {
	b := newBook()
	b.plan()
	b.wait(10 * oneDay)
	b.Issuer.Keys.Rotate = registry.Duration(20 * oneDay) // shorter: brought forward
	b.plan()
	if got := b.Keys[1].Activates; !got.Equal(start.Add(20 * oneDay)) {
		t.Errorf("changeover at %v", got)
	}
	b.Issuer.Keys.Rotate = registry.Duration(200 * oneDay) // longer: stays
	b.plan()
	if got := b.Keys[1].Activates; !got.Equal(start.Add(20 * oneDay)) {
		t.Errorf("changeover at %v", got)
	}
	b.Algorithms = []jose.Algorithm{jose.RS256} // the API changes its algorithm
	b.plan()
	b.want(t, "k1 active, k2 next, k3 active, k4 next")
	b.wait(10 * oneDay)
	b.plan()
	b.want(t, "k1 retired, k2 retired, k3 active, k4 next")
	b.wait(oneDay).plan()
	b.want(t, "k3 active, k4 next")
}

// TestPlanMendsDocuments: what should not be there is put right, and never by
// taking a key away that may be in use.
func TestPlanMendsDocuments(t *testing.T) {
	b := newBook()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	b.Keys = docs(
		&registry.Key{ID: "a", Issuer: "default", Algorithm: "ES256", Announced: at(-9 * oneDay), Activates: at(-9 * oneDay)},
		&registry.Key{ID: "b", Issuer: "default", Algorithm: "ES256", Announced: at(-9 * oneDay), Activates: at(-8 * oneDay), Deletes: at(time.Hour)},
		&registry.Key{ID: "c", Issuer: "default", Algorithm: "ES256", Announced: at(-oneDay), Activates: at(oneDay)},
		&registry.Key{ID: "d", Issuer: "default", Algorithm: "ES256", Announced: at(-2 * oneDay), Activates: at(2 * oneDay)},
		&registry.Key{ID: "x", Issuer: "partners", Algorithm: "ES256", Announced: at(-oneDay)},
	)
	b.plan()
	b.want(t, "a retired, b active, c next, d next, x next")
	if !b.Keys[1].Deletes.IsZero() {
		t.Error("an active key has a deletion")
	}
	if !b.Keys[2].Activates.IsZero() || !b.Keys[1].Retires.Equal(b.Keys[3].Activates) {
		t.Error("two keys are to take over")
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*book)
		say    string
	}{
		"announce too short":   {func(b *book) { b.Issuer.Keys.Announce = registry.Duration(time.Minute) }, "announce"},
		"rotate too short":     {func(b *book) { b.Issuer.Keys.Rotate = registry.Duration(23 * time.Hour) }, "rotate"},
		"rotate and max_stale": {func(b *book) { b.Issuer.Keys.Rotate = registry.Duration(25 * time.Hour); b.Extra = oneDay }, "rotate"},
		"lifetime too long":    {func(b *book) { b.LongestLifetime = 25 * time.Hour }, "tokens live"},
		"no lifetime":          {func(b *book) { b.LongestLifetime = 0 }, "lifetime"},
		"deletion too early": {func(b *book) {
			b.Keys[0].Deletes = b.Keys[0].Retires.Add(time.Hour + Margin - 1)
		}, b0(90*oneDay + time.Hour + Margin)},
		"lifetime outlasts deletion": {func(b *book) {
			b.Keys[0].Deletes = b.Keys[0].Retires.Add(time.Hour + Margin)
			b.LongestLifetime = 2 * time.Hour
		}, "move its deletion"},
		"deletion without retirement": {func(b *book) {
			b.Keys[0].Deletes, b.Keys[0].Retires = start.Add(oneDay), time.Time{}
		}, "stops signing"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook()
			b.plan()
			if err := b.Check(); err != nil {
				t.Fatalf("before: %v", err)
			}
			c.change(b)
			if err := b.Check(); err == nil || !strings.Contains(err.Error(), c.say) {
				t.Errorf("error: %v, want one that says %q", err, c.say)
			}
		})
	}
}

func b0(d time.Duration) string { return start.Add(d).Format(time.RFC3339) }

func TestPublishedOrder(t *testing.T) {
	b := newBook()
	b.Issuer.Keys.Rotate = registry.Duration(2 * oneDay)
	b.LongestLifetime = oneDay
	b.plan()
	b.wait(2 * oneDay).plan()
	var got []string
	for _, k := range Published(b.Keys, b.Now) {
		got = append(got, k.ID)
	}
	if strings.Join(got, " ") != "k2 k3 k1" {
		t.Errorf("published %v, want the active one first", got)
	}
}

func TestStepMake(t *testing.T) {
	m, b := NewMaster(), newBook()
	steps := Plan(b.Schedule)
	if len(steps) != 2 {
		t.Fatalf("steps: %v", steps)
	}
	for _, s := range steps {
		k, err := s.Make(m)
		if err != nil {
			t.Fatal(err)
		}
		if s.Do != Make || !k.Activates.Equal(s.Key.Activates) || !k.Retires.Equal(s.Key.Retires) || k.Longest.Std() != time.Hour {
			t.Errorf("%s: %+v", s.Do, k)
		}
		b.Keys = append(b.Keys, k)
	}
	if again := Plan(b.Schedule); len(again) != 0 {
		t.Errorf("there is still something to do: %v", again)
	}
}
