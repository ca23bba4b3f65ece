package symbolon_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

func sample() *symbolon.Claims {
	return &symbolon.Claims{
		Issuer: "https://auth.example.com", Subject: "billing", Audience: []string{"https://orders.example.com"},
		Expiry: 2000003600, IssuedAt: 2000000000, ID: "jti-1", ClientID: "billing",
		Scope: "orders:read orders:write", Gen: 1<<40 + 7, Cred: "s1",
	}
}

// TestClaimsWireForm: the members in their order, as other programs see them
// (RFC 9068 §2.2, RFC 8693 §4.2).
func TestClaimsWireForm(t *testing.T) {
	c := sample()
	want := `{"iss":"https://auth.example.com","sub":"billing","aud":"https://orders.example.com","exp":2000003600,` +
		`"iat":2000000000,"jti":"jti-1","client_id":"billing","scope":"orders:read orders:write","gen":1099511627783,"cred":"s1"}`
	if got := string(c.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	c.Audience = []string{"a", "b"}
	c.NotBefore = 5
	c.Confirmation = &symbolon.Confirmation{JKT: "t", X5TS256: "u"}
	c.Extra = map[string]json.RawMessage{"role": json.RawMessage(`"batch"`), "n": json.RawMessage(`{"x":[1]}`)}
	for _, part := range []string{`"aud":["a","b"]`, `"nbf":5`, `"cnf":{"jkt":"t","x5t#S256":"u"}`, `,"n":{"x":[1]},"role":"batch"}`} {
		if got := string(c.AppendJSON(nil)); !strings.Contains(got, part) {
			t.Errorf("%s is not in %s", part, got)
		}
	}
}

// TestReservedClaimsCannotBeSetFromExtra: extra claims of a client or an API
// never replace what the server says.
func TestReservedClaimsCannotBeSetFromExtra(t *testing.T) {
	names := strings.Fields("iss sub aud exp nbf iat jti client_id cid azp scope scp cnf act may_act gen cred")
	c := &symbolon.Claims{Extra: map[string]json.RawMessage{"free": json.RawMessage("1")}}
	for _, name := range names {
		if !symbolon.ReservedClaim(name) {
			t.Errorf("%s is not reserved", name)
		}
		c.Extra[name] = json.RawMessage(`"evil"`)
	}
	if got := string(c.AppendJSON(nil)); strings.Contains(got, "evil") || !strings.Contains(got, `"free":1`) {
		t.Error(got)
	}
}

// TestClaimsEscape: whatever a name holds, the result is JSON that means it.
func TestClaimsEscape(t *testing.T) {
	for _, s := range []string{`a"b\c`, "line\nbreak\x00\x1f", "ü€𝄞", "<&>", "\u2028"} {
		c := &symbolon.Claims{Subject: s, Audience: []string{"x"}}
		back, err := symbolon.ParseClaims(c.AppendJSON(nil))
		if err != nil || back.Subject != s {
			t.Errorf("%q came back as %q, %v", s, back.Subject, err)
		}
	}
	c := &symbolon.Claims{Subject: "a\xffb"}
	if got := c.AppendJSON(nil); !json.Valid(got) || !strings.Contains(string(got), `a\ufffdb`) {
		t.Errorf("%s", got)
	}
}

func TestParseClaimsReadsWhatWasWritten(t *testing.T) {
	c := sample()
	c.Audience = []string{"a", "b"}
	c.NotBefore = 7
	c.Confirmation = &symbolon.Confirmation{JKT: "t"}
	c.Extra = map[string]json.RawMessage{"role": json.RawMessage(`{"a": [1, "}"]}`)}
	back, err := symbolon.ParseClaims(c.AppendJSON(nil))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c, back); d != "" {
		t.Error(d)
	}
}

// TestParseClaimsRefuses: wrong types and shapes, one by one.
func TestParseClaimsRefuses(t *testing.T) {
	for name, payload := range map[string]string{
		"empty": "", "null": "null", "array": "[]", "string": `"x"`, "unterminated": `{"iss":"a"`, "trailing": `{} x`, "two objects": `{}{}`,
		"comma at the end": `{"iss":"a",}`, "no comma": `{"iss":"a" "sub":"b"}`, "no colon": `{"iss" "a"}`, "bare name": `{iss:"a"}`,
		"no value": `{"iss":}`, "half an escape": `{"x":"\`, "bad escape": `{"x":"\q"}`, "control character": "{\"x\":\"a\nb\"}",
		"not UTF-8": "{\"x\":\"\xff\"}", "leading zero": `{"exp":01}`, "word": `{"x":nul}`, "open array": `{"x":[1}`, "crossed": `{"x":[{]}}`,
		"iss array (CVE-2025-30144)":       `{"iss":["https://auth.example.com"]}`,
		"iss number":                       `{"iss":1}`,
		"aud number":                       `{"aud":1}`,
		"aud null":                         `{"aud":null}`,
		"aud empty array (CVE-2020-26160)": `{"aud":[]}`,
		"aud array of numbers":             `{"aud":["a",1]}`,
		"aud object":                       `{"aud":{"a":"b"}}`,
		"exp string":                       `{"exp":"2000000000"}`, "exp null": `{"exp":null}`, "exp negative": `{"exp":-1}`,
		"exp beyond 9999": `{"exp":253402300800}`, "exp int64 overflow": `{"exp":9223372036854775808}`, "exp infinite": `{"exp":1e999}`,
		"exp word": `{"exp":Infinity}`, "exp hex": `{"exp":0x10}`, "exp true": `{"exp":true}`,
		"nbf minimum": `{"nbf":-9223372036854775808}`, "iat array": `{"iat":[1]}`,
		"scope array": `{"scope":["a"]}`, "gen fraction": `{"gen":1.5}`, "gen negative": `{"gen":-1}`, "gen exponent": `{"gen":1e3}`,
		"cnf empty": `{"cnf":{}}`, "cnf string": `{"cnf":"x"}`, "cnf unknown": `{"cnf":{"kid":"a"}}`, "cnf other case": `{"cnf":{"JKT":"a"}}`,
		"cnf null": `{"cnf":null}`, "cnf jkt empty": `{"cnf":{"jkt":""}}`, "cnf jkt null": `{"cnf":{"jkt":null}}`,
		"cnf certificate empty": `{"cnf":{"jkt":"t","x5t#S256":""}}`,
	} {
		if c, err := symbolon.ParseClaims([]byte(payload)); err == nil {
			t.Errorf("%s: %s was read as %+v", name, payload, c)
		}
	}
}

func TestParseClaimsAccepts(t *testing.T) {
	for payload, want := range map[string]*symbolon.Claims{
		`{}`:                                     {},
		` { "exp" : 1.9 , "nbf":1e3, "iat":0 } `: {Expiry: 1, NotBefore: 1000},
		`{"exp":253402300799}`:                   {Expiry: 253402300799},
		`{"\u0069ss":"\u0061","aud":["x"]}`:      {Issuer: "a", Audience: []string{"x"}},
		`{"ISS":"a"}`:                            {Extra: map[string]json.RawMessage{"ISS": json.RawMessage(`"a"`)}},
		`{"x":[{"y":"]}"},-0.5e-2,null,true]}`:   {Extra: map[string]json.RawMessage{"x": json.RawMessage(`[{"y":"]}"},-0.5e-2,null,true]`)}},
		`{"cnf":{"x5t#S256":"u"}}`:               {Confirmation: &symbolon.Confirmation{X5TS256: "u"}},
	} {
		got, err := symbolon.ParseClaims([]byte(payload))
		if err != nil {
			t.Errorf("%s: %v", payload, err)
			continue
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", payload, d)
		}
	}
}

// TestParseClaimsKeepsNothingOfThePayload: the caller may write over it.
func TestParseClaimsKeepsNothingOfThePayload(t *testing.T) {
	payload := []byte(`{"iss":"a","role":{"x":1}}`)
	c, err := symbolon.ParseClaims(payload)
	if err != nil {
		t.Fatal(err)
	}
	clear(payload)
	if c.Issuer != "a" || string(c.Extra["role"]) != `{"x":1}` {
		t.Errorf("%+v", c)
	}
}

func TestClaimsScopesAndAudience(t *testing.T) {
	c := sample()
	for scope, want := range map[string]bool{"orders:read": true, "orders:write": true, "orders": false, "read": false, "": false, "orders:read orders:write": false} {
		if c.HasScope(scope) != want {
			t.Errorf("HasScope(%q) is %v", scope, !want)
		}
	}
	if !slices.Equal(c.Scopes(), []string{"orders:read", "orders:write"}) {
		t.Error(c.Scopes())
	}
	for audience, want := range map[string]bool{"https://orders.example.com": true, "https://orders.example.com/": false, "https://orders": false, "": false} {
		if c.HasAudience(audience) != want {
			t.Errorf("HasAudience(%q) is %v", audience, !want)
		}
	}
}

// reference reads the members with encoding/json.
func reference(payload []byte) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	err := json.Unmarshal(payload, &m)
	if err == nil && m == nil {
		err = fmt.Errorf("no object")
	}
	return m, err
}

// FuzzParseClaims: on every object that all parsers read alike, the walk over
// the members finds what encoding/json finds; on anything else it fails where
// encoding/json does.
func FuzzParseClaims(f *testing.F) {
	f.Add(sample().AppendJSON(nil))
	for _, s := range []string{`{}`, `{"a":[{}],"b":-1.5e3,"\u0069ss":"\ud834\udd1e"}`, `{"exp":1e3}`, `{"aud":["a","b"]}`, `{"x":"\"}"}`, "{\"a\":tru\te}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		want, wantErr := reference(payload)
		c, err := symbolon.ParseClaims(payload)
		if wantErr != nil && err == nil {
			t.Fatalf("accepted %q: %v", payload, wantErr)
		}
		if wantErr != nil || err != nil || jose.CheckObject(payload) != nil {
			return
		}
		for name, raw := range c.Extra {
			if string(want[name]) != string(raw) {
				t.Fatalf("%s is %s, want %s", name, raw, want[name])
			}
			delete(want, name)
		}
		for name := range want {
			if !symbolon.ReservedClaim(name) {
				t.Fatalf("%s is missing", name)
			}
		}
		if raw, ok := want["exp"]; ok {
			var f float64
			if json.Unmarshal(raw, &f) != nil || c.Expiry != int64(f) || math.IsNaN(f) {
				t.Fatalf("exp is %d, want %s", c.Expiry, raw)
			}
		}
		if raw, ok := want["iss"]; ok {
			var s string
			if json.Unmarshal(raw, &s) != nil || s != c.Issuer {
				t.Fatalf("iss is %q, want %s", c.Issuer, raw)
			}
		}
		if c.Audience == nil {
			c.Audience = []string{"x"} // none is written as an empty array, which is not read
		}
		again, err := symbolon.ParseClaims(c.AppendJSON(nil))
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		// Reserved names that Claims does not hold, as act, are not written.
		maps.DeleteFunc(c.Extra, func(name string, _ json.RawMessage) bool { return symbolon.ReservedClaim(name) })
		if len(c.Extra) != len(again.Extra) || c.Subject != again.Subject || !slices.Equal(c.Audience, again.Audience) {
			t.Fatalf("%+v\n%+v", c, again)
		}
	})
}

func BenchmarkParseClaims(b *testing.B) {
	payload := sample().AppendJSON(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := symbolon.ParseClaims(payload); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRFC6749_3_3_ScopesAreDividedBySpaces: both ways to ask give the same
// answer, whatever the issuer lets into a scope's name.
func TestRFC6749_3_3_ScopesAreDividedBySpaces(t *testing.T) {
	for _, between := range []string{"\u00a0", "\t", "\n", "\u2003", "\u0085"} {
		c := &symbolon.Claims{Scope: "reports" + between + "admin"}
		if got := c.Scopes(); len(got) != 1 || c.HasScope("admin") {
			t.Errorf("%+q gives %+q", c.Scope, got)
		}
	}
	c := &symbolon.Claims{Scope: " read  write "}
	if got := c.Scopes(); !slices.Equal(got, []string{"read", "write"}) || !c.HasScope("write") {
		t.Errorf("got %q", got)
	}
}
