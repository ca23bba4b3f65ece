package server

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/jose"
)

// TestPrivateKeysInProofs (CVE-2026-54431): refused, and told apart in the answer,
// since whoever sends one has to replace it.
func TestPrivateKeysInProofs(t *testing.T) {
	f := newProofFixture(t)
	for _, name := range []string{"P-256 proof", "RSA one", "Ed25519 proof"} {
		p := f.proofOf(name)
		if alg, ok := map[string]string{"RSA one": "PS256", "Ed25519 proof": "EdDSA"}[name]; ok {
			p.header["alg"] = alg
		}
		p.header["jwk"] = json.RawMessage(strings.Replace(string(publicKey(t, name, "", "").JSON()), "{", `{"d":"AQAB",`, 1))
		t.Run(name, func(t *testing.T) {
			if got := refusedProof(t, f.proven(grant, p.text(t))); !strings.Contains(got, "private key") {
				t.Error(got)
			}
		})
	}
}

// TestOverflowingTimesInProofs: no number panics or passes the test of freshness.
func TestOverflowingTimesInProofs(t *testing.T) {
	f := newProofFixture(t)
	for _, number := range []string{
		"-9223372036854775808", "9223372036854775807", "9223372036854775808", "-1", "1e308", "1e400", "-1e400", "0", "253402300800", `"1800000000"`, "null", "true", "[]",
	} {
		p := f.proofOf("P-256 proof")
		p.claims["iat"] = 7777
		p.payload = strings.Replace(compactJSON(t, p.claims), "7777", number, 1)
		t.Run(number, func(t *testing.T) { refusedProof(t, f.proven(grant, p.text(t))) })
	}
	f.token(f.proven(grant, f.proofOf("P-256 proof").text(t)))
}

// TestHostileProofs: size and nesting are bounded before anything is computed.
func TestHostileProofs(t *testing.T) {
	f := newProofFixture(t)
	deep := f.proofOf("P-256 proof")
	deep.payload = strings.Replace(compactJSON(t, deep.claims), "{", `{"x":`+strings.Repeat("[", 4000)+strings.Repeat("]", 4000)+",", 1)
	deeper := f.proofOf("P-256 proof")
	deeper.payload = strings.Replace(compactJSON(t, deeper.claims), "{", `{"x":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+",", 1)
	twice := f.proofOf("P-256 proof")
	twice.payload = strings.Replace(compactJSON(t, twice.claims), `"htm":`, `"htm":"GET","htm":`, 1)
	for name, text := range map[string]string{
		"nested": deep.text(t), "10,000 nested": deeper.text(t), "a member twice": twice.text(t),
		"1 MB": strings.Repeat("A", 1<<20), "1 MB of dots": strings.Repeat(".", 1<<20), "a header of 1 MB": jose.EncodeSegment([]byte(`{"x":"`+strings.Repeat("x", 1<<20)+`"}`)) + ".e30.AA",
	} {
		t.Run(name, func(t *testing.T) { refusedProof(t, f.proven(grant, text)) })
	}
}
