package registry

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0s": 0, "90d": 2160 * time.Hour, "24h": 24 * time.Hour, "1d": 24 * time.Hour, "10m": 10 * time.Minute,
		"1h30m": 90 * time.Minute, "1d12h": 36 * time.Hour, "30s": 30 * time.Second, "1.5s": 1500 * time.Millisecond, "0d": 0,
	} {
		d, err := ParseDuration(text)
		if err != nil || d.Std() != want {
			t.Errorf("%s: %v, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "d", "h", "90", "90 d", "-1h", "-1d", "1d-5h", "1.5d", "1h2d", "1d1d", "+1d", "1w", "65536d", "65535d2562047h", "99999999999999999999h"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q was read as %v", text, d)
		}
	}
	for d, want := range map[Duration]string{
		0: "0s", Duration(24 * time.Hour): "24h", Duration(36 * time.Hour): "36h", Duration(90 * 24 * time.Hour): "90d",
		Duration(100 * time.Hour): "4d4h", Duration(time.Hour): "1h", Duration(90 * time.Second): "1m30s", Duration(-time.Hour): "-1h",
	} {
		if d.String() != want {
			t.Errorf("got %s, want %s", d, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(rapid.Int64Range(0, math.MaxInt64/4).Draw(t, "d"))
		text, _ := d.MarshalText()
		var back Duration
		if err := back.UnmarshalText(text); err != nil || back != d {
			t.Fatalf("%d became %s became %d, %v", d, text, back, err)
		}
	})
}

func TestGeneratedSecret(t *testing.T) {
	// The digits, worked out with another method.
	n := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
	all := [32]byte(n.Bytes())
	text := FormatSecret(all)
	if len(text) != 53 || !strings.HasPrefix(text, "sym_") || strings.ContainsFunc(text, func(r rune) bool { return !unreserved(r) }) {
		t.Errorf("%q", text)
	}
	if got := strings.TrimLeft(n.Text(62), "0"); swapCase(got) != text[4:47] {
		t.Errorf("%s, want %s", text[4:47], swapCase(got))
	}
	if zero := FormatSecret([32]byte{}); zero[:47] != "sym_"+strings.Repeat("0", 43) || !IsGenerated(zero) {
		t.Errorf("%q", zero)
	}
	if text == FormatSecret([32]byte{1}) || !IsGenerated(text) {
		t.Error("secrets are equal, or not recognised")
	}
	for i := range text {
		other := text[:i] + string(text[i]^1) + text[i+1:]
		if IsGenerated(other) {
			t.Errorf("a changed secret %d is recognised", i)
		}
	}
	for _, other := range []string{"", "sym_", text[1:], text + "0", strings.ToUpper(text), "hunter2"} {
		if IsGenerated(other) {
			t.Errorf("%q", other)
		}
	}
}

// swapCase turns math/big's digits (lower case first) into ours.
func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 32
		case r >= 'A' && r <= 'Z':
			return r + 32
		}
		return r
	}, s)
}

func TestHashForms(t *testing.T) {
	// SHA-256 of "abc", FIPS 180-2 appendix B.1.
	const abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if HashGenerated("abc") != abc {
		t.Error(HashGenerated("abc"))
	}
	if d, ok := ParseSHA256(abc); !ok || d[0] != 0xba || d[31] != 0xad {
		t.Errorf("%x %v", d, ok)
	}
	for _, bad := range []string{"", "sha256:", abc[7:], abc + "0", abc[:70], strings.ToUpper(abc), "sha256:" + strings.Repeat("g", 64), "SHA256:" + abc[7:]} {
		if _, ok := ParseSHA256(bad); ok {
			t.Errorf("%q was read", bad)
		}
	}
	good := Argon2id{Memory: 19456, Time: 2, Threads: 1, Salt: []byte("0123456789abcdef"), Key: make([]byte, 32)}
	if got, ok := ParseArgon2id(good.String()); !ok || !cmp.Equal(got, good) {
		t.Errorf("%+v %v", got, ok)
	}
	for name, change := range map[string]func(*Argon2id){
		"memory":  func(a *Argon2id) { a.Memory = maxArgonMemory + 1 },
		"none":    func(a *Argon2id) { a.Memory = 0 },
		"little":  func(a *Argon2id) { a.Memory, a.Threads = 15, 2 },
		"time":    func(a *Argon2id) { a.Time = maxArgonTime + 1 },
		"threads": func(a *Argon2id) { a.Threads = maxArgonThreads + 1 },
		"salt":    func(a *Argon2id) { a.Salt = a.Salt[:15] },
		"pepper":  func(a *Argon2id) { a.Salt = make([]byte, 65) },
		"key":     func(a *Argon2id) { a.Key = a.Key[:31] },
	} {
		a := good
		change(&a)
		if _, ok := ParseArgon2id(a.String()); ok {
			t.Errorf("%s: %s was read", name, a)
		}
	}
	for _, bad := range []string{"", "argon2id:", "argon2id:m=1:a:b", strings.Replace(good.String(), "m=19456", "m=019456", 1), strings.Replace(good.String(), "m=", "", 1),
		good.String() + "=", strings.Replace(good.String(), "t=2,p=1", "p=1,t=2", 1), good.String() + ":x", strings.Replace(good.String(), ":MDEy", ":MDE\ny", 1)} {
		if _, ok := ParseArgon2id(bad); ok {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestCredentialsAndMethods(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	c := &Client{Secrets: []Secret{{ID: "old", Expires: now}, {ID: "soon", Expires: now.Add(1)}, {ID: "ever"}}}
	var live []string
	for i := range c.Secrets {
		if s := &c.Secrets[i]; s.Live(now) {
			live = append(live, s.ID)
		}
	}
	if !slices.Equal(live, []string{"soon", "ever"}) {
		t.Errorf("live: %v", live)
	}
	both := []string{"client_secret_basic", "client_secret_post"}
	for _, tt := range []struct {
		name    string
		client  Client
		methods []string
		may     []string
	}{
		{"secret", *c, both, both},
		{"narrowed", Client{Secrets: c.Secrets, Auth: []string{"client_secret_post"}}, both[1:], both[1:]},
		{"narrowed away", Client{Secrets: c.Secrets, Auth: []string{"private_key_jwt"}}, nil, nil},
		{"expired", Client{Secrets: c.Secrets[:1]}, nil, both},
		{"none", Client{}, nil, nil},
	} {
		if got := tt.client.Methods(now); !slices.Equal(got, tt.methods) {
			t.Errorf("%s: methods %v, want %v", tt.name, got, tt.methods)
		}
		for _, m := range append(both, "private_key_jwt", "none", "") {
			if got, want := tt.client.Authenticates(m), slices.Contains(tt.may, m); got != want {
				t.Errorf("%s: authenticates by %q: %v", tt.name, m, got)
			}
		}
	}
}

func TestAtIssuer(t *testing.T) {
	for _, tt := range []struct {
		issuers []string
		at      string
		want    bool
	}{
		{nil, "default", true}, {nil, "partners", false},
		{[]string{"partners"}, "partners", true}, {[]string{"partners"}, "default", false}, {[]string{"a", "default"}, "default", true},
	} {
		if got := (&Client{Issuers: tt.issuers}).AtIssuer(tt.at); got != tt.want {
			t.Errorf("%v at %s: %v", tt.issuers, tt.at, got)
		}
	}
}

func TestDenials(t *testing.T) {
	all := []Denial{
		{What: DenyClient, Client: "a"}, {What: DenyClient, Client: "b"}, {What: DenyClientAPI, Client: "a", API: "b"}, {What: DenyIssuer, Issuer: "a"},
		{What: DenyCredential, Client: "a", Credential: "b"}, {What: DenyJTI, Issuer: "a", JTI: "b"}, {What: DenyJTI, Issuer: "a", JTI: "b:c"}, {What: DenyKID, Issuer: "a", KID: "b"},
	}
	seen := map[string]bool{}
	for _, d := range all {
		id := DenialID(&d)
		d.N, d.Expires = 9, time.Now()
		if seen[id] || id != DenialID(&d) {
			t.Errorf("%+v: %s", d, id)
		}
		seen[id] = true
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := DenialExpires(now, time.Hour, 24*time.Hour); got != now.Add(25*time.Hour+5*time.Minute) {
		t.Error(got)
	}
}

func TestIndex(t *testing.T) {
	at := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	c := goodClient()
	c.Labels["env"], c.Access["a"], c.ManagedBy = "prod", nil, "main"
	c.Secrets[0].Expires = at
	for _, tt := range []struct {
		obj  any
		want string
	}{
		{&Issuer{ID: "a", Meta: Meta{ManagedBy: "main"}}, "managed_by=main"},
		{&API{ID: "a", Issuer: "default", Identifier: "https://a.example", Name: "A"}, "name=A issuer=default identifier=https://a.example"},
		{c, "name=Nightly billing owner=ann state=active managed_by=main label=env=prod label=team=finance issuer=default api=a api=orders digest=" + goodHash + " expires=00001798761600000000"},
		{&Client{ID: "c", State: StatePending}, "state=pending issuer=default"},
		{&Key{ID: "k", Issuer: "default"}, "issuer=default"},
		{&Operator{ID: "a", Name: "Ann", Role: RoleAdmin}, "name=Ann role=admin"},
		{&Denial{Client: "c", API: "a", Expires: at}, "client=c api=a expires=00001798761600000000"},
	} {
		var parts []string
		for _, a := range Index(tt.obj) {
			parts = append(parts, a.Name+"="+a.Value)
		}
		if got := strings.Join(parts, " "); got != tt.want {
			t.Errorf("%T:\n got %s\nwant %s", tt.obj, got, tt.want)
		}
	}
	if !slices.IsSorted([]string{IndexTime(at.Add(-1000 * 24 * time.Hour)), IndexTime(at), IndexTime(at.Add(time.Microsecond)), IndexTime(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))}) {
		t.Error("text order is not time order")
	}
}

func TestTargetNames(t *testing.T) {
	for identifier, want := range map[string][]string{
		"https://a.example":     {"https://a.example", "https://a.example/"},
		"https://a.example/":    {"https://a.example/", "https://a.example"},
		"https://a.example:1":   {"https://a.example:1", "https://a.example:1/"},
		"api://default":         {"api://default", "api://default/"},
		"https://a.example/v1":  {"https://a.example/v1"},
		"https://a.example/v1/": {"https://a.example/v1/"},
		"https://a.example?b":   {"https://a.example?b"},
		"https://a.example?":    {"https://a.example?"},
		"urn:a":                 {"urn:a"},
		"old":                   {"old"},
	} {
		if got := targetNames(identifier); !slices.Equal(got, want) {
			t.Errorf("%s: %v", identifier, got)
		}
	}
}

func TestProblemsCannotMoveACursor(t *testing.T) {
	p := Problem{Kind: KindClient, ID: "a\x1b[2J", Path: "labels.\x1b[2J", Message: "m"}
	if strings.ContainsRune(p.String(), 0x1b) || strings.ContainsRune(Problems{p}.Error(), 0x1b) {
		t.Errorf("%q", p.String())
	}
	if Problems(nil).Err() != nil {
		t.Error("no problems are an error")
	}
}

// A secret's hash and what else is stored never shows when an object is
// printed by mistake in an error about it.
func TestValidationNeverRepeatsASecret(t *testing.T) {
	c := goodClient()
	c.Secrets = []Secret{{ID: "s1", Hash: "hunter2"}}
	c.Claims = map[string]json.RawMessage{"a": json.RawMessage(`"hunter2`)}
	if err := c.Validate(); err == nil || strings.Contains(fmt.Sprint(err), "hunter2") {
		t.Errorf("%v", err)
	}
}

// TestRedact: a secret goes wherever it stands, also with a wrong or missing end;
// what only begins like one stays.
func TestRedact(t *testing.T) {
	secret := FormatSecret([32]byte{7, 8, 9})
	for text, want := range map[string]string{
		"":                               "",
		"billing":                        "billing",
		secret:                           "sym_[redacted]",
		secret[:47]:                      "sym_[redacted]",
		secret + "0Az":                   "sym_[redacted]",
		secret[:52] + "!":                "sym_[redacted]!",
		"a " + secret + "," + secret:     "a sym_[redacted],sym_[redacted]",
		"sym_" + secret:                  "sym_sym_[redacted]",
		"x" + secret + "\n":              "xsym_[redacted]\n",
		secret[:46]:                      secret[:46],
		secret[1:]:                       secret[1:],
		"sym_" + strings.Repeat("-", 60): "sym_" + strings.Repeat("-", 60),
		"sym_orders sym_" + secret[4:20]: "sym_orders sym_" + secret[4:20],
	} {
		if got := Redact(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
