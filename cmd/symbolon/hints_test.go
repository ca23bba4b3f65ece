package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestMistypedCommands: what is spelt nearly so is named.
func TestMistypedCommands(t *testing.T) {
	for args, want := range map[string]string{
		"gaurd":         `symbolon has no command "gaurd" (perhaps guard); symbolon --help lists them`,
		"deny cleint x": `symbolon deny has no command "cleint" (perhaps client); symbolon deny --help lists them`,
		"introspect":    `symbolon has no command "introspect"; symbolon --help lists them`,
		"deny token f":  "with --file",
	} {
		code, out, errs := runIn(t, t.TempDir(), strings.Fields(args)...)
		if code != 2 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s%s, want %s", args, code, out, errs, want)
		}
	}
}

// TestDenialsCompleteClients: who stops a client in a hurry does not type its id.
func TestDenialsCompleteClients(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	foreignServer(t, dir, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/clients") {
			w.Write([]byte(`{"items":[{"id":"billing"},{"id":"reports"}]}`))
		}
	})
	for _, verb := range []string{"client", "tokens", "credential"} {
		if _, out, errs := runIn(t, dir, "__complete", "deny", verb, "b"); !strings.HasPrefix(out, "billing\n:") {
			t.Errorf("%s: %s%s", verb, out, errs)
		}
	}
	if _, out, _ := runIn(t, dir, "__complete", "deny", "kid", "b"); strings.Contains(out, "billing") {
		t.Errorf("keys: %s", out)
	}
}
