package server

import (
	"crypto/x509"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
)

// TestMetadataOfCertificates: RFC 8705 §3.3, §5: what is said about certificates
// is what this node can do with them at that issuer, and a profile leaves out
// what it does not let clients use.
func TestMetadataOfCertificates(t *testing.T) {
	const secrets, keys = "client_secret_basic client_secret_post", "private_key_jwt"
	asked := func(iss string) (string, bool) {
		return strings.Replace(iss, "https://auth.", "https://mtls.auth.", 1), strings.HasPrefix(iss, base)
	}
	roots := func() *x509.CertPool { return x509.NewCertPool() }
	for name, c := range map[string]struct {
		iss          string
		certificates func(string) (string, bool)
		roots        func() *x509.CertPool
		methods      string
		bound        bool
		alias        string
	}{
		"nobody is asked":           {base, nil, roots, secrets + " " + keys, false, ""},
		"without roots":             {base, asked, nil, secrets + " " + keys + " self_signed_tls_client_auth", true, "https://mtls.auth.example.com/token"},
		"with roots":                {base + "/partners", asked, roots, secrets + " " + keys + " tls_client_auth self_signed_tls_client_auth", true, "https://mtls.auth.example.com/partners/token"},
		"an issuer elsewhere":       {"https://tokens.example.net:8443/a/b", func(string) (string, bool) { return "", false }, roots, secrets + " " + keys, false, ""},
		"asked at the issuer's URL": {base, func(string) (string, bool) { return "", true }, nil, secrets + " " + keys + " self_signed_tls_client_auth", true, ""},
		"profile fapi2":             {base + "/strict", asked, roots, keys + " tls_client_auth self_signed_tls_client_auth", true, "https://mtls.auth.example.com/strict/token"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.cfg.Certificates, f.cfg.ClientCAs = c.certificates, c.roots
			f.apply(&registry.Issuer{ID: "strict", Profile: registry.ProfileFAPI2})
			var m symbolon.ServerMetadata
			w := f.get(c.iss + symbolon.WellKnownServer)
			if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if got := strings.Join(m.TokenAuthMethods, " "); got != c.methods {
				t.Errorf("methods %s, want %s", got, c.methods)
			}
			alias := ""
			if m.MTLSAliases != nil {
				alias = m.MTLSAliases.TokenEndpoint
			}
			if m.CertificateBound != c.bound || alias != c.alias {
				t.Errorf("bound tokens %v, alias %q, want %v, %q", m.CertificateBound, alias, c.bound, c.alias)
			}
			// FAPI 2.0 §5.4.1: PS256, ES256, EdDSA with Ed25519, and nothing else.
			weak := slices.ContainsFunc(slices.Concat(m.TokenAuthSigningAlgs, m.DPoPSigningAlgs), func(alg string) bool {
				return !slices.Contains([]string{"ES256", "PS256", "EdDSA", "Ed25519"}, alg)
			})
			if weak != (name != "profile fapi2") || len(m.TokenAuthSigningAlgs) == 0 || len(m.DPoPSigningAlgs) == 0 {
				t.Errorf("algorithms %v, %v", m.TokenAuthSigningAlgs, m.DPoPSigningAlgs)
			}
		})
	}
}
