package web

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"
)

// Certificate is a server's own, read again when its files change.
type Certificate struct {
	files Reloaded[*tls.Certificate]
}

// LoadCertificate reads the certificate and its key, which must be usable at the
// start; both are PEM files.
func LoadCertificate(cert, key string, now func() time.Time, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{Reloaded[*tls.Certificate]{
		What: "certificate", Keep: "write the certificate and its key again", Files: []string{cert, key}, Now: now, Logger: log,
		Read: func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cert, key)
			return &pair, err
		},
	}}
	if err := c.files.First(); err != nil {
		return nil, err
	}
	return c, nil
}

// TLSConfig is what every TLS listener starts from. It does not depend on the
// certificate: what a file says never changes the versions that are spoken.
func (c *Certificate) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		CipherSuites:   suites,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.files.Get(), nil },
	}
}

// suites are those of TLS 1.2 that are spoken: the ones that RFC 9325 §4.2
// recommends, and no others, as FAPI 2.0 §5.2.2 demands. Those of TLS 1.3 are all
// as good.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
}

// MaxPresented bounds the octets of all certificates that a client presents. TLS
// itself would take 256 KiB.
const MaxPresented = 32 << 10

var errPresented = fmt.Errorf("the client presents more than %d certificates or %d octets of them", MaxCertificates, MaxPresented)

// AskCertificates makes a listener ask for a certificate, and take any: whether
// it leads to a root is looked at for each client and request. Nothing is
// resumed: a session would bring back a certificate that today's roots would
// refuse (GO-2026-4337).
func AskCertificates(c *tls.Config) *tls.Config {
	c.ClientAuth = tls.RequestClientCert
	c.SessionTicketsDisabled = true
	c.VerifyConnection = func(s tls.ConnectionState) error {
		size := 0
		for _, cert := range s.PeerCertificates {
			size += len(cert.Raw)
		}
		if len(s.PeerCertificates) > MaxCertificates || size > MaxPresented {
			return errPresented
		}
		return nil
	}
	return c
}
