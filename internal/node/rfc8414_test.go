package node

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const tlsHost = "auth.example.com"

// pair writes a certificate for tlsHost and its key, and gives the pool that
// knows it.
func pair(t *testing.T) (TLSFiles, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: tlsHost}, DNSNames: []string{tlsHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := TLSFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for name, block := range map[string]*pem.Block{files.Cert: {Type: "CERTIFICATE", Bytes: cert}, files.Key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})) {
		t.Fatal("the certificate cannot be read back")
	}
	return files, pool
}

// startTLS runs a node behind TLS and gives its address.
func startTLS(t *testing.T, files TLSFiles) string {
	t.Helper()
	return startListening(t, Config{URL: "https://" + tlsHost, Listen: []Listener{{Addr: "127.0.0.1:0", TLS: &files}}})
}

// startListening runs a node that opens its listener by itself, and gives the
// address.
func startListening(t *testing.T, cfg Config) string {
	t.Helper()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return n.Addrs()[0].String()
}

// TestRFC8414_6_1_TLS: a listener with a certificate speaks TLS 1.2 and 1.3,
// with forward secrecy and ciphers that authenticate, and nothing below.
func TestRFC8414_6_1_TLS(t *testing.T) {
	files, pool := pair(t)
	addr := startTLS(t, files)
	secure := func(id uint16) bool {
		return slices.ContainsFunc(tls.CipherSuites(), func(c *tls.CipherSuite) bool { return c.ID == id })
	}
	for name, c := range map[string]struct {
		min, max uint16
		suites   []uint16
		speaks   bool
	}{
		"TLS 1.3":                         {tls.VersionTLS13, tls.VersionTLS13, nil, true},
		"TLS 1.2":                         {tls.VersionTLS12, tls.VersionTLS12, nil, true},
		"TLS 1.1":                         {tls.VersionTLS10, tls.VersionTLS11, nil, false},
		"TLS 1.2, without a secure suite": {tls.VersionTLS12, tls.VersionTLS12, insecureSuites(), false},
		"TLS 1.2, without a recommended suite": {tls.VersionTLS12, tls.VersionTLS12, []uint16{
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		}, false},
	} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: tlsHost, RootCAs: pool, MinVersion: c.min, MaxVersion: c.max, CipherSuites: c.suites})
		if (err == nil) != c.speaks {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		if s := conn.ConnectionState(); s.Version != c.max || !secure(s.CipherSuite) {
			t.Errorf("%s: speaks %s with %s", name, tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite))
		}
		conn.Close()
	}
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get("https://" + tlsHost + "/.well-known/oauth-authorization-server")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if doc, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || !strings.Contains(string(doc), `"issuer":"https://`+tlsHost+`"`) {
		t.Errorf("metadata: %d %s, %v", resp.StatusCode, doc, err)
	}
}

func insecureSuites() (ids []uint16) {
	for _, c := range tls.InsecureCipherSuites() {
		ids = append(ids, c.ID)
	}
	return ids
}

// TestRFC6749_3_2_NoTokenInTheClear: a TLS listener answers plain HTTP with
// nothing but that it is not what it speaks.
func TestRFC6749_3_2_NoTokenInTheClear(t *testing.T) {
	files, _ := pair(t)
	addr := startTLS(t, files)
	for _, path := range []string{"/token", "/.well-known/oauth-authorization-server", "/livez"} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, tlsHost)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			continue // cut off: as good
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || strings.Contains(string(body), "{") || resp.Header.Get("Request-Id") != "" {
			t.Errorf("GET %s without TLS: %d %s", path, resp.StatusCode, body)
		}
	}
}
