package dialect_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/admin"
)

// keyed is an application with these keys, as a program asks for it.
func keyed(label string, keys ...*rsa.PrivateKey) string {
	var set []any
	for _, key := range keys {
		set = append(set, publicJWK(key))
	}
	return app(label, map[string]any{"token_endpoint_auth_method": "private_key_jwt"}, map[string]any{"jwks": map[string]any{"keys": set}})
}

// TestOktaReplaceIsOneCommit: an application that gets another label and other keys
// has all of it at once, or nothing of it.
func TestOktaReplaceIsOneCommit(t *testing.T) {
	w := theWorld(t)
	a, by, ops := w.node.Admin(), admin.System(), w.ssws("okta-ops")
	third, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	id := w.createdApp(t, keyed("Before", w.key, w.key2))["id"].(string)
	path := "/api/v1/apps/" + id
	thumbprints := func() (out []string) {
		client, err := a.Client(t.Context(), by, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range client.Keys {
			out = append(out, k.ID)
		}
		return append(out, client.Name)
	}

	// The second key leaked, and will not come back: not even beside good ones.
	if _, _, err := a.RevokeCredential(t.Context(), by, admin.Target{ID: id}, admin.CredentialKey, "k2"); err != nil {
		t.Fatal(err)
	}
	position, has := w.position(t), strings.Join(thumbprints(), " ")
	w.okta(t, ops, "PUT", path, keyed("Half", third, w.key2)).errorIs(t, http.StatusBadRequest, "E0000001")
	if now := strings.Join(thumbprints(), " "); now != has || w.position(t) != position {
		t.Errorf("%s after a refusal, before %s", now, has)
	}

	fourth, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	before, err := a.Client(t.Context(), by, id)
	if err != nil {
		t.Fatal(err)
	}
	done := w.okta(t, ops, "PUT", path, keyed("After", third, fourth))
	done.wants(t, http.StatusOK, "")
	after, err := a.Client(t.Context(), by, id)
	if err != nil || after.Version != before.Version+1 || after.Name != "After" || len(after.Keys) != 2 || after.Keys[0].ID != "k3" || after.Keys[1].ID != "k4" {
		t.Errorf("%v %+v, before %+v", err, after, before)
	}
	told, err := a.Explain(t.Context(), by, done.header.Get("Request-Id"))
	if err != nil || len(told.Changes) != 1 {
		t.Fatalf("%v %+v", err, told)
	}
	for _, want := range []string{"keys.k1", "keys.k3", "keys.k4", "After"} {
		if text := encode(t, told); !strings.Contains(text, want) {
			t.Errorf("the record does not tell of %s: %s", want, text)
		}
	}

	// From keys to a secret, which only this answer shows.
	position = w.position(t)
	made := w.okta(t, ops, "PUT", path, app("By secret", nil, nil))
	made.wants(t, http.StatusOK, "")
	secret, _ := member(made.json(t), oauthClient+"client_secret").(string)
	w.form(t, w.tokenURL(oktaCustom), grant(), "Authorization", basic(id, secret)).token(t)
	if now := w.position(t); now.(float64) != position.(float64)+1 {
		t.Errorf("it took the commits %v to %v", position, now)
	}
}
