package symbolon

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// TypRevocations is the typ of a revocation set. It is never an access token.
const TypRevocations = "symbolon-revocations+jwt"

// MediaRevocations is the media type under which a revocation set is served.
const MediaRevocations = "application/" + TypRevocations

// What an entry of a revocation set names. The parts that stand beside the kind
// in a [DenialKey] follow each.
const (
	DenyClient     = "client"     // client_id: its tokens with gen < n
	DenyClientAPI  = "client_api" // client_id, identifier of the API: its tokens for that API with gen < n
	DenyIssuer     = "issuer"     // iss: all tokens with gen < n
	DenyCredential = "credential" // client_id, cred: the tokens got with that credential
	DenyJTI        = "jti"        // jti: the one token
	DenyKID        = "kid"        // kid: the tokens signed, or sealed, with that key
)

// DenialKey stands in a revocation set for what is denied, so that the set lists
// no names: the first 16 octets of SHA-256 over the epoch in decimal, the kind
// and its parts, with a line feed between each. Entries that are pending have the
// epoch 0.
type DenialKey [16]byte

// NewDenialKey makes the key of a kind and its parts. It allocates nothing when
// they have less than 256 octets together.
func NewDenialKey(epoch int64, kind string, parts ...string) DenialKey {
	var space [256]byte
	b := strconv.AppendInt(space[:0], epoch, 10)
	b = append(append(b, '\n'), kind...)
	for _, part := range parts {
		b = append(append(b, '\n'), part...)
	}
	sum := sha256.Sum256(b)
	return DenialKey(sum[:16])
}

// String is the key in base64url without padding, as it stands in a set.
func (k DenialKey) String() string { return base64.RawURLEncoding.EncodeToString(k[:]) }

// RevocationEntry is one denial. On the wire it is an array: [key, expires], or
// [key, expires, n].
type RevocationEntry struct {
	Key     DenialKey
	Expires int64 // seconds since 1970: the last token that it concerns has expired by then
	N       int64 // tokens whose gen is lower are refused; 0: all that the key names
}

// PendingDenial is a denial that its node could not write into the store yet. It
// refuses every token of what it names, until a later set lists its ID as merged
// or it expires. On the wire it is an array: [id, key, expires].
type PendingDenial struct {
	ID      string
	Key     DenialKey // of epoch 0
	Expires int64     // seconds since 1970
}

// RevocationSet is what an issuer denies, or what came to it since a position.
// Times are seconds since 1970.
type RevocationSet struct {
	Issuer  string            `json:"iss"`
	Epoch   int64             `json:"epoch"`
	Seq     int64             `json:"seq"`             // position of the node that made it, in its epoch
	Since   int64             `json:"since,omitempty"` // it holds only what came after this seq of the same epoch; 0: it is whole
	AsOf    int64             `json:"as_of"`           // when that node last heard from its store
	Expires int64             `json:"exp"`             // it is not to be taken from then on
	Entries []RevocationEntry `json:"entries"`
	Pending []PendingDenial   `json:"pending"`           // all that there are; none in a difference to who named Journal
	Merged  []string          `json:"merged"`            // ids of pending entries that stand in the set now; as Pending
	Journal string            `json:"journal,omitempty"` // names what stands in pending and merged: who waits sends it back
}

// MarshalJSON implements json.Marshaler.
func (e RevocationEntry) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 64)
	b = append(append(append(b, `["`...), e.Key.String()...), `",`...)
	b = strconv.AppendInt(b, e.Expires, 10)
	if e.N != 0 {
		b = strconv.AppendInt(append(b, ','), e.N, 10)
	}
	return append(b, ']'), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *RevocationEntry) UnmarshalJSON(b []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) != 2 && len(parts) != 3 {
		return errors.New("an entry has two or three members")
	}
	*e = RevocationEntry{}
	if len(parts) == 3 {
		if err := json.Unmarshal(parts[2], &e.N); err != nil || e.N <= 0 || e.N > maxSetInteger {
			return errors.New("n must be a positive integer below 2⁵³")
		}
	}
	return readKeyed(&e.Key, &e.Expires, parts[0], parts[1])
}

// MarshalJSON implements json.Marshaler.
func (p PendingDenial) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{p.ID, p.Key.String(), p.Expires})
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *PendingDenial) UnmarshalJSON(b []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) != 3 {
		return errors.New("a pending entry has three members")
	}
	if err := json.Unmarshal(parts[0], &p.ID); err != nil || p.ID == "" {
		return errors.New("a pending entry needs its id")
	}
	return readKeyed(&p.Key, &p.Expires, parts[1], parts[2])
}

func readKeyed(key *DenialKey, expires *int64, keyText, expiresText json.RawMessage) error {
	// 16 octets in base64url without padding, and the quotes.
	if len(keyText) != 24 || keyText[0] != '"' || bytes.ContainsAny(keyText, "\\\r\n") {
		return errors.New("a key is 22 characters of base64url")
	}
	if _, err := base64.RawURLEncoding.Strict().Decode(key[:], keyText[1:23]); err != nil {
		return errors.New("a key is 22 characters of base64url")
	}
	if err := json.Unmarshal(expiresText, expires); err != nil || *expires <= 0 || *expires > maxSetInteger {
		return errors.New("an expiry is a positive number of seconds below 2⁵³")
	}
	return nil
}

var errRevocations = errors.New("malformed revocation set")

// maxSetInteger is the highest integer that all parsers of JSON read alike
// (RFC 8259 §6). Times up to it can be added to without overflow: what seemed to
// have expired would not be denied any more.
const maxSetInteger = 1<<53 - 1

// ParseRevocationSet reads the payload of a revocation set. It refuses wrong
// types, entries that it cannot read and members that every set has and that are
// missing. Duplicate members are the caller's to refuse before, as is a set whose
// signature is not the issuer's.
func ParseRevocationSet(payload []byte) (*RevocationSet, error) {
	s := new(RevocationSet)
	if err := json.Unmarshal(payload, s); err != nil {
		return nil, fmt.Errorf("%w: %w", errRevocations, err)
	}
	switch {
	case s.Issuer == "":
		return nil, fmt.Errorf("%w: iss is missing", errRevocations)
	case s.Epoch < 0 || s.Seq < 0 || s.Since < 0 || s.Since > s.Seq:
		return nil, fmt.Errorf("%w: its position is not one", errRevocations)
	case s.AsOf <= 0 || s.Expires <= 0:
		return nil, fmt.Errorf("%w: as_of or exp is missing", errRevocations)
	case max(s.Epoch, s.Seq, s.AsOf, s.Expires) > maxSetInteger:
		return nil, fmt.Errorf("%w: its integers must be below 2⁵³", errRevocations)
	case s.Entries == nil || s.Pending == nil || s.Merged == nil:
		return nil, fmt.Errorf("%w: entries, pending or merged is missing", errRevocations)
	}
	return s, nil
}
