package dialect

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
	"github.com/symbolon/symbolon/resource"
)

// TestOktaErrors: whatever ends a call, the answer is Okta's, and tells nothing of
// the cause.
func TestOktaErrors(t *testing.T) {
	secret := errors.New("dial tcp 10.0.0.1: <b>connection refused</b>")
	later := symbolon.NewError(symbolon.TemporarilyUnavailable, "later").WithCause(secret)
	later.RetryAfter = 5 * time.Second
	for name, c := range map[string]struct {
		err     error
		status  int
		code    string
		headers map[string]string
	}{
		"anything":         {secret, http.StatusInternalServerError, "E0000009", nil},
		"a node cut off":   {later, http.StatusServiceUnavailable, "E0000009", map[string]string{"Retry-After": "5"}},
		"the store away":   {&admin.Error{Code: admin.Unavailable, Message: "10.0.0.1"}, http.StatusServiceUnavailable, "E0000009", map[string]string{"Retry-After": "1"}},
		"too many":         {&admin.Error{Code: admin.TooMany}, http.StatusTooManyRequests, "E0000047", map[string]string{"X-Rate-Limit-Remaining": "0", "Retry-After": "1"}},
		"not found":        {&admin.Error{Code: admin.NotFound, Message: "10.0.0.1"}, http.StatusNotFound, "E0000007", nil},
		"forbidden":        {&admin.Error{Code: admin.Forbidden, Message: "10.0.0.1"}, http.StatusForbidden, "E0000006", nil},
		"changed":          {&admin.Error{Code: admin.Conflict, Message: "10.0.0.1"}, http.StatusBadRequest, "E0000001", nil},
		"refused":          {&admin.Error{Code: admin.Refused, Message: "10.0.0.1"}, http.StatusBadRequest, "E0000001", nil},
		"a known member":   {registry.Problems{{Path: "name", Message: "too long"}}, http.StatusBadRequest, "E0000001", nil},
		"another member":   {registry.Problems{{Path: "access.10.0.0.1", Message: "10.0.0.1"}}, http.StatusBadRequest, "E0000001", nil},
		"no token":         {errNoCaller, http.StatusUnauthorized, "E0000004", map[string]string{"Www-Authenticate": `Bearer realm="okta"`}},
		"no JSON":          {errNotJSON, http.StatusUnsupportedMediaType, "E0000021", nil},
		"a method":         {symbolon.NewError(symbolon.MethodNotAllowed, "x"), http.StatusMethodNotAllowed, "E0000022", nil},
		"a large body":     {symbolon.NewError(symbolon.TooLarge, "x"), http.StatusRequestEntityTooLarge, "E0000003", nil},
		"a broken request": {symbolon.NewError(symbolon.InvalidRequest, "x"), http.StatusBadRequest, "E0000002", nil},
		"a bad proof":      {symbolon.NewError(symbolon.InvalidDPoPProof, "x"), http.StatusUnauthorized, "E0000011", map[string]string{"Www-Authenticate": `Bearer realm="okta"`}},
	} {
		t.Run(name, func(t *testing.T) {
			h := web.Wrap(web.Config{}, func(w http.ResponseWriter, _ *http.Request) error {
				web.ExchangeOf(w).WriteError = writeOktaError
				return oktaRefusal(c.err)
			})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			var got oktaError
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != c.status || got.Code != c.code || got.Link != c.code || got.Causes == nil ||
				got.ID != w.Header().Get("Request-Id") || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v %s, want %d %s", w.Code, err, w.Body, c.status, c.code)
			}
			for name, want := range c.headers {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if strings.Contains(w.Body.String(), "10.0.0.1") || strings.Contains(w.Body.String(), "refused<") {
				t.Errorf("%s tells the cause", w.Body)
			}
		})
	}
}

// TestManagementForgetsIssuers that are gone.
func TestManagementForgetsIssuers(t *testing.T) {
	m := management{apis: make(map[string]*resource.API)}
	for _, iss := range []string{"https://a.example.com", "https://b.example.com"} {
		api, err := resource.New(resource.Config{Issuer: iss, Audience: iss, Revocations: resource.Revocations{Off: true}})
		if err != nil {
			t.Fatal(err)
		}
		m.apis[iss] = api
	}
	there := &registry.IssuerView{Issuer: &registry.Issuer{ID: "a"}, Iss: "https://a.example.com"}
	m.clear(&registry.Snapshot{Position: registry.Position{Seq: 7}, Issuers: map[string]*registry.IssuerView{"a": there}})
	if len(m.apis) != 1 || m.apis["https://a.example.com"] == nil {
		t.Errorf("%v", m.apis)
	}
	m.close()
	if len(m.apis) != 0 {
		t.Error("some are left open")
	}
}
