package resource

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// TestRFC7662_2_2_AnswersAreJudged as the claims of a signed token are: that a
// token is active says neither for whom it is, nor that it came from its owner.
func TestRFC7662_2_2_AnswersAreJudged(t *testing.T) {
	s := newTeller(t)
	a := newAPI(t, s.config())
	now := time.Now().Unix()
	for name, c := range map[string]struct {
		member, value string          // "" removes it
		want          *symbolon.Error // nil: taken
	}{
		"as it is":                   {"x", `1`, nil},
		"not active":                 {"active", `false`, errInactive},
		"another issuer":             {"iss", `"https://evil.example"`, errIssuer},
		"the issuer and a slash":     {"iss", `"` + s.url + `/"`, errIssuer},
		"no issuer":                  {"iss", ``, errIssuer},
		"another API":                {"aud", `"https://invoices.example.com"`, errAudience},
		"an API that begins so":      {"aud", `"` + audience + `.evil.example"`, errAudience},
		"the API and a slash":        {"aud", `"` + audience + `/"`, errAudience},
		"the API in capitals":        {"aud", `"HTTPS://ORDERS.EXAMPLE.COM"`, errAudience},
		"several APIs, not this one": {"aud", `["https://a.example","https://b.example"]`, errAudience},
		"several APIs":               {"aud", `["https://a.example","` + audience + `"]`, nil},
		"no API":                     {"aud", ``, errAudience},
		"expired":                    {"exp", fmt.Sprint(now - 1), errExpired},
		"expires now":                {"exp", fmt.Sprint(now), errExpired},
		"no expiry":                  {"exp", ``, errUnnamed},
		"begins in an hour":          {"nbf", fmt.Sprint(now + 3600), errNotYet},
		"begins in a moment":         {"nbf", fmt.Sprint(now + 5), nil},
		"issued in an hour":          {"iat", fmt.Sprint(now + 3600), errNotYet},
		"no iat":                     {"iat", ``, nil},
		"no client":                  {"client_id", ``, errUnnamed},
		"client without a name":      {"client_id", `""`, errUnnamed},
		"no sub":                     {"sub", ``, nil},
		"a refresh token":            {"token_type", `"refresh_token"`, errTokenType},
		"no token type":              {"token_type", ``, errTokenType},
		"type N_A":                   {"token_type", `"N_A"`, errTokenType},
		"type in lower case":         {"token_type", `"bearer"`, nil},
		"DPoP, and no key":           {"token_type", `"DPoP"`, errTokenType},
		"a key, and not DPoP":        {"cnf", `{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`, errTokenType},
		"a certificate elsewhere":    {"cnf", `{"x5t#S256":"A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"}`, errNoCertificate},
		"a binding that is unknown":  {"cnf", `{"x5t":"A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"}`, errNoAnswer},
		"an empty binding":           {"cnf", `{}`, errNoAnswer},
	} {
		s.reply(func(w http.ResponseWriter, _ *http.Request) {
			m := map[string]json.RawMessage{
				"active": json.RawMessage(`true`), "token_type": json.RawMessage(`"Bearer"`), "iss": json.RawMessage(`"` + s.url + `"`), "aud": json.RawMessage(`"` + audience + `"`),
				"exp": json.RawMessage(fmt.Sprint(now + 3600)), "iat": json.RawMessage(fmt.Sprint(now)), "sub": json.RawMessage(`"billing"`), "client_id": json.RawMessage(`"billing"`),
			}
			m[c.member] = json.RawMessage(c.value)
			if c.value == "" {
				delete(m, c.member)
			}
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(m)
		})
		t.Run(name, func(t *testing.T) {
			if c.want != nil {
				refusedAs(t, a, with("opaque"), c.want)
				return
			}
			letIn(t, a, with("opaque"))
		})
	}
}

// TestRFC7662_2_2_NotActive is 401 with the challenge of a token that is no good,
// which does not tell why.
func TestRFC7662_2_2_NotActive(t *testing.T) {
	s := newTeller(t)
	at := orders(t, newAPI(t, s.config()), "orders:read")
	do(t, http.DefaultClient, http.MethodGet, at, bearerFields("opaque")).wants(t, "unknown", "Bearer", errInactive)
	s.issue("opaque", nil)
	do(t, http.DefaultClient, http.MethodGet, at, bearerFields("opaque")).good(t, "known")
}

// TestRFC9449_6_2_OpaqueTokensAreBound: the key in the answer is asked for with
// each request, kept or not.
func TestRFC9449_6_2_OpaqueTokensAreBound(t *testing.T) {
	s := newTeller(t)
	h := newHolder(t, newIssuer(t), time.Now)
	thief := newHolder(t, newIssuer(t), time.Now)
	h.token, thief.token = "opaque", "opaque"
	s.issue("opaque", func(c *symbolon.Claims) { c.Confirmation = &symbolon.Confirmation{JKT: h.jkt} })
	for _, life := range []time.Duration{-1, 0} {
		cfg := s.config()
		cfg.Introspection.Cache = life
		at := orders(t, newAPI(t, cfg), "orders:read")
		for range 2 {
			h.present(t, at, h.proof(t, nil)).good(t, "the owner")
			thief.present(t, at, thief.proof(t, nil)).wants(t, "another key", "DPoP", errOtherKey)
			if a := thief.present(t, at); a.status != http.StatusUnauthorized {
				t.Errorf("no proof: %d", a.status)
			}
			do(t, http.DefaultClient, http.MethodGet, at, bearerFields("opaque")).wants(t, "as a bearer token", "Bearer", errDowngrade)
			if a := h.present(t, at, h.proof(t, nil), h.proof(t, nil)); a.status != http.StatusUnauthorized {
				t.Errorf("two proofs: %d", a.status)
			}
			if a := h.present(t, at, h.proof(t, set("ath", athOf("another")))); a.status != http.StatusUnauthorized {
				t.Errorf("a proof for another token: %d", a.status)
			}
		}
		proof := h.proof(t, nil)
		h.present(t, at, proof).good(t, "once")
		h.present(t, at, proof).wants(t, "twice", "DPoP", errReplayed)
	}
}

// TestRFC8705_3_2_OpaqueTokensAreBound to the certificate in the answer.
func TestRFC8705_3_2_OpaqueTokensAreBound(t *testing.T) {
	s := newTeller(t)
	mine, other := certificate(t, "billing"), certificate(t, "billing")
	s.issue("opaque", func(c *symbolon.Claims) {
		c.Confirmation = &symbolon.Confirmation{X5TS256: symbolon.CertificateThumbprint(mine.Certificate[0])}
	})
	cfg := s.config()
	cfg.Introspection.Cache = 0
	srv := secured(t, newAPI(t, cfg), nil)
	get := func(certs ...tls.Certificate) answer {
		return do(t, caller(t, srv, certs...), http.MethodGet, srv.URL, bearerFields("opaque"))
	}
	for range 2 {
		get(mine).good(t, "the owner")
		get(other).wants(t, "another certificate", "Bearer", errOtherCertificate)
		get().wants(t, "no certificate", "Bearer", errNoCertificate)
	}
}

// TestBoundIsDemandedOfOpaqueTokens as of others.
func TestBoundIsDemandedOfOpaqueTokens(t *testing.T) {
	s := newTeller(t)
	s.issue("opaque", nil)
	for _, bound := range []string{BoundRequired, BoundDPoP, BoundMTLS} {
		cfg := s.config()
		cfg.Bound = bound
		refusedAs(t, newAPI(t, cfg), with("opaque"), errUnbound)
	}
}
