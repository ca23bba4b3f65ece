package client

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

// TestNewNamesTheField: a configuration that cannot work fails at
// construction, with the field's name and without the secret.
func TestNewNamesTheField(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) Auth {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return SecretFile(path)
	}
	good := Config{Issuer: "https://auth.example.com", ID: "billing", Auth: Secret("s"), Resource: "https://orders.example.com"}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		field  string
		change func(*Config)
	}{
		"no issuer":             {"Issuer", func(c *Config) { c.Issuer = "" }},
		"issuer over http":      {"Issuer", func(c *Config) { c.Issuer = "http://auth.example.com" }},
		"issuer without scheme": {"Issuer", func(c *Config) { c.Issuer = "auth.example.com" }},
		"token URL over http":   {"TokenURL", func(c *Config) { c.TokenURL = "http://auth.example.com/token" }},
		"no id":                 {"ID", func(c *Config) { c.ID = "" }},
		"no auth":               {"Auth", func(c *Config) { c.Auth = nil }},
		"empty secret":          {"Auth", func(c *Config) { c.Auth = Secret("") }},
		"line break in secret":  {"Auth", func(c *Config) { c.Auth = Secret("hush\n") }},
		"NUL in secret":         {"Auth", func(c *Config) { c.Auth = Secret("hush\x00") }},
		"no such file":          {"Auth", func(c *Config) { c.Auth = SecretFile(filepath.Join(dir, "none")) }},
		"empty file":            {"Auth", func(c *Config) { c.Auth = file("empty", "\n") }},
		"file of several lines": {"Auth", func(c *Config) { c.Auth = file("lines", "hush\nhush\n") }},
		"wrong file":            {"Auth", func(c *Config) { c.Auth = file("big", strings.Repeat("x", 1<<20)) }},
		"directory":             {"Auth", func(c *Config) { c.Auth = SecretFile(dir) }},
		"two scopes in one":     {"Scopes[1]", func(c *Config) { c.Scopes = []string{"a", "b c"} }},
		"empty scope":           {"Scopes[0]", func(c *Config) { c.Scopes = []string{""} }},
		"quote in scope":        {"Scopes[0]", func(c *Config) { c.Scopes = []string{`a"b`} }},
		"resource no URI":       {"Resource", func(c *Config) { c.Resource = "orders" }},
		"resource fragment":     {"Resource", func(c *Config) { c.Resource = "https://orders.example.com#x" }},
		"resource over http":    {"Resource", func(c *Config) { c.Resource = "http://orders.example.com" }},
		"origin over http":      {"Origins[0]", func(c *Config) { c.Origins = []string{"http://orders.example.com"} }},
		"origin with path":      {"Origins[0]", func(c *Config) { c.Origins = []string{"https://orders.example.com/v1"} }},
		"origin no URL":         {"Origins[1]", func(c *Config) { c.Origins = []string{"https://a.example", "orders.example.com"} }},
	} {
		cfg := good
		c.change(&cfg)
		_, err := New(cfg)
		if field := new(symbolon.ConfigError); !errors.As(err, &field) || field.Field != c.field {
			t.Errorf("%s: %v is not about %s", name, err, c.field)
		}
		if err == nil || !strings.HasPrefix(err.Error(), "client: Config."+c.field+": ") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNewAccepts: forms that are not obvious.
func TestNewAccepts(t *testing.T) {
	for name, cfg := range map[string]Config{
		"token URL alone":                 {TokenURL: "https://auth.example.com/token"},
		"loopback":                        {Issuer: "http://localhost:8080", Resource: "http://127.0.0.1:9090"},
		"urn resource":                    {Issuer: "https://auth.example.com", Resource: "urn:example:orders"},
		"name over http, sent over https": {Issuer: "https://auth.example.com", Resource: "http://orders", Origins: []string{"https://orders.example.com/"}},
		"legacy audience":                 {Issuer: "https://auth.example.com", Audience: "orders"},
	} {
		cfg.ID, cfg.Auth = "billing", Secret("s")
		if _, err := New(cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
