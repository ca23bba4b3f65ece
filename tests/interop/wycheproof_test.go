package interop

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"github.com/c2sp/wycheproof"

	"github.com/symbolon/symbolon/internal/jose"
)

// The bar: of each file, every entry is run; every invalid one is refused, also where its
// algorithm is not offered; every valid one whose algorithm is offered is accepted. The
// counts are asserted, so that an entry that is dropped or added shows.

// readVectors reads a file of the module's vectors.
func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// tally counts what happened to the entries of a file.
type tally map[string]int

// check compares with the counts that are known.
func (got tally) check(t *testing.T, want tally) {
	t.Helper()
	for _, what := range slices.Sorted(maps.Keys(got)) {
		t.Logf("%4d %s", got[what], what)
	}
	if !maps.Equal(got, want) {
		t.Errorf("counted %v\nwant    %v", got, want)
	}
}

// joseFile is the form of the files about JWS and JWK: a key or a key set for each group.
type joseFile struct {
	NumberOfTests int
	TestGroups    []struct {
		Comment         string
		Public, Private json.RawMessage
		Tests           []struct {
			ID      int `json:"tcId"`
			Comment string
			JWS     string
			Result  string
			Flags   []string
		}
	}
}

// withKey verifies a token under one JWK.
func withKey(token string, jwk []byte) error {
	key, err := jose.ParseKey(jwk)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	parsed, err := jose.Parse(token)
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	return parsed.Verify(key)
}

// withKeySet verifies a token under the key of a JWK set that its kid names.
func withKeySet(token string, jwks []byte) error {
	set, err := jose.ParseKeySet(jwks)
	if err != nil {
		return fmt.Errorf("set: %w", err)
	}
	parsed, err := jose.Parse(token)
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	return parsed.Verify(set.Lookup(parsed.Header.KeyID))
}

// run runs every entry. except holds the valid entries that are refused although their
// algorithm is offered, with the reason; each of them must be seen.
func (f *joseFile) run(t *testing.T, verify func(string, []byte) error, except map[int]string) tally {
	t.Helper()
	got := tally{}
	for _, group := range f.TestGroups {
		key := group.Public
		symmetric := key == nil // the file gives HMAC keys as private alone
		if symmetric {
			key = group.Private
		}
		for _, test := range group.Tests {
			got["run"]++
			got[test.Result]++
			err := verify(test.JWS, key)
			_, excepted := except[test.ID]
			switch {
			case test.Result != "valid" && err == nil:
				t.Errorf("%d %s (%s) %v: accepted", test.ID, group.Comment, test.Comment, test.Flags)
			case test.Result == "valid" && symmetric:
				got["valid with HMAC, which is not offered: refused"]++
				if err == nil {
					t.Errorf("%d %s (%s): HMAC accepted", test.ID, group.Comment, test.Comment)
				}
			case test.Result == "valid" && excepted:
				got["valid by the file, refused with a reason"]++
				delete(except, test.ID)
				if err == nil {
					t.Errorf("%d %s: accepted, though listed as refused", test.ID, test.Comment)
				}
			case test.Result == "valid" && err != nil:
				t.Errorf("%d %s (%s): %v", test.ID, group.Comment, test.Comment, err)
			case test.Result == "valid":
				got["valid and accepted"]++
			}
		}
	}
	for id, reason := range except {
		t.Errorf("%d is not in the file as valid: %s", id, reason)
	}
	if got["run"] != f.NumberOfTests {
		t.Errorf("ran %d of %d", got["run"], f.NumberOfTests)
	}
	return got
}

func TestWycheproofJWS(t *testing.T) {
	var file joseFile
	readVectors(t, "json_web_signature_test.json", &file)
	// RFC 7517 §4.4, RFC 8725 §3.1: the alg of the key is the only one it may be used with.
	// The file's own entries WrongPrimitive demand it (340: a PS384 token, a PS512 key).
	const rfc7520 = "RFC 7520's key has no alg; the file adds one that is not the token's"
	got := file.run(t, withKey, map[int]string{
		346: rfc7520 + ": PS256 on a PS384 token", 350: rfc7520 + ": PS256 on a PS384 token",
		347: rfc7520 + ": ES521, which does not exist", 351: rfc7520 + ": ES521, which does not exist",
	})
	got.check(t, tally{
		"run": 401, "valid": 46, "invalid": 355,
		"valid and accepted":                             32,
		"valid with HMAC, which is not offered: refused": 10,
		"valid by the file, refused with a reason":       4,
	})
}

// TestWycheproofJWSKeysWithoutWrongAlg: the four entries that are refused above are accepted
// once the key is the RFC's own.
func TestWycheproofJWSKeysWithoutWrongAlg(t *testing.T) {
	var file joseFile
	readVectors(t, "json_web_signature_test.json", &file)
	found := 0
	for _, group := range file.TestGroups {
		for _, test := range group.Tests {
			if !slices.Contains([]int{346, 347, 350, 351}, test.ID) {
				continue
			}
			found++
			var jwk map[string]any
			if err := json.Unmarshal(group.Public, &jwk); err != nil {
				t.Fatal(err)
			}
			delete(jwk, "alg")
			key, err := json.Marshal(jwk)
			if err != nil {
				t.Fatal(err)
			}
			if err := withKey(test.JWS, key); err != nil {
				t.Errorf("%d: %v", test.ID, err)
			}
		}
	}
	if found != 4 {
		t.Errorf("%d entries", found)
	}
}

func TestWycheproofJWK(t *testing.T) {
	var file joseFile
	readVectors(t, "json_web_key_test.json", &file)
	file.run(t, withKeySet, nil).check(t, tally{
		"run": 26, "valid": 5, "invalid": 21,
		"valid and accepted":                             1,
		"valid with HMAC, which is not offered: refused": 4,
	})
}

// TestWycheproofJWKOneByOne: what the set skips, the parser of one key refuses by itself.
func TestWycheproofJWKOneByOne(t *testing.T) {
	var file joseFile
	readVectors(t, "json_web_key_test.json", &file)
	want := map[string]bool{ // the groups with public keys, and whether the key is good
		"rs256/valid": true, "rs256/invalid": false, "jws_rsa_roca_key/invalid": false, "keysize_too_small/invalid": false,
		"exponentOne/invalid": false, "wrong_algorithm/invalid": false, "invalid_algorithm/invalid": false, "invalid_use/invalid": false,
		"invalid_point/invalid": false, "wrong_curve/invalid": false, "wrong_kty/invalid": false,
	}
	seen := 0
	for _, group := range file.TestGroups {
		if group.Public == nil {
			continue
		}
		var set struct{ Keys []json.RawMessage }
		if err := json.Unmarshal(group.Public, &set); err != nil || len(set.Keys) != 1 {
			t.Fatalf("%s: %d keys, %v", group.Comment, len(set.Keys), err)
		}
		name := group.Comment + "/" + group.Tests[0].Result
		good, known := want[name]
		if !known {
			t.Errorf("unknown group %s", name)
		}
		seen++
		if _, err := jose.ParseKey(set.Keys[0]); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if seen != len(want) {
		t.Errorf("%d groups, want %d", seen, len(want))
	}
}
