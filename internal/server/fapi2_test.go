package server

import (
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// module is one module of the conformance plan for the FAPI 2.0 Security Profile
// with client credentials, by its name, and for which combinations it is.
type module struct {
	name        string
	auth, bound string // "": any
	run         func(*testing.T, *profiled)
}

const (
	byKey  = symbolon.AuthPrivateKeyJWT
	byCert = symbolon.AuthTLSClient
	toKey  = registry.BindingDPoP
	toCert = registry.BindingMTLS
)

var modules = []module{
	{"DiscoveryEndpointVerification", "", "", discoveryEndpointVerification},
	{"HappyFlow", "", "", happyFlow},
	{"AccessTokenTypeHeaderCaseSensitivity", "", "", accessTokenTypeHeaderCaseSensitivity},
	{"CheckDpopProofNbfExp", "", toKey, checkDpopProofNbfExp},
	{"EnsureDpopProofWithIat10SecondsBeforeSucceeds", "", toKey, proofTime("iat", -10*time.Second, "")},
	{"EnsureDpopProofWithIat10SecondsAfterSucceeds", "", toKey, proofTime("iat", 10*time.Second, "")},
	{"EnsureClientIdInTokenEndpoint", byCert, "", ensureClientIDInTokenEndpoint},
	{"EnsureHolderOfKeyRequired", "", "", ensureHolderOfKeyRequired},
	{"EnsureSignedClientAssertionWithRS256Fails", byKey, "", signedWith("RS256", "RSA one", "invalid_client")},
	{"EnsureClientAssertionInTokenEndpoint", byKey, "", ensureClientAssertionInTokenEndpoint},
	{"EnsureClientAssertionWithExpIs5MinutesInPastFails", byKey, "", assertionTime("exp", -5*time.Minute, "invalid_client")},
	{"EnsureClientAssertionWithWrongAudFails", byKey, "", ensureClientAssertionWithWrongAudFails},
	{"EnsureClientAssertionWithNoSubFails", byKey, "", ensureClientAssertionWithNoSubFails},
	{"DpopNegativeTests", "", toKey, dpopNegativeTests},

	// From the modules of pushed authorization requests, what holds of assertions alike.
	{"ClientAssertionWithIat8SecondsInTheFutureSucceeds", byKey, "", assertionTime("iat", 8*time.Second, "")},
	{"ClientAssertionWithNbf8SecondsInTheFutureSucceeds", byKey, "", assertionTime("nbf", 8*time.Second, "")},
	{"ClientAssertionWithIatOver60SecondsInTheFutureFails", byKey, "", assertionTime("iat", 61*time.Second, "invalid_client")},
	{"ClientAssertionWithNbfOver60SecondsInTheFutureFails", byKey, "", assertionTime("nbf", 61*time.Second, "invalid_client")},

	// FAPI 2.0 §5.3.2.1, §5.4.1, beyond the plan.
	{"EnsureSignedClientAssertionWithPS256Succeeds", byKey, "", signedWith("PS256", "RSA one", "")},
	{"EnsureSignedClientAssertionWithEdDSASucceeds", byKey, "", signedWith("EdDSA", "Ed25519 one", "")},
	{"EnsureClientSecretFails", "", "", ensureClientSecretFails},
	{"EnsureClientAssertionReplayFails", byKey, "", ensureClientAssertionReplayFails},
	{"EnsureCertificateWithShortRSAKeyFails", byCert, "", ensureCertificateWithShortRSAKeyFails},
}

// TestFAPI2 is our port of the module list, in the four combinations of client
// authentication and sender constraint, over TLS, against an issuer with the
// profile fapi2.
func TestFAPI2(t *testing.T) {
	for _, auth := range []string{byKey, byCert} {
		for _, bound := range []string{toKey, toCert} {
			t.Run(auth+" "+bound, func(t *testing.T) {
				p := newProfiled(t, auth, bound)
				for _, m := range modules {
					if (m.auth == "" || m.auth == auth) && (m.bound == "" || m.bound == bound) {
						t.Run(m.name, func(t *testing.T) {
							p.in(t)
							m.run(t, p)
						})
					}
				}
			})
		}
	}
}

func discoveryEndpointVerification(t *testing.T, p *profiled) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+symbolon.WellKnownServer+"/strict", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.transport(t, nil).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var m symbolon.ServerMetadata
	if err := json.NewDecoder(resp.Body).Decode(&m); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	if m.Issuer != strictIssuer || m.TokenEndpoint != strictIssuer+"/token" || m.JWKSURI != strictIssuer+"/jwks" {
		t.Errorf("%+v", m)
	}
	if m.MTLSAliases == nil || m.MTLSAliases.TokenEndpoint != aliasURL+"/strict/token" || !m.CertificateBound {
		t.Errorf("aliases %v, bound tokens %v", m.MTLSAliases, m.CertificateBound)
	}
	if !slices.Equal(m.GrantTypesSupported, []string{"client_credentials"}) ||
		!slices.Equal(m.TokenAuthMethods, []string{"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}) {
		t.Errorf("grants %v, methods %v", m.GrantTypesSupported, m.TokenAuthMethods)
	}
	for _, algs := range [][]string{m.TokenAuthSigningAlgs, m.DPoPSigningAlgs} {
		if !slices.Equal(algs, []string{"ES256", "PS256", "EdDSA", "Ed25519"}) {
			t.Errorf("algorithms %v", algs)
		}
	}
}

func happyFlow(t *testing.T, p *profiled) {
	for range 2 {
		a := p.succeeds(t, nil)
		if p.bound == toKey {
			if err := p.call(t, "DPoP", a.AccessToken, nil, p.proofFor(t, a.AccessToken, "P-256 proof")); err != nil {
				t.Errorf("the API: %v", err)
			}
			// A token is worth nothing without its key (mcp-oauth#384, CVE-2024-49755).
			for name, err := range map[string]error{
				"as a bearer token":          p.call(t, "Bearer", a.AccessToken, nil),
				"as a bearer token, a proof": p.call(t, "Bearer", a.AccessToken, nil, p.proofFor(t, a.AccessToken, "P-256 proof")),
				"without a proof":            p.call(t, "DPoP", a.AccessToken, nil),
				"another key":                p.call(t, "DPoP", a.AccessToken, nil, p.proofFor(t, a.AccessToken, "P-256 attacker")),
				"a certificate":              p.call(t, "DPoP", a.AccessToken, p.leaf),
			} {
				if err == nil {
					t.Errorf("the API: %s", name)
				}
			}
			continue
		}
		if err := p.call(t, "Bearer", a.AccessToken, p.leaf); err != nil {
			t.Errorf("the API: %v", err)
		}
		if p.call(t, "Bearer", a.AccessToken, nil) == nil || p.call(t, "Bearer", a.AccessToken, certify(t, "P-256 attacker", ours(), nil)) == nil {
			t.Error("the API takes the token without its certificate")
		}
	}
}

func accessTokenTypeHeaderCaseSensitivity(t *testing.T, p *profiled) {
	a := p.succeeds(t, nil)
	for _, scheme := range map[string][]string{toKey: {"dpop", "DPOP", "dPoP"}, toCert: {"bearer", "BEARER", "bEaReR"}}[p.bound] {
		var err error
		if p.bound == toKey {
			err = p.call(t, scheme, a.AccessToken, nil, p.proofFor(t, a.AccessToken, "P-256 proof"))
		} else {
			err = p.call(t, scheme, a.AccessToken, p.leaf)
		}
		if err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

// inProof changes a claim of the proof.
func inProof(name string, value any) func(*try) {
	return func(r *try) { r.proof.claims[name] = value }
}

func proofTime(name string, d time.Duration, code string) func(*testing.T, *profiled) {
	return func(t *testing.T, p *profiled) {
		change := inProof(name, p.at(d))
		if code == "" {
			p.succeeds(t, change)
			return
		}
		p.fails(t, code, change)
	}
}

func assertionTime(name string, d time.Duration, code string) func(*testing.T, *profiled) {
	return func(t *testing.T, p *profiled) {
		change := func(r *try) {
			r.assertion.claims["exp"] = p.at(2 * time.Minute)
			r.assertion.claims[name] = p.at(d)
		}
		if code == "" {
			p.succeeds(t, change)
			return
		}
		p.fails(t, code, change)
	}
}

func checkDpopProofNbfExp(t *testing.T, p *profiled) {
	p.succeeds(t, func(r *try) {
		r.proof.claims["nbf"], r.proof.claims["exp"] = p.at(0), p.at(time.Minute)
	})
	p.succeeds(t, inProof("nbf", p.at(10*time.Second)))
	p.fails(t, "invalid_dpop_proof", inProof("exp", p.at(-time.Minute)))
	p.fails(t, "invalid_dpop_proof", inProof("nbf", p.at(61*time.Second)))
}

func ensureClientIDInTokenEndpoint(t *testing.T, p *profiled) {
	p.fails(t, "invalid_client", func(r *try) { r.clientID = "" })
	p.fails(t, "invalid_client", func(r *try) { r.clientID = "by-another" })
}

func ensureHolderOfKeyRequired(t *testing.T, p *profiled) {
	switch {
	case p.bound == toKey:
		p.fails(t, "invalid_request", func(r *try) { r.proof = nil })
		if p.auth == byKey {
			// A certificate is no proof where the client's tokens are bound to keys.
			p.fails(t, "invalid_request", func(r *try) { r.proof, r.cert = nil, p.leaf })
		}
	case p.auth == byKey:
		p.fails(t, "invalid_request", func(r *try) { r.cert = nil })
	default:
		p.fails(t, "invalid_client", func(r *try) { r.cert = nil })
	}
	// The profile demands it also of a client whose document does not.
	entry, err := p.replica.Client(t.Context(), "fapi")
	if err != nil || p.auth == byCert {
		return // who authenticates by a certificate has presented one
	}
	bound := *entry.Client
	p.apply(with(&bound, func(c *registry.Client) { c.Bound = "" }))
	p.fails(t, "invalid_request", func(r *try) { r.proof, r.cert = nil, nil })
	p.apply(entry.Client)
}

func signedWith(alg jose.Algorithm, key, code string) func(*testing.T, *profiled) {
	return func(t *testing.T, p *profiled) {
		change := func(r *try) {
			r.assertion.header["alg"], r.assertion.key = string(alg), privateKey(t, key)
		}
		if code == "" {
			p.succeeds(t, change)
			return
		}
		p.fails(t, code, change)
	}
}

func ensureClientAssertionInTokenEndpoint(t *testing.T, p *profiled) {
	p.fails(t, "invalid_client", func(r *try) { r.assertion = nil })
	p.fails(t, "invalid_client", func(r *try) { r.assertion, r.clientID = nil, "fapi" })
}

func ensureClientAssertionWithWrongAudFails(t *testing.T, p *profiled) {
	for _, aud := range []any{
		"https://attacker.example", base, strictIssuer + "/token", aliasURL + "/strict/token", strictIssuer + "/",
		[]string{strictIssuer}, []string{strictIssuer, "https://attacker.example"}, "", nil,
	} {
		p.fails(t, "invalid_client", func(r *try) { r.assertion.claims["aud"] = aud })
	}
}

func ensureClientAssertionWithNoSubFails(t *testing.T, p *profiled) {
	p.fails(t, "invalid_client", func(r *try) { r.assertion.claims["sub"] = nil })
	p.fails(t, "invalid_client", func(r *try) { r.assertion.claims["sub"], r.clientID = nil, "fapi" })
}

// ensureClientSecretFails: FAPI 2.0 §5.3.2.1: keys and certificates alone, also
// for a client that has a secret.
func ensureClientSecretFails(t *testing.T, p *profiled) {
	entry, err := p.replica.Client(t.Context(), "fapi")
	if err != nil {
		t.Fatal(err)
	}
	both := *entry.Client
	p.apply(with(&both, func(c *registry.Client) { c.Secrets = []registry.Secret{generated("s1", secret1)} }))
	p.fails(t, "invalid_client", func(r *try) {
		r.assertion, r.clientID = nil, ""
		r.header.Set("Authorization", basicAuth("fapi", secret1))
	})
	p.fails(t, "invalid_client", func(r *try) { r.assertion, r.clientID, r.form = nil, "fapi", grant+"&client_secret="+secret1 })
	p.apply(entry.Client)
}

func ensureClientAssertionReplayFails(t *testing.T, p *profiled) {
	used := p.good().assertion
	p.succeeds(t, func(r *try) { r.assertion = used })
	p.fails(t, "invalid_client", func(r *try) { r.assertion = used })
}

// ensureCertificateWithShortRSAKeyFails: FAPI 2.0 §5.4.1: 2048 bits at least, also
// where an authority that the server trusts signed a shorter key.
func ensureCertificateWithShortRSAKeyFails(t *testing.T, p *profiled) {
	long, short := certify(t, "RSA client", ours(), p.clients), certify(t, "RSA-2040 client", ours(), p.clients)
	p.succeeds(t, func(r *try) { r.cert = long })
	p.fails(t, "invalid_client", func(r *try) { r.cert = short })
}

// inHeader changes a parameter of the proof's header.
func inHeader(name string, value any) func(*try) {
	return func(r *try) { r.proof.header[name] = value }
}

// jwkOf puts another text for the key into the proof's header.
func jwkOf(change func(string) string) func(*try) {
	return func(r *try) {
		r.proof.header["jwk"] = json.RawMessage(change(string(r.proof.header["jwk"].(json.RawMessage))))
	}
}

// dpopNegativeTests are the blocks of the module at the token endpoint: what must
// be refused, each for its own cause, and what must not.
func dpopNegativeTests(t *testing.T, p *profiled) {
	private := `{"d":"` + strings.Repeat("A", 43) + `",`
	const bad = "invalid_dpop_proof"
	none := func(alg string) func(*try) {
		return func(r *try) { r.proof.header["alg"], r.proof.sign = alg, func([]byte) []byte { return []byte{1} } }
	}
	by := func(alg, key string) func(*try) {
		return func(r *try) {
			q := p.strictProof(key)
			q.header["alg"] = alg
			*r.proof = q
		}
	}
	for name, change := range map[string]func(*try){
		"TwoDPoPHeaders":             func(r *try) { r.header["DPoP"] = []string{p.strictProof("P-256 proof").text(t)} },
		"TwoDPoPHeadersInTwoCases":   func(r *try) { r.header["DPOP"] = []string{p.strictProof("P-256 proof").text(t)} },
		"EmptyDPoPHeader":            func(r *try) { r.proof, r.header["DPoP"] = nil, []string{""} },
		"DPoPHeaderIsNoToken":        func(r *try) { r.proof, r.header["DPoP"] = nil, []string{"x"} },
		"TypMissing":                 inHeader("typ", nil),
		"TypJWT":                     inHeader("typ", "JWT"),
		"TypWrong":                   inHeader("typ", "dpop+jwt+wrong"),
		"TypOfAnAssertion":           inHeader("typ", symbolon.TypClientAuthentication),
		"AlgMissing":                 func(r *try) { r.proof.header["alg"], r.proof.sign = nil, func([]byte) []byte { return []byte{1} } },
		"AlgNone":                    none("none"),
		"AlgNoneInOtherCases":        none("nOnE"),
		"AlgHS256":                   func(r *try) { r.proof.header["alg"], r.proof.sign = "HS256", hmacWith([]byte("secret")) },
		"AlgRS256":                   by("RS256", "RSA one"),
		"AlgES384":                   by("ES384", "P-384 one"),
		"AlgOfAnotherKey":            inHeader("alg", "PS256"),
		"JwkMissing":                 inHeader("jwk", nil),
		"JwkWrong":                   jwkOf(func(string) string { return `{"kty":"EC"}` }),
		"JwkPrivate":                 jwkOf(func(jwk string) string { return strings.Replace(jwk, "{", private, 1) }),
		"JwkSymmetric":               jwkOf(func(string) string { return `{"kty":"oct","k":"c2VjcmV0"}` }),
		"JwkOfAnotherKey":            jwkOf(func(string) string { return string(publicKey(t, "P-256 attacker", "", "").JSON()) }),
		"KidInsteadOfJwk":            func(r *try) { r.proof.header["jwk"], r.proof.header["kid"] = nil, "k1" },
		"SignatureInvalid":           func(r *try) { r.proof.sign = func([]byte) []byte { return slices.Repeat([]byte{7}, 64) } },
		"SignatureZero":              func(r *try) { r.proof.sign = func([]byte) []byte { return make([]byte, 64) } },
		"SignatureMissing":           func(r *try) { r.proof.sign = func([]byte) []byte { return nil } },
		"HtmMissing":                 inProof("htm", nil),
		"HtmWrong":                   inProof("htm", "GET"),
		"HtmInLowerCase":             inProof("htm", "post"),
		"HtuMissing":                 inProof("htu", nil),
		"HtuWrong":                   inProof("htu", "https://attacker.example/token"),
		"HtuOfAnotherIssuer":         inProof("htu", base+"/token"),
		"HtuOfThePathInAnotherCase":  inProof("htu", base+"/STRICT/token"),
		"HtuWithoutPath":             inProof("htu", base),
		"HtuWithPlainHTTP":           inProof("htu", strings.Replace(strictIssuer, "https:", "http:", 1)+"/token"),
		"IatMissing":                 inProof("iat", nil),
		"IatTooOld":                  inProof("iat", p.at(-5*time.Minute)),
		"IatADayOld":                 inProof("iat", p.at(-24*time.Hour)),
		"IatOver60SecondsAhead":      inProof("iat", p.at(61*time.Second)),
		"IatADayAhead":               inProof("iat", p.at(24*time.Hour)),
		"IatMinusInfinity":           inProof("iat", -math.MaxFloat64),
		"IatOfTheLeastInt64":         inProof("iat", int64(math.MinInt64)),
		"IatIsAString":               inProof("iat", "1800000000"),
		"JtiMissing":                 inProof("jti", nil),
		"JtiEmpty":                   inProof("jti", ""),
		"JtiTooLong":                 inProof("jti", strings.Repeat("j", 257)),
		"ProofIsTheAssertionOfAnAPI": func(r *try) { r.proof.header["typ"], r.proof.claims["aud"] = "at+jwt", strictIssuer },
	} {
		t.Run(name, func(t *testing.T) {
			p.in(t)
			p.fails(t, bad, change)
		})
	}
	t.Run("NonceMissing", func(t *testing.T) {
		p.in(t)
		a := p.fails(t, "use_dpop_nonce", inProof("nonce", nil))
		p.succeeds(t, inProof("nonce", a.header.Get("DPoP-Nonce")))
	})
	t.Run("NonceOfAnotherIssuer", func(t *testing.T) {
		p.in(t)
		p.fails(t, "use_dpop_nonce", inProof("nonce", p.cfg.Nonces.Issue(base, p.now())))
	})
	t.Run("Reuse", func(t *testing.T) {
		p.in(t)
		used := p.strictProof("P-256 proof")
		p.succeeds(t, func(r *try) { r.proof = &used })
		p.fails(t, bad, func(r *try) { r.proof = &used })
		used.claims["htu"] = strings.Replace(strictIssuer, "https://auth", "HTTPS://AUTH", 1) + ":443/token"
		used.claims["htu"] = strings.Replace(used.claims["htu"].(string), "/strict:443", ":443/strict", 1)
		p.fails(t, bad, func(r *try) { r.proof = &used })
	})
	for name, change := range map[string]func(*try){
		"HeaderNameInUpperCase": func(r *try) { r.header["DPOP"], r.proof = []string{r.proof.text(t)}, nil },
		"HeaderNameInLowerCase": func(r *try) { r.header["dpop"], r.proof = []string{r.proof.text(t)}, nil },
		"MoreClaims":            inProof("extra", map[string]any{"a": []int{1}}),
		"MoreHeaderParameters":  inHeader("extra", "x"),
		"AthThatNobodyNeeds":    inProof("ath", "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"),
		"HtuSchemeInUpperCase":  inProof("htu", strings.Replace(strictIssuer, "https", "HTTPS", 1)+"/token"),
		"HtuHostInUpperCase":    inProof("htu", strings.Replace(strictIssuer, "auth.example.com", "AUTH.EXAMPLE.COM", 1)+"/token"),
		"HtuWithDefaultPort":    inProof("htu", strings.Replace(strictIssuer, ".com", ".com:443", 1)+"/token"),
		"HtuWithDotSegments":    inProof("htu", base+"/x/../strict/./token"),
		"HtuWithEscapes":        inProof("htu", base+"/%73trict/token"),
		"HtuWithQuery":          inProof("htu", strictIssuer+"/token?a=1"),
		"HtuOfTheAlias":         inProof("htu", aliasURL+"/strict/token"),
		"AlgPS256":              by("PS256", "RSA one"),
		"AlgEdDSA":              by("EdDSA", "Ed25519 one"),
	} {
		t.Run(name, func(t *testing.T) {
			p.in(t)
			p.succeeds(t, change)
		})
	}
}
