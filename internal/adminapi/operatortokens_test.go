package adminapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/admin"
)

func TestOperatorTokens(t *testing.T) {
	w := newWorld(t)
	w.good(201, "POST", "/admin/v1/issuers", `{"id":"okta","dialect":"okta","url":"https://okta.example.com"}`, nil)
	var issuer admin.Issuer
	w.good(200, "GET", "/admin/v1/issuers/okta", "", &issuer)
	var api admin.API
	w.good(200, "GET", "/admin/v1/apis/okta-management", "", &api)
	if issuer.Dialect != "okta" || !api.Builtin {
		t.Errorf("%+v, %+v", issuer, api)
	}

	var made createdToken
	w.good(201, "POST", "/admin/v1/operator-tokens", `{"id":"ci","role":"operator","issuers":["okta"],"ssws":true}`, &made)
	if !strings.HasPrefix(made.Value, "sym_") || made.Token.ID != "ci" || made.Token.Version != 1 {
		t.Errorf("%+v", made)
	}
	made = createdToken{}
	w.good(201, "POST", "/admin/v1/operator-tokens", `{"id":"old","role":"viewer","issuers":["okta"],"value":"0123456789abcdef0123456789abcdef"}`, &made)
	if made.Value != "" {
		t.Errorf("%+v", made)
	}
	made = createdToken{}
	w.good(200, "PUT", "/admin/v1/operator-tokens/put", `{"role":"viewer","issuers":["okta"]}`, &made)
	if !strings.HasPrefix(made.Value, "sym_") {
		t.Errorf("%+v", made)
	}
	made = createdToken{}
	w.good(200, "PUT", "/admin/v1/operator-tokens/put", `{"name":"x"}`, &made)
	if made.Value != "" || made.Token.Name != "x" {
		t.Errorf("%+v", made)
	}
	var one admin.OperatorToken
	w.good(200, "PATCH", "/admin/v1/operator-tokens/ci", `{"role":"viewer"}`, &one)
	if one.Role != "viewer" || !one.SSWS {
		t.Errorf("%+v", one)
	}
	var page admin.Page[admin.OperatorToken]
	w.good(200, "GET", "/admin/v1/operator-tokens?issuer=okta", "", &page)
	if len(page.Items) != 3 {
		t.Errorf("%+v", page)
	}
	for _, x := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "", `{"id":"x","role":"viewer","issuers":["okta"],"value":"short"}`, 400, "32 octets"},
		{"POST", "", `{"id":"x","role":"viewer","issuers":["okta"],"value":{"$ne":null}}`, 400, ""},
		{"POST", "", `{"id":"x","role":"viewer","issuers":["okta"],"value":"0123456789abcdef0123456789abcdef"}`, 400, "old has this value"},
		{"POST", "", `{"id":"x","role":"viewer","issuers":["okta"],"value":"a","value":"b"}`, 400, ""},
		{"POST", "", `{"id":"x","role":"viewer","issuers":"okta"}`, 400, "issuers"},
		{"POST", "", `{"id":"x","role":"viewer","issuers":["okta"],"created":"2026-01-01T00:00:00Z"}`, 400, "only the server sets it"},
		{"PATCH", "/ci", `{"value":"0123456789abcdef0123456789abcdef"}`, 400, "value"},
		{"PATCH", "/ci", `{"hash":"sha256:00"}`, 400, "hash"},
		{"GET", "/gone", "", 404, "symbolon operator-token list"},
		{"DELETE", "/gone", "", 404, ""},
	} {
		var raw json.RawMessage
		if resp := w.call(x.method, "/admin/v1/operator-tokens"+x.path, x.body, &raw); resp.StatusCode != x.status || !bytes.Contains(raw, []byte(x.says)) {
			t.Errorf("%s %s %s: %d %s", x.method, x.path, x.body, resp.StatusCode, raw)
		}
	}
	w.good(200, "DELETE", "/admin/v1/operator-tokens/ci", "", nil)
	if strings.Contains(w.log.String(), "0123456789abcdef") || strings.Contains(w.log.String(), "sym_") {
		t.Errorf("a value is in the log: %s", w.log)
	}
}
