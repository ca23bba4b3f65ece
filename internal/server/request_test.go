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
// and what is accepted names one client, one method and printable values. What is
// accepted by RFC 6749 says the same in every other manner.
func FuzzReadRequest(f *testing.F) {
	f.Add("POST", "", formType, basicAuth("billing", secret1), grant+"&scope=a+b&resource=https://a")
	f.Add("POST", "", formType+"; charset=utf-8", "", grant+"&client_id=a&client_secret=b")
	f.Add("POST", "client_secret=x", formType, "", "")
	f.Add("POST", grant, "", basic("billing:100%25+x"), "")
	f.Add("POST", "", jsonType, "", `{"client_id":"a","client_secret":{"$ne":null}}`)
	f.Add("POST", "", jsonType, "", `{"client_id":"a","client_secret":"b","resource":"https://a"}`)
	f.Add("GET", "", "", "Basic", "&&=;%")
	f.Add("POST", "", formType, "", "client_assertion=x&client_secret=y")
	f.Fuzz(func(t *testing.T, method, query, contentType, authorization, body string) {
		read := func(m manner) (q *request, err error) {
			r := httptest.NewRequest("POST", "/token", strings.NewReader(body))
			r.Method, r.URL.RawQuery = method, query
			r.Header["Content-Type"] = []string{contentType}
			if authorization != "" {
				r.Header["Authorization"] = []string{authorization}
			}
			web.Wrap(web.Config{}, func(w http.ResponseWriter, r *http.Request) error {
				if q, err = readRequest(web.ExchangeOf(w), r, m, new([]byte)); err == nil {
					err = q.readScope()
				}
				return err
			}).ServeHTTP(httptest.NewRecorder(), r)
			return q, err
		}
		strict, err := read(manner{})
		lenient, lenientErr := read(manner{json: true, query: inURL, rawBasic: true})
		checkRead(t, strict, err, method, authorization)
		checkRead(t, lenient, lenientErr, method, authorization)
		if err != nil {
			return
		}
		if query != "" {
			t.Errorf("let through: ?%s", query)
		}
		if lenientErr != nil || lenient.ClientID != strict.ClientID || lenient.Secret != strict.Secret || lenient.Method != strict.Method ||
			!slices.Equal(lenient.Scopes, strict.Scopes) || !slices.Equal(lenient.Resources, strict.Resources) {
			t.Errorf("%+v %v, in another manner %+v %v", *strict, err, *lenient, lenientErr)
		}
	})
}

func checkRead(t *testing.T, q *request, err error, method, authorization string) {
	t.Helper()
	if err != nil {
		if status := symbolon.AsError(err).Code.TokenStatus(); status >= 500 {
			t.Errorf("%d %v", status, err)
		}
		return
	}
	switch {
	case method != "POST":
		t.Errorf("let through: %s", method)
	case q.ClientID == "" || q.Method == "" || !printable(q.ClientID) || !printable(q.Secret) || !printable(q.RawSecret) || !printable(q.Audience):
		t.Errorf("let through: %+v", *q)
	case (q.Method == symbolon.AuthSecretBasic) != (authorization != ""):
		t.Errorf("%s with Authorization %q", q.Method, authorization)
	case slices.ContainsFunc(append(q.Scopes, q.Resources...), func(s string) bool { return s == "" || !printable(s) }):
		t.Errorf("let through: %q %q", q.Scopes, q.Resources)
	}
}
