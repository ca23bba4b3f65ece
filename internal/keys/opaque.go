package keys

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// LabelOpaqueToken seals the claims of opaque tokens.
const LabelOpaqueToken = "opaque token"

// purposeAccess is what a sealed token is for. It is authenticated with the
// issuer, so that no token of one issuer or purpose is one of another.
const purposeAccess = "access token\n"

// SealToken makes the opaque access token of claims at the issuer with that URL:
// a sealed value (see [Master.Seal]: version and key id in the clear, then what
// only the server can read) in base64url without padding. A token that would be
// longer than symbolon.MaxToken is jose.ErrTooLong.
func (r *Ring) SealToken(iss string, claims []byte) (string, error) {
	text := jose.EncodeSegment(r.master.Seal(LabelOpaqueToken, opaquePlace(iss), claims))
	if len(text) > symbolon.MaxToken {
		return "", jose.ErrTooLong
	}
	return text, nil
}

// OpenToken is the inverse of [Ring.SealToken], and of nothing else: each token
// has one text. The key is found by its id, never by trial. Errors: ErrOtherMaster,
// ErrSealed; neither repeats any of the text.
func (r *Ring) OpenToken(iss, text string) (claims []byte, err error) {
	if len(text) > symbolon.MaxToken {
		return nil, ErrSealed
	}
	sealed, err := jose.DecodeSegment(text)
	if err != nil {
		return nil, ErrSealed
	}
	claims, err = r.master.Open(LabelOpaqueToken, opaquePlace(iss), sealed)
	if errors.Is(err, ErrOtherMaster) {
		return nil, ErrOtherMaster // the text of err has the id that the token claims
	}
	return claims, err
}

// TokenKey is the id of the key that seals opaque tokens.
func (r *Ring) TokenKey() string { return r.master.ID() }

func opaquePlace(iss string) []byte { return []byte(purposeAccess + iss) }

// verifier is the public half of a key, and the document that it was read from.
type verifier struct {
	public []byte
	key    *jose.Key
}

// Verifier gives the public half of an issuer's key, for tokens that come back.
// It is read once. A revoked key verifies nothing: ErrKey.
func (r *Ring) Verifier(k *registry.Key) (*jose.Key, error) {
	if !k.Revoked.IsZero() {
		return nil, fmt.Errorf("%w: %s was revoked", ErrKey, k.ID)
	}
	if v, ok := r.verifiers.Load(k.ID); ok && bytes.Equal(v.(*verifier).public, k.Public) {
		return v.(*verifier).key, nil
	}
	key, err := jose.ParseKey(k.Public)
	if err != nil || key.ID != k.ID {
		return nil, fmt.Errorf("%w: the public half of %s cannot be read", ErrKey, k.ID)
	}
	r.verifiers.Store(k.ID, &verifier{k.Public, key})
	return key, nil
}
