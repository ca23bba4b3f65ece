package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"math/big"
)

// ParsePrivateKey reads a private JWK and returns it and its public half, with the same
// demands as [ParseKey]; key_ops, if there, must have sign. The private members must belong
// to the public ones. An RSA key must have all of p, q, dp, dq and qi; more than two primes
// (oth) are refused. The signer is *ecdsa.PrivateKey, *rsa.PrivateKey or ed25519.PrivateKey.
func ParsePrivateKey(jwk []byte) (crypto.Signer, *Key, error) {
	j, err := readJWK(jwk)
	if err != nil {
		return nil, nil, err
	}
	if !j.private() {
		return nil, nil, fmt.Errorf("%w: it is a public key where a private key belongs", ErrKey)
	}
	if err := j.purpose("sign"); err != nil {
		return nil, nil, err
	}
	pub, err := j.public()
	if err != nil {
		return nil, nil, err
	}
	k, err := j.key(pub)
	if err != nil {
		return nil, nil, err
	}
	signer, err := j.signer(pub)
	if err != nil {
		return nil, nil, err
	}
	return signer, k, nil
}

var errPrivateMembers = fmt.Errorf("%w: the private members do not belong to the public ones", ErrKey)

// signer returns the private key that belongs to pub.
func (j *jwk) signer(pub crypto.PublicKey) (crypto.Signer, error) {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		d, err := j.sized("d", curveOf(pub.Curve).size)
		if err != nil {
			return nil, err
		}
		private, err := ecdsa.ParseRawPrivateKey(pub.Curve, d)
		if err != nil || !private.PublicKey.Equal(pub) {
			return nil, errPrivateMembers
		}
		return private, nil
	case ed25519.PublicKey:
		d, err := j.sized("d", ed25519.SeedSize)
		if err != nil {
			return nil, err
		}
		private := ed25519.NewKeyFromSeed(d)
		if !bytes.Equal(private[ed25519.SeedSize:], pub) {
			return nil, errPrivateMembers
		}
		return private, nil
	case *rsa.PublicKey:
		return j.signerRSA(pub)
	}
	return nil, ErrUnsupportedKey
}

func (j *jwk) signerRSA(pub *rsa.PublicKey) (crypto.Signer, error) {
	if _, ok := j.numbers["oth"]; ok {
		return nil, fmt.Errorf("%w: RSA keys of more than two primes (oth) are not supported", ErrUnsupportedKey)
	}
	var n [6]*big.Int
	for i, name := range []string{"d", "p", "q", "dp", "dq", "qi"} {
		var err error
		if n[i], err = j.integer(name); err != nil {
			return nil, err
		}
	}
	private := &rsa.PrivateKey{PublicKey: *pub, D: n[0], Primes: []*big.Int{n[1], n[2]}}
	private.Precompute()
	if err := private.Validate(); err != nil {
		return nil, errPrivateMembers
	}
	made := private.Precomputed
	if made.Dp == nil || made.Dp.Cmp(n[3]) != 0 || made.Dq.Cmp(n[4]) != 0 || made.Qinv.Cmp(n[5]) != 0 {
		return nil, errPrivateMembers
	}
	return private, nil
}
