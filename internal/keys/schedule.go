package keys

import (
	"fmt"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// Margin is added to the time for which a retired key is published: for clocks
// that differ, and for verifiers that allow some leeway.
const Margin = 10 * time.Minute

// Schedule is what a plan is a function of: the documents, the settings and the
// time. A plan is made inside the transaction that writes its steps, so that
// two nodes never plan on the same documents; and also in every commit that
// changes a token's lifetime or an algorithm, because keys remember the longest
// life of their tokens ([registry.Key].Longest).
type Schedule struct {
	Issuer     *registry.Issuer
	Algorithms []jose.Algorithm // that the issuer's APIs use
	Keys       []*registry.Key  // all of the issuer's; those of other issuers are ignored
	// LongestLifetime is the longest life of a token that the issuer gives out
	// by its settings: of its APIs and its own default.
	LongestLifetime time.Duration
	// Extra is for how long a node may go on with old documents: max_stale
	// where nodes follow a store from afar, zero where the store is their own.
	Extra time.Duration
	Now   time.Time
}

// rotate is how long a key signs.
func (s *Schedule) rotate() time.Duration {
	if d := s.Issuer.Keys.Rotate; d != 0 {
		return d.Std()
	}
	return registry.DefaultRotate.Std()
}

// notice is how long a key is published before it signs by plan. A node that
// goes on with old documents publishes old keys: hence Extra.
func (s *Schedule) notice() time.Duration {
	announce := s.Issuer.Keys.Announce
	if announce == 0 {
		announce = registry.DefaultAnnounce
	}
	return max(announce, registry.MinAnnounce).Std() + s.Extra
}

// gone is the earliest time at which nothing signed by k, that signs no more
// from the given time on, can still be valid.
func (s *Schedule) gone(k *registry.Key, from time.Time) time.Time {
	longest := max(k.Longest.Std(), s.LongestLifetime)
	return from.Add(longest + s.Extra + Margin)
}

// Check refuses settings that no safe plan exists for, and documents under
// which a live token could outlast its key. The error says what to change.
func (s *Schedule) Check() error {
	issuer := s.Issuer
	switch announce, longest := issuer.Keys.Announce, registry.MaxLifetime.Std(); {
	case announce != 0 && announce < registry.MinAnnounce:
		return fmt.Errorf("issuer %q: keys.announce is %s, but verifiers keep a key set for up to %s; make it at least that",
			issuer.ID, announce, registry.MinAnnounce)
	case s.rotate() < s.notice():
		return fmt.Errorf("issuer %q: keys.rotate is %s, but the next key is published %s before it signs (announce, and max_stale with PostgreSQL); make rotate at least that",
			issuer.ID, registry.Duration(s.rotate()), registry.Duration(s.notice()))
	case s.Extra < 0 || s.LongestLifetime <= 0:
		return fmt.Errorf("issuer %q: a token's lifetime must be above zero and max_stale not below", issuer.ID)
	case s.LongestLifetime > longest:
		return fmt.Errorf("issuer %q: tokens live up to %s; the most is %s",
			issuer.ID, registry.Duration(s.LongestLifetime), registry.MaxLifetime)
	}
	for _, k := range s.Keys {
		if k.Issuer == issuer.ID {
			if err := s.checkKey(k); err != nil {
				return fmt.Errorf("issuer %q: %w", issuer.ID, err)
			}
		}
	}
	return nil
}

// checkKey refuses planned times under which tokens outlast the key.
func (s *Schedule) checkKey(k *registry.Key) error {
	state := State(k, s.Now)
	if state == StateRevoked || state == StateDeleted || k.Deletes.IsZero() {
		return nil
	}
	if k.Retires.IsZero() {
		return fmt.Errorf("key %s would be deleted at %s, but nothing says when it stops signing; plan its retirement first",
			k.ID, k.Deletes.UTC().Format(time.RFC3339))
	}
	if need := s.gone(k, k.Retires); k.Deletes.Before(need) {
		return fmt.Errorf("key %s would be deleted at %s, while tokens that it signed can live until %s; move its deletion to then or later",
			k.ID, k.Deletes.UTC().Format(time.RFC3339), need.UTC().Format(time.RFC3339))
	}
	return nil
}

// Action is what a step does with a key.
type Action string

// The actions of a plan.
const (
	Make       Action = "make"       // a new key; Step.Make gives it its material
	Activate   Action = "activate"   // it signs from now on
	Retire     Action = "retire"     // it signs no more
	Revoke     Action = "revoke"     // it leaked: out of the key set at once
	Reschedule Action = "reschedule" // a planned time, or what the plan remembers, changes
	Delete     Action = "delete"     // its document goes: nothing signed by it lives
)

// Step is one change of one key's document.
type Step struct {
	Do Action
	// Key is the document as it is to be written. That of a Make has neither id
	// nor material; that of a Delete is the one to delete.
	Key *registry.Key
	Why string // for the record of the change
}

// Make gives a Make step its key, with the planned times.
func (s Step) Make(m *Master) (*registry.Key, error) {
	k, err := New(m, s.Key.Issuer, jose.Algorithm(s.Key.Algorithm), s.Key.Announced)
	if err != nil {
		return nil, err
	}
	k.Activates, k.Retires, k.Longest = s.Key.Activates, s.Key.Retires, s.Key.Longest
	return k, nil
}

// Plan returns what is due now. A plan that was carried out leaves nothing to do
// until time or settings change.
//
// Every algorithm in use has exactly one active key and a published next one. A
// next key signs when it is its turn by the schedule and it has been announced
// long enough; if no key is active, at once. A key signs until its successor
// does, and is deleted when no token of it can be valid any more. A changeover
// that is planned already is brought forward when rotate becomes shorter, but
// not put off when it becomes longer: later ones follow the new setting.
func Plan(s Schedule) []Step {
	p := newPlanner(&s)
	p.settle()
	return p.steps()
}

// Rotate is Plan after an operator asked for a new key: the next key signs as
// soon as it has been announced long enough, which may be now.
func Rotate(s Schedule, alg jose.Algorithm) []Step {
	p := newPlanner(&s)
	p.settle()
	p.hasten(string(alg))
	p.settle()
	return p.steps()
}

// RevokeKey is Plan after a key leaked: it loses its private half and is not
// published any more, and if it was the active one, the next one takes over at
// once. A kid that is not the issuer's gives no step for it.
func RevokeKey(s Schedule, kid string) []Step {
	p := newPlanner(&s)
	for _, d := range p.drafts {
		if d.key.ID == kid && kid != "" && d.key.Revoked.IsZero() {
			d.key.Revoked, d.key.Private = s.Now, ""
			d.why = "it leaked"
		}
	}
	p.settle()
	return p.steps()
}
