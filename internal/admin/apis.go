package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
)

// apiMembers are what an update of an API may name. Its issuer is not among
// them: tokens of the one issuer would not become tokens of the other.
var apiMembers = []string{"identifier", "name", "scopes", "token.", "bound", "dpop_nonce", "resource_servers", "managed_by"}

// CreateAPI makes an API, and in the same commit the keys of an algorithm that
// its issuer had none of.
func (a *Admin) CreateAPI(ctx context.Context, actor Actor, api registry.API) (API, int64, error) {
	if err := actor.May(APIsWrite); err != nil {
		return API{}, 0, err
	}
	if api.ID == "" {
		api.ID = generateID("api")
	}
	if api.Issuer == "" {
		api.Issuer = registry.DefaultIssuer
	}
	api.Meta = registry.Meta{}
	seq, err := a.change(ctx, actor, func(c *change) error {
		fresh := clone(api)
		_, err := create(c, registry.KindAPI, api.ID, &fresh)
		return err
	})
	return shown(a.API, ctx, actor, api.ID, seq, err)
}

// UpdateAPI changes members of an API. A scope that goes is taken from every
// client that has it, and their tokens for the API are denied.
func (a *Admin) UpdateAPI(ctx context.Context, actor Actor, u Update[registry.API]) (API, int64, error) {
	if err := actor.May(APIsWrite); err != nil {
		return API{}, 0, err
	}
	seq, err := a.change(ctx, actor, func(c *change) error {
		s, _, err := update(c, registry.KindAPI, u, apiMembers)
		if err != nil {
			return err
		}
		return c.settleAPI(s)
	})
	return shown(a.API, ctx, actor, u.ID, seq, err)
}

// DeleteAPI deletes an API. Every client loses its access to it, and their
// tokens for it are denied.
func (a *Admin) DeleteAPI(ctx context.Context, actor Actor, t Target) (int64, error) {
	if err := actor.May(APIsWrite); err != nil {
		return 0, err
	}
	return a.change(ctx, actor, func(c *change) error {
		s, _, err := must[registry.API](c, registry.KindAPI, t.ID)
		if err != nil {
			return err
		}
		if err := s.at(t.Version); err != nil {
			return err
		}
		if err := c.remove(s, actor.Name); err != nil {
			return err
		}
		return c.settleAPI(s)
	})
}

// API shows one API.
func (a *Admin) API(ctx context.Context, actor Actor, id string) (API, error) {
	if err := actor.May(ClientsRead); err != nil {
		return API{}, err
	}
	api, version, err := read[registry.API](ctx, a, actor, registry.KindAPI, id)
	if err != nil {
		return API{}, err
	}
	return showAPI(api, version), nil
}

// APIs lists APIs.
func (a *Admin) APIs(ctx context.Context, actor Actor, q Query) (Page[API], error) {
	if err := actor.May(ClientsRead); err != nil {
		return Page[API]{}, err
	}
	return list(ctx, a, actor, registry.KindAPI, q, showAPI)
}

// maxCascade is how many clients one commit changes because an API or a scope
// goes: all other writers wait meanwhile.
const maxCascade = 5000

// settleAPI adds what follows for clients from the difference between an API as
// it was and as it will be.
func (c *change) settleAPI(s *staged) error {
	before, _ := s.before.(*registry.API)
	after, _ := s.after.(*registry.API)
	if before == nil {
		return nil
	}
	if err := s.byHand(); err != nil {
		return err
	}
	var gone []string
	for _, scope := range slices.Sorted(maps.Keys(before.Scopes)) {
		if after != nil {
			if _, ok := after.Scopes[scope]; ok {
				continue
			}
		}
		gone = append(gone, scope)
	}
	moved := after != nil && after.Identifier != before.Identifier
	if after != nil && len(gone) == 0 && !moved {
		return nil
	}
	ids, err := c.clientsOf(s.id)
	if err != nil {
		return err
	}
	if moved && len(ids) > 0 && s.builtin {
		return refused("take the access from them first, and give it again",
			"the issuer %s cannot change its url while clients have access to its API %s: %s hold tokens that name the old one", after.Issuer, s.id, c.some(ids))
	}
	if moved && len(ids) > 0 {
		return refused("make another API with that identifier, move their access, then delete this one",
			"the identifier of API %s cannot change while clients have access: %s hold tokens that name the old one", s.id, c.some(ids))
	}
	if len(ids) > c.a.cascade {
		return refused("take the access from them first, some at a time",
			"%d clients have access to API %s; one change takes it from at most %d", len(ids), s.id, c.a.cascade)
	}
	for _, id := range ids {
		if err := c.takeAccess(id, s.id, gone, after == nil); err != nil {
			return err
		}
	}
	return nil
}

// clientsOf gives the clients that have access to an API, those of this change
// among them.
func (c *change) clientsOf(api string) ([]string, error) {
	found, err := c.tx.Find(registry.KindClient, registry.AttrAPI, api)
	if err != nil {
		return nil, err
	}
	has := make(map[string]bool)
	for _, id := range found {
		has[id] = true
	}
	for r, s := range c.staged {
		if client, ok := s.after.(*registry.Client); ok {
			_, has[r.id] = client.Access[api]
		} else if r.kind == registry.KindClient {
			has[r.id] = false
		}
	}
	maps.DeleteFunc(has, func(_ string, yes bool) bool { return !yes })
	return slices.Sorted(maps.Keys(has)), nil
}

// takeAccess removes scopes of an API, or all access to it, from a client.
func (c *change) takeAccess(id, api string, scopes []string, whole bool) error {
	s, client, err := load[registry.Client](c, registry.KindClient, id)
	if err != nil || client == nil {
		return err
	}
	if whole {
		delete(client.Access, api)
		s.why = fmt.Sprintf("API %s is deleted", api)
	} else {
		client.Access[api] = slices.DeleteFunc(client.Access[api], func(scope string) bool { return slices.Contains(scopes, scope) })
		s.why = fmt.Sprintf("API %s has no scope %s any more", api, strings.Join(scopes, ", "))
	}
	c.stage(s, client, "client.ungrant")
	return nil
}

// some names the first few of a list.
func some(ids []string) string {
	const few = 5
	if len(ids) <= few {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:few], ", "), len(ids)-few)
}
