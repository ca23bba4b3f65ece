package web

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// The example of RFC 9440 Appendix A: the end-entity certificate, the
// intermediate one and the root.
const exampleChain = `-----BEGIN CERTIFICATE-----
MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBB
dXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAx
MTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p
5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIw
ADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMC
BsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1w
bGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMje
SkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=
-----END CERTIFICATE-----
-----BEGIN CERTIFICATE-----
MIIB5jCCAYugAwIBAgIBFjAKBggqhkjOPQQDAjBWMQswCQYDVQQGEwJVUzEbMBkG
A1UECgwSTGV0J3MgQXV0aGVudGljYXRlMSowKAYDVQQDDCFMZXQncyBBdXRoZW50
aWNhdGUgUm9vdCBBdXRob3JpdHkwHhcNMjAwMTE0MjEzMjMwWhcNMzAwMTExMjEz
MjMwWjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxB
IEludGVybWVkaWF0ZSBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJf+aA54
RC5pyLAR5yfXVYmNpgd+CGUTDp2KOGhc0gK91zxhHesEYkdXkpS2UN8Kati+yHtW
CV3kkhCngGyv7RqjZjBkMB0GA1UdDgQWBBRm3WjLa38lbEYCuiCPct0ZaSED2DAf
BgNVHSMEGDAWgBTEA2Q6eecKu9g9yb5glbkhhVINGDASBgNVHRMBAf8ECDAGAQH/
AgEAMA4GA1UdDwEB/wQEAwIBhjAKBggqhkjOPQQDAgNJADBGAiEA5pLvaFwRRkxo
mIAtDIwg9D7gC1xzxBl4r28EzmSO1pcCIQCJUShpSXO9HDIQMUgH69fNDEMHXD3R
RX5gP7kuu2KGMg==
-----END CERTIFICATE-----
-----BEGIN CERTIFICATE-----
MIICBjCCAaygAwIBAgIJAKS0yiqKtlhoMAoGCCqGSM49BAMCMFYxCzAJBgNVBAYT
AlVTMRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxKjAoBgNVBAMMIUxldCdz
IEF1dGhlbnRpY2F0ZSBSb290IEF1dGhvcml0eTAeFw0yMDAxMTQyMTI1NDVaFw00
MDAxMDkyMTI1NDVaMFYxCzAJBgNVBAYTAlVTMRswGQYDVQQKDBJMZXQncyBBdXRo
ZW50aWNhdGUxKjAoBgNVBAMMIUxldCdzIEF1dGhlbnRpY2F0ZSBSb290IEF1dGhv
cml0eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFoaHU+Z5bPKmGzlYXtCf+E6
HYj62fORaHDOrt+yyh3H/rTcs7ynFfGn+gyFsrSP3Ez88rajv+U2NfD0o0uZ4Pmj
YzBhMB0GA1UdDgQWBBTEA2Q6eecKu9g9yb5glbkhhVINGDAfBgNVHSMEGDAWgBTE
A2Q6eecKu9g9yb5glbkhhVINGDAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQE
AwIBhjAKBggqhkjOPQQDAgNIADBFAiEAmAeg1ycKHriqHnaD4M/UDBpQRpkmdcRF
YGMg1Qyrkx4CIB4ivz3wQcQkGhcsUZ1SOImd/lq1Q0FLf09rGfLQPWDc
-----END CERTIFICATE-----
`

// The header fields of that appendix, as they cross the wire.
const (
	exampleCert = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJ" +
		"MZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0" +
		"yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZ" +
		"Izj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be" +
		"5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgN" +
		"VHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0" +
		"lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCq" +
		"GSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/k" +
		"HSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:"
)

// example gives the certificates of the appendix, and each as a byte sequence.
func example(t testing.TB) (certs []*x509.Certificate, items []string) {
	t.Helper()
	for block, rest := pem.Decode([]byte(exampleChain)); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		certs, items = append(certs, cert), append(items, item(block.Bytes))
	}
	if len(certs) != 3 || items[0] != exampleCert {
		t.Fatalf("%d certificates; the first is sent as %s", len(certs), items[0])
	}
	return certs, items
}

func item(der []byte) string { return ":" + base64.StdEncoding.EncodeToString(der) + ":" }

// seen is what a handler behind the manners saw.
type seen struct {
	status    int
	cert      *x509.Certificate
	chain     []*x509.Certificate
	forwarded bool
	claimed   bool
	log       string
}

// present sends a request with these headers from the address.
func present(c Config, remote string, state *tls.ConnectionState, header http.Header) seen {
	var log bytes.Buffer
	c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var got seen
	h := Wrap(c, func(w http.ResponseWriter, _ *http.Request) error {
		x := ExchangeOf(w)
		got.cert, got.chain, got.forwarded, got.claimed = x.Certificate, x.Chain, x.Forwarded, x.Claimed
		return nil
	})
	r := httptest.NewRequest(http.MethodPost, "/token", nil)
	r.RemoteAddr, r.TLS, r.Header = remote, state, header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	got.status, got.log = w.Code, log.String()
	if a := w.Header(); a["Client-Cert"] != nil || a["Client-Cert-Chain"] != nil {
		got.status = 0 // RFC 9440 §2.2, §2.3: in no answer
	}
	return got
}

var proxies = []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}

const (
	aProxy    = "10.9.1.2:1234"
	aStranger = "203.0.113.5:1234"
)

// TestCertificateFromAHeader: a certificate comes from the TLS
// connection of a listener that asks for one, or from a trusted proxy by
// RFC 9440; whoever else writes the header has none (RFC 9440 §4).
func TestCertificateFromAHeader(t *testing.T) {
	certs, items := example(t)
	held := &tls.ConnectionState{PeerCertificates: certs[1:]}
	one, both := http.Header{"Client-Cert": items[:1]}, http.Header{"Client-Cert": items[:1], "Client-Cert-Chain": items[1:]}
	for name, c := range map[string]struct {
		cfg    Config
		remote string
		state  *tls.ConnectionState
		header http.Header
		want   seen
	}{
		"no certificate":                      {Config{TrustedProxies: proxies, ProxyCertificates: true}, aProxy, nil, nil, seen{}},
		"RFC 9440 Appendix A: a proxy":        {Config{TrustedProxies: proxies, ProxyCertificates: true}, aProxy, nil, one, seen{cert: certs[0], forwarded: true}},
		"RFC 9440 Appendix A: with its chain": {Config{TrustedProxies: proxies, ProxyCertificates: true}, aProxy, nil, both, seen{cert: certs[0], chain: certs[1:], forwarded: true}},
		"a proxy, IPv4 in IPv6":               {Config{TrustedProxies: proxies, ProxyCertificates: true}, "[::ffff:10.9.1.2]:1234", nil, one, seen{cert: certs[0], forwarded: true}},
		"a proxy that only tells addresses":   {Config{TrustedProxies: proxies}, aProxy, nil, both, seen{claimed: true}},
		"a stranger":                          {Config{TrustedProxies: proxies, ProxyCertificates: true}, aStranger, nil, both, seen{claimed: true}},
		"a stranger, over TLS":                {Config{TrustedProxies: proxies, ProxyCertificates: true}, aStranger, held, one, seen{claimed: true}},
		"a stranger, the chain alone":         {Config{TrustedProxies: proxies, ProxyCertificates: true}, aStranger, nil, http.Header{"Client-Cert-Chain": items[1:]}, seen{claimed: true}},
		"a stranger, not well-formed":         {Config{TrustedProxies: proxies, ProxyCertificates: true}, aStranger, nil, http.Header{"Client-Cert": {"x", "y"}}, seen{claimed: true}},
		"a stranger behind another":           {Config{TrustedProxies: proxies, ProxyCertificates: true}, aStranger, nil, http.Header{"Client-Cert": items[:1], "X-Forwarded-For": {"10.9.1.2"}}, seen{claimed: true}},
		"this machine, when nobody is named":  {Config{}, "127.0.0.1:1234", nil, one, seen{claimed: true}},
		"a Unix socket":                       {Config{TrustedProxies: proxies, ProxyCertificates: true}, "@", nil, one, seen{claimed: true}},
		"a listener that asks":                {Config{AskCertificates: true}, aStranger, held, nil, seen{cert: certs[1], chain: certs[2:]}},
		"the same, and a header":              {Config{AskCertificates: true}, aStranger, held, one, seen{cert: certs[1], chain: certs[2:], claimed: true}},
		"the same, and a header of a proxy":   {Config{AskCertificates: true, TrustedProxies: proxies}, aProxy, held, one, seen{cert: certs[1], chain: certs[2:], claimed: true}},
		"a header where one is asked for":     {Config{AskCertificates: true, TrustedProxies: proxies}, aProxy, new(tls.ConnectionState), one, seen{claimed: true}},
		"a connection where none is asked":    {Config{TrustedProxies: proxies, ProxyCertificates: true}, aStranger, held, nil, seen{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := present(c.cfg, c.remote, c.state, c.header)
			same := func(a, b *x509.Certificate) bool { return a == b || a != nil && b != nil && a.Equal(b) }
			if got.status != http.StatusOK || !same(got.cert, c.want.cert) || !slices.EqualFunc(got.chain, c.want.chain, same) ||
				got.forwarded != c.want.forwarded || got.claimed != c.want.claimed {
				t.Errorf("%+v", got)
			}
			if strings.Contains(got.log, "certificate_claimed=true") != c.want.claimed {
				t.Errorf("log:\n%s", got.log)
			}
		})
	}
}

// TestHeadersThatMeanNothing: what other proxies use, and spellings that a
// server in front may take for the real one.
func TestHeadersThatMeanNothing(t *testing.T) {
	_, items := example(t)
	for _, name := range []string{
		"Client_cert", "Client_Cert", "X-Client-Cert", "X-Ssl-Client-Cert", "Ssl-Client-Cert", "X-Forwarded-Client-Cert", "X-Forwarded-Tls-Client-Cert",
		"X-Client-Certificate", "X-Arr-Clientcert", "Client-Certificate", "Client-Cert-Thumbprint", "Forwarded",
	} {
		got := present(Config{TrustedProxies: proxies, ProxyCertificates: true}, aProxy, nil, http.Header{name: items[:1]})
		if got.status != http.StatusOK || got.cert != nil || got.forwarded || got.claimed {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestRFC9440_2_NotWellFormed: what a trusted proxy passes on is read strictly,
// and told to who looks after the proxy.
func TestRFC9440_2_NotWellFormed(t *testing.T) {
	_, items := example(t)
	cert := items[0]
	bare := strings.Trim(cert, ":")
	for name, header := range map[string]http.Header{
		"RFC 9440 §2.2: two lines":           {"Client-Cert": {cert, cert}},
		"RFC 9440 §2.2: a list":              {"Client-Cert": {cert + ", " + cert}},
		"RFC 9440 §2.2: parameters":          {"Client-Cert": {cert + ";a=1"}},
		"RFC 9440 §2.1: no colons":           {"Client-Cert": {bare}},
		"one colon":                          {"Client-Cert": {":"}},
		"RFC 9440 §2.1: a space inside":      {"Client-Cert": {cert[:9] + " " + cert[9:]}},
		"a colon inside":                     {"Client-Cert": {cert[:9] + ":" + cert[9:]}},
		"base64url":                          {"Client-Cert": {strings.NewReplacer("+", "-", "/", "_").Replace(cert)}},
		"no padding":                         {"Client-Cert": {strings.Replace(cert, "=:", ":", 1)}},
		"bits behind the end":                {"Client-Cert": {strings.Replace(cert, "k=:", "l=:", 1)}},
		"PEM in URL encoding":                {"Client-Cert": {"-----BEGIN%20CERTIFICATE-----%0A" + bare + "%0A-----END%20CERTIFICATE-----%0A"}},
		"a token":                            {"Client-Cert": {"certificate"}},
		"nothing":                            {"Client-Cert": {""}},
		"a certificate of no octets":         {"Client-Cert": {"::"}},
		"not DER":                            {"Client-Cert": {":AAAA:"}},
		"two certificates in one":            {"Client-Cert": {item(slices.Concat(decode(t, cert), decode(t, cert)))}},
		"cut off":                            {"Client-Cert": {item(decode(t, cert)[:100])}},
		"longer than any head":               {"Client-Cert": {":" + strings.Repeat("A", 1<<20) + ":"}},
		"the chain alone":                    {"Client-Cert-Chain": {cert}},
		"RFC 9440 §2.3: no byte sequence":    {"Client-Cert": {cert}, "Client-Cert-Chain": {cert + ", token"}},
		"RFC 8941 §4.2.1: an end by a comma": {"Client-Cert": {cert}, "Client-Cert-Chain": {cert + ","}},
		"more than anybody needs":            {"Client-Cert": {cert}, "Client-Cert-Chain": slices.Repeat([]string{cert}, MaxCertificates)},
	} {
		t.Run(name, func(t *testing.T) {
			got := present(Config{TrustedProxies: proxies, ProxyCertificates: true}, aProxy, nil, header)
			if got.status != http.StatusBadRequest || got.cert != nil {
				t.Errorf("%+v, want 400", got)
			}
			if !strings.Contains(got.log, "a trusted proxy passes on a certificate that cannot be read") || !strings.Contains(got.log, "proxy="+aProxy) || strings.Contains(got.log, bare[:40]) {
				t.Errorf("log:\n%s", got.log)
			}
		})
	}
}

func decode(t *testing.T, item string) []byte {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(strings.Trim(item, ":"))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestRFC9440_2_3_ListsMayBeSpread over lines, with space around their commas.
func TestRFC9440_2_3_ListsMayBeSpread(t *testing.T) {
	certs, items := example(t)
	for name, lines := range map[string][]string{
		"one line":     {items[1] + "," + items[2]},
		"with space":   {items[1] + " \t, " + items[2]},
		"two lines":    {items[1], items[2]},
		"mixed":        {items[1] + ", " + items[2], items[0]},
		"to the limit": slices.Repeat(items[1:2], MaxCertificates-1),
	} {
		got := present(Config{TrustedProxies: proxies, ProxyCertificates: true}, aProxy, nil, http.Header{"Client-Cert": items[:1], "Client-Cert-Chain": lines})
		if n := strings.Count(strings.Join(lines, ","), ",") + 1; got.status != http.StatusOK || len(got.chain) != n || !got.chain[0].Equal(certs[1]) {
			t.Errorf("%s: %d, %d certificates", name, got.status, len(got.chain))
		}
	}
}

// FuzzClientCert: what is taken for a certificate is written in one way only,
// and no other header does as well.
func FuzzClientCert(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "billing"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<31, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(item(der), "")
	f.Add(exampleCert, exampleCert+", "+exampleCert)
	f.Add(":AAAA:", ",")
	f.Fuzz(func(t *testing.T, leaf, chain string) {
		lines := []string{chain}
		if chain == "" {
			lines = nil
		}
		cert, others, err := readForwarded([]string{leaf}, lines)
		if err != nil {
			return
		}
		if strings.Trim(leaf, " \t") != item(cert.Raw) {
			t.Errorf("%q is another spelling of a certificate", leaf)
		}
		if len(others) >= MaxCertificates {
			t.Errorf("%d certificates", len(others))
		}
	})
}
