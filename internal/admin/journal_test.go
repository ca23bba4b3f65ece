package admin

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/pgtest"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
)

// TestDenyWhileTheStoreIsAway: the one change that is always possible. It works on
// this node at once, and in the store when that is back, as what it is and as who
// asked for it.
func TestDenyWhileTheStoreIsAway(t *testing.T) {
	server := pgtest.Start(t)
	w := newWorld(t, server.Database(t))
	ctx := t.Context()
	w.api("orders", "read")
	for _, id := range []string{"billing", "other", "third"} {
		w.client(id, "orders read")
	}
	key := w.key(keys.StateActive)
	before := w.head()
	server.Pause(t)
	denied := func(d Denied, _ int64, err error) Denied {
		w.Helper()
		w.ok(err)
		return d
	}
	start := time.Now()
	first := denied(w.DenyClient(ctx, w.actor, "billing"))
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("the first took %v", d)
	}
	w.eventually("the node notices", w.replica.Away)
	start = time.Now()
	all := []Denied{first, denied(w.DenyTokens(ctx, w.actor, "other")), denied(w.DenyCredential(ctx, w.actor, "third", "s1")),
		denied(w.DenyJTI(ctx, w.actor, "", "t1")), denied(w.DenyKID(ctx, w.actor, key.ID)), denied(w.DenyClient(ctx, w.actor, "misspelt"))}
	if d := time.Since(start); d >= storePatience {
		t.Errorf("five more took %v: none of them waits for the store", d)
	}
	for i, d := range all {
		if d.Pending == "" || d.Commit != 0 || d.N != 0 || !d.Expires.After(w.clock.now().Add(48*time.Hour)) {
			t.Errorf("answered as %+v", d)
		}
		if want := map[bool]string{true: "client misspelt"}[i == 5]; d.Unknown != want {
			t.Errorf("%s: unknown %q", d.ID, d.Unknown)
		}
	}
	v := w.replica.Snapshot().Issuers["default"]
	if !v.Denied(registry.TokenFacts{Client: "billing", Gen: 1 << 60}) || v.Key(key.ID).Revoked.IsZero() {
		t.Error("not in force on this node")
	}
	// All else is refused, and so is a denial of what nobody can place.
	_, _, err := w.DisableClient(ctx, w.actor, Target{ID: "other"})
	w.refused(err, Unavailable)
	_, _, err = w.RevokeKey(ctx, w.actor, key.ID)
	w.refused(err, Unavailable, "symbolon deny kid "+key.ID)
	_, _, err = w.DenyKID(ctx, w.actor, "nosuchkey")
	w.refused(err, NotFound, "nosuchkey")
	w.refused(w.RevokeToken(ctx, OfClient("billing", ""), IssuedToken{Issuer: "default", Client: "billing", JTI: "t2", Expires: w.clock.now().Add(time.Hour)}), Unavailable)
	_, _, err = w.ApplyOnce(ctx, File(), file(t, small))
	w.refused(err, Unavailable)
	if err := w.MergeJournal(ctx); err == nil {
		t.Error("merged into a store that is away")
	}
	if len(w.replica.Pending()) != len(all) {
		t.Errorf("pending %v", w.replica.Pending())
	}

	server.Resume(t)
	w.eventually("the journal is merged", func() bool { return w.MergeJournal(ctx) == nil })
	w.merged(all, before)
	if got := w.stored("billing"); got.State != registry.StateDisabled || got.StateBy != "uid:1000" {
		t.Errorf("the client is %s by %s", got.State, got.StateBy)
	}
	if got := w.stored("other"); got.State != registry.StateActive {
		t.Errorf("whose tokens were denied is %s", got.State)
	}
	if got := w.stored("third"); len(got.Secrets) != 0 || findSpent(got, "s1") < 0 {
		t.Errorf("the credential is there: %+v", got)
	}
	if next := w.key(keys.StateActive); next.ID == key.ID {
		t.Error("the denied key is still active")
	}
}

// toldMerged are the ids that revocation sets tell as merged now.
func (w *world) toldMerged() []string { return w.replica.Snapshot().Merged(w.clock.now()) }

// merged demands that the store has the denials, and that nothing is pending.
func (w *world) merged(all []Denied, since int64) {
	w.Helper()
	if len(w.replica.Journalled()) != 0 {
		w.Errorf("still journalled: %v", w.replica.Journalled())
	}
	told := w.toldMerged()
	for _, d := range all {
		n, ok := w.denials()[d.ID]
		if !ok || (d.What == registry.DenyClient) != (n > w.gen(since)) {
			w.Errorf("%s: there %v, n %d", d.ID, ok, n)
		}
		if !slices.Contains(told, d.Pending) {
			w.Errorf("%s is not told as merged: %v", d.Pending, told)
		}
	}
	changes, err := w.Changes(w.Context(), w.actor, ChangeQuery{})
	w.ok(err)
	recorded := 0
	for _, c := range changes {
		if c.Commit <= since {
			continue
		}
		recorded++
		if c.Via != "journal" && c.Via != "schedule" || c.Via == "journal" && (c.Actor != "uid:1000" || c.RequestID != "req-1") {
			w.Errorf("recorded as %+v", c)
		}
		if c.Action == "client.deny" && (c.Object != "billing" || !strings.Contains(c.Why, "while the store was away")) {
			w.Errorf("recorded as %+v", c)
		}
	}
	if recorded < len(all) {
		w.Errorf("%d records of %d denials", recorded, len(all))
	}
}

// TestMergingIsDoneOnce: a commit that was not heard back of is not repeated, so
// what somebody undid meanwhile stays undone.
func TestMergingIsDoneOnce(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx := w.Context()
		w.client("billing")
		journal := func(verb string, d registry.Denial) replica.Pending {
			d.Expires = w.clock.now().Add(time.Hour)
			p, err := w.replica.Journal(replica.Pending{Verb: verb, Denial: d, Actor: "uid:0"})
			w.ok(err)
			return p
		}
		p := journal(replica.VerbClient, registry.Denial{What: registry.DenyClient, Client: "billing"})
		w.ok(w.merge(ctx, p)) // and the journal is not told
		_, _, err := w.EnableClient(ctx, w.actor, Target{ID: "billing"})
		w.ok(err)
		before := w.head()
		w.ok(w.MergeJournal(ctx))
		if w.head() != before || w.stored("billing").State != registry.StateActive || len(w.replica.Journalled()) != 0 {
			t.Errorf("%d commits, the client is %s, journalled %v", w.head()-before, w.stored("billing").State, w.replica.Journalled())
		}
		w.ok(w.MergeJournal(ctx)) // nothing to do

		// Of two nodes that denied the same, both are told as merged.
		second := journal(replica.VerbTokens, registry.Denial{What: registry.DenyClient, Client: "billing"})
		w.ok(w.MergeJournal(ctx))
		if got := w.toldMerged(); !slices.Contains(got, p.ID) || !slices.Contains(got, second.ID) {
			t.Errorf("merged %v", got)
		}
		// A later denial of the same keeps them, until they expire.
		_, _, err = w.DenyClient(ctx, w.actor, "billing")
		w.ok(err)
		if len(w.toldMerged()) != 2 {
			t.Errorf("merged %v", w.toldMerged())
		}
		w.clock.advance(2 * time.Hour)
		if len(w.toldMerged()) != 0 {
			t.Errorf("merged %v", w.toldMerged())
		}
	})
}

// TestMergingWhatIsGone: the client, the credential or the key may have been
// deleted meanwhile; the denial is written all the same.
func TestMergingWhatIsGone(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.client("billing")
		want := []string{}
		for verb, d := range map[string]registry.Denial{
			replica.VerbClient:     {What: registry.DenyClient, Client: "gone"},
			replica.VerbTokens:     {What: registry.DenyClient, Client: "gone too"},
			replica.VerbCredential: {What: registry.DenyCredential, Client: "billing", Credential: "s9"},
			replica.VerbKID:        {What: registry.DenyKID, Issuer: "default", KID: "k9"},
			replica.VerbDenial:     {What: registry.DenyClientAPI, Issuer: "default", Client: "billing", API: "orders", Audience: "https://orders.example.com"},
			replica.VerbJTI:        {What: registry.DenyJTI, Issuer: "gone", JTI: "t1"},
		} {
			d.Expires = w.clock.now().Add(time.Hour)
			_, err := w.replica.Journal(replica.Pending{Verb: verb, Denial: d, Actor: "uid:0"})
			w.ok(err)
			want = append(want, registry.DenialID(&d))
		}
		w.ok(w.MergeJournal(w.Context()))
		slices.Sort(want)
		if got := w.denialIDs(); !slices.Equal(got, want) {
			t.Errorf("denied %v, want %v", got, want)
		}
		if w.stored("billing").State != registry.StateActive {
			t.Error("a lost denial disabled the client")
		}
		if len(w.replica.Journalled()) != 0 {
			t.Errorf("left %v", w.replica.Journalled())
		}
	})
}

// eventually waits for something that another goroutine does.
func (w *world) eventually(what string, f func() bool) {
	w.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !f(); <-tick.C {
		if time.Now().After(end) {
			w.Fatalf("never: %s", what)
		}
	}
}
