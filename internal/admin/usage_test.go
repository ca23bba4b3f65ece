package admin

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/store"
)

func TestUsage(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx := w.Context()
		w.client("billing")
		now := w.clock.now() // 12:00
		hour := now.Unix() / 3600
		rows := []store.UsageRow{
			{Hour: hour - 40, Issuer: "default", Client: "billing", Credential: "s1", API: "orders", Outcome: "issued", Count: 1},
			{Hour: hour - 2, Issuer: "default", Client: "billing", Credential: "s1", API: "orders", Outcome: "issued", Count: 10},
			{Hour: hour - 1, Issuer: "default", Client: "billing", Credential: "s1", API: "orders", Outcome: "issued", Count: 100},
			{Hour: hour - 1, Issuer: "default", Client: "billing", Credential: "s2", Outcome: "refused", Count: 7},
			{Hour: hour - 1, Issuer: "default", Client: "other", Credential: "s1", API: "orders", Outcome: "issued", Count: 9},
		}
		w.ok(w.Store.FlushUsage(ctx, "n1", store.Flush{To: store.SpoolPosition{Segment: 1, Offset: 5}, Usage: rows, Counted: now.Add(-time.Second).UnixMicro()}))
		w.ok(w.Store.UpsertNode(ctx, store.Node{ID: "n2", LastSeen: 1}))
		counts := func(q UsageQuery) (out []int64) {
			u, err := w.Usage(ctx, w.actor, q)
			w.ok(err)
			for _, r := range u.Rows {
				out = append(out, r.Count)
			}
			return out
		}
		for _, c := range []struct {
			name string
			q    UsageQuery
			want []int64
		}{
			{"by day", UsageQuery{Client: "billing"}, []int64{1, 110, 7}},
			{"by hour", UsageQuery{Client: "billing", By: ByHour}, []int64{1, 10, 100, 7}},
			{"in total", UsageQuery{Client: "billing", By: ByTotal}, []int64{111, 7}},
			{"from", UsageQuery{Client: "billing", By: ByHour, From: now.Add(-90 * time.Minute)}, []int64{10, 100, 7}},
			{"to", UsageQuery{Client: "billing", By: ByTotal, To: now.Add(-2*time.Hour + time.Second)}, []int64{11}},
			{"to a whole hour", UsageQuery{Client: "billing", By: ByTotal, To: now.Add(-2 * time.Hour)}, []int64{1}},
			{"of a deleted client", UsageQuery{Client: "other", By: ByTotal}, []int64{9}},
		} {
			if got := counts(c.q); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}

		u, err := w.Usage(ctx, w.actor, UsageQuery{Client: "billing"})
		w.ok(err)
		if u.By != ByDay || u.To != now || u.From != now.Add(-30*24*time.Hour) || u.Rows[1].Time != now.Truncate(24*time.Hour) || u.Rows[2].Outcome != "refused" {
			t.Errorf("%+v", u)
		}
		want := []CountedNode{{Node: "n1", Counted: now.Add(-time.Second)}, {Node: "n2"}}
		if !slices.Equal(u.Nodes, want) {
			t.Errorf("nodes %+v, want %+v", u.Nodes, want)
		}
		w.client("fresh")
		if u, err := w.Usage(ctx, w.actor, UsageQuery{Client: "fresh"}); err != nil || u.Rows == nil || len(u.Rows) != 0 {
			t.Errorf("a new client: %+v, %v", u, err)
		}
		_, err = w.Usage(ctx, w.actor, UsageQuery{Client: "nobody"})
		w.refused(err, NotFound, "nobody")
		_, err = w.Usage(ctx, w.actor, UsageQuery{Client: "billing", By: "week"})
		w.refused(err, Invalid, "week", "hour, day or total")
		_, err = w.Usage(ctx, w.actor, UsageQuery{Client: "billing", From: now, To: now.Add(-time.Hour)})
		w.refused(err, Invalid, "nothing to count")
		_, err = w.Usage(ctx, Actor{}, UsageQuery{Client: "billing"})
		w.refused(err, Forbidden, "audit:read")
	})
}

// TestUsageNamesItsBound: an answer that would not end is refused, with the way
// out.
func TestUsageNamesItsBound(t *testing.T) {
	onSQLite(t, func(w *world) {
		hour := w.clock.now().Unix() / 3600
		var rows []store.UsageRow
		for i := range int64(maxUsageRows + 1) {
			rows = append(rows, store.UsageRow{Hour: hour - 1 - i%100, Client: "billing", API: time.Duration(i / 100).String(), Outcome: "issued", Count: 1})
		}
		w.ok(w.Store.FlushUsage(w.Context(), "n1", store.Flush{To: store.SpoolPosition{Segment: 1}, Usage: rows}))
		_, err := w.Usage(w.Context(), w.actor, UsageQuery{Client: "billing", By: ByHour})
		w.refused(err, Invalid, "10000 rows", "by day")
		if _, err := w.Usage(w.Context(), w.actor, UsageQuery{Client: "billing", By: ByTotal}); err != nil {
			t.Error(err)
		}
	})
}

// counterFunc is a Counter.
type counterFunc func(context.Context) error

func (f counterFunc) Await(ctx context.Context) error { return f(ctx) }

// TestWhatWasJustUsedIsTold: usage and last use count first; where that is not
// possible they tell what they know.
func TestWhatWasJustUsedIsTold(t *testing.T) {
	onSQLite(t, func(w *world) {
		ctx := w.Context()
		w.client("billing")
		used := w.clock.now()
		w.Counter = counterFunc(func(ctx context.Context) error {
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("a question waits for ever")
			}
			w.Counter = counterFunc(func(context.Context) error { return errors.New("the store is away") })
			return w.Store.FlushUsage(ctx, "n1", store.Flush{To: store.SpoolPosition{Segment: 1, Offset: 5},
				LastUsed: []store.LastUsed{{Client: "billing", Credential: "s1", At: used.UnixMicro()}},
				Usage:    []store.UsageRow{{Hour: used.Unix() / 3600, Issuer: "default", Client: "billing", Credential: "s1", Outcome: "issued", Count: 3}}})
		})
		for range 2 {
			c, err := w.Client(ctx, w.actor, "billing")
			w.ok(err)
			if len(c.Secrets) != 1 || !c.Secrets[0].LastUsed.Equal(used) {
				t.Errorf("last use %+v, want %s", c.Secrets, used)
			}
		}
		asked := 0
		w.Counter = counterFunc(func(context.Context) error { asked++; return nil })
		u, err := w.Usage(ctx, w.actor, UsageQuery{Client: "billing", To: used.Add(time.Hour)})
		w.ok(err)
		if len(u.Rows) != 1 || u.Rows[0].Count != 3 || asked != 1 {
			t.Errorf("%+v, counted %d times first", u.Rows, asked)
		}
	})
}
