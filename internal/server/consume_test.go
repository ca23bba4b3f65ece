package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/registry"
)

// TestProofReplay: a proof is good for one token, whoever sends it.
func TestProofReplay(t *testing.T) {
	f := newProofFixture(t)
	p := f.proofOf("P-256 proof")
	f.token(f.proven(grant, p.text(t)))
	want := refusal{status: 400, code: "invalid_dpop_proof", description: errProofReplayed.Description}
	want.check(t, f.proven(grant, p.text(t))) // another signature, the same proof
	other := wire{form: grant, header: http.Header{"Authorization": {basicAuth("rotating", secret1)}, symbolon.HeaderDPoP: {p.text(t)}}}
	want.check(t, f.exchange(other))
	// Another key may have the same jti.
	q := f.proofOf("P-256 other")
	q.claims["jti"] = p.claims["jti"]
	f.token(f.proven(grant, q.text(t)))
	records := f.records()
	if r := records[1]; r.Code != "invalid_dpop_proof" || !r.Verified || len(r.Presented) != 0 {
		t.Errorf("record %+v", r)
	}

	form := http.Header{"Authorization": {basicAuth("billing", secret1)}, symbolon.HeaderDPoP: {f.proofOf("P-256 proof").text(t)}}
	codes := make([]int, 64)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() { codes[i] = f.exchange(wire{form: grant, header: form}).Code })
	}
	wg.Wait()
	slices.Sort(codes)
	if codes[0] != 200 || codes[1] != 400 || codes[63] != 400 {
		t.Errorf("%v", codes)
	}
}

// TestAllOrNothingIsConsumed: an assertion is as good as before when the proof
// beside it is refused, and the other way round.
func TestAllOrNothingIsConsumed(t *testing.T) {
	f := newProofFixture(t)
	ask := func(assertion, proof string) *httptest.ResponseRecorder {
		return f.exchange(wire{form: assertingForm(assertion, ""), header: http.Header{symbolon.HeaderDPoP: {proof}}})
	}
	assertion := func() string { return f.assertionOf("signing", "P-256 signing").text(t) }
	proof := func() string { return f.proofOf("P-256 proof").text(t) }
	a1, p1, a2, p2 := assertion(), proof(), assertion(), proof()
	f.token(ask(a1, p1))
	if last := f.records()[0]; len(last.Presented) != 2 {
		t.Errorf("presented %+v", last.Presented)
	}
	refusedProof(t, ask(a2, p1))
	refusedClient.check(t, ask(a1, p2)) // it is told which of both it was
	f.token(ask(a2, p2))
}

// replayFunc is a memory that does what a test wants.
type replayFunc func(...dpop.Entry) error

func (r replayFunc) Claim(_ context.Context, entries ...dpop.Entry) error { return r(entries...) }

// sharedFunc is one of all nodes.
type sharedFunc struct {
	replayFunc
	room  bool
	later []dpop.Entry
}

func (r *sharedFunc) Later(entries ...dpop.Entry) bool {
	if r.room {
		r.later = append(r.later, entries...)
	}
	return r.room
}

// TestTheSharedMemory is asked before the node's own. While it is away the issuer
// decides: strict, nothing is issued that could be a replay; local, each node
// goes by itself, and never takes what it saw.
func TestTheSharedMemory(t *testing.T) {
	f := newProofFixture(t)
	f.apply(with(signing(t), func(c *registry.Client) { c.Secrets = []registry.Secret{generated("s1", secret1)} }))
	var says error
	asked := 0
	memory := &sharedFunc{room: true, replayFunc: func(entries ...dpop.Entry) error {
		asked += len(entries)
		return says
	}}
	f.cfg.Shared = memory
	ask := func(text string) *httptest.ResponseRecorder { return f.assert(assertingForm(text, "")) }
	assertion := func() string { return f.assertionOf("signing", "P-256 signing").text(t) }
	away := errors.New("dial tcp 192.0.2.1:5432: connection refused")

	f.token(f.ask("POST", base+"/token", grant, "Authorization", basicAuth("signing", secret1)))
	if asked != 0 {
		t.Error("asked about a secret")
	}
	f.token(ask(assertion()))
	if asked != 1 {
		t.Errorf("asked about %d", asked)
	}
	says = dpop.ErrReplayed // another node was first
	refusedClient.check(t, ask(assertion()))
	says = dpop.ErrQuota
	refusedBy(errReplayQuota, "Retry-After", "10").check(t, ask(assertion()))
	says = away
	kept := assertion()
	unavailable := refusedBy(errReplayAway, "Retry-After", "2")
	unavailable.check(t, ask(kept))
	if strings.Contains(f.log.String(), "eyJ") {
		t.Error("an assertion is in the log")
	}

	f.apply(&registry.Issuer{ID: "default", Replay: registry.ReplayLocal})
	unavailable.check(t, ask(kept)) // any other error says nothing
	says = &AwayError{Since: f.now().Add(time.Second), Err: away}
	unavailable.check(t, ask(kept)) // it may have been presented to another node before
	says = &AwayError{Since: f.now().Truncate(time.Second), Err: away}
	undated := f.assertionOf("signing", "P-256 signing")
	delete(undated.claims, "iat")
	unavailable.check(t, ask(undated.text(t)))
	memory.room = false
	unavailable.check(t, ask(assertion())) // could never be told to the others
	memory.room = true
	f.token(ask(kept)) // the refusal consumed nothing
	if len(memory.later) != 1 {
		t.Errorf("%d to be written later", len(memory.later))
	}
	refusedClient.check(t, ask(kept))
	says = dpop.ErrReplayed // it is back, and knows
	refusedClient.check(t, ask(assertion()))
	says = nil
	f.apply(&registry.Issuer{ID: "default"})
	f.token(ask(assertion()))
	// A secret needs no memory, whatever the issuer says.
	says = away
	f.token(f.ask("POST", base+"/token", grant, "Authorization", basicAuth("signing", secret1)))
}

// TestTheSharedMemoryIsSpared: what this node refuses by itself is asked of nobody.
func TestTheSharedMemoryIsSpared(t *testing.T) {
	f := newProofFixture(t)
	f.cfg.Replay = dpop.NewMemory(dpop.MemoryConfig{MaxPerOwner: 1, Now: f.now})
	asked := 0
	f.cfg.Shared = &sharedFunc{replayFunc: func(...dpop.Entry) error { asked++; return nil }}
	p := f.proofOf("P-256 proof")
	f.token(f.proven(grant, p.text(t)))
	refusedProof(t, f.proven(grant, p.text(t)))
	refusedBy(errReplayQuota, "Retry-After", "10").check(t, f.proven(grant, f.proofOf("P-256 proof").text(t)))
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// TestWhatAllNodesTookIsNotRefused: the node's memory fills up while the shared one
// is asked: the proof is consumed then, and its token is issued.
func TestWhatAllNodesTookIsNotRefused(t *testing.T) {
	f := newProofFixture(t)
	memory := dpop.NewMemory(dpop.MemoryConfig{MaxPerOwner: 1, Now: f.now})
	f.cfg.Replay = memory
	meanwhile := func(e dpop.Entry) {
		e.Key[0]++
		if err := memory.Claim(t.Context(), e); err != nil {
			t.Error(err)
		}
	}
	f.cfg.Shared = &sharedFunc{replayFunc: func(entries ...dpop.Entry) error { meanwhile(entries[0]); return nil }}
	p := f.proofOf("P-256 proof")
	f.token(f.proven(grant, p.text(t)))
	refusedProof(t, f.proven(grant, p.text(t)))
	// What was presented here while the shared memory was away it need not know yet.
	f.cfg.Replay = dpop.NewMemory(dpop.MemoryConfig{Now: f.now})
	f.cfg.Shared = &sharedFunc{replayFunc: func(entries ...dpop.Entry) error { return f.cfg.Replay.Claim(t.Context(), entries...) }}
	refusedProof(t, f.proven(grant, f.proofOf("P-256 proof").text(t)))
}

// TestAClockSetBackOpensNoReplay: while the clock was an hour ahead the assertion
// was forgotten; when it is right again nobody gets a token with it. Several
// nodes ask their shared memory, which has not forgotten.
func TestAClockSetBackOpensNoReplay(t *testing.T) {
	f := newKeyFixture(t)
	f.cfg.Replay = dpop.NewMemory(dpop.MemoryConfig{MaxPerOwner: 1, Now: f.now}) // a second one makes room
	ask := func(a forged) *httptest.ResponseRecorder { return f.assert(assertingForm(a.text(t), "")) }
	used := f.assertionOf("signing", "P-256 signing")
	f.token(ask(used))
	f.advance(time.Hour)
	f.token(ask(f.assertionOf("signing", "P-256 signing")))
	f.advance(-time.Hour)
	refusedBy(errReplayAway, "Retry-After", "2").check(t, ask(used))
	records := f.records()
	if last := records[len(records)-1]; last.Reason != dpop.ErrForgotten.Error() {
		t.Errorf("record %+v", last)
	}
	var says error = dpop.ErrReplayed
	f.cfg.Shared = &sharedFunc{replayFunc: func(...dpop.Entry) error { return says }}
	refusedClient.check(t, ask(used))
	says = nil // it was not presented, says who forgets nothing
	f.token(ask(used))
}

// TestIssuedSince: a node that does not know what it took before takes nothing
// that may be of that time, unless the memory of all nodes knows.
func TestIssuedSince(t *testing.T) {
	f := newKeyFixture(t)
	unavailable := refusedBy(errReplayAway, "Retry-After", "2")
	f.cfg.IssuedSince = f.now().Add(time.Second)
	old := f.assertionOf("signing", "P-256 signing")
	unavailable.check(t, f.assert(assertingForm(old.text(t), "")))
	undated := f.assertionOf("signing", "P-256 signing")
	delete(undated.claims, "iat")
	f.cfg.IssuedSince = f.now().Truncate(time.Second) // iat is in whole seconds
	unavailable.check(t, f.assert(assertingForm(undated.text(t), "")))
	f.token(f.assert(assertingForm(old.text(t), "")))
	f.cfg.IssuedSince = f.now().Add(-LongestPresentable)
	f.token(f.assert(assertingForm(undated.text(t), "")))

	f.cfg.IssuedSince = f.now().Add(time.Second)
	memory := &sharedFunc{room: true, replayFunc: func(...dpop.Entry) error { return nil }}
	f.cfg.Shared = memory
	f.token(f.assert(assertingForm(f.assertionOf("signing", "P-256 signing").text(t), "")))
	memory.replayFunc = func(...dpop.Entry) error { return &AwayError{Since: f.now(), Err: errors.New("away")} }
	f.apply(&registry.Issuer{ID: "default", Replay: registry.ReplayLocal})
	unavailable.check(t, f.assert(assertingForm(f.assertionOf("signing", "P-256 signing").text(t), "")))
}

// TestAssertionReplay (CVE-2020-15222, CVE-2020-5300): an assertion is good for
// one token. What refuses it is refused with the one answer, as if it were wrong.
func TestAssertionReplay(t *testing.T) {
	f := newKeyFixture(t)
	a := f.assertionOf("signing", "P-256 signing")
	text := a.text(t)
	f.token(f.assert(assertingForm(text, "")))
	refusedClient.check(t, f.assert(assertingForm(text, "")))
	// Signed anew, with the same jti: the signature is another one, the assertion is not.
	refusedClient.check(t, f.assert(assertingForm(a.text(t), "&client_id=signing")))
	a.claims["exp"], a.header["kid"] = f.at(2*time.Minute), "k1"
	refusedClient.check(t, f.assert(assertingForm(a.text(t), "")))
	records := f.records()
	if last := records[len(records)-1]; last.Reason != errAssertionReplayed.Error() || last.Verified || last.Cred != "" {
		t.Errorf("record %+v", last)
	}
	// The jti is the client's: another client may have the same.
	b := f.assertionOf("second", "P-256 second")
	b.claims["jti"] = a.claims["jti"]
	f.token(f.assert(assertingForm(b.text(t), "")))
	// It is remembered for as long as any clock of ours could believe it, and no
	// record of it is lost with the memory: the key is in the record of the token.
	if p := records[0].Presented; len(p) != 1 || p[0].Expires.Before(time.Unix(a.claims["iat"].(int64)+60, 0)) {
		t.Errorf("presented %+v", p)
	}
}

// TestOneAssertionAtTwoIssuers: what an exception lets be said to several issuers of
// a server is good at one of them, whichever comes first. Nor is a jti that was
// good at one taken at the other.
func TestOneAssertionAtTwoIssuers(t *testing.T) {
	f := newKeyFixture(t)
	f.apply(with(keyed("both", clientKey(t, "k1", "P-256", "k1")), func(c *registry.Client) {
		c.Issuers = []string{"default", "partners"}
		c.Access = map[string][]string{"orders": {"orders:read"}, "shared": {"orders:read"}}
		c.LegacyAssertion = &registry.LegacyAssertion{Until: start.Add(24 * time.Hour), Audience: []string{registry.AudienceIssuerArray}}
	}))
	issuers := []string{base, base + "/partners"}
	for _, first := range issuers {
		both := f.assertionOf("both", "P-256")
		both.claims["aud"] = issuers
		text := both.text(t)
		f.token(f.ask("POST", first+"/token", assertingForm(text, "")))
		for _, again := range issuers {
			refusedClient.check(t, f.ask("POST", again+"/token", assertingForm(text, "")))
			single := f.assertionOf("both", "P-256")
			single.claims["jti"], single.claims["aud"] = both.claims["jti"], again
			refusedClient.check(t, f.ask("POST", again+"/token", assertingForm(single.text(t), "")))
		}
	}
}

// TestReplayKeysAreApart: no two pairs of client and jti have the same key.
func TestReplayKeysAreApart(t *testing.T) {
	seen := map[[32]byte]string{}
	for _, a := range []assertion{
		{issuer: "a", id: "b"}, {issuer: "ab", id: ""}, {issuer: "", id: "ab"}, {issuer: "a", id: "\x00b"}, {issuer: "b", id: "a"},
	} {
		if other, twice := seen[a.replayKey()]; twice {
			t.Errorf("%q %q and %s", a.issuer, a.id, other)
		}
		seen[a.replayKey()] = fmt.Sprintf("%q %q", a.issuer, a.id)
	}
	if (&assertion{issuer: "a", id: "b"}).replayKey() != sha256.Sum256([]byte("a\x00b")) {
		t.Error("the journal of older versions has other keys")
	}
}

// TestARefusedRequestConsumesNothing: whatever the request is refused for, the
// same assertion is good once that is put right.
func TestARefusedRequestConsumesNothing(t *testing.T) {
	f := newKeyFixture(t)
	form := assertingForm(f.assertionOf("signing", "P-256 signing").text(t), "")
	refusedScope.check(t, f.assert(form+"&scope=orders:admin"))
	refusedTarget.check(t, f.assert(form+"&resource=https%3A%2F%2Fbare.example.com"))
	refusedBy(errScopeForm).check(t, f.assert(form+"&scope=%22"))
	refusedBy(errGrant).check(t, f.assert(strings.Replace(form, grant, "grant_type=password", 1)))
	refusedClient.check(t, f.assert(form+"&client_id=second"))
	f.apply(with(signing(t), func(c *registry.Client) { c.State = registry.StateDisabled }))
	refusedClient.check(t, f.assert(form))
	f.apply(signing(t))
	f.token(f.assert(form))
	refusedClient.check(t, f.assert(form))
}

// TestOneOfManyPresentationsWins: the same assertion, many times at once.
func TestOneOfManyPresentationsWins(t *testing.T) {
	f := newKeyFixture(t)
	form := assertingForm(f.assertionOf("signing", "P-256 signing").text(t), "")
	codes := make([]int, 64)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() { codes[i] = f.assert(form).Code })
	}
	wg.Wait()
	slices.Sort(codes)
	if codes[0] != http.StatusOK || codes[1] != http.StatusUnauthorized || codes[63] != http.StatusUnauthorized {
		t.Errorf("%v", codes)
	}
}

// TestAFullReplayMemory answers 429: nothing that lives is given up for it, and
// other clients notice nothing.
func TestAFullReplayMemory(t *testing.T) {
	f := newKeyFixture(t)
	f.cfg.Replay = dpop.NewMemory(dpop.MemoryConfig{MaxPerOwner: 2, Now: f.now})
	ask := func(client, key string) *httptest.ResponseRecorder {
		return f.assert(assertingForm(f.assertionOf(client, key).text(t), ""))
	}
	f.token(ask("signing", "P-256 signing"))
	f.token(ask("signing", "P-256 signing"))
	refusedBy(errReplayQuota, "Retry-After", "10").check(t, ask("signing", "P-256 signing"))
	f.token(ask("second", "P-256 second"))
	f.advance(2 * time.Minute)
	f.token(ask("signing", "P-256 signing"))
}

// TestAnExceptionIsRecorded: an operator sees who still needs legacy_assertion.
func TestAnExceptionIsRecorded(t *testing.T) {
	f := newFixture(t)
	client := keyed("old", clientKey(t, "k1", "P-256", "k1"))
	client.LegacyAssertion = &registry.LegacyAssertion{Until: start.Add(24 * time.Hour), Audience: []string{registry.AudienceTokenEndpoint}}
	f.apply(client)
	for audience, used := range map[string]bool{base: false, base + "/token": true} {
		a := f.assertionOf("old", "P-256")
		a.claims["aud"] = audience
		f.token(f.assert(assertingForm(a.text(t), "")))
		records := f.records()
		named := slices.ContainsFunc(records[len(records)-1].Checks, func(c symbolon.Check) bool { return c.Name == "legacy assertion" && c.OK })
		if named != used {
			t.Errorf("aud %s: recorded %v", audience, named)
		}
	}
}
