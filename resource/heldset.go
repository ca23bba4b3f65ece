package resource

import (
	"errors"
	"maps"

	"github.com/symbolon/symbolon"
)

// heldSet is what an issuer denies, as far as was heard. It is never changed: a
// set that is taken makes a new one.
type heldSet struct {
	epoch, seq int64
	asOf       int64 // seconds since 1970
	journal    string

	// What came since base was made stands in fresh, so that one denial does not
	// copy a hundred thousand.
	base, fresh map[symbolon.DenialKey]entry

	pending     map[string]symbolon.PendingDenial // by id
	pendingKeys map[symbolon.DenialKey]bool
}

// entry is a denial without its key.
type entry struct {
	n       int64 // 0: whatever gen is
	expires int64
}

// mostFresh is how many entries are copied for one more, at most.
const mostFresh = 1024

// setSkew is how much later than its expiry an entry may be needed, and a set be
// taken, by a clock that is not the issuer's.
const setSkew = 60

// Why a set is not taken.
var (
	errSetOlder  = errors.New("the set is older than the one that is held: its node is behind, or somebody sends again what he recorded")
	errSetGap    = errors.New("the set is a difference to another set than the one that is held")
	errSetExpiry = errors.New("the set expired: the issuer's clock and this one differ, or somebody sends again what he recorded")
	errSetIssuer = errors.New("the set is of another issuer")
)

// take gives what is held after a set was taken; held may be nil.
func (held *heldSet) take(s *symbolon.RevocationSet, now int64) (*heldSet, error) {
	if held != nil && (s.Epoch < held.epoch || s.Epoch == held.epoch && s.Seq < held.seq) {
		return nil, errSetOlder
	}
	next := &heldSet{epoch: s.Epoch, seq: s.Seq, asOf: s.AsOf, journal: s.Journal}
	switch {
	case s.Since == 0:
		next.base = make(map[symbolon.DenialKey]entry, len(s.Entries))
		add(next.base, nil, s.Entries, now)
	case held == nil || s.Epoch != held.epoch || s.Since > held.seq:
		return nil, errSetGap
	default:
		next.base, next.fresh = held.base, held.fresh
		next.extend(s.Entries, now)
	}
	if len(s.Pending)+len(s.Merged) == 0 && (held == nil || s.Journal != held.journal) {
		// It leaves out what another validator has: somebody sends again what he
		// recorded. All is asked for, or else it would never be told here.
		next.journal = ""
	}
	next.takePending(held, s, now)
	return next, nil
}

// extend adds the entries of a difference.
func (h *heldSet) extend(entries []symbolon.RevocationEntry, now int64) {
	if len(entries) == 0 {
		return
	}
	if len(h.fresh)+len(entries) <= mostFresh {
		fresh := make(map[symbolon.DenialKey]entry, len(h.fresh)+len(entries))
		maps.Copy(fresh, h.fresh)
		add(fresh, h.base, entries, now)
		h.fresh = fresh
		return
	}
	base := make(map[symbolon.DenialKey]entry, len(h.base)+len(h.fresh)+len(entries))
	for _, part := range []map[symbolon.DenialKey]entry{h.base, h.fresh} { // fresh wins
		for k, e := range part {
			if e.expires+setSkew > now {
				base[k] = e
			}
		}
	}
	add(base, nil, entries, now)
	h.base, h.fresh = base, nil
}

// add puts the entries that have not expired into m, with what m, or else below,
// has of each already: the one that denies more counts.
func add(m, below map[symbolon.DenialKey]entry, entries []symbolon.RevocationEntry, now int64) {
	for i := range entries {
		e := &entries[i]
		if e.Expires+setSkew <= now {
			continue
		}
		old, there := m[e.Key]
		if !there {
			old, there = below[e.Key]
		}
		one := entry{e.N, e.Expires}
		if there {
			if old.n == 0 || one.n != 0 && old.n > one.n {
				one.n = old.n
			}
			one.expires = max(one.expires, old.expires)
		}
		m[e.Key] = one
	}
}

// takePending: an entry that is pending stays until a set lists it as merged, or
// it expires, whichever node says so.
func (h *heldSet) takePending(held *heldSet, s *symbolon.RevocationSet, now int64) {
	if len(s.Pending) == 0 && (held == nil || len(held.pending) == 0) {
		return
	}
	h.pending, h.pendingKeys = make(map[string]symbolon.PendingDenial), make(map[symbolon.DenialKey]bool)
	if held != nil {
		maps.Copy(h.pending, held.pending)
	}
	for _, p := range s.Pending {
		h.pending[p.ID] = p
	}
	for _, id := range s.Merged {
		delete(h.pending, id)
	}
	maps.DeleteFunc(h.pending, func(_ string, p symbolon.PendingDenial) bool { return p.Expires+setSkew <= now })
	for _, p := range h.pending {
		h.pendingKeys[p.Key] = true
	}
}

func (h *heldSet) empty() bool { return len(h.base)+len(h.fresh)+len(h.pendingKeys) == 0 }

// denies reports whether an entry refuses a token with these keys and this gen.
func (h *heldSet) denies(k *denialKeys, gen int64) bool {
	for i := range k.all {
		e, there := h.base[k.all[i]]
		if len(h.fresh) > 0 {
			if f, newer := h.fresh[k.all[i]]; newer {
				e, there = f, true
			}
		}
		if there && (e.n == 0 || gen < e.n) {
			return true
		}
	}
	return false
}

// pends reports whether a pending denial refuses a token with these keys, which
// are those of epoch 0.
func (h *heldSet) pends(k *denialKeys) bool {
	for i := range k.all {
		if h.pendingKeys[k.all[i]] {
			return true
		}
	}
	return false
}

// whole gives the set as one, for the stored copy.
func (h *heldSet) whole(issuer string) *symbolon.RevocationSet {
	s := &symbolon.RevocationSet{
		Issuer: issuer, Epoch: h.epoch, Seq: h.seq, AsOf: max(h.asOf, 1), Expires: 1, // it is not sent
		Entries: make([]symbolon.RevocationEntry, 0, len(h.base)+len(h.fresh)), Pending: []symbolon.PendingDenial{}, Merged: []string{},
	}
	for k, e := range h.base {
		if _, newer := h.fresh[k]; !newer {
			s.Entries = append(s.Entries, symbolon.RevocationEntry{Key: k, Expires: e.expires, N: e.n})
		}
	}
	for k, e := range h.fresh {
		s.Entries = append(s.Entries, symbolon.RevocationEntry{Key: k, Expires: e.expires, N: e.n})
	}
	for _, p := range h.pending {
		s.Pending = append(s.Pending, p)
	}
	return s
}
