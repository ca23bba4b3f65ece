package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Presented is something that may be presented once until it expires.
type Presented struct {
	Key     string // a digest, at most 128 octets
	Expires int64  // unix microseconds
}

// ClaimPresented takes all entries or none, in one transaction: of several
// processes that claim the same one at the same time exactly one succeeds. For
// the others, and for what was claimed before and has not expired at now (unix
// microseconds), the error is ErrConflict. It is ErrUnavailable after a second of
// waiting for other claims, or at once when many wait already.
func (s *Store) ClaimPresented(ctx context.Context, now int64, entries ...Presented) error {
	entries, err := inOrder(entries)
	if err != nil {
		return err
	}
	return s.e.claim(ctx, func(u *unit) error {
		for _, e := range entries {
			taken, err := u.exec("claim", `INSERT INTO replay (key, expires) VALUES ($1, $2)
				ON CONFLICT (key) DO UPDATE SET expires = excluded.expires WHERE replay.expires < $3`, e.Key, e.Expires, now)
			if err != nil {
				return err
			}
			if taken != 1 {
				return fmt.Errorf("store: claim: %w: it was presented before", ErrConflict)
			}
		}
		return nil
	})
}

// RememberPresented adds what was taken without asking, in one transaction, known
// or not: of two expiries the later one counts. Without entries it only finds out
// whether the store can be written to.
func (s *Store) RememberPresented(ctx context.Context, entries ...Presented) error {
	entries, err := inOrder(entries)
	if err != nil {
		return err
	}
	return s.e.claim(ctx, func(u *unit) error {
		for _, e := range entries {
			if _, err := u.exec("claim", `INSERT INTO replay (key, expires) VALUES ($1, $2)
				ON CONFLICT (key) DO UPDATE SET expires = excluded.expires WHERE replay.expires < excluded.expires`, e.Key, e.Expires); err != nil {
				return err
			}
		}
		return nil
	})
}

// inOrder sorts, so that two processes cannot wait for each other.
func inOrder(entries []Presented) ([]Presented, error) {
	for _, e := range entries {
		if e.Key == "" || len(e.Key) > 128 || !Storable(e.Key) {
			return nil, fmt.Errorf("store: claim: the key of an entry must be UTF-8 without NUL, 1 to 128 octets")
		}
	}
	return slices.SortedFunc(slices.Values(entries), func(a, b Presented) int { return strings.Compare(a.Key, b.Key) }), nil
}

// PurgePresented forgets what expired before the given time (unix microseconds)
// and returns how many entries that were. Clocks of other nodes may be behind:
// the time is to be some minutes ago.
func (s *Store) PurgePresented(ctx context.Context, before int64) (n int64, err error) {
	for {
		var removed int64 // some at a time: claims get their turn in between
		err = s.e.transact(ctx, "purge presented", evidence, func(u *unit) (err error) {
			removed, err = u.exec("purge presented", `DELETE FROM replay WHERE key IN
				(SELECT key FROM replay WHERE expires < $1 ORDER BY expires LIMIT 5000)`, before)
			return err
		})
		n += removed
		if err != nil || removed == 0 {
			return n, err
		}
	}
}
