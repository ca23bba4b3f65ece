package dpop

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"
)

// Entry is something that may be presented once: a proof by its [Proof].ReplayKey, an
// assertion by a key of its own kind.
type Entry struct {
	Key     [32]byte  // a digest of what identifies it
	Expires time.Time // until when, inclusive, a replay would be believed
	Owner   string    // whose quota it counts against: the client's id
}

// Replay consumes. Claim takes all entries or, when it returns an error, none. Its errors are
// [ErrReplayed] when one of them was taken before, [ErrForgotten] when that cannot be known,
// [ErrQuota] when there is no room for them; any other error means that the memory is not available and nothing is known.
//
// It must be safe for concurrent use: of many simultaneous claims of one key exactly one
// succeeds. An entry is remembered until its Expires has passed, whatever happens.
type Replay interface {
	Claim(ctx context.Context, entries ...Entry) error
}

// What a Replay says of entries that it does not take.
var (
	// ErrReplayed: an entry was presented before, or too late to know that it was not.
	ErrReplayed = errors.New("dpop: presented before")
	// ErrForgotten: the clock was set back, and while it was ahead entries were forgotten that
	// lived as long. It lasts until they would have expired.
	ErrForgotten = errors.New("dpop: the clock was set back, and what may have been presented before is not known: wait as long as an entry lives")
	// ErrQuota: the owner has too many live entries, or the memory is full. Live entries are
	// never given up for new ones; wait until some expire.
	ErrQuota = errors.New("dpop: too many live entries: wait until some expire")
)

// replayKey identifies a proof by its key, its jti and where it was sent (RFC 9449 §11.1).
// The first has a fixed length and the second says its own, so no two are one text.
func replayKey(thumbprint, id, htu string) [32]byte {
	const label = "symbolon dpop proof 1\x00"
	var space [512]byte // for most; the longest jti and htu get more
	b := append(space[:0], label...)
	b = append(b, thumbprint...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(id)))
	b = append(b, id...)
	b = append(b, htu...)
	return sha256.Sum256(b)
}
