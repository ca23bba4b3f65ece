package dialect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/symbolon/symbolon/internal/registry"
)

// longList is a list of that many entries, which counts how many were looked at.
func longList(entries int, looked *int) *auth0Source[int] {
	return &auth0Source[int]{
		name: "numbers",
		all: func(from string, _ int) iter.Seq2[int, error] {
			first := 0
			if from != "" {
				fmt.Sscan(from, &first)
				first++
			}
			return func(yield func(int, error) bool) {
				for n := first; n < entries; n++ {
					if *looked++; !yield(n, nil) {
						return
					}
				}
			}
		},
		show: func(n int) auth0Object { return auth0Object{"n": n} },
		key:  func(n int) string { return fmt.Sprint(n) },
	}
}

// TestAuth0Reach: programs that go on until a page is empty get to the end of a
// list that they can reach by page, and are told of one that they cannot; no call
// looks at more than that, but for the first total.
func TestAuth0Reach(t *testing.T) {
	for _, c := range []struct {
		entries, perPage int
		whole            bool // the last page is reached
	}{
		{0, 50, true}, {1, 100, true}, {995, 30, true}, {999, 100, true}, {1000, 100, true}, {1000, 30, true}, {1000, 1, true},
		{1001, 100, false}, {1001, 30, false}, {30_000, 100, false},
	} {
		for _, totals := range []bool{false, true} {
			t.Run(fmt.Sprint(c.entries, " by ", c.perPage, ", totals ", totals), func(t *testing.T) {
				looked, most := 0, auth0Reach+1
				source := longList(c.entries, &looked)
				mark := new(auth0Marks).of("numbers", registry.Position{})
				next := 0
				for page := 0; ; page++ {
					before := looked
					list, total, err := source.page(t.Context(), auth0Paging{page: page, perPage: c.perPage, totals: totals}, mark)
					if n := looked - before; n > most && (!totals || page > 0) || n > c.entries {
						t.Fatalf("page %d looked at %d entries", page, n)
					}
					if err != nil {
						if c.whole || err != errAuth0Reach || next > auth0Reach || next+c.perPage <= auth0Reach {
							t.Fatalf("page %d, entry %d: %v", page, next, err)
						}
						return
					}
					if totals && total != c.entries {
						t.Fatalf("page %d: total %d", page, total)
					}
					if len(list) == 0 {
						break
					}
					for _, o := range list {
						if o["n"] != next {
							t.Fatalf("page %d has %v, want %d", page, o, next)
						}
						next++
					}
				}
				if !c.whole || next != c.entries {
					t.Errorf("the list ends after %d of %d", next, c.entries)
				}
			})
		}
	}
}

// TestAuth0CountsOnce: many that ask at the same time for what has to be counted
// cost as much as one.
func TestAuth0CountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const entries, callers = 5_000, 8
		var looked atomic.Int64
		var begun atomic.Bool
		source := longList(entries, new(int))
		source.all = func(from string, batch int) iter.Seq2[int, error] {
			if !begun.Swap(true) {
				synctest.Wait() // until all others have come as far as they do
			}
			return func(yield func(int, error) bool) {
				for n, err := range longList(entries, new(int)).all(from, batch) {
					if looked.Add(1); !yield(n, err) {
						return
					}
				}
			}
		}
		mark := new(auth0Marks).of("numbers", registry.Position{})
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				if list, total, err := source.page(t.Context(), auth0Paging{perPage: 10, totals: true}, mark); err != nil || total != entries || len(list) != 10 {
					t.Errorf("%d of %d: %v", len(list), total, err)
				}
			})
		}
		all.Wait()
		if n := looked.Load(); n > entries+callers*11 {
			t.Errorf("%d entries were looked at, of %d", n, entries)
		}
	})
}

// TestAuth0CountsForNobody: who goes away while another one counts does not stay for
// the end of that; and where the one who counts goes away, the next one counts.
func TestAuth0CountsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const entries = 10
		totals := auth0Paging{perPage: 5, totals: true}
		mark := new(auth0Marks).of("numbers", registry.Position{})
		slow := longList(entries, new(int))
		end, gone := make(chan struct{}), errors.New("whoever asked is gone")
		slow.all = func(string, int) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) { <-end; yield(0, gone) }
		}
		var all sync.WaitGroup
		all.Go(func() {
			if _, _, err := slow.page(t.Context(), totals, mark); err != gone {
				t.Errorf("the first: %v", err)
			}
		})
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := longList(entries, new(int)).page(ctx, totals, mark); !errors.Is(err, context.Canceled) {
			t.Errorf("one who is gone: %v", err)
		}
		all.Go(func() {
			if _, total, err := longList(entries, new(int)).page(t.Context(), totals, mark); err != nil || total != entries {
				t.Errorf("the next: %d, %v", total, err)
			}
		})
		synctest.Wait()
		close(end)
		all.Wait()
	})
}

// TestAuth0DeepPages: a page far behind the end costs no more than what can be
// reached, and one that is known to be there nothing at all.
func TestAuth0DeepPages(t *testing.T) {
	for _, c := range []struct {
		entries int
		refused bool
	}{{30_000, true}, {500, false}} {
		looked := 0
		list, _, err := longList(c.entries, &looked).page(t.Context(), auth0Paging{page: auth0MaxPage, perPage: 100}, nil)
		if (err == errAuth0Reach) != c.refused || len(list) != 0 || looked > auth0Reach+1 {
			t.Errorf("of %d: %v, %d shown, %d looked at", c.entries, err, len(list), looked)
		}
		mark := new(auth0Marks).of("numbers", registry.Position{})
		mark.ends(c.entries)
		looked = 0
		if _, _, err = longList(c.entries, &looked).page(t.Context(), auth0Paging{page: auth0MaxPage, perPage: 100}, mark); (err == errAuth0Reach) != c.refused || looked > 0 {
			t.Errorf("of %d, which is known: %v, %d looked at", c.entries, err, looked)
		}
	}
	if _, body := write(t, errAuth0Reach); body["errorCode"] != "invalid_paging" || !strings.Contains(fmt.Sprint(body["message"]), "from and take") {
		t.Errorf("the refusal is %v", body)
	}
}

// TestAuth0SomeOf: what comes before a checkpoint is not read.
func TestAuth0SomeOf(t *testing.T) {
	var read []string
	c := &auth0Call{managed: new(managed)}
	for range someOf(c, []string{"d", "a", "b", "d", "c"}, "b", func(id string) (string, error) {
		read = append(read, id)
		return id, nil
	}) {
	}
	if got := strings.Join(read, ""); got != "cd" || c.looked != 2 {
		t.Errorf("read %q, %d looked at", got, c.looked)
	}
}
