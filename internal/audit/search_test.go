package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// history is a spool of 300 records over five hours: r<i>, one a minute.
func history(t *testing.T) (string, time.Time) {
	t.Helper()
	dir, c := t.TempDir(), newClock()
	start := c.now()
	s := spoolIn(t, dir, func(cfg *SpoolConfig) { cfg.Now = c.now })
	for i := range 300 {
		r := typical()
		r.Time, r.RequestID, r.Client = c.now(), fmt.Sprint("r", i), fmt.Sprint("client", i%10)
		if i%7 == 0 {
			r.Outcome, r.Code, r.Reason = Refused, "invalid_scope", "scope Invoices:Read is not granted\u2028"
			r.Checks = append(r.Checks, symbolon.Check{Name: "scope", Got: "Zebra " + fmt.Sprint(i)})
		}
		if i == 299 {
			r.Scope = "ÜBER"
		}
		if i%30 == 0 {
			r.Code, r.Issuer, r.Cred, r.Endpoint = "invalid_client", "partners", "s2", "introspect"
		}
		if err := s.Append(r); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Minute)
	}
	closeSpool(t, s)
	if all, _ := segments(dir); len(all) < 5 {
		t.Fatalf("%d segments", len(all))
	}
	return dir, start
}

func TestSearch(t *testing.T) {
	dir, start := history(t)
	every := func(keep func(i int) bool) (ids []string) {
		for i := 299; i >= 0; i-- {
			if keep(i) {
				ids = append(ids, fmt.Sprint("r", i))
			}
		}
		return ids
	}
	for name, c := range map[string]struct {
		query Query
		want  []string
	}{
		"everything":       {Query{Limit: 1000}, every(func(int) bool { return true })},
		"a client":         {Query{Client: "client3"}, every(func(i int) bool { return i%10 == 3 })},
		"no such client":   {Query{Client: "client"}, nil},
		"an outcome":       {Query{Outcome: Refused}, every(func(i int) bool { return i%7 == 0 })},
		"a code":           {Query{Code: "invalid_scope"}, every(func(i int) bool { return i%7 == 0 && i%30 != 0 })},
		"all members":      {Query{Client: "client0", Issuer: "partners", Cred: "s2", Endpoint: "introspect", Outcome: Refused, Code: "invalid_client"}, every(func(i int) bool { return i%210 == 0 })},
		"a request":        {Query{RequestID: "r123"}, []string{"r123"}},
		"since":            {Query{Since: start.Add(290 * time.Minute)}, every(func(i int) bool { return i >= 290 })},
		"until":            {Query{Until: start.Add(10 * time.Minute)}, every(func(i int) bool { return i < 10 })},
		"a time":           {Query{Since: start.Add(100 * time.Minute), Until: start.Add(105 * time.Minute)}, every(func(i int) bool { return i >= 100 && i < 105 })},
		"text in a reason": {Query{Text: "invoices:READ", Limit: 1000}, every(func(i int) bool { return i%7 == 0 })},
		"text, escaped":    {Query{Text: "granted\u2028", Limit: 1000}, every(func(i int) bool { return i%7 == 0 })},
		"text in a check":  {Query{Text: "zebra 14", Limit: 1000}, every(func(i int) bool { return i == 14 || i >= 140 && i < 150 && i%7 == 0 })},
		"text, not ASCII":  {Query{Text: "ÜBER"}, []string{"r299"}},
		"a member's name":  {Query{Text: "request_id"}, nil},
		"the newest":       {Query{Limit: 3}, []string{"r299", "r298", "r297"}},
		"the default":      {Query{}, every(func(i int) bool { return i >= 200 })},
		"before":           {Query{Before: 5}, []string{"r3", "r2", "r1", "r0"}},
		"a quotation mark": {Query{Client: `client3","x":"`}, nil},
	} {
		found, err := Search(t.Context(), dir, c.query)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for _, r := range found {
			got = append(got, r.RequestID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSearchPages(t *testing.T) {
	dir, _ := history(t)
	var got []string
	q := Query{Outcome: Issued, Limit: 17}
	for {
		page, err := Search(t.Context(), dir, q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			got = append(got, r.RequestID)
		}
		q.Before = page[len(page)-1].N
	}
	if want := 300 - 43; len(got) != want || len(slices.Compact(slices.Clone(got))) != want {
		t.Errorf("%d records, want %d", len(got), want)
	}
}

func TestFind(t *testing.T) {
	dir, _ := history(t)
	for _, id := range []string{"r0", "r150", "r299"} {
		r, err := Find(t.Context(), dir, id)
		if err != nil || r.RequestID != id || len(r.Checks) < 8 || r.Hash == "" || r.N == 0 {
			t.Errorf("%s: %+v, %v", id, r, err)
		}
	}
	for _, id := range []string{"", "r300", "r1\"", "29"} {
		_, err := Find(t.Context(), dir, id)
		is(t, err, ErrNotFound)
	}
}

// A client_id that was cut is found by what it was.
func TestSearchForALongValue(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	r := typical()
	r.Client = strings.Repeat("x", 5000)
	if err := s.Append(r); err != nil {
		t.Fatal(err)
	}
	if found, err := Search(t.Context(), dir, Query{Client: r.Client}); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
}

// Searching does not verify: what is damaged is passed over.
func TestSearchPassesDamage(t *testing.T) {
	dir, _ := history(t)
	text := readText(t, dir)
	text.segments[1][4] = []byte("nonsense\n")
	text.segments[2] = append(text.segments[2], []byte("half a li"))
	clear(text.segments[0][6])
	text.write(t)
	found, err := Search(t.Context(), dir, Query{Limit: 1000})
	if err != nil || len(found) != 298 {
		t.Errorf("%d records, %v", len(found), err)
	}
}

func TestSearchStopsWithItsContext(t *testing.T) {
	dir, _ := history(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Search(ctx, dir, Query{})
	is(t, err, context.Canceled)
}

func TestSearchOfNothing(t *testing.T) {
	if found, err := Search(t.Context(), t.TempDir(), Query{}); err != nil || len(found) != 0 {
		t.Errorf("%v, %v", found, err)
	}
	if _, err := Search(t.Context(), "/nonexistent/spool", Query{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
