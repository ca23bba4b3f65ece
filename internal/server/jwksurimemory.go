package server

import (
	"container/list"
	"crypto/rsa"
	"fmt"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

// maxKeysOfSet is the most keys that a client's set may hold, usable or not:
// each costs memory and, to check that it is sound, time.
const maxKeysOfSet = 64

// clientKeys is a client's key set as it was at one time. It is never changed
// once it is remembered.
type clientKeys struct {
	keys      []*jose.Key
	confirmed time.Time // when the host last said so
	octets    int       // of memory, about
}

// parseClientKeys reads a key set (RFC 7517 §5). One without usable keys is good
// too: a client that withdraws its last key means it.
func parseClientKeys(text []byte) (*clientKeys, []jose.SkippedKey, error) {
	parsed, err := jose.ParseKeySet(text)
	if err != nil {
		return nil, nil, fmt.Errorf("what the jwks_uri answered is no key set: %w; publish {\"keys\": […]} of RFC 7517 §5", err)
	}
	if n := len(parsed.Keys) + len(parsed.Skipped); n > maxKeysOfSet {
		return nil, nil, fmt.Errorf("the key set holds %d keys: at most %d are read; publish only those that are in use", n, maxKeysOfSet)
	}
	set := &clientKeys{keys: parsed.Keys, octets: 256}
	for _, k := range parsed.Keys {
		set.octets += 2048 + len(k.ID)
		if pub, ok := k.Public.(*rsa.PublicKey); ok {
			set.octets += 4 * pub.Size()
		}
	}
	return set, parsed.Skipped, nil
}

// find gives the keys that a signature with this kid and algorithm may be of.
func (c *clientKeys) find(kid string, alg jose.Algorithm) []*jose.Key {
	switch {
	case c == nil:
		return nil
	case kid == "" && alg == "":
		return c.keys
	case kid == "":
		var fitting []*jose.Key
		for _, k := range c.keys {
			if goesWith(k, alg) {
				fitting = append(fitting, k)
			}
		}
		return fitting
	}
	for i, k := range c.keys { // jose leaves at most one of a kid
		if k.ID == kid {
			return c.keys[i : i+1 : i+1]
		}
	}
	return nil
}

// goesWith reports whether the key may verify signatures of this algorithm.
func goesWith(k *jose.Key, alg jose.Algorithm) bool {
	switch k.Algorithm {
	case alg:
		return true
	case "": // an RSA key from a JWK without alg
		return strings.HasPrefix(string(alg), "RS") || strings.HasPrefix(string(alg), "PS")
	case jose.EdDSA, jose.Ed25519: // two names of one algorithm (RFC 9864 §2.2)
		return alg == jose.EdDSA || alg == jose.Ed25519
	}
	return false
}

// lacks counts the keys of old that c has not got.
func (c *clientKeys) lacks(old *clientKeys) int {
	if c == nil || old == nil {
		return 0
	}
	has := make(map[string]bool, len(c.keys))
	for _, k := range c.keys {
		has[k.Thumbprint()] = true
	}
	n := 0
	for _, k := range old.keys {
		if !has[k.Thumbprint()] {
			n++
		}
	}
	return n
}

// keyEntry is what is known of one jwks_uri. The KeySource's lock guards it.
type keyEntry struct {
	uri     string
	set     *clientKeys   // nil: none was fetched, or it had to leave
	failed  error         // of the last fetch; nil: it succeeded, or there was none
	round   chan struct{} // closed when the fetch under way ends; nil: none is
	next    time.Time     // before, no fetch begins
	waiting int           // requests that wait for the round
}

// usable gives the set if it was confirmed recently enough. One that was
// confirmed in the future belongs to a clock that was wrong, then or now; a
// minute of that is let pass.
func (e *keyEntry) usable(now time.Time, stale time.Duration) *clientKeys {
	if e.set == nil {
		return nil
	}
	if age := now.Sub(e.set.confirmed); age >= stale || age < -time.Minute {
		return nil
	}
	return e.set
}

// cooling reports whether the last fetch began less than a pause ago. A clock
// that was set back must not lengthen the pause.
func (e *keyEntry) cooling(now time.Time, pause time.Duration) bool {
	wait := e.next.Sub(now)
	return wait > 0 && wait <= pause
}

// keyMemory holds the entries, bounded in number and in octets. What was not
// used for longest goes first.
type keyMemory struct {
	limits  keyLimits
	entries map[string]*list.Element // of order, by URI
	order   *list.List               // of *keyEntry, the last used at the front
	octets  int
}

func newKeyMemory(limits keyLimits) keyMemory {
	return keyMemory{limits: limits, entries: make(map[string]*list.Element), order: list.New()}
}

// entry gives the entry of a URI, and makes it if there is none yet.
func (m *keyMemory) entry(uri string, now time.Time) (*keyEntry, error) {
	if at := m.entries[uri]; at != nil {
		m.order.MoveToFront(at)
		return at.Value.(*keyEntry), nil
	}
	if len(m.entries) >= m.limits.uris && !m.forget(now) {
		return nil, fmt.Errorf("%w: %w", errKeySetAway, errKeysCrowded)
	}
	e := &keyEntry{uri: uri}
	m.entries[uri] = m.order.PushFront(e)
	return e, nil
}

// forget makes room for one entry. One that was fetched just now stays even if
// it is the oldest: without it, the URI would be fetched again too soon. So does
// one that is waited for.
func (m *keyMemory) forget(now time.Time) bool {
	for at := m.order.Back(); at != nil; at = at.Prev() {
		e := at.Value.(*keyEntry)
		if e.round != nil || e.waiting > 0 || e.cooling(now, m.limits.pause) {
			continue
		}
		m.drop(e)
		m.order.Remove(at)
		delete(m.entries, e.uri)
		return true
	}
	return false
}

// store puts a set into its entry, and takes others out of theirs as long as all
// together are too large.
func (m *keyMemory) store(e *keyEntry, set *clientKeys) {
	m.drop(e)
	e.set = set
	m.octets += set.octets
	for at := m.order.Back(); at != nil && m.octets > m.limits.octets; at = at.Prev() {
		if other := at.Value.(*keyEntry); other != e {
			m.drop(other)
		}
	}
}

// drop takes the set out of an entry. What is known of its fetches stays.
func (m *keyMemory) drop(e *keyEntry) {
	if e.set != nil {
		m.octets -= e.set.octets
		e.set = nil
	}
}
