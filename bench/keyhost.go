package main

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// keyHost is where a client publishes its keys: it counts how often it is asked.
type keyHost struct {
	uri         string
	certificate string // PEM file, of the host itself: no authority stands behind it
	signer      *jose.Signer
	server      *http.Server

	mu    sync.Mutex
	asked []time.Time
}

func newKeyHost(dir string) (*keyHost, error) {
	certificate, err := selfSigned("localhost")
	if err != nil {
		return nil, err
	}
	h := &keyHost{certificate: filepath.Join(dir, "keyhost.pem")}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(h.certificate, text, 0o600); err != nil {
		return nil, err
	}
	if h.signer, err = jose.NewSigner(keyOf(jose.ES256), jose.ES256, "published", symbolon.TypClientAuthentication); err != nil {
		return nil, err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, err
	}
	h.uri = "https://localhost:" + port + "/jwks.json" // a name: addresses of loopback are no jwks_uri
	h.server = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go h.server.Serve(listener)
	return h, nil
}

func (h *keyHost) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	h.asked = append(h.asked, time.Now())
	h.mu.Unlock()
	set := jose.KeySet{Keys: []*jose.Key{h.signer.Key()}}
	w.Write(set.JSON())
}

// count is how often the host was asked.
func (h *keyHost) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.asked)
}

// least is the shortest time between two questions; zero when there was one.
func (h *keyHost) least() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	var least time.Duration
	for i := 1; i < len(h.asked); i++ {
		if gap := h.asked[i].Sub(h.asked[i-1]); least == 0 || gap < least {
			least = gap
		}
	}
	return least
}

func (h *keyHost) close() { h.server.Close() }

// selfSigned makes a server certificate for one name, good for a day.
func selfSigned(name string) (tls.Certificate, error) {
	key := keyOf(jose.ES256)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// strangeSigner signs assertions with a key that nobody knows. The key is one
// for all; its id is new each time.
func strangeSigner() (*jose.Signer, error) {
	return jose.NewSigner(strangeKey(), jose.ES256, rand.Text(), symbolon.TypClientAuthentication)
}

var strangeKey = sync.OnceValue(func() crypto.Signer { return keyOf(jose.ES256) })
