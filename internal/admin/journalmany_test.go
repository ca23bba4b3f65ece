package admin

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
)

// forgetful counts how often the journal is written to drop entries; while it fails,
// it drops none.
type forgetful struct {
	*replica.Replica
	times []int
	fails error
}

func (f *forgetful) Forget(ids ...string) error {
	f.times = append(f.times, len(ids))
	if f.fails != nil {
		return f.fails
	}
	return f.Replica.Forget(ids...)
}

// leaving is a replica that takes some commits, and then whoever waits goes.
type leaving struct {
	Follower
	left int
	end  context.CancelFunc
}

func (l *leaving) Await(ctx context.Context, seq int64) error {
	if l.left--; l.left < 0 {
		l.end()
		return ctx.Err()
	}
	return l.Follower.Await(ctx, seq)
}

// TestManyPendingDenialsAreMerged: the journal, which is written as a whole, is not
// written again for each of them; and what was merged before the store went away
// again is dropped.
func TestManyPendingDenialsAreMerged(t *testing.T) {
	onSQLite(t, func(w *world) {
		journal := &forgetful{Replica: w.replica}
		w.Journal = journal
		pend := func(n int) {
			for i := range n {
				d := registry.Denial{What: registry.DenyJTI, Issuer: "default", JTI: fmt.Sprint("t", i), Expires: w.clock.now().Add(time.Hour)}
				_, err := w.replica.Journal(replica.Pending{Verb: replica.VerbDenial, Denial: d, Actor: "system"})
				w.ok(err)
			}
		}
		pend(forgetAtOnce + 3)
		w.ok(w.MergeJournal(w.Context()))
		w.ok(w.MergeJournal(w.Context())) // nothing is left to drop
		if got := fmt.Sprint(journal.times); got != "[100 3]" || len(w.replica.Journalled()) != 0 || w.replica.Snapshot().Denials.Tokens("default") != forgetAtOnce+3 {
			t.Errorf("dropped %s, left %d, %d denied", got, len(w.replica.Journalled()), w.replica.Snapshot().Denials.Tokens("default"))
		}
		pend(3)
		ctx, cancel := context.WithCancel(w.Context())
		w.Replica = &leaving{w.replica, 2, cancel}
		before := w.head()
		if err := w.MergeJournal(ctx); err == nil || fmt.Sprint(journal.times) != "[100 3 2]" || len(w.replica.Journalled()) != 1 {
			t.Errorf("%v, dropped %v, left %d", err, journal.times, len(w.replica.Journalled()))
		}
		w.Replica = w.replica
		w.ok(w.MergeJournal(w.Context()))
		if n := w.head() - before; n != 3 || len(w.replica.Journalled()) != 0 {
			t.Errorf("%d commits, left %d", n, len(w.replica.Journalled()))
		}
	})
}

// TestWhatWasMergedIsNotMergedAgain: a node that is killed before the journal has
// dropped a batch finds all of it again, and writes none of it a second time.
func TestWhatWasMergedIsNotMergedAgain(t *testing.T) {
	eachStore(t, func(w *world) {
		journal := &forgetful{Replica: w.replica, fails: errors.New("killed")}
		w.Journal = journal
		for _, id := range []string{"billing", "report"} {
			w.client(id)
			d := registry.Denial{What: registry.DenyClient, Client: id, Expires: w.clock.now().Add(time.Hour)}
			_, err := w.replica.Journal(replica.Pending{Verb: replica.VerbClient, Denial: d, Actor: "ann"})
			w.ok(err)
		}
		if err := w.MergeJournal(w.Context()); !errors.Is(err, journal.fails) || len(w.replica.Journalled()) != 2 {
			t.Fatalf("%v, %d are left", err, len(w.replica.Journalled()))
		}
		// What an operator has undone in between stays undone.
		_, _, err := w.EnableClient(w.Context(), w.actor, Target{ID: "report"})
		w.ok(err)
		before := w.head()
		journal.fails = nil
		w.ok(w.MergeJournal(w.Context()))
		if now := w.head(); now != before || len(w.replica.Journalled()) != 0 {
			t.Errorf("%d commits, %d are left", now-before, len(w.replica.Journalled()))
		}
		if a, b := w.stored("billing").State, w.stored("report").State; a != registry.StateDisabled || b != registry.StateActive {
			t.Errorf("billing is %s, report %s", a, b)
		}
	})
}
