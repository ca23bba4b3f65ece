package registry

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// Refusals of a binding. What the request lacks is invalid_request: the client
// can do it right. A demand that no request can meet is the target's.
var (
	errWantDPoP = symbolon.NewError(symbolon.InvalidRequest,
		"the token must be bound to a key: send a DPoP proof in the header DPoP (RFC 9449)")
	errWantMTLS = symbolon.NewError(symbolon.InvalidRequest,
		"the token must be bound to a certificate: send the request with one to the token endpoint of mtls_endpoint_aliases (RFC 8705)")
	errWantBound = symbolon.NewError(symbolon.InvalidRequest,
		"the token must be sender-constrained: send a DPoP proof, or use the token endpoint of mtls_endpoint_aliases with a client certificate")
	errNoBinding = symbolon.NewError(symbolon.InvalidTarget,
		"the client and the resources demand different bindings, which no token has; ask for other resources, or have bound changed")
	errProfile = symbolon.NewError(symbolon.InvalidTarget,
		"the profile of the issuer does not allow the signing algorithm of this API; have its algorithm changed to ES256, PS256 or EdDSA")
)

// unbound is why a request is refused whose binding is none of those that are demanded.
type unbound struct {
	demand demand
	why    string
}

func (u *unbound) Error() string { return u.why }

// ProofMissing reports whether Decide has refused a request that a DPoP proof, which
// it did not bring, would have let pass so far.
func ProofMissing(err error) bool {
	var u *unbound
	return errors.As(err, &u) && slices.Contains(u.demand, BindingDPoP)
}

// demand is the set of bindings with which a token may be issued, "" among them
// where it need not be bound.
type demand []string

var anyBinding = demand{"", BindingDPoP, BindingMTLS}

// demandOf is what a value of Bound asks for.
func demandOf(bound string) demand {
	switch bound {
	case "", BoundOptional:
		return anyBinding
	case BoundRequired:
		return anyBinding[1:]
	case BoundDPoP:
		return anyBinding[1:2]
	case BoundMTLS:
		return anyBinding[2:]
	}
	return nil // a value of a later version: nothing meets it
}

// and is what meets both demands: the stricter of them, or nothing.
func (d demand) and(o demand) demand {
	if len(o) == len(anyBinding) {
		return d
	}
	if len(d) == len(anyBinding) {
		return o
	}
	var both demand
	for _, binding := range d {
		if slices.Contains(o, binding) {
			both = append(both, binding)
		}
	}
	return both
}

// demandFor is what the profile of the issuer, the client and the APIs demand
// together.
func demandFor(i *Issuer, c *Client, apis []*API) demand {
	d := demandOf(c.Bound)
	if i.FAPI2() {
		d = d.and(demandOf(BoundRequired)) // FAPI 2.0 §5.3.2.1: only sender-constrained tokens
	}
	for _, api := range apis {
		d = d.and(demandOf(api.Bound))
	}
	return d
}

// checkBinding demands the binding that client, API and profile want.
func (f *Facts) checkBinding(api *target, t *symbolon.Trace) error {
	d := demandFor(f.Issuer.Issuer, f.Client, api.apis)
	if len(d) == len(anyBinding) {
		return nil
	}
	if slices.Contains(d, f.Binding) {
		t.OK("binding", bindingClause[f.Binding], short(d), f.Binding)
		return nil
	}
	got := f.Binding
	if got == "" {
		got = "a bearer token"
	}
	refusal, clause, fix := errWantBound, "RFC 9700 §2.2.1", "send a DPoP proof, or use the mtls endpoint"
	switch {
	case len(d) == 0:
		refusal, fix = errNoBinding, "change bound of the client or of the API, so that one binding meets both"
	case len(d) == 1 && d[0] == BindingDPoP:
		refusal, clause, fix = errWantDPoP, bindingClause[BindingDPoP], "send a DPoP proof"
	case len(d) == 1:
		refusal, clause, fix = errWantMTLS, bindingClause[BindingMTLS], "use the mtls endpoint with a certificate"
	}
	t.Fail("binding", clause, short(d), got, fix)
	return refusal.WithCause(&unbound{d, fmt.Sprintf("client %s, its APIs and the issuer's profile allow the bindings %q, the request brings %q", f.Client.ID, d, f.Binding)})
}

var bindingClause = map[string]string{BindingDPoP: "RFC 9449 §5", BindingMTLS: "RFC 8705 §3"}

// keyMethods are the methods in which no secret crosses the wire: those of the
// FAPI 2.0 Security Profile (§5.3.2.1).
var keyMethods = []string{symbolon.AuthPrivateKeyJWT, symbolon.AuthTLSClient, symbolon.AuthSelfSignedTLS}

const (
	clauseFAPI = "FAPI 2.0 §5.3.2.1"
	clauseAlgs = "FAPI 2.0 §5.4.1"
)

// CheckProfile refuses a method of client authentication that the profile of the
// issuer does not allow, at whatever endpoint, as ErrClient.
func CheckProfile(i *Issuer, method string, t *symbolon.Trace) error {
	if !i.FAPI2() {
		return nil
	}
	if !slices.Contains(keyMethods, method) {
		t.Fail("profile", clauseFAPI, short(keyMethods), cmp.Or(clip(method), "none"), "give the client a key or a certificate")
		return ErrClient.WithCause(fmt.Errorf("issuer %s has the profile fapi2, which does not allow the method %q", i.ID, clip(method)))
	}
	t.OK("profile", clauseFAPI, short(keyMethods), method)
	return nil
}

// checkAlgorithm refuses an API whose tokens the profile does not allow.
func (f *Facts) checkAlgorithm(api *target, t *symbolon.Trace) error {
	if !f.Issuer.FAPI2() {
		return nil
	}
	for _, a := range api.apis {
		if alg := a.SigningAlgorithm(); !fapiSigns(alg) {
			t.Fail("algorithm", clauseAlgs, "ES256 PS256 EdDSA", string(alg), "change the algorithm of API "+a.ID)
			return errProfile.WithCause(fmt.Errorf("API %s signs with %s, which the profile fapi2 of issuer %s does not allow", a.ID, alg, f.Issuer.ID))
		}
	}
	return nil
}

func fapiSigns(alg jose.Algorithm) bool { return slices.Contains(fapiAlgorithms, alg) }
