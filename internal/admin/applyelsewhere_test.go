package admin

import (
	"strings"
	"testing"
)

// TestApplyNotesAccessElsewhere: a client with access to an API of an issuer where
// it does not authenticate is made, and the plan says that this is of no use.
func TestApplyNotesAccessElsewhere(t *testing.T) {
	eachStore(t, func(w *world) {
		plan := w.apply(file(w, `
issuer {"id":"partners","url":"https://partners.example.com"}
api {"id":"theirs","issuer":"partners","identifier":"https://theirs.example.com","scopes":{"read":{}}}
client {"id":"astray","access":{"theirs":["read"]}}
client {"id":"right","issuers":["partners"],"access":{"theirs":["read"]}}`))
		for _, d := range plan.Differences {
			var notes []string
			for _, n := range d.Notes {
				notes = append(notes, n.Text)
			}
			said := strings.Contains(strings.Join(notes, "\n"), "access to theirs is of no use: it is an API of issuer partners")
			if said != (d.ID == "astray") {
				w.Errorf("%s: %q", d.ID, notes)
			}
		}
	})
}
