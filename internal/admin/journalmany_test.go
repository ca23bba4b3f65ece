package admin

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
)

// forgetful counts how often the journal is written to drop entries.
type forgetful struct {
	*replica.Replica
	times []int
}

func (f *forgetful) Forget(ids ...string) error {
	f.times = append(f.times, len(ids))
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
