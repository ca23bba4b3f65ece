package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
)

// TestRFC7662_2_2_AnActiveToken: a signed and an opaque token have the same claims,
// and the answer has all of them.
func TestRFC7662_2_2_AnActiveToken(t *testing.T) {
	f := newAskFixture(t)
	_, claims, token := f.token(f.post("billing", grant))
	w := f.about("/introspect", "orders-api", f.textOf(f.post("billing", grant)))
	want := fmt.Sprintf(`{"active":true,"token_type":"Bearer","iss":%q,"sub":"billing","aud":"https://orders.example.com","exp":%d,"iat":%d,"jti":"`, base, f.at(10*time.Minute), f.at(0))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), want) {
		t.Errorf("%d %s, want %s…", w.Code, w.Body, want)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache", "Content-Length": fmt.Sprint(w.Body.Len())} {
		if got := w.Header().Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if token.Header.Type != symbolon.TypAccessToken {
		t.Fatalf("typ %s", token.Header.Type)
	}
	opaque := f.tokenFor(forSealed)
	got := f.introspects("sealed-api", opaque)
	sealed := *claims
	sealed.ID, sealed.Audience, sealed.Scope, sealed.Expiry = got.Claims.ID, []string{sealedURL}, "sealed:read", f.at(time.Hour)
	if diff := cmp.Diff(&symbolon.IntrospectionAnswer{Active: true, TokenType: "Bearer", Claims: sealed}, got); diff != "" || len(got.Claims.ID) != 22 {
		t.Errorf("%s", diff)
	}
	if got.Claims.Gen == 0 || got.Claims.Cred != "s1" {
		t.Errorf("gen %d, cred %q", got.Claims.Gen, got.Claims.Cred)
	}
}

// TestOpaqueTokenAnswer: RFC 6749 §1.4: nothing in the token tells what it is, and
// the answer and the record are those of every token.
func TestOpaqueTokenAnswer(t *testing.T) {
	f := newAskFixture(t)
	w := f.post("billing", grant+forSealed)
	text := f.textOf(w)
	if want := `{"access_token":"` + text + `","token_type":"Bearer","expires_in":3600,"scope":"sealed:read"}`; w.Body.String() != want {
		t.Errorf("body %s", w.Body)
	}
	raw, err := jose.DecodeSegment(text)
	if id, ok := keys.SealedBy(raw); err != nil || !ok || id != sharedMaster.ID() || strings.Contains(string(raw), "billing") {
		t.Errorf("%v, sealed by %s", err, id)
	}
	list := f.records()
	if r := list[len(list)-1]; r.Outcome != audit.Issued || len(r.JTI) != 22 || r.KID != sharedMaster.ID() || r.Exp != f.at(time.Hour) || r.Gen == 0 {
		t.Errorf("%+v", r)
	}
	// A token that would be too long to send is not issued.
	f.apply(named("wordy", func(c *registry.Client) {
		c.Access = map[string][]string{"sealed": {"sealed:read"}}
		c.DefaultAPI = []string{"sealed"}
		c.Claims = map[string]json.RawMessage{"x": json.RawMessage(`"` + strings.Repeat("x", 13<<10) + `"`)}
	}))
	if w := f.post("wordy", grant); w.Code != http.StatusInternalServerError {
		t.Errorf("%d", w.Code)
	}
}

// TestRFC7662_2_2_WhatIsNotActive: expired, denied, foreign, made up, or not the
// caller's to know: the same octets, headers included, whatever it is.
func TestRFC7662_2_2_WhatIsNotActive(t *testing.T) {
	f := newAskFixture(t)
	partner := f.key("partners", jose.ES256)
	signed, opaque := f.tokenFor(""), f.tokenFor(forSealed)
	f.advance(time.Minute)
	later := f.tokenFor("")
	foreignOpaque := f.textOf(f.ask("POST", base+"/partners/token", grant+"&scope=orders:read", "Authorization", basicAuth("everywhere", secret1)))
	ring := keys.NewRing(sharedMaster)
	sign := func(k *registry.Key, typ, payload string) string {
		signer, err := ring.Signer(k, typ)
		if err != nil {
			t.Fatal(err)
		}
		text, err := signer.Sign([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	token, err := jose.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	ours, payload := f.key("default", jose.ES256), string(token.Payload)
	parts := strings.Split(signed, ".")
	unsignedText := jose.EncodeSegment([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + "."
	answer := f.about("/introspect", "orders-api", signed, "Accept", symbolon.MediaIntrospection).Body.String()
	set := f.get(base + "/revocations").Body.String()
	if !f.introspects("orders-api", sign(ours, symbolon.TypAccessToken, payload)).Active {
		t.Fatal("what the forged ones differ from is not active")
	}
	f.deny(registry.Denial{What: registry.DenyJTI, Issuer: "default", JTI: f.introspects("orders-api", later).Claims.ID})
	type shape struct{ answer string }
	shapes := map[shape][]string{}
	for name, c := range map[string]struct{ client, token string }{
		"nothing like a token":          {"orders-api", "x"},
		"text of all kinds":             {"orders-api", "a\x00b\r\n\xff é.ü."},
		"64 dots":                       {"orders-api", strings.Repeat(".", 64)},
		"longer than any token":         {"orders-api", strings.Repeat("A", 20<<10)},
		"cut":                           {"orders-api", signed[:len(signed)-1]},
		"extended":                      {"orders-api", signed + "A"},
		"an opaque one, cut":            {"sealed-api", opaque[:len(opaque)-1]},
		"an opaque one, extended":       {"sealed-api", opaque + "A"},
		"an opaque one, changed":        {"sealed-api", "B" + opaque[1:]},
		"another signature":             {"orders-api", parts[0] + "." + parts[1] + "." + jose.EncodeSegment(make([]byte, 64))},
		"no signature":                  {"orders-api", unsignedText},
		"RFC 8725 §3.1: HMAC":           {"orders-api", jose.EncodeSegment([]byte(`{"alg":"HS256","typ":"at+jwt","kid":"`+ours.ID+`"}`)) + "." + parts[1] + ".AAAA"},
		"RFC 8725 §3.1: by another key": {"orders-api", sign(partner, symbolon.TypAccessToken, payload)},
		"a kid of nobody's":             {"orders-api", jose.EncodeSegment([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"x"}`)) + "." + parts[1] + "." + parts[2]},
		"no kid":                        {"orders-api", jose.EncodeSegment([]byte(`{"alg":"ES256","typ":"at+jwt"}`)) + "." + parts[1] + "." + parts[2]},
		"RFC 9701 §8.1: an answer":      {"orders-api", answer},
		"RFC 9701 §8.1: claims as such": {"orders-api", sign(ours, symbolon.TypIntrospection, payload)},
		"a revocation set":              {"orders-api", set},
		"another typ":                   {"orders-api", sign(ours, "secevent+jwt", payload)},
		"no typ":                        {"orders-api", sign(ours, "", payload)},
		"another iss":                   {"orders-api", sign(ours, symbolon.TypAccessToken, strings.Replace(payload, base, base+"/partners", 1))},
		"no jti":                        {"orders-api", sign(ours, symbolon.TypAccessToken, strings.Replace(payload, `"jti"`, `"x"`, 1))},
		"no gen":                        {"orders-api", sign(ours, symbolon.TypAccessToken, strings.Replace(payload, `"gen"`, `"x"`, 1))},
		"no cred":                       {"orders-api", sign(ours, symbolon.TypAccessToken, strings.Replace(payload, `"cred"`, `"x"`, 1))},
		"claims that are none":          {"orders-api", sign(ours, symbolon.TypAccessToken, "[]")},
		"expired":                       {"orders-api", sign(ours, symbolon.TypAccessToken, strings.Replace(payload, fmt.Sprint(f.at(9*time.Minute)), fmt.Sprint(f.at(0)), 1))},
		"RFC 7662 §4: revoked":          {"orders-api", later},
		"another issuer's":              {"partner-api", foreignOpaque},
		"RFC 7662 §4: another API's":    {"bare-api", signed},
		"another API's, opaque":         {"orders-api", opaque},
		"owning gives no right":         {"billing", signed},
		"owning gives no right, opaque": {"billing", opaque},
		"a client that serves nothing":  {"rotating", signed},
		"an API of another issuer":      {"partner-api", signed},
		"an own secret":                 {"orders-api", secret1},
	} {
		w := f.about("/introspect", c.client, c.token)
		h := w.Header().Clone()
		h.Del("Request-Id")
		s := shape{fmt.Sprint(w.Code, h, w.Body)}
		shapes[s] = append(shapes[s], name)
		if w.Code != http.StatusOK || w.Body.String() != notActive {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		list := f.records()
		if r := list[len(list)-1]; r.Outcome != audit.Answered || r.Reason == "" || r.Code != "" || r.Checks[len(r.Checks)-1].OK {
			t.Errorf("%s: the record does not tell why: %+v", name, r)
		}
	}
	if len(shapes) != 1 {
		t.Errorf("the answers differ: %v", shapes)
	}
	// What they all differ from.
	if !f.introspects("orders-api", signed).Active || !f.introspects("sealed-api", opaque).Active {
		t.Error("the good tokens are not active")
	}
}

// TestRFC7662_4_DenialsCount: each kind of denial makes the tokens that it names
// inactive, signed or opaque, from the commit on, and no others.
func TestRFC7662_4_DenialsCount(t *testing.T) {
	for name, c := range map[string]struct {
		denial         func(jti, kid string) registry.Denial
		orders, sealed bool // still active
		after          bool // and one that is issued after it
	}{
		"of the client": {func(string, string) registry.Denial {
			return registry.Denial{What: registry.DenyClient, Client: "billing"}
		}, false, false, true},
		"at one API": {func(string, string) registry.Denial {
			return registry.Denial{What: registry.DenyClientAPI, Issuer: "default", Client: "billing", API: "sealed", Audience: sealedURL}
		}, true, false, true},
		"of the issuer": {func(string, string) registry.Denial {
			return registry.Denial{What: registry.DenyIssuer, Issuer: "default"}
		}, false, false, true},
		"of the credential": {func(string, string) registry.Denial {
			return registry.Denial{What: registry.DenyCredential, Client: "billing", Credential: "s1"}
		}, false, false, false},
		"of a jti": {func(jti, _ string) registry.Denial {
			return registry.Denial{What: registry.DenyJTI, Issuer: "default", JTI: jti}
		}, true, false, true},
		"of a kid": {func(_, kid string) registry.Denial {
			return registry.Denial{What: registry.DenyKID, Issuer: "default", KID: kid}
		}, false, true, false},
		"of others": {func(string, string) registry.Denial {
			return registry.Denial{What: registry.DenyClient, Client: "rotating"}
		}, true, true, true},
		"elsewhere": {func(string, string) registry.Denial {
			return registry.Denial{What: registry.DenyIssuer, Issuer: "partners"}
		}, true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newAskFixture(t)
			orders, sealed := f.tokenFor(""), f.tokenFor(forSealed)
			if !f.introspects("orders-api", orders).Active {
				t.Fatal("not active before")
			}
			d := c.denial(f.introspects("sealed-api", sealed).Claims.ID, f.key("default", jose.ES256).ID)
			f.deny(d)
			if got := f.introspects("orders-api", orders).Active; got != c.orders {
				t.Errorf("signed: active %v", got)
			}
			if got := f.introspects("sealed-api", sealed).Active; got != c.sealed {
				t.Errorf("opaque: active %v", got)
			}
			if got := f.introspects("orders-api", f.tokenFor("")).Active; got != c.after {
				t.Errorf("a token issued after it: active %v", got)
			}
		})
	}
}

// TestRFC7662_4_KeysOfTokens: a retired key's tokens count, those of a deleted or a
// revoked one do not.
func TestRFC7662_4_KeysOfTokens(t *testing.T) {
	f := newAskFixture(t)
	text := f.tokenFor("")
	key := *f.key("default", jose.ES256)
	for _, c := range []struct {
		name   string
		change func(*registry.Key)
		active bool
	}{
		{"retired", func(k *registry.Key) { k.Retires = start.Add(-time.Second) }, true},
		{"next", func(k *registry.Key) { k.Activates = time.Time{} }, true},
		{"deleted", func(k *registry.Key) { k.Retires, k.Deletes = start.Add(-time.Hour), start }, false},
		{"revoked", func(k *registry.Key) { k.Revoked, k.Private = start, "" }, false},
	} {
		k := key
		c.change(&k)
		f.apply(&k)
		if got := f.introspects("orders-api", text).Active; got != c.active {
			t.Errorf("%s: active %v", c.name, got)
		}
	}
}

// TestRFC7662_2_1_HintsAndUnknownParameters change nothing.
func TestRFC7662_2_1_HintsAndUnknownParameters(t *testing.T) {
	f := newAskFixture(t)
	text := url.QueryEscape(f.tokenFor(""))
	as := []string{"Authorization", basicAuth("orders-api", secret1)}
	for _, more := range []string{"", "&token_type_hint=access_token", "&token_type_hint=refresh_token", "&token_type_hint=nonsense", "&token_type_hint=", "&resource=x&scope=%22&x=y"} {
		if w := f.ask("POST", base+"/introspect", "token="+text+more, as...); !strings.HasPrefix(w.Body.String(), `{"active":true`) {
			t.Errorf("%s: %d %s", more, w.Code, w.Body)
		}
	}
	for name, form := range map[string]string{
		"no token": "token_type_hint=access_token", "an empty one": "token=", "two": "token=" + text + "&token=" + text, "two hints": "token=x&token_type_hint=a&token_type_hint=b",
	} {
		for _, path := range []string{"/introspect", "/revoke"} {
			w := f.ask("POST", base+path, form, as...)
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "invalid_request") || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s, %s: %d %s", path, name, w.Code, w.Body)
			}
		}
	}
	for _, path := range []string{"/introspect", "/revoke"} {
		if w := f.ask("GET", base+path, ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		if w := f.ask("POST", base+path+"?token="+text, "", as...); w.Code != http.StatusBadRequest {
			t.Errorf("%s: a token in the URL: %d", path, w.Code)
		}
	}
}

// TestRFC7662_2_2_TheCallersPartOnly: of a token for several APIs each sees its own
// identifier and scopes.
func TestRFC7662_2_2_TheCallersPartOnly(t *testing.T) {
	f := newAskFixture(t)
	both := grant + "&resource=https%3A%2F%2Forders.example.com&resource=https%3A%2F%2Fbare.example.com&scope=orders:read+bare:use+orders:write"
	text := f.textOf(f.proven(both, f.proofOf("P-256 proof").text(t)))
	jkt := publicKey(t, "P-256 proof", "", "").Thumbprint()
	const orders, bare = "https://orders.example.com", "https://bare.example.com"
	see := func(client, aud, scope string) {
		t.Helper()
		a := f.introspects(client, text)
		if strings.Join(a.Claims.Audience, " ") != aud || a.Claims.Scope != scope || a.Active != (aud != "") {
			t.Errorf("%s sees %v %q", client, a.Claims.Audience, a.Claims.Scope)
		}
		// RFC 9449 §6.2, RFC 7800 §3.1: to which key it is bound.
		if a.Active && (a.TokenType != "DPoP" || a.Claims.Confirmation == nil || a.Claims.Confirmation.JKT != jkt) {
			t.Errorf("%s: %+v", client, a)
		}
	}
	see("orders-api", orders, "orders:read orders:write")
	see("bare-api", bare, "bare:use")
	see("both-api", orders+" "+bare, "orders:read bare:use orders:write")
	see("sealed-api", "", "")
	w := f.about("/introspect", "bare-api", text)
	if strings.Contains(w.Body.String(), "orders") || !strings.Contains(w.Body.String(), `"aud":"https://bare.example.com"`) {
		t.Errorf("%s", w.Body)
	}
	// A scope that the other API has come to define as well is not granted at it.
	f.apply(&registry.API{ID: "bare", Issuer: "default", Identifier: bare, ResourceServers: []string{"bare-api", "both-api"},
		Scopes: map[string]registry.Scope{"bare:use": {}, "orders:write": {}}})
	see("bare-api", bare, "bare:use")
	// Denied at one of them, the token goes on at the other.
	f.deny(registry.Denial{What: registry.DenyClientAPI, Issuer: "default", Client: "billing", API: "orders", Audience: orders})
	see("orders-api", "", "")
	see("bare-api", bare, "bare:use")
	see("both-api", bare, "bare:use")
}

// TestRFC8705_3_2_IntrospectionTellsTheCertificate.
func TestRFC8705_3_2_IntrospectionTellsTheCertificate(t *testing.T) {
	f, roots := mutualFixture(t)
	orders := ordersAPI()
	orders.ResourceServers = []string{"rotating"}
	f.apply(orders)
	leaf := certify(t, "P-256 client", ours(), roots)
	text := f.textOf(f.exchange(wire{form: grant, certs: certs(leaf), header: http.Header{"Authorization": {basicAuth("billing", secret1)}}}))
	a := f.introspects("rotating", text)
	if a.TokenType != "Bearer" || a.Claims.Confirmation == nil || a.Claims.Confirmation.X5TS256 != thumbprintOf(leaf) {
		t.Errorf("%+v", a)
	}
	// A resource server authenticates by certificate too, at the alias.
	f.apply(certified("by-certificate", registry.Certificate{ID: "c1", SubjectDN: billingDN}))
	orders.ResourceServers = []string{"by-certificate"}
	f.apply(orders)
	w := f.exchange(wire{path: "/introspect", form: "client_id=by-certificate&token=" + text, certs: certs(leaf)})
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), `{"active":true`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestExtraClaimsDoNotSpeakForTheAnswer: a client's own claims cannot stand where
// the answer's members do; no member is there twice.
func TestExtraClaimsDoNotSpeakForTheAnswer(t *testing.T) {
	f := newAskFixture(t)
	f.apply(with(billing(), func(c *registry.Client) {
		c.Claims = map[string]json.RawMessage{"active": json.RawMessage("false"), "token_type": json.RawMessage(`"x"`), "role": json.RawMessage(`"batch"`)}
	}))
	w := f.about("/introspect", "orders-api", f.tokenFor(""))
	if err := jose.CheckObject(w.Body.Bytes()); err != nil {
		t.Errorf("%v: %s", err, w.Body)
	}
	if body := w.Body.String(); !strings.HasPrefix(body, `{"active":true,"token_type":"Bearer",`) || !strings.Contains(body, `"role":"batch"`) {
		t.Errorf("%s", body)
	}
}

// TestIntrospectionReadsNoDatabase: with the store closed, and its file with it,
// tokens are told as before, active or not.
func TestIntrospectionReadsNoDatabase(t *testing.T) {
	f := newAskFixture(t)
	signed, opaque := f.tokenFor(""), f.tokenFor(forSealed)
	f.introspects("orders-api", signed)
	f.introspects("sealed-api", opaque)
	before := f.replica.Stats()
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if !f.introspects("orders-api", signed).Active || !f.introspects("sealed-api", opaque).Active {
			t.Error("not active without a database")
		}
		if f.introspects("orders-api", opaque).Active || f.introspects("sealed-api", "x").Active {
			t.Error("active")
		}
	}
	if after := f.replica.Stats(); after != before {
		t.Errorf("the replica did something: %+v, %+v", before, after)
	}
}

// TestAnswersLeaveRecords: one for each request, that tells which token was asked
// about and what was checked, with neither token nor secret in it or in the log.
func TestAnswersLeaveRecords(t *testing.T) {
	f := newAskFixture(t)
	signed, opaque := f.tokenFor(""), f.tokenFor(forSealed)
	asked := []*httptest.ResponseRecorder{
		f.about("/introspect", "orders-api", signed), f.about("/introspect", "bare-api", opaque),
		f.about("/revoke", "billing", opaque), f.about("/revoke", "billing", signed+"A"),
		f.about("/revoke", "orders-api", signed), f.about("/introspect", "nobody", signed),
	}
	list := f.records()
	list = list[len(list)-len(asked):]
	for i, want := range []struct {
		outcome, endpoint, client, apis, check string
		jti, verified                          bool
	}{
		{audit.Answered, "introspection", "orders-api", "orders", "audience", true, true},
		{audit.Answered, "introspection", "bare-api", "", "audience", true, true},
		{audit.Answered, "revocation", "billing", "", "revocation", true, true},
		{audit.Answered, "revocation", "billing", "", "token", false, true},
		{audit.Refused, "revocation", "orders-api", "", "owner", true, true},
		{audit.Refused, "introspection", "nobody", "", "client authentication", false, false},
	} {
		r := list[i]
		last := r.Checks[len(r.Checks)-1].Name
		if r.Outcome != want.outcome || r.Endpoint != want.endpoint || r.Client != want.client || strings.Join(r.APIs, " ") != want.apis ||
			last != want.check || (r.JTI != "") != want.jti || r.Verified != want.verified || (r.Cred != "") != want.verified {
			t.Errorf("record %d: %+v", i, r)
		}
		if r.RequestID != asked[i].Header().Get("Request-Id") {
			t.Errorf("record %d is of another request", i)
		}
	}
	files, err := filepath.Glob(filepath.Join(f.dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	written := f.log.String()
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // a directory
		}
		written += string(text)
	}
	for _, secret := range []string{secret1, signed[strings.LastIndexByte(signed, '.'):], opaque, opaque[20:60]} {
		if strings.Contains(written, secret) {
			t.Error("a token or a secret is in the spool or in the log")
		}
	}
}
