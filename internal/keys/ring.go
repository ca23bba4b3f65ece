package keys

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// Ring holds the opened signing keys of a node. A look-up takes no lock: the
// map behind the pointer is never written to, only replaced.
type Ring struct {
	master  *Master
	signers atomic.Pointer[map[ringKey]*jose.Signer]
	opening sync.Mutex // one key is opened once, however many requests want it

	verifiers sync.Map // kid → *verifier
}

type ringKey struct{ kid, typ string }

// NewRing returns an empty ring that opens keys with m.
func NewRing(m *Master) *Ring {
	r := &Ring{master: m}
	r.signers.Store(&map[ringKey]*jose.Signer{})
	return r
}

// Signer returns the signer of a key for tokens of this typ. The first call
// opens the key. A revoked key signs nothing, opened or not.
// Errors: [ErrKey], [ErrOtherMaster], [ErrSealed].
func (r *Ring) Signer(k *registry.Key, typ string) (*jose.Signer, error) {
	if k.Revoked.IsZero() && k.Private != "" {
		if s, ok := (*r.signers.Load())[ringKey{k.ID, typ}]; ok {
			return s, nil
		}
	}
	return r.open(k, typ)
}

func (r *Ring) open(k *registry.Key, typ string) (*jose.Signer, error) {
	r.opening.Lock()
	defer r.opening.Unlock()
	before := *r.signers.Load()
	if s, ok := before[ringKey{k.ID, typ}]; ok && k.Revoked.IsZero() && k.Private != "" {
		return s, nil
	}
	private, err := open(r.master, k)
	if err != nil {
		return nil, err
	}
	s, err := jose.NewSigner(private, jose.Algorithm(k.Algorithm), k.ID, typ)
	if err != nil {
		return nil, err
	}
	after := maps.Clone(before)
	after[ringKey{k.ID, typ}] = s
	r.signers.Store(&after)
	return s, nil
}

// Keep drops the opened keys whose kid inUse does not know: those that were
// retired, revoked or deleted. It is called after the keys have changed.
func (r *Ring) Keep(inUse func(kid string) bool) {
	r.opening.Lock()
	defer r.opening.Unlock()
	after := maps.Clone(*r.signers.Load())
	maps.DeleteFunc(after, func(k ringKey, _ *jose.Signer) bool { return !inUse(k.kid) })
	r.signers.Store(&after)
	r.verifiers.Range(func(kid, _ any) bool {
		if !inUse(kid.(string)) {
			r.verifiers.Delete(kid) // a retired key is read again when a token of it comes
		}
		return true
	})
}
