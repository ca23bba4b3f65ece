package node

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/registry"
)

// started is a node that runs until its test ends.
type started struct {
	*Node
	url  string
	stop func() error
}

func start(t *testing.T, cfg Config) *started {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + socket.Addr().String()
	if cfg.URL == "" {
		cfg.URL = url
	}
	cfg.Listen, cfg.Sockets = nil, []net.Listener{socket}
	if cfg.DataDir == "" {
		cfg.DataDir = t.TempDir() + "/data"
	}
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	stopped := false
	s := &started{Node: n, url: url, stop: func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// seed makes an API and a client, and gives the client's secret.
func (s *started) seed(t *testing.T) string {
	t.Helper()
	_, _, err := s.Admin().CreateAPI(t.Context(), admin.System(), registry.API{
		ID: "orders", Issuer: registry.DefaultIssuer, Identifier: "https://orders.example.com",
		Scopes: map[string]registry.Scope{"orders:read": {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	made, _, err := s.Admin().CreateClient(t.Context(), admin.System(), admin.CreateClient{
		Client: registry.Client{ID: "billing", Access: map[string][]string{"orders": {"orders:read"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return made.Secret.Reveal()
}

func (s *started) token(t *testing.T, id, secret string) (int, string) {
	t.Helper()
	return s.tokenAt(t, s.url, id, secret)
}

// tokenAt asks this node for a token of the issuer with that URL.
func (s *started) tokenAt(t *testing.T, issuer, id, secret string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/token",
		strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(id, secret)
	req.Host = strings.TrimPrefix(issuer, "http://")
	return fetch(t, req)
}

func (s *started) get(t *testing.T, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fetch(t, req)
}

func fetch(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestOneTokenOnEachStore is the main job from end to end.
func TestOneTokenOnEachStore(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			cfg := Config{Store: "sqlite"}
			if backend == "postgres" {
				cfg.Store = pgtest.Database(t)
			}
			s := start(t, cfg)
			secret := s.seed(t)
			status, body := s.token(t, "billing", secret)
			var answer symbolon.TokenAnswer
			if err := json.Unmarshal([]byte(body), &answer); status != http.StatusOK || err != nil || answer.TokenType != "Bearer" {
				t.Fatalf("%d %s", status, body)
			}
			if status, body := s.token(t, "billing", secret+"x"); status != http.StatusUnauthorized {
				t.Fatalf("%d %s", status, body)
			}
			for path, want := range map[string]int{
				"/livez": 200, "/readyz": 200, "/jwks": 200,
				"/.well-known/openid-configuration": 200, "/.well-known/oauth-authorization-server": 200,
				"/jwks/": 404, "/Token": 404, "/%6awks": 404, "/": 404,
			} {
				if status, body := s.get(t, path); status != want {
					t.Errorf("GET %s: %d %s, want %d", path, status, body, want)
				}
			}
		})
	}
}

// TestOpenThatFailsLeavesNothingOpen: whatever step fails, the data directory
// and the sockets are free again, and the message says what to do.
func TestOpenThatFailsLeavesNothingOpen(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for name, c := range map[string]struct {
		spoil func(*Config)
		want  string
	}{
		"port in use":        {func(c *Config) { c.Listen = []Listener{{Addr: busy.Addr().String()}} }, "in use by another program"},
		"no such port":       {func(c *Config) { c.Listen = []Listener{{Addr: "127.0.0.1:99999"}} }, "a port of 65535 at most"},
		"no certificate":     {func(c *Config) { c.TLS = &TLSFiles{Cert: "none.pem", Key: "none.key"} }, "PEM files of one pair"},
		"no such state file": {func(c *Config) { c.Apply = "none.yaml" }, "none.yaml"},
		"bad master key":     {func(c *Config) { c.MasterKey = "nonsense" }, "SYMBOLON_MASTER_KEY"},
		"store away":         {func(c *Config) { c.Store = "postgres://nobody@127.0.0.1:1/none" }, "start again when it can"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{URL: "http://localhost:8080", Listen: []Listener{{Addr: "127.0.0.1:0"}}, DataDir: t.TempDir() + "/data"}
			good := cfg
			c.spoil(&cfg)
			if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want it to say %q", err, c.want)
			}
			n, err := Open(t.Context(), good)
			if err != nil {
				t.Fatalf("the data directory is not free again: %v", err)
			}
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAPortThatIsNotForEveryone: ports below 1024 need a capability, which root has.
func TestAPortThatIsNotForEveryone(t *testing.T) {
	err := cannotListen("listen", "127.0.0.1:80", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)})
	for _, want := range []string{"listen: 127.0.0.1:80 ", "a port above 1023", "CAP_NET_BIND_SERVICE"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

// TestSecondNodeNeedsTheFirstOnesMasterKey: on a shared store a node with a
// data directory of its own does not go on with a master key of its own.
func TestSecondNodeNeedsTheFirstOnesMasterKey(t *testing.T) {
	dsn := pgtest.Database(t)
	first := start(t, Config{Store: dsn})
	secret := first.seed(t)

	second := Config{URL: first.url, Listen: []Listener{{Addr: "127.0.0.1:0"}}, Store: dsn, DataDir: t.TempDir() + "/data"}
	if _, err := Open(t.Context(), second); !errors.Is(err, keys.ErrNoMaster) {
		t.Fatalf("got %v, want ErrNoMaster", err)
	}
	text, err := os.ReadFile(first.dir.join(keys.FileName))
	if err != nil {
		t.Fatal(err)
	}
	second.MasterKey = string(text)
	n := start(t, second)
	if status, body := n.tokenAt(t, first.url, "billing", secret); status != http.StatusOK {
		t.Errorf("%d %s from the second node", status, body)
	}
}

// TestOnlyTrustedProxiesComeWithoutTLS: a listener that is open to the network
// for a proxy serves nobody else in the clear (RFC 6749 §3.2).
func TestOnlyTrustedProxiesComeWithoutTLS(t *testing.T) {
	s := start(t, Config{TrustedProxies: []string{"10.9.0.0/16"}})
	for name, c := range map[string]struct {
		remote string
		tls    *tls.ConnectionState
		want   int
	}{
		"a stranger":               {"203.0.113.5:1234", nil, http.StatusBadRequest},
		"a stranger over TLS":      {"203.0.113.5:1234", new(tls.ConnectionState), http.StatusOK},
		"a trusted proxy":          {"10.9.1.2:1234", nil, http.StatusOK},
		"a proxy, IPv4 in IPv6":    {"[::ffff:10.9.1.2]:1234", nil, http.StatusOK},
		"this machine":             {"127.0.0.1:1234", nil, http.StatusOK},
		"this machine, IPv6":       {"[::1]:1234", nil, http.StatusOK},
		"somebody without address": {"@", nil, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/jwks", nil)
			r.RemoteAddr, r.TLS = c.remote, c.tls
			r.Header.Set("X-Forwarded-For", "127.0.0.1") // anybody may write that
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("%d %s, want %d", w.Code, w.Body, c.want)
			}
		})
	}
}

// masterKey is the text of the node's master key, for other nodes of its store.
func (s *started) masterKey(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.dir.join(keys.FileName))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
