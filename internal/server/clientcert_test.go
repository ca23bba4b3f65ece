package server

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// authority signs the certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// certify makes a certificate for the key of that name, by nobody: self-signed.
// It is valid around the clock of the tests, unless the template says else.
func certify(t testing.TB, key string, template x509.Certificate, by *authority) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(serial.Add(1))
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = start.Add(-time.Hour), start.Add(48*time.Hour)
	}
	parent, signer := &template, privateKey(t, key)
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, privateKey(t, key).Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// newAuthority is a root, or one below another authority.
func newAuthority(t testing.TB, name string, by *authority) *authority {
	t.Helper()
	key := "P-256 of " + name
	cert := certify(t, key, x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, by)
	return &authority{cert, privateKey(t, key)}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// ours is the template of the client's certificate: it has a name of each form.
func ours() x509.Certificate {
	uri, _ := url.Parse("spiffe://example.com/billing")
	return x509.Certificate{
		Subject:  pkix.Name{CommonName: "billing", Organization: []string{"Example"}},
		DNSNames: []string{"billing.example.com"}, EmailAddresses: []string{"billing@example.com"},
		IPAddresses: []net.IP{net.IPv4(192, 0, 2, 7)}, URIs: []*url.URL{uri},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// altered is that template with something else.
func altered(change func(*x509.Certificate)) x509.Certificate {
	template := ours()
	change(&template)
	return template
}

func pemText(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

// certified is a client like billing that has certificates instead of secrets.
func certified(id string, certs ...registry.Certificate) *registry.Client {
	return named(id, func(c *registry.Client) { c.Secrets, c.Certificates = nil, certs })
}

const billingDN = "CN=billing,O=Example"

// mutualFixture is a fixture where certificates reach the issuers, with the roots
// of one authority.
func mutualFixture(t testing.TB) (*fixture, *authority) {
	t.Helper()
	f, roots := newFixture(t), newAuthority(t, "Roots", nil)
	f.cfg.ClientCAs = roots.pool
	f.cfg.Certificates = func(iss string) (string, bool) { return strings.Replace(iss, base, aliasURL, 1), true }
	f.apply(
		certified("by-name", registry.Certificate{ID: "c1", SubjectDN: billingDN}),
		certified("by-dns", registry.Certificate{ID: "c1", SANDNS: "billing.example.com"}),
		certified("by-uri", registry.Certificate{ID: "c1", SANURI: "spiffe://example.com/billing"}),
		certified("by-ip", registry.Certificate{ID: "c1", SANIP: "192.0.2.7"}),
		certified("by-email", registry.Certificate{ID: "c1", SANEmail: "billing@example.com"}),
		certified("by-another", registry.Certificate{ID: "c1", SANDNS: "other.example.com"}),
		certified("ended", registry.Certificate{ID: "c1", SubjectDN: billingDN, Expires: start}),
		with(certified("off", registry.Certificate{ID: "c1", SubjectDN: billingDN}), func(c *registry.Client) { c.State = registry.StateDisabled }),
		with(certified("away", registry.Certificate{ID: "c1", SubjectDN: billingDN}), func(c *registry.Client) { c.Issuers = []string{"partners"} }),
		with(certified("narrowed", registry.Certificate{ID: "c1", SubjectDN: billingDN}), func(c *registry.Client) {
			c.Secrets, c.Auth = []registry.Secret{generated("s1", secret1)}, []string{symbolon.AuthSecretBasic}
		}),
	)
	return f, roots
}

func certs(list ...*x509.Certificate) []*x509.Certificate { return list }

// mutual asks as that client with the certificates.
func (f *fixture) mutual(client string, list []*x509.Certificate) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.exchange(wire{form: grant + "&client_id=" + client, certs: list})
}

// thumbprintOf is RFC 8705 §3.1 anew: base64url of the SHA-256 of the DER.
func thumbprintOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// TestTLSClientAuth: RFC 8705 §2.1.2: each form of a subject, and what the token
// says about the certificate.
func TestTLSClientAuth(t *testing.T) {
	f, roots := mutualFixture(t)
	between := newAuthority(t, "Between", roots)
	leaf := certify(t, "P-256 client", ours(), roots)
	tests := map[string]struct {
		client string
		certs  []*x509.Certificate
	}{
		"tls_client_auth_subject_dn":    {"by-name", certs(leaf)},
		"tls_client_auth_san_dns":       {"by-dns", certs(leaf)},
		"tls_client_auth_san_uri":       {"by-uri", certs(leaf)},
		"tls_client_auth_san_ip":        {"by-ip", certs(leaf)},
		"tls_client_auth_san_email":     {"by-email", certs(leaf)},
		"through an intermediate":       {"by-name", certs(certify(t, "P-256 client", ours(), between), between.cert)},
		"the intermediate among others": {"by-name", certs(certify(t, "P-256 client", ours(), between), leaf, between.cert, roots.cert)},
		"with the root":                 {"by-name", certs(leaf, roots.cert)},
		"an RSA key":                    {"by-name", certs(certify(t, "RSA one", ours(), roots))},
		"usable for servers too":        {"by-name", certs(certify(t, "P-256 client", altered(func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) }), roots))},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			f.in(t)
			answer, claims, _ := f.token(f.mutual(c.client, c.certs))
			// RFC 8705 §3: a token bound to a certificate is a Bearer token.
			if answer.TokenType != "Bearer" || claims.ClientID != c.client || claims.Cred != "c1" {
				t.Errorf("type %s, claims %+v", answer.TokenType, claims)
			}
			if want := (symbolon.Confirmation{X5TS256: thumbprintOf(c.certs[0])}); claims.Confirmation == nil || *claims.Confirmation != want {
				t.Errorf("cnf %+v, want %+v", claims.Confirmation, want)
			}
			records := f.records()
			if last := records[len(records)-1]; last.Method != symbolon.AuthTLSClient || last.Cred != "c1" || !last.Verified {
				t.Errorf("record %+v", last)
			}
		})
	}
}

// TestBadCertificates: every way to be wrong has the one answer of whoever may not
// act as a client; the record tells which it was.
func TestBadCertificates(t *testing.T) {
	f, roots := mutualFixture(t)
	stranger, between := newAuthority(t, "Stranger", nil), newAuthority(t, "Between", roots)
	// An authority of the same name and another key.
	double := &authority{certify(t, "P-256 double", x509.Certificate{Subject: roots.cert.Subject, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil), privateKey(t, "P-256 double")}
	template := func(change func(*x509.Certificate)) []*x509.Certificate {
		return certs(certify(t, "P-256 client", altered(change), roots))
	}
	leaf := certify(t, "P-256 client", ours(), roots)
	own := certify(t, "P-256 client", ours(), nil)
	gone := certify(t, "P-256 old", altered(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = start.Add(-2*time.Hour), start.Add(-time.Hour) }), nil)
	f.apply(
		certified("own", registry.Certificate{ID: "c1", PEM: pemText(own)}),
		certified("own-ended", registry.Certificate{ID: "c1", PEM: pemText(own), Expires: start}),
		certified("own-old", registry.Certificate{ID: "c1", PEM: pemText(gone)}),
	)
	tests := map[string]struct {
		client string
		certs  []*x509.Certificate
		reason string
	}{
		"RFC 8705 §2.1: another authority":               {"by-name", certs(certify(t, "P-256 client", ours(), stranger)), "unknown authority"},
		"another authority, presented along with it":     {"by-name", certs(certify(t, "P-256 client", ours(), stranger), stranger.cert), "unknown authority"},
		"another authority of the same name":             {"by-name", certs(certify(t, "P-256 client", ours(), double), double.cert), "unknown authority"},
		"self-signed, with the right names":              {"by-name", certs(own), "unknown authority"},
		"an intermediate that is not presented":          {"by-name", certs(certify(t, "P-256 client", ours(), between)), "unknown authority"},
		"signed by a certificate that may not":           {"by-name", certs(certify(t, "P-256 x", ours(), &authority{leaf, privateKey(t, "P-256 client")}), leaf), "unknown authority"},
		"for servers only":                               {"by-name", template(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), "incompatible key usage"},
		"RFC 5280 §4.2.1.12: without a usage":            {"by-name", template(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), "does not say that it is for client authentication"},
		"RFC 5280 §4.2.1.12: for any use":                {"by-name", template(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), "does not say that it is for client authentication"},
		"for code only":                                  {"by-name", template(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }), "incompatible key usage"},
		"expired":                                        {"by-name", template(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = start.Add(-2*time.Hour), start.Add(-time.Second) }), "expired"},
		"not valid yet":                                  {"by-name", template(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = start.Add(time.Minute), start.Add(time.Hour) }), "not yet valid"},
		"another name":                                   {"by-name", template(func(c *x509.Certificate) { c.Subject.CommonName = "billing2" }), "none of the client's credentials"},
		"a part of the name":                             {"by-name", template(func(c *x509.Certificate) { c.Subject.Organization = nil }), "none of the client's credentials"},
		"more than the name":                             {"by-name", template(func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"x"} }), "none of the client's credentials"},
		"the name where another form is demanded":        {"by-dns", template(func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = nil, "billing.example.com" }), "none of the client's credentials"},
		"a wildcard":                                     {"by-dns", template(func(c *x509.Certificate) { c.DNSNames = []string{"*.example.com"} }), "none of the client's credentials"},
		"another client's":                               {"by-another", certs(leaf), "none of the client's credentials"},
		"only the second certificate is the client's":    {"by-another", certs(leaf, certify(t, "P-256 x", altered(func(c *x509.Certificate) { c.DNSNames = []string{"other.example.com"} }), roots)), "none of the client's credentials"},
		"a credential that has ended":                    {"ended", certs(leaf), "none of the client's credentials"},
		"a client with secrets":                          {"billing", certs(leaf), "may not authenticate by this method"},
		"an unknown client":                              {"nobody", certs(leaf), "no client of that id"},
		"a disabled client":                              {"off", certs(leaf), "the client is disabled"},
		"a client of another issuer":                     {"away", certs(leaf), "may not authenticate at this issuer"},
		"a method narrowed away":                         {"narrowed", certs(leaf), "may not authenticate by this method"},
		"RFC 8705 §2.2: another certificate, same key":   {"own", certs(certify(t, "P-256 client", ours(), nil)), "none of the client's credentials"},
		"RFC 8705 §2.2: of an authority, same key":       {"own", certs(leaf), "none of the client's credentials"},
		"RFC 8705 §2.2: only behind another":             {"own", certs(leaf, own), "none of the client's credentials"},
		"RFC 8705 §2.2: a certificate that has expired":  {"own-old", certs(gone), "not valid at this time"},
		"RFC 8705 §2.2: a credential that has ended":     {"own-ended", certs(own), "none of the client's credentials"},
		"RFC 8705 §2: no certificate on this connection": {"by-name", []*x509.Certificate{}, "no client authentication"},
		"RFC 8705 §2: no client_id":                      {"", certs(leaf), "no client authentication"},
	}
	network := 0
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			f.in(t)
			network++
			form := grant
			if c.client != "" {
				form += "&client_id=" + c.client
			}
			refusedClient.check(t, f.exchange(wire{form: form, certs: c.certs, remote: fmt.Sprintf("10.2.%d.1:1", network)}))
			records := f.records()
			if last := records[len(records)-1]; !strings.Contains(last.Reason, c.reason) || last.Verified {
				t.Errorf("record %+v, want %q", last, c.reason)
			}
		})
	}
	f.token(f.mutual("by-name", certs(leaf)))
}

// TestNoRootsNoTLSClientAuth: without client_ca, or with an empty one, no
// authority is trusted, and never those of the system.
func TestNoRootsNoTLSClientAuth(t *testing.T) {
	f, roots := mutualFixture(t)
	leaf := certify(t, "P-256 client", ours(), roots)
	f.token(f.mutual("by-name", certs(leaf)))
	for name, pool := range map[string]func() *x509.CertPool{
		"nobody told any": nil, "none at the moment": func() *x509.CertPool { return nil }, "an empty file": x509.NewCertPool,
	} {
		f.cfg.ClientCAs = pool
		if w := f.mutual("by-name", certs(leaf)); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	// The roots of the moment count, not those of the start.
	f.cfg.ClientCAs = newAuthority(t, "New roots", nil).pool
	refusedClient.check(t, f.mutual("by-name", certs(leaf)))
}

// TestSelfSignedTLSClientAuth: RFC 8705 §2.2: exactly the registered certificate,
// without a chain, whatever it says it may be used for.
func TestSelfSignedTLSClientAuth(t *testing.T) {
	f, _ := mutualFixture(t)
	f.cfg.ClientCAs = nil
	one := certify(t, "P-256 client", ours(), nil)
	two := certify(t, "P-256 next", altered(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), nil)
	f.apply(certified("own", registry.Certificate{ID: "c1", PEM: pemText(one)}, registry.Certificate{ID: "c2", PEM: pemText(two)}))
	for id, cert := range map[string]*x509.Certificate{"c1": one, "c2": two} {
		_, claims, _ := f.token(f.mutual("own", certs(cert)))
		if claims.Cred != id || claims.Confirmation == nil || claims.Confirmation.X5TS256 != thumbprintOf(cert) {
			t.Errorf("%s: %+v", id, claims)
		}
	}
	if last := f.records()[0]; last.Method != symbolon.AuthSelfSignedTLS {
		t.Errorf("record %+v", last)
	}
	// Registered with an authority's certificate it is still this one alone.
	f.apply(certified("own", registry.Certificate{ID: "c2", PEM: pemText(two)}))
	refusedClient.check(t, f.mutual("own", certs(one)))
}

// TestAuthNarrowsCertificates: which of the two methods a certificate is for
// follows from the credential, and auth allows each by its own name.
func TestAuthNarrowsCertificates(t *testing.T) {
	f, roots := mutualFixture(t)
	leaf := certify(t, "P-256 client", ours(), roots)
	credentials := []registry.Certificate{{ID: "name", SubjectDN: billingDN}, {ID: "own", PEM: pemText(leaf)}}
	for _, c := range []struct{ auth, cred string }{
		{"", "name"}, {symbolon.AuthTLSClient, "name"}, {symbolon.AuthSelfSignedTLS, "own"}, {symbolon.AuthPrivateKeyJWT, ""},
	} {
		f.apply(with(certified("twice", credentials...), func(client *registry.Client) {
			if c.auth != "" {
				client.Auth = []string{c.auth}
			}
		}))
		w := f.mutual("twice", certs(leaf))
		if c.cred == "" {
			refusedClient.check(t, w)
			continue
		}
		if _, claims, _ := f.token(w); claims.Cred != c.cred {
			t.Errorf("auth %s: cred %s", c.auth, claims.Cred)
		}
	}
	// What leads to no root here may be the very certificate that is registered.
	f.cfg.ClientCAs = nil
	f.apply(certified("twice", credentials...))
	if _, claims, _ := f.token(f.mutual("twice", certs(leaf))); claims.Cred != "own" {
		t.Errorf("without roots: cred %s", claims.Cred)
	}
}

// TestACertificateBesideAnotherMethod: RFC 8705 §4 (public clients and others):
// the token is bound to it; it authenticates nobody who presents a secret.
func TestACertificateBesideAnotherMethod(t *testing.T) {
	f, roots := mutualFixture(t)
	leaf := certify(t, "P-256 client", ours(), roots)
	f.apply(signing(t))
	f.apply(with(certified("both", registry.Certificate{ID: "c1", SubjectDN: billingDN}), func(c *registry.Client) {
		c.Secrets = []registry.Secret{generated("s1", secret1)}
	}))
	basic := func(client, secret string) http.Header {
		return http.Header{"Authorization": {basicAuth(client, secret)}}
	}
	for name, c := range map[string]struct {
		q    wire
		cred string
	}{
		"Basic":        {wire{form: grant, header: basic("billing", secret1)}, "s1"},
		"in the body":  {wire{form: grant + "&client_id=billing&client_secret=" + secret1}, "s1"},
		"an assertion": {wire{form: assertingForm(f.assertionOf("signing", "P-256 signing").text(t), "")}, "k1"},
		"a secret of a client that has a certificate": {wire{form: grant, header: basic("both", secret1)}, "s1"},
	} {
		c.q.certs = certs(leaf)
		_, claims, _ := f.token(f.exchange(c.q))
		if claims.Cred != c.cred || claims.Confirmation == nil || claims.Confirmation.X5TS256 != thumbprintOf(leaf) {
			t.Errorf("%s: cred %s, cnf %+v", name, claims.Cred, claims.Confirmation)
		}
	}
	// A certificate makes up for no secret.
	refusedBasic.check(t, f.exchange(wire{form: grant, header: basic("both", secret2), certs: certs(leaf)}))
	refusedClient.check(t, f.exchange(wire{form: grant + "&client_id=both&client_secret=" + secret2, certs: certs(leaf)}))
	// And a certificate of anybody's binds: who presented it has its key.
	_, claims, _ := f.token(f.exchange(wire{form: grant, header: basic("billing", secret1), certs: certs(certify(t, "P-256 anybody", ours(), nil))}))
	if claims.Confirmation == nil {
		t.Error("not bound")
	}
}

// TestNoCertificateFromAHeader (CVE-2024-10039): what a header claims counts only
// from a proxy that was named, and then as RFC 9440 writes it.
func TestNoCertificateFromAHeader(t *testing.T) {
	f, roots := mutualFixture(t)
	leaf := certify(t, "P-256 client", ours(), roots)
	item := ":" + base64.StdEncoding.EncodeToString(leaf.Raw) + ":"
	proxy := web.Config{ProxyCertificates: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}}
	form := grant + "&client_id=by-name"
	escaped := url.QueryEscape(pemText(leaf))
	_, claims, _ := f.token(f.exchange(wire{form: form, header: http.Header{"Client-Cert": {item}}, config: proxy, remote: "10.9.1.2:1"}))
	if claims.Confirmation == nil || claims.Confirmation.X5TS256 != thumbprintOf(leaf) {
		t.Errorf("by a trusted proxy: %+v", claims)
	}
	for name, q := range map[string]wire{
		"a stranger":                {header: http.Header{"Client-Cert": {item}}, config: proxy},
		"nobody is trusted":         {header: http.Header{"Client-Cert": {item}}, remote: "127.0.0.1:1"},
		"a stranger for a proxy":    {header: http.Header{"Client-Cert": {item}, "X-Forwarded-For": {"10.9.1.2"}}, config: proxy},
		"the header of nginx":       {header: http.Header{"X-Ssl-Cert": {escaped}, "Ssl-Client-Cert": {escaped}}, config: proxy, remote: "10.9.1.2:1"},
		"the header of Envoy":       {header: http.Header{"X-Forwarded-Client-Cert": {"Cert=" + escaped}}, config: proxy, remote: "10.9.1.2:1"},
		"on the connection, nobody": {header: http.Header{"Client-Cert": {item}}, certs: []*x509.Certificate{}, config: proxy, remote: "10.9.1.2:1"},
	} {
		q.form = form
		if w := f.exchange(q); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		// Nor is a token bound to what anybody may write.
		q.form, q.header = grant, q.header.Clone()
		q.header.Set("Authorization", basicAuth("billing", secret1))
		if _, claims, _ := f.token(f.exchange(q)); claims.Confirmation != nil {
			t.Errorf("%s: bound to %+v", name, claims.Confirmation)
		}
	}
	if !slices.ContainsFunc(f.records(), func(r audit.Record) bool { return r.Reason == errClaimed.Error() }) {
		t.Error("no record says that a header claimed a certificate")
	}
}

// TestNoOracleOfCertificates: who may not have a token learns nothing about why.
func TestNoOracleOfCertificates(t *testing.T) {
	f, roots := mutualFixture(t)
	leaf := certify(t, "P-256 client", ours(), roots)
	foreign := certify(t, "P-256 client", ours(), newAuthority(t, "Stranger", nil))
	causes := map[string]func() *httptest.ResponseRecorder{}
	for _, client := range []string{"nobody", "no such/form", "by-another", "ended", "billing", "no-secret", "off", "away", "narrowed"} {
		causes[client] = func() *httptest.ResponseRecorder { return f.mutual(client, certs(leaf)) }
	}
	causes["another authority"] = func() *httptest.ResponseRecorder { return f.mutual("by-name", certs(foreign)) }
	for _, ask := range causes {
		ask()
	}
	counts := f.counting()
	shapes := map[string][]string{}
	for name, ask := range causes {
		w := ask()
		answer := w.Header().Clone()
		answer.Del("Request-Id")
		shape := fmt.Sprintf("%d %v %s %v", w.Code, answer, w.Body, counts())
		shapes[shape] = append(shapes[shape], name)
	}
	if len(shapes) != 1 {
		for s, names := range shapes {
			t.Errorf("%q:\n\t%s", names, s)
		}
	}
	for s := range shapes {
		if !strings.Contains(s, "map[chain:1 confirm:1 look up:1 record:1]") {
			t.Error(s)
		}
	}
}

// TestThumbprintIsOfTheWholeCertificate: RFC 8705 §3.1: of its DER, not of its key.
func TestThumbprintIsOfTheWholeCertificate(t *testing.T) {
	one := certify(t, "P-256 client", ours(), nil)
	two := certify(t, "P-256 client", ours(), nil) // another serial number, the same key
	if symbolon.CertificateThumbprint(one.Raw) != thumbprintOf(one) || thumbprintOf(one) == thumbprintOf(two) {
		t.Error("the thumbprint is not of the whole certificate")
	}
}
