package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// Facts are what a token request has shown by the time it is decided: who
// asks, at which issuer, and for what.
type Facts struct {
	Issuer     *IssuerView // of the snapshot that Decide gets
	Client     *Client     // authenticated
	Credential string      // id of the credential that authenticated it
	Method     string      // by its registered name (RFC 7591 §2)
	Binding    string      // to what the token will be bound: BindingDPoP, BindingMTLS; "": to nothing
	Resources  []string    // values of resource, in the order of the request
	Audience   string      // value of audience; "": none
	Scopes     []string    // values of scope, in the order of the request; empty: none asked
	AllScopes  bool        // where none is asked for, all of the access count, and not those alone that the API marks
	Now        time.Time
}

// Decision is what the token will be. Its slices and maps belong to the
// snapshot, the client or the facts: nothing in them may be changed.
type Decision struct {
	APIs      []*API
	Audience  []string // identifiers of APIs
	Scopes    []string // as asked for, without repetitions; sorted where nothing was asked for
	Scope     string   // Scopes, joined with spaces
	Lifetime  time.Duration
	Format    string                     // FormatJWT or FormatOpaque
	Algorithm jose.Algorithm             // that signs a JWT; "" for an opaque token
	Typ       string                     // header parameter typ of a JWT; "" for an opaque token
	Extra     map[string]json.RawMessage // extra claims; reserved names in it are not to be written
}

// ErrClient is the one answer to whoever may not act as a client here: unknown,
// wrong credential, disabled, pending, at another issuer. Its body is the same
// for all of them, so that nobody learns which it was (RFC 6749 §5.2).
var ErrClient = symbolon.NewError(symbolon.InvalidClient,
	"the client is not known here, is not active, or its credential does not fit; the request id leads an operator to the cause")

// Refusals of Decide. Each is one fixed sentence for all causes that the client
// may not tell apart: an API that does not exist is one without access, a scope
// that does not exist is one that is not granted.
var (
	errTarget = symbolon.NewError(symbolon.InvalidTarget,
		"no API by that name is granted to the client at this issuer; check resource or audience, and the access of the client")
	errWhichAPI = symbolon.NewError(symbolon.InvalidTarget,
		"the request does not tell which API it is for; send resource, or give the client a default API at this issuer")
	errDisagree = symbolon.NewError(symbolon.InvalidTarget,
		"resource and audience name different APIs; send one of them")
	errSeveral = symbolon.NewError(symbolon.InvalidTarget,
		"one token for several resources must be sender-constrained; ask for one token per resource")
	errScope = symbolon.NewError(symbolon.InvalidScope,
		"a scope is unknown or not granted to the client at this API; ask for scopes within its access, or for none")
)

// errForeignView is a mistake of the program: a token would claim a position
// whose changes its decision did not see.
var errForeignView = errors.New("the issuer's view is not of the snapshot that decides")

// Decide says which API, scopes and lifetime the request gets, or refuses with
// a *symbolon.Error whose cause is for operators. It is pure: equal input gives
// an equal answer. The checks that it makes are added to the trace.
func Decide(s *Snapshot, f Facts, t *symbolon.Trace) (*Decision, error) {
	if f.Issuer == nil || s.Issuers[f.Issuer.ID] != f.Issuer {
		return nil, symbolon.AsError(errForeignView)
	}
	if err := f.checkClient(t); err != nil {
		return nil, err
	}
	if err := CheckProfile(f.Issuer.Issuer, f.Method, t); err != nil {
		return nil, err
	}
	f.Scopes = unique(f.Scopes)
	api, err := f.chooseAPI(t)
	if err != nil {
		return nil, err
	}
	if err := f.checkAlgorithm(api, t); err != nil {
		return nil, err
	}
	if err := f.checkBinding(api, t); err != nil {
		return nil, err
	}
	scopes, err := f.chooseScopes(api, t)
	if err != nil {
		return nil, err
	}
	scope := strings.Join(scopes, " ")
	t.OK("scope", "RFC 6749 §3.3", "granted to the client at the API", clip(scope))
	d := &Decision{
		APIs:     api.apis,
		Audience: api.audience,
		Scopes:   scopes,
		Scope:    scope,
		Lifetime: api.lifetime(f.Issuer.Issuer),
		Extra:    f.Client.Claims,
	}
	d.Format, d.Algorithm, d.Typ = api.api.tokenForm()
	return d, nil
}

// checkClient repeats what authentication has found: whoever calls Decide with
// a client from elsewhere, as a simulation does, gets the same answer.
func (f *Facts) checkClient(t *symbolon.Trace) error {
	c := f.Client
	if c.State != StateActive {
		t.Fail("client state", "RFC 6749 §5.2", StateActive, strconv.Quote(c.State), "enable the client")
		return ErrClient.WithCause(fmt.Errorf("client %s has the state %q", c.ID, c.State))
	}
	if !c.AtIssuer(f.Issuer.ID) {
		t.Fail("client issuer", "RFC 6749 §2.2", short(c.IssuerIDs()), f.Issuer.ID, "add the issuer to the client's issuers, or use one of them")
		return ErrClient.WithCause(fmt.Errorf("client %s may not authenticate at issuer %s", c.ID, f.Issuer.ID))
	}
	t.OK("client", "RFC 6749 §2.2", StateActive, c.State)
	return nil
}

// chooseScopes answers which scopes of the API the token gets. A scope that is
// not granted refuses the whole request: nothing is narrowed (RFC 6749 §3.3
// leaves both open).
func (f *Facts) chooseScopes(api *target, t *symbolon.Trace) ([]string, error) {
	if api.parts != nil {
		return f.scopesOfSeveral(api, t)
	}
	granted := f.Client.Access[api.api.ID]
	if len(f.Scopes) == 0 {
		return f.givenScopes(api, granted), nil
	}
	missing := notGranted(api.api, granted, f.Scopes)
	if missing == "" {
		return f.Scopes, nil
	}
	cause, fix := "not granted to client "+f.Client.ID, "grant the scope to the client"
	if _, defined := api.api.Scopes[missing]; !defined {
		cause, fix = "not defined by API "+api.api.ID, "ask for a scope of the API, or define it there"
	}
	t.Fail("scope", "RFC 6749 §3.3", short(granted), clip(missing)+" is "+cause, fix)
	return nil, errScope.WithCause(fmt.Errorf("scope %q is %s", clip(missing), cause))
}

// fewScopes is up to how many scopes are compared one by one; beyond that a
// set keeps the cost of a hostile request linear.
const fewScopes = 16

// unique is the list without repetitions, in its order; the list itself when
// it has none.
func unique(list []string) []string {
	if len(list) <= fewScopes {
		for i := range list {
			if slices.Contains(list[:i], list[i]) {
				return dropRepeated(list)
			}
		}
		return list
	}
	return dropRepeated(list)
}

func dropRepeated(list []string) []string {
	seen := make(map[string]bool, len(list))
	kept := make([]string, 0, len(list))
	for _, one := range list {
		if !seen[one] {
			seen[one] = true
			kept = append(kept, one)
		}
	}
	return kept
}

// notGranted is the first scope asked for that the API does not define or that
// is not granted; "" when there is none.
func notGranted(api *API, granted, asked []string) string {
	var set map[string]bool
	if len(asked) > fewScopes {
		set = make(map[string]bool, len(granted))
		for _, g := range granted {
			set[g] = true
		}
	}
	for _, scope := range asked {
		_, ok := api.Scopes[scope]
		if ok && set != nil {
			ok = set[scope]
		} else if ok {
			ok = slices.Contains(granted, scope)
		}
		if !ok {
			return scope
		}
	}
	return ""
}

// givenScopes are the scopes of a request that names none: those of the access
// that the API marks, or all of the access when it marks none of them. Sorted.
func (f *Facts) givenScopes(api *target, granted []string) []string {
	var given []string
	marked := api.marked
	if f.AllScopes {
		marked = nil
	}
	for _, scope := range marked {
		if slices.Contains(granted, scope) {
			given = append(given, scope)
		}
	}
	if len(given) > 0 {
		return given
	}
	for _, scope := range granted {
		if _, defined := api.api.Scopes[scope]; defined {
			given = append(given, scope)
		}
	}
	slices.Sort(given)
	return slices.Compact(given)
}
