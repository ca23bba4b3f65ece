package admin

import (
	"fmt"

	"github.com/symbolon/symbolon/internal/registry"
)

// bounds are how much there may be of what actors make that are bound to issuers:
// whoever has such power over one organisation may not fill the store of all. They
// count what others made there, and hold up nobody else. What takes something away
// is never refused for them.
type bounds struct {
	clients int // of the organisation
	apis    int // of the organisation
	denials int // of the organisation, as long as they are kept
	used    int // ids of credentials of one client, for ever
}

var defaultBounds = bounds{clients: 10_000, apis: 1_000, denials: 100_000, used: 1_000}

// checkBounds refuses what makes more than there may be.
func (c *change) checkBounds() error {
	if c.actor.Issuers == nil {
		return nil
	}
	for _, s := range c.order {
		if s.after == nil {
			continue
		}
		if err := c.bounded(s); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) bounded(s *staged) error {
	b, created := &c.a.bounds, s.before == nil
	switch after := s.after.(type) {
	case *registry.API:
		if !created {
			return nil
		}
		return c.room(registry.KindAPI, b.apis, "delete those that are not used any more, or ask an operator of the whole server to make it")
	case *registry.Client:
		before, _ := s.before.(*registry.Client)
		if err := c.fewUsed(before, after); err != nil {
			return err
		}
		if !created && len(gained(before, after)) == 0 {
			return nil
		}
		if created {
			if err := c.room(registry.KindClient, b.clients, "delete those that are not used any more, or ask an operator of the whole server to make it"); err != nil {
				return err
			}
		}
		// Each access that is given may be taken, and each client be deleted: that denies.
		return c.room(registry.KindDenial, b.denials, "wait: a denial goes when the tokens that it concerns have expired, after some days at most")
	}
	return nil
}

// room refuses one more of a kind where the organisation has so many.
func (c *change) room(kind string, most int, fix string) error {
	n, err := c.tx.Count(kind, registry.AttrIssuer, c.actor.Issuers, most)
	if err != nil || n < most {
		return err
	}
	return &Error{Code: TooMany, Message: fmt.Sprintf("the organisation has %d %ss, which is as many as its own programs may make", most, word(kind)), Fix: fix}
}

// fewUsed refuses a new credential to a client that has used up many: their ids stay
// in its document for ever.
func (c *change) fewUsed(before, after *registry.Client) error {
	if before == nil || len(after.Spent)+len(after.CredentialIDs()) <= c.a.bounds.used || !after.GainsCredential(before) {
		return nil
	}
	return &Error{Code: TooMany, Message: fmt.Sprintf("client %s has had %d credentials, which is as many as its organisation's own programs may give it", after.ID, c.a.bounds.used),
		Fix: "make a new client, and delete this one"}
}
