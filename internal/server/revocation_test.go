package server

import (
	"context"
	"errors"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
)

// TestRFC7009_2_1_AClientRevokesItsOwnToken: 200 without a body, and from then on
// the token is inactive, in every text that its signature allows, and denied in the
// revocation set. Others of the client's go on.
func TestRFC7009_2_1_AClientRevokesItsOwnToken(t *testing.T) {
	f := newAskFixture(t)
	for _, c := range []struct{ form, server string }{{"", "orders-api"}, {forSealed, "sealed-api"}} {
		text, other := f.tokenFor(c.form), f.tokenFor(c.form)
		jti := f.introspects(c.server, text).Claims.ID
		for range 2 { // repeated, it is the same
			w := f.about("/revoke", "billing", text)
			if h := w.Header(); w.Code != http.StatusOK || w.Body.Len() != 0 || h.Get("Content-Length") != "0" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "" {
				t.Fatalf("%d %v %s", w.Code, h, w.Body)
			}
		}
		if f.introspects(c.server, text).Active || !f.introspects(c.server, other).Active {
			t.Error("the wrong tokens are active")
		}
		if c.form == "" {
			respelt := malleable(t, text)
			if !f.introspects(c.server, malleable(t, other)).Active || f.introspects(c.server, respelt).Active {
				t.Error("a respelt token is another one")
			}
		}
		set := f.set(f.get(base+"/revocations"), base)
		if !slices.Contains(keysOf(set), symbolon.NewDenialKey(set.Epoch, symbolon.DenyJTI, jti).String()) {
			t.Errorf("the set does not deny it: %+v", set.Entries)
		}
	}
}

// malleable gives another text of the same ES256 token: with r, n − s is a
// signature of what r, s is one of.
func malleable(t *testing.T, text string) string {
	t.Helper()
	at := strings.LastIndexByte(text, '.') + 1
	raw, err := jose.DecodeSegment(text[at:])
	if err != nil || len(raw) != 64 {
		t.Fatal(err)
	}
	n, _ := new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
	n.Sub(n, new(big.Int).SetBytes(raw[32:])).FillBytes(raw[32:])
	return text[:at] + jose.EncodeSegment(raw)
}

// revoker counts what is to be stored, and answers with err.
type revoker struct {
	asked []admin.IssuedToken
	by    []admin.Actor
	err   error
}

func (r *revoker) RevokeToken(_ context.Context, by admin.Actor, t admin.IssuedToken) error {
	r.asked, r.by = append(r.asked, t), append(r.by, by)
	return r.err
}

// TestRFC7009_2_2_OnlyVerifiedTokensAreStored: what is no token of this issuer's,
// or is good for nothing any more, is answered with 200 and stored nowhere: nobody
// can have a jti denied that they made up (RFC 7009 §2.1, §5).
func TestRFC7009_2_2_OnlyVerifiedTokensAreStored(t *testing.T) {
	f := newAskFixture(t)
	stored := new(revoker)
	f.cfg.Revoker = stored
	signed, opaque := f.tokenFor(""), f.tokenFor(forSealed)
	parts := strings.Split(signed, ".")
	signer, err := keys.NewRing(sharedMaster).Signer(f.key("partners", jose.ES256), symbolon.TypAccessToken)
	if err != nil {
		t.Fatal(err)
	}
	token, _ := jose.Parse(signed)
	foreign, err := signer.Sign(token.Payload)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing like a token": "x", "text of all kinds": "a\x00b\r\n\xff.é.", "longer than any token": strings.Repeat("A", 20<<10),
		"a forged signature":     parts[0] + "." + parts[1] + "." + jose.EncodeSegment(make([]byte, 64)),
		"no signature":           jose.EncodeSegment([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + ".",
		"another issuer's key":   foreign,
		"a changed jti":          parts[0] + "." + jose.EncodeSegment([]byte(strings.Replace(string(token.Payload), `"jti":"`, `"jti":"x`, 1))) + "." + parts[2],
		"an opaque one, cut":     opaque[:len(opaque)-1],
		"an opaque one, changed": "B" + opaque[1:],
		"a revocation set":       f.get(base + "/revocations").Body.String(),
		"an answer about it":     f.about("/introspect", "orders-api", signed, "Accept", asksSigned).Body.String(),
	} {
		if w := f.about("/revoke", "billing", text); w.Code != http.StatusOK || w.Body.Len() != 0 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	// Another client's token that has expired is no better.
	f.advance(10 * time.Minute)
	for _, client := range []string{"billing", "rotating"} {
		if w := f.about("/revoke", client, signed); w.Code != http.StatusOK {
			t.Errorf("expired, by %s: %d %s", client, w.Code, w.Body)
		}
	}
	if len(stored.asked) != 0 {
		t.Errorf("stored: %+v", stored.asked)
	}
	// What they all differ from.
	f.deny(registry.Denial{What: registry.DenyJTI, Issuer: "default", JTI: "another"})
	f.deny(registry.Denial{What: registry.DenyJTI, Issuer: "partners", JTI: "another"})
	w := f.about("/revoke", "billing", opaque)
	if w.Code != http.StatusOK || len(stored.asked) != 1 {
		t.Fatalf("%d, stored %+v", w.Code, stored.asked)
	}
	got := stored.asked[0]
	if got.Issuer != "default" || got.Client != "billing" || len(got.JTI) != 22 || !got.Expires.Equal(start.Truncate(time.Second).Add(time.Hour)) || got.AtIssuer != 1 {
		t.Errorf("%+v", got)
	}
	if by := stored.by[0]; by.Name != "client:billing" || by.RequestID != w.Header().Get("Request-Id") {
		t.Errorf("%+v", by)
	}
}

// TestRFC7009_2_1_AnotherClientsToken: refused, and nothing is stored; serving the
// token's API gives no right to end it.
func TestRFC7009_2_1_AnotherClientsToken(t *testing.T) {
	f := newAskFixture(t)
	stored := new(revoker)
	f.cfg.Revoker = stored
	for _, text := range []string{f.tokenFor(""), f.tokenFor(forSealed)} {
		for _, client := range []string{"rotating", "orders-api", "sealed-api"} {
			refusedBy(errOtherClient).check(t, f.about("/revoke", client, text))
		}
	}
	if len(stored.asked) != 0 {
		t.Errorf("stored: %+v", stored.asked)
	}
}

// TestRFC7009_2_2_1_NotStoredIsNot200 (CVE-2020-15223): whatever keeps a revocation
// from being stored, the client hears that it may not be.
func TestRFC7009_2_2_1_NotStoredIsNot200(t *testing.T) {
	f := newAskFixture(t)
	stored := new(revoker)
	f.cfg.Revoker = stored
	text := f.tokenFor("")
	for name, c := range map[string]struct {
		err    error
		status int
		after  string
	}{
		"the store is away":    {&admin.Error{Code: admin.Unavailable, Message: "away"}, http.StatusServiceUnavailable, "5"},
		"a conflict":           {&admin.Error{Code: admin.Conflict, Message: "changed"}, http.StatusServiceUnavailable, "5"},
		"the client went away": {context.Canceled, http.StatusServiceUnavailable, "5"},
		"time was up":          {context.DeadlineExceeded, http.StatusServiceUnavailable, "5"},
		"10,000 are enough":    {&admin.Error{Code: admin.TooMany, Message: "many"}, http.StatusTooManyRequests, "60"},
		"anything else":        {errors.New("broken"), http.StatusInternalServerError, ""},
		"refused":              {&admin.Error{Code: admin.Forbidden, Message: "no"}, http.StatusInternalServerError, ""},
	} {
		stored.err = c.err
		w := f.about("/revoke", "billing", text)
		if w.Code != c.status || w.Header().Get("Retry-After") != c.after || w.Body.Len() == 0 {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
		list := f.records()
		if r := list[len(list)-1]; r.Outcome == "answered" || r.Reason == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestRevocationWithoutTheStore: the real operation on a store that is gone. The
// token stays good, and the answer says that it may be.
func TestRevocationWithoutTheStore(t *testing.T) {
	f := newAskFixture(t)
	text := f.tokenFor("")
	f.introspects("orders-api", text)
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	if w := f.about("/revoke", "billing", text); w.Code < 500 || w.Body.Len() == 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !f.introspects("orders-api", text).Active {
		t.Error("nothing was stored, and the token is not active")
	}
}

// TestAnswersNeedTheirRecord: where no evidence can be written it is not said
// that the token is revoked; nor is anything told of one.
func TestAnswersNeedTheirRecord(t *testing.T) {
	f := newAskFixture(t)
	text := f.tokenFor("")
	if err := f.spool.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"/revoke", "billing"}, {"/introspect", "orders-api"}} {
		refusedBy(errNoRecord, "Retry-After", "5").check(t, f.about(c[0], c[1], text))
	}
}

// TestEndpointsAreNamedWhenTheyWork: in the metadata with how clients authenticate
// there, and at the alias for certificates.
func TestEndpointsAreNamedWhenTheyWork(t *testing.T) {
	without := newFixture(t)
	if w := without.about("/revoke", "billing", "x"); w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
	if doc := without.get(base + symbolon.WellKnownServer).Body.String(); strings.Contains(doc, "revocation_endpoint") {
		t.Errorf("named, and not there: %s", doc)
	}
	f := newAskFixture(t)
	f.cfg.Certificates = func(iss string) (string, bool) { return strings.Replace(iss, base, aliasURL, 1), true }
	for _, iss := range []string{base, base + "/partners"} {
		m := f.cfg.metadataOf(f.replica.Snapshot().IssuersAt("auth.example.com")[map[string]int{base: 1, base + "/partners": 0}[iss]], nil)
		alias := strings.Replace(iss, base, aliasURL, 1)
		if m.Issuer != iss || m.IntrospectionEndpoint != iss+"/introspect" || m.RevocationEndpoint != iss+"/revoke" ||
			m.MTLSAliases.IntrospectionEndpoint != alias+"/introspect" || m.MTLSAliases.RevocationEndpoint != alias+"/revoke" {
			t.Errorf("%+v, %+v", m, m.MTLSAliases)
		}
		for _, list := range [][]string{m.IntrospectionAuthMethods, m.RevocationAuthMethods} {
			if !slices.Equal(list, m.TokenAuthMethods) {
				t.Errorf("methods %v", list)
			}
		}
		for _, list := range [][]string{m.IntrospectionAuthAlgs, m.RevocationAuthAlgs} {
			if len(list) == 0 || !slices.Equal(list, m.TokenAuthSigningAlgs) {
				t.Errorf("algorithms %v", list)
			}
		}
	}
}
