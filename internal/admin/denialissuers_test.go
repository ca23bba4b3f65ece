package admin

import (
	"slices"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/replica"
)

// issuersOf are the issuers whose tokens the denial of that id concerns; none:
// there is no such denial.
func (w *world) issuersOf(id string) (concerned []string) {
	w.Helper()
	d := w.replica.Snapshot().Denials.Get(id)
	for _, issuer := range []string{"default", "one", "other", "two"} {
		if d != nil && d.Concerns(issuer) {
			concerned = append(concerned, issuer)
		}
	}
	return concerned
}

// TestADenialConcernsTheIssuersOfItsClient and no others: what one organisation
// denies is nothing to the validators of another.
func TestADenialConcernsTheIssuersOfItsClient(t *testing.T) {
	const client, secret = "client:billing", "credential:billing:s1"
	billing := Target{ID: "billing"}
	move := func(to string) func(w *world) error {
		return func(w *world) error { return w.try("billing", `{"issuers":[`+to+`]}`) }
	}
	disable := func(w *world) error { _, _, err := w.DisableClient(w.Context(), w.actor, billing); return err }
	deny := func(w *world) error { _, _, err := w.DenyClient(w.Context(), w.actor, "billing"); return err }
	tokens := func(w *world) error { _, _, err := w.DenyTokens(w.Context(), w.actor, "billing"); return err }
	remove := func(w *world) error { _, err := w.DeleteClient(w.Context(), w.actor, billing); return err }
	credential := func(w *world) error { _, _, err := w.DenyCredential(w.Context(), w.actor, "billing", "s1"); return err }
	old := func(w *world) error { // of a version that kept no issuers
		_, err := w.change(w.Context(), w.actor, func(c *change) error {
			return c.deny(nil, registry.Denial{What: registry.DenyClient, Client: "billing"})
		})
		return err
	}
	both := []string{"one", "two"}
	for name, tt := range map[string]struct {
		do   []func(w *world) error
		want map[string][]string
	}{
		"disabled":    {[]func(*world) error{disable}, map[string][]string{client: both}},
		"denied":      {[]func(*world) error{deny}, map[string][]string{client: both}},
		"its tokens":  {[]func(*world) error{tokens}, map[string][]string{client: both}},
		"deleted":     {[]func(*world) error{remove}, map[string][]string{client: both}},
		"credential":  {[]func(*world) error{credential}, map[string][]string{secret: both, client: nil}},
		"journalled":  {[]func(*world) error{func(w *world) error { return w.journalled(replica.VerbClient, registry.DenyClient, "billing", "") }}, map[string][]string{client: both}},
		"taken off":   {[]func(*world) error{move(`"one"`)}, map[string][]string{client + ":two": {"two"}, client + ":one": nil, client: nil}},
		"one more":    {[]func(*world) error{move(`"one","two","other"`)}, map[string][]string{client: nil, client + ":one": nil, client + ":two": nil}},
		"moved":       {[]func(*world) error{move(`"other"`)}, map[string][]string{client + ":one": {"one"}, client + ":two": {"two"}}},
		"to default":  {[]func(*world) error{move(``)}, map[string][]string{client + ":one": {"one"}, client + ":two": {"two"}, client + ":default": nil}},
		"and back":    {[]func(*world) error{move(``), move(`"one","two"`)}, map[string][]string{client + ":default": {"default"}}},
		"then denied": {[]func(*world) error{move(`"one"`), deny}, map[string][]string{client + ":two": {"two"}, client: {"one"}}},
		"denied, moved and denied again": {[]func(*world) error{deny, move(`"other"`), deny},
			map[string][]string{client: {"one", "other", "two"}}},
		"an older denial of all": {[]func(*world) error{old, deny}, map[string][]string{client: {"default", "one", "other", "two"}}},
	} {
		t.Run(name, func(t *testing.T) {
			onSQLite(t, func(w *world) {
				for _, id := range []string{"one", "two", "other"} {
					_, _, err := w.CreateIssuer(w.Context(), w.actor, registry.Issuer{ID: id})
					w.ok(err)
				}
				_, _, err := w.CreateClient(w.Context(), w.actor, CreateClient{Client: registry.Client{ID: "billing", Issuers: both}})
				w.ok(err)
				before := w.replica.Snapshot().Gen()
				for _, do := range tt.do {
					w.ok(do(w))
				}
				s := w.replica.Snapshot()
				for id, want := range tt.want {
					if got := w.issuersOf(id); !slices.Equal(got, want) {
						t.Errorf("%s concerns %v, want %v", id, got, want)
					}
					token := registry.TokenFacts{Client: "billing", Cred: "s1", Gen: before}
					for _, issuer := range want {
						if !s.Issuers[issuer].Denied(token) {
							t.Errorf("a token of before is good at %s", issuer)
						}
					}
				}
				for id, issuer := range s.Issuers {
					if issuer.Denied(registry.TokenFacts{Client: "other", Cred: "s1", Gen: before}) {
						t.Errorf("another client's token is denied at %s", id)
					}
				}
			})
		})
	}
}

// TestTakingAnIssuerOffLeavesTheOthers: tokens of the issuers where the client stays
// are good, whatever was denied there before.
func TestTakingAnIssuerOffLeavesTheOthers(t *testing.T) {
	eachStore(t, func(w *world) {
		for _, id := range []string{"one", "two"} {
			_, _, err := w.CreateIssuer(w.Context(), w.actor, registry.Issuer{ID: id})
			w.ok(err)
		}
		_, _, err := w.CreateClient(w.Context(), w.actor, CreateClient{Client: registry.Client{ID: "billing", Issuers: []string{"one", "two"}}})
		w.ok(err)
		_, _, err = w.DenyTokens(w.Context(), w.actor, "billing")
		w.ok(err)
		token := registry.TokenFacts{Client: "billing", Cred: "s1", Gen: w.replica.Snapshot().Gen()}
		denied := func() (at []string) {
			for _, id := range []string{"one", "two"} {
				if w.replica.Snapshot().Issuers[id].Denied(token) {
					at = append(at, id)
				}
			}
			return at
		}
		if got := denied(); got != nil {
			t.Fatalf("a new token is denied at %v", got)
		}
		w.update("billing", `{"issuers":["one"]}`)
		if got := denied(); !slices.Equal(got, []string{"two"}) {
			t.Errorf("denied at %v", got)
		}
		// A client that is at the issuer again goes on with new tokens.
		w.update("billing", `{"issuers":["one","two"]}`)
		token.Gen = w.replica.Snapshot().Gen()
		if got := denied(); got != nil {
			t.Errorf("back again, and denied at %v", got)
		}
	})
}
