package state

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/config"
	"github.com/symbolon/symbolon/internal/registry"
)

// key is a public key of a client. Its text stands in the file as a JWK, or in a
// file of its own.
type key struct {
	ID      string          `yaml:"id"`
	JWK     json.RawMessage `yaml:"jwk"`
	PEMFile string          `yaml:"pem_file"` // a public key or certificate in PEM, or a JWK; relative to the file
	Expires expiry          `yaml:"expires"`

	place  *config.Value
	public json.RawMessage // as the client's document holds it; nil until it is read
}

func (k *key) UnmarshalConfig(v *config.Value) error {
	type plain key
	k.place = v
	if err := v.Decode((*plain)(k)); err != nil {
		return err
	}
	if (v.Key("pem_file") != nil) == (v.Key("jwk") != nil) {
		return v.Errorf("write pem_file: billing.pub or jwk: {kty: …}", "want one of pem_file and jwk")
	}
	return nil
}

// certificate is what the certificate of a connection must say, or be.
type certificate struct {
	ID        string `yaml:"id"`
	SubjectDN string `yaml:"subject_dn"`
	SANDNS    string `yaml:"san_dns"`
	SANURI    string `yaml:"san_uri"`
	SANIP     string `yaml:"san_ip"`
	SANEmail  string `yaml:"san_email"`
	PEM       string `yaml:"pem"`      // the client's own certificate
	PEMFile   string `yaml:"pem_file"` // where it stands
	Expires   expiry `yaml:"expires"`

	place *config.Value
}

func (c *certificate) UnmarshalConfig(v *config.Value) error {
	type plain certificate
	c.place = v
	if err := v.Decode((*plain)(c)); err != nil {
		return err
	}
	if v.Key("pem_file") != nil && v.Key("pem") != nil {
		return v.Errorf("write pem_file: billing.crt", "want one of pem_file and pem")
	}
	return nil
}

func (c *certificate) object() registry.Certificate {
	return registry.Certificate{ID: c.ID, SubjectDN: c.SubjectDN, SANDNS: c.SANDNS, SANURI: c.SANURI, SANIP: c.SANIP,
		SANEmail: c.SANEmail, PEM: c.PEM, Expires: time.Time(c.Expires)}
}

// legacyAssertion is the dated exception, or "none".
type legacyAssertion struct {
	Until       time.Time         `yaml:"until"`
	Audience    []string          `yaml:"audience"`
	MaxLifetime registry.Duration `yaml:"max_lifetime"`

	none bool
}

const none = "none"

func (l *legacyAssertion) UnmarshalConfig(v *config.Value) error {
	if word := ""; v.IsText() && v.Decode(&word) == nil && word == none {
		l.none = true
		return nil
	}
	type plain legacyAssertion
	return v.Decode((*plain)(l))
}

func (l *legacyAssertion) object() *registry.LegacyAssertion {
	if l == nil || l.none {
		return nil
	}
	return &registry.LegacyAssertion{Until: l.Until, Audience: l.Audience, MaxLifetime: l.MaxLifetime}
}

// keys reads the public keys and certificates that stand elsewhere. What cannot
// be read is told here, and left out of what is judged further.
func (l *loader) keys(c *client) {
	usable := c.Keys[:0]
	for _, k := range c.Keys {
		text, member := []byte(k.JWK), "jwk"
		if k.PEMFile != "" {
			var ok bool
			if text, ok = l.pemFile(c.ID, k.ID, k.place, k.PEMFile); !ok {
				continue
			}
			member = "pem_file"
		}
		public, err := registry.PublicJWK(text)
		if err != nil {
			l.fail(k.place.At(member, k.place.Path()+"."+member+": "+strings.TrimPrefix(err.Error(), "jose: "),
				registry.KeyFix))
			continue
		}
		k.public = public
		usable = append(usable, k)
	}
	c.Keys = usable
	whole := c.Certificates[:0]
	for _, one := range c.Certificates {
		if one.PEMFile != "" {
			text, ok := l.pemFile(c.ID, one.ID, one.place, one.PEMFile)
			if !ok {
				continue
			}
			one.PEM = string(text)
		}
		whole = append(whole, one)
	}
	c.Certificates = whole
}

// pemFile reads the file of a key or certificate: it is part of what the
// declarative file says.
func (l *loader) pemFile(client, id string, place *config.Value, path string) ([]byte, bool) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.src.Dir, path)
	}
	text, err := config.ReadFile(path)
	if err != nil {
		l.unread(place, "pem_file", err)
		return nil, false
	}
	l.content.addPublic(client, id, text)
	return text, true
}

func keyMaps(keys []registry.ClientKey, fields admin.Fields) []config.Map {
	return credentialMaps("keys", keys, fields, func(k *registry.ClientKey) (string, time.Time, config.Map) {
		return k.ID, k.Expires, config.Map{{Key: "jwk", Value: k.JWK}}
	})
}

func certificateMaps(certificates []registry.Certificate, fields admin.Fields) []config.Map {
	return credentialMaps("certificates", certificates, fields, func(c *registry.Certificate) (id string, expires time.Time, values config.Map) {
		for _, form := range []config.Pair{{Key: "subject_dn", Value: c.SubjectDN}, {Key: "san_dns", Value: c.SANDNS}, {Key: "san_uri", Value: c.SANURI},
			{Key: "san_ip", Value: c.SANIP}, {Key: "san_email", Value: c.SANEmail}, {Key: "pem", Value: c.PEM}} {
			if form.Value != "" {
				values = append(values, form)
			}
		}
		return c.ID, c.Expires, values
	})
}

func legacyMap(l *registry.LegacyAssertion) any {
	if l == nil {
		return none
	}
	m := config.Map{{Key: "until", Value: expiryText(l.Until)}, {Key: "audience", Value: l.Audience}}
	if l.MaxLifetime != 0 {
		m = append(m, config.Pair{Key: "max_lifetime", Value: l.MaxLifetime.String()})
	}
	return config.Inline{Value: m}
}
