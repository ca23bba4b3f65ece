package keys

import (
	"testing"

	"github.com/symbolon/symbolon/internal/jose"
)

// TestRFC7517_4_5_KeyIDsDiffer: a kid follows from the key, so keys of a set have
// different ones, those of two algorithms too.
func TestRFC7517_4_5_KeyIDsDiffer(t *testing.T) {
	m := NewMaster()
	ids := map[string]bool{}
	var set jose.KeySet
	for _, alg := range []jose.Algorithm{jose.ES256, jose.ES256, jose.ES384, jose.EdDSA, jose.EdDSA} {
		k := newKey(t, m, alg)
		private, err := open(m, k)
		if err != nil {
			t.Fatal(err)
		}
		if k.ID != keyID(private.Public()) {
			t.Errorf("the kid of a key for %s does not follow from it", alg)
		}
		public, err := jose.ParseKey(k.Public)
		if err != nil {
			t.Fatal(err)
		}
		set.Keys = append(set.Keys, public)
		ids[k.ID] = true
	}
	if len(ids) != len(set.Keys) {
		t.Errorf("%d kids of %d keys", len(ids), len(set.Keys))
	}
	read, err := jose.ParseKeySet(set.JSON())
	if err != nil || len(read.Skipped) != 0 {
		t.Errorf("the set is ambiguous: %+v, %v", read, err)
	}
}
