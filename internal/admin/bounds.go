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
	octets  int // of the documents of its APIs: every change of the server reads them all
	denials int // of the organisation, as long as they are kept
	used    int // ids of credentials of one client, for ever
}

var defaultBounds = bounds{clients: 10_000, apis: 1_000, octets: 2 << 20, denials: 100_000, used: 1_000}

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
		if s.builtin {
			return nil // it comes with its issuer
		}
		if err := c.apisFit(s); err != nil || !created {
			return err
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

// apisFit refuses an API, or more of one, where the documents of the organisation's
// APIs would be too long: all of them are read and judged whenever something is
// changed on this server, by whomever.
func (c *change) apisFit(grown *staged) error {
	grows, err := sizes(grown)
	if err != nil || grows.after <= grows.before {
		return err
	}
	apis, err := all[registry.API](c, registry.KindAPI)
	if err != nil {
		return err
	}
	total := 0
	for _, api := range apis {
		if !c.actor.reaches(api.Issuer) {
			continue
		}
		size, err := sizes(c.staged[ref{registry.KindAPI, api.ID}])
		if err != nil {
			return err
		}
		total += size.after
	}
	if total <= c.a.bounds.octets {
		return nil
	}
	return &Error{Code: TooMany, Message: fmt.Sprintf("the APIs of the organisation would have %d octets, and its own programs may make them have %d", total, c.a.bounds.octets),
		Fix: "shorten descriptions, or delete APIs and scopes that are not used any more, or ask an operator of the whole server"}
}

// sizes are how long an object's document is, and about how long it will be.
func sizes(s *staged) (size struct{ before, after int }, err error) {
	size.before, size.after = len(s.stored), len(s.stored)
	switch {
	case s.after == nil:
		size.after = 0
	case s.action != "":
		doc, failed := registry.Encode(s.after, s.stored)
		size.after, err = len(doc), failed
	}
	return size, err
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
