package admin

import (
	"context"

	"github.com/symbolon/symbolon/internal/registry"
)

// operatorMembers are what an update of an operator may name.
var operatorMembers = []string{"name", "email", "role", "managed_by"}

// CreateOperator makes an operator. It hands on power, so it needs GrantsAdmin.
func (a *Admin) CreateOperator(ctx context.Context, actor Actor, o registry.Operator) (Operator, int64, error) {
	if err := actor.May(GrantsAdmin); err != nil {
		return Operator{}, 0, err
	}
	if o.ID == "" {
		o.ID = generateID("operator")
	}
	o.Meta = registry.Meta{}
	seq, err := a.change(ctx, actor, func(c *change) error {
		fresh := o
		_, err := create(c, registry.KindOperator, o.ID, &fresh)
		return err
	})
	return shown(a.Operator, ctx, actor, o.ID, seq, err)
}

// UpdateOperator changes members of an operator.
func (a *Admin) UpdateOperator(ctx context.Context, actor Actor, u Update[registry.Operator]) (Operator, int64, error) {
	if err := actor.May(GrantsAdmin); err != nil {
		return Operator{}, 0, err
	}
	seq, err := a.change(ctx, actor, func(c *change) error {
		_, _, err := update(c, registry.KindOperator, u, operatorMembers)
		return err
	})
	return shown(a.Operator, ctx, actor, u.ID, seq, err)
}

// DeleteOperator deletes an operator.
func (a *Admin) DeleteOperator(ctx context.Context, actor Actor, t Target) (int64, error) {
	if err := actor.May(GrantsAdmin); err != nil {
		return 0, err
	}
	return a.change(ctx, actor, func(c *change) error {
		s, _, err := must[registry.Operator](c, registry.KindOperator, t.ID)
		if err != nil {
			return err
		}
		if err := s.at(t.Version); err != nil {
			return err
		}
		return c.remove(s, actor.Name)
	})
}

// Operator shows one operator.
func (a *Admin) Operator(ctx context.Context, actor Actor, id string) (Operator, error) {
	if err := actor.May(OperatorsRead); err != nil {
		return Operator{}, err
	}
	o, version, err := read[registry.Operator](ctx, a, actor, registry.KindOperator, id)
	if err != nil {
		return Operator{}, err
	}
	return showOperator(o, version), nil
}

// Operators lists operators.
func (a *Admin) Operators(ctx context.Context, actor Actor, q Query) (Page[Operator], error) {
	if err := actor.May(OperatorsRead); err != nil {
		return Page[Operator]{}, err
	}
	return list(ctx, a, actor, registry.KindOperator, q, showOperator)
}
