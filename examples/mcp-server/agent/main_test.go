package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRFC9728_3_3_WhoseMetadata: the agent goes on only with metadata of the very
// server that it was told to call, which trusts the issuer that the agent knows.
// The server is called SERVER/ü here, in one code point.
func TestRFC9728_3_3_WhoseMetadata(t *testing.T) {
	const (
		bearer = `Bearer realm="x", resource_metadata="SERVER/metadata"`
		ours   = `"authorization_servers":["https://other.example","` + issuer + `"]`
	)
	for name, c := range map[string]struct{ challenge, document, says string }{
		"as it should be":        {bearer, `{"resource":"SERVER/ü",` + ours + `}`, ""},
		"escaped":                {bearer, `{"resource":"SERVER\/\u00fc",` + ours + `}`, ""},
		"more members":           {bearer, `{"x":{"resource":"y"},"resource":"SERVER/ü","signed_metadata":"a.b.c",` + ours + `}`, ""},
		"two code points":        {bearer, `{"resource":"SERVER/u\u0308",` + ours + `}`, "the metadata of another server"},
		"a slash more":           {bearer, `{"resource":"SERVER/ü/",` + ours + `}`, "the metadata of another server"},
		"the host alone":         {bearer, `{"resource":"SERVER",` + ours + `}`, "the metadata of another server"},
		"another server":         {bearer, `{"resource":"https://orders.example.com",` + ours + `}`, "the metadata of another server"},
		"no server":              {bearer, `{` + ours + `}`, "the metadata of another server"},
		"another issuer":         {bearer, `{"resource":"SERVER/ü","authorization_servers":["https://evil.example"]}`, "trusts other issuers: https://evil.example"},
		"the issuer and a slash": {bearer, `{"resource":"SERVER/ü","authorization_servers":["` + issuer + `/"]}`, "trusts other issuers"},
		"no issuer":              {bearer, `{"resource":"SERVER/ü"}`, "trusts other issuers"},
		"no JSON":                {bearer, `<html>`, "invalid character"},
		"no metadata":            {`Bearer realm="x"`, `{"resource":"SERVER/ü",` + ours + `}`, "no challenge with resource_metadata"},
	} {
		t.Run(name, func(t *testing.T) {
			var srv *httptest.Server
			srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					w.Write([]byte(strings.ReplaceAll(c.document, "SERVER", srv.URL)))
					return
				}
				w.Header().Set("WWW-Authenticate", strings.ReplaceAll(c.challenge, "SERVER", srv.URL))
				w.WriteHeader(http.StatusUnauthorized)
			}))
			defer srv.Close()
			err := trusts(srv.Client(), srv.URL+"/ü")
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}
