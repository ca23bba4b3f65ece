package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
)

// Public keys: RFC 8037 appendix A.2, RFC 7517 appendix A.1.
const (
	firstJWK  = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"mine"}`
	firstPEM  = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"
	secondJWK = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`
	keysURI   = "https://billing.example.com/jwks"
)

var uriID = registry.JWKSURICredential(keysURI)

// keys gives a client a key k1, a jwks_uri and a certificate name c1.
func (w *world) keys(client string) {
	w.Helper()
	t := Target{ID: client}
	_, _, err := w.AddKey(w.Context(), w.actor, t, NewKey{Text: firstJWK})
	w.ok(err)
	_, _, err = w.AddCertificate(w.Context(), w.actor, t, NewCertificate{registry.Certificate{SubjectDN: "CN=billing,O=Example"}})
	w.ok(err)
	w.update(client, `{"jwks_uri":"`+keysURI+`"}`)
}

// update changes members of a client.
func (w *world) update(client, doc string) {
	w.Helper()
	w.ok(w.try(client, doc))
}

func (w *world) try(client, doc string) error {
	w.Helper()
	n, err := ReadNamed[registry.Client]([]byte(doc))
	w.ok(err)
	_, _, err = w.UpdateClient(w.Context(), w.actor, Update[registry.Client]{Target: Target{ID: client}, Change: n})
	return err
}

// TestKeysAreChangedWithoutAnOutage: from secret to key, from key to key, to a
// certificate; each id and each revoked value is used once.
func TestKeysAreChangedWithoutAnOutage(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx, billing := w.Context(), Target{ID: "billing"}
		w.client("billing")
		w.keys("billing")
		shown, err := w.Client(ctx, w.actor, "billing")
		w.ok(err)
		if got := strings.Join(shown.Methods, " "); got != "client_secret_basic client_secret_post private_key_jwt tls_client_auth" {
			t.Errorf("methods %s", got)
		}
		second, _, err := w.AddKey(ctx, w.actor, billing, NewKey{Text: secondJWK, Expires: w.clock.now().Add(time.Hour)})
		w.ok(err)
		if second.ID != "k2" || second.Algorithm != "ES256" || second.Thumbprint == "" {
			t.Errorf("%+v", second)
		}
		_, _, err = w.RemoveCredential(ctx, w.actor, billing, CredentialKey, "k1")
		w.ok(err)
		_, _, err = w.AddKey(ctx, w.actor, billing, NewKey{ID: "k1", Text: firstPEM})
		w.refused(err, Invalid, "keys.k1.id", "used once only", "as k2")
		third, _, err := w.AddKey(ctx, w.actor, billing, NewKey{Text: firstPEM}) // the value may come back: it was not revoked
		w.ok(err)
		_, _, err = w.RevokeCredential(ctx, w.actor, billing, CredentialKey, third.ID)
		w.ok(err)
		_, _, err = w.AddKey(ctx, w.actor, billing, NewKey{Text: firstJWK})
		w.refused(err, Invalid, "this key was revoked")
		_, _, err = w.RevokeCredential(ctx, w.actor, billing, CredentialCertificate, "c1")
		w.ok(err)
		_, _, err = w.AddCertificate(ctx, w.actor, billing, NewCertificate{registry.Certificate{SubjectDN: "2.5.4.3=Billing, o=example"}})
		w.refused(err, Invalid, "this name was revoked")
		_, _, err = w.AddKey(ctx, w.actor, billing, NewKey{Text: secondJWK, Expires: w.clock.now()})
		w.refused(err, Invalid, "expired already")
		_, _, err = w.RevokeCredential(ctx, w.actor, billing, CredentialKey, "c1")
		w.ok(err) // revoked before, under whatever name
		_, _, err = w.RevokeCredential(ctx, w.actor, billing, CredentialKey, "k77")
		w.refused(err, NotFound, "has no key", "symbolon client key list billing")

		// A jwks_uri may go and come back; a revoked one may not.
		w.update("billing", `{"jwks_uri":""}`)
		w.update("billing", `{"jwks_uri":"`+keysURI+`"}`)
		_, _, err = w.RevokeCredential(ctx, w.actor, billing, CredentialKey, uriID)
		w.ok(err)
		w.refused(w.try("billing", `{"jwks_uri":"`+keysURI+`"}`), Invalid, "jwks_uri", "revoked")
		if got, want := w.denialIDs(), []string{"credential:billing:c1", "credential:billing:k3", "credential:billing:" + uriID}; !slices.Equal(got, want) {
			t.Errorf("denials %v, want %v", got, want)
		}
	})
}

// A client may begin with a key, and then has no secret.
func TestClientWithAKey(t *testing.T) {
	onSQLite(t, func(w *world) {
		made, _, err := w.CreateClient(w.Context(), w.actor, CreateClient{Client: registry.Client{ID: "a"}, Key: &NewKey{Text: firstJWK}})
		w.ok(err)
		if made.Cred != "" || len(made.Client.Secrets) != 0 || len(made.Client.Keys) != 1 || made.Client.Keys[0].KeyID != "mine" {
			t.Errorf("%+v", made)
		}
		made, _, err = w.CreateClient(w.Context(), w.actor, CreateClient{Client: registry.Client{ID: "b", JWKSURI: keysURI}, Secret: NewCredential{ID: "s1"}})
		w.ok(err)
		if made.Cred != "s1" || made.Client.KeysURI.ID != uriID {
			t.Errorf("%+v", made)
		}
		_, _, err = w.CreateClient(w.Context(), w.actor, CreateClient{Client: registry.Client{ID: "c", Auth: []string{symbolon.AuthTLSClient}}})
		w.refused(err, Invalid, "auth.tls_client_auth: the client has no credential for this method", "subject_dn")
	})
}

// TestKeysInAFile: what a file puts there it may take away, and nothing else.
func TestKeysInAFile(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx, billing := w.Context(), Target{ID: "billing"}
		entry := func(keys, certificates string) *ApplyRequest {
			req := file(t, `client {"id":"billing","keys":[`+keys+`],"certificates":[`+certificates+`],"jwks_uri":"`+keysURI+`"}`)
			return &req
		}
		normal := func(jwk string) string {
			out, err := registry.PublicJWK([]byte(jwk))
			w.ok(err)
			return string(out)
		}
		k1, k2 := `{"id":"k1","jwk":`+normal(firstJWK)+`}`, `{"id":"k2","jwk":`+normal(secondJWK)+`}`
		c1 := `{"id":"c1","subject_dn":"CN=billing,O=Example"}`
		plan := w.apply(*entry(k1, c1))
		w.wants(plan, "create client billing")
		if text := fmt.Sprintf("%+v", plan); !strings.Contains(text, "jwk:kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k") || strings.Contains(text, "11qYAYKx") {
			t.Errorf("the plan names keys by their thumbprint: %s", text)
		}
		w.wants(w.apply(*entry(k1, c1)))
		w.wants(w.apply(*entry(k1, `{"id":"c1","subject_dn":"cn=billing, o=example"}`)), "change client billing") // the same in other words
		_, _, err := w.Apply(ctx, w.actor, *entry(`{"id":"k1","jwk":`+normal(secondJWK)+`}`, c1))
		w.refused(err, Invalid, "keys.k1", "a changed value needs a new id")
		_, _, err = w.Apply(ctx, w.actor, *entry(k1, `{"id":"c1","san_dns":"a.example"}`))
		w.refused(err, Invalid, "certificates.c1", "a changed value needs a new id")

		_, _, err = w.AddCertificate(ctx, w.actor, billing, NewCertificate{registry.Certificate{ID: "hand", SANDNS: "b.example"}})
		w.ok(err)
		plan = w.apply(*entry(k2, c1))
		w.wants(plan, "change client billing")
		w.noted(plan, "billing", "certificate hand was added by hand and stays", "symbolon client certificate remove billing hand")
		c := w.stored("billing")
		if len(c.Keys) != 1 || c.Keys[0].ID != "k2" || len(c.Certificates) != 2 || findSpent(c, "k1") < 0 {
			t.Errorf("%+v", c)
		}
		plan = w.apply(*entry(k1+","+k2, c1))
		w.noted(plan, "billing", "key k1 was removed; a file does not bring it back", "symbolon client key add billing --id k3")
		_, _, err = w.RevokeCredential(ctx, w.actor, billing, CredentialCertificate, "c1")
		w.ok(err)
		plan = w.apply(*entry(k2, c1))
		w.noted(plan, "billing", "certificate c1 was revoked on 2026-03-01", "symbolon client certificate add billing --id c2")
		_, _, err = w.Apply(ctx, w.actor, *entry(k2, `{"id":"c9","subject_dn":"CN=BILLING,O=Example"}`))
		w.refused(err, Invalid, "certificates.c9.subject_dn", "revoked")

		exported, err := w.Export(ctx, w.actor, "")
		w.ok(err)
		for _, n := range exported.Clients {
			if n.Object.ID == "billing" && (!n.Fields.Has("keys") || !n.Fields.Has("certificates") || !n.Fields.Has("jwks_uri") || !n.Object.Keys[0].Created.IsZero() || n.Object.Keys[0].ManagedBy != "") {
				t.Errorf("exported %+v", n)
			}
		}
	})
}

// TestLegacyAssertionIsDatedAndAudited: at most a year ahead when it is set, a
// record on each change (RFC 7523 §3 before its audience was narrowed).
func TestLegacyAssertionIsDatedAndAudited(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.client("billing")
		w.refused(w.try("billing", `{"legacy_assertion":{"until":"2027-03-03T00:00:00Z","audience":["token_endpoint"]}}`), Invalid, "legacy_assertion.until", "more than a year ahead")
		w.update("billing", `{"legacy_assertion":{"until":"2027-03-01T00:00:00Z","audience":["token_endpoint"]}}`)
		w.clock.advance(-48 * time.Hour) // a date that was good stays good
		w.update("billing", `{"name":"Other"}`)
		w.clock.advance(96 * time.Hour)
		before := w.head()
		w.update("billing", `{"legacy_assertion":{"until":"2027-03-01T00:00:00Z","audience":["token_endpoint","issuer_array"],"max_lifetime":"1h"}}`)
		w.update("billing", `{"legacy_assertion":null}`)
		changes, err := w.Changes(w.Context(), w.actor, ChangeQuery{Limit: 10})
		w.ok(err)
		var told []string
		for _, c := range changes {
			if c.Commit > before {
				for _, f := range c.Fields {
					told = append(told, f.Path+": "+f.Before+" > "+f.After)
				}
			}
		}
		want := []string{
			"legacy_assertion.audience: token_endpoint issuer_array > ", "legacy_assertion.max_lifetime: 1h > ", "legacy_assertion.until: 2027-03-01T00:00:00Z > ",
			"legacy_assertion.audience: token_endpoint > token_endpoint issuer_array", "legacy_assertion.max_lifetime:  > 1h",
		}
		if !slices.Equal(told, want) {
			t.Errorf("recorded %q", told)
		}
	})
}

// TestDemandsAreHeldAgainstClients: a profile or a binding that clients could not
// meet is refused where it is brought about, and nothing is in the way of who
// takes a credential back.
func TestDemandsAreHeldAgainstClients(t *testing.T) {
	onSQLite(t, func(w *world) {
		ctx, billing := w.Context(), Target{ID: "billing"}
		issuer := func(doc string) error {
			n, err := ReadNamed[registry.Issuer]([]byte(doc))
			w.ok(err)
			_, _, err = w.UpdateIssuer(ctx, w.actor, Update[registry.Issuer]{Target: Target{ID: "default"}, Change: n})
			return err
		}
		api := func(doc string) error {
			n, err := ReadNamed[registry.API]([]byte(doc))
			w.ok(err)
			_, _, err = w.UpdateAPI(ctx, w.actor, Update[registry.API]{Target: Target{ID: "orders"}, Change: n})
			return err
		}
		w.api("orders", "read")
		w.client("billing", "orders read")
		w.refused(issuer(`{"profile":"fapi2"}`), Invalid, `client "billing": issuers: issuer default has the profile fapi2`)
		w.keys("billing")
		w.ok(issuer(`{"profile":"fapi2"}`))
		w.refused(api(`{"token":{"algorithm":"RS256"}}`), Invalid, "token.algorithm", "fapi2")
		w.ok(api(`{"token":{"algorithm":"PS256"}}`))
		w.refused(w.try("billing", `{"legacy_assertion":{"until":"2026-12-01T00:00:00Z","audience":["token_endpoint"]}}`), Invalid, "fapi2")
		w.refused(w.try("billing", `{"auth":["client_secret_basic"]}`), Invalid, "keys and certificates alone")
		_, _, err := w.CreateClient(ctx, w.actor, CreateClient{Client: registry.Client{ID: "with-a-secret"}})
		w.refused(err, Invalid, "keys and certificates alone")

		w.update("billing", `{"bound":"dpop","auth":["private_key_jwt"]}`)
		w.refused(api(`{"bound":"mtls"}`), Invalid, `client "billing": bound`, "no token meets both")
		w.ok(api(`{"bound":"required"}`))
		for _, id := range []string{"k1", uriID} {
			_, _, err := w.RevokeCredential(ctx, w.actor, billing, CredentialKey, id)
			w.ok(err)
		}
		w.update("billing", `{"name":"without any key"}`) // it was so before
		w.refused(w.try("billing", `{"auth":["private_key_jwt","tls_client_auth","self_signed_tls_client_auth"]}`), Invalid, "auth.self_signed_tls_client_auth")
	})
}
