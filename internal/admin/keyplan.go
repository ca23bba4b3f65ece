package admin

import (
	"maps"
	"slices"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
)

// keyOp is what an operator asks of an issuer's keys besides the schedule.
type keyOp struct {
	issuer string
	rotate jose.Algorithm
	revoke string // kid
}

// planKeys stages what the schedule says about the keys of every issuer that
// the change touches: a new algorithm gets its keys, and a longer lifetime
// moves deletions, in the very commit that makes them necessary.
func (c *change) planKeys() error {
	touched := make(map[string]bool)
	for id := range c.reseed {
		touched[id] = true
	}
	for _, s := range c.order {
		for _, obj := range []any{s.before, s.after} {
			switch o := obj.(type) {
			case *registry.Issuer:
				touched[o.ID] = true
			case *registry.API:
				touched[o.Issuer] = true
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(touched)) {
		_, issuer, err := load[registry.Issuer](c, registry.KindIssuer, id)
		if err == nil && issuer == nil {
			err = c.dropKeys(id)
		} else if err == nil {
			err = c.runPlan(issuer, keys.Plan)
		}
		if err != nil {
			return err
		}
	}
	for _, op := range c.keyOps {
		_, issuer, err := must[registry.Issuer](c, registry.KindIssuer, op.issuer)
		if err != nil {
			return err
		}
		plan := func(s keys.Schedule) []keys.Step { return keys.Rotate(s, op.rotate) }
		if op.revoke != "" {
			plan = func(s keys.Schedule) []keys.Step { return keys.RevokeKey(s, op.revoke) }
		}
		if err := c.runPlan(issuer, plan); err != nil {
			return err
		}
	}
	return nil
}

// schedule is what a plan of the issuer's keys rests on.
func (c *change) schedule(issuer *registry.Issuer) (keys.Schedule, error) {
	apis, err := all[registry.API](c, registry.KindAPI)
	if err != nil {
		return keys.Schedule{}, err
	}
	apis = slices.DeleteFunc(apis, func(api *registry.API) bool { return api.Issuer != issuer.ID })
	view := registry.IssuerView{Issuer: issuer, APIs: apis}
	ks, err := all[registry.Key](c, registry.KindKey)
	return keys.Schedule{Issuer: issuer, Algorithms: view.Algorithms(), Keys: ks,
		LongestLifetime: view.LongestLifetime(), Extra: c.a.MaxStale, Now: c.now}, err
}

// runPlan stages the steps of a plan, and refuses settings under which a live
// token could outlast its key.
func (c *change) runPlan(issuer *registry.Issuer, plan func(keys.Schedule) []keys.Step) error {
	s, err := c.schedule(issuer)
	if err != nil {
		return err
	}
	settings := s
	settings.Keys = nil // the documents are what the plan is about to put right
	if err := settings.Check(); err != nil {
		return keyProblem(issuer, err)
	}
	if c.dry {
		return nil // new key pairs are not worth making for a look
	}
	for _, step := range plan(s) {
		if err := c.stageStep(step); err != nil {
			return err
		}
	}
	if c.prep.pending() {
		return nil
	}
	if s, err = c.schedule(issuer); err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return keyProblem(issuer, err)
	}
	return nil
}

func keyProblem(issuer *registry.Issuer, err error) error {
	return registry.Problems{{Kind: registry.KindIssuer, ID: issuer.ID, Path: "keys", Message: err.Error()}}
}

func (c *change) stageStep(step keys.Step) error {
	k := step.Key
	if step.Do == keys.Make {
		if k = c.prep.key(step); k == nil {
			return nil // there will be one at the next attempt
		}
	}
	s, _, err := load[registry.Key](c, registry.KindKey, k.ID)
	if err != nil {
		return err
	}
	s.why = step.Why
	if step.Do == keys.Delete {
		c.stage(s, nil, "key.delete")
		return nil
	}
	c.stage(s, k, "key."+string(step.Do))
	return nil
}

// dropKeys deletes the keys of an issuer that is gone.
func (c *change) dropKeys(issuer string) error {
	ks, err := all[registry.Key](c, registry.KindKey)
	if err != nil {
		return err
	}
	for _, k := range ks {
		if k.Issuer == issuer {
			s, _, err := load[registry.Key](c, registry.KindKey, k.ID)
			if err != nil {
				return err
			}
			s.why = "its issuer is deleted"
			c.stage(s, nil, "key.delete")
		}
	}
	return nil
}
