package state

import (
	"encoding/json"
	"time"

	"github.com/symbolon/symbolon/internal/config"
	"github.com/symbolon/symbolon/internal/registry"
)

// What follows is the file, member by member. A member of type config.Later is
// one that this version does not have: a file that names it is refused.

type file struct {
	Set       string     `yaml:"set"` // owner of what the file names
	Issuers   []issuer   `yaml:"issuers"`
	APIs      []api      `yaml:"apis"`
	Clients   []client   `yaml:"clients"`
	Operators []operator `yaml:"operators"`

	ResourceServers []resourceServer `yaml:"resource_servers"`

	OperatorTokens []operatorToken `yaml:"operator_tokens"`

	Rules config.Later `yaml:"rules"`
}

type issuer struct {
	ID    string `yaml:"id"`
	URL   string `yaml:"url"`
	Token struct {
		Lifetime registry.Duration `yaml:"lifetime"`
	} `yaml:"token"`
	Profile  string `yaml:"profile"`
	Dialect  string `yaml:"dialect"`
	Audience string `yaml:"audience"`
	Keys     struct {
		Rotate   registry.Duration `yaml:"rotate"`
		Announce registry.Duration `yaml:"announce"`
	} `yaml:"keys"`

	SubjectSuffix string `yaml:"subject_suffix"`
	DPoPNonce     string `yaml:"dpop_nonce"`
	Replay        string `yaml:"replay"`

	place *config.Value
}

func (i *issuer) UnmarshalConfig(v *config.Value) error {
	type plain issuer
	i.place = v
	return v.Decode((*plain)(i))
}

func (i *issuer) object() registry.Issuer {
	return registry.Issuer{
		ID: i.ID, URL: i.URL, Profile: i.Profile, Dialect: i.Dialect, Audience: i.Audience, SubjectSuffix: i.SubjectSuffix,
		DPoPNonce: i.DPoPNonce, Replay: i.Replay,
		Token: registry.IssuerToken{Lifetime: i.Token.Lifetime},
		Keys:  registry.KeySchedule{Rotate: i.Keys.Rotate, Announce: i.Keys.Announce},
	}
}

type api struct {
	ID         string           `yaml:"id"`
	Issuer     string           `yaml:"issuer"`
	Identifier string           `yaml:"identifier"`
	Name       string           `yaml:"name"`
	Scopes     map[string]scope `yaml:"scopes"`
	Token      struct {
		Format    string            `yaml:"format"`
		Lifetime  registry.Duration `yaml:"lifetime"`
		Algorithm string            `yaml:"algorithm"`
		Typ       string            `yaml:"typ"`
	} `yaml:"token"`
	Bound     string `yaml:"bound"`
	DPoPNonce string `yaml:"dpop_nonce"`

	place *config.Value
}

func (a *api) UnmarshalConfig(v *config.Value) error {
	type plain api
	a.place = v
	return v.Decode((*plain)(a))
}

func (a *api) object() registry.API {
	o := registry.API{
		ID: a.ID, Issuer: a.Issuer, Identifier: a.Identifier, Name: a.Name, Bound: a.Bound, DPoPNonce: a.DPoPNonce,
		Token: registry.APIToken{Format: a.Token.Format, Lifetime: a.Token.Lifetime, Algorithm: a.Token.Algorithm, Typ: a.Token.Typ},
	}
	if a.Scopes != nil {
		o.Scopes = make(map[string]registry.Scope, len(a.Scopes))
	}
	for name, s := range a.Scopes {
		o.Scopes[name] = registry.Scope(s)
	}
	return o
}

// scope is a description, or {description: …, default: …}.
type scope struct {
	Description string `yaml:"description"`
	Default     bool   `yaml:"default"`
}

func (s *scope) UnmarshalConfig(v *config.Value) error {
	if v.IsText() {
		return v.Decode(&s.Description)
	}
	type plain scope
	return v.Decode((*plain)(s))
}

type client struct {
	ID         string                     `yaml:"id"`
	Name       string                     `yaml:"name"`
	Owner      string                     `yaml:"owner"`
	Labels     map[string]string          `yaml:"labels"`
	State      string                     `yaml:"state"`
	Issuers    []string                   `yaml:"issuers"`
	Bound      string                     `yaml:"bound"`
	Secrets    []secret                   `yaml:"secrets"`
	Auth       []string                   `yaml:"auth"`
	Access     map[string][]string        `yaml:"access"`
	DefaultAPI oneOrMore                  `yaml:"default_api"`
	Claims     map[string]json.RawMessage `yaml:"claims"`

	Keys            []key            `yaml:"keys"`
	JWKSURI         string           `yaml:"jwks_uri"`
	Certificates    []certificate    `yaml:"certificates"`
	LegacyAssertion *legacyAssertion `yaml:"legacy_assertion"`

	place *config.Value
}

func (c *client) UnmarshalConfig(v *config.Value) error {
	type plain client
	c.place = v
	return v.Decode((*plain)(c))
}

func (c *client) object() registry.Client {
	o := registry.Client{
		ID: c.ID, Name: c.Name, Owner: c.Owner, Labels: c.Labels, State: c.State, Issuers: c.Issuers, Bound: c.Bound,
		Auth: c.Auth, Access: c.Access, DefaultAPI: registry.OneOrMore(c.DefaultAPI), Claims: c.Claims,
		JWKSURI: c.JWKSURI, LegacyAssertion: c.LegacyAssertion.object(),
	}
	for _, s := range c.Secrets {
		o.Secrets = append(o.Secrets, registry.Secret{ID: s.ID, Hash: s.Hash, Expires: time.Time(s.Expires)})
	}
	for _, k := range c.Keys {
		o.Keys = append(o.Keys, registry.ClientKey{ID: k.ID, JWK: k.public, Expires: time.Time(k.Expires)})
	}
	for i := range c.Certificates {
		o.Certificates = append(o.Certificates, c.Certificates[i].object())
	}
	return o
}

// secret is a credential; its value stands elsewhere or was hashed before.
type secret struct {
	ID        string        `yaml:"id"`
	ValueFrom config.Source `yaml:"value_from"`
	Hash      string        `yaml:"hash"`
	Expires   expiry        `yaml:"expires"`

	place *config.Value
}

func (s *secret) UnmarshalConfig(v *config.Value) error {
	for _, key := range []string{"value", "secret"} {
		if plainSecret := v.Key(key); plainSecret != nil {
			return plainSecret.Errorf("write value_from: {env: NAME} or value_from: {file: PATH}, or the hash of a generated secret; and make a new secret, for this one has been seen",
				"a plain secret does not belong into this file")
		}
	}
	type plain secret
	s.place = v
	if err := v.Decode((*plain)(s)); err != nil {
		return err
	}
	return valueOrHash(v)
}

// valueOrHash wants one of the two ways in which the file gives a value that does
// not stand in it.
func valueOrHash(v *config.Value) error {
	if from := v.Key("value_from") != nil; from == (v.Key("hash") != nil) {
		return v.Errorf("write value_from: {env: NAME}, value_from: {file: PATH} or hash: \"sha256:…\"", "want one of value_from and hash")
	}
	return nil
}

// expiry is a time, or "never".
type expiry time.Time

const never = "never"

func (e *expiry) UnmarshalConfig(v *config.Value) error {
	if word := ""; v.Decode(&word) == nil && word == never {
		*e = expiry{}
		return nil
	}
	return v.Decode((*time.Time)(e))
}

// oneOrMore is a list that may be written as a single text.
type oneOrMore []string

func (o *oneOrMore) UnmarshalConfig(v *config.Value) error {
	if !v.IsText() {
		return v.Decode((*[]string)(o))
	}
	var one string
	err := v.Decode(&one)
	*o = oneOrMore{one}
	return err
}

type operator struct {
	ID    string `yaml:"id"`
	Name  string `yaml:"name"`
	Email string `yaml:"email"`
	Role  string `yaml:"role"`

	place *config.Value
}

func (o *operator) UnmarshalConfig(v *config.Value) error {
	type plain operator
	o.place = v
	return v.Decode((*plain)(o))
}

func (o *operator) object() registry.Operator {
	return registry.Operator{ID: o.ID, Name: o.Name, Email: o.Email, Role: o.Role}
}
