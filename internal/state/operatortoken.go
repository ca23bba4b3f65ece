package state

import (
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/config"
	"github.com/symbolon/symbolon/internal/registry"
)

// operatorToken is the power of an operator for a program. Its value stands
// elsewhere or was hashed before.
type operatorToken struct {
	ID        string        `yaml:"id"`
	Name      string        `yaml:"name"`
	Role      string        `yaml:"role"`
	Issuers   []string      `yaml:"issuers"`
	SSWS      bool          `yaml:"ssws"`
	Expires   expiry        `yaml:"expires"`
	ValueFrom config.Source `yaml:"value_from"`
	Hash      string        `yaml:"hash"`

	place *config.Value
}

func (t *operatorToken) UnmarshalConfig(v *config.Value) error {
	for _, key := range []string{"value", "token", "secret"} {
		if plainValue := v.Key(key); plainValue != nil {
			return plainValue.Errorf("write value_from: {env: NAME} or value_from: {file: PATH}; and make a new token, for this one has been seen",
				"the plain value of a token does not belong into this file")
		}
	}
	type plain operatorToken
	t.place = v
	if err := v.Decode((*plain)(t)); err != nil {
		return err
	}
	return valueOrHash(v)
}

func (t *operatorToken) object() registry.OperatorToken {
	return registry.OperatorToken{ID: t.ID, Name: t.Name, Role: t.Role, Issuers: t.Issuers, SSWS: t.SSWS, Expires: time.Time(t.Expires), Hash: t.Hash}
}

// tokenValue fetches the value of a token that stands elsewhere.
func (l *loader) tokenValue(t *operatorToken) {
	value, given := l.valueFrom(t.place, t.ValueFrom)
	if !given {
		return
	}
	if message, _ := registry.CheckTokenValue(value); message != "" {
		l.fail(t.place.At("value_from", t.place.Path()+".value_from: "+message, "put a generated value there: openssl rand -hex 32"))
		return
	}
	if l.state.TokenValues == nil {
		l.state.TokenValues = make(map[string]admin.Secret)
	}
	l.state.TokenValues[t.ID] = admin.NewSecret(value)
	l.content.add("operator token", t.ID, value)
}

func operatorTokenMap(o *registry.OperatorToken, b *members) {
	b.id(o.ID)
	b.add("name", o.Name)
	b.add("role", o.Role)
	b.add("issuers", o.Issuers)
	b.add("ssws", o.SSWS)
	b.add("expires", expiryText(o.Expires))
	b.add("hash", o.Hash)
}
