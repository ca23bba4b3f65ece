package dpop

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

// NonceKey is the secret with which nonces are made: 32 random bytes, shared by all
// instances that answer at one place, and used for nothing else. It prints, logs and
// marshals as "[redacted]".
type NonceKey [32]byte

const redacted = "[redacted]"

// String redacts.
func (NonceKey) String() string { return redacted }

// Format redacts under every verb: %d would look past String into the bytes.
func (NonceKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue redacts.
func (NonceKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText redacts, also in JSON.
func (NonceKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// A nonce is the number of the time step in which it was made, and a MAC over step and
// place: nothing is stored, and every instance with the key takes the others' nonces.
const (
	nonceStep  = 30 * time.Second
	nonceSteps = 10 // how many steps it is good for: 4.5 to 5 minutes
	// nonceAhead is how many steps the clock of the instance that made it may be ahead.
	nonceAhead = 1

	stepSize  = 5  // bytes of the step's number
	macSize   = 16 // bytes of the MAC
	nonceSize = stepSize + macSize
	nonceText = nonceSize * 4 / 3 // characters: no bits are left over
)

// nonceLabel keeps these MACs apart from whatever else such a key might be used for.
const nonceLabel = "symbolon dpop nonce 1\x00"

// Nonces makes and checks the nonces of RFC 9449 §8. It is safe for concurrent use and
// keeps its keys, which it does not print, and what it worked out of them for the places and
// the steps that are good now.
type Nonces struct {
	keys []NonceKey // the first one makes nonces, all are accepted

	mu     sync.RWMutex
	newest int64                    // the step in which worked was tidied last
	worked map[nonceOf]*workedNonce // of the steps around newest alone
}

// nonceOf is what there is one nonce of.
type nonceOf struct {
	step  int64
	place string
}

// workedNonce is the nonce of one place and step: its MAC by each key, and the text by the
// current one.
type workedNonce struct {
	macs [][macSize]byte
	text string
}

// NewNonces returns nonces made with the current key; those of previous keys are accepted
// as well, so that keys can be exchanged while proofs are under way.
func NewNonces(current NonceKey, previous ...NonceKey) *Nonces {
	return &Nonces{keys: append([]NonceKey{current}, previous...), worked: make(map[nonceOf]*workedNonce)}
}

// Issue returns a nonce for place, the identifier of an issuer or API: 28 characters of
// base64url, the same ones for all requests of 30 seconds.
func (n *Nonces) Issue(place string, now time.Time) string {
	step := stepAt(now)
	return n.of(nonceOf{step, place}, step).text
}

// Check reports whether nonce was issued for place less than 5 minutes ago (4.5 at least),
// with one of the keys.
func (n *Nonces) Check(place, nonce string, now time.Time) bool {
	raw, ok := decodeNonce(nonce)
	if !ok {
		return false
	}
	// The step is no secret. What is too old or too new is worked out for nobody, so that
	// strangers cannot fill the memory.
	current, step := stepAt(now), getStep(raw[:stepSize])
	if age := current - step; age < -nonceAhead || age >= nonceSteps {
		return false
	}
	valid := false
	for _, want := range n.of(nonceOf{step, place}, current).macs {
		if hmac.Equal(want[:], raw[stepSize:]) {
			valid = true
		}
	}
	return valid
}

// decodeNonce decodes without an allocation.
func decodeNonce(nonce string) (raw [nonceSize]byte, ok bool) {
	if len(nonce) != nonceText {
		return raw, false
	}
	var text [nonceText]byte
	copy(text[:], nonce)
	// No bits are left over, so each text stands for other bytes; line breaks, which the
	// decoder skips, leave too few of them.
	n, err := base64.RawURLEncoding.Decode(raw[:], text[:])
	return raw, err == nil && n == nonceSize
}

// of gives the nonce of a place and step, which is worked out once; current is the step of
// the clock.
func (n *Nonces) of(id nonceOf, current int64) *workedNonce {
	n.mu.RLock()
	known := n.worked[id]
	n.mu.RUnlock()
	if known != nil {
		return known
	}
	made := n.work(id)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.newest != current {
		n.newest = current
		maps.DeleteFunc(n.worked, func(old nonceOf, _ *workedNonce) bool {
			return old.step <= current-nonceSteps || old.step > current+nonceAhead
		})
	}
	n.worked[id] = made
	return made
}

// work makes the nonce of a place and step.
func (n *Nonces) work(id nonceOf) *workedNonce {
	var raw [nonceSize]byte
	putStep(raw[:stepSize], id.step)
	made := &workedNonce{macs: make([][macSize]byte, len(n.keys))}
	for i := range n.keys {
		made.macs[i] = nonceMAC(&n.keys[i], raw[:stepSize], id.place)
	}
	copy(raw[stepSize:], made.macs[0][:])
	made.text = jose.EncodeSegment(raw[:])
	return made
}

// stepAt is the number of the time step of now; times before 1970 have none and are step 0.
func stepAt(now time.Time) int64 {
	return max(0, now.Unix()) / int64(nonceStep/time.Second) & (1<<(8*stepSize) - 1)
}

func putStep(b []byte, step int64) {
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], uint64(step))
	copy(b, all[len(all)-len(b):])
}

func getStep(b []byte) int64 {
	var all [8]byte
	copy(all[len(all)-len(b):], b)
	return int64(binary.BigEndian.Uint64(all[:]))
}

// nonceMAC is HMAC-SHA256 over label, step and place, cut to 128 bits (RFC 2104 §5). Label
// and step have fixed lengths, so no two inputs are one text.
func nonceMAC(key *NonceKey, step []byte, place string) (mac [macSize]byte) {
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte(nonceLabel))
	h.Write(step)
	h.Write([]byte(place))
	copy(mac[:], h.Sum(nil))
	return mac
}

// String tells how many keys there are.
func (n *Nonces) String() string {
	if n == nil {
		return "dpop.Nonces(nil)"
	}
	return fmt.Sprintf("dpop.Nonces(%d keys)", len(n.keys))
}

// Format is String under every verb: none may print the keys.
func (n *Nonces) Format(f fmt.State, _ rune) { io.WriteString(f, n.String()) }

// LogValue is String for slog.
func (n *Nonces) LogValue() slog.Value { return slog.StringValue(n.String()) }
