package admin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// Keys lists the signing keys of an issuer ("": of all), the issuers and
// algorithms together, the oldest first.
func (a *Admin) Keys(ctx context.Context, actor Actor, issuer string) ([]Key, error) {
	if err := actor.May(ClientsRead); err != nil {
		return nil, err
	}
	out := []Key{}
	q := Query{Issuer: issuer, Limit: 1000}
	for {
		page, err := list(ctx, a, actor, registry.KindKey, q, func(k *registry.Key, _ int64) Key { return showKey(k, a.now()) })
		if err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	slices.SortFunc(out, func(x, y Key) int {
		return cmp.Or(strings.Compare(x.Issuer, y.Issuer), strings.Compare(x.Algorithm, y.Algorithm),
			x.Announced.Compare(y.Announced), strings.Compare(x.ID, y.ID))
	})
	return out, nil
}

// RotateKey lets the next key of an issuer and algorithm sign as soon as
// verifiers are ready for it. An empty algorithm is all that the issuer uses.
func (a *Admin) RotateKey(ctx context.Context, actor Actor, issuer, algorithm string) ([]Key, int64, error) {
	if err := actor.May(KeysRotate); err != nil {
		return nil, 0, err
	}
	seq, err := a.change(ctx, actor, func(c *change) error {
		_, i, err := must[registry.Issuer](c, registry.KindIssuer, issuer)
		if err != nil {
			return err
		}
		s, err := c.schedule(i)
		if err != nil {
			return err
		}
		if algorithm != "" && !slices.Contains(s.Algorithms, jose.Algorithm(algorithm)) {
			return refused("`symbolon key list` shows those that are", "the algorithm %q is not in use at issuer %s", algorithm, issuer)
		}
		for _, alg := range s.Algorithms {
			if algorithm == "" || string(alg) == algorithm {
				c.keyOps = append(c.keyOps, keyOp{issuer: issuer, rotate: alg})
			}
		}
		return nil
	})
	if err != nil {
		return nil, seq, err
	}
	ks, err := a.Keys(ctx, actor.reading(), issuer)
	return ks, seq, err
}

// RevokeKey is for a key that leaked: it leaves the key set, its private half
// is destroyed, tokens that it signed are denied, and the next key takes over at
// once.
func (a *Admin) RevokeKey(ctx context.Context, actor Actor, kid string) (Key, int64, error) {
	if err := actor.May(KeysRotate); err != nil {
		return Key{}, 0, err
	}
	_, seq, err := a.denyKID(ctx, actor, kid, "")
	if errors.Is(err, store.ErrUnavailable) && a.Journal != nil {
		err = &Error{Code: Unavailable, cause: err, Message: "the store cannot be reached", Fix: "symbolon deny kid " + kid + " works without it, on this node"}
	}
	if err != nil {
		return Key{}, seq, err
	}
	k, _, err := read[registry.Key](ctx, a, actor, registry.KindKey, kid)
	if err != nil {
		return Key{}, seq, err
	}
	return showKey(k, a.now()), seq, nil
}

// longestNap bounds how long nothing is looked at, whatever the plan says.
const longestNap = time.Hour

// RunSchedule writes what is due: keys are made, activated, retired and
// deleted, and denials that concern no living token are dropped, a number at a
// time. It returns when there is something to do next, at most an hour from now. Any number
// of nodes may run it: they plan on what the others have written.
func (a *Admin) RunSchedule(ctx context.Context) (next time.Time, err error) {
	now := a.now()
	next = now.Add(longestNap)
	_, err = a.change(ctx, System(), func(c *change) error {
		next = c.now.Add(longestNap)
		issuers, err := all[registry.Issuer](c, registry.KindIssuer)
		if err != nil {
			return err
		}
		c.reseed = make(map[string]bool)
		for _, i := range issuers {
			c.reseed[i.ID] = true
		}
		due, err := c.expireDenials()
		if err == nil && !due.IsZero() && due.Before(next) {
			next = due
		}
		return err
	})
	if err != nil {
		return next, err
	}
	ks, err := a.Keys(ctx, System(), "")
	if err != nil {
		return next, err
	}
	for _, k := range ks {
		for _, at := range []time.Time{k.Activates, k.Retires, k.Deletes} {
			if k.State != keys.StateRevoked && at.After(now) && at.Before(next) {
				next = at
			}
		}
	}
	return next, nil
}
