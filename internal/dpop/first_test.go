package dpop

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
	"time"
)

func TestRoundTrip(t *testing.T) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p, err := NewProver(key)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	text, err := p.Proof(ProofRequest{Method: "POST", URL: "HTTPS://A.example:443/x/../token?q#f", Nonce: "n", AccessToken: "t", Time: now})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Check([]string{text}, Expectation{Method: "POST", URLs: []string{"https://a.example/token"}, AccessToken: "t", Now: now})
	if err != nil {
		t.Fatal(err, err.(interface{ Cause() error }).Cause())
	}
	if got.Thumbprint != p.Thumbprint() || got.Nonce != "n" {
		t.Fatalf("%+v", got)
	}
	m := NewMemory(MemoryConfig{})
	e := Entry{Key: got.ReplayKey, Expires: got.Expires, Owner: "a"}
	if err := m.Claim(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	if err := m.Claim(context.Background(), e); err != ErrReplayed {
		t.Fatal(err)
	}
	n := NewNonces(NonceKey{1})
	if !n.Check("p", n.Issue("p", now), now.Add(4*time.Minute)) || n.Check("q", n.Issue("p", now), now) {
		t.Fatal("nonce")
	}
}
