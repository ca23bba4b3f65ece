package dialect_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// oddSecret reads otherwise raw than form-urlencoded.
const oddSecret = "50%25+more: than 32 characters, a/secret=&"

// Every API has these scopes, so that one request is right at every issuer.
var scopes = map[string]registry.Scope{"api.read": {Description: "Read"}, "api.write": {Description: "Write"}}

// apis by the issuer's id, which has no more than one besides its management API;
// none is at the Okta organisation's own server, which is for its management alone.
var apis = map[string]registry.API{
	standard:   {ID: "orders", Identifier: "https://orders.example.com"},
	oktaCustom: {ID: "okta-api", Identifier: "api://default"},
	auth0:      {ID: "auth0-api", Identifier: "https://api.example.test"},
	curity:     {ID: "curity-api", Identifier: "https://api.example.com"},
	simple:     {ID: "simple-api", Identifier: "https://simple.example.com"},
}

// allAPIs is access to each of them, and to what there is at the organisation's
// own server.
func allAPIs() map[string][]string {
	access := map[string][]string{"okta-management": {"okta.users.read"}}
	for _, api := range apis {
		access[api.ID] = []string{"api.read", "api.write"}
	}
	return access
}

// made is a client of a world: with a secret, or with w.key.
type made struct {
	registry.Client
	keyed  bool
	secret string // given, instead of a generated one
}

// clients of every world. Those whose names begin with everywhere may do the same
// at all issuers: what a dialect lets pass is refused at the others.
func clients() []made {
	okta := []string{oktaOrg, oktaCustom}
	one := func(id string, issuers []string, access map[string][]string) registry.Client {
		return registry.Client{ID: id, Name: "Client " + id, Issuers: issuers, Access: access}
	}
	bound := one("everywhere-dpop", allIssuers, allAPIs())
	bound.Bound = registry.BoundDPoP
	oktaBound := one("okta-dpop", okta, map[string][]string{"okta-api": {"api.read"}, "okta-management": {"okta.users.read"}})
	oktaBound.Bound = registry.BoundDPoP
	role := one("curity-app", []string{curity}, map[string][]string{"curity-api": {"api.read", "api.write"}})
	role.Claims = map[string]json.RawMessage{"role": json.RawMessage(`"batch"`)}
	return []made{
		{Client: one("everywhere", allIssuers, allAPIs())},
		{Client: one("everywhere-odd", allIssuers, allAPIs()), secret: oddSecret},
		{Client: one("everywhere-key", allIssuers, allAPIs()), keyed: true},
		{Client: bound, keyed: true},

		{Client: one("billing", []string{standard}, map[string][]string{"orders": {"api.read"}})},

		{Client: one("okta-app", okta, map[string][]string{"okta-api": {"api.read"}})},
		{Client: one("okta-pk", okta, map[string][]string{"okta-api": {"api.read"}, "okta-management": {"okta.users.read"}}), keyed: true},
		{Client: oktaBound, keyed: true},
		{Client: one("okta-admin", okta, map[string][]string{"okta-management": {"okta.apps.manage", "okta.apps.read", "okta.users.read"}}), keyed: true},

		{Client: one("auth0-app", []string{auth0}, map[string][]string{"auth0-api": {"api.read", "api.write"}})},
		{Client: one("auth0-mgmt", []string{auth0}, map[string][]string{"auth0-management": nil})}, // all of its scopes
		{Client: role},
		{Client: one("curity-rs", []string{curity}, nil)}, // may ask about tokens of curity-api
		{Client: one("simple-app", []string{simple}, map[string][]string{"simple-api": {"api.read"}})},
	}
}

// operators, whom the Okta dialect shows as users; by id.
var operators = []registry.Operator{
	{ID: "ann", Name: "Ann Example", Email: "ann@example.com", Role: registry.RoleAdmin},
	{ID: "bob", Name: "Bob", Email: "bob@example.com", Role: registry.RoleOperator},
	{ID: "cem", Role: registry.RoleViewer},
}

// operatorTokens are in w.tokens by their ids.
var operatorTokens = []registry.OperatorToken{
	{ID: "okta-ops", Role: registry.RoleOperator, Issuers: []string{oktaOrg}, SSWS: true},
	{ID: "okta-viewer", Role: registry.RoleViewer, Issuers: []string{oktaOrg}, SSWS: true},
	{ID: "okta-everything", Role: registry.RoleAdmin, Issuers: []string{oktaOrg}, SSWS: true},
	{ID: "okta-other", Role: registry.RoleAdmin, Issuers: []string{oktaOther}, SSWS: true},
	{ID: "okta-custom", Role: registry.RoleOperator, Issuers: []string{oktaCustom}}, // for neither server's management
	{ID: "okta-plain", Role: registry.RoleOperator, Issuers: []string{oktaOrg}},     // not for SSWS
	{ID: "auth0-ops", Role: registry.RoleOperator, Issuers: []string{auth0}},
}

// populate makes what every world has.
func (w *world) populate(ctx context.Context) (err error) {
	for _, key := range []**rsa.PrivateKey{&w.key, &w.key2} {
		if *key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return err
		}
	}
	a, by := w.node.Admin(), admin.System()
	for _, i := range []registry.Issuer{
		{ID: oktaOrg, Dialect: registry.DialectOkta}, {ID: oktaCustom, Dialect: registry.DialectOkta},
		{ID: oktaOther, Dialect: registry.DialectOkta}, {ID: auth0Other, Dialect: registry.DialectAuth0, SubjectSuffix: registry.SuffixClients},
		{ID: auth0, Dialect: registry.DialectAuth0}, {ID: curity, Dialect: registry.DialectCurity}, {ID: simple, Dialect: registry.DialectSimple},
	} {
		i.URL = w.issuers[i.ID]
		if _, _, err := a.CreateIssuer(ctx, by, i); err != nil {
			return err
		}
	}
	for _, issuer := range slices.Sorted(maps.Keys(apis)) {
		api := apis[issuer]
		api.Issuer, api.Scopes = issuer, scopes
		if _, _, err := a.CreateAPI(ctx, by, api); err != nil {
			return err
		}
	}
	for _, o := range operators {
		if _, _, err := a.CreateOperator(ctx, by, o); err != nil {
			return err
		}
	}
	for _, t := range operatorTokens {
		got, _, err := a.CreateOperatorToken(ctx, by, admin.CreateOperatorToken{Token: t})
		if err != nil {
			return err
		}
		w.tokens[t.ID] = got.Value.Reveal()
	}
	for _, c := range clients() {
		if err := w.create(ctx, c); err != nil {
			return err
		}
	}
	if _, _, err = a.UpdateIssuer(ctx, by, admin.Update[registry.Issuer]{
		Target: admin.Target{ID: oktaCustom},
		Change: admin.Named[registry.Issuer]{Object: registry.Issuer{Audience: "api://default"}, Fields: admin.Fields{"audience"}},
	}); err != nil {
		return err
	}
	_, _, err = a.UpdateAPI(ctx, by, admin.Update[registry.API]{
		Target: admin.Target{ID: "curity-api"},
		Change: admin.Named[registry.API]{Object: registry.API{ResourceServers: []string{"curity-rs"}}, Fields: admin.Fields{"resource_servers"}},
	})
	return err
}

// create makes one client, and notes its secret.
func (w *world) create(ctx context.Context, c made) error {
	a, by := w.node.Admin(), admin.System()
	for api, granted := range c.Access {
		shown, err := a.API(ctx, by, api)
		if err != nil {
			return err
		}
		if granted == nil {
			c.Access[api] = slices.Sorted(maps.Keys(shown.Scopes))
		}
	}
	req := admin.CreateClient{Client: c.Client}
	if c.keyed {
		text, err := publicPEM(w.key)
		if err != nil {
			return err
		}
		req.Key = &admin.NewKey{ID: "k1", Text: text}
	}
	if c.secret != "" {
		req.Secret.Value = admin.NewSecret(c.secret)
	}
	got, _, err := a.CreateClient(ctx, by, req)
	if err != nil {
		return err
	}
	if w.secrets[c.ID] = c.secret; c.secret == "" && !c.keyed {
		w.secrets[c.ID] = got.Secret.Reveal()
	}
	return nil
}

func publicPEM(key *rsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}

// certificate makes one for localhost that certifies itself.
func certificate() (cert, key []byte, pair tls.Certificate, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, pair, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(48 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, pair, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, pair, err
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	pair, err = tls.X509KeyPair(cert, key)
	return cert, key, pair, err
}
