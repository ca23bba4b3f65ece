package node

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/logtest"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/resource"
)

// tenant is a node with an issuer whose iss ends in a slash.
type tenant struct {
	*started
	iss    string
	key    crypto.Signer // of the client program
	secret string        // of the client serving, which serves all APIs
}

// startTenant has the issuer on a host of its own, which is the name localhost. Its
// APIs are at these URLs; the tokens for the last are opaque.
func startTenant(t *testing.T, cfg Config, apis ...string) *tenant {
	t.Helper()
	s := &tenant{started: start(t, cfg)}
	base := strings.Replace(s.url, "127.0.0.1", "localhost", 1)
	s.iss = base + "/"
	a, by := s.Admin(), admin.System()
	if _, _, err := a.CreateIssuer(t.Context(), by, registry.Issuer{ID: "tenant", URL: base, Dialect: registry.DialectAuth0}); err != nil {
		t.Fatal(err)
	}
	made, _, err := a.CreateClient(t.Context(), by, admin.CreateClient{Client: registry.Client{ID: "serving", Issuers: []string{"tenant"}}})
	if err != nil {
		t.Fatal(err)
	}
	s.secret = made.Secret.Reveal()
	program := registry.Client{ID: "program", Issuers: []string{"tenant"}, Access: map[string][]string{}}
	for i, identifier := range apis {
		api := registry.API{
			ID: fmt.Sprint("api-", i), Issuer: "tenant", Identifier: identifier,
			Scopes: map[string]registry.Scope{"read": {}}, ResourceServers: []string{"serving"},
		}
		if i == len(apis)-1 {
			api.Token.Format = registry.FormatOpaque
		}
		if _, _, err := a.CreateAPI(t.Context(), by, api); err != nil {
			t.Fatal(err)
		}
		program.Access[api.ID] = []string{"read"}
	}
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	public, err := jose.NewKey(s.key.Public(), jose.ES256, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.CreateClient(t.Context(), by, admin.CreateClient{Client: program, Key: &admin.NewKey{ID: "k1", Text: string(public.JSON())}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLibrariesAtAnIssuerWithASlash: both halves find everything by that name, a
// denial among it, and the name without the slash is no issuer to them.
func TestLibrariesAtAnIssuerWithASlash(t *testing.T) {
	var served [2]http.Handler
	var urls [2]string
	for i := range served {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { served[i].ServeHTTP(w, r) }))
		defer h.Close()
		urls[i] = h.URL
	}
	s := startTenant(t, Config{}, urls[:]...)
	var programs []*client.Client
	for i, introspection := range []*resource.Introspection{nil, {ID: "serving", Auth: client.Secret(s.secret), Cache: -1}} {
		api, err := resource.New(resource.Config{Issuer: s.iss, Audience: urls[i], Introspection: introspection})
		if err != nil {
			t.Fatal(err)
		}
		defer api.Close()
		served[i] = api.Require("read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, resource.CallerFrom(r.Context()).Claims.Issuer)
		}))
		program, err := client.New(client.Config{
			Issuer: s.iss, ID: "program", Auth: client.PrivateKeyJWT(s.key, "k1"), Scopes: []string{"read"}, Resource: urls[i], DPoP: s.key,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer program.Close()
		programs = append(programs, program)
	}
	call := func(i int) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, urls[i]+"/orders", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := programs[i].HTTP().Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	for i := range urls {
		if status, text := call(i); status != http.StatusOK || text != s.iss {
			t.Fatalf("%d: %d %s", i, status, text)
		}
	}
	if _, _, err := s.Admin().DenyClient(t.Context(), admin.System(), "program"); err != nil {
		t.Fatal(err)
	}
	for i := range urls {
		within(t, "the denial has reached the API", func() bool { status, _ := call(i); return status != http.StatusOK })
	}
	if _, err := client.Discover(t.Context(), http.DefaultClient, strings.TrimSuffix(s.iss, "/")); err == nil || !strings.Contains(err.Error(), "names the issuer") {
		t.Errorf("without the slash: %v", err)
	}
}

// TestDialectsStandApart: what the vendor's issuer has is not at the standard one
// of the same node, and the other way round.
func TestDialectsStandApart(t *testing.T) {
	s := startTenant(t, Config{})
	for _, c := range []struct {
		url    string
		status int
	}{
		{s.iss + "oauth/token", http.StatusMethodNotAllowed},
		{s.iss + ".well-known/jwks.json", http.StatusOK},
		{s.iss + "token", http.StatusNotFound},
		{s.iss + "jwks", http.StatusNotFound},
		{s.iss + "/jwks", http.StatusNotFound},
		{s.iss + "oauth%2Ftoken", http.StatusNotFound},
		{s.iss + "livez", http.StatusOK},
		{s.url + "/oauth/token", http.StatusNotFound},
		{s.url + "/.well-known/jwks.json", http.StatusNotFound},
		{s.url + "/token", http.StatusMethodNotAllowed},
		{s.url + "/api/v2/clients", http.StatusNotFound},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, text := fetch(t, req); status != c.status {
			t.Errorf("%s: %d %s, want %d", c.url, status, text, c.status)
		}
	}
}

// TestNoQueryIsLogged: of no request, at whatever issuer and whatever level.
func TestNoQueryIsLogged(t *testing.T) {
	logged := new(logtest.Buffer)
	s := startTenant(t, Config{Logger: slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	for _, target := range []string{s.url + "/token", s.url + "/jwks", s.url + "/none", s.iss + "oauth/token", s.iss + "none", s.iss + "api/v2/clients"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			req, err := http.NewRequestWithContext(t.Context(), method, target+"?client_id=program&client_secret=canary&state=canary;canary", nil)
			if err != nil {
				t.Fatal(err)
			}
			fetch(t, req)
		}
	}
	text := logged.String()
	if strings.Contains(text, "canary") || strings.Contains(text, "state=") {
		t.Errorf("log:\n%s", text)
	}
	if !strings.Contains(text, "level=DEBUG msg=request ") || !strings.Contains(text, "a client_secret came in the URL") || !strings.Contains(text, "client=program") {
		t.Errorf("log:\n%s", text)
	}
}
