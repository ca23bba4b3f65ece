// Package symbolontest runs a whole symbolon inside a test, as net/http/httptest
// does for HTTP: the real server, with SQLite in a temporary directory, on a
// loopback port, and a clock that the test moves.
//
//	auth := symbolontest.New(t)
//	orders := auth.API("orders", "orders:read")
//	billing := auth.Client("billing", orders, "orders:read")
//	token, err := billing.Token(ctx)
//
// With keys, over HTTP:
//
//	url := orders.Serve("orders:read", handler)
//	billing := auth.KeyClient("billing", orders, "orders:read").DPoP()
//	resp, err := billing.HTTP().Get(url + "/orders")
//
// With certificates:
//
//	url := orders.ServeTLS("orders:read", handler)
//	billing := auth.CertificateClient("billing", orders, "orders:read")
//	resp, err := billing.HTTP().Get(url + "/orders")
//
// OpaqueAPI makes an API whose tokens only the server can read.
package symbolontest

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/node"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/resource"
)

// Server is a running symbolon. It stops when its test ends.
type Server struct {
	// URL is the issuer: "http://127.0.0.1:PORT".
	URL string
	// Roots certify everything here that speaks TLS: the endpoint for clients with
	// certificates, to which the metadata leads, and what ServeTLS runs.
	Roots *x509.CertPool

	t         testing.TB
	node      *node.Node
	ahead     atomic.Int64 // by how much its clock is ahead, in nanoseconds
	authority tls.Certificate
	transport *http.Transport // trusts Roots
}

// API is a protected resource of the server.
type API struct {
	ID         string
	Identifier string // the aud of its tokens
	server     *Server
	origins    []string // where it is served

	// AskerID and AskerSecret are of the client that asks about its tokens, where
	// they are opaque (OpaqueAPI); empty: they are signed.
	AskerID, AskerSecret string
}

// Client is a registered client: a ready client.Client, and what others need to
// be it.
type Client struct {
	*client.Client
	ID     string
	Secret string        // its client_secret; empty with a key or a certificate
	Key    crypto.Signer // its private key, at the server as "k1"; nil with a secret or a certificate
	// Certificate is what it presents, with the private key; nil: nothing.
	Certificate *tls.Certificate

	server *Server
	cfg    client.Config
}

// New starts a server. What cannot be started fails the test at once.
func New(t testing.TB) *Server {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: "http://" + socket.Addr().String(), t: t}
	s.certify()
	s.node, err = node.Open(t.Context(), node.Config{
		URL: s.URL, Sockets: []net.Listener{socket}, MTLS: s.mtls(), DataDir: dataDir(t), Now: s.Now, Around: s.dated, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.node.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("symbolontest: the server did not stop well: %v", err)
		}
	})
	return s
}

// Now is the server's clock.
func (s *Server) Now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// Advance moves the server's clock, and that of the clients and resources made
// by it, ahead by d, and lets its keys follow their schedule.
func (s *Server) Advance(d time.Duration) {
	s.t.Helper()
	s.ahead.Add(int64(d))
	if _, err := s.node.Admin().RunSchedule(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// API makes an API "https://ID.example.com" with these scopes.
func (s *Server) API(id string, scopes ...string) *API {
	s.t.Helper()
	return s.api(registry.API{ID: id}, scopes)
}

// api completes the API and makes it.
func (s *Server) api(api registry.API, scopes []string) *API {
	s.t.Helper()
	api.Issuer, api.Identifier = registry.DefaultIssuer, "https://"+api.ID+".example.com"
	api.Scopes = make(map[string]registry.Scope)
	for _, scope := range scopes {
		api.Scopes[scope] = registry.Scope{}
	}
	if _, _, err := s.node.Admin().CreateAPI(s.t.Context(), admin.System(), api); err != nil {
		s.t.Fatal(err)
	}
	return &API{ID: api.ID, Identifier: api.Identifier, server: s}
}

// Client makes a client with a secret that may ask the API for these scopes,
// and asks for them.
func (s *Server) Client(id string, api *API, scopes ...string) *Client {
	s.t.Helper()
	made, _, err := s.node.Admin().CreateClient(s.t.Context(), admin.System(), admin.CreateClient{
		Client: registry.Client{ID: id, Access: map[string][]string{api.ID: slices.Clone(scopes)}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	secret := made.Secret.Reveal()
	return s.client(&Client{ID: id, Secret: secret}, client.Config{Auth: client.Secret(secret)}, api, scopes)
}

// Disable disables a client as an operator would.
func (s *Server) Disable(id string) {
	s.t.Helper()
	if _, _, err := s.node.Admin().DisableClient(s.t.Context(), admin.System(), admin.Target{ID: id}); err != nil {
		s.t.Fatal(err)
	}
}

// Resource is the API's own half: it checks tokens by the server's clock. What
// serves it writes the machine's time into its answers, by which a client goes
// when a proof is refused: where the clock was moved, use Require.
func (a *API) Resource() *resource.API {
	a.server.t.Helper()
	return a.at("")
}

// Require protects a handler with the API's resource.
func (a *API) Require(scope string, h http.Handler) http.Handler {
	return a.server.dated(a.Resource().Require(scope)(h))
}

// dataDir is a directory that only its owner may enter: the server refuses
// others.
func dataDir(t testing.TB) string {
	return t.TempDir() + "/data"
}
