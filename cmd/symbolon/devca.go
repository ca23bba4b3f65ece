package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"path/filepath"
	"time"

	"github.com/symbolon/symbolon/internal/disk"
)

// Files of a stand-in's data directory that TLS needs.
const (
	caFile     = "ca.pem"
	caKeyFile  = "ca.key"
	tlsFile    = "tls.pem"
	tlsKeyFile = "tls.key"
)

const (
	// caLife is shorter than what any system refuses for a certificate (825 days).
	caLife = 800 * 24 * time.Hour
	// caRest is how much of it must be left at a start; else there is a new authority.
	caRest = 30 * 24 * time.Hour
)

// certify lets the directory have an authority of its own, which stays the same
// from start to start, and a certificate of it for localhost, made anew.
func certify(dir string, now time.Time) error {
	ca, key, err := keptAuthority(dir, now)
	if err == nil && ca == nil {
		ca, key, err = newAuthority(dir, now)
	}
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "localhost"},
		NotBefore: now.Add(-clockSkew), NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	_, err = writeCertificate(template, ca, own, key, [2]string{filepath.Join(dir, tlsFile), filepath.Join(dir, tlsKeyFile)})
	return err
}

// keptAuthority is the one of an earlier start; nil when there is none that lasts.
func keptAuthority(dir string, now time.Time) (*x509.Certificate, crypto.Signer, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, caFile), filepath.Join(dir, caKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if err != nil || !ok {
		return nil, nil, fmt.Errorf("%s and %s in %s are no certificate authority: %w; remove both, and a new one is made, which programs must be told of", caFile, caKeyFile, dir, err)
	}
	if now.Before(pair.Leaf.NotBefore) || now.Add(caRest).After(pair.Leaf.NotAfter) {
		return nil, nil, nil
	}
	return pair.Leaf, key, nil
}

// newAuthority makes one that can certify names of this machine alone: people add
// it to what their programs trust, and its key lies in a directory.
func newAuthority(dir string, now time.Time) (*x509.Certificate, crypto.Signer, error) {
	template := &x509.Certificate{
		// With a name of its own nothing takes it for another that is trusted too.
		Subject:   pkix.Name{CommonName: "symbolon dev CA " + rand.Text()[:8]},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(caLife),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		// RFC 5280 §4.2.1.10.
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{"localhost"},
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}, {IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	ca, err := writeCertificate(template, template, key, key, [2]string{filepath.Join(dir, caFile), filepath.Join(dir, caKeyFile)})
	return ca, key, err
}

// writeCertificate makes the certificate of a key, signed by the issuer's, and
// writes both as PEM files, the key for this user alone.
func writeCertificate(template, issuer *x509.Certificate, key, signer crypto.Signer, files [2]string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial.Add(serial, big.NewInt(1))
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		disk.Replace(files[1], pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
		disk.Replace(files[0], pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
