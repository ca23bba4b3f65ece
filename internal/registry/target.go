package registry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
)

// chooseAPI answers for which API the token will be, in this order: what the
// request names, what the issuer stands for, what the scopes mean, what the
// client's default is (RFC 8707 §2 leaves all but the first to the server).
func (f *Facts) chooseAPI(t *symbolon.Trace) (*target, error) {
	if len(f.Resources) > 0 || f.Audience != "" {
		return f.namedAPI(t)
	}
	if f.Issuer.Audience != "" {
		return f.accessible(f.Issuer.Audience, true, "the audience of the issuer", t)
	}
	if api := f.impliedAPI(); api != nil {
		t.OK("api", "RFC 8707 §2", "the one API of the client with these scopes", api.api.ID)
		return api, nil
	}
	for _, id := range f.Client.DefaultAPI {
		if api := f.Issuer.byID[id]; api != nil && f.hasAccess(id) {
			t.OK("api", "RFC 8707 §2", "the client's default API", id)
			return api, nil
		}
	}
	return nil, f.noAPI(t)
}

// namedAPI resolves the parameters resource and audience; both must mean the
// same API.
func (f *Facts) namedAPI(t *symbolon.Trace) (*target, error) {
	var first *target
	var several []*target // with first; nil while there is only that
	for _, name := range f.Resources {
		api, err := f.accessible(name, false, "resource", t)
		switch {
		case err != nil:
			return nil, err
		case first == nil:
			first = api
		case several == nil && api != first:
			several = []*target{first, api}
		case several != nil && !slices.Contains(several, api):
			several = append(several, api)
		}
	}
	if f.Audience != "" {
		api, err := f.accessible(f.Audience, true, "audience", t)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = api
		}
		if api != first || several != nil {
			t.Fail("api", "RFC 8707 §2", "resource and audience name the same API", "different APIs", "send one of them")
			return nil, errDisagree.WithCause(fmt.Errorf("resource means API %s, audience API %s", first.api.ID, api.api.ID))
		}
	}
	if several != nil {
		return f.together(several, t)
	}
	return first, nil
}

// accessible is the API of that name at this issuer, if the client has access
// to it. from says where the name stands.
func (f *Facts) accessible(name string, legacy bool, from string, t *symbolon.Trace) (*target, error) {
	api := f.Issuer.target(name, legacy)
	if api == nil {
		fix := "create the API, or correct the name"
		if f.Issuer.target(name, true) != nil {
			fix = "name this API with audience: its identifier is not an absolute URI"
		}
		t.Fail("api", "RFC 8707 §2", from+" names an API of issuer "+f.Issuer.ID, clip(name), fix)
		return nil, errTarget.WithCause(fmt.Errorf("%s %q names no API of issuer %s", from, clip(name), f.Issuer.ID))
	}
	if !f.hasAccess(api.api.ID) {
		t.Fail("access", "RFC 8707 §2", "access to API "+api.api.ID, short(sortedKeys(f.Client.Access)), "grant the client access to the API")
		return nil, errTarget.WithCause(fmt.Errorf("client %s has no access to API %s", f.Client.ID, api.api.ID))
	}
	t.OK("api", "RFC 8707 §2", from, api.api.ID)
	return api, nil
}

func (f *Facts) hasAccess(api string) bool {
	_, ok := f.Client.Access[api]
	return ok
}

// impliedAPI is the one API that the client has access to at this issuer and
// that defines every scope asked for; nil when there is none or another.
func (f *Facts) impliedAPI() *target {
	var only *target
	for id := range f.Client.Access {
		api := f.Issuer.byID[id]
		if api == nil || !defines(api.api, f.Scopes) {
			continue
		}
		if only != nil {
			return nil
		}
		only = api
	}
	return only
}

func defines(api *API, scopes []string) bool {
	for _, s := range scopes {
		if _, ok := api.Scopes[s]; !ok {
			return false
		}
	}
	return true
}

// noAPI is the refusal when nothing says which API is meant. A scope that the
// client has nowhere is the better reason: were it not, a scope that no API
// defines would be told apart from one that is not granted.
func (f *Facts) noAPI(t *symbolon.Trace) error {
	var at []string
	for _, id := range sortedKeys(f.Client.Access) {
		if f.Issuer.byID[id] != nil {
			at = append(at, id)
		}
	}
	if len(at) == 0 {
		t.Fail("access", "RFC 8707 §2", "access to an API of issuer "+f.Issuer.ID, "none", "grant the client access to an API")
		return errWhichAPI.WithCause(fmt.Errorf("client %s has no access at issuer %s", f.Client.ID, f.Issuer.ID))
	}
	granted := f.grantedAt(at)
	for _, scope := range f.Scopes {
		if !granted[scope] {
			t.Fail("scope", "RFC 6749 §3.3", "a scope granted at "+short(at), clip(scope), "grant the scope to the client, or correct it")
			return errScope.WithCause(fmt.Errorf("scope %q is granted to client %s nowhere at issuer %s", clip(scope), f.Client.ID, f.Issuer.ID))
		}
	}
	t.Fail("api", "RFC 8707 §2", "one API: "+short(at), "the request fits several or none of them", "send resource, or set the client's default_api")
	return errWhichAPI.WithCause(fmt.Errorf("client %s has access to %s, and nothing says which is meant", f.Client.ID, short(at)))
}

// grantedAt is the set of scopes that the client has at any of the APIs.
func (f *Facts) grantedAt(apis []string) map[string]bool {
	granted := make(map[string]bool)
	for _, id := range apis {
		defined := f.Issuer.byID[id].api.Scopes
		for _, scope := range f.Client.Access[id] {
			if _, ok := defined[scope]; ok {
				granted[scope] = true
			}
		}
	}
	return granted
}

// longest is how many octets of a value or a list go into a trace: records are
// bounded, requests and access lists are not.
const longest = 200

func clip(value string) string {
	value = Redact(value) // before it is cut: half a secret would not be known for one
	if len(value) > longest {
		return strings.ToValidUTF8(value[:longest], "") + "…"
	}
	return value
}

// short joins a list for a trace.
func short(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	var b strings.Builder
	for i, one := range list {
		if b.Len()+len(one) > longest {
			fmt.Fprintf(&b, " … (%d more)", len(list)-i)
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(one)
	}
	return b.String()
}
