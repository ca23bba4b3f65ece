package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/guard"
	"github.com/symbolon/symbolon/internal/node"
	"github.com/symbolon/symbolon/internal/registry"
)

// followed are the pages that a newcomer types from top to bottom: the quickstart,
// docs/howto and docs/migrate.
func followed(t *testing.T) []string {
	t.Helper()
	pages := []string{filepath.Join(repository, "docs/quickstart.md")}
	for _, dir := range []string{"docs/howto", "docs/migrate"} {
		found, err := filepath.Glob(filepath.Join(repository, dir, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) < 3 {
			t.Fatalf("%d pages in %s: private_key_jwt, mTLS and DPoP have one each, and so has each vendor", len(found), dir)
		}
		pages = append(pages, found...)
	}
	return pages
}

// TestHowtosLineByLine follows each page as a newcomer would: its files are written
// where they stand, its lines typed into one shell, and what it shows must be
// printed. Nothing of a page is passed over.
func TestHowtosLineByLine(t *testing.T) {
	pages := followed(t)
	module := publishModule(t)
	for _, path := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".md"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			followPage(t, path, freePorts(t, string(text)), t.TempDir(), module)
		})
	}
}

// followPage follows the page in dir.
func followPage(t *testing.T, path, text, dir string, env []string) {
	t.Helper()
	steps, problems := readHowto(text)
	for _, p := range problems {
		t.Errorf("%s: %s", path, p)
	}
	if t.Failed() {
		return
	}
	sh := newSession(t, dir, env)
	for _, s := range steps {
		if problem := sh.follow(s); problem != "" {
			t.Fatalf("%s:%d: %s", path, s.line, problem)
		}
	}
}

// step is a file to write, or lines to type and what they print.
type step struct {
	line  int
	file  string // empty: lines to type
	text  string
	exit  int
	shown string // lines of the output, in their order; … stands for anything
}

var (
	exitComment = regexp.MustCompile(`# exit code (\d+)\n$`)
	onLoopback  = regexp.MustCompile(`\b(127\.0\.0\.1|localhost):(\d+)\b`)
	fileComment = map[string]string{
		"yaml": "# ", "haproxy": "# ", "nginx": "# ", "apache": "# ", "caddy": "# ", "go": "// ",
	}
)

// readHowto reads a page. It knows what to do with every block, or says so.
func readHowto(text string) (steps []step, problems []string) {
	bad := func(line int, format string, args ...any) {
		problems = append(problems, fmt.Sprintf("line %d: ", line)+fmt.Sprintf(format, args...))
	}
	lines, typed := strings.SplitAfter(text, "\n"), false
	for i := 0; i < len(lines); i++ {
		if strings.HasPrefix(lines[i], "    ") || strings.HasPrefix(lines[i], "\t") {
			bad(i+1, "an indented block, which nobody would run: fence it")
		}
		language, ok := strings.CutPrefix(strings.TrimSpace(lines[i]), "```")
		if !ok {
			typed = typed && strings.TrimSpace(lines[i]) == ""
			continue
		}
		start, body := i+1, ""
		for i++; i < len(lines) && !strings.HasPrefix(lines[i], "```"); i++ {
			body += lines[i]
		}
		switch {
		case language == "sh":
			steps = append(steps, step{line: start, text: body, exit: exitOf(body)})
		case language == "text" && typed:
			steps[len(steps)-1].shown = body
		case fileComment[language] != "":
			first, _, _ := strings.Cut(body, "\n")
			name, named := strings.CutPrefix(first, fileComment[language])
			if !named || strings.ContainsAny(name, " \\") || !filepath.IsLocal(name) {
				bad(start, "the first line is not the file's name: %q", first)
			}
			steps = append(steps, step{line: start, file: name, text: body})
		default:
			bad(start, "nothing is known to do with this block of %q", language)
		}
		typed = language == "sh"
	}
	return steps, problems
}

func exitOf(lines string) int {
	m := exitComment.FindStringSubmatch(lines)
	if m == nil {
		return 0
	}
	code, _ := strconv.Atoi(m[1])
	return code
}

// freePorts gives every port of a page that is on this machine another one, which
// nobody listens on.
func freePorts(t *testing.T, text string) string {
	t.Helper()
	return otherPorts(t, text, make(map[string]string))
}

// otherPorts is freePorts for several texts that speak of the same ports: free
// has those that were given.
func otherPorts(t *testing.T, text string, free map[string]string) string {
	t.Helper()
	return onLoopback.ReplaceAllStringFunc(text, func(at string) string {
		host, port, _ := strings.Cut(at, ":")
		for free[port] == "" {
			addr, err := freeAddr()
			if err != nil {
				t.Fatal(err)
			}
			_, candidate, _ := strings.Cut(addr, ":")
			if !strings.Contains(text, ":"+candidate) {
				free[port] = candidate
			}
		}
		return host + ":" + free[port]
	})
}

// TestHowtosNameCommandsThatThereAre: what stands in a sentence is not run, but
// its command and its flags are there.
func TestHowtosNameCommandsThatThereAre(t *testing.T) {
	seen := 0
	for _, path := range followed(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inlineCommand.FindAllStringSubmatch(string(text), -1) {
			seen++
			found, rest, err := newRoot(testApp()).Find(strings.Fields(m[1]))
			if err != nil || !found.HasParent() {
				t.Errorf("%s: symbolon %s: there is no such command: %v", path, m[1], err)
				continue
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%s: symbolon %s: %v", path, m[1], err)
			}
		}
	}
	if seen < 5 {
		t.Errorf("only %d commands found in sentences: has their form changed?", seen)
	}
}

var inlineCommand = regexp.MustCompile("`symbolon ([^`\n]+)`")

// TestHowtoReaderPassesNothingOver: each kind of block that would not be run, or
// would not be compared, is a problem.
func TestHowtoReaderPassesNothingOver(t *testing.T) {
	for name, text := range map[string]string{
		"a language that nobody runs":      "```python\nprint(1)\n```\n",
		"no language":                      "```\nls\n```\n",
		"an indented block":                "Type:\n\n    ls\n",
		"an output of nothing":             "```text\nok\n```\n",
		"an output behind a sentence":      "```sh\ntrue\n```\n\nIt prints:\n\n```text\nok\n```\n",
		"an output of a file":              "```yaml\n# a.yaml\n```\n```text\nok\n```\n",
		"a file without a name":            "```yaml\na: b\n```\n",
		"a file whose name leads outside":  "```yaml\n# ../a.yaml\na: b\n```\n",
		"a fence that is part of a list":   "1. so:\n   ```console\n   ls\n   ```\n",
		"a file of another comment's kind": "```go\n# a.go\n```\n",
	} {
		if _, problems := readHowto(text); len(problems) == 0 {
			t.Errorf("%s: no problem was seen", name)
		}
	}
	steps, problems := readHowto("```yaml\n# a/b.yaml\na: b\n```\n```sh\nls x # exit code 2\n```\n\n```text\nls: …\n```\n")
	if len(problems) > 0 || len(steps) != 2 || steps[0].file != "a/b.yaml" || steps[1].exit != 2 || steps[1].shown != "ls: …\n" {
		t.Errorf("a good page: %+v, %q", steps, problems)
	}
}

// howtoYAML is what the pages of docs/howto mean by their YAML blocks.
func howtoYAML(t *testing.T) map[string]any {
	t.Helper()
	public, err := registry.PublicJWK([]byte(samplePublicKey))
	if err != nil {
		t.Fatal(err)
	}
	keys := []registry.ClientKey{{ID: "k1", JWK: public}}
	access := map[string][]string{"orders": {"orders:read"}}
	plain := []node.Listener{{Addr: "127.0.0.1:8080"}}
	return map[string]any{
		"docs/howto/private-key-jwt.md symbolon.yaml":   node.Config{URL: "http://127.0.0.1:8080", Listen: plain},
		"docs/howto/private-key-jwt.md with-fleet.yaml": node.Config{URL: "http://127.0.0.1:8080", Listen: plain, JWKSURIAllow: []string{"127.0.0.0/8", "::1"}},
		"docs/howto/private-key-jwt.md state.yaml": objects{
			Clients: []registry.Client{{ID: "nightly", Keys: keys, Access: access}},
		},
		"docs/howto/introspection.md symbolon.yaml": node.Config{URL: "http://127.0.0.1:8080", Listen: plain},
		"docs/howto/guard.md symbolon.yaml":         node.Config{URL: "http://127.0.0.1:8080", Listen: plain},
		"docs/howto/guard.md guard.yaml": guard.Config{
			Issuer: "http://127.0.0.1:8080", Audience: "http://127.0.0.1:8090", DataDir: "./guard",
			Proxy: &guard.Proxy{Listen: "127.0.0.1:8090", Upstream: "http://127.0.0.1:3000"}, Health: "127.0.0.1:8092",
			Routes: []guard.Route{
				{Match: "GET /orders", Scopes: []string{"orders:read"}}, {Match: "GET /orders/{id}", Scopes: []string{"orders:read"}},
				{Match: "POST /orders", Scopes: []string{"orders:write"}}, {Match: "/public/", Allow: "anyone"},
			},
		},
		"docs/howto/guard.md forward-auth.yaml": guard.Config{
			Issuer: "http://127.0.0.1:8080", Audience: "http://127.0.0.1:8090",
			ForwardAuth: &guard.ForwardAuth{Listen: "127.0.0.1:8091", Headers: "nginx", Trusted: []string{"127.0.0.1"}},
			Routes:      []guard.Route{{Match: "GET /orders", Scopes: []string{"orders:read"}}, {Match: "/public/", Allow: "anyone"}},
		},
		"docs/howto/dpop.md symbolon.yaml": node.Config{URL: "http://127.0.0.1:8080", Listen: plain},
		"docs/howto/dpop.md state.yaml": objects{
			APIs: []registry.API{{
				ID: "orders", Identifier: "http://127.0.0.1:9090", Bound: registry.BoundDPoP,
				Scopes: map[string]registry.Scope{"orders:read": {Description: "Read orders"}},
			}},
			Clients: []registry.Client{{ID: "billing", Keys: keys, Access: access}},
		},
		"docs/howto/mtls.md symbolon.yaml": node.Config{
			URL: "https://localhost:8443", Listen: []node.Listener{{Addr: "127.0.0.1:8443"}},
			TLS:  &node.TLSFiles{Cert: "server.crt", Key: "server.key"},
			MTLS: &node.MTLS{URL: "https://localhost:8444", Listen: node.Listener{Addr: "127.0.0.1:8444"}, ClientCA: "clients-ca.crt"},
		},
		"docs/howto/mtls.md behind-proxy.yaml": node.Config{
			URL: "https://localhost:8443", Listen: plain, TrustedProxies: []string{"127.0.0.1"},
			MTLS: &node.MTLS{URL: "https://localhost:8444", ClientCA: "clients-ca.crt"},
		},
		"docs/howto/mtls.md state.yaml": objects{
			Clients: []registry.Client{{
				ID: "nightly", Bound: registry.BoundMTLS, Access: access,
				Certificates: []registry.Certificate{{ID: "c1", SubjectDN: "CN=nightly,O=Example"}, {ID: "c2", PEM: sampleCertificate}},
			}},
		},
	}
}

// sampleFiles are those that the declarative files of the documentation name.
var sampleFiles = map[string]string{
	"billing.secret":    strings.Repeat("x", 40),
	"prometheus.secret": strings.Repeat("x", 40),
	"billing.pub":       samplePublicKey,
	"billing-2.pub":     samplePublicKey,
	"reports.pub":       samplePublicKey,
	"reports.crt":       sampleCertificate,
}

const (
	samplePublicKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeD61FdeXvnORRRWbvhfkwOn5hocd
zKcBIGx2TReSaxpvAhlCD5NJONa2F29GAP969aCbvhwI/kT9OwIJqlD9bw==
-----END PUBLIC KEY-----
`
	sampleCertificate = `-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIUEXbSM6NaBktrUJFj8UaVT1tqhVwwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHcmVwb3J0czAeFw0yNjExMjIwNzM5NThaFw0zNjExMTkwNzM5
NThaMBIxEDAOBgNVBAMMB3JlcG9ydHMwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AAR4PrUV15e+c5FFFZu+F+TA6fmGhx3MpwEgbHZNF5JrGm8CGUIPk0k41rYXb0YA
/3r1oJu+HAj+RP07AgmqUP1vo1MwUTAdBgNVHQ4EFgQUGDQiMc2k8NsBEWTbBY6j
2zeqC9AwHwYDVR0jBBgwFoAUGDQiMc2k8NsBEWTbBY6j2zeqC9AwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAVDctbo3mARqeSa0BHefov3YPsCQ9K
u4mrjzXR77FJKQIhAIHstHUkxh30cPVhP9VdSOB92hDeH2MBDGHF3pbSPyup
-----END CERTIFICATE-----
`
)
