package server

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/web"
)

// FuzzReadRequest: whatever comes, the refusal is the client's (never a 5xx),
// and what is accepted names one client, one method and printable values.
func FuzzReadRequest(f *testing.F) {
	f.Add("POST", "", formType, basicAuth("billing", secret1), grant+"&scope=a+b&resource=https://a")
	f.Add("POST", "", formType+"; charset=utf-8", "", grant+"&client_id=a&client_secret=b")
	f.Add("POST", "client_secret=x", formType, "", "")
	f.Add("GET", "", "", "Basic", "&&=;%")
	f.Add("POST", "", formType, "", "client_assertion=x&client_secret=y")
	f.Fuzz(func(t *testing.T, method, query, contentType, authorization, body string) {
		r := httptest.NewRequest("POST", "/token", strings.NewReader(body))
		r.Method, r.URL.RawQuery = method, query
		r.Header["Content-Type"] = []string{contentType}
		if authorization != "" {
			r.Header["Authorization"] = []string{authorization}
		}
		var q *request
		var err error
		w := httptest.NewRecorder()
		web.Wrap(web.Config{}, func(w http.ResponseWriter, r *http.Request) error {
			if q, err = readRequest(web.ExchangeOf(w), r, manner{}, new([]byte)); err == nil {
				err = q.readScope()
			}
			return err
		}).ServeHTTP(w, r)
		if err != nil {
			if status := symbolon.AsError(err).Code.TokenStatus(); status >= 500 {
				t.Errorf("%d %v", status, err)
			}
			return
		}
		switch {
		case method != "POST" || query != "":
			t.Errorf("let through: %s ?%s", method, query)
		case q.ClientID == "" || q.Method == "" || !printable(q.ClientID) || !printable(q.Secret) || !printable(q.Audience):
			t.Errorf("let through: %+v", *q)
		case (q.Method == symbolon.AuthSecretBasic) != (authorization != ""):
			t.Errorf("%s with Authorization %q", q.Method, authorization)
		case slices.ContainsFunc(append(q.Scopes, q.Resources...), func(s string) bool { return s == "" || !printable(s) }):
			t.Errorf("let through: %q %q", q.Scopes, q.Resources)
		}
	})
}
