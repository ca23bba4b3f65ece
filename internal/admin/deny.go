package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
)

// Denied is a denial as it is shown, and where it is in effect.
type Denied struct {
	ID      string    `json:"id"`
	What    string    `json:"what" doc:"client, client_api, issuer, credential, jti or kid"`
	N       int64     `json:"n" doc:"Tokens whose gen is lower are refused; 0: all that the denial names"`
	Expires time.Time `json:"expires"`
	Commit  int64     `json:"commit" doc:"The commit that holds it: nodes that have applied it issue nothing against it; 0 while the store is away, and in lists"`
	Pending string    `json:"pending,omitempty" doc:"Its id in this node's journal, while the store is away"`
	Unknown string    `json:"unknown,omitempty" doc:"What this node's copy does not know of what it names"`
}

func showDenial(d *registry.Denial) Denied {
	return Denied{ID: d.ID, What: d.What, N: d.N, Expires: d.Expires}
}

// DenyClient disables a client and refuses its tokens, also when it was
// disabled before: the position of this commit lies above everything that a
// node which had not heard of the first time issued meanwhile.
func (a *Admin) DenyClient(ctx context.Context, actor Actor, id string) (Denied, int64, error) {
	d := registry.Denial{What: registry.DenyClient, Client: id}
	return a.denyOne(ctx, actor, &replica.Pending{Verb: replica.VerbClient, Denial: d}, func(c *change) error {
		s, client, err := must[registry.Client](c, registry.KindClient, id)
		if err != nil {
			return err
		}
		client.State, client.StateBy = registry.StateDisabled, actor.Name
		c.stage(s, client, "client.deny")
		return c.denyClient(s, d)
	})
}

// DenyTokens refuses the tokens that a client has got so far, and leaves the
// client as it is: it goes on with new ones.
func (a *Admin) DenyTokens(ctx context.Context, actor Actor, id string) (Denied, int64, error) {
	d := registry.Denial{What: registry.DenyClient, Client: id}
	return a.denyOne(ctx, actor, &replica.Pending{Verb: replica.VerbTokens, Denial: d}, func(c *change) error {
		s, client, err := must[registry.Client](c, registry.KindClient, id)
		if err != nil {
			return err
		}
		c.stage(s, client, "client.deny_tokens")
		return c.denyClient(s, d)
	})
}

// DenyCredential revokes a credential of a client and refuses its tokens.
func (a *Admin) DenyCredential(ctx context.Context, actor Actor, client, credential string) (Denied, int64, error) {
	d := registry.Denial{What: registry.DenyCredential, Client: client, Credential: credential}
	return a.denyOne(ctx, actor, &replica.Pending{Verb: replica.VerbCredential, Denial: d}, func(c *change) error {
		s, obj, err := must[registry.Client](c, registry.KindClient, client)
		if err != nil {
			return err
		}
		kind := sortOf(obj, credential)
		c.stage(s, obj, kind.action("revoke"))
		if err := c.revoke(s, obj, kind, credential); err != nil {
			return err
		}
		return c.denyClient(s, d)
	})
}

// DenyKID revokes the signing key of that id.
func (a *Admin) DenyKID(ctx context.Context, actor Actor, kid string) (Denied, int64, error) {
	return a.denyKID(ctx, actor, kid, replica.VerbKID)
}

func (a *Admin) denyKID(ctx context.Context, actor Actor, kid, verb string) (Denied, int64, error) {
	if err := actor.May(KeysRotate); err != nil {
		return Denied{}, 0, err
	}
	p := &replica.Pending{Verb: verb, Denial: registry.Denial{What: registry.DenyKID, KID: kid}}
	if k, _, err := read[registry.Key](ctx, a, actor, registry.KindKey, kid); err == nil {
		p.Denial.Issuer = k.Issuer // for the journal: the store has the last word
	}
	return a.denyOne(ctx, actor, p, func(c *change) error {
		s, k, err := must[registry.Key](c, registry.KindKey, kid)
		if err != nil {
			return err
		}
		p.Denial.Issuer = k.Issuer
		c.stage(s, k, "key.revoke")
		c.keyOps = append(c.keyOps, keyOp{issuer: k.Issuer, revoke: kid})
		return c.deny(s, p.Denial)
	})
}

// maxJTI bounds the id of a token; ours have 22 characters.
const maxJTI = 256

func validJTI(jti string) bool {
	return jti != "" && len(jti) <= maxJTI && !strings.ContainsFunc(jti, func(r rune) bool { return r <= ' ' || r > '~' })
}

// DenyJTI refuses the one token of an issuer that has this jti. Nobody can tell
// whether there is one: the server keeps no list of tokens.
func (a *Admin) DenyJTI(ctx context.Context, actor Actor, issuer, jti string) (Denied, int64, error) {
	d := registry.Denial{What: registry.DenyJTI, Issuer: cmp.Or(issuer, registry.DefaultIssuer), JTI: jti}
	if !validJTI(jti) {
		return Denied{}, 0, invalid("copy the jti from the token: `symbolon inspect` shows it",
			"a jti is 1 to %d visible ASCII characters", maxJTI)
	}
	return a.denyOne(ctx, actor, &replica.Pending{Verb: replica.VerbJTI, Denial: d}, func(c *change) error {
		if _, _, err := must[registry.Issuer](c, registry.KindIssuer, d.Issuer); err != nil {
			return err
		}
		return c.deny(nil, d)
	})
}

// denyOne carries out a denial and shows what is stored of it, or kept until the
// store is back.
func (a *Admin) denyOne(ctx context.Context, actor Actor, p *replica.Pending, f func(*change) error) (Denied, int64, error) {
	if err := actor.May(DenyWrite); err != nil {
		return Denied{}, 0, err
	}
	seq, kept, err := a.denyOrJournal(ctx, actor, p, f)
	switch {
	case err != nil:
		return Denied{}, seq, err
	case kept != nil:
		out := showDenial(&kept.Denial)
		out.Pending, out.Unknown = kept.ID, a.unknown(ctx, &kept.Denial)
		return out, 0, nil
	}
	d, _, err := read[registry.Denial](ctx, a, actor, registry.KindDenial, registry.DenialID(&p.Denial))
	if err != nil {
		return Denied{}, seq, fmt.Errorf("the denial is stored as commit %d, but cannot be read: %w", seq, err)
	}
	out := showDenial(d)
	out.Commit = seq
	return out, seq, nil
}

// Denials lists what is denied. Without a filter, what is pending on this node
// comes first.
func (a *Admin) Denials(ctx context.Context, actor Actor, q Query) (Page[Denied], error) {
	if err := actor.May(ClientsRead); err != nil {
		return Page[Denied]{}, err
	}
	page, err := list(ctx, a, actor, registry.KindDenial, q, func(d *registry.Denial, _ int64) Denied { return showDenial(d) })
	if err != nil || a.Journal == nil || q != (Query{Limit: q.Limit}) {
		return page, err
	}
	var pending []Denied
	sight := a.sight(ctx, actor)
	for _, p := range a.Journal.Journalled() {
		if seen, err := sight.see(&p.Denial); err != nil || !seen {
			continue // one that cannot be told is another's
		}
		out := showDenial(&p.Denial)
		out.Pending, out.Unknown = p.ID, a.unknown(ctx, &p.Denial)
		pending = append(pending, out)
	}
	page.Items = append(pending, page.Items...)
	return page, nil
}

// sweepMost is how many denials one commit drops: other writers wait meanwhile.
const sweepMost = 1000

// expireDenials drops denials that no living token can concern, and tells when
// the next is due; the zero time when none is left.
func (c *change) expireDenials() (next time.Time, err error) {
	due := registry.IndexTime(c.now.Add(time.Microsecond)) // one that expires now has expired
	gone, err := c.tx.FindBelow(registry.KindDenial, registry.AttrExpires, due, sweepMost)
	if err != nil {
		return next, err
	}
	for _, id := range gone {
		s, _, err := load[registry.Denial](c, registry.KindDenial, id)
		if err != nil {
			return next, err
		}
		c.stage(s, nil, "denial.expire")
	}
	first, err := c.tx.FindBelow(registry.KindDenial, registry.AttrExpires, "9", len(gone)+1)
	if err != nil || len(first) == len(gone) {
		return next, err
	}
	_, d, err := load[registry.Denial](c, registry.KindDenial, first[len(gone)])
	if err != nil {
		return next, err
	}
	return d.Expires, nil
}

// addDenial keeps one entry per denial among those that an object caused.
func (s *staged) addDenial(d *registry.Denial) {
	same := func(o *registry.Denial) bool { return o.ID == d.ID }
	s.denials = append(slices.DeleteFunc(s.denials, same), d)
}
