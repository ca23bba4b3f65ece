package admin

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
)

// Which objects an actor reaches that is bound to issuers. A client is its own
// when all of the client's issuers are, an API, a key and a denial when theirs is,
// or the client that the denial names; everything else is not there. Reads ask here in read and list, writes in
// change.authorise, whichever operation they are of.

// reaches reports whether the issuer is one of the actor's.
func (a Actor) reaches(issuer string) bool {
	return a.Issuers == nil || slices.Contains(a.Issuers, issuer)
}

// owns reports whether the actor reaches the object. clientOf gives the client
// that a denial names, nil when there is none.
func (a Actor) owns(obj any, clientOf func(id string) (*registry.Client, error)) (bool, error) {
	if a.Issuers == nil {
		return true, nil
	}
	switch o := obj.(type) {
	case *registry.Issuer:
		return a.reaches(o.ID), nil
	case *registry.API:
		return a.reaches(o.Issuer), nil
	case *registry.Key:
		return a.reaches(o.Issuer), nil
	case *registry.Client:
		return !slices.ContainsFunc(o.IssuerIDs(), func(id string) bool { return !a.reaches(id) }), nil
	case *registry.Denial:
		if o.Issuer != "" && o.What != registry.DenyClient { // that tells whose client was at the issuer once
			return a.reaches(o.Issuer), nil
		}
		client, err := clientOf(o.Client)
		if err != nil || client == nil {
			return false, err
		}
		return a.owns(client, nil)
	case *registry.Operator:
		return true, nil // to be read: people are of no issuer
	}
	return false, nil
}

// owns reports whether the actor of the change reaches the object.
func (c *change) owns(obj any) bool {
	own, err := c.actor.owns(obj, func(string) (*registry.Client, error) { return nil, nil })
	return own && err == nil
}

// outOfReach refuses a change that would alter what is not the actor's. It does
// not say what.
func (c *change) outOfReach() error {
	return &Error{Code: Forbidden, Message: c.actor.name() + " would change objects of other issuers than its own with this",
		Fix: "ask an operator of the whole server", cause: ErrOthers}
}

// mayReach refuses what alters an object that is not the actor's, or makes one
// that would not be or that names what is not.
func (c *change) mayReach(s *staged) (registry.Problems, error) {
	if c.actor.Issuers == nil {
		return nil, nil
	}
	if d, ok := cmp.Or(s.after, s.before).(*registry.Denial); ok {
		return nil, c.mayDeny(d)
	}
	if s.before != nil && !c.owns(s.before) {
		return nil, c.outOfReach()
	}
	if s.after == nil {
		return nil, nil
	}
	var p registry.Problems
	add := func(path, message, fix string) {
		p = append(p, registry.Problem{Kind: s.kind, ID: s.id, Path: path, Message: message, Fix: fix})
	}
	was := ""
	if s.before != nil {
		was = metaOf(s.before).ManagedBy
	}
	if metaOf(s.after).ManagedBy != was {
		add("managed_by", "sets belong to the whole server", "leave it out")
	}
	var err error
	switch o := s.after.(type) {
	case *registry.Client:
		before, _ := s.before.(*registry.Client)
		err = c.clientNames(before, o, add)
	case *registry.API:
		before, _ := s.before.(*registry.API)
		err = c.apiNames(before, o, add)
	case *registry.Key:
		if !c.owns(o) {
			err = c.outOfReach()
		}
	default:
		err = c.outOfReach()
	}
	return p, err
}

// adder notes a problem with a member.
type adder func(path, message, fix string)

// clientNames looks at what a client names that it did not name before. What is
// another's is told like what is not there.
func (c *change) clientNames(before, after *registry.Client, add adder) error {
	yours := "name of these: " + strings.Join(c.actor.Issuers, ", ")
	if len(after.Issuers) == 0 && !c.actor.reaches(registry.DefaultIssuer) {
		add("issuers", "missing: a client without issuers is one of the default issuer", yours)
	}
	for _, id := range after.Issuers {
		if !c.actor.reaches(id) {
			add("issuers."+id, "there is no issuer "+id, yours)
		}
	}
	named := gained(before, after)
	if before == nil {
		before = new(registry.Client)
	}
	for _, api := range after.DefaultAPI {
		if !slices.Contains(before.DefaultAPI, api) && !slices.Contains(named, api) {
			named = append(named, api)
		}
	}
	slices.Sort(named)
	for _, id := range named {
		_, api, err := load[registry.API](c, registry.KindAPI, id)
		if err != nil {
			return err
		}
		if api == nil || !c.owns(api) {
			add("access."+id, "there is no API "+id, registry.NoAPIFix(id))
		}
	}
	return nil
}

func (c *change) apiNames(before, after *registry.API, add adder) error {
	if !c.actor.reaches(after.Issuer) {
		add("issuer", "there is no issuer "+after.Issuer, "name one of these: "+strings.Join(c.actor.Issuers, ", "))
	}
	for _, id := range after.ResourceServers {
		if before != nil && slices.Contains(before.ResourceServers, id) {
			continue
		}
		_, client, err := load[registry.Client](c, registry.KindClient, id)
		if err != nil {
			return err
		}
		if client == nil || !c.owns(client) {
			add("resource_servers."+id, fmt.Sprintf("there is no client %q", id), "create it first, or correct the id")
		}
	}
	return nil
}

// mayDeny refuses a denial of what is not the actor's.
func (c *change) mayDeny(d *registry.Denial) error {
	own, err := c.actor.owns(d, func(id string) (*registry.Client, error) {
		s, _, err := load[registry.Client](c, registry.KindClient, id)
		if err != nil {
			return nil, err
		}
		client, _ := s.before.(*registry.Client) // as it was: a deletion denies, too
		return client, nil
	})
	if err == nil && !own {
		err = c.outOfReach()
	}
	return err
}

// some names the first few clients of a list, of those that the actor sees.
func (c *change) some(ids []string) string {
	if c.actor.Issuers == nil {
		return some(ids)
	}
	own := slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		_, client, err := load[registry.Client](c, registry.KindClient, id)
		return err != nil || client == nil || !c.owns(client)
	})
	if others := len(ids) - len(own); others > 0 {
		return strings.TrimPrefix(some(own)+fmt.Sprintf(" and %d of other issuers", others), " and ")
	}
	return some(own)
}

// authorise judges all that the change alters: which objects the actor reaches,
// and whether it hands on what it does not hold. What the operation itself needs
// was asked before.
func (c *change) authorise() error {
	if c.actor.May(GrantsAdmin) == nil {
		return nil // which nobody has that is bound to issuers
	}
	var found registry.Problems
	for _, s := range slices.Clone(c.order) {
		changed, err := s.changed()
		if err != nil {
			return err
		}
		if !changed && len(s.denials) == 0 {
			continue
		}
		problems, err := c.mayReach(s)
		if err == nil {
			err = c.mayHandOn(s)
		}
		var more registry.Problems
		if errors.As(err, &more) {
			problems, err = append(problems, more...), nil
		}
		if err != nil {
			return err
		}
		found = append(found, problems...)
	}
	return found.Err()
}
