package admin

import (
	"errors"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
)

// TestApplyOnce: a file is applied when it, or what it reads, has changed; only then
// its values have to be there.
func TestApplyOnce(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx := w.Context()
		req := file(t, small)
		req.Content = Content{File: "sha256:1", Values: []string{"a", "b"}}
		plan, applied, err := w.ApplyOnce(ctx, File(), req)
		w.ok(err)
		if !applied || plan.Changes() != 2 {
			t.Errorf("the first time: %v, %+v", applied, plan)
		}
		n, err := ReadNamed[registry.Client]([]byte(`{"name":"By hand"}`))
		w.ok(err)
		_, _, err = w.UpdateClient(ctx, w.actor, Update[registry.Client]{Target: Target{ID: "billing"}, Change: n})
		w.ok(err)
		before := w.head()
		if plan, applied, err = w.ApplyOnce(ctx, File(), req); err != nil || applied || plan.Changes() != 0 || w.head() != before {
			t.Errorf("the same content: %v, %+v, %v", applied, plan, err)
		}

		missing := errors.New("the environment variable A is not set")
		for _, c := range []struct {
			content Content
			why     string // "": it is not applied, and nothing is wrong
		}{
			{Content{File: "sha256:1", Values: []string{"", "b"}}, ""},
			{Content{File: "sha256:1", Values: []string{"", ""}}, ""},
			{Content{File: "sha256:1", Values: []string{"", "c"}}, "another value that it names has changed"},
			{Content{File: "sha256:2", Values: []string{"", "b"}}, "the file has changed since"},
			{Content{File: "sha256:1", Values: []string{""}}, "another value"},
		} {
			again := req
			again.Content, again.Missing = c.content, missing
			_, applied, err := w.ApplyOnce(ctx, File(), again)
			if applied || w.head() != before || c.why == "" && err != nil || c.why != "" && (!errors.Is(err, missing) || !strings.Contains(err.Error(), c.why)) {
				t.Errorf("%+v: %v, %v", c.content, applied, err)
			}
		}
		first := req
		first.Set, first.Missing = "other", missing
		if _, applied, err := w.ApplyOnce(ctx, File(), first); applied || err == nil || err.Error() != missing.Error() {
			t.Errorf("the first time, with something missing: %v, %v", applied, err)
		}

		req.Content = Content{File: "sha256:1", Values: []string{"a", "c"}}
		if plan, applied, err = w.ApplyOnce(ctx, File(), req); err != nil || !applied || plan.Changes() != 1 {
			t.Errorf("another value: %v, %+v, %v", applied, plan, err)
		}
		req.Content = Content{File: "sha256:2"}
		if _, applied, err = w.ApplyOnce(ctx, File(), req); err != nil || !applied {
			t.Errorf("another file: %v, %v", applied, err)
		}
		// Nothing is known of what was read: it is applied each time.
		req.Content = Content{}
		if _, applied, err = w.ApplyOnce(ctx, File(), req); err != nil || !applied {
			t.Errorf("no content: %v, %v", applied, err)
		}
	})
}
