package registry

import (
	"slices"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// boundWorld has an API for each value of Bound, and an issuer with the profile
// fapi2.
func boundWorld(t testing.TB) *Snapshot {
	t.Helper()
	var docs []Doc
	for _, bound := range []string{BoundOptional, BoundRequired, BoundDPoP, BoundMTLS, "later"} {
		docs = append(docs, doc(t, KindAPI, bound, &API{ID: bound, Issuer: "default", Identifier: "https://" + bound + ".example", Bound: bound, Scopes: scopes(bound)}))
	}
	docs = append(docs, doc(t, KindIssuer, "bank", &Issuer{ID: "bank", Profile: ProfileFAPI2}))
	for id, alg := range map[string]string{"accounts": "", "cards": "PS256", "ed": "EdDSA", "legacy": "RS256", "wide": "ES384"} {
		docs = append(docs, doc(t, KindAPI, id, &API{ID: id, Issuer: "bank", Identifier: "https://" + id + ".bank.example", Token: APIToken{Algorithm: alg}}))
	}
	return world(t, docs...)
}

func TestBoundIsEnforced(t *testing.T) {
	s := boundWorld(t)
	for _, tt := range []struct {
		client, api string
		none        *symbolon.Error // what a request without a binding gets
		dpop, mtls  *symbolon.Error
	}{
		{"", BoundOptional, nil, nil, nil},
		{BoundOptional, BoundOptional, nil, nil, nil},
		{"", BoundRequired, errWantBound, nil, nil},
		{BoundRequired, BoundOptional, errWantBound, nil, nil},
		{BoundRequired, BoundRequired, errWantBound, nil, nil},
		{"", BoundDPoP, errWantDPoP, nil, errWantDPoP},
		{BoundDPoP, BoundOptional, errWantDPoP, nil, errWantDPoP},
		{BoundRequired, BoundDPoP, errWantDPoP, nil, errWantDPoP},
		{BoundDPoP, BoundRequired, errWantDPoP, nil, errWantDPoP},
		{BoundDPoP, BoundDPoP, errWantDPoP, nil, errWantDPoP},
		{"", BoundMTLS, errWantMTLS, errWantMTLS, nil},
		{BoundMTLS, BoundOptional, errWantMTLS, errWantMTLS, nil},
		{BoundRequired, BoundMTLS, errWantMTLS, errWantMTLS, nil},
		{BoundMTLS, BoundRequired, errWantMTLS, errWantMTLS, nil},
		{BoundDPoP, BoundMTLS, errNoBinding, errNoBinding, errNoBinding},
		{BoundMTLS, BoundDPoP, errNoBinding, errNoBinding, errNoBinding},
		{"", "later", errNoBinding, errNoBinding, errNoBinding},
		{"later", BoundOptional, errNoBinding, errNoBinding, errNoBinding},
	} {
		for binding, want := range map[string]*symbolon.Error{"": tt.none, BindingDPoP: tt.dpop, BindingMTLS: tt.mtls} {
			t.Run(tt.client+" at "+tt.api+" by "+binding, func(t *testing.T) {
				c := &Client{ID: "c", State: StateActive, Bound: tt.client, Access: map[string][]string{tt.api: {tt.api}}}
				var trace symbolon.Trace
				_, err := Decide(s, Facts{Issuer: s.Issuers["default"], Client: c, Binding: binding}, &trace)
				checkTrace(t, &trace, err == nil)
				if want != nil {
					wantRefusal(t, err, want)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// FAPI 2.0 §5.3.2.1, §5.4.1: keys or certificates, bound tokens, three algorithms.
func TestProfileFAPI2(t *testing.T) {
	s := boundWorld(t)
	for _, tt := range []struct {
		name, method, binding, api string
		want                       *symbolon.Error
	}{
		{"a key and a proof", symbolon.AuthPrivateKeyJWT, BindingDPoP, "accounts", nil},
		{"a key and a bound certificate", symbolon.AuthPrivateKeyJWT, BindingMTLS, "accounts", nil},
		{"a certificate and a proof", symbolon.AuthTLSClient, BindingDPoP, "accounts", nil},
		{"a certificate twice", symbolon.AuthTLSClient, BindingMTLS, "accounts", nil},
		{"a certificate of its own", symbolon.AuthSelfSignedTLS, BindingMTLS, "accounts", nil},
		{"PS256", symbolon.AuthPrivateKeyJWT, BindingDPoP, "cards", nil},
		{"EdDSA", symbolon.AuthPrivateKeyJWT, BindingDPoP, "ed", nil},
		{"a secret", symbolon.AuthSecretBasic, BindingDPoP, "accounts", ErrClient},
		{"a secret in the body", symbolon.AuthSecretPost, BindingDPoP, "accounts", ErrClient},
		{"no method", "", BindingDPoP, "accounts", ErrClient},
		{"a bearer token", symbolon.AuthPrivateKeyJWT, "", "accounts", errWantBound},
		{"RS256", symbolon.AuthPrivateKeyJWT, BindingDPoP, "legacy", errProfile},
		{"ES384", symbolon.AuthPrivateKeyJWT, BindingDPoP, "wide", errProfile},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &Client{ID: "c", State: StateActive, Issuers: []string{"bank"}, Access: map[string][]string{tt.api: nil}}
			var trace symbolon.Trace
			_, err := Decide(s, Facts{Issuer: s.Issuers["bank"], Client: c, Method: tt.method, Binding: tt.binding}, &trace)
			checkTrace(t, &trace, err == nil)
			if tt.want != nil {
				wantRefusal(t, err, tt.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// RFC 8707 §2: one token for several resources, where nobody but its sender can
// use it and each scope says which API it is for.
func TestSeveralResources(t *testing.T) {
	api := func(id string, token APIToken, bound string, names ...string) Doc {
		return doc(t, KindAPI, id, &API{ID: id, Issuer: "default", Identifier: "https://" + id + ".example", Token: token, Bound: bound, Scopes: scopes(names...)})
	}
	s := world(t,
		api("a", APIToken{Lifetime: Duration(20 * time.Minute)}, "", "a:read*", "a:write", "both"),
		api("b", APIToken{Lifetime: Duration(5 * time.Minute)}, "", "b:read", "both"),
		api("rsa", APIToken{Algorithm: "RS256"}, "", "rsa:read"),
		api("jwt", APIToken{Typ: "JWT"}, "", "jwt:read"),
		api("sealed", APIToken{Format: FormatOpaque}, "", "sealed:read"),
		api("closed", APIToken{Format: FormatOpaque}, "", "closed:read"),
		api("proof", APIToken{}, BoundDPoP, "proof:read"),
		api("cert", APIToken{}, BoundMTLS, "cert:read"))
	access := map[string][]string{"a": {"a:read", "a:write", "both"}, "b": {"b:read"}, "rsa": {"rsa:read"}, "jwt": nil, "sealed": {"sealed:read"}, "closed": {"closed:read"}, "proof": {"proof:read"}, "cert": {"cert:read"}}
	for _, tt := range []struct {
		name      string
		resources []string
		scopes    []string
		more      string // granted at b, too
		binding   string
		want      string // scope
		err       *symbolon.Error
	}{
		{name: "scopes of both", resources: []string{"b", "a"}, scopes: []string{"b:read", "a:write"}, binding: BindingDPoP, want: "b:read a:write"},
		{name: "bound to a certificate", resources: []string{"a", "b"}, scopes: []string{"a:read"}, binding: BindingMTLS, want: "a:read"},
		{name: "no scope asked", resources: []string{"a", "b"}, binding: BindingDPoP, want: "a:read b:read"},
		{name: "a bearer token", resources: []string{"a", "b"}, scopes: []string{"a:read"}, err: errSeveral},
		{name: "a scope of both, granted at one", resources: []string{"a", "b"}, scopes: []string{"both"}, binding: BindingDPoP, err: errScope},
		{name: "a scope of both, granted at the last", resources: []string{"b", "a"}, scopes: []string{"both"}, binding: BindingDPoP, err: errScope},
		{name: "a scope of both, granted at both", resources: []string{"a", "b"}, scopes: []string{"both"}, more: "both", binding: BindingDPoP, err: errShared},
		{name: "no scope asked, one of both given", resources: []string{"a", "b"}, more: "both", binding: BindingDPoP, err: errShared},
		{name: "a scope of neither", resources: []string{"a", "b"}, scopes: []string{"rsa:read"}, binding: BindingDPoP, err: errScope},
		{name: "a scope that is not granted", resources: []string{"a", "jwt"}, scopes: []string{"jwt:read"}, binding: BindingDPoP, err: errKinds},
		{name: "other algorithms", resources: []string{"a", "rsa"}, scopes: []string{"a:read"}, binding: BindingDPoP, err: errKinds},
		{name: "another typ", resources: []string{"a", "jwt"}, scopes: []string{"a:read"}, binding: BindingDPoP, err: errKinds},
		{name: "another format", resources: []string{"a", "sealed"}, scopes: []string{"a:read"}, binding: BindingDPoP, err: errKinds},
		{name: "both opaque", resources: []string{"sealed", "closed"}, scopes: []string{"closed:read"}, binding: BindingDPoP, want: "closed:read"},
		{name: "one demands a proof", resources: []string{"a", "proof"}, scopes: []string{"a:read"}, binding: BindingMTLS, err: errWantDPoP},
		{name: "one demands a proof and gets it", resources: []string{"a", "proof"}, scopes: []string{"a:read"}, binding: BindingDPoP, want: "a:read"},
		{name: "a proof and a certificate", resources: []string{"cert", "proof"}, scopes: []string{"cert:read"}, binding: BindingDPoP, err: errNoBinding},
		{name: "one without access", resources: []string{"a", "secretive"}, binding: BindingDPoP, err: errTarget},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &Client{ID: "c", State: StateActive, Access: map[string][]string{}}
			for id, granted := range access {
				c.Access[id] = granted
			}
			if tt.more != "" {
				c.Access["b"] = append(slices.Clone(access["b"]), tt.more)
			}
			f := Facts{Issuer: s.Issuers["default"], Client: c, Scopes: tt.scopes, Binding: tt.binding}
			var audience []string
			for _, r := range tt.resources {
				f.Resources = append(f.Resources, "https://"+r+".example", "https://"+r+".example/")
				audience = append(audience, "https://"+r+".example")
			}
			var trace symbolon.Trace
			d, err := Decide(s, f, &trace)
			checkTrace(t, &trace, err == nil)
			if tt.err != nil {
				wantRefusal(t, err, tt.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d.Scope != tt.want || !slices.Equal(d.Audience, audience) || len(d.APIs) != len(audience) {
				t.Errorf("scope %q, audience %q", d.Scope, d.Audience)
			}
			if slices.Contains(tt.resources, "b") && d.Lifetime != 5*time.Minute {
				t.Errorf("the token lives %v, longer than those of one API", d.Lifetime)
			}
		})
	}
}
