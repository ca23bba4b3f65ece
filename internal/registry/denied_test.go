package registry

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// deniedWorld is the world with denials.
func deniedWorld(t testing.TB, denials ...Denial) *Snapshot {
	t.Helper()
	var docs []Doc
	for _, d := range denials {
		d.ID = DenialID(&d)
		docs = append(docs, doc(t, KindDenial, d.ID, &d))
	}
	return world(t, docs...)
}

// goodToken is a token that nothing denies as long as it is newer than 100.
var goodToken = TokenFacts{Client: "billing", Cred: "s1", JTI: "t1", KID: "k1", Gen: 100}

// deniedTests say what a denial refuses: the token is that of default, for the
// API orders, with gen 100.
var deniedTests = []struct {
	name        string
	denial      Denial
	whole, at   bool // refused as a whole, at orders
	pending     bool // refused, one way or the other, while the denial is pending
	change      func(*TokenFacts)
	elsewhere   bool   // refused at the issuer partners too
	key         string // kind and parts of its key in a set
	notConcerns bool   // not in the set of default
}{
	{name: "client, older", denial: Denial{What: DenyClient, Client: "billing", N: 101}, whole: true, pending: true, elsewhere: true, key: "client|billing"},
	{name: "client, as old", denial: Denial{What: DenyClient, Client: "billing", N: 100}, pending: true, elsewhere: true, key: "client|billing"},
	{name: "client at some issuers", denial: Denial{What: DenyClient, Client: "billing", Issuers: []string{"default", "elsewhere"}, N: 101}, whole: true, pending: true, key: "client|billing"},
	{name: "client at other issuers", denial: Denial{What: DenyClient, Client: "billing", Issuers: []string{"partners"}, N: 101}, elsewhere: true, notConcerns: true},
	{name: "client no more at the issuer", denial: Denial{What: DenyClient, Client: "billing", Issuer: "default", N: 101}, whole: true, pending: true, key: "client|billing"},
	{name: "client no more at another issuer", denial: Denial{What: DenyClient, Client: "billing", Issuer: "partners", N: 101}, elsewhere: true, notConcerns: true},
	{name: "credential at the issuer", denial: Denial{What: DenyCredential, Client: "billing", Credential: "s1", Issuers: []string{"default"}}, whole: true, pending: true, key: "credential|billing|s1"},
	{name: "credential at other issuers", denial: Denial{What: DenyCredential, Client: "billing", Credential: "s1", Issuers: []string{"partners"}}, elsewhere: true, notConcerns: true},
	{name: "another client", denial: Denial{What: DenyClient, Client: "billin", N: 101}, key: "client|billin"},
	{name: "issuer", denial: Denial{What: DenyIssuer, Issuer: "default", N: 101}, whole: true, pending: true, key: "issuer|https://auth.example.com"},
	{name: "another issuer", denial: Denial{What: DenyIssuer, Issuer: "partners", N: 101}, elsewhere: true, notConcerns: true},
	{name: "credential", denial: Denial{What: DenyCredential, Client: "billing", Credential: "s1"}, whole: true, pending: true, elsewhere: true, key: "credential|billing|s1"},
	{name: "another credential", denial: Denial{What: DenyCredential, Client: "billing", Credential: "s2"}, key: "credential|billing|s2"},
	{name: "a credential of another client", denial: Denial{What: DenyCredential, Client: "other", Credential: "s1"}, key: "credential|other|s1"},
	{name: "jti", denial: Denial{What: DenyJTI, Issuer: "default", JTI: "t1"}, whole: true, pending: true, key: "jti|t1"},
	{name: "another jti", denial: Denial{What: DenyJTI, Issuer: "default", JTI: "t2"}, key: "jti|t2"},
	{name: "the jti of another issuer", denial: Denial{What: DenyJTI, Issuer: "partners", JTI: "t1"}, elsewhere: true, notConcerns: true},
	{name: "kid", denial: Denial{What: DenyKID, Issuer: "default", KID: "k1"}, whole: true, pending: true, key: "kid|k1"},
	{name: "another kid", denial: Denial{What: DenyKID, Issuer: "default", KID: "k2"}, key: "kid|k2"},
	{name: "client at the API", denial: Denial{What: DenyClientAPI, Issuer: "default", Client: "billing", API: "orders", Audience: "https://orders.example.com", N: 101}, at: true, pending: true, key: "client_api|billing|https://orders.example.com"},
	{name: "client at the API, as old", denial: Denial{What: DenyClientAPI, Issuer: "default", Client: "billing", API: "orders", Audience: "https://orders.example.com", N: 100}, pending: true, key: "client_api|billing|https://orders.example.com"},
	{name: "client at another API", denial: Denial{What: DenyClientAPI, Issuer: "default", Client: "billing", API: "stock", Audience: "https://stock.example.com/v1", N: 101}, key: "client_api|billing|https://stock.example.com/v1"},
	{name: "client at the other issuer's API of that identifier", denial: Denial{What: DenyClientAPI, Issuer: "partners", Client: "billing", API: "elsewhere", Audience: "https://orders.example.com", N: 101}, elsewhere: true, notConcerns: true},
	{name: "empty jti and kid", denial: Denial{What: DenyJTI, Issuer: "default", JTI: "t1"}, change: func(t *TokenFacts) { t.JTI, t.KID = "", "" }, key: "jti|t1"},
}

func TestDenied(t *testing.T) {
	for _, tt := range deniedTests {
		t.Run(tt.name, func(t *testing.T) {
			token := goodToken
			if tt.change != nil {
				tt.change(&token)
			}
			s := deniedWorld(t, tt.denial)
			v := s.Issuers["default"]
			if whole, at := v.Denied(token), v.DeniedAt(token, "https://orders.example.com"); whole != tt.whole || at != tt.at {
				t.Errorf("denied %v, at the API %v", whole, at)
			}
			pending := world(t).WithPending([]*Denial{&tt.denial}, time.Now())
			refused := func(id string) bool {
				v := pending.Issuers[id]
				return v.Denied(token) || v.DeniedAt(token, "https://orders.example.com")
			}
			if refused("default") != tt.pending || refused("partners") != tt.elsewhere {
				t.Errorf("while pending: %v, at the other issuer %v", refused("default"), refused("partners"))
			}
			if tt.denial.Concerns("default") == tt.notConcerns {
				t.Errorf("concerns the issuer: %v", !tt.notConcerns)
			}
			if tt.key != "" {
				checkKey(t, &tt.denial, tt.key)
			}
		})
	}
}

func checkKey(t *testing.T, d *Denial, want string) {
	t.Helper()
	words := split(want)
	for _, epoch := range []int64{0, 3} {
		if d.Key(epoch, "https://auth.example.com") != symbolon.NewDenialKey(epoch, words[0], words[1:]...) {
			t.Errorf("in epoch %d its key is not that of %s", epoch, want)
		}
	}
}

func split(text string) []string {
	var words []string
	start := 0
	for i := range text {
		if text[i] == '|' {
			words = append(words, text[start:i])
			start = i + 1
		}
	}
	return append(words, text[start:])
}

// TestPendingKey: a signing key that is denied is revoked on this node at once;
// the snapshot of before, which requests may be working on, stays as it was.
func TestPendingKey(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	key := func(id, issuer string, more time.Duration) Doc {
		return doc(t, KindKey, id, &Key{ID: id, Issuer: issuer, Algorithm: "ES256", Private: "sealed", Announced: at.Add(more)})
	}
	s := world(t, key("k1", "default", 0), key("k2", "default", time.Hour), key("p1", "partners", 0))
	p := s.WithPending([]*Denial{{What: DenyKID, Issuer: "default", KID: "k1"}, {What: DenyKID, Issuer: "default", KID: "p1"}}, at)
	if k := p.Issuers["default"].Key("k1"); !k.Revoked.Equal(at) || k.Private != "" {
		t.Errorf("the denied key: %+v", k)
	}
	for _, k := range []*Key{p.Issuers["default"].Key("k2"), p.Issuers["partners"].Key("p1"), s.Issuers["default"].Key("k1")} {
		if !k.Revoked.IsZero() || k.Private == "" {
			t.Errorf("another key, or that of the snapshot before: %+v", k)
		}
	}
	for _, host := range p.IssuersAt("auth.example.com") {
		if host != p.Issuers[host.ID] || host == s.Issuers[host.ID] {
			t.Errorf("issuer %s is not one and the same by id and by host", host.ID)
		}
	}
	if s.WithPending(nil, at) != s {
		t.Error("without a denial there is another snapshot")
	}
	if p.Position != s.Position {
		t.Errorf("position %+v", p.Position)
	}
}

func TestMerged(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	s := deniedWorld(t,
		Denial{What: DenyClient, Client: "a", N: 5, Merged: []MergedDenial{{"j3", at.Add(time.Hour)}, {"j1", at}}},
		Denial{What: DenyClient, Client: "b", N: 5, Merged: []MergedDenial{{"j2", at.Add(time.Second)}}})
	if got := s.Merged(at); !slices.Equal(got, []string{"j2", "j3"}) {
		t.Errorf("merged %v", got)
	}
}

func TestServes(t *testing.T) {
	api := func(id, issuer string, clients ...string) Doc {
		return doc(t, KindAPI, id, &API{ID: id, Issuer: issuer, Identifier: "https://" + id + ".example", Token: APIToken{Format: FormatOpaque}, ResourceServers: clients})
	}
	s := world(t, api("z", "default", "one", "both"), api("x", "default", "both"), api("y", "partners", "both"))
	ids := func(issuer, client string) (ids []string) {
		for _, a := range s.Issuers[issuer].Serves(client) {
			ids = append(ids, a.ID)
		}
		return ids
	}
	for _, tt := range []struct {
		issuer, client string
		want           []string
	}{
		{"default", "one", []string{"z"}}, {"default", "both", []string{"x", "z"}}, {"partners", "both", []string{"y"}},
		{"partners", "one", nil}, {"default", "", nil}, {"default", "z", nil},
	} {
		if got := ids(tt.issuer, tt.client); !slices.Equal(got, tt.want) {
			t.Errorf("%s serves at %s: %v, want %v", tt.client, tt.issuer, got, tt.want)
		}
	}
	// Opaque tokens need no key, but what else the issuer says does.
	if got := s.Issuers["partners"].Algorithms(); !slices.Equal(got, world(t).Issuers["partners"].Algorithms()) {
		t.Errorf("algorithms %v", got)
	}
}

// TestDeniedCostsNothing: as each token that is asked about pays it.
func TestDeniedCostsNothing(t *testing.T) {
	v := deniedWorld(t, manyDenials(1000)...).Issuers["default"]
	if n := testing.AllocsPerRun(100, func() { v.Denied(goodToken); v.DeniedAt(goodToken, "https://orders.example.com") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func manyDenials(n int) []Denial {
	kinds := []func(id string) Denial{
		func(id string) Denial { return Denial{What: DenyJTI, Issuer: "default", JTI: id} },
		func(id string) Denial { return Denial{What: DenyClient, Client: id, N: math.MaxInt32} },
		func(id string) Denial { return Denial{What: DenyCredential, Client: id, Credential: "s1"} },
	}
	out := make([]Denial, n)
	for i := range out {
		out[i] = kinds[i%len(kinds)](fmt.Sprintf("%022d", i))
	}
	return out
}

// BenchmarkBuild: every commit that touches what is no client pays it.
func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		var docs []Doc
		for _, d := range manyDenials(n) {
			d.ID = DenialID(&d)
			text := doc(b, KindDenial, d.ID, &d)
			docs = append(docs, NewDoc(KindDenial, d.ID, 1, text.Doc))
		}
		docs = append(docs, doc(b, KindIssuer, "default", &Issuer{ID: "default"}))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Build("https://auth.example.com", Position{}, docs)
			}
		})
	}
}
