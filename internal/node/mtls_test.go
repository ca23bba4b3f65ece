package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
	"github.com/symbolon/symbolon/internal/web"
)

const (
	mtlsURL  = "https://mtls.example.com"
	plainURL = "https://auth.example.com"
)

// arrived is what the token endpoint of a mutual says about a request.
type arrived struct {
	Issuer    string
	TokenURLs []string
	Subject   string // of the client's certificate
	Chain     int
	Forwarded bool
	Claimed   bool
}

// mutual is a node with a public listener and one for clients with certificates,
// whose token endpoints tell what arrived.
type mutual struct {
	*Node
	dir   string
	roots *authority // of servers and clients
	ahead atomic.Int64
}

func startMutual(t *testing.T, change func(*Config)) *mutual {
	t.Helper()
	m := &mutual{dir: t.TempDir(), roots: newAuthority(t, "Roots", nil)}
	pair := files(t, m.dir, m.roots.server(t, "auth.example.com", "mtls.example.com", "other.example.com", "localhost"))
	ca := filepath.Join(m.dir, "ca.pem")
	write(t, ca, pemOf(m.roots.cert))
	cfg := Config{
		URL: plainURL, Listen: []Listener{{Addr: "127.0.0.1:0"}}, TLS: &pair, DataDir: filepath.Join(m.dir, "data"),
		MTLS: &MTLS{URL: mtlsURL, Listen: Listener{Addr: "127.0.0.1:0"}, ClientCA: ca},
		Now:  func() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) },
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if m.Node, err = Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for _, issuer := range []registry.Issuer{{ID: "partners"}, {ID: "far", URL: "https://other.example.com/far"}} {
		if _, _, err := m.Admin().CreateIssuer(t.Context(), admin.System(), issuer); err != nil {
			t.Fatal(err)
		}
	}
	m.routes = append([]server.Route{{Name: "arrived", Path: "/token", Serve: tell}}, m.routes...)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return m
}

func tell(at server.Place, w http.ResponseWriter, _ *http.Request) error {
	x := web.ExchangeOf(w)
	a := arrived{Issuer: at.Issuer.Iss, TokenURLs: at.TokenURLs, Chain: len(x.Chain), Forwarded: x.Forwarded, Claimed: x.Claimed}
	if x.Certificate != nil {
		a.Subject = x.Certificate.Subject.CommonName
	}
	return json.NewEncoder(w).Encode(a)
}

// mtlsAddr is where certificates are asked for, public where they are not.
func (m *mutual) mtlsAddr() string { return m.Addrs()[len(m.Addrs())-1].String() }
func (m *mutual) public() string   { return m.Addrs()[0].String() }

// transport reaches the address, whatever the URL says.
func (m *mutual) transport(t *testing.T, addr string, certs ...tls.Certificate) *http.Transport {
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: m.roots.pool(), Certificates: certs},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// ask asks the address for the URL.
func (m *mutual) ask(t *testing.T, tr *http.Transport, url string, header http.Header) (*http.Response, arrived) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	if header == nil {
		req.Header = http.Header{}
	}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var a arrived
	if resp.StatusCode == http.StatusOK && strings.HasSuffix(url, "/token") {
		if err := json.Unmarshal(body, &a); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
	}
	return resp, a
}

func bothURLs(path string) []string {
	return []string{plainURL + path + "/token", mtlsURL + path + "/token"}
}

// TestRFC8705_5_MTLSListener: certificates are asked for on the mtls listener
// alone, any of them; the host of mtls.url stands there for the host of url, and
// for nothing else.
func TestRFC8705_5_MTLSListener(t *testing.T) {
	m := startMutual(t, nil)
	var nobody *authority
	known, own := m.roots.client(t, "billing"), nobody.client(t, "own")
	expired := sign(t, &x509.Certificate{Subject: known.Leaf.Subject, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0)}, nil)
	sub := newAuthority(t, "Sub", m.roots)
	chained := sub.client(t, "chained")
	chained.Certificate = append(chained.Certificate, sub.cert.Raw)
	for name, c := range map[string]struct {
		addr, url string
		certs     []tls.Certificate
		status    int
		want      arrived
	}{
		"a certificate of a known root": {m.mtlsAddr(), mtlsURL + "/token", []tls.Certificate{known}, 200, arrived{Issuer: plainURL, TokenURLs: bothURLs(""), Subject: "billing"}},
		"a self-signed one":             {m.mtlsAddr(), mtlsURL + "/token", []tls.Certificate{own}, 200, arrived{Issuer: plainURL, TokenURLs: bothURLs(""), Subject: "own"}},
		"an expired one":                {m.mtlsAddr(), mtlsURL + "/token", []tls.Certificate{expired}, 200, arrived{Issuer: plainURL, TokenURLs: bothURLs(""), Subject: "billing"}},
		"one with its chain":            {m.mtlsAddr(), mtlsURL + "/token", []tls.Certificate{chained}, 200, arrived{Issuer: plainURL, TokenURLs: bothURLs(""), Subject: "chained", Chain: 1}},
		"none":                          {m.mtlsAddr(), mtlsURL + "/token", nil, 200, arrived{Issuer: plainURL, TokenURLs: bothURLs("")}},
		"another issuer of the host":    {m.mtlsAddr(), mtlsURL + "/partners/token", []tls.Certificate{known}, 200, arrived{Issuer: plainURL + "/partners", TokenURLs: bothURLs("/partners"), Subject: "billing"}},
		"the default port":              {m.mtlsAddr(), "https://MTLS.example.com:443/token", []tls.Certificate{known}, 200, arrived{Issuer: plainURL, TokenURLs: bothURLs(""), Subject: "billing"}},
		"the host of url there":         {m.mtlsAddr(), plainURL + "/token", []tls.Certificate{known}, 421, arrived{}},
		"an issuer elsewhere there":     {m.mtlsAddr(), "https://other.example.com/far/token", []tls.Certificate{known}, 421, arrived{}},
		"another port there":            {m.mtlsAddr(), mtlsURL + ":8444/token", []tls.Certificate{known}, 421, arrived{}},
		"the public listener":           {m.public(), plainURL + "/token", []tls.Certificate{known}, 200, arrived{Issuer: plainURL, TokenURLs: bothURLs("")}},
		"an issuer elsewhere":           {m.public(), "https://other.example.com/far/token", []tls.Certificate{known}, 200, arrived{Issuer: "https://other.example.com/far", TokenURLs: []string{"https://other.example.com/far/token"}}},
		"health, whatever the host":     {m.mtlsAddr(), "https://localhost/livez", nil, 200, arrived{}},
		"the mtls host in public":       {m.public(), mtlsURL + "/token", []tls.Certificate{known}, 421, arrived{}},
	} {
		t.Run(name, func(t *testing.T) {
			tr := m.transport(t, c.addr, c.certs...)
			resp, got := m.ask(t, tr, c.url, nil)
			if resp.StatusCode != c.status || !same(got, c.want) {
				t.Errorf("%d %+v, want %d %+v", resp.StatusCode, got, c.status, c.want)
			}
			if resp.ProtoMajor != 2 {
				t.Errorf("it speaks %s", resp.Proto)
			}
			_, again := m.ask(t, tr, c.url, nil) // on the same connection
			if !same(again, c.want) {
				t.Errorf("the second time %+v", again)
			}
		})
	}
}

func same(a, b arrived) bool {
	urls := slices.Equal(a.TokenURLs, b.TokenURLs)
	a.TokenURLs, b.TokenURLs = nil, nil
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return urls && err1 == nil && err2 == nil && string(x) == string(y)
}

// TestNoHeaderIsACertificate on a real connection: neither of a stranger on
// the public listener nor of anybody on the one that asks.
func TestNoHeaderIsACertificate(t *testing.T) {
	m := startMutual(t, func(c *Config) { c.TrustedProxies = []string{"10.9.0.0/16"} })
	var nobody *authority
	header := http.Header{"Client-Cert": {headerOf(nobody.client(t, "victim"))}, "X-Forwarded-For": {"10.9.1.1"}}
	held := m.roots.client(t, "mallory")
	for name, c := range map[string]struct {
		addr, url string
		want      string
	}{
		"public":        {m.public(), plainURL, ""},
		"mtls listener": {m.mtlsAddr(), mtlsURL, "mallory"},
	} {
		resp, got := m.ask(t, m.transport(t, c.addr, held), c.url+"/token", header)
		if resp.StatusCode != 200 || got.Subject != c.want || got.Forwarded || !got.Claimed {
			t.Errorf("%s: %d %+v", name, resp.StatusCode, got)
		}
	}
}

// TestRFC8705_5_Metadata: the aliases are those of issuers on url's host, and
// both names of an issuer give the same document.
func TestRFC8705_5_Metadata(t *testing.T) {
	m := startMutual(t, nil)
	read := func(addr, url string) (d symbolon.ServerMetadata) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := m.transport(t, addr).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	for iss, alias := range map[string]string{plainURL: mtlsURL + "/token", plainURL + "/partners": mtlsURL + "/partners/token", "https://other.example.com/far": ""} {
		d := read(m.public(), iss+symbolon.WellKnownServer)
		got := ""
		if d.MTLSAliases != nil {
			got = d.MTLSAliases.TokenEndpoint
		}
		if d.Issuer != iss || d.TokenEndpoint != iss+"/token" || got != alias || d.CertificateBound != (alias != "") || slices.Contains(d.TokenAuthMethods, symbolon.AuthTLSClient) != (alias != "") {
			t.Errorf("%s: %+v", iss, d)
		}
	}
	if e := m.endpointsOf("partners"); e.Token != plainURL+"/partners/token" || e.TokenMTLS != mtlsURL+"/partners/token" {
		t.Errorf("shown of partners: %+v", e)
	}
	if d := read(m.mtlsAddr(), mtlsURL+"/partners"+symbolon.WellKnownServer); d.Issuer != plainURL+"/partners" {
		t.Errorf("the issuer calls itself %s where certificates are asked for", d.Issuer)
	}
}

// TestPresentedCertificatesAreBounded: what nobody needs costs no work.
func TestPresentedCertificatesAreBounded(t *testing.T) {
	m := startMutual(t, nil)
	long := m.roots.client(t, "long")
	big := sign(t, &x509.Certificate{Subject: long.Leaf.Subject, CRLDistributionPoints: []string{"http://crl.example.com/" + strings.Repeat("x", web.MaxPresented)}}, m.roots)
	long.Certificate = slices.Repeat(long.Certificate, web.MaxCertificates)
	longer := long
	longer.Certificate = append(slices.Clone(long.Certificate), long.Certificate[0])
	for name, c := range map[string]struct {
		cert tls.Certificate
		ok   bool
	}{"as many as allowed": {long, true}, "one more": {longer, false}, "a large one": {big, false}} {
		tr := m.transport(t, m.mtlsAddr(), c.cert)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, mtlsURL+"/token", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			resp.Body.Close()
		}
	}
}

// TestNoSessionIsResumed: GO-2026-4337: a session would bring back a
// certificate after its root has gone, in TLS 1.2 and 1.3.
func TestNoSessionIsResumed(t *testing.T) {
	m := startMutual(t, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for addr, resumes := range map[string]bool{m.public(): true, m.mtlsAddr(): false} {
			cfg := &tls.Config{
				RootCAs: m.roots.pool(), ServerName: "auth.example.com", MinVersion: version, MaxVersion: version, NextProtos: []string{"http/1.1"},
				ClientSessionCache: tls.NewLRUClientSessionCache(4), Certificates: []tls.Certificate{m.roots.client(t, "billing")},
			}
			resumed := false
			for range 3 {
				conn, err := tls.Dial("tcp", addr, cfg)
				if err != nil {
					t.Fatal(err)
				}
				resumed = resumed || conn.ConnectionState().DidResume
				// In TLS 1.3 a ticket comes with the first answer.
				io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: auth.example.com\r\nConnection: close\r\n\r\n")
				io.Copy(io.Discard, conn)
				conn.Close()
			}
			if resumed != resumes {
				t.Errorf("%s at %s: resumed %v, want %v", tls.VersionName(version), addr, resumed, resumes)
			}
		}
	}
}

// TestMTLSBehindAProxy: without a listener of its own the mtls URL is served by
// trusted proxies; nobody else gets there, nor has a certificate.
func TestMTLSBehindAProxy(t *testing.T) {
	var nobody *authority
	cert := nobody.client(t, "billing")
	for _, url := range []string{mtlsURL, plainURL} {
		m := startMutual(t, func(c *Config) {
			c.MTLS.URL, c.MTLS.Listen, c.TrustedProxies = url, Listener{}, []string{"10.9.0.0/16"}
		})
		urls := bothURLs("")
		if url == plainURL {
			urls = urls[:1]
		}
		for name, c := range map[string]struct {
			remote, url string
			header      string
			status      int
			want        arrived
		}{
			"a proxy with a certificate":  {"10.9.1.1:5", url, headerOf(cert), 200, arrived{Issuer: plainURL, TokenURLs: urls, Subject: "billing", Forwarded: true}},
			"a proxy without one":         {"10.9.1.1:5", url, "", 200, arrived{Issuer: plainURL, TokenURLs: urls}},
			"a proxy at url":              {"10.9.1.1:5", plainURL, headerOf(cert), 200, arrived{Issuer: plainURL, TokenURLs: urls, Subject: "billing", Forwarded: true}},
			"a proxy, an issuer far away": {"10.9.1.1:5", "https://other.example.com/far", headerOf(cert), 200, arrived{Issuer: "https://other.example.com/far", TokenURLs: []string{"https://other.example.com/far/token"}, Subject: "billing", Forwarded: true}},
			"a proxy, not well-formed":    {"10.9.1.1:5", url, "billing", 400, arrived{}},
			"a stranger at url":           {"203.0.113.9:5", plainURL, headerOf(cert), 200, arrived{Issuer: plainURL, TokenURLs: urls, Claimed: true}},
		} {
			status, got := m.over(t, c.remote, c.url+"/token", c.header)
			if status != c.status || !same(got, c.want) {
				t.Errorf("%s: %d %+v, want %d %+v", name, status, got, c.status, c.want)
			}
		}
		if status, _ := m.over(t, "203.0.113.9:5", mtlsURL+"/token", headerOf(cert)); status != 421 {
			t.Errorf("a stranger at the mtls URL: %d", status)
		}
	}
}

// TestMTLSPortInUse: what is wrong with the second listener is told at the start,
// under its own name, and leaves nothing open.
func TestMTLSPortInUse(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	dir := t.TempDir()
	roots := newAuthority(t, "Roots", nil)
	pair := files(t, dir, roots.server(t, "auth.example.com"))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	cfg := Config{URL: plainURL, TLS: &pair, Listen: []Listener{{Addr: free.Addr().String()}}, DataDir: filepath.Join(dir, "data")}
	for name, c := range map[string]struct {
		mtls MTLS
		want string
	}{
		"port in use":  {MTLS{URL: mtlsURL, Listen: Listener{Addr: busy.Addr().String()}}, "mtls.listen: " + busy.Addr().String() + " is in use by another program"},
		"no roots":     {MTLS{URL: mtlsURL, Listen: Listener{Addr: "127.0.0.1:0"}, ClientCA: filepath.Join(dir, "none.pem")}, "mtls.client_ca: open "},
		"not roots":    {MTLS{URL: mtlsURL, Listen: Listener{Addr: "127.0.0.1:0"}, ClientCA: pair.Cert}, "may not sign others"},
		"no such pair": {MTLS{URL: mtlsURL, Listen: Listener{Addr: "127.0.0.1:0", TLS: &TLSFiles{"a", "b"}}}, "mtls.listen: 127.0.0.1:0: tls: "},
	} {
		bad := cfg
		bad.MTLS = &c.mtls
		if _, err := Open(t.Context(), bad); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		l, err := net.Listen("tcp", free.Addr().String())
		if errors.Is(err, syscall.EADDRINUSE) {
			t.Fatalf("%s: the public socket is still open", name)
		}
		if err == nil {
			l.Close()
		}
	}
}

// TestCurlWithCertificatesOfOpenSSL: what programs in the field use: keys and
// certificates made by openssl, sent by curl, as PEM, in the older form of keys
// and as PKCS #12.
func TestCurlWithCertificatesOfOpenSSL(t *testing.T) {
	m := startMutual(t, nil)
	write(t, filepath.Join(m.dir, "roots.pem"), pemOf(m.roots.cert))
	run := func(name string, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = m.dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return out
	}
	run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=by openssl", "-keyout", "rsa.key", "-out", "rsa.pem")
	run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec.key") // SEC 1
	run("openssl", "req", "-x509", "-new", "-key", "ec.key", "-days", "2", "-subj", "/CN=by openssl", "-out", "ec.pem")
	run("openssl", "pkcs12", "-export", "-inkey", "ec.key", "-in", "ec.pem", "-passout", "pass:secret", "-out", "ec.p12")
	run("openssl", "genpkey", "-algorithm", "ed25519", "-out", "ed.key")
	run("openssl", "req", "-x509", "-new", "-key", "ed.key", "-days", "2", "-subj", "/CN=by openssl", "-out", "ed.pem")
	for name, args := range map[string][]string{
		"RSA, PKCS #8":    {"--cert", "rsa.pem", "--key", "rsa.key"},
		"P-256, SEC 1":    {"--cert", "ec.pem", "--key", "ec.key"},
		"Ed25519":         {"--cert", "ed.pem", "--key", "ed.key"},
		"PKCS #12":        {"--cert-type", "P12", "--cert", "ec.p12:secret"},
		"RSA by TLS 1.2":  {"--cert", "rsa.pem", "--key", "rsa.key", "--tls-max", "1.2"},
		"RSA by HTTP/1.1": {"--cert", "rsa.pem", "--key", "rsa.key", "--http1.1"},
	} {
		out := run("curl", append([]string{"-sS", "--max-time", "20", "--cacert", "roots.pem", "--connect-to", "::" + m.mtlsAddr(), mtlsURL + "/token"}, args...)...)
		var got arrived
		if err := json.Unmarshal(out, &got); err != nil || got.Subject != "by openssl" || got.Issuer != plainURL {
			t.Errorf("%s: %s", name, out)
		}
	}
}
