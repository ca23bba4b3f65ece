package jose

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"testing"
)

// TestROCA: a modulus like those of CVE-2017-15361 is refused, and its neighbours are not.
// The products stand for primes: the test looks at the modulus alone.
func TestROCA(t *testing.T) {
	m := big.NewInt(2)
	for _, p := range rocaPrimes {
		m.Mul(m, big.NewInt(int64(p.prime)))
	}
	flawed := func() *big.Int { // k·M + 65537^a mod M, of 1024 bits
		a := must(rand.Int(rand.Reader, m))
		k := must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(1022-m.BitLen()))))
		k.SetBit(k, 1023-m.BitLen(), 1)
		return k.Add(k.Mul(k, m), a.Exp(big.NewInt(65537), a, m))
	}
	for range 20 {
		n := new(big.Int).Mul(flawed(), flawed())
		for n.BitLen() < 2048 {
			n.Mul(n, flawed())
		}
		if err := weakRSA(&rsa.PublicKey{N: n, E: 65537}); !errors.Is(err, ErrWeakKey) || !errors.Is(err, errROCA) {
			t.Errorf("%d bits: %v, want the ROCA error", n.BitLen(), err)
		}
	}
	for range 10 {
		if err := weakRSA(&rsaTestKey().PublicKey); err != nil {
			t.Errorf("a good key: %v", err)
		}
	}
}

func TestRSASmallFactor(t *testing.T) {
	for _, p := range []int64{2, 3, 5, 7, 97, 167} {
		n := new(big.Int).Mul(rsaTestKey().N, big.NewInt(p))
		if err := weakRSA(&rsa.PublicKey{N: n, E: 65537}); !errors.Is(err, ErrWeakKey) {
			t.Errorf("a multiple of %d: %v, want ErrWeakKey", p, err)
		}
	}
	for e, good := range map[int]bool{
		0: false, 1: false, 2: false, 3: true, 4: false, 17: true, 65536: false, 65537: true, 1<<31 - 1: true, 1<<31 + 1: false,
	} {
		if err := weakRSA(&rsa.PublicKey{N: rsaTestKey().N, E: e}); (err == nil) != good {
			t.Errorf("e = %d: %v", e, err)
		}
	}
}

// TestEd25519SmallOrder: all encodings of the points of small order, and that they are as
// dangerous as said: one signature fits many messages.
func TestEd25519SmallOrder(t *testing.T) {
	points := map[string]bool{} // of order 8 and below
	for _, y := range []*big.Int{
		new(big.Int), big.NewInt(1), new(big.Int).Sub(edP, big.NewInt(1)), edOrder8, new(big.Int).Sub(edP, edOrder8),
		edP, new(big.Int).Add(edP, big.NewInt(1)), // other spellings of 0 and 1
	} {
		for _, sign := range []byte{0, 0x80} {
			encoded := y.FillBytes(make([]byte, 32))
			for i := range 16 {
				encoded[i], encoded[31-i] = encoded[31-i], encoded[i]
			}
			encoded[31] |= sign
			points[string(encoded)] = true
			if err := weakEd25519(encoded); !errors.Is(err, ErrWeakKey) && !errors.Is(err, errEd25519Point) {
				t.Errorf("%x: %v, want ErrWeakKey", encoded, err)
			}
		}
	}
	if len(points) != 14 {
		t.Errorf("%d encodings", len(points))
	}
	// With the neutral element as key, R = [S]B for every message: S = 0, R = neutral.
	neutral := make([]byte, 32)
	neutral[0] = 1
	forged := append(append([]byte(nil), neutral...), make([]byte, 32)...)
	for _, message := range []string{"a", "b"} {
		if !ed25519.Verify(neutral, []byte(message), forged) {
			t.Error("the standard library refuses the neutral element by itself now: drop this check")
		}
	}
}

// TestEd25519PointCheck: every real key is a point, and of random numbers about half are.
func TestEd25519PointCheck(t *testing.T) {
	good := 0
	for i := range 400 {
		encoded := make([]byte, 32)
		must(rand.Read(encoded))
		if i%2 == 0 {
			copy(encoded, ed25519.NewKeyFromSeed(encoded).Public().(ed25519.PublicKey))
		}
		err := weakEd25519(encoded)
		if i%2 == 0 && err != nil {
			t.Errorf("a real key %x: %v", encoded, err)
		}
		if err == nil {
			good++
		} else if !errors.Is(err, ErrKey) {
			t.Errorf("%x: %v", encoded, err)
		}
	}
	// About half of all numbers are points: 200 keys and some 100 of the others.
	if good < 240 || good > 360 {
		t.Errorf("%d of 400 are points", good)
	}
}
