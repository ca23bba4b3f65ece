package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

const (
	xaesKeySize   = 32
	xaesNonceSize = 24
	xaesOverhead  = 16
)

// xaes is XAES-256-GCM (https://c2sp.org/XAES-256-GCM): AES-256-GCM under a
// key derived from the first half of a nonce that is long enough to be random
// for ever. Plain AES-GCM is not: its 96 bits collide too soon.
type xaes struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // the CMAC subkey, the same for every message
}

// newXAES takes a key of 32 bytes.
func newXAES(key []byte) (*xaes, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	x := &xaes{block: block}
	block.Encrypt(x.k1[:], x.k1[:])
	// Doubling in GF(2¹²⁸), in constant time: the bit shifted out folds back
	// in as the polynomial's 10000111.
	var carry byte
	for i := len(x.k1) - 1; i >= 0; i-- {
		x.k1[i], carry = x.k1[i]<<1|carry, x.k1[i]>>7
	}
	x.k1[len(x.k1)-1] ^= byte(subtle.ConstantTimeSelect(int(carry), 0b10000111, 0))
	return x, nil
}

// derive returns AES-256-GCM under the key for this half of the nonce.
func (x *xaes) derive(half []byte) (cipher.AEAD, error) {
	var key [2 * aes.BlockSize]byte
	for i := range 2 {
		block := key[i*aes.BlockSize : (i+1)*aes.BlockSize]
		copy(block, []byte{0, byte(i + 1), 'X', 0})
		copy(block[4:], half)
		subtle.XORBytes(block, block, x.k1[:])
		x.block.Encrypt(block, block)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal appends the sealed plaintext to dst. The nonce has 24 bytes and is never
// used twice.
func (x *xaes) seal(dst, nonce, plaintext, aad []byte) ([]byte, error) {
	gcm, err := x.derive(nonce[:12])
	if err != nil {
		return nil, err
	}
	return gcm.Seal(dst, nonce[12:], plaintext, aad), nil
}

// open is the inverse of seal.
func (x *xaes) open(nonce, sealed, aad []byte) ([]byte, error) {
	gcm, err := x.derive(nonce[:12])
	if err != nil {
		return nil, err
	}
	return gcm.Open(nil, nonce[12:], sealed, aad)
}
