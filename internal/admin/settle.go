package admin

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// settleClient adds what follows from the difference between a client as it was
// and as it will be, whichever operation made it: spent credential ids, default
// APIs, denials. It may run once per change and client.
func (c *change) settleClient(s *staged) error {
	before, _ := s.before.(*registry.Client)
	after, _ := s.after.(*registry.Client)
	if after != nil {
		spend(before, after)
		if err := c.checkLegacy(before, after); err != nil {
			return err
		}
		if !s.asked {
			if err := c.settleDefaults(before, after); err != nil {
				return err
			}
		}
	}
	if before == nil {
		return nil
	}
	if after == nil {
		if err := c.settleResourceServer(s.id); err != nil {
			return err
		}
	}
	// Tokens are refused by the position of the commit that says so. Removing a
	// credential is the end of a rotation: its tokens stay good.
	if after == nil || after.State == registry.StateDisabled && before.State != registry.StateDisabled {
		return c.denyClient(s, registry.Denial{What: registry.DenyClient, Client: s.id})
	}
	for _, issuer := range before.IssuerIDs() {
		if !after.AtIssuer(issuer) {
			if err := c.deny(s, registry.Denial{What: registry.DenyClient, Client: s.id, Issuer: issuer}); err != nil {
				return err
			}
		}
	}
	for _, api := range slices.Sorted(maps.Keys(before.Access)) {
		if lost(before.Access[api], after.Access, api) {
			if err := c.denyAccess(s, api); err != nil {
				return err
			}
		}
	}
	for _, spent := range after.Spent {
		if !spent.Revoked.IsZero() && !wasRevoked(before, spent.ID) {
			if err := c.denyClient(s, registry.Denial{What: registry.DenyCredential, Client: s.id, Credential: spent.ID}); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLegacy bounds how far ahead an exception reaches when it is set: one that
// was good when it was set stays so. Each change of it is in the record of the
// client's change.
func (c *change) checkLegacy(before, after *registry.Client) error {
	l := after.LegacyAssertion
	if l == nil || before != nil && before.LegacyAssertion != nil && before.LegacyAssertion.Until.Equal(l.Until) {
		return nil
	}
	if l.Until.After(c.now.Add(registry.MaxLegacyAssertion)) {
		return registry.Problems{{Kind: registry.KindClient, ID: after.ID, Path: "legacy_assertion.until",
			Message: "more than a year ahead: the exception is for moving programs, not for staying", Fix: "write a date within a year"}}
	}
	return nil
}

// lost reports whether something of the access to the API is gone.
func lost(had []string, access map[string][]string, api string) bool {
	has, ok := access[api]
	return !ok || slices.ContainsFunc(had, func(scope string) bool { return !slices.Contains(has, scope) })
}

// gained are the APIs, by id, of which the client may ask what it could not before;
// before is nil for a new one.
func gained(before, after *registry.Client) []string {
	var had map[string][]string
	if before != nil {
		had = before.Access
	}
	var apis []string
	for api, scopes := range after.Access {
		if lost(scopes, had, api) {
			apis = append(apis, api)
		}
	}
	slices.Sort(apis)
	return apis
}

func wasRevoked(c *registry.Client, credential string) bool {
	return slices.ContainsFunc(c.Spent, func(s registry.Spent) bool { return s.ID == credential && !s.Revoked.IsZero() })
}

// spend notes the ids of credentials that are gone: a token tells by which
// credential it was obtained, so an id means one value for ever.
func spend(before, after *registry.Client) {
	if before == nil {
		return
	}
	stay := after.CredentialIDs()
	for _, id := range before.CredentialIDs() {
		if !slices.Contains(stay, id) && findSpent(after, id) < 0 {
			after.Spent = append(after.Spent, registry.Spent{ID: id})
		}
	}
}

// settleDefaults drops default APIs without access, and sets one where access
// is given to a single API of an issuer while there was none: a program that
// names no API goes on meaning that one when more come.
func (c *change) settleDefaults(before, after *registry.Client) error {
	after.DefaultAPI = slices.DeleteFunc(after.DefaultAPI, func(api string) bool {
		_, ok := after.Access[api]
		return !ok
	})
	had, err := c.accessByIssuer(before)
	if err != nil {
		return err
	}
	has, err := c.accessByIssuer(after)
	if err != nil {
		return err
	}
	for _, issuer := range slices.Sorted(maps.Keys(has)) {
		apis := has[issuer]
		if len(had[issuer]) == 0 && len(apis) == 1 && !slices.Contains(after.DefaultAPI, apis[0]) {
			after.DefaultAPI = append(after.DefaultAPI, apis[0])
		}
	}
	return nil
}

// accessByIssuer groups the APIs that a client has access to. Those that do
// not exist are left to validation.
func (c *change) accessByIssuer(client *registry.Client) (map[string][]string, error) {
	out := make(map[string][]string)
	if client == nil {
		return out, nil
	}
	for id := range client.Access {
		_, api, err := load[registry.API](c, registry.KindAPI, id)
		if err != nil {
			return nil, err
		}
		if api != nil {
			out[api.Issuer] = append(out[api.Issuer], id)
		}
	}
	return out, nil
}

// denyAccess refuses the client's tokens for an API, which may itself be gone
// after this change.
func (c *change) denyAccess(s *staged, id string) error {
	d := registry.Denial{What: registry.DenyClientAPI, Client: s.id, API: id}
	of, _, err := load[registry.API](c, registry.KindAPI, id)
	if err != nil {
		return err
	}
	if api, ok := of.before.(*registry.API); ok {
		d.Issuer, d.Audience = api.Issuer, api.Identifier
	}
	return c.deny(s, d)
}

// mergedBoth are the pending denials of both lists that a validator may still
// hold.
func mergedBoth(a, b []registry.MergedDenial, now time.Time) []registry.MergedDenial {
	var out []registry.MergedDenial
	for _, m := range slices.Concat(a, b) {
		if m.Expires.After(now) && !slices.ContainsFunc(out, func(o registry.MergedDenial) bool { return o.ID == m.ID }) {
			out = append(out, m)
		}
	}
	return out
}

// denyClient stages a denial of a client or of its credential, for the issuers where
// the client may have tokens. It has none where it was before: what took the issuer
// from it has denied those.
func (c *change) denyClient(s *staged, d registry.Denial) error {
	for _, obj := range []any{s.before, s.after} {
		if client, ok := obj.(*registry.Client); ok {
			d.Issuers = together(d.Issuers, client.IssuerIDs())
		}
	}
	return c.deny(s, d)
}

// concernedBoth are the issuers that one of two denials of the same thing concerns;
// none: all.
func concernedBoth(a, b []string) []string {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	return together(a, b)
}

// together has what is in one of the lists, once and sorted.
func together(a, b []string) []string {
	both := slices.Concat(a, b)
	slices.Sort(both)
	return slices.Compact(both)
}

// deny stages a denial that s causes. Its n is the position of this commit: it
// refuses what was issued by nodes that have not heard of it. A denial of the
// same thing that is there already is replaced; n and the time for which it is
// kept never become less.
func (c *change) deny(s *staged, d registry.Denial) error {
	d.ID = registry.DenialID(&d)
	pos := c.tx.Position()
	switch d.What {
	case registry.DenyClient, registry.DenyClientAPI, registry.DenyIssuer:
		d.N = registry.Position{Seq: pos.Seq, Epoch: pos.Epoch}.Gen()
	}
	// The settings of today do not tell how long a token of yesterday lives: the
	// bound of all settings does.
	d.Expires = registry.DenialExpires(c.now, registry.MaxLifetime.Std(), c.a.MaxStale)
	at, old, err := load[registry.Denial](c, registry.KindDenial, d.ID)
	if err != nil {
		return err
	}
	if old != nil {
		d.Meta, d.N, d.Client = old.Meta, max(d.N, old.N), cmp.Or(d.Client, old.Client)
		d.Merged = mergedBoth(old.Merged, d.Merged, c.now)
		d.Issuers = concernedBoth(old.Issuers, d.Issuers)
		if old.Expires.After(d.Expires) {
			d.Expires = old.Expires
		}
	}
	c.stage(at, &d, "denial.create")
	if s != nil {
		s.addDenial(&d)
	} else {
		at.told = true
	}
	return nil
}
