package admin

import (
	"context"
	"errors"
	"slices"

	"github.com/symbolon/symbolon/internal/registry"
)

// operatorTokenMembers are what an update of an operator token may name. Its value
// is not among them: another value is another token.
var operatorTokenMembers = []string{"name", "role", "issuers", "ssws", "expires", "managed_by"}

// CreateOperatorToken is a new operator token. The server makes its value unless
// Value or Token.Hash says what it is.
type CreateOperatorToken struct {
	Token registry.OperatorToken // an empty ID: one is made
	Value Secret                 // an existing value; zero: none
}

// CreatedOperatorToken is a new operator token, with its value where the server
// made it: this is the only time that it can be seen.
type CreatedOperatorToken struct {
	Token OperatorToken
	Value Secret // zero when it came with the request
}

// CreateOperatorToken makes an operator token. It hands on power, so it needs
// GrantsAdmin.
func (a *Admin) CreateOperatorToken(ctx context.Context, actor Actor, req CreateOperatorToken) (CreatedOperatorToken, int64, error) {
	if err := actor.May(GrantsAdmin); err != nil {
		return CreatedOperatorToken{}, 0, err
	}
	out := CreatedOperatorToken{}
	switch {
	case !req.Value.IsZero() && req.Token.Hash != "":
		return out, 0, invalid("give one of them", "both the value and the hash of an operator token are given")
	case req.Value.IsZero() && req.Token.Hash == "":
		req.Value = generateSecret()
		out.Value = req.Value
	}
	t := clone(req.Token)
	if t.ID == "" {
		t.ID = generateID("token")
	}
	if !req.Value.IsZero() {
		hash, err := hashToken(t.ID, "value", req.Value)
		if err != nil {
			return CreatedOperatorToken{}, 0, err
		}
		t.Hash = hash
	}
	t.Meta = registry.Meta{}
	seq, err := a.change(ctx, actor, func(c *change) error {
		fresh := clone(t)
		if err := c.tokenToCome(&fresh); err != nil {
			return err
		}
		_, err := create(c, registry.KindOperatorToken, t.ID, &fresh)
		return err
	})
	if out.Token, seq, err = shown(a.OperatorToken, ctx, actor, t.ID, seq, err); err != nil {
		return CreatedOperatorToken{}, seq, err
	}
	return out, seq, nil
}

// hashToken is the stored form of a token's value. member is what holds the value,
// for the problem.
func hashToken(id, member string, value Secret) (string, error) {
	if message, fix := registry.CheckTokenValue(value.value); message != "" {
		return "", registry.Problems{{Kind: registry.KindOperatorToken, ID: id, Path: member, Message: message, Fix: fix}}
	}
	return registry.HashGenerated(value.value), nil
}

// tokenToCome refuses a time in the past, as of a new token that would never work.
func (c *change) tokenToCome(t *registry.OperatorToken) error {
	if t.Live(c.now) {
		return nil
	}
	return registry.Problems{{Kind: registry.KindOperatorToken, ID: t.ID, Path: "expires", Message: "it would have expired already", Fix: "give a time to come"}}
}

// UpdateOperatorToken changes members of an operator token.
func (a *Admin) UpdateOperatorToken(ctx context.Context, actor Actor, u Update[registry.OperatorToken]) (OperatorToken, int64, error) {
	if err := actor.May(GrantsAdmin); err != nil {
		return OperatorToken{}, 0, err
	}
	seq, err := a.change(ctx, actor, func(c *change) error {
		s, t, err := update(c, registry.KindOperatorToken, u, operatorTokenMembers)
		if err != nil {
			return err
		}
		// One that has expired may be renamed; to end one at once there is delete.
		if was, ok := s.before.(*registry.OperatorToken); ok && was.Expires.Equal(t.Expires) {
			return nil
		}
		return c.tokenToCome(t)
	})
	return shown(a.OperatorToken, ctx, actor, u.ID, seq, err)
}

// DeleteOperatorToken deletes an operator token: no node takes it any more once it
// has applied the commit.
func (a *Admin) DeleteOperatorToken(ctx context.Context, actor Actor, t Target) (int64, error) {
	if err := actor.May(GrantsAdmin); err != nil {
		return 0, err
	}
	return a.change(ctx, actor, func(c *change) error {
		s, _, err := must[registry.OperatorToken](c, registry.KindOperatorToken, t.ID)
		if err != nil {
			return err
		}
		if err := s.at(t.Version); err != nil {
			return err
		}
		return c.remove(s, actor.Name)
	})
}

// OperatorToken shows one operator token, never its value.
func (a *Admin) OperatorToken(ctx context.Context, actor Actor, id string) (OperatorToken, error) {
	if err := actor.May(OperatorsRead); err != nil {
		return OperatorToken{}, err
	}
	t, version, err := read[registry.OperatorToken](ctx, a, actor, registry.KindOperatorToken, id)
	if err != nil {
		return OperatorToken{}, err
	}
	return showOperatorToken(t, version), nil
}

// OperatorTokens lists operator tokens.
func (a *Admin) OperatorTokens(ctx context.Context, actor Actor, q Query) (Page[OperatorToken], error) {
	if err := actor.May(OperatorsRead); err != nil {
		return Page[OperatorToken]{}, err
	}
	return list(ctx, a, actor, registry.KindOperatorToken, q, showOperatorToken)
}

// checkTokens judges the operator tokens of the change beside the issuers that
// they name, and refuses a value that another token has: whose power it is would
// be a matter of chance.
func (c *change) checkTokens(v registry.View) (registry.Problems, error) {
	var found, p registry.Problems
	for _, s := range slices.Clone(c.order) {
		t, ok := s.after.(*registry.OperatorToken)
		if !ok {
			continue
		}
		if errors.As(registry.ValidateOperatorToken(v, t), &p) {
			found = append(found, p...)
		}
		same, err := c.tx.Find(registry.KindOperatorToken, registry.AttrDigest, t.Hash)
		if err != nil {
			return nil, err
		}
		for _, other := range c.order {
			if o, ok := other.after.(*registry.OperatorToken); ok && o.Hash == t.Hash {
				same = append(same, o.ID)
			}
		}
		for _, id := range same {
			_, other, err := load[registry.OperatorToken](c, registry.KindOperatorToken, id)
			if err != nil {
				return nil, err
			}
			if id != t.ID && other != nil && other.Hash == t.Hash {
				found = append(found, registry.Problem{Kind: s.kind, ID: t.ID, Path: "hash",
					Message: "operator token " + id + " has this value", Fix: "give each token a value of its own"})
				break
			}
		}
	}
	return found, nil
}

// operatorTokens brings the operator tokens of the file about. Another value needs
// another id, as with all credentials.
func (p *applier) operatorTokens() error {
	for _, n := range p.req.Objects.OperatorTokens {
		plain := n
		plain.Fields = slices.DeleteFunc(slices.Clone(n.Fields), func(f string) bool { return f == "hash" })
		s, t, err := bring(p, registry.KindOperatorToken, n.Object.ID, plain, operatorTokenMembers)
		if err != nil {
			return err
		}
		if s != nil {
			p.tokenValue(s, t, n.Object.Hash)
		}
	}
	return nil
}

func (p *applier) tokenValue(s *staged, t *registry.OperatorToken, hash string) {
	value, member := p.req.Objects.TokenValues[t.ID], "hash"
	if !value.IsZero() {
		if hash != "" {
			p.problem(s.ref, "hash", "the file has its value, too", "remove one of value_from and hash")
			return
		}
		member = "value_from"
		var err error
		if hash, err = hashToken(t.ID, member, value); err != nil {
			p.refuse(s.ref, member, err)
			return
		}
	}
	switch {
	case s.before != nil && hash != "" && hash != t.Hash:
		p.problem(s.ref, member, "its value is not the one that is stored",
			"a changed value needs a new id: name it as another token, and take this one out when nobody uses it any more")
	case s.before == nil && hash == "":
		p.problem(s.ref, "", "it needs a value_from or a hash", `write value_from: {env: …}, value_from: {file: …} or hash: "sha256:…"`)
	case s.before == nil:
		t.Hash = hash
		if err := p.tokenToCome(t); err != nil {
			p.refuse(s.ref, "expires", err)
		}
	}
}
