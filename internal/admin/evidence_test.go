package admin

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// spool gives the world a spool with one issued and one refused request.
func (w *world) spool() {
	w.Helper()
	w.SpoolDir = filepath.Join(w.TempDir(), "spool")
	s, err := audit.OpenSpool(audit.SpoolConfig{Dir: w.SpoolDir, Node: "n1", SegmentBytes: 64 << 10, Reserve: 1, Now: w.clock.now})
	w.ok(err)
	w.ok(s.Append(&audit.Record{Outcome: audit.Issued, RequestID: "good", Issuer: "default", Client: "billing", Verified: true,
		APIs: []string{"orders"}, Scope: "read", JTI: "t1", Peer: netip.MustParseAddr("10.0.0.7")}))
	w.ok(s.Append(&audit.Record{Outcome: audit.Refused, Code: "invalid_scope", RequestID: "bad", Issuer: "default", Client: "billing",
		Reason: "scope drop is not defined", Checks: []symbolon.Check{
			{Name: "client", Clause: "RFC 6749 §2.2", Expected: "active", Got: "active", OK: true},
			{Name: "scope", Clause: "RFC 6749 §3.3", Expected: "read", Got: "drop", Fix: "ask for a scope of the API"},
		}}))
	w.ok(s.Close())
}

func TestExplain(t *testing.T) {
	eachStore(t, func(w *world) {
		w.spool()
		ctx := w.Context()
		e, err := w.Explain(ctx, w.actor, "bad")
		w.ok(err)
		text := strings.Join(e.Words, "\n")
		for _, want := range []string{"refused invalid_scope to billing (not proven) at issuer default", "because: scope drop is not defined",
			"ok   client (RFC 6749 §2.2): expected active, got active", "FAIL scope (RFC 6749 §3.3): expected read, got drop", "what to do: ask for a scope"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in:\n%s", want, text)
			}
		}
		if strings.Index(text, "ok   client") > strings.Index(text, "FAIL scope") {
			t.Error("the checks are not in their order")
		}
		if e, err = w.Explain(ctx, w.actor, "good"); err != nil || !strings.Contains(strings.Join(e.Words, "\n"), "issued to billing at issuer default") {
			t.Errorf("%v: %v", e.Words, err)
		}

		w.actor.RequestID = "change"
		w.client("billing")
		_, _, err = w.DisableClient(ctx, w.actor, Target{ID: "billing"})
		w.ok(err)
		e, err = w.Explain(ctx, w.actor, "change")
		w.ok(err)
		text = strings.Join(e.Words, "\n")
		if len(e.Changes) != 2 || e.Record != nil || !strings.Contains(text, "uid:1000: client.disable billing") ||
			!strings.Contains(text, "state: active → disabled") || !strings.Contains(text, "tokens refused: client:billing") {
			t.Errorf("explained as:\n%s", text)
		}

		_, err = w.Explain(ctx, w.actor, "never")
		w.refused(err, NotFound, "nothing is recorded", "which is none", "22 letters")
		const nowhere = "k3Jx0cQm1mYtq0Wl2Zr8aA"
		_, err = w.Explain(ctx, w.actor, nowhere)
		w.refused(err, NotFound, "nothing is recorded", "for as long as audit.keep says", "what a guard answered is in its log")
		if strings.Contains(err.Error(), "another node") {
			t.Errorf("there is no other node: %v", err)
		}
		w.Node, w.Keep = "here", 90*24*time.Hour
		for _, id := range []string{"here", "there"} {
			w.ok(w.Store.UpsertNode(ctx, store.Node{ID: id, LastSeen: 1}))
		}
		_, err = w.Explain(ctx, w.actor, nowhere)
		w.refused(err, NotFound, "for 90d (audit.keep)", "another node answered it (there): ask there")
		_, err = w.Explain(ctx, w.actor, "")
		w.refused(err, Invalid, "Request-Id")
		_, err = w.Explain(ctx, Actor{}, "good")
		w.refused(err, Forbidden, "audit:read")
	})
}

// TestExplainARefusalOfAnotherNode: what a node has handed to the store is
// found from every other.
func TestExplainARefusalOfAnotherNode(t *testing.T) {
	eachStore(t, func(w *world) {
		line := (&audit.Record{Outcome: audit.Refused, Code: "invalid_client", RequestID: "far", Client: "billing", Reason: "wrong secret"}).AppendJSON(nil)
		w.ok(w.Store.CopyRecords(w.Context(), []store.Record{{ID: "x1", Time: 1, Node: "n2", Class: store.ClassRefusal,
			Action: "token.refused", ObjectKind: "client", ObjectID: "billing", RequestID: "far", Doc: line}}))
		e, err := w.Explain(w.Context(), w.actor, "far")
		w.ok(err)
		if e.Record == nil || e.Record.Reason != "wrong secret" || len(e.Changes) != 0 {
			t.Errorf("explained as %+v", e)
		}
		if text := strings.Join(e.Words, "\n"); strings.Count(text, "billing") != 1 || strings.Contains(text, "token.refused") {
			t.Errorf("the copy is told twice:\n%s", text)
		}
	})
}

func TestVerifyEvidence(t *testing.T) {
	eachStore(t, func(w *world) {
		w.spool()
		w.client("billing")
		v, err := w.Verify(w.Context(), w.actor)
		w.ok(err)
		if !v.OK || v.Spool.Records != 2 || v.Changes == 0 || !v.Anchors {
			t.Errorf("found %+v", v)
		}
		segments, err := filepath.Glob(filepath.Join(w.SpoolDir, "*.jsonl"))
		w.ok(err)
		for _, path := range segments {
			doc, err := os.ReadFile(path)
			w.ok(err)
			w.ok(os.WriteFile(path, bytes.Replace(doc, []byte("invalid_scope"), []byte("invalid_grant"), 1), 0o600))
		}
		v, err = w.Verify(w.Context(), w.actor)
		w.ok(err)
		if v.OK || len(v.Spool.Damages) == 0 {
			t.Errorf("an altered record was not found: %+v", v)
		}
		v, err = VerifyOffline(w.Context(), w.SpoolDir, "n1", "")
		w.ok(err)
		if v.OK || v.Anchors {
			t.Errorf("nor offline: %+v", v)
		}
	})
}

func TestVerifyOfflineReadsTheStore(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, DatabaseIn(dir))
	w.spool()
	w.client("billing")
	_, err := VerifyOffline(t.Context(), w.SpoolDir, "n1", DatabaseIn(dir))
	if err == nil {
		t.Fatal("it opened a store that is in use")
	}
	w.stop()
	w.ok(w.Store.Close())
	v, err := VerifyOffline(t.Context(), w.SpoolDir, "n1", DatabaseIn(dir))
	w.ok(err)
	if !v.OK || v.Changes == 0 || !v.Anchors {
		t.Errorf("found %+v", v)
	}
}

func TestARefusedPeerIsRecorded(t *testing.T) {
	eachStore(t, func(w *world) {
		before := w.head()
		w.ok(w.RecordRefusedPeer(w.Context(), "uid:33", "its uid is neither root nor the server's", "req-9"))
		rows, err := w.Changes(w.Context(), w.actor, ChangeQuery{RequestID: "req-9"})
		w.ok(err)
		if len(rows) != 1 || rows[0].Actor != "uid:33" || rows[0].Class != store.ClassRefusal || w.head() != before {
			t.Errorf("recorded %+v", rows)
		}
		if _, err := w.Explain(w.Context(), w.actor, "req-9"); err != nil {
			t.Error(err)
		}
	})
}

func TestRequestsAreSearched(t *testing.T) {
	onSQLite(t, func(w *world) {
		none, err := w.Requests(w.Context(), w.actor, audit.Query{})
		w.ok(err)
		if none == nil || len(none) != 0 {
			t.Errorf("without a spool: %v", none)
		}
		w.spool()
		found, err := w.Requests(w.Context(), w.actor, audit.Query{Outcome: audit.Refused})
		w.ok(err)
		if len(found) != 1 || found[0].RequestID != "bad" {
			t.Errorf("found %+v", found)
		}
	})
}

func TestDifference(t *testing.T) {
	before := &registry.Client{ID: "a", State: "active", Labels: map[string]string{"hash": "kept"}, Access: map[string][]string{"orders": {"read"}, "none": {}},
		Secrets: []registry.Secret{{ID: "s1", Hash: "sha256:11"}}}
	after := &registry.Client{ID: "a", State: "disabled", StateBy: "x", Labels: map[string]string{"hash": "changed"}, Access: map[string][]string{"orders": {"read", "write"}},
		Secrets: []registry.Secret{{ID: "s1", Hash: "sha256:22"}, {ID: "s2", Hash: "sha256:33"}}, Spent: []registry.Spent{{ID: "s0", Digest: "sha256:44"}}}
	want := []FieldChange{
		{"access.none", "(empty)", ""}, {"access.orders", "read", "read write"}, {"labels.hash", "kept", "changed"}, {"secrets.s2", "", "yes"}, {"state", "active", "disabled"},
	}
	got := difference(before, after)
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got := difference(nil, (*registry.Client)(nil)); len(got) != 0 {
		t.Errorf("of nothing: %+v", got)
	}
	long := difference(nil, &registry.Client{Name: strings.Repeat("é", 300)})
	if len(long[0].After) > maxText+4 {
		t.Errorf("%d octets of a name", len(long[0].After))
	}
}

// TestExplainWhatWasAskedAboutAToken: the scopes of a token of another's API, or of
// one that is not good any more, are not told, and are not said to be none.
func TestExplainWhatWasAskedAboutAToken(t *testing.T) {
	r := &audit.Record{Outcome: audit.Answered, Endpoint: "introspection", Issuer: "default", Client: "orders-api", Verified: true, JTI: "t1"}
	if text := strings.Join(recordWords(r), "\n"); !strings.HasSuffix(text, "\n  about token t1") {
		t.Error(text)
	}
	r.APIs, r.Scope = []string{"orders"}, "read"
	if text := strings.Join(recordWords(r), "\n"); !strings.Contains(text, `about token t1, scope "read", for orders`) {
		t.Error(text)
	}
}
