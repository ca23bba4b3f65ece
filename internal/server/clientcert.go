package server

import (
	"crypto/x509"
	"errors"
	"slices"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/replica"
)

const clauseCertificate = "RFC 8705 §2"

var (
	errWrongCertificate = errors.New("the certificate fits none of the client's credentials")
	errNoRoots          = errors.New("this node has no client_ca")
	errNotForClients    = errors.New("the certificate does not say that it is for client authentication (extended key usage clientAuth)")
)

// byCertificate is tls_client_auth and self_signed_tls_client_auth (RFC 8705
// §2.1, §2.2): which of them follows from the credential that fits. The chain is
// checked whoever the client is.
func (s *Server) byCertificate(c *call, entry *replica.Entry) presented {
	p := presented{clause: clauseCertificate}
	chained := s.chain(c)
	client, leaf := entry.Client, c.request.Certificate
	p.why = &fault{clauseCertificate, "a certificate of the client", "another", "register the certificate's subject, or the certificate itself, with the client", errWrongCertificate}
	if client == nil {
		return p
	}
	if !client.Authenticates(symbolon.AuthTLSClient) {
		c.record.Method = symbolon.AuthSelfSignedTLS // the record names a method that the client could have
	}
	for _, method := range [...]string{symbolon.AuthTLSClient, symbolon.AuthSelfSignedTLS} {
		cert := client.CertificateFor(method, leaf, c.now)
		if cert == nil || !client.Authenticates(method) {
			continue
		}
		c.record.Method = method
		switch {
		case method == symbolon.AuthTLSClient && chained != nil:
			p.why = &fault{"RFC 8705 §2.1", "a chain to a root of client_ca, for client authentication", "another", "use a certificate of that authority, or add its root to client_ca", chained}
		case c.now.Before(leaf.NotBefore) || c.now.After(leaf.NotAfter):
			p.why = &fault{clauseCertificate, "a certificate that is valid now", "one that is not", "renew the certificate", errors.New("the certificate is not valid at this time")}
		default:
			p.cred, p.why = cert.ID, nil
			return p
		}
	}
	return p
}

// chain verifies the certificate's chain once per request.
func (s *Server) chain(c *call) error {
	if c.chained != nil {
		return *c.chained
	}
	s.counted("chain")
	err := errNoRoots
	if s.cfg.ClientCAs != nil {
		if roots := s.cfg.ClientCAs(); roots != nil {
			between := x509.NewCertPool()
			for _, cert := range c.request.Chain {
				between.AddCert(cert)
			}
			_, err = c.request.Certificate.Verify(x509.VerifyOptions{
				Roots: roots, Intermediates: between, CurrentTime: c.now,
				// A server's certificate is no client's, whoever signed it.
				KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			})
		}
	}
	// Verify takes a certificate without the extension for one of every use. Who
	// signs certificates for servers alone must not have made clients of them.
	if err == nil && !slices.Contains(c.request.Certificate.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		err = errNotForClients
	}
	c.chained = &err
	return err
}
