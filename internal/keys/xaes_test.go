package keys

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"testing"
)

// TestXAESVectors: the two vectors of https://c2sp.org/XAES-256-GCM, one for
// each value of the most significant bit of L.
func TestXAESVectors(t *testing.T) {
	for _, v := range []struct {
		key              byte
		k1, aad, expects string
	}{
		{0x01, "e531954aca063d5b8d9c47a47d4cc6f0", "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{0x03, "23810ec50edb99f374409466ed1f4b7b", "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		x, err := newXAES(bytes.Repeat([]byte{v.key}, xaesKeySize))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(x.k1[:]); got != v.k1 {
			t.Errorf("key %#x: K1 = %s, want %s", v.key, got, v.k1)
		}
		nonce, plain := []byte("ABCDEFGHIJKLMNOPQRSTUVWX"), []byte("XAES-256-GCM")
		sealed, err := x.seal(nil, nonce, plain, []byte(v.aad))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(sealed); got != v.expects {
			t.Errorf("key %#x: sealed = %s, want %s", v.key, got, v.expects)
		}
		opened, err := x.open(nonce, sealed, []byte(v.aad))
		if err != nil || !bytes.Equal(opened, plain) {
			t.Errorf("key %#x: open = %q, %v", v.key, opened, err)
		}
	}
}

// TestXAESAccumulated: the specification's 10,000 random messages.
func TestXAESAccumulated(t *testing.T) {
	random, digest := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	read := func(n int) []byte {
		b := make([]byte, n)
		random.Read(b)
		return b
	}
	for range 10_000 {
		key, nonce := read(xaesKeySize), read(xaesNonceSize)
		plain := read(int(read(1)[0]))
		aad := read(int(read(1)[0]))
		x, err := newXAES(key)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := x.seal(nil, nonce, plain, aad)
		if err != nil {
			t.Fatal(err)
		}
		if opened, err := x.open(nonce, sealed, aad); err != nil || !bytes.Equal(opened, plain) {
			t.Fatalf("open: %v", err)
		}
		digest.Write(sealed)
	}
	sum := make([]byte, 32)
	digest.Read(sum)
	const want = "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
	if got := hex.EncodeToString(sum); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
