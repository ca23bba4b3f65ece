package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/registry"
)

// newProofFixture is a fixture whose issuers demand nonces in proofs.
func newProofFixture(t testing.TB) *fixture {
	t.Helper()
	f := newKeyFixture(t)
	f.cfg.Nonces = dpop.NewNonces(dpop.NonceKey{1})
	return f
}

// proofOf is a good proof for the default issuer's token endpoint with the key of
// that name, and with a jti of its own.
func (f *fixture) proofOf(key string) forged {
	f.t.Helper()
	p := forged{
		header: map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": json.RawMessage(publicKey(f.t, key, "", "").JSON())},
		claims: map[string]any{"jti": nextID(), "htm": "POST", "htu": base + "/token", "iat": f.now().Unix()},
		key:    privateKey(f.t, key),
	}
	if f.cfg.Nonces != nil {
		p.claims["nonce"] = f.cfg.Nonces.Issue(base, f.now())
	}
	return p
}

// proven asks as billing, with these proofs.
func (f *fixture) proven(form string, proofs ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.exchange(wire{form: form, header: http.Header{"Authorization": {basicAuth("billing", secret1)}, symbolon.HeaderDPoP: proofs}})
}

// refusedProof checks the answer to a proof that is refused, and gives its sentence.
func refusedProof(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var e symbolon.ErrorAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != http.StatusBadRequest || e.Error != "invalid_dpop_proof" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	return e.ErrorDescription
}

// TestRFC9449_5_TokenAnswer: the type of the token, and the key that it is bound to.
func TestRFC9449_5_TokenAnswer(t *testing.T) {
	f := newProofFixture(t)
	w := f.proven(grant, f.proofOf("P-256 proof").text(t))
	answer, claims, _ := f.token(w)
	want := `{"access_token":"` + answer.AccessToken + `","token_type":"DPoP","expires_in":600,"scope":"orders:read"}`
	if w.Body.String() != want {
		t.Errorf("body %s", w.Body)
	}
	if jkt := publicKey(t, "P-256 proof", "", "").Thumbprint(); claims.Confirmation == nil || *claims.Confirmation != (symbolon.Confirmation{JKT: jkt}) {
		t.Errorf("cnf %+v, want jkt %s", claims.Confirmation, jkt)
	}
	if last := f.records()[0]; len(last.Presented) != 1 || last.Presented[0].Expires.Before(start.Add(dpop.DefaultWindow)) {
		t.Errorf("presented %+v", last.Presented)
	}
	if strings.Contains(f.log.String(), "eyJ") {
		t.Errorf("a proof or token is in the log:\n%s", &f.log)
	}
	// What package dpop makes is what the endpoint takes.
	prover, err := dpop.NewProver(privateKey(t, "Ed25519 proof"))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := prover.Proof(dpop.ProofRequest{Method: "POST", URL: base + "/token", Time: f.now(), Nonce: w.Header().Get("DPoP-Nonce")})
	if err != nil {
		t.Fatal(err)
	}
	if _, claims, _ := f.token(f.proven(grant, proof)); claims.Confirmation.JKT != prover.Thumbprint() {
		t.Errorf("cnf %+v", claims.Confirmation)
	}
}

// TestRFC9449_5_1_ProofAlgorithms: those that the metadata lists, and no other.
func TestRFC9449_5_1_ProofAlgorithms(t *testing.T) {
	f := newProofFixture(t)
	f.apply(&registry.Issuer{ID: "strict", Profile: registry.ProfileFAPI2},
		with(signing(t), func(c *registry.Client) { c.Issuers = []string{"default", "strict"} }))
	for _, iss := range []string{base, base + "/strict"} {
		var m symbolon.ServerMetadata
		if err := json.Unmarshal(f.get(iss+symbolon.WellKnownServer).Body.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		for alg, key := range everyAlgorithm {
			p := f.proofOf(key)
			p.header["alg"], p.claims["htu"], p.claims["nonce"] = string(alg), iss+"/token", f.cfg.Nonces.Issue(iss, f.now())
			a := f.assertionOf("signing", "P-256 signing")
			a.claims["aud"] = iss
			w := f.exchange(wire{issuer: iss, form: assertingForm(a.text(t), ""), header: http.Header{symbolon.HeaderDPoP: {p.text(t)}}})
			// Without an API at that issuer the request ends later, and elsewhere.
			taken := !strings.Contains(w.Body.String(), "invalid_dpop_proof")
			if listed := slices.Contains(m.DPoPSigningAlgs, string(alg)); taken != listed {
				t.Errorf("%s, %s: listed %v, %d %s", iss, alg, listed, w.Code, w.Body)
			}
		}
	}
}

// TestRFC9449_8_Nonce: a proof without the issuer's nonce is sent back with one,
// and has consumed nothing.
func TestRFC9449_8_Nonce(t *testing.T) {
	f := newProofFixture(t)
	good := f.cfg.Nonces.Issue(base, f.now())
	for name, nonce := range map[string]any{
		"none": nil, "empty": "", "made up": strings.Repeat("A", len(good)), "cut": good[1:], "padded": good + "=", "long": strings.Repeat("A", 4096),
		"of another issuer":    f.cfg.Nonces.Issue(base+"/partners", f.now()),
		"of another key":       dpop.NewNonces(dpop.NonceKey{2}).Issue(base, f.now()),
		"older than 5 minutes": f.cfg.Nonces.Issue(base, f.now().Add(-5*time.Minute)),
		"from the future":      f.cfg.Nonces.Issue(base, f.now().Add(5*time.Minute)),
	} {
		t.Run(name, func(t *testing.T) {
			f.in(t)
			counts := f.counting()
			counts() // those of the case before
			a, p := f.assertionOf("signing", "P-256 signing"), f.proofOf("P-256 proof")
			form := assertingForm(a.text(t), "")
			p.claims["nonce"] = nonce
			w := f.exchange(wire{form: form, header: http.Header{symbolon.HeaderDPoP: {p.text(t)}}})
			want := refusedBy(errNonce)
			want.code = "use_dpop_nonce"
			want.check(t, w)
			offered := w.Header().Values("DPoP-Nonce")
			if w.Code != http.StatusBadRequest || !slices.Equal(offered, []string{good}) {
				t.Fatalf("%d, DPoP-Nonce %q", w.Code, offered)
			}
			if steps := counts(); steps["consume"] != 0 || steps["confirm"] != 0 {
				t.Errorf("steps %v", steps)
			}
			// RFC 9449 §8: the same request with that nonce in a new proof.
			p.claims["jti"], p.claims["nonce"] = nextID(), offered[0]
			answer, _, _ := f.token(f.exchange(wire{form: form, header: http.Header{symbolon.HeaderDPoP: {p.text(t)}}}))
			if answer.TokenType != "DPoP" {
				t.Errorf("%+v", answer)
			}
		})
	}
	p := f.proofOf("P-256 proof")
	p.claims["nonce"] = 1
	refusedProof(t, f.proven(grant, p.text(t)))
}

// TestNoncesAreSharedByNodes: what one node offers is good at any that has the
// key, the previous one included, for at least 4.5 minutes.
func TestNoncesAreSharedByNodes(t *testing.T) {
	f := newProofFixture(t)
	p := f.proofOf("P-256 proof")
	f.cfg.Nonces = dpop.NewNonces(dpop.NonceKey{2}, dpop.NonceKey{1})
	f.token(f.proven(grant, p.text(t)))
	nonce := f.cfg.Nonces.Issue(base, f.now())
	f.advance(4*time.Minute + 30*time.Second)
	p = f.proofOf("P-256 proof")
	p.claims["nonce"] = nonce
	f.token(f.proven(grant, p.text(t)))
	f.advance(30 * time.Second)
	p = f.proofOf("P-256 proof")
	p.claims["nonce"] = nonce
	if w := f.proven(grant, p.text(t)); !strings.Contains(w.Body.String(), "use_dpop_nonce") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestNoncesAreOff where the issuer says so, and where the node has no key: one
// that a proof holds all the same is not looked at.
func TestNoncesAreOff(t *testing.T) {
	f := newProofFixture(t)
	p := f.proofOf("P-256 proof")
	delete(p.claims, "nonce")
	off := func(iss *registry.Issuer) { f.apply(iss) }
	off(&registry.Issuer{ID: "default", DPoPNonce: registry.NonceOff})
	for _, nonce := range []any{nil, "anything"} {
		p.claims["nonce"], p.claims["jti"] = nonce, nextID()
		w := f.proven(grant, p.text(t))
		if answer, _, _ := f.token(w); answer.TokenType != "DPoP" || w.Header().Get("DPoP-Nonce") != "" {
			t.Errorf("nonce %v: %+v, %v", nonce, answer, w.Header())
		}
	}
	off(&registry.Issuer{ID: "default"})
	f.cfg.Nonces = nil
	p.claims["nonce"], p.claims["jti"] = nil, nextID()
	f.token(f.proven(grant, p.text(t)))
}

// TestRFC9449_8_2_EveryAnswerCarriesANonce: to a request with a proof, whatever
// comes of it; once, and to no other request.
func TestRFC9449_8_2_EveryAnswerCarriesANonce(t *testing.T) {
	f := newProofFixture(t)
	want := f.cfg.Nonces.Issue(base, f.now())
	proof := func() string { return f.proofOf("P-256 proof").text(t) }
	used := proof()
	f.token(f.proven(grant, used))
	for name, c := range map[string]struct {
		form, client, secret, proof string
		status                      int
	}{
		"a token":             {grant, "billing", secret1, proof(), 200},
		"a proof again":       {grant, "billing", secret1, used, 400},
		"a bad proof":         {grant, "billing", secret1, "x", 400},
		"an empty proof":      {grant, "billing", secret1, "", 400},
		"a wrong secret":      {grant, "billing", secret2, proof(), 401},
		"an unknown client":   {grant, "nobody", secret1, proof(), 401},
		"another grant":       {"grant_type=password", "billing", secret1, proof(), 400},
		"no form":             {"%zz", "billing", secret1, proof(), 400},
		"a scope not granted": {grant + "&scope=orders:admin", "billing", secret1, proof(), 400},
		"an unknown resource": {grant + "&resource=https://x.example", "billing", secret1, proof(), 400},
	} {
		h := http.Header{"Authorization": {basicAuth(c.client, c.secret)}, symbolon.HeaderDPoP: {c.proof}}
		w := f.exchange(wire{form: c.form, header: h})
		if got := w.Header().Values("DPoP-Nonce"); w.Code != c.status || !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %d %s, DPoP-Nonce %q", name, w.Code, w.Body, got)
		}
	}
	if w := f.ask("GET", base+"/token", "", "Dpop", proof()); w.Code != 405 || w.Header().Get("DPoP-Nonce") != want {
		t.Errorf("GET: %d %v", w.Code, w.Header())
	}
	for _, w := range []*httptest.ResponseRecorder{f.post("billing", grant), f.post("nobody", grant), f.get(base + "/jwks")} {
		if w.Header().Values("DPoP-Nonce") != nil {
			t.Errorf("%d %v: nobody asked for a nonce", w.Code, w.Header())
		}
	}
}

// TestProofsOfOtherURLs: htu is the token endpoint of this issuer or its alias, in
// any spelling; another spelling is the same proof (better-auth#10039).
func TestProofsOfOtherURLs(t *testing.T) {
	f := newProofFixture(t)
	p := f.proofOf("P-256 proof")
	ask := func(htu string, fresh bool) *httptest.ResponseRecorder {
		p.claims["htu"] = htu
		if fresh {
			p.claims["jti"] = nextID()
		}
		return f.proven(grant, p.text(t))
	}
	for _, htu := range []string{
		base + "/token", aliasURL + "/token", "HTTPS://AUTH.example.com:443/token", base + "/x/../token", base + "/%74oken", base + "/token?x=1#y",
	} {
		f.token(ask(htu, true))
	}
	for _, htu := range []string{
		base, base + "/", base + "/Token", base + "/token/", base + "/partners/token", "http://auth.example.com/token",
		base + ":8443/token", "https://auth.example.com.attacker.example/token", "https://auth.example.com@attacker.example/token", "/token", "",
	} {
		refusedProof(t, ask(htu, true))
	}
	f.token(ask(base+"/token", true))
	for _, htu := range []string{base + "/token", "HTTPS://AUTH.example.com:443/token", base + "/%74oken", base + "/token?x=1", base + "/token#y"} {
		if got := refusedProof(t, ask(htu, false)); got != errProofReplayed.Description {
			t.Errorf("%s: %s", htu, got)
		}
	}
}

// TestProofAndCertificate: a proof comes before a certificate: its sender wants
// the token for that key.
func TestProofAndCertificate(t *testing.T) {
	f, roots := mutualFixture(t)
	f.cfg.Nonces = dpop.NewNonces(dpop.NonceKey{1})
	leaf := certify(t, "P-256 client", ours(), roots)
	for _, htu := range []string{base + "/token", aliasURL + "/token"} {
		p := f.proofOf("P-256 proof")
		p.claims["htu"] = htu
		q := wire{form: grant + "&client_id=by-name", certs: certs(leaf), header: http.Header{symbolon.HeaderDPoP: {p.text(t)}}}
		answer, claims, _ := f.token(f.exchange(q))
		if answer.TokenType != "DPoP" || *claims.Confirmation != (symbolon.Confirmation{JKT: publicKey(t, "P-256 proof", "", "").Thumbprint()}) {
			t.Errorf("%s: %+v, cnf %+v", htu, answer, claims.Confirmation)
		}
	}
	// A proof that is refused is not made up for by a certificate.
	p := f.proofOf("P-256 proof")
	p.claims["htm"] = "GET"
	refusedProof(t, f.exchange(wire{form: grant + "&client_id=by-name", certs: certs(leaf), header: http.Header{symbolon.HeaderDPoP: {p.text(t)}}}))
}

// TestBoundIsDemanded: what client and API say of binding, for each binding of the request.
func TestBoundIsDemanded(t *testing.T) {
	f, roots := mutualFixture(t)
	leaf := certify(t, "P-256 client", ours(), roots)
	const none, byProof, byCertificate = "none", "dpop", "mtls"
	for _, c := range []struct {
		client, api string
		taken       []string
	}{
		{"", "", []string{none, byProof, byCertificate}},
		{registry.BoundOptional, registry.BoundOptional, []string{none, byProof, byCertificate}},
		{registry.BoundRequired, "", []string{byProof, byCertificate}},
		{"", registry.BoundRequired, []string{byProof, byCertificate}},
		{registry.BoundDPoP, "", []string{byProof}},
		{"", registry.BoundDPoP, []string{byProof}},
		{registry.BoundMTLS, "", []string{byCertificate}},
		{"", registry.BoundMTLS, []string{byCertificate}},
		{registry.BoundRequired, registry.BoundDPoP, []string{byProof}},
		{registry.BoundMTLS, registry.BoundRequired, []string{byCertificate}},
		{registry.BoundDPoP, registry.BoundMTLS, nil},
		{"of a later version", "", nil},
	} {
		api := ordersAPI()
		api.Bound = c.api
		f.apply(api, with(billing(), func(client *registry.Client) { client.Bound = c.client }))
		for _, binding := range []string{none, byProof, byCertificate} {
			q := wire{form: grant, header: http.Header{"Authorization": {basicAuth("billing", secret1)}}}
			switch binding {
			case byProof:
				q.header[symbolon.HeaderDPoP] = []string{f.proofOf("P-256 proof").text(t)}
			case byCertificate:
				q.certs = certs(leaf)
			}
			w := f.exchange(q)
			if want := slices.Contains(c.taken, binding); (w.Code == http.StatusOK) != want {
				t.Errorf("client %q, API %q, %s: %d %s", c.client, c.api, binding, w.Code, w.Body)
			} else if !want && w.Code != http.StatusBadRequest {
				t.Errorf("client %q, API %q, %s: %d %s", c.client, c.api, binding, w.Code, w.Body)
			}
		}
	}
}

// TestSeveralResourcesWhenBound: one token for several APIs, which none of them
// can use at another.
func TestSeveralResourcesWhenBound(t *testing.T) {
	f := newProofFixture(t)
	both := grant + "&resource=https%3A%2F%2Forders.example.com&resource=https%3A%2F%2Fbare.example.com"
	f.apply(with(billing(), func(c *registry.Client) { c.Access["bare"] = nil }))
	_, claims, _ := f.token(f.proven(both, f.proofOf("P-256 proof").text(t)))
	if !slices.Equal(claims.Audience, []string{"https://orders.example.com", "https://bare.example.com"}) || claims.Scope != "orders:read" || claims.Confirmation == nil {
		t.Errorf("%+v", claims)
	}
	severalAPIs.check(t, f.post("billing", both))
}

// TestProofsAreLookedAtAfterTheClient: who may not have a token learns nothing by
// its proof, and a proof that is refused costs no question to the store.
func TestProofsAreLookedAtAfterTheClient(t *testing.T) {
	f := newProofFixture(t)
	wrong := http.Header{"Authorization": {basicAuth("billing", secret2)}, symbolon.HeaderDPoP: {"x"}}
	refusedBasic.check(t, f.exchange(wire{form: grant, header: wrong}))
	counts := f.counting()
	used := f.proofOf("P-256 proof")
	f.token(f.proven(grant, used.text(t)))
	counts()
	bad, bare := f.proofOf("P-256 proof"), f.proofOf("P-256 proof")
	bad.claims["htm"], bare.claims["nonce"] = "GET", nil
	for name, proofs := range map[string][]string{
		"a bad proof": {bad.text(t)}, "no nonce": {bare.text(t)}, "used before": {used.text(t)},
		"two proofs": {f.proofOf("P-256 proof").text(t), f.proofOf("P-256 proof").text(t)}, "the same twice": {used.text(t), used.text(t)},
		"a list": {bad.text(t) + ", " + bad.text(t)}, "nothing": {""}, "not a token": {"x"}, "1 MB": {strings.Repeat("A", 1<<20)},
	} {
		w := f.proven(grant, proofs...)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if steps := counts(); steps["confirm"] != 0 || steps["look up"] != 1 || steps["record"] != 1 {
			t.Errorf("%s: steps %v", name, steps)
		}
	}
}

// TestABoundTokenIsTheIssuersWord: nothing of a token is taken from the request
// but the key: claims of the client cannot name another cnf.
func TestABoundTokenIsTheIssuersWord(t *testing.T) {
	f := newProofFixture(t)
	f.apply(with(billing(), func(c *registry.Client) {
		c.Claims["cnf"] = json.RawMessage(`{"jkt":"` + strings.Repeat("A", 43) + `"}`)
	}))
	if _, claims, _ := f.token(f.post("billing", grant)); claims.Confirmation != nil {
		t.Errorf("a bearer token: %+v", claims.Confirmation)
	}
	_, claims, token := f.token(f.proven(grant, f.proofOf("P-256 proof").text(t)))
	if claims.Confirmation.JKT != publicKey(t, "P-256 proof", "", "").Thumbprint() || strings.Count(string(token.Payload), `"cnf"`) != 1 {
		t.Errorf("%s", token.Payload)
	}
}
