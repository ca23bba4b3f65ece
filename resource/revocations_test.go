package resource

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
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
				if steps, err := a.ExplainToken(t.Context(), token); !refusedWith(err, errRevoked) || steps[len(steps)-1].Name != "revocation" || steps[len(steps)-1].Fix == "" {
					t.Errorf("%v %+v", err, steps)
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
	f.update(func() { f.set.Seq, f.set.Merged = f.set.Seq+1, []string{"p1"} })
	until(t, "merged", func() bool { return !refused() })
}

// TestSetsInOrder: what is taken, and what it makes of what is held.
func TestSetsInOrder(t *testing.T) {
	key := func(id string) symbolon.DenialKey { return symbolon.NewDenialKey(1, symbolon.DenyClient, id) }
	one := func(id string, n, expires int64) symbolon.RevocationEntry {
		return symbolon.RevocationEntry{Key: key(id), N: n, Expires: expires}
	}
	set := func(epoch, seq, since int64, entries ...symbolon.RevocationEntry) *symbolon.RevocationSet {
		return &symbolon.RevocationSet{Epoch: epoch, Seq: seq, Since: since, Entries: entries}
	}
	held, err := (*heldSet)(nil).take(set(1, 10, 0, one("a", 5, 1000), one("b", 0, 1000)), 100)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set  *symbolon.RevocationSet
		want error
		of   map[string]entry
	}{
		"older":                        {set(1, 9, 0), errSetOlder, nil},
		"of an older epoch":            {set(0, 99, 0), errSetOlder, nil},
		"a difference that leaves out": {set(1, 12, 11), errSetGap, nil},
		"a difference in a new epoch":  {set(2, 12, 10), errSetGap, nil},
		"the same again":               {set(1, 10, 10), nil, map[string]entry{"a": {5, 1000}, "b": {0, 1000}}},
		"a difference":                 {set(1, 11, 10, one("c", 7, 900)), nil, map[string]entry{"a": {5, 1000}, "b": {0, 1000}, "c": {7, 900}}},
		"a higher n":                   {set(1, 11, 10, one("a", 7, 900)), nil, map[string]entry{"a": {7, 1000}, "b": {0, 1000}}},
		"a lower n":                    {set(1, 11, 10, one("a", 4, 1100)), nil, map[string]entry{"a": {5, 1100}, "b": {0, 1000}}},
		"none is more than any":        {set(1, 11, 10, one("a", 0, 900), one("b", 9, 900)), nil, map[string]entry{"a": {0, 1000}, "b": {0, 1000}}},
		"an entry that expired":        {set(1, 11, 10, one("c", 7, 40)), nil, map[string]entry{"a": {5, 1000}, "b": {0, 1000}}},
		"one within the skew":          {set(1, 11, 10, one("c", 7, 41)), nil, map[string]entry{"a": {5, 1000}, "b": {0, 1000}, "c": {7, 41}}},
		"a whole set replaces":         {set(1, 11, 0, one("c", 7, 900)), nil, map[string]entry{"c": {7, 900}}},
		"a new epoch":                  {set(2, 1, 0, one("c", 7, 900)), nil, map[string]entry{"c": {7, 900}}},
	} {
		next, err := held.take(c.set, 100)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
			continue
		}
		if err != nil {
			continue
		}
		whole := next.whole("i")
		if len(whole.Entries) != len(c.of) {
			t.Errorf("%s: %+v", name, whole.Entries)
		}
		for id, e := range c.of {
			if !slices.Contains(whole.Entries, one(id, e.n, e.expires)) {
				t.Errorf("%s: %s of %+v is missing", name, id, whole.Entries)
			}
		}
	}
	if _, err := (*heldSet)(nil).take(set(1, 11, 10), 100); !errors.Is(err, errSetGap) {
		t.Errorf("a difference to nothing: %v", err)
	}
	// Many differences: what is held stays one set, and what expired leaves it.
	many, now := held, int64(100)
	for i := range int64(3 * mostFresh) {
		if many, err = many.take(set(1, 11+i, 10+i, one(fmt.Sprint("c", i), 7, 1200), one("a", 5+i, 1300)), now); err != nil {
			t.Fatal(err)
		}
		if i == 2*mostFresh {
			now = 1100 // b is over
		}
	}
	if n := len(many.whole("i").Entries); n != 3*mostFresh+1 {
		t.Errorf("%d entries", n)
	}
	if e := many.whole("i").Entries; !slices.Contains(e, one("a", 5+3*mostFresh-1, 1300)) || slices.ContainsFunc(e, func(e symbolon.RevocationEntry) bool { return e.Key == key("b") }) {
		t.Error("a or b is not as it should be")
	}
	if len(held.fresh) != 0 || len(held.base) != 2 {
		t.Error("a set that was held was changed")
	}
}

// TestSetsThatAreNotTaken: an issuer that answers with nonsense, somebody else's
// set, an older one, or without end, and one that forges. What was denied stays
// denied, and the answer counts for nothing.
func TestSetsThatAreNotTaken(t *testing.T) {
	say := func(status int, body string) func(*feedIssuer) {
		return func(f *feedIssuer) {
			f.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); io.WriteString(w, body) }
		}
	}
	header := func(h string) func(*feedIssuer) { return func(f *feedIssuer) { f.header = h } }
	change := func(c func(*symbolon.RevocationSet)) func(*feedIssuer) { return func(f *feedIssuer) { f.change = c } }
	payload := func(c func(string) string) func(*feedIssuer) {
		return func(f *feedIssuer) {
			f.sign = func(header, payload string) []byte { return signFeed(f.key, header, []byte(c(payload))) }
		}
	}
	for name, hostile := range map[string]func(*feedIssuer){
		"404":        say(404, ""),
		"500":        say(500, strings.Repeat("x", 1<<20)),
		"nothing":    say(200, ""),
		"garbage":    say(200, "<html>"),
		"two parts":  say(200, "e30.e30"),
		"a redirect": func(f *feedIssuer) { f.answer = http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP },
		"an endless body": func(f *feedIssuer) {
			f.answer = func(w http.ResponseWriter, r *http.Request) {
				for b := bytes.Repeat([]byte("A"), 1<<20); r.Context().Err() == nil; {
					if _, err := w.Write(b); err != nil {
						return
					}
				}
			}
		},
		"one that breaks off": func(f *feedIssuer) {
			f.answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "999")
				w.Write([]byte("x"))
			}
		},
		"no typ":          header(`{"alg":"EdDSA","kid":"feed"}`),
		"an access token": header(`{"alg":"EdDSA","kid":"feed","typ":"at+jwt"}`),
		"crit":            header(`{"alg":"EdDSA","kid":"feed","typ":"symbolon-revocations+jwt","crit":["x"]}`),
		"another alg":     header(`{"alg":"ES256","kid":"feed","typ":"symbolon-revocations+jwt"}`),
		"alg none":        header(`{"alg":"none","kid":"feed","typ":"symbolon-revocations+jwt"}`),
		"an unknown key":  header(`{"alg":"EdDSA","kid":"else","typ":"symbolon-revocations+jwt"}`),
		"no kid":          header(`{"alg":"EdDSA","typ":"symbolon-revocations+jwt"}`),
		"a key of tokens": header(`{"alg":"EdDSA","kid":"k1","typ":"symbolon-revocations+jwt"}`),
		"another's signature": func(f *feedIssuer) {
			_, key, _ := ed25519.GenerateKey(rand.Reader)
			f.sign = func(header, payload string) []byte { return signFeed(key, header, []byte(payload)) }
		},
		"changed after signing": func(f *feedIssuer) {
			f.sign = func(header, payload string) []byte {
				b := signFeed(f.key, header, []byte(payload))
				b[len(b)/2] ^= 1
				return b
			}
		},
		"another issuer":      change(func(s *symbolon.RevocationSet) { s.Issuer += "/x" }),
		"expired":             change(func(s *symbolon.RevocationSet) { s.Expires = time.Now().Unix() - 2*setSkew }),
		"older":               change(func(s *symbolon.RevocationSet) { s.Seq, s.Since = 3, 0 }),
		"an older epoch":      change(func(s *symbolon.RevocationSet) { s.Epoch, s.Since = 0, 0 }),
		"a member twice":      payload(func(p string) string { return strings.Replace(p, `"entries":`, `"entries":[],"entries":`, 1) }),
		"not an object":       payload(func(string) string { return `[]` }),
		"no entries":          payload(func(p string) string { return strings.Replace(p, `"entries"`, `"x"`, 1) }),
		"an entry unreadable": payload(func(p string) string { return strings.Replace(p, `"entries":[`, `"entries":[["x",1],`, 1) }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFeedIssuer(t)
			f.deny(0, symbolon.DenyJTI, "denied")
			clock := newClock()
			var log lockedBuffer
			a := followed(t, f, func(cfg *Config) {
				cfg.Now, cfg.Revocations.OnStale = clock.Now, OnStaleDeny
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			})
			f.update(func() { hostile(f); f.set.Entries, f.commits, f.set.Seq = nil, nil, f.set.Seq+1 })
			asked := f.asked.Load()
			until(t, "it was asked again", func() bool { return f.asked.Load() > asked && strings.Contains(log.String(), "cannot be followed") })
			denied, good := f.token(t, func(c *symbolon.Claims) { c.ID = "denied" }), f.token(t, nil)
			if _, err := check(a, denied); !refusedWith(err, errRevoked) {
				t.Errorf("what was denied: %v", err)
			}
			if _, err := check(a, good); err != nil {
				t.Errorf("before max_age: %v", err)
			}
			clock.Advance(defaultMaxAge + time.Second)
			if _, err := check(a, good); !refusedWith(err, errNoSet) {
				t.Errorf("after max_age: %v", err)
			}
			w := httptest.NewRecorder()
			_, err := check(a, good)
			a.WriteError(w, err)
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || w.Header().Get("Www-Authenticate") != "" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
		})
	}
}

// TestASilentIssuer: what happens when nothing can be heard, by policy.
func TestASilentIssuer(t *testing.T) {
	for name, c := range map[string]struct {
		never   bool // heard
		policy  Revocations
		after   time.Duration
		want    *symbolon.Error
		revoked *symbolon.Error // of a token that was denied while it was heard
	}{
		"allow: within max_age":     {false, Revocations{}, 20 * time.Second, nil, errRevoked},
		"allow: after max_age":      {false, Revocations{}, time.Hour, nil, errRevoked},
		"allow: after max_stale":    {false, Revocations{MaxStale: time.Minute}, 2 * time.Minute, errNoSet, errNoSet},
		"deny: within max_age":      {false, Revocations{OnStale: OnStaleDeny}, 20 * time.Second, nil, errRevoked},
		"deny: after max_age":       {false, Revocations{OnStale: OnStaleDeny}, 40 * time.Second, errNoSet, errNoSet},
		"deny: a longer max_age":    {false, Revocations{OnStale: OnStaleDeny, MaxAge: time.Minute}, 40 * time.Second, nil, errRevoked},
		"deny: the clock set back":  {false, Revocations{OnStale: OnStaleDeny}, -2 * time.Minute, errNoSet, errNoSet},
		"allow: never heard":        {true, Revocations{}, 0, nil, nil},
		"deny: never heard":         {true, Revocations{OnStale: OnStaleDeny}, 0, errNoSet, errNoSet},
		"off: it is not even asked": {false, Revocations{Off: true}, 0, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFeedIssuer(t)
			clock := newClock()
			f.deny(0, symbolon.DenyJTI, "denied")
			if c.never {
				f.answer = http.NotFound
			}
			a := followed(t, f, func(cfg *Config) { cfg.Now, cfg.Revocations = clock.Now, c.policy })
			if c.policy.Off == (f.asked.Load() > 0) {
				t.Errorf("it was asked %d times", f.asked.Load())
			}
			f.update(func() { f.answer = http.NotFound })
			clock.Advance(c.after)
			for id, want := range map[string]*symbolon.Error{"good": c.want, "denied": c.revoked} {
				claims := f.claims(clock.Now())
				claims.ID = id
				_, err := check(a, sign(t, f.signers[0], claims.AppendJSON(nil)))
				if want == nil && err != nil || want != nil && !refusedWith(err, want) {
					t.Errorf("%s: %v, want %v", id, err, want)
				}
			}
		})
	}
}

// TestAnIssuerWithoutASet is taken as it is, unless the API insists; tokens that
// nobody could deny are refused where there is a set.
func TestAnIssuerWithoutASet(t *testing.T) {
	f := newFeedIssuer(t)
	f.silent = true
	token := f.token(t, func(c *symbolon.Claims) { c.Gen, c.Cred = 0, "" })
	if _, err := check(followed(t, f, nil), token); err != nil {
		t.Error(err)
	}
	a := followed(t, f, func(cfg *Config) { cfg.Revocations.OnStale = OnStaleDeny })
	if _, err := check(a, token); !refusedWith(err, errNoSet) {
		t.Error(err)
	}
	if steps, _ := a.ExplainToken(t.Context(), token); steps[len(steps)-1].Got != "its metadata names no revocation set" {
		t.Errorf("%+v", steps)
	}
	g := newFeedIssuer(t)
	for name, change := range map[string]func(*symbolon.Claims){"gen": func(c *symbolon.Claims) { c.Gen = 0 }, "cred": func(c *symbolon.Claims) { c.Cred = "" }} {
		if _, err := check(followed(t, g, nil), g.token(t, change)); !refusedWith(err, errNoGen) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// TestAGapIsClosed: after an epoch, or at a node that knows another past, the
// whole set is asked for.
func TestAGapIsClosed(t *testing.T) {
	f := newFeedIssuer(t)
	f.deny(0, symbolon.DenyJTI, "one")
	a := followed(t, f, nil)
	f.update(func() {
		f.set.Epoch, f.set.Seq = 2, 1
		f.set.Entries = []symbolon.RevocationEntry{{Key: symbolon.NewDenialKey(2, symbolon.DenyJTI, "two"), Expires: time.Now().Add(time.Hour).Unix()}}
		f.commits = []int64{1}
		f.change = func(s *symbolon.RevocationSet) { // a node that answers with a difference to who knows nothing of it
			if s.Since == 0 && f.asked.Load()%2 == 0 {
				s.Since = 1
			}
		}
	})
	until(t, "the new epoch", func() bool {
		_, err := check(a, f.token(t, func(c *symbolon.Claims) { c.ID = "two" }))
		return refusedWith(err, errRevoked)
	})
}

// TestAStartWhileTheIssuerIsAway goes by what was stored, and by nothing that
// somebody else wrote.
func TestAStartWhileTheIssuerIsAway(t *testing.T) {
	f := newFeedIssuer(t)
	f.deny(0, symbolon.DenyJTI, "denied")
	dir := t.TempDir()
	first := followed(t, f, func(cfg *Config) { cfg.DataDir = dir })
	f.deny(0, symbolon.DenyJTI, "too")
	until(t, "the second denial", func() bool {
		_, err := check(first, f.token(t, func(c *symbolon.Claims) { c.ID = "too" }))
		return refusedWith(err, errRevoked)
	})
	first.Close()
	path := first.sources[0].denied.storedPath()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.update(func() { f.answer, f.keysAre = http.NotFound, http.NotFound })
	start := func(onStale string) (*API, string) {
		var log lockedBuffer
		a := newAPI(t, Config{
			Issuer: f.url, Audience: audience, DataDir: dir, Revocations: Revocations{OnStale: onStale},
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		return a, log.String()
	}
	a, _ := start(OnStaleAllow)
	for _, id := range []string{"denied", "too"} {
		if _, err := check(a, f.token(t, func(c *symbolon.Claims) { c.ID = id })); !refusedWith(err, errRevoked) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := check(a, f.token(t, nil)); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"cut":             func(b []byte) []byte { return b[:len(b)/2] },
		"empty":           func([]byte) []byte { return nil },
		"another version": func(b []byte) []byte { return bytes.Replace(b, []byte(`"v":1`), []byte(`"v":2`), 1) },
		"another issuer":  func(b []byte) []byte { return bytes.Replace(b, []byte(f.url), []byte("http://localhost:1"), 1) },
		"another address": func(b []byte) []byte { return bytes.Replace(b, []byte("/revocations/keys"), []byte("/else/keys"), 1) },
		"another time":    func(b []byte) []byte { return bytes.Replace(b, []byte(`"heard":1`), []byte(`"heard":2`), 1) },
	} {
		if err := os.WriteFile(path, change(bytes.Clone(text)), 0o600); err != nil {
			t.Fatal(err)
		}
		a, log := start(OnStaleDeny)
		if !strings.Contains(log, "the stored revocation set is not used") {
			t.Errorf("%s: %s", name, log)
		}
		if _, err := check(a, f.token(t, nil)); !refusedWith(err, errNoSet) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(os.WriteFile(path, text, 0o600), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	if _, log := start(OnStaleAllow); !strings.Contains(log, "the stored revocation set is not used") {
		t.Error("a file that anybody may write was used")
	}
}

// TestAStartWithAWrongClock: what is stored stays in force when the clock is ahead
// at the start, as one is that was not set yet, and is set right later: the next
// answer is a difference, and would not bring it back.
func TestAStartWithAWrongClock(t *testing.T) {
	f := newFeedIssuer(t)
	f.deny(0, symbolon.DenyJTI, "denied")
	f.update(func() {
		f.set.Pending = []symbolon.PendingDenial{{ID: "p1", Key: symbolon.NewDenialKey(0, symbolon.DenyJTI, "pending"), Expires: time.Now().Add(time.Hour).Unix()}}
	})
	dir, clk := t.TempDir(), newClock()
	first := followed(t, f, func(cfg *Config) { cfg.DataDir, cfg.Now = dir, clk.Now })
	until(t, "the set is stored", func() bool { _, err := os.Stat(first.sources[0].denied.storedPath()); return err == nil })
	first.Close()
	clk.Advance(48 * time.Hour)
	cfg := f.config()
	cfg.DataDir, cfg.Now = dir, clk.Now
	a := newAPI(t, cfg)
	if _, err := check(a, f.token(t, nil)); !refusedWith(err, errExpired) { // it has read what is stored
		t.Fatal(err)
	}
	clk.Advance(-48 * time.Hour)
	for _, id := range []string{"denied", "pending"} {
		if _, err := check(a, f.token(t, func(c *symbolon.Claims) { c.ID = id })); !refusedWith(err, errRevoked) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestASetFromTheFuture: the age of a set of a node whose clock is ahead is counted
// from when it was taken.
func TestASetFromTheFuture(t *testing.T) {
	f := newFeedIssuer(t)
	f.change = func(s *symbolon.RevocationSet) { s.AsOf, s.Expires = s.AsOf+1000*3600, s.Expires+1000*3600 }
	clk := newClock()
	a := followed(t, f, func(cfg *Config) { cfg.Now = clk.Now })
	if _, err := check(a, f.token(t, nil)); err != nil {
		t.Fatal(err)
	}
	f.update(func() { f.answer = http.NotFound })
	clk.Advance(defaultMaxStale + time.Minute)
	var none *symbolon.Trace
	if _, failed := a.sources[0].denied.inForce(t.Context(), clk.Now(), none); failed == nil || failed.Description != errNoSet.Description {
		t.Errorf("%v: a set that nobody confirmed for a day is in force", failed)
	}
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

// TestManyRequestsAskOnce: whatever happens at the API, its issuer is asked by one
// request at a time, and not again at once after an answer that comes at once.
func TestManyRequestsAskOnce(t *testing.T) {
	f := newFeedIssuer(t)
	f.answer = func(w http.ResponseWriter, r *http.Request) { // always news, and never a wait
		f.mu.Lock()
		defer f.mu.Unlock()
		f.set.Seq++
		w.Write(f.text(0, 0))
	}
	a := followed(t, f, nil)
	begin := time.Now()
	token := f.token(t, nil)
	for time.Since(begin) < 2*time.Second {
		if _, err := check(a, token); err != nil {
			t.Fatal(err)
		}
	}
	if most, n := int64(time.Since(begin)/setPause)+3, f.asked.Load(); n > most || n < 3 {
		t.Errorf("asked %d times in %s", n, time.Since(begin))
	}
}

// TestAMachineThatSlept: what is held is too old at once, and the issuer is asked
// before anybody is refused; once, however many requests there are.
func TestAMachineThatSlept(t *testing.T) {
	for name, c := range map[string]struct {
		policy Revocations
		slept  time.Duration
	}{
		"longer than max_stale": {Revocations{}, 25 * time.Hour},
		"longer than max_age":   {Revocations{OnStale: OnStaleDeny}, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, clock := newFeedIssuer(t), newClock()
			f.now = clock.Now
			a := followed(t, f, func(cfg *Config) { cfg.Now, cfg.Revocations, cfg.MaxStale = clock.Now, c.policy, 1000*time.Hour })
			asked := func() int64 { return f.asked.Load() }
			until(t, "the long poll", func() bool { return asked() >= 2 })
			clock.Advance(c.slept)
			ask := func() error {
				_, err := check(a, sign(t, f.signers[0], f.claims(clock.Now()).AppendJSON(nil)))
				return err
			}
			if err := ask(); err != nil {
				t.Errorf("after the sleep: %v", err)
			}
			f.update(func() { f.answer = http.NotFound })
			clock.Advance(c.slept)
			before := asked()
			for range 20 {
				if err := ask(); !refusedWith(err, errNoSet) {
					t.Errorf("when the issuer is away: %v", err)
				}
			}
			if n := asked() - before; n > 4 {
				t.Errorf("20 requests made it ask %d times", n)
			}
		})
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
	if n := len(a.sources[0].denied.current.Load().base); n != entries {
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
