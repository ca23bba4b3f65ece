package server

import (
	"testing"

	"github.com/symbolon/symbolon"
)

// TestTheJournalIsNamedWhenItChanges: all that wait look at it at every commit, and
// after a restore it may hold thousands.
func TestTheJournalIsNamedWhenItChanges(t *testing.T) {
	pending := []symbolon.PendingDenial{{ID: "p1", Expires: 7}}
	merged := []string{"m1", "m2"}
	d := &denied{pending: pending, merged: merged, journal: "as before"}
	if got := d.tagOf([]symbolon.PendingDenial{{ID: "p1", Expires: 7}}, []string{"m1", "m2"}); got != "as before" {
		t.Errorf("the same journal was named %q", got)
	}
	for name, got := range map[string]string{
		"one less pending": d.tagOf(nil, merged),
		"another expiry":   d.tagOf([]symbolon.PendingDenial{{ID: "p1", Expires: 8}}, merged),
		"one less merged":  d.tagOf(pending, merged[:1]),
		"nothing before":   (*denied)(nil).tagOf(pending, merged),
	} {
		if got == "as before" || got == "" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := d.tagOf(nil, nil); got != "" {
		t.Errorf("an empty journal is %q", got)
	}
}
