package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKeygenCertificate: the certificate fits the key, is for clients alone, and
// is no authority.
func TestKeygenCertificate(t *testing.T) {
	w := newWorld(t)
	for alg := range keyMakers {
		name := filepath.Join(t.TempDir(), "billing")
		code, out, errs := w.exec("", "keygen", name, "--alg", string(alg), "--cert", "--csr", "--valid", "90d",
			"--san-dns", "billing.example.com", "--san-uri", "spiffe://example.com/billing", "--san-ip", "192.0.2.7")
		if code != 0 || !strings.Contains(out, "billing.crt") || !strings.Contains(out, "billing.csr") {
			t.Fatalf("%s: %d %s %s", alg, code, out, errs)
		}
		pair, err := tls.LoadX509KeyPair(name+".crt", name+".key")
		if err != nil {
			t.Fatal(err)
		}
		c := pair.Leaf
		if c.Subject.CommonName != "billing" || c.IsCA || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth ||
			len(c.DNSNames) != 1 || len(c.URIs) != 1 || len(c.IPAddresses) != 1 || c.SerialNumber.Sign() <= 0 {
			t.Errorf("%s: %+v", alg, c)
		}
		if life := c.NotAfter.Sub(c.NotBefore); life < 90*24*time.Hour || life > 90*24*time.Hour+2*clockSkew {
			t.Errorf("valid for %v", life)
		}
		text, err := os.ReadFile(name + ".csr")
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil || request.CheckSignature() != nil || request.Subject.CommonName != "billing" || len(request.DNSNames) != 1 {
			t.Errorf("%s: the request: %v", alg, err)
		}
	}
	// All files or none.
	name := filepath.Join(t.TempDir(), "k")
	if err := os.WriteFile(name+".crt", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := w.exec("", "keygen", name, "--cert"); code != 1 || !strings.Contains(errs, "exists already") {
		t.Errorf("%d %s", code, errs)
	}
	if left, _ := filepath.Glob(name + ".*"); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}
	for _, args := range [][]string{{"--name", "x"}, {"--cert", "--valid", "20000d"}, {"--cert", "--valid", "soon"}, {"--cert", "--san-ip", "x"}, {"--csr", "--san-uri", "x"}} {
		if code, _, errs := w.exec("", append([]string{"keygen", name}, args...)...); code != 2 {
			t.Errorf("%q: %d %s", args, code, errs)
		}
	}
}
