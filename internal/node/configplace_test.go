package node

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/config"
)

// readFile reads symbolon.yaml as serve does.
func readFile(t *testing.T, text string, env map[string]string) Config {
	t.Helper()
	cfg := Config{Origins: new(config.Origins)}
	if text != "" {
		if err := cfg.Origins.Decode("symbolon.yaml", []byte(text), &cfg); err != nil {
			t.Fatal(err)
		}
	}
	if err := cfg.Origins.Override(&cfg, "SYMBOLON_", func(k string) (string, bool) { v, ok := env[k]; return v, ok }); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestBadValuesArePlaced: each value that is refused is told with its place in the
// file.
func TestBadValuesArePlaced(t *testing.T) {
	const url = "url: https://auth.example.com\n"
	const pair = "tls: {cert: c.pem, key: k.pem}\n"
	for name, c := range map[string]struct{ text, want string }{
		"no url":                  {"# nothing\nstore: sqlite\n", "symbolon.yaml:2:1: url: missing; it is the https URL"},
		"url":                     {"store: sqlite\nurl: http://auth.example.com\n", "symbolon.yaml:2:6: url: plain http to another machine"},
		"store":                   {url + "store: mysql://u:hidden@db/x\n", "symbolon.yaml:2:8: store: write \"sqlite\""},
		"on_full":                 {url + "audit: {sync: true, on_full: ignore}\n", "symbolon.yaml:2:30: audit.on_full: write"},
		"keep":                    {url + "audit:\n  keep: 1h\n", "symbolon.yaml:3:9: audit.keep: must be at least 2h"},
		"trusted_proxies":         {url + "trusted_proxies: [10.0.0.1, proxy]\n", "symbolon.yaml:2:29: trusted_proxies: \"proxy\" is not a network"},
		"trusted_proxies, lines":  {url + "trusted_proxies:\n  - 10.0.0.1\n  - 10.0.0.0/99\n", "symbolon.yaml:4:5: trusted_proxies: \"10.0.0.0/99\" is not"},
		"jwks_uri_allow":          {url + "jwks_uri_allow: [10.0.0.1, inside]\n", "symbolon.yaml:2:28: jwks_uri_allow: \"inside\" is not a network"},
		"listen":                  {url + "listen: [\"127.0.0.1:1\", \"8080\"]\n", "symbolon.yaml:2:25: listen: \"8080\" is not an address"},
		"listen, open":            {url + "listen:\n  - 127.0.0.1:1\n  - {addr: \"0.0.0.0:8080\"}\n", "symbolon.yaml:4:12: listen: 0.0.0.0:8080 is not loopback and has no tls"},
		"mtls.url":                {url + pair + "mtls: {listen: \":1\", url: \"https://m.example.com/x\"}\n", "symbolon.yaml:3:27: mtls.url: a path, which"},
		"mtls.url, missing":       {url + pair + "mtls: {listen: \":1\"}\n", "symbolon.yaml:3:1: mtls.url: missing"},
		"mtls.url, the same":      {url + pair + "mtls: {listen: \":1\", url: \"https://auth.example.com\"}\n", "symbolon.yaml:3:27: mtls.url: the same host and port"},
		"mtls.listen, missing":    {url + pair + "mtls: {url: \"https://m.example.com\"}\n", "symbolon.yaml:3:1: mtls.listen: missing"},
		"mtls.listen":             {url + pair + "mtls: {url: \"https://m.example.com\", listen: \"8444\"}\n", "symbolon.yaml:3:46: mtls.listen: \"8444\" is not an address"},
		"mtls.listen, long":       {url + pair + "mtls:\n  url: https://m.example.com\n  listen: {addr: \"8444\"}\n", "symbolon.yaml:5:18: mtls.listen: \"8444\" is not an address"},
		"mtls.listen, no pair":    {url + "mtls: {url: \"https://m.example.com\", listen: \":1\"}\n", "symbolon.yaml:2:46: mtls.listen: this listener speaks TLS itself"},
		"mtls.listen, in listen":  {url + pair + "mtls: {url: \"https://m.example.com\", listen: \"127.0.0.1:8080\"}\n", "symbolon.yaml:3:46: mtls.listen: 127.0.0.1:8080 is in listen already"},
		"an empty value, a place": {"url: \"\"\n", "symbolon.yaml:1:6: url: missing"},
	} {
		t.Run(name, func(t *testing.T) { refusedAt(t, readFile(t, c.text, nil), c.want) })
	}
}

// refusedAt wants one line that begins so.
func refusedAt(t *testing.T, cfg Config, want string) {
	t.Helper()
	cfg = cfg.withDefaults()
	err := cfg.validate()
	if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v\nwant %s…", err, want)
	}
}

// TestBadVariablesAndFlagsAreNamed: what did not come from the file is told by the
// name of what set it last, and without a value that may be a secret. The file is
// as bad, and not to blame.
func TestBadVariablesAndFlagsAreNamed(t *testing.T) {
	const url = "url: https://auth.example.com\n"
	const mtls = url + "tls: {cert: c.pem, key: k.pem}\nmtls: {url: \"https://m.example.com\", listen: \":1\"}\n"
	for name, c := range map[string]struct{ file, variable, value, want string }{
		"no url":          {"", "SYMBOLON_STORE", "sqlite", "url: missing"},
		"url":             {"url: http://a.example.com\n", "SYMBOLON_URL", "http://auth.example.com", "SYMBOLON_URL: plain http to another machine"},
		"store":           {url + "store: mysql\n", "SYMBOLON_STORE", "mysql://u:hidden@db/x", "SYMBOLON_STORE: write \"sqlite\""},
		"listen":          {url + "listen: [\":9\"]\n", "SYMBOLON_LISTEN", "127.0.0.1:1,:8080", "SYMBOLON_LISTEN: :8080 is not loopback"},
		"trusted_proxies": {url + "trusted_proxies: [x]\n", "SYMBOLON_TRUSTED_PROXIES", "10.0.0.1,proxy", "SYMBOLON_TRUSTED_PROXIES: \"proxy\" is not a network"},
		"jwks_uri_allow":  {url, "SYMBOLON_JWKS_URI_ALLOW", "inside", "SYMBOLON_JWKS_URI_ALLOW: \"inside\" is not a network"},
		"on_full":         {url + "audit: {on_full: x}\n", "SYMBOLON_AUDIT_ON_FULL", "ignore", "SYMBOLON_AUDIT_ON_FULL: write"},
		"keep":            {url + "audit: {keep: 0h}\n", "SYMBOLON_AUDIT_KEEP", "1h", "SYMBOLON_AUDIT_KEEP: must be at least 2h"},
		"keep, beside it": {url + "audit: {keep: 1h}\n", "SYMBOLON_AUDIT_ON_FULL", "issue", "symbolon.yaml:2:15: audit.keep: must be"},
		"mtls.url":        {mtls, "SYMBOLON_MTLS_URL", "http://localhost", "SYMBOLON_MTLS_URL: certificates are presented in TLS"},
		"mtls.listen":     {mtls, "SYMBOLON_MTLS_LISTEN", "8444", "SYMBOLON_MTLS_LISTEN: \"8444\" is not an address"},
		"mtls alone":      {url, "SYMBOLON_MTLS_URL", "https://m.example.com", "mtls.listen: missing"},
	} {
		t.Run(name, func(t *testing.T) {
			refusedAt(t, readFile(t, c.file, map[string]string{c.variable: c.value}), c.want)
		})
	}
	cfg := readFile(t, url+"store: mysql\n", map[string]string{"SYMBOLON_STORE": "oracle"})
	cfg.Origins.Set("store", "--store")
	refusedAt(t, cfg, "--store: write")
}

// TestWhatValuesNameIsPlaced: what a value leads to is looked at when the node is
// opened, and told with the place of the value.
func TestWhatValuesNameIsPlaced(t *testing.T) {
	t.Chdir(t.TempDir())
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if err := os.Mkdir("open", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("there.pem", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const start = "url: https://auth.example.com\nlisten: [\"127.0.0.1:0\"]\n"
	const mtls = start + "mtls: {url: \"https://m.example.com\", listen: {addr: \"127.0.0.1:0\", tls: {cert: "
	for name, c := range map[string]struct{ file, variable, value, want string }{
		"data_dir":          {start + "data_dir: open\n", "", "", "symbolon.yaml:3:11: data_dir open is open to others"},
		"data_dir, env":     {start, "SYMBOLON_DATA_DIR", "open", "SYMBOLON_DATA_DIR: data_dir open is open to others"},
		"listen":            {"url: https://auth.example.com\nlisten: [\"127.0.0.1:0\", \"" + busy.Addr().String() + "\"]\n", "", "", "symbolon.yaml:2:25: listen: " + busy.Addr().String() + " is in use"},
		"listen, env":       {start, "SYMBOLON_LISTEN", busy.Addr().String(), "SYMBOLON_LISTEN: " + busy.Addr().String() + " is in use"},
		"tls, no cert":      {start + "tls: {cert: none.pem, key: there.pem}\n", "", "", "symbolon.yaml:3:13: listen: 127.0.0.1:0: tls: open none.pem: no such file"},
		"tls, no key":       {start + "tls: {cert: there.pem, key: none.pem}\n", "", "", "symbolon.yaml:3:29: listen: 127.0.0.1:0: tls: open none.pem: no such file"},
		"tls, no PEM":       {start + "tls: {cert: there.pem, key: there.pem}\n", "", "", "symbolon.yaml:3:13: listen: 127.0.0.1:0: tls: "},
		"tls, env":          {start + "tls: {cert: there.pem}\n", "SYMBOLON_TLS_KEY", "none.pem", "SYMBOLON_TLS_KEY: listen: 127.0.0.1:0: tls: open none.pem"},
		"a listener's tls":  {"url: https://auth.example.com\nlisten: [{addr: \"127.0.0.1:0\", tls: {cert: there.pem, key: none.pem}}]\n", "", "", "symbolon.yaml:2:60: listen: 127.0.0.1:0: tls: "},
		"mtls' tls":         {mtls + "none.pem, key: there.pem}}}\n", "", "", "symbolon.yaml:3:80: mtls.listen: 127.0.0.1:0: tls: "},
		"client_ca":         {start + "mtls: {url: \"https://m.example.com\", client_ca: none.pem}\ntrusted_proxies: [127.0.0.1]\n", "", "", "symbolon.yaml:3:49: mtls.client_ca: open none.pem"},
		"apply":             {start + "apply: none.yaml\n", "", "", "symbolon.yaml:3:8: apply: none.yaml: there is no such file; check the path"},
		"apply, env":        {start, "SYMBOLON_APPLY", "none.yaml", "SYMBOLON_APPLY: none.yaml: there is no such file; check the path"},
		"store, no URL":     {start + "store: \"postgres://u:hidden@db:port/x\"\n", "", "", "symbolon.yaml:3:8: store: the URL is not a PostgreSQL one"},
		"store, no URL env": {start, "SYMBOLON_STORE", "postgres://u:hidden@db:port/x", "SYMBOLON_STORE: the URL is not a PostgreSQL one"},
		"store, no place":   {start + "store: sqlite:nowhere/s.db\n", "", "", "symbolon.yaml:3:8: store: "},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := readFile(t, c.file, map[string]string{c.variable: c.value})
			if cfg.DataDir == "" {
				cfg.DataDir = filepath.Join(t.TempDir(), "data")
			}
			n, err := Open(t.Context(), cfg)
			if err == nil {
				n.Close()
			}
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("got %v\nwant %s…", err, c.want)
			}
		})
	}
	cfg := readFile(t, start+"apply: none.yaml\n", nil)
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	if _, err := Open(t.Context(), cfg); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not what it was", err)
	}
}
