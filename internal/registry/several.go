package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// One token for several resources (RFC 8707 §2) is one set of scopes for all of
// them: it is given only where each scope says by itself which API it is for,
// and where nobody but its sender can use it (RFC 9700 §2.3).
var (
	errKinds = symbolon.NewError(symbolon.InvalidTarget,
		"the resources want different kinds of token; ask for one token per resource")
	errShared = symbolon.NewError(symbolon.InvalidTarget,
		"a scope belongs to several of the resources; ask for one token per resource")
)

// together makes one target of several, in the order of the request.
func (f *Facts) together(parts []*target, t *symbolon.Trace) (*target, error) {
	if f.Binding == "" {
		// A bearer token for several APIs would let each of them act at the others.
		t.Fail("api", "RFC 8707 §2", "a sender-constrained token, or one resource", "several resources and a bearer token", "ask for one token per resource, or send a DPoP proof")
		return nil, errSeveral.WithCause(fmt.Errorf("%d resources for a bearer token", len(parts)))
	}
	all := &target{api: parts[0].api, parts: parts}
	for _, part := range parts {
		if kind, other := kindOf(all.api), kindOf(part.api); kind != other {
			t.Fail("api", "RFC 8707 §2", "resources with one format, algorithm and typ", all.api.ID+" "+kind+", "+part.api.ID+" "+other, "ask for one token per resource")
			return nil, errKinds.WithCause(fmt.Errorf("tokens of API %s are %s, those of API %s %s", all.api.ID, kind, part.api.ID, other))
		}
		all.apis = append(all.apis, part.api)
		all.audience = append(all.audience, part.api.Identifier)
	}
	return all, nil
}

// kindOf is what makes tokens of two APIs different.
func kindOf(a *API) string {
	format, algorithm, typ := a.tokenForm()
	return strings.TrimSpace(format + " " + string(algorithm) + " " + typ)
}

// lifetime is that of the API whose tokens live least.
func (api *target) lifetime(i *Issuer) time.Duration {
	least := api.api.TokenLifetime(i)
	for _, part := range api.parts {
		least = min(least, part.api.TokenLifetime(i))
	}
	return least
}

// scopesOfSeveral is chooseScopes for several APIs: each scope is defined by
// exactly one of them.
func (f *Facts) scopesOfSeveral(api *target, t *symbolon.Trace) ([]string, error) {
	asked := f.Scopes
	if len(asked) == 0 {
		for _, part := range api.parts {
			asked = append(asked, f.givenScopes(part, f.Client.Access[part.api.ID])...)
		}
		slices.Sort(asked)
		asked = slices.Compact(asked)
	}
	granted := make(map[string]map[string]bool, len(api.parts)) // API id → scopes
	for _, a := range api.apis {
		granted[a.ID] = make(map[string]bool)
		for _, scope := range f.Client.Access[a.ID] {
			granted[a.ID][scope] = true
		}
	}
	for _, scope := range asked {
		if err := f.scopeOfOne(api, scope, granted, t); err != nil {
			return nil, err
		}
	}
	return asked, nil
}

// scopeOfOne refuses a scope that none of the APIs defines, or more than one. A
// scope that is not granted wherever it is defined is told like one that does
// not exist.
func (f *Facts) scopeOfOne(api *target, scope string, granted map[string]map[string]bool, t *symbolon.Trace) error {
	var at []string
	everywhere := true
	for _, a := range api.apis {
		if _, defined := a.Scopes[scope]; defined {
			at = append(at, a.ID)
			everywhere = everywhere && granted[a.ID][scope]
		}
	}
	switch {
	case len(at) == 0 || !everywhere:
		t.Fail("scope", "RFC 6749 §3.3", "a scope granted at one of "+short(apiIDs(api.apis)), clip(scope)+" is defined at "+short(at), "grant the scope to the client, or correct it")
		return errScope.WithCause(fmt.Errorf("scope %q is not granted to client %s at all of: %s", clip(scope), f.Client.ID, short(at)))
	case len(at) > 1:
		t.Fail("scope", "RFC 8707 §2", "a scope of one of the resources", clip(scope)+" is one of "+short(at), "ask for one token per resource")
		return errShared.WithCause(fmt.Errorf("scope %q belongs to %s", clip(scope), short(at)))
	}
	return nil
}

func apiIDs(apis []*API) []string {
	ids := make([]string, len(apis))
	for i, a := range apis {
		ids[i] = a.ID
	}
	return ids
}
