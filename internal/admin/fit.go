package admin

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
)

// taking are actions that take something away, and are never refused for what
// cannot be done without it any more.
var taking = []string{".remove", ".revoke", ".disable", ".deny", ".ungrant", ".delete"}

// checkFit refuses what this change keeps clients from doing as their documents
// say: what it says about a client itself, and what becomes of clients where a
// profile or a binding is demanded anew. What was so before is not its doing.
func (c *change) checkFit(v registry.View) (registry.Problems, error) {
	var found registry.Problems
	for _, s := range c.order {
		client, ok := s.after.(*registry.Client)
		if !ok || slices.ContainsFunc(taking, func(end string) bool { return strings.HasSuffix(s.action, end) }) {
			continue
		}
		before, _ := s.before.(*registry.Client)
		found = append(found, newProblems(v, v, before, client)...)
	}
	more, err := c.checkDemands(v)
	return append(found, more...), err
}

// checkDemands looks at the clients of issuers and APIs that ask for more than
// they did.
func (c *change) checkDemands(v registry.View) (registry.Problems, error) {
	was := registry.View{Base: v.Base, Issuers: maps.Clone(v.Issuers), APIs: maps.Clone(v.APIs)}
	affected := make(map[string]bool)
	for _, s := range slices.Clone(c.order) {
		var ids []string
		var err error
		switch before := s.before.(type) {
		case *registry.Issuer:
			after, ok := s.after.(*registry.Issuer)
			if !ok || after.FAPI2() == before.FAPI2() {
				continue
			}
			was.Issuers[s.id] = before
			ids, err = c.tx.Find(registry.KindClient, registry.AttrIssuer, s.id)
		case *registry.API:
			after, ok := s.after.(*registry.API)
			if !ok || after.Bound == before.Bound {
				continue
			}
			was.APIs[s.id] = before
			ids, err = c.clientsOf(s.id)
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			affected[id] = true
		}
	}
	if len(affected) > c.a.cascade {
		return nil, refused("make another issuer or API that demands it, and move the clients there",
			"%d clients are affected; one change looks at no more than %d", len(affected), c.a.cascade)
	}
	var found registry.Problems
	for _, id := range slices.Sorted(maps.Keys(affected)) {
		s, client, err := load[registry.Client](c, registry.KindClient, id)
		if err != nil {
			return nil, err
		}
		if client == nil || s.action != "" && s.before == nil {
			continue // gone, or judged as a new one
		}
		problems := newProblems(was, v, client, client)
		if len(problems) > 0 && !c.owns(client) {
			return nil, c.outOfReach()
		}
		found = append(found, problems...)
		if len(found) >= mostProblems {
			break
		}
	}
	return found, nil
}

// mostProblems bounds what a change of one issuer or API is told about its
// clients.
const mostProblems = 20

// newProblems are those of a client as it will be that it did not have as it
// was; before is nil for a new one.
func newProblems(was, is registry.View, before, after *registry.Client) registry.Problems {
	var found, old registry.Problems
	if !errors.As(registry.FitClient(is, after), &found) {
		return nil
	}
	if before != nil {
		_ = errors.As(registry.FitClient(was, before), &old) // it has no other errors
	}
	return slices.DeleteFunc(found, func(p registry.Problem) bool { return slices.Contains(old, p) })
}
