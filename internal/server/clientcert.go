package server

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/replica"
)

const clauseCertificate = "RFC 8705 §2"

var (
	errWrongCertificate = errors.New("the certificate fits none of the client's credentials")
	errNoRoots          = errors.New("this node has no client_ca")
	errWeakCertificate  = errors.New("the certificate's key is weaker than the issuer's profile allows")
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
		case c.Issuer.FAPI2() && weak(leaf):
			p.why = &fault{"FAPI 2.0 §5.4.1", "an RSA key of 2048 bits at least", "a shorter one", "make a certificate with a P-256 key", errWeakCertificate}
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
	if c.chained == nil {
		s.counted("chain")
		var roots *x509.CertPool
		if s.cfg.ClientCAs != nil {
			roots = s.cfg.ClientCAs()
		}
		err := errNoRoots
		if roots != nil {
			err = s.chains.verify(presentedChain{c.request.Certificate, c.request.Chain, roots}, c.now)
		}
		c.chained = &err
	}
	return *c.chained
}

// weak reports whether the key is below what FAPI 2.0 Security Profile §5.4.1
// allows.
func weak(leaf *x509.Certificate) bool {
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() < 2048
}
