package replica

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// Journal keeps a denial that could not be written into the store. When it
// returns, the disk has it and this node goes by it: what the denial names gets
// no token here, and none of its tokens is good. ID, At and the denial's id are
// set here; the rest is the caller's.
func (r *Replica) Journal(p Pending) (Pending, error) {
	r.name(&p)
	if err := r.journal.add(p); err != nil {
		return Pending{}, err
	}
	r.cfg.Logger.Warn("a denial is kept in this node's journal, and waits for the store", "verb", p.Verb, "denial", p.Denial.ID, "id", p.ID, "actor", p.Actor)
	r.show(nil)
	return p, nil
}

// name sets what the caller of Journal leaves open.
func (r *Replica) name(p *Pending) {
	p.ID, p.At = rand.Text(), r.cfg.Now().UTC().Truncate(time.Microsecond)
	p.Denial.Meta, p.Denial.ID, p.Denial.N = registry.Meta{}, registry.DenialID(&p.Denial), 0
}

// Journalled is all that the journal holds, the oldest first, for merging.
func (r *Replica) Journalled() []Pending { return r.journal.list() }

// Forget drops what a commit holds now that this node has applied.
func (r *Replica) Forget(ids ...string) error {
	if err := r.journal.drop(ids); err != nil {
		return err
	}
	r.show(nil)
	return nil
}

// Pending are the denials that this node keeps in its journal and that concern
// tokens that may still be alive, the oldest first. They are not to be changed.
func (r *Replica) Pending() []Pending { return r.journal.inForce(r.cfg.Now()) }

// Changed gives a channel that is closed when Snapshot or Pending have something
// new. Who takes it before looking at them misses nothing.
func (r *Replica) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.published
}

// show publishes a snapshot as the journal says that it is to be seen; nil: the
// one before. It waits for no store: a denial must work at once.
func (r *Replica) show(base *registry.Snapshot) {
	r.showing.Lock()
	defer r.showing.Unlock()
	if base != nil {
		r.base = base // only who applies writes it
	}
	now := r.cfg.Now()
	var denials []*registry.Denial
	for _, p := range r.journal.inForce(now) {
		denials = append(denials, &p.Denial)
	}
	next := r.base.WithPending(denials, now)
	r.snapshot.Store(next)
	r.mu.Lock()
	close(r.published)
	r.published = make(chan struct{})
	r.mu.Unlock()
	if r.cfg.Published != nil {
		r.cfg.Published(next)
	}
}

// pendingClient is what the journal says of one client.
type pendingClient struct {
	all         bool
	issuers     []string // where it gets no more tokens
	credentials []string // ids
}

// without gives a client's entry as the journal leaves it: disabled, or without
// the issuers and the credentials that are denied.
func (j *journal) without(e *Entry) *Entry {
	clients := j.clients.Load()
	if clients == nil || e == nil || e.Client == nil {
		return e
	}
	p := (*clients)[e.Client.ID]
	if p == nil || e.pending == p {
		return e
	}
	client := *e.Client
	out := &Entry{Client: &client, Digests: e.Digests, Seq: e.Seq, size: e.size, pending: p}
	out.confirmed.Store(e.confirmed.Load())
	left := slices.DeleteFunc(slices.Clone(client.IssuerIDs()), func(id string) bool { return slices.Contains(p.issuers, id) })
	if len(p.issuers) > 0 {
		client.Issuers = left
	}
	if p.all || len(left) == 0 { // without issuers it would be one of the default issuer
		client.State, client.StateBy = registry.StateDisabled, "journal"
	}
	for _, id := range p.credentials {
		out.revoke(id)
	}
	return out
}

// revoke takes a credential out of an entry that is nobody else's. Lists are
// copied before: others read them.
func (e *Entry) revoke(id string) {
	c := e.Client
	if i := slices.IndexFunc(c.Secrets, func(s registry.Secret) bool { return s.ID == id }); i >= 0 {
		c.Secrets = slices.Delete(slices.Clone(c.Secrets), i, i+1)
		e.Digests = slices.Delete(slices.Clone(e.Digests), i, i+1)
	}
	if i := slices.IndexFunc(c.Keys, func(k registry.ClientKey) bool { return k.ID == id }); i >= 0 {
		// It may be published at a jwks_uri too.
		c.Spent = append(slices.Clone(c.Spent), registry.Spent{ID: id, Digest: c.Keys[i].Digest(), Revoked: time.Unix(0, 0)})
		c.Keys = slices.Delete(slices.Clone(c.Keys), i, i+1)
	}
	if i := slices.IndexFunc(c.Certificates, func(k registry.Certificate) bool { return k.ID == id }); i >= 0 {
		c.Certificates = slices.Delete(slices.Clone(c.Certificates), i, i+1)
	}
	if strings.HasPrefix(id, "uri-") && c.JWKSURI != "" && registry.JWKSURICredential(c.JWKSURI) == id {
		c.JWKSURI = ""
	}
}
