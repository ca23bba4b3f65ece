package main

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certified reads what certify has left.
func certified(t *testing.T, dir string) (ca, server tls.Certificate) {
	t.Helper()
	for _, f := range []struct {
		into       *tls.Certificate
		cert, priv string
	}{{&ca, caFile, caKeyFile}, {&server, tlsFile, tlsKeyFile}} {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, f.cert), filepath.Join(dir, f.priv))
		if err != nil {
			t.Fatal(err)
		}
		*f.into = pair
		if info, err := os.Stat(filepath.Join(dir, f.priv)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v, want it for its owner alone", f.priv, info.Mode(), err)
		}
	}
	return ca, server
}

// verifies reports whether a certificate is good for a name by that authority.
func verifies(ca, cert *x509.Certificate, name string, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err := cert.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now})
	return err
}

// TestDevAuthority: programs that trust it once do so after each start, and it can
// speak for this machine alone.
func TestDevAuthority(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	if err := certify(dir, now); err != nil {
		t.Fatal(err)
	}
	ca, server := certified(t, dir)
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if err := verifies(ca.Leaf, server.Leaf, name, now); err != nil {
			t.Error(err)
		}
	}
	if err := verifies(ca.Leaf, server.Leaf, "example.com", now); err == nil {
		t.Error("the certificate is good for another machine")
	}

	later := now.Add(caLife - caRest - time.Hour)
	if err := certify(dir, later); err != nil {
		t.Fatal(err)
	}
	again, renewed := certified(t, dir)
	if !bytes.Equal(again.Certificate[0], ca.Certificate[0]) || bytes.Equal(renewed.Certificate[0], server.Certificate[0]) {
		t.Error("a later start has another authority, or the same certificate")
	}
	if err := verifies(ca.Leaf, renewed.Leaf, "localhost", later); err != nil {
		t.Error(err)
	}
	for _, at := range []time.Time{now.Add(caLife - caRest + time.Hour), now.Add(-time.Hour)} {
		if err := certify(dir, at); err != nil {
			t.Fatal(err)
		}
		if fresh, _ := certified(t, dir); bytes.Equal(fresh.Certificate[0], ca.Certificate[0]) {
			t.Error("an authority that does not last stays")
		}
	}
}

// TestDevAuthorityIsBounded: who gets its key cannot certify other machines to the
// programs that trust it (RFC 5280 §4.2.1.10), nor another authority.
func TestDevAuthorityIsBounded(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	if err := certify(dir, now); err != nil {
		t.Fatal(err)
	}
	ca, server := certified(t, dir)
	forge := func(change func(*x509.Certificate)) *x509.Certificate {
		template := &x509.Certificate{NotBefore: now, NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		change(template)
		key := server.PrivateKey.(crypto.Signer)
		made, err := writeCertificate(template, ca.Leaf, key, ca.PrivateKey.(crypto.Signer), [2]string{filepath.Join(dir, "f.pem"), filepath.Join(dir, "f.key")})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	if err := verifies(ca.Leaf, forge(func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} }), "localhost", now); err != nil {
		t.Fatal(err) // else the refusals below say nothing
	}
	for _, name := range []string{"example.com", "localhost.example.com"} {
		if verifies(ca.Leaf, forge(func(c *x509.Certificate) { c.DNSNames = []string{name} }), name, now) == nil {
			t.Errorf("it can certify %s", name)
		}
	}
	if ca.Leaf.MaxPathLen != 0 || !ca.Leaf.MaxPathLenZero {
		t.Error("it can certify other authorities")
	}
}

// TestDevAuthorityThatIsBroken is not replaced without a word: programs trust it.
func TestDevAuthorityThatIsBroken(t *testing.T) {
	for name, text := range map[string]string{caFile: "-----BEGIN", caKeyFile: ""} {
		dir := t.TempDir()
		if err := certify(dir, time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), fs.FileMode(0o600)); err != nil {
			t.Fatal(err)
		}
		if err := certify(dir, time.Now()); err == nil || !strings.Contains(err.Error(), "remove both") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestQuoted: what is printed for shells to copy reads as it was.
func TestQuoted(t *testing.T) {
	for _, text := range []string{"/tmp/a/.env", "", "/a b/c", "it's", `a"$HOME"b`, "`id`", "a\\b", "ä", "~x", "a#b", "sym_0aZ"} {
		out, err := shell(t, t.TempDir(), "X="+quoted(text)+"\nprintf %s \"$X\"")
		if err != nil || out != text {
			t.Errorf("%q became %q: %v", text, out, err)
		}
	}
}
