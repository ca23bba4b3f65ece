package interop

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"maps"
	"math/big"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/jose"
)

// signAny signs any header and payload, which no Signer of ours would. All but PS256 give the
// same signature every time.
func signAny(private crypto.Signer, alg jose.Algorithm) func(header, payload []byte) string {
	return func(header, payload []byte) string {
		signed := encode(header) + "." + encode(payload)
		digest := sha256.Sum256([]byte(signed))
		var signature []byte
		var err error
		switch private := private.(type) {
		case *ecdsa.PrivateKey:
			if signature, err = private.Sign(nil, digest[:], crypto.SHA256); err == nil {
				var pair struct{ R, S *big.Int }
				_, err = asn1.Unmarshal(signature, &pair)
				signature = append(pair.R.FillBytes(make([]byte, 32)), pair.S.FillBytes(make([]byte, 32))...)
			}
		case *rsa.PrivateKey:
			if alg == jose.PS256 {
				signature, err = rsa.SignPSS(rand.Reader, private, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: 32})
			} else {
				signature, err = rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
			}
		case ed25519.PrivateKey:
			signature = ed25519.Sign(private, []byte(signed))
		}
		if err != nil {
			panic(err)
		}
		return signed + "." + encode(signature)
	}
}

// fixedKeys returns the same three keys in every run; the RSA key is one of Wycheproof's.
func fixedKeys(t *testing.T) (*ecdsa.PrivateKey, *rsa.PrivateKey, ed25519.PrivateKey) {
	t.Helper()
	seed := bytes.Repeat([]byte{7}, 32)
	ec, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed)
	if err != nil {
		t.Fatal(err)
	}
	var file joseFile
	readVectors(t, "json_web_signature_test.json", &file)
	for _, group := range file.TestGroups {
		if group.Comment == "rs256" {
			signer, _, err := jose.ParsePrivateKey(group.Private)
			if err != nil {
				t.Fatal(err)
			}
			return ec, signer.(*rsa.PrivateKey), ed25519.NewKeyFromSeed(seed)
		}
	}
	t.Fatal("no RSA key in the vectors")
	return nil, nil, nil
}

// observation is one way in which a library and we disagree.
type observation struct{ class, library string }

// classOf names the disagreement about a mutant, "" if there is none. What we refuse is named
// by our error, which is more exact than the kind of a random mutation; except base64, where
// the kind says what was wrong with it.
func classOf(kind, where string, err, theirErr error, same bool) string {
	if of, _, ok := strings.Cut(kind, "="); ok { // header: typ="x"
		kind = of
	}
	switch {
	case err == nil && theirErr == nil && !same:
		return "another payload, " + kind
	case err == nil && theirErr != nil:
		return "accepted, " + kind
	case errors.Is(err, jose.ErrBase64) && theirErr == nil:
		return "refused, " + kind
	case err != nil && theirErr == nil:
		return "refused, " + where + ": " + strings.TrimPrefix(err.Error(), "jose: ")
	}
	return ""
}

// TestDifferential asks three libraries and us about the same mutants. Whatever disagrees
// must be in the table, with the reason, and everything in the table must be seen.
func TestDifferential(t *testing.T) {
	ec, rsaKey, ed := fixedKeys(t)
	seen := map[observation]int{}
	tokens, accepted := 0, 0
	for i, c := range []struct {
		key    crypto.Signer
		alg    jose.Algorithm
		random int // mutants of each random kind
	}{{ec, jose.ES256, 900}, {ed, jose.EdDSA, 900}, {rsaKey, jose.RS256, 120}, {rsaKey, jose.PS256, 60}} {
		m := &mutator{
			rand: mathrand.New(mathrand.NewPCG(20260902, uint64(i))), sign: signAny(c.key, c.alg),
			header:  []byte(fmt.Sprintf(`{"alg":"%s","kid":"k1","typ":"at+jwt"}`, c.alg)),
			payload: []byte(`{"iss":"https://auth.example.com","aud":["a","b"],"exp":1794000600.5,"x1":null,"cnf":{"jkt":"é"}}`),
		}
		if c.key == crypto.Signer(ec) {
			m.order = ec.Params().N
		}
		key, err := jose.NewKey(c.key.Public(), c.alg, "k1")
		if err != nil {
			t.Fatal(err)
		}
		for _, mutant := range m.all(c.random) {
			tokens++
			payload, where, err := ours(mutant.token, key)
			if err == nil {
				accepted++
			}
			for _, library := range libraries {
				theirs, theirErr := library.verify(mutant.token, c.key.Public(), c.alg)
				class := classOf(mutant.kind, where, err, theirErr, bytes.Equal(payload, theirs))
				if class == "" {
					continue
				}
				o := observation{class, library.name}
				if !disagreements[class].names(library.name) && seen[o] < 3 {
					t.Errorf("%s, %s: not in the table: %s %.300q: we %v, they %v", o.class, o.library, mutant.kind, mutant.token, err, theirErr)
				}
				seen[o]++
			}
		}
	}
	for class, verdict := range disagreements {
		for name := range strings.FieldsSeq(verdict.libraries) {
			if seen[observation{class, name}] == 0 {
				t.Errorf("%s, %s: in the table, but not seen", class, name)
			}
		}
	}
	if tokens < 7000 || accepted < 1500 || tokens-accepted < 4000 {
		t.Errorf("%d tokens, of which we accept %d", tokens, accepted)
	}
	t.Logf("%d tokens, of which we accept %d; disagreements:", tokens, accepted)
	for _, o := range slices.SortedFunc(maps.Keys(seen), func(a, b observation) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.library, b.library))
	}) {
		t.Logf("%5d %-10s %s", seen[o], o.library, o.class)
	}
}
