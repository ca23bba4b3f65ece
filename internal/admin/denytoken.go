package admin

import (
	"context"
	"strings"

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
	claims, err := a.readToken(token.value)
	if err != nil {
		return Denied{}, 0, err
	}
	issuer, err := a.issuerOf(ctx, claims.Issuer)
	if err != nil {
		return Denied{}, 0, err
	}
	return a.DenyJTI(ctx, actor, issuer, claims.ID)
}

// readToken gives the claims of a token. No error repeats anything of it.
func (a *Admin) readToken(token string) (*symbolon.Claims, error) {
	if t, err := jose.Parse(token); err == nil && jose.CheckObject(t.Payload) == nil {
		if claims, err := symbolon.ParseClaims(t.Payload); err == nil {
			return claims, nil
		}
	} else if a.Unseal != nil && !strings.Contains(token, ".") {
		if claims, err := a.Unseal(token); err == nil {
			return claims, nil
		}
	}
	return nil, invalid("give the access token alone, as the token endpoint answered it", "this is no access token of this server")
}

// issuerOf is the id of the issuer with that URL.
func (a *Admin) issuerOf(ctx context.Context, iss string) (string, error) {
	q := Query{Limit: 1000}
	for {
		page, err := list(ctx, a, registry.KindIssuer, q, func(i *registry.Issuer, _ int64) *registry.Issuer { return i })
		if err != nil {
			return "", err
		}
		for _, i := range page.Items {
			if i.Resolve(a.BaseURL) == iss {
				return i.ID, nil
			}
		}
		if q.After = page.Next; q.After == "" {
			return "", refused("`symbolon issuer list` shows those that are", "the token is of another issuer than those of this server")
		}
	}
}
