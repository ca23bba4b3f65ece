package server

import (
	"errors"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/symbolon/symbolon/internal/registry"
)

// importedForm is the stored form of a secret, of little cost.
func importedForm(value, salt string) registry.Argon2id {
	return registry.Argon2id{Memory: 64, Time: 1, Threads: 1, Salt: []byte(salt), Key: argon2.IDKey([]byte(value), []byte(salt), 1, 64, 1, 32)}
}

// TestWrongSecretsKeepNobodyOut: whoever authenticated before goes on doing so
// while a stranger fills the queue of slow hashes; nobody else gets past it.
func TestWrongSecretsKeepNobodyOut(t *testing.T) {
	h := newHashers()
	ctx, old := t.Context(), importedForm("correct horse", "a salt of sixteen")
	if hit, err := h.matches(ctx, "correct horse", old); !hit || err != nil {
		t.Fatal(hit, err)
	}
	if hit, err := h.matches(ctx, "wrong horse", old); hit || err != nil {
		t.Fatal(hit, err)
	}
	for range cap(h.places) {
		h.places <- struct{}{}
	}
	if hit, err := h.matches(ctx, "correct horse", old); !hit || err != nil {
		t.Errorf("who was here before: %t, %v", hit, err)
	}
	for name, p := range map[string]struct {
		value string
		of    registry.Argon2id
	}{
		"a wrong secret":                   {"wrong horse", old},
		"a longer secret":                  {"correct horse\x00", old},
		"the same secret, stored anew":     {"correct horse", importedForm("correct horse", "another salt, 16+")},
		"the same secret of another value": {"correct horse", importedForm("wrong horse", "a salt of sixteen")},
	} {
		if hit, err := h.matches(ctx, p.value, p.of); hit || !errors.Is(err, errBusy) {
			t.Errorf("%s: %t, %v; want the queue's refusal", name, hit, err)
		}
	}
}

// TestSecretsThatFittedAreBounded in number.
func TestSecretsThatFittedAreBounded(t *testing.T) {
	h := newHashers()
	for i := range maxFitted + 10 {
		h.remember([32]byte{byte(i), byte(i >> 8), 1})
	}
	if len(h.fitted) != maxFitted {
		t.Errorf("%d are remembered, want %d", len(h.fitted), maxFitted)
	}
}
