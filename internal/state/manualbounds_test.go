package state

import (
	"os"
	"strings"
	"testing"
)

// TestTheManualsBounds: what the page says of a member's bounds and words is what is
// taken, and what lies beyond is refused.
func TestTheManualsBounds(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	long := func(n int) string { return strings.Repeat("a", n) }
	list := func(n int, entry string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.ReplaceAll(entry, "N", string([]rune{'a' + rune(i/26), 'a' + rune(i%26)})))
		}
		return b.String()
	}
	client := func(member string) string { return "clients: [{id: c, " + member + "}]" }
	api := func(member string) string { return "apis: [{id: a, identifier: x, " + member + "}]" }
	token := func(value string) string {
		return "operator_tokens: [{id: t, role: viewer, issuers: [okta], value_from: {env: " + value + "}}]"
	}
	parse := func(text string) error { // a variable has its name as its value
		_, err := Parse(Source{File: "state.yaml", Data: []byte(text), Env: func(name string) (string, bool) { return name, true }})
		return err
	}
	issuer := func(member string) string { return "issuers: [{id: i, " + member + "}]" }
	for _, c := range []struct{ says, good, bad string }{
		{"then up to 62 of", "operators: [{id: " + long(63) + ", role: viewer}]", "operators: [{id: " + long(64) + ", role: viewer}]"},
		{"A client's id is 1 to 128", "clients: [{id: " + long(128) + "}]", "clients: [{id: " + long(129) + "}]"},
		{"| name | at most 256 octets", client("name: " + long(256)), client("name: " + long(257))},
		{"| identifier | up to 1024 octets", "apis: [{id: a, identifier: " + long(1024) + "}]", "apis: [{id: a, identifier: " + long(1025) + "}]"},
		{"| scope | up to 256 visible", api("scopes: {" + long(256) + ": x}"), api("scopes: {" + long(257) + ": x}")},
		{"text, at most 1024 octets", api("scopes: {s: " + long(1024) + "}"), api("scopes: {s: " + long(1025) + "}")},
		{"more than 52 characters", "issuers: [{id: " + long(52) + ", dialect: okta, url: \"https://o.example\"}]", "issuers: [{id: " + long(53) + ", dialect: okta, url: \"https://o.example\"}]"},
		{"in whole seconds, at most 24h", issuer("token: {lifetime: 24h}"), issuer("token: {lifetime: 24h1s}")},
		{"in whole seconds, at most 24h", issuer("token: {lifetime: 1s}"), issuer("token: {lifetime: 1500ms}")},
		{"`standard` (default) or `fapi2`", issuer("profile: fapi2"), issuer("profile: fapi1")},
		{"`okta`, `auth0`, `curity` or `simple`", issuer("dialect: simple, url: \"https://s.example\""), issuer("dialect: keycloak, url: \"https://s.example\"")},
		{"`strict` (default) or `local`", issuer("replay: local"), issuer("replay: off")},
		{"at most 3650d; default 90d", issuer("keys: {rotate: 3650d, announce: 24h}"), issuer("keys: {rotate: 3651d, announce: 24h}")},
		{"at least 1h; default 24h", issuer("keys: {announce: 1h}"), issuer("keys: {announce: 59m}")},
		{"`off` with `dialect: okta`", issuer("dialect: okta, url: \"https://o.example\", dpop_nonce: required"), issuer("dialect: okta, url: \"https://o.example\", dpop_nonce: off")},
		{"`jwt` (default) or `opaque`", api("token: {format: opaque}"), api("token: {format: saml}")},
		{"`ES256` (default), `ES384`, `PS256`, `RS256` or `EdDSA`", api("token: {algorithm: PS256}"), api("token: {algorithm: HS256}")},
		{"`at+jwt` (default) or `JWT`", api("token: {typ: JWT}"), api("token: {typ: jwt}")},
		{"`optional` (default), `required`, `dpop` or `mtls`", api("bound: mtls"), api("bound: tls")},
		{"a mapping of up to 64 texts", client("labels: {" + list(64, "N: x, ") + "}"), client("labels: {" + list(65, "N: x, ") + "}")},
		{"A name has up to 63 of", client("labels: {" + long(63) + ": x}"), client("labels: {" + long(64) + ": x}")},
		{"| `certificates` | up to 16", client("certificates: [" + list(16, "{id: N, san_dns: N.example}, ") + "]"), client("certificates: [" + list(17, "{id: N, san_dns: N.example}, ") + "]")},
		{"does not begin with `uri-`", client("certificates: [{id: ur, san_dns: a.example}]"), client("certificates: [{id: uri-1, san_dns: a.example}]")},
		{"an absolute URI, up to 1024 octets", client("certificates: [{id: c, san_uri: \"x:" + long(1022) + "\"}]"), client("certificates: [{id: c, san_uri: \"x:" + long(1023) + "\"}]")},
		{"a mapping of names, up to 128 octets", client("claims: {" + long(128) + ": 1}"), client("claims: {" + long(129) + ": 1}")},
		{"claims that only the server sets (`iss`", client("claims: {team: a}"), client("claims: {iss: a}")},
		{"`client_secret_jwt`, `none`", client("auth: [tls_client_auth]"), client("auth: [client_secret_jwt]")},
		{"a duration, at most 1h", client("legacy_assertion: {until: 2027-01-01, audience: [issuer_array], max_lifetime: 1h}"), client("legacy_assertion: {until: 2027-01-01, audience: [issuer_array], max_lifetime: 61m}")},
		{"an e-mail address, up to 256 octets", "operators: [{id: o, role: viewer, email: \"" + long(250) + "@b.com\"}]", "operators: [{id: o, role: viewer, email: \"" + long(251) + "@b.com\"}]"},
		{"32 to 512 visible ASCII", token(long(32)), token(long(31))},
		{"32 to 512 visible ASCII", token(long(512)), token(long(513))},
	} {
		if !strings.Contains(string(text), c.says) {
			t.Errorf("the page no longer says %q", c.says)
		}
		if err := parse(c.good); err != nil {
			t.Errorf("%q: refused within its bounds: %v", c.says, err)
		}
		if err := parse(c.bad); err == nil {
			t.Errorf("%q: taken beyond its bounds", c.says)
		}
	}
}
