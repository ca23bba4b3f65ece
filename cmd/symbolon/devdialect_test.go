package main

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
)

// devRun is a "symbolon dev" that runs until the test ends.
type devRun struct {
	said  string
	lines string // to copy, with what loads the variables
	stop  func()
}

// startDev starts it in the data directory, on ports that are free.
func startDev(t *testing.T, dir string, args ...string) devRun {
	t.Helper()
	cmd := exec.Command("symbolon", append([]string{"dev", "--data-dir", dir, "--port", "0"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r, stopped := devRun{}, false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cmd.Process.Signal(os.Interrupt)
		err := cmd.Wait()
		// On a busy machine the key pair takes a while, and it says so.
		if said := strings.ReplaceAll(stderr.String(), "symbolon: looking for prime numbers …\n", ""); err != nil || said != "" {
			t.Errorf("dev did not end well: %v\n%s", err, said)
		}
	}
	t.Cleanup(r.stop)
	var said, lines []string
	for scan := bufio.NewScanner(stdout); scan.Scan(); {
		line := scan.Text()
		said = append(said, line)
		if copied, ok := strings.CutPrefix(line, "  "); ok && strings.Contains(strings.Join(said, "\n"), "try it") {
			lines = append(lines, copied)
		}
		if strings.Contains(line, " audit search ") {
			break
		}
	}
	r.said, r.lines = strings.Join(said, "\n"), strings.Join(lines, "\n")
	return r
}

// devVendors are what the printed lines must come to, for each vendor.
var devVendors = map[string]struct {
	lines   int
	printed []string
	names   []string // variables
}{
	"okta": {8, []string{"The token is valid for this API.", `"ann@example.com"`, `"status":"ACTIVE"`}, []string{
		"ISSUER", "TEST_CLIENT_ID", "TEST_CLIENT_SECRET", "SCOPE", "ORG_URL", "TOKEN", "OKTA_CLIENT_ORGURL", "OKTA_CLIENT_TOKEN", "OKTA_ORG_URL", "OKTA_CLIENT_ID", "OKTA_SCOPES",
		"OKTA_CC_PRIVATE_KEY_FILE", "OKTA_DPOP_PRIVATE_KEY_FILE", "OKTA_DPOP_PUBLIC_KEY_FILE", "NODE_EXTRA_CA_CERTS"}},
	"auth0": {8, []string{"The token is valid for this API.", `"client_id":"auth0-demo-management"`}, []string{
		"AUTH0_DOMAIN", "AUTH0_AUDIENCE", "AUTH0_SCOPE", "CLIENT_ID", "CLIENT_SECRET", "AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET", "ISSUER_BASE_URL", "AUDIENCE", "MGMT_CLIENT_ID", "MGMT_CLIENT_SECRET", "NODE_EXTRA_CA_CERTS"}},
	"curity": {7, []string{"The token is valid for this API.", `"active":true`, `"role":"batch"`}, []string{
		"CURITY_ISSUER", "CURITY_AUDIENCE", "CURITY_TOKEN_URL", "JWKS_URI", "CLIENT_ID", "CLIENT_SECRET", "SCOPE", "NODE_EXTRA_CA_CERTS"}},
	"simple": {6, []string{`"success":true`, `"client_id":"simple-demo"`}, []string{
		"TOKEN_SERVER_URL", "CLIENT_ID", "CLIENT_SECRET", "NODE_EXTRA_CA_CERTS"}},
}

// TestDevDialect runs "symbolon dev --dialect" for each vendor, and then in one
// shell every line that it printed; once more after a restart, with what programs
// were configured with before. The directory's name is one that has to be quoted.
func TestDevDialect(t *testing.T) {
	for dialect, want := range devVendors {
		t.Run(dialect, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "the vendor's data")
			run := startDev(t, dir, "--dialect", dialect, "--dialect-port", "0")
			if n := strings.Count(run.lines, "\n") + 1; n != want.lines {
				t.Fatalf("%d lines to copy, want %d:\n%s", n, want.lines, run.said)
			}
			kept := variables(t, dir, want.names)
			if !strings.Contains(run.said, readFile(t, filepath.Join(dir, ".env"))) {
				t.Errorf("what is printed is not what stands in .env:\n%s", run.said)
			}
			tryDev(t, run, append(want.printed, "issued ", dialect+"-demo", ": refused invalid_client to "+dialect+"-demo"))
			if t.Failed() {
				return
			}
			run.stop()

			again := startDev(t, dir, "--dialect", dialect, "--dialect-port", portOf(run.said))
			tryDev(t, again, want.printed)
			if variables(t, dir, want.names) != kept {
				t.Error("after a restart programs have to be configured anew")
			}
			private(t, dir)
		})
	}
}

func tryDev(t *testing.T, run devRun, want []string) {
	t.Helper()
	out, err := shell(t, t.TempDir(), run.lines)
	if err != nil {
		t.Errorf("%v\n%s", err, run.lines)
	}
	for _, text := range want {
		if !strings.Contains(out, text) {
			t.Errorf("the lines printed no %s:\n%s", text, out)
		}
	}
}

// variables are the values that a shell reads from .env.
func variables(t *testing.T, dir string, names []string) string {
	t.Helper()
	lines := `set -a; . "$DATA/.env"; set +a` + "\n"
	for _, name := range names {
		lines += `printf '%s\n' "` + name + `=${` + name + `:?}"` + "\n"
	}
	t.Setenv("DATA", dir)
	out, err := shell(t, dir, lines)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// portOf is the one of the vendor's server.
func portOf(said string) string {
	_, rest, _ := strings.Cut(said, "https://localhost:")
	port, _, _ := strings.Cut(rest, " ")
	return port
}

// private fails unless every file that holds something secret is for its owner
// alone, as is the directory.
func private(t *testing.T, dir string) {
	t.Helper()
	public := map[string]bool{caFile: true, tlsFile: true, "client.pub": true, "client.json": true, "dpop.pub": true, "dpop.json": true}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && !public[d.Name()] {
			t.Errorf("%s can be read by others: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestDevDialectOneAfterTheOther: a data directory that had one vendor can have
// another.
func TestDevDialectOneAfterTheOther(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, dialect := range []string{"curity", "simple", "curity"} {
		run := startDev(t, dir, "--dialect", dialect, "--dialect-port", "0")
		tryDev(t, run, devVendors[dialect].printed)
		run.stop()
	}
}

// TestDevDialectGone: what a stand-in's data directory has lost meanwhile is said at
// the next start, and the lines work again after the commands that it names.
func TestDevDialectGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "the vendor's data")
	run := startDev(t, dir, "--dialect", "okta", "--dialect-port", "0")
	t.Setenv("DATA", dir)
	lose := `symbolon operator-token delete okta-demo --yes --data-dir "$DATA"
symbolon client secret add okta-demo --data-dir "$DATA" && symbolon client secret remove okta-demo s1 --yes --data-dir "$DATA"
symbolon client disable okta-demo --data-dir "$DATA"`
	if out, err := shell(t, dir, lose); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	port := portOf(run.said)
	run.stop()

	again := startDev(t, dir, "--dialect", "okta", "--dialect-port", port)
	var undo []string
	for _, line := range strings.Split(again.said, "\n") {
		command, ok := strings.CutPrefix(line, "  symbolon ")
		if before, _, _ := strings.Cut(again.said, line); ok && !strings.Contains(before, "What its programs") {
			undo = append(undo, "symbolon "+command)
		}
	}
	if len(undo) != 3 {
		t.Fatalf("%d commands that bring something back, want 3:\n%s", len(undo), again.said)
	}
	if out, err := shell(t, dir, strings.Join(undo, "\n")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tryDev(t, again, devVendors["okta"].printed)
	again.stop()

	if last := startDev(t, dir, "--dialect", "okta", "--dialect-port", port); strings.Contains(last.said, "after\n") {
		t.Errorf("nothing is lost any more:\n%s", last.said)
	}
}

// TestDevDialectPorts: a port that one flag asks for is not the default of another.
func TestDevDialectPorts(t *testing.T) {
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--port", "9445"}, "Port 9445 is what --port asks for, so a free one was taken; --dialect-port chooses one."},
		{[]string{"--dialect-port", "8080"}, "Port 8080 is what --dialect-port asks for, so a free one was taken; --port chooses one."},
	} {
		var port, vendors int
		cmd := &cobra.Command{}
		cmd.Flags().IntVar(&port, "port", 8080, "")
		cmd.Flags().IntVar(&vendors, "dialect-port", 9445, "")
		if err := cmd.ParseFlags(c.flags); err != nil {
			t.Fatal(err)
		}
		d := &dev{}
		err := d.choose(cmd, wish{"port", &port}, wish{"dialect-port", &vendors})
		if err != nil || port == vendors || !strings.Contains(strings.Join(d.taken, ""), c.want) {
			t.Errorf("%v: %d and %d, %v, %q", c.flags, port, vendors, err, d.taken)
		}
	}
}

// TestDevDialectWrong: what cannot be is said, with the way out.
func TestDevDialectWrong(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "client.secret"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		exit string
		want string
	}{
		{"--dialect ping", "2", `--dialect "ping" is not one of auth0, curity, okta, simple`},
		{"--dialect ''", "2", `--dialect "" is not one of`},
		{"--dialect-port 9443", "2", "name the vendor with --dialect"},
		{"--dialect okta --api-port 8081", "2", "--api-port is of the sample API"},
		{"--dialect okta --port 9443 --dialect-port 9443", "2", "--port and --dialect-port both ask for port 9443"},
		{"--dialect simple --port 0 --dialect-port 0 --data-dir " + dir, "1", "client.secret holds no secret that symbolon has made"},
	} {
		out, err := shell(t, dir, "symbolon dev "+c.args+" 2>&1 || echo exit $?")
		if err != nil || !strings.Contains(out, c.want) || !strings.Contains(out, "exit "+c.exit) {
			t.Errorf("%s: %v %s", c.args, err, out)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
