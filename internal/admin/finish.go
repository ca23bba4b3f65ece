package admin

import (
	"errors"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// finish completes a change: what follows from it is staged, all of it is
// validated together, and then it is written. errDry rolls it back, because
// something must be made outside first or because it is only to be shown.
func (c *change) finish() error {
	if err := c.settleBuiltins(); err != nil {
		return err
	}
	if err := c.settleAlgorithms(); err != nil {
		return err
	}
	for _, s := range c.order {
		if s.kind == registry.KindClient {
			if err := c.settleClient(s); err != nil {
				return err
			}
		}
	}
	if c.prep.pending() {
		return errDry
	}
	if err := c.authorise(); err != nil {
		return err
	}
	if err := c.checkBounds(); err != nil {
		return err
	}
	if err := c.validate(); err != nil {
		return err
	}
	if err := c.planKeys(); err != nil {
		return err
	}
	if err := c.authorise(); err != nil { // the keys, too
		return err
	}
	if c.dry || c.prep.pending() {
		return errDry
	}
	for _, s := range c.order {
		if err := c.write(s); err != nil {
			return err
		}
	}
	for key, value := range c.meta {
		if err := c.tx.SetMeta(key, value); err != nil {
			return err
		}
	}
	return nil
}

// validate gathers everything that is wrong with the objects of the change,
// by themselves and between them.
func (c *change) validate() error {
	var found registry.Problems
	between := false
	for _, s := range c.order {
		if err := s.validate(); err != nil {
			var p registry.Problems
			if !errors.As(err, &p) {
				return err
			}
			found = append(found, p...)
		}
		between = between || s.kind == registry.KindIssuer || s.kind == registry.KindAPI || s.kind == registry.KindClient || s.kind == registry.KindOperatorToken
	}
	if len(found) > 0 || !between {
		return found.Err() // rules between objects rest on valid ones
	}
	v, err := c.view()
	if err != nil {
		return err
	}
	problems := []error{registry.ValidateSet(v)}
	for _, s := range c.order {
		if client, ok := s.after.(*registry.Client); ok {
			problems = append(problems, registry.ValidateClient(v, client))
		}
	}
	for _, err := range problems {
		var p registry.Problems
		if err != nil && !errors.As(err, &p) {
			return err
		}
		found = append(found, p...)
	}
	for _, check := range []func() (registry.Problems, error){
		c.checkResourceServers, func() (registry.Problems, error) { return c.checkFit(v) },
		func() (registry.Problems, error) { return c.checkTokens(v) },
	} {
		more, err := check()
		if err != nil {
			return err
		}
		found = append(found, more...)
	}
	return found.Err()
}

// validate judges an object by itself. An API that the server keeps is made by
// registry, and has an id that nobody else may use.
func (s *staged) validate() error {
	switch o := s.after.(type) {
	case *registry.Issuer:
		return o.Validate()
	case *registry.API:
		if s.builtin {
			return nil
		}
		return o.Validate()
	case *registry.Client:
		before, _ := s.before.(*registry.Client)
		return o.ValidateAfter(before)
	case *registry.Operator:
		return o.Validate()
	case *registry.OperatorToken:
		return o.Validate()
	}
	return nil
}

// write writes one object and its record, if it differs from what is there.
func (c *change) write(s *staged) error {
	changed, err := s.changed()
	if err != nil {
		return err
	}
	switch {
	case changed && s.after == nil:
		err = c.tx.Delete(s.kind, s.id, s.version, s.keep)
	case changed:
		err = c.put(s)
	case len(s.denials) == 0:
		return nil
	}
	if err != nil || s.kind == registry.KindDenial && !s.told {
		return err // a denial is told by the record of what caused it
	}
	return c.record(s)
}

func (c *change) put(s *staged) error {
	meta := metaOf(s.after)
	meta.Created, meta.Updated = c.now, c.now
	if s.before != nil {
		meta.Created = metaOf(s.before).Created
	}
	doc, err := registry.Encode(s.after, s.stored)
	if err != nil {
		return err
	}
	var attrs []store.Attr
	for _, at := range registry.Index(s.after) {
		attrs = append(attrs, store.Attr(at))
	}
	_, err = c.tx.Put(store.Put{Kind: s.kind, ID: s.id, Version: s.version, Doc: doc, Attrs: attrs})
	return err
}
