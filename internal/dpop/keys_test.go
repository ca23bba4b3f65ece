package dpop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// TestRememberedKeys: a known key changes no verdict, and only a good proof makes
// a key known.
func TestRememberedKeys(t *testing.T) {
	var keys Keys
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	const url = "https://auth.example.com/token"
	e := Expectation{Method: "POST", URLs: []string{url}, Now: now, Keys: &keys}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewProver(key)
	if err != nil {
		t.Fatal(err)
	}
	proof := func() string {
		text, err := p.Proof(ProofRequest{Method: "POST", URL: url, Time: now})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	forge := func(text string) string { // the signature of another proof
		head, _, _ := strings.Cut(text, ".")
		other := strings.Split(proof(), ".")
		return head + "." + strings.Split(text, ".")[1] + "." + other[2]
	}
	var refused *symbolon.Error
	if _, err := Check([]string{forge(proof())}, e); !errors.As(err, &refused) || len(keys.known) != 0 {
		t.Fatalf("%v, %d keys known", err, len(keys.known))
	}
	for range 3 {
		got, err := Check([]string{proof()}, e)
		if err != nil || got.Thumbprint != p.Thumbprint() || len(keys.known) != 1 {
			t.Fatalf("%v, %d keys known", err, len(keys.known))
		}
		if _, err := Check([]string{forge(proof())}, e); !errors.As(err, &refused) {
			t.Fatalf("a known key makes a forged proof good: %v", err)
		}
	}
	for i := range maxKeys + 10 {
		keys.add(fmt.Append(nil, i), knownKey{})
	}
	keys.add([]byte(strings.Repeat("x", maxKeyText+1)), knownKey{})
	if len(keys.known) != maxKeys {
		t.Errorf("%d keys known", len(keys.known))
	}
}
