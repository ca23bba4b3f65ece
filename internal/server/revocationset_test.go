package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// denial is one that lives for another hour. Its n is that of the next commit,
// as package admin sets it.
func (f *fixture) denial(d registry.Denial) *registry.Denial {
	d.ID, d.Expires = registry.DenialID(&d), f.now().Add(time.Hour)
	switch d.What {
	case registry.DenyClient, registry.DenyClientAPI, registry.DenyIssuer:
		at := f.replica.Snapshot().Position
		at.Seq++
		d.N = at.Gen()
	}
	return &d
}

func (f *fixture) deny(denials ...registry.Denial) {
	f.t.Helper()
	objects := make([]any, len(denials))
	for i, d := range denials {
		objects[i] = f.denial(d)
	}
	f.apply(objects...)
}

func ofClient(id string) registry.Denial {
	return registry.Denial{What: registry.DenyClient, Client: id}
}

// set verifies an answer as a validator does, and gives what it says.
func (f *fixture) set(w *httptest.ResponseRecorder, iss string) *symbolon.RevocationSet {
	f.t.Helper()
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != symbolon.MediaRevocations {
		f.t.Fatalf("%d %s %s", w.Code, w.Header(), w.Body)
	}
	keySet, err := jose.ParseKeySet(f.get(iss + "/revocations/keys").Body.Bytes())
	if err != nil {
		f.t.Fatal(err)
	}
	token, err := jose.ParseDocument(w.Body.String(), 32<<20) // as much as validators read
	if err != nil {
		f.t.Fatal(err)
	}
	if token.Header.Type != symbolon.TypRevocations {
		f.t.Fatalf("typ %s", token.Header.Type)
	}
	if err := token.Verify(keySet.Lookup(token.Header.KeyID)); err != nil {
		f.t.Fatal(err)
	}
	if err := jose.CheckObject(token.Payload); err != nil {
		f.t.Fatal(err)
	}
	set, err := symbolon.ParseRevocationSet(token.Payload)
	if err != nil || set.Issuer != iss {
		f.t.Fatalf("%v %s", err, token.Payload)
	}
	return set
}

// since asks for what came after a set.
func since(set *symbolon.RevocationSet, more string) string {
	return "/revocations?since=" + strconv.FormatInt(set.Seq, 10) + "&epoch=" + strconv.FormatInt(set.Epoch, 10) + more
}

func keysOf(set *symbolon.RevocationSet) []string {
	out := make([]string, len(set.Entries))
	for i, e := range set.Entries {
		out[i] = e.Key.String()
	}
	slices.Sort(out)
	return out
}

// TestRevocationSet: every kind of denial stands in the sets of the issuers whose
// tokens it concerns, and in no other, by its key alone.
func TestRevocationSet(t *testing.T) {
	f := newFixture(t)
	f.deny(
		ofClient("billing"),
		registry.Denial{What: registry.DenyClientAPI, Client: "rotating", API: "orders", Issuer: "default", Audience: "https://orders.example.com"},
		registry.Denial{What: registry.DenyClientAPI, Client: "partner", API: "shared", Issuer: "partners", Audience: "https://orders.example.com"},
		registry.Denial{What: registry.DenyIssuer, Issuer: "partners"},
		registry.Denial{What: registry.DenyCredential, Client: "old", Credential: "s1"},
		registry.Denial{What: registry.DenyClient, Client: "own", Issuers: []string{"default", "partners"}},
		registry.Denial{What: registry.DenyClient, Client: "own", Issuer: "elsewhere"},
		registry.Denial{What: registry.DenyCredential, Client: "own", Credential: "s1", Issuers: []string{"elsewhere"}},
		registry.Denial{What: registry.DenyJTI, Issuer: "default", JTI: "secret-jti"},
		registry.Denial{What: registry.DenyKID, Issuer: "elsewhere", KID: "some-kid"},
	)
	at := f.replica.Snapshot().Position
	gen, expires := at.Gen(), wholeSeconds(f.now().Add(time.Hour))
	entry := func(n int64, kind string, parts ...string) symbolon.RevocationEntry {
		return symbolon.RevocationEntry{Key: symbolon.NewDenialKey(at.Epoch, kind, parts...), Expires: expires, N: n}
	}
	everywhere := []symbolon.RevocationEntry{entry(gen, symbolon.DenyClient, "billing"), entry(0, symbolon.DenyCredential, "old", "s1")}
	for iss, own := range map[string][]symbolon.RevocationEntry{
		base: {
			entry(gen, symbolon.DenyClientAPI, "rotating", "https://orders.example.com"), entry(0, symbolon.DenyJTI, "secret-jti"),
			entry(gen, symbolon.DenyClient, "own"),
		},
		base + "/partners": {
			entry(gen, symbolon.DenyClientAPI, "partner", "https://orders.example.com"), entry(gen, symbolon.DenyIssuer, base+"/partners"),
			entry(gen, symbolon.DenyClient, "own"),
		},
		"https://tokens.example.net:8443/a/b": {
			entry(0, symbolon.DenyKID, "some-kid"), entry(gen, symbolon.DenyClient, "own"), entry(0, symbolon.DenyCredential, "own", "s1"),
		},
	} {
		w := f.get(iss + "/revocations")
		set := f.set(w, iss)
		want := append(slices.Clone(everywhere), own...)
		for _, list := range [][]symbolon.RevocationEntry{want, set.Entries} {
			slices.SortFunc(list, func(a, b symbolon.RevocationEntry) int { return slices.Compare(a.Key[:], b.Key[:]) })
		}
		if diff := cmp.Diff(&symbolon.RevocationSet{
			Issuer: iss, Epoch: at.Epoch, Seq: at.Seq, AsOf: f.now().Unix(), Expires: f.now().Unix() + 300,
			Entries: want, Pending: []symbolon.PendingDenial{}, Merged: []string{},
		}, set); diff != "" {
			t.Errorf("%s (-want +got):\n%s", iss, diff)
		}
		// Nothing is named: neither who is denied nor anybody else.
		token, _ := jose.Parse(w.Body.String())
		payload := strings.Replace(string(token.Payload), `"iss":"`+iss+`"`, "", 1)
		for _, name := range []string{"billing", "rotating", "partner", "orders", "secret-jti", "some-kid", "client", "credential"} {
			if strings.Contains(payload, name) {
				t.Errorf("%s: %q stands in %s", iss, name, payload)
			}
		}
		if h := w.Header(); h.Get("Cache-Control") != "no-cache" || h.Get("Etag") == "" || h.Get("Vary") != "" {
			t.Errorf("headers %v", h)
		}
	}
}

// TestRevocationKeys: the key of the sets is published for sets alone, and what
// it signs is no token.
func TestRevocationKeys(t *testing.T) {
	f := newFixture(t)
	seen := map[string]bool{}
	for _, iss := range []string{base, base + "/partners"} {
		w := f.get(iss + "/revocations/keys")
		list, err := jose.ParseKeySet(w.Body.Bytes())
		if err != nil || len(list.Keys) != 1 || len(list.Skipped) != 0 || strings.Contains(w.Body.String(), `"d":`) {
			t.Fatalf("%v %s", err, w.Body)
		}
		if h := w.Header(); h.Get("Cache-Control") != "public, max-age=300" || h.Get("Content-Type") != "application/json" || h.Get("Etag") == "" {
			t.Errorf("headers %v", h)
		}
		key := list.Keys[0]
		if seen[key.Thumbprint()] {
			t.Error("two issuers have one key")
		}
		seen[key.Thumbprint()] = true
		for _, url := range []string{base + "/jwks", base + "/partners/jwks"} {
			tokens, err := jose.ParseKeySet(f.get(url).Body.Bytes())
			if err != nil || tokens.Lookup(key.ID) != nil {
				t.Errorf("%v: it stands in %s", err, url)
			}
		}
		if w := f.get(base + "/jwks/" + key.ID + ".pem"); w.Code != http.StatusNotFound {
			t.Errorf("its PEM: %d", w.Code)
		}
		token, err := jose.Parse(f.get(iss + "/revocations").Body.String())
		if err != nil || token.Header.MatchType(symbolon.TypAccessToken) || token.Header.MatchType("JWT") {
			t.Errorf("%v: a set passes for a token: %+v", err, token.Header)
		}
	}
}

// TestRevocationQueries: what is asked wrongly is refused, what is not known is
// passed over.
func TestRevocationQueries(t *testing.T) {
	f := newFixture(t)
	query, alone := refusedBy(errRevocationQuery), refusedBy(errSinceAlone)
	for name, c := range map[string]struct {
		query string
		want  refusal
	}{
		"since is no number":     {"since=x&epoch=1", query},
		"since is negative":      {"since=-1&epoch=1", query},
		"since has a sign":       {"since=%2B1&epoch=1", query},
		"since is a fraction":    {"since=1.0&epoch=1", query},
		"since is too large":     {"since=9223372036854775808&epoch=1", query},
		"since is empty":         {"since=&epoch=1", query},
		"since twice":            {"since=1&since=1&epoch=1", query},
		"epoch is no number":     {"since=1&epoch=0x1", query},
		"epoch twice":            {"since=1&epoch=1&epoch=2", query},
		"since without epoch":    {"since=1", alone},
		"epoch without since":    {"epoch=1", alone},
		"wait is no number":      {"since=1&epoch=1&wait=1s", query},
		"wait is too long":       {"since=1&epoch=1&wait=56", query},
		"wait is negative":       {"since=1&epoch=1&wait=-1", query},
		"wait twice":             {"since=1&epoch=1&wait=1&wait=2", query},
		"journal twice":          {"since=1&epoch=1&journal=a&journal=b", query},
		"a semicolon":            {"since=1;epoch=1", query},
		"an escape that is none": {"since=%zz", query},
	} {
		t.Run(name, func(t *testing.T) {
			f.in(t)
			c.want.check(t, f.get(base+"/revocations?"+c.query))
		})
	}
	for _, ok := range []string{"", "since=0&epoch=0", "since=0&epoch=0&wait=55", "wait=55", "x=y&x=z", "journal=%00"} {
		f.set(f.get(base+"/revocations?"+ok), base)
	}
	for _, path := range []string{"/revocations", "/revocations/keys"} {
		refusedBy(errAsMethod, "Allow", "GET, HEAD").check(t, f.ask("POST", base+path, ""))
		if w := f.ask("HEAD", base+path, ""); w.Code != http.StatusOK {
			t.Errorf("HEAD %s: %d", path, w.Code)
		}
		for _, other := range []string{path + "/", path + "/x"} {
			if w := f.get(base + other); w.Code != http.StatusNotFound {
				t.Errorf("%s: %d", other, w.Code)
			}
		}
	}
	if w := f.ask("HEAD", base+"/revocations?since=999&epoch=1&wait=55", ""); w.Code != http.StatusOK {
		t.Errorf("HEAD does not wait: %d", w.Code)
	}
}

// TestRevocationDifference: a validator that says where it is gets what came
// since, and the whole set in another epoch.
func TestRevocationDifference(t *testing.T) {
	f := newFixture(t)
	f.deny(ofClient("a"))
	first := f.set(f.get(base+"/revocations"), base)
	f.deny(ofClient("b"))
	f.apply(named("bystander", func(*registry.Client) {}))
	second := f.set(f.get(base+since(first, "")), base)
	if got := keysOf(second); len(got) != 1 || got[0] != symbolon.NewDenialKey(first.Epoch, symbolon.DenyClient, "b").String() {
		t.Errorf("%+v", second)
	}
	if second.Since == 0 || second.Since > first.Seq || second.Seq != f.replica.Snapshot().Seq {
		t.Errorf("%+v came after %+v", second, first)
	}
	if w := f.get(base + since(first, "")); w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Etag") != "" {
		t.Errorf("headers %v", w.Header())
	}
	quiet := f.set(f.get(base+since(second, "")), base)
	if len(quiet.Entries) != 0 || quiet.Since == 0 || quiet.Since > second.Seq || quiet.Seq != second.Seq {
		t.Errorf("nothing new: %+v", quiet)
	}
	ahead := *second
	ahead.Seq += 100
	if got := f.set(f.get(base+since(&ahead, "")), base); got.Seq != second.Seq || len(got.Entries) != 0 {
		t.Errorf("to who is ahead: %+v", got)
	}
	// The same client again: its entry is replaced.
	f.advance(time.Minute)
	f.deny(ofClient("a"))
	again := f.set(f.get(base+"/revocations"), base)
	if len(again.Entries) != 2 || again.Entries[1].N <= first.Entries[0].N || again.Entries[1].Key != first.Entries[0].Key {
		t.Errorf("denied again: %+v", again)
	}
	if got := f.set(f.get(base+since(second, "")), base); len(got.Entries) != 1 || got.Entries[0] != again.Entries[1] {
		t.Errorf("denied again, the difference: %+v", got)
	}

	at, err := f.store.RaiseEpoch(t.Context(), f.put(named("bystander", func(*registry.Client) {})))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.replica.Await(t.Context(), at.Seq); err != nil {
		t.Fatal(err)
	}
	other := f.set(f.get(base+since(again, "")), base)
	if other.Since != 0 || other.Epoch != again.Epoch+1 || len(other.Entries) != 2 || slices.Equal(keysOf(other), keysOf(again)) {
		t.Errorf("after a new epoch: %+v", other)
	}
	future := *other
	future.Epoch++
	if got := f.set(f.get(base+since(&future, "")), base); got.Epoch != other.Epoch || len(got.Entries) != 0 {
		t.Errorf("to who is in a later epoch: %+v", got)
	}
}

// TestRevocationsExpire: what no living token is concerned by leaves the set.
func TestRevocationsExpire(t *testing.T) {
	f := newFixture(t)
	f.deny(ofClient("a"))
	f.advance(30 * time.Minute)
	f.deny(ofClient("b"))
	if n := len(f.set(f.get(base+"/revocations"), base).Entries); n != 2 {
		t.Fatalf("%d entries", n)
	}
	f.advance(31 * time.Minute)
	f.deny(ofClient("c"))
	b, c := symbolon.NewDenialKey(1, symbolon.DenyClient, "b"), symbolon.NewDenialKey(1, symbolon.DenyClient, "c")
	set := f.set(f.get(base+"/revocations"), base)
	if len(set.Entries) != 2 || set.Entries[0].Key != b || set.Entries[1].Key != c {
		t.Errorf("%+v", set)
	}
	started := newFeed(&f.feeds, f.replica.Snapshot().Issuers["default"])
	if d, _ := started.look(); len(d.entries) != 2 {
		t.Errorf("after a restart there are %d", len(d.entries))
	}
}

// TestRevocationsAreNotSentAgain to who has the same.
func TestRevocationsAreNotSentAgain(t *testing.T) {
	f := newFixture(t)
	f.deny(ofClient("a"))
	const url = base + "/revocations"
	etag := f.get(url).Header().Get("Etag")
	same := func(when string) {
		t.Helper()
		for _, match := range []string{etag, strings.TrimPrefix(etag, "W/"), `"x", ` + etag, "*"} {
			w := f.get(url, "If-None-Match", match)
			if w.Code != http.StatusNotModified || w.Body.Len() != 0 || w.Header().Get("Etag") != etag || w.Header().Get("Cache-Control") != "no-cache" {
				t.Errorf("%s, If-None-Match %s: %d %v", when, match, w.Code, w.Header())
			}
		}
	}
	if !strings.HasPrefix(etag, `W/"`) {
		t.Errorf("%s is a strong tag, though the times in a set move on", etag)
	}
	same("at once")
	f.advance(time.Hour / 2)
	f.apply(named("bystander", func(*registry.Client) {}), &registry.API{ID: "more", Issuer: "default", Identifier: "https://more.example.com"})
	same("after commits that deny nothing")
	if w := f.get(url, "If-None-Match", `"x"`); w.Code != http.StatusOK {
		t.Errorf("another tag: %d", w.Code)
	}
	f.deny(registry.Denial{What: registry.DenyJTI, Issuer: "partners", JTI: "x"})
	same("after a denial of another issuer")
	f.deny(ofClient("a"))
	if w := f.get(url, "If-None-Match", etag); w.Code != http.StatusOK || w.Header().Get("Etag") == etag {
		t.Errorf("after a denial: %d %v", w.Code, w.Header())
	}
	// Who asks for a difference wants the time of the node's last contact too.
	set := f.set(f.get(url), base)
	if w := f.get(base+since(set, ""), "If-None-Match", "*"); w.Code != http.StatusOK {
		t.Errorf("a difference: %d", w.Code)
	}
}

// TestADenialComesToConcernAnIssuer: one of the same client that names more issuers
// than the one before, in sets that were made before.
func TestADenialComesToConcernAnIssuer(t *testing.T) {
	f := newFixture(t)
	counts := func() (n [2]int) {
		for i, iss := range []string{base, base + "/partners"} {
			n[i] = len(f.set(f.get(iss+"/revocations"), iss).Entries)
		}
		return n
	}
	for _, step := range []struct {
		denial registry.Denial
		want   [2]int
	}{
		{registry.Denial{What: registry.DenyClient, Client: "own", Issuers: []string{"default"}}, [2]int{1, 0}},
		{registry.Denial{What: registry.DenyClient, Client: "own", Issuers: []string{"default", "partners"}}, [2]int{1, 1}},
		{registry.Denial{What: registry.DenyClient, Client: "own", Issuer: "partners"}, [2]int{1, 2}}, // two entries with one key
		{registry.Denial{What: registry.DenyClient, Client: "own", Issuers: []string{"default", "partners"}}, [2]int{1, 2}},
	} {
		f.deny(step.denial)
		if got := counts(); got != step.want {
			t.Errorf("after %+v: %v, want %v", step.denial, got, step.want)
		}
		f.advance(2 * time.Second) // a text is handed out for a second
	}
}

// TestRevocationSetText: the text is the one that package encoding/json would
// write.
func TestRevocationSetText(t *testing.T) {
	want := symbolon.RevocationSet{
		Issuer: `https://auth.example.com/"entries":[`, Epoch: 1, Seq: 17, Since: 12, AsOf: 5, Expires: 9, Entries: []symbolon.RevocationEntry{
			{Key: symbolon.NewDenialKey(1, symbolon.DenyClient, "billing"), Expires: 7, N: 1<<40 + 17},
			{Key: symbolon.NewDenialKey(1, symbolon.DenyJTI, "x"), Expires: 8},
		},
		Pending: []symbolon.PendingDenial{{ID: `"entries":[`, Key: symbolon.DenialKey{1}, Expires: 7}}, Merged: []string{"p0"}, Journal: "j",
	}
	for n := range 3 {
		w := want
		w.Entries = want.Entries[:n]
		entries := make([]deniedEntry, n)
		for i, e := range w.Entries {
			entries[i].RevocationEntry = e
		}
		text, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendRevocationSet([]byte("x"), &w, entries)
		if err != nil || string(got) != "x"+string(text) {
			t.Errorf("%v\n%s\n%s", err, got, text)
		}
	}
}
