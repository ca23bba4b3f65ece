package client

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

const (
	opaque       = "0paque_token-of.one~dot"
	activeAnswer = `{"active":true,"token_type":"Bearer","iss":"https://auth.example.com","client_id":"billing","exp":1900000000}`
)

// asked is the server side of a test: metadata and an introspection endpoint whose
// answers the test decides.
type asked struct {
	issuer    string
	metadata  atomic.Pointer[string]                              // members besides the issuer; nil: the endpoint
	documents atomic.Int64                                        // requests for metadata
	requests  atomic.Int64                                        // questions
	question  atomic.Pointer[func(http.ResponseWriter, *request)] // nil: activeAnswer
}

func (s *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		s.documents.Add(1)
		members := fmt.Sprintf(`"introspection_endpoint":%q`, s.issuer+"/introspect")
		if m := s.metadata.Load(); m != nil {
			members = *m
		}
		fmt.Fprintf(w, `{"issuer":%q,%s}`, s.issuer, members)
	case "/introspect", "/moved":
		q := &request{s.requests.Add(1), r}
		if f := s.question.Load(); f != nil {
			(*f)(w, q)
			return
		}
		say(w, activeAnswer)
	default:
		http.NotFound(w, r)
	}
}

func (s *asked) answer(f func(http.ResponseWriter, *request)) { s.question.Store(&f) }
func (s *asked) says(members string)                          { s.metadata.Store(&members) }

// say answers a question.
func say(w http.ResponseWriter, answer string) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	io.WriteString(w, answer)
}

func newAsked(t *testing.T) *asked {
	t.Helper()
	s := &asked{}
	s.issuer = serve(t, s).URL
	return s
}

func (s *asked) config() IntrospectorConfig {
	return IntrospectorConfig{Issuer: s.issuer, ID: "orders-api", Auth: Secret("s3cr3t")}
}

func newIntrospector(t *testing.T, cfg IntrospectorConfig) *Introspector {
	t.Helper()
	if cfg.HTTP == nil {
		tr := &http.Transport{}
		t.Cleanup(tr.CloseIdleConnections)
		cfg.HTTP = &http.Client{Transport: tr}
	}
	i, err := NewIntrospector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() })
	return i
}

// active asks about a token that must be good.
func active(t *testing.T, i *Introspector, token string) *symbolon.IntrospectionAnswer {
	t.Helper()
	answer, err := i.Introspect(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if !answer.Active {
		t.Fatal("not active")
	}
	return answer
}

// TestRFC7662_2_1_Question is what goes over the wire.
func TestRFC7662_2_1_Question(t *testing.T) {
	s := newAsked(t)
	s.answer(func(w http.ResponseWriter, r *request) {
		body, _ := io.ReadAll(r.Body)
		id, secret, ok := r.BasicAuth()
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.Header.Get("Accept") != "application/json" ||
			!ok || id != "orders-api" || secret != "s3cr3t" || string(body) != "token="+opaque+"&token_type_hint=access_token" || r.URL.RawQuery != "" {
			t.Errorf("%s %s %v %s", r.Method, r.URL, r.Header, body)
		}
		say(w, activeAnswer)
	})
	answer := active(t, newIntrospector(t, s.config()), opaque)
	if answer.TokenType != "Bearer" || answer.Claims.ClientID != "billing" || answer.Claims.Expiry != 1900000000 {
		t.Errorf("%+v", answer)
	}
}

// TestRFC7662_2_1_EveryQuestionIsAuthenticated by each method: never without.
func TestRFC7662_2_1_EveryQuestionIsAuthenticated(t *testing.T) {
	key := p256(t)
	file := write(t, "", []byte("s3cr3t\n"))
	for name, c := range map[string]struct {
		auth     Auth
		metadata string // beside the endpoint
		good     func(*request) bool
	}{
		"secret from a file": {SecretFile(file), ``, func(r *request) bool { _, s, ok := r.BasicAuth(); return ok && s == "s3cr3t" }},
		"secret in the body": {Secret("s3cr3t"), `,"introspection_endpoint_auth_methods_supported":["client_secret_post"],"token_endpoint_auth_methods_supported":["client_secret_basic"]`,
			func(r *request) bool {
				return r.PostFormValue("client_secret") == "s3cr3t" && r.PostFormValue("client_id") == "orders-api"
			}},
		"as at the token endpoint": {Secret("s3cr3t"), `,"token_endpoint_auth_methods_supported":["client_secret_post"]`,
			func(r *request) bool { return r.PostFormValue("client_secret") == "s3cr3t" }},
		"private key": {PrivateKeyJWT(key, "k1"), ``, func(r *request) bool {
			a := readAssertion(t, r.Request, key.Public(), "ES256")
			return a.claims["aud"] == "http://"+r.Host && a.claims["sub"] == "orders-api" && a.form.Get("token") == opaque
		}},
	} {
		s := newAsked(t)
		s.says(fmt.Sprintf(`"introspection_endpoint":"%s/introspect"%s`, s.issuer, c.metadata))
		s.answer(func(w http.ResponseWriter, r *request) {
			if !c.good(r) {
				t.Errorf("%s: %v %v", name, r.Header, r.PostForm)
			}
			say(w, activeAnswer)
		})
		cfg := s.config()
		cfg.Auth = c.auth
		active(t, newIntrospector(t, cfg), opaque)
	}
}

// TestRFC8705_5_QuestionsGoToTheAlias: who authenticates by a certificate
// presents it there, and nowhere else.
func TestRFC8705_5_QuestionsGoToTheAlias(t *testing.T) {
	m := newMutual(t)
	certificate := selfSigned(t, p256(t), "orders-api", tomorrow())
	alias := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if thumbprint(r) != symbolon.CertificateThumbprint(certificate.Certificate[0]) || r.PostFormValue("client_id") != "orders-api" || r.Header.Get("Authorization") != "" {
			t.Errorf("%q, %v", thumbprint(r), r.PostForm)
		}
		say(w, activeAnswer)
	}))
	alias.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	alias.StartTLS()
	t.Cleanup(alias.Close)
	m.pool.AddCert(alias.Certificate())
	var plain *httptest.Server
	plain = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.PeerCertificates != nil || r.Method != http.MethodGet {
			t.Errorf("%s %s, with a certificate: %v", r.Method, r.URL, r.TLS.PeerCertificates != nil)
		}
		json.NewEncoder(w).Encode(map[string]any{"issuer": plain.URL, "introspection_endpoint": plain.URL + "/introspect",
			"mtls_endpoint_aliases": map[string]string{"introspection_endpoint": alias.URL + "/introspect"}})
	}))
	t.Cleanup(plain.Close)
	m.pool.AddCert(plain.Certificate())
	cfg := m.config(nil)
	active(t, newIntrospector(t, IntrospectorConfig{Issuer: plain.URL, ID: "orders-api", Auth: Certificate(certificate), HTTP: cfg.HTTP}), opaque)
}

// TestRFC7662_2_2_Answers: what is an answer, and what is not one.
func TestRFC7662_2_2_Answers(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		active string // "" is an error
	}{
		"active":              {activeAnswer, "yes"},
		"not active":          {`{"active":false}`, "no"},
		"not active, and why": {`{"active":false,"iss":"x","error":"revoked"}`, "no"},
		"other members":       {`{"active":true,"username":"ann","x":{"y":1}}`, "yes"},
		"nothing":             {``, ""},
		"null":                {`null`, ""},
		"array":               {`[{"active":true}]`, ""},
		"html":                {`<html>`, ""},
		"no active":           {`{"iss":"x"}`, ""},
		"active as a string":  {`{"active":"true"}`, ""},
		"active as a number":  {`{"active":1}`, ""},
		"active as null":      {`{"active":null}`, "no"},
		"in capitals":         {`{"Active":true}`, ""},
		"twice":               {`{"active":false,"active":true}`, ""},
		"twice by an escape":  {`{"active":true,"exp":1,"e\u0078p":1900000000}`, ""},
		"a claim twice":       {`{"active":true,"aud":"a","aud":"b"}`, ""},
		"twice further down":  {`{"active":true,"cnf":{"jkt":"a","jkt":"b"}}`, ""},
		"unknown binding":     {`{"active":true,"cnf":{"kid":"k"}}`, ""},
		"binding to nothing":  {`{"active":true,"cnf":{"jkt":null}}`, ""},
		"scope as an array":   {`{"active":true,"scope":["a"]}`, ""},
		"exp as a string":     {`{"active":true,"exp":"1900000000"}`, ""},
		"exp beyond all":      {`{"active":true,"exp":1e300}`, ""},
		"two answers":         {`{"active":true}{"active":true}`, ""},
		"truncated":           {`{"active":true`, ""},
		"too deep":            {`{"active":true,"x":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`, ""},
		"bad UTF-8":           {"{\"active\":true,\"x\":\"\xff\"}", ""},
		"too long":            {`{"active":true,"x":"` + strings.Repeat("x", symbolon.MaxBody) + `"}`, ""},
	} {
		s := newAsked(t)
		s.answer(func(w http.ResponseWriter, r *request) { say(w, c.answer) })
		answer, err := newIntrospector(t, s.config()).Introspect(t.Context(), opaque)
		var e *symbolon.Error
		switch {
		case c.active == "" && (answer != nil || !errors.As(err, &e) || e.Code != symbolon.ServerError || e.Status != http.StatusOK):
			t.Errorf("%s: %+v, %v", name, answer, err)
		case c.active != "" && (err != nil || answer.Active != (c.active == "yes")):
			t.Errorf("%s: %+v, %v", name, answer, err)
		case c.active == "no" && (answer.Claims.Issuer != "" || answer.Claims.Extra != nil):
			t.Errorf("%s: claims of a token that is not active: %+v", name, answer)
		}
	}
}

// TestRFC7662_2_2_AnswersAreJSON: also a signed one (RFC 9701) was not asked for.
func TestRFC7662_2_2_AnswersAreJSON(t *testing.T) {
	for _, kind := range []string{"", "text/html", "text/plain", "application/jwt", symbolon.MediaIntrospection, "application/json, text/html"} {
		s := newAsked(t)
		s.answer(func(w http.ResponseWriter, r *request) {
			w.Header()["Content-Type"] = []string{kind}
			io.WriteString(w, activeAnswer)
		})
		if answer, err := newIntrospector(t, s.config()).Introspect(t.Context(), opaque); err == nil {
			t.Errorf("%q: %+v", kind, answer)
		}
	}
}

// TestRFC7662_4_NoRedirect: neither the token nor the credential goes on.
func TestRFC7662_4_NoRedirect(t *testing.T) {
	var elsewhere atomic.Int64
	other := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere.Add(1)
		say(w, activeAnswer)
	}))
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := newAsked(t)
		s.answer(func(w http.ResponseWriter, r *request) { http.Redirect(w, r.Request, other.URL, status) })
		answer, err := newIntrospector(t, s.config()).Introspect(t.Context(), opaque)
		if err == nil || elsewhere.Load() != 0 {
			t.Errorf("%d: %+v, %d requests elsewhere", status, answer, elsewhere.Load())
		}
	}
}

// TestRFC7662_2_3_WhoAsksIsNotKnown: the error is that of the server.
func TestRFC7662_2_3_WhoAsksIsNotKnown(t *testing.T) {
	s := newAsked(t)
	s.answer(func(w http.ResponseWriter, r *request) { refuse(w, http.StatusUnauthorized, "invalid_client") })
	_, err := newIntrospector(t, s.config()).Introspect(t.Context(), opaque)
	var e *symbolon.Error
	if !errors.As(err, &e) || e.Code != symbolon.InvalidClient || e.Status != 401 || e.RequestID != "rid-1" || e.Description != "words from the server" {
		t.Errorf("%#v", err)
	}
}

// TestRFC7662_4_QuestionsTravelOverTLS, but on loopback.
func TestRFC7662_4_QuestionsTravelOverTLS(t *testing.T) {
	s := newAsked(t)
	s.says(`"introspection_endpoint":"http://auth.example.com/introspect"`)
	if _, err := newIntrospector(t, s.config()).Introspect(t.Context(), opaque); err == nil || !strings.Contains(err.Error(), "plain http") {
		t.Error(err)
	}
}

// TestIntrospectionIsNotOffered: the metadata names no endpoint.
func TestIntrospectionIsNotOffered(t *testing.T) {
	s := newAsked(t)
	s.says(`"token_endpoint":"` + s.issuer + `/token"`)
	_, err := newIntrospector(t, s.config()).Introspect(t.Context(), opaque)
	var e *symbolon.Error
	if !errors.As(err, &e) || e.Code != symbolon.TemporarilyUnavailable || !strings.Contains(e.Description, "no introspection_endpoint") {
		t.Error(err)
	}
}

// TestWhatIsNoTokenIsNotSent (RFC 6750 §2.1).
func TestWhatIsNoTokenIsNotSent(t *testing.T) {
	s := newAsked(t)
	i := newIntrospector(t, s.config())
	for _, text := range []string{"", "=", "a b", "a\nb", "a&token=b", "ä", "a\x00", strings.Repeat("a", symbolon.MaxToken+1)} {
		if answer, err := i.Introspect(t.Context(), text); err != nil || answer.Active {
			t.Errorf("%.20q: %v, %v", text, answer, err)
		}
	}
	if s.requests.Load() != 0 || s.documents.Load() != 0 {
		t.Error("the server was asked")
	}
	active(t, i, strings.Repeat("a", symbolon.MaxToken))
}

// TestNewIntrospectorNamesTheField: what cannot work fails at construction.
func TestNewIntrospectorNamesTheField(t *testing.T) {
	good := IntrospectorConfig{Issuer: "https://auth.example.com", ID: "orders-api", Auth: Secret("s")}
	for name, c := range map[string]struct {
		field  string
		change func(*IntrospectorConfig)
	}{
		"no issuer":        {"Issuer", func(c *IntrospectorConfig) { c.Issuer = "" }},
		"issuer over http": {"Issuer", func(c *IntrospectorConfig) { c.Issuer = "http://auth.example.com" }},
		"no id":            {"ID", func(c *IntrospectorConfig) { c.ID = "" }},
		"no auth":          {"Auth", func(c *IntrospectorConfig) { c.Auth = nil }},
		"an empty secret":  {"Auth", func(c *IntrospectorConfig) { c.Auth = Secret("") }},
		"no such file":     {"Auth", func(c *IntrospectorConfig) { c.Auth = SecretFile("/nonexistent/secret") }},
		"an hour":          {"Timeout", func(c *IntrospectorConfig) { c.Timeout = time.Hour }},
		"less than none":   {"Timeout", func(c *IntrospectorConfig) { c.Timeout = -1 }},
		"no transport": {"HTTP", func(c *IntrospectorConfig) {
			c.Auth, c.HTTP = Certificate(selfSigned(t, p256(t), "x", tomorrow())), &http.Client{Transport: direct{}}
		}},
	} {
		cfg := good
		c.change(&cfg)
		_, err := NewIntrospector(cfg)
		if field := new(symbolon.ConfigError); !errors.As(err, &field) || field.Field != c.field {
			t.Errorf("%s: %v is not about %s", name, err, c.field)
		}
	}
}
