package admin

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// file is a declarative file in a test: objects as JSON, one a line, each
// behind the name of its kind.
func file(t testing.TB, lines string) ApplyRequest {
	t.Helper()
	req := ApplyRequest{Set: "main"}
	for line := range strings.Lines(lines) {
		kind, doc, _ := strings.Cut(strings.TrimSpace(line), " ")
		var err error
		switch kind {
		case "":
		case "issuer":
			req.Objects.Issuers, err = addNamed(req.Objects.Issuers, doc)
		case "api":
			req.Objects.APIs, err = addNamed(req.Objects.APIs, doc)
		case "client":
			req.Objects.Clients, err = addNamed(req.Objects.Clients, doc)
		case "operator":
			req.Objects.Operators, err = addNamed(req.Objects.Operators, doc)
		case "value": // value client credential secret
			words := strings.Fields(doc)
			if req.Objects.Values == nil {
				req.Objects.Values = SecretValues{}
			}
			if req.Objects.Values[words[0]] == nil {
				req.Objects.Values[words[0]] = map[string]Secret{}
			}
			req.Objects.Values[words[0]][words[1]] = NewSecret(words[2])
		default:
			t.Fatalf("no kind %q", kind)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return req
}

func addNamed[T any](list []Named[T], doc string) ([]Named[T], error) {
	n, err := ReadNamed[T]([]byte(doc))
	n.Fields = slices.DeleteFunc(n.Fields, func(f string) bool { return f == "id" })
	return append(list, n), err
}

func (w *world) apply(req ApplyRequest) Plan {
	w.Helper()
	plan, _, err := w.Apply(w.Context(), w.actor, req)
	w.ok(err)
	return plan
}

// wants compares a plan with lines of action, kind and id.
func (w *world) wants(plan Plan, lines ...string) {
	w.Helper()
	var got []string
	for _, d := range plan.Differences {
		got = append(got, fmt.Sprintf("%s %s %s", d.Action, d.Kind, d.ID))
	}
	if !slices.Equal(got, lines) {
		w.Errorf("the plan is %q, want %q", got, lines)
	}
}

// noted demands that the plan has a note on the object with the words, and that
// its command is undo.
func (w *world) noted(plan Plan, id, text, undo string) {
	w.Helper()
	for _, d := range plan.Differences {
		for _, n := range d.Notes {
			if d.ID == id && strings.Contains(n.Text, text) && n.Undo == undo {
				return
			}
		}
	}
	w.Errorf("no note %q with %q on %s in %+v", text, undo, id, plan.Differences)
}

const small = `
	api {"id":"orders","identifier":"https://orders.example.com","scopes":{"read":{},"write":{}}}
	client {"id":"billing","name":"Nightly billing","state":"active","secrets":[{"id":"s1"}],"access":{"orders":["read"]}}
	value billing s1 from-the-environment
`

func TestApplyIsIdempotent(t *testing.T) {
	eachStore(t, func(w *world) {
		req := file(t, small+`
			issuer {"id":"partners","token":{"lifetime":"30m"}}
			operator {"id":"ann","role":"admin"}`)
		req.DryRun = true
		before := w.head()
		w.wants(w.apply(req), "create issuer partners", "create api orders", "create client billing", "create operator ann")
		if w.head() != before {
			t.Fatal("a dry run left a commit")
		}
		req.DryRun = false
		w.wants(w.apply(req), "create issuer partners", "create api orders", "create client billing", "create operator ann")
		if w.head() != before+1 {
			t.Errorf("it took %d commits", w.head()-before)
		}
		c := w.stored("billing")
		if c.ManagedBy != "main" || c.Secrets[0].ManagedBy != "main" || !matches(c.Secrets[0].Hash, NewSecret("from-the-environment")) {
			t.Errorf("stored %+v", c)
		}
		before = w.head()
		w.clock.advance(time.Hour)
		for range 2 {
			if plan := w.apply(req); len(plan.Differences) != 0 || w.head() != before {
				t.Fatalf("again: %+v, commit %d after %d", plan, w.head(), before)
			}
		}
		for _, c := range w.actions(before - 1) {
			if strings.Contains(c, "system") {
				t.Error(c)
			}
		}
	})
}

func TestApplyLeavesAloneWhatItDoesNotName(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx := w.Context()
		w.apply(file(t, small))
		change := func(doc string) {
			n, err := ReadNamed[registry.Client]([]byte(doc))
			w.ok(err)
			_, _, err = w.UpdateClient(ctx, w.actor, Update[registry.Client]{Target: Target{ID: "billing"}, Change: n})
			w.ok(err)
		}
		change(`{"owner":"ann","labels":{"team":"finance"},"name":"By hand"}`)
		_, _, err := w.AddSecret(ctx, w.actor, Target{ID: "billing"}, NewCredential{ID: "hand"})
		w.ok(err)
		plan := w.apply(file(t, small))
		w.wants(plan, "change client billing")
		if f := plan.Differences[0].Fields; len(f) != 1 || f[0] != (FieldChange{Path: "name", Before: "By hand", After: "Nightly billing"}) {
			t.Errorf("fields %+v", f)
		}
		w.noted(plan, "billing", "secret hand was added by hand", "symbolon client secret remove billing hand")
		c := w.stored("billing")
		if c.Owner != "ann" || c.Labels["team"] != "finance" || len(c.Secrets) != 2 {
			t.Errorf("stored %+v", c)
		}
		// Members of a structure are left alone one by one.
		n, err := ReadNamed[registry.API]([]byte(`{"token":{"lifetime":"10m","algorithm":"RS256"}}`))
		w.ok(err)
		_, _, err = w.UpdateAPI(ctx, w.actor, Update[registry.API]{Target: Target{ID: "orders"}, Change: n})
		w.ok(err)
		w.apply(file(t, `api {"id":"orders","token":{"lifetime":"5m"}}`))
		api, err := w.API(ctx, w.actor, "orders")
		w.ok(err)
		if api.Token.Algorithm != "RS256" || api.Token.Lifetime.Std() != 5*time.Minute || len(api.Scopes) != 2 {
			t.Errorf("API %+v", api)
		}
	})
}

// TestStickiness: what a person disabled, revoked or deleted, no file undoes.
func TestStickiness(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx, billing := w.Context(), Target{ID: "billing"}
		w.apply(file(t, small))
		_, _, err := w.DisableClient(ctx, w.actor, billing)
		w.ok(err)
		before := w.head()
		plan := w.apply(file(t, small))
		w.wants(plan, "keep client billing")
		w.noted(plan, "billing", "disabled by uid:1000; a file does not enable it", "symbolon client enable billing")
		if w.stored("billing").State != registry.StateDisabled || w.head() != before {
			t.Error("the file enabled the client")
		}
		_, _, err = w.EnableClient(ctx, w.actor, billing)
		w.ok(err)

		_, _, err = w.RevokeCredential(ctx, w.actor, billing, CredentialSecret, "s1")
		w.ok(err)
		plan = w.apply(file(t, small))
		w.wants(plan, "keep client billing")
		w.noted(plan, "billing", "secret s1 was revoked on 2026-03-01", "symbolon client secret add billing --id s2")
		if len(w.stored("billing").Secrets) != 0 {
			t.Error("the file brought a revoked secret back")
		}
		_, _, err = w.Apply(ctx, w.actor, file(t, `
			client {"id":"billing","secrets":[{"id":"s9"}]}
			value billing s9 from-the-environment`))
		w.refused(err, Invalid, "secrets.s9", "revoked as s1")

		_, err = w.DeleteClient(ctx, w.actor, billing)
		w.ok(err)
		_, err = w.DeleteAPI(ctx, w.actor, Target{ID: "orders"})
		w.ok(err)
		w.clock.advance(60 * 24 * time.Hour)
		w.client("later") // the newest commit is never purged
		_, err = w.Store.PurgeTombstones(ctx, w.clock.now().UnixMicro())
		w.ok(err)
		plan = w.apply(file(t, small))
		w.wants(plan, "keep api orders", "keep client billing")
		w.noted(plan, "billing", "deleted by uid:1000 on 2026-03-01", "symbolon client create billing")
		w.noted(plan, "orders", "deleted by uid:1000", "symbolon api create orders")
		if _, err := w.Client(ctx, w.actor, "billing"); CodeOf(err) != NotFound {
			t.Errorf("the file brought the client back: %v", err)
		}
		// By hand it comes back, and then belongs to the file again.
		w.api("orders", "read")
		w.client("billing")
		w.wants(w.apply(file(t, strings.ReplaceAll(small, `"s1"`, `"s7"`)+"value billing s7 a-new-secret")), "change api orders", "change client billing")
		if w.stored("billing").ManagedBy != "main" {
			t.Error("the file does not own it")
		}
	})
}

func TestAFileMayDisable(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.apply(file(t, small))
		plan := w.apply(file(t, strings.ReplaceAll(small, `"active"`, `"disabled"`)))
		w.wants(plan, "disable client billing")
		if got := w.denialIDs(); !slices.Equal(got, []string{"client:billing"}) {
			t.Errorf("denials %v", got)
		}
		plan = w.apply(file(t, small)) // and may not take it back
		w.noted(plan, "billing", "disabled by the set main", "symbolon client enable billing")
		_, _, err := w.Apply(w.Context(), w.actor, file(t, `client {"id":"billing","state":"pending"}`))
		w.refused(err, Invalid, "state", "disabled")
	})
}

// TestPrune: disabled first, deleted on the next run, and back when the set
// names it again.
func TestPrune(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx := w.Context()
		w.apply(file(t, small+`operator {"id":"ann","role":"viewer"}
			issuer {"id":"partners"}`))
		w.client("byhand", "orders read")
		w.api("mine", "x")
		nothing := ApplyRequest{Set: "main"}

		plan := w.apply(nothing)
		w.wants(plan, "keep issuer partners", "keep api orders", "keep client billing", "keep operator ann")
		w.noted(plan, "billing", "a prune disables it", "symbolon apply --prune")

		prune := nothing
		prune.Prune = true
		plan = w.apply(prune)
		w.wants(plan, "keep issuer partners", "mark api orders", "disable client billing", "keep operator ann")
		w.noted(plan, "ann", "nothing but a person deletes it", "symbolon operator delete ann")
		w.noted(plan, "billing", "the next prune deletes it", "")
		if c := w.stored("billing"); c.State != registry.StateDisabled || c.StateBy != "prune:main" {
			t.Errorf("after the first prune: %s by %s", c.State, c.StateBy)
		}

		plan = w.apply(prune)
		w.wants(plan, "keep issuer partners", "keep api orders", "delete client billing", "keep operator ann")
		w.noted(plan, "orders", "byhand", "symbolon client ungrant byhand orders")
		if _, err := w.Client(ctx, w.actor, "billing"); CodeOf(err) != NotFound {
			t.Errorf("after the second prune: %v", err)
		}
		_, _, err := w.Ungrant(ctx, w.actor, Target{ID: "byhand"}, Access{API: "orders"})
		w.ok(err)
		w.wants(w.apply(prune), "keep issuer partners", "delete api orders", "keep operator ann")
		if marks, err := w.Store.Meta(ctx, marksKey("main")); err == nil && marks != "" {
			t.Errorf("marks of what is gone: %s", marks)
		}
		if _, err := w.API(ctx, w.actor, "mine"); err != nil {
			t.Errorf("a prune touched what is not its set's: %v", err)
		}

		w.wants(w.apply(file(t, small)), "keep issuer partners", "create api orders", "create client billing", "keep operator ann")
		c := w.stored("billing")
		if c.State != registry.StateActive || c.StateBy != "" || len(c.Secrets) != 1 || c.Secrets[0].ID != "s1" || !matches(c.Secrets[0].Hash, NewSecret("from-the-environment")) {
			t.Errorf("came back as %+v", c)
		}
		if plan := w.apply(file(t, small)); plan.Changes() != 0 {
			t.Errorf("and then: %+v", plan)
		}
	})
}

// TestPrunedComesBackToWhatIsThere: without the access to what went with it.
func TestPrunedComesBackToWhatIsThere(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.apply(file(t, small))
		w.api("stock", "see", "count")
		for _, scopes := range []string{"see", "count"} {
			_, _, err := w.Grant(w.Context(), w.actor, Target{ID: "billing"}, Access{API: "stock", Scopes: []string{scopes}})
			w.ok(err)
		}
		for range 2 {
			w.apply(ApplyRequest{Set: "main", Prune: true})
		}
		n, err := ReadNamed[registry.API]([]byte(`{"scopes":{"see":{}}}`))
		w.ok(err)
		_, _, err = w.UpdateAPI(w.Context(), w.actor, Update[registry.API]{Target: Target{ID: "stock"}, Change: n})
		w.ok(err)
		w.apply(file(t, `client {"id":"billing","name":"Back"}`))
		if got := fmt.Sprint(w.stored("billing").Access); got != "map[stock:[see]]" {
			t.Errorf("access %s", got)
		}
	})
}

func TestPruneInBetween(t *testing.T) {
	onSQLite(t, func(w *world) {
		ctx, billing := w.Context(), Target{ID: "billing"}
		w.apply(file(t, small))
		prune := ApplyRequest{Set: "main", Prune: true}
		w.apply(prune)
		n := w.denials()["client:billing"]
		w.apply(file(t, small)) // named again in time
		if c := w.stored("billing"); c.State != registry.StateActive {
			t.Errorf("not back: %s by %s", c.State, c.StateBy)
		}
		if got := w.denials()["client:billing"]; got != n {
			t.Errorf("n went from %d to %d", n, got)
		}
		w.wants(w.apply(prune), "mark api orders", "disable client billing") // begins anew

		// A person's word comes before the set's: it is disabled for good now.
		_, _, err := w.DisableClient(ctx, w.actor, billing)
		w.ok(err)
		plan := w.apply(file(t, small))
		w.noted(plan, "billing", "disabled by uid:1000", "symbolon client enable billing")
		w.apply(prune)
		w.wants(w.apply(prune), "delete api orders", "delete client billing")
		plan = w.apply(file(t, small))
		w.noted(plan, "billing", "disabled by uid:1000", "symbolon client enable billing")
		if c := w.stored("billing"); c.State != registry.StateDisabled {
			t.Error("deleting and naming it again enabled what a person had disabled")
		}

		// One that a person enables in between is only disabled again.
		_, _, err = w.EnableClient(ctx, w.actor, billing)
		w.ok(err)
		w.apply(prune)
		_, _, err = w.EnableClient(ctx, w.actor, billing)
		w.ok(err)
		w.wants(w.apply(prune), "keep api orders", "disable client billing")
	})
}

func TestSecretsOfAFile(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.apply(file(t, small))
		generated := generateSecret().Reveal()
		with := func(ids string, values string) ApplyRequest {
			return file(t, `client {"id":"billing","secrets":[`+ids+`]}`+"\n"+values)
		}
		// A rotation: both, then only the new one. Tokens of the old one stay good.
		w.apply(with(`{"id":"s1"},{"id":"s2","hash":"`+registry.HashGenerated(generated)+`","expires":"2027-01-01T00:00:00Z"}`, "value billing s1 from-the-environment"))
		w.apply(with(`{"id":"s2"}`, "value billing s2 "+generated))
		c := w.stored("billing")
		if len(c.Secrets) != 1 || c.Secrets[0].ID != "s2" || c.Secrets[0].Expires.IsZero() || len(c.Spent) != 1 || len(w.denialIDs()) != 0 {
			t.Errorf("after the rotation: %+v, denials %v", c, w.denialIDs())
		}
		for _, x := range []struct {
			req   ApplyRequest
			words []string
		}{
			{with(`{"id":"s2"}`, "value billing s2 something-else"), []string{"secrets.s2", "new id"}},
			{with(`{"id":"s2","hash":"`+registry.HashGenerated(generateSecret().Reveal())+`"}`, ""), []string{"secrets.s2", "new id"}},
			{with(`{"id":"s3"}`, ""), []string{"secrets.s3", "value_from"}},
			{with(`{"id":"s3","hash":"sha256:00"}`, "value billing s3 something-else"), []string{"secrets.s3", "only one"}},
			{with(`{"id":"s3"}`, "value billing s3 short"), []string{"secrets.s3", "octets"}},
			{with(`{"id":"s3"},{"id":"s3"}`, "value billing s3 something-else"), []string{"secrets.s3", "twice"}},
			{with(`{"id":"s3"},{"id":"s2"}`, "value billing s3 "+generated+"\nvalue billing s2 "+generated), []string{"secrets.s3", "s2 already"}},
		} {
			before := w.head()
			_, _, err := w.Apply(w.Context(), w.actor, x.req)
			w.refused(err, Invalid, x.words...)
			if strings.Contains(err.Error(), "something-else") || strings.Contains(err.Error(), generated) {
				t.Errorf("a secret is in the error: %v", err)
			}
			if w.head() != before {
				t.Error("it left a commit")
			}
		}
	})
}

func TestApplyIsAllOrNothing(t *testing.T) {
	eachStore(t, func(w *world) {
		before := w.head()
		_, _, err := w.Apply(w.Context(), w.actor, file(t, small+`
			client {"id":"second","access":{"nothing":["x"]},"claims":{"iss":"me"}}
			api {"id":"admin","identifier":"#"}
			client {"id":"billing","name":"twice"}`))
		w.refused(err, Invalid, "twice")
		_, _, err = w.Apply(w.Context(), w.actor, file(t, small+`
			client {"id":"second","claims":{"iss":"me"}}
			api {"id":"admin","identifier":"#"}`))
		w.refused(err, Invalid, "claims.iss", "identifier") // all mistakes at once
		_, _, err = w.Apply(w.Context(), w.actor, file(t, small+`client {"id":"second","access":{"nothing":["x"]}}`))
		w.refused(err, Invalid, `client "second"`, "access.nothing")
		if w.head() != before {
			t.Error("half of it was written")
		}
		_, _, err = w.Apply(w.Context(), w.actor, ApplyRequest{Set: "Not An Id"})
		w.refused(err, Invalid, "set")
		_, _, err = w.Apply(w.Context(), Actor{Name: "x"}, file(t, small))
		w.refused(err, Forbidden, "clients:write")
	})
}

func TestSetsDoNotTakeFromEachOther(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.apply(file(t, small))
		other := file(t, `client {"id":"billing","name":"Mine"}`)
		other.Set = "other"
		_, _, err := w.Apply(w.Context(), w.actor, other)
		w.refused(err, Invalid, "belongs to the set main", "--release")
		n, err := ReadNamed[registry.Client]([]byte(`{"managed_by":""}`))
		w.ok(err)
		_, _, err = w.UpdateClient(w.Context(), w.actor, Update[registry.Client]{Target: Target{ID: "billing"}, Change: n})
		w.ok(err)
		w.wants(w.apply(other), "change client billing")
		// What the one set pruned, the other does not bring back.
		for range 2 {
			w.apply(ApplyRequest{Set: "other", Prune: true})
		}
		plan := w.apply(file(t, small))
		w.noted(plan, "billing", "deleted by prune:other", "symbolon client create billing")
	})
}

func TestAScopeThatGoesIsTakenFromClients(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.apply(file(t, small))
		w.client("byhand", "orders read write")
		plan := w.apply(file(t, `
			api {"id":"orders","scopes":{"read":{}}}
			client {"id":"billing","access":{"orders":["read"]}}`))
		w.wants(plan, "change api orders", "change client byhand")
		if got := w.denialIDs(); !slices.Equal(got, []string{"client_api:byhand:orders:https://orders.example.com"}) {
			t.Errorf("denials %v", got)
		}
		_, _, err := w.Apply(w.Context(), w.actor, file(t, `
			api {"id":"orders","scopes":{}}
			client {"id":"billing","access":{"orders":["read"]}}`))
		w.refused(err, Invalid, "access.orders.read")
	})
}

// TestConcurrentApplies: each sees what the one before has done.
func TestConcurrentApplies(t *testing.T) {
	eachStore(t, func(w *world) {
		var group sync.WaitGroup
		req := file(t, small)
		created := make(chan int, 8)
		for range 8 {
			group.Go(func() {
				plan, _, err := w.Apply(w.Context(), w.actor, req)
				if err != nil {
					t.Error(err)
				}
				created <- plan.Changes()
			})
		}
		group.Wait()
		close(created)
		total := 0
		for n := range created {
			total += n
		}
		if total != 2 {
			t.Errorf("%d changes were made, want 2", total)
		}
	})
}
