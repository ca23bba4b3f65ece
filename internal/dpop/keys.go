package dpop

import (
	"sync"

	"github.com/symbolon/symbolon/internal/jose"
)

// Keys remembers the keys of proofs whose signature was good: a client proves with the same
// key again and again, and reading and checking a key costs a tenth of what verifying with it
// does. It holds at most maxKeys keys, each by the text of its jwk. Only who has a key can put
// it there, so strangers win nothing but their own place. The zero value is ready; it is safe
// for concurrent use.
type Keys struct {
	mu    sync.RWMutex
	known map[string]knownKey
}

type knownKey struct {
	key        *jose.Key
	thumbprint string
}

// Bounds of Keys.
const (
	maxKeys    = 4096
	maxKeyText = 1 << 10 // bytes of a jwk that is remembered
)

func (k *Keys) find(text []byte) (known knownKey, ok bool) {
	if k == nil {
		return known, false
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	known, ok = k.known[string(text)]
	return known, ok
}

func (k *Keys) add(text []byte, known knownKey) {
	if k == nil || len(text) > maxKeyText {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		k.known = make(map[string]knownKey)
	}
	if len(k.known) >= maxKeys {
		for old := range k.known { // any: its owner's next proof brings it back
			delete(k.known, old)
			break
		}
	}
	k.known[string(text)] = known
}
