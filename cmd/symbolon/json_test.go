package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/logtest"
)

// printsNoObjects are the commands without --json.
var printsNoObjects = []string{
	"symbolon serve", "symbolon guard", "symbolon dev", // they run until they are told to stop
	"symbolon call",       // prints what the API answers
	"symbolon completion", // prints a script
}

// jsonCalls are calls of every command that prints objects, in an order in which
// they work on a new server. $ISSUER, $KEY, … are what the calls before printed
// or what the test prepared.
var jsonCalls = []string{
	"apply -f state.yaml", "plan -f state.yaml", "export",
	"issuer create partners --lifetime 30m", "issuer list", "issuer show partners", "issuer update partners --lifetime 20m", "issuer delete partners --yes",
	"api create invoices --identifier https://invoices.example.com --scope a=A", "api list", "api show invoices", "api update invoices --add-scope b=B",
	"operator create ann --name Ann --role admin", "operator list", "operator show ann", "operator update ann --role viewer", "operator delete ann --yes",
	"issuer create okta --dialect okta --url https://okta.example.com",
	"operator-token create ci --role operator --issuer okta --ssws", "operator-token list", "operator-token show ci", "operator-token update ci --role viewer", "operator-token delete ci --yes",
	"client create other --access invoices=a", "client list", "client show other", "client update other --name Other",
	"client disable other", "client enable other", "client grant other invoices b", "client ungrant other invoices b",
	"client usage billing", "client secret add other", "client secret list other", "client secret remove other s1 --yes", "client secret revoke other s2 --yes",
	"keygen k --cert --csr", "client key add other --pem-file k.pub", "client key list other", "client key remove other k1 --yes", "client key revoke other k1 --yes",
	"client certificate add other --pem-file k.crt", "client certificate list other", "client certificate remove other c1 --yes", "client certificate revoke other c1 --yes",
	"token --issuer $ISSUER --client billing --scope orders:read",
	"inspect $TOKEN --issuer $ISSUER --audience https://orders.example.com",
	"explain $REQUEST", "audit tail", "audit search", "audit search --changes", "audit verify",
	"deny jti 5Yq3 --yes", "deny token --file $TOKEN --yes", "deny tokens other --yes", "deny list", "deny credential other s2 --yes", "deny client other --yes", "client delete other --yes", "api delete invoices --yes",
	"key list", "key rotate default", "key revoke $KEY --yes", "deny kid $NEXT --yes",
}

// TestEveryJSONIsJSON runs each command that has --json on a running server:
// stdout is one JSON document; of audit tail each line is one.
func TestEveryJSONIsJSON(t *testing.T) {
	s := newJSONServer(t)
	seen := map[string]bool{}
	for _, call := range jsonCalls {
		args := strings.Fields(os.Expand(call, func(name string) string { return s.vars[name] }))
		cmd, _, err := newRoot(testApp()).Find(args)
		if err != nil {
			t.Fatal(err)
		}
		path := cmd.CommandPath()
		seen[path] = true
		out, ok := s.run(t, append(args, "--json")...)
		if !ok {
			continue
		}
		for _, doc := range documents(t, path, out) {
			s.keep(path, doc)
		}
	}
	for _, cmd := range leaves(newRoot(testApp())) {
		path, has := cmd.CommandPath(), cmd.Flags().Lookup("json") != nil
		switch {
		case has && !seen[path]:
			t.Errorf("%s has --json, and no call of this test uses it", path)
		case !has && !slices.Contains(printsNoObjects, path):
			t.Errorf("%s has no --json; a command that prints objects has it, another one is named in this test", path)
		case has && slices.Contains(printsNoObjects, path):
			t.Errorf("%s is said to print no objects, and has --json", path)
		}
		delete(seen, path)
	}
	if len(seen) > 0 {
		t.Errorf("calls of what is no command: %q", slices.Sorted(maps.Keys(seen)))
	}
}

// documents takes apart what a command printed.
func documents(t *testing.T, path, out string) []any {
	t.Helper()
	texts := []string{out}
	if path == "symbolon audit tail" {
		texts = strings.SplitAfter(strings.TrimSuffix(out, "\n"), "\n")
	}
	var docs []any
	for _, text := range texts {
		d := json.NewDecoder(strings.NewReader(text))
		var doc any
		if err := d.Decode(&doc); err != nil {
			t.Errorf("%s --json: %v in %q", path, err, text)
			continue
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			t.Errorf("%s --json: something follows the document: %q", path, text)
		}
		switch doc.(type) {
		case map[string]any, []any:
			docs = append(docs, doc)
		default:
			t.Errorf("%s --json prints no object and no list: %q", path, text)
		}
	}
	return docs
}

// jsonServer is a running server with a client that has made one request.
type jsonServer struct {
	dir  string
	vars map[string]string // for the calls; names in capitals are the environment's too
}

func newJSONServer(t *testing.T) *jsonServer {
	t.Helper()
	addr, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	s := &jsonServer{dir: t.TempDir(), vars: map[string]string{"ISSUER": "http://" + addr}}
	t.Chdir(s.dir)
	var hash string
	s.vars["SYMBOLON_SECRET"], hash = generatedSecret()
	s.vars["SYMBOLON_DATA_DIR"] = filepath.Join(s.dir, "data")
	err = os.WriteFile("state.yaml", []byte(`
set: main
apis: [{id: orders, identifier: "https://orders.example.com", scopes: {"orders:read": Read}}]
clients: [{id: billing, secrets: [{id: s1, hash: "`+hash+`"}], access: {orders: [orders:read]}}]
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan int, 1)
	var log logtest.Buffer
	go func() {
		ended <- run(ctx, s.app(io.Discard, &log), []string{"serve", "--url", s.vars["ISSUER"], "--listen", addr, "--apply", "state.yaml"})
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 || t.Failed() {
			t.Logf("serve ended with %d:\n%s", code, log.String())
		}
	})
	waitUntil200(t, s.vars["ISSUER"]+"/readyz")
	return s
}

func (s *jsonServer) app(stdout, stderr io.Writer) *app {
	vars := maps.Clone(s.vars) // they grow while the server runs
	return &app{
		name: "symbolon", now: time.Now, stdin: strings.NewReader(""), stdout: stdout, stderr: stderr,
		env: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
	}
}

// run runs one command. One that goes on is interrupted when it has printed a
// whole line.
func (s *jsonServer) run(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdout := &firstLine{}
	if args[0] == "audit" && args[1] == "tail" {
		stdout.then = cancel
	}
	var stderr logtest.Buffer
	if code := run(ctx, s.app(stdout, &stderr), args); code != 0 {
		t.Errorf("symbolon %q: exit %d: %s", args, code, stderr.String())
		return "", false
	}
	return stdout.b.String(), true
}

// firstLine is an output that says when there is a line in it.
type firstLine struct {
	b    bytes.Buffer
	then func()
}

func (f *firstLine) Write(b []byte) (int, error) {
	n, err := f.b.Write(b)
	if f.then != nil && bytes.ContainsRune(f.b.Bytes(), '\n') {
		f.then()
	}
	return n, err
}

// keep takes from an answer what later calls need.
func (s *jsonServer) keep(path string, doc any) {
	list, _ := doc.([]any)
	switch path {
	case "symbolon token":
		file := filepath.Join(s.dir, "token")
		s.vars["TOKEN"] = file
		text, _ := doc.(map[string]any)["access_token"].(string)
		os.WriteFile(file, []byte(text), 0o600)
		// The request that made it has a record, which tells its id.
		var out bytes.Buffer
		run(context.Background(), s.app(&out, io.Discard), []string{"audit", "search", "--client", "billing", "--json"})
		var records []struct {
			RequestID string `json:"request_id"`
		}
		if json.Unmarshal(out.Bytes(), &records) == nil && len(records) > 0 {
			s.vars["REQUEST"] = records[0].RequestID
		}
	case "symbolon key list":
		for _, one := range list {
			k, _ := one.(map[string]any)
			id, _ := k["id"].(string)
			switch k["state"] {
			case "active":
				s.vars["KEY"] = id
			case "next":
				s.vars["NEXT"] = id
			}
		}
	}
}
