package server

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
)

// TestNoOracle (RFC 6749 §5.2): who may not have a token learns nothing about
// why. All causes give the same octets, headers included, and take the same
// steps, counted: look-ups, digests, comparisons, questions to the store, records.
func TestNoOracle(t *testing.T) {
	f := newFixture(t)
	causes := map[string][2]string{ // client, secret
		"an unknown client":            {"nobody", secret1},
		"an unknown client, no secret": {"nobody", ""},
		"an impossible client":         {strings.Repeat("x", 400), secret1},
		"another impossible client":    {"no such/form", secret1},
		"a wrong secret":               {"billing", secret2},
		"a wrong secret of no form":    {"billing", "x"},
		"an empty secret":              {"billing", ""},
		"disabled":                     {"disabled", secret1},
		"disabled, wrong secret":       {"disabled", secret2},
		"pending":                      {"pending", secret1},
		"elsewhere":                    {"partner", secret1},
		"an expired secret":            {"expired", secret1},
		"several secrets, none fits":   {"rotating", registry.FormatSecret([32]byte{9})},
		"several secrets, an old one":  {"rotating", secret3},
		"without any secret":           {"no-secret", secret1},
		"narrowed to the body":         {"post-only", secret1},
		"an imported secret's client":  {"old", secret2},
	}
	type shape struct{ answer, steps, replica string }
	shapes := map[shape][]string{}
	ask := func(c [2]string) *httptest.ResponseRecorder {
		return f.ask("POST", base+"/token", grant, "Authorization", basicAuth(c[0], c[1]))
	}
	for _, c := range causes { // fill the caches, as they are in use
		ask(c)
	}
	counts := f.counting()
	for name, c := range causes {
		before := f.replica.Stats()
		w := ask(c)
		header := w.Header().Clone()
		header.Del("Request-Id")
		after := f.replica.Stats()
		s := shape{
			answer: fmt.Sprint(w.Code, header, w.Body),
			steps:  fmt.Sprint(counts()),
			// The row of an impossible id is not read: it is not anybody's.
			replica: fmt.Sprintf("%d loads, %d catch-ups", after.Loads-before.Loads, after.CatchUps-before.CatchUps),
		}
		shapes[s] = append(shapes[s], name)
	}
	if len(shapes) != 1 {
		for s, names := range shapes {
			t.Errorf("%q:\n\t%s", names, s)
		}
	}
	for s := range maps.Keys(shapes) {
		if want := "map[compare:4 confirm:1 digest:1 look up:1 record:1]"; s.steps != want {
			t.Errorf("steps %s, want %s", s.steps, want)
		}
	}
}

// TestNoOracleOfScopesAndAPIs: what does not exist is answered as what was not
// granted.
func TestNoOracleOfScopesAndAPIs(t *testing.T) {
	f := newFixture(t)
	for _, pair := range [][2]string{
		{"&resource=https://orders.example.com&scope=orders:nonsense", "&resource=https://orders.example.com&scope=orders:admin"},
		{"&scope=orders:nonsense", "&scope=orders:admin"},
		{"&resource=https://nobody.example.com", "&resource=https://bare.example.com"},
		{"&audience=https://nobody.example.com", "&audience=https://bare.example.com"},
	} {
		unknown, denied := f.post("billing", grant+pair[0]), f.post("billing", grant+pair[1])
		if unknown.Code != 400 || unknown.Code != denied.Code || unknown.Body.String() != denied.Body.String() {
			t.Errorf("%s\n%d %s\n%s\n%d %s", pair[0], unknown.Code, unknown.Body, pair[1], denied.Code, denied.Body)
		}
	}
}

// TestRefusalsAreNeverAnsweredFromTheCacheAlone: what another node wrote a
// moment ago counts, without anybody telling this node, and in both directions
// no stale answer leaves.
func TestRefusalsAreNeverAnsweredFromTheCacheAlone(t *testing.T) {
	tests := map[string]struct {
		client, form string
		written      any
	}{
		"a client was made":       {"nobody", grant, named("nobody", func(*registry.Client) {})},
		"a secret was added":      {"no-secret", grant, named("no-secret", func(*registry.Client) {})},
		"a client was enabled":    {"disabled", grant, named("disabled", func(*registry.Client) {})},
		"a client was let in":     {"partner", grant, named("partner", func(*registry.Client) {})},
		"access was given":        {"no-access", grant, named("no-access", func(*registry.Client) {})},
		"a scope was granted":     {"billing", grant + "&scope=orders:admin", named("billing", func(c *registry.Client) { c.Access["orders"] = []string{"orders:admin"} })},
		"an API was made":         {"everywhere", grant + "&resource=https://new.example.com&scope=orders:read", nil},
		"the method was let free": {"post-only", grant, named("post-only", func(*registry.Client) {})},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if w := f.post(c.client, c.form); w.Code == 200 {
				t.Fatalf("before: %s", w.Body)
			}
			before := f.replica.Snapshot().Gen()
			if c.written == nil {
				f.put(&registry.API{ID: "orders", Issuer: "default", Identifier: "https://new.example.com", Scopes: map[string]registry.Scope{"orders:read": {}}})
			} else {
				f.put(c.written)
			}
			_, claims, _ := f.token(f.post(c.client, c.form))
			// The token claims the position that it was decided on, not the one
			// that the request came with.
			if claims.Gen <= before {
				t.Errorf("gen %d, and the change came after %d", claims.Gen, before)
			}
		})
	}
}

// TestADisabledClientGetsNothing: once the node has applied it, and whatever is
// cached.
func TestADisabledClientGetsNothing(t *testing.T) {
	f := newFixture(t)
	f.token(f.post("billing", grant))
	f.apply(with(billing(), func(c *registry.Client) { c.State = registry.StateDisabled }))
	refusedBasic.check(t, f.post("billing", grant))
	f.apply(with(billing(), func(c *registry.Client) { c.Secrets = nil }))
	refusedBasic.check(t, f.post("billing", grant))
	f.apply(with(billing(), func(c *registry.Client) { c.Issuers = []string{"partners"} }))
	refusedBasic.check(t, f.post("billing", grant))
	f.apply(billing())
	f.token(f.post("billing", grant))
}

// TestAnIssuerThatGoesAway while a request is under way is no issuer of its
// client any more.
func TestAnIssuerThatGoesAway(t *testing.T) {
	f := newFixture(t)
	old := f.replica.Snapshot()
	f.apply(&registry.Issuer{ID: "partners", URL: "http:"}) // unusable from here on
	if f.replica.Snapshot().Issuers["partners"] != nil {
		t.Fatal("the issuer is still there")
	}
	c := &call{Place: Place{Snapshot: old, Issuer: old.Issuers["partners"]}, now: start, request: &request{
		GrantType: "client_credentials", ClientID: "nobody", Secret: secret1, Method: "client_secret_basic"}}
	err := f.Server.token(t.Context(), c)
	if err == nil || err.Error() != registry.ErrClient.Error() {
		t.Errorf("%v", err)
	}
}

// TestImportedSecretsDoNotTakeTheMachine: two hash at a time, some wait, the
// others are told at once when to come again, and who has a generated secret
// notices nothing.
func TestImportedSecretsDoNotTakeTheMachine(t *testing.T) {
	f := newFixture(t)
	// Workers and queue taken by requests that do not move.
	for range hashWorkers {
		f.hashing.workers <- struct{}{}
	}
	for range cap(f.hashing.places) {
		f.hashing.places <- struct{}{}
	}
	ask := func(secret string) *httptest.ResponseRecorder {
		return f.ask("POST", base+"/token", grant, "Authorization", basicAuth("old", secret))
	}
	refusedBy(errBusy, "Retry-After", "1").check(t, ask(importedOne))
	refusedBasic.check(t, ask(secret2)) // has the form of a generated one: no hash
	f.token(f.post("billing", grant))

	for range cap(f.hashing.places) {
		<-f.hashing.places
	}
	var wg sync.WaitGroup
	codes := make([]int, hashOfOne)
	for i := range codes {
		wg.Go(func() { codes[i] = ask(importedOne).Code })
	}
	for range hashWorkers {
		<-f.hashing.workers
	}
	wg.Wait()
	if slices.ContainsFunc(codes, func(c int) bool { return c != 200 }) {
		t.Errorf("who waited: %v", codes)
	}
	if len(f.hashing.places) != 0 || len(f.hashing.workers) != 0 {
		t.Error("a place was not given back")
	}
}

// TestOneImportedSecretLeavesRoomForOthers: who guesses at one client does not
// fill the queue for all.
func TestOneImportedSecretLeavesRoomForOthers(t *testing.T) {
	h := newHashers()
	guessed, other := [32]byte{1}, [32]byte{2}
	for range hashOfOne {
		if !h.enter(guessed) {
			t.Fatal("no place")
		}
	}
	if h.enter(guessed) {
		t.Error("one secret has more than its share")
	}
	for i := range hashWorkers + hashQueue - hashOfOne {
		if form := [32]byte{2, byte(i)}; !h.enter(form) {
			t.Fatalf("no place for the others after %d", i)
		}
	}
	if h.enter([32]byte{3}) {
		t.Error("more than all places")
	}
	h.leave(guessed)
	if !h.enter(other) || len(h.inside) != 1+hashWorkers+hashQueue-hashOfOne {
		t.Errorf("%d secrets inside", len(h.inside))
	}
}

// TestASlowHashIsComputedOncePerRequest: a refusal looks at the client twice.
func TestASlowHashIsComputedOncePerRequest(t *testing.T) {
	f := newFixture(t)
	f.ask("POST", base+"/token", grant, "Authorization", basicAuth("old", "wrong"))
	c := &call{hashed: map[hashedKey]bool{}}
	hash := imported("s1", importedOne).Hash
	key := hashedKey{hash, true}
	c.request = &request{Secret: importedOne}
	for range 2 {
		if hit, err := f.slowHash(t.Context(), c, hash, c.request.Secret); err != nil || !hit {
			t.Fatal(hit, err)
		}
		c.hashed[key] = true
	}
	c.hashed[key] = false // only the memory of the request can give this answer
	if hit, err := f.slowHash(t.Context(), c, hash, c.request.Secret); err != nil || hit {
		t.Error("hashed again")
	}
}

// TestNamesHaveOneSpelling: an id in another spelling is another id, so nothing
// that counts by it can be passed by.
func TestNamesHaveOneSpelling(t *testing.T) {
	f := newFixture(t)
	for _, id := range []string{"Billing", "BILLING", "billing ", " billing", "billing.", "bill%69ng", "b\u0131lling", "billing\u200b", "\uff42illing"} {
		refusedBasic.check(t, f.ask("POST", base+"/token", grant, "Authorization", basicAuth(id, secret1)))
	}
	// The form encoding is not a spelling of the id.
	f.token(f.ask("POST", base+"/token", grant, "Authorization", basic("bill%69ng:"+secret1)))
}
