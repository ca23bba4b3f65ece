package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
)

// TestRFC8414_3_2_EmptyArraysAreLeftOut, but for the one that RFC 8414 §2
// requires and whose truth is that there is none.
func TestRFC8414_3_2_EmptyArraysAreLeftOut(t *testing.T) {
	f := newFixture(t)
	f.apply(&registry.Issuer{ID: "bare"}) // no API, so no scope
	for _, iss := range []string{base, base + "/bare"} {
		var doc map[string]any
		w := f.get(iss + "/.well-known/oauth-authorization-server")
		if err := json.Unmarshal(w.Body.Bytes(), &doc); w.Code != http.StatusOK || err != nil {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for name, value := range doc {
			if list, ok := value.([]any); ok && (len(list) == 0) != (name == "response_types_supported") {
				t.Errorf("%s: %s has %d elements", iss, name, len(list))
			}
		}
		if _, named := doc["response_types_supported"]; !named {
			t.Errorf("%s: response_types_supported is required", iss)
		}
		if _, named := doc["scopes_supported"]; named != (iss == base) {
			t.Errorf("%s: scopes_supported: %v", iss, doc["scopes_supported"])
		}
	}
}

// TestRFC8414_2_NothingIsNamedThatIsNotThere: no endpoint and no method that
// this server does not have, no document of a signed kind.
func TestRFC8414_2_NothingIsNamedThatIsNotThere(t *testing.T) {
	f := newFixture(t)
	var doc map[string]any
	if err := json.Unmarshal(f.get(base+"/.well-known/oauth-authorization-server").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for name, value := range doc {
		at, ok := value.(string)
		if !ok || name == "issuer" {
			continue
		}
		if !strings.HasPrefix(at, "https://") {
			t.Errorf("%s is %s", name, at)
		}
		if w := f.get(at); w.Code == http.StatusNotFound {
			t.Errorf("%s is named and not there", name)
		}
	}
	for _, name := range []string{"registration_endpoint", "revocation_endpoint", "signed_metadata",
		"op_policy_uri", "op_tos_uri", "code_challenge_methods_supported",
		"mtls_endpoint_aliases", "tls_client_certificate_bound_access_tokens"} {
		if doc[name] != nil {
			t.Errorf("%s is named: %v", name, doc[name])
		}
	}
	for _, method := range doc["token_endpoint_auth_methods_supported"].([]any) {
		if method == "none" || method == "client_secret_jwt" || strings.HasSuffix(method.(string), "tls_client_auth") {
			t.Errorf("the method %v is named", method)
		}
	}
}
