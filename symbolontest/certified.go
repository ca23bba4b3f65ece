package symbolontest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/node"
	"github.com/symbolon/symbolon/internal/registry"
)

// ServeTLS is Serve over TLS, "https://127.0.0.1:PORT", certified by the server's
// Roots: it asks callers for a certificate, so that it takes tokens that are bound
// to one (RFC 8705 §3). The others it takes too.
func (a *API) ServeTLS(scope string, h http.Handler) string {
	a.server.t.Helper()
	s := httptest.NewUnstartedServer(nil)
	url := a.serve(s, "https://", scope, h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{a.server.hostCertificate()}, ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	return url
}

// CertificateClient is Client with a certificate of the server's authority instead
// of a secret (tls_client_auth, RFC 8705 §2.1), to which its tokens are bound. They
// are good at what ServeTLS runs.
func (s *Server) CertificateClient(id string, api *API, scopes ...string) *Client {
	s.t.Helper()
	c := s.newCertificate(&s.authority, x509.Certificate{Subject: pkix.Name{CommonName: id}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return s.certificateClient(&Client{ID: id, Certificate: &c}, registry.Certificate{SubjectDN: c.Leaf.Subject.String()}, api, scopes)
}

// SelfSignedClient is CertificateClient with a certificate that the client made
// itself (self_signed_tls_client_auth, RFC 8705 §2.2).
func (s *Server) SelfSignedClient(id string, api *API, scopes ...string) *Client {
	s.t.Helper()
	c := s.newCertificate(nil, x509.Certificate{Subject: pkix.Name{CommonName: id}})
	return s.certificateClient(&Client{ID: id, Certificate: &c}, registry.Certificate{PEM: string(pemOf(&c))}, api, scopes)
}

func (s *Server) certificateClient(c *Client, credential registry.Certificate, api *API, scopes []string) *Client {
	s.t.Helper()
	_, _, err := s.node.Admin().CreateClient(s.t.Context(), admin.System(), admin.CreateClient{
		Client:      registry.Client{ID: c.ID, Access: map[string][]string{api.ID: slices.Clone(scopes)}},
		Certificate: &admin.NewCertificate{Certificate: credential},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.client(c, client.Config{Auth: client.Certificate(*c.Certificate)}, api, scopes)
}

// TLS is the same client with tokens that are bound to a new certificate, while it
// authenticates as before (RFC 8705 §3). One that authenticates with a certificate
// has such tokens already.
func (c *Client) TLS() *Client {
	s := c.server
	s.t.Helper()
	made := s.newCertificate(nil, x509.Certificate{Subject: pkix.Name{CommonName: c.ID}})
	cfg := c.cfg
	cfg.TLS = client.Certificate(made)
	return s.start(&Client{ID: c.ID, Secret: c.Secret, Key: c.Key, Certificate: &made}, cfg)
}

// certify makes the authority of the server, and the transport that trusts it.
func (s *Server) certify() {
	s.t.Helper()
	s.authority = s.newCertificate(nil, x509.Certificate{
		Subject: pkix.Name{CommonName: "symbolontest"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	s.Roots = x509.NewCertPool()
	s.Roots.AddCert(s.authority.Leaf)
	s.transport = http.DefaultTransport.(*http.Transport).Clone()
	s.transport.TLSClientConfig = &tls.Config{RootCAs: s.Roots}
	s.t.Cleanup(s.transport.CloseIdleConnections)
}

// mtls is the endpoint for clients with certificates, on a port of its own: the
// issuer's stays plain.
func (s *Server) mtls() *node.MTLS {
	s.t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	dir, host := s.t.TempDir(), s.hostCertificate()
	key, err := x509.MarshalPKCS8PrivateKey(host.PrivateKey)
	if err != nil {
		s.t.Fatal(err)
	}
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			s.t.Fatal(err)
		}
		return path
	}
	files := &node.TLSFiles{
		Cert: write("host.crt", pemOf(&host)), Key: write("host.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
	}
	return &node.MTLS{
		URL:      "https://" + socket.Addr().String(),
		Listen:   node.Listener{Addr: socket.Addr().String(), TLS: files, Socket: socket},
		ClientCA: write("roots.crt", pemOf(&s.authority)),
	}
}

// hostCertificate is for whoever listens on a loopback port.
func (s *Server) hostCertificate() tls.Certificate {
	s.t.Helper()
	return s.newCertificate(&s.authority, x509.Certificate{
		Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// farOff is longer than any test moves the clock ahead.
const farOff = 100 * 365 * 24 * time.Hour

// newCertificate makes a certificate with a new key, signed by another or by
// itself.
func (s *Server) newCertificate(by *tls.Certificate, template x509.Certificate) tls.Certificate {
	s.t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		s.t.Fatal(err)
	}
	now := time.Now()
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, now.Add(-time.Hour), now.Add(farOff)
	key := s.newKey()
	made := tls.Certificate{PrivateKey: key}
	issuer, signer := &template, key
	if by != nil {
		issuer, signer = by.Leaf, by.PrivateKey.(*ecdsa.PrivateKey)
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, issuer, key.Public(), signer)
	if err != nil {
		s.t.Fatal(err)
	}
	if made.Leaf, err = x509.ParseCertificate(der); err != nil {
		s.t.Fatal(err)
	}
	made.Certificate = [][]byte{der}
	return made
}

func pemOf(c *tls.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
}
