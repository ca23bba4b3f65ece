package node

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"crypto/tls"

	"github.com/symbolon/symbolon/internal/config"
)

// headerOf writes a certificate as RFC 9440 §2.1 has it.
func headerOf(c tls.Certificate) string {
	return ":" + base64.StdEncoding.EncodeToString(c.Certificate[0]) + ":"
}

// over sends a request to the public listener over TLS from that address.
func (m *mutual) over(t *testing.T, remote, url, clientCert string) (int, arrived) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	r.RemoteAddr, r.TLS = remote, new(tls.ConnectionState)
	if clientCert != "" {
		r.Header.Set("Client-Cert", clientCert)
	}
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	var a arrived
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
	}
	return w.Code, a
}

func TestMTLSIsRefusedWithTheWayOut(t *testing.T) {
	pair := &TLSFiles{"c", "k"}
	at := Listener{Addr: "127.0.0.1:8444"}
	for name, c := range map[string]struct {
		mtls    MTLS
		tls     *TLSFiles
		proxies []string
		want    string // part of the error; empty: accepted
	}{
		"complete":                     {MTLS{URL: "https://mtls.example.com", Listen: at, ClientCA: "ca.pem"}, pair, nil, ""},
		"without roots":                {MTLS{URL: "https://mtls.example.com/", Listen: at}, pair, nil, ""},
		"a pair of its own":            {MTLS{URL: "https://mtls.example.com", Listen: Listener{Addr: ":8444", TLS: pair}}, nil, nil, ""},
		"the same host, another port":  {MTLS{URL: "https://auth.example.com:8444", Listen: at}, pair, nil, ""},
		"behind a proxy":               {MTLS{URL: "https://mtls.example.com"}, nil, []string{"10.0.0.1"}, ""},
		"behind a proxy, the same URL": {MTLS{URL: "https://auth.example.com"}, nil, []string{"10.0.0.1"}, ""},
		"no url":                       {MTLS{Listen: at}, pair, nil, "mtls.url: missing; it is the https URL"},
		"plain http":                   {MTLS{URL: "http://mtls.example.com", Listen: at}, pair, nil, "mtls.url: plain http to another machine"},
		"plain http on loopback":       {MTLS{URL: "http://localhost:8444", Listen: at}, pair, nil, "mtls.url: certificates are presented in TLS; write https://"},
		"not a URL":                    {MTLS{URL: "mtls.example.com", Listen: at}, pair, nil, "mtls.url: not an absolute URL"},
		"a path":                       {MTLS{URL: "https://mtls.example.com/x", Listen: at}, pair, nil, "mtls.url: a path, which every issuer adds by itself"},
		"a query":                      {MTLS{URL: "https://mtls.example.com?x", Listen: at}, pair, nil, "mtls.url: a query"},
		"url itself":                   {MTLS{URL: "https://AUTH.example.com:443", Listen: at}, pair, nil, "mtls.url: the same host and port as url"},
		"no listener and no proxy":     {MTLS{URL: "https://mtls.example.com"}, pair, nil, "mtls.listen: missing; write the address"},
		"not an address":               {MTLS{URL: "https://mtls.example.com", Listen: Listener{Addr: "8444"}}, pair, nil, `mtls.listen: "8444" is not an address`},
		"no pair":                      {MTLS{URL: "https://mtls.example.com", Listen: at}, nil, nil, "mtls.listen: this listener speaks TLS itself and has no certificate"},
		"a public listener's address":  {MTLS{URL: "https://mtls.example.com", Listen: Listener{Addr: "127.0.0.1:8080"}}, pair, nil, "mtls.listen: 127.0.0.1:8080 is in listen already"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{URL: "https://auth.example.com", MTLS: &c.mtls, TLS: c.tls, TrustedProxies: c.proxies}.withDefaults()
			err := cfg.validate()
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Fatalf("got %v, want it to say %q", err, c.want)
			}
		})
	}
}

// TestMTLSIsRead from the file, in both forms of a listener, and from the
// environment.
func TestMTLSIsRead(t *testing.T) {
	pair := &TLSFiles{"c.pem", "k.pem"}
	for name, c := range map[string]struct {
		file string
		env  map[string]string
		want MTLS
	}{
		"short": {"mtls: {url: https://mtls.example.com, listen: 127.0.0.1:8444, client_ca: ca.pem}", nil,
			MTLS{URL: "https://mtls.example.com", Listen: Listener{Addr: "127.0.0.1:8444"}, ClientCA: "ca.pem"}},
		"long": {"mtls: {url: https://mtls.example.com, listen: {addr: ':8444', tls: {cert: c.pem, key: k.pem}}}", nil,
			MTLS{URL: "https://mtls.example.com", Listen: Listener{Addr: ":8444", TLS: pair}}},
		"environment": {"url: https://auth.example.com", map[string]string{
			"SYMBOLON_MTLS_URL": "https://mtls.example.com", "SYMBOLON_MTLS_LISTEN": ":8444", "SYMBOLON_MTLS_CLIENT_CA": "ca.pem"},
			MTLS{URL: "https://mtls.example.com", Listen: Listener{Addr: ":8444"}, ClientCA: "ca.pem"}},
		"environment over the file": {"mtls: {url: https://mtls.example.com, listen: ':8444'}", map[string]string{"SYMBOLON_MTLS_LISTEN": ":9444"},
			MTLS{URL: "https://mtls.example.com", Listen: Listener{Addr: ":9444"}}},
	} {
		var cfg Config
		if err := new(config.Origins).Decode("symbolon.yaml", []byte(c.file+"\n"), &cfg); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		env := func(k string) (string, bool) { v, ok := c.env[k]; return v, ok }
		if err := new(config.Origins).Override(&cfg, "SYMBOLON_", env); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if cfg.MTLS == nil {
			t.Fatalf("%s: nothing was read", name)
		}
		got := *cfg.MTLS
		if (got.Listen.TLS == nil) != (c.want.Listen.TLS == nil) || got.Listen.TLS != nil && *got.Listen.TLS != *pair {
			t.Errorf("%s: %+v", name, got.Listen)
		}
		got.Listen.TLS, c.want.Listen.TLS = nil, nil
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
