package registry

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// ecJWK is a new public key with a kid.
func ecJWK(t testing.TB, kid string) json.RawMessage {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jwkOf(t, private.Public(), "", kid)
}

func jwkOf(t testing.TB, public any, alg jose.Algorithm, kid string) json.RawMessage {
	t.Helper()
	key, err := jose.NewKey(public, alg, kid)
	if err != nil {
		t.Fatal(err)
	}
	return key.JSON()
}

// rsaJWK is the public key of RFC 7517 appendix A.1: no test needs to make one.
const rsaJWK = `{"e":"AQAB","kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","use":"sig"`

func TestKeyFor(t *testing.T) {
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	keys := []ClientKey{
		{ID: "k1", JWK: ecJWK(t, "of-the-client")},
		{ID: "k2", JWK: ecJWK(t, ""), Expires: now.Add(time.Hour)},
		{ID: "old", JWK: ecJWK(t, "old-kid"), Expires: now},
	}
	c := &Client{Keys: keys}
	for kid, want := range map[string]string{
		"k1": "k1", "of-the-client": "k1", keys[0].Key().Thumbprint(): "k1",
		"k2": "k2", keys[1].Key().Thumbprint(): "k2",
		"old": "", "old-kid": "", keys[2].Key().Thumbprint(): "",
		"":   "", // two live keys: it could be either
		"K1": "", "k3": "", "of-the-clien": "", strings.Repeat("A", 43): "",
	} {
		got := ""
		if k := c.KeyFor(kid, now); k != nil {
			got = k.ID
		}
		if got != want {
			t.Errorf("kid %q means %q, want %q", kid, got, want)
		}
	}
	if k := c.KeyFor("", now.Add(time.Hour)); k == nil || k.ID != "k1" {
		t.Errorf("without kid the only live key is meant, got %v", k)
	}
	c.Keys[1].JWK = ecJWK(t, "k1") // validation refuses it; a document of another version may hold it
	if k := c.KeyFor("k1", now); k != nil {
		t.Errorf("an ambiguous kid means %s", k.ID)
	}
	c.Keys[0].JWK = json.RawMessage(`{"kty":"EC"}`)
	if k := c.KeyFor("of-the-client", now); k != nil {
		t.Errorf("a broken key means %s", k.ID)
	}
}

func TestMethodsFollowFromCredentials(t *testing.T) {
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	secret := Secret{ID: "s1"}
	key := ClientKey{ID: "k1"}
	named := Certificate{ID: "c1", SANDNS: "a.example"}
	own := Certificate{ID: "c2", PEM: "…"}
	basic, post, jwt := symbolon.AuthSecretBasic, symbolon.AuthSecretPost, symbolon.AuthPrivateKeyJWT
	tls, self := symbolon.AuthTLSClient, symbolon.AuthSelfSignedTLS
	for name, tt := range map[string]struct {
		c    Client
		want []string
	}{
		"nothing":                 {Client{}, nil},
		"a secret":                {Client{Secrets: []Secret{secret}}, []string{basic, post}},
		"a key":                   {Client{Keys: []ClientKey{key}}, []string{jwt}},
		"a jwks_uri":              {Client{JWKSURI: "https://a.example"}, []string{jwt}},
		"a name":                  {Client{Certificates: []Certificate{named}}, []string{tls}},
		"a certificate":           {Client{Certificates: []Certificate{own}}, []string{self}},
		"everything":              {Client{Secrets: []Secret{secret}, Keys: []ClientKey{key}, Certificates: []Certificate{own, named}}, []string{basic, post, jwt, tls, self}},
		"everything, narrowed":    {Client{Auth: []string{self, basic}, Secrets: []Secret{secret}, Keys: []ClientKey{key}, Certificates: []Certificate{own, named}}, []string{basic, self}},
		"narrowed to what is not": {Client{Auth: []string{jwt}, Secrets: []Secret{secret}}, nil},
		"an expired key":          {Client{Secrets: []Secret{secret}, Keys: []ClientKey{{ID: "k", Expires: now}}}, []string{basic, post}},
		"an expired certificate":  {Client{Certificates: []Certificate{{ID: "c", SANDNS: "a", Expires: now.Add(-1)}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.c.Methods(now); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			for _, m := range tt.want {
				if !tt.c.Authenticates(m) {
					t.Errorf("may not use %s", m)
				}
			}
			if tt.c.Authenticates("none") || tt.c.Authenticates("") {
				t.Error("authenticates by nothing")
			}
		})
	}
}

func TestValidateCredentials(t *testing.T) {
	first, second := ecJWK(t, "a"), ecJWK(t, "b")
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	private, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ed, _, _ := ed25519.GenerateKey(rand.Reader)
	d, err := private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	public := jwkOf(t, private.Public(), "", "")
	privateJWK := json.RawMessage(string(public[:len(public)-1]) + `,"d":"` + jose.EncodeSegment(d) + `"}`)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	keys := func(list ...ClientKey) func(*Client) { return func(c *Client) { c.Keys = list } }
	certs := func(list ...Certificate) func(*Client) { return func(c *Client) { c.Certificates = list } }
	spent := func(digest string, then func(*Client)) func(*Client) {
		return func(c *Client) { c.Spent = []Spent{{ID: "gone", Digest: digest}}; then(c) }
	}
	uri := func(text string) func(*Client) { return func(c *Client) { c.JWKSURI = text } }
	legacy := func(l LegacyAssertion) func(*Client) { return func(c *Client) { c.LegacyAssertion = &l } }
	until := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	both := []string{AudienceTokenEndpoint, AudienceIssuerArray}
	for _, tt := range []struct {
		name   string
		change func(*Client)
		path   string // "": it is good
		says   string
	}{
		{name: "a key", change: keys(ClientKey{ID: "k1", JWK: first})},
		{name: "P-384", change: keys(ClientKey{ID: "k1", JWK: jwkOf(t, p384.Public(), "", "")})},
		{name: "Ed25519", change: keys(ClientKey{ID: "k1", JWK: jwkOf(t, ed, "", "")})},
		{name: "RSA without an algorithm", change: keys(ClientKey{ID: "k1", JWK: json.RawMessage(rsaJWK + "}")})},
		{name: "a kid with marks that JSON escapes", change: keys(ClientKey{ID: "k1", JWK: ecJWK(t, `<a&"b">`)})},
		{name: "no key", change: keys(ClientKey{ID: "k1"}), path: "keys.k1.jwk", says: "missing"},
		{name: "not a key", change: keys(ClientKey{ID: "k1", JWK: json.RawMessage(`{"kty":"EC"}`)}), path: "keys.k1.jwk", says: "crv is missing"},
		{name: "a private key", change: keys(ClientKey{ID: "k1", JWK: privateJWK}), path: "keys.k1.jwk", says: "a private key stands where a public key belongs"},
		{name: "a symmetric key", change: keys(ClientKey{ID: "k1", JWK: json.RawMessage(`{"kty":"oct","k":"AAAA"}`)}), path: "keys.k1.jwk", says: "private key"},
		{name: "a weak key", change: keys(ClientKey{ID: "k1", JWK: json.RawMessage(`{"kty":"RSA","e":"AQAB","n":"` + jose.EncodeSegment(weak.N.Bytes()) + `"}`)}), path: "keys.k1.jwk", says: "2048"},
		{name: "members that are not kept", change: keys(ClientKey{ID: "k1", JWK: json.RawMessage(rsaJWK + `,"x5u":"https://a.example"}`)}), path: "keys.k1.jwk", says: "not written as it is stored"},
		{name: "a long kid", change: keys(ClientKey{ID: "k1", JWK: ecJWK(t, strings.Repeat("k", 257))}), path: "keys.k1.jwk", says: "kid"},
		{name: "an id", change: keys(ClientKey{ID: "K 1", JWK: first}), path: "keys.0.id", says: "not an id"},
		{name: "an id of a secret", change: keys(ClientKey{ID: "s1", JWK: first}), path: "keys.s1.id", says: "two credentials"},
		{name: "an id of a jwks_uri", change: keys(ClientKey{ID: "uri-0123456789abcdef", JWK: first}), path: "keys.uri-0123456789abcdef.id", says: "jwks_uri"},
		{name: "an id that is spent", change: keys(ClientKey{ID: "s0", JWK: first}), path: "keys.s0.id", says: "an id is used once only"},
		{name: "the same key twice", change: keys(ClientKey{ID: "k1", JWK: json.RawMessage(rsaJWK + "}")}, ClientKey{ID: "k2", JWK: json.RawMessage(rsaJWK + `,"alg":"PS256"}`)}), path: "keys.k2.jwk", says: "the same key"},
		{name: "a revoked key", change: spent((&ClientKey{JWK: first}).Digest(), keys(ClientKey{ID: "k1", JWK: first})), path: "keys.k1.jwk", says: "this key was revoked"},
		{name: "a kid that is another's id", change: keys(ClientKey{ID: "b", JWK: first}, ClientKey{ID: "k2", JWK: second}), path: "keys.k2.jwk", says: "kid"},
		{name: "a kid that is its own id", change: keys(ClientKey{ID: "a", JWK: first}, ClientKey{ID: "b", JWK: second})},
		{name: "too many keys", change: func(c *Client) {
			for i := range MaxKeys + 1 {
				c.Keys = append(c.Keys, ClientKey{ID: "k" + string(rune('a'+i)), JWK: ecJWK(t, "")})
			}
		}, path: "keys", says: "more than 16"},

		{name: "a jwks_uri", change: uri("https://billing.example.com:8443/jwks?v=1")},
		{name: "a jwks_uri over http", change: uri("http://billing.example.com/"), path: "jwks_uri", says: "https"},
		{name: "a jwks_uri with a user", change: uri("https://u:p@billing.example.com/"), path: "jwks_uri", says: "user name"},
		{name: "a jwks_uri with a fragment", change: uri("https://billing.example.com/#k"), path: "jwks_uri", says: "fragment"},
		{name: "a jwks_uri without host", change: uri("https:///jwks"), path: "jwks_uri"},
		{name: "a jwks_uri that is opaque", change: uri("https:billing.example.com"), path: "jwks_uri"},
		{name: "a jwks_uri with an empty port", change: uri("https://billing.example.com:/"), path: "jwks_uri", says: "port"},
		{name: "a jwks_uri of a file", change: uri("file:///etc/passwd"), path: "jwks_uri"},
		{name: "a jwks_uri that is long", change: uri("https://billing.example.com/" + strings.Repeat("a", 1024)), path: "jwks_uri", says: "longer"},
		{name: "a jwks_uri on this machine", change: uri("https://127.0.0.1/jwks"), path: "jwks_uri", says: "private network"},
		{name: "a jwks_uri in the cloud's metadata", change: uri("https://169.254.169.254/latest"), path: "jwks_uri", says: "private network"},
		{name: "a jwks_uri in a private network", change: uri("https://[fd00::1]/jwks"), path: "jwks_uri", says: "private network"},
		{name: "a jwks_uri on a mapped address", change: uri("https://[::ffff:10.0.0.1]/jwks"), path: "jwks_uri", says: "private network"},
		{name: "a jwks_uri with a short address", change: uri("https://127.1/jwks"), path: "jwks_uri", says: "usual form"},
		{name: "a jwks_uri with a hexadecimal address", change: uri("https://0x7f000001/jwks"), path: "jwks_uri", says: "usual form"},
		{name: "a jwks_uri with a number as its address", change: uri("https://2130706433/jwks"), path: "jwks_uri", says: "usual form"},
		{name: "a jwks_uri with a public address", change: uri("https://93.184.216.34/jwks")},
		{name: "a jwks_uri that was revoked", change: func(c *Client) {
			c.JWKSURI = "https://billing.example.com/jwks"
			c.Spent = []Spent{{ID: JWKSURICredential(c.JWKSURI), Revoked: until}}
		}, path: "jwks_uri", says: "revoked"},

		{name: "a name", change: certs(Certificate{ID: "c1", SubjectDN: "CN=billing,O=Example"})},
		{name: "RFC 8705 §2.1.2: no form", change: certs(Certificate{ID: "c1"}), path: "certificates.c1", says: "does not say"},
		{name: "RFC 8705 §2.1.2: two forms", change: certs(Certificate{ID: "c1", SubjectDN: "CN=a", SANDNS: "a.example"}), path: "certificates.c1", says: "more than one of subject_dn, san_dns"},
		{name: "a name and a certificate", change: certs(Certificate{ID: "c1", SANIP: "192.0.2.1", PEM: "x"}), path: "certificates.c1", says: "more than one"},
		{name: "not a name", change: certs(Certificate{ID: "c1", SubjectDN: "billing"}), path: "certificates.c1.subject_dn", says: "TYPE=VALUE"},
		{name: "as OpenSSL prints it", change: certs(Certificate{ID: "c1", SubjectDN: "C = DE, CN = billing"}), path: "certificates.c1.subject_dn", says: "without spaces"},
		{name: "the same name in other words", change: certs(Certificate{ID: "c1", SubjectDN: "CN=billing,O=Ex"}, Certificate{ID: "c2", SubjectDN: "2.5.4.3=BILLING, o=ex"}), path: "certificates.c2.subject_dn", says: "the same name"},
		{name: "a DNS name", change: certs(Certificate{ID: "c1", SANDNS: "Billing.example.com"})},
		{name: "a wildcard", change: certs(Certificate{ID: "c1", SANDNS: "*.example.com"}), path: "certificates.c1.san_dns", says: "not a DNS name"},
		{name: "an international name", change: certs(Certificate{ID: "c1", SANDNS: "müller.example"}), path: "certificates.c1.san_dns"},
		{name: "a URI", change: certs(Certificate{ID: "c1", SANURI: "spiffe://example.com/billing"})},
		{name: "a relative URI", change: certs(Certificate{ID: "c1", SANURI: "/billing"}), path: "certificates.c1.san_uri"},
		{name: "an address", change: certs(Certificate{ID: "c1", SANIP: "2001:db8::1"})},
		{name: "an address with a zone", change: certs(Certificate{ID: "c1", SANIP: "fe80::1%eth0"}), path: "certificates.c1.san_ip"},
		{name: "a network", change: certs(Certificate{ID: "c1", SANIP: "192.0.2.0/24"}), path: "certificates.c1.san_ip"},
		{name: "a mail address", change: certs(Certificate{ID: "c1", SANEmail: "billing@example.com"})},
		{name: "not a mail address", change: certs(Certificate{ID: "c1", SANEmail: "billing"}), path: "certificates.c1.san_email"},
		{name: "not a certificate", change: certs(Certificate{ID: "c1", PEM: "x"}), path: "certificates.c1.pem", says: "no PEM block"},
		{name: "a public key", change: certs(Certificate{ID: "c1", PEM: publicPEM(t, first)}), path: "certificates.c1.pem", says: "not a certificate"},
		{name: "a revoked name", change: spent((&Certificate{SANDNS: "a.example"}).Digest(), certs(Certificate{ID: "c1", SANDNS: "A.example"})), path: "certificates.c1.san_dns", says: "revoked"},

		{name: "an exception", change: legacy(LegacyAssertion{Until: until, Audience: both, MaxLifetime: MaxLegacyLifetime})},
		{name: "an exception without end", change: legacy(LegacyAssertion{Audience: both}), path: "legacy_assertion.until", says: "must end"},
		{name: "an exception from nothing", change: legacy(LegacyAssertion{Until: until}), path: "legacy_assertion.audience"},
		{name: "an unknown audience", change: legacy(LegacyAssertion{Until: until, Audience: []string{"any"}}), path: "legacy_assertion.audience.0", says: "not a form"},
		{name: "an audience twice", change: legacy(LegacyAssertion{Until: until, Audience: []string{"issuer_array", "issuer_array"}}), path: "legacy_assertion.audience.issuer_array"},
		{name: "too long a life", change: legacy(LegacyAssertion{Until: until, Audience: both, MaxLifetime: MaxLegacyLifetime + 1}), path: "legacy_assertion.max_lifetime", says: "1h"},
		{name: "a negative life", change: legacy(LegacyAssertion{Until: until, Audience: both, MaxLifetime: -1}), path: "legacy_assertion.max_lifetime"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := goodClient()
			c.Spent = []Spent{{ID: "s0"}}
			tt.change(c)
			err := c.Validate()
			var found Problems
			if tt.path == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.As(err, &found) || len(found) != 1 || found[0].Path != tt.path || !strings.Contains(found[0].Message, tt.says) || found[0].Fix == "" {
				t.Errorf("got %v, want %s: %s", err, tt.path, tt.says)
			}
		})
	}
}

func publicPEM(t testing.TB, jwk []byte) string {
	t.Helper()
	key, err := jose.ParseKey(jwk)
	if err != nil {
		t.Fatal(err)
	}
	return string(key.PEM())
}

func TestPublicAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::": true, "8.8.8.8": true, "168.63.129.16": false, "::ffff:8.8.8.8": false,
		"127.0.0.1": false, "127.255.0.1": false, "0.0.0.0": false, "10.1.2.3": false, "172.31.255.255": false, "172.32.0.1": true,
		"192.168.0.1": false, "169.254.169.254": false, "100.64.0.1": false, "100.128.0.1": true, "224.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::7f00:1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "ff02::1": false,
	} {
		if got := PublicAddress(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if PublicAddress(netip.Addr{}) || PublicAddress(netip.MustParseAddr("2606:2800:220:1::%eth0")) {
		t.Error("no address, or one with a zone")
	}
}

func TestFitClient(t *testing.T) {
	v := View{Base: "https://auth.example.com",
		Issuers: map[string]*Issuer{"default": {ID: "default"}, "bank": {ID: "bank", Profile: ProfileFAPI2}},
		APIs: map[string]*API{
			"open":  {ID: "open", Issuer: "default"},
			"proof": {ID: "proof", Issuer: "default", Bound: BoundDPoP},
			"cert":  {ID: "cert", Issuer: "default", Bound: BoundMTLS},
		}}
	key := ClientKey{ID: "k1", JWK: ecJWK(t, "")}
	rs256 := ClientKey{ID: "k2", JWK: json.RawMessage(rsaJWK + `,"alg":"RS256"}`)}
	anyRSA := ClientKey{ID: "k3", JWK: json.RawMessage(rsaJWK + `}`)}
	secret := Secret{ID: "s1", Hash: HashGenerated("x")}
	bank := []string{"bank"}
	for _, tt := range []struct {
		name string
		c    Client
		path string
	}{
		{"a key, named", Client{Auth: []string{symbolon.AuthPrivateKeyJWT}, Keys: []ClientKey{key}}, ""},
		{"a method without a credential", Client{Auth: []string{symbolon.AuthPrivateKeyJWT}, Secrets: []Secret{secret}}, "auth.private_key_jwt"},
		{"a name is no certificate", Client{Auth: []string{symbolon.AuthSelfSignedTLS}, Certificates: []Certificate{{ID: "c1", SANDNS: "a"}}}, "auth.self_signed_tls_client_auth"},
		{"fapi2: nothing yet", Client{Issuers: bank}, ""},
		{"fapi2: a key", Client{Issuers: bank, Keys: []ClientKey{key}}, ""},
		{"fapi2: a key beside a secret", Client{Issuers: bank, Secrets: []Secret{secret}, Keys: []ClientKey{key}}, ""},
		{"fapi2: a jwks_uri", Client{Issuers: bank, JWKSURI: "https://a.example"}, ""},
		{"fapi2: a certificate", Client{Issuers: bank, Certificates: []Certificate{{ID: "c1", SANDNS: "a"}}}, ""},
		{"fapi2: a secret alone", Client{Issuers: bank, Secrets: []Secret{secret}}, "issuers"},
		{"fapi2: narrowed to the secret", Client{Issuers: bank, Secrets: []Secret{secret}, Keys: []ClientKey{key}, Auth: []string{symbolon.AuthSecretBasic}}, "issuers"},
		{"fapi2: RS256", Client{Issuers: bank, Keys: []ClientKey{rs256}}, "keys.k2.jwk"},
		{"fapi2: RSA, which may sign PS256", Client{Issuers: bank, Keys: []ClientKey{anyRSA}}, ""},
		{"fapi2: an exception", Client{Issuers: bank, Keys: []ClientKey{key}, LegacyAssertion: &LegacyAssertion{}}, "legacy_assertion"},
		{"elsewhere: RS256", Client{Keys: []ClientKey{rs256}}, ""},
		{"bindings that agree", Client{Bound: BoundDPoP, Access: map[string][]string{"open": nil, "proof": nil}}, ""},
		{"bindings that do not", Client{Bound: BoundDPoP, Access: map[string][]string{"cert": nil}}, "bound"},
		{"APIs may differ", Client{Bound: BoundRequired, Access: map[string][]string{"cert": nil, "proof": nil}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := FitClient(v, &tt.c)
			var found Problems
			switch {
			case tt.path == "" && err != nil:
				t.Error(err)
			case tt.path != "" && (!errors.As(err, &found) || len(found) != 1 || found[0].Path != tt.path || found[0].Fix == ""):
				t.Errorf("got %v, want %s", err, tt.path)
			}
		})
	}
	v.APIs["legacy"] = &API{ID: "legacy", Issuer: "bank", Identifier: "https://l.example", Token: APIToken{Algorithm: "RS256"}}
	if err := ValidateSet(v); err == nil || !strings.Contains(err.Error(), "token.algorithm: issuer bank has the profile fapi2") {
		t.Errorf("%v", err)
	}
}
