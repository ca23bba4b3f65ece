package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/logtest"
)

// TestDenyIsWeighed: who is asked is told exactly what is denied, what goes on, and
// how it is undone where it can be.
func TestDenyIsWeighed(t *testing.T) {
	token := filepath.Join(t.TempDir(), "leaked")
	if err := os.WriteFile(token, []byte("eyJhbGciOiJFUzI1NiJ9.eyJqdGkiOiJhIn0.c2ln"), 0o600); err != nil {
		t.Fatal(err)
	}
	terminal, err := os.Open("/dev/zero") // a device, where nobody types the id
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	for args, want := range map[string]string{
		"client billing":        "disables the client billing and denies all tokens that it has got; to undo it: symbolon client enable billing; it can get new tokens then, and those that are denied stay denied",
		"tokens billing":        "denies all tokens that the client billing has got so far, and cannot be taken back; what goes on: the client, which can get new tokens at once",
		"credential billing s1": "revokes the credential s1 of the client billing and denies the tokens that it got with it, and cannot be taken back; what goes on: the client with its other credentials, and the tokens that it got with those",
		"kid k1":                "revokes the signing key k1 and denies the tokens of all clients that it signed, and cannot be taken back; what goes on: the clients, which get tokens that the next key signs",
		"jti j1":                "denies the token with the jti j1 of the issuer default, and no other, and cannot be taken back; what goes on: its client, which can get new tokens at once",
		"jti j1 --issuer other": "denies the token with the jti j1 of the issuer other, and no other, and",
		"token --file " + token: "denies the token in " + token + ", and no other, and cannot be taken back; what goes on: its client",
	} {
		words := strings.Fields(args)
		said := func(stdin io.Reader) (int, string) {
			var out, errs logtest.Buffer
			a := &app{name: "symbolon", env: func(string) (string, bool) { return "", false }, now: time.Now, stdin: stdin, stdout: &out, stderr: &errs}
			return run(t.Context(), a, append([]string{"deny", "--data-dir", t.TempDir()}, words...)), errs.String()
		}
		if code, text := said(strings.NewReader("")); code != 2 || !strings.HasPrefix(text, "symbolon: this "+want) || !strings.HasSuffix(text, "; repeat it with --yes\n") {
			t.Errorf("deny %s: %d %s", args, code, text)
		}
		if code, text := said(terminal); code != 1 || !strings.HasPrefix(text, "This "+want) || !strings.Contains(text, " to go on: ") || !strings.Contains(text, "nothing was changed") {
			t.Errorf("deny %s, on a terminal: %d %s", args, code, text)
		}
	}
}
