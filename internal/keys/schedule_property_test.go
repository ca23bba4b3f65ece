package keys

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// skew is how far the clocks of two nodes may differ in the walks.
const skew = 4 * time.Minute

// issued is a token as a verifier remembers it.
type issued struct {
	kid string
	exp time.Time
}

// version is what a node knew from a moment until the next one.
type version struct {
	from     time.Time
	keys     []*registry.Key
	lifetime time.Duration
}

// walk is a random life of an issuer: settings change, keys leak, nodes sleep
// or lose the store, and verifiers keep what they were given.
type walk struct {
	*book
	versions []version
	tokens   []issued
	revoked  map[string]bool
	sudden   map[string]bool // keys that signed without notice, as they may (by algorithm and announcement)
}

func newWalk(t *rapid.T) *walk {
	w := &walk{book: newBook(), revoked: map[string]bool{}, sudden: map[string]bool{}}
	w.Extra = rapid.SampledFrom([]time.Duration{0, time.Hour, 24 * time.Hour}).Draw(t, "extra")
	w.settings(t)
	w.commit(t, w.plan(t))
	return w
}

// settings draws a schedule that Check allows, and commits it with its plan.
func (w *walk) settings(t *rapid.T) {
	hours := func(name string, from, to int) registry.Duration {
		return registry.Duration(rapid.IntRange(from, to).Draw(t, name)) * registry.Duration(time.Hour)
	}
	issuer := *w.Issuer
	issuer.Keys.Announce = hours("announce", 1, 30)
	issuer.Keys.Rotate = registry.Duration(w.Extra) + issuer.Keys.Announce + hours("rotate", 0, 200)
	w.Issuer = &issuer
	minutes := rapid.IntRange(1, 24*60).Draw(t, "lifetime")
	w.LongestLifetime = time.Duration(minutes) * time.Minute
	w.Algorithms = rapid.SampledFrom([][]jose.Algorithm{
		{jose.ES256}, {jose.RS256}, {jose.ES256, jose.RS256},
	}).Draw(t, "algorithms")
}

// commit carries steps out and checks what must hold after every commit.
func (w *walk) commit(t *rapid.T, steps []Step) {
	for _, s := range steps {
		if s.Do == Revoke {
			w.revoked[s.Key.ID] = true
		}
	}
	signs := func(alg string) bool {
		return slices.ContainsFunc(w.Keys, func(k *registry.Key) bool {
			return k.Algorithm == alg && State(k, w.Now) == StateActive && !w.revoked[k.ID]
		})
	}
	for _, s := range steps {
		early := s.Key.Announced.Add(w.notice()).After(w.Now)
		if early && (s.Do == Activate || s.Do == Make && !s.Key.Activates.After(w.Now)) {
			if signs(s.Key.Algorithm) {
				t.Fatalf("%s %s: it signs without notice, and there is a key that could", s.Do, s.Key.ID)
			}
			w.sudden[s.Key.Algorithm+s.Key.Announced.String()] = true
		}
	}
	w.carryOut(steps)
	w.versions = append(w.versions, version{w.Now, w.Keys, w.LongestLifetime})
	w.invariants(t)
}

func (w *walk) invariants(t *rapid.T) {
	t.Helper()
	if again := Plan(w.Schedule); len(again) != 0 {
		t.Fatalf("a plan that was carried out leaves something to do: %+v %+v", again[0], again[0].Key)
	}
	if err := w.Check(); err != nil {
		t.Fatalf("the documents are refused: %v", err)
	}
	for _, alg := range w.Algorithms {
		var active, next int
		for _, k := range w.Keys {
			if k.Algorithm != string(alg) {
				continue
			}
			switch State(k, w.Now) {
			case StateActive:
				active++
			case StateNext:
				next++
			}
		}
		if active != 1 || next == 0 {
			t.Fatalf("%s: %d active and %d next keys: %s", alg, active, next, w.states())
		}
	}
	for _, k := range w.Keys {
		used := slices.Contains(w.Algorithms, jose.Algorithm(k.Algorithm))
		if used && State(k, w.Now) == StateNext && !k.Activates.IsZero() && k.Activates.Before(k.Announced.Add(w.notice())) {
			t.Fatalf("%s is to sign without notice", k.ID)
		}
		if State(k, w.Now) == StateDeleted {
			t.Fatalf("%s is past its deletion and still there", k.ID)
		}
	}
}

// plan is Plan, for which the order of the documents must not matter.
func (w *walk) plan(t *rapid.T) []Step {
	reversed := w.Schedule
	reversed.Keys = slices.Clone(w.Keys)
	slices.Reverse(reversed.Keys)
	steps := Plan(w.Schedule)
	if diff := cmp.Diff(steps, Plan(reversed)); diff != "" {
		t.Fatalf("the order of the documents matters:\n%s", diff)
	}
	return steps
}

// published checks, also before any plan, that every verifier that asks any
// node now finds the key of every token that has not expired.
func (w *walk) published(t *rapid.T) {
	t.Helper()
	ahead := w.Now.Add(skew)
	known := map[string]bool{}
	for _, k := range Published(w.Keys, ahead) {
		known[k.ID] = true
	}
	w.tokens = slices.DeleteFunc(w.tokens, func(i issued) bool { return !w.Now.Before(i.exp) })
	for _, i := range w.tokens {
		if !known[i.kid] && !w.revoked[i.kid] {
			t.Fatalf("a token lives until %v and its key %s is not published: %s", i.exp, i.kid, w.states())
		}
	}
}

// issue lets a node sign: one that may have last heard of the store as long ago
// as Extra, and whose clock may be off.
func (w *walk) issue(t *rapid.T) {
	first := len(w.versions) - 1
	for first > 0 && w.versions[first].from.After(w.Now.Add(-w.Extra)) {
		first--
	}
	v := w.versions[rapid.IntRange(first, len(w.versions)-1).Draw(t, "heard")]
	clock := w.Now.Add(time.Duration(rapid.IntRange(-int(skew/time.Second), int(skew/time.Second)).Draw(t, "skew")) * time.Second)
	alg := rapid.SampledFrom(w.Algorithms).Draw(t, "algorithm")
	k := Active(slices.DeleteFunc(slices.Clone(v.keys), func(k *registry.Key) bool { return k.Algorithm != string(alg) }), clock)
	if k == nil {
		if len(v.keys) > 0 && slices.ContainsFunc(v.keys, func(k *registry.Key) bool { return k.Algorithm == string(alg) && State(k, clock) == StateNext }) {
			t.Fatal("there is a next key, and none signs")
		}
		return // that node has not heard of the algorithm
	}
	if notice := k.Announced.Add(w.Extra + registry.MinAnnounce.Std()).Add(-2 * skew); notice.After(w.Now) && !w.sudden[k.Algorithm+k.Announced.String()] && len(w.revoked) == 0 {
		t.Fatalf("%s signs although verifiers need not know it yet", k.ID)
	}
	w.tokens = append(w.tokens, issued{k.ID, clock.Add(v.lifetime)})
}

// TestScheduleNeverStrandsAToken walks random lives and holds at every moment:
// the key of every token that lives is published; exactly one key of an
// algorithm in use is active and one is next; and a key signs only after
// verifiers had time to hear of it, except the first of its algorithm and one
// that takes over from a key that leaked.
func TestScheduleNeverStrandsAToken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWalk(t)
		kid := func(t *rapid.T) string { return rapid.SampledFrom(w.Keys).Draw(t, "key").ID }
		t.Repeat(map[string]func(*rapid.T){
			"minutes": func(t *rapid.T) {
				w.wait(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
			},
			"hours": func(t *rapid.T) {
				w.wait(time.Duration(rapid.IntRange(1, 72).Draw(t, "hours")) * time.Hour)
			},
			"sleep": func(t *rapid.T) { w.wait(400 * oneDay) },
			"to the next event": func(t *rapid.T) {
				var times []time.Time
				for _, k := range w.Keys {
					for _, at := range []time.Time{k.Activates, k.Retires, k.Deletes} {
						if at.After(w.Now) {
							times = append(times, at)
						}
					}
				}
				if len(times) > 0 {
					w.Now = slices.MinFunc(times, time.Time.Compare)
				}
			},
			"issue":  w.issue,
			"plan":   func(t *rapid.T) { w.commit(t, w.plan(t)) },
			"rotate": func(t *rapid.T) { w.commit(t, Rotate(w.Schedule, rapid.SampledFrom(w.Algorithms).Draw(t, "alg"))) },
			"revoke": func(t *rapid.T) { w.commit(t, RevokeKey(w.Schedule, kid(t))) },
			"settings": func(t *rapid.T) {
				w.settings(t)
				w.commit(t, w.plan(t))
			},
			"": w.published,
		})
	})
}
