package resource

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/logtest"
)

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
	if held.fresh.n != 0 || held.base.n != 2 {
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
			var log logtest.Buffer
			a := followed(t, f, func(cfg *Config) {
				cfg.Now, cfg.Revocations.OnStale = clock.Now, OnStaleDeny
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			})
			f.update(func() { hostile(f); f.set.Entries, f.commits, f.set.Seq = nil, nil, f.set.Seq+1 })
			asked := f.asked.Load()
			until(t, "it was asked again", func() bool { return f.asked.Load() > asked && strings.Contains(log.String(), "cannot be followed") })
			if why := "its operator has to deny clients"; (name == "an endless body") != strings.Contains(log.String(), why) {
				t.Errorf("an operator is told so: %s", &log)
			}
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
