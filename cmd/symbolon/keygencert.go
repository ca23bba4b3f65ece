package main

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/registry"
)

// certificateOptions say which certificate keygen makes with a key pair.
type certificateOptions struct {
	cert, csr      bool
	name, valid    string
	dns, uris, ips []string
	lifetime       time.Duration
	parsedURIs     []*url.URL
	parsedIPs      []net.IP
}

func certificateFlags(cmd *cobra.Command) *certificateOptions {
	o := &certificateOptions{}
	f := cmd.Flags()
	f.BoolVar(&o.cert, "cert", false, "also make a certificate that the key signs itself, for TLS")
	f.BoolVar(&o.csr, "csr", false, "also make a request for a certificate, for an authority")
	f.StringVar(&o.name, "name", "", "common name (CN) of the certificate (default: the last part of NAME)")
	f.StringVar(&o.valid, "valid", "365d", "how long the certificate is valid")
	f.StringSliceVar(&o.dns, "san-dns", nil, "a DNS name in the certificate; repeat for more")
	f.StringSliceVar(&o.uris, "san-uri", nil, "a URI in the certificate; repeat for more")
	f.StringSliceVar(&o.ips, "san-ip", nil, "an IP address in the certificate; repeat for more")
	return o
}

// maxValid is how long a certificate of keygen is valid at most: longer than that
// nobody remembers where its key lies.
const maxValid = 10 * 366 * 24 * time.Hour

// read checks the options before anything is made.
func (o *certificateOptions) read(name string) error {
	if !o.cert && !o.csr {
		if o.name != "" || len(o.dns)+len(o.uris)+len(o.ips) > 0 {
			return usagef("--name and --san-… are for a certificate; add --cert or --csr")
		}
		return nil
	}
	if o.name == "" {
		o.name = filepath.Base(name)
	}
	d, err := registry.ParseDuration(o.valid)
	if err != nil {
		return usagef("--valid: %w", err)
	}
	if o.lifetime = d.Std(); o.lifetime <= 0 || o.lifetime > maxValid {
		return usagef("--valid %s is not between a moment and ten years", o.valid)
	}
	for _, text := range o.uris {
		u, err := url.Parse(text)
		if err != nil || !u.IsAbs() {
			return usagef("--san-uri %q is no absolute URI; write for example spiffe://example.com/billing", text)
		}
		o.parsedURIs = append(o.parsedURIs, u)
	}
	for _, text := range o.ips {
		ip := net.ParseIP(text)
		if ip == nil {
			return usagef("--san-ip %q is no IP address", text)
		}
		o.parsedIPs = append(o.parsedIPs, ip)
	}
	return nil
}

// files are the certificate and the request that are wanted.
func (o *certificateOptions) files(pair *keyPair, name string, key crypto.Signer, now time.Time) ([]newFile, error) {
	var files []newFile
	if o.cert {
		der, err := o.selfSigned(key, now)
		if err != nil {
			return nil, err
		}
		pair.Certificate = name + ".crt"
		files = append(files, newFile{pair.Certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644})
	}
	if o.csr {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: o.name},
			DNSNames: o.dns, URIs: o.parsedURIs, IPAddresses: o.parsedIPs}, key)
		if err != nil {
			return nil, err
		}
		pair.Request = name + ".csr"
		files = append(files, newFile{pair.Request, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), 0o644})
	}
	return files, nil
}

// clockSkew lets a certificate begin a little earlier, for servers whose clock
// is behind.
const clockSkew = 5 * time.Minute

// selfSigned is a certificate for clients alone: it is no authority, and no
// server's.
func (o *certificateOptions) selfSigned(key crypto.Signer, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{CommonName: o.name},
		NotBefore:    now.Add(-clockSkew), NotAfter: now.Add(o.lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		DNSNames:              o.dns, URIs: o.parsedURIs, IPAddresses: o.parsedIPs,
	}
	return x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
}
