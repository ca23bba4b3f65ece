package server

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// outside lets a handler run at the default issuer as an endpoint of that name.
func (f *fixture) outside(name string, handle func(Place, *web.Exchange) error) *httptest.ResponseRecorder {
	f.t.Helper()
	w := httptest.NewRecorder()
	web.Wrap(web.Config{Now: f.now, Logger: f.cfg.Logger}, func(w http.ResponseWriter, r *http.Request) error {
		x := web.ExchangeOf(w)
		x.Endpoint = name
		snapshot := f.replica.Snapshot()
		return handle(Place{Snapshot: snapshot, Issuer: snapshot.Issuers["default"]}, x)
	}).ServeHTTP(w, httptest.NewRequestWithContext(f.t.Context(), http.MethodPost, base+"/"+name, nil))
	return w
}

// recognizes gives the claims, or the private cause of the refusal.
func (f *fixture) recognizes(token string) (claims *symbolon.Claims, cause error) {
	f.t.Helper()
	w := f.outside("verify", func(at Place, x *web.Exchange) (err error) {
		claims, err = f.Recognize(at, x, token)
		return err
	})
	all := f.records()
	last := all[len(all)-1]
	if last.Endpoint != "verify" || last.RequestID != w.Header().Get("Request-Id") {
		f.t.Fatalf("the last record is %+v", last)
	}
	if claims != nil {
		if last.Outcome != audit.Answered || last.JTI != claims.ID || last.Verified {
			f.t.Errorf("recorded as %+v", last)
		}
		return claims, nil
	}
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), `"invalid_token"`) || last.Outcome != audit.Refused {
		f.t.Fatalf("%d %s, recorded as %+v", w.Code, w.Body, last)
	}
	return nil, errors.New(last.Reason)
}

func TestRecognize(t *testing.T) {
	f := newAskFixture(t)
	orders, sealed, elsewhere := f.tokenFor(""), f.tokenFor(forSealed), f.textOf(f.ask("POST", base+"/partners/token", grant, "Authorization", basicAuth("everywhere", secret1)))
	for name, token := range map[string]string{"signed": orders, "sealed": sealed} {
		claims, cause := f.recognizes(token)
		if claims == nil || claims.ClientID != "billing" || claims.Scope == "" {
			t.Errorf("%s: %+v, %v", name, claims, cause)
		}
	}
	for name, c := range map[string]struct {
		token string
		cause error
	}{
		"of another issuer":   {elsewhere, errTokenSeal}, // shared's are opaque
		"changed":             {orders[:len(orders)-4] + "AAAA", errTokenSigned},
		"no token":            {"", errTokenSeal},
		"text of other kinds": {"a.b\x00.ü", errTokenForm},
		"too long":            {strings.Repeat("a.", symbolon.MaxToken), errTokenForm},
	} {
		if claims, cause := f.recognizes(c.token); claims != nil || cause.Error() != c.cause.Error() {
			t.Errorf("%s: %+v, %v", name, claims, cause)
		}
	}
	bound := f.textOf(f.proven(grant, f.proofOf("P-256 proof").text(t)))
	if claims, cause := f.recognizes(bound); claims != nil || cause.Error() != boundToken.cause.Error() {
		t.Errorf("bound: %+v, %v", claims, cause)
	}
	f.deny(registry.Denial{What: registry.DenyClientAPI, Issuer: "default", Client: "billing", API: "sealed", Audience: sealedURL})
	if claims, cause := f.recognizes(sealed); claims != nil || cause.Error() != errTokenDenied.Error() {
		t.Errorf("denied at its API: %+v, %v", claims, cause)
	}
	if claims, _ := f.recognizes(orders); claims == nil {
		t.Error("denied at another API")
	}
	f.advance(10 * time.Minute)
	if claims, cause := f.recognizes(orders); claims != nil || cause.Error() != errTokenExpired.Error() {
		t.Errorf("expired: %+v, %v", claims, cause)
	}
}

func TestRefused(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct {
		err           error
		code, outcome string
		reason        string
	}{
		"a refusal":     {symbolon.NewError(symbolon.InsufficientScope, "said").WithCause(errors.New("behind it")), "insufficient_scope", audit.Refused, "behind it"},
		"of the state":  {&admin.Error{Code: admin.Refused, Message: "not now", Fix: "wait"}, "invalid_request", audit.Refused, "not now; wait"},
		"of nothing":    {&admin.Error{Code: admin.NotFound, Message: "none"}, "not_found", audit.Refused, "none"},
		"not allowed":   {&admin.Error{Code: admin.Forbidden, Message: "no"}, "insufficient_scope", audit.Refused, "no"},
		"the store":     {&admin.Error{Code: admin.Unavailable, Message: "away"}, "temporarily_unavailable", audit.Failed, "away"},
		"a wrong field": {registry.Problems{{Path: "label", Message: "too long"}}, "invalid_request", audit.Refused, "too long"},
		"unexpected":    {errors.New("broken"), "server_error", audit.Failed, "broken"},
	} {
		var got error
		w := f.outside("apps", func(at Place, x *web.Exchange) error {
			got = f.Refused(at, x, Caller{Name: "token:ci"}, c.err)
			return got
		})
		all := f.records()
		last := all[len(all)-1]
		if got.Error() != c.err.Error() || last.RequestID != w.Header().Get("Request-Id") || last.Endpoint != "apps" || last.Client != "token:ci" || last.Verified {
			t.Errorf("%s: %v; recorded as %+v", name, got, last)
		}
		if last.Code != c.code || last.Outcome != c.outcome || !strings.Contains(last.Reason, c.reason) {
			t.Errorf("%s: recorded as %+v", name, last)
		}
	}
}

// TestCallersOfOtherEndpoints: who showed a good token is proven, and all of their
// refusals are written; of who asks too fast no more than of strangers.
func TestCallersOfOtherEndpoints(t *testing.T) {
	f := newFixture(t)
	as := func(who Caller, err error, times int) (written []audit.Record) {
		before := len(f.records())
		for range times {
			f.outside("apps", func(at Place, x *web.Exchange) error {
				if err == nil {
					return f.Answered(at, x, who)
				}
				return f.Refused(at, x, who, err)
			})
		}
		return f.records()[before:]
	}
	proven, stranger := Caller{Name: "token:ci", Verified: true}, Caller{Name: "token:ci"}
	got := as(proven, nil, 1)
	if len(got) != 1 || got[0].Outcome != audit.Answered || got[0].Client != "token:ci" || !got[0].Verified || got[0].Cred != "" || got[0].Endpoint != "apps" || !got[0].Peer.IsValid() {
		t.Fatalf("recorded as %+v", got)
	}
	scope := symbolon.NewError(symbolon.InsufficientScope, "no")
	if got = as(proven, scope, 200); len(got) != 200 || !got[0].Verified || got[0].Code != "insufficient_scope" {
		t.Errorf("of who is proven, %d are written", len(got))
	}
	if got = as(stranger, scope, 200); len(got) >= 200 {
		t.Errorf("of a stranger, %d are written", len(got))
	}
	if got = as(proven, symbolon.NewError(symbolon.TooManyRequests, "wait"), 200); len(got) >= 200 || len(got) == 0 || !got[0].Verified {
		t.Errorf("of who asks too fast, %d are written", len(got))
	}
}
