package symbolontest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"

	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/resource"
)

// Serve runs the API on a loopback port until the test ends and gives its URL,
// "http://127.0.0.1:PORT": requests need a token with the scope. Clients that are
// made for the API from now on send their tokens there, and it takes proofs for
// that URL, so that with billing.HTTP() all of it can be tried. Tokens that are
// bound to a certificate need ServeTLS.
func (a *API) Serve(scope string, h http.Handler) string {
	a.server.t.Helper()
	s := httptest.NewUnstartedServer(nil)
	url := a.serve(s, "http://", scope, h)
	s.Start()
	return url
}

// serve gives the server its handler, and clients the way to it.
func (a *API) serve(s *httptest.Server, scheme, scope string, h http.Handler) string {
	a.server.t.Helper()
	url := scheme + s.Listener.Addr().String()
	s.Config.Handler = a.server.dated(a.at(url).Require(scope)(h))
	a.server.t.Cleanup(s.Close)
	a.origins = append(a.origins, url)
	return url
}

// at is the API's own half where callers reach it at the URL.
func (a *API) at(publicURL string) *resource.API {
	a.server.t.Helper()
	r, err := resource.New(resource.Config{
		Issuer: a.server.URL, Audience: a.Identifier, PublicURL: publicURL, Now: a.server.Now, Introspection: a.introspection(),
	})
	if err != nil {
		a.server.t.Fatal(err)
	}
	a.server.t.Cleanup(func() { r.Close() })
	return r
}

// KeyClient is Client with a private key instead of a secret (private_key_jwt,
// RFC 7523 §2.2).
func (s *Server) KeyClient(id string, api *API, scopes ...string) *Client {
	s.t.Helper()
	key := s.newKey()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		s.t.Fatal(err)
	}
	_, _, err = s.node.Admin().CreateClient(s.t.Context(), admin.System(), admin.CreateClient{
		Client: registry.Client{ID: id, Access: map[string][]string{api.ID: slices.Clone(scopes)}},
		Key:    &admin.NewKey{ID: "k1", Text: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.client(&Client{ID: id, Key: key}, client.Config{Auth: client.PrivateKeyJWT(key, "k1")}, api, scopes)
}

// DPoP is the same client with tokens that are bound to a new key of its own
// (RFC 9449).
func (c *Client) DPoP() *Client {
	c.server.t.Helper()
	cfg := c.cfg
	cfg.DPoP = c.server.newKey()
	return c.server.start(&Client{ID: c.ID, Secret: c.Secret, Key: c.Key, Certificate: c.Certificate}, cfg)
}

func (s *Server) newKey() *ecdsa.PrivateKey {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

// client completes the configuration of a client for the API, and starts it.
func (s *Server) client(c *Client, cfg client.Config, api *API, scopes []string) *Client {
	s.t.Helper()
	cfg.Issuer, cfg.ID, cfg.Now = s.URL, c.ID, s.Now
	cfg.Scopes, cfg.Resource = scopes, api.Identifier
	cfg.HTTP = &http.Client{Transport: s.transport}
	cfg.Origins = append([]string{api.Identifier}, api.origins...)
	return s.start(c, cfg)
}

// dated gives answers the Date of the server's moved clock: net/http writes that
// of the machine, by which a client would learn that its own is wrong.
func (s *Server) dated(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", s.Now().UTC().Format(http.TimeFormat))
		h.ServeHTTP(w, r)
	})
}

func (s *Server) start(c *Client, cfg client.Config) *Client {
	s.t.Helper()
	made, err := client.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { made.Close() })
	c.Client, c.server, c.cfg = made, s, cfg
	return c
}
