package admin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// remains is what stays of a deleted object for ever: who deleted it, so that a
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
	text, err := c.getMeta(remainsKey(r))
	if err != nil || text == "" {
		return nil, err
	}
	out := new(remains)
	if err := json.Unmarshal([]byte(text), out); err != nil {
		return nil, fmt.Errorf("what remains of %s %q cannot be read: %w", r.kind, r.id, err)
	}
	return out, nil
}

// remove stages the deletion of an object that is there. by is who does it.
func (c *change) remove(s *staged, by string) error {
	r := remains{By: by, At: c.now}
	if client, ok := s.after.(*registry.Client); ok {
		r.Spent = slices.Clone(client.Spent)
		if !strings.HasPrefix(by, prunePrefix) {
			for _, id := range credentialIDs(client) {
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
