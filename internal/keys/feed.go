package keys

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"log/slog"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// Feed signs the revocation sets of one issuer, and nothing else. It prints as
// the id of its key. See docs/decisions/0007.
type Feed struct {
	private ed25519.PrivateKey
	key     *jose.Key
	header  string // encoded, with the dot behind it
}

// Feed gives what signs the revocation sets of the issuer with that URL. Its key
// follows from the master key and the URL, so all nodes of a server sign alike,
// and none waits for another to make it.
func (m *Master) Feed(iss string) *Feed {
	return NewFeed(ed25519.NewKeyFromSeed(m.derive("revocation feed key: "+iss, ed25519.SeedSize)))
}

// Feed is [Master.Feed] of the ring's master key.
func (r *Ring) Feed(iss string) *Feed { return r.master.Feed(iss) }

// NewFeed makes a Feed of a key. Servers use [Ring.Feed].
func NewFeed(private ed25519.PrivateKey) *Feed {
	id := keyID(private.Public())
	key, err := jose.NewKey(private.Public(), jose.EdDSA, id)
	if err != nil {
		panic("keys: a derived Ed25519 key: " + err.Error()) // cannot happen
	}
	header, err := json.Marshal(struct {
		Algorithm jose.Algorithm `json:"alg"`
		KeyID     string         `json:"kid"`
		Type      string         `json:"typ"`
	}{jose.EdDSA, id, symbolon.TypRevocations})
	if err != nil {
		panic("keys: three strings: " + err.Error()) // cannot happen
	}
	return &Feed{private: private, key: key, header: jose.EncodeSegment(header) + "."}
}

// Key is the public half, as it stands at the issuer's revocations/keys.
func (f *Feed) Key() *jose.Key { return f.key }

// Sign gives the compact JWS of a payload (RFC 7515 §3.1), of any length: a
// revocation set is longer than a token may be.
func (f *Feed) Sign(payload []byte) []byte {
	signed := len(f.header) + base64.RawURLEncoding.EncodedLen(len(payload))
	text := make([]byte, signed, signed+1+base64.RawURLEncoding.EncodedLen(ed25519.SignatureSize))
	copy(text, f.header)
	base64.RawURLEncoding.Encode(text[len(f.header):], payload)
	signature := ed25519.Sign(f.private, text)
	return base64.RawURLEncoding.AppendEncode(append(text, '.'), signature)
}

// String names the key.
func (f *Feed) String() string { return "feed key " + f.key.ID }

// GoString is String, for %#v.
func (f *Feed) GoString() string { return f.String() }

// LogValue is String, for slog.
func (f *Feed) LogValue() slog.Value { return slog.StringValue(f.String()) }
