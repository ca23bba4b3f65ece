package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// certified presents certificates over the program's own transport: by a clone
// of it for each, so that no connection that was made with one is used with
// another, or for requests that are to carry none.
type certified struct {
	base *http.Transport

	mu     sync.Mutex
	clones []clone // the newest first; the one before it may still be in use
	closed bool
}

type clone struct {
	shown *shown
	*http.Transport
}

// maxClones: after a change of certificate a token that is bound to the old one
// is used until there is a new one.
const maxClones = 2

// newCertified refuses transports into which no certificate can be put.
func newCertified(base http.RoundTripper) (*certified, error) {
	if base == nil {
		base = http.DefaultTransport
	}
	tr, ok := base.(*http.Transport)
	switch {
	case !ok || tr == nil:
		return nil, fmt.Errorf("is a %T, into which no client certificate can be put; give an *http.Transport, and wrap what Client.Transport returns instead", base)
	case tr.DialTLSContext != nil || tr.DialTLS != nil: //lint:ignore SA1019 whoever still sets DialTLS must hear of it
		// net/http ignores the TLS configuration then.
		return nil, errors.New("has a DialTLSContext, which would make connections without the client certificate; leave it out, and set TLSClientConfig and DialContext")
	}
	return &certified{base: tr}, nil
}

// with gives the transport that presents the certificate.
func (c *certified) with(s *shown) *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.clones {
		if known.shown == s {
			return known.Transport
		}
	}
	tr := c.base.Clone()
	if tr.TLSClientConfig == nil {
		tr.TLSClientConfig = &tls.Config{}
	}
	// A session that was begun without the certificate, or with another, must
	// not be resumed: it keeps the identity that it had (RFC 8446 §2.2).
	tr.TLSClientConfig.ClientSessionCache = nil
	tr.TLSClientConfig.Certificates = nil
	tr.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &s.certificate, nil }
	tr.TLSClientConfig.MinVersion = max(tr.TLSClientConfig.MinVersion, tls.VersionTLS12)
	if tr.IdleConnTimeout == 0 {
		tr.IdleConnTimeout = 90 * time.Second // nobody else can close them
	}
	tr.DisableKeepAlives = tr.DisableKeepAlives || c.closed
	c.clones = append([]clone{{s, tr}}, c.clones...)
	if len(c.clones) > maxClones {
		c.clones[maxClones].CloseIdleConnections()
		c.clones = c.clones[:maxClones]
	}
	return tr
}

// CloseIdleConnections closes those of the clones and of the transport itself.
func (c *certified) CloseIdleConnections() {
	c.closeClones(false)
	c.base.CloseIdleConnections()
}

// closeClones closes the idle connections that are the client's own; at the end
// none are kept any more.
func (c *certified) closeClones(end bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = c.closed || end
	for _, known := range c.clones {
		known.CloseIdleConnections()
	}
}
