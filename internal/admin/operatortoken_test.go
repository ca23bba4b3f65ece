package admin

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

func TestTheLifeOfAnOperatorToken(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx := w.Context()
		w.issuer("okta", registry.DialectOkta, "https://okta.example.com")
		since := w.head()
		made, seq, err := w.CreateOperatorToken(ctx, w.actor, CreateOperatorToken{Token: registry.OperatorToken{
			ID: "ci", Name: "CI", Role: registry.RoleOperator, Issuers: []string{"okta"}, SSWS: true, Expires: w.clock.now().Add(time.Hour)}})
		w.ok(err)
		value := made.Value.Reveal()
		if !registry.IsGenerated(value) || seq == 0 || made.Token.ID != "ci" || !made.Token.SSWS {
			t.Errorf("%+v", made)
		}
		live := func() *registry.OperatorToken {
			return w.replica.Snapshot().OperatorToken(value, w.clock.now())
		}
		if got := live(); got == nil || got.ID != "ci" || got.Role != registry.RoleOperator {
			t.Fatalf("the node has %+v", got)
		}
		_, _, err = w.UpdateOperatorToken(ctx, w.actor, changes[registry.OperatorToken](w, "ci", `{"role":"viewer","expires":"2026-03-01T12:30:00Z"}`))
		w.ok(err)
		if got := live(); got == nil || got.Role != registry.RoleViewer || !got.SSWS || got.Name != "CI" {
			t.Errorf("after the update %+v", got)
		}
		w.clock.advance(30 * time.Minute)
		if got := live(); got != nil {
			t.Errorf("it has expired, and is %+v", got)
		}
		_, _, err = w.UpdateOperatorToken(ctx, w.actor, changes[registry.OperatorToken](w, "ci", `{"expires":"2026-03-01T12:29:59Z"}`))
		w.refused(err, Invalid, "expires", "a time to come")
		_, _, err = w.UpdateOperatorToken(ctx, w.actor, changes[registry.OperatorToken](w, "ci", `{"name":"CI","expires":"2026-03-01T12:30:00Z"}`))
		w.ok(err) // nothing about its time has changed
		_, _, err = w.UpdateOperatorToken(ctx, w.actor, changes[registry.OperatorToken](w, "ci", `{"expires":"0001-01-01T00:00:00Z"}`))
		w.ok(err)
		if live() == nil {
			t.Error("it never expires, and is not there")
		}
		if page, err := w.OperatorTokens(ctx, w.actor, Query{Issuer: "okta"}); err != nil || len(page.Items) != 1 || !page.Items[0].Expires.IsZero() {
			t.Errorf("%+v, %v", page, err)
		}
		_, err = w.DeleteOperatorToken(ctx, w.actor, Target{ID: "ci"})
		w.ok(err)
		if live() != nil {
			t.Error("it is deleted, and taken all the same")
		}
		if got := fmt.Sprint(w.actions(since)); got != "[operator_token.create ci operator_token.update ci operator_token.update ci operator_token.delete ci]" {
			t.Errorf("recorded: %s", got)
		}
		// Neither the value nor its digest is in anything that is shown.
		rows, err := w.Changes(ctx, w.actor, ChangeQuery{})
		w.ok(err)
		doc, err := json.Marshal([]any{made, rows})
		w.ok(err)
		for _, secret := range []string{value, value[10:30], strings.TrimPrefix(registry.HashGenerated(value), "sha256:")} {
			if strings.Contains(string(doc)+fmt.Sprintf("%+v", made), secret) {
				t.Errorf("it shows in %s", doc)
			}
		}
	})
}

func TestOperatorTokensAreRefused(t *testing.T) {
	onSQLite(t, func(w *world) {
		ctx := w.Context()
		w.issuer("okta", registry.DialectOkta, "https://okta.example.com")
		imported := strings.Repeat("0123456789abcdef", 3)
		token := func(id string) registry.OperatorToken {
			return registry.OperatorToken{ID: id, Role: registry.RoleViewer, Issuers: []string{"okta"}, SSWS: true}
		}
		made, _, err := w.CreateOperatorToken(ctx, w.actor, CreateOperatorToken{Token: token("ci"), Value: NewSecret(imported)})
		w.ok(err)
		if !made.Value.IsZero() {
			t.Error("a value that came with the request is given back")
		}
		head := w.head()
		with := func(f func(*registry.OperatorToken)) registry.OperatorToken {
			x := token("new")
			f(&x)
			return x
		}
		for _, tt := range []struct {
			name  string
			token registry.OperatorToken
			value string
			code  Code
			says  []string
		}{
			{"the id is taken", token("ci"), "", Exists, []string{"operator token", "symbolon operator-token update ci"}},
			{"a short value", token("new"), imported[:31], Invalid, []string{"value", "32 octets", "openssl rand -hex 32"}},
			{"a value with a line break", token("new"), imported + "\n", Invalid, []string{"value", "visible ASCII"}},
			{"a value that another has", token("new"), imported, Invalid, []string{"hash", "ci has this value"}},
			{"the hash that another has", with(func(x *registry.OperatorToken) { x.Hash = registry.HashGenerated(imported) }), "", Invalid, []string{"ci has this value"}},
			{"both", with(func(x *registry.OperatorToken) { x.Hash = registry.HashGenerated("x") }), imported + "2", Invalid, []string{"give one of them"}},
			{"a hash that is none", with(func(x *registry.OperatorToken) { x.Hash = "x" }), "", Invalid, []string{"hash", "symbolon export"}},
			{"no issuer", with(func(x *registry.OperatorToken) { x.Issuers = nil }), "", Invalid, []string{"issuers", "[okta]"}},
			{"no such issuer", with(func(x *registry.OperatorToken) { x.Issuers = []string{"okta", "gone"} }), "", Invalid, []string{"issuers.gone", "create it first"}},
			{"an issuer that takes none", with(func(x *registry.OperatorToken) { x.Issuers = []string{"default"} }), "", Invalid, []string{"ssws", "dialect okta"}},
			{"no role", with(func(x *registry.OperatorToken) { x.Role = "" }), "", Invalid, []string{"role", "viewer"}},
			{"expired", with(func(x *registry.OperatorToken) { x.Expires = w.clock.now() }), "", Invalid, []string{"expires", "a time to come"}},
		} {
			req := CreateOperatorToken{Token: tt.token}
			if tt.value != "" {
				req.Value = NewSecret(tt.value)
			}
			_, _, err := w.CreateOperatorToken(ctx, w.actor, req)
			w.refused(err, tt.code, tt.says...)
			if tt.value != "" && err != nil && strings.Contains(err.Error(), tt.value[:31]) {
				t.Errorf("%s: the error repeats the value", tt.name)
			}
		}
		_, _, err = w.UpdateOperatorToken(ctx, w.actor, changes[registry.OperatorToken](w, "ci", `{"hash":"sha256:`+strings.Repeat("0", 64)+`"}`))
		w.refused(err, Invalid, "hash", "create one, and delete this")
		_, _, err = w.UpdateOperatorToken(ctx, w.actor, changes[registry.OperatorToken](w, "ci", `{"issuers":[]}`))
		w.refused(err, Invalid, "issuers")
		_, _, err = w.UpdateOperatorToken(ctx, w.actor, changes[registry.OperatorToken](w, "gone", `{"name":"x"}`))
		w.refused(err, NotFound, "symbolon operator-token list")
		_, err = w.DeleteOperatorToken(ctx, w.actor, Target{ID: "ci", Version: 7})
		w.refused(err, Conflict)
		_, err = w.DeleteIssuer(ctx, w.actor, Target{ID: "okta"})
		w.refused(err, Refused, "1 operator tokens name the issuer okta: ci")
		if w.head() != head {
			t.Errorf("something was written: %v", w.actions(head))
		}
	})
}

// The value of a file's token crosses the socket, and is compared with what is
// stored; the digest of an exported one does as well.
func TestOperatorTokensOfAFile(t *testing.T) {
	eachStore(t, func(w *world) {
		ctx := w.Context()
		w.issuer("okta", registry.DialectOkta, "https://okta.example.com")
		value := registry.FormatSecret([32]byte{9})
		request := func(value, hash string) ApplyRequest {
			req := ApplyRequest{Set: "main", Objects: State{OperatorTokens: []Named[registry.OperatorToken]{{
				Object: registry.OperatorToken{ID: "ci", Role: registry.RoleOperator, Issuers: []string{"okta"}, SSWS: true, Hash: hash},
				Fields: Fields{"issuers", "role", "ssws"}}}}}
			if hash != "" {
				req.Objects.OperatorTokens[0].Fields = append(req.Objects.OperatorTokens[0].Fields, "hash")
			}
			if value != "" {
				req.Objects.TokenValues = map[string]Secret{"ci": NewSecret(value)}
			}
			doc, err := EncodeApply(req)
			w.ok(err)
			if req, err = DecodeApply(doc); err != nil {
				t.Fatal(err)
			}
			return req
		}
		_, _, err := w.Apply(ctx, w.actor, request("", ""))
		w.refused(err, Invalid, "value_from or a hash")
		_, _, err = w.Apply(ctx, w.actor, request(value, registry.HashGenerated(value)))
		w.refused(err, Invalid, "remove one of value_from and hash")
		_, _, err = w.Apply(ctx, w.actor, request("hunter2", ""))
		w.refused(err, Invalid, "value_from", "32 octets")
		plan, _, err := w.Apply(ctx, w.actor, request(value, ""))
		w.ok(err)
		if len(plan.Differences) != 1 || plan.Differences[0].Action != ActionCreate || w.replica.Snapshot().OperatorToken(value, w.clock.now()) == nil {
			t.Errorf("%+v", plan)
		}
		for _, same := range []ApplyRequest{request(value, ""), request("", registry.HashGenerated(value)), request("", "")} {
			if plan, _, err := w.Apply(ctx, w.actor, same); err != nil || len(plan.Differences) != 0 {
				t.Errorf("%+v, %v", plan, err)
			}
		}
		_, _, err = w.Apply(ctx, w.actor, request(registry.FormatSecret([32]byte{8}), ""))
		w.refused(err, Invalid, "value_from", "a changed value needs a new id")
		_, _, err = w.Apply(ctx, w.actor, request("", registry.HashGenerated("x")))
		w.refused(err, Invalid, "hash", "a changed value needs a new id")

		exported, err := w.Export(ctx, w.actor, "main")
		w.ok(err)
		if plan, _, err := w.Apply(ctx, w.actor, ApplyRequest{Set: "main", Objects: exported}); err != nil || len(plan.Differences) != 0 || len(exported.OperatorTokens) != 1 {
			t.Errorf("%+v, %v", plan, err)
		}
		plan, _, err = w.Apply(ctx, w.actor, ApplyRequest{Set: "main", Prune: true})
		w.ok(err)
		if len(plan.Differences) != 1 || plan.Differences[0].Action != ActionKeep || plan.Differences[0].Notes[0].Undo != "symbolon operator-token delete ci" {
			t.Errorf("%+v", plan)
		}
		_, _, err = w.Apply(ctx, w.actor, ApplyRequest{Set: "other", Objects: exported})
		w.refused(err, Invalid, "belongs to the set main", "symbolon operator-token update ci --release")
		_, err = w.DeleteOperatorToken(ctx, w.actor, Target{ID: "ci"})
		w.ok(err)
		plan, _, err = w.Apply(ctx, w.actor, request(value, ""))
		w.ok(err)
		if len(plan.Differences) != 1 || plan.Differences[0].Notes[0].Undo != "symbolon operator-token create ci" || w.replica.Snapshot().OperatorToken(value, w.clock.now()) != nil {
			t.Errorf("a file has brought it back: %+v", plan)
		}
	})
}
