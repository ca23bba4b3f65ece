package admin

import (
	"fmt"
	"slices"

	"github.com/symbolon/symbolon/internal/registry"
)

// checkResourceServers refuses clients that would have to ask about tokens of an
// API, and could not.
func (c *change) checkResourceServers() (registry.Problems, error) {
	var found registry.Problems
	for _, s := range slices.Clone(c.order) {
		api, ok := s.after.(*registry.API)
		if !ok {
			continue
		}
		before, _ := s.before.(*registry.API)
		for _, id := range api.ResourceServers {
			at, client, err := load[registry.Client](c, registry.KindClient, id)
			if err != nil {
				return nil, err
			}
			problem := registry.Problem{Kind: registry.KindAPI, ID: api.ID, Path: "resource_servers." + id}
			known := before != nil && slices.Contains(before.ResourceServers, id)
			switch {
			case client == nil && (!known || at.before != nil):
				problem.Message, problem.Fix = fmt.Sprintf("there is no client %q", id), "create it first, or correct the id"
			case client != nil && !known && !client.AtIssuer(api.Issuer):
				problem.Message = fmt.Sprintf("client %s does not authenticate at issuer %s, where it would ask", id, api.Issuer)
				problem.Fix = "add the issuer to the client's issuers"
			default:
				continue
			}
			found = append(found, problem)
		}
	}
	return found, nil
}

// settleResourceServer takes a client that is deleted from the APIs whose tokens
// it may ask about: who has its id later has not its rights. Where the file that
// is applied names it still, that is left for checkResourceServers to tell.
func (c *change) settleResourceServer(client string) error {
	apis, err := all[registry.API](c, registry.KindAPI)
	if err != nil {
		return err
	}
	for _, api := range apis {
		s := c.staged[ref{registry.KindAPI, api.ID}]
		if s.named || !slices.Contains(api.ResourceServers, client) {
			continue
		}
		api.ResourceServers = slices.DeleteFunc(api.ResourceServers, func(id string) bool { return id == client })
		s.why = fmt.Sprintf("client %s is deleted", client)
		c.stage(s, api, "api.update")
	}
	return nil
}

// completeAPI takes clients that no longer exist from an API that comes back,
// unless the file itself names them.
func (p *applier) completeAPI(api *registry.API, named bool) (err error) {
	if named {
		return nil
	}
	api.ResourceServers = slices.DeleteFunc(api.ResourceServers, func(id string) bool {
		_, client, failed := load[registry.Client](p.change, registry.KindClient, id)
		if failed != nil {
			err = failed
		}
		return client == nil
	})
	return err
}
