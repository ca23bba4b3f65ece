package resource

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// certificate makes a self-signed one with a key of its own.
func certificate(t testing.TB, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// secured serves the API over TLS that asks for certificates, and checks none.
func secured(t testing.TB, a *API, change func(*httptest.Server)) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(a.Require("orders:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello "+CallerFrom(r.Context()).ClientID)
	})))
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	if change != nil {
		change(srv)
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// caller is an HTTP client that presents these certificates.
func caller(t testing.TB, srv *httptest.Server, certs ...tls.Certificate) *http.Client {
	t.Helper()
	tr := srv.Client().Transport.(*http.Transport).Clone()
	tr.TLSClientConfig.Certificates = certs
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func certifiedToken(t testing.TB, i *issuer, cert tls.Certificate) string {
	t.Helper()
	return i.token(t, func(c *symbolon.Claims) {
		c.Confirmation = &symbolon.Confirmation{X5TS256: symbolon.CertificateThumbprint(cert.Certificate[0])}
	})
}

func bearerFields(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// TestRFC8705_3_CertificateOfTheConnection: a token that is bound to a certificate
// is taken on connections with it, and on no other, remembered or not.
func TestRFC8705_3_CertificateOfTheConnection(t *testing.T) {
	i := newIssuer(t)
	cfg := i.config()
	cfg.TokenCache = 10
	a := newAPI(t, cfg)
	mine, other := certificate(t, "billing"), certificate(t, "billing") // the same name
	token := certifiedToken(t, i, mine)
	for name, change := range map[string]func(*httptest.Server){
		"TLS 1.2": func(s *httptest.Server) { s.TLS.MaxVersion = tls.VersionTLS12 },
		"TLS 1.3": func(s *httptest.Server) { s.TLS.MinVersion = tls.VersionTLS13 },
		"HTTP/2":  func(s *httptest.Server) { s.EnableHTTP2 = true },
	} {
		srv := secured(t, a, change)
		get := func(hc *http.Client) answer { return do(t, hc, "GET", srv.URL, bearerFields(token)) }
		right := caller(t, srv, mine)
		get(right).good(t, name)
		get(caller(t, srv, other)).wants(t, name+": a second connection with another certificate", "Bearer", errOtherCertificate)
		get(caller(t, srv)).wants(t, name+": a connection without", "Bearer", errNoCertificate)
		get(caller(t, srv, other, mine)).wants(t, name+": the first certificate counts", "Bearer", errOtherCertificate)
		get(right).good(t, name+": the first connection again")
	}
}

// TestKeepAlive: one connection, its certificate, and the tokens of two.
func TestKeepAlive(t *testing.T) {
	i := newIssuer(t)
	srv := secured(t, newAPI(t, i.config()), nil)
	mine, other := certificate(t, "billing"), certificate(t, "shipping")
	hc := caller(t, srv, mine)
	for n, c := range []struct {
		token string
		want  *symbolon.Error
	}{
		{certifiedToken(t, i, mine), nil}, {certifiedToken(t, i, other), errOtherCertificate}, {i.token(t, nil), nil}, {certifiedToken(t, i, mine), nil},
	} {
		reused := false
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }})
		got := doContext(t, ctx, hc, srv.URL, bearerFields(c.token))
		if reused != (n > 0) {
			t.Fatalf("request %d: connection reused: %v", n, reused)
		}
		if c.want == nil {
			got.good(t, fmt.Sprint(n))
			continue
		}
		got.wants(t, fmt.Sprint(n), "Bearer", c.want)
	}
}

func doContext(t testing.TB, ctx context.Context, hc *http.Client, at string, fields http.Header) answer {
	t.Helper()
	bound := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		return hc.Transport.RoundTrip(r.WithContext(ctx))
	})}
	return do(t, bound, http.MethodGet, at, fields)
}

// TestResumedSession: a resumed session is one of the certificate that the first
// handshake showed, also when the caller has another by now.
func TestResumedSession(t *testing.T) {
	i := newIssuer(t)
	srv := secured(t, newAPI(t, i.config()), nil)
	mine, other := certificate(t, "billing"), certificate(t, "shipping")
	hc := caller(t, srv, mine)
	tr := hc.Transport.(*http.Transport)
	tr.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	tr.DisableKeepAlives = true
	resumed := false
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{TLSHandshakeDone: func(s tls.ConnectionState, _ error) { resumed = s.DidResume }})
	for n := range 3 {
		doContext(t, ctx, hc, srv.URL, bearerFields(certifiedToken(t, i, mine))).good(t, "mine")
		if resumed != (n > 0) {
			t.Fatalf("handshake %d resumed: %v", n, resumed)
		}
		doContext(t, ctx, hc, srv.URL, bearerFields(certifiedToken(t, i, other))).wants(t, "another's", "Bearer", errOtherCertificate)
	}
}

// TestCVE_2024_10039_CertificateFromAHeader, also Keycloak #17059: what a caller
// writes into a header is no certificate, over TLS or not.
func TestCVE_2024_10039_CertificateFromAHeader(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	mine, other := certificate(t, "billing"), certificate(t, "thief")
	fields := bearerFields(certifiedToken(t, i, mine))
	der := mine.Certificate[0]
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	fields["Client-Cert"] = []string{":" + base64.StdEncoding.EncodeToString(der) + ":"} // RFC 9440
	for _, name := range []string{"X-Client-Cert", "X-Ssl-Cert", "Ssl-Client-Cert", "X-Forwarded-Tls-Client-Cert"} {
		fields[name] = []string{url.QueryEscape(text)}
	}
	fields["X-Forwarded-Client-Cert"] = []string{`Cert="` + url.QueryEscape(text) + `"`}
	srv := secured(t, a, nil)
	do(t, caller(t, srv), "GET", srv.URL, fields).wants(t, "without a certificate", "Bearer", errNoCertificate)
	do(t, caller(t, srv, other), "GET", srv.URL, fields).wants(t, "with another", "Bearer", errOtherCertificate)
	do(t, http.DefaultClient, "GET", orders(t, a, "orders:read"), fields).wants(t, "without TLS", "Bearer", errNoCertificate)
}

// TestRFC8705_3_1_Examples: the thumbprint and the certificate of appendix A, and
// the claims of figure 2, at their time.
func TestRFC8705_3_1_Examples(t *testing.T) {
	const text = `-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----
`
	block, _ := pem.Decode([]byte(text))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	i := newIssuer(t)
	cfg := i.config()
	cfg.Now = func() time.Time { return time.Unix(1493722801, 0) }
	a := newAPI(t, cfg)
	ask := func(thumbprint string, cert *x509.Certificate) error {
		c := i.claims(cfg.Now())
		c.Subject, c.Expiry, c.NotBefore = "ty.webb@example.com", 1493726400, 1493722800
		c.Confirmation = &symbolon.Confirmation{X5TS256: thumbprint}
		_, err := a.Check(t.Context(), Request{URL: new(url.URL), Authorization: []string{"Bearer " + sign(t, i.signers[0], c.AppendJSON(nil))}, Certificate: cert})
		return err
	}
	const appendix, figure2 = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0", "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"
	if err := ask(appendix, cert); err != nil {
		t.Error(err)
	}
	for thumbprint, cert := range map[string]*x509.Certificate{
		figure2: cert, appendix + "=": cert, appendix[:42]: cert, appendix[:42] + "1": cert, " " + appendix: cert,
		"a4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0": cert,
	} {
		if err := ask(thumbprint, cert); !sameError(err, errOtherCertificate) {
			t.Errorf("%q: %v", thumbprint, err)
		}
	}
	for _, none := range []*x509.Certificate{nil, {}} {
		if err := ask(appendix, none); !sameError(err, errNoCertificate) {
			t.Error(err)
		}
	}
}

// TestBothBindings: a token with both has to have both.
func TestBothBindings(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	srv := secured(t, a, nil)
	mine, other := certificate(t, "billing"), certificate(t, "shipping")
	h := newHolder(t, i, time.Now)
	h.token = h.bound(t, i, func(c *symbolon.Claims) {
		c.Confirmation.X5TS256 = symbolon.CertificateThumbprint(mine.Certificate[0])
	})
	ask := func(hc *http.Client, scheme string, proofs ...string) answer {
		return do(t, hc, "GET", srv.URL+"/orders", http.Header{"Authorization": {scheme + " " + h.token}, "Dpop": proofs})
	}
	right, wrong, none := caller(t, srv, mine), caller(t, srv, other), caller(t, srv)
	proof := h.proof(t, nil)
	ask(wrong, "DPoP", proof).wants(t, "another certificate", "DPoP", errOtherCertificate)
	ask(none, "DPoP", proof).wants(t, "no certificate", "DPoP", errNoCertificate)
	ask(right, "Bearer", proof).wants(t, "as bearer token", "Bearer", errDowngrade)
	ask(right, "Bearer").wants(t, "as bearer token without proof", "Bearer", errDowngrade)
	if got := ask(right, "DPoP"); got.status != 401 || !contains(got.challengeFor("DPoP"), `error="invalid_dpop_proof"`) {
		t.Errorf("no proof: %d %s", got.status, got.body)
	}
	ask(right, "DPoP", proof).good(t, "both")
	// Bound to a certificate alone, it comes as Bearer (RFC 8705 §3).
	h.token = certifiedToken(t, i, mine)
	ask(right, "DPoP", h.proof(t, nil)).wants(t, "a certificate's token under DPoP", "DPoP", errNotDPoP)
}
