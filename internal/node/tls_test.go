package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/logtest"
	"github.com/symbolon/symbolon/internal/web"
)

// pairFiles is a self-signed certificate in two files.
type pairFiles struct {
	cert, key string
	writes    int
}

// write puts a new pair of that serial number in place, as PEM.
func (p *pairFiles) write(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{tlsHost}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	p.put(t, p.cert, cert)
	p.put(t, p.key, key)
	return cert, key
}

// put writes a file with a time of its own: two writes within one tick of the
// file system's clock would look alike.
func (p *pairFiles) put(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p.writes++
	at := time.Now().Add(time.Duration(p.writes) * time.Second)
	if err := os.Chtimes(name, at, at); err != nil {
		t.Fatal(err)
	}
}

// tlsNode is a node with a TLS listener and a clock that the test moves.
type tlsNode struct {
	addr  string
	ahead atomic.Int64
	log   logtest.Buffer
}

func startReloading(t *testing.T, files TLSFiles) *tlsNode {
	t.Helper()
	s := &tlsNode{}
	s.addr = startListening(t, Config{
		URL: "https://" + tlsHost, Listen: []Listener{{Addr: "127.0.0.1:0", TLS: &files}},
		Now:    func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) },
		Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
	})
	return s
}

// serial is that of the certificate which a new connection gets.
func (s *tlsNode) serial(t *testing.T) int64 {
	t.Helper()
	s.ahead.Add(int64(web.Recheck))
	c, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true}) // the serial number says which one it is
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// modern fails the test unless TLS 1.2 is spoken and nothing older.
func (s *tlsNode) modern(t *testing.T) {
	t.Helper()
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		c, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		if err == nil {
			c.Close()
		}
		if (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}

// TestCertificatesAreReadAgain: a new pair without a restart, on new
// connections; one that cannot be used keeps the one before, and is logged.
func TestCertificatesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	p := &pairFiles{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	p.write(t, 1)
	s := startReloading(t, TLSFiles{Cert: p.cert, Key: p.key})
	is := func(want int64, when string) {
		t.Helper()
		if got := s.serial(t); got != want {
			t.Errorf("%s: certificate %d, want %d", when, got, want)
		}
		s.modern(t)
	}
	is(1, "at the start")
	goodCert, goodKey := p.write(t, 2)
	is(2, "after a change")

	for name, change := range map[string]func(){
		"no PEM":         func() { p.put(t, p.cert, []byte("garbage")) },
		"an empty file":  func() { p.put(t, p.key, nil) },
		"half a file":    func() { p.put(t, p.cert, goodCert[:len(goodCert)/2]) },
		"another's key":  func() { p.write(t, 9); p.put(t, p.key, goodKey) },
		"no file at all": func() { remove(t, p.cert) },
		"no key":         func() { remove(t, p.key) },
	} {
		p.put(t, p.cert, goodCert)
		p.put(t, p.key, goodKey)
		is(2, "before "+name)
		said := strings.Count(s.log.String(), "the one before stays")
		change()
		is(2, name)
		if n := strings.Count(s.log.String(), "the one before stays") - said; n != 1 {
			t.Errorf("%s was logged %d times, want once", name, n)
		}
	}
	p.write(t, 3)
	is(3, "after the repair")
	if strings.Contains(s.log.String(), "PRIVATE") {
		t.Error("a key is in the log")
	}
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}
