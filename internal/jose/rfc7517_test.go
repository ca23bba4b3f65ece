package jose

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestRFC7517S43UseAndOperationsAgree: where a key names both, both must allow signatures;
// what is published names use alone.
func TestRFC7517S43UseAndOperationsAgree(t *testing.T) {
	for members, good := range map[string]bool{
		`"use":"sig","key_ops":["verify"]`: true, `"use":"sig","key_ops":["verify","sign"]`: true,
		`"use":"enc","key_ops":["verify"]`: false, `"use":"sig","key_ops":["encrypt"]`: false,
		`"use":"sig","key_ops":["sign"]`: false, `"use":"sig","key_ops":["verify","wrapKey"]`: false,
	} {
		key, err := ParseKey([]byte(edKey + "," + members + "}"))
		if good && err != nil || !good && !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", members, err)
		}
		if text := string(key.JSON()); good && (!strings.Contains(text, `"use":"sig"`) || strings.Contains(text, "key_ops")) {
			t.Errorf("published as %s", text)
		}
	}
}

// TestRFC7517S851UTF8: keys and sets are written in UTF-8, and read in nothing else.
func TestRFC7517S851UTF8(t *testing.T) {
	key := must(NewKey(&p256TestKey().PublicKey, ES256, "ké😀\u2028"))
	for name, text := range map[string][]byte{"key": key.JSON(), "set": (&KeySet{Keys: []*Key{key}}).JSON()} {
		if !utf8.Valid(text) || !strings.Contains(string(text), key.ID) {
			t.Errorf("%s: %q", name, text)
		}
	}
	if again := must(ParseKeySet((&KeySet{Keys: []*Key{key}}).JSON())); again.Lookup(key.ID) == nil {
		t.Error("the set does not read back")
	}
	latin1 := strings.Replace(string(key.JSON()), "é", "\xe9", 1)
	if _, err := ParseKey([]byte(latin1)); !errors.Is(err, ErrJSON) {
		t.Errorf("a key in Latin-1: %v, want ErrJSON", err)
	}
	if _, err := ParseKeySet([]byte(`{"keys":[` + latin1 + `]}`)); !errors.Is(err, ErrJSON) {
		t.Errorf("a set in Latin-1: %v, want ErrJSON", err)
	}
}
