package dialect

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// write has an error answered as one of the management API.
func write(t *testing.T, err error) (*http.Response, map[string]any) {
	t.Helper()
	now := time.Unix(1_700_000_000, 0)
	h := web.Wrap(web.Config{Now: func() time.Time { return now }, WriteError: auth0Error}, func(http.ResponseWriter, *http.Request) error {
		var p *auth0Problem
		if errors.As(err, &p) {
			return p.outward()
		}
		return err
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/api/v2/clients", nil))
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	return w.Result(), body
}

// TestAuth0TooMany: node-auth0 7 waits as Retry-After says, or until
// x-ratelimit-reset, and tries again.
func TestAuth0TooMany(t *testing.T) {
	over := *errCalls
	over.RetryAfter = 1500 * time.Millisecond
	resp, body := write(t, &over)
	if resp.StatusCode != http.StatusTooManyRequests || body["statusCode"] != 429.0 || body["error"] != "Too Many Requests" || body["errorCode"] != "too_many_requests" {
		t.Errorf("%d %v", resp.StatusCode, body)
	}
	for name, want := range map[string]string{"Retry-After": "2", "X-Ratelimit-Remaining": "0", "X-Ratelimit-Limit": strconv.Itoa(readsAtOnce), "X-Ratelimit-Reset": "1700000003"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestAuth0AdminErrors: each sort of error of package admin has its status, and
// what is not expected tells nothing.
func TestAuth0AdminErrors(t *testing.T) {
	for code, status := range map[admin.Code]int{
		admin.Invalid: 400, admin.NotFound: 404, admin.Exists: 409, admin.Conflict: 409, admin.Refused: 400,
		admin.Forbidden: 403, admin.TooMany: 429, admin.Unavailable: 503,
	} {
		resp, body := write(t, auth0Admin(&admin.Error{Code: code, Message: "what happened", Fix: "what to do"}, nil))
		if resp.StatusCode != status || body["statusCode"] != float64(status) || body["message"] == "" {
			t.Errorf("%s: %d %v, want %d", code, resp.StatusCode, body, status)
		}
		if retry := resp.Header.Get("Retry-After"); (retry != "") != (status == 429 || status == 503) {
			t.Errorf("%s: Retry-After is %q", code, retry)
		}
	}
	if resp, body := write(t, auth0Admin(errors.New("the disk burns"), errAuth0NoClient)); resp.StatusCode != 500 || strings.Contains(body["message"].(string), "disk") {
		t.Errorf("an unexpected error: %d %v", resp.StatusCode, body)
	}
	if resp, body := write(t, auth0Admin(registry.Problems{{Path: "labels.some text", Message: "not the name of a label"}}, nil)); resp.StatusCode != 400 ||
		strings.Contains(body["message"].(string), "some text") || !strings.Contains(body["message"].(string), "client_metadata") {
		t.Errorf("a problem with a label: %d %v", resp.StatusCode, body)
	}
}

// TestAuth0TokenEndpointErrors: what has no words of Auth0's keeps the standard's.
func TestAuth0TokenEndpointErrors(t *testing.T) {
	for code, want := range map[symbolon.Code]struct {
		status int
		code   string
	}{
		symbolon.InvalidClient: {401, "invalid_client"}, symbolon.InvalidTarget: {403, "access_denied"}, symbolon.InvalidScope: {400, "invalid_scope"},
		symbolon.InvalidRequest: {400, "invalid_request"}, symbolon.UnsupportedGrantType: {400, "unsupported_grant_type"},
		symbolon.UseDPoPNonce: {400, "use_dpop_nonce"}, symbolon.TooManyRequests: {429, "temporarily_unavailable"},
		symbolon.TemporarilyUnavailable: {503, "temporarily_unavailable"}, symbolon.ServerError: {500, "server_error"},
	} {
		w := httptest.NewRecorder()
		web.Wrap(web.Config{WriteError: auth0OAuthError}, func(http.ResponseWriter, *http.Request) error { return symbolon.NewError(code, "why") }).
			ServeHTTP(w, httptest.NewRequest("POST", "/oauth/token", nil))
		var body struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != want.status || body.Error != want.code {
			t.Errorf("%s: %d %s, want %v", code, w.Code, w.Body, want)
		}
	}
}

// TestAuth0GrantIDs: an id names one client and one API, and nothing else.
func TestAuth0GrantIDs(t *testing.T) {
	for _, g := range []auth0Grant{
		{client: "billing", api: &registry.API{ID: "orders"}}, {client: "a_b_cgr_~.-Z", api: &registry.API{ID: "0-a"}},
	} {
		api, client, ok := parseAuth0Grant(g.id())
		if !ok || api != g.api.ID || client != g.client {
			t.Errorf("%s is %q and %q, %v", g.id(), api, client, ok)
		}
	}
	for _, id := range []string{"", "cgr_", "cgr__a", "cgr_a", "cgr_a_", "cgr_A_b", "CGR_a_b", "a_b", "cgr_a_b c", "cgr_a_b/c", "cgr_a_" + strings.Repeat("b", 129)} {
		if api, client, ok := parseAuth0Grant(id); ok {
			t.Errorf("%q is taken for %q and %q", id, api, client)
		}
	}
}
