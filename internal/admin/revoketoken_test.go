package admin

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// TestAClientRevokesItsToken: RFC 7009 §2.1.
func TestAClientRevokesItsToken(t *testing.T) {
	eachStore(t, func(w *world) {
		actor := OfClient("billing", "req-7")
		token := IssuedToken{Issuer: "default", Client: "billing", JTI: "t1", Expires: w.clock.now().Add(10 * time.Minute)}
		before := w.head()
		w.ok(w.RevokeToken(w.Context(), actor, token))
		if w.head() != before+1 || fmt.Sprint(w.denials()) != "map[jti:default:t1:0]" {
			t.Errorf("%d commits, denials %v", w.head()-before, w.denials())
		}
		if !w.replica.Snapshot().Issuers["default"].Denied(registry.TokenFacts{Client: "billing", JTI: "t1"}) {
			t.Error("the node that acknowledged does not refuse it")
		}
		// Once more it changes nothing, and a token that has expired neither.
		w.ok(w.RevokeToken(w.Context(), actor, token))
		old := token
		old.JTI, old.Expires = "t0", w.clock.now().Add(-5*time.Minute)
		w.ok(w.RevokeToken(w.Context(), actor, old))
		if w.head() != before+1 {
			t.Errorf("%d commits", w.head()-before)
		}
		if got := w.actions(before); len(got) != 0 {
			t.Errorf("a record that the store would keep for ever: %v", got)
		}
		for _, bad := range []IssuedToken{{Issuer: "default", JTI: "t1"}, {Issuer: "default", Client: "billing"}, {Client: "billing", JTI: "a b"}} {
			bad.Expires = token.Expires
			w.refused(w.RevokeToken(w.Context(), actor, bad), Invalid)
		}
		// It goes when the token and the slowest clock have.
		w.clock.advance(15*time.Minute - time.Second)
		_, err := w.RunSchedule(w.Context())
		w.ok(err)
		if len(w.denials()) != 1 {
			t.Fatal("it went too early")
		}
		w.clock.advance(time.Second)
		_, err = w.RunSchedule(w.Context())
		w.ok(err)
		if len(w.denials()) != 0 {
			t.Error("it stayed")
		}
	})
}

// TestSoManyRevokedTokens: what a client can put into the store has a bound, of
// its own, that falls as its tokens expire. To fill PostgreSQL takes half a minute:
// what is asked of each store is the same, so that is for make soak.
func TestSoManyRevokedTokens(t *testing.T) {
	on := onSQLite
	if os.Getenv("SYMBOLON_SOAK") != "" {
		on = eachStore
	}
	on(t, func(w *world) {
		end := w.clock.now().Add(time.Minute)
		w.revokedBefore("billing", MaxRevoked-1, end)
		revoke := func(client, jti string) error {
			return w.RevokeToken(w.Context(), OfClient(client, ""), IssuedToken{Issuer: "default", Client: client, JTI: jti, Expires: end})
		}
		w.ok(revoke("billing", "last"))
		w.refused(revoke("billing", "more"), TooMany, "10000 tokens", "symbolon deny tokens billing")
		w.ok(revoke("billing", "last")) // it is there
		w.ok(revoke("other", "more"))
		w.clock.advance(6 * time.Minute)
		for range 20 { // some at a time
			next, err := w.RunSchedule(w.Context())
			w.ok(err)
			if next.After(w.clock.now()) {
				break
			}
		}
		if got := len(w.denials()); got != 0 {
			t.Fatalf("%d are left", got)
		}
		end = w.clock.now().Add(time.Minute)
		w.ok(revoke("billing", "more"))
	})
}

// TestRevokedTokensOfAnIssuer: all clients of an issuer together have a bound, before
// which there is little left for each, so that some that revoke all that they get
// leave room for the others. Another issuer has its own.
func TestRevokedTokensOfAnIssuer(t *testing.T) {
	onSQLite(t, func(w *world) {
		end := w.clock.now().Add(time.Minute)
		revoke := func(client string, atIssuer int) error {
			jti := fmt.Sprint(client, "-", w.head())
			return w.RevokeToken(w.Context(), OfClient(client, ""), IssuedToken{Issuer: "default", Client: client, JTI: jti, Expires: end, AtIssuer: atIssuer})
		}
		w.revokedBefore("billing", fewRevoked, end)
		w.ok(revoke("billing", crowdedIssuer-1))
		w.refused(revoke("billing", crowdedIssuer), TooMany, "100000 tokens of issuer default", "101 of them by client billing", "symbolon deny tokens billing")
		w.ok(revoke("other", crowdedIssuer))
		w.ok(revoke("other", fullIssuer-1))
		w.refused(revoke("other", fullIssuer), TooMany, "200000 tokens of issuer default")
		w.refused(revoke("third", fullIssuer), TooMany)
		// What is denied already needs no room.
		again := IssuedToken{Issuer: "default", Client: "billing", JTI: fmt.Sprintf("%022d", 0), Expires: end, AtIssuer: fullIssuer}
		w.ok(w.RevokeToken(w.Context(), OfClient("billing", ""), again))
	})
}

// TestManyRevokedTokensGo: those of one client and of others, some at a time, from
// each store.
func TestManyRevokedTokensGo(t *testing.T) {
	eachStore(t, func(w *world) {
		soon, later := w.clock.now().Add(time.Minute), w.clock.now().Add(time.Hour)
		w.revokedBefore("billing", 300, soon)
		w.ok(w.RevokeToken(w.Context(), OfClient("other", ""), IssuedToken{Issuer: "default", Client: "other", JTI: "stays", Expires: later}))
		w.clock.advance(6 * time.Minute)
		next, err := w.RunSchedule(w.Context())
		w.ok(err)
		for !next.After(w.clock.now()) {
			next, err = w.RunSchedule(w.Context())
			w.ok(err)
		}
		if got := fmt.Sprint(w.denials()); got != "map[jti:default:stays:0]" {
			t.Errorf("left are %s", got)
		}
	})
}

// revokedBefore puts denials of a client's tokens into the store.
func (w *world) revokedBefore(client string, n int, expires time.Time) {
	w.Helper()
	_, err := w.Store.Update(context.Background(), func(tx *store.Tx) error {
		for i := range n {
			d := &registry.Denial{What: registry.DenyJTI, Issuer: "default", Client: client, JTI: fmt.Sprintf("%022d", i), Expires: expires}
			d.ID = registry.DenialID(d)
			doc, err := registry.Encode(d, nil)
			if err != nil {
				return err
			}
			var attrs []store.Attr
			for _, at := range registry.Index(d) {
				attrs = append(attrs, store.Attr(at))
			}
			if _, err := tx.Put(store.Put{Kind: registry.KindDenial, ID: d.ID, Doc: doc, Attrs: attrs}); err != nil {
				return err
			}
		}
		return nil
	})
	w.ok(err)
}

// TestTheScheduleWaitsForTheNextDenial: it is woken when one expires, not an hour
// later.
func TestTheScheduleWaitsForTheNextDenial(t *testing.T) {
	onSQLite(t, func(w *world) {
		for i, minutes := range []time.Duration{20, 10, 30} {
			w.ok(w.RevokeToken(w.Context(), OfClient("billing", ""), IssuedToken{Issuer: "default", Client: "billing", JTI: fmt.Sprint(i), Expires: w.clock.now().Add(minutes * time.Minute)}))
		}
		for _, want := range []time.Duration{15, 25, 35} { // with the margin
			next, err := w.RunSchedule(w.Context())
			w.ok(err)
			if got := next.Sub(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)); got != want*time.Minute {
				t.Errorf("next in %v, want %v", got, want*time.Minute)
			}
			w.clock.advance(next.Sub(w.clock.now()))
		}
	})
}

func TestDenyToken(t *testing.T) {
	onSQLite(t, func(w *world) {
		_, _, err := w.CreateIssuer(w.Context(), w.actor, registry.Issuer{ID: "partners"})
		w.ok(err)
		const claims = `"sub":"billing","aud":"https://orders.example.com","exp":1772366400,"iat":1772366000,"client_id":"billing"`
		ring := keys.NewRing(w.Master)
		w.OpenToken = ring.OpenToken
		sealed := func(iss, doc string) string {
			text, err := ring.SealToken(iss, []byte(doc))
			w.ok(err)
			return text
		}
		ours := sealed(baseURL+"/partners", `{"iss":"`+baseURL+`/partners","jti":"t2",`+claims+`}`)
		payload := func(doc string) string {
			header := jose.EncodeSegment([]byte(`{"alg":"ES256","kid":"gone"}`))
			return header + "." + jose.EncodeSegment([]byte(doc)) + "." + jose.EncodeSegment([]byte("nobody looks at it"))
		}
		for _, tt := range []struct {
			name, token, id string
			code            Code
		}{
			{"signed", payload(`{"iss":"` + baseURL + `","jti":"t1",` + claims + `}`), "jti:default:t1", ""},
			{"sealed", ours, "jti:partners:t2", ""},
			{"sealed, and cut", ours[:len(ours)-1], "", Invalid},
			{"sealed for another server", sealed("https://other.example.com", `{"iss":"`+baseURL+`","jti":"t2",`+claims+`}`), "", Invalid},
			{"of another server", payload(`{"iss":"https://other.example.com","jti":"t1",` + claims + `}`), "", Refused},
			{"without a jti", payload(`{"iss":"` + baseURL + `",` + claims + `}`), "", Invalid},
			{"iss twice", payload(`{"iss":"` + baseURL + `","iss":"x","jti":"t1",` + claims + `}`), "", Invalid},
			{"no token", "hunter2-hunter2", "", Invalid},
			{"nothing", "", "", Invalid},
		} {
			t.Run(tt.name, func(t *testing.T) {
				d, _, err := w.DenyToken(w.Context(), w.actor, NewSecret(tt.token))
				if tt.code != "" {
					w := &world{TB: t}
					w.refused(err, tt.code)
					if tt.token != "" && strings.Contains(err.Error(), tt.token) {
						t.Error("the error repeats the token")
					}
					return
				}
				if err != nil || d.ID != tt.id {
					t.Errorf("denied %+v, %v", d, err)
				}
			})
		}
		_, _, err = w.DenyToken(w.Context(), Actor{Name: "uid:7"}, NewSecret(ours))
		w.refused(err, Forbidden, "deny:write")
	})
}
