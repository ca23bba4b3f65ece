package jose

import (
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"math/big"
)

// Sizes of RSA keys in bits: RFC 7518 §3.3 and §3.5 want at least 2048; the upper bound is
// ours, since the time of a verification grows with the square of the size.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

var (
	errRSASize     = fmt.Errorf("%w: RSA keys have %d to %d bits", ErrWeakKey, minRSABits, maxRSABits)
	errRSAExponent = fmt.Errorf("%w: the RSA exponent is even, below 3 or above 2^31-1", ErrWeakKey)
	errRSAFactor   = fmt.Errorf("%w: the RSA modulus has a small factor", ErrWeakKey)
	errROCA        = fmt.Errorf("%w: the RSA modulus was made by a generator with the ROCA flaw (CVE-2017-15361): make a new key", ErrWeakKey)
)

// weakRSA returns why a key must not be used. That a modulus is a product of two large
// primes cannot be seen from it; these are the flaws that can.
func weakRSA(pub *rsa.PublicKey) error {
	if bits := pub.N.BitLen(); pub.N.Sign() <= 0 || bits < minRSABits || bits > maxRSABits {
		return errRSASize
	}
	// With e = 1 everybody can sign. 3 is allowed: crypto/rsa compares the whole padded
	// message, so that the forgeries for small exponents have nothing to work on.
	if pub.E < 3 || pub.E > 1<<31-1 || pub.E%2 == 0 {
		return errRSAExponent
	}
	infineon := pub.N.Bit(0) == 1
	if !infineon {
		return errRSAFactor
	}
	var rest big.Int
	for _, p := range rocaPrimes {
		r := rest.Mod(pub.N, big.NewInt(int64(p.prime))).Uint64()
		if r == 0 {
			return errRSAFactor
		}
		infineon = infineon && p.residue[r]
	}
	if infineon {
		return errROCA
	}
	return nil
}

// rocaPrime is a small prime and the residues that powers of 65537 leave.
type rocaPrime struct {
	prime   uint64
	residue [168]bool
}

// rocaPrimes holds the primes of the published test for CVE-2017-15361: the flawed library
// makes primes k·M + 65537^a mod M, where M is a product of small primes, so its moduli are
// powers of 65537 modulo each of them. Another modulus passes all with chance 2^-27.
var rocaPrimes = func() []rocaPrime {
	var list []rocaPrime
	for n := uint64(3); n <= 167; n += 2 {
		if !big.NewInt(int64(n)).ProbablyPrime(0) {
			continue
		}
		p := rocaPrime{prime: n}
		for r := uint64(1); !p.residue[r]; r = r * 65537 % n {
			p.residue[r] = true
		}
		list = append(list, p)
	}
	return list
}()

var (
	errEd25519Size  = fmt.Errorf("%w: an Ed25519 key has 32 bytes", ErrKey)
	errEd25519Point = fmt.Errorf("%w: x is not the encoding of a point on Ed25519", ErrKey)
	errEd25519Order = fmt.Errorf("%w: the Ed25519 key is a point of small order, with which signatures of any message can be made", ErrWeakKey)
)

// The field and the constant of Ed25519 (RFC 8032 §5.1).
var (
	edP = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	edD = func() *big.Int {
		d := new(big.Int).ModInverse(big.NewInt(121666), edP)
		return d.Mod(d.Mul(d, big.NewInt(-121665)), edP)
	}()
	// edOrder8 is y of four of the points of order 8; the other four have its negative.
	edOrder8, _ = new(big.Int).SetString("05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826", 16)
)

// weakEd25519 checks that pub is a point (RFC 8032 §5.1.3) and not one of the eight of small
// order.
func weakEd25519(pub ed25519.PublicKey) error {
	if len(pub) != ed25519.PublicKeySize {
		return errEd25519Size
	}
	big32 := make([]byte, len(pub))
	for i, b := range pub {
		big32[len(pub)-1-i] = b
	}
	big32[0] &= 0x7f // the sign of x
	y := new(big.Int).SetBytes(big32)
	if y.Cmp(edP) >= 0 {
		return errEd25519Point // another spelling of a smaller number
	}
	one := big.NewInt(1)
	square := new(big.Int).Mul(y, y)
	u := new(big.Int).Sub(square, one)
	v := new(big.Int).Mul(edD, square)
	v.Mod(v.Add(v, one), edP)
	x2 := new(big.Int).ModInverse(v, edP) // d is not a square, so v is not 0
	x2.Mod(x2.Mul(x2, u), edP)
	if big.Jacobi(x2, edP) < 0 {
		return errEd25519Point
	}
	// x = 0 means y = ±1; those points have order 1 and 2, y = 0 order 4.
	if x2.Sign() == 0 || y.Sign() == 0 || y.Cmp(edOrder8) == 0 || new(big.Int).Sub(edP, y).Cmp(edOrder8) == 0 {
		return errEd25519Order
	}
	return nil
}
