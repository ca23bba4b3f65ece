package resource

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// TestNewNamesTheField: what cannot work fails at construction.
func TestNewNamesTheField(t *testing.T) {
	good := Config{Issuer: "https://auth.example.com", Audience: audience}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		field  string
		change func(*Config)
	}{
		"no issuer":           {"Issuer", func(c *Config) { c.Issuer = "" }},
		"issuer over http":    {"Issuer", func(c *Config) { c.Issuer = "http://auth.example.com" }},
		"issuer with query":   {"Issuer", func(c *Config) { c.Issuer = "https://auth.example.com?x" }},
		"issuer with user":    {"Issuer", func(c *Config) { c.Issuer = "https://u:p@auth.example.com" }},
		"no audience":         {"Audience", func(c *Config) { c.Audience = "" }},
		"audience on 2 lines": {"Audience", func(c *Config) { c.Audience = "a\nb" }},
		"quote in realm":      {"Realm", func(c *Config) { c.Realm = `a"b` }},
		"line break in realm": {"Realm", func(c *Config) { c.Realm = "a\r\nX: y" }},
		"audience as realm":   {"Realm", func(c *Config) { c.Audience = `a"b` }},
		"two scopes":          {"Scopes[0]", func(c *Config) { c.Scopes = []string{"a b"} }},
		"empty typ":           {"AllowTyp[0]", func(c *Config) { c.AllowTyp = []string{""} }},
		"negative skew":       {"ClockSkew", func(c *Config) { c.ClockSkew = -1 }},
		"skew of an hour":     {"ClockSkew", func(c *Config) { c.ClockSkew = time.Hour }},
		"negative stale":      {"MaxStale", func(c *Config) { c.MaxStale = -1 }},
		"negative cache":      {"TokenCache", func(c *Config) { c.TokenCache = -1 }},
		"public without host": {"PublicURL", func(c *Config) { c.PublicURL = "orders" }},
		"public with query":   {"PublicURL", func(c *Config) { c.PublicURL = "https://orders.example.com?x=1" }},
		"public with user":    {"PublicURL", func(c *Config) { c.PublicURL = "https://u:p@orders.example.com" }},
	} {
		cfg := good
		c.change(&cfg)
		_, err := New(cfg)
		if field := new(symbolon.ConfigError); !errors.As(err, &field) || field.Field != c.field {
			t.Errorf("%s: %v is not about %s", name, err, c.field)
		}
		if err == nil || !strings.HasPrefix(err.Error(), "resource: Config."+c.field+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
