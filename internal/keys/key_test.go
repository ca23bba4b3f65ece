package keys

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newKey(t testing.TB, m *Master, alg jose.Algorithm) *registry.Key {
	t.Helper()
	k, err := New(m, "default", alg, start)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestNewKeySigns(t *testing.T) {
	m := NewMaster()
	for _, alg := range jose.SigningAlgorithms() {
		t.Run(string(alg), func(t *testing.T) {
			k := newKey(t, m, alg)
			if !regexp.MustCompile(`^[a-z2-7]{24}$`).MatchString(k.ID) {
				t.Errorf("kid %q", k.ID)
			}
			if id, ok := SealedWith(k); !ok || id != m.ID() {
				t.Errorf("SealedWith = %q, %v", id, ok)
			}
			signer, err := NewRing(m).Signer(k, "at+jwt")
			if err != nil {
				t.Fatal(err)
			}
			text, err := signer.Sign([]byte(`{"sub":"a"}`))
			if err != nil {
				t.Fatal(err)
			}
			public, err := jose.ParseKey(k.Public)
			if err != nil {
				t.Fatal(err)
			}
			if public.ID != k.ID || public.Algorithm != alg {
				t.Errorf("published as %s %s", public.ID, public.Algorithm)
			}
			token, err := jose.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if err := token.Verify(public); err != nil {
				t.Errorf("the published half does not verify: %v", err)
			}
		})
	}
	if _, err := New(m, "default", jose.ES512, start); !errors.Is(err, jose.ErrAlgorithm) {
		t.Errorf("ES512: %v", err)
	}
}

// TestKeyOpensOnlyInItsDocument: who can write to the store can move sealed
// keys about, but not make an issuer sign with another one's.
func TestKeyOpensOnlyInItsDocument(t *testing.T) {
	m := NewMaster()
	k, other := newKey(t, m, jose.ES256), newKey(t, m, jose.ES256)
	for name, change := range map[string]func(*registry.Key){
		"issuer":    func(k *registry.Key) { k.Issuer = "partners" },
		"algorithm": func(k *registry.Key) { k.Algorithm = "EdDSA" },
		"id":        func(k *registry.Key) { k.ID = other.ID },
		"private":   func(k *registry.Key) { k.Private = other.Private },
		"id + private": func(k *registry.Key) {
			k.ID = "a" + k.ID[1:]
			k.Private = jose.EncodeSegment(m.Seal(LabelSigningKey, place(k), pkcs8(t, m, other)))
		},
		"not base64url": func(k *registry.Key) { k.Private = "*" },
		"not PKCS#8":    func(k *registry.Key) { k.Private = jose.EncodeSegment(m.Seal(LabelSigningKey, place(k), []byte("x"))) },
		"gone":          func(k *registry.Key) { k.Private = "" },
		"revoked":       func(k *registry.Key) { k.Revoked = start.Add(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			bad := *k
			change(&bad)
			if _, err := NewRing(m).Signer(&bad, "at+jwt"); !errors.Is(err, ErrKey) {
				t.Errorf("error: %v", err)
			}
		})
	}
	if _, err := NewRing(NewMaster()).Signer(k, "at+jwt"); !errors.Is(err, ErrOtherMaster) {
		t.Errorf("under another master key: %v", err)
	}
}

func pkcs8(t *testing.T, m *Master, k *registry.Key) []byte {
	t.Helper()
	sealed, err := jose.DecodeSegment(k.Private)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := m.Open(LabelSigningKey, place(k), sealed)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
