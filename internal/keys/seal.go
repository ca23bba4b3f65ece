package keys

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// Labels under which things are sealed. Each has its own key, so that what was
// sealed for one purpose never opens for another.
const (
	LabelSigningKey = "signing key" // PKCS#8 of an issuer's key
)

// Errors of sealed things; compare with errors.Is.
var (
	// ErrOtherMaster: it was sealed under another master key. The text names
	// the wanted one by its id.
	ErrOtherMaster = errors.New("sealed under another master key")
	// ErrSealed: it is not what was sealed, or not for this place.
	ErrSealed = errors.New("sealed value is damaged or belongs to another place")
)

// A sealed value is a version byte, the id of the master key, the nonce, and
// the ciphertext with its tag. Version and id are authenticated too.
const (
	sealVersion = 1
	idSize      = 8
	sealHead    = 1 + idSize
	sealMinimum = sealHead + xaesNonceSize + xaesOverhead
)

// MaxSealed is the length in bytes of the longest value that is opened.
const MaxSealed = 64 << 10

// Seal encrypts plaintext for one purpose (label, a constant of this package)
// and one place: aad names what the value belongs to and is wanted again by
// [Master.Open].
func (m *Master) Seal(label string, aad, plaintext []byte) []byte {
	out := make([]byte, sealHead+xaesNonceSize, sealMinimum+len(plaintext))
	out[0] = sealVersion
	copy(out[1:], m.id[:])
	nonce := out[sealHead:]
	rand.Read(nonce) // never fails (crypto/rand)
	sealed, err := m.cipher(label).seal(out, nonce, plaintext, bind(out[:sealHead], aad))
	if err != nil {
		panic("keys: AES-GCM under a key of 32 bytes: " + err.Error()) // cannot happen
	}
	return sealed
}

// Open is the inverse of [Master.Seal] with the same label and aad.
// Errors: [ErrOtherMaster], [ErrSealed].
func (m *Master) Open(label string, aad, sealed []byte) ([]byte, error) {
	id, ok := SealedBy(sealed)
	if !ok || len(sealed) > MaxSealed {
		return nil, ErrSealed
	}
	if id != m.ID() {
		return nil, fmt.Errorf("%w: it wants the one with the id %s, here is %s; copy master.key (or %s) from the machine that has it",
			ErrOtherMaster, id, m.ID(), EnvName)
	}
	nonce := sealed[sealHead : sealHead+xaesNonceSize]
	plain, err := m.cipher(label).open(nonce, sealed[sealHead+xaesNonceSize:], bind(sealed[:sealHead], aad))
	if err != nil {
		return nil, ErrSealed // the cause says nothing more
	}
	return plain, nil
}

// SealedBy returns the id of the master key under which a value was sealed, and
// whether it is a sealed value at all.
func SealedBy(sealed []byte) (id string, ok bool) {
	if len(sealed) < sealMinimum || sealed[0] != sealVersion {
		return "", false
	}
	return hex.EncodeToString(sealed[1:sealHead]), true
}

// bind joins head, whose length is fixed, and the caller's associated data.
func bind(head, aad []byte) []byte {
	return append(append(make([]byte, 0, len(head)+len(aad)), head...), aad...)
}

// cipher returns the cipher of a label, derived once.
func (m *Master) cipher(label string) *xaes {
	if c, ok := m.ciphers.Load(label); ok {
		return c.(*xaes)
	}
	c, err := newXAES(m.derive("seal: "+label, xaesKeySize))
	if err != nil {
		panic("keys: AES with a key of 32 bytes: " + err.Error()) // cannot happen
	}
	actual, _ := m.ciphers.LoadOrStore(label, c)
	return actual.(*xaes)
}

// derive returns size bytes that belong to the label alone (RFC 5869 §2.3; the
// master key is uniformly random, so §3.3 lets the extract step go, which is
// kept all the same).
func (m *Master) derive(label string, size int) []byte {
	key, err := hkdf.Key(sha256.New, m.secret[:], nil, "symbolon "+label, size)
	if err != nil {
		panic("keys: HKDF: " + err.Error()) // only for sizes above 255 · 32
	}
	return key
}
