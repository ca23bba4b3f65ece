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

// TestExportAppliesElsewhere: what one server exports makes the same objects at another.
func TestExportAppliesElsewhere(t *testing.T) {
	onSQLite(t, func(w *world) {
		ctx := w.Context()
		w.apply(file(t, small+`issuer {"id":"partners","token":{"lifetime":"30m"},"keys":{"rotate":"30d"}}
			operator {"id":"ann","role":"admin","email":"ann@example.com"}`))
		w.client("byhand", "orders write")
		_, _, err := w.DisableClient(ctx, w.actor, Target{ID: "byhand"})
		w.ok(err)
		state, err := w.Export(ctx, w.actor, "")
		w.ok(err)
		onSQLite(t, func(other *world) {
			req := ApplyRequest{Set: "main", Objects: state}
			other.apply(req)
			if plan := other.apply(req); plan.Changes() != 0 {
				t.Errorf("again: %+v", plan)
			}
			for _, id := range []string{"billing", "byhand"} {
				a, b := w.stored(id), other.stored(id)
				for _, d := range difference(a, b) {
					if d.Path != "managed_by" && !strings.HasSuffix(d.Path, ".managed_by") {
						t.Errorf("%s differs: %+v", id, d)
					}
				}
				if a.Secrets[0].Hash != b.Secrets[0].Hash || a.State != b.State {
					t.Errorf("%s: %+v became %+v", id, a, b)
				}
			}
		})
		state, err = w.Export(ctx, w.actor, "main")
		w.ok(err)
		if len(state.Clients) != 1 || len(state.Issuers) != 1 || state.Clients[0].Fields.Has("managed_by") {
			t.Errorf("the set's own: %+v", state)
		}
	})
}
