package dialect_test

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// halfway sends a request of JSON without its body, until the node asks for that;
// the rest follows when the result is called.
func (w *world) halfway(t *testing.T, method, target, auth, body string) func() answer {
	t.Helper()
	reader, writer := io.Pipe()
	asked, got := make(chan struct{}), make(chan answer, 1)
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(asked) }})
	req, err := http.NewRequestWithContext(ctx, method, target, reader)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(body))
	req.Header = http.Header{"Authorization": {auth}, "Content-Type": {"application/json"}, "Expect": {"100-continue"}}
	transport := w.http.Transport.(*http.Transport).Clone()
	transport.ExpectContinueTimeout = time.Minute
	t.Cleanup(transport.CloseIdleConnections)
	go func() {
		resp, err := transport.RoundTrip(req)
		if err != nil {
			got <- answer{text: err.Error()}
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		got <- answer{resp.StatusCode, resp.Header, string(text)}
	}()
	select {
	case <-asked:
	case a := <-got:
		t.Fatalf("answered before the body was asked for: %d %s", a.status, a.text)
	}
	return func() answer {
		go func() {
			_, err := io.WriteString(writer, body)
			writer.CloseWithError(err)
		}()
		return <-got
	}
}

// TestASlowBodyKeepsNoPower: who holds the body back until its power is gone is
// refused like anybody else, whichever way it went, and changes nothing.
func TestASlowBodyKeepsNoPower(t *testing.T) {
	w := newWorld(t, nil)
	a, by, ctx := w.node.Admin(), admin.System(), t.Context()
	ssws := func(id string) string {
		made, _, err := a.CreateOperatorToken(ctx, by, admin.CreateOperatorToken{
			Token: registry.OperatorToken{ID: id, Role: registry.RoleOperator, Issuers: []string{oktaOrg}, SSWS: true}})
		if err != nil {
			t.Fatal(err)
		}
		return "SSWS " + made.Value.Reveal()
	}
	apps := w.origin(oktaOrg) + "/api/v1/apps"
	auth0 := w.issuers[auth0] + "/api/v2/clients"
	manager := "Bearer " + auth0Manager(t, w).token
	for _, c := range []struct {
		name, target, auth string
		end                func() error
		status             int
	}{
		{"deleted token", apps, ssws("deleted"), func() error {
			_, err := a.DeleteOperatorToken(ctx, by, admin.Target{ID: "deleted"})
			return err
		}, http.StatusUnauthorized},
		{"token with less of a role", apps, ssws("lesser"), func() error {
			_, _, err := a.UpdateOperatorToken(ctx, by, admin.Update[registry.OperatorToken]{Target: admin.Target{ID: "lesser"},
				Change: admin.Named[registry.OperatorToken]{Object: registry.OperatorToken{Role: registry.RoleViewer}, Fields: admin.Fields{"role"}}})
			return err
		}, http.StatusForbidden},
		{"client without access", auth0, manager, func() error {
			_, _, err := a.Ungrant(ctx, by, admin.Target{ID: "auth0-mgmt"}, admin.Access{API: "auth0-management"})
			return err
		}, http.StatusUnauthorized},
		{"disabled client", apps, w.bearer(t, "okta-admin", "okta.apps.manage"), func() error {
			_, _, err := a.DisableClient(ctx, by, admin.Target{ID: "okta-admin"})
			return err
		}, http.StatusUnauthorized},
	} {
		body := app(c.name, nil, nil)
		if c.target == auth0 {
			body = `{"name":"` + c.name + `"}`
		}
		finish := w.halfway(t, "POST", c.target, c.auth, body)
		if err := c.end(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := finish(); got.status != c.status || strings.Contains(got.text, "client_secret") {
			t.Errorf("%s: %d %s, want %d", c.name, got.status, got.text, c.status)
		}
		if made, err := a.Clients(ctx, by, admin.Query{Search: c.name}); err != nil || len(made.Items) > 0 {
			t.Errorf("%s: it made %+v, %v", c.name, made.Items, err)
		}
	}
}
