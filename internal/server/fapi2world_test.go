package server

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
	"github.com/symbolon/symbolon/resource"
)

// profiled is an issuer with the profile fapi2 on real TLS, at its own host and at
// the one for clients with certificates, and a client of one of the four
// combinations: how it authenticates, and what its tokens are bound to.
type profiled struct {
	*fixture
	auth, bound string // symbolon.AuthPrivateKeyJWT or AuthTLSClient; registry.BindingDPoP or BindingMTLS
	plain, asks net.Addr
	roots       *x509.CertPool // of the servers
	clients     *authority     // of the clients' certificates
	leaf        *x509.Certificate
	api         *resource.API
}

const strictIssuer = base + "/strict"

func newProfiled(t *testing.T, auth, bound string) *profiled {
	t.Helper()
	f, clients := mutualFixture(t)
	p := &profiled{fixture: f, auth: auth, bound: bound, clients: clients}
	f.cfg.Nonces = dpop.NewNonces(dpop.NonceKey{1})
	p.leaf = certify(t, "P-256 client", ours(), clients)
	client := with(keyed("fapi"), func(c *registry.Client) {
		c.Issuers, c.Bound = []string{"strict"}, bound
		c.Access, c.DefaultAPI = map[string][]string{"pay": {"pay:send"}}, nil
		if auth == symbolon.AuthPrivateKeyJWT {
			c.Keys = []registry.ClientKey{clientKey(t, "k1", "P-256 signing", ""), clientKey(t, "k2", "RSA one", ""), clientKey(t, "k3", "Ed25519 one", "")}
		} else {
			c.Certificates = []registry.Certificate{{ID: "c1", SubjectDN: billingDN}}
		}
	})
	f.apply(
		&registry.Issuer{ID: "strict", Profile: registry.ProfileFAPI2}, f.key("strict", jose.ES256), client,
		&registry.API{ID: "pay", Issuer: "strict", Identifier: "https://pay.example.com", Scopes: map[string]registry.Scope{"pay:send": {}}},
	)
	p.plain = p.listen(t, web.Config{}, tls.NoClientCert)
	p.asks = p.listen(t, web.Config{AskCertificates: true}, tls.RequestClientCert)
	var err error
	if p.api, err = resource.New(resource.Config{
		Issuer: strictIssuer, Audience: "https://pay.example.com", Bound: registry.BoundRequired,
		HTTP: &http.Client{Transport: p.transport(t, nil)}, Now: f.now,
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.api.Close() })
	return p
}

// listen serves the endpoints on a socket of its own.
func (p *profiled) listen(t *testing.T, cfg web.Config, ask tls.ClientAuthType) net.Addr {
	t.Helper()
	s := httptest.NewUnstartedServer(p.listener(cfg))
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: ask}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	p.roots = x509.NewCertPool()
	p.roots.AddCert(s.Certificate())
	return s.Listener.Addr()
}

// transport reaches the two hosts, whatever their names lead to.
func (p *profiled) transport(t *testing.T, cert *x509.Certificate) *http.Transport {
	t.Helper()
	config := &tls.Config{RootCAs: p.roots, ServerName: "example.com"}
	if cert != nil {
		config.Certificates = []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: holderOf(t, cert)}}
	}
	tr := &http.Transport{TLSClientConfig: config, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		at := p.plain
		if strings.HasPrefix(addr, "mtls.") {
			at = p.asks
		}
		return new(net.Dialer).DialContext(ctx, network, at.String())
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// holderOf is the private key of a certificate that certify made.
func holderOf(t *testing.T, cert *x509.Certificate) (key crypto.Signer) {
	t.Helper()
	namedKeys.Range(func(_, k any) bool {
		signer := k.(crypto.Signer)
		if public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool }); ok && public.Equal(cert.PublicKey) {
			key = signer
		}
		return key == nil
	})
	if key == nil {
		t.Fatal("nobody holds the certificate's key")
	}
	return key
}

// try is one token request, which tests change before it is sent.
type try struct {
	assertion *forged
	proof     *forged
	cert      *x509.Certificate
	clientID  string
	header    http.Header
	form      string
}

// good is a request in which everything is right.
func (p *profiled) good() *try {
	r := &try{form: grant, header: http.Header{}}
	if p.auth == symbolon.AuthPrivateKeyJWT {
		a := p.assertionOf("fapi", "P-256 signing")
		a.claims["aud"] = strictIssuer
		r.assertion = &a
	} else {
		r.cert, r.clientID = p.leaf, "fapi"
	}
	if p.bound == registry.BindingDPoP {
		proof := p.strictProof("P-256 proof")
		r.proof = &proof
	} else {
		r.cert = p.leaf
	}
	return r
}

// strictProof is a good proof for the issuer of the profile.
func (p *profiled) strictProof(key string) forged {
	proof := p.proofOf(key)
	proof.claims["htu"], proof.claims["nonce"] = strictIssuer+"/token", p.cfg.Nonces.Issue(strictIssuer, p.now())
	return proof
}

// answered is what came back.
type answered struct {
	symbolon.TokenAnswer
	symbolon.ErrorAnswer
	status int
	header http.Header
	body   string
}

// send makes the request over the wire.
func (p *profiled) send(t *testing.T, r *try) answered {
	t.Helper()
	form, target := r.form, strictIssuer+"/token"
	if r.assertion != nil {
		form = strings.Replace(assertingForm(r.assertion.text(t), ""), grant, r.form, 1)
	}
	if r.clientID != "" {
		form += "&client_id=" + r.clientID
	}
	if r.cert != nil || p.auth == symbolon.AuthTLSClient || p.bound == registry.BindingMTLS {
		target = aliasURL + "/strict/token"
	}
	if r.proof != nil {
		r.header["DPoP"] = append(slices.Clone(r.header["DPoP"]), r.proof.text(t))
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = r.header
	req.Header.Set("Content-Type", formType)
	return receive(t, p.transport(t, r.cert), req)
}

func receive(t *testing.T, tr *http.Transport, req *http.Request) answered {
	t.Helper()
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answered{status: resp.StatusCode, header: resp.Header, body: string(body)}
	if resp.StatusCode == http.StatusOK {
		err = json.Unmarshal(body, &a.TokenAnswer)
	} else {
		err = json.Unmarshal(body, &a.ErrorAnswer)
	}
	if err != nil {
		t.Fatalf("%d %s: %v", resp.StatusCode, body, err)
	}
	return a
}

// succeeds sends the good request, changed, and checks the token.
func (p *profiled) succeeds(t *testing.T, change func(*try)) answered {
	t.Helper()
	r := p.good()
	if change != nil {
		change(r)
	}
	a := p.send(t, r)
	kind := map[string]string{registry.BindingDPoP: "DPoP", registry.BindingMTLS: "Bearer"}[p.bound]
	if a.status != http.StatusOK || a.TokenType != kind || a.AccessToken == "" || a.Scope != "pay:send" || a.ExpiresIn <= 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", a.header)
	}
	return a
}

// fails sends the good request, changed, and wants that refusal. The good request
// goes through before and after.
func (p *profiled) fails(t *testing.T, code string, change func(*try)) answered {
	t.Helper()
	r := p.good()
	change(r)
	a := p.send(t, r)
	status := http.StatusBadRequest
	if code == "invalid_client" {
		status = http.StatusUnauthorized
	}
	if a.status != status || string(a.Error) != code || a.ErrorDescription == "" {
		t.Errorf("%d %s, want %d %s", a.status, a.body, status, code)
	}
	if a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", a.header)
	}
	p.succeeds(t, nil)
	return a
}

// call presents a token to an API that takes bound tokens alone.
func (p *profiled) call(t *testing.T, scheme, token string, cert *x509.Certificate, proofs ...string) error {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "https://pay.example.com/send", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.api.Check(t.Context(), resource.Request{
		Method: r.Method, URL: r.URL, Authorization: []string{scheme + " " + token}, DPoP: proofs, Certificate: cert,
	}, "pay:send")
	return err
}

// proofFor is a proof for the API with the key of that name.
func (p *profiled) proofFor(t *testing.T, token, key string) string {
	t.Helper()
	prover, err := dpop.NewProver(privateKey(t, key))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := prover.Proof(dpop.ProofRequest{Method: "GET", URL: "https://pay.example.com/send", AccessToken: token, Time: p.now()})
	if err != nil {
		t.Fatal(err)
	}
	return proof
}
