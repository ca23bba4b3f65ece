package resource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

func followed(t testing.TB, f *feedIssuer, change func(*Config)) *API {
	t.Helper()
	cfg := f.config()
	if change != nil {
		change(&cfg)
	}
	a := newAPI(t, cfg)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func refusedWith(err error, want *symbolon.Error) bool {
	var e *symbolon.Error
	return errors.As(err, &e) && e.Code == want.Code && e.Description == want.Description
}

// TestWhatIsDeniedIsRefused: each kind of entry refuses the tokens that it names
// and no others, at once, whether a token is remembered or not.
func TestWhatIsDeniedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		n     int64
		kind  string
		parts func(f *feedIssuer) []string
		other func(*symbolon.Claims) // a token that is not meant
	}{
		"client":     {8, symbolon.DenyClient, func(*feedIssuer) []string { return []string{"billing"} }, func(c *symbolon.Claims) { c.ClientID = "else" }},
		"later gen":  {8, symbolon.DenyClient, func(*feedIssuer) []string { return []string{"billing"} }, func(c *symbolon.Claims) { c.Gen = 8 }},
		"client_api": {8, symbolon.DenyClientAPI, func(*feedIssuer) []string { return []string{"billing", audience} }, func(c *symbolon.Claims) { c.Gen = 8 }},
		"issuer":     {8, symbolon.DenyIssuer, func(f *feedIssuer) []string { return []string{f.url} }, func(c *symbolon.Claims) { c.Gen = 8 }},
		"credential": {0, symbolon.DenyCredential, func(*feedIssuer) []string { return []string{"billing", "s1"} }, func(c *symbolon.Claims) { c.Cred = "s2" }},
		"jti":        {0, symbolon.DenyJTI, func(*feedIssuer) []string { return []string{"the-jti"} }, func(c *symbolon.Claims) { c.ID = "else" }},
		"kid":        {0, symbolon.DenyKID, func(*feedIssuer) []string { return []string{"k1"} }, nil},
	} {
		for _, cached := range []int{0, 100} {
			t.Run(fmt.Sprintf("%s/cache %d", name, cached), func(t *testing.T) {
				f := newFeedIssuer(t)
				a := followed(t, f, func(cfg *Config) { cfg.TokenCache = cached })
				token := f.token(t, func(c *symbolon.Claims) { c.ID = "the-jti" })
				caller, err := check(a, token)
				if err != nil {
					t.Fatal(err)
				}
				if err := a.Stands(t.Context(), caller); err != nil {
					t.Error(err)
				}
				// An entry of another API, for another epoch, another client: nothing to us.
				f.deny(9, symbolon.DenyClientAPI, "billing", "https://else.example.com")
				f.deny(c.n, c.kind, c.parts(f)...)
				until(t, "the token is refused", func() bool { _, err = check(a, token); return err != nil })
				if !refusedWith(err, errRevoked) {
					t.Error(err)
				}
				if err := a.Stands(t.Context(), caller); !refusedWith(err, errRevoked) {
					t.Errorf("a stream goes on: %v", err)
				}
				if c.other != nil {
					if _, err := check(a, f.token(t, c.other)); err != nil {
						t.Errorf("a token that is not meant: %v", err)
					}
				}
				steps, err := a.ExplainToken(t.Context(), token)
				last, says := steps[len(steps)-1], map[string]string{"client_api": "client's tokens for this API", "issuer": "all tokens", "jti": "one token", "kid": "the key"}
				if !refusedWith(err, errRevoked) || last.Name != "revocation" || last.OK || last.Expected == "" || last.Fix == "" || !strings.Contains(last.Got, cmp.Or(says[c.kind], c.kind)) {
					t.Errorf("%v %+v", err, last)
				}
			})
		}
	}
}

// TestPendingDenials refuse whatever gen is, until they are merged, whichever node
// says so.
func TestPendingDenials(t *testing.T) {
	f := newFeedIssuer(t)
	a := followed(t, f, nil)
	token := f.token(t, func(c *symbolon.Claims) { c.Gen = 1 << 50 })
	refused := func() bool { _, err := check(a, token); return refusedWith(err, errRevoked) }
	f.update(func() {
		f.set.Seq++
		f.set.Pending = []symbolon.PendingDenial{{ID: "p1", Key: symbolon.NewDenialKey(0, symbolon.DenyClient, "billing"), Expires: time.Now().Add(time.Hour).Unix()}}
	})
	until(t, "pending", refused)
	held := func() *heldSet { return a.sources[0].denied.current.Load() }
	seq := held().seq
	f.update(func() { f.set.Seq, f.set.Pending = f.set.Seq+1, []symbolon.PendingDenial{} }) // a node that has not heard of it
	until(t, "the next set", func() bool { return held().seq > seq })
	if !refused() {
		t.Error("another node's silence undid it")
	}
	// What an issuer answers to who has this journal, a difference that leaves it out;
	// before it was told here, that was meant for another validator.
	for _, c := range []struct {
		merged []string
		want   string
	}{{[]string{}, ""}, {[]string{"other"}, "j1"}, {[]string{}, "j1"}} {
		seq = held().seq
		f.update(func() { f.set.Since, f.set.Seq, f.set.Journal, f.set.Merged = f.set.Seq, f.set.Seq+1, "j1", c.merged })
		until(t, "the difference", func() bool { return held().seq > seq })
		if !refused() || held().journal != c.want {
			t.Errorf("%q: a difference without it undid it, or the journal is %q, want %q", c.merged, held().journal, c.want)
		}
	}
	f.update(func() { f.set.Since, f.set.Seq, f.set.Merged = 0, f.set.Seq+1, []string{"p1"} })
	until(t, "merged", func() bool { return !refused() })
}

// TestSeveralIssuers: each has its keys and denies its own tokens alone.
func TestSeveralIssuers(t *testing.T) {
	f, g, stranger := newFeedIssuer(t), newFeedIssuer(t), newFeedIssuer(t)
	g.publish(freshSigner(t, "k1")) // the same kid, another key
	a := followed(t, f, func(cfg *Config) { cfg.Issuers = []string{g.url} })
	for _, i := range []*feedIssuer{f, g} {
		caller, err := check(a, i.token(t, nil))
		if err != nil || caller.Issuer != i.url {
			t.Errorf("%+v, %v", caller, err)
		}
	}
	if _, err := check(a, stranger.token(t, nil)); !refusedWith(err, errIssuer) {
		t.Error(err)
	}
	// A token of one that says to be of the other.
	if _, err := check(a, f.token(t, func(c *symbolon.Claims) { c.Issuer = g.url })); !refusedWith(err, errSignature) {
		t.Error(err)
	}
	f.deny(8, symbolon.DenyClient, "billing")
	until(t, "denied", func() bool { _, err := check(a, f.token(t, nil)); return refusedWith(err, errRevoked) })
	if _, err := check(a, g.token(t, nil)); err != nil {
		t.Errorf("the other issuer's client of that name: %v", err)
	}
	_, h := a.Metadata()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if want := fmt.Sprintf(`"authorization_servers":[%q,%q]`, f.url, g.url); !strings.Contains(w.Body.String(), want) {
		t.Errorf("RFC 9728 §2: %s", w.Body)
	}
}

// TestRevocationsConfig: errors name the field.
func TestRevocationsConfig(t *testing.T) {
	for field, cfg := range map[string]Config{
		"Revocations.OnStale":  {Revocations: Revocations{OnStale: "maybe"}},
		"Revocations.MaxAge":   {Revocations: Revocations{MaxAge: time.Second}},
		"Revocations.MaxStale": {Revocations: Revocations{MaxStale: -1}},
		"Revocations":          {Revocations: Revocations{Off: true, OnStale: OnStaleDeny}},
		"Issuers[0]":           {Issuers: []string{"https://auth.example.com"}},
		"Issuers[1]":           {Issuers: []string{"https://b.example.com", "ftp://c.example.com"}},
	} {
		cfg.Issuer, cfg.Audience = "https://auth.example.com", audience
		var wrong *symbolon.ConfigError
		if _, err := New(cfg); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestStandsAfterTheEnd: a stream's token expires, and its key may leave.
func TestStandsAfterTheEnd(t *testing.T) {
	f := newFeedIssuer(t)
	clock := newClock()
	a := followed(t, f, func(cfg *Config) { cfg.Now = clock.Now })
	caller, err := check(a, f.token(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(61 * time.Minute)
	if err := a.Stands(t.Context(), caller); !refusedWith(err, errExpired) {
		t.Error(err)
	}
	if err := a.Stands(t.Context(), &Caller{ClientID: "made up"}); err == nil {
		t.Error("a caller that nobody checked stands")
	}
}

// denying gives an API whose issuer denies so many clients, and a token.
func denying(t testing.TB, entries, cache int) (*API, *verified, string) {
	f := newFeedIssuer(t)
	for i := range entries {
		f.set.Entries = append(f.set.Entries, symbolon.RevocationEntry{
			Key: symbolon.NewDenialKey(1, symbolon.DenyClient, fmt.Sprint("client-", i)), N: 9, Expires: time.Now().Add(time.Hour).Unix(),
		})
		f.commits = append(f.commits, 10)
	}
	a := followed(t, f, func(cfg *Config) { cfg.TokenCache = cache })
	token := f.token(t, nil)
	v, err := a.verified(context.Background(), token, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := a.sources[0].denied.current.Load().base.n; n != entries {
		t.Fatalf("%d entries are held", n)
	}
	return a, v, token
}

// TestTheLookAllocatesNothing, also in a large set.
func TestTheLookAllocatesNothing(t *testing.T) {
	for _, cache := range []int{0, 10} {
		a, v, _ := denying(t, 100_000, cache)
		ctx := context.Background()
		if n := testing.AllocsPerRun(100, func() {
			if err := a.denied(ctx, v, nil); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("cache %d: %v allocations", cache, n)
		}
	}
}

func BenchmarkDenied(b *testing.B) {
	for name, cache := range map[string]int{"new token": 0, "remembered token": 10} {
		b.Run(name, func(b *testing.B) {
			a, v, _ := denying(b, 100_000, cache)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if err := a.denied(ctx, v, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
