package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/registry"
)

var typeJSON = []string{"Content-Type", jsonType}

// TestJSON: the parameters as one JSON object, where the dialect takes them so.
func TestJSON(t *testing.T) {
	f := newDialectFixture(t, &Dialect{Name: "x", JSON: true})
	good := `{"grant_type":"client_credentials","client_id":"everywhere","client_secret":"` + secret1 + `","audience":"https://orders.example.com"}`
	f.letThrough(t, refusedBy(errContentType), func(issuer string) *httptest.ResponseRecorder {
		return f.asks(issuer, good, typeJSON...)
	})
	for name, body := range map[string]string{
		"a media type with a parameter":    good,
		"white space":                      "\r\n\t " + strings.ReplaceAll(good, ",", " , ") + "\n",
		"escapes":                          strings.Replace(good, "client_id", `client\u005fid`, 1),
		"empty, unknown and repeated ones": strings.Replace(good, "{", `{"scope":"","colour":"blue","line":"\n","Client_id":"nobody",`, 1),
		"64 members":                       strings.Replace(good, "{", "{"+manyMembers(60), 1),
	} {
		t.Run(name, func(t *testing.T) { f.textOf(f.asks(vendor, body, "Content-Type", "Application/JSON; charset=utf-8")) })
	}
	f.textOf(f.asks(vendor, `{"grant_type":"client_credentials"}`, append(typeJSON, "Authorization", basicAuth("everywhere", secret1))...))
	f.textOf(f.asks(vendor, grant, "Authorization", basicAuth("everywhere", secret1))) // the form goes on
	f.textOf(f.asks(vendor, `{"grant_type":"client_credentials","client_assertion_type":"`+symbolon.AssertionTypeJWT+`","client_assertion":"`+f.assertionAt(vendor, "here-and-there").text(t)+`"}`, typeJSON...))
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"m` + string(rune('a'+i%26)) + strings.Repeat("x", i/26) + `":"v",`)
	}
	return b.String()
}

// TestBadJSON: what is no object of strings, each once, reaches nothing.
func TestBadJSON(t *testing.T) {
	f := newDialectFixture(t, &Dialect{Name: "x", JSON: true})
	with := func(member string) string {
		return `{"grant_type":"client_credentials","client_id":"everywhere","client_secret":"` + secret1 + `",` + member + `}`
	}
	notJSON, repeated := refusedBy(errJSONForm), refusedBy(errRepeated)
	tests := map[string]struct {
		body string
		want refusal
	}{
		"NoSQL: an object as the client":  {`{"grant_type":"client_credentials","client_id":{"$ne":null},"client_secret":{"$ne":null}}`, notJSON},
		"NoSQL: an object as the secret":  {`{"grant_type":"client_credentials","client_id":"everywhere","client_secret":{"$gt":""}}`, notJSON},
		"a list as the client":            {`{"client_id":["everywhere"]}`, notJSON},
		"a number":                        {with(`"scope":1`), notJSON},
		"true":                            {with(`"scope":true`), notJSON},
		"null":                            {with(`"scope":null`), notJSON},
		"an object that nobody reads":     {with(`"colour":{}`), notJSON},
		"a number that nobody reads":      {with(`"colour":0`), notJSON},
		"a member twice":                  {with(`"client_id":"nobody"`), repeated},
		"a member twice, the same":        {with(`"client_id":"everywhere"`), repeated},
		"a member twice, one is empty":    {with(`"scope":"a","scope":""`), repeated},
		"a member twice, spelt otherwise": {with(`"client\u005fid":"nobody"`), repeated},
		"resource twice":                  {with(`"resource":"https://a","resource":"https://b"`), repeated},
		"a list of resources":             {with(`"resource":["https://orders.example.com"]`), notJSON},
		"a list":                          {`[]`, notJSON},
		"a string":                        {`"grant_type=client_credentials"`, notJSON},
		"nothing":                         {``, notJSON},
		"null alone":                      {`null`, notJSON},
		"a form":                          {grant, notJSON},
		"two objects":                     {with(`"x":"y"`) + `{}`, notJSON},
		"something behind":                {with(`"x":"y"`) + `,`, notJSON},
		"a comma at the end":              {with(`"x":"y",`), notJSON},
		"broken off":                      {`{"grant_type":"client_credentials"`, notJSON},
		"a comment":                       {with(`/**/"x":"y"`), notJSON},
		"a byte order mark":               {"\ufeff" + with(`"x":"y"`), notJSON},
		"not UTF-8":                       {with("\"x\":\"\xff\""), notJSON},
		"half a surrogate pair":           {with(`"x":"\ud800"`), notJSON},
		"nested without end":              {with(`"x":` + strings.Repeat("[", 5000)), notJSON},
		"65 members":                      {"{" + manyMembers(64) + `"grant_type":"client_credentials"}`, refusedBy(errTooMany)},
		"a control character":             {with(`"scope":"a\u0000"`), refusedBy(errCharacters)},
		"a line break":                    {with(`"audience":"a\nb"`), refusedBy(errCharacters)},
		"SQL":                             {`{"grant_type":"client_credentials","client_id":"' OR '1'='1","client_secret":"' OR '1'='1"}`, refusedClient},
		"a wrong secret":                  {strings.Replace(with(`"x":"y"`), secret1, secret2, 1), refusedClient},
		"more than 64 KiB":                {with(`"x":"` + strings.Repeat("x", symbolon.MaxBody) + `"`), refusal{status: 413, code: "invalid_request", description: "the request body is larger than this server reads: 64 KiB at the OAuth endpoints"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) { c.want.check(t, f.asks(vendor, c.body, typeJSON...)) })
	}
	for name, types := range map[string][]string{
		"no Content-Type":   {"Content-Type", ""},
		"two Content-Types": {"Content-Type", jsonType, "Content-Type", formType},
		"JSON of a kind":    {"Content-Type", "application/vnd.api+json"},
		"text":              {"Content-Type", "text/plain"},
		"text of JSON":      {"Content-Type", "text/json"},
		"two in one":        {"Content-Type", "application/json, application/x-www-form-urlencoded"},
		"compressed":        {"Content-Type", jsonType, "Content-Encoding", "gzip"},
	} {
		t.Run(name, func(t *testing.T) { refusedBy(errFormOrJSON).check(t, f.asks(vendor, with(`"x":"y"`), types...)) })
	}
}

var inURL = []string{"grant_type", "scope", "client_id", "client_assertion_type", "client_assertion"}

// TestQuery: the parameters in the URL of a request that has no body, where the
// dialect names them.
func TestQuery(t *testing.T) {
	f := newDialectFixture(t, &Dialect{Name: "x", Query: inURL})
	ask := func(issuer, query, body string, header ...string) *httptest.ResponseRecorder {
		return f.ask("POST", issuer+"/token?"+query, body, header...)
	}
	f.letThrough(t, refusedBy(errQuery), func(issuer string) *httptest.ResponseRecorder {
		return ask(issuer, assertingForm(f.assertionAt(issuer, "here-and-there").text(t), "&scope=orders%3Aread"), "", "Content-Type", "")
	})
	good := func() string { return assertingForm(f.assertionAt(vendor, "here-and-there").text(t), "") }
	f.textOf(ask(vendor, good(), "", "Content-Type", jsonType)) // which nobody looks at without a body
	f.textOf(ask(vendor, good()+"&client_id=here-and-there&scope=", ""))
	f.textOf(f.asks(vendor, good())) // the body goes on
	f.textOf(ask(vendor, grant, "", "Authorization", basicAuth("everywhere", secret1)))
	for name, c := range map[string]struct {
		query, body string
		want        refusal
	}{
		"and a body":                    {good(), "scope=orders%3Awrite", refusedBy(errQuery)},
		"and a body of a space":         {good(), " ", refusedBy(errQuery)},
		"a parameter that is not named": {good() + "&audience=https%3A%2F%2Forders.example.com", "", refusedBy(errQuery)},
		"resource":                      {good() + "&resource=https%3A%2F%2Forders.example.com", "", refusedBy(errQuery)},
		"one that nobody knows":         {good() + "&colour=blue", "", refusedBy(errQuery)},
		"a secret":                      {grant + "&client_id=everywhere&client_secret=" + secret1, "", refusedBy(errQuery)},
		"a secret beside an assertion":  {good() + "&client_secret=" + secret1, "", refusedBy(errQuery)},
		"an empty secret":               {good() + "&client_secret=", "", refusedBy(errQuery)},
		"a name in another case":        {good() + "&Scope=orders%3Aread", "", refusedBy(errQuery)},
		"repeated":                      {good() + "&" + grant, "", refusedBy(errRepeated)},
		"a broken escape":               {good() + "&scope=%zz", "", refusedBy(errForm)},
		"a semicolon":                   {good() + "&scope=a;client_id=b", "", refusedBy(errForm)},
		"a control character":           {good() + "&scope=a%00", "", refusedBy(errCharacters)},
		"65 parameters":                 {strings.Repeat("scope=&", 65), "", refusedBy(errRepeated)},
		"no authentication":             {grant, "", refusedClient},
		"half of it in the body":        {grant, "client_id=everywhere&client_secret=" + secret1, refusedBy(errQuery)},
	} {
		t.Run(name, func(t *testing.T) { c.want.check(t, ask(vendor, c.query, c.body)) })
	}
	// At the token endpoint alone.
	if w := f.ask("POST", vendor+"/introspect?"+good(), ""); w.Code != http.StatusBadRequest {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestQueryOfABodyWithoutALength: what comes after the head counts, not what the
// head says of it.
func TestQueryOfABodyWithoutALength(t *testing.T) {
	f := newDialectFixture(t, &Dialect{Name: "x", Query: inURL})
	for body, want := range map[string]int{"": http.StatusOK, "x=y": http.StatusBadRequest} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost,
			vendor+"/token?"+assertingForm(f.assertionAt(vendor, "here-and-there").text(t), ""), strings.NewReader(body))
		r.ContentLength = -1
		w := httptest.NewRecorder()
		f.handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	}
}

// TestALeakedSecretIsTold: whoever runs the server hears which client's secret is
// to be replaced, and nobody sees it.
func TestALeakedSecretIsTold(t *testing.T) {
	const tell = "client_secret in the URL: replace that credential"
	for name, c := range map[string]struct {
		method, query, named string
	}{
		"with its client":           {"POST", "client_id=everywhere&client_secret=" + secret1, "everywhere"},
		"of a client of any name":   {"POST", "client_secret=x&client_id=nobody", "nobody"},
		"without a client":          {"POST", "client_secret=" + secret1, ""},
		"escaped":                   {"POST", "client%5Fid=every%77here&client%5Fsecret=" + secret1, "everywhere"},
		"behind a semicolon":        {"POST", "client_id=everywhere;client_secret=" + secret1, "everywhere"},
		"beside what is broken":     {"POST", "x=%zz&client_id=everywhere&client_secret=" + secret1 + "%", "everywhere"},
		"twice":                     {"POST", "client_id=everywhere&client_secret=" + secret1 + "&client_secret=", "everywhere"},
		"by GET":                    {"GET", "client_id=everywhere&client_secret=" + secret1, "everywhere"},
		"the secret as the client":  {"POST", "client_id=" + secret1 + "&client_secret=x", ""},
		"a client that cannot be":   {"POST", "client_id=%0Aa+b&client_secret=x", ""},
		"an endless one":            {"POST", "client_id=" + strings.Repeat("a", 200) + "&client_secret=x", ""},
		"a line for the log inside": {"POST", "client_id=" + url.QueryEscape("a\" fix=\"b") + "&client_secret=x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newDialectFixture(t, &Dialect{Name: "x", Query: inURL})
			for _, issuer := range []string{vendor, base} {
				before := f.log.Len()
				w := f.ask(c.method, issuer+"/token?"+c.query, "")
				if w.Code != http.StatusBadRequest && w.Code != http.StatusMethodNotAllowed {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				last, line := f.last(), f.log.String()[before:]
				if last.Client != c.named || last.Verified || last.Outcome != audit.Refused || !strings.HasPrefix(last.Reason, tell) {
					t.Errorf("recorded as %+v", last)
				}
				if c.named != "" && !strings.Contains(last.Reason, "of client "+c.named) {
					t.Errorf("recorded as %q", last.Reason)
				}
				if !strings.Contains(line, "level=WARN") || c.named != "" && !strings.Contains(line, "client="+c.named+" ") || !strings.Contains(line, last.RequestID) {
					t.Errorf("logged as %s", line)
				}
				if all := w.Body.String() + line + last.Reason + last.Client; strings.Contains(all, secret1) || strings.Contains(all, "sym_") {
					t.Errorf("the secret is in %s", all)
				}
			}
		})
	}
	f := newFixture(t)
	for range 50 {
		f.ask("POST", base+"/token?client_id=everywhere&client_secret=x", "")
	}
	if n := strings.Count(f.log.String(), "level=WARN"); n != leaksAtOnce {
		t.Errorf("%d lines", n)
	}
	f.ask("POST", base+"/token?client_id=everywhere&colour=client_secret", "")
	if last := f.last(); strings.HasPrefix(last.Reason, tell) {
		t.Errorf("no secret was there: %q", last.Reason)
	}
}

// TestMissingProof: what a client is told that needs a proof and sends none.
func TestMissingProof(t *testing.T) {
	f := newDialectFixture(t, &Dialect{Name: "x", MissingProof: symbolon.InvalidDPoPProof})
	for _, bound := range []string{registry.BoundDPoP, registry.BoundRequired, registry.BoundMTLS} {
		f.apply(named("bound", func(c *registry.Client) {
			c.Issuers, c.Bound = []string{"default", "partners"}, bound
			c.Access, c.DefaultAPI = map[string][]string{"orders": {"orders:read"}, "shared": {"orders:read"}}, nil
		}))
		for issuer, mapped := range map[string]bool{vendor: bound != registry.BoundMTLS, base: false} {
			want := symbolon.InvalidRequest
			if mapped {
				want = symbolon.InvalidDPoPProof
			}
			w := f.asks(issuer, grant, "Authorization", basicAuth("bound", secret1))
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"`+string(want)+`"`) || f.last().Code != string(want) {
				t.Errorf("%s, %s: %d %s", bound, issuer, w.Code, w.Body)
			}
		}
	}
}
