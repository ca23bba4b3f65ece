package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

// get sends a request through Require("orders:read") and gives the answer.
func get(t *testing.T, a *API, target string, header http.Header) *http.Response {
	t.Helper()
	h := a.Require("orders:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := CallerFrom(r.Context())
		fmt.Fprintf(w, "%s %s %v", c.ClientID, c.Subject, c.Scopes)
	}))
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRequireLetsAGoodTokenThrough(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER ", "Bearer  "} { // RFC 9110 §11.1
		resp := get(t, a, "/orders?x=1", http.Header{"Authorization": {scheme + i.token(t, nil)}})
		if got := bodyOf(t, resp); resp.StatusCode != 200 || got != "billing billing [orders:read orders:list]" {
			t.Errorf("%q: %d %s", scheme, resp.StatusCode, got)
		}
	}
}

// TestChallenges is the table of RFC 6750 §3.
func TestChallenges(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	const (
		begin = `Bearer realm="https://orders.example.com"`
		end   = `, scope="orders:read", resource_metadata="https://orders.example.com/.well-known/oauth-protected-resource"`
	)
	good := i.token(t, nil)
	for name, c := range map[string]struct {
		target string
		header []string
		status int
		code   string
	}{
		"no token":                     {"/", nil, 401, ""},
		"another scheme":               {"/", []string{"Basic " + good}, 401, ""},
		"no scheme":                    {"/", []string{good}, 401, ""},
		"scheme as prefix":             {"/", []string{"BearerX " + good}, 401, ""},
		"empty header":                 {"/", []string{""}, 401, ""},
		"scheme alone":                 {"/", []string{"Bearer"}, 400, "invalid_request"},
		"scheme and space":             {"/", []string{"Bearer "}, 400, "invalid_request"},
		"two headers":                  {"/", []string{"Bearer " + good, "Bearer " + good}, 400, "invalid_request"},
		"two headers of two schemes":   {"/", []string{"Basic eDp5", "Bearer " + good}, 400, "invalid_request"},
		"two tokens in a list":         {"/", []string{"Bearer " + good + ", Bearer " + good}, 400, "invalid_request"},
		"two tokens":                   {"/", []string{"Bearer " + good + " " + good}, 400, "invalid_request"},
		"token in the query":           {"/?access_token=" + good, nil, 400, "invalid_request"},
		"token in header and query":    {"/?a=b&access_token=x", []string{"Bearer " + good}, 400, "invalid_request"},
		"spelt otherwise in the query": {"/?access%5Ftoken=x", []string{"Bearer " + good}, 400, "invalid_request"},
		"behind a semicolon":           {"/?a=b;access_token=x", []string{"Bearer " + good}, 400, "invalid_request"},
		"garbage":                      {"/", []string{"Bearer x"}, 401, "invalid_token"},
		"expired":                      {"/", []string{"Bearer " + i.token(t, func(c *symbolon.Claims) { c.Expiry = 1 })}, 401, "invalid_token"},
		"scope lacking":                {"/", []string{"Bearer " + i.token(t, func(c *symbolon.Claims) { c.Scope = "orders:list" })}, 403, "insufficient_scope"},
		"no scope":                     {"/", []string{"Bearer " + i.token(t, func(c *symbolon.Claims) { c.Scope = "" })}, 403, "insufficient_scope"},
		"scope of the same beginning":  {"/", []string{"Bearer " + i.token(t, func(c *symbolon.Claims) { c.Scope = "orders:reader orders:rea" })}, 403, "insufficient_scope"},
		"scope of another case":        {"/", []string{"Bearer " + i.token(t, func(c *symbolon.Claims) { c.Scope = "Orders:Read" })}, 403, "insufficient_scope"},
	} {
		resp := get(t, a, c.target, http.Header{"Authorization": c.header})
		challenge, body := resp.Header.Get("WWW-Authenticate"), bodyOf(t, resp)
		if resp.StatusCode != c.status || !strings.HasPrefix(challenge, begin) || !strings.HasSuffix(challenge, end) {
			t.Errorf("%s: %d, %s", name, resp.StatusCode, challenge)
		}
		if resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: may be cached", name)
		}
		if c.code == "" {
			// RFC 6750 §3.1: nothing about errors when the request brought nothing.
			if challenge != begin+end || body != "" {
				t.Errorf("%s: %s, %s", name, challenge, body)
			}
			continue
		}
		var answer symbolon.ErrorAnswer
		if err := json.Unmarshal([]byte(body), &answer); err != nil || string(answer.Error) != c.code || answer.ErrorDescription == "" {
			t.Errorf("%s: body %s", name, body)
		}
		if !strings.Contains(challenge, `, error="`+c.code+`", error_description="`+answer.ErrorDescription+`"`) {
			t.Errorf("%s: %s", name, challenge)
		}
		if strings.Contains(challenge+body, good) {
			t.Errorf("%s: the token is in the answer", name)
		}
	}
}

// TestQueryThatOnlyLooksLikeAToken.
func TestQueryThatOnlyLooksLikeAToken(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	for _, q := range []string{"my_access_token=x", "access_token_hint=x", "q=access_token", "q=access_token%3Dx", "ACCESS_TOKEN=x", "%zz", "&&=", ""} {
		resp := get(t, a, "/?"+q, http.Header{"Authorization": {"Bearer " + i.token(t, nil)}})
		if resp.StatusCode != 200 {
			t.Errorf("%s: %d", q, resp.StatusCode)
		}
	}
}

// TestTheBodyIsTheHandlers: a token in a form is not looked for, and nothing is
// read (RFC 6750 §2.2).
func TestTheBodyIsTheHandlers(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	form := url.Values{"access_token": {i.token(t, nil)}}.Encode()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	a.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") })).ServeHTTP(w, r)
	if rest, _ := io.ReadAll(r.Body); w.Code != 401 || string(rest) != form {
		t.Errorf("%d, %q", w.Code, rest)
	}
}

func TestRequireWithoutScopes(t *testing.T) {
	i := newIssuer(t)
	a := newAPI(t, i.config())
	if _, err := check(a, i.token(t, func(c *symbolon.Claims) { c.Scope = "" })); err != nil {
		t.Error(err)
	}
	if _, err := check(a, i.token(t, nil), "orders:list", "orders:read"); err != nil {
		t.Error(err)
	}
	if _, err := check(a, i.token(t, nil), "orders:list", "orders:write"); !errors.Is(err, errScope) {
		t.Error(err)
	}
}

func TestRequirePanicsOnWhatIsNotOneScope(t *testing.T) {
	a := newAPI(t, Config{Issuer: "https://auth.example.com", Audience: audience})
	for _, scope := range []string{"a b", "", `a"b`, "a\\b", "ä", "a\n"} {
		func() {
			defer func() {
				if p, _ := recover().(string); !strings.Contains(p, "Require") {
					t.Errorf("Require(%q): %q", scope, p)
				}
			}()
			a.Require("ok", scope)
		}()
	}
	defer func() {
		if recover() == nil {
			t.Error("a nil handler")
		}
	}()
	a.Require("ok")(nil)
}

func TestCallerFromOutsideRequire(t *testing.T) {
	defer func() {
		if p, _ := recover().(string); !strings.Contains(p, "Require(") || !strings.Contains(p, "context") {
			t.Errorf("%q", p)
		}
	}()
	if _, ok := Lookup(context.Background()); ok {
		t.Error("a caller from nowhere")
	}
	CallerFrom(context.Background())
}

func TestCaller(t *testing.T) {
	i := newIssuer(t)
	token := i.token(t, func(c *symbolon.Claims) { c.Extra = map[string]json.RawMessage{"role": json.RawMessage(`"batch"`)} })
	c, err := check(newAPI(t, i.config()), token, "orders:read")
	if err != nil {
		t.Fatal(err)
	}
	if c.ClientID != "billing" || c.Subject != "billing" || c.TokenID != c.Claims.ID || c.KeyID != "k1" || c.Expiry.Unix() != c.Claims.Expiry || !c.HasScope("orders:list") || c.HasScope("orders") || string(c.Claims.Extra["role"]) != `"batch"` {
		t.Errorf("%+v", c)
	}
}

// TestWriteErrorOfOthers: what is not from Check is a server error without its
// text.
func TestWriteErrorOfOthers(t *testing.T) {
	a := newAPI(t, Config{Issuer: "https://auth.example.com", Audience: audience})
	w := httptest.NewRecorder()
	a.WriteError(w, errors.New("dial tcp 10.0.0.1: refused"))
	if w.Code != 500 || strings.Contains(w.Body.String(), "10.0.0.1") || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	w = httptest.NewRecorder()
	a.WriteError(w, fmt.Errorf("wrapped: %w", &refusal{err: errScope, scopes: []string{"a"}}))
	if w.Code != 403 || !strings.Contains(w.Header().Get("WWW-Authenticate"), `scope="a"`) {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	a.WriteError(w, &refusal{err: errScope, scopes: []string{"a\"\r\nX-Evil: 1"}})
	if got := w.Header().Get("WWW-Authenticate"); strings.Contains(got, "Evil") {
		t.Error(got)
	}
}

// TestDescriptions: RFC 6750 §3 gives their character set.
func TestDescriptions(t *testing.T) {
	for _, e := range []*symbolon.Error{errNoToken, errInQuery, errTwoTokens, errEmptyToken, errMalformed, errType, errIssuer, errAudience, errKey, errSignature, errExpired, errNotYet, errClaims, errBound, errScope, errNoKeys,
		errUnbound, errDowngrade, errNotDPoP, errOtherKey, errNoCertificate, errOtherCertificate, errTarget, errNonce, errReplayed, errTooMany, errNoReplay} {
		if !quotable(e.Description) || e.Description == "" {
			t.Errorf("%q", e.Description)
		}
	}
}
