package admin

import (
	"context"
	"iter"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// DenyToken refuses the one token whose text this is, by the issuer and the jti
// that it names: never by the text, which can be spelt in other ways. A signed
// token is taken at its word, for the key that signed it may be the reason; a
// sealed one has to open.
func (a *Admin) DenyToken(ctx context.Context, actor Actor, token Secret) (Denied, int64, error) {
	if err := actor.May(DenyWrite); err != nil {
		return Denied{}, 0, err
	}
	claims := new(symbolon.Claims)
	t, err := jose.Parse(token.value)
	if err == nil {
		claims = claimsOf(t.Payload)
	}
	issuer := ""
	for i, err := range a.allIssuers(ctx, actor) {
		if err != nil {
			return Denied{}, 0, err
		}
		if t == nil && a.OpenToken != nil {
			opened, _ := a.OpenToken(i.Iss(a.BaseURL), token.value)
			claims = claimsOf(opened)
		}
		if claims.Issuer == i.Iss(a.BaseURL) {
			issuer = i.ID
			break
		}
	}
	switch {
	case claims.ID == "": // nothing of it is repeated
		return Denied{}, 0, invalid("give the access token alone, as the token endpoint answered it", "this is no access token of this server")
	case issuer == "":
		return Denied{}, 0, refused("`symbolon issuer list` shows those that are", "the token is of another issuer than those of this server")
	}
	return a.DenyJTI(ctx, actor, issuer, claims.ID)
}

// claimsOf reads claims; there are none in what cannot be read.
func claimsOf(payload []byte) *symbolon.Claims {
	if jose.CheckObject(payload) == nil {
		if claims, err := symbolon.ParseClaims(payload); err == nil {
			return claims
		}
	}
	return new(symbolon.Claims)
}

// allIssuers goes through the issuers of the node's copy that the actor reaches.
func (a *Admin) allIssuers(ctx context.Context, actor Actor) iter.Seq2[*registry.Issuer, error] {
	return func(yield func(*registry.Issuer, error) bool) {
		for q := (Query{Limit: 1000}); ; {
			page, err := list(ctx, a, actor, registry.KindIssuer, q, func(i *registry.Issuer, _ int64) *registry.Issuer { return i })
			if err != nil {
				yield(nil, err)
				return
			}
			for _, issuer := range page.Items {
				if !yield(issuer, nil) {
					return
				}
			}
			if q.After = page.Next; q.After == "" {
				return
			}
		}
	}
}
