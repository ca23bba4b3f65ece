package admin

import (
	"fmt"
	"maps"
	"slices"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// settleBuiltins makes, keeps and deletes the management APIs of the issuers that
// the change touches. Nobody else changes one.
func (c *change) settleBuiltins() error {
	for _, s := range c.order {
		if err := s.byHand(); err != nil {
			return err
		}
	}
	touched := make(map[string]bool)
	for _, s := range c.order {
		if s.kind == registry.KindIssuer {
			touched[s.id] = true
		}
	}
	if c.builtins {
		issuers, err := all[registry.Issuer](c, registry.KindIssuer)
		if err != nil {
			return err
		}
		for _, i := range issuers {
			touched[i.ID] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(touched)) {
		if err := c.settleBuiltin(id); err != nil {
			return err
		}
	}
	return nil
}

// byHand refuses a built-in API that an operation has staged. A new one with such
// an id is left to validation, which names the member.
func (s *staged) byHand() error {
	if s.kind != registry.KindAPI || s.builtin || s.before == nil || !registry.Administrative(s.id) {
		return nil
	}
	return refused("access to it is given with `symbolon client grant CLIENT-ID "+s.id+" SCOPE…`; it goes with its issuer",
		"the server itself keeps the API %s: it is not changed or deleted by hand", s.id)
}

// settleBuiltin brings the management API of one issuer about.
func (c *change) settleBuiltin(issuer string) error {
	_, i, err := load[registry.Issuer](c, registry.KindIssuer, issuer)
	if err != nil {
		return err
	}
	var want *registry.API
	if i != nil {
		want = i.Management(c.a.BaseURL)
	}
	s, api, err := load[registry.API](c, registry.KindAPI, registry.ManagementID(issuer))
	if err != nil {
		return err
	}
	if s.action != "" && !s.builtin {
		return nil // somebody's own, which validation refuses
	}
	s.builtin = true
	switch {
	case want == nil && api == nil:
		return nil
	case want == nil:
		s.keep = true // its versions go on where they ended, should it come back
		s.why = "issuer " + issuer + " has none any more"
		c.stage(s, nil, "api.delete")
	case api == nil:
		s.why = "every issuer of its dialect has one"
		c.stage(s, want, "api.create")
	case api.Identifier == want.Identifier && api.Name == want.Name && maps.Equal(api.Scopes, want.Scopes):
		return nil
	default:
		s.why = "it follows its issuer " + issuer
		api.Identifier, api.Name, api.Scopes = want.Identifier, want.Name, want.Scopes
		c.stage(s, api, "api.update")
	}
	return c.settleAPI(s)
}

// settleAlgorithms writes down what signs the tokens of an API that names no
// algorithm, where its issuer has a dialect: a vendor's verifiers know RS256 and
// nothing else, whatever the default of this server will be.
func (c *change) settleAlgorithms() error {
	for _, s := range slices.Clone(c.order) {
		api, ok := s.after.(*registry.API)
		if !ok || api.Opaque() || api.Token.Algorithm != "" {
			continue
		}
		_, i, err := load[registry.Issuer](c, registry.KindIssuer, api.Issuer)
		if err != nil {
			return err
		}
		if i != nil && i.DefaultAlgorithm() != jose.ES256 {
			api.Token.Algorithm = string(i.DefaultAlgorithm())
		}
	}
	return nil
}

// unused refuses to delete an issuer that other objects name.
func (c *change) unused(issuer string) error {
	for _, kind := range []string{registry.KindAPI, registry.KindClient, registry.KindOperatorToken} {
		ids, err := c.tx.Find(kind, registry.AttrIssuer, issuer)
		if err != nil {
			return err
		}
		if kind == registry.KindAPI {
			ids = slices.DeleteFunc(ids, func(id string) bool { return id == registry.ManagementID(issuer) })
		}
		if len(ids) > 0 {
			return refused("delete or change them first", "%s name the issuer %s: %s", counted(len(ids), word(kind)), issuer, some(ids))
		}
	}
	return nil
}

func counted(n int, word string) string { return fmt.Sprintf("%d %ss", n, word) }
