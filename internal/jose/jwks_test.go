package jose

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseKeySetSkips(t *testing.T) {
	ed := func(more string) string { return edKey + more + "}" }
	set, err := ParseKeySet([]byte(`{"other":{"a":1},"keys":[` + strings.Join([]string{
		ed(`,"kid":"good"`),                     // 0
		`{"kty":"oct","k":"AAAA","kid":"hmac"}`, // 1
		`{"kty":"AKP","alg":"ML-DSA-44"}`,       // 2
		`{"kty":"EC","use":"enc","kid":"enc"}`,  // 3
		`"not a key"`, `null`, `[]`,             // 4, 5, 6
		ed(`,"kid":"twice","kid":"twice"`),        // 7
		"{" + rfc7517EC + `,"kid":"ec"}`,          // 8
		"{" + rfc7517EC + `,"kid":"same"}`,        // 9
		ed(`,"kid":"same"`),                       // 10
		"{" + rfc7517RSA + `,"kid":"same again"}`, // 11
		"{" + rfc7517RSA + `,"kid":"same again"}`, // 12
		ed(``), "{" + rfc7517EC + "}", // 13, 14: without kid
		ed(`,"kid":"hmac"`), // 15: the other hmac cannot be used
	}, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	var kept, skipped []string
	for _, k := range set.Keys {
		kept = append(kept, k.ID)
	}
	for _, s := range set.Skipped {
		reason := "?"
		for name, e := range map[string]error{
			"key": ErrKey, "private": ErrPrivateKey, "unsupported": ErrUnsupportedKey, "JSON": ErrJSON,
			"member": ErrDuplicateMember, "kid": ErrDuplicateKey,
		} {
			if errors.Is(s.Reason, e) {
				reason = name
			}
		}
		skipped = append(skipped, fmt.Sprintf("%d %s %s", s.Index, s.ID, reason))
	}
	if got, want := strings.Join(kept, "|"), "good|ec|same again|||hmac"; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
	if got, want := strings.Join(skipped, "|"),
		"1 hmac private|2  unsupported|3 enc key|4  JSON|5  JSON|6  JSON|7 twice member|9 same kid|10 same kid|12 same again kid"; got != want {
		t.Errorf("skipped %s\n   want %s", got, want)
	}
	for kid, found := range map[string]bool{"good": true, "ec": true, "same": false, "same again": true, "": false, "GOOD": false, "enc": false} {
		if (set.Lookup(kid) != nil) != found {
			t.Errorf("Lookup(%q) = %v", kid, set.Lookup(kid))
		}
	}
	again := must(ParseKeySet(set.JSON()))
	if len(again.Keys) != len(set.Keys) || len(again.Skipped) != 0 || string(again.JSON()) != string(set.JSON()) {
		t.Errorf("the set reads back as %s", again.JSON())
	}
}

func TestParseKeySetRefuses(t *testing.T) {
	for text, want := range map[string]error{
		``: ErrJSON, `[]`: ErrJSON, `{`: ErrJSON, `{"keys":[}`: ErrJSON, `{"keys":[]} x`: ErrJSON,
		`{}`: ErrKey, `{"keys":{}}`: ErrKey, `{"keys":null}`: ErrKey, `{"keys":""}`: ErrKey, `{"Keys":[]}`: ErrKey,
		`{"keys":[],"keys":[]}`: ErrDuplicateMember, `{"keys":[],"k\u0065ys":[]}`: ErrDuplicateMember,
		`{"keys":[` + strings.Repeat("[", 20): ErrTooDeep, edKey + "}": ErrKey,
		`{"keys":[` + strings.Repeat(" ", MaxKeySet) + `]}`: ErrTooLong,
	} {
		if _, err := ParseKeySet([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", text, err, want)
		}
	}
	set, err := ParseKeySet([]byte(`{"keys":[]}`))
	if err != nil || string(set.JSON()) != `{"keys":[]}` {
		t.Errorf("empty set: %v", err)
	}
}

// TestParseKeySetSameKeyTwoAlgorithms: a kid must not leave open for what a key is used.
func TestParseKeySetSameKeyTwoAlgorithms(t *testing.T) {
	set := must(ParseKeySet([]byte(`{"keys":[{` + rfc7517RSA + `,"kid":"k","alg":"RS256"},{` + rfc7517RSA + `,"kid":"k","alg":"PS256"}]}`)))
	if len(set.Keys) != 0 || len(set.Skipped) != 2 || set.Lookup("k") != nil {
		t.Errorf("%d used, %d skipped", len(set.Keys), len(set.Skipped))
	}
	set = must(ParseKeySet([]byte(`{"keys":[` + edKey + `}]}`)))
	if len(set.Keys) != 1 || set.Lookup("") != nil {
		t.Error("the empty kid finds a key")
	}
}

// TestLookupAmbiguous: of a set put together by hand, a kid that two keys have finds none.
func TestLookupAmbiguous(t *testing.T) {
	a, b := must(NewKey(&p256TestKey().PublicKey, ES256, "k")), must(NewKey(&rsaTestKey().PublicKey, RS256, "k"))
	if found := (&KeySet{Keys: []*Key{a, b}}).Lookup("k"); found != nil {
		t.Errorf("found %v", found.Algorithm)
	}
	if found := (&KeySet{Keys: []*Key{a}}).Lookup("k"); found != a {
		t.Error("not found")
	}
	if (*KeySet)(nil).Lookup("k") != nil {
		t.Error("found in no set")
	}
}
