package node

import (
	"crypto/tls"
	"log/slog"
	"time"
)

// certificate is the server's own, read again when its files change.
type certificate struct {
	reloaded[*tls.Certificate]
}

func loadCertificate(files TLSFiles, now func() time.Time, log *slog.Logger) (*certificate, error) {
	c := &certificate{reloaded[*tls.Certificate]{
		what: "certificate", keep: "write the certificate and its key again", files: []string{files.Cert, files.Key}, now: now, log: log,
		read: func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
			return &pair, err
		},
	}}
	if err := c.first(); err != nil {
		return nil, err
	}
	return c, nil
}

// tlsConfig is what every TLS listener starts from. It does not depend on the
// certificate: what a file says never changes the versions that are spoken.
func (c *certificate) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		CipherSuites:   suites,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(), nil },
	}
}

// suites are those of TLS 1.2 that are spoken: forward secrecy and authenticated
// encryption (RFC 9325 §4.2). Those of TLS 1.3 all are so.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}
