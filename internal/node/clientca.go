package node

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/symbolon/symbolon/internal/web"
)

// clientCAs are the roots of clients' certificates, read again when their file
// changes.
type clientCAs struct {
	files web.Reloaded[*x509.CertPool]
}

func loadClientCAs(file string, now func() time.Time, log *slog.Logger) (*clientCAs, error) {
	c := &clientCAs{web.Reloaded[*x509.CertPool]{
		What: "client_ca", Keep: "the roots that were trusted still are; write the file again, or, for no root at all, only " + nobody, Files: []string{file}, Now: now, Logger: log,
		Read: func() (*x509.CertPool, error) { return readPool(file) },
	}}
	if err := c.files.First(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *clientCAs) get() *x509.CertPool { return c.files.Get() }

// nobody is what a file without roots says: nothing that is left of a file while it
// is written or copied, and no such file, can mean that.
const nobody = "# nobody"

// maxPool is more than any list of roots needs.
const maxPool = 1 << 20

// readPool reads the roots of a PEM file, all or none: one that was passed over
// would be missed only when its clients are refused.
func readPool(file string) (*x509.CertPool, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPool+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxPool {
		return nil, fmt.Errorf("%s is larger than %d octets; is it the right file?", file, maxPool)
	}
	pool, err := parsePool(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return pool, nil
}

var pemBegin = []byte("-----BEGIN ")

func parsePool(text []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if string(bytes.TrimSpace(text)) == nobody {
		return pool, nil // not nil, which would be the system's roots
	}
	// pem.Decode passes over what is broken, and over texts between the blocks,
	// which openssl writes there.
	blocks := bytes.Count(text, pemBegin)
	n := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		n++
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("block %d is no certificate; the file holds the certificates of the CAs and nothing else", n)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %w", n, err)
		}
		if !cert.IsCA || cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0 {
			return nil, fmt.Errorf("certificate %d (%s) may not sign others; write the CA's certificate here, and a client's own into the client, as pem_file", n, cert.Subject)
		}
		pool.AddCert(cert)
	}
	switch {
	case n == 0 && blocks == 0:
		return nil, errors.New("no certificate in it; write PEM files, which begin with -----BEGIN CERTIFICATE-----, or the one line \"" + nobody + "\" to trust no CA")
	case n < blocks:
		return nil, errors.New("a PEM block in it is cut off; write the whole file again")
	}
	return pool, nil
}
