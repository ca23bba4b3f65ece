package dialect_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/registry"
)

// told is what explain says about an answer: the record, and the text.
func (w *world) told(t *testing.T, a answer) (*audit.Record, string) {
	t.Helper()
	e, err := w.node.Admin().Explain(t.Context(), admin.System(), a.header.Get("Request-Id"))
	if err != nil || e.Record == nil {
		t.Fatalf("%d %s: %v %+v", a.status, a.text, err, e)
	}
	return e.Record, strings.Join(e.Words, "\n")
}

// TestManagementCallsLeaveARecord: who reads, too, and who changes something.
func TestManagementCallsLeaveARecord(t *testing.T) {
	w := theWorld(t)
	auth0Token := auth0Manager(t, w, "read:clients")
	for name, c := range map[string]struct {
		a             answer
		status        int
		endpoint, who string
	}{
		"users by SSWS":   {w.okta(t, w.ssws("okta-ops"), "GET", "/api/v1/users", ""), http.StatusOK, "okta_users", "token:okta-ops"},
		"apps by a token": {w.okta(t, w.bearer(t, "okta-admin", "okta.apps.read"), "GET", "/api/v1/apps", ""), http.StatusOK, "okta_apps", "okta-admin"},
		"a change":        {w.okta(t, w.ssws("okta-ops"), "POST", "/api/v1/apps", app("Leaves two", nil, nil)), http.StatusOK, "okta_apps", "token:okta-ops"},
		"clients":         {auth0Token.call(t, "GET", "clients", nil), http.StatusOK, "auth0_management", "auth0-mgmt"},
	} {
		c.a.wants(t, c.status, "")
		r, text := w.told(t, c.a)
		if r.Outcome != audit.Answered || r.Endpoint != c.endpoint || r.Client != c.who || !r.Verified || !r.Peer.IsValid() || r.Cred != "" {
			t.Errorf("%s: recorded as %+v", name, r)
		}
		if strings.Contains(text, "not proven") || !strings.Contains(text, c.who) {
			t.Errorf("%s: explained as %s", name, text)
		}
	}
}

// TestWhyAManagementCallIsRefused: the answer tells none of it, explain all.
func TestWhyAManagementCallIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	made, _, err := w.node.Admin().CreateOperatorToken(t.Context(), admin.System(), admin.CreateOperatorToken{Token: registry.OperatorToken{
		ID: "brief", Role: registry.RoleViewer, Issuers: []string{oktaOrg}, SSWS: true, Expires: w.now().Add(time.Second)}})
	if err != nil {
		t.Fatal(err)
	}
	w.advance(time.Minute)
	users := "/api/v1/users"
	get := func(header string) answer { return w.okta(t, header, "GET", users, "") }
	value := w.tokens["okta-ops"]
	for name, c := range map[string]struct {
		a    answer
		who  string // "": nobody is proven
		want []string
	}{
		"expired":              {get("SSWS " + made.Value.Reveal()), "", []string{"token:brief (not proven)", "brief expired at", "--expires"}},
		"not for SSWS":         {get(w.ssws("okta-plain")), "", []string{"okta-plain is not for SSWS", "--ssws"}},
		"another organisation": {get(w.ssws("okta-other")), "", []string{"okta-other is not for this organisation", oktaOther}},
		"unknown":              {get("SSWS bad"), "", []string{"no operator token has this value"}},
		"as Bearer":            {get("Bearer " + value), "", []string{"operator token okta-ops", "send it as SSWS"}},
		"a scope":              {get(w.bearer(t, "okta-admin", "okta.apps.read")), "okta-admin", []string{"okta.users.read"}},
		"a role":               {w.okta(t, w.ssws("okta-viewer"), "DELETE", "/api/v1/apps/okta-app", ""), "token:okta-viewer", []string{"clients:write"}},
		"no path":              {w.okta(t, w.ssws("okta-ops"), "GET", "/api/v1/groups/x%0ay", ""), "", []string{"nothing at GET /api/v1/groups/x%0ay"}},
		"a long path":          {w.okta(t, w.ssws("okta-ops"), "GET", "/api/v1/"+strings.Repeat("g", 400), ""), "", []string{"nothing at GET /api/v1/ggg", "…"}},
		"no path of Auth0's":   {w.get(t, w.issuers[auth0]+"/api/v2/users"), "", []string{"nothing at GET", "/api/v2/users"}},
	} {
		r, text := w.told(t, c.a)
		if r.Outcome != audit.Refused || r.Verified != (c.who != "") || c.who != "" && (r.Client != c.who || strings.Contains(text, "not proven")) {
			t.Errorf("%s: recorded as %+v", name, r)
		}
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing in %s", name, want, text)
			}
		}
		for _, secret := range []string{"okta-plain", "brief", "expired at", "send it as SSWS", "ggg", value} {
			if strings.Contains(c.a.text, secret) {
				t.Errorf("%s: the answer says %q: %s", name, secret, c.a.text)
			}
		}
		if strings.Contains(text, value) || strings.Contains(text, strings.Repeat("g", 200)) {
			t.Errorf("%s: the record has too much: %s", name, text)
		}
	}
	if alike := []string{get("SSWS bad").text, get(w.ssws("okta-plain")).text, get("SSWS " + made.Value.Reveal()).text}; len(slices.Compact(withoutIDs(t, alike))) != 1 {
		t.Errorf("the answers differ: %v", alike)
	}
}

// withoutIDs takes the request's id out of bodies of Okta's errors.
func withoutIDs(t *testing.T, bodies []string) (out []string) {
	t.Helper()
	for _, b := range bodies {
		before, after, found := strings.Cut(b, `"errorId":"`)
		_, after, ended := strings.Cut(after, `"`)
		if !found || !ended {
			t.Fatalf("no errorId in %s", b)
		}
		out = append(out, before+after)
	}
	return out
}
