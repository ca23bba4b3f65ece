package node

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/config"
)

func TestConfigIsRefusedWithTheWayOut(t *testing.T) {
	good := func() Config { return Config{URL: "https://auth.example.com"}.withDefaults() }
	for name, c := range map[string]struct {
		change func(*Config)
		want   string // part of the error; empty: accepted
	}{
		"defaults":               {func(*Config) {}, ""},
		"no url":                 {func(c *Config) { c.URL = "" }, "url: missing"},
		"plain http":             {func(c *Config) { c.URL = "http://auth.example.com" }, "url: plain http to another machine"},
		"http on loopback":       {func(c *Config) { c.URL = "http://localhost:8080" }, ""},
		"http on 127/8":          {func(c *Config) { c.URL = "http://127.1.2.3:8080" }, ""},
		"loopback by name only":  {func(c *Config) { c.URL = "http://localhost.example.com" }, "url: plain http to another machine"},
		"query":                  {func(c *Config) { c.URL = "https://a.example.com/?x" }, "query"},
		"fragment":               {func(c *Config) { c.URL = "https://a.example.com/#x" }, "fragment"},
		"user":                   {func(c *Config) { c.URL = "https://u:p@a.example.com" }, "user"},
		"relative":               {func(c *Config) { c.URL = "auth.example.com" }, "not an absolute URL"},
		"final slash":            {func(c *Config) { c.URL = "https://a.example.com/x/" }, ""},
		"endpoint":               {func(c *Config) { c.URL = "https://a.example.com/token" }, "is an endpoint of the server's own"},
		"encoded path":           {func(c *Config) { c.URL = "https://a.example.com/%74oken" }, "encoded segments"},
		"store":                  {func(c *Config) { c.Store = "mysql://x" }, "store: write"},
		"on_full":                {func(c *Config) { c.Audit.OnFull = "ignore" }, "audit.on_full"},
		"open to the network":    {func(c *Config) { c.Listen = []Listener{{Addr: "0.0.0.0:8080"}} }, "has no tls"},
		"open, all interfaces":   {func(c *Config) { c.Listen = []Listener{{Addr: ":8080"}} }, "has no tls"},
		"open, with tls":         {func(c *Config) { c.Listen = []Listener{{Addr: ":8443", TLS: &TLSFiles{"c", "k"}}} }, ""},
		"open, behind a proxy":   {func(c *Config) { c.Listen = []Listener{{Addr: ":8080"}}; c.TrustedProxies = []string{"10.0.0.0/8"} }, ""},
		"not an address":         {func(c *Config) { c.Listen = []Listener{{Addr: "8080"}} }, "not an address"},
		"not a network":          {func(c *Config) { c.TrustedProxies = []string{"proxy"} }, "trusted_proxies"},
		"address as a network":   {func(c *Config) { c.TrustedProxies = []string{"10.1.2.3"} }, ""},
		"negative max_stale":     {func(c *Config) { c.MaxStale = -1 }, "must not be negative"},
		"several at once, first": {func(c *Config) { c.URL = ""; c.Store = "x" }, "url: missing"},
		"several at once, last":  {func(c *Config) { c.URL = ""; c.Store = "x" }, "store: write"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good()
			c.change(&cfg)
			err := cfg.validate()
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Fatalf("got %v, want it to say %q", err, c.want)
			}
		})
	}
}

// TestEveryMemberIsInTheManual: what symbolon.yaml may hold stands in a row of the
// page about it.
func TestEveryMemberIsInTheManual(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	row := func(key string) string {
		_, rest, _ := strings.Cut(string(page), "\n| `"+key+"` |")
		line, _, _ := strings.Cut(rest, "\n")
		return line
	}
	for f := range reflect.TypeFor[Config]().Fields() {
		key := f.Tag.Get("yaml")
		if key == "-" || f.Type == reflect.TypeFor[config.Later]() {
			continue
		}
		if row(key) == "" {
			t.Errorf("%s has no row", key)
		}
		inner := f.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() != reflect.Struct {
			continue
		}
		for m := range inner.Fields() {
			if member := m.Tag.Get("yaml"); member != "-" && !strings.Contains(row(key), member) {
				t.Errorf("the row of %s has no %s", key, member)
			}
		}
	}
}
