package client

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestRFC6749_3_2_TheEndpointsQueryIsKept: what the token endpoint's URL
// carries in its query is sent as it is, and nothing is added to it: the
// parameters are in the body.
func TestRFC6749_3_2_TheEndpointsQueryIsKept(t *testing.T) {
	const query = "tenant=a%2Fb&empty&tenant=c"
	s := newAuthServer(t)
	var asked *url.URL
	s.answer(func(w http.ResponseWriter, r *request) {
		asked = r.URL
		grant(w, r, time.Hour)
	})
	cfg := s.config()
	cfg.TokenURL = s.issuer + "/token?" + query
	if _, err := newClient(t, cfg).Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	if asked.Path != "/token" || asked.RawQuery != query {
		t.Errorf("asked for %s", asked)
	}
}

// TestRFC6749_3_2_NoFragmentInTheEndpoint: neither configured nor discovered.
func TestRFC6749_3_2_NoFragmentInTheEndpoint(t *testing.T) {
	for _, fragment := range []string{"#", "#x"} {
		_, err := New(Config{TokenURL: "https://auth.example.com/token" + fragment, ID: "c", Auth: Secret("s")})
		if err == nil || !strings.Contains(err.Error(), "TokenURL") {
			t.Errorf("configured with %q: %v", fragment, err)
		}
		s := site(t, map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"{issuer}","token_endpoint":"{issuer}/token` + fragment + `"}`})
		if _, err := Discover(t.Context(), s.Client(), s.URL); err == nil || !strings.Contains(err.Error(), "fragment") {
			t.Errorf("discovered with %q: %v", fragment, err)
		}
	}
}
