package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
)

// Bounds of what the host of a jwks_uri may say, in octets.
const (
	maxKeySetBody   = 256 << 10
	maxKeySetHeader = 16 << 10
)

// keyClient is the HTTP client of a KeySource. It follows no redirect, asks no
// proxy (which would dial for us, unguarded), keeps no connection and no cookie,
// and does not decompress: a bound on octets that are read must not be one on
// octets that were sent.
func keyClient(allow []netip.Prefix, roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Control: newAddressGuard(allow).control}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			DisableKeepAlives:      true, // two fetches are 10 s apart or more
			MaxResponseHeaderBytes: maxKeySetHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var (
	errKeyURI      = errors.New("the jwks_uri is no https URL with a host and without a user: correct it")
	errKeyTooLong  = fmt.Errorf("the jwks_uri answered with more than %d KiB: publish only the keys that are in use", maxKeySetBody>>10)
	errKeyTimeout  = errors.New("the jwks_uri did not answer in time: look at the host, and at the way to it from this node")
	errKeyHostGone = errors.New("the host of the jwks_uri has no address: correct the name, or look at the DNS of this node")
	errKeyCA       = errors.New("the host of the jwks_uri has a certificate of an authority that this node does not trust: add it to the roots of this machine, or change the certificate")
	errKeyName     = errors.New("the host of the jwks_uri has a certificate for other names: get one for the name in the jwks_uri")
	errKeyExpired  = errors.New("the host of the jwks_uri has a certificate that has expired or is not valid yet: renew it, or compare the clocks")
	errKeyCert     = errors.New("the host of the jwks_uri has a certificate that is not good for a server: get one for TLS servers, with the whole chain")
	errKeyNoTLS    = errors.New("the host of the jwks_uri does not speak TLS 1.2 or later on that port: correct the port, or let the host speak it")
	errKeyBroken   = fmt.Errorf("the jwks_uri gave no HTTP answer with a header of at most %d KiB, or broke it off: look at the log of the host", maxKeySetHeader>>10)
)

// readKeySet reads what is at a jwks_uri: https, any port, status 200, whatever
// Content-Type it claims.
func readKeySet(ctx context.Context, hc *http.Client, uri string) ([]byte, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return nil, errKeyURI
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, errKeyURI
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	req.Header.Set("User-Agent", "symbolon")
	resp, err := hc.Do(req)
	if err != nil {
		return nil, keyFault(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode <= 399:
		return nil, fmt.Errorf("the jwks_uri answered %d: redirects are not followed; register the address that it leads to", resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the jwks_uri answered %d where a key set was expected: publish it there with status 200", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySetBody+1)) // CVE-2026-26998
	if err == nil {
		err = ctx.Err() // a host that is hung up on can still end its answer as if it were whole
	}
	switch {
	case err != nil:
		return nil, keyFault(err)
	case len(body) > maxKeySetBody:
		return nil, errKeyTooLong
	}
	return body, nil
}

// keyFault says in our own words why there is no answer: net/http and crypto
// quote what a host sent.
func keyFault(err error) error {
	var (
		address *addressError
		dns     *net.DNSError
		ca      x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		op      *net.OpError
		errno   syscall.Errno
	)
	switch {
	case errors.As(err, &address):
		return address
	case errors.Is(err, context.DeadlineExceeded):
		return errKeyTimeout
	case errors.As(err, &dns):
		return errKeyHostGone
	case errors.As(err, &ca):
		return errKeyCA
	case errors.As(err, &name):
		return errKeyName
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return errKeyExpired
	case errors.As(err, &cert):
		return errKeyCert
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &op) && tlsFault[op.Op]:
		return errKeyNoTLS
	case errors.As(err, &errno):
		return fmt.Errorf("the host of the jwks_uri cannot be reached: %w; look at the host, and at the way to it from this node", errno)
	}
	return errKeyBroken
}

// tlsFault holds what crypto/tls calls the operation in which one side refuses
// to go on.
var tlsFault = map[string]bool{"remote error": true, "local error": true}

// loggedURI is a jwks_uri without its query, which may hold somebody's secret.
func loggedURI(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Opaque != "" {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
