package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// clientEndpoints are those at which clients authenticate, and a form for each.
var clientEndpoints = map[string]string{"/token": grant, "/introspect": "token=x", "/revoke": "token=x"}

// TestRFC7662_2_1_ClientsAuthenticateAlike: who may not have a token may not ask
// about one nor revoke one, and is refused with the same octets by the same steps.
// Nobody tries tokens without saying who it is (RFC 7662 §4, token scanning).
func TestRFC7662_2_1_ClientsAuthenticateAlike(t *testing.T) {
	f := newAskFixture(t)
	counts := f.counting()
	for name, c := range map[string]struct {
		header []string
		more   string
	}{
		"nobody":                      {nil, ""},
		"a client_id alone":           {nil, "&client_id=orders-api"},
		"an unknown client":           {[]string{"Authorization", basicAuth("nobody", secret1)}, ""},
		"a wrong secret":              {[]string{"Authorization", basicAuth("orders-api", secret2)}, ""},
		"a wrong secret in the body":  {nil, "&client_id=orders-api&client_secret=" + secret2},
		"an expired secret":           {[]string{"Authorization", basicAuth("expired", secret1)}, ""},
		"disabled":                    {[]string{"Authorization", basicAuth("disabled", secret1)}, ""},
		"pending":                     {[]string{"Authorization", basicAuth("pending", secret1)}, ""},
		"a client of another issuer":  {[]string{"Authorization", basicAuth("partner", secret1)}, ""},
		"narrowed to another method":  {[]string{"Authorization", basicAuth("post-only", secret1)}, ""},
		"a bearer token":              {[]string{"Authorization", "Bearer " + secret1}, ""},
		"two methods":                 {[]string{"Authorization", basicAuth("orders-api", secret1)}, "&client_secret=x"},
		"a repeated header":           {[]string{"Authorization", basicAuth("orders-api", secret1), "Authorization", basicAuth("orders-api", secret1)}, ""},
		"an assertion by another key": {nil, "&" + asserting(f, "signing", "P-256 second", nil)},
		"an expired assertion":        {nil, "&" + asserting(f, "signing", "P-256 signing", func(a *forged) { a.claims["exp"] = f.at(-time.Second) })},
		"for the introspection URL":   {nil, "&" + asserting(f, "signing", "P-256 signing", func(a *forged) { a.claims["aud"] = base + "/introspect" })},
		"no form":                     {[]string{"Content-Type", "application/json", "Authorization", basicAuth("orders-api", secret1)}, ""},
	} {
		answers := map[string][]string{}
		for path, form := range clientEndpoints {
			counts()
			w := f.ask("POST", base+path, form+c.more, c.header...)
			h := w.Header().Clone()
			h.Del("Request-Id")
			answer := fmt.Sprint(w.Code, h, w.Body, counts())
			answers[answer] = append(answers[answer], path)
			if w.Code < 400 || w.Code > 401 {
				t.Errorf("%s, %s: %d %s", name, path, w.Code, w.Body)
			}
		}
		if len(answers) != 1 {
			t.Errorf("%s: the endpoints differ: %v", name, answers)
		}
	}
}

func asserting(f *fixture, client, key string, change func(*forged)) string {
	a := f.assertionOf(client, key)
	if change != nil {
		change(&a)
	}
	return strings.TrimPrefix(assertingForm(a.text(f.t), ""), grant+"&")
}

// TestEveryMethodAtEveryEndpoint: what lets a client in at the token endpoint lets
// it in at the others; a DPoP proof there is neither wanted nor used up.
func TestEveryMethodAtEveryEndpoint(t *testing.T) {
	f := newAskFixture(t)
	for path, form := range clientEndpoints {
		for name, ask := range map[string]func() *httptest.ResponseRecorder{
			"Basic": func() *httptest.ResponseRecorder {
				return f.ask("POST", base+path, form, "Authorization", basicAuth("billing", secret1))
			},
			"in the body": func() *httptest.ResponseRecorder {
				return f.ask("POST", base+path, form+"&client_id=billing&client_secret="+secret1)
			},
			"an assertion": func() *httptest.ResponseRecorder {
				return f.ask("POST", base+path, form+"&"+asserting(f, "signing", "P-256 signing", nil))
			},
		} {
			if w := ask(); w.Code != http.StatusOK {
				t.Errorf("%s, %s: %d %s", path, name, w.Code, w.Body)
			}
		}
	}
	proof := f.proofOf("P-256 proof").text(t)
	for _, path := range []string{"/introspect", "/revoke"} {
		w := f.ask("POST", base+path, "token=x", "Authorization", basicAuth("billing", secret1), symbolon.HeaderDPoP, proof)
		if w.Code != http.StatusOK || w.Header().Get(symbolon.HeaderDPoPNonce) != "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	f.token(f.proven(grant, proof))
}

// TestRFC7523_3_AnAssertionIsGoodForOneRequest, at whichever endpoint; and the
// record of the request holds that it was presented, for restarts.
func TestRFC7523_3_AnAssertionIsGoodForOneRequest(t *testing.T) {
	f := newAskFixture(t)
	for first, firstForm := range clientEndpoints {
		used := asserting(f, "signing", "P-256 signing", nil)
		if w := f.ask("POST", base+first, firstForm+"&"+used); w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", first, w.Code, w.Body)
		}
		list := f.records()
		if r := list[len(list)-1]; len(r.Presented) != 1 {
			t.Errorf("%s: %+v", first, r)
		}
		for second, secondForm := range clientEndpoints {
			if w := f.ask("POST", base+second, secondForm+"&"+used); w.Code != http.StatusUnauthorized {
				t.Errorf("%s after %s: %d %s", second, first, w.Code, w.Body)
			}
		}
	}
}

// TestFAPI2_5_3_2_1_NoSecretsAtAnyEndpoint of an issuer with that profile.
func TestFAPI2_5_3_2_1_NoSecretsAtAnyEndpoint(t *testing.T) {
	f := newAskFixture(t)
	f.apply(&registry.Issuer{ID: "strict", Profile: registry.ProfileFAPI2}, f.key("strict", jose.ES256),
		with(billing(), func(c *registry.Client) { c.ID, c.Issuers = "secretive", []string{"strict"} }),
		with(signing(t), func(c *registry.Client) { c.Issuers = []string{"strict"} }))
	answers := map[string]int{}
	for path, form := range clientEndpoints {
		w := f.ask("POST", base+"/strict"+path, form, "Authorization", basicAuth("secretive", secret1))
		answers[fmt.Sprint(w.Code, w.Body)]++
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if len(answers) != 1 {
		t.Errorf("%v", answers)
	}
	a := asserting(f, "signing", "P-256 signing", func(a *forged) { a.claims["aud"] = base + "/strict" })
	if w := f.ask("POST", base+"/strict/introspect", "token=x&"+a); w.Code != http.StatusOK || w.Body.String() != notActive {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestAResourceServerMadeElsewhereIsKnownAtOnce: a refusal of its authentication
// is looked at once more, as at the token endpoint.
func TestAResourceServerMadeElsewhereIsKnownAtOnce(t *testing.T) {
	f := newAskFixture(t)
	if w := f.about("/introspect", "new-api", "x"); w.Code != http.StatusUnauthorized {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	orders := ordersAPI()
	orders.ResourceServers = []string{"new-api"}
	text := f.tokenFor("")
	f.put(orders, named("new-api", func(*registry.Client) {}))
	if !f.introspects("new-api", text).Active {
		t.Error("not active")
	}
}
