package resource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/internal/logtest"
)

// teller is an issuer of opaque tokens: it says of each what the test decides.
type teller struct {
	url       string
	questions atomic.Int64

	mu      sync.Mutex
	known   map[string]*symbolon.Claims // by token; others are not active
	replies http.HandlerFunc            // nil: by known
}

func (s *teller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		fmt.Fprintf(w, `{"issuer":%q,"introspection_endpoint":%q,"jwks_uri":%q}`, s.url, s.url+"/introspect", s.url+"/jwks")
		return
	case "/introspect":
	default:
		http.NotFound(w, r)
		return
	}
	s.questions.Add(1)
	r.ParseForm()
	s.mu.Lock()
	claims, reply := s.known[r.PostFormValue("token")], s.replies
	s.mu.Unlock()
	if reply != nil {
		reply(w, r)
		return
	}
	tell(w, claims, "")
}

// tell answers; a nil claims is of a token that is not active.
func tell(w http.ResponseWriter, c *symbolon.Claims, kind string) {
	a := symbolon.IntrospectionAnswer{Active: c != nil, TokenType: symbolon.TokenTypeBearer}
	if c != nil {
		a.Claims = *c
		if c.Confirmation != nil && c.Confirmation.JKT != "" {
			a.TokenType = symbolon.TokenTypeDPoP
		}
	}
	if kind != "" {
		a.TokenType = kind
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(a.AppendJSON(nil))
}

// issue makes the token known, with good claims after change.
func (s *teller) issue(token string, change func(*symbolon.Claims)) {
	now := time.Now()
	c := &symbolon.Claims{
		Issuer: s.url, Subject: "billing", Audience: []string{audience}, Expiry: now.Unix() + 3600, IssuedAt: now.Unix(),
		ID: "j1", ClientID: "billing", Scope: "orders:read orders:list", Gen: 7, Cred: "s1",
	}
	if change != nil {
		change(c)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = make(map[string]*symbolon.Claims)
	}
	s.known[token] = c
}

func (s *teller) revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, token)
}

// reply decides what every question is answered with; nil: by the token.
func (s *teller) reply(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies = h
}

func newTeller(t *testing.T) *teller {
	t.Helper()
	s := &teller{}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// config is of an API that asks for each request.
func (s *teller) config() Config {
	return Config{Issuer: s.url, Audience: audience, Introspection: &Introspection{ID: "orders-api", Auth: client.Secret("s3cr3t"), Cache: -1}}
}

// told runs a test in which time passes only while nothing happens, with an API
// that keeps answers for a second and an issuer that knows the token "opaque".
func told(t *testing.T, test func(*testing.T, *API, *teller)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &teller{url: "http://auth.localhost"}
		s.issue("opaque", nil)
		cfg := s.config()
		cfg.Introspection.Cache = 0
		cfg.HTTP = pipe(t, s)
		test(t, newAPI(t, cfg), s)
	})
}

// refusedAs asks about a token that is to be refused.
func refusedAs(t *testing.T, a *API, r Request, want *symbolon.Error) {
	t.Helper()
	caller, err := a.Check(t.Context(), r)
	var e *symbolon.Error
	if !errors.As(err, &e) || e.Code != want.Code || e.Description != want.Description || caller != nil {
		t.Errorf("%v, %v, want %v", caller, err, want)
	}
}

// letIn asks about a token that is good.
func letIn(t *testing.T, a *API, r Request) *Caller {
	t.Helper()
	caller, err := a.Check(t.Context(), r)
	if err != nil {
		t.Fatalf("%v: %v", err, errors.Unwrap(errors.Unwrap(err)))
	}
	return caller
}

// TestOpaqueTokens: the caller is whom the issuer names.
func TestOpaqueTokens(t *testing.T) {
	s := newTeller(t)
	s.issue("opaque", func(c *symbolon.Claims) { c.Audience = []string{"https://a.example", audience} })
	a := newAPI(t, s.config())
	c, err := check(a, "opaque", "orders:read")
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuer != s.url || c.ClientID != "billing" || c.Subject != "billing" || c.TokenID != "j1" || strings.Join(c.Scopes, " ") != "orders:read orders:list" || c.Claims.Cred != "s1" {
		t.Errorf("%+v", c)
	}
	if _, err := check(a, "opaque", "orders:write"); !errors.Is(err, errScope) {
		t.Error(err)
	}
}

// TestOpaqueTokensAreRefusedUnlessTheIssuerIsAsked: as they were before.
func TestOpaqueTokensAreRefusedUnlessTheIssuerIsAsked(t *testing.T) {
	s := newTeller(t)
	cfg := s.config()
	cfg.Introspection = nil
	a := newAPI(t, cfg)
	for _, token := range []string{"opaque", "a.b", "a.b.c.d", "a.b.c.d.e"} {
		s.issue(token, nil)
		refusedAs(t, a, with(token), errMalformed)
	}
	if s.questions.Load() != 0 {
		t.Error("the issuer was asked")
	}
}

// TestOpaqueTokensAreMentioned to the operator who did not configure introspection:
// once in a while, without the token, and not for what is no token at all.
func TestOpaqueTokensAreMentioned(t *testing.T) {
	const token, line = "sY2c8Vq3nT7pL0xZ5wR9aB", "introspection is not configured"
	var log logtest.Buffer
	clock := newClock()
	s := newTeller(t)
	cfg := s.config()
	ask := cfg.Introspection
	cfg.Introspection, cfg.Logger, cfg.Now = nil, log.Logger(), clock.Now
	a := newAPI(t, cfg)
	for _, c := range []struct {
		after time.Duration
		token string
		want  int
	}{
		{0, "undefined", 0}, {0, "a." + token, 0}, {0, "a.b." + token, 0}, {0, token, 1}, {time.Minute, token, 1}, {time.Minute, "b" + token, 1},
		{mentionAgain, token, 2}, {-time.Hour, token, 3},
	} {
		clock.Advance(c.after)
		refusedAs(t, a, with(c.token), errMalformed)
		if n := log.Count(line); n != c.want {
			t.Errorf("after %s, %q: %d lines, want %d", c.after, c.token, n, c.want)
		}
	}
	if _, err := a.ExplainToken(t.Context(), token); err == nil || strings.Contains(log.String(), token) || log.Count("fix=") != 3 {
		t.Error(err, log.String())
	}
	cfg.Introspection = ask
	refusedAs(t, newAPI(t, cfg), with(token), errInactive)
	if log.Count(line) != 3 {
		t.Error("it is mentioned where it is configured")
	}
}

// TestSignedTokensAreCheckedHere, unless Always says otherwise: then their
// signature says nothing, and the issuer everything.
func TestSignedTokensAreCheckedHere(t *testing.T) {
	i, s := newIssuer(t), newTeller(t)
	both := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/jwks" {
			i.ServeHTTP(w, r)
			return
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(both.Close)
	i.url, s.url = both.URL, both.URL
	token := i.token(t, nil)
	cfg := s.config()
	letIn(t, newAPI(t, cfg), with(token))
	if s.questions.Load() != 0 {
		t.Error("the issuer was asked")
	}
	cfg.Introspection.Always = true
	a := newAPI(t, cfg)
	refusedAs(t, a, with(token), errInactive)
	s.issue(token, func(c *symbolon.Claims) { c.ClientID = "another" })
	if c := letIn(t, a, with(token)); c.ClientID != "another" || s.questions.Load() != 2 {
		t.Errorf("%+v, %d questions", c, s.questions.Load())
	}
}

// TestNoAnswerLetsNobodyIn: an issuer that is down, or answers with anything but
// an answer, is 503 with Retry-After, also for a token that was good before.
func TestNoAnswerLetsNobodyIn(t *testing.T) {
	for name, reply := range map[string]http.HandlerFunc{
		"500":                   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"502":                   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) },
		"404":                   http.NotFound,
		"who asks is not known": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) },
		"garbage":               func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("\x00\x01garbage")) },
		"html":                  func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) },
		"active alone, as text": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"active":true}`)) },
		"active twice": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"active":false,"active":true}`))
		},
		"a body without end": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"active":true,"x":"`)
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
					return
				}
			}
		},
		"a binding that nobody knows": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"active":true,"cnf":{"kid":"x"}}`)
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"silence":    func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"hanging up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			told(t, func(t *testing.T, a *API, s *teller) {
				letIn(t, a, with("opaque"))
				s.reply(reply)
				time.Sleep(maxAnswerLife)
				_, err := a.Check(t.Context(), with("opaque"))
				w := httptest.NewRecorder()
				a.WriteError(w, err)
				if after := w.Header().Get("Retry-After"); w.Code != http.StatusServiceUnavailable || after == "" || after == "0" ||
					!strings.Contains(w.Body.String(), `"temporarily_unavailable"`) || w.Header().Get("WWW-Authenticate") != "" {
					t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
				}
				s.reply(nil)
				time.Sleep(10 * time.Second)
				letIn(t, a, with("opaque")) // the failure is not kept
			})
		})
	}
}

// TestNobodyAtTheIssuersAddress: also the first question is 503.
func TestNobodyAtTheIssuersAddress(t *testing.T) {
	s := newTeller(t)
	cfg := s.config()
	cfg.Issuer = "http://127.0.0.1:1"
	refusedAs(t, newAPI(t, cfg), with("opaque"), errNoAnswer)
}

// TestRetryAfterIsPassedOn to callers, and the issuer is left alone until then.
func TestRetryAfterIsPassedOn(t *testing.T) {
	told(t, func(t *testing.T, a *API, s *teller) {
		s.reply(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		for range 5 {
			_, err := a.Check(t.Context(), with("opaque"))
			var e *symbolon.Error
			if !errors.As(err, &e) || e.Code != symbolon.TemporarilyUnavailable || e.RetryAfter < 20*time.Second || e.RetryAfter > 40*time.Second {
				t.Errorf("%v, %v", err, e)
			}
			time.Sleep(time.Second)
		}
		if s.questions.Load() != 1 {
			t.Errorf("%d questions", s.questions.Load())
		}
	})
}

// TestNewNamesTheFieldOfIntrospection: what cannot work fails at construction.
func TestNewNamesTheFieldOfIntrospection(t *testing.T) {
	for name, c := range map[string]struct {
		field  string
		change func(*Config)
	}{
		"no id":           {"Introspection.ID", func(c *Config) { c.Introspection.ID = "" }},
		"no auth":         {"Introspection.Auth", func(c *Config) { c.Introspection.Auth = nil }},
		"an empty secret": {"Introspection.Auth", func(c *Config) { c.Introspection.Auth = client.Secret("") }},
		"no such file":    {"Introspection.Auth", func(c *Config) { c.Introspection.Auth = client.SecretFile("/nonexistent") }},
		"cache of 2 s":    {"Introspection.Cache", func(c *Config) { c.Introspection.Cache = 2 * time.Second }},
		"several issuers": {"Introspection.Always", func(c *Config) {
			c.Introspection.Always, c.Issuers = true, []string{"https://partners.example.com"}
		}},
		"no room for a certificate": {"HTTP", func(c *Config) {
			c.HTTP = &http.Client{Transport: wrapped{}}
			c.Introspection.Auth = client.Certificate(certificate(t, "orders-api"))
		}},
	} {
		cfg := Config{Issuer: "https://auth.example.com", Audience: audience, Introspection: &Introspection{ID: "orders-api", Auth: client.Secret("s")}}
		c.change(&cfg)
		_, err := New(cfg)
		if field := new(symbolon.ConfigError); !errors.As(err, &field) || field.Field != c.field || !strings.HasPrefix(err.Error(), "resource: Config."+c.field+": ") {
			t.Errorf("%s: %v is not about %s", name, err, c.field)
		}
	}
}

type wrapped struct{ http.RoundTripper }

// TestExplainOpaque: the steps in words, of a request and of a token alone.
func TestExplainOpaque(t *testing.T) {
	told(t, func(t *testing.T, a *API, s *teller) {
		letIn(t, a, with("opaque"))
		_, checks, err := a.Explain(t.Context(), with("opaque"), "orders:read")
		names := steps(checks)
		if err != nil || !strings.HasPrefix(names, "request introspection active issuer audience token type claims expiry begin") || !strings.HasSuffix(names, "scope") {
			t.Errorf("%v: %s", err, names)
		}
		if s.questions.Load() != 2 {
			t.Error("an explanation asks anew")
		}
		if checks, err := a.ExplainToken(t.Context(), "opaque", "orders:read"); err != nil || len(checks) < 6 {
			t.Errorf("%v: %v", err, checks)
		}
		checks, err = a.ExplainToken(t.Context(), "another")
		if last := checks[len(checks)-1]; !errors.Is(err, errInactive) || last.Name != "active" || last.OK || !strings.Contains(last.Got, "orders-api") || !strings.Contains(last.Fix, "resource servers") {
			t.Errorf("%v: %+v", err, checks)
		}
		s.reply(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) })
		checks, err = a.ExplainToken(t.Context(), "opaque")
		if last := checks[len(checks)-1]; !errors.Is(err, errNoAnswer) || last.Name != "introspection" || !strings.Contains(last.Got, "answered 401") {
			t.Errorf("%v: %+v", err, checks)
		}
		for _, c := range checks {
			if strings.Contains(c.Expected+c.Got+c.Fix, "opaque") {
				t.Errorf("the token is in %+v", c)
			}
		}
	})
}

func steps(checks []symbolon.Check) string {
	var names []string
	for _, c := range checks {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}

// TestStands: a token that goes on being used is asked about again, and ends with
// its revocation; that its issuer is away is told as that.
func TestStands(t *testing.T) {
	told(t, func(t *testing.T, a *API, s *teller) {
		c := letIn(t, a, with("opaque"))
		for range 20 {
			if err := a.Stands(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := s.questions.Load(); n < 3 || n > 6 {
			t.Errorf("%d questions in 20 s", n)
		}
		s.reply(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) })
		time.Sleep(askAgain)
		if err := a.Stands(t.Context(), c); !errors.Is(err, errNoAnswer) {
			t.Error(err)
		}
		s.reply(nil)
		time.Sleep(10 * time.Second)
		if err := a.Stands(t.Context(), c); err != nil {
			t.Error(err)
		}
		s.issue("opaque", func(c *symbolon.Claims) { c.ClientID = "another" })
		time.Sleep(askAgain)
		if err := a.Stands(t.Context(), c); !errors.Is(err, errInactive) {
			t.Errorf("another client's: %v", err)
		}
		s.revoke("opaque")
		time.Sleep(askAgain)
		if err := a.Stands(t.Context(), c); !errors.Is(err, errInactive) {
			t.Error(err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.Stands(gone, c); err == nil {
			t.Error("nobody waited for the answer")
		}
	})
}
