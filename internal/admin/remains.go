package admin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// remains is what stays of a deleted object for ever, of nearly every one: who deleted it, so that a
// file does not bring back what a person removed, and which credential ids of
// it are used up. What a prune deleted stays whole, for its set to name again.
type remains struct {
	By    string           `json:"by"` // an actor, or "prune:<set>"
	At    time.Time        `json:"at"`
	Spent []registry.Spent `json:"spent,omitempty"`
	Doc   json.RawMessage  `json:"doc,omitempty"`
}

const prunePrefix = "prune:"

// pruned reports whether the set itself deleted the object, which it may undo.
func (r *remains) pruned(set string) bool { return r != nil && r.By == prunePrefix+set }

func remainsKey(r ref) string { return "remains:" + r.kind + ":" + r.id }

// remains reads what stays of an object; nil when it was never deleted.
func (c *change) remains(r ref) (*remains, error) {
	if !possibleID(r.kind, r.id) {
		return nil, nil
	}
	text, err := c.getMeta(remainsKey(r))
	if err != nil {
		return nil, err
	}
	if text == "" {
		return c.remainsOfOwn(r)
	}
	out := new(remains)
	if err := json.Unmarshal([]byte(text), out); err != nil {
		return nil, fmt.Errorf("what remains of %s %q cannot be read: %w", r.kind, r.id, err)
	}
	return out, nil
}

// leavesNothing reports whether nothing need remain of an object that is deleted: an
// actor bound to issuers makes and deletes as many as it likes, and what has an id
// that the server made up is in no file. Its tombstone tells of it for a while.
func (c *change) leavesNothing(s *staged) bool {
	return c.actor.Issuers != nil && metaOf(s.before).ManagedBy == "" && isGeneratedID(s.kind, s.id)
}

// remainsOfOwn is what a tombstone tells of such an object: that there was one, and
// which of its credentials are denied.
func (c *change) remainsOfOwn(r ref) (*remains, error) {
	if s := c.staged[r]; s == nil || !s.gone || s.after != nil {
		return nil, nil
	}
	out := &remains{By: "its own organisation"}
	if r.kind != registry.KindClient {
		return out, nil
	}
	denials, err := c.tx.Find(registry.KindDenial, registry.AttrClient, r.id)
	for _, id := range denials {
		if credential, ok := strings.CutPrefix(id, registry.DenyCredential+":"+r.id+":"); ok {
			out.Spent = append(out.Spent, registry.Spent{ID: credential})
		}
	}
	return out, err
}

// when is the day of the deletion, as part of a sentence; empty where nobody knows.
func (r *remains) when() string {
	if r.At.IsZero() {
		return ""
	}
	return " on " + r.At.Format("2006-01-02")
}

// remove stages the deletion of an object that is there. by is who does it.
func (c *change) remove(s *staged, by string) error {
	if c.leavesNothing(s) {
		c.stage(s, nil, s.kind+".delete")
		return nil
	}
	r := remains{By: by, At: c.now}
	if client, ok := s.after.(*registry.Client); ok {
		r.Spent = slices.Clone(client.Spent)
		if !strings.HasPrefix(by, prunePrefix) {
			for _, id := range client.CredentialIDs() {
				r.Spent = append(r.Spent, registry.Spent{ID: id})
			}
		}
	}
	if strings.HasPrefix(by, prunePrefix) {
		doc, err := registry.Encode(s.after, s.stored)
		if err != nil {
			return err
		}
		r.Doc = doc
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	c.setMeta(remainsKey(s.ref), string(text))
	s.keep = true // so that versions go on where they ended, should it come back
	c.stage(s, nil, s.kind+".delete")
	return nil
}

// unusedID refuses an id that was another object's before, to an actor that does
// not see whose: evidence and files may still mean that one by it.
func (c *change) unusedID(r ref) error {
	if c.actor.Issuers == nil {
		return nil
	}
	old, err := c.remains(r)
	if err == nil && old != nil {
		err = &Error{Code: Exists, Message: fmt.Sprintf("the id %q was used before", r.id), Fix: "choose another id"}
	}
	return err
}

// revive takes what remains of an object out of the store, for one that is
// created under its id. It gives the credential ids that are used up.
func (c *change) revive(r ref) ([]registry.Spent, error) {
	old, err := c.remains(r)
	if err != nil || old == nil {
		return nil, err
	}
	c.setMeta(remainsKey(r), "")
	if r.kind == registry.KindClient && old.Doc != nil {
		return spentOf(old)
	}
	return old.Spent, nil
}

// spentOf gives the used ids of a client that a prune deleted and somebody else
// creates again: its credentials count as used too.
func spentOf(old *remains) ([]registry.Spent, error) {
	client, err := registry.DecodeClient(old.Doc)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(client.Spent)
	for _, secret := range client.Secrets {
		out = append(out, registry.Spent{ID: secret.ID})
	}
	return out, nil
}
