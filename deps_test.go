package symbolon_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/symbolon/symbolon"

// layer says what one package may import of ours, and why no more. Packages
// that are named nowhere fail the test: a new one needs its line here.
type layer struct {
	may    []string // our packages, without the module's path; "symbolon" is the root
	direct []string // modules of others that it may import itself; nil: the standard library only
	why    string
}

var layers = map[string]layer{
	"symbolon": {nil, nil, "words that both halves share: a leaf, so that users of client and resource take on nothing else"},

	"internal/duration": {nil, nil, "how configurations write a duration: the server's and the guard's, which may not know the domain"},
	"internal/disk":     {nil, nil, "files that are there whole or not at all: a leaf, because who writes them may not know each other, and a user of resource does, too"},
	"internal/fetch":    {[]string{"symbolon"}, nil, "what an issuer says, bounded: the half that asks and the half that checks read it alike"},
	"internal/jose":     {nil, nil, "tokens and keys are what the product exists for: no module between us and the standard library's cryptography"},
	"internal/dpop":     {[]string{"internal/jose", "symbolon"}, nil, "proofs and what was presented once: all three halves use it, so it is a leaf next to jose"},
	"internal/store":    {[]string{"internal/disk"}, []string{"modernc.org/sqlite", "github.com/jackc/pgx/v5", "github.com/pressly/goose/v3"}, "opaque documents in two databases: it knows no domain type"},
	"internal/web":      {[]string{"symbolon"}, nil, "plain HTTP manners, usable by every listener"},
	"internal/registry": {[]string{"internal/duration", "internal/jose", "symbolon"}, nil, "domain types and pure rules: no I/O, no clock"},
	"internal/keys":     {[]string{"internal/disk", "internal/registry", "internal/jose", "symbolon"}, nil, "signing and sealing are pure; admin writes what they say"},
	"internal/audit":    {[]string{"internal/disk", "internal/store", "internal/registry", "symbolon"}, nil, "evidence flows up; it never looks at the replica"},
	"internal/replica":  {[]string{"internal/disk", "internal/store", "internal/registry", "symbolon"}, nil, "truth flows down; it never looks at evidence"},
	"internal/admin":    {[]string{"internal/registry", "internal/replica", "internal/store", "internal/keys", "internal/audit", "internal/jose", "symbolon"}, []string{"golang.org/x/crypto"}, "every operation once; it speaks no protocol"},
	"internal/config":   {nil, []string{"go.yaml.in/yaml/v3"}, "the one importer of YAML; it knows no domain type"},
	"internal/state":    {[]string{"internal/config", "internal/admin", "internal/registry", "symbolon"}, nil, "the declarative file onto admin's types"},
	"internal/server":   {[]string{"internal/admin", "internal/registry", "internal/replica", "internal/keys", "internal/audit", "internal/dpop", "internal/jose", "internal/web", "symbolon"}, []string{"golang.org/x/crypto"}, "the OAuth endpoints decide on the replica: never on the store"},
	"internal/dialect":  {[]string{"internal/server", "internal/admin", "internal/registry", "resource", "internal/web", "symbolon"}, nil, "vendors' paths, claims and quirks as values that server understands, their management calls onto admin: never the store"},
	"internal/adminapi": {[]string{"internal/admin", "internal/state", "internal/registry", "resource", "internal/web", "internal/audit", "symbolon"}, []string{"github.com/danielgtaylor/huma/v2"}, "admin over HTTP: never the store, never the OAuth endpoints"},
	"internal/node":     {[]string{"internal/disk", "internal/adminapi", "internal/dialect", "internal/server", "internal/state", "internal/config", "internal/admin", "internal/audit", "internal/replica", "internal/keys", "internal/registry", "internal/dpop", "internal/jose", "internal/store", "internal/web", "resource", "client", "symbolon"}, nil, "composition: all but the guard"},

	"internal/guard": {[]string{"internal/config", "internal/duration", "resource", "client", "internal/web", "symbolon"}, nil, "it decides as the library does, and asks as a client does: never the server, never the store"},

	"client":       {[]string{"internal/fetch", "internal/dpop", "internal/jose", "symbolon"}, nil, "a user's program compiles the standard library and our own leaves"},
	"resource":     {[]string{"internal/disk", "client", "internal/fetch", "internal/dpop", "internal/jose", "symbolon"}, nil, "the same for the half that checks"},
	"symbolontest": {[]string{"internal/node", "internal/admin", "internal/registry", "client", "resource", "symbolon"}, nil, "a whole symbolon inside a test"},

	"cmd/symbolon": {[]string{"internal/disk", "internal/adminapi", "internal/guard", "internal/keys", "internal/node", "internal/state", "internal/admin", "internal/audit", "internal/config", "internal/registry", "client", "resource", "internal/jose", "symbolon"}, []string{"github.com/spf13/cobra"}, "flags and output; the program is internal/node, what it says is said to internal/adminapi"},
}

// outside are programs and packages that are no part of the product: what they
// import costs its users nothing.
func outside(name string) bool {
	return name == "internal/pgtest" || name == "internal/logtest" || name == "bench" || strings.HasPrefix(name+"/", "bench/") || strings.HasPrefix(name, "examples/")
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps,Standard"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []listed
	d := json.NewDecoder(bufio.NewReader(bytes.NewReader(out)))
	for {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func short(path string) string {
	if path == module {
		return "symbolon"
	}
	return strings.TrimPrefix(path, module+"/")
}

func ours(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

// violations names each import of p that its layer does not allow.
func violations(p listed) []string {
	name := short(p.ImportPath)
	if outside(name) {
		return nil
	}
	l, ok := layers[name]
	if !ok {
		return []string{name + ": not in the table of layers; give it a line with its reason"}
	}
	var bad []string
	for _, imported := range p.Imports {
		switch {
		case ours(imported):
			if !slices.Contains(l.may, short(imported)) {
				bad = append(bad, fmt.Sprintf("%s imports %s (%s)", name, short(imported), l.why))
			}
		case strings.Contains(strings.Split(imported, "/")[0], "."):
			if !slices.ContainsFunc(l.direct, func(m string) bool { return imported == m || strings.HasPrefix(imported, m+"/") }) {
				bad = append(bad, fmt.Sprintf("%s imports %s (%s)", name, imported, l.why))
			}
		}
	}
	return bad
}

// TestLayers holds the import direction: what a package may know of.
func TestLayers(t *testing.T) {
	for _, p := range list(t, "./...") {
		for _, v := range violations(p) {
			t.Error(v)
		}
	}
}

// TestLayersSeeAPlantedImport shows that the rule can fail.
func TestLayersSeeAPlantedImport(t *testing.T) {
	for _, c := range []struct{ from, to string }{
		{"internal/adminapi", module + "/internal/store"},
		{"client", "golang.org/x/sync/singleflight"},
		{"internal/audit", module + "/internal/replica"},
		{"internal/unheardof", "fmt"},
	} {
		if len(violations(listed{ImportPath: module + "/" + c.from, Imports: []string{c.to}})) != 1 {
			t.Errorf("%s importing %s was let through", c.from, c.to)
		}
	}
}

// TestLibraryUsersTakeOnNoModule: a program that uses client or resource
// compiles the standard library and our own packages, nothing else.
func TestLibraryUsersTakeOnNoModule(t *testing.T) {
	for _, p := range list(t, "./client", "./resource") {
		for _, dep := range p.Deps {
			if !ours(dep) && strings.Contains(strings.Split(dep, "/")[0], ".") {
				t.Errorf("%s costs its users %s", short(p.ImportPath), dep)
			}
		}
	}
}
