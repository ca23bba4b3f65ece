package dialect_test

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/logtest"
	"github.com/symbolon/symbolon/internal/node"
)

// world is a whole node over HTTPS, on a real database, with a standard issuer
// and one organisation of each dialect, each on a port of its own. The ids of
// issuers are those of the constants below; populate says which APIs and clients
// there are.
type world struct {
	node    *node.Node
	http    *http.Client // trusts the node, follows no redirect
	ca      string       // PEM file of whom to trust
	log     *slog.Logger // of the node, from slog.LevelDebug on
	logged  *logtest.Buffer
	ahead   atomic.Int64 // how far the node's clock is, in nanoseconds
	network atomic.Int32 // whence new connections come: 127.x.y.1

	issuers map[string]string // by id: the URL without a final slash, which endpoints' URLs begin with
	secrets map[string]string // by the id of the client
	tokens  map[string]string // by the id of the operator token
	key     *rsa.PrivateKey   // of every client with a key, as k1
	key2    *rsa.PrivateKey   // of nobody

	stop func() error
}

// Issuers of a world.
const (
	standard   = "default"
	oktaOrg    = "okta"         // https://localhost:PORT
	oktaCustom = "okta-default" // https://localhost:PORT/oauth2/default
	auth0      = "auth0"        // https://localhost:PORT
	curity     = "curity"       // https://localhost:PORT/oauth/v2/oauth-anonymous
	simple     = "simple"       // https://localhost:PORT

	// Other organisations, each at https://localhost:PORT, which are none of allIssuers.
	oktaOther  = "okta-other"
	auth0Other = "auth0-other" // the sub of its tokens ends in @clients
)

var allIssuers = []string{standard, oktaOrg, oktaCustom, auth0, curity, simple}

// tokenPaths are where each issuer's token endpoint is, below the origin.
var tokenPaths = map[string]string{
	standard: "/token", oktaOrg: "/oauth2/v1/token", oktaOther: "/oauth2/v1/token", oktaCustom: "/oauth2/default/v1/token",
	auth0: "/oauth/token", auth0Other: "/oauth/token", curity: "/oauth/v2/oauth-token", simple: "/authorize",
}

var shared struct {
	once sync.Once
	w    *world
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.w != nil {
		if err := shared.w.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "the node did not end in order:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// theWorld is the one that tests share, since its keys take a while to make. What
// a test makes there has ids of its own, and what others made it leaves alone.
func theWorld(t testing.TB) *world {
	t.Helper()
	shared.once.Do(func() { shared.w, shared.err = openWorld(context.Background(), nil) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	// Of each test's refusals there are records: they are capped by network.
	shared.w.http.CloseIdleConnections()
	shared.w.network.Add(1)
	return shared.w
}

// newWorld is one of the test's own.
func newWorld(t testing.TB, configure func(*node.Config)) *world {
	t.Helper()
	w, err := openWorld(context.WithoutCancel(t.Context()), configure)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func openWorld(ctx context.Context, configure func(*node.Config)) (*world, error) {
	dir, err := os.MkdirTemp("", "dialect")
	if err != nil {
		return nil, err
	}
	w := &world{logged: new(logtest.Buffer), issuers: map[string]string{}, secrets: map[string]string{}, tokens: map[string]string{}}
	w.log = slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := node.Config{
		DataDir: filepath.Join(dir, "data"), Logger: w.log,
		Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
	}
	if err := w.certify(dir, &cfg); err != nil {
		return nil, err
	}
	if err := w.listen(&cfg); err != nil {
		return nil, err
	}
	if configure != nil {
		configure(&cfg)
	}
	if w.node, err = node.Open(ctx, cfg); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.node.Run(running) }()
	w.stop = func() error {
		w.http.CloseIdleConnections()
		cancel()
		return errors.Join(<-ended, os.RemoveAll(dir))
	}
	if err := w.populate(ctx); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	return w, nil
}

// listen opens a port for each organisation, and names the issuers by them.
func (w *world) listen(cfg *node.Config) error {
	files := cfg.TLS
	for _, org := range []map[string]string{
		{standard: ""}, {oktaOrg: "", oktaCustom: "/oauth2/default"}, {oktaOther: ""}, {auth0: ""}, {auth0Other: ""},
		{curity: "/oauth/v2/oauth-anonymous"}, {simple: ""},
	} {
		socket, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		cfg.Listen = append(cfg.Listen, node.Listener{Addr: socket.Addr().String(), TLS: files, Socket: socket})
		for id, path := range org {
			w.issuers[id] = fmt.Sprintf("https://localhost:%d%s", socket.Addr().(*net.TCPAddr).Port, path)
		}
	}
	cfg.URL = w.issuers[standard]
	return nil
}

// certify makes a certificate for localhost, and the client that trusts it.
func (w *world) certify(dir string, cfg *node.Config) error {
	cert, key, pair, err := certificate()
	if err != nil {
		return err
	}
	w.ca = filepath.Join(dir, "ca.pem")
	cfg.TLS = &node.TLSFiles{Cert: w.ca, Key: filepath.Join(dir, "key.pem")}
	if err := errors.Join(os.WriteFile(w.ca, cert, 0o600), os.WriteFile(cfg.TLS.Key, key, 0o600)); err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	w.http = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 8, DialContext: w.dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       30 * time.Second,
	}
	return nil
}

// dial connects from the network of the test.
func (w *world) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	n := w.network.Load()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(n>>8), byte(n), 1)}}
	return from.DialContext(ctx, "tcp4", addr)
}

// origin is scheme and host of an issuer.
func (w *world) origin(issuer string) string {
	u := w.issuers[issuer]
	for i := len("https://"); i < len(u); i++ {
		if u[i] == '/' {
			return u[:i]
		}
	}
	return u
}

// tokenURL is the issuer's token endpoint.
func (w *world) tokenURL(issuer string) string { return w.origin(issuer) + tokenPaths[issuer] }

// advance moves the node's clock.
func (w *world) advance(d time.Duration) { w.ahead.Add(int64(d)) }

// now is the node's clock.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
