package interop

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"github.com/symbolon/symbolon/internal/jose"
)

// rawFile is the form of the files about signatures outside JOSE.
type rawFile struct {
	NumberOfTests int
	TestGroups    []struct {
		PEM        string          `json:"publicKeyPem"`
		JWK        json.RawMessage `json:"publicKeyJwk"`
		PrivateJWK json.RawMessage `json:"keyJwk"` // public in spite of its name
		Tests      []struct {
			ID       int `json:"tcId"`
			Comment  string
			Flags    []string
			Msg, Sig string
			Result   string
		}
	}
}

// runRaw runs every entry of a file under the key as PEM and, where the file has one (ten
// entries of each ECDSA file have none), as JWK too. What the file calls acceptable must be
// refused.
func runRaw(t *testing.T, name string, alg jose.Algorithm) tally {
	t.Helper()
	var file rawFile
	readVectors(t, name, &file)
	got := tally{}
	for _, group := range file.TestGroups {
		pub, err := jose.ParsePublicPEM([]byte(group.PEM))
		if err != nil {
			t.Fatalf("%d: PEM: %v", group.Tests[0].ID, err)
		}
		key, err := jose.NewKey(pub, alg, "")
		if err != nil {
			t.Fatalf("%d: %v", group.Tests[0].ID, err)
		}
		keys := []*jose.Key{key}
		jwk := group.JWK
		if jwk == nil {
			jwk = group.PrivateJWK
		}
		if jwk != nil {
			key, err := jose.ParseKey(jwk)
			if err != nil {
				t.Fatalf("%d: JWK: %v", group.Tests[0].ID, err)
			}
			if key.Thumbprint() != keys[0].Thumbprint() {
				t.Errorf("%d: JWK and PEM are different keys", group.Tests[0].ID)
			}
			keys = append(keys, key)
		}
		for _, test := range group.Tests {
			got["run"]++
			got[test.Result]++
			message, err := hex.DecodeString(test.Msg)
			if err != nil {
				t.Fatal(err)
			}
			signature, err := hex.DecodeString(test.Sig)
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range keys {
				got["run under a key"]++
				err := key.Verify(alg, message, signature)
				if accepted := err == nil; accepted != (test.Result == "valid") {
					t.Errorf("%s %d %s %v, %s: %v", name, test.ID, test.Comment, test.Flags, test.Result, err)
				}
				if err != nil && !errors.Is(err, jose.ErrSignature) {
					t.Errorf("%s %d: %v, want ErrSignature", name, test.ID, err)
				}
			}
		}
	}
	if got["run"] != file.NumberOfTests {
		t.Errorf("ran %d of %d", got["run"], file.NumberOfTests)
	}
	return got
}

func TestWycheproofES256(t *testing.T) {
	runRaw(t, "ecdsa_secp256r1_sha256_p1363_test.json", jose.ES256).check(t,
		tally{"run": 262, "valid": 173, "invalid": 89, "run under a key": 514})
}

func TestWycheproofES384(t *testing.T) {
	runRaw(t, "ecdsa_secp384r1_sha384_p1363_test.json", jose.ES384).check(t,
		tally{"run": 280, "valid": 193, "invalid": 87, "run under a key": 550})
}

func TestWycheproofES512(t *testing.T) {
	runRaw(t, "ecdsa_secp521r1_sha512_p1363_test.json", jose.ES512).check(t,
		tally{"run": 318, "valid": 231, "invalid": 87, "run under a key": 626})
}

func TestWycheproofEd25519(t *testing.T) {
	for _, alg := range []jose.Algorithm{jose.EdDSA, jose.Ed25519} {
		runRaw(t, "ed25519_test.json", alg).check(t,
			tally{"run": 151, "valid": 88, "invalid": 63, "run under a key": 302})
	}
}

// TestWycheproofRS256: the one "acceptable" entry (8, the digest's algorithm without its
// NULL) is refused: RFC 8017 §9.2 step 2 gives one encoding.
func TestWycheproofRS256(t *testing.T) {
	runRaw(t, "rsa_signature_2048_sha256_test.json", jose.RS256).check(t,
		tally{"run": 259, "valid": 9, "invalid": 249, "acceptable": 1, "run under a key": 518})
}

func TestWycheproofPS256(t *testing.T) {
	runRaw(t, "rsa_pss_2048_sha256_mgf1_32_test.json", jose.PS256).check(t,
		tally{"run": 108, "valid": 63, "invalid": 45, "run under a key": 216})
}
