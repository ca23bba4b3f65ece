package client

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

// ClientCertificate is a certificate with its private key, which the client
// presents in TLS (RFC 8705): as Config.Auth it is how the client authenticates
// (tls_client_auth, self_signed_tls_client_auth); as Config.TLS tokens are bound
// to it while the client authenticates in another way. It is made by
// Certificate or CertificateFiles, and prints as its kind alone.
type ClientCertificate struct{ source *certificateSource }

// Certificate presents the certificate, which may have intermediate ones behind
// it. Its private key may be any crypto.Signer.
func Certificate(c tls.Certificate) *ClientCertificate {
	first, err := newShown(c)
	return &ClientCertificate{&certificateSource{
		name: "client.Certificate([redacted])",
		load: func() (*shown, error) { return first, err },
	}}
}

// CertificateFiles presents the certificate in a PEM file, with intermediate
// ones behind it, and the private key in another (PKCS #8, SEC 1 or PKCS #1, not
// encrypted); key may be "" when both are in one. New files are taken up within
// a second: a token that is bound to the old certificate is used with it until
// there is a new one. While new files do not go together, the old certificate
// stays in use.
func CertificateFiles(cert, key string) *ClientCertificate {
	if key == "" {
		key = cert
	}
	return &ClientCertificate{&certificateSource{
		name:    "client.CertificateFiles(" + cert + ", " + key + ")",
		load:    func() (*shown, error) { return loadShown(cert, key) },
		changes: func() string { return fileVersion(cert) + " " + fileVersion(key) },
	}}
}

var errNoCertificate = errors.New("is nil or empty; make it with client.Certificate or client.CertificateFiles")

// authenticate: RFC 8705 §2: the certificate is presented by the connection,
// and client_id says whose it is.
func (c *ClientCertificate) authenticate(r *tokenRequest) error {
	if _, err := c.fresh(); err != nil {
		return err
	}
	r.form.Set("client_id", r.id)
	return nil
}

func (c *ClientCertificate) version() string {
	if c == nil || c.source == nil || c.source.changes == nil {
		return ""
	}
	return c.source.changes()
}

// fresh gives the certificate as its files have it now. The error is nil when
// there is one to use.
func (c *ClientCertificate) fresh() (*shown, error) {
	if c == nil || c.source == nil {
		return nil, errNoCertificate
	}
	return c.source.fresh()
}

// current gives it as its files had it a second before now, or nil.
func (c *ClientCertificate) current(now time.Time) *shown {
	if c == nil || c.source == nil {
		return nil
	}
	return c.source.current(now)
}

// String tells the kind, and the files.
func (c *ClientCertificate) String() string {
	if c == nil || c.source == nil {
		return "client.Certificate(nil)"
	}
	return c.source.name
}

// GoString is String: %#v must not print the private key.
func (c *ClientCertificate) GoString() string { return c.String() }

// LogValue is String for slog.
func (c *ClientCertificate) LogValue() slog.Value { return slog.StringValue(c.String()) }

// shown is one certificate, as it is presented. Two are the same when the
// pointers are.
type shown struct {
	certificate tls.Certificate
	notAfter    time.Time
}

// newShown checks that the parts go together: otherwise handshakes fail, whose
// errors do not say why.
func newShown(c tls.Certificate) (*shown, error) {
	if len(c.Certificate) == 0 {
		return nil, errors.New("the tls.Certificate is empty; load it with tls.LoadX509KeyPair, or use client.CertificateFiles")
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("the first certificate cannot be read: %w", err)
	}
	key, ok := c.PrivateKey.(crypto.Signer)
	if !ok || !usable(key) {
		return nil, errors.New("the certificate has no private key that signs; set tls.Certificate.PrivateKey")
	}
	public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(key.Public()) {
		return nil, errors.New("the private key is not that of the first certificate; the client's own certificate stands first, those of its issuers behind it")
	}
	c.Leaf = leaf
	return &shown{certificate: c, notAfter: leaf.NotAfter}, nil
}

// usable reports whether the key's methods can be called: not so with nil
// pointers and empty structs, which jose knows.
func usable(key crypto.Signer) bool {
	_, err := jose.NewSigner(key, jose.ES256, "", "")
	return !errors.Is(err, jose.ErrKey)
}

// certificateLimit is more than a chain of certificates or a key has, in bytes.
const certificateLimit = 256 << 10

func loadShown(cert, key string) (*shown, error) {
	chain, err := readFile("the certificate's file", cert, certificateLimit)
	if err != nil {
		return nil, err
	}
	private := chain
	if key != cert {
		if private, err = readFile("the file of the certificate's key", key, certificateLimit); err != nil {
			return nil, err
		}
	}
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return nil, fmt.Errorf("%s and %s do not hold a certificate and its key in PEM: %w", cert, key, err)
	}
	return newShown(pair)
}

// certificateSource is where a certificate comes from.
type certificateSource struct {
	name    string
	load    func() (*shown, error)
	changes func() string // of the files; nil: it never changes

	mu      sync.Mutex
	version string
	failed  error        // what the last look at changed files met
	looked  atomic.Int64 // when current did
	last    atomic.Pointer[shown]
}

// lookPause is how often files are looked at while a token is in use.
const lookPause = time.Second

func (s *certificateSource) fresh() (*shown, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.look()
}

func (s *certificateSource) current(now time.Time) *shown {
	last := s.last.Load()
	if last != nil && (s.changes == nil || now.Sub(time.Unix(0, s.looked.Load())).Abs() < lookPause) {
		return last
	}
	if !s.mu.TryLock() {
		return last // another goroutine looks
	}
	defer s.mu.Unlock()
	s.looked.Store(now.UnixNano())
	last, _ = s.look()
	return last
}

// look loads what changed; the lock is held. What was good once stays in use
// while its successor is not.
func (s *certificateSource) look() (*shown, error) {
	last, version := s.last.Load(), ""
	if s.changes != nil {
		version = s.changes()
	}
	if last != nil && version == s.version {
		s.failed = nil
		return last, nil
	}
	next, err := s.load()
	s.failed = err
	switch {
	case err != nil:
		if last == nil {
			return nil, err
		}
		return last, nil // looked at again until it is good: the two files are not written at once
	case last != nil && bytes.Equal(next.certificate.Certificate[0], last.certificate.Certificate[0]):
		s.version = version // written anew, and the same
		return last, nil
	}
	s.version = version
	s.last.Store(next)
	return next, nil
}

// trouble says what is wrong with the newest files; nil when they are in use.
func (s *certificateSource) trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// bound reports the certificate that tokens of this configuration are bound to.
func (cfg *Config) bound() *ClientCertificate {
	if c, ok := cfg.Auth.(*ClientCertificate); ok {
		return c
	}
	return cfg.TLS
}
