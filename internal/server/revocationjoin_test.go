package server

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
)

// TestOneDenialMoreIsLookedAtAlone: a commit costs the feed what it denies, not
// what is denied already.
func TestOneDenialMoreIsLookedAtAlone(t *testing.T) {
	f := newFixture(t)
	feed := newFeed(&f.feeds, f.replica.Snapshot().Issuers["default"])
	looked := 0
	feed.counted = func(step string) {
		if step == "look at a denial" {
			looked++
		}
	}
	// More than are kept apart from the others, in two parts.
	for part := range 2 {
		denials := make([]registry.Denial, 900)
		for i := range denials {
			denials[i] = ofClient(fmt.Sprint("c", part*len(denials)+i))
		}
		f.deny(denials...)
	}
	feed.look()
	for _, step := range []struct {
		name    string
		objects []any
		want    int
	}{
		{"one more", []any{f.denial(ofClient("more"))}, 1},
		{"two", []any{f.denial(ofClient("x")), f.denial(ofClient("y"))}, 2},
		{"one again", []any{f.denial(ofClient("c7"))}, 1},
		{"none", []any{&registry.API{ID: "other", Issuer: "default", Identifier: "https://other.example.com"}}, 0},
	} {
		looked = 0
		f.apply(step.objects...)
		feed.look()
		if looked != step.want {
			t.Errorf("%s: %d denials were looked at, want %d", step.name, looked, step.want)
		}
	}
	if d, _ := feed.look(); len(d.live(0, f.now())) != 1803 {
		t.Errorf("%d entries", len(d.live(0, f.now())))
	}
}

// entriesOf are what a set denies, by key.
func entriesOf(t *testing.T, d *denied, now time.Time) map[symbolon.DenialKey]deniedEntry {
	t.Helper()
	all := make(map[symbolon.DenialKey]deniedEntry)
	last := int64(0)
	for _, e := range d.live(0, now) {
		if _, twice := all[e.Key]; twice || e.commit < last {
			t.Fatalf("an entry stands twice, or before one of an earlier commit: %+v", e)
		}
		all[e.Key], last = e, e.commit
	}
	return all
}

// TestTheFeedFollows: whatever is denied, denied again and expires, the feed that
// went along says what one that starts says.
func TestTheFeedFollows(t *testing.T) {
	f := newFixture(t)
	feed := newFeed(&f.feeds, f.replica.Snapshot().Issuers["default"])
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 30 {
		n := 1 + random.IntN(3)
		if round%6 == 5 {
			n = 600 // so that what is replaced is removed now and then
		}
		denials := make(map[string]registry.Denial, n)
		for range n {
			d := ofClient(fmt.Sprint("c", random.IntN(n*2)))
			denials[d.Client] = d
		}
		list := make([]registry.Denial, 0, n)
		for _, d := range denials {
			list = append(list, d)
		}
		f.deny(list...)
		// Never a whole hour in all: at that moment the two may differ by the second
		// to which an expiry is rounded up.
		f.advance(time.Duration(random.IntN(20))*time.Minute + time.Second)
		now := f.now()
		was, _ := feed.look()
		want, _ := newFeed(&f.feeds, f.replica.Snapshot().Issuers["default"]).look()
		if got, want := entriesOf(t, was, now), entriesOf(t, want, now); !maps.Equal(got, want) {
			t.Fatalf("round %d: %d entries, want %d", round, len(got), len(want))
		}
		if len(was.replaced) > mostPast || len(was.entries) > 2*f.replica.Snapshot().Denials.Len()+mostPast {
			t.Fatalf("round %d: %d entries, %d of them replaced", round, len(was.entries), len(was.replaced))
		}
	}
}

// TestALongSetIsTold once, before validators cannot read it any more.
func TestALongSetIsTold(t *testing.T) {
	f := newFixture(t)
	feed := newFeed(&f.feeds, f.replica.Snapshot().Issuers["default"])
	const words = "revocation set is nearly too long"
	if feed.tellLarge(largeSet); strings.Contains(f.log.String(), words) {
		t.Errorf("it was told too early: %s", f.log.String())
	}
	feed.tellLarge(largeSet + 1)
	feed.tellLarge(largeSet + 2)
	feed.tellLarge(symbolon.MaxRevocationSet)
	if text := f.log.String(); strings.Count(text, words) != 1 || !strings.Contains(text, "shorter lifetimes") || !strings.Contains(text, base) || strings.Contains(text, "too long for validators, which read 32 MiB: those") {
		t.Errorf("it was told so: %s", text)
	}
	feed.tellLarge(symbolon.MaxRevocationSet + 1)
	feed.tellLarge(1)
	feed.tellLarge(symbolon.MaxRevocationSet + 2)
	if text := f.log.String(); strings.Count(text, "do not know what is denied") != 1 || strings.Count(text, words) != 1 {
		t.Errorf("when it was too long it was told so: %s", text)
	}
}
