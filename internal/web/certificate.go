package web

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/symbolon/symbolon"
)

// MaxCertificates is how many certificates a client may present: its own and
// those that lead to a root. Each costs work before anything is known about it.
const MaxCertificates = 5

// Header fields of RFC 9440 §2, in the spelling of http.Header. Others that
// proxies are known to use (X-SSL-Client-Cert, X-Forwarded-Client-Cert, spellings
// with underscores) mean nothing here.
const (
	headerClientCert  = "Client-Cert"
	headerClientChain = "Client-Cert-Chain"
)

var errForwarded = symbolon.NewError(symbolon.InvalidRequest,
	"Client-Cert is not one certificate as RFC 9440 writes it, or Client-Cert-Chain no list of them; correct the proxy that passes certificates on")

// findCertificate notes the certificate that the client presented. Where
// connections are asked for one, headers say nothing. Elsewhere it is what a
// trusted proxy says by RFC 9440; from anybody else these headers are not looked
// at, since who writes them needs no key (RFC 9440 §4).
func (s *wrapped) findCertificate(x *Exchange, r *http.Request) error {
	leaf, chain := r.Header[headerClientCert], r.Header[headerClientChain]
	claimed := len(leaf) > 0 || len(chain) > 0
	if s.AskCertificates {
		x.Claimed = claimed
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			x.Certificate, x.Chain = r.TLS.PeerCertificates[0], r.TLS.PeerCertificates[1:]
		}
		return nil
	}
	if !claimed {
		return nil
	}
	if direct, ok := Connected(r); !ok || !s.ProxyCertificates || !Within(direct, s.TrustedProxies) {
		x.Claimed = true
		return nil
	}
	var err error
	if x.Certificate, x.Chain, err = readForwarded(leaf, chain); err != nil {
		if ok, _ := s.noise.Allow(headerClientCert, x.Began); ok {
			s.Logger.LogAttrs(r.Context(), slog.LevelWarn, "a trusted proxy passes on a certificate that cannot be read",
				slog.String("request_id", x.RequestID), slog.String("proxy", r.RemoteAddr), slog.Any("cause", err))
		}
		return errForwarded.WithCause(err)
	}
	x.Forwarded = true
	return nil
}

var (
	errSeveral     = errors.New("Client-Cert stands there more than once")
	errChainAlone  = errors.New("Client-Cert-Chain came without Client-Cert")
	errChainLength = fmt.Errorf("a client presents at most %d certificates", MaxCertificates)
	errNoSequence  = errors.New("not a byte sequence of RFC 8941: write :base64 of the DER:, without line breaks and parameters")
)

// readForwarded reads the values of both headers. RFC 9440 §2.2: the first has
// one value; §2.3: the second is a list, which may be spread over several lines.
func readForwarded(leaf, chain []string) (*x509.Certificate, []*x509.Certificate, error) {
	if len(leaf) == 0 {
		return nil, nil, errChainAlone
	}
	if len(leaf) > 1 {
		return nil, nil, errSeveral
	}
	cert, err := readCertificate(leaf[0])
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", headerClientCert, err)
	}
	var others []*x509.Certificate
	for _, line := range chain {
		for item := range strings.SplitSeq(line, ",") {
			if len(others)+1 == MaxCertificates {
				return nil, nil, errChainLength
			}
			other, err := readCertificate(item)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", headerClientChain, err)
			}
			others = append(others, other)
		}
	}
	return cert, others, nil
}

// readCertificate reads one certificate as RFC 9440 §2.1 encodes it. Lines are
// bounded by the request's head, octets after the certificate are an error.
func readCertificate(item string) (*x509.Certificate, error) {
	text := strings.Trim(item, " \t")
	// A certificate has one spelling: the decoder alone would pass over line breaks.
	if len(text) > symbolon.MaxHeader || len(text) < 2 || text[0] != ':' || text[len(text)-1] != ':' || strings.ContainsAny(text, "\r\n") {
		return nil, errNoSequence
	}
	der, err := base64.StdEncoding.Strict().DecodeString(text[1 : len(text)-1])
	if err != nil {
		return nil, errNoSequence
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("not the DER of one X.509 certificate")
	}
	return cert, nil
}
