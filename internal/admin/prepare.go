package admin

import (
	"context"

	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
)

// prepared is what a change needs and what takes too long for a transaction,
// in which all other writers wait: key pairs, and argon2id. A transaction that
// misses some notes it here and is rolled back; it is made outside, and the
// transaction is run again.
type prepared struct {
	master  *keys.Master
	missing []func() error
	wanted  map[string]bool
	hashes  map[string]string         // value → stored form
	matches map[[2]string]bool        // stored form, value → whether they fit
	keys    map[string][]registry.Key // issuer and algorithm → unused key pairs
	taken   map[string]int
}

func newPrepared(m *keys.Master) *prepared {
	return &prepared{master: m, wanted: make(map[string]bool), hashes: make(map[string]string),
		matches: make(map[[2]string]bool), keys: make(map[string][]registry.Key), taken: make(map[string]int)}
}

func (p *prepared) pending() bool { return len(p.missing) > 0 }

// make makes everything that was missing.
func (p *prepared) make(ctx context.Context) error {
	for _, f := range p.missing {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(); err != nil {
			return err
		}
	}
	p.missing = nil
	clear(p.wanted)
	clear(p.taken)
	return nil
}

// want notes what is missing, once.
func (p *prepared) want(name string, f func() error) {
	if !p.wanted[name] {
		p.wanted[name] = true
		p.missing = append(p.missing, f)
	}
}

// hash is the stored form of a value. The same value keeps its form through
// all attempts of a change.
func (p *prepared) hash(value Secret) string {
	if registry.IsGenerated(value.value) {
		return hashSecret(value)
	}
	if h, ok := p.hashes[value.value]; ok {
		return h
	}
	p.want("hash "+value.value, func() error {
		p.hashes[value.value] = hashSecret(value)
		return nil
	})
	return ""
}

// fits reports whether value is the secret with this stored form.
func (p *prepared) fits(hash string, value Secret) bool {
	if _, ok := registry.ParseSHA256(hash); ok {
		return matches(hash, value)
	}
	pair := [2]string{hash, value.value}
	fits, ok := p.matches[pair]
	if !ok {
		p.want("fits "+hash+" "+value.value, func() error {
			p.matches[pair] = matches(hash, value)
			return nil
		})
	}
	return fits
}

// key gives a step its key pair; nil when there is none yet.
func (p *prepared) key(step keys.Step) *registry.Key {
	name := step.Key.Issuer + "\n" + step.Key.Algorithm
	n := p.taken[name]
	p.taken[name]++
	if n < len(p.keys[name]) {
		k := p.keys[name][n]
		k.Announced, k.Activates, k.Retires, k.Longest = step.Key.Announced, step.Key.Activates, step.Key.Retires, step.Key.Longest
		return &k
	}
	p.missing = append(p.missing, func() error {
		k, err := step.Make(p.master)
		if err == nil {
			p.keys[name] = append(p.keys[name], *k)
		}
		return err
	})
	return nil
}
