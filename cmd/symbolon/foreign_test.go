package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/logtest"
)

// hostile moves a cursor, ends a line, turns text around, and is no UTF-8.
const hostile = "x\x1b[2J\x1b]0;t\x07\r\nsymbolon: all is well\u202e\u009b1m\x9b\x7f"

// tame fails the test when the text could do something to a terminal.
func tame(t *testing.T, what, text string) {
	t.Helper()
	for _, bad := range []string{"\x1b", "\x07", "\r", "\u202e", "\u009b", "\x9b", "\x7f", "\nsymbolon: all is well"} {
		// 0x9b is also the second octet of letters: what is left must be UTF-8.
		if bad == "\x9b" && len(strings.ToValidUTF8(text, "")) == len(text) {
			continue
		}
		if strings.Contains(text, bad) {
			t.Errorf("%s prints %q:\n%q", what, bad, text)
		}
	}
}

// TestAServersWordsMoveNoCursor: whatever stands in the answers of a server, and
// of an API, comes out as text.
func TestAServersWordsMoveNoCursor(t *testing.T) {
	object, err := json.Marshal(map[string]any{
		"id": hostile, "name": hostile, "state": hostile, "url": hostile, "role": hostile, "owner": hostile, "issuer": hostile,
		"labels": map[string]string{hostile: hostile}, "access": map[string][]string{hostile: {hostile}},
		"scopes": map[string]any{hostile: map[string]string{"description": hostile}},
		"client": map[string]string{"id": hostile}, "secret": map[string]string{"id": hostile, "value": hostile}, "value": hostile,
		"claims": map[string]string{"role": hostile},
	})
	if err != nil {
		t.Fatal(err)
	}
	object = bytes.ReplaceAll(object, []byte(`\ufffd`), []byte("\x9b")) // as it was before Marshal mended it
	problem, err := json.Marshal(map[string]any{
		"detail": hostile, "fix": hostile, "request_id": hostile, "errors": []map[string]string{},
	})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := json.Marshal(map[string]any{"errors": []map[string]string{{"kind": hostile, "id": hostile, "path": hostile, "message": hostile, "fix": hostile}}})
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]struct {
		status int
		body   []byte
	}{
		"an object": {http.StatusOK, object}, "a problem": {http.StatusInternalServerError, problem}, "problems": {http.StatusBadRequest, problems},
		"a list": {http.StatusOK, []byte(`{"items":[` + string(object) + `]}`)}, "a plain list": {http.StatusOK, []byte("[" + string(object) + "]")},
		"no JSON": {http.StatusOK, []byte(hostile)},
	}
	dir := filepath.Join(t.TempDir(), "d")
	var answer struct {
		status int
		body   []byte
	}
	foreignServer(t, dir, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answer.status)
		w.Write(answer.body)
	})
	for name, a := range answers {
		answer = a
		for _, args := range []string{
			"client show x", "client list", "client create x", "client disable x", "client secret add x", "client secret list x", "client secret remove x s1 --yes",
			"api show x", "api list", "issuer show x", "operator list", "operator show x", "key list", "key revoke x --yes", "deny client x --yes",
			"export", "explain x", "audit search", "audit search --changes", "__complete client show ",
		} {
			for _, form := range []string{"", " --json"} {
				_, out, errs := runIn(t, dir, strings.Split(args+form, " ")...)
				tame(t, args+form+", "+name, out+errs)
			}
		}
	}
}

// foreignServer answers on the socket of a data directory.
func foreignServer(t *testing.T, dir string, answer http.HandlerFunc) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: answer}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

// runIn runs a command that speaks to the server of a data directory.
func runIn(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out bytes.Buffer
	var errs logtest.Buffer
	a := &app{
		name: "symbolon", now: time.Now, stdin: strings.NewReader(""), stdout: &out, stderr: &errs,
		env: func(name string) (string, bool) { return dir, name == "SYMBOLON_DATA_DIR" },
	}
	code = run(t.Context(), a, args)
	return code, out.String(), slow.ReplaceAllString(errs.String(), "")
}

// TestAnAPIsWordsMoveNoCursor: the head of an answer; its body is the caller's
// to look at, as it came.
func TestAnAPIsWordsMoveNoCursor(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 4096))
			io.WriteString(c, "HTTP/1.1 403 No\x1b[2J\x9b\u202e\r\nWWW-Authenticate: Bearer \u202e\u009b\r\nX-A: \u202e\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.Close()
		}
	}()
	code, out, errs := w.exec("", "call", "-i", "http://"+l.Addr().String()+"/")
	if code != 1 || !strings.Contains(errs, "the API answered") {
		t.Errorf("%d %q %q", code, out, errs)
	}
	tame(t, "call -i", out+errs)
}

// TestNothingIsSentToAStranger: a directory that somebody else made is no place
// for a secret, whatever answers there.
func TestNothingIsSentToAStranger(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	foreignServer(t, dir, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s was sent", r.Method, r.URL) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"client", "create", "x"}, {"client", "list", "--data-dir", dir}, {"client", "list", "--socket", filepath.Join(dir, "admin.sock")}} {
		code, out, errs := runIn(t, dir, args...)
		if code != 1 || out != "" || !strings.HasPrefix(errs, "symbolon: not a server to send secrets to: others may write to "+dir) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: %d %q %q", args, code, out, errs)
		}
	}
}
