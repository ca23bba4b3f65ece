package registry

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// openssl runs it in a directory of its own, where files of one test stay.
func openssl(t testing.TB, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

// selfSigned is a certificate by OpenSSL.
func selfSigned(t testing.TB, dir, subject string, more ...string) (*x509.Certificate, []byte) {
	t.Helper()
	args := append([]string{"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-utf8", "-subj", subject, "-days", "2"}, more...)
	text := openssl(t, dir, args...)
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert, text
}

// RFC 8705 §2.1.2: each form fits the certificate that says it, and no other.
func TestSubjectForms(t *testing.T) {
	dir := t.TempDir()
	leaf, text := selfSigned(t, dir, "/C=DE/O=Müller, Söhne/CN=billing+UID=b1", "-addext",
		"subjectAltName=DNS:Billing.example.com,DNS:*.wild.example.com,URI:spiffe://example.com/Billing%2f1,IP:192.0.2.7,IP:2001:db8::7,email:Billing@Example.com")
	other, otherText := selfSigned(t, dir, "/CN=other", "-addext", "subjectAltName=DNS:other.example.com")
	bare, _ := selfSigned(t, dir, "/CN=billing.example.com/emailAddress=Billing@example.com")
	rfc2253 := strings.TrimPrefix(strings.TrimSpace(string(openssl(t, dir, "x509", "-in", write(t, dir, text), "-noout", "-subject", "-nameopt", "RFC2253"))), "subject=")
	for _, tt := range []struct {
		name string
		c    Certificate
		fits bool
	}{
		{"subject_dn", Certificate{SubjectDN: "CN=billing+UID=b1,O=Müller\\, Söhne,C=DE"}, true},
		{"subject_dn as OpenSSL writes RFC 2253", Certificate{SubjectDN: rfc2253}, true},
		{"subject_dn in part", Certificate{SubjectDN: "CN=billing"}, false},
		{"subject_dn in the order of the certificate", Certificate{SubjectDN: "C=DE,O=Müller\\, Söhne,CN=billing+UID=b1"}, false},
		{"san_dns", Certificate{SANDNS: "billing.EXAMPLE.com"}, true},
		{"san_dns of a name under the wildcard", Certificate{SANDNS: "a.wild.example.com"}, false},
		{"san_dns of a parent", Certificate{SANDNS: "example.com"}, false},
		{"san_dns with a final dot", Certificate{SANDNS: "billing.example.com."}, false},
		{"san_uri", Certificate{SANURI: "spiffe://example.com/Billing%2f1"}, true},
		{"san_uri in another spelling", Certificate{SANURI: "spiffe://example.com/Billing%2F1"}, false},
		{"san_uri in another case", Certificate{SANURI: "spiffe://example.com/billing%2f1"}, false},
		{"san_ip", Certificate{SANIP: "192.0.2.7"}, true},
		{"san_ip, mapped", Certificate{SANIP: "::ffff:192.0.2.7"}, true},
		{"san_ip of version 6", Certificate{SANIP: "2001:DB8:0::7"}, true},
		{"san_ip of a neighbour", Certificate{SANIP: "192.0.2.8"}, false},
		{"san_email", Certificate{SANEmail: "Billing@EXAMPLE.com"}, true},
		{"san_email: the local part has a case", Certificate{SANEmail: "billing@example.com"}, false},
		{"a value of another kind", Certificate{SANDNS: "192.0.2.7"}, false},
		{"the certificate", Certificate{PEM: string(text)}, true},
		{"another certificate", Certificate{PEM: string(otherText)}, false},
		{"nothing", Certificate{}, false},
		{"broken forms", Certificate{PEM: "x"}, false},
		{"a broken name", Certificate{SubjectDN: "billing"}, false},
		{"a broken address", Certificate{SANIP: "x"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.c.fits(leaf); got != tt.fits {
				t.Errorf("%v", got)
			}
			if tt.fits && (tt.c.fits(other) || tt.c.fits(nil)) {
				t.Error("another certificate fits, or none")
			}
			if tt.fits && tt.c.Digest() == "" {
				t.Error("no digest")
			}
		})
	}
	// Names belong where they stand: what the subject says is no SAN (RFC 6125 §6.4.4 is for servers).
	for _, c := range []Certificate{{SANDNS: "billing.example.com"}, {SANEmail: "Billing@example.com"}} {
		if c.fits(bare) {
			t.Errorf("%+v fits a certificate without such a name", c)
		}
	}
	if c := (Certificate{SubjectDN: "1.2.840.113549.1.9.1=billing@example.com,CN=billing.example.com"}); !c.fits(bare) {
		t.Error("the subject with an address")
	}
}

func TestCertificateFor(t *testing.T) {
	leaf, text := selfSigned(t, t.TempDir(), "/CN=billing", "-addext", "subjectAltName=DNS:billing.example.com")
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	c := &Client{Certificates: []Certificate{
		{ID: "old", SubjectDN: "CN=billing", Expires: now},
		{ID: "own", PEM: string(text)},
		{ID: "other", SANDNS: "other.example.com"},
		{ID: "name", SANDNS: "billing.example.com"},
		{ID: "later", SubjectDN: "CN=billing"},
	}}
	for method, want := range map[string]string{symbolon.AuthTLSClient: "name", symbolon.AuthSelfSignedTLS: "own", symbolon.AuthPrivateKeyJWT: ""} {
		got := ""
		if cert := c.CertificateFor(method, leaf, now); cert != nil {
			got = cert.ID
		}
		if got != want {
			t.Errorf("%s: %q, want %q", method, got, want)
		}
	}
	if n := len(c.liveCertificates(symbolon.AuthTLSClient, now.Add(-1))); n != 4 {
		t.Errorf("%d live names", n)
	}
}

// Keys and certificates as OpenSSL makes them are taken, weak and private ones
// are not.
func TestOpenSSLKeys(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name string
		gen  []string
		alg  jose.Algorithm
		weak bool
	}{
		{"P-256", []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}, jose.ES256, false},
		{"P-384", []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"}, jose.ES384, false},
		{"RSA", []string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, "", false},
		{"Ed25519", []string{"-algorithm", "ED25519"}, jose.EdDSA, false},
		{"RSA 1024", []string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"}, "", true},
		{"secp256k1", []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"}, "", true},
		{"X25519", []string{"-algorithm", "X25519"}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			private := openssl(t, dir, append([]string{"genpkey"}, tt.gen...)...)
			public := openssl(t, dir, "pkey", "-in", write(t, dir, private), "-pubout")
			key, err := PublicJWK(public)
			if tt.weak {
				if err == nil {
					t.Errorf("taken: %s", key)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c := goodClient()
			c.Keys = []ClientKey{{ID: "k1", JWK: key}}
			if err := c.Validate(); err != nil || c.Keys[0].Key().Algorithm != tt.alg {
				t.Errorf("%v, %s", err, c.Keys[0].Key().Algorithm)
			}
			if _, err := PublicJWK(private); err != jose.ErrPrivateKey {
				t.Errorf("a private key: %v", err)
			}
		})
	}
}

// write puts text into a file and gives its path.
func write(t testing.TB, dir string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, "in.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
