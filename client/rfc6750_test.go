package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// overTLS serves with a certificate for 127.0.0.1 and example.com whose issuer
// nobody knows but the returned pool. A handshake that is refused is no news.
func overTLS(t *testing.T, h http.Handler) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s, pool
}

// trusting is an HTTP client that knows the pool's issuers, at this time.
func trusting(t *testing.T, pool *x509.CertPool, now func() time.Time) *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Time: now}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// badPeers are the ways in which a server is not who it should be: the URL to
// ask it by, and the client that asks.
func badPeers(t *testing.T, s *httptest.Server, pool *x509.CertPool) map[string]struct {
	url  string
	http *http.Client
} {
	later := func() time.Time { return s.Certificate().NotAfter.Add(time.Hour) }
	return map[string]struct {
		url  string
		http *http.Client
	}{
		"an unknown issuer of certificates": {s.URL, trusting(t, x509.NewCertPool(), nil)},
		"a certificate of another name":     {strings.Replace(s.URL, "127.0.0.1", "localhost", 1), trusting(t, pool, nil)},
		"an expired certificate":            {s.URL, trusting(t, pool, later)},
	}
}

func certificateError(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError))
}

// TestRFC6750_5_NoTokenForAnUnknownServer: an API whose certificate does not
// verify, or is of another name, gets no token.
func TestRFC6750_5_NoTokenForAnUnknownServer(t *testing.T) {
	s := newAuthServer(t)
	asked := 0
	api, pool := overTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked++ }))
	for name, bad := range badPeers(t, api, pool) {
		cfg := s.config()
		cfg.Resource, cfg.HTTP = bad.url, bad.http
		_, err := newClient(t, cfg).HTTP().Get(bad.url + "/orders")
		if !certificateError(err) || asked != 0 {
			t.Errorf("%s: %v, %d requests", name, err, asked)
		}
	}
	cfg := s.config()
	cfg.Resource, cfg.HTTP = api.URL, trusting(t, pool, nil)
	resp, err := newClient(t, cfg).HTTP().Get(api.URL)
	if body(t, resp, err); asked != 1 {
		t.Error("the API itself was not reached")
	}
}

// TestRFC8414_6_1_NoCredentialsForAnUnknownServer: neither the metadata nor the
// token endpoint of such a server is used.
func TestRFC8414_6_1_NoCredentialsForAnUnknownServer(t *testing.T) {
	s := &authServer{}
	srv, pool := overTLS(t, s)
	for name, bad := range badPeers(t, srv, pool) {
		s.issuer = bad.url
		if _, err := Discover(t.Context(), bad.http, bad.url); !certificateError(err) {
			t.Errorf("%s: metadata: %v", name, err)
		}
		c := newClient(t, Config{TokenURL: bad.url + "/token", ID: "c", Auth: Secret("s"), HTTP: bad.http})
		if _, err := c.ask(t.Context()); err == nil || !certificateError(err) || s.requests.Load() != 0 {
			t.Errorf("%s: token: %v, %d requests", name, err, s.requests.Load())
		}
	}
	s.issuer = srv.URL
	value(t, newClient(t, Config{Issuer: srv.URL, ID: "c", Auth: Secret("s"), HTTP: trusting(t, pool, nil)}))
}
