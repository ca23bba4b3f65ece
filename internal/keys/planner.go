package keys

import (
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// planner works on copies of the documents; what differs in the end is the plan.
type planner struct {
	*Schedule
	drafts []*draft
}

// draft is a document while it is planned.
type draft struct {
	before *registry.Key // nil: it is to be made
	key    *registry.Key
	gone   bool // to be deleted
	why    string
}

func newPlanner(s *Schedule) *planner {
	p := &planner{Schedule: s}
	for _, k := range s.Keys {
		if k.Issuer == s.Issuer.ID {
			after := *k
			p.drafts = append(p.drafts, &draft{before: k, key: &after})
		}
	}
	// The order of the documents must not matter.
	slices.SortFunc(p.drafts, func(a, b *draft) int { return strings.Compare(a.key.ID, b.key.ID) })
	return p
}

// settle applies the rules to every algorithm until none has anything to do.
func (p *planner) settle() {
	p.remember()
	for _, alg := range p.algorithms() {
		used := slices.Contains(p.Algorithms, jose.Algorithm(alg))
		for used && p.succeed(alg) {
		}
		if !used {
			p.wane(alg)
		}
	}
	p.expire()
}

// algorithms are those in use and those that there are keys of, once each.
func (p *planner) algorithms() []string {
	var out []string
	for _, alg := range p.Algorithms {
		out = append(out, string(alg))
	}
	for _, d := range p.drafts {
		out = append(out, d.key.Algorithm)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// remember notes the longest life of tokens in every published key; a retired
// one may still sign on a node whose clock is behind.
func (p *planner) remember() {
	for _, d := range p.drafts {
		state := State(d.key, p.Now)
		if l := registry.Duration(p.LongestLifetime); l > d.key.Longest && state != StateDeleted && state != StateRevoked {
			d.key.Longest = l
			d.because("tokens may live longer")
		}
	}
}

// succeed applies the rules of an algorithm in use once. It reports whether a
// key became active, in which case its own successor is to be seen to.
func (p *planner) succeed(alg string) (again bool) {
	active, nexts := p.roles(alg)
	if active == nil {
		if len(nexts) == 0 {
			d := p.make(alg, "the algorithm has no key yet")
			d.key.Activates = p.Now
			return true
		}
		nexts[0].key.Activates = p.Now
		nexts[0].because("no key is active")
		return true
	}
	if len(nexts) == 0 {
		nexts = append(nexts, p.make(alg, "every algorithm has a next key"))
	}
	next := nexts[0]
	// Of several next keys one at a time has its turn. The others stay
	// published: a node with old documents may already be using them.
	for _, d := range nexts[1:] {
		if !d.key.Activates.IsZero() {
			d.key.Activates = time.Time{}
			d.because("another key comes first")
		}
	}
	known := next.key.Announced.Add(p.notice())
	due := latest(active.key.Activates.Add(p.rotate()), known, p.Now)
	if at := next.key.Activates; at.IsZero() || at.After(due) || at.Before(known) {
		next.key.Activates = due
		next.because("the schedule says so")
	}
	p.handOver(active, next.key.Activates)
	return passed(next.key.Activates, p.Now)
}

// handOver lets the active key sign until its successor does.
func (p *planner) handOver(active *draft, at time.Time) {
	if !active.key.Retires.Equal(at) {
		active.key.Retires = at
		active.because("its successor takes over then")
	}
}

// hasten brings the changeover of an algorithm forward to the earliest time
// that verifiers are ready for.
func (p *planner) hasten(alg string) {
	active, nexts := p.roles(alg)
	if active == nil || len(nexts) == 0 {
		return
	}
	next := nexts[0]
	at := latest(next.key.Announced.Add(p.notice()), p.Now)
	if at.Before(next.key.Activates) {
		next.key.Activates = at
		next.because("an operator asked for a new key")
		p.handOver(active, at)
	}
}

// wane lets the keys of an algorithm that no API uses any more run out: a
// planned changeover still happens, so that one who goes back to the algorithm
// soon finds keys that verifiers know.
func (p *planner) wane(alg string) {
	active, nexts := p.roles(alg)
	if active != nil && len(nexts) > 0 {
		return
	}
	if active != nil {
		nexts = []*draft{active}
	}
	for _, d := range nexts {
		if d.key.Activates.IsZero() || d.key.Activates.After(p.Now) {
			d.key.Activates = p.Now
		}
		d.key.Retires = p.Now
		d.because("no API uses its algorithm")
	}
}

// roles returns the key that signs and the next ones, in the order in which
// [Active] takes them. Further active keys, which there should not be, retire.
func (p *planner) roles(alg string) (active *draft, nexts []*draft) {
	for _, d := range p.drafts {
		if d.gone || d.key.Algorithm != alg {
			continue
		}
		switch State(d.key, p.Now) {
		case StateActive:
			loser := d
			if active == nil || newer(d.key, active.key) {
				active, loser = d, active
			}
			if loser != nil {
				loser.key.Retires = p.Now
				loser.because("another key is active")
			}
		case StateNext:
			nexts = append(nexts, d)
		}
	}
	slices.SortFunc(nexts, func(a, b *draft) int {
		if earlier(a.key, b.key) {
			return -1
		}
		return 1
	})
	return active, nexts
}

// make adds a key that is announced now.
func (p *planner) make(alg, why string) *draft {
	d := &draft{why: why, key: &registry.Key{
		Issuer: p.Issuer.ID, Algorithm: alg, Announced: p.Now, Longest: registry.Duration(p.LongestLifetime),
	}}
	p.drafts = append(p.drafts, d)
	return d
}

// expire plans the deletion of keys that sign no more, never earlier than
// planned before, and deletes those whose time has come.
func (p *planner) expire() {
	for _, d := range p.drafts {
		k := d.key
		switch State(k, p.Now) {
		case StateRevoked:
			// Its document tells what became of the key while tokens of it are about.
			d.gone = passed(p.gone(k, k.Revoked), p.Now)
		case StateDeleted:
			d.gone = true
		case StateRetired:
			if need := p.gone(k, k.Retires); k.Deletes.Before(need) {
				k.Deletes = need
				d.because("the last token that it signed has expired then")
			}
			d.gone = passed(k.Deletes, p.Now)
		default:
			// How long a key outlasts its retirement is known when it retires.
			if !k.Deletes.IsZero() {
				k.Deletes = time.Time{}
				d.because("it still signs")
			}
		}
	}
}

// because keeps the first reason: what follows from it needs none.
func (d *draft) because(why string) {
	if d.why == "" {
		d.why = why
	}
}

// steps are the differences.
func (p *planner) steps() []Step {
	var out []Step
	for _, d := range p.drafts {
		if do := d.action(p.Now); do != "" {
			out = append(out, Step{Do: do, Key: d.key, Why: d.why})
		}
	}
	return out
}

// action names the weightiest change of a document; "" when there is none.
func (d *draft) action(now time.Time) Action {
	switch {
	case d.before == nil:
		return Make
	case d.gone:
		d.because("nothing that it signed is valid any more")
		return Delete
	case d.before.Revoked != d.key.Revoked:
		return Revoke
	}
	was, is := State(d.before, now), State(d.key, now)
	switch {
	case was != is && is == StateActive:
		return Activate
	case was != is && is == StateRetired:
		return Retire
	case d.before.Longest != d.key.Longest, !d.before.Activates.Equal(d.key.Activates),
		!d.before.Retires.Equal(d.key.Retires), !d.before.Deletes.Equal(d.key.Deletes):
		return Reschedule
	}
	return ""
}

// latest returns the last of several times.
func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}
