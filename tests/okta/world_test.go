package okta

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/okta/okta-sdk-golang/v5/okta"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/node"
	"github.com/symbolon/symbolon/internal/registry"
)

// host is the organisation's, without a port: the library drops it from the URLs
// of its calls.
const host = "org.okta.test"

// org is a node with one organisation and a custom authorization server.
type org struct {
	admin *admin.Admin
	http  *http.Client // leads every name to the node
	key   *rsa.PrivateKey
	token string // of an operator
}

func start(t *testing.T) *org {
	t.Helper()
	cert, key, pool := certificate(t)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(t.Context(), node.Config{
		URL: "https://auth.test", DataDir: t.TempDir() + "/data",
		Listen: []node.Listener{{Addr: socket.Addr().String(), TLS: &node.TLSFiles{Cert: cert, Key: key}, Socket: socket}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, socket.Addr().String())
		},
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	o := &org{admin: n.Admin(), http: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
	o.populate(t)
	return o
}

// populate makes the organisation, three operators, and clients with a key: one
// whose tokens may be bearer tokens, and one whose tokens may not.
func (o *org) populate(t *testing.T) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	o.key, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	ctx, by := t.Context(), admin.System()
	for id, path := range map[string]string{"okta": "", "okta-default": "/oauth2/default"} {
		_, _, err := o.admin.CreateIssuer(ctx, by, registry.Issuer{ID: id, URL: "https://" + host + path, Dialect: registry.DialectOkta})
		must(err)
	}
	for _, id := range []string{"ann", "bob", "cem"} {
		_, _, err := o.admin.CreateOperator(ctx, by, registry.Operator{ID: id, Name: id + " Example", Email: id + "@example.com", Role: registry.RoleViewer})
		must(err)
	}
	der, err := x509.MarshalPKIXPublicKey(o.key.Public())
	must(err)
	for id, bound := range map[string]string{"bearer": "", "bound": registry.BoundDPoP} {
		_, _, err := o.admin.CreateClient(ctx, by, admin.CreateClient{
			Client: registry.Client{ID: id, Issuers: []string{"okta"}, Bound: bound,
				Access: map[string][]string{"okta-management": {"okta.apps.manage", "okta.users.read"}}},
			Key: &admin.NewKey{ID: "k1", Text: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))},
		})
		must(err)
	}
	made, _, err := o.admin.CreateOperatorToken(ctx, by, admin.CreateOperatorToken{
		Token: registry.OperatorToken{ID: "sdk", Role: registry.RoleOperator, Issuers: []string{"okta"}, SSWS: true},
	})
	must(err)
	o.token = made.Value.Reveal()
}

// client is the library's, with these settings besides.
func (o *org) client(t *testing.T, settings ...okta.ConfigSetter) *okta.APIClient {
	t.Helper()
	t.Setenv("HOME", t.TempDir()) // it reads ~/.okta, too
	cfg, err := okta.NewConfiguration(append([]okta.ConfigSetter{
		okta.WithOrgUrl("https://" + host), okta.WithHttpClientPtr(o.http), okta.WithCache(false), okta.WithRequestTimeout(30),
		okta.WithRateLimitMaxRetries(2), okta.WithRateLimitMaxBackOff(5),
	}, settings...)...)
	if err != nil {
		t.Fatal(err)
	}
	return okta.NewAPIClient(cfg)
}

// keyed is the library with its private key.
func (o *org) keyed(t *testing.T, id string, key *rsa.PrivateKey, scopes ...string) *okta.APIClient {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return o.client(t, okta.WithAuthorizationMode("PrivateKey"), okta.WithClientId(id), okta.WithScopes(scopes), okta.WithPrivateKey(string(text)))
}

func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), pool
}
