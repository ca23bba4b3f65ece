package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
	"github.com/symbolon/symbolon/internal/store"
)

// Journal keeps denials while the store is away: the node's replica.
type Journal interface {
	// Away reports whether the store did not answer the last time.
	Away() bool
	// Journal keeps a denial on the disk, and puts it in force on this node.
	Journal(replica.Pending) (replica.Pending, error)
	// Journalled is what is kept.
	Journalled() []replica.Pending
	// Forget drops what a commit holds that this node has applied.
	Forget(ids ...string) error
}

// storePatience is how long a denial waits for the store before it goes to the
// journal.
const storePatience = 3 * time.Second

// denyOrJournal carries out a denial in the store, or where that is away, full or
// damaged keeps it in the journal as p; a p without a verb is not kept.
func (a *Admin) denyOrJournal(ctx context.Context, actor Actor, p *replica.Pending, f func(*change) error) (seq int64, kept *replica.Pending, err error) {
	if a.Journal == nil || p.Verb == "" {
		seq, err = a.change(ctx, actor, f)
		return seq, nil, err
	}
	if !a.Journal.Away() {
		waiting, cancel := context.WithTimeout(ctx, storePatience)
		defer cancel()
		seq, err = a.change(waiting, actor, f)
		stored := seq != 0 // though this node may not have applied it yet
		if err == nil || stored || ctx.Err() != nil || !takesNothing(err) && waiting.Err() == nil {
			return seq, nil, err
		}
	}
	if p.Verb == replica.VerbKID && p.Denial.Issuer == "" {
		return 0, nil, notFound(registry.KindKey, p.Denial.KID)
	}
	if err := a.mayJournal(ctx, actor, p); err != nil {
		return 0, nil, err
	}
	p.Actor, p.Via, p.RequestID = actor.Name, actor.Via, actor.RequestID
	// As long as any token that another node may still issue of it.
	p.Denial.Expires = registry.DenialExpires(a.now(), registry.MaxLifetime.Std(), a.MaxStale)
	made, err := a.Journal.Journal(*p)
	if err != nil {
		return 0, nil, &Error{Code: Unavailable, cause: err, Message: "the store does not take the denial, and this node cannot keep it until it does; nothing was denied: " + err.Error(),
			Fix: "make room in the data directory, or bring the store back, and repeat"}
	}
	return 0, &made, nil
}

// takesNothing reports whether the error is the store's that takes no change at all.
// Its disk may be another than the journal's.
func takesNothing(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrCorrupt)
}

// mayJournal refuses a denial that the store would refuse this actor, as far as
// this node's copy tells.
func (a *Admin) mayJournal(ctx context.Context, actor Actor, p *replica.Pending) error {
	d := &p.Denial
	// What no store takes would be in the journal for ever, and all that comes after.
	if d.Issuer != "" && (!actor.reaches(d.Issuer) || !possibleID(registry.KindIssuer, d.Issuer)) {
		return notFound(registry.KindIssuer, d.Issuer)
	}
	if d.Client != "" && !possibleID(registry.KindClient, d.Client) {
		return notFound(registry.KindClient, d.Client)
	}
	if d.Credential != "" && !registry.ValidID(d.Credential) {
		return noCredential(&registry.Client{ID: d.Client}, CredentialSecret, d.Credential)
	}
	if d.Client == "" || actor.May(GrantsAdmin) == nil {
		return nil
	}
	client, _, err := read[registry.Client](ctx, a, actor, registry.KindClient, d.Client)
	if err == nil && client.Administers() && p.Verb == replica.VerbCredential {
		err = handsOff(client)
	}
	if actor.Issuers == nil && CodeOf(err) == NotFound {
		err = nil // it may be newer than the copy
	}
	return err
}

// unknown tells what this node's copy does not know of what a denial names: it may
// be newer than the copy, or misspelt.
func (a *Admin) unknown(ctx context.Context, d *registry.Denial) string {
	if d.What == registry.DenyJTI {
		if _, _, err := read[registry.Issuer](ctx, a, System(), registry.KindIssuer, d.Issuer); CodeOf(err) == NotFound {
			return "issuer " + d.Issuer
		}
	}
	if d.Client == "" {
		return ""
	}
	client, _, err := read[registry.Client](ctx, a, System(), registry.KindClient, d.Client)
	switch {
	case CodeOf(err) == NotFound:
		return "client " + d.Client
	case err == nil && d.Credential != "" && !slices.Contains(client.CredentialIDs(), d.Credential) && findSpent(client, d.Credential) < 0:
		return "credential " + d.Credential + " of client " + d.Client
	}
	return ""
}

// MergeJournal writes what the journal holds into the store, each as its verb
// says and as who asked for it. It is repeated until it returns nil: what is
// there already is not written again.
func (a *Admin) MergeJournal(ctx context.Context) error {
	if a.Journal == nil {
		return nil
	}
	var merged []string
	forget := func() error {
		if len(merged) == 0 {
			return nil
		}
		defer func() { merged = nil }()
		return a.Journal.Forget(merged...)
	}
	for _, p := range a.Journal.Journalled() {
		if err := a.merge(ctx, p); err != nil {
			return errors.Join(err, forget())
		}
		if merged = append(merged, p.ID); len(merged) < forgetAtOnce {
			continue
		}
		if err := forget(); err != nil {
			return err
		}
	}
	return forget()
}

// forgetAtOnce is how many entries the journal drops by one writing. It writes all
// that are left, and after a fail-over there may be thousands.
const forgetAtOnce = 100

// merge writes one entry. A verb that the state of things does not allow does not
// keep the denial out of the store.
func (a *Admin) merge(ctx context.Context, p replica.Pending) error {
	actor := Actor{Name: p.Actor, Via: "journal", RequestID: p.RequestID, Role: registry.RoleAdmin}
	_, err := a.change(ctx, actor, func(c *change) error { return c.merge(p) })
	if code := CodeOf(err); err == nil || code == Unavailable || code == "" {
		return err
	}
	a.Logger.Error("a denial of the journal is written, but not all that belongs to it; run it again",
		"verb", p.Verb, "denial", p.Denial.ID, "actor", p.Actor, "error", err)
	p.Verb = replica.VerbDenial
	_, err = a.change(ctx, actor, func(c *change) error { return c.merge(p) })
	return err
}

// merge stages one entry of the journal.
func (c *change) merge(p replica.Pending) error {
	d := p.Denial
	_, old, err := load[registry.Denial](c, registry.KindDenial, registry.DenialID(&d))
	if err != nil {
		return err
	}
	if old != nil && slices.ContainsFunc(old.Merged, func(m registry.MergedDenial) bool { return m.ID == p.ID }) {
		return nil // an attempt before this one was not heard back of
	}
	// Kept for a while in any case: should this commit not be heard back of, it
	// tells the next attempt.
	expires := d.Expires
	if least := c.now.Add(time.Hour); expires.Before(least) {
		expires = least
	}
	d.Merged = append(slices.Clone(d.Merged), registry.MergedDenial{ID: p.ID, Expires: expires})
	s, err := c.mergeVerb(p)
	if err != nil {
		return err
	}
	if s != nil {
		s.why = fmt.Sprintf("denied at %s on node %s while the store was away", p.At.UTC().Format(time.RFC3339), c.a.Node)
		if s.kind == registry.KindClient {
			return c.denyClient(s, d)
		}
	}
	return c.deny(s, d)
}

// mergeVerb stages what belongs to a denial besides itself; nil when the object
// is gone, or when there is nothing else.
func (c *change) mergeVerb(p replica.Pending) (*staged, error) {
	d := &p.Denial
	switch p.Verb {
	case replica.VerbClient, replica.VerbTokens, replica.VerbCredential:
		s, client, err := load[registry.Client](c, registry.KindClient, d.Client)
		if err != nil || client == nil {
			return nil, err
		}
		return s, c.mergeClient(s, client, p)
	case replica.VerbKID:
		s, k, err := load[registry.Key](c, registry.KindKey, d.KID)
		if err != nil || k == nil {
			return nil, err
		}
		c.stage(s, k, "key.revoke")
		c.keyOps = append(c.keyOps, keyOp{issuer: k.Issuer, revoke: d.KID})
		return s, nil
	}
	return nil, nil
}

func (c *change) mergeClient(s *staged, client *registry.Client, p replica.Pending) error {
	switch p.Verb {
	case replica.VerbClient:
		client.State, client.StateBy = registry.StateDisabled, p.Actor
		c.stage(s, client, "client.deny")
	case replica.VerbTokens:
		c.stage(s, client, "client.deny_tokens")
	case replica.VerbCredential:
		kind := sortOf(client, p.Denial.Credential)
		c.stage(s, client, kind.action("revoke"))
		if err := c.revoke(s, client, kind, p.Denial.Credential); CodeOf(err) != NotFound {
			return err
		}
	}
	return nil
}
