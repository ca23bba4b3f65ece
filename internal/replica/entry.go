package replica

import (
	"slices"
	"sync/atomic"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// Entry is a client as a request needs it. It is shared and never changed.
type Entry struct {
	// Client is nil for an id that no client has, or whose client this version
	// cannot use: a decoy, which is refused by the same steps. The Hash of each
	// secret whose digest is in Digests is left out, and of Spent all but the
	// revoked keys of a client with a jwks_uri, which may be published still.
	Client *registry.Client
	// Digests are the SHA-256 digests of Client.Secrets, one for each; all zero
	// (the digest of no known value) for a secret that is kept in another form.
	Digests [][32]byte
	// Seq is the commit that wrote the client last; 0 when none ever did.
	Seq int64
	// Unusable says why a client that is there is not used (registry.ErrNewer,
	// a malformed document); nil for all others.
	Unusable error

	size    int64          // estimated memory, in bytes
	pending *pendingClient // what was taken away of it already; nil in the cache

	confirmed atomic.Int64 // gen of the newest snapshot at which the row was seen to be this one
}

const (
	decoySize  = 160  // an Entry and its node
	clientSize = 1024 // a registry.Client without what its document makes
	docFactor  = 3    // decoded members take up to this many times their text
)

// decoy is the entry of an id that no client has.
func decoy(seq int64) *Entry { return &Entry{Seq: seq, size: decoySize} }

// newEntry decodes a stored client.
func newEntry(o store.Object) *Entry {
	if o.Deleted {
		return decoy(o.Seq)
	}
	c, err := registry.DecodeClient(o.Doc)
	if err != nil {
		e := decoy(o.Seq)
		e.Unusable = err
		return e
	}
	e := &Entry{Client: c, Seq: o.Seq, size: clientSize + docFactor*int64(len(o.Doc))}
	if c.JWKSURI == "" {
		c.Spent = nil
	}
	c.Spent = slices.DeleteFunc(c.Spent, func(s registry.Spent) bool { return s.Digest == "" })
	e.Digests = make([][32]byte, len(c.Secrets))
	for i := range c.Secrets {
		if digest, ok := registry.ParseSHA256(c.Secrets[i].Hash); ok {
			e.Digests[i], c.Secrets[i].Hash = digest, ""
		}
	}
	return e
}
