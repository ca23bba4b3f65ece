package admin

import (
	"context"

	"github.com/symbolon/symbolon/internal/registry"
)

// issuerMembers are what an update of an issuer may name.
var issuerMembers = []string{"url", "token.", "profile", "audience", "subject_suffix", "dpop_nonce", "replay", "keys.", "managed_by"}

// CreateIssuer makes an issuer, and its first signing keys in the same commit.
func (a *Admin) CreateIssuer(ctx context.Context, actor Actor, i registry.Issuer) (Issuer, int64, error) {
	if err := actor.May(IssuersWrite); err != nil {
		return Issuer{}, 0, err
	}
	if i.ID == "" {
		i.ID = generateID("issuer")
	}
	i.Meta = registry.Meta{}
	seq, err := a.change(ctx, actor, func(c *change) error {
		fresh := clone(i)
		_, err := create(c, registry.KindIssuer, i.ID, &fresh)
		return err
	})
	return shown(a.Issuer, ctx, actor, i.ID, seq, err)
}

// shown reads back what a change has left.
func shown[V any](read func(context.Context, Actor, string) (V, error), ctx context.Context, actor Actor, id string, seq int64, err error) (V, int64, error) {
	if err != nil {
		var none V
		return none, seq, err
	}
	v, err := read(ctx, actor.reading(), id)
	return v, seq, err
}

// UpdateIssuer changes members of an issuer.
func (a *Admin) UpdateIssuer(ctx context.Context, actor Actor, u Update[registry.Issuer]) (Issuer, int64, error) {
	if err := actor.May(IssuersWrite); err != nil {
		return Issuer{}, 0, err
	}
	seq, err := a.change(ctx, actor, func(c *change) error {
		_, _, err := update(c, registry.KindIssuer, u, issuerMembers)
		return err
	})
	return shown(a.Issuer, ctx, actor, u.ID, seq, err)
}

// DeleteIssuer deletes an issuer with its keys and its management API. It is
// refused while other APIs, clients or operator tokens name it: their tokens would
// stay good with nobody to revoke them.
func (a *Admin) DeleteIssuer(ctx context.Context, actor Actor, t Target) (int64, error) {
	if err := actor.May(IssuersWrite); err != nil {
		return 0, err
	}
	return a.change(ctx, actor, func(c *change) error {
		s, _, err := must[registry.Issuer](c, registry.KindIssuer, t.ID)
		if err != nil {
			return err
		}
		if err := s.at(t.Version); err != nil {
			return err
		}
		if t.ID == registry.DefaultIssuer {
			return refused("delete what is not needed at it", "the default issuer is the server itself and cannot be deleted")
		}
		if err := c.unused(t.ID); err != nil {
			return err
		}
		return c.remove(s, actor.Name)
	})
}

// Issuer shows one issuer.
func (a *Admin) Issuer(ctx context.Context, actor Actor, id string) (Issuer, error) {
	if err := actor.May(ClientsRead); err != nil {
		return Issuer{}, err
	}
	i, version, err := read[registry.Issuer](ctx, a, actor, registry.KindIssuer, id)
	if err != nil {
		return Issuer{}, err
	}
	return a.showIssuer(i, version), nil
}

// Issuers lists issuers.
func (a *Admin) Issuers(ctx context.Context, actor Actor, q Query) (Page[Issuer], error) {
	if err := actor.May(ClientsRead); err != nil {
		return Page[Issuer]{}, err
	}
	return list(ctx, a, actor, registry.KindIssuer, q, a.showIssuer)
}

// Bootstrap makes the default issuer where there is none, with its first keys, and
// brings the APIs that the server itself keeps to what this version has.
func (a *Admin) Bootstrap(ctx context.Context) error {
	_, err := a.change(ctx, System(), func(c *change) error {
		c.builtins = true
		s, issuer, err := load[registry.Issuer](c, registry.KindIssuer, registry.DefaultIssuer)
		if err == nil && issuer == nil {
			s.why = "every server has one"
			c.stage(s, &registry.Issuer{ID: registry.DefaultIssuer}, "issuer.create")
		}
		return err
	})
	return err
}
