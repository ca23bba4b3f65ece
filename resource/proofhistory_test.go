package resource

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// What broke others' checks of proofs, tried on a whole API.

// TestMCPOAuth384_ProofOfAnotherKey (giantswarm/mcp-oauth#384: the key of the
// proof was never compared with cnf.jkt): a proof that is good in itself.
func TestMCPOAuth384_ProofOfAnotherKey(t *testing.T) {
	i := newIssuer(t)
	at := orders(t, newAPI(t, i.config()), "orders:read")
	h, thief := newHolder(t, i, time.Now), newHolder(t, i, time.Now)
	thief.token = h.token
	thief.present(t, at, thief.proof(t, nil)).wants(t, "of a thief", "DPoP", errOtherKey)
	for _, alg := range []jose.Algorithm{jose.RS256, jose.PS256, jose.ES384, jose.EdDSA} {
		h.present(t, at, h.proof(t, otherKey(t, alg))).wants(t, string(alg), "DPoP", errOtherKey)
	}
	h.present(t, at, h.proof(t, nil)).good(t, "of its holder")
}

// TestCVE_2026_54431_PrivateJWK (liboauth2): a private key in the header is
// refused, with its signature good.
func TestCVE_2026_54431_PrivateJWK(t *testing.T) {
	i := newIssuer(t)
	at := orders(t, newAPI(t, i.config()))
	h := newHolder(t, i, time.Now)
	secret, err := h.key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		for _, value := range []any{b64(secret), "", []string{"x"}} {
			got := h.present(t, at, h.proof(t, withKey(member, value)))
			if got.status != 401 || !strings.Contains(got.challengeFor("DPoP"), `error="invalid_dpop_proof"`) {
				t.Errorf("%s %v: %d %s", member, value, got.status, got.body)
			}
		}
	}
	h.jkt = thumbprintOf(t, keysOf()[jose.PS256].Public())
	h.token = h.bound(t, i, nil)
	got := h.present(t, at, h.proof(t, func(header, claims members) {
		otherKey(t, jose.PS256)(header, claims)
		header["jwk"].(members)["d"] = b64(secret)
	}))
	if got.status != 401 || !strings.Contains(got.body, "private") {
		t.Errorf("RSA: %d %s", got.status, got.body)
	}
}

// TestBetterAuth10039_RespeltProof (the key of the memory was made of the raw htm
// and htu, which were compared normalised): another spelling is a replay.
func TestBetterAuth10039_RespeltProof(t *testing.T) {
	i := newIssuer(t)
	at := orders(t, newAPI(t, i.config()), "orders:read")
	h := newHolder(t, i, time.Now)
	same := func(htu string) func(header, claims members) {
		return func(_, claims members) { claims["jti"], claims["htu"] = "the same", htu }
	}
	h.present(t, at, h.proof(t, same(ordersURL))).good(t, "once")
	for _, htu := range []string{"HTTPS://ORDERS.example.com:443/orders", audience + "/./orders", audience + "/%6frders", ordersURL + "?x", ordersURL + "#x"} {
		h.present(t, at, h.proof(t, same(htu))).wants(t, htu, "DPoP", errReplayed)
	}
	// The same jti of another key, or at another URL, is another proof.
	other := newHolder(t, i, time.Now)
	other.present(t, at, other.proof(t, same(ordersURL))).good(t, "another key")
	h.present(t, at+"/7", h.proof(t, same(ordersURL+"/7"))).good(t, "another URL")
}

// TestIATOverflow (ezpds 2026: the smallest int64 passed for fresh, or was a
// panic): no number makes a proof fresh.
func TestIATOverflow(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	at := orders(t, a)
	h := newHolder(t, i, time.Now)
	for _, n := range []string{"-9223372036854775808", "9223372036854775807", "9223372036854775808", "-1e999", "1e999", "1e308", "-1e308", "-0", "0.1e1",
		"18446744073709551615", "253402300800", "-253402300800", `"1"`, "null", "[]", "true", "1e", "01", "NaN", "Infinity", "-Infinity"} {
		payload := `{"jti":"` + rand.Text() + `","htm":"GET","htu":"` + ordersURL + `","ath":"` + athOf(h.token) + `","iat":` + n + `}`
		top, _ := json.Marshal(members{"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk(t, h.key.Public())})
		got := h.present(t, at, forge(string(top), []byte(payload), forgeSigner(t, h.key)))
		if got.status != 401 || !strings.Contains(got.challengeFor("DPoP"), `error="invalid_dpop_proof"`) {
			t.Errorf("%s: %d %s", n, got.status, got.body)
		}
	}
}

// TestLargeProofs: a megabyte, and ten thousand members in each other, end at the
// length, before anybody looks into them.
func TestLargeProofs(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	h := newHolder(t, i, time.Now)
	nested := strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}", 10000)
	for name, proof := range map[string]string{
		"a megabyte":       strings.Repeat("x", 1<<20),
		"dots":             strings.Repeat(".", 1<<20),
		"a long header":    h.proof(t, set("x-extra", strings.Repeat("x", 1<<20))),
		"a long jti":       h.proof(t, set("jti", strings.Repeat("x", 1<<20))),
		"nested in claims": h.proof(t, set("extra", json.RawMessage(nested))),
		"nested in header": h.proof(t, set("x-extra", json.RawMessage(nested))),
	} {
		r := Request{Method: "GET", URL: &url.URL{Path: "/orders"}, Authorization: []string{"DPoP " + h.token}, DPoP: []string{proof}}
		var e *symbolon.Error
		if _, err := a.Check(t.Context(), r); !errors.As(err, &e) || e.Code != symbolon.InvalidDPoPProof {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRequestIsNotPrinted: it holds a token and a proof.
func TestRequestIsNotPrinted(t *testing.T) {
	r := Request{Method: "GET", URL: &url.URL{Path: "/"}, Authorization: []string{"Bearer secret"}, DPoP: []string{"secret"}}
	for _, s := range []string{fmt.Sprint(r), fmt.Sprint(&r), fmt.Sprintf("%+v %#v %s %q %d %x", r, r, r, r, r, r), r.LogValue().String()} {
		if strings.Contains(s, "secret") {
			t.Error(s)
		}
	}
}
