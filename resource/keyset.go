package resource

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

// keySet is the issuer's key set as it was at one time. It is never changed.
type keySet struct {
	byID      map[string]*jose.Key
	text      []byte    // the document, for the stored copy
	confirmed time.Time // when the issuer last said so
}

// errNoUsableKey: an issuer always has a key, so an empty set is somebody's
// mistake. It does not replace a good one.
var errNoUsableKey = errors.New("the key set holds no key that can be used")

// parseKeySet reads a key set (RFC 7517 §5). Keys without a kid cannot be
// named by a token and are left out, as is what jose skips.
func parseKeySet(text []byte, confirmed time.Time, log *slog.Logger) (*keySet, error) {
	parsed, err := jose.ParseKeySet(text)
	if err != nil {
		return nil, fmt.Errorf("the key set cannot be read: %w", err)
	}
	for _, s := range parsed.Skipped {
		log.Debug("a key of the issuer is not used", "index", s.Index, "kid", quoted(s.ID), "reason", s.Reason)
	}
	set := &keySet{byID: make(map[string]*jose.Key, len(parsed.Keys)), text: text, confirmed: confirmed}
	for _, k := range parsed.Keys {
		if k.ID != "" {
			set.byID[k.ID] = k
		}
	}
	if len(set.byID) == 0 {
		return nil, errNoUsableKey
	}
	return set, nil
}

// keep takes over old's value of each key that did not change, so that a key's
// address says whether it is still the same key.
func (s *keySet) keep(old *keySet) {
	if old == nil {
		return
	}
	for id, k := range s.byID {
		if o := old.byID[id]; o != nil && bytes.Equal(o.JSON(), k.JSON()) {
			s.byID[id] = o
		}
	}
}

// gone gives the ids of old's keys that s does not have.
func (s *keySet) gone(old *keySet) []string {
	var ids []string
	if old != nil {
		for id, k := range old.byID {
			if s.byID[id] != k {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// usable reports whether the set was confirmed recently enough. One that was
// confirmed in the future belongs to a clock that was wrong, then or now; a
// minute of that is let pass.
func (s *keySet) usable(now time.Time, maxStale time.Duration) bool {
	if s == nil {
		return false
	}
	age := now.Sub(s.confirmed)
	return age < maxStale && age > -time.Minute
}
