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
	base, fresh denialTable

	pending     map[string]symbolon.PendingDenial // by id
	pendingKeys map[symbolon.DenialKey]bool
}

// entry is a denial without its key.
type entry struct {
	n       int64 // 0: whatever gen is
	expires int64 // not 0
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
		next.base = newDenialTable(len(s.Entries))
		next.base.add(s.Entries, nil, now)
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
	if h.fresh.n+len(entries) <= mostFresh {
		fresh := newDenialTable(h.fresh.n + len(entries))
		for k, e := range h.fresh.all() {
			fresh.put(k, e)
		}
		fresh.add(entries, &h.base, now)
		h.fresh = fresh
		return
	}
	base := newDenialTable(h.base.n + h.fresh.n + len(entries))
	for _, part := range []*denialTable{&h.base, &h.fresh} { // fresh wins
		for k, e := range part.all() {
			if e.expires+setSkew > now {
				base.put(k, e)
			}
		}
	}
	base.add(entries, nil, now)
	h.base, h.fresh = base, denialTable{}
}

// add puts the entries that have not expired into the table, with what it, or else
// below, has of each already: the one that denies more counts. below may be nil.
func (t *denialTable) add(entries []symbolon.RevocationEntry, below *denialTable, now int64) {
	for i := range entries {
		e := &entries[i]
		if e.Expires+setSkew <= now {
			continue
		}
		old, there := t.get(&e.Key)
		if !there && below != nil {
			old, there = below.get(&e.Key)
		}
		one := entry{e.N, e.Expires}
		if there {
			if old.n == 0 || one.n != 0 && old.n > one.n {
				one.n = old.n
			}
			one.expires = max(one.expires, old.expires)
		}
		t.put(&e.Key, one)
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

func (h *heldSet) empty() bool { return h.base.n+h.fresh.n+len(h.pendingKeys) == 0 }

// denies gives the place of the key whose entry refuses a token with these keys and
// this gen; -1: none does.
func (h *heldSet) denies(k *denialKeys, gen int64) int {
	for i := range k.all {
		e, there := h.base.get(&k.all[i])
		if f, newer := h.fresh.get(&k.all[i]); newer {
			e, there = f, true
		}
		if there && (e.n == 0 || gen < e.n) {
			return i
		}
	}
	return -1
}

// pends gives the place of the key that a pending denial refuses, of keys of epoch 0;
// -1: none does.
func (h *heldSet) pends(k *denialKeys) int {
	for i := range k.all {
		if h.pendingKeys[k.all[i]] {
			return i
		}
	}
	return -1
}

// whole gives the set as one, for the stored copy.
func (h *heldSet) whole(issuer string) *symbolon.RevocationSet {
	s := &symbolon.RevocationSet{
		Issuer: issuer, Epoch: h.epoch, Seq: h.seq, AsOf: max(h.asOf, 1), Expires: 1, // it is not sent
		Entries: make([]symbolon.RevocationEntry, 0, h.base.n+h.fresh.n), Pending: []symbolon.PendingDenial{}, Merged: []string{},
	}
	for k, e := range h.base.all() {
		if _, newer := h.fresh.get(k); !newer {
			s.Entries = append(s.Entries, symbolon.RevocationEntry{Key: *k, Expires: e.expires, N: e.n})
		}
	}
	for k, e := range h.fresh.all() {
		s.Entries = append(s.Entries, symbolon.RevocationEntry{Key: *k, Expires: e.expires, N: e.n})
	}
	for _, p := range h.pending {
		s.Pending = append(s.Pending, p)
	}
	return s
}
