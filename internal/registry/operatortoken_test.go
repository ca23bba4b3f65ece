package registry

import (
	"strings"
	"testing"
	"time"
)

func goodOperatorToken() *OperatorToken {
	return &OperatorToken{ID: "ci", Name: "CI", Role: RoleOperator, Issuers: []string{"okta"}, SSWS: true, Hash: goodHash}
}

func TestValidateOperatorToken(t *testing.T) {
	checkInvalid(t, KindOperatorToken, func(o *OperatorToken) string { return o.ID }, goodOperatorToken, func(o *OperatorToken) *OperatorToken { return o }, []invalid[OperatorToken]{
		{name: "everything", change: func(*OperatorToken) {}},
		{name: "id", change: func(o *OperatorToken) { o.ID = "CI" }, path: "id"},
		{name: "name", change: func(o *OperatorToken) { o.Name = "a\nb" }, path: "name"},
		{name: "role", change: func(o *OperatorToken) { o.Role = "" }, path: "role", says: "viewer"},
		{name: "no issuers", change: func(o *OperatorToken) { o.Issuers = nil }, path: "issuers", says: "[okta]"},
		{name: "an issuer twice", change: func(o *OperatorToken) { o.Issuers = []string{"okta", "okta"} }, path: "issuers.okta"},
		{name: "an issuer that is no id", change: func(o *OperatorToken) { o.Issuers = []string{"https://o.example"} }, path: "issuers.0"},
		{name: "no hash", change: func(o *OperatorToken) { o.Hash = "" }, path: "hash", says: "sha256:"},
		{name: "a slow hash", change: func(o *OperatorToken) { o.Hash = "argon2id:m=19456,t=2,p=1:AAAA:AAAA" }, path: "hash"},
	})
}

func TestOperatorTokenAgainstIssuers(t *testing.T) {
	v := View{Base: "https://auth.example.com", Issuers: map[string]*Issuer{"default": {ID: "default"},
		"okta":        {ID: "okta", Dialect: DialectOkta, URL: "https://o.example"},
		"okta-custom": {ID: "okta-custom", Dialect: DialectOkta, URL: "https://o.example/oauth2/a"},
		"tenant":      {ID: "tenant", Dialect: DialectAuth0, URL: "https://t.example"}}}
	for _, tt := range []struct {
		name    string
		issuers []string
		ssws    bool
		problem string
	}{
		{"of an organisation", []string{"okta"}, true, ""},
		{"of one of its issuers besides", []string{"okta", "okta-custom"}, true, "operator_token ci issuers.okta-custom"},
		{"of no issuer", []string{"okta", "gone"}, true, "operator_token ci issuers.gone"},
		{"of a custom server alone", []string{"okta-custom"}, true, "operator_token ci issuers.okta-custom"},
		{"of a tenant", []string{"tenant"}, true, "operator_token ci issuers.tenant"},
		{"of a tenant, without ssws", []string{"tenant"}, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := goodOperatorToken()
			o.Issuers, o.SSWS = tt.issuers, tt.ssws
			checkProblem(t, ValidateOperatorToken(v, o), tt.problem)
		})
	}
}

func TestOperatorTokenValue(t *testing.T) {
	long := strings.Repeat("0aB-", 8)
	for value, refused := range map[string]bool{
		FormatSecret([32]byte{3}): false, long: false, strings.Repeat("x", 512): false,
		"": true, long[1:]: true, strings.Repeat("x", 513): true, long + "\n": true, long + " ": true, long + "é": true, long + "\x7f": true,
	} {
		message, fix := CheckTokenValue(value)
		if (message != "") != refused || refused && !strings.Contains(fix, "openssl rand -hex 32") {
			t.Errorf("%d octets: %q, %q", len(value), message, fix)
		}
		if value != "" && strings.Contains(message+fix, value) {
			t.Errorf("%q repeats the value", message)
		}
	}
}

func TestSnapshotFindsOperatorTokens(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	value, other := FormatSecret([32]byte{1}), FormatSecret([32]byte{2})
	expiring := goodOperatorToken()
	expiring.ID, expiring.Hash, expiring.Expires = "short", HashGenerated(other), now
	twice, broken := goodOperatorToken(), goodOperatorToken()
	twice.ID, broken.ID, broken.Hash = "twice", "broken", "md5:"
	s, warnings := Build("https://auth.example.com", Position{Seq: 1}, []Doc{
		doc(t, KindOperatorToken, "ci", goodOperatorToken()), doc(t, KindOperatorToken, "short", expiring),
		doc(t, KindOperatorToken, "twice", twice), doc(t, KindOperatorToken, "broken", broken)})
	if len(warnings) != 2 || len(s.OperatorTokens) != 4 {
		t.Errorf("%+v", warnings)
	}
	if got := s.OperatorToken(value, now); got == nil || got.ID != "ci" {
		t.Errorf("found %+v", got)
	}
	if got := s.OperatorToken(other, now.Add(-time.Microsecond)); got == nil || got.ID != "short" {
		t.Errorf("found %+v before it expires", got)
	}
	for _, wrong := range []string{"", other, value + "0", value[:len(value)-1], goodHash, strings.Repeat("x", 1<<20)} {
		if got := s.OperatorToken(wrong, now); got != nil {
			t.Errorf("%.60q is operator token %s", wrong, got.ID)
		}
	}
	if got := s.Next(Position{Seq: 2}, s.Denials).OperatorToken(value, now); got == nil {
		t.Error("the next snapshot has lost it")
	}
}
