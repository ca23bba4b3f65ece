package server

import (
	"fmt"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
)

// TestAJournalIsToldOnce: after a restore it may hold thousands of ids. Who names
// it is not told again, by an issuer without entries neither; who does not, or
// gets a whole set, is told all.
func TestAJournalIsToldOnce(t *testing.T) {
	f := newFixture(t)
	merged := make([]registry.MergedDenial, 1000)
	for i := range merged {
		merged[i] = registry.MergedDenial{ID: fmt.Sprintf("kept-%04d", i), Expires: f.denial(registry.Denial{}).Expires}
	}
	d := f.denial(registry.Denial{What: registry.DenyJTI, Issuer: "default", JTI: "x"})
	d.Merged = merged
	f.apply(d)
	if _, err := f.replica.Journal(replica.Pending{Denial: *f.denial(ofClient("billing"))}); err != nil {
		t.Fatal(err)
	}
	f.Drain() // nobody waits
	for _, iss := range []string{base, base + "/partners"} {
		ask := func(path string) *symbolon.RevocationSet {
			t.Helper()
			return f.set(f.get(iss+path), iss)
		}
		first := ask("/revocations")
		elsewhere, later := *first, *first
		elsewhere.Epoch--
		later.Seq += 5 // of a node that is ahead
		same := longest + "&journal=" + first.Journal
		for name, c := range map[string]struct {
			path  string
			whole bool // nothing but a difference may leave the journal out
			told  bool
		}{
			"the same journal":         {since(first, same), false, false},
			"without a wait":           {since(first, "&journal="+first.Journal), false, false},
			"ahead of the node":        {since(&later, same), false, false},
			"an empty one":             {since(first, longest+"&journal="), len(first.Entries) == 0, true},
			"another":                  {since(first, longest+"&journal=x"+first.Journal), len(first.Entries) == 0, true},
			"none named":               {since(first, longest), len(first.Entries) == 0, true},
			"the same, of a new epoch": {since(&elsewhere, same), true, true},
			"a start":                  {"/revocations?since=0&epoch=0&wait=20&journal=" + first.Journal, true, true},
			"the whole set":            {"/revocations?journal=" + first.Journal, true, true},
		} {
			set := ask(c.path)
			want := [2]int{}
			if c.told {
				want = [2]int{1, 1000}
			}
			if got := [2]int{len(set.Pending), len(set.Merged)}; got != want || set.Journal != first.Journal || (set.Since == 0) != c.whole || set.Since > first.Seq {
				t.Errorf("%s, %s: %d, want %d; since %d, journal %q", iss, name, got, want, set.Since, set.Journal)
			}
		}
		if quiet := f.get(iss + since(first, same)).Body.Len(); quiet > 600 {
			t.Errorf("%s: %d octets of a quiet answer", iss, quiet)
		}
	}
}
