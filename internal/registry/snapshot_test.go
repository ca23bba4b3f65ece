package registry

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

func TestSnapshotIssuers(t *testing.T) {
	docs := []Doc{
		doc(t, KindIssuer, "default", &Issuer{ID: "default"}),
		doc(t, KindIssuer, "partners", &Issuer{ID: "partners"}),
		doc(t, KindIssuer, "deep", &Issuer{ID: "deep", URL: "https://AUTH.example.com:443/partners/deep/"}),
		doc(t, KindIssuer, "okta", &Issuer{ID: "okta", URL: "https://okta.example.com:8443"}),
		doc(t, KindIssuer, "six", &Issuer{ID: "six", URL: "http://[::1]:80/six"}),
	}
	s, warnings := Build("https://auth.example.com/", Position{Seq: 5, Epoch: 2}, docs)
	if len(warnings) != 0 {
		t.Fatal(warnings)
	}
	if s.Gen() != 2<<40+5 || s.Seq != 5 || s.Epoch != 2 || s.Base != "https://auth.example.com" {
		t.Errorf("%d %+v", s.Gen(), s.Position)
	}
	for id, want := range map[string]string{
		"default":  "https://auth.example.com|auth.example.com|",
		"partners": "https://auth.example.com/partners|auth.example.com|/partners",
		"deep":     "https://AUTH.example.com:443/partners/deep|auth.example.com|/partners/deep",
		"okta":     "https://okta.example.com:8443|okta.example.com:8443|",
		"six":      "http://[::1]:80/six|[::1]|/six",
	} {
		v := s.Issuers[id]
		if got := v.Iss + "|" + v.Host + "|" + v.Path; got != want {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
	var at []string
	for _, v := range s.IssuersAt("auth.example.com") {
		at = append(at, v.ID)
	}
	if want := []string{"deep", "partners", "default"}; !slices.Equal(at, want) {
		t.Errorf("at the host: %v, want %v", at, want)
	}
	for _, host := range []string{"okta.example.com", "AUTH.example.com", "", "other.example"} {
		if len(s.IssuersAt(host)) != 0 {
			t.Errorf("issuers at %q", host)
		}
	}
}

func TestSnapshotOfAPath(t *testing.T) {
	s, _ := Build("https://example.com/auth/", Position{}, []Doc{doc(t, KindIssuer, "default", &Issuer{ID: "default"}), doc(t, KindIssuer, "p", &Issuer{ID: "p"})})
	if s.Issuers["default"].Path != "/auth" || s.Issuers["p"].Iss != "https://example.com/auth/p" {
		t.Errorf("%+v", s.Issuers)
	}
}

func TestSnapshotLeavesOutWhatItCannotUse(t *testing.T) {
	good := []Doc{
		doc(t, KindIssuer, "default", &Issuer{ID: "default"}),
		doc(t, KindAPI, "orders", &API{ID: "orders", Issuer: "default", Identifier: "https://o.example"}),
	}
	for _, tt := range []struct {
		name string
		bad  Doc
		says string
	}{
		{"newer API", Doc{Kind: KindAPI, ID: "x", Doc: []byte(`{"min":2}`)}, "newer version"},
		{"newer kind", Doc{Kind: "rule", ID: "x", Doc: []byte(`{}`)}, "unknown"},
		{"broken issuer", Doc{Kind: KindIssuer, ID: "x", Doc: []byte(`{`)}, "malformed"},
		{"issuer with a bad URL", doc(t, KindIssuer, "x", &Issuer{ID: "x", URL: "mailto:x"}), "URL"},
		{"second issuer at a place", doc(t, KindIssuer, "x", &Issuer{ID: "x", URL: "https://AUTH.example.com"}), "issuer default"},
		{"API of no issuer", doc(t, KindAPI, "x", &API{ID: "x", Issuer: "gone", Identifier: "x"}), "issuer gone"},
		{"second API of an identifier", doc(t, KindAPI, "x", &API{ID: "x", Issuer: "default", Identifier: "https://o.example/"}), "same identifier"},
		{"key of no issuer", doc(t, KindKey, "x", &Key{ID: "x", Issuer: "gone"}), "issuer gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, docs := range [][]Doc{append(slices.Clone(good), tt.bad), append([]Doc{tt.bad}, good...)} {
				s, warnings := Build("https://auth.example.com", Position{}, docs)
				if len(warnings) != 1 || warnings[0].Kind != tt.bad.Kind || warnings[0].ID != "x" || !strings.Contains(warnings[0].Message, tt.says) {
					t.Errorf("warnings %+v", warnings)
				}
				if v := s.Issuers["default"]; v == nil || v.Target("https://o.example", false) == nil || len(v.APIs) != 1 {
					t.Error("the good ones are not there")
				}
			}
		})
	}
	s, warnings := Build("https://auth.example.com", Position{}, append(good, Doc{Kind: KindClient, ID: "c", Doc: []byte("{")}))
	if len(warnings) != 0 || len(s.APIs) != 1 {
		t.Errorf("clients are not its business: %v", warnings)
	}
}

func TestIssuerView(t *testing.T) {
	at := func(h int) time.Time { return time.Date(2026, 1, 1, h, 0, 0, 0, time.UTC) }
	s := world(t,
		doc(t, KindKey, "k2", &Key{ID: "k2", Issuer: "default", Algorithm: "ES256", Announced: at(2)}),
		doc(t, KindKey, "k1", &Key{ID: "k1", Issuer: "default", Algorithm: "ES256", Announced: at(1)}),
		doc(t, KindKey, "k3", &Key{ID: "k3", Issuer: "default", Algorithm: "RS256", Announced: at(1)}),
		doc(t, KindKey, "k4", &Key{ID: "k4", Issuer: "partners", Algorithm: "ES256", Announced: at(1)}),
		doc(t, KindOperator, "ann", &Operator{ID: "ann", Role: RoleAdmin}),
		doc(t, KindDenial, "client:c", &Denial{ID: "client:c", What: DenyClient, Client: "c", N: 1}),
	)
	v := s.Issuers["default"]
	if got := v.Algorithms(); !slices.Equal(got, []jose.Algorithm{jose.ES256, jose.RS256}) {
		t.Errorf("algorithms %v", got)
	}
	if keys := v.Keys[jose.ES256]; len(keys) != 2 || keys[0].ID != "k1" || keys[1].ID != "k2" {
		t.Errorf("keys %v", keys)
	}
	if v.Key("k3") == nil || v.Key("k4") != nil || s.Issuers["partners"].Key("k4") == nil {
		t.Error("keys by kid")
	}
	if got := v.LongestLifetime(); got != 30*time.Minute {
		t.Errorf("longest lifetime %v", got)
	}
	if got := v.Scopes(); !slices.Equal(got, []string{"old:read", "orders:read", "orders:write", "ping", "secretive:read", "stock:read", "stock:write"}) {
		t.Errorf("scopes %v", got)
	}
	if s.Operators["ann"] == nil || s.Denials.Get("client:c") == nil || len(s.APIs) != 6 {
		t.Error("operators, denials, APIs")
	}
	empty, _ := Build("https://a.example", Position{}, []Doc{doc(t, KindIssuer, "default", &Issuer{ID: "default"})})
	if got := empty.Issuers["default"].Algorithms(); !slices.Equal(got, []jose.Algorithm{jose.ES256}) {
		t.Errorf("algorithms of an issuer without APIs: %v", got)
	}
	view := s.View()
	view.APIs["new"], view.Issuers["new"] = &API{}, &Issuer{}
	if s.APIs["new"] != nil || s.Issuers["new"] != nil || len(view.APIs) != 7 || view.Base != s.Base {
		t.Error("the view shares its maps")
	}
}

// TestDocsAreDecodedOnce, though each commit makes a snapshot of all of them.
func TestDocsAreDecodedOnce(t *testing.T) {
	text, err := Encode(&Denial{What: DenyClient, ID: "client:c", Client: "c"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	once, each := NewDoc(KindDenial, "client:c", 7, text), Doc{Kind: KindDenial, ID: "client:c", Seq: 7, Doc: text}
	broken := NewDoc(KindDenial, "d", 8, []byte("{"))
	first, _ := Build("https://a.example", Position{Seq: 7}, []Doc{once, broken})
	again, warnings := Build("https://a.example", Position{Seq: 9}, []Doc{once, broken})
	other, _ := Build("https://a.example", Position{Seq: 9}, []Doc{each})
	d := first.Denials.Get("client:c")
	if d == nil || d.Commit != 7 || again.Denials.Get("client:c") != d {
		t.Errorf("%+v, and then %+v", d, again.Denials.Get("client:c"))
	}
	if o := other.Denials.Get("client:c"); o == nil || o == d || o.Commit != 7 {
		t.Errorf("without a memory: %+v", o)
	}
	if len(warnings) != 1 {
		t.Errorf("what is broken is told once: %v", warnings)
	}
}
