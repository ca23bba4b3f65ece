package registry

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

var (
	goodHash  = HashGenerated(FormatSecret([32]byte{1}))
	otherHash = HashGenerated(FormatSecret([32]byte{2}))
)

func goodIssuer() *Issuer { return &Issuer{ID: "partners"} }

func goodAPI() *API {
	return &API{ID: "orders", Issuer: "default", Identifier: "https://orders.example.com", Scopes: scopes("orders:read")}
}

func goodClient() *Client {
	return &Client{
		ID: "Billing.1~x_y-z", Name: "Nightly billing", Owner: "ann", Labels: map[string]string{"team": "finance"},
		State: StateActive, Issuers: []string{"default"}, Bound: BoundOptional,
		Secrets: []Secret{{ID: "s1", Hash: goodHash}}, Auth: []string{"client_secret_basic"},
		Access: map[string][]string{"orders": {"orders:read"}}, DefaultAPI: []string{"orders"},
		Claims: map[string]json.RawMessage{"role": json.RawMessage(`"batch"`)},
		Spent:  []Spent{{ID: "s0", Digest: otherHash}},
	}
}

// invalid is a change that makes an object wrong, and where it must be told.
// An empty path expects no problem.
type invalid[T any] struct {
	name   string
	change func(*T)
	path   string
	says   string // part of message or fix
}

// checkInvalid wants exactly one problem, at the path, with a way out.
func checkInvalid[T interface{ Validate() error }, O any](t *testing.T, kind string, id func(T) string, fresh func() *O, as func(*O) T, tests []invalid[O]) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := fresh()
			tt.change(o)
			err := as(o).Validate()
			if tt.path == "" {
				if err != nil {
					t.Fatalf("valid, but: %v", err)
				}
				return
			}
			var found Problems
			if !errors.As(err, &found) || len(found) != 1 {
				t.Fatalf("got %v, want one problem at %s", err, tt.path)
			}
			p := found[0]
			if p.Path != tt.path && (tt.path != "." || p.Path != "") || p.Kind != kind || p.ID != id(as(o)) {
				t.Errorf("got %+v, want %s", p, tt.path)
			}
			if p.Message == "" || p.Fix == "" || !strings.Contains(p.Message+" "+p.Fix, tt.says) {
				t.Errorf("got %q; %q, want %q in it and a fix", p.Message, p.Fix, tt.says)
			}
			if strings.Contains(p.String(), "\n") {
				t.Errorf("more than a line: %q", p.String())
			}
		})
	}
}

func TestValidateIssuer(t *testing.T) {
	url := func(u string) func(*Issuer) { return func(i *Issuer) { i.URL = u } }
	checkInvalid(t, KindIssuer, func(i *Issuer) string { return i.ID }, goodIssuer, func(i *Issuer) *Issuer { return i }, []invalid[Issuer]{
		{name: "plain", change: func(*Issuer) {}},
		{name: "everything", change: func(i *Issuer) {
			*i = Issuer{ID: "a", URL: "https://auth.example.com:8443/a/b-c_d~e", Token: IssuerToken{Lifetime: MaxLifetime}, Profile: ProfileStandard,
				Audience: "api://default", Keys: KeySchedule{Rotate: DefaultRotate, Announce: MinAnnounce}}
		}},
		{name: "id empty", change: func(i *Issuer) { i.ID = "" }, path: "id"},
		{name: "id upper case", change: func(i *Issuer) { i.ID = "Partners" }, path: "id"},
		{name: "id begins with a dash", change: func(i *Issuer) { i.ID = "-a" }, path: "id"},
		{name: "id of 63", change: func(i *Issuer) { i.ID = strings.Repeat("a", 63) }},
		{name: "id of 64", change: func(i *Issuer) { i.ID = strings.Repeat("a", 64) }, path: "id"},
		{name: "id is an endpoint", change: func(i *Issuer) { i.ID = "jwks" }, path: "id", says: "/jwks"},
		{name: "id is an endpoint, with its own url", change: func(i *Issuer) { i.ID, i.URL = "jwks", "https://keys.example.com" }},
		{name: "url of the default", change: func(i *Issuer) { i.ID, i.URL = DefaultIssuer, "https://x.example" }, path: "url", says: "configuration"},
		{name: "url http", change: url("http://auth.example.com"), path: "url", says: "https"},
		{name: "url http on localhost", change: url("http://localhost:8080")},
		{name: "url http on a name under localhost", change: url("http://auth.localhost")},
		{name: "url http on 127.0.0.2", change: url("http://127.0.0.2:1")},
		{name: "url http on ::1", change: url("http://[::1]:8080")},
		{name: "url http on localhost.example.com", change: url("http://localhost.example.com"), path: "url", says: "https"},
		{name: "url ftp", change: url("ftp://auth.example.com"), path: "url"},
		{name: "url relative", change: url("auth.example.com"), path: "url"},
		{name: "url without host", change: url("https:///x"), path: "url"},
		{name: "url with port only", change: url("https://:443"), path: "url"},
		{name: "url with user", change: url("https://u@auth.example.com"), path: "url", says: "@"},
		{name: "url with query (RFC 8414 §2)", change: url("https://auth.example.com/?x=1"), path: "url", says: "query"},
		{name: "url with empty query", change: url("https://auth.example.com/a?"), path: "url", says: "query"},
		{name: "url with fragment (RFC 8414 §2)", change: url("https://auth.example.com/#x"), path: "url", says: "fragment"},
		{name: "url with empty fragment", change: url("https://auth.example.com/#"), path: "url", says: "fragment"},
		{name: "url with a final slash", change: url("https://auth.example.com/a/")},
		{name: "url with an empty segment", change: url("https://auth.example.com/a//b"), path: "url"},
		{name: "url with two final slashes", change: url("https://auth.example.com//"), path: "url"},
		{name: "url with dots", change: url("https://auth.example.com/a/../b"), path: "url"},
		{name: "url with an encoded slash", change: url("https://auth.example.com/a%2fb"), path: "url", says: "encoded"},
		{name: "url with an encoded letter", change: url("https://auth.example.com/%61"), path: "url", says: "encoded"},
		{name: "url with a brace", change: url("https://auth.example.com/{id}"), path: "url"},
		{name: "url with a space", change: url("https://auth.example.com/a b"), path: "url"},
		{name: "url with an empty port", change: url("https://auth.example.com:/a"), path: "url", says: "port"},
		{name: "url with an international name", change: url("https://münchen.example"), path: "url", says: "xn--"},
		{name: "url over-long", change: url("https://auth.example.com/" + strings.Repeat("a", 1024)), path: "url"},
		{name: "url at an endpoint", change: url("https://auth.example.com/token/a"), path: "url", says: "/token"},
		{name: "url at metadata", change: url("https://auth.example.com/a/.well-known/b"), path: "url", says: ".well-known"},
		{name: "lifetime negative", change: func(i *Issuer) { i.Token.Lifetime = -1 }, path: "token.lifetime"},
		{name: "lifetime with fractions", change: func(i *Issuer) { i.Token.Lifetime = Duration(1500 * time.Millisecond) }, path: "token.lifetime", says: "whole seconds"},
		{name: "lifetime too long", change: func(i *Issuer) { i.Token.Lifetime = MaxLifetime + Duration(time.Second) }, path: "token.lifetime", says: "24h"},
		{name: "profile fapi2", change: func(i *Issuer) { i.Profile = ProfileFAPI2 }},
		{name: "profile", change: func(i *Issuer) { i.Profile = "fapi1" }, path: "profile", says: "not a known value"},
		{name: "nonce off", change: func(i *Issuer) { i.DPoPNonce = NonceOff }},
		{name: "nonce", change: func(i *Issuer) { i.DPoPNonce = "optional" }, path: "dpop_nonce", says: "not a known value"},
		{name: "replay local", change: func(i *Issuer) { i.Replay = ReplayLocal }},
		{name: "replay", change: func(i *Issuer) { i.Replay = "off" }, path: "replay", says: "not a known value"},
		{name: "profile unknown", change: func(i *Issuer) { i.Profile = "x" }, path: "profile", says: "standard"},
		{name: "audience with a fragment", change: func(i *Issuer) { i.Audience = "https://a.example/#b" }, path: "audience"},
		{name: "announce too short", change: func(i *Issuer) { i.Keys.Announce = MinAnnounce - 1 }, path: "keys.announce", says: "1h"},
		{name: "rotate shorter than announce", change: func(i *Issuer) { i.Keys.Rotate = Duration(time.Hour) }, path: "keys.rotate", says: "24h"},
		{name: "rotate too long", change: func(i *Issuer) { i.Keys.Rotate = maxRotate + 1 }, path: "keys.rotate", says: "ten years"},
		{name: "rotate negative", change: func(i *Issuer) { i.Keys.Rotate = -1 }, path: "keys.rotate"},
	})
	for _, segment := range reservedSegments {
		if message, _ := CheckURL("https://auth.example.com/" + segment); message == "" {
			t.Errorf("/%s is not refused", segment)
		}
	}
}

func TestValidateAPI(t *testing.T) {
	identifier := func(s string) func(*API) { return func(a *API) { a.Identifier = s } }
	scope := func(s string) func(*API) { return func(a *API) { a.Scopes = scopes(s) } }
	checkInvalid(t, KindAPI, func(a *API) string { return a.ID }, goodAPI, func(a *API) *API { return a }, []invalid[API]{
		{name: "plain", change: func(*API) {}},
		{name: "everything", change: func(a *API) {
			a.Name, a.Bound, a.Token = "Orders", "optional", APIToken{Format: "jwt", Lifetime: Duration(time.Second), Algorithm: "EdDSA", Typ: "at+jwt"}
		}},
		{name: "id", change: func(a *API) { a.ID = "a_b" }, path: "id", says: "a-z"},
		{name: "id of the administration", change: func(a *API) { a.ID = "admin" }, path: "id"},
		{name: "id of a management API", change: func(a *API) { a.ID = "okta-management" }, path: "id"},
		{name: "issuer missing", change: func(a *API) { a.Issuer = "" }, path: "issuer", says: "default"},
		{name: "issuer malformed", change: func(a *API) { a.Issuer = "A" }, path: "issuer"},
		{name: "identifier missing", change: identifier(""), path: "identifier"},
		{name: "identifier urn", change: identifier("urn:example:orders")},
		{name: "identifier api://", change: identifier("api://default")},
		{name: "identifier with query", change: identifier("https://orders.example.com/a?b=c")},
		{name: "identifier legacy", change: identifier("orders-api/v1@x")},
		{name: "identifier with a fragment (RFC 8707 §2)", change: identifier("https://orders.example.com/#a"), path: "identifier"},
		{name: "identifier with an empty fragment", change: identifier("https://orders.example.com#"), path: "identifier"},
		{name: "identifier with a space", change: identifier("https://orders.example.com/a b"), path: "identifier"},
		{name: "identifier without host", change: identifier("https://"), path: "identifier"},
		{name: "identifier with a bad escape", change: identifier("https://orders.example.com/%zz"), path: "identifier"},
		{name: "identifier with a colon that is no URI (RFC 7519 §2)", change: identifier(":orders"), path: "identifier"},
		{name: "identifier with a scheme that is none", change: identifier("1a:b"), path: "identifier"},
		{name: "identifier with a quote", change: identifier(`orders"api`), path: "identifier"},
		{name: "identifier with umlaut", change: identifier("https://bücher.example"), path: "identifier"},
		{name: "identifier over-long", change: identifier("https://a.example/" + strings.Repeat("a", 1024)), path: "identifier"},
		{name: "name with a line break", change: func(a *API) { a.Name = "a\nb" }, path: "name"},
		{name: "name over-long", change: func(a *API) { a.Name = strings.Repeat("a", 257) }, path: "name", says: "256"},
		{name: "name not UTF-8", change: func(a *API) { a.Name = "\xff" }, path: "name"},
		{name: "scope with all characters (RFC 6749 §3.3)", change: scope("!#$%&'()*+,-./:;<=>?@[]^_`{|}~")},
		{name: "scope empty", change: scope(""), path: "scopes."},
		{name: "scope with a space", change: scope("a b"), path: "scopes.a b", says: "RFC 6749 §3.3"},
		{name: "scope with a quote", change: scope(`a"b`), path: `scopes.a"b`},
		{name: "scope with a backslash", change: scope(`a\b`), path: `scopes.a\b`},
		{name: "scope with DEL", change: func(a *API) { a.Scopes = map[string]Scope{"a\x7f": {}} }, path: "scopes.a\x7f"},
		{name: "scope with umlaut", change: scope("ä"), path: "scopes.ä"},
		{name: "scope over-long", change: func(a *API) { a.Scopes = map[string]Scope{strings.Repeat("a", 257): {}} }, path: "scopes." + strings.Repeat("a", 257)},
		{name: "description over-long", change: func(a *API) { a.Scopes["orders:read"] = Scope{Description: strings.Repeat("a", 1025)} }, path: "scopes.orders:read.description"},
		{name: "format opaque", change: func(a *API) { a.Token.Format = FormatOpaque }},
		{name: "format opaque, and an algorithm", change: func(a *API) { a.Token.Format, a.Token.Algorithm = FormatOpaque, "ES256" }, path: "token.algorithm", says: "sealed"},
		{name: "format opaque, and a typ", change: func(a *API) { a.Token.Format, a.Token.Typ = FormatOpaque, "at+jwt" }, path: "token.typ", says: "sealed"},
		{name: "resource servers", change: func(a *API) { a.ResourceServers = []string{"Orders.api", "b"} }},
		{name: "resource server that is no client id", change: func(a *API) { a.ResourceServers = []string{"a b"} }, path: "resource_servers.a b", says: "A-Z"},
		{name: "resource server twice", change: func(a *API) { a.ResourceServers = []string{"a", "b", "a"} }, path: "resource_servers.a", says: "once"},
		{name: "too many resource servers", change: func(a *API) { a.ResourceServers = make([]string, 257) }, path: "resource_servers", says: "256"},
		{name: "format unknown", change: func(a *API) { a.Token.Format = "paseto" }, path: "token.format", says: "jwt"},
		{name: "lifetime", change: func(a *API) { a.Token.Lifetime = 2 * MaxLifetime }, path: "token.lifetime"},
		{name: "algorithm HS256", change: func(a *API) { a.Token.Algorithm = "HS256" }, path: "token.algorithm", says: "symmetric"},
		{name: "algorithm none", change: func(a *API) { a.Token.Algorithm = "none" }, path: "token.algorithm", says: "unsigned"},
		{name: "algorithm in lower case", change: func(a *API) { a.Token.Algorithm = "es256" }, path: "token.algorithm", says: "ES256"},
		{name: "algorithm that is only verified", change: func(a *API) { a.Token.Algorithm = "RS512" }, path: "token.algorithm", says: "RS256"},
		{name: "typ JWT", change: func(a *API) { a.Token.Typ = "JWT" }},
		{name: "typ unknown", change: func(a *API) { a.Token.Typ = "jwt" }, path: "token.typ", says: "at+jwt"},
		{name: "bound to a DPoP key", change: func(a *API) { a.Bound = BoundDPoP }},
		{name: "bound", change: func(a *API) { a.Bound = "always" }, path: "bound", says: "not a known value"},
		{name: "nonce required", change: func(a *API) { a.DPoPNonce = NonceRequired }},
		{name: "nonce", change: func(a *API) { a.DPoPNonce = "on" }, path: "dpop_nonce", says: "not a known value"},
		{name: "bound unknown", change: func(a *API) { a.Bound = "yes" }, path: "bound", says: "optional"},
		{name: "too large", change: func(a *API) {
			for i := range 300 {
				a.Scopes["s"+strconv.Itoa(i)] = Scope{Description: strings.Repeat("a", 1000)}
			}
		}, path: ".", says: "256 KiB"},
	})
	for _, alg := range signingAlgorithms {
		a := goodAPI()
		a.Token.Algorithm = string(alg)
		if err := a.Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestValidateClientAlone(t *testing.T) {
	claim := func(name, value string) func(*Client) {
		return func(c *Client) { c.Claims = map[string]json.RawMessage{name: json.RawMessage(value)} }
	}
	tests := []invalid[Client]{
		{name: "everything", change: func(*Client) {}},
		{name: "least", change: func(c *Client) { *c = Client{ID: "c", State: StateDisabled} }},
		{name: "id empty", change: func(c *Client) { c.ID = "" }, path: "id"},
		{name: "id of 128", change: func(c *Client) { c.ID = strings.Repeat("a", 128) }},
		{name: "id of 129", change: func(c *Client) { c.ID = strings.Repeat("a", 129) }, path: "id", says: "128"},
		{name: "id with a colon, which Basic cannot carry", change: func(c *Client) { c.ID = "a:b" }, path: "id"},
		{name: "id with a plus, which forms decode", change: func(c *Client) { c.ID = "a+b" }, path: "id"},
		{name: "id with umlaut", change: func(c *Client) { c.ID = "ä" }, path: "id"},
		{name: "name", change: func(c *Client) { c.Name = "a\x00" }, path: "name"},
		{name: "owner", change: func(c *Client) { c.Owner = "Ann Example" }, path: "owner"},
		{name: "label name", change: func(c *Client) { c.Labels = map[string]string{"a=b": "c"} }, path: "labels.a=b"},
		{name: "label value", change: func(c *Client) { c.Labels["team"] = "a\tb" }, path: "labels.team"},
		{name: "labels too many", change: func(c *Client) {
			for i := range 65 {
				c.Labels["l"+strconv.Itoa(i)] = ""
			}
		}, path: "labels", says: "64"},
		{name: "state missing", change: func(c *Client) { c.State = "" }, path: "state", says: "active"},
		{name: "state unknown", change: func(c *Client) { c.State = "enabled" }, path: "state"},
		{name: "state pending", change: func(c *Client) { c.State = StatePending }},
		{name: "issuer malformed", change: func(c *Client) { c.Issuers = []string{"default", "A"} }, path: "issuers.1"},
		{name: "issuer twice", change: func(c *Client) { c.Issuers = []string{"default", "default"} }, path: "issuers.default", says: "twice"},
		{name: "bound to a certificate", change: func(c *Client) { c.Bound = BoundMTLS }},
		{name: "bound", change: func(c *Client) { c.Bound = "yes" }, path: "bound", says: "not a known value"},
		{name: "secret id missing", change: func(c *Client) { c.Secrets[0].ID = "" }, path: "secrets.0.id"},
		{name: "secret id twice", change: func(c *Client) { c.Secrets = append(c.Secrets, Secret{ID: "s1", Hash: otherHash[:70] + "1"}) }, path: "secrets.s1.id", says: "two credentials"},
		{name: "secret id spent", change: func(c *Client) { c.Secrets[0].ID = "s0" }, path: "secrets.s0.id", says: "never used"},
		{name: "secret revoked", change: func(c *Client) { c.Secrets[0].Hash = otherHash }, path: "secrets.s1.hash", says: "revoked"},
		{name: "secret twice", change: func(c *Client) { c.Secrets = append(c.Secrets, Secret{ID: "s2", Hash: goodHash}) }, path: "secrets.s2.hash", says: "same secret"},
		{name: "secret without hash", change: func(c *Client) { c.Secrets[0].Hash = "" }, path: "secrets.s1.hash"},
		{name: "secret in plain", change: func(c *Client) { c.Secrets[0].Hash = FormatSecret([32]byte{3}) }, path: "secrets.s1.hash"},
		{name: "secret hash upper case", change: func(c *Client) { c.Secrets[0].Hash = "sha256:" + strings.ToUpper(goodHash[7:]) }, path: "secrets.s1.hash"},
		{name: "secret argon2id", change: func(c *Client) {
			c.Secrets[0].Hash = Argon2id{Memory: 19456, Time: 2, Threads: 1, Salt: make([]byte, 16), Key: make([]byte, 32)}.String()
		}},
		{name: "secrets too many", change: func(c *Client) {
			c.Secrets = nil
			for i := range 17 {
				c.Secrets = append(c.Secrets, Secret{ID: "s" + strconv.Itoa(i+1), Hash: HashGenerated(strconv.Itoa(i))})
			}
		}, path: "secrets", says: "16"},
		{name: "spent twice", change: func(c *Client) { c.Spent = append(c.Spent, Spent{ID: "s0"}) }, path: "spent.s0"},
		{name: "auth by key or certificate", change: func(c *Client) {
			c.Auth = []string{symbolon.AuthPrivateKeyJWT, symbolon.AuthTLSClient, symbolon.AuthSelfSignedTLS}
		}},
		{name: "auth symmetric", change: func(c *Client) { c.Auth = []string{"client_secret_jwt"} }, path: "auth.client_secret_jwt", says: "symmetric"},
		{name: "auth none", change: func(c *Client) { c.Auth = []string{"none"} }, path: "auth.none"},
		{name: "auth unknown", change: func(c *Client) { c.Auth = []string{"basic"} }, path: "auth.0", says: "client_secret_basic"},
		{name: "auth twice", change: func(c *Client) { c.Auth = []string{"client_secret_post", "client_secret_post"} }, path: "auth.client_secret_post", says: "twice"},
		{name: "access to a malformed id", change: func(c *Client) { c.Access["A"] = nil }, path: "access.A"},
		{name: "access to a malformed scope", change: func(c *Client) { c.Access["orders"] = []string{"a b"} }, path: "access.orders.a b"},
		{name: "access twice", change: func(c *Client) { c.Access["orders"] = []string{"a", "a"} }, path: "access.orders.a", says: "twice"},
		{name: "default API without access", change: func(c *Client) { c.DefaultAPI = []string{"stock"} }, path: "default_api.stock", says: "access"},
		{name: "default API twice", change: func(c *Client) { c.DefaultAPI = []string{"orders", "orders"} }, path: "default_api.orders", says: "twice"},
		{name: "claim of any type", change: claim("https://example.com/roles", `{"a":[1,null,true,"x"]}`)},
		{name: "claim not JSON", change: claim("a", `{`), path: "claims.a"},
		{name: "claim with two values", change: claim("a", `1,"b":2`), path: "claims.a"},
		{name: "claim with a repeated member", change: claim("a", `{"b":1,"b":2}`), path: "claims.a", says: "repeated"},
		{name: "claim without name", change: claim("", `1`), path: "claims."},
		{name: "claim with a long name", change: claim(strings.Repeat("a", 129), `1`), path: "claims." + strings.Repeat("a", 129)},
		{name: "too large", change: func(c *Client) {
			c.Claims = map[string]json.RawMessage{"a": json.RawMessage(strconv.Quote(strings.Repeat("a", MaxClientDoc)))}
		}, path: ".", says: "64 KiB"},
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "cid", "azp", "scope", "scp", "cnf", "act", "may_act", "gen", "cred"} {
		tests = append(tests, invalid[Client]{name: "reserved claim " + name, change: claim(name, `"x"`), path: "claims." + name, says: "only the server"})
	}
	checkInvalid(t, KindClient, func(c *Client) string { return c.ID }, goodClient, func(c *Client) *Client { return c }, tests)
}

func TestValidateOperator(t *testing.T) {
	fresh := func() *Operator {
		return &Operator{ID: "ann", Name: "Ann Example", Email: "ann@example.com", Role: RoleAdmin}
	}
	checkInvalid(t, KindOperator, func(o *Operator) string { return o.ID }, fresh, func(o *Operator) *Operator { return o }, []invalid[Operator]{
		{name: "everything", change: func(*Operator) {}},
		{name: "least", change: func(o *Operator) { *o = Operator{ID: "b", Role: RoleViewer} }},
		{name: "id", change: func(o *Operator) { o.ID = "ann@example.com" }, path: "id"},
		{name: "name", change: func(o *Operator) { o.Name = "a\r" }, path: "name"},
		{name: "email", change: func(o *Operator) { o.Email = "ann" }, path: "email"},
		{name: "email list", change: func(o *Operator) { o.Email = "ann@example.com,bob@example.com" }, path: "email"},
		{name: "role missing", change: func(o *Operator) { o.Role = "" }, path: "role", says: "viewer"},
		{name: "role unknown", change: func(o *Operator) { o.Role = "root" }, path: "role"},
	})
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	c := goodClient()
	c.ID, c.State, c.Bound = "a b", "on", "always"
	var found Problems
	if err := c.Validate(); !errors.As(err, &found) || len(found) != 3 || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v", err)
	}
}

func TestValidateSet(t *testing.T) {
	const base = "https://auth.example.com"
	issuer := func(id, url string) *Issuer { return &Issuer{ID: id, URL: url} }
	api := func(id, issuer, identifier string) *API { return &API{ID: id, Issuer: issuer, Identifier: identifier} }
	tests := []struct {
		name    string
		base    string
		issuers []*Issuer
		apis    []*API
		problem string // "kind id path"; "" when valid
	}{
		{name: "several issuers", issuers: []*Issuer{issuer("partners", ""), issuer("okta", "https://okta.example.com"), issuer("okta-default", "https://okta.example.com/oauth2/default"), issuer("port", "https://auth.example.com:8443")}},
		{name: "nested issuers", issuers: []*Issuer{issuer("a", ""), issuer("b", "https://auth.example.com/a/b")}},
		{name: "same url", issuers: []*Issuer{issuer("a", "https://x.example"), issuer("b", "https://x.example")}, problem: "issuer b url"},
		{name: "same url in capitals", issuers: []*Issuer{issuer("a", "https://x.example"), issuer("b", "https://X.Example")}, problem: "issuer b url"},
		{name: "paths keep their case", issuers: []*Issuer{issuer("a", "https://x.example/a"), issuer("b", "https://x.example/A")}},
		{name: "same url with the default port", issuers: []*Issuer{issuer("a", "https://x.example:443"), issuer("b", "https://x.example")}, problem: "issuer b url"},
		{name: "same url with a final slash", issuers: []*Issuer{issuer("a", "https://x.example/y/"), issuer("b", "https://x.example/y")}, problem: "issuer b url"},
		{name: "same url as the default's", issuers: []*Issuer{issuer("x", "https://AUTH.example.com/")}, problem: "issuer x url"},
		{name: "same url as an id's", issuers: []*Issuer{issuer("partners", ""), issuer("x", "https://auth.example.com/partners")}, problem: "issuer x url"},
		{name: "on another's endpoint", issuers: []*Issuer{issuer("a", ""), issuer("b", "https://auth.example.com/a/token")}, problem: "issuer b url"},
		{name: "on another's endpoint, named first", issuers: []*Issuer{issuer("z", ""), issuer("b", "https://auth.example.com/z/jwks/k")}, problem: "issuer z id"},
		{name: "endpoint below a base with a path", base: "https://example.com/auth", issuers: []*Issuer{issuer("jwks", "https://example.com/auth/jwks")}, problem: "issuer jwks url"},
		{name: "names that only begin alike", issuers: []*Issuer{issuer("a", ""), issuer("b", "https://auth.example.com/a-token")}},
		{name: "API of no issuer", apis: []*API{api("o", "nowhere", "https://o.example")}, problem: "api o issuer"},
		{name: "same identifier at two issuers", issuers: []*Issuer{issuer("partners", "")}, apis: []*API{api("a", "default", "https://o.example"), api("b", "partners", "https://o.example")}},
		{name: "same identifier at one issuer", apis: []*API{api("a", "default", "https://o.example"), api("b", "default", "https://o.example")}, problem: "api b identifier"},
		{name: "same identifier but for the slash of an empty path", apis: []*API{api("a", "default", "https://o.example/"), api("b", "default", "https://o.example")}, problem: "api b identifier"},
		{name: "identifiers with paths differ by the slash", apis: []*API{api("a", "default", "https://o.example/v1/"), api("b", "default", "https://o.example/v1")}},
		{name: "same legacy identifier", apis: []*API{api("a", "default", "old"), api("b", "default", "old")}, problem: "api b identifier"},
		{name: "the administration's identifier", apis: []*API{api("a", "default", "https://auth.example.com/admin")}, problem: "api a identifier"},
		{name: "issuer's audience", issuers: []*Issuer{{ID: "p", Audience: "https://o.example"}}, apis: []*API{api("a", "p", "https://o.example/")}},
		{name: "issuer's audience is nobody's", issuers: []*Issuer{{ID: "p", Audience: "api://x"}}, problem: "issuer p audience"},
		{name: "issuer's audience is of another issuer", issuers: []*Issuer{{ID: "p", Audience: "https://o.example"}}, apis: []*API{api("a", "default", "https://o.example")}, problem: "issuer p audience"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := View{Base: base, Issuers: map[string]*Issuer{"default": {ID: "default"}}, APIs: map[string]*API{}}
			if tt.base != "" {
				v.Base = tt.base
			}
			for _, i := range tt.issuers {
				v.Issuers[i.ID] = i
			}
			for _, a := range tt.apis {
				v.APIs[a.ID] = a
			}
			checkProblem(t, ValidateSet(v), tt.problem)
		})
	}
}

func checkProblem(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var found Problems
	if !errors.As(err, &found) || len(found) != 1 {
		t.Fatalf("got %v, want a problem at %s", err, want)
	}
	if p := found[0]; p.Kind+" "+p.ID+" "+p.Path != want || p.Message == "" || p.Fix == "" {
		t.Errorf("got %+v, want %s", p, want)
	}
}

func TestValidateClientAgainstOthers(t *testing.T) {
	v := world(t).View()
	for _, tt := range []struct {
		name    string
		client  Client
		problem string
	}{
		{"all there", Client{Issuers: []string{"default", "partners"}, Access: map[string][]string{"orders": {"orders:read"}, "partner": nil}, DefaultAPI: []string{"orders", "partner"}}, ""},
		{"no issuer", Client{Issuers: []string{"nowhere"}}, "client c issuers.nowhere"},
		{"no API", Client{Access: map[string][]string{"gone": nil}, DefaultAPI: []string{"gone"}}, "client c access.gone"},
		{"no scope", Client{Access: map[string][]string{"orders": {"orders:read", "stock:read"}}}, "client c access.orders.stock:read"},
		{"two defaults at an issuer", Client{Access: map[string][]string{"orders": nil, "stock": nil}, DefaultAPI: []string{"orders", "stock"}}, "client c default_api.stock"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.client.ID = "c"
			checkProblem(t, ValidateClient(v, &tt.client), tt.problem)
		})
	}
}
