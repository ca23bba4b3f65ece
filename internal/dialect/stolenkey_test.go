package dialect_test

import (
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/node"
	"github.com/symbolon/symbolon/internal/registry"
)

// TestNobodyAdministersWithARevokedKey: who has stolen a signing key and writes
// tokens with it ends with its revocation, whatever else the header says. The
// claims are those of a token that was issued, so nothing but the key denies it.
func TestNobodyAdministersWithARevokedKey(t *testing.T) {
	var dir string
	w := newWorld(t, func(c *node.Config) { dir = c.DataDir })
	for name, c := range map[string]struct{ token, target string }{
		"auth0": {auth0Manager(t, w).token, w.issuers[auth0] + "/api/v2/clients"},
		"okta":  {strings.TrimPrefix(w.bearer(t, "okta-admin", "okta.apps.read"), "Bearer "), w.issuers[oktaOrg] + "/api/v1/apps"},
	} {
		t.Run(name, func(t *testing.T) {
			head, err := base64.RawURLEncoding.DecodeString(strings.Split(c.token, ".")[0])
			if err != nil {
				t.Fatal(err)
			}
			kid, _ := answer{text: string(head)}.json(t)["kid"].(string)
			key := signingKey(t, dir, kid)
			forged := func(more map[string]any) answer {
				header := changed(map[string]any{"typ": "at+jwt", "kid": kid}, more)
				return w.get(t, c.target, "Authorization", "Bearer "+sign(t, key, header, claims(t, c.token)))
			}
			forged(nil).wants(t, http.StatusOK, "") // so the key is the right one, and remembered
			if _, _, err := w.node.Admin().RevokeKey(t.Context(), admin.System(), kid); err != nil {
				t.Fatal(err)
			}
			for name, more := range map[string]map[string]any{
				"as it was": nil, "another KID": {"KID": "x"}, "an empty Kid": {"Kid": ""}, "a kid with a sign that folds": {"\u212aid": "x"},
				"no kid": {"kid": nil}, "no kid and a KID": {"kid": nil, "KID": kid}, "an unknown kid": {"kid": "x", "KID": kid},
			} {
				if a := forged(more); a.status != http.StatusUnauthorized {
					t.Errorf("%s: %d %s", name, a.status, a.text)
				}
			}
		})
	}
}

// signingKey is the private half of an issuer's key, as whoever has the database
// and the master key has it.
func signingKey(t *testing.T, dir, kid string) *rsa.PrivateKey {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	master, err := keys.LoadMaster(keys.MasterConfig{Dir: dir})
	must(err)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "symbolon.db"))
	must(err)
	defer db.Close()
	var doc string
	must(db.QueryRowContext(t.Context(), "SELECT doc FROM objects WHERE kind = 'key' AND id = ?", kid).Scan(&doc))
	object, err := registry.Decode(registry.KindKey, []byte(doc))
	must(err)
	k := object.(*registry.Key)
	sealed, err := jose.DecodeSegment(k.Private)
	must(err)
	plain, err := master.Open(keys.LabelSigningKey, []byte(k.Issuer+"\n"+k.Algorithm+"\n"+k.ID), sealed)
	must(err)
	private, err := x509.ParsePKCS8PrivateKey(plain)
	must(err)
	return private.(*rsa.PrivateKey)
}
