package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// direct serves requests without a connection.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// TestTokenRequest is what goes over the wire (RFC 6749 §4.4.2, §2.3.1;
// RFC 8707 §2).
func TestTokenRequest(t *testing.T) {
	s := newAuthServer(t)
	var got url.Values
	var authorization, accept string
	s.answer(func(w http.ResponseWriter, r *request) {
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("%s with %q", r.Method, r.Header.Get("Content-Type"))
		}
		body, _ := io.ReadAll(r.Body)
		got, _ = url.ParseQuery(string(body))
		authorization, accept = r.Header.Get("Authorization"), r.Header.Get("Accept")
		grant(w, r, time.Hour)
	})
	cfg := s.config()
	cfg.ID, cfg.Auth, cfg.Audience = "a:b c", Secret("päss:w%rd+/="), "legacy"
	cfg.Scopes = []string{"orders:read", "orders:write"}
	c := newClient(t, cfg)
	token, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"grant_type": {"client_credentials"}, "scope": {"orders:read orders:write"}, "resource": {"https://orders.example.com"}, "audience": {"legacy"}}
	if got.Encode() != want.Encode() {
		t.Errorf("form %v", got)
	}
	// RFC 6749 §2.3.1: form-urlencoded, then Base64.
	if authorization != "Basic YSUzQWIrYzpwJUMzJUE0c3MlM0F3JTI1cmQlMkIlMkYlM0Q=" {
		t.Error(authorization)
	}
	if accept != "application/json" {
		t.Error(accept)
	}
	// RFC 6749 §5.1: no scope in the answer means the scope that was asked.
	if strings.Join(token.Scopes, " ") != "orders:read orders:write" {
		t.Error(token.Scopes)
	}
}

// TestSecretInTheBodyWhereOnlyThatIsOffered: client_secret_post.
func TestSecretInTheBodyWhereOnlyThatIsOffered(t *testing.T) {
	for methods, inBody := range map[string]bool{
		`["client_secret_post"]`: true, `["client_secret_post","client_secret_basic"]`: false, `["private_key_jwt"]`: false, `[]`: false,
	} {
		var srv *httptest.Server
		srv = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/token" {
				fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q,"token_endpoint_auth_methods_supported":%s}`, srv.URL, srv.URL+"/token", methods)
				return
			}
			_, _, basic := r.BasicAuth()
			if post := r.PostFormValue("client_secret") == "s" && r.PostFormValue("client_id") == "c"; post != inBody || basic == inBody {
				t.Errorf("%s: in the body %v, in the header %v", methods, post, basic)
			}
			grant(w, &request{1, r}, time.Hour)
		}))
		if _, err := newClient(t, Config{Issuer: srv.URL, ID: "c", Auth: Secret("s")}).Token(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestTokenAnswers: what is taken for a token and what is not (RFC 6749 §5.1).
func TestTokenAnswers(t *testing.T) {
	long := strings.Repeat("a", symbolon.MaxToken+1)
	for name, c := range map[string]struct {
		body string
		ok   bool
	}{
		"plain":                 {`{"access_token":"a","token_type":"Bearer","expires_in":60}`, true},
		"lower-case type":       {`{"access_token":"a","token_type":"bearer","expires_in":60}`, true},
		"digits in a string":    {`{"access_token":"a","token_type":"Bearer","expires_in":"60"}`, true},
		"no expires_in":         {`{"access_token":"a","token_type":"Bearer"}`, true},
		"more members":          {`{"access_token":"a","token_type":"Bearer","expires_in":60,"x":{}}`, true},
		"scope":                 {`{"access_token":"a","token_type":"Bearer","expires_in":60,"scope":"s"}`, true},
		"huge life":             {`{"access_token":"a","token_type":"Bearer","expires_in":1099511627775}`, true},
		"no token":              {`{"token_type":"Bearer"}`, false},
		"empty token":           {`{"access_token":"","token_type":"Bearer"}`, false},
		"number as token":       {`{"access_token":1,"token_type":"Bearer"}`, false},
		"other case":            {`{"Access_Token":"a","token_type":"Bearer"}`, false},
		"line break in token":   {`{"access_token":"a\r\nX-Evil: 1","token_type":"Bearer"}`, false},
		"space in token":        {`{"access_token":"a b","token_type":"Bearer"}`, false},
		"over-long token":       {`{"access_token":"` + long + `","token_type":"Bearer"}`, false},
		"no type":               {`{"access_token":"a"}`, false},
		"other type":            {`{"access_token":"a","token_type":"DPoP"}`, false},
		"negative life":         {`{"access_token":"a","token_type":"Bearer","expires_in":-1}`, false},
		"words as life":         {`{"access_token":"a","token_type":"Bearer","expires_in":"soon"}`, false},
		"life beyond all":       {`{"access_token":"a","token_type":"Bearer","expires_in":99999999999999999999}`, false},
		"two tokens":            {`{"access_token":"a","token_type":"Bearer","access_token":"b"}`, false},
		"array":                 {`[]`, false},
		"html":                  {`<html>`, false},
		"empty":                 {``, false},
		"truncated":             {`{"access_token":"a","token_type":"Bea`, false},
		"two documents":         {`{"access_token":"a","token_type":"Bearer"}{}`, false},
		"error with status 200": {`{"error":"invalid_client"}`, false},
	} {
		s := newAuthServer(t)
		s.answer(func(w http.ResponseWriter, r *request) { io.WriteString(w, c.body) })
		token, err := newClient(t, s.config()).Token(t.Context())
		if (err == nil) != c.ok {
			t.Errorf("%s: %v, %v", name, token, err)
		}
		var e *symbolon.Error
		if err != nil && (!errors.As(err, &e) || e.Code != symbolon.ServerError || e.Status != 200) {
			t.Errorf("%s: %#v", name, err)
		}
		if err == nil && time.Until(token.Expiry) > longestLife {
			t.Errorf("%s: expires %s", name, token.Expiry)
		}
	}
}

// TestErrorsWithoutOAuth: an answer of something that is no token endpoint
// says what to look at, and repeats nothing of the page.
func TestErrorsWithoutOAuth(t *testing.T) {
	for status, code := range map[int]symbolon.Code{400: symbolon.ServerError, 404: symbolon.ServerError, 302: symbolon.ServerError, 500: symbolon.ServerError,
		502: symbolon.TemporarilyUnavailable, 503: symbolon.TemporarilyUnavailable, 429: symbolon.TemporarilyUnavailable} {
		s := newAuthServer(t)
		s.answer(func(w http.ResponseWriter, r *request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Retry-After", "60")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			io.WriteString(w, `<p>{"error":"page"}`)
		})
		_, err := newClient(t, s.config()).Token(t.Context())
		var e *symbolon.Error
		if !errors.As(err, &e) || e.Code != code || e.Status != status || strings.Contains(err.Error(), "page") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestForeignWordsStayOnOneLine: what a server writes cannot forge log lines.
func TestForeignWordsStayOnOneLine(t *testing.T) {
	s := newAuthServer(t)
	s.answer(func(w http.ResponseWriter, r *request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(400)
		json.NewEncoder(w).Encode(map[string]string{"error": "in\nvalid", "error_description": strings.Repeat("x\x1b[31m\n", 1000)})
	})
	_, err := newClient(t, s.config()).Token(t.Context())
	if text := err.Error(); strings.ContainsAny(text, "\n\x1b") || len(text) > 500 {
		t.Errorf("%q", text)
	}
}

// TestEndlessAnswerIsBounded (CVE-2026-26998): of a body without end no more
// is read than an answer may have.
func TestEndlessAnswerIsBounded(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		block := []byte(strings.Repeat(" ", 4096))
		for i := 0; ; i++ {
			if _, err := w.Write(block); err != nil {
				return
			}
			if i > 1<<16 {
				t.Error("256 MiB were read")
				return
			}
		}
	}
	s := newAuthServer(t)
	s.answer(func(w http.ResponseWriter, r *request) { endless(w, r.Request) })
	if _, err := newClient(t, s.config()).Token(t.Context()); err == nil || !strings.Contains(err.Error(), "longer than 65536") {
		t.Error(err)
	}
	srv := serve(t, http.HandlerFunc(endless))
	if _, err := Discover(t.Context(), srv.Client(), srv.URL); err == nil || !strings.Contains(err.Error(), "longer than 65536") {
		t.Error(err)
	}
}

// TestCredentialsFollowNoRedirect: a token endpoint that moves away gets no
// second request.
func TestCredentialsFollowNoRedirect(t *testing.T) {
	elsewhere := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("redirected to %s with Authorization %q", r.URL, r.Header.Get("Authorization"))
	}))
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := newAuthServer(t)
		s.answer(func(w http.ResponseWriter, r *request) { http.Redirect(w, r.Request, elsewhere.URL, status) })
		if _, err := newClient(t, s.config()).Token(t.Context()); err == nil {
			t.Error("no error")
		}
	}
}

// TestUnreachableServer tells what the network said.
func TestUnreachableServer(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	_, err := newClient(t, Config{TokenURL: srv.URL, ID: "c", Auth: Secret("s"), Now: time.Now}).Token(t.Context())
	var e *symbolon.Error
	if !errors.As(err, &e) || e.Code != symbolon.TemporarilyUnavailable || e.Status != 0 || !strings.Contains(err.Error(), "connection refused") {
		t.Error(err)
	}
}

// TestNothingPrintsASecret: no verb, no logger, no encoder reaches the secret
// or the token, from the value itself or from what holds it.
func TestNothingPrintsASecret(t *testing.T) {
	const canary = "c4n4ry-secret"
	s := &authServer{issuer: "http://auth.localhost"}
	s.answer(func(w http.ResponseWriter, r *request) {
		io.WriteString(w, `{"access_token":"c4n4ry-token","token_type":"Bearer","expires_in":60}`)
	})
	cfg := s.config()
	cfg.Auth, cfg.HTTP = Secret(canary), &http.Client{Transport: direct{s}}
	c := newClient(t, cfg)
	token, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Close() // nothing may move while its fields are printed
	type wrapping struct {
		Public  any
		private any
		token   *Token
		auth    Auth
		client  *Client
	}
	var out strings.Builder
	logger := slog.New(slog.NewJSONHandler(&out, nil))
	plain := slog.New(slog.NewTextHandler(&out, nil))
	for _, v := range []any{token, *token, cfg.Auth, cfg, &cfg, c, &PerRPC{c}, c.cache.current.Load(), c.HTTP(), c.Transport(nil)} {
		for _, w := range []any{v, wrapping{v, v, token, cfg.Auth, c}, &wrapping{v, v, token, cfg.Auth, c}, []any{v}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
				fmt.Fprintf(&out, verb+"\n", w)
			}
			logger.Info("x", "v", w)
			plain.Info("x", "v", w)
			if b, err := json.Marshal(w); err == nil {
				out.Write(b)
			}
		}
	}
	for _, secret := range []string{"c4n4ry", fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("%x", "c4n4ry-token")} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s was printed", secret)
		}
	}
}
