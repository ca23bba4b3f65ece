package admin

import (
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
)

// TestRFC6749_2_3_1_SecretsResistGuessing: a secret that is made here is random
// in every digit, so that guessing at it leads nowhere; one that was made
// elsewhere has a least length, and each guess costs the memory and the time
// that OWASP recommends.
func TestRFC6749_2_3_1_SecretsResistGuessing(t *testing.T) {
	const draws, prefix, digits = 512, len("sym_"), 43
	var seen [digits]map[byte]bool
	all := map[string]bool{}
	for range draws {
		value := generateSecret().Reveal()
		if !registry.IsGenerated(value) {
			t.Fatal("not of the form of a generated secret")
		}
		all[value] = true
		for i := range seen {
			if seen[i] == nil {
				seen[i] = map[byte]bool{}
			}
			seen[i][value[prefix+i]] = true
		}
	}
	if len(all) != draws {
		t.Errorf("%d different secrets of %d", len(all), draws)
	}
	for i, values := range seen[1:] { // the first digit holds the rest of 256 bits
		if len(values) < 50 {
			t.Errorf("digit %d takes %d of 62 values", i+1, len(values))
		}
	}

	if err := checkValue(NewSecret(strings.Repeat("x", minSecret-1))); err == nil || minSecret < 8 {
		t.Errorf("an imported secret of %d octets: %v", minSecret-1, err)
	}
	p, ok := registry.ParseArgon2id(hashSecret(NewSecret("correct horse battery")))
	if !ok || p.Memory < 19<<10 || p.Time < 2 || len(p.Salt) < 16 {
		t.Errorf("an imported secret is stored with m=%d t=%d, %d octets of salt", p.Memory, p.Time, len(p.Salt))
	}
}
