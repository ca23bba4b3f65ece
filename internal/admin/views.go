package admin

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// What follows is how objects are shown: to people, scripts and the admin API.
// Each member has its place whether it is set or not, and none holds a secret,
// a hash or a private key. Version is what an update may name to be refused
// when somebody else was faster.

// Issuer is an issuer as it is shown; its lifetimes are those in effect.
type Issuer struct {
	ID            string      `json:"id"`
	URL           string      `json:"url" doc:"The iss of its tokens"`
	Token         IssuerToken `json:"token"`
	Profile       string      `json:"profile"`
	Dialect       string      `json:"dialect" doc:"Whose programs it serves: okta, auth0, curity or simple; empty: those of the standards"`
	Audience      string      `json:"audience" doc:"Identifier of the API that is meant when a request names none"`
	SubjectSuffix string      `json:"subject_suffix" doc:"What stands behind the client's id in the sub of tokens: @clients (dialect auth0 alone) or nothing"`
	DPoPNonce     string      `json:"dpop_nonce" doc:"Whether proofs at the token endpoint need a nonce: required or off"`
	Replay        string      `json:"replay" doc:"What happens while the shared replay memory is away: strict or local"`
	Keys          KeySchedule `json:"keys"`
	ManagedBy     string      `json:"managed_by" doc:"The declarative file's set that owns it"`
	Created       time.Time   `json:"created"`
	Updated       time.Time   `json:"updated"`
	Version       int64       `json:"version"`

	Endpoints IssuerEndpoints `json:"endpoints,omitzero"`
}

// IssuerEndpoints are the URLs under which programs reach an issuer; what is empty
// it does not have.
type IssuerEndpoints struct {
	Metadata       string `json:"metadata,omitempty" doc:"Its metadata (RFC 8414)"`
	Token          string `json:"token,omitempty"`
	TokenMTLS      string `json:"token_mtls,omitempty" doc:"The token endpoint for clients with certificates, where that is another one (RFC 8705)"`
	JWKS           string `json:"jwks,omitempty" doc:"The keys that its tokens are signed with"`
	Introspection  string `json:"introspection,omitempty" doc:"For resource servers (RFC 7662)"`
	Revocation     string `json:"revocation,omitempty" doc:"Where clients end a token of their own (RFC 7009)"`
	Revocations    string `json:"revocations,omitempty" doc:"Its revocation set"`
	RevocationKeys string `json:"revocation_keys,omitempty" doc:"The keys that the revocation set is signed with"`
	Management     string `json:"management,omitempty" doc:"What the paths of its dialect's management API begin with"`
}

// IssuerToken are the defaults of an issuer's tokens.
type IssuerToken struct {
	Lifetime registry.Duration `json:"lifetime"`
}

// KeySchedule is how an issuer's signing keys change by themselves.
type KeySchedule struct {
	Rotate   registry.Duration `json:"rotate"`
	Announce registry.Duration `json:"announce"`
}

// API is an API as it is shown. A token lifetime of "0s" is its issuer's.
type API struct {
	ID         string                    `json:"id"`
	Issuer     string                    `json:"issuer"`
	Identifier string                    `json:"identifier"`
	Name       string                    `json:"name"`
	Scopes     map[string]registry.Scope `json:"scopes"`
	Token      APIToken                  `json:"token"`
	Bound      string                    `json:"bound"`
	Builtin    bool                      `json:"builtin" doc:"Whether the server itself keeps it: the management API of its issuer"`
	DPoPNonce  string                    `json:"dpop_nonce" doc:"Whether proofs at the API need a nonce: required or off. The API itself must be configured to demand it"`

	ResourceServers []string `json:"resource_servers" doc:"The clients that may ask about tokens of the API"`

	ManagedBy string    `json:"managed_by"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	Version   int64     `json:"version"`
}

// APIToken says what an API's tokens look like.
type APIToken struct {
	Format    string            `json:"format"`
	Lifetime  registry.Duration `json:"lifetime"`
	Algorithm string            `json:"algorithm" doc:"That signs them; empty for opaque tokens"`
	Typ       string            `json:"typ" doc:"Header parameter typ; empty for opaque tokens"`
}

// Client is a client as it is shown.
type Client struct {
	ID              string                     `json:"id"`
	Name            string                     `json:"name"`
	Owner           string                     `json:"owner"`
	Labels          map[string]string          `json:"labels"`
	State           string                     `json:"state"`
	StateBy         string                     `json:"state_by" doc:"Who disabled it"`
	Issuers         []string                   `json:"issuers"`
	Bound           string                     `json:"bound"`
	Secrets         []SecretInfo               `json:"secrets"`
	Keys            []KeyInfo                  `json:"keys"`
	JWKSURI         string                     `json:"jwks_uri"`
	KeysURI         *KeysURIInfo               `json:"jwks_uri_credential,omitempty"`
	Certificates    []CertificateInfo          `json:"certificates"`
	LegacyAssertion *registry.LegacyAssertion  `json:"legacy_assertion,omitempty"`
	Methods         []string                   `json:"methods" doc:"The methods of authentication that it could use now"`
	Auth            []string                   `json:"auth"`
	Access          map[string][]string        `json:"access"`
	DefaultAPI      []string                   `json:"default_api"`
	Claims          map[string]json.RawMessage `json:"claims"`
	ManagedBy       string                     `json:"managed_by"`
	Created         time.Time                  `json:"created"`
	Updated         time.Time                  `json:"updated"`
	Version         int64                      `json:"version"`
}

// SecretInfo is a credential of the kind secret as it is shown.
type SecretInfo struct {
	ID       string    `json:"id"`
	Form     string    `json:"form" doc:"sha256 for a generated secret, argon2id for an imported one"`
	Created  time.Time `json:"created,omitzero"`
	Expires  time.Time `json:"expires,omitzero"`
	LastUsed time.Time `json:"last_used,omitzero" doc:"Of uses at other nodes within some seconds; absent when it was never used"`
}

// Operator is an operator as it is shown.
type Operator struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Role      string    `json:"role"`
	ManagedBy string    `json:"managed_by"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	Version   int64     `json:"version"`
}

// OperatorToken is an operator token as it is shown.
type OperatorToken struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	Issuers   []string  `json:"issuers" doc:"Where it is taken; it reaches all issuers of the organisation there"`
	SSWS      bool      `json:"ssws" doc:"Whether programs for Okta may send it with the scheme SSWS"`
	Expires   time.Time `json:"expires,omitzero"`
	ManagedBy string    `json:"managed_by"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	Version   int64     `json:"version"`
}

// Key is a signing key as it is shown.
type Key struct {
	ID        string    `json:"id" doc:"kid"`
	Issuer    string    `json:"issuer"`
	Algorithm string    `json:"algorithm"`
	State     string    `json:"state" doc:"next, active, retired, deleted or revoked"`
	Announced time.Time `json:"announced"`
	Activates time.Time `json:"activates,omitzero"`
	Retires   time.Time `json:"retires,omitzero"`
	Deletes   time.Time `json:"deletes,omitzero"`
	Revoked   time.Time `json:"revoked,omitzero"`
}

func (a *Admin) showIssuer(i *registry.Issuer, version int64) Issuer {
	shown := Issuer{ID: i.ID, URL: i.Iss(a.BaseURL), Dialect: i.Dialect, Token: IssuerToken{registry.Duration(i.TokenLifetime())},
		Profile: cmp.Or(i.Profile, registry.ProfileStandard), Audience: i.Audience, SubjectSuffix: i.SubjectSuffix, Keys: keySettings(i),
		DPoPNonce: cmp.Or(i.DPoPNonce, registry.NonceRequired), Replay: cmp.Or(i.Replay, registry.ReplayStrict),
		ManagedBy: i.ManagedBy, Created: i.Created, Updated: i.Updated, Version: version}
	if a.Endpoints != nil {
		shown.Endpoints = a.Endpoints(i.ID)
	}
	return shown
}

func keySettings(i *registry.Issuer) KeySchedule {
	s := KeySchedule{Rotate: i.Keys.Rotate, Announce: i.Keys.Announce}
	if s.Rotate == 0 {
		s.Rotate = registry.DefaultRotate
	}
	if s.Announce == 0 {
		s.Announce = registry.DefaultAnnounce
	}
	return s
}

func showAPI(a *registry.API, version int64) API {
	out := API{ID: a.ID, Issuer: a.Issuer, Identifier: a.Identifier, Name: a.Name, Scopes: a.Scopes,
		Token: APIToken{Format: registry.FormatOpaque, Lifetime: a.Token.Lifetime}, ResourceServers: a.ResourceServers,
		Builtin: a.Builtin(),
		Bound:   cmp.Or(a.Bound, registry.BoundOptional), DPoPNonce: cmp.Or(a.DPoPNonce, registry.NonceOff),
		ManagedBy: a.ManagedBy, Created: a.Created, Updated: a.Updated, Version: version}
	if !a.Opaque() {
		out.Token.Format, out.Token.Algorithm = registry.FormatJWT, string(a.SigningAlgorithm())
		out.Token.Typ = cmp.Or(a.Token.Typ, symbolon.TypAccessToken)
	}
	if out.Scopes == nil {
		out.Scopes = map[string]registry.Scope{}
	}
	if out.ResourceServers == nil {
		out.ResourceServers = []string{}
	}
	return out
}

func showClient(c *registry.Client, version int64, used map[string]time.Time, now time.Time) Client {
	out := Client{ID: c.ID, Name: c.Name, Owner: c.Owner, Labels: c.Labels, State: c.State, StateBy: c.StateBy,
		Issuers: c.IssuerIDs(), Bound: cmp.Or(c.Bound, registry.BoundOptional), Secrets: showSecrets(c, used), Auth: c.Auth,
		Keys: showKeys(c, used), JWKSURI: c.JWKSURI, KeysURI: showKeysURI(c, used), Certificates: showCertificates(c, used),
		LegacyAssertion: c.LegacyAssertion, Methods: c.Methods(now),
		Access: c.Access, DefaultAPI: c.DefaultAPI, Claims: c.Claims, ManagedBy: c.ManagedBy,
		Created: c.Created, Updated: c.Updated, Version: version}
	if out.Labels == nil {
		out.Labels = map[string]string{}
	}
	if out.Auth == nil {
		out.Auth = []string{}
	}
	if out.Methods == nil {
		out.Methods = []string{}
	}
	if out.Access == nil {
		out.Access = map[string][]string{}
	}
	if out.DefaultAPI == nil {
		out.DefaultAPI = []string{}
	}
	if out.Claims == nil {
		out.Claims = map[string]json.RawMessage{}
	}
	return out
}

func showSecrets(c *registry.Client, used map[string]time.Time) []SecretInfo {
	out := []SecretInfo{}
	for _, s := range c.Secrets {
		info := SecretInfo{ID: s.ID, Form: "argon2id", Created: s.Created, Expires: s.Expires, LastUsed: used[s.ID]}
		if _, ok := registry.ParseSHA256(s.Hash); ok {
			info.Form = "sha256"
		}
		out = append(out, info)
	}
	return out
}

func showOperator(o *registry.Operator, version int64) Operator {
	return Operator{ID: o.ID, Name: o.Name, Email: o.Email, Role: o.Role, ManagedBy: o.ManagedBy,
		Created: o.Created, Updated: o.Updated, Version: version}
}

func showOperatorToken(t *registry.OperatorToken, version int64) OperatorToken {
	return OperatorToken{ID: t.ID, Name: t.Name, Role: t.Role, Issuers: append([]string{}, t.Issuers...), SSWS: t.SSWS, Expires: t.Expires,
		ManagedBy: t.ManagedBy, Created: t.Created, Updated: t.Updated, Version: version}
}

func showKey(k *registry.Key, now time.Time) Key {
	return Key{ID: k.ID, Issuer: k.Issuer, Algorithm: k.Algorithm, State: keys.State(k, now), Announced: k.Announced,
		Activates: k.Activates, Retires: k.Retires, Deletes: k.Deletes, Revoked: k.Revoked}
}

// lastUse turns the store's rows into times by credential.
func lastUse(rows []store.LastUsed) map[string]time.Time {
	out := make(map[string]time.Time, len(rows))
	for _, r := range rows {
		out[r.Credential] = time.UnixMicro(r.At).UTC()
	}
	return out
}
