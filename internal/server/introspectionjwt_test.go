package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

const asksSigned = symbolon.MediaIntrospection

// TestRFC9701_4_AcceptDecides: the signed answer goes to who names its type, and
// does not like the plain one more.
func TestRFC9701_4_AcceptDecides(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "application/json": false, "*/*": false, "application/*": false, "application/jwt": false, "text/html": false,
		asksSigned:                                      true,
		"Application/Token-Introspection+JWT":           true,
		asksSigned + ", application/json":               true,
		"application/json, " + asksSigned:               true,
		asksSigned + ";q=0.5, application/json":         false,
		asksSigned + ";q=0.5, application/json;q=0":     true,
		"application/json;q=0.5, " + asksSigned:         true,
		asksSigned + ";q=0.5, */*":                      false,
		asksSigned + ", */*;q=0.1":                      true,
		asksSigned + ";q=0":                             false,
		asksSigned + "; q=1.000":                        true,
		asksSigned + ";Q=0.3":                           true,
		asksSigned + ";q=x":                             false,
		asksSigned + ";q=NaN":                           false,
		asksSigned + ";q=2":                             false,
		asksSigned + ";charset=utf-8":                   true,
		"x" + asksSigned:                                false,
		",,;=;q":                                        false,
		"application/json|" + asksSigned:                true, // two lines
		"*/*;q=0.8|" + asksSigned + ";q=0.7":            false,
		asksSigned + ";q=0.5, application/*;q=0.1, */*": true, // the more specific range counts
		asksSigned + ";q=0.5, application/*, */*;q=0.1": false,
		asksSigned + ";q=0.5, application/*;q=0, */*":   true,
		"application/*;q=0.1, */*;q=0.1":                false,
	} {
		if got := wantsSigned(strings.Split(accept, "|")); got != want {
			t.Errorf("%q: signed %v", accept, got)
		}
	}
}

// signedAnswerOf verifies a signed answer and gives its header and claims.
func (f *fixture) signedAnswerOf(client, token string) (*jose.Token, string) {
	f.t.Helper()
	w := f.about("/introspect", client, token, "Accept", asksSigned)
	if h := w.Header(); w.Code != http.StatusOK || h.Get("Content-Type") != asksSigned || h.Get("Cache-Control") != "no-store" {
		f.t.Fatalf("%d %v %s", w.Code, h, w.Body)
	}
	answer, err := jose.Parse(w.Body.String())
	if err != nil {
		f.t.Fatal(err)
	}
	set, err := jose.ParseKeySet(f.get(base + "/jwks").Body.Bytes())
	if err != nil {
		f.t.Fatal(err)
	}
	key := set.Lookup(answer.Header.KeyID)
	if key == nil || answer.Verify(key) != nil {
		f.t.Fatalf("not signed by a published key: %v", answer)
	}
	if err := jose.CheckObject(answer.Payload); err != nil {
		f.t.Error(err)
	}
	return answer, string(answer.Payload)
}

// TestRFC9701_5_SignedAnswer: type, issuer, the client that asked, the time, and
// the plain answer as one member; no sub and no exp beside it.
func TestRFC9701_5_SignedAnswer(t *testing.T) {
	f := newAskFixture(t)
	text := f.tokenFor("")
	plain := f.about("/introspect", "orders-api", text).Body.String()
	answer, payload := f.signedAnswerOf("orders-api", text)
	const head = `{"iss":"https://auth.example.com","aud":"orders-api","iat":1795176000,"token_introspection":`
	if payload != head+plain+"}" {
		t.Errorf("payload %s", payload)
	}
	if answer.Header.Type != "token-introspection+jwt" || answer.Header.Algorithm != jose.ES256 {
		t.Errorf("header %+v", answer.Header)
	}
	// Of a token that is not active it says as little as the plain one.
	for _, c := range [][2]string{{"orders-api", "x"}, {"bare-api", text}, {"billing", text}} {
		answer, payload := f.signedAnswerOf(c[0], c[1])
		if payload != strings.Replace(head, "orders-api", c[0], 1)+`{"active":false}}` || answer.Header.Type != "token-introspection+jwt" {
			t.Errorf("%s: %s", c[0], payload)
		}
	}
	// What is refused is refused in plain JSON.
	w := f.ask("POST", base+"/introspect", "token=x", "Authorization", basicAuth("nobody", secret1), "Accept", asksSigned)
	if w.Code != http.StatusUnauthorized || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// TestRFC9701_6_AlgorithmOfTheAPI: who can verify the API's tokens can verify the
// answer; where they are opaque it is the issuer's first. Whether a token is another's
// or none does not show in the algorithm.
func TestRFC9701_6_AlgorithmOfTheAPI(t *testing.T) {
	f := newAskFixture(t)
	f.apply(&registry.API{ID: "files", Issuer: "default", Identifier: "https://files.example.com/v1", ResourceServers: []string{"rotating"},
		Scopes: map[string]registry.Scope{"files:read": {}}, Token: registry.APIToken{Algorithm: "RS256", Typ: "JWT"}})
	signed, opaque, files := f.tokenFor(""), f.tokenFor(forSealed), f.tokenFor("&scope=files:read")
	for _, c := range []struct {
		client, token string
		alg           jose.Algorithm
		active        bool
	}{
		{"rotating", files, jose.RS256, true}, {"rotating", signed, jose.RS256, false}, {"rotating", "x", jose.RS256, false},
		{"orders-api", signed, jose.ES256, true}, {"orders-api", files, jose.ES256, false},
		{"sealed-api", opaque, jose.ES256, true}, {"sealed-api", signed, jose.ES256, false}, {"billing", signed, jose.ES256, false},
	} {
		answer, payload := f.signedAnswerOf(c.client, c.token)
		if answer.Header.Algorithm != c.alg || strings.Contains(payload, `{"active":true`) != c.active {
			t.Errorf("%s: %s, %s", c.client, answer.Header.Algorithm, payload)
		}
	}
	doc := f.get(base + symbolon.WellKnownServer).Body.String()
	if !strings.Contains(doc, `"introspection_signing_alg_values_supported":["ES256","RS256"]`) {
		t.Errorf("%s", doc)
	}
}

// TestASignedAnswerAboutALongToken: it says more than the token, and comes all the
// same.
func TestASignedAnswerAboutALongToken(t *testing.T) {
	f := newAskFixture(t)
	text := ""
	for n := 11_800; len(text) < symbolon.MaxToken-8; n++ {
		f.apply(named("wordy", func(c *registry.Client) {
			c.Claims = map[string]json.RawMessage{"x": json.RawMessage(`"` + strings.Repeat("x", n) + `"`)}
		}))
		w := f.post("wordy", grant)
		if w.Code != http.StatusOK {
			break
		}
		text = f.textOf(w)
		n += max(0, (symbolon.MaxToken-len(text))*3/4-12)
	}
	if len(text) < symbolon.MaxToken-100 {
		t.Fatalf("the longest token has %d octets", len(text))
	}
	w := f.about("/introspect", "orders-api", text, "Accept", asksSigned)
	answer, err := jose.ParseDocument(w.Body.String(), 2*symbolon.MaxToken)
	if err != nil || w.Code != http.StatusOK || w.Body.Len() <= symbolon.MaxToken || !strings.Contains(string(answer.Payload), `{"active":true`) {
		t.Errorf("%d %v: %d octets", w.Code, err, w.Body.Len())
	}
}

// TestASignedAnswerNeedsAKey: without one the answer is the server's fault, and no
// plain one in its place.
func TestASignedAnswerNeedsAKey(t *testing.T) {
	f := newAskFixture(t)
	text := f.tokenFor(forSealed)
	key := *f.key("default", jose.ES256)
	key.Revoked, key.Private = start, ""
	f.apply(&key)
	w := f.about("/introspect", "sealed-api", text, "Accept", asksSigned)
	refusedBy(errNoSigner, "Retry-After", "5").check(t, w)
	if !f.introspects("sealed-api", text).Active {
		t.Error("the plain answer needs no key")
	}
}
