package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/symbolon/symbolon/internal/config"
	"github.com/symbolon/symbolon/internal/guard"
	"github.com/symbolon/symbolon/internal/node"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/state"
)

const repository = "../.."

// block is a fenced block of a page of the documentation.
type block struct {
	page, language, text string
	line                 int
}

var fence = regexp.MustCompile("(?m)^```([a-z]+)\n((?s:.*?))^```$")

// blocks are all fenced blocks of the README and of docs/.
func blocks(t *testing.T) []block {
	t.Helper()
	pages := []string{filepath.Join(repository, "README.md")}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md"} {
		more, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, more...)
	}
	var out []block
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := filepath.Rel(repository, page)
		for _, m := range fence.FindAllSubmatchIndex(text, -1) {
			out = append(out, block{name, string(text[m[2]:m[3]]), string(text[m[4]:m[5]]), 1 + strings.Count(string(text[:m[0]]), "\n")})
		}
	}
	return out
}

// TestDocsYAML: every YAML block says in its first line which file it is, and
// reads as what the page means by it.
func TestDocsYAML(t *testing.T) {
	expected := map[string]any{
		"docs/configuration.md symbolon.yaml": node.Config{
			URL: "https://auth.example.com", Listen: []node.Listener{{Addr: "127.0.0.1:8080"}}, TrustedProxies: []string{"127.0.0.1/32"},
			Store: "sqlite", DataDir: "/var/lib/symbolon", Apply: "state.yaml",
		},
		"docs/quickstart.md symbolon.yaml": node.Config{
			URL: "http://127.0.0.1:8080", Listen: []node.Listener{{Addr: "127.0.0.1:8080"}}, DataDir: "./data", Apply: "state.yaml",
		},
		"docs/quickstart.md state.yaml": objects{
			APIs: []registry.API{{
				ID: "orders", Identifier: "http://127.0.0.1:9090",
				Scopes: map[string]registry.Scope{
					"orders:read":  {Description: "Read orders"},
					"orders:write": {Description: "Change orders"},
				},
				Token: registry.APIToken{Lifetime: mustDuration(t, "10m"), Algorithm: "ES256"},
			}},
			Clients: []registry.Client{{
				ID: "billing", Name: "Nightly billing", Secrets: []registry.Secret{{ID: "s1"}},
				Access: map[string][]string{"orders": {"orders:read"}},
			}},
		},
	}
	maps.Copy(expected, howtoYAML(t))
	maps.Copy(expected, proxiesYAML(t))
	maps.Copy(expected, migrateYAML(t))
	maps.Copy(expected, declarativeYAML(t))
	seen, ofOthers := 0, 0
	for _, b := range blocks(t) {
		if b.language != "yaml" {
			continue
		}
		first, _, _ := strings.Cut(b.text, "\n")
		name := strings.TrimPrefix(first, "# ")
		if foreign(t, b, name) {
			ofOthers++
			continue
		}
		want, ok := expected[b.page+" "+name]
		if !ok {
			t.Errorf("%s:%d: a YAML block whose expected objects are not known here: %q", b.page, b.line, first)
			continue
		}
		seen++
		if diff := cmp.Diff(want, read(t, b, name), cmpopts.IgnoreUnexported(registry.ClientKey{}, registry.Certificate{})); diff != "" {
			t.Errorf("%s:%d (-want +got):\n%s", b.page, b.line, diff)
		}
	}
	if seen != len(expected) || ofOthers != len(foreignYAML) {
		t.Errorf("%d of %d expected blocks are there, and %d of %d for programs of others", seen, len(expected), ofOthers, len(foreignYAML))
	}
}

// objects are what a declarative file names, without how.
type objects struct {
	Issuers []registry.Issuer
	APIs    []registry.API
	Clients []registry.Client
}

func read(t *testing.T, b block, name string) any {
	t.Helper()
	switch name {
	case "symbolon.yaml", "with-fleet.yaml", "behind-proxy.yaml":
		var cfg node.Config
		if err := new(config.Origins).Decode(name, []byte(b.text), &cfg); err != nil {
			t.Fatalf("%s:%d: %v", b.page, b.line, err)
		}
		return cfg
	case "guard.yaml", "forward-auth.yaml":
		var cfg guard.Config
		if err := new(config.Origins).Decode(name, []byte(b.text), &cfg); err != nil {
			t.Fatalf("%s:%d: %v", b.page, b.line, err)
		}
		return cfg
	case "state.yaml":
		dir := t.TempDir()
		for file, text := range sampleFiles {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		req, err := state.Parse(state.Source{File: name, Data: []byte(b.text), Dir: dir, Env: sampleVariable})
		if err != nil {
			t.Fatalf("%s:%d: %v", b.page, b.line, err)
		}
		var out objects
		for _, i := range req.Objects.Issuers {
			out.Issuers = append(out.Issuers, i.Object)
		}
		for _, a := range req.Objects.APIs {
			out.APIs = append(out.APIs, a.Object)
		}
		for _, c := range req.Objects.Clients {
			out.Clients = append(out.Clients, c.Object)
		}
		return out
	}
	t.Fatalf("%s:%d: the first line names no file that is known: %q", b.page, b.line, name)
	return nil
}

func mustDuration(t *testing.T, text string) registry.Duration {
	t.Helper()
	d, err := registry.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDocsGo: every Go program of the documentation compiles.
func TestDocsGo(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	overlay := map[string]map[string]string{"Replace": {}}
	var packages []string
	for i, b := range blocks(t) {
		if b.language != "go" {
			continue
		}
		file := filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay["Replace"][filepath.Join(root, fmt.Sprintf("docs-block-%d", i), "main.go")] = file
		packages = append(packages, fmt.Sprintf("./docs-block-%d", i))
	}
	if len(packages) < 2 {
		t.Fatalf("%d Go programs in the documentation, want the two of the README", len(packages))
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", append([]string{"build", "-overlay", overlayFile, "-o", dir + "/"}, packages...)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
