package admin

import (
	"context"
	"slices"

	"github.com/symbolon/symbolon/internal/registry"
)

// Access names scopes of an API.
type Access struct {
	API    string
	Scopes []string // Grant: may be empty, then only scopes marked default can come later; Ungrant: empty is all access
}

// Grant lets a client ask for scopes of an API, besides those that it may ask
// for already.
func (a *Admin) Grant(ctx context.Context, actor Actor, t Target, access Access) (Client, int64, error) {
	return a.editClient(ctx, actor, t, "client.grant", func(_ *change, _ *staged, client *registry.Client) error {
		if client.Access == nil {
			client.Access = make(map[string][]string)
		}
		scopes := append(slices.Clone(client.Access[access.API]), access.Scopes...)
		slices.Sort(scopes)
		client.Access[access.API] = slices.Compact(scopes)
		return nil
	})
}

// Regrant puts other scopes in the place of those that a client may ask of an API,
// to which it has access. Where some go, its tokens for the API are denied.
func (a *Admin) Regrant(ctx context.Context, actor Actor, t Target, access Access) (Client, int64, error) {
	return a.editClient(ctx, actor, t, "client.grant", func(_ *change, _ *staged, client *registry.Client) error {
		if _, ok := client.Access[access.API]; !ok {
			return refused("`symbolon client show "+client.ID+"` shows its access", "client %s has no access to API %q", client.ID, access.API)
		}
		scopes := append([]string{}, access.Scopes...)
		slices.Sort(scopes)
		client.Access[access.API] = slices.Compact(scopes)
		return nil
	})
}

// Ungrant takes scopes of an API, or all access to it, from a client. Its
// tokens for the API are denied.
func (a *Admin) Ungrant(ctx context.Context, actor Actor, t Target, access Access) (Client, int64, error) {
	return a.editClient(ctx, actor, t, "client.ungrant", func(_ *change, _ *staged, client *registry.Client) error {
		has, ok := client.Access[access.API]
		if !ok {
			return refused("`symbolon client show "+client.ID+"` shows its access", "client %s has no access to API %q", client.ID, access.API)
		}
		for _, scope := range access.Scopes {
			if !slices.Contains(has, scope) {
				return refused("`symbolon client show "+client.ID+"` shows its access",
					"client %s does not have the scope %q of API %s", client.ID, scope, access.API)
			}
		}
		if len(access.Scopes) == 0 {
			delete(client.Access, access.API)
			return nil
		}
		client.Access[access.API] = slices.DeleteFunc(has, func(s string) bool { return slices.Contains(access.Scopes, s) })
		return nil
	})
}
