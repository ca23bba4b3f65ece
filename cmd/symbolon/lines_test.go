package main

import (
	"bufio"
	"bytes"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
)

// shell runs lines in dir and gives what they print. TestMain has put the program
// into PATH.
func shell(t *testing.T, dir, lines string) (string, error) {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", lines)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Logf("%s\nstderr: %s", lines, stderr.String())
	}
	return string(out), err
}

// TestDevPrintsLinesThatWork runs "symbolon dev" and then, in one shell, every
// line that it printed. The port that it would take is in use, and it says so.
func TestDevPrintsLinesThatWork(t *testing.T) {
	if busy, err := net.Listen("tcp4", "127.0.0.1:8080"); err == nil { // else by somebody else
		defer busy.Close()
	}
	cmd := exec.Command("symbolon", "dev", "--api-port", "0")
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
	defer func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("dev did not end well: %v\n%s", err, stderr.String())
		}
	}()

	var lines, said []string
	for scan := bufio.NewScanner(stdout); scan.Scan(); {
		line := scan.Text()
		said = append(said, line)
		for _, start := range []string{"  TOKEN=", "  curl ", "  SECRET=", "  symbolon "} {
			if strings.HasPrefix(line, start) {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		if strings.Contains(line, " explain ") {
			break
		}
	}
	if want := "Port 8080 is in use by another program, so a free one was taken; --port chooses one."; !slices.Contains(said, want) {
		t.Errorf("dev says nothing of the port: %q", said)
	}
	if len(lines) != 7 {
		t.Fatalf("dev printed %d lines to copy, want 7: %q\n%s", len(lines), lines, stderr.String())
	}
	out, err := shell(t, t.TempDir(), strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out, `{"hello":"demo"}`); n != 2 {
		t.Errorf("the API answered %d times, want 2:\n%s", n, out)
	}
	for _, want := range []string{`"token_endpoint"`, "demo", "issued", "refused invalid_client to demo (not proven)", "  because: "} {
		if !strings.Contains(out, want) {
			t.Errorf("the lines printed no %s:\n%s", want, out)
		}
	}
}

// waitUntil200 polls a URL that is to come up.
func waitUntil200(t *testing.T, url string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s did not come up", url)
}

// generatedSecret is a secret as the server makes them, and its stored form.
func generatedSecret() (secret, hash string) {
	var random [32]byte
	crand.Read(random[:]) // never fails
	secret = registry.FormatSecret(random)
	sum := sha256.Sum256([]byte(secret))
	return secret, "sha256:" + hex.EncodeToString(sum[:])
}

// jtiOf is the jti of a token, without looking at its signature.
func jtiOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "not a token"
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "not a token"
	}
	claims, err := symbolon.ParseClaims(payload)
	if err != nil {
		return "not a token"
	}
	return claims.ID
}
