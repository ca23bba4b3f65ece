package guard

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/web"
)

// Values of Config.ClientCertHeader.
const (
	headerClientCert  = "Client-Cert"   // RFC 9440; package web reads it
	headerEscapedCert = "X-Client-Cert" // PEM, percent-encoded
)

var errEscaped = symbolon.NewError(symbolon.InvalidRequest, "X-Client-Cert is not one certificate as nginx's ssl_client_escaped_cert writes it; correct the proxy that passes certificates on")

// certificateOf is the certificate of the caller, nil when it presented none.
// trusted: the request comes from a peer whose headers count, to a listener that
// asks for no certificates itself.
func (g *Guard) certificateOf(x *web.Exchange, r *http.Request, trusted bool) (*x509.Certificate, *symbolon.Error) {
	if x.Certificate != nil || g.cfg.ClientCertHeader != headerEscapedCert || !trusted {
		return x.Certificate, nil
	}
	values := r.Header[headerEscapedCert]
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return nil, nil
	}
	if len(values) > 1 {
		return nil, errEscaped
	}
	return readEscaped(values[0])
}

// readEscaped reads one certificate, and nothing besides it.
func readEscaped(value string) (*x509.Certificate, *symbolon.Error) {
	if len(value) > symbolon.MaxHeader {
		return nil, errEscaped
	}
	text, err := url.PathUnescape(value) // a "+" is one of Base64
	if err != nil {
		return nil, errEscaped.WithCause(err)
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 || strings.TrimSpace(string(rest)) != "" ||
		!strings.HasPrefix(text, "-----BEGIN ") {
		return nil, errEscaped
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errEscaped.WithCause(err)
	}
	return cert, nil
}
